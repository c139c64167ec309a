"""The code that a stage depends on, as paths of a dvc.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from contracts.runtime.sources import PACKAGES, PROJECT, closure

LOCK = "requirements.lock"
"""Stands for code that is installed from elsewhere."""


@cache
def code(*modules: str, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Import closure of some modules, relative to the project; a folder where all Python in it belongs to it.

    without  modules that are imported, but not for what the stage runs
    """
    files: set[Path] = set()
    elsewhere = False
    for module in modules:
        for path in closure(module, by_name=False, without=without):
            # not all below the root is ours: .venv lies there
            inside = any(path.is_relative_to(PROJECT / package) for package in PACKAGES)
            elsewhere |= not inside
            files |= {path.relative_to(PROJECT)} if inside else set()
    return (*sorted(path.as_posix() for path in folded(files)), *([LOCK] if elsewhere else []))


def folded(files: Iterable[Path]) -> set[Path]:
    """Files (relative to the project) with every folder of nothing but them in their place."""
    out = set(files)
    folders = sorted({parent for path in out for parent in path.parents} - {Path()}, key=lambda p: -len(p.parts))
    for folder in folders:
        inside = {path for path in out if path.parent == folder}
        below = [path for path in (PROJECT / folder).iterdir() if path.name != "__pycache__"]
        if {path.relative_to(PROJECT) for path in below} == inside:
            out = out - inside | {folder}
    return out
