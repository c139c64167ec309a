"""What a lent machine lacks, in one folder: wheels of ours, and the prepared columns of the public session data."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

from benchmark.data import paths
from benchmark.data.fetch import fetch
from benchmark.data.load import resolve_split
from benchmark.data.prepare import prepare
from benchmark.report.console import line
from benchmark.speed.gpu.steps import DATA
from contracts import UserError

MOST = 60_000_000
"""Bytes of the folder."""
WHEELS = ("pydantic", "pydantic-core", "annotated-types", "typing-inspection", "typing-extensions", "pycleora")
LIBC = (28, 27, 24, 17, 12, 5)
"""manylinux_2_N that a wheel may be made for: pip wants each named."""


def pack(folder: Path, python: str) -> int:
    """Fill the folder; what does not fit any more is left out and named. Returns 0."""
    folder.mkdir(parents=True, exist_ok=True)
    wheels(folder, python)
    left = MOST - sum(path.stat().st_size for path in folder.iterdir())
    for name in DATA:
        made = columns(name, folder)
        size = made.stat().st_size
        if size > left:
            made.unlink()
            line(f"left out: {name}, {size / 1e6:.1f} MB, and {left / 1e6:.1f} MB are left")
            continue
        left -= size
        line(f"{made.name}: {size / 1e6:.1f} MB")
    line(f"{folder}: {(MOST - left) / 1e6:.1f} MB in all")
    return 0


def wheels(folder: Path, python: str) -> None:
    """The versions that are installed here, for 64-bit Linux and that Python."""
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in LIBC] + ["--platform=manylinux2014_x86_64"]
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation=cp",
        f"--python-version={python}", *platforms, f"--dest={folder}", *(f"{name}=={version(name)}" for name in WHEELS),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise UserError(f"pip download: expected wheels of {', '.join(WHEELS)} for Python {python}, found: {said[-1]}")


def columns(name: str, folder: Path) -> Path:
    """The default split of a data set as prepared, fetched and prepared where it is not."""
    split = paths.split_dir(name, resolve_split(name))
    if not (split / "split.json").is_file():
        fetch(name)
        prepare(name)
    made = folder / f"{name}.tar.gz"
    with tarfile.open(made, "w:gz") as archive:
        archive.add(split, f"{name}/{split.name}")
    return made
