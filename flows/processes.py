"""Run one command of a stage: its lines as they come, a time limit, and nothing left behind.

Prefect's timeouts and ``ShellOperation`` end the process that they started, not what DVC starts below it; hence ours,
under ``flows.guard``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.experiments import settings
from contracts import UserError
from flows import guard

GRACE = 10.0  # seconds between SIGTERM and SIGKILL for a stage
TAIL = 20  # lines of output in an error
SITE = "EMDE_SITE"  # variable: the address at which flows.ui serves results/generated/profiles

Log = Callable[[str], None]


class StageError(UserError):
    """A stage failed, or DVC did; the message ends with the last lines of its output."""


class TimeLimit(StageError):
    """It took too long."""


def live(
    command: Sequence[str], log: Log, seconds: float | None = None, cancelled: threading.Event | None = None
) -> tuple[int, str]:
    """Run under a guard in the project's root; returns the exit status and the last lines of the output.

    cancelled  ends the command when set, from whatever thread
    Raises TimeLimit where it takes longer than ``seconds``.
    """
    tail: deque[str] = deque(maxlen=TAIL)
    root = settings.project_root()
    process = guard.start(command, grace=GRACE, cwd=root, env=environment(), output=subprocess.PIPE)
    finished, late = threading.Event(), threading.Event()

    def watch() -> None:
        waited = 0.0
        while not finished.wait(0.2):
            waited += 0.2
            if seconds is not None and waited > seconds:
                late.set()
            if late.is_set() or (cancelled is not None and cancelled.is_set()):
                guard.close(process)
                return

    if seconds is not None or cancelled is not None:
        threading.Thread(target=watch, daemon=True).start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if text := line.rstrip():
                tail.append(text)
                log(text)
        status = process.wait()
    finally:
        finished.set()
        guard.stop(process, GRACE)
    if late.is_set():
        raise TimeLimit("\n".join([f"was stopped at its time limit of {seconds:.0f} s; last lines:", *tail]))
    return status, "\n".join(tail)


def environment() -> dict[str, str]:
    """Ours, with this Python's scripts (``emde``) first on PATH; output comes at once, in lines of 160 columns."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "160"}
