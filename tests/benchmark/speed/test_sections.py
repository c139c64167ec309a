"""Every section of the benchmark, on tiny sizes: its results are whole, and the page shows them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments import methods
from benchmark.report.figures.scaling import curves
from benchmark.speed import full_size, scaling, sessions, topk
from benchmark.speed.sections import SECTIONS

SAMPLE = "sample-sessions"


def measured(section: str, **sizes: Any) -> Any:
    """The results, after the page took them."""
    results = SECTIONS[section].measure(**sizes)
    assert SECTIONS[section].page(results).count("\n|") >= 2
    return results


def test_ceilings() -> None:
    assert min(measured("ceilings").values()) > 0


def test_data() -> None:
    found = measured("data", clicks=40_000, ratings=30_000)
    assert (found["rsc15 slices"]["rows"], found["rsc15 slices"]["splits"]) == (40_000, 10)
    assert 25_000 < found["cold users"]["rows"] <= 30_000
    assert found["cold users"]["splits"] == 2
    assert 0 < found["cold users"]["positives"] < found["cold users"]["rows"]
    for part in found.values():
        assert part["parse rows/s"] > 0
        assert part["peak MB"] >= part["MB before"] > 0


def test_density() -> None:
    found = measured("density", points=[300, 600])
    assert [(row["points"], row["method"]) for row in found["rows"]] == [
        (n, method) for n in (300, 600) for method in ("SketchDensity", "exact", "Sampling", "HBE")
    ]
    assert all(row["queries/s"] > 0 for row in found["rows"])
    sketches = [row["bytes"] for row in found["rows"] if row["method"] == "SketchDensity"]
    assert sketches == [100 * 128 * 8] * 2, "the sketch does not grow"
    assert set(found["seconds per query ~ points^"]) == {"SketchDensity", "exact", "Sampling", "HBE"}


def test_session_scale() -> None:
    found = measured("session-scale", events=4000, items=300, points=50, methods=["ar"])
    (row,) = found["rows"]
    assert row["method"] == "ar"
    assert row["points/s"] > 0
    assert row["peak MB"] >= row["above start MB"] >= 0
    assert [size["events"] for size in found["growth"]["ar"]] == sorted(
        (size["events"] for size in found["growth"]["ar"]), reverse=True
    )
    assert len(found["growth"]["ar"]) == 4


def test_topk_scale() -> None:
    sizes = {"users": 300, "items": 120, "likes": 6000, "test_users": 40}
    pop, ease, slim = measured("topk-scale", **sizes, methods=["top-pop", "ease", "slim"])["rows"]
    assert (pop["users"], pop["items"], pop["test users"]) == (300, 120, 40)
    assert slim["items"] == 12
    assert ease["Recall@20"] > pop["Recall@20"] > 0
    assert ease["fit / bare (cpu)"] > 0
    for row in (pop, ease, slim):
        assert row["peak MB"] >= row["start MB"] > 0
        assert min(row["fit s"], row["evaluate s"]) > 0


def test_every_baseline_is_measured() -> None:
    assert set(topk.METHODS) == set(methods.catalogue("topk")) - set(methods.OWN["topk"])
    assert {*sessions.SCALED, *sessions.NEURAL} <= set(methods.catalogue("session"))


def test_session_methods(sample: Path) -> None:
    row, other = measured("session-methods", data=SAMPLE, methods=["ar", "s-knn"])
    assert (row["method"], other["method"]) == ("ar", "s-knn")
    assert row["ratio"] is None, "session-rec ran on other data"
    assert min(row["fit s"], row["cpu s"], row["points/s"]) > 0
    assert sessions.peer_seconds("session-rec")["ar"] == 20


def test_neural(sample: Path, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    gru4rec, stamp = measured("neural-baselines", data=SAMPLE, methods=["gru4rec", "stamp"])
    assert (gru4rec["method"], stamp["method"]) == ("gru4rec", "stamp")
    assert gru4rec["x gru4rec"] == 1
    for row in (gru4rec, stamp):
        assert math.isfinite(row["epoch cpu s"])  # a difference of two fits: of so small a train it may be anything
        assert math.isfinite(row["events/s"])


def test_emde(sample: Path) -> None:
    found = measured("emde", data=SAMPLE, steps=3, hidden=32, batch=64)
    training, evaluation, decoding = (found[f"emde {part}"] for part in ("training", "evaluation", "decoding"))
    assert training["examples"] > 0
    assert training["weights"] > 32 * 32
    assert evaluation["points"] > 0
    assert decoding["fused / matrix"] == pytest.approx(decoding["fused rows/s"] / decoding["score matrix rows/s"])


def test_scaling() -> None:
    axis, size = scaling.LENGTH, [4, 8]
    plan = {"emde": {scaling.DEPTH: [2, 4]}, "vs-knn": {axis: size}, "ease": {scaling.CATALOGUE: [100, 200]}}
    found = measured("scaling", plan=plan, base={scaling.TRAIN: 2000, scaling.CATALOGUE: 200})
    assert [(row["method"], row["size"]) for row in found["rows"]] == [
        ("emde", 2), ("emde", 4), ("vs-knn", 4), ("vs-knn", 8), ("ease", 100), ("ease", 200),
    ]  # fmt: skip
    assert all(row["train s"] > 0 and set(row) <= set(scaling.COLUMNS) for row in found["rows"])
    assert len(curves(found["rows"]).axes) == 6


def test_full_size(monkeypatch) -> None:
    monkeypatch.setattr(full_size, "alone", lambda work, *arguments, threads: work(*arguments))
    monkeypatch.setattr(full_size, "SESSIONS", {"retail": full_size.Shape(events=6000, units=1500, items=300)})
    monkeypatch.setattr(full_size, "PART", 3000)
    small = {"hidden": 16, "modalities": [{"group": "session", "iterations": 1, "dim": 16}]}
    (row,) = measured("full-size", data=["retail"], overrides=small)["rows"]
    steps = -(-4500 // row["batch"])
    assert row["examples"] == 4500
    assert row["training, extrapolated, cpu h"] == pytest.approx(row["step cpu s"] * steps * row["epochs"] / 3600)
    assert row["codes, extrapolated, cpu s"] > 0
    assert row["weights"] > 2 * 1280 * 16
