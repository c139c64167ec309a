"""Run a command that cannot outlive whoever started it.

``start`` puts a small guard process between us and the command, both in a process group of their own. The
guard holds the read end of a pipe; when the pipe closes (``stop``, or our death by any signal) it ends the
command, then the rest of the group: SIGTERM first, SIGKILL after the grace time. So a cancelled or killed flow
leaves no stage behind.

Prefect does not do this: on cancel it ends the process of the flow run and no other, and nothing at all when a worker
is killed. What a stage started (DVC, its shell, the method's process, its children) would go on, write into outputs
that the next run removes, and hold a GPU.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

POLL = 0.05  # seconds


def start(
    command: Sequence[str], *, grace: float, cwd: Path, env: Mapping[str, str], output: int | IO[bytes]
) -> subprocess.Popen[str]:
    """Start a command under a guard; stdout and stderr both go to ``output`` (a file or subprocess.PIPE)."""
    return subprocess.Popen(
        [sys.executable, "-I", __file__, str(grace), *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(env),
        text=True,
        errors="replace",
        start_new_session=True,
    )


def close(process: subprocess.Popen[str]) -> None:
    """Ask the guard to end the command; returns at once."""
    if process.stdin is not None:
        process.stdin.close()


def stop(process: subprocess.Popen[str], grace: float) -> None:
    """End the command and everything it started; returns when all of it is gone."""
    close(process)
    try:
        process.wait(2 * grace + 5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _others() -> list[int]:
    """Living members of our process group, without us."""
    import psutil

    processes = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            same = process.pid != os.getpid() and os.getpgid(process.pid) == os.getpgrp()
            if same and process.info["status"] != psutil.STATUS_ZOMBIE:
                processes.append(process.pid)
    return processes


def _end_others(grace: float) -> None:
    """SIGTERM to what the command left in the group, SIGKILL to what is still there ``grace`` seconds later."""
    deadline = time.monotonic() + grace
    if _others():
        os.killpg(0, signal.SIGTERM)
    while left := _others():
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(POLL)


def main(argv: Sequence[str]) -> int:
    """``guard.py GRACE COMMAND...``: run COMMAND until it ends or our standard input does; returns its status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # a handler, not SIG_IGN: the command must not inherit it
    grace = float(argv[0])
    command = subprocess.Popen(argv[1:], stdin=subprocess.DEVNULL)

    def watch() -> None:
        os.read(0, 1)  # nothing is ever written: it returns when the pipe closes
        command.terminate()
        try:
            command.wait(grace)
        except subprocess.TimeoutExpired:
            command.kill()

    threading.Thread(target=watch, daemon=True).start()
    status = command.wait()
    _end_others(grace)
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
