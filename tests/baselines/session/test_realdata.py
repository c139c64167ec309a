"""rsc15-100k, train_full -> test: what session-rec computes on the same 10,152 points."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from baselines.session.association_rules import AR
from baselines.session.s_knn import SKNN
from baselines.session.sequential_rules import SR
from baselines.session.vs_knn import VSKNN
from contracts import SessionRecommender, Sessions

pytestmark = pytest.mark.realdata

SHARED = Path(__file__).parents[4] / "shared"
MIRROR = Path(os.environ.get("EMDE_MIRROR", SHARED / "data")) / "rsc15-100k"

REFERENCE = {  # metric at k = 1, 5, 10, 20; P, R, MAP only at 20
    "ar": {
        "HR": (0.216115, 0.469858, 0.559102, 0.634358),
        "MRR": (0.216115, 0.309192, 0.321305, 0.326617),
        "P": (0.061471,), "R": (0.444115,), "MAP": (0.028865,),
    },
    "sr": {
        "HR": (0.240544, 0.489362, 0.564913, 0.619484),
        "MRR": (0.240544, 0.333255, 0.343634, 0.347442),
        "P": (0.060436,), "R": (0.432524,), "MAP": (0.028170,),
    },
    "s-knn": {
        "HR": (0.202029, 0.475177, 0.570134, 0.642730),
        "MRR": (0.202029, 0.302666, 0.315490, 0.320662),
        "P": (0.064322,), "R": (0.460615,), "MAP": (0.030285,),
    },
}  # fmt: skip
METHODS: dict[str, SessionRecommender] = {"ar": AR(), "sr": SR(), "s-knn": SKNN(k=100)}


class Points(NamedTuple):
    """Train, every prefix of every test session, the next item of each, and all remaining ones."""

    train: Sessions
    prefixes: Sessions
    next_items: np.ndarray
    remaining: list[np.ndarray]
    raw_ids: np.ndarray


@pytest.fixture(scope="module")
def points() -> Points:
    if not MIRROR.is_dir():
        pytest.skip(f"needs {MIRROR} (set EMDE_MIRROR to the folder of the data mirror)")
    # session-rec's runs had both files sorted: first appearances, and so ties, follow that order
    train, test = (
        pd.read_csv(MIRROR / f"yoochoose-clicks-100k_{part}.txt", sep="\t").sort_values(
            ["SessionId", "Time"], kind="stable"
        )
        for part in ("train_full", "test")
    )
    codes, raw_ids = pd.factorize(train["ItemId"])
    fitted = _sessions(train, codes, len(raw_ids))
    index = pd.Series(np.arange(len(raw_ids)), index=raw_ids)
    tested = _sessions(test, index[test["ItemId"]].to_numpy(), len(raw_ids))
    owner = tested.session_of_event
    ends = np.flatnonzero(owner[1:] == owner[:-1]) + 1
    prefixes = tested.windows(tested.offsets[owner[ends]], ends, owner[ends])
    remaining = [tested.items[end : tested.offsets[owner[end] + 1]] for end in ends]
    return Points(fitted, prefixes, tested.items[ends], remaining, np.asarray(raw_ids))


def _sessions(frame: pd.DataFrame, items: np.ndarray, n_items: int) -> Sessions:
    ids = frame["SessionId"].to_numpy()
    starts = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1))
    offsets = np.append(starts, len(ids)).astype(np.int64)
    return Sessions(items.astype(np.int32), frame["Time"].to_numpy(np.float64), offsets, n_items)


def metrics(items: np.ndarray, points: Points, k: int) -> dict[str, float]:
    """HR, MRR, P, R and MAP as session-rec defines them."""
    top = items[:, :k]
    hit = top == points.next_items[:, None]
    rank = hit.argmax(axis=1) + 1
    sums = np.zeros(3)
    for listed, remaining in zip(top, points.remaining, strict=True):
        relevant = set(remaining.tolist())
        found, before = (len(relevant.intersection(part.tolist())) for part in (listed, listed[:-1]))
        sums += found / k, found / len(remaining), before * (before + 1) / (2 * k * len(remaining))
    precision, recall, average = sums / len(rank)
    reciprocal = np.where(hit.any(axis=1), 1 / rank, 0).mean()
    return {"HR": hit.any(axis=1).mean(), "MRR": reciprocal, "P": precision, "R": recall, "MAP": average}


def lists(model: SessionRecommender, points: Points) -> tuple[np.ndarray, np.ndarray]:
    return model.fit(points.train).recommend(points.prefixes, 20)


@pytest.mark.parametrize("name", REFERENCE)
def test_metrics_are_session_recs(name, points):
    items, _ = lists(METHODS[name], points)
    assert len(items) == 10_152
    expected = REFERENCE[name]
    at_20 = metrics(items, points, 20)
    for metric, values in expected.items():
        assert at_20[metric] == pytest.approx(values[-1], abs=2e-3), metric
    for column, k in enumerate((1, 5, 10)):
        ours = metrics(items, points, k)
        for metric in ("HR", "MRR"):
            assert ours[metric] == pytest.approx(expected[metric][column], abs=4e-3), f"{metric}@{k}"


def test_tie_bounds_of_ar(points):
    """Spec, section 4: with every tie lost and every tie won, zero-score fillers included."""
    items, scores = lists(AR(), points)
    hit = items == points.next_items[:, None]
    listed = hit.any(axis=1)
    own = scores[np.arange(len(items)), hit.argmax(axis=1)][:, None]
    size = (items >= 0).sum(axis=1)
    lost = np.where(listed, ((scores >= own) & (items >= 0)).sum(axis=1), 1e9)
    won = np.where(listed, (scores > own).sum(axis=1), np.where(size < 20, size, 1e9)) + 1
    for rank, hr, mrr in ((lost, 0.633964, 0.319456), (won, 0.683117, 0.343841)):
        assert (rank <= 20).mean() == pytest.approx(hr, abs=1e-6)
        assert np.where(rank <= 20, 1 / rank, 0).mean() == pytest.approx(mrr, abs=1e-6)


@pytest.mark.parametrize(("name", "file"), [("ar", "ar"), ("sr", "sr-default")])
def test_scores_of_the_first_points(name, file, points):
    path = SHARED / "reference" / "top20" / f"{file}.csv"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    items, scores = lists(METHODS[name], points)
    reference = pd.read_csv(path)
    for point in range(300):
        rows = reference[(reference["point"] == point) & (reference["score"] > 0)]
        theirs = dict(zip(rows["item"], rows["score"], strict=True))
        size = int((items[point] >= 0).sum())
        ours = dict(zip(points.raw_ids[items[point, :size]], scores[point, :size] / scores[point, 0], strict=True))
        assert ours == pytest.approx(theirs, abs=1e-6), f"point {point}"


def test_vsknn_is_well_above_sknn(points):
    plain = metrics(lists(SKNN(), points)[0], points, 20)
    vector = metrics(lists(VSKNN(), points)[0], points, 20)
    tuned = metrics(lists(VSKNN(weighting="quadratic", weighting_score="quadratic"), points)[0], points, 20)
    assert vector["MRR"] > plain["MRR"] + 0.03
    assert vector["HR"] == pytest.approx(0.682, abs=2e-3)
    assert vector["MRR"] == pytest.approx(0.361, abs=2e-3)
    assert tuned["MRR"] == pytest.approx(0.369, abs=2e-3)
