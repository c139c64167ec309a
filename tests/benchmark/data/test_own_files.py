"""A user's own files in every form: ids as they stand there, times by their unit, or one line that says why."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark.data import add, given_vectors
from benchmark.data.load import SessionSplit, TopKSplit, load_split
from benchmark.data.parsers.named import read_named
from benchmark.data.prepare import prepare
from benchmark.data.statistics import stats
from contracts import UserError

BEGIN = 1_400_000_000
COLUMNS = {"session": "SessionId", "item": "ItemId", "time": "Time"}


def clicks(*items: object) -> pd.DataFrame:
    """12 sessions on 4 days, three events each; ``items`` in turn."""
    rows = np.arange(36)
    times = BEGIN + rows // 9 * 86400 + rows // 3 % 3 * 600 + rows % 3 * 10
    return pd.DataFrame({"SessionId": rows // 3, "ItemId": [items[row % len(items)] for row in rows], "Time": times})


def added(path: Path, frame: pd.DataFrame, **options) -> SessionSplit:
    """The split of a data set ``own`` from a file of ``frame``."""
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    add.add_sessions("own", path, min_support=1, **options)
    prepare("own")
    split = load_split("own")
    assert isinstance(split, SessionSplit)
    return split


def times_of(path: Path) -> list[float]:
    return read_named(path, COLUMNS, ())[0]["time"].tolist()


def test_leading_zeros_make_other_ids(root, tmp_path):
    split = added(tmp_path / "a.csv", clicks("01", "1", "02", "2", "03", "3"))
    assert sorted(split.item_ids) == ["01", "02", "03", "1", "2", "3"]
    assert stats("own")["raw"]["found"]["item ids"] == "text"
    assert stats("own")["raw"]["found"]["session ids"] == "whole numbers"


def test_vectors_of_ids_with_leading_zeros(root, tmp_path):
    split = added(tmp_path / "a.csv", clicks("001", "002", "003"))
    np.save(tmp_path / "v.npy", np.arange(6.0).reshape(3, 2))
    (tmp_path / "ids.txt").write_text("001\n002\n003\n")
    add.add_vectors("own", "text", tmp_path / "v.npy", tmp_path / "ids.txt")
    assert given_vectors.item_vectors("own", "text", split.item_ids)[1].all()


@pytest.mark.parametrize("text", ["007", "+7", "-0", "7.0", "0x7", " 7", "9223372036854775808", "1e3", "seven"])
def test_one_id_that_is_no_canonical_whole_number_makes_text_of_all(tmp_path, text):
    (tmp_path / "a.csv").write_text(f"SessionId,ItemId,Time\n1,{text},1\n1,16,2\n")
    assert read_named(tmp_path / "a.csv", COLUMNS, ())[0]["item"].tolist() == [text, "16"]


def test_canonical_whole_numbers_are_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("SessionId,ItemId,Time\n1,-7,1\n1,0,2\n1,9223372036854775807,2\n")
    assert read_named(tmp_path / "a.csv", COLUMNS, ())[0]["item"].tolist() == [-7, 0, 2**63 - 1]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_ids_too_great_for_int64_stay_what_they_are(root, tmp_path, suffix):
    great = [2**63, 2**64 - 1, 5]
    frame = clicks(*great).astype({"ItemId": "uint64"})
    assert added(tmp_path / f"a{suffix}", frame).item_ids.tolist() == [str(item) for item in great]


@pytest.mark.parametrize(
    ("items", "attributes"),
    [((1, 2, 3), "1,a\n2,b\n3,a\npromo,b\n"), (("1", "2", "x"), "1,a\n2,b\n3,a\n"), (("01", "1", "2"), "1,a\n2,b\n")],
    ids=["text among the attributes", "text among the clicks", "leading zero among the clicks"],
)
def test_a_text_id_in_one_file_leaves_the_others_matching(root, tmp_path, items, attributes):
    (tmp_path / "kinds.csv").write_text(f"item,token\n{attributes}")
    split = added(tmp_path / "a.csv", clicks(*items), attributes=tmp_path / "kinds.csv")
    expected = {line.split(",")[0] for line in attributes.split()} & set(map(str, items))
    known = np.diff(split.train.attributes["attribute"].indptr) > 0
    assert set(split.item_ids[known]) == expected
    assert stats("own")["raw"]["found"]["item ids"] == "text"


def test_an_srgnn_folder_with_a_text_id_among_the_attributes(root, tmp_path):
    folder = srgnn(tmp_path, ([[1, 2], [1], [3]], [3, 2, 1]))
    with pytest.raises(UserError, match="has no columns to name"):
        add.add_sessions("own", folder, columns={"item": "sku"})
    (tmp_path / "kinds.csv").write_text("item,token\n1,a\n2,a\npromo,b\n")
    add.add_sessions("own", folder, attributes=tmp_path / "kinds.csv")
    split = load_split("own")
    assert (split.split, split.n_points) == ("published", 3)
    assert split.train.attributes["attribute"].toarray().tolist() == [[1], [1], [0]]
    assert stats("own")["raw"]["found"]["item ids"] == "text"


def test_ids_as_floats_are_text_and_counted(root, tmp_path):
    for suffix in (".csv", ".parquet"):
        split = added(tmp_path / f"a{suffix}", clicks(1.0, 2.0, 3.0))
        assert split.item_ids.tolist() == ["1.0", "2.0", "3.0"]
        assert stats("own")["raw"]["found"]["ids of column 'ItemId' that look like floats (3.0 is not 3)"] == 36


def test_categories_and_decimals_are_ids_and_lists_are_not(tmp_path):
    frame = clicks("a", "b").astype({"ItemId": "category"})
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_named(tmp_path / "a.parquet", COLUMNS, ())[0]["item"][:3].tolist() == ["a", "b", "a"]
    table = pa.table({"SessionId": [1], "ItemId": pa.array([20], pa.decimal128(20, 0)), "Time": [1]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_named(tmp_path / "a.parquet", COLUMNS, ())[0]["item"].tolist() == [20]
    pq.write_table(pa.table({"SessionId": [1], "ItemId": [[1, 2]], "Time": [1]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="column 'ItemId': expected ids, found values of type list"):
        read_named(tmp_path / "a.parquet", COLUMNS, ())


def test_text_ids_of_users_can_be_prepared(root, tmp_path):
    split = added(tmp_path / "a.csv", clicks(1, 2, 3).assign(UserId=lambda frame: "u" + frame["SessionId"].astype(str)))
    assert set(split.train.groups) == {"user"}
    cells = np.random.default_rng(0).permutation(50 * 20)[:600]
    frame = pd.DataFrame({"userId": [f"u{cell // 20}" for cell in cells], "itemId": cells % 20, "rating": 5})
    frame.to_csv(tmp_path / "r.csv", index=False)
    add.add_ratings("stars", tmp_path / "r.csv")
    prepare("stars")
    assert load_split("stars").user_ids[0].startswith("u")
    assert stats("stars")["raw"]["found"]["user ids"] == "text"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Warsaw"])
def test_parquet_times_are_read_by_their_unit(tmp_path, unit, zone):
    moments = pa.array([BEGIN * 1000 + 500, BEGIN * 1000 + 1500], pa.timestamp("ms", zone))
    stamps = moments.cast(pa.timestamp(unit, zone), safe=False)
    pq.write_table(
        pa.table({"SessionId": [1, 1], "ItemId": [1, 2], "Time": stamps}), tmp_path / "a.parquet", version="2.6"
    )
    half = 0 if unit == "s" else 0.5
    assert times_of(tmp_path / "a.parquet") == [BEGIN + half, BEGIN + 1 + half]


def test_parquet_dates_iso_texts_and_whole_seconds(tmp_path):
    day = BEGIN // 86400
    texts = ["2014-05-13T18:53:20+02:00", "2014-05-13 16:53:21"]
    for stamps, expected in (
        (pa.array([day, day + 1], pa.date32()), [day * 86400, (day + 1) * 86400]),
        (pa.array([day * 86_400_000] * 2, pa.date64()), [day * 86400] * 2),
        (pa.array(texts), [BEGIN, BEGIN + 1]),
        (pa.array([BEGIN, BEGIN + 1]), [BEGIN, BEGIN + 1]),
        (pa.array([BEGIN, BEGIN + 1], pa.uint32()), [BEGIN, BEGIN + 1]),
    ):
        pq.write_table(pa.table({"SessionId": [1, 1], "ItemId": [1, 2], "Time": stamps}), tmp_path / "a.parquet")
        assert times_of(tmp_path / "a.parquet") == expected


def test_parquet_timestamps_give_the_same_data_set_as_seconds(root, tmp_path):
    frame = clicks(1, 2, 3)
    seconds = added(tmp_path / "a.csv", frame)
    stamps = added(
        tmp_path / "a.parquet", frame.assign(Time=pd.to_datetime(frame["Time"], unit="s").astype("datetime64[us]"))
    )
    for name in ("train", "test"):
        np.testing.assert_array_equal(getattr(seconds, name).times, getattr(stamps, name).times)
    assert stats("own")["raw"]["found"]["first"] == "2014-05-13T16:53:20Z"


@pytest.mark.parametrize(("factor", "unit"), [(10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_times_in_another_unit_than_seconds_are_told(tmp_path, factor, unit, suffix):
    path, frame = tmp_path / f"a{suffix}", clicks(1, 2, 3)
    frame["Time"] = frame["Time"] * np.where(frame.index > 1, factor, 1)
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    found = f"column 'Time', data row 3: expected seconds since 1970, found {(BEGIN + 20) * factor}.*: {unit}\\?"
    with pytest.raises(
        UserError, match=found if suffix == ".csv" else found.replace(f"{(BEGIN + 20) * factor}", "1.*")
    ):
        read_named(path, COLUMNS, ())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([True, False]), "expected seconds since 1970 or an ISO 8601 time, found values of type bool"),
        (pa.array([1, 2], pa.duration("s")), "found values of type duration"),
        (pa.array([1.0, np.inf]), "data row 2: expected seconds since 1970 or an ISO 8601 time, found inf"),
        (pa.array(["2014-05-13", "soon"]), "data row 2: .*, found 'soon'"),
        (pa.array([0, 2**40], pa.timestamp("s")), "data row 2: expected a time of the years 1 to 5138"),
    ],
)
def test_what_is_no_time(tmp_path, values, message):
    pq.write_table(pa.table({"SessionId": [1, 1], "ItemId": [1, 2], "Time": values}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=f"column 'Time'.*{message}") as error:
        times_of(tmp_path / "a.parquet")
    assert "np." not in str(error.value)


def ratings(newest_first: bool) -> pd.DataFrame:
    """30 users, 8 items; every pair rated 1 long ago and 5 lately."""
    pairs = pd.DataFrame({"userId": np.repeat(np.arange(30), 8), "itemId": np.tile(np.arange(8), 30)})
    later = BEGIN + 1 + np.random.default_rng(0).permutation(len(pairs))
    old, new = pairs.assign(rating=1, timestamp=BEGIN), pairs.assign(rating=5, timestamp=later)
    return pd.concat([new, old] if newest_first else [old, new])


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_latest_rating_counts_wherever_it_stands(root, tmp_path, newest_first):
    ratings(newest_first).to_csv(tmp_path / "r.csv", index=False)
    add.add_ratings("own", tmp_path / "r.csv", heldout_users=2)
    prepare("own")
    found = stats("own")["raw"]["found"]
    assert (found["positives"], found["ratings"], found["duplicates dropped"]) == (240, 240, 240)


def test_without_times_the_last_row_counts(root, tmp_path):
    ratings(newest_first=False).drop(columns="timestamp").to_csv(tmp_path / "r.csv", index=False)
    add.add_ratings("own", tmp_path / "r.csv", heldout_users=2)
    prepare("own")
    assert stats("own")["raw"]["found"]["positives"] == 240
    assert isinstance(load_split("own"), TopKSplit)


def test_a_rating_that_float32_cannot_hold(tmp_path):
    (tmp_path / "r.csv").write_text("userId,itemId,rating\n1,1,5\n1,2,1e300\n")
    with pytest.raises(
        UserError, match=r"column 'rating', data row 2: expected a number from .*float32.*, found 1e300"
    ):
        read_named(tmp_path / "r.csv", {"user": "userId", "item": "itemId", "rating": "rating"}, ())


PLAIN = "SessionId,ItemId,Time,title\n1,7,5.5,a\n1,8,6,b\n2,7,7,c\n"


def packed(name: str, content: bytes) -> bytes:
    """``content`` as the file ``name`` holds it."""
    suffix = Path(name).suffix.lower()
    if suffix == ".zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name.removesuffix(".zip"), content)
        return stream.getvalue()
    if suffix == ".zst":
        return pa.compress(content, "zstd", asbytes=True)
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}.get(suffix, bytes)(content)


PACKED = ["clicks.csv.gz", "clicks.csv.bz2", "clicks.csv.xz", "clicks.csv.zst", "clicks.csv.zip"]


@pytest.mark.parametrize("name", ["clicks.CSV", "clicks.TSV", "Clicks.Csv.GZ", "clicks.tsv.gz", *PACKED])
def test_endings_and_compressions(tmp_path, name):
    content = PLAIN.replace(",", "\t") if "tsv" in name.lower() else PLAIN
    (tmp_path / name).write_bytes(packed(name, content.encode()))
    found = read_named(tmp_path / name, COLUMNS, ())[0]
    assert found["item"].tolist() == [7, 8, 7]
    assert found["time"].tolist() == [5.5, 6, 7]


@pytest.mark.parametrize("name", ["clicks.PARQUET", "clicks.pq", "clicks.parquet.gz", "clicks.parquet.zip"])
def test_parquet_endings(tmp_path, name):
    stream = io.BytesIO()
    pq.write_table(pa.table({"SessionId": [1], "ItemId": [7], "Time": [5.5]}), stream)
    (tmp_path / name).write_bytes(packed(name, stream.getvalue()))
    assert read_named(tmp_path / name, COLUMNS, ())[0]["item"].tolist() == [7]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("damage", ["cut", "not packed"])
def test_damaged_archives(tmp_path, name, damage):
    content = packed(name, (PLAIN + "3,9,9,d\n" * 50_000).encode())
    (tmp_path / name).write_bytes(PLAIN.encode() if damage == "not packed" else content[: len(content) // 2])
    with pytest.raises(UserError, match=re.escape(str(tmp_path / name))) as error:
        read_named(tmp_path / name, COLUMNS, ())
    assert "\n" not in str(error.value)


def test_an_archive_of_two_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)
    with pytest.raises(UserError, match="expected an archive of one file, found 2"):
        read_named(tmp_path / "a.zip", COLUMNS, ())


def test_quoted_commas_and_line_breaks_in_fields_nobody_reads(tmp_path):
    rows = [f'{row},{row % 5},{row},"a, ""b""\nand\n{"x" * 60}"' for row in range(400_000)]
    (tmp_path / "a.csv").write_text("\n".join(['SessionId,ItemId,Time,"a, title\nof two lines"', *rows, ""]))
    assert (tmp_path / "a.csv").stat().st_size > 2 << 24, "of several blocks"
    found = read_named(tmp_path / "a.csv", COLUMNS, ())[0]
    np.testing.assert_array_equal(found["session"], np.arange(400_000))
    np.testing.assert_array_equal(found["time"], np.arange(400_000))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,7", r"data row 2: expected 4 columns, found 2: '1,7'"),
        ("1,7,later,x", r"column 'Time', data row 2: expected seconds .*, found 'later'"),
        (",7,5,x", r"column 'SessionId', data row 2: expected an id, found an empty field"),
        ("1, ,5,x", r"column 'ItemId', data row 2: expected an id, found an empty field"),
        ("1,7,,x", r"column 'Time', data row 2: expected seconds .*, found an empty field"),
    ],
)
def test_data_rows_count_from_the_first_after_the_header(tmp_path, row, message):
    (tmp_path / "a.csv").write_text(f'SessionId,ItemId,Time,"title\nin two lines"\n1,7,5,"x\ny"\n{row}\n')
    with pytest.raises(UserError, match=message):
        read_named(tmp_path / "a.csv", COLUMNS, ())


def test_a_column_that_stands_twice(tmp_path):
    (tmp_path / "a.csv").write_text("SessionId,ItemId,Time,ItemId,x,x\n1,7,5,8,0,0\n")
    with pytest.raises(UserError, match=r"a.csv: header: expected one column 'ItemId', found 2"):
        read_named(tmp_path / "a.csv", COLUMNS, ())
    assert read_named(tmp_path / "a.csv", {"session": "SessionId", "time": "Time"}, ())[0]["time"].tolist() == [5]
    table = pa.table([[1], [7], [8], [5]], names=["SessionId", "ItemId", "ItemId", "Time"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a.parquet: expected one column 'ItemId', found 2"):
        read_named(tmp_path / "a.parquet", COLUMNS, ())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PLAIN.encode("utf-16"), "text in UTF-16; save it as UTF-8"),
        (PLAIN.encode("utf-16-le"), "text in UTF-16 or no text at all; save it as UTF-8"),
        (b"PK\x03\x04rest", "a zip archive or a spreadsheet"),
        (b"PAR1rest", "a Parquet file"),
        (gzip.compress(PLAIN.encode()), "a gzip file"),
        (b"\x93NUMPYrest", "a NumPy array"),
    ],
    ids=["utf-16", "utf-16 without a mark", "xlsx", "parquet", "gzip", "npy"],
)
def test_content_that_is_no_text(tmp_path, content, found):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_named(tmp_path / "a.csv", COLUMNS, ())
    assert str(error.value) == f"{tmp_path / 'a.csv'}: expected text in UTF-8, found {found}"


def srgnn(folder: Path, test: object) -> Path:
    (folder / "all_train_seq.txt").write_bytes(pickle.dumps([[1, 2, 3], [2, 3], [3, 1, 2]] * 10))
    (folder / "test.txt").write_bytes(pickle.dumps(test))
    return folder


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (([], []), "expected test points, found none"),
        (([[]], [1]), "point 0: expected a non-empty list of ints and an int"),
        (([[1]], ["2"]), "point 0: expected a non-empty list of ints and an int"),
        (([[2**63]], [1]), "point 0: expected a non-empty list of ints and an int"),
        ((1, 2), "expected .prefixes, targets. of the same length"),
    ],
)
def test_srgnn_folders_without_usable_test_points(root, tmp_path, test, message):
    with pytest.raises(UserError, match=rf"test.txt: {message}"):
        add.add_sessions("own", srgnn(tmp_path, test))
