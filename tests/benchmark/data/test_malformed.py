"""Every text file of every raw format, damaged in every usual way: one clear error that names the file, or the same
table as from the clean file; repairs are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.data import registry
from benchmark.data.parsers import parse
from benchmark.data.prepare import table_statistics
from benchmark.data.tables import RatingTable, SessionTable
from contracts import UserError

FILES = {
    "retail": {
        "events.csv": "timestamp,visitorid,event,itemid,transactionid\n1000000,1,view,10,\n1100000,1,view,11,\n",
        "item_properties_part1.csv": "timestamp,itemid,property,value\n500000,10,categoryid,5\n600000,11,776,7 8\n",
        "category_tree.csv": "categoryid,parentid\n5,2\n2,\n",
    },
    "digi": {
        "train-item-views.csv": "sessionId;userId;itemId;timeframe;eventdate\n1;4;7;1;2016-05-08\n1;4;8;2;2016-05-08\n",
        "product-categories.csv": "itemId;categoryId\n7;30\n8;30\n",
        "products.csv": "itemId;pricelog2;product.name.tokens\n7;10;4,5\n8;11;6\n",
        "train-purchases.csv": "sessionId;userId;timeframe;eventdate;ordernumber;itemId\n1;4;30;2016-05-08;1;7\n",
        "train-queries.csv": "queryId;sessionId;userId;timeframe;duration;eventdate;searchstring.tokens;categoryId;"
        "items;is.test\n1;1;4;5;9;2016-05-08;;30;7,8;FALSE\n",
    },
    "rsc15": {
        "yoochoose-clicks.dat": "1,2014-04-07T10:51:09.277Z,5,0\n1,2014-04-07T10:52:00.500Z,6,0\n",
        "yoochoose-buys.dat": "1,2014-04-07T11:00:00.000Z,5,1000,2\n",
    },
    "aotm": {"playlists-aotm.csv": "SessionId\tUserId\tItemId\tArtistId\tTime\n1\t3\t10\t1\t7.0\n1\t3\t11\t2\t8.0\n"},
    "ml20m": {
        "ratings.csv": "userId,movieId,rating,timestamp\n1,2,3.5,10\n2,3,5.0,12\n",
        "movies.csv": "movieId,title,genres\n2,One,Drama\n3,Two,Comedy\n",
    },
}
CASES = [(name, file) for name, files in FILES.items() for file in files]
WITH_HEADER = [case for case in CASES if not case[1].endswith(".dat")]


def read(tmp_path, name: str, file: str | None = None, content: bytes = b""):
    for known, text in FILES[name].items():
        (tmp_path / known).write_bytes(content if known == file else text.encode())
    return parse(registry.get(name), tmp_path)


def same(a: SessionTable | RatingTable, b: SessionTable | RatingTable) -> None:
    for column in ("sessions", "users", "items", "times", "ratings", "session_ids", "item_ids"):
        if hasattr(a, column):
            np.testing.assert_array_equal(getattr(a, column), getattr(b, column))
    assert a.edges.keys() == b.edges.keys()
    for name, edges in a.edges.items():
        assert edges.items.tolist() == b.edges[name].items.tolist()
        assert edges.tokens.tolist() == b.edges[name].tokens.tolist()


@pytest.mark.parametrize(("name", "file"), CASES)
@pytest.mark.parametrize("spelling", ["bom", "crlf", "no final newline"])
def test_other_spellings_give_the_same_table(tmp_path, name, file, spelling):
    clean = FILES[name][file]
    other = {"bom": "\ufeff" + clean, "crlf": clean.replace("\n", "\r\n"), "no final newline": clean.rstrip("\n")}
    same(read(tmp_path, name, file, other[spelling].encode()).table, read(tmp_path, name).table)


@pytest.mark.parametrize(("name", "file"), CASES)
@pytest.mark.parametrize("fault", ["empty", "separator", "bad number", "short row", "not utf-8"])
def test_faults_name_the_file(tmp_path, name, file, fault):
    clean = FILES[name][file]
    head, last = clean.rstrip("\n").rsplit("\n", 1) if "\n" in clean.rstrip("\n") else ("", clean.rstrip("\n"))
    separator = next(sign for sign in ("\t", ";", ",") if sign in clean)
    first, rest = last.split(separator, 1)
    damaged = {
        "empty": b"",
        "separator": clean.replace(separator, "|").encode(),
        "bad number": f"{head}\nx{first}{separator}{rest}\n".lstrip("\n").encode(),
        "short row": (clean + f"{first}\n").encode(),
        "not utf-8": f"{head}\n".lstrip("\n").encode() + b"\xff\xfe" + last.encode() + b"\n",
    }
    with pytest.raises(UserError) as error:
        read(tmp_path, name, file, damaged[fault])
    assert file in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "file"), WITH_HEADER)
def test_a_missing_column_is_named(tmp_path, name, file):
    needed = {"category_tree.csv": "parentid", "train-queries.csv": "queryId"}
    header = FILES[name][file].split("\n", 1)[0]
    column = needed.get(file, header.replace("\t", ",").replace(";", ",").split(",")[0])
    with pytest.raises(UserError, match=rf"{file}: header: expected column ('\w+' \(or )?'{column}'"):
        read(tmp_path, name, file, FILES[name][file].replace(column, "other", 1).encode())


def test_duplicates_and_time_going_backwards_are_counted(tmp_path):
    lines = ["1,2014-04-07T10:51:09.277Z,5,0", "1,2014-04-07T10:51:09.277Z,5,0", "1,2014-04-07T10:50:00.500Z,6,0"]
    found = table_statistics(read(tmp_path, "rsc15", "yoochoose-clicks.dat", "\n".join(lines).encode()))
    assert found["events"] == 3
    assert found["events that repeat the one before, time included"] == 1
    assert found["events earlier than the one before"] == 1


def ml1m(folder, **changes: str):
    """ML-1M as the mirror has it, ten ratings of two users in five folds; text of some files replaced."""
    pairs = [(user, 10 + item) for user in (1, 2) for item in range(5)]
    for fold in range(1, 6):
        rows = [f"{user},{item},{1 + item % 5}" for user, item in pairs if item % 5 == fold - 1]
        (folder / f"test_1m{fold}.dat").write_text(changes.get(f"test_1m{fold}", "\n".join(rows) + "\n"))
    order = pd.DataFrame(pairs, columns=["userID", "movieID"]).astype(str)
    order.to_parquet(folder / "ratings_order.parquet")
    movies = "".join(f"{item}::Film {item}, é::Drama|War\n" for item in range(10, 15))
    (folder / "movies.dat").write_bytes(changes.get("movies", movies).encode("latin1"))
    (folder / "ncf_ml-1m.test.rating").write_text(changes.get("rating", "0\t3\t5\t9\n1\t4\t5\t9\n"))
    negatives = "\t".join("0" * 99)
    lines = f"(0,3)\t{negatives}\n(1,4)\t{negatives}\n"
    (folder / "ncf_ml-1m.test.negative").write_text(changes.get("negative", lines))
    return parse(registry.get("movielens-1m"), folder)


def test_ml1m_from_its_folds(tmp_path):
    table = ml1m(tmp_path).table
    assert table.items.tolist() == [*range(10, 15), *range(10, 15)]
    assert table.ratings.tolist() == [1, 2, 3, 4, 5] * 2
    assert table.names[10] == "Film 10, é"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("test_1m2", "1,10,3\n1,11,2\n2,11,2\n", "expected five disjoint folds, found 1 ratings in two of them"),
        ("test_1m2", "1,11,2\n", "1 rows of ratings_order.parquet are in no fold"),
        ("test_1m2", "1,11,7\n2,11,2\n", "expected a rating of 1 to 5, found 7"),
        ("test_1m2", "1;11;2\n", "test_1m2.dat: .*found 1"),
        ("test_1m2", "", "test_1m2.dat: expected rows, found an empty file"),
        ("movies", "10,Film,Drama\n", "movies.dat: line 1: expected MovieID::Title::Genres"),
        ("rating", "0\tthree\t5\t9\n", r"ncf_ml-1m.test.rating: .*'three'"),
        ("negative", "(0,3)\t1\n(1,4)\t1\n", r"line 1: expected \(0,3\) and 99 items, found \(0,3\) and 1"),
        ("negative", "(0,3)\t1\n", "expected 2 lines, found 1"),
    ],
)
def test_ml1m_malformed(tmp_path, file, content, message):
    with pytest.raises(UserError, match=message):
        ml1m(tmp_path, **{file: content})


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"a": [1, 2], "b": [1]}', "expected vectors of one length"), ('{"a": [1,', "line 1: not JSON"), ("", "not JSON"),
     ("[1, 2]", "expected words with their vectors, found list"), ('{"a": [1, "x"]}', "expected numbers")],
)  # fmt: skip
def test_glove_malformed(tmp_path, content, message):
    (tmp_path / "glove-50d-5k.json").write_text(content)
    with pytest.raises(UserError, match=rf"glove-50d-5k.json: .*{message}"):
        parse(registry.get("glove-50d-5k"), tmp_path)


@pytest.mark.parametrize(
    ("points", "density", "message"),
    [
        ("1,2\n", "0.5,0\n", r"shuttle.csv: .*found 2"),
        (",".join("123456789") + "\n", "0.5,1\n", "expected the density of each of the 1 rows once"),
        (",".join("12345678x") + "\n", "0.5,0\n", "column 'c8'.*'x'"),
        (",".join("123456789") + "\n", "0.5 0\n", "shuttle_gaussian.txt: .*found 1"),
    ],
)
def test_shuttle_malformed(tmp_path, points, density, message):
    (tmp_path / "shuttle.csv").write_text(points)
    (tmp_path / "shuttle_gaussian.txt").write_text(density)
    with pytest.raises(UserError, match=message):
        parse(registry.get("shuttle"), tmp_path)
