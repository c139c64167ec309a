"""The DVC stages of a profile as plain functions: list, select, ask which are stale, run one.

DVC decides what is stale; nothing is computed here. One writer at a time: ``writer`` makes flows and
``python -m flows.repro`` queue, and a ``dvc repro`` typed by hand (it knows no such lock) is waited for.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from benchmark.data import registry
from benchmark.experiments import settings
from benchmark.experiments.profiles import (
    JOIN,
    KINDS,
    ROOT,
    file_of_data,
    file_of_profile,
    method_of,
    profile_folder,
    wanted,
)
from contracts import Kind, UserError
from contracts.runtime.json import from_json, write_json
from flows.processes import Log, StageError, TimeLimit, environment, live

BUSY = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")
BLOCKER = re.compile(r"\(PID (\d+)\): (.+)")
PATIENCE = 3600.0  # seconds to wait for DVC commands that do not take our lock
FEW = 5
"""Stages of one file that DVC is asked about by name; of more, about the file."""
NOTICE = 60.0  # seconds between two notes that we still wait


@dataclass(frozen=True)
class Stage:
    """One stage of a generated pipeline file; paths are relative to the project.

    file     the dvc.yaml that holds it
    outs     what DVC removes before it runs the command
    ins      what it reads that other stages made
    """

    file: str
    name: str
    command: str = ""
    outs: tuple[str, ...] = ()
    ins: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """As DVC is told."""
        return self.name if self.file == ROOT else f"{self.file}:{self.name}"

    @property
    def kind(self) -> str:
        """What it does: the first part of its name."""
        return self.name.split(JOIN)[0]

    @property
    def data(self) -> str:
        """The data set (of ``tables``, ``figures``, ``site``, ``ablations``: the profile); empty where it has none."""
        return (*self.name.split(JOIN), "")[1]

    @property
    def cell(self) -> str:
        """The cell; empty where the stage has none."""
        return (*self.name.split(JOIN), "", "")[2]

    @property
    def method(self) -> str:
        """The method of the cell (the change of an ablation); empty where the stage has none."""
        return method_of(self.cell)

    @property
    def label(self) -> str:
        """For people: ``run sample-sessions / ar``."""
        parts = [self.kind, self.data] if self.data else [self.kind]
        return " ".join(parts) + (f" / {self.cell}" if self.cell else "")


def stages(profile: str) -> list[Stage]:
    """Every stage of a profile, in the order in which data flow; raises UserError for an unknown one.

    Those of its pipeline file, and those of other files that they need.
    """
    known = settings.load()
    data, own = wanted(known, [profile]), file_of_profile(profile)
    entries = {key: entry for file in dict.fromkeys([ROOT, *map(file_of_data, data), own])
               for key, entry in _read(file).items()}  # fmt: skip
    outs = {key: tuple(_paths([*e.get("outs", []), *e.get("metrics", [])])) for key, e in entries.items()}
    made = {path: key for key, paths in outs.items() for path in paths}
    ins = {key: tuple(path for path in e.get("deps", []) if path in made) for key, e in entries.items()}
    needed: set[tuple[str, str]] = set()
    pending = [key for key in entries if key[0] == own]
    while pending:
        key = pending.pop()
        if key not in needed:
            needed.add(key)
            pending += [made[path] for path in ins[key]]
    chosen = [Stage(*key, e["cmd"], outs[key], ins[key]) for key, e in entries.items() if key in needed]
    return [stage for group in by_kind(chosen).values() for stage in group]


def _read(file: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(file, name) -> entry of every stage of a pipeline file; nothing where there is no such file."""
    path = settings.project_root() / file
    if not path.is_file():
        return {}
    content = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return {(file, name): entry for name, entry in content["stages"].items()}


def _paths(outs: Iterable[str | dict[str, Any]]) -> list[str]:
    return [next(iter(out)) if isinstance(out, dict) else out for out in outs]


def by_kind(found: Iterable[Stage]) -> dict[str, list[Stage]]:
    """Stages grouped by kind, in the order in which data flow; kinds without a stage are left out."""
    kept = list(found)
    groups = {kind: [stage for stage in kept if stage.kind == kind] for kind in KINDS}
    return {kind: group for kind, group in groups.items() if group}


def select(found: Iterable[Stage], kinds: Iterable[str], data: Sequence[str], methods: Sequence[str]) -> list[Stage]:
    """The stages of some kinds, data sets and methods; a stage that has no method is judged by its data."""
    wanted = set(kinds)
    return [
        stage
        for stage in found
        if stage.kind in wanted and stage.data in data and (not stage.method or stage.method in methods)
    ]


def cells(found: Sequence[Stage], profile: str, kind: Kind, data: Sequence[str], methods: Sequence[str]) -> list[Stage]:
    """Fetch, prepare, run and evaluate stages of a profile's session or top-k cells; an empty choice means all.

    Raises UserError for names that the profile does not have.
    """
    chosen = settings.load().profile(profile)
    groups = chosen.session if kind == "session" else chosen.topk
    data = named(data, [name for group in groups for name in group.data], f"{kind} data set", profile)
    methods = named(methods, [name for group in groups for name in group.methods], f"{kind} method", profile)
    out = select(found, ("fetch", "prepare", "run", "evaluate"), data, methods)
    if not any(stage.method for stage in out):
        raise UserError(f"profile {profile} runs none of {', '.join(methods)} on {', '.join(data)}")
    return out


def named(wanted: Sequence[str], known: Sequence[str], what: str, profile: str) -> list[str]:
    """The wanted names, or all known ones if none; raises UserError naming what the profile does not have."""
    missing = [name for name in wanted if name not in known]
    if missing or not known:
        listed = ", ".join(dict.fromkeys(known)) or "none at all"
        raise UserError(f"profile {profile} has no {' '.join([what, ', '.join(missing)]).rstrip()}; it has: {listed}")
    return list(dict.fromkeys(wanted or known))


