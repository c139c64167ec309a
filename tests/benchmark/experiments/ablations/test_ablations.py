"""The ablation grid: cells trained and measured, levels compared, and DVC reruns what changed only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError
from scipy import stats

from benchmark.cli import main as cli
from benchmark.experiments import settings
from benchmark.experiments.ablations.ablate import ablate
from benchmark.experiments.ablations.grid import METRICS, AblationChoice, Change, Grid, parameters
from benchmark.experiments.profiles import Profile
from benchmark.experiments.run import load_ranking_split
from benchmark.experiments.settings import Settings
from benchmark.protocol.train_sets import recent
from benchmark.report import sensitivity
from contracts import UserError
from emde import EMDE
from tests.parameters import copy_parameters, edit

PROJECT = Path(__file__).parents[4]
DATA = "sample-sessions"
GRID: dict[str, Any] = {
    "base": {
        DATA: {
            "sessions": 200,
            "points": 80,
            "seeds": 2,
            "params": {"hidden": 8, "epochs": 1, "batch_size": 64, "n": 3},
            "modalities": {
                "base": [{"group": "session", "dim": 16}, {"group": "random"}],
                "random": [{"group": "random"}, {"group": "random"}],
            },
        }
    },
    "cells": {
        "base": {"decoders": ["gmean", "min"]},
        "k4": {"params": {"k": 4}, "embedding": {"dim": 8}},
        "random": {"modalities": "random"},
        "metadata": {"modalities": "metadata"},
    },
    "factors": {
        "ensemble": {"gmean": "base/gmean", "min": "base/min"},
        "input": {"mm": "base", "metadata": "metadata", "random": "random"},
        "bits": {"7": "base", "4": "k4"},
        "alone": {"only": "base"},
        "apart": {"one": "k4", "two": "random"},
    },
}


@pytest.fixture
def chosen() -> Settings:
    found = settings.load(PROJECT / "params.yaml")
    profile = Profile(title="tiny", ablations=[AblationChoice(data=[DATA])])
    return found.model_copy(update={"ablations": Grid.model_validate(GRID), "profiles": {"tiny": profile}})


def test_a_cell_changes_what_it_says_and_nothing_else(chosen) -> None:
    base = parameters(*chosen.ablations.of(DATA, "base"))
    changed = parameters(*chosen.ablations.of(DATA, "k4"))
    assert changed == {**base, "k": 4, "modalities": [{"group": "session", "dim": 8}, {"group": "random"}]}
    assert parameters(*chosen.ablations.of(DATA, "random"))["modalities"] == [{"group": "random"}] * 2


def test_all_sketches_of_a_data_set_are_equally_large() -> None:
    """As the paper's Table 6 demands."""
    grid = settings.load(PROJECT / "params.yaml").ablations
    assert grid.base.keys() >= {DATA, "diginetica-srgnn", "rsc15-100k", "retailrocket-dhcn", "30music-10pct"}
    for base in grid.base.values():
        assert len({len(modalities) for modalities in base.modalities.values()}) == 1


def test_decoders_share_one_training(sample, chosen, tmp_path, monkeypatch) -> None:
    trained = []
    fit = EMDE.fit
    monkeypatch.setattr(EMDE, "fit", lambda self, train: (trained.append(self), fit(self, train))[1])
    found = ablate(chosen, DATA, "base", tmp_path)
    assert [model.seed for model in trained] == found["seeds"] == [0, 1]
    assert list(found["results"]) == ["gmean", "min"]
    assert found["results"]["gmean"] != found["results"]["min"]


def test_a_cell_is_measured_on_the_tuning_split(sample, chosen, tmp_path) -> None:
    found = ablate(chosen, DATA, "k4", tmp_path)
    assert found["split"] == "0:valid"
    assert found["train"] == 200
    assert json.loads((tmp_path / f"{DATA}/k4.json").read_text()) == found
    table = pq.read_table(tmp_path / f"{DATA}/k4.parquet").to_pandas()
    assert table["points"].sum() == found["points"]
    for name in METRICS:
        assert table[f"gmean:{name}"].sum() / found["points"] == pytest.approx(np.mean(found["results"]["gmean"][name]))
    grid = json.loads(json.dumps(GRID))
    grid["base"][DATA]["split"] = "0"
    with pytest.raises(UserError, match="expected a tuning split"):
        ablate(chosen.model_copy(update={"ablations": Grid.model_validate(grid)}), DATA, "k4", tmp_path)


