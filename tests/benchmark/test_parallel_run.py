"""benchmark.parallel: ``emde run`` under torchrun stores one run, with the learning curve of one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import parallel

ASKED = ["--data", "sample-sessions", "--split", "0", "--method", "emde", "--sessions", "400", "--threads", "1"]
SETTINGS = {"hidden": 32, "epochs": 2, "dtype": "float32", "lr": 0.0005, "modalities": "[{group: random}]"}


def stored(out: Path, *command: str) -> dict[str, Any]:
    words = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    subprocess.run([sys.executable, "-m", *command, *ASKED, *words, "--out", str(out)], check=True)
    (found,) = out.glob("**/run.json")
    return json.loads(found.read_text())


@pytest.mark.slow
def test_two_processes_store_one_run(sample: Path, tmp_path: Path) -> None:
    alone = stored(tmp_path / "alone", "benchmark.cli", "run")
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "benchmark.parallel")
    both = stored(tmp_path / "both", *launcher)
    assert both["params"] == alone["params"]
    losses = [[row["loss"] for row in run["history"]] for run in (alone, both)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-5)


def test_outside_torchrun_and_other_methods_are_refused(sample: Path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert parallel.main(ASKED) == 2
    assert "torchrun" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert parallel.main(["--data", "sample-sessions", "--method", "pop"]) == 2
    assert "an EMDE with a network" in capsys.readouterr().err
