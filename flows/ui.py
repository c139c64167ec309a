"""``python -m flows.ui``: the Prefect server and our deployments, started and stopped together.

The server listens on 127.0.0.1, keeps its state in .cache/prefect and contacts nobody. Ctrl-C or SIGTERM ends
everything; a killed ``flows.ui`` leaves nothing behind either (see flows.guard).
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from benchmark import settings
from contracts import UserError
from flows import guard, processes

HOST = "127.0.0.1"
PATIENCE = 180.0  # seconds for the server to become healthy, and for the deployments to be registered
GRACE = 15.0  # seconds between SIGTERM and SIGKILL
TAIL = 15  # log lines in an error
PRIVATE = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the newer UI, still at /v2, asks an analytics host from the browser
}
Process = subprocess.Popen[str]
console = Console(stderr=True, highlight=False)


def environment(port: int) -> dict[str, str]:
    """For server and worker: our own state folder (PREFECT_HOME, if set, is kept), no contact outside."""
    home = os.environ.get("PREFECT_HOME") or str(settings.project_root() / ".cache/prefect")
    api = {"PREFECT_HOME": home, "PREFECT_API_URL": f"http://{HOST}:{port}/api"}
    return {**processes.environment(), **PRIVATE, **api, "PREFECT_UI_URL": f"http://{HOST}:{port}"}


def healthy(port: int) -> bool:
    """True if a Prefect server answers on the port; raises UserError if something else does."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/api/health", timeout=5) as answer:
            if answer.read(16).strip() == b"true":
                return True
    except urllib.error.HTTPError:
        pass  # it speaks HTTP, but is no Prefect server
    except (OSError, http.client.HTTPException):
        if not _listening(port):
            return False
    raise UserError(f"port {port} is taken by something that is not a Prefect server; choose another: --port NUMBER")


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@contextmanager
def child(module: Sequence[str], port: int, name: str) -> Iterator[tuple[Process, Path]]:
    """A guarded ``python -m ...`` that writes to a log file; ended on the way out."""
    env = environment(port)
    log = Path(env["PREFECT_HOME"]) / f"{name}-{port}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = open(log, "wb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UserError(f"{log}: cannot write: {error.strerror or error}") from None
    with stream:
        command = [sys.executable, "-m", *module]
        process = guard.start(command, grace=GRACE, cwd=settings.project_root(), env=env, output=stream)
    try:
        yield process, log
    finally:
        guard.stop(process, GRACE)


def died(process: Process, log: Path, name: str) -> NoReturn:
    """Raise UserError with the last lines of its log."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-TAIL:]
    raise UserError("\n".join([f"the {name} ended with exit status {process.poll()}; last lines of {log}:", *lines]))


@contextmanager
def server(port: int) -> Iterator[tuple[Process, Path] | None]:
    """A healthy server on the port: the one already there (None), or one of ours."""
    if healthy(port):
        console.print(f"using the Prefect server that is already on port {port}")
        yield None
        return
    with child(["prefect", "server", "start", "--host", HOST, "--port", str(port)], port, "server") as (process, log):
        began = time.monotonic()
        with console.status("starting the Prefect server") as line:
            while not _healthy_soon(port):
                waited = time.monotonic() - began
                if process.poll() is not None:
                    died(process, log, "Prefect server")
                if waited > PATIENCE:
                    raise UserError(f"the Prefect server did not become healthy in {PATIENCE:.0f} s; see {log}")
                line.update(f"starting the Prefect server: {waited:.0f} s (usually 15 to 25 s)")
                time.sleep(0.3)
        console.print(f"Prefect server healthy after {time.monotonic() - began:.0f} s")
        yield process, log


def _healthy_soon(port: int) -> bool:
    """While our server starts it may listen before it answers."""
    try:
        return healthy(port)
    except UserError:
        return False


def register(process: Process, log: Path) -> str:
    """Wait until the worker has registered the deployments; returns what it printed."""
    began = time.monotonic()
    with console.status("registering the deployments") as line:
        while time.monotonic() - began < PATIENCE:
            text = log.read_text(encoding="utf-8", errors="replace")
            if "\nregistered\n" in text:
                return text.partition("\nregistered\n")[0]
            if process.poll() is not None:
                died(process, log, "worker")
            line.update(f"registering the deployments: {time.monotonic() - began:.0f} s (usually 12 s)")
            time.sleep(0.3)
    raise UserError(f"the deployments were not registered in {PATIENCE:.0f} s; see {log}")


def run(port: int, check: bool) -> None:
    """Start both, and wait until one ends or we are stopped; with ``check`` end as soon as both are ready."""
    with server(port) as own, child(["flows.serve"], port, "worker") as worker:
        console.print(register(*worker), soft_wrap=True)
        console.print(f"UI: http://{HOST}:{port}  (Ctrl-C ends it)\nlogs: {worker[1]}")
        while not check:
            if own and own[0].poll() is not None:
                died(*own, "Prefect server")
            if worker[0].poll() is not None:
                died(*worker, "worker")
            time.sleep(0.5)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when stopped, 2 for an error that is explained in its message."""
    parser = argparse.ArgumentParser(prog="python -m flows.ui", description="the Prefect server and our flows")
    parser.add_argument("--port", type=int, default=4200, help="of the server on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--check", action="store_true", help="start, register the deployments, stop")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(args.port or free_port(), args.check)
    except UserError as error:
        sys.stderr.write(f"ui: {error}\n")
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
