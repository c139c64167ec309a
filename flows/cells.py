"""Stale stages of one kind, several at a time: outside DVC's lock, then recorded one by one.

DVC runs one stage at a time. So we ask it what is stale, run the very commands it would run (its outputs
removed first, as it does), and have it commit each as it ends: afterwards ``dvc status`` is clean. A cell
that a kill interrupts is not recorded, hence stale, hence run again. Threads per cell are fixed in
params.yaml, so that results do not depend on how many cells run at once.
"""

from __future__ import annotations

import contextvars
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmark import settings
from flows import dvc_stages
from flows.dvc_stages import Stage
from flows.processes import Log, StageError, TimeLimit, live


@dataclass(frozen=True)
class Cell:
    """What DVC runs for a stage.

    outs  outputs that it removes first, relative to the project's root
    ins   what it reads that other stages made
    """

    target: str
    command: str
    outs: tuple[str, ...]
    ins: tuple[str, ...] = ()


class Crew(Protocol):
    """Who runs cells."""

    slots: int
    """Cells at once; 1 leaves everything to ``dvc repro``."""
    seconds: float | None
    """Time limit of one stage."""

    def run(self, cell: Cell, log: Log) -> None:
        """Run one cell to its end; called from several threads. Raises StageError."""

    def cancel(self) -> None:
        """End whatever runs."""


class Here:
    """Processes on this machine."""

    def __init__(self, slots: int = 1, seconds: float | None = None) -> None:
        self.slots, self.seconds = slots, seconds
        self._cancelled = threading.Event()

    def run(self, cell: Cell, log: Log) -> None:
        perform(cell, log, self.seconds, self._cancelled)

    def cancel(self) -> None:
        self._cancelled.set()


def perform(cell: Cell, log: Log, seconds: float | None, cancelled: threading.Event) -> None:
    """Remove the outputs, run the command in the project's root; raises StageError."""
    for out in cell.outs:
        remove(settings.project_root() / out)
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        status, tail = live([shell, "-c", cell.command], log, seconds, cancelled)
    except TimeLimit as error:
        raise StageError(f"{cell.target} {error}") from None
    if status != 0:
        raise StageError(f"{cell.target} failed with exit status {status}; last lines:\n{tail}")


def remove(path: Path) -> None:
    """Delete a file, a folder, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def cells(group: Iterable[Stage]) -> dict[Stage, Cell]:
    """The commands of stages as DVC resolves them."""
    from dvc.repo import Repo

    root = settings.project_root()
    with Repo(str(root)) as repo:
        known = {stage.addressing: stage for stage in repo.index.stages}
        made = {each.fs_path for stage in repo.index.stages for each in stage.outs}
    out = {}
    for stage in group:
        found = known[stage.target]
        outs = tuple(os.path.relpath(each.fs_path, root) for each in found.outs if not each.persist)
        ins = tuple(os.path.relpath(each.fs_path, root) for each in found.deps if each.fs_path in made)
        command = found.cmd if isinstance(found.cmd, str) else " && ".join(found.cmd)
        out[stage] = Cell(stage.target, command, outs, ins)
    return out


def execute(chosen: Sequence[Stage], step: Callable[[Stage, bool, Cell | None], object], crew: Crew, log: Log) -> None:
    """Run stages kind by kind in the order of the data; what is stale is asked once per kind.

    step  (stage, stale, cell): with a cell it is run by the crew and recorded here, without one by DVC
    """
    for kind, group in dvc_stages.by_kind(chosen).items():
        stale = dvc_stages.stale(group, log)
        log(f"{kind}: {len(stale)} of {len(group)} to run")
        if crew.slots == 1 or len(stale) < 2:
            for stage in group:
                step(stage, stage in stale, None)
            continue
        for stage in group:
            if stage not in stale:
                step(stage, False, None)
        commands = cells(stage for stage in group if stage in stale)
        _together(commands, lambda stage, cell: step(stage, True, cell), crew, log)


def _together(commands: dict[Stage, Cell], run: Callable[[Stage, Cell], object], crew: Crew, log: Log) -> None:
    """Run cells in ``crew.slots`` threads and record each as it ends.

    After a failure no further cell starts; those that run end and are recorded. Anything else (a cancel,
    Ctrl-C) ends them.
    """
    failed: Exception | None = None
    with ThreadPoolExecutor(crew.slots) as pool:
        waiting: dict[Future[object], Stage] = {
            pool.submit(contextvars.copy_context().run, run, stage, cell): stage for stage, cell in commands.items()
        }
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    stage = waiting.pop(future)
                    if future.cancelled():
                        continue
                    error = future.exception()
                    if error is None:
                        dvc_stages.record(stage, log)
                    elif not isinstance(error, Exception):
                        raise error
                    elif failed is None:
                        failed = error
                        for other in waiting:
                            other.cancel()
        except BaseException:
            for other in waiting:
                other.cancel()
            crew.cancel()
            raise
    if failed is not None:
        raise failed
