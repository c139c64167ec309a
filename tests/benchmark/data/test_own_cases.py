"""Own data of every odd kind: each works, or is one line and nothing is registered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.cli import main as cli
from benchmark.data import registry
from benchmark.data.load import load_split
from contracts.runtime.json import read_json
from tests.benchmark.data.conftest import sessions


def ratings(users: int = 30) -> pd.DataFrame:
    """8 items each of 20, rated 5, one a minute, users one after the other."""
    random = np.random.default_rng(0)
    items = np.concatenate([random.permutation(20)[:8] for _ in range(users)])
    frame = pd.DataFrame({"userId": np.repeat(np.arange(users), 8), "itemId": items, "rating": 5})
    return frame.assign(timestamp=random.permutation(len(frame)) * 60.0)


@pytest.fixture
def emde_add(root, tmp_path, capsys, caplog, monkeypatch):
    """``emde data add mine``: (status, stderr); a refusal is one line and registers nothing."""
    monkeypatch.chdir(tmp_path)

    def added(frame: pd.DataFrame | None, *options: object) -> tuple[int, str]:
        kind = "ratings" if frame is not None and "userId" in frame else "sessions"
        if frame is not None:
            frame.to_csv("own.csv", index=False)
            options = (f"--{kind}", "own.csv", *options)
        capsys.readouterr()
        status = cli.main(["data", "add", "mine", *map(str, options)])
        said = capsys.readouterr().err
        if status:
            assert (status, said.count("\n")) == (2, 1), said
            assert "mine" not in registry.names()
            assert [path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
            assert caplog.text == "", "nothing beside that line"
        return status, said + caplog.text

    return added


def test_a_span_shorter_than_two_windows(emde_add):
    _, said = emde_add(sessions(days=1.5))
    assert "own.csv: column 'Time': expected more than 2 days of sessions (--test-days 1, and as many to tune)" in said
    assert "found 1.49 days; try --test-days 0.5" in said
    assert emde_add(sessions(days=1.5), "--test-days", "0.5")[0] == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d[:4], "found 0.00 days"),
        (lambda d: d[:0], "expected rows, found none"),
        (lambda d: d.drop(columns="ItemId"), "header: expected column 'ItemId'"),
        (lambda d: d.assign(ItemId=range(800)), "no session is left after min_support=5"),
        (lambda d: d.assign(SessionId=1), "slice 0: expected train and test sessions, found 0 and 0"),
        (lambda d: d.assign(Time=5), "found 0.00 days"),
        (lambda d: d.assign(Time=d.SessionId.ge(100) * 5 * 86400.0), "split '0:valid': expected train and validation"),
    ],
    ids=["one row", "no row", "no column", "every item once", "one session", "one moment", "two moments"],
)
def test_sessions_that_cannot_be_split(emde_add, change, expected):
    status, said = emde_add(change(sessions()))
    assert status == 2
    assert said.startswith("emde: own.csv: ")
    assert expected in said


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--heldout-users", "0", "a whole number from 1, found 0"),
        ("--heldout-users", "-3", "a whole number from 1, found -3"),
        ("--heldout-users", "1e9", "a whole number, found '1e9'"),
        ("--positive", "nan", "a number, found nan"),
        ("--positive", "liked", "a number, found 'liked'"),
        ("--test-days", "0", "a number above 0, found 0"),
        ("--test-days", "inf", "a number above 0, found inf"),
        ("--test-days", "-1", "a number above 0, found -1"),
        ("--min-support", "0", "a whole number from 1, found 0"),
        ("--min-support", "1.5", "a whole number, found '1.5'"),
    ],
)
def test_numbers_of_the_command_line_are_bounded(emde_add, option, value, expected):
    frame = ratings() if option in ("--heldout-users", "--positive") else sessions()
    assert emde_add(frame, f"{option}={value}") == (2, f"emde: {option}: expected {expected}\n")


def test_more_held_out_users_than_there_are(emde_add):
    assert "expected more than 80 users (40 to test, 40 to tune)" in emde_add(ratings(), "--heldout-users", 40)[1]


def test_an_option_of_another_kind(emde_add):
    assert emde_add(sessions(), "--positive", 3)[1] == "emde: --positive: expected no such option with --sessions\n"
    assert emde_add(ratings(), "--test-days", 3)[1] == "emde: --test-days: expected no such option with --ratings\n"


def test_zeros_and_ones(emde_add):
    """4 and more are the positives unless said otherwise: so a refusal says what they are and what was found."""
    frame = ratings().assign(rating=lambda d: (d.itemId > 2).astype(int))
    _, said = emde_add(frame)
    assert "column 'rating': rating >= 4 is a positive (--positive), 0 of 240" in said
    assert "lowest rating found: 0, highest: 1" in said
    status, said = emde_add(frame, "--positive", "1")
    assert status == 0
    positives = int((frame.rating == 1).sum())
    assert f"rating >= 1 is a positive (--positive), {positives} of 240; lowest rating found: 0, highest: 1" in said
    split = load_split("mine")
    assert split.meta["protocol"]["positive"] == "rating >= 1.0"
    assert split.meta["statistics"]["surviving.positives"] == positives


def test_a_scale_of_ten(emde_add, root):
    status, said = emde_add(ratings().assign(rating=lambda d: 1 + d.itemId % 10), "--positive", 3)
    assert status == 0
    assert "rating >= 3 is a positive" in said
    counted = read_json(root / "prepared/mine/dataset.json")["statistics"]
    assert counted["positives"] == int((1 + ratings().itemId % 10 >= 3).sum())


def test_no_column_of_ratings(emde_add, root):
    """Every row is a positive, and that is said; a column that was named must be there."""
    frame = ratings().drop(columns="rating")
    for option, value in (("--columns", "rating=stars"), ("--positive", "1")):
        assert f"emde: {option}: expected a column '" in emde_add(frame, option, value)[1]
    status, said = emde_add(frame)
    assert status == 0
    assert "no column of ratings: every row is a positive, 240 user-item pairs" in said
    split = load_split("mine")
    assert split.meta["protocol"]["positive"] == "every row"
    assert split.train.liked.nnz + split.profiles.liked.nnz + split.heldout.nnz < 240
    assert read_json(root / "prepared/mine/dataset.json")["statistics"]["positives"] == 240
    assert cli.main(["data", "prepare", "mine"]) == 0, "the entry alone is enough"


def test_users_who_rate_in_one_sitting(emde_add):
    """Nobody has ratings before and after a moment: the temporal split is left out, and it is said."""
    status, said = emde_add(ratings().assign(timestamp=lambda d: d.userId * 1000.0))
    assert status == 0
    assert "own.csv: no temporal split: split 'temporal': expected users with held-out items, found none" in said
    assert registry.get("mine").more_splits == ("per-user",)


def test_users_with_items_of_their_own(emde_add):
    _, said = emde_add(ratings().assign(itemId=lambda d: d.userId * 100 + d.itemId))
    assert "expected users with 5 positives among the items of the train users, found none in 3" in said


def test_two_files_of_one_name(emde_add, tmp_path):
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds/own.csv").write_text("item,token\n1,red\n2,blue\n")
    assert emde_add(sessions(), "--attributes", "kinds/own.csv")[0] == 0
    assert load_split("mine").train.attributes["attribute"].nnz == 2
    assert cli.main(["data", "prepare", "mine"]) == 0


def test_the_file_named_is_the_users(emde_add, tmp_path):
    frame = sessions().astype({"Time": object})
    frame.loc[3, "Time"] = "soon"
    assert "emde: own.csv: column 'Time', data row 4: expected " in emde_add(frame)[1]
    (tmp_path / "kinds.csv").write_text("item,colour\n1,red\n")
    assert "emde: kinds.csv: header: expected column 'token'" in emde_add(sessions(), "--attributes", "kinds.csv")[1]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nothing.csv", "nothing.csv: no such file"),
        ("folder", "folder: expected a file, or an SR-GNN folder, found a folder without all_train_seq.txt"),
        ("/dev/null", "/dev/null: expected a plain file"),
    ],
)
def test_what_is_no_file(emde_add, tmp_path, path, expected):
    (tmp_path / "folder").mkdir()
    assert emde_add(None, "--sessions", path)[1] == f"emde: {expected}\n"


def test_a_file_that_may_not_be_read(emde_add, monkeypatch):
    sessions().to_csv("own.csv", index=False)
    usual = Path.open

    def refusing(self, *words, **named):
        if self.name == "own.csv":
            raise PermissionError(13, "Permission denied", str(self))
        return usual(self, *words, **named)

    monkeypatch.setattr(Path, "open", refusing)
    assert emde_add(None, "--sessions", "own.csv")[1] == "emde: own.csv: cannot read: Permission denied\n"


def test_names_that_are_too_long(emde_add, capsys):
    sessions().to_csv("own.csv", index=False)
    assert cli.main(["data", "add", "a" * 300, "--sessions", "own.csv"]) == 2
    assert "expected a name of at most 100 lower-case letters" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [
        (np.zeros((3, 2), complex), "expected real numbers of shape [items, dimensions], found complex128 (3, 2)"),
        (np.zeros((0, 2)), "expected real numbers of shape [items, dimensions], found float64 (0, 2)"),
        (np.zeros((3, 0)), "found float64 (3, 0)"),
        (np.zeros(3), "found float64 (3,)"),
        (np.array([[0, 1], [2, 1e39], [0, 0]]), "row 1, column 1: expected a finite value (float32), found 1e+39"),
        (np.array([[0, np.nan]] * 3), "row 0, column 1: expected a finite value (float32), found nan"),
        (np.zeros((3, 2), "U1"), "found <U1 (3, 2)"),
        (b"", "expected one array as np.save writes it (.npy), found another format"),
        (b"PK\x03\x04" + b"\0" * 50, "expected one array as np.save writes it (.npy), found another format"),
        (b"\x93NUMPY\x01\0v\0{'descr': '<f8', ", "not a .npy file of numbers: "),
        (None, "expected a file, found a folder"),
    ],
)
def test_files_that_are_no_vectors(root, tmp_path, capsys, vectors, expected):
    sessions().to_csv(tmp_path / "own.csv", index=False)
    assert cli.main(["data", "add", "mine", "--sessions", str(tmp_path / "own.csv")]) == 0
    path = tmp_path / "v.npy"
    if vectors is None:
        path.mkdir()
    elif isinstance(vectors, bytes):
        path.write_bytes(vectors)
    else:
        np.save(path, vectors)
    (tmp_path / "ids.txt").write_text("1\n2\n3\n")
    capsys.readouterr()
    assert cli.main(["data", "add", "mine", "--vectors", f"text={path}", "--ids", str(tmp_path / "ids.txt")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"emde: {path}: ")
    assert expected in said
    assert said.count("\n") == 1
    assert not (root / "vectors").exists()


def test_no_numpy_in_messages(emde_add, tmp_path):
    (tmp_path / "kinds.csv").write_text("item,token\n99,red\n")
    _, said = emde_add(sessions(), "--attributes", "kinds.csv")
    assert "np." not in said
    assert "such as" in said
