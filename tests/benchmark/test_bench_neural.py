"""benchmark.bench_neural: a report is whole."""

from __future__ import annotations

import math
from pathlib import Path

from benchmark import bench_neural, methods
from benchmark.data.load import load_split
from benchmark.recent import recent


def test_report(sample: Path, monkeypatch) -> None:
    assert set(bench_neural.METHODS) <= set(methods.catalogue("session"))
    monkeypatch.setattr(bench_neural, "METHODS", ("gru4rec", "stamp"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    split = recent(load_split("sample-sessions", "0"), 600)
    gru4rec, stamp = bench_neural.report(split, 12.0)
    assert (gru4rec["method"], stamp["method"]) == ("gru4rec", "stamp")
    assert gru4rec["x gru4rec"] == 1
    assert (gru4rec["authors' cpu s"], stamp["authors' cpu s"]) == (12.0, None)
    for row in (gru4rec, stamp):
        assert math.isfinite(row["epoch cpu s"])  # a difference of two fits: of so small a train it may be anything
        assert math.isfinite(row["events/s"])
