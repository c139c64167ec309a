"""Stale stages of one kind, several at a time: outside DVC's lock, then recorded one by one.

DVC runs one stage at a time. So we ask it what is stale, run the very commands it would run (its outputs
removed first, as it does), and have it commit each as it ends: afterwards ``dvc status`` is clean. A cell
that a kill interrupts is not recorded, hence stale, hence run again. Threads per cell are fixed in
params.yaml, so that results do not depend on how many cells run at once. A cell is evaluated as soon as it ran. A
failed stage stops only what needs it; tables and pages are then made from what there is, and say what failed.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from benchmark.experiments import settings
from contracts.runtime.files import remove
from flows import dvc_stages
from flows.dvc_stages import Stage
from flows.processes import Log, StageError, TimeLimit, live

FROM_WHAT_THERE_IS = ("tables", "figures", "site")
"""Kinds of stages that can do without some of what they depend on."""


class Crew(Protocol):
    """Who runs cells."""

    slots: int
    """Cells at once; 1 leaves everything to ``dvc repro``."""
    seconds: float | None
    """Time limit of one stage."""

    def run(self, stage: Stage, log: Log) -> None:
        """Run one stage's command to its end; called from several threads. Raises StageError."""

    def cancel(self) -> None:
        """End whatever runs."""


class Here:
    """Processes on this machine."""

    def __init__(self, slots: int = 1, seconds: float | None = None) -> None:
        self.slots, self.seconds = slots, seconds
        self._cancelled = threading.Event()

    def run(self, stage: Stage, log: Log) -> None:
        perform(stage, log, self.seconds, self._cancelled)

    def cancel(self) -> None:
        self._cancelled.set()


def perform(stage: Stage, log: Log, seconds: float | None, cancelled: threading.Event) -> None:
    """Remove the outputs, run the command in the project's root; raises StageError."""
    for out in stage.outs if stage.kind != "fetch" else ():  # a broken download goes on where it stopped
        remove(settings.project_root() / out)
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        status, tail = live([shell, "-c", stage.command], log, seconds, cancelled)
    except TimeLimit as error:
        raise StageError(f"{stage.label} {error}") from None
    if status != 0:
        raise StageError(f"{stage.label} failed with exit status {status}; last lines:\n{tail}")


Step = Callable[[Stage, bool, bool], object]
"""(stage, stale, together): where together, the stage is run by the crew and recorded here, else by DVC."""
Following = Callable[[Stage], Sequence[Stage]]
"""Stages that a finished one leaves to be run at once."""


@dataclass
class Outcome:
    """What became of some stages.

    chosen  all of them
    failed  stage -> its last lines; ``without``: not run, because something they need failed or is not there
    """

    chosen: Sequence[Stage]
    ran: set[Stage] = field(default_factory=set)
    failed: dict[Stage, StageError] = field(default_factory=dict)
    without: set[Stage] = field(default_factory=set)

    @property
    def summary(self) -> str:
        """Two lines for people: cells, all stages."""
        of_cells = [stage for stage in self.chosen if stage.kind == "run"]
        parts = [f"{len(of)} {what}: {self._counts(of)}" for what, of in (("cells", of_cells), ("stages", self.chosen))]
        return "\n".join(parts)

    def _counts(self, of: Sequence[Stage]) -> str:
        ran, failed, without = (sum(stage in some for stage in of) for some in (self.ran, self.failed, self.without))
        left = f", {without} left out" if without else ""
        return f"{len(of) - ran - failed - without} up to date, {ran} run, {failed} failed{left}"

    @property
    def last_lines(self) -> dict[str, str]:
        """Cell (<data>/<cell>; where a stage has none, its data) -> the last line of its stage that failed."""
        errors = {f"{stage.data}/{stage.cell}".rstrip("/"): error for stage, error in self.failed.items() if stage.data}
        return {cell: str(error).splitlines()[-1] for cell, error in errors.items()}


