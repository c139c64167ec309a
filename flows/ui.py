"""``python -m flows.ui``: Prefect's server, this checkout's deployments and worker, and its sites, as one command.

All listen on 127.0.0.1, keep their state in .cache/prefect and contact nobody. A server that is already there is never
used: it is another checkout's, or somebody's. Ctrl-C or SIGTERM ends everything; a killed ``flows.ui`` leaves nothing
behind either (see flows.guard).
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from benchmark.experiments import settings
from benchmark.experiments.profiles import GENERATED
from benchmark.report.site import serve
from contracts import UserError
from contracts.runtime.files import write_whole
from contracts.runtime.json import from_json, to_json
from flows import guard, processes

HOST = "127.0.0.1"
PATIENCE = 180.0  # seconds for the server to become healthy, and for the worker to start
GRACE = 15.0  # seconds between SIGTERM and SIGKILL
CANCEL = 45.0  # seconds for runs to be cancelled before the worker ends (usually 5)
TAIL = 15  # log lines in an error
LOW, HIGH = 20000, 30000  # where free ports are looked for
YOUNG = 5.0  # seconds: a worker that ends before is not started again
WORKER = ("prefect", "worker", "start", "--pool", "emde", "--type", "process", "--name", "here")
PRIVATE = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the newer UI, still at /v2, asks an analytics host from the browser
}
SOON = {
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "5",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # the least; flows.deploy says what it means when they fail to come
}
"""Seconds: between two looks for new runs, until a waiting one is Late, between two signs of life."""
SILENT = (OSError, http.client.HTTPException, UserError)  # what a server raises that is not there, or not Prefect's
Process = subprocess.Popen[str]
console = Console(stderr=True, highlight=False)


def environment(port: int) -> dict[str, str]:
    """For server and worker: our own state folder (PREFECT_HOME, if set, is kept), no contact outside."""
    home = os.environ.get("PREFECT_HOME") or str(settings.project_root() / ".cache/prefect")
    api = {"PREFECT_HOME": home, "PREFECT_API_URL": f"http://{HOST}:{port}/api"}
    return {**processes.environment(), **PRIVATE, **SOON, **api, "PREFECT_UI_URL": f"http://{HOST}:{port}"}


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
    raise UserError(f"port {port} is taken by something that is not a Prefect server; choose another: {_other(port)}")


def _other(port: int) -> str:
    return f"make ui PORT={port + 100}"


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port that nobody uses, nor the next.

    Below those that a system gives to outgoing connections (from 32768 on Linux): a server may end and come back on it.
    """
    width, first = HIGH - LOW, 2 * os.getpid()
    for port in (LOW + (first + step) % width for step in range(0, width, 2)):
        if _bindable(port) and _bindable(port + 1):
            return port
    raise UserError(f"no two neighbouring ports are free from {LOW} to {HIGH}; choose one: {_other(4200)}")


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextmanager
def child(
    module: Sequence[str], port: int, name: str, more: dict[str, str] | None = None
) -> Iterator[tuple[Process, Path]]:
    """A guarded ``python -m ...`` that writes to a log file; ended on the way out."""
    env = environment(port) | (more or {})
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


