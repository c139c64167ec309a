from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.data import registry
from benchmark.data.load import TopKSplit, load_split
from benchmark.data.paths import split_dir
from benchmark.data.splits.ratings import binary, hold_out, to_matrices
from benchmark.data.splits.topk import cold_user
from benchmark.data.store import read_column
from benchmark.data.tables import Parsed, RatingTable
from contracts import UserError


def pairs(matrix, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    coordinates = matrix.tocoo()
    return np.column_stack([users[coordinates.row], items[coordinates.col]])


@pytest.mark.realdata
def test_framework_split_row_for_row(real, reference):
    name = real("movielens-100k")
    expected = pd.read_csv(reference / "ml100k_cold_user.csv")
    test, valid = load_split(name), load_split(name, ":valid")
    assert isinstance(test, TopKSplit)
    assert isinstance(valid, TopKSplit)
    train_users = read_column(split_dir(name, "cold-user"), "train_user_ids")
    parts = {
        "train": (test.train.liked, train_users),
        "validation_foldin": (valid.profiles.liked, valid.user_ids),
        "validation_heldout": (valid.heldout, valid.user_ids),
        "test_foldin": (test.profiles.liked, test.user_ids),
        "test_heldout": (test.heldout, test.user_ids),
    }
    for part, (matrix, users) in parts.items():
        wanted = expected.loc[expected["part"] == part, ["user", "item"]].to_numpy()
        np.testing.assert_array_equal(pairs(matrix, users, test.item_ids), wanted)


def table(users: int = 60, items: int = 40, seed: int = 0) -> RatingTable:
    random = np.random.default_rng(seed)
    cells = random.permutation(users * items)[: users * 15]
    ratings = random.integers(2, 11, len(cells)) / 2
    return RatingTable(cells // items * 3, cells % items * 7, ratings.astype(np.float32), random.random(len(cells)))


def test_users_need_five_positives_and_halves_count():
    ratings = RatingTable(
        np.array([1] * 5 + [2] * 5), np.arange(10), np.array([4, 4, 4, 4, 4.5, 4, 4, 4, 4, 3.5], np.float32)
    )
    matrices = to_matrices(ratings)
    assert matrices.user_ids.tolist() == [1]
    assert matrices.liked.sum() == 5
    assert matrices.disliked.sum() == 0


def test_hold_out_takes_a_fifth_of_users_with_five_items():
    sizes = [0, 4, 5, 9, 10, 23]
    rows = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.concatenate([np.arange(size) for size in sizes])
    foldin, heldout = hold_out(binary(rows, columns, (len(sizes), 30)))
    assert np.diff(heldout.indptr).tolist() == [0, 0, 1, 1, 2, 4]
    assert np.diff(foldin.indptr).tolist() == [0, 4, 4, 8, 8, 19]
    assert foldin.multiply(heldout).nnz == 0


def test_cold_user_catalogue_and_profiles():
    dataset = registry.get("sample-ratings").model_copy(update={"options": {"heldout_users": 10}})
    test, valid = cold_user(dataset, Parsed(table()), table())
    assert not set(test.columns["user_ids"]) & set(valid.columns["user_ids"])
    assert not set(test.columns["user_ids"]) & set(test.columns["train_user_ids"])
    assert len(np.unique(test.columns["train_liked_indices"])) == len(test.item_ids)
    assert (np.diff(test.item_ids) > 0).all()
    too_many = dataset.model_copy(update={"options": {"heldout_users": 40}})
    with pytest.raises(UserError, match="expected more than 80 users"):
        list(cold_user(too_many, Parsed(table()), table()))


@pytest.mark.parametrize("split", ["cold-user", "per-user", "temporal"])
@pytest.mark.parametrize("suffix", ["", ":valid"])
def test_every_split_keeps_heldout_apart_and_known(sample, split, suffix):
    opened = load_split("sample-ratings", split + suffix)
    assert isinstance(opened, TopKSplit)
    assert opened.profiles.liked.multiply(opened.heldout).nnz == 0
    assert opened.profiles.disliked.multiply(opened.heldout).nnz == 0
    assert (np.bincount(opened.train.liked.indices, minlength=opened.train.n_items) > 0).all()
    assert opened.heldout.shape == (len(opened.user_ids), len(opened.item_ids))
    assert opened.train.attributes["genre"].shape[0] == len(opened.item_ids)
    assert len(opened.item_names) == len(opened.item_ids)


def test_validation_never_sees_what_the_test_holds_out(sample):
    for split in ("per-user", "temporal"):
        test, valid = load_split("sample-ratings", split), load_split("sample-ratings", f"{split}:valid")
        heldout = {tuple(pair) for pair in pairs(test.heldout, test.user_ids, test.item_ids)}
        tuned = {tuple(pair) for pair in pairs(valid.heldout, valid.user_ids, valid.item_ids)}
        seen = {tuple(pair) for pair in pairs(valid.profiles.liked, valid.user_ids, valid.item_ids)}
        assert not heldout & (tuned | seen)


@pytest.mark.realdata
def test_ncf_leave_one_out(real, mirror):
    opened = load_split(real("movielens-1m"), "leave-one-out")
    assert isinstance(opened, TopKSplit)
    assert opened.train.disliked is None
    # NCF drew negatives with replacement: of a few users the same one twice, which its dict of scores merges too.
    sizes = np.diff(opened.candidates.indptr)
    assert sizes.max() == 100
    assert sizes.min() >= 97
    assert opened.heldout.multiply(opened.candidates).nnz == opened.heldout.nnz == 6040
    assert opened.train.liked.multiply(opened.candidates).nnz == 0
    first = (mirror / "movielens-1m" / "ncf_ml-1m.test.rating").read_text().split("\n")[0].split("\t")
    order = pd.read_parquet(mirror / "movielens-1m" / "ratings_order.parquet")["movieID"].astype(int).unique()
    assert opened.item_ids[opened.heldout[0].indices[0]] == order[int(first[1])]
    assert opened.item_names[opened.item_ids.tolist().index(1193)] == "One Flew Over the Cuckoo's Nest (1975)"
