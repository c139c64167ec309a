"""Where the suite reads and writes: which folder is taken for it, and what is said where a place refuses."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main as cli
from benchmark.data import download, export, store
from benchmark.data.root import data_root, project_root
from contracts import UserError, compiled
from contracts.runtime import progress

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def other_project(tmp_path, monkeypatch) -> Path:
    """Somebody else's project with files of the same names, as working directory."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMDE_DATA", raising=False)
    monkeypatch.delenv("EMDE_PROJECT", raising=False)
    return tmp_path


def test_another_project_is_not_taken_for_the_suite(other_project):
    assert project_root() == PROJECT
    assert data_root() == PROJECT / "data"


def test_the_suite_is_found_by_its_mark(other_project, monkeypatch):
    (other_project / "pyproject.toml").write_text("[tool.emde]\n")
    (other_project / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(other_project / "deep/er")
    assert project_root() == other_project
    assert data_root() == other_project / "data"


def test_the_variable_names_the_suite(other_project, monkeypatch):
    (other_project / "suite").mkdir()
    (other_project / "suite/pyproject.toml").write_text("[tool.emde]\n")
    monkeypatch.setenv("EMDE_PROJECT", "suite")
    assert project_root() == other_project / "suite"
    for wrong in ("", "nowhere", str(other_project)):
        monkeypatch.setenv("EMDE_PROJECT", wrong)
        with pytest.raises(UserError, match=r"EMDE_PROJECT: expected a checkout of the suite .*, found"):
            project_root()


def test_installed_outside_a_checkout(other_project):
    """One line, and nothing written beside the package."""
    packages = other_project / "site-packages"
    for name in ("benchmark", "contracts"):
        shutil.copytree(PROJECT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "benchmark.cli", "data", "list"]
    environment = {**os.environ, "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=other_project, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "change into one or set EMDE_PROJECT to it" in done.stderr
    assert not (packages / "data").exists()


@pytest.mark.parametrize(("value", "found"), [("", "found nothing"), ("afile", "found the file afile")])
def test_a_data_root_that_is_no_folder(tmp_path, monkeypatch, capsys, value, found):
    monkeypatch.chdir(tmp_path)
    Path("afile").touch()
    monkeypatch.setenv("EMDE_DATA", value)
    assert cli.main(["data", "list"]) == 2
    assert f"emde: EMDE_DATA: expected a folder for the data, {found}; set it" in capsys.readouterr().err


class Full(io.BufferedWriter):
    """A file on a disk that is full."""

    def write(self, content) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def full_disk(monkeypatch):
    """Every file opened for writing takes nothing."""
    usual = builtins.open

    def opened(file, mode="r", *words, **named):
        if set(mode) & set("wa") and "b" in mode:
            return Full(io.FileIO(file, mode.replace("b", "")))
        return usual(file, mode, *words, **named)

    for module in (store, export, download):
        monkeypatch.setattr(module, "open", opened, raising=False)
    monkeypatch.setattr("contracts.runtime.files.open", opened, raising=False)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_prepare_on_a_full_disk(sample_root, tmp_path, monkeypatch, capsys, full_disk):
    monkeypatch.setenv("EMDE_DATA", str(tmp_path / "data"))
    shutil.copytree(sample_root / "raw/digits", tmp_path / "data/raw/digits")
    before = files(tmp_path)
    assert cli.main(["data", "prepare", "digits"]) == 2
    said = capsys.readouterr().err
    assert "cannot write: No space left on device; EMDE_DATA names another folder for the data" in said
    assert said.count("\n") == 1
    assert files(tmp_path) == before


def test_fetch_on_a_full_disk(tmp_path, monkeypatch, capsys, full_disk):
    (tmp_path / "mirror/movielens-100k").mkdir(parents=True)
    (tmp_path / "mirror/movielens-100k/ml-100k.inter").write_bytes(b"x" * 100)
    monkeypatch.setenv("EMDE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EMDE_MIRROR", str(tmp_path / "mirror"))
    assert cli.main(["data", "fetch", "movielens-100k", "--offline"]) == 2
    assert "No space left on device; EMDE_DATA names another folder" in capsys.readouterr().err
    assert files(tmp_path / "data") == []


def test_export_on_a_full_disk(sample, tmp_path, capsys, full_disk):
    assert cli.main(["data", "export", "sample-sessions", "--out", str(tmp_path / "out")]) == 2
    assert "cannot write the export: No space left on device; --out names another place" in capsys.readouterr().err
    assert files(tmp_path) == []


def test_places_that_cannot_be_written(sample, tmp_path, monkeypatch, capsys):
    """Below a file nothing can be made: data folder, --out, and the results of the project."""
    (tmp_path / "file").touch()
    below = tmp_path / "file/below"
    assert cli.main(["data", "export", "sample-sessions", "--out", str(below)]) == 2
    assert "Not a directory; --out names another place" in capsys.readouterr().err
    assert cli.main(["run", "--data", "sample-sessions", "--method", "pop", "--out", str(below)]) == 2
    assert "cannot write the run: Not a directory; --out names another place" in capsys.readouterr().err
    monkeypatch.setattr("benchmark.experiments.run_store.whole_folder", refuse)
    assert cli.main(["run", "--data", "sample-sessions", "--method", "pop"]) == 2
    assert "cannot write the run: Read-only file system; EMDE_PROJECT names another checkout" in capsys.readouterr().err
    monkeypatch.setenv("EMDE_DATA", str(below))
    assert cli.main(["data", "prepare", "digits"]) == 2
    assert "Not a directory; EMDE_DATA names another folder for the data" in capsys.readouterr().err


def refuse(*words, **named):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_result_is_printed_though_its_checkpoint_stays(sample, tmp_path, monkeypatch, capsys):
    class Stuck(type(Path())):
        def unlink(self, missing_ok=False):
            refuse()

    monkeypatch.setattr("benchmark.experiments.run.checkpoint_file", lambda folder: Stuck(tmp_path / "it.pt"))
    assert cli.main(["run", "--data", "sample-sessions", "--method", "pop", "--out", str(tmp_path), "--json"]) == 0
    assert '"method": "pop"' in capsys.readouterr().out


def test_compiled_code_goes_to_a_temporary_folder(tmp_path, monkeypatch, capsys):
    """Neither the checkout nor HOME can be written: numba would not load."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(compiled.tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    compiled.ensure_cache()
    assert "NUMBA_CACHE_DIR" not in os.environ, "the checkout can be written"
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "file/contracts/compiled.py"))
    compiled.ensure_cache()
    place = Path(os.environ.pop("NUMBA_CACHE_DIR"))
    assert place.parent == tmp_path
    assert place.stat().st_mode & 0o077 == 0
    place.rmdir()
    place.touch()
    with pytest.raises(SystemExit, match="2"):
        compiled.ensure_cache()
    assert "set NUMBA_CACHE_DIR to a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("terminal", "variables", "live"),
    [
        (True, {}, True),
        (False, {"FORCE_COLOR": "1"}, False),
        (True, {"CI": "true"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TTY_INTERACTIVE": "1"}, False),
    ],
)
def test_bars_move_only_where_somebody_watches(monkeypatch, capsys, terminal, variables, live):
    monkeypatch.delenv("CI", raising=False)
    for name, value in ({"TERM": "xterm"} | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(progress, "DELAY", -1.0)
    monkeypatch.setattr(progress, "EVERY", -1.0)
    with progress.progress("work", 2) as advance:
        advance(note="half")
        advance()
    said = capsys.readouterr().err
    assert ("\x1b[" in said) == live
    if not live:
        assert said.splitlines() == ["work: 1/2 half", "work: 2/2"]
