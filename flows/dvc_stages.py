"""The DVC stages of the chosen profile as plain functions: list, select, ask which are stale, run one.

DVC decides what is stale; nothing is computed here. One writer at a time: ``writer`` makes flows and
``python -m flows.repro`` queue, and a ``dvc repro`` typed by hand (it knows no such lock) is waited for.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from benchmark import settings
from benchmark.data import registry
from benchmark.methods import Kind
from contracts import UserError
from flows.processes import Log, StageError, TimeLimit, environment, live

BUSY = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")
BLOCKER = re.compile(r"\(PID (\d+)\): (.+)")
PATIENCE = 3600.0  # seconds to wait for DVC commands that do not take our lock
NOTICE = 60.0  # seconds between two notes that we still wait


@dataclass(frozen=True)
class Stage:
    """One DVC target such as ``run@sample-sessions--ar``."""

    target: str

    @property
    def kind(self) -> str:
        """What it does: a name under ``stages`` of dvc.yaml."""
        return self.target.partition("@")[0]

    @property
    def data(self) -> str:
        """The data set (of ``profile`` and ``tables``: the profile)."""
        return self.target.partition("@")[2].partition("--")[0]

    @property
    def method(self) -> str:
        """The method; empty where the stage has none."""
        return self.target.partition("@")[2].partition("--")[2]

    @property
    def label(self) -> str:
        """For people: ``run sample-sessions / ar``."""
        return f"{self.kind} {self.data} / {self.method}" if self.method else f"{self.kind} {self.data}"


def kinds() -> list[str]:
    """Kinds of stages in the order of dvc.yaml, which is that of the data."""
    path = settings.project_root() / "dvc.yaml"
    return list(yaml.safe_load(path.read_text(encoding="utf-8"))["stages"])


def choose(profile: str) -> None:
    """Make ``profile`` the one that dvc.yaml reads; raises UserError for an unknown name.

    The folders that its tables and its site depend on are made too: these say "not run" where nothing is in them.
    """
    settings.write_profile(profile)
    generated = settings.project_root() / "results/generated"
    own = [generated / profile / name for name in ("metrics", "density", "data", "ablations/compared")]
    for folder in (*own, generated / "illustrated"):
        folder.mkdir(parents=True, exist_ok=True)


def stages() -> list[Stage]:
    """Every stage of the chosen profile, in the order of the data."""
    found = [Stage(line) for line in _query("stage", "list", "--all", "--name-only").splitlines() if line]
    return [stage for group in by_kind(found).values() for stage in group]


def by_kind(found: Iterable[Stage]) -> dict[str, list[Stage]]:
    """Stages grouped by kind, in the order in which data flows; kinds without a stage are left out."""
    kept = list(found)
    groups = {kind: [stage for stage in kept if stage.kind == kind] for kind in kinds()}
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
    """Those of the stages that ``dvc repro`` would run, as long as nothing before them is stale."""
    answer = json.loads(_query("status", "--json", *(stage.target for stage in group), log=log) or "{}")
    return {stage for stage in group if stage.target in answer}


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


@contextmanager
def writer(who: str, log: Log) -> Iterator[None]:
    """Hold the project's writer lock; while another holds it, wait and say for whom.

    It covers the choice of the profile too, and the kernel frees it when its holder dies.
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