def execute(
    chosen: Sequence[Stage],
    step: Step,
    crew: Crew,
    log: Log,
    stale: set[Stage] | None = None,
    partly: Callable[..., None] = dvc_stages.partly,
) -> Outcome:
    """Run what is stale, kind by kind in the order of the data; raises nothing for a stage that fails.

    stale  what is, where that was asked already; asked anew only for what depends on a stage that ran
    partly  makes a stage from what there is
    """
    outcome = Outcome(chosen)
    stale = dvc_stages.stale(chosen, log) if stale is None else stale
    made = {path: stage for stage in chosen for path in stage.outs}
    after = {made[path]: stage for stage in chosen for path in stage.ins if stage.kind == "evaluate" and path in made}
    done: set[Stage] = set()

    def following(stage: Stage) -> list[Stage]:
        """The evaluation of a cell that just ran, if it is to be run; else it is done with."""
        then = [after[stage]] if stage.kind == "run" and stage in after else []
        done.update(then)
        again = dvc_stages.stale(then, log)
        for fresh in set(then) - again:
            step(fresh, False, False)
        return [each for each in then if each in again]

    for kind, whole in dvc_stages.by_kind(chosen).items():
        group = [stage for stage in whole if stage not in done]
        needs = {stage: {made[path] for path in stage.ins if path in made} for stage in group}
        lost = outcome.failed.keys() | outcome.without
        blocked = [
            stage for stage in group if needs[stage] & lost or (stage in stale and not dvc_stages.possible(stage))
        ]
        due = [stage for stage in group if needs[stage] & outcome.ran and stage not in blocked]
        again = dvc_stages.stale(due, log)
        now = {stage for stage in group if stage in (again if stage in due else stale)}.difference(blocked)
        together = crew.slots > 1 and len(now) > 1
        for stage in group:
            if stage not in now and stage not in blocked:
                step(stage, False, False)
        if together:
            _together([stage for stage in group if stage in now], step, crew, outcome, log, following)
        else:
            _in_turn([stage for stage in group if stage in now], step, outcome, following)
        _with_what_there_is(kind, blocked, outcome, log, partly)
    return outcome


def _in_turn(group: Sequence[Stage], step: Step, outcome: Outcome, following: Following) -> None:
    for stage in group:
        try:
            step(stage, True, False)
            outcome.ran.add(stage)
        except StageError as error:
            outcome.failed[stage] = error
        else:
            _in_turn(following(stage), step, outcome, following)


def _with_what_there_is(
    kind: str, blocked: Sequence[Stage], outcome: Outcome, log: Log, partly: Callable[..., None]
) -> None:
    for stage in blocked:
        outcome.without.add(stage)
        if kind in FROM_WHAT_THERE_IS:
            try:
                partly(stage, log, outcome.last_lines)
            except StageError as error:
                outcome.failed[stage] = error
        else:
            log(f"{stage.label}: left out, something it needs is not there")


def _together(group: Sequence[Stage], run: Step, crew: Crew, outcome: Outcome, log: Log, following: Following) -> None:
    """Run stages in ``crew.slots`` threads and record each as it ends; what fails stops none of the others.

    Anything but a StageError (a cancel, Ctrl-C) ends them.
    """
    with ThreadPoolExecutor(crew.slots) as pool:

        def started(stages: Sequence[Stage]) -> dict[Future[object], Stage]:
            return {pool.submit(contextvars.copy_context().run, run, stage, True, True): stage for stage in stages}

        waiting = started(group)
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    stage = waiting.pop(future)
                    error = future.exception()
                    if error is None:
                        dvc_stages.record(stage, log)
                        outcome.ran.add(stage)
                        waiting |= started(following(stage))
                    elif isinstance(error, StageError):
                        outcome.failed[stage] = error
                    else:
                        raise error
        except BaseException:
            for other in waiting:
                other.cancel()
            crew.cancel()
            raise
