"""benchmark.speed.plan: sizes of prepared and registered data, what a cell takes, files that a person must place."""

from __future__ import annotations

import pytest

from benchmark.cli import show
from benchmark.data.load import load_split
from benchmark.experiments import settings
from benchmark.speed import plan


def test_a_cell_takes_its_examples_times_their_rate(sample, monkeypatch) -> None:
    monkeypatch.setattr(plan, "rate_of", lambda kind, model: plan.Rate((0.5, 0.0), (0.25, 0.001)))
    found = plan.plan(settings.load(), "sample")
    row = next(row for row in found["cells"] if (row["data"], row["method"]) == ("sample-sessions", "ar"))
    splits = [load_split("sample-sessions", str(number)) for number in range(5)]
    examples = sum(split.train.n_events - len(split.train) for split in splits)
    points, items = sum(split.n_points for split in splits), sum(len(split.item_ids) for split in splits) / 5
    assert (row["examples"], row["points"], row["sizes"]) == (examples, points, "prepared")
    fixed = 2 * plan.START + 5 * plan.SPLIT
    assert row["cpu_hours"] * 3600 == pytest.approx(0.5 * examples + points * (0.25 + 0.001 * items) + fixed)
    three = next(row for row in found["cells"] if row["method"] == "emde-3-seeds")
    assert three["examples"] == 3 * examples, "three epochs"
    assert three["cpu_hours"] * 3600 > 3 * (0.5 * three["examples"])
    ablation = next(row for row in found["cells"] if row["method"] == "ablation pq")
    assert ablation["examples"] == pytest.approx(three["examples"] / 5), "one split"
    assert found["cpu_hours"] == pytest.approx(sum(row["cpu_hours"] for row in found["cells"]))
    assert plan.lines(found)[0].startswith(f"plan: {len(found['cells'])} cells to run (0 done), ")


def test_the_paper_profile_before_anything_is_here(tmp_path, monkeypatch) -> None:
    """Sizes are the registry's, every file to be placed by hand is named at once, and nothing is measured."""
    monkeypatch.setenv("EMDE_DATA", str(tmp_path))
    found = plan.plan(settings.load(), "paper", calibrate=False)
    assert found["cpu_hours"] is None
    assert found["of_unknown_size"] == []
    rsc15 = next(row for row in found["cells"] if (row["data"], row["method"]) == ("rsc15", "emde"))
    assert rsc15["examples"] == pytest.approx(7 * 5 * (5_426_961 - 1_375_128) * 30 / 31)
    memory = {(row["data"], row["method"]): row["memory_gb"] for row in found["cells"]}
    assert memory["30mu", "nextitnet"] > 12e-9 * 64 * 50 * 210_633, "scores of a batch of the longest sessions"
    assert memory["netflix", "ease"] - memory["netflix", "top-pop"] == pytest.approx(12e-9 * 17_770**2)
    named = {one["file"] for one in found["by_hand"]}
    assert named == {"archive.zip", "dataset-train-diginetica.zip", "30music-200ks.csv", "ThirtyMusic.tar.gz",
                     "playlists-aotm.csv", "nowplaying.csv"}  # fmt: skip
    assert all(str(tmp_path) in one["folder"] and one["how"] for one in found["by_hand"])
    (tmp_path / "raw/nowp").mkdir(parents=True)
    (tmp_path / "raw/nowp/nowplaying.csv").touch()
    assert "nowplaying.csv" not in {one["file"] for one in plan.by_hand(settings.load(), "paper")}


def test_cells_of_data_that_are_not_prepared_are_shown_without_numbers(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("EMDE_DATA", str(tmp_path))
    monkeypatch.setattr(plan, "project_root", lambda: tmp_path)
    show.show_plan(plan.plan(settings.load(), "sample", calibrate=False))
    out = capsys.readouterr().out
    assert "?" in out
    assert "not counted, their sizes are known once they are prepared: sample-ratings, sample-sessions" in out
