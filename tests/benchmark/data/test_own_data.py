"""A user's own data, and the way to session-rec's files and back."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark.cli import main as cli
from benchmark.data import add, given_vectors, registry, swap
from benchmark.data.export import export
from benchmark.data.load import load_split
from benchmark.data.parsers.session_rec import read_events
from benchmark.experiments import settings as settings_module
from contracts import UserError
from tests.benchmark.data.conftest import sessions
from tests.parameters import copy_parameters


def events() -> pd.DataFrame:
    return sessions().assign(UserId=lambda frame: frame["SessionId"] % 30)


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".parquet"])
def test_own_sessions(root, tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    frame = events()
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    add.add_sessions("mine", path)
    assert "mine" in registry.names()
    split = load_split("mine")
    assert len(split.train) + len(split.test) == 200
    assert split.test.last_times.min() > split.train.last_times.max()
    assert set(split.train.groups) == {"user"}


def test_own_sessions_with_text_ids_iso_times_names_and_attributes(root, tmp_path):
    frame = events().drop(columns="UserId")
    frame["Time"] = pd.to_datetime(frame["Time"], unit="s", utc=True).dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    frame["ItemId"] = "item " + frame["ItemId"].astype(str)
    frame.columns = ["visit", "sku", "when"]
    frame.to_csv(tmp_path / "shop.csv", index=False)
    (tmp_path / "colours.csv").write_text("item,token\nitem 1,red\nitem 2,red\nitem 2,big\nitem 999,red\n")
    columns = {"session": "visit", "item": "sku", "time": "when"}
    add.add_sessions("shop", tmp_path / "shop.csv", columns=columns, attributes=tmp_path / "colours.csv")
    split = load_split("shop")
    assert split.item_ids[0].startswith("item ")
    assert split.train.attributes["attribute"].shape == (split.train.n_items, 2)
    assert split.train.attributes["attribute"].nnz == 3


def test_own_ratings(root, tmp_path):
    random = np.random.default_rng(0)
    cells = random.permutation(50 * 40)[:900]
    frame = pd.DataFrame({"userId": cells // 40, "itemId": cells % 40, "rating": random.integers(3, 6, 900)})
    frame["timestamp"] = random.random(900) * 1e6
    frame.to_csv(tmp_path / "stars.csv", index=False)
    dataset = add.add_ratings("stars", tmp_path / "stars.csv")
    assert (*dataset.splits, *dataset.more_splits) == ("cold-user", "per-user", "temporal")
    assert len(load_split("stars").user_ids) == 5


def test_new_files_are_prepared_at_once(root, tmp_path):
    events().to_csv(tmp_path / "mine.csv", index=False)
    add.add_sessions("mine", tmp_path / "mine.csv")
    before = len(load_split("mine").test)
    add.add_sessions("mine", tmp_path / "mine.csv", test_days=2)
    assert len(load_split("mine").test) > before


@pytest.mark.parametrize(
    ("columns", "attributes", "message"),
    [
        ({"sesion": "visit"}, None, "unknown role 'sesion'; expected one of: session, item, time, user"),
        (None, "item,token\nx,red\n", "column 'item': expected items of the data such as .*, found 'x'"),
        (None, "item,token\n1,red\n,blue\n", "column 'item', data row 2: expected an id, found an empty field"),
    ],
)
def test_what_cannot_be_meant(root, tmp_path, columns, attributes, message):
    events().to_csv(tmp_path / "mine.csv", index=False)
    path = None
    if attributes:
        path = tmp_path / "attributes.csv"
        path.write_text(attributes)
    with pytest.raises(UserError, match=message):
        add.add_sessions("mine", tmp_path / "mine.csv", columns=columns, attributes=path)
    assert "mine" not in registry.names()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_empty_field_is_located(root, tmp_path, suffix):
    frame = events()
    frame["UserId"] = frame["UserId"].astype("Int64").where(frame.index != 6)
    path = tmp_path / f"mine{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    with pytest.raises(UserError, match=r"column 'UserId', data row 7: expected an? \w+, found an empty field"):
        add.add_sessions("mine", path)


def emde(*words: str) -> int:
    return cli.main(list(words))


def test_own_data_are_usable_at_once(root, tmp_path, capsys):
    """From the command line: add, run with vectors as a modality, statistics, page, a profile."""
    frame = events().rename(columns={"SessionId": "visit", "ItemId": "sku"})
    frame.to_csv(tmp_path / "clicks.csv", index=False)
    assert emde("data", "add", "shop", "--sessions", str(tmp_path / "clicks.csv"),
                "--columns", "session=visit", "item=sku") == 0  # fmt: skip
    np.save(tmp_path / "v.npy", np.random.default_rng(0).standard_normal((20, 4)))
    (tmp_path / "ids.txt").write_text("\r\n".join(map(str, range(20))) + "\r\n")
    vectors = ("data", "add", "shop", "--vectors", f"text={tmp_path / 'v.npy'}", "--ids", str(tmp_path / "ids.txt"))
    assert emde(*vectors) == 0
    settings = ("modalities=[{group: session}, {group: 'vectors:text'}]", "hidden=16", "epochs=1")
    overrides = [word for value in settings for word in ("--set", value)]
    capsys.readouterr()
    assert emde("run", "--data", "shop", "--method", "emde", *overrides, "--out", str(tmp_path / "runs"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["data"] == "shop"
    assert emde("run", "--data", "shop", "--method", "pop", "--out", str(tmp_path / "runs")) == 0
    assert emde("data", "stats", "shop") == 0
    assert emde("data", "page", "shop", "--out", str(tmp_path / "shop.html")) == 0
    path = copy_parameters(tmp_path)
    (tmp_path / "profiles/mine").mkdir()
    profile = {"title": "Mine", "session": [{"data": ["shop"], "methods": ["s-knn", "emde"]}]}
    (tmp_path / "profiles/mine/profile.yaml").write_text(yaml.safe_dump(profile))
    assert set(settings_module.load(path).cells("mine")) == {("shop", "s-knn"), ("shop", "emde")}
    assert emde("evaluate", str(tmp_path / "runs")) == 0
    np.save(tmp_path / "v.npy", np.random.default_rng(1).standard_normal((20, 4)))
    assert emde(*vectors) == 0
    assert emde("evaluate", str(tmp_path / "runs" / "shop" / "pop")) == 0, "it takes no vectors"
    capsys.readouterr()
    assert emde("evaluate", str(tmp_path / "runs" / "shop" / "emde")) == 2
    assert "made with other item vectors 'text' than those of shop now; run it again" in capsys.readouterr().err
    (tmp_path / "ids.txt").write_text("\n".join(f"sku{n}" for n in range(20)))
    assert emde(*vectors) == 2
    assert "ids.txt: expected item ids of shop such as" in capsys.readouterr().err


def test_the_list_says_what_is_here(root, tmp_path, capsys):
    events().to_csv(tmp_path / "mine.csv", index=False)
    add.add_sessions("mine", tmp_path / "mine.csv")
    assert emde("data", "list", "--json") == 0
    here = {row["name"]: row["here"] for row in json.loads(capsys.readouterr().out)["data"]}
    assert {name: here[name] for name in ("mine", "retail", "rsc15", "ml20m-items")} == {
        "mine": "prepared", "retail": "by hand", "rsc15": "no", "ml20m-items": "no",
    }  # fmt: skip
    assert emde("data", "list") == 0
    assert re.search(r"^mine +session +public +0 +prepared", capsys.readouterr().out, re.MULTILINE)


def test_names_that_cannot_be_taken(root, tmp_path):
    events().to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(UserError, match="built-in"):
        add.add_sessions("rsc15", tmp_path / "mine.csv")
    with pytest.raises(UserError, match="lower-case"):
        add.add_sessions("../mine", tmp_path / "mine.csv")


def test_item_vectors(sample, tmp_path, monkeypatch):
    for module in (given_vectors, swap):
        monkeypatch.setattr(module, "data_root", lambda: tmp_path)
    split = load_split("sample-sessions")
    ids = split.item_ids[::2]
    np.save(tmp_path / "text.npy", np.arange(2 * len(ids)).reshape(len(ids), 2))
    (tmp_path / "text.ids").write_text("".join(f"{item}\n" for item in ids))
    add.add_vectors("sample-sessions", "text", tmp_path / "text.npy", tmp_path / "text.ids")
    vectors, known = given_vectors.item_vectors("sample-sessions", "text", split.item_ids)
    assert known.tolist() == [True, False] * (len(known) // 2)
    np.testing.assert_array_equal(vectors[2], [2, 3])
    np.testing.assert_array_equal(vectors[1], [0, 0])
    (tmp_path / "text.ids").write_text("1\n2\n")
    with pytest.raises(UserError, match=f"expected {len(ids)} ids"):
        add.add_vectors("sample-sessions", "text", tmp_path / "text.npy", tmp_path / "text.ids")
    with pytest.raises(UserError, match="no item vectors 'image'; found: text"):
        given_vectors.item_vectors("sample-sessions", "image", split.item_ids)


def test_export_to_session_rec_and_back(sample, tmp_path):
    written = export("sample-sessions", tmp_path)
    assert len(written) == 20
    split = load_split("sample-sessions", "1")
    train = read_events(tmp_path / "sample-sessions_train_full.1.txt")
    np.testing.assert_array_equal(train.items, split.train.items)
    np.testing.assert_array_equal(train.item_ids, split.item_ids)
    np.testing.assert_array_equal(train.times, split.train.times)
    test = read_events(tmp_path / "sample-sessions_test.1.txt").sort_by_session()
    np.testing.assert_array_equal(test.item_ids[test.items], split.item_ids[split.test.items])
    assert (tmp_path / "sample-sessions_test.1.txt").read_text().startswith("SessionId\tItemId\tTime\tUserId\n")
    with pytest.raises(UserError, match="expected sessions to export"):
        export("sample-ratings", tmp_path)
    with pytest.raises(UserError, match="unknown format 'excel'"):
        export("sample-sessions", tmp_path, "excel")


@pytest.mark.realdata
def test_export_gives_session_rec_its_own_events_back(real, mirror, tmp_path):
    export(real("rsc15-100k"), tmp_path)
    original = read_events(mirror / "rsc15-100k" / "yoochoose-clicks-100k_train_full.txt").sort_by_session()
    ours = read_events(tmp_path / "rsc15-100k_train_full.txt")
    np.testing.assert_array_equal(ours.item_ids[ours.items], original.item_ids[original.items])
    np.testing.assert_array_equal(ours.times, original.times)
    np.testing.assert_array_equal(ours.sessions, original.sessions)
