"""benchmark.scaling, full_size and bench_steps: the arithmetic on made-up rows, and rows of small measurements."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmark import full_size, scaling
from benchmark.bench_session import generate
from benchmark.bench_steps import first_steps
from benchmark.figures.scaling import curves
from emde import EMDE

SMALL: dict[str, Any] = {
    "modalities": [{"group": "random"}], "n": 3, "k": 4, "hidden": 8, "batch_size": 32, "device": "cpu",
}  # fmt: skip


@pytest.fixture
def threads(monkeypatch) -> None:
    """The measurements set one thread for their whole process: not in this one."""
    for module in (scaling, full_size):
        monkeypatch.setattr(module.environment, "set_threads", lambda count: None)
        monkeypatch.setattr(module.torch, "set_num_threads", lambda count: None)


def made_up(method: str, exponent: float, memory: float) -> list[dict[str, Any]]:
    return [
        {"method": method, "axis": scaling.CATALOGUE, "size": size, "train s": 1e-6 * size**exponent,
         "memory MB": 1e-3 * size**memory}
        for size in (1000, 10_000, 100_000)
    ]  # fmt: skip


def test_exponents_and_limits_of_power_laws() -> None:
    rows = made_up("cubic", 3, 2) + made_up("flat", 0, 0)
    found = {(row["method"], row["cost"]): row["exponent"] for row in scaling.slopes(rows)}
    assert found == {("cubic", "train s"): 3.0, ("flat", "train s"): 0.0}
    cubic, flat = scaling.limits(rows)
    assert cubic["24 GB at"] == pytest.approx((24 * 1024 / 1e-3) ** 0.5, rel=0.05)
    assert cubic["a day at"] == pytest.approx((86400 / 1e-6) ** (1 / 3), rel=0.05)
    assert (flat["24 GB at"], flat["a day at"]) == (None, None)


def test_a_break_counts_where_it_ends_up() -> None:
    rows = made_up("late", 0, 0)
    rows[-1]["train s"] *= 10
    (slope,) = scaling.slopes(rows)
    assert (slope["at the end"], slope["exponent"]) == (1.0, 0.5)


def test_some_steps_of_a_fit() -> None:
    train = generate(2000, 50)
    model, step, before = first_steps(EMDE, SMALL, train, 4)
    assert step > 0
    assert before >= 0
    items, _ = model.recommend(train.take([0, 1]), 5)
    assert items.shape == (2, 5)
    assert model.history == [], "no epoch was finished"
    untrained = EMDE.create({**SMALL, "epochs": 0}).fit(train)
    assert not torch.equal(model._network.out.weight, untrained._network.out.weight)


@pytest.mark.parametrize("method", ["emde", "vs-knn", "gru4rec", "ease", "emde codes"])
def test_a_row_per_size(method: str, threads, monkeypatch) -> None:
    monkeypatch.setattr(scaling, "BASE", {**scaling.BASE, scaling.TRAIN: 3000, scaling.CATALOGUE: 200})
    rows = scaling.measure(method, scaling.CATALOGUE, (150, 300))
    assert [(row["method"], row["size"]) for row in rows] == [(method, 150), (method, 300)]
    assert all(row["train s"] > 0 for row in rows)
    assert all(set(row) <= set(scaling.COLUMNS) for row in rows)
    assert scaling.as_csv(rows).count("\n") == 3
    figure = curves(rows)
    assert len(figure.axes) == 2


def test_a_shape_is_extrapolated(threads, monkeypatch) -> None:
    shape = full_size.Shape(events=6000, units=1500, items=300)
    monkeypatch.setattr(full_size, "SESSIONS", {"retail": shape})
    monkeypatch.setattr(full_size, "PART", 3000)
    settings = full_size.settings.load()
    recommender = settings.recommender
    small = {"hidden": 16, "modalities": [{"group": "session", "iterations": 1, "dim": 16}]}
    monkeypatch.setattr(type(settings), "recommender", lambda self, kind, method, data, _, seed, device: recommender(
        kind, method, data, small, seed, device))  # fmt: skip
    row = full_size.measure("retail")
    steps = -(-4500 // row["batch"])
    assert row["examples"] == 4500
    assert row["training, extrapolated, cpu h"] == pytest.approx(row["step cpu s"] * steps * row["epochs"] / 3600)
    assert row["codes, extrapolated, cpu s"] > 0
    assert row["weights"] > 2 * 1280 * 16