def test_what_the_data_cannot_fill_says_so(sample, chosen, tmp_path) -> None:
    found = ablate(chosen, DATA, "metadata", tmp_path)
    assert found["unavailable"] == "no metadata modalities: the data offers base, random"
    assert "results" not in found
    with pytest.raises(UserError, match=r"unknown cell 'k5'; params/ablations\.yaml declares: base, k4"):
        ablate(chosen, DATA, "k5", tmp_path)


def test_levels_are_compared_with_the_base(sample, chosen, tmp_path) -> None:
    cells = tmp_path / "cells"
    with pytest.raises(UserError, match="run: emde ablate"):
        sensitivity.compare(chosen, "tiny", cells)
    ran = {cell: ablate(chosen, DATA, cell, cells) for cell in GRID["cells"]}
    result = sensitivity.compare(chosen, "tiny", cells)
    levels = {(level["factor"], level["label"]): level for level in result["levels"]}
    assert len(levels) == len(result["levels"]) == 9
    values = ran["random"]["results"]["gmean"]["MRR@20"]
    metric = levels["input", "random"]["metrics"]["MRR@20"]
    low, high = stats.t.interval(0.95, 1, np.mean(values), stats.sem(values))
    assert [metric[name] for name in ("mean", "low", "high")] == pytest.approx([np.mean(values), low, high])
    for level in levels.values():
        if level["cell"] in ("metadata", "base") and level.get("decoder", "gmean") == "gmean":
            assert "difference" not in level
            continue
        expected = level["metrics"]["HR@20"]["mean"] - levels["input", "mm"]["metrics"]["HR@20"]["mean"]
        assert level["difference"]["HR@20"]["difference"] == pytest.approx(expected, abs=1e-12)
    test = levels["ensemble", "min"]["difference"]["MRR@20"]
    assert 0 <= test["t_p"] <= test["t_holm"] <= 1
    assert test["units"] > 10
    assert levels["input", "random"]["published"]["MRR@20"] == 0.27865
    assert levels["bits", "4"]["published"] == {}
    text = sensitivity.markdown(result)
    assert "| input | metadata | cannot be filled: no metadata modalities" in text
    assert "paper: gmean > min" in text
    assert "paper: mm > random" in text
    written = sensitivity.write(result, tmp_path / "compared")
    assert json.loads(Path(written["ablations.json"]).read_text()) == result
    assert Path(written["forest.png"]).read_bytes().startswith(b"\x89PNG")
    drawn = sensitivity.plot(result).axes[0]
    assert [tick.get_text() for tick in drawn.get_yticklabels()] == [
        "ensemble: min",
        "input: random",
        "bits: 4",
        "apart: one",
        "apart: two",
    ]


def test_levels_of_a_factor_are_compared_with_each_other(sample, chosen, tmp_path) -> None:
    ran = {cell: ablate(chosen, DATA, cell, tmp_path)["results"]["gmean"] for cell in ("base", "k4", "random")}
    chosen.profiles["tiny"].ablations[0] = AblationChoice(data=[DATA], cells=list(ran))
    result = sensitivity.compare(chosen, "tiny", tmp_path, [DATA])
    beside = {(level["factor"], level["label"]): level.get("beside") for level in result["levels"]}
    assert beside["input", "random"] == beside["apart", "one"] == {}
    found = beside["apart", "two"]["one"]["HR@20"]
    assert found["difference"] == pytest.approx(np.mean(ran["random"]["HR@20"]) - np.mean(ran["k4"]["HR@20"]))
    assert found["low"] < found["difference"] < found["high"]
    with pytest.raises(UserError, match="expected ablations of sample-sessions, found elsewhere"):
        sensitivity.compare(chosen, "tiny", tmp_path, ["elsewhere"])


def test_orderings_name_agreement() -> None:
    def level(label: str, ours: float, theirs: float, p: float | None = None) -> dict[str, Any]:
        metrics, published = {"MRR@20": {"mean": ours}}, {"MRR@20": theirs}
        test = {} if p is None else {"difference": {"MRR@20": {"difference": ours - 0.3, "t_holm": p}}}
        return {"factor": "f", "label": label, "metrics": metrics, "published": published, **test}

    same = [level("a", 0.3, 0.4), level("b", 0.2, 0.1, p=0.01)]
    said = "f: a > b; paper: a > b (the same order). Against a, as in the paper: b."
    assert sensitivity.orderings(same) == [said]
    other = [
        level("a", 0.3, 0.4),
        level("b", 0.4, 0.1, p=0.01),
        level("c", 0.2, 0.2, p=0.04),
        level("d", 0.1, 0, p=0.05),
    ]
    said = "f: b > a > c > d; paper: a > c > b > d (another order). Against a, as in the paper: c; contrary to it: b; "
    assert sensitivity.orderings(other) == [f"{said}undecided: d."]


