"""``make gpu``, as far as a CPU goes: time limits, what is unpacked, what is kept, the step beside its floor."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmark.report import kept
from benchmark.speed.gpu import __main__ as gpu
from benchmark.speed.gpu import pack, step_time, steps
from contracts import UserError
from contracts.runtime.device import DETERMINISTIC
from contracts.runtime.json import read_json


def test_the_whole_fits_into_ten_minutes_and_has_every_step() -> None:
    assert list(gpu.LIMITS) == list(steps.STEPS)
    assert sum(gpu.LIMITS.values()) < 600


def test_a_step_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    ended, seconds = gpu.limited([sys.executable, "-c", code], {}, 1.0, tmp_path / "log")
    assert ended == "time limit"
    assert seconds < 20
    for code, expected in (("raise SystemExit('no memory')", "failed: no memory"), ("print(1)", "done")):
        assert gpu.limited([sys.executable, "-c", code], {}, 60, tmp_path / "log")[0] == expected


def test_what_was_packed_is_found_there(tmp_path: Path, sample_root: Path, monkeypatch) -> None:
    """Data as ``pack`` writes it, a wheel as pip downloads it."""
    monkeypatch.setenv("EMDE_DATA", str(sample_root))
    folder = tmp_path / "packed"
    folder.mkdir()
    pack.columns("sample-sessions", folder)
    with zipfile.ZipFile(folder / "emde_test_wheel-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("emde_test_wheel.py", "here = True")
    monkeypatch.setattr(sys, "path", list(sys.path))
    variables = gpu.unpack(folder, tmp_path / "there")
    assert importlib.import_module("emde_test_wheel").here
    monkeypatch.setenv("EMDE_DATA", variables["EMDE_DATA"])
    from benchmark.data.load import load_split

    assert len(load_split("sample-sessions").train) > 0


def test_what_does_not_fit_is_left_out(tmp_path: Path, sample_root: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("EMDE_DATA", str(sample_root))
    monkeypatch.setattr(pack, "DATA", ("sample-sessions",))
    monkeypatch.setattr(pack, "wheels", lambda folder, python: None)
    monkeypatch.setattr(pack, "MOST", 100)
    assert pack.pack(tmp_path, "3.12") == 0
    assert "left out: sample-sessions" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.tar.gz"))


def test_runs_are_kept_as_they_end_and_a_fault_costs_its_cell_alone(
    tmp_path: Path, sample: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(steps, "DATA", ("no-such-data", "sample-sessions"))
    assert steps.emde(tmp_path, tiny=True) == 1
    failed = "no-such-data emde seed 0, no-such-data emde-plus seed 0"
    assert capsys.readouterr().out.splitlines()[-1] == f"failed, the rest was done: {failed}"
    found = kept.read(tmp_path / "kept" / "gpu")
    assert [(record["kind"], record["run"]["data"]) for record in found] == [("run", "sample-sessions")]
    assert list((tmp_path / "runs/sample-sessions/emde").iterdir())
    gpu.archive(tmp_path)
    with tarfile.open(tmp_path / "results.tar.gz") as archive:
        assert "kept/gpu/sample-sessions.jsonl" in archive.getnames()


def test_measurements_are_a_kept_report(tmp_path: Path, sample: Path, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv(DETERMINISTIC, "0")
    monkeypatch.setattr(steps, "DATA", ("sample-sessions",))
    assert steps.topk(tmp_path, tiny=True) == 0
    assert steps.steps(tmp_path, tiny=True) == 0
    (record,) = kept.read(tmp_path / "kept" / "gpu")
    sections = record["result"]["sections"]
    measured = [f"{part}{how}: sample-sessions" for how in ("", steps.FIXED) for part in ("step", "ranking")]
    assert list(sections) == ["gpu top-k", *(f"gpu {what}" for what in measured)]
    assert [row["method"] for row in sections["gpu top-k"]["results"]["rows"]] == ["ease", "multvae", "emde"]
    step = sections["gpu step: sample-sessions"]["results"]
    floor = step["floor ms (Adam)"] + step["floor ms (products)"]
    assert step["step / floor"] == pytest.approx(step["ms per step"] / floor, rel=2e-3)
    assert step["examples/s"] == pytest.approx(step["batch"] / step["ms per step"] * 1e3, rel=2e-3)
    assert len(step["lines"]) == step_time.LINES
    assert sections["gpu ranking: sample-sessions"]["results"]["rows/s"] > 0


def test_the_first_import_needs_nothing_that_is_packed() -> None:
    """pydantic comes with --from; Prefect and DVC never."""
    shown = "print(*sys.modules)"
    code = f"import sys, benchmark.speed.gpu.__main__; {shown}; import benchmark.speed.gpu.steps; {shown}"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=gpu.PROJECT)
    first, all_of_it = (set(line.split()) for line in done.stdout.splitlines())
    assert not {"pydantic", "torch", "pycleora"} & first
    assert not {"prefect", "dvc", "faiss"} & all_of_it


def test_bad_use_is_said(tmp_path: Path, monkeypatch) -> None:
    for words in ([], ["out", "--pack", "x"], [str(tmp_path / "o"), "--from", str(tmp_path / "none")]):
        with pytest.raises(SystemExit) as ended:
            gpu.main(words)
        assert ended.value.code == 2
    monkeypatch.setattr(pack, "WHEELS", ("pydantic",))
    monkeypatch.setattr(pack, "version", lambda name: "0.0.0.0")
    with pytest.raises(UserError, match=r"pip download: expected wheels of pydantic for Python 3\.12"):
        pack.wheels(tmp_path, "3.12")


def test_the_order_of_steps_and_how_they_ended_is_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(gpu, "limited", lambda command, *_: ("failed: x" if "topk" in command else "done", 1.0))
    assert gpu.run(tmp_path, ["tests", "topk"], True, {}, 1.0) == 1
    found = read_json(tmp_path / "steps.json")["steps"]
    assert {name: step["ended"] for name, step in found.items()} == {"tests": "done", "topk": "failed: x"}
    assert (tmp_path / "results.tar.gz").is_file()
