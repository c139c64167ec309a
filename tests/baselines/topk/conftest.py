"""Data for the top-k baselines: tiny random matrices, and MovieLens-100K as the reference split it."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from benchmark.protocol.topk_metrics import per_user
from contracts import Interactions, TopKRecommender, top_k

PROJECT = Path(__file__).resolve().parents[3]


def random_interactions(seed: int, n_users: int = 30, n_items: int = 20, density: float = 0.2) -> Interactions:
    """Random likes with a skewed popularity, one user and one item without any."""
    rng = np.random.default_rng(seed)
    odds = density * 2 * rng.random(n_items)
    dense = rng.random((n_users, n_items)) < odds
    dense[3] = False
    dense[:, 5] = False
    return Interactions(sp.csr_matrix(dense.astype(np.float32)))


@dataclass(frozen=True)
class ColdUserSplit:
    """The reference split of MovieLens-100K: fit on train, profiles from the test fold-in."""

    train: Interactions
    profiles: Interactions
    heldout: sp.csr_matrix

    def score(self, model: TopKRecommender) -> dict[str, float]:
        """Mean metrics of a fitted model over the test users."""
        items, _ = model.recommend(self.profiles, 100, self.profiles.liked)
        return self._mean(items)

    def score_weights(self, weights: np.ndarray) -> dict[str, float]:
        """Mean metrics of the linear model with these item-item weights."""
        liked = self.profiles.liked
        return self._mean(top_k(np.asarray(liked @ weights), 100, liked)[0])

    def _mean(self, items: np.ndarray) -> dict[str, float]:
        return {key: float(np.nanmean(column)) for key, column in per_user(items, self.heldout).items()}


@pytest.fixture
def tiny() -> Callable[..., Interactions]:
    return random_interactions


@pytest.fixture(scope="session")
def ml100k() -> ColdUserSplit:
    folder = Path(os.environ.get("EMDE_REFERENCE") or PROJECT.parent / "shared" / "reference")
    path = folder / "ml100k_cold_user.csv"
    if not path.exists():
        pytest.skip(f"{path} not found; set EMDE_REFERENCE to the folder that holds it")
    with path.open(newline="") as stream:
        rows = [(int(row["user"]), int(row["item"]), row["part"]) for row in csv.DictReader(stream)]
    catalogue = np.unique([item for _, item, part in rows if part == "train"])

    def matrix(part: str) -> sp.csr_matrix:
        users, items = np.array([(user, item) for user, item, name in rows if name == part]).T
        ids = np.unique(users)
        cells = (np.searchsorted(ids, users), np.searchsorted(catalogue, items))
        return sp.csr_matrix((np.ones(len(users), np.float32), cells), shape=(len(ids), len(catalogue)))

    return ColdUserSplit(Interactions(matrix("train")), Interactions(matrix("test_foldin")), matrix("test_heldout"))
