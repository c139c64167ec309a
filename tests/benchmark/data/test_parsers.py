"""Generated files in the exact raw formats, well-formed and not: a clear error or a counted repair."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pandas as pd
import pytest

from benchmark.data import registry
from benchmark.data.parsers import parse
from benchmark.data.parsers.csvio import FLOAT, INT, TEXT, Layout, read_columns
from benchmark.data.parsers.diginetica import read_views
from benchmark.data.parsers.movielens import drop_duplicates
from benchmark.data.parsers.retailrocket import cut_sessions
from benchmark.data.parsers.session_rec import read_events
from benchmark.data.tables import Edges, SessionTable
from contracts import UserError

TYPES = {"SessionId": INT, "ItemId": INT, "Time": FLOAT}
GOOD = "SessionId\tItemId\tTime\n1\t10\t5.5\n1\t11\t6.0\n"


def rows_of(table: SessionTable) -> list[tuple]:
    return list(
        zip(
            table.session_ids[table.sessions].tolist(),
            table.item_ids[table.items].tolist(),
            table.times.tolist(),
            strict=True,
        )
    )


def test_a_quoted_header(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(GOOD.replace("SessionId", '"SessionId"'))
    assert rows_of(read_events(path)) == [(1, 10, 5.5), (1, 11, 6.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"SessionId\tItemId\tTime\n", "expected rows, found none"),
        (GOOD.replace("\t", ",").encode(), r"expected column 'SessionId'.*separator"),
        (GOOD.replace("ItemId", "Item").encode(), "expected column 'ItemId', found SessionId, Item, Time"),
        (GOOD.replace("11", "eleven").encode(), "column 'ItemId', data row 2: expected a whole number, found 'eleven'"),
        (GOOD.replace("11", "").encode(), "column 'ItemId', data row 2: expected a value, found an empty field"),
        ((GOOD + "2\t3\n").encode(), r"data row 3: expected 3 columns, found 2: '2\\t3'"),
        (GOOD.replace("5.5", "5,5").encode(), r"column 'Time'.*'5,5'"),
    ],
    ids=["empty", "header only", "separator", "column", "number", "missing value", "short row", "decimal comma"],
)
def test_malformed_files_name_the_trouble(tmp_path, content, message):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_columns(path, TYPES, Layout("\t"))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_text_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,name\n1,Amélie\n".encode("latin1"))
    with pytest.raises(UserError, match="invalid UTF8"):
        read_columns(path, {"name": TEXT})
    assert read_columns(path, {"name": TEXT}, Layout(encoding="latin1"))["name"].tolist() == ["Amélie"]


EVENTS = """timestamp,visitorid,event,itemid,transactionid
1000000,1,view,10,
2000000,1,view,11,
2100000,1,addtocart,11,
9000999,1,view,12,
1500000,2,view,13,
9100000,2,transaction,13,7
"""
PROPERTIES = """timestamp,itemid,property,value
500000,10,categoryid,5
900000,10,categoryid,6
500000,11,888,a b
500000,99,categoryid,5
500000,12,available,1
"""


def retail(tmp_path, sessionisation: str, events: str = EVENTS):
    (tmp_path / "events.csv").write_text(events)
    (tmp_path / "item_properties_part1.csv").write_text(PROPERTIES)
    dataset = registry.get("sample-sessions")
    return parse(dataset.model_copy(update={"options": dataset.options | {"sessionisation": sessionisation}}), tmp_path)


def test_retail_sessions_published_and_per_user(tmp_path):
    per_user = retail(tmp_path, "per-user").table
    assert [(item, time) for _, item, time in rows_of(per_user)] == [(10, 1000), (11, 2000), (12, 9000), (13, 1500)]
    assert np.bincount(per_user.sessions).tolist() == [2, 1, 1]
    assert len(retail(tmp_path, "published").table.session_ids) == 3
    # The next user's first event is near the last one of the previous user: merged, in order of time.
    merged = retail(tmp_path, "published", EVENTS.replace("1500000,2", "8990000,2")).table
    assert rows_of(merged)[2:] == [(1, 13, 8990.0), (1, 12, 9000.0)]
    assert len(merged.session_ids) == 2


def test_retail_cuts_at_more_than_thirty_minutes():
    assert cut_sessions(np.zeros(3, int), np.array([0, 1800, 3601]), "published").tolist() == [0, 0, 1]
    with pytest.raises(UserError, match="sessionisation"):
        cut_sessions(np.zeros(1, int), np.zeros(1, int), "weekly")


def test_retail_properties_and_counts(tmp_path):
    parsed = retail(tmp_path, "published")
    now = parsed.table.edges["property"].known_at(1000)
    assert sorted(zip(now.items, now.tokens, strict=True)) == [(10, "categoryid=6"), (11, "888=a"), (11, "888=b")]
    before = parsed.table.edges["property"].known_at(600)
    assert (10, "categoryid=5") in set(zip(before.items, before.tokens, strict=True))
    assert parsed.counts["time goes back in file"] == 1
    assert (parsed.counts["view"], parsed.counts["addtocart"], parsed.counts["transaction"]) == (4, 1, 1)


TREE = "categoryid,parentid\n5,2\n6,2\n2,1\n1,\n"
PAPER_PROPERTIES = "timestamp,itemid,property,value\n500000,10,6,12 n277.200 n-3.000\n500000,11,776,7 nine 8\n"


def paper_retail(tmp_path, tree: str = TREE, properties: str = PROPERTIES):
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "item_properties_part1.csv").write_text(properties)
    (tmp_path / "item_properties_part2.csv").write_text(PAPER_PROPERTIES)
    (tmp_path / "category_tree.csv").write_text(tree)
    return parse(registry.get("retail"), tmp_path)


def pairs_of(edges: Edges) -> list[tuple]:
    return sorted(zip(edges.items.tolist(), edges.tokens.tolist(), strict=True))


def test_retail_categories_have_those_above_them(tmp_path):
    edges = paper_retail(tmp_path).table.edges["category"]
    assert pairs_of(edges.known_at(1000)) == [(10, f"categoryid={number}") for number in (1, 2, 6)]
    assert pairs_of(edges.known_at(600)) == [(10, f"categoryid={number}") for number in (1, 2, 5)]
    unknown = paper_retail(tmp_path, properties=PROPERTIES.replace(",6\n", ",77\n"))
    assert unknown.counts["categories of items that the tree does not have"] == 1
    assert pairs_of(unknown.table.edges["category"].known_at(1000)) == [(10, "categoryid=77")]


def test_retail_properties_of_the_paper_without_numbers(tmp_path):
    parsed = paper_retail(tmp_path)
    assert pairs_of(parsed.table.edges["property_6"]) == [(10, "6=12")]
    assert pairs_of(parsed.table.edges["property_776"]) == [(11, "776=7"), (11, "776=8"), (11, "776=nine")]
    assert len(parsed.table.edges["property_839"].items) == 0
    assert parsed.counts["numeric words of properties left out"] == 2


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("categoryid,parentid\n5,2\n2,5\n", r"category_tree.csv: category 5: expected a tree, found it above itself"),
        ("categoryid,parentid\n5,2\n5,3\n", r"data row 2: category 5: expected one parent, found 2 and 3"),
        ("categoryid,parentid\n5,two\n", r"column 'parentid'.*'two'"),
        ("categoryid,parent\n5,2\n", "expected column 'parentid', found categoryid, parent"),
        ("categoryid;parentid\n5;2\n", r"expected column 'categoryid'.*separator"),
        ("", "empty file"),
    ],
)
def test_retail_tree_that_is_none(tmp_path, tree, message):
    with pytest.raises(UserError, match=message):
        paper_retail(tmp_path, tree)


def test_retail_purchases_as_interactions(tmp_path):
    edges = paper_retail(tmp_path).table.edges
    assert edges["transaction"].tokens.tolist() == ["2"]
    assert edges["addtocart"].items.tolist() == [11]
    assert len(edges["transaction"].known_at(9099.0).items) == 0


def test_retail_unknown_event(tmp_path):
    with pytest.raises(UserError, match=r"column 'event', data row 3: .*found 'click'"):
        retail(tmp_path, "published", EVENTS.replace("addtocart", "click"))


DIGI = (
    "sessionId;userId;itemId;timeframe;eventdate\n2;NA;7;2000;2016-05-09\n2;NA;8;1000;2016-05-09\n1;4;7;10;2016-05-08\n"
)


@pytest.mark.parametrize("old", [False, True])
def test_digi_both_headers_time_and_order(tmp_path, old):
    header, body = DIGI.split("\n", 1)
    if old:
        header = "session_id;user_id;item_id;timeframe;eventdate"
    (tmp_path / "train-item-views.csv").write_text(header + "\n" + body)
    table, counts = read_views(tmp_path / "train-item-views.csv")
    midnight = 1462752000.0
    assert rows_of(table) == [(1, 7, midnight - 86400 + 0.01), (2, 8, midnight + 1), (2, 7, midnight + 2)]
    assert counts["events of unknown users"] == 2
    assert counts["events not in time order in the file"] == 1
    codes, ids = table.groups["user"]
    assert ids[codes].tolist() == [4, -3]


def test_digi_attributes_and_interactions(tmp_path):
    files = {
        "train-item-views.csv": DIGI,
        "product-categories.csv": "itemId;categoryId\n7;30\n",
        "products.csv": "itemId;pricelog2;product.name.tokens\n7;10;4,5\n8;11;\n",
        "train-purchases.csv": "sessionId;userId;timeframe;eventdate;ordernumber;itemId\n2;NA;NA;2016-05-09;1;7\n",
        "train-queries.csv": "queryId;sessionId;userId;timeframe;duration;eventdate;searchstring.tokens;categoryId;"
        "items;is.test\n1;2;NA;5000;9;2016-05-09;;30;7,8,9;FALSE\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    edges = parse(registry.get("digi"), tmp_path).table.edges
    assert {name: list(zip(edge.items, edge.tokens, strict=True)) for name, edge in edges.items()} == {
        "category": [(7, "category=30")],
        "name": [(7, "4"), (7, "5")],
        "price": [(7, "price=10"), (8, "price=11")],
        "purchase": [(7, "2")],
        "query": [(7, "1"), (8, "1"), (9, "1")],
    }
    assert edges["query"].times.tolist() == [1462752005.0] * 3


def test_digi_bad_date(tmp_path):
    (tmp_path / "a.csv").write_text(DIGI.replace("2016-05-08", "08.05.2016"))
    with pytest.raises(UserError, match=r"column 'eventdate'.*'08.05.2016'"):
        read_views(tmp_path / "a.csv")


def test_rsc15_keeps_fractions_and_file_order(tmp_path):
    lines = ["1,2014-04-07T10:51:09.277Z,5,0", "1,2014-04-07T10:50:00.500Z,6,S", "2,2014-04-07T10:51:10.000Z,5,3"]
    (tmp_path / "yoochoose-clicks.dat").write_text("\n".join(lines) + "\n")
    (tmp_path / "yoochoose-buys.dat").write_text("1,2014-04-07T11:00:00.000Z,5,1000,2\n")
    parsed = parse(registry.get("rsc15"), tmp_path)
    assert rows_of(parsed.table) == [(1, 5, 1396867869.277), (1, 6, 1396867800.5), (2, 5, 1396867870.0)]
    assert parsed.counts["time goes back in a session"] == 1
    assert parsed.table.edges["purchase"].tokens.tolist() == ["1"]
    (tmp_path / "yoochoose-clicks.dat").write_text(lines[0] + "\n1,yesterday,6,0\n")
    with pytest.raises(UserError, match=r"column 'time'.*'yesterday'"):
        parse(registry.get("rsc15"), tmp_path)


PLAYS = "SessionId\tUserId\tItemId\tArtistId\tTime\n1\t3\t10\t1\t7.0\n2\t4\t11\t2\t8.0\n2\t4\t10\t1\t9.0\n"
LISTS = (
    'playlist\t7\t5\t{"ID":1,"Title":"my "best" list","numtracks":2}\t'
    '{"subjects":[{"type":"user","id":3}],"objects":[{"type":"track","id":10},{"type":"track","id":99}]}\n'
    'playlist\t8\t6\t{"ID":2,"Title":"nothing"}\t{"subjects":[{"type":"user","id":3}],"objects":[[]]}\n'
    'playlist\t9\t8\t{"ID":3}\t{"subjects":[{"type":"user","id":4}],"objects":[{"type":"track","id":11},'
    '{"type":"track","id":10}]}\n'
)


def thirty_music(tmp_path, lists: str | bytes):
    (tmp_path / "30music-200ks.csv").write_text(PLAYS)
    (tmp_path / "playlist.idomaar").write_bytes(lists if isinstance(lists, bytes) else lists.encode())
    return parse(registry.get("30mu"), tmp_path)


@pytest.mark.parametrize(
    "lists",
    [
        LISTS,
        LISTS.replace("\n", "\r\n"),
        "\ufeff" + LISTS,
        LISTS.replace("nothing", "é").encode("latin1"),
        LISTS + "\n",
    ],
    ids=["plain", "crlf", "bom", "latin-1 title", "empty line"],
)
def test_playlists_of_30music_are_a_further_interaction(tmp_path, lists):
    parsed = thirty_music(tmp_path, lists)
    edges = parsed.table.edges["playlist"]
    assert pairs_of(edges) == [(10, "7"), (10, "9"), (11, "9")]
    assert pairs_of(edges.known_at(7.0)) == [(10, "7")]
    assert parsed.counts["playlists"] == 2
    assert parsed.counts["playlist entries of tracks in no session, left out"] == 1
    assert "artist" in parsed.table.edges


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ("", "expected tracks with ids of the sessions' items, found none among 0"),
        (LISTS.replace("10", "1010").replace(":11", ":1111"), "found none among 4"),
        (LISTS.replace("\t", " "), r"line 1: expected playlist, id, time and two JSON objects, separated by tabs"),
        (LISTS.replace("playlist\t8\t6", "playlist\t8"), "line 2: expected playlist"),
        (LISTS.replace("playlist\t8", "playlist\teight"), r"line 2: .*found 'playlist\\teight"),
        (LISTS.replace("playlist\t9", "track\t9"), "line 3: expected playlist"),
        (LISTS.replace('"id":11', '"id":"x"'), "line 3: expected playlist"),
        (LISTS.replace('"objects"', '"object"'), "line 1: expected playlist"),
        (LISTS.rstrip()[:-3], "line 3: expected playlist"),
    ],
)
def test_malformed_playlists_name_the_line(tmp_path, lists, message):
    with pytest.raises(UserError, match=message) as error:
        thirty_music(tmp_path, lists)
    assert "playlist.idomaar" in str(error.value)


@pytest.mark.parametrize("name", ["30mu", "aotm", "nowp"])
def test_playlists_with_users_and_artists(tmp_path, name):
    dataset = registry.get(name)
    (tmp_path / "playlist.idomaar").write_text(LISTS)
    (tmp_path / dataset.files[0].name).write_text(
        "UserId\tSessionId\tItemId\tTime\tArtistId\n4\t2\t10\t9.0\t1\n4\t2\t11\t8.0\t2\n3\t1\t10\t7.0\t1\n"
    )
    parsed = parse(dataset, tmp_path)
    assert rows_of(parsed.table) == [(1, 10, 7.0), (2, 11, 8.0), (2, 10, 9.0)]
    assert parsed.table.edges["artist"].tokens.tolist() == ["artist=1", "artist=2"]
    assert parsed.counts["breaks in the (session, time) order of the file"] > 0


def test_ml20m_duplicates_titles_and_genres(tmp_path):
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,3.5,10\n1,2,4.0,11\n2,3,5.0,12\n")
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n2,"Film, The (1999)",Drama|Comedy\n3,Other,(no genres listed)\n'
    )
    parsed = parse(registry.get("ml20m"), tmp_path)
    assert parsed.counts["duplicates dropped"] == 1
    assert parsed.table.ratings.tolist() == [4.0, 5.0]
    assert parsed.table.names == {2: "Film, The (1999)", 3: "Other"}
    assert parsed.table.edges["genre"].tokens.tolist() == ["Drama", "Comedy"]
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,35,10\n")
    with pytest.raises(UserError, match=r"data row 1: expected a rating of 0.5 to 5.0, found 35"):
        parse(registry.get("ml20m"), tmp_path)


def netflix(tmp_path, films: dict[str, str]):
    with tarfile.open(tmp_path / "training_set.tar", "w") as tar:
        for name, text in films.items():
            info = tarfile.TarInfo(f"training_set/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    (tmp_path / "movie_titles.txt").write_bytes("1,2003,Dinosaur, the\n2,NULL,Amélie\n".encode("latin1"))
    return parse(registry.get("netflix"), tmp_path)


def test_netflix(tmp_path):
    parsed = netflix(
        tmp_path, {"mv_0000001.txt": "1:\n7,5,2005-09-06\n8,3,2005-09-07\n", "mv_0000002.txt": "2:\n7,4,2000-01-01\n"}
    )
    assert parsed.table.users.tolist() == [7, 8, 7]
    assert parsed.table.items.tolist() == [1, 1, 2]
    assert parsed.table.ratings.tolist() == [5, 3, 4]
    assert parsed.table.times.tolist() == [1125964800.0, 1126051200.0, 946684800.0]
    assert parsed.table.names == {1: "Dinosaur, the", 2: "Amélie"}
    twice = netflix(tmp_path, {"mv_0000001.txt": "1:\n7,5,2005-09-06\n8,3,2005-09-07\n7,2,2005-09-08\n"})
    assert (twice.table.users.tolist(), twice.table.ratings.tolist()) == ([8, 7], [3, 2])
    assert twice.counts == {"rows": 3, "films": 1, "duplicates dropped": 1}
    for fault, message in (("", "expected 'film:'"), ("1:\n7,5\n", "data row 1: expected 3 columns, found 2: '7,5'"),
                           ("1:\n7,5,06.09.2005\n", "'06.09.2005'"), ("1:\n7,9,2005-09-06\n", "found 9"),
                           ("1:\n7;5;2005-09-06\n", "expected 3 columns, found 1"), ("1:\n", "[Ee]mpty")):  # fmt: skip
        with pytest.raises(UserError, match=message):
            netflix(tmp_path, {"mv_0000001.txt": fault})
    with pytest.raises(UserError, match=r"mv_0000001.txt: line 1: expected 'film:'"):
        netflix(tmp_path, {"mv_0000001.txt": "7,5,2005-09-06\n"})
    with pytest.raises(UserError, match=r"mv_0000001.txt: .*'five'"):
        netflix(tmp_path, {"mv_0000001.txt": "1:\n7,five,2005-09-06\n"})


def test_latest_value_of_a_property_wins_but_all_its_words_stay():
    edges = Edges(
        np.array([1, 1, 1, 1]),
        np.array(["p=a", "p=b", "p=c", "q=z"], object),
        np.array([1.0, 2.0, 2.0, 1.0]),
        latest=True,
    )
    frame = pd.DataFrame({"t": edges.known_at(5.0).tokens})
    assert sorted(frame["t"]) == ["p=b", "p=c", "q=z"]
    assert sorted(edges.known_at(1.5).tokens) == ["p=a", "q=z"]


def test_of_two_ratings_the_later_one_counts_whatever_stands_last(tmp_path):
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n2,Film,Drama\n")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,4.0,11\n3,2,1.0,11\n1,2,3.5,10\n")
    assert parse(registry.get("ml20m"), tmp_path).table.ratings.tolist() == [4.0, 1.0]
    newest_first = netflix(tmp_path, {"mv_0000001.txt": "1:\n7,2,2005-09-08\n8,3,2005-09-07\n7,5,2005-09-06\n"})
    assert (newest_first.table.users.tolist(), newest_first.table.ratings.tolist()) == ([7, 8], [2, 3])
    tie = drop_duplicates(np.array([1, 1, 1]), np.array([2, 2, 2]), np.array([5.0, 5.0, 4.0]))
    assert tie.tolist() == [False, True, False], "of two at the same time the last row"


@pytest.mark.parametrize(
    ("users", "items"),
    [
        ([1, 1, 2], [5, 6, 5]),
        ([1, 2, 1, 1], [5, 5, 5, 6]),
        ([0, 2**62], [2**40, 1]),
        ([-1, 1, -1], [3, 3, 3]),
        (["a", "b", "a"], ["x", "x", "x"]),
    ],
)
def test_the_last_rating_of_a_pair_counts(users, items):
    pairs = list(zip(users, items, strict=True))
    expected = [pair not in pairs[row + 1 :] for row, pair in enumerate(pairs)]
    assert drop_duplicates(np.array(users), np.array(items), None).tolist() == expected
