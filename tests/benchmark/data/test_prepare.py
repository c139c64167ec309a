from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark.data import load, paths, registry
from benchmark.data.fetch import fetch
from benchmark.data.load import SessionSplit, TopKSplit, VectorSet, load_split
from benchmark.data.prepare import prepare
from benchmark.data.statistics import stats
from contracts import UserError


def truth_of(name: str) -> pd.DataFrame:
    """What the generator knew of each item: raw id, place on the latent torus [0, 1)^2, cluster."""
    return pd.read_csv(paths.raw_dir(name) / "truth.csv")


def everything(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_bytes_every_time(root):
    fetch("sample-ratings")
    first = everything(prepare("sample-ratings"))
    assert everything(prepare("sample-ratings")) == first
    assert not [path for path in paths.prepared_dir("sample-ratings").parent.iterdir() if path.name.startswith(".")]


def test_nothing_is_left_of_a_failed_prepare(root):
    folder = fetch("sample-ratings")
    prepare("sample-ratings")
    before = everything(paths.prepared_dir("sample-ratings"))
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,four,3\n")
    with pytest.raises(UserError, match="'four'"):
        prepare("sample-ratings")
    assert everything(paths.prepared_dir("sample-ratings")) == before


def test_what_to_do_when_something_is_missing(root):
    with pytest.raises(UserError, match="run: emde data prepare rsc15-100k"):
        load_split("rsc15-100k")
    with pytest.raises(UserError, match="run: emde data prepare digits"):
        load_split("digits")
    with pytest.raises(UserError, match="run: emde data prepare rsc15-100k"):
        stats("rsc15-100k")
    with pytest.raises(UserError, match="run: emde data fetch rsc15-100k"):
        prepare("rsc15-100k")


def test_damaged_raw_file_is_refused(root):
    folder = paths.raw_dir("rsc15-100k")
    folder.mkdir(parents=True)
    for file in registry.get("rsc15-100k").files:
        (folder / file.name).write_text("SessionId\tItemId\tTime\n1\t1\t1\n")
    with pytest.raises(UserError, match="expected sha256 9842c9"):
        prepare("rsc15-100k")


@pytest.mark.parametrize("split", ["0", "1", "2", "3", "4", "0:valid"])
def test_session_split_has_the_contract_s_form(sample, split):
    opened = load_split("sample-sessions", split)
    assert isinstance(opened, SessionSplit)
    assert opened.split == split
    train, test = opened.train, opened.test
    first = np.unique(train.items, return_index=True)[1]
    assert (np.diff(first) > 0).all(), "items are numbered by first appearance in train"
    assert train.n_items == len(opened.item_ids) == len(first)
    assert test.items.min() >= 0
    assert test.lengths.min() >= 2
    assert train.lengths.min() >= 1
    assert len(train.groups["user"]) == len(train)
    assert train.attributes["property"].shape[0] == train.n_items
    assert test.last_times.min() > train.last_times.max()
    assert not train.items.flags.writeable
    assert isinstance(train.items.base, np.memmap)


def test_sample_has_the_promised_size(sample):
    for split in "01234":
        opened = load_split("sample-sessions", split)
        assert 2000 <= len(opened.train) <= 3000
        assert 200 <= len(opened.test) <= 300
        assert 3.5 <= opened.train.lengths.mean() <= 4.5


def test_split_json_tells_where_it_comes_from(sample):
    meta = load_split("sample-sessions", "2").meta
    assert meta["protocol"]["sessionisation"] == "published"
    assert meta["protocol"]["train_days"] == 10
    assert meta["comparable"] == "generated"
    assert set(meta["raw"]) == {"events.csv", "item_properties.csv", "truth.csv"}
    folder = paths.split_dir("sample-sessions", "2")
    written = {path.name for path in folder.iterdir()} - {"split.json"}
    assert set(meta["columns"]) == written


@pytest.mark.parametrize("name", ["sample-sessions", "sample-ratings", "digits"])
def test_stats_is_json(sample, name):
    found = stats(name)
    assert json.loads(json.dumps(found)) == found
    assert set(found["splits"]) >= set(registry.get(name).splits)


def test_vectors(sample):
    digits = load_split("digits")
    assert isinstance(digits, VectorSet)
    assert digits.vectors.shape == (1797, 64)
    assert digits.vectors.dtype == np.float32
    assert digits.vectors.max() == 1.0
    assert digits.labels.max() == 9
    with pytest.raises(UserError, match=r"unknown split 'all:valid'; expected one of: all$"):
        load_split("digits", ":valid")


def test_paths_take_their_root_from_the_environment(root):
    assert paths.split_dir("rsc15-100k", "published:valid") == root / "prepared" / "rsc15-100k" / "published.valid"
    assert paths.raw_dir("ml-100k") == root / "raw" / "movielens-100k"


def test_co_occurrence_reveals_the_true_positions(sample):
    """Items that follow each other in train lie near each other on the true torus."""
    truth = truth_of("sample-sessions")
    opened = load.load_split("sample-sessions", "0")
    where = {item: row for row, item in enumerate(truth["item"].tolist())}
    rows = np.array([where[item] for item in opened.item_ids.tolist()])
    points = np.column_stack([truth["x"], truth["y"]])[rows][opened.train.items]
    gap = np.abs(np.diff(points, axis=0))
    distance = np.sqrt((np.minimum(gap, 1 - gap) ** 2).sum(axis=1))
    inside = np.diff(opened.train.session_of_event) == 0
    assert np.median(distance[inside]) < 0.25 * np.median(distance[~inside])


def test_attributes_follow_the_true_clusters(sample):
    truth = truth_of("sample-sessions")
    opened = load_split("sample-sessions", "4")
    cluster = dict(zip(truth["item"].tolist(), truth["cluster"].tolist(), strict=True))
    groups = np.array([cluster[item] for item in opened.item_ids.tolist()])
    shared = (opened.train.attributes["property"] @ opened.train.attributes["property"].T).toarray()
    same = groups[:, None] == groups[None, :]
    np.fill_diagonal(same, False)
    assert shared[same].mean() > 5 * shared[~same].mean()


def test_ratings_follow_the_true_clusters(sample):
    truth = truth_of("sample-ratings")
    opened = load_split("sample-ratings")
    assert isinstance(opened, TopKSplit)
    cluster = dict(zip(truth["item"].tolist(), truth["cluster"].tolist(), strict=True))
    groups = np.array([cluster[item] for item in opened.item_ids.tolist()])
    liked = opened.train.liked
    together = (liked.T @ liked).toarray() / np.sqrt(np.outer(liked.sum(axis=0), liked.sum(axis=0)))
    same = groups[:, None] == groups[None, :]
    np.fill_diagonal(same, False)
    assert together[same].mean() > 2 * together[~same].mean()


def test_data_of_an_older_format_are_refused(sample, tmp_path, monkeypatch):
    shutil.copytree(paths.prepared_dir("sample-ratings"), tmp_path / "prepared/sample-ratings")
    monkeypatch.setenv("EMDE_DATA", str(tmp_path))
    path = paths.split_dir("sample-ratings", "cold-user") / "split.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 1}))
    with pytest.raises(UserError, match=r"version: expected .* 3, found 1; run: emde data prepare sample-ratings"):
        load_split("sample-ratings")