def test_items_without_a_vector_are_counted() -> None:
    some = [{"items": 4321, "random_codes": {"session": 1200, "user": 0}}, {"unavailable": "why"}]
    said = "Items without a vector, which get random codes there, of 4,321: session 1,200."
    assert sensitivity.fallbacks(some) == [said]
    assert sensitivity.fallbacks([{"items": 5, "random_codes": {"session": 0}}]) == []


@pytest.mark.parametrize("level", ["nowhere", "k4/min"])
def test_a_level_must_be_declared(level) -> None:
    with pytest.raises(ValidationError, match=r"factors\.input\.odd: expected a cell"):
        Grid.model_validate({**GRID, "factors": {"input": {"odd": level}}})
    with pytest.raises(ValidationError, match="expected modalities named 'base'"):
        Grid.model_validate({"base": {DATA: {"modalities": {}}}})


def test_the_commands(sample, tmp_path, capsys, monkeypatch, chosen) -> None:
    for variable in ("EMDE_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(variable, "2")
    monkeypatch.setattr(settings, "load", lambda *_: chosen)
    for cell in GRID["cells"]:
        assert cli.main(["ablate", "--data", DATA, "--cell", cell, "--out", str(tmp_path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["cell"] == cell
    call = ["ablations", "--cells", str(tmp_path), "--profile", "tiny", "--out", str(tmp_path / "compared")]
    assert cli.main(call) == 0
    assert (tmp_path / "compared/ablations.md").is_file()
    assert cli.main(["ablate", "--data", DATA, "--cell", "odd"]) == 2
    assert "unknown cell 'odd'" in capsys.readouterr().err


@pytest.mark.slow
def test_dvc_reruns_only_the_cell_that_changed(sample, tmp_path) -> None:
    """The sample profile's ablation stages in a copy of the project, its grid made tiny."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("contracts", "emde", "baselines", "benchmark", "results/paper"):
        shutil.copytree(PROJECT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "pyproject.toml", ".gitignore"):
        shutil.copy(PROJECT / name, project / name)
    shutil.copytree(sample / "prepared" / DATA, project / "data/prepared" / DATA)
    copy_parameters(project)
    (project / "params/ablations.yaml").write_text(yaml.safe_dump(GRID, sort_keys=False))
    for path in (project / "profiles").glob("[!s]*/profile.yaml"):
        path.unlink()
    edit(project / "profiles/sample/profile.yaml", lambda profile: profile.update(ablations=[{"data": [DATA]}]))
    shutil.rmtree(project / "profiles/small")
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": scripts, "PYTHONPATH": str(project)}
    environment.pop("EMDE_DATA", None)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    everything = [f"ablate--{DATA}--{cell}" for cell in GRID["cells"]]

    def repro() -> list[str]:
        """The ablation stages that ran."""
        lines = run("dvc", "repro", "--single-item", *everything, "ablations--sample").splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run(sys.executable, "-m", "benchmark.cli", "pipeline")
    assert repro() == [*everything, "ablations--sample"]
    assert repro() == []
    run(sys.executable, "-m", "benchmark.cli", "ablate", "--data", DATA, "--cell", "random")  # by hand: the same result
    assert repro() == []
    edit(project / "params/ablations.yaml", lambda grid: grid["cells"]["k4"]["params"].update(k=5))
    assert repro() == [f"ablate--{DATA}--k4", "ablations--sample"]
    found = json.loads((project / f"results/generated/ablations/{DATA}/k4.json").read_text())
    assert found["params"]["k"] == 5


def test_the_random_fallback_is_counted(sample, chosen, tmp_path) -> None:
    """Of 200 sessions' items the graph knows those that occur; the rest of the catalogue gets random codes."""
    train = recent(load_ranking_split(DATA, ":valid"), 200).train
    missing = train.n_items - len(np.unique(train.items[train.items >= 0]))
    assert missing > 0
    found = ablate(chosen, DATA, "base", tmp_path)
    assert found["random_codes"] == {"session": missing}
    assert found["items"] == train.n_items


def test_a_cell_with_a_dot_is_refused() -> None:
    """Its name is a key of params/ablations.yaml, which DVC would read as two."""
    with pytest.raises(ValidationError, match=r"letters, digits, _ and -, found 'alpha-0\.5'"):
        Grid(cells={"alpha-0.5": Change()})