def call(port: int, path: str, body: object = None) -> Any:
    """The server's answer to a GET, or to a POST of ``body``; raises one of SILENT."""
    data = None if body is None else to_json(body).encode()
    request = urllib.request.Request(f"http://{HOST}:{port}/api/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return from_json(answer.read().decode(), path)


def cancel_runs(port: int) -> None:
    """Cancel what runs, and wait for it: a worker that stops leaves its runs "Running" without a process."""
    busy = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}}
    deadline = time.monotonic() + CANCEL
    with contextlib.suppress(*SILENT):
        for run in call(port, "flow_runs/filter", busy):
            call(port, f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
        while call(port, "flow_runs/count", busy) and time.monotonic() < deadline:
            time.sleep(0.3)


def refuse(port: int) -> NoReturn:
    """Raise UserError that says whose server is on the port."""
    whose = "is not this checkout's"
    with contextlib.suppress(*SILENT, KeyError, TypeError):  # a server without our pool
        whose = str(call(port, "work_pools/emde")["description"])
    raise UserError(f"port {port} has a Prefect server already; it {whose}; choose another port: {_other(port)}")


@contextmanager
def server(port: int) -> Iterator[tuple[Process, Path]]:
    """A healthy server of ours on the port."""
    with child(["prefect", "server", "start", "--host", HOST, "--port", str(port)], port, "server") as started:
        wait(started, "Prefect server", lambda: _healthy_soon(port), "usually 15 to 25 s")
        yield started


def _healthy_soon(port: int) -> bool:
    """While our server starts it may listen before it answers."""
    try:
        return healthy(port)
    except UserError:
        return False


def wait(started: tuple[Process, Path], name: str, ready: Callable[[], bool], usually: str) -> None:
    """Until a child is ready; raises UserError where it dies or takes too long."""
    process, log = started
    began = time.monotonic()
    with console.status(f"starting the {name}") as line:
        while not ready():
            waited = time.monotonic() - began
            if process.poll() is not None:
                died(process, log, name)
            if waited > PATIENCE:
                raise UserError(f"the {name} was not ready in {PATIENCE:.0f} s; see {log}")
            line.update(f"starting the {name}: {waited:.0f} s ({usually})")
            time.sleep(0.3)
    console.print(f"{name} ready after {time.monotonic() - began:.0f} s")


def deploy(port: int) -> list[str]:
    """Register pool, deployments and automations; returns the deployments' names. Raises UserError."""
    with console.status("registering the deployments (usually 15 s)"):
        done = subprocess.run(
            [sys.executable, "-m", "flows.deploy"],
            cwd=settings.project_root(), env=environment(port), capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode != 0:
        raise UserError(done.stderr.strip().removeprefix("deploy: "))
    return done.stdout.split()


@contextmanager
def sites(port: int) -> Iterator[str]:
    """Serve what the profiles made (site, tables, figures); returns the address."""
    folder = settings.project_root() / GENERATED / "profiles"
    with serve.files(folder, port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()


def remember(port: int) -> None:
    """Write prefect.toml (not in git): ``prefect ...`` typed in this checkout then means this server."""
    text = f'# written by `make ui`: the server of this checkout\n[api]\nurl = "http://{HOST}:{port}/api"\n'
    write_whole(settings.project_root() / "prefect.toml", text)


def run(port: int, check: bool) -> None:
    """Start all, and wait until the server ends or we are stopped; with ``check`` end as soon as all are ready.

    Raises UserError where something is on the port already.
    """
    if healthy(port):
        refuse(port)
    with sites(port + 1) as site, server(port) as own:
        names = deploy(port)
        remember(port)
        console.print(f"deployments: {', '.join(names)}", soft_wrap=True)
        console.print("as an example: prefect deployment run 'session-based/table-1' -p profile=small")
        console.print(f"sites: {site}")
        while True:
            with child(WORKER, port, "worker", {processes.SITE: site}) as worker:
                wait(worker, "worker", lambda: "started!" in worker[1].read_text(errors="replace"), "usually 5 s")
                console.print(f"logs: {worker[1]}\nUI: http://{HOST}:{port}  (Ctrl-C ends it)")
                if check:
                    return
                watch(port, own, worker)
            console.print("the worker was killed; what it ran will be Crashed within two minutes; starting another")


def watch(port: int, own: tuple[Process, Path], worker: tuple[Process, Path]) -> None:
    """Wait until a worker that has worked for a while ends; raises UserError where it or the server dies otherwise."""
    began = time.monotonic()
    try:
        while worker[0].poll() is None:
            if own[0].poll() is not None:
                died(*own, "Prefect server")
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("ending what runs")
        cancel_runs(port)
        raise
    if time.monotonic() - began < YOUNG:
        died(*worker, "worker")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when stopped, 2 for an error that is explained in its message."""
    parser = argparse.ArgumentParser(prog="python -m flows.ui", description="the Prefect server and our flows")
    parser.add_argument(
        "--port", type=int, default=4200, help="of the server on 127.0.0.1, the sites on the next; 0 takes free ones"
    )
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
