"""What evaluate keeps per session or user, and the lists it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmark.data.load import SessionSplit, TopKSplit, load_split
from benchmark.experiments import settings
from benchmark.experiments.evaluate import evaluate_all, score
from benchmark.experiments.run import Asked, run
from benchmark.report.tables.measured import Made, Measured

PROJECT = Path(__file__).parents[3]
SLICES = ["0", "1"]


@pytest.fixture
def kept(sample, tmp_path) -> Path:
    """A folder of results: AR on two slices of the generated sessions."""
    chosen = settings.load(PROJECT / "params.yaml")
    folders = [run(chosen, Asked("sample-sessions", "ar", split, device="cpu"), tmp_path / "runs") for split in SLICES]
    evaluate_all(folders, tmp_path / "ar")
    return tmp_path


def test_sums_per_session_give_the_metrics(kept) -> None:
    for folder in sorted((kept / "runs").rglob("run.json")):
        result, per_unit = score(folder.parent)
        assert per_unit.points.sum() == result["run"]["n_points"]
        for name, sums in per_unit.sums.items():
            assert sums.sum() / per_unit.points.sum() == pytest.approx(result["metrics"][name]), name


def test_the_file_gives_the_reported_value(kept) -> None:
    """The mean of the contributions read back is the mean over slices of the mean over points."""
    measured = Measured([], Made(cells={("sample-sessions", "ar"): kept / "ar"}))
    found = measured.units("sample-sessions", "ar", SLICES, ["MRR@20", "HR@20", "Coverage@20"])
    assert found is not None
    keys, columns = found
    assert list(columns) == ["MRR@20", "HR@20"]  # coverage is not a mean over points
    runs = measured.runs("sample-sessions", "ar", SLICES)
    for metric, column in columns.items():
        assert len(column) == len(keys)
        assert column.mean() == pytest.approx(np.mean([r["metrics"][metric] for r in runs.values()]), abs=1e-6)
    table = pq.read_table(kept / "ar/units.parquet")
    assert set(table["seed"].to_pylist()) == {"-"}
    assert set(table["split"].to_pylist()) == set(SLICES)


def test_examples_are_of_the_stored_lists(kept) -> None:
    folder = next((kept / "runs").rglob("0-*"))
    result = score(folder)[0]
    split = load_split("sample-sessions", "0")
    assert isinstance(split, SessionSplit)
    assert len(result["examples"]) == 5
    for example in result["examples"]:
        session = split.test.items[split.test.offsets[example["unit"]] : split.test.offsets[example["unit"] + 1]]
        names = [str(split.item_ids[item]) for item in session]
        assert example["seen"] == names[: example["position"]][-10:]
        assert example["next"] == names[example["position"] :]
        assert [row["hit"] for row in example["list"]] == [row["item"] in example["next"] for row in example["list"]]


def test_examples_of_users_name_items(sample, tmp_path) -> None:
    folder = run(settings.load(PROJECT / "params.yaml"), Asked("sample-ratings", "top-pop", device="cpu"), tmp_path)
    result, per_unit = score(folder)
    split = load_split("sample-ratings")
    assert isinstance(split, TopKSplit)
    assert split.item_names is not None
    first = result["examples"][0]
    assert first["list"][0]["item"] in set(split.item_names)
    assert len(first["next"]) == min(10, split.heldout[first["unit"]].nnz)
    assert per_unit.sums["masked Recall@20"].mean() == pytest.approx(result["masked"]["metrics"]["Recall@20"])