def with_sources(data: Iterable[str]) -> list[str]:
    """The data sets and, before them, those that some are made from."""
    known = list(data)
    sources = [registry.get(name).source for name in known]
    return list(dict.fromkeys([source for source in sources if source] + known))


def stale(group: Sequence[Stage], log: Log) -> set[Stage]:
    """Those of the stages that ``dvc repro`` would run, as long as nothing before them is stale.

    One that lacks an output is; DVC, which takes seconds to answer, is asked about the others.
    """
    whole = [stage for stage in group if _there(stage.outs)]
    lacking = set(group).difference(whole)
    if not whole:
        return lacking
    of_file = {file: [stage.target for stage in whole if stage.file == file] for file in {s.file for s in whole}}
    # DVC looks at a whole file faster than at many stages of it
    targets = [target for file, some in of_file.items() for target in ([file] if len(some) > FEW else some)]
    answer = from_json(_query("status", "--json", *targets, log=log) or "{}", "dvc status")
    return lacking | {stage for stage in whole if stage.target in answer}


def possible(stage: Stage) -> bool:
    """Whether all that it reads of other stages is there."""
    return _there(stage.ins)


def _there(paths: Iterable[str]) -> bool:
    return all((settings.project_root() / path).exists() for path in paths)


def partly(stage: Stage, log: Log, failed: Mapping[str, str]) -> None:
    """Run a stage's command on what there is; DVC is not told, so that it stays stale. Raises StageError.

    failed  cell -> its last line, for tables to say
    """
    log(f"{stage.label}: from what there is")
    command = stage.command
    if stage.kind == "tables":
        command += f" --failed {write_json(settings.project_root() / '.cache/failed.json', failed)}"
    status, tail = live(["/bin/sh", "-c", command], log)
    if status != 0:
        raise StageError(f"{stage.label} failed with exit status {status}; last lines:\n{tail}")


def repro(stage: Stage, log: Log, seconds: float | None = None) -> None:
    """``dvc repro -s`` on one stage, every line of its output to ``log`` as it comes.

    The stage's processes end with the caller, however that ends. Raises StageError, also where it
    takes longer than ``seconds``.
    """
    command = _command("--wait-for-lock", "repro", "-s", stage.target)
    try:
        _patiently(lambda: live(command, log, seconds), stage.label, log)
    except TimeLimit as error:
        raise StageError(f"{stage.label} {error}") from None


def record(stage: Stage, log: Log) -> None:
    """``dvc commit -f``: take what lies in the stage's outputs as made from its present dependencies."""
    _query("--wait-for-lock", "commit", "--force", stage.target, log=log)


def costs(profile: str, ran: bool, log: Log) -> None:
    """Make the page of what a profile's cells took, which is no stage: every run takes other seconds.

    ran  whether something ran: else a page that is there stays. Without tables there is no page
    """
    folder = profile_folder(profile)
    if not (folder / "tables/results.json").is_file() or (not ran and (folder / "costs/index.html").is_file()):
        return
    status, tail = live([sys.executable, "-m", "benchmark.cli", "costs", "--profile", profile], lambda line: None)
    if status != 0:
        log(f"costs of {profile}: {tail.splitlines()[-1] if tail else 'failed'}")


@contextmanager
def writer(who: str, log: Log) -> Iterator[None]:
    """Hold the project's writer lock; while another holds it, wait and say for whom.

    The kernel frees it when its holder dies.
    """
    path = settings.project_root() / ".cache/writer.lock"
    holder = path.with_suffix(".holder")
    lock = FileLock(path)
    try:
        path.parent.mkdir(exist_ok=True)
        _acquire(lock, holder, log)
        holder.write_text(f"{who}, process {os.getpid()}", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot take the writer lock: {error.strerror or error}") from None
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, holder: Path, log: Log) -> None:
    timeout = 0.2
    while True:
        try:
            lock.acquire(timeout=timeout, poll_interval=0.1)
            return
        except Timeout:
            name = holder.read_text(encoding="utf-8") if holder.is_file() else "another run"
            log(f"waiting for {name} to finish: one writer at a time")
            timeout = NOTICE


def _patiently(attempt: Callable[[], tuple[int, str]], what: str, log: Log) -> str:
    """Repeat a DVC command while another one blocks it; returns its output. Raises StageError."""
    deadline, delay = time.monotonic() + PATIENCE, 1.0
    while True:
        status, output = attempt()
        if status == 0:
            return output
        if not BUSY.search(output):
            raise StageError(f"{what} failed with exit status {status}; last lines:\n{output}")
        blocker = BLOCKER.search(output)
        name = f"{blocker[2]} (process {blocker[1]})" if blocker else "another DVC command"
        if time.monotonic() + delay > deadline:
            raise StageError(f"{what}: waited {PATIENCE:.0f} s for {name}; end it, then start this again")
        log(f"{what}: waiting for {name}; trying again in {delay:.0f} s")
        time.sleep(delay)
        delay = min(2 * delay, 30.0)


def _query(*arguments: str, log: Log = lambda line: None) -> str:
    """Standard output of a short DVC command."""

    def attempt() -> tuple[int, str]:
        done = subprocess.run(
            _command(*arguments), cwd=settings.project_root(), env=environment(), capture_output=True, text=True
        )
        return done.returncode, done.stdout if done.returncode == 0 else done.stderr.strip()

    return _patiently(attempt, f"dvc {arguments[0]}", log)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]
