"""Values per session or user beside kept runs: written by emde keep, the same as scored, gone with their run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.experiments import run_store, settings
from benchmark.experiments.compare import compare as stored_compare
from benchmark.experiments.evaluate import evaluate_all, score
from benchmark.experiments.headline import PerUnit
from benchmark.experiments.run import Asked, run
from benchmark.report import keep, kept, units
from benchmark.report.compare import compare
from contracts import UserError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sample_root: Path) -> Path:
    """Two settings of one method on one slice of the generated sessions."""
    out, chosen = tmp_path_factory.mktemp("runs"), settings.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMDE_DATA", str(sample_root))
        run(chosen, Asked("sample-sessions", "sr", "0"), out)
        run(chosen, Asked("sample-sessions", "sr", "0", {"steps": 2}), out)
    return out


@pytest.fixture
def runs(made: Path, sample: Path) -> list[Path]:
    return run_store.find_runs(made)


def same(ours: PerUnit | None, scored: PerUnit) -> None:
    assert ours is not None
    np.testing.assert_array_equal(ours.unit, scored.unit)
    np.testing.assert_array_equal(ours.points, scored.points)
    assert list(ours.sums) == units.METRICS["session"]
    for name, column in ours.sums.items():
        np.testing.assert_allclose(column, scored.sums[name], rtol=1e-7, atol=0)


def test_kept_values_are_those_of_the_lists(runs: list[Path], tmp_path: Path) -> None:
    keep.keep(runs, "mine", tmp_path)
    of_lists = {found["run"]["lists_sha256"]: found["run"] for found in kept.read(tmp_path / "mine")}
    assert len(of_lists) == 2
    for folder in runs:
        result, scored = score(folder)
        same(units.read(tmp_path / "mine", of_lists[result["run"]["lists_sha256"]]), scored)


def test_a_profiles_and_kept_folders_hand_them_on(runs: list[Path], tmp_path: Path) -> None:
    evaluate_all(runs[:1], tmp_path / "generated/cells/sample-sessions/sr")
    keep.keep([tmp_path / "generated"], "first", tmp_path)
    keep.keep([tmp_path / "first"], "second", tmp_path)
    for name in ("first", "second"):
        (found,) = kept.read(tmp_path / name)
        same(units.read(tmp_path / name, found["run"]), score(runs[0])[1])


def test_two_runs_that_cannot_be_told_apart_have_none(runs: list[Path], tmp_path: Path) -> None:
    evaluate_all(runs, tmp_path / "cells/sample-sessions/sr")
    assert units.of_cell(tmp_path / "cells/sample-sessions/sr") == {}


def test_values_go_with_their_run(runs: list[Path], tmp_path: Path) -> None:
    keep.keep(runs, "mine", tmp_path)
    records = kept.read(tmp_path / "mine")
    units.write(tmp_path / "mine", records[:1], {})
    assert units.read(tmp_path / "mine", records[0]["run"]) is not None
    assert units.read(tmp_path / "mine", records[1]["run"]) is None


def test_a_file_of_anything_else_is_named(runs: list[Path], tmp_path: Path) -> None:
    keep.keep(runs[:1], "mine", tmp_path)
    (found,) = kept.read(tmp_path / "mine")
    path = units.path_of(tmp_path / "mine", found["run"])
    path.write_bytes(b"no parquet")
    with pytest.raises(UserError, match=rf"{path.name}: expected values per session or user"):
        units.read(tmp_path / "mine", found["run"])


def test_kept_runs_are_compared_as_stored_ones(runs: list[Path], tmp_path: Path) -> None:
    keep.keep(runs, "mine", tmp_path)
    of_lists = {result["run"]["lists_sha256"]: folder for folder in runs for result in [score(folder)[0]]}
    (one, first), (other, second) = of_lists.items()
    wanted = stored_compare(first, second)
    found = compare(f"{tmp_path / 'mine'}:{one[:8]}", str(second))
    for name in units.METRICS["session"]:
        for part, value in wanted["metrics"][name].items():
            if part not in ("t_holm", "wilcoxon_p"):  # Holm is over other metrics; float32 breaks and makes ties
                assert found["metrics"][name][part] == pytest.approx(value, rel=1e-4, abs=1e-9), (name, part)
    both = compare(f"{tmp_path / 'mine'}:{one}", f"{tmp_path / 'mine'}:{other}")
    assert both["sessions"][0]["items"] == found["sessions"][0]["items"]


def test_what_is_not_one_kept_run_is_named(runs: list[Path], tmp_path: Path) -> None:
    keep.keep(runs, "mine", tmp_path)
    place = tmp_path / "mine"
    with pytest.raises(UserError, match=r"expected one kept run \(\w{12}, \w{12}\), found 2"):
        compare(f"{place}:sample-sessions/sr/0/-", str(runs[0]))
    with pytest.raises(UserError, match=r"expected one kept run \(sample-sessions/sr/0/-\), found 0"):
        compare(f"{place}:sample-sessions/ar/0/-", str(runs[0]))
    records = kept.read(place)
    units.path_of(place, records[0]["run"]).unlink()
    with pytest.raises(UserError, match="expected values per session or user"):
        compare(f"{place}:{records[0]['run']['lists_sha256']}", str(runs[0]))
