"""The errors of ``python -m flows.ui``, and (slow) the real thing: start, form check, cancel, stop, leave nothing."""

import contextlib
import http.server
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import UserError
from flows import ui
from tests.flows.api import Api
from tests.flows.conftest import SLEEPS, dvc, living, until


def serve_text(text: bytes) -> Iterator[int]:
    """An HTTP server that answers everything with the same text."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((ui.HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_healthy_server_is_used():
    for port in serve_text(b"true"):
        with ui.server(port) as own:
            assert own is None


def test_a_port_taken_by_something_else(capsys):
    for port in serve_text(b"<html>hello</html>"):
        assert ui.main(["--port", str(port)]) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"ui: port {port} is taken by something that is not a Prefect server; choose another")


def test_a_port_that_speaks_no_http():
    with socket.create_server((ui.HOST, 0)) as taken:
        taken.settimeout(5)
        port = taken.getsockname()[1]

        def answer() -> None:
            for _ in range(2):
                taken.accept()[0].sendall(b"220 mail\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(UserError, match="not a Prefect server"):
            ui.healthy(port)


def test_a_server_that_dies_shows_its_last_lines(project: Path, monkeypatch):
    monkeypatch.setattr(ui, "environment", lambda port: {"PREFECT_HOME": str(project / "home")})
    expected = r"the Prefect server ended with exit status 1; last lines of .*\n.*no_such_module"
    with ui.child(["no_such_module"], 1, "server") as (process, log):
        process.wait(10)
        with pytest.raises(UserError, match=expected):
            ui.died(process, log, "Prefect server")


def test_nothing_outside_is_contacted_and_the_home_folder_is_ours(project: Path, monkeypatch):
    monkeypatch.delenv("PREFECT_HOME")
    env = ui.environment(4200)
    assert env["PREFECT_HOME"] == str(project / ".cache/prefect")
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert env["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


@pytest.mark.slow
def test_check_starts_registers_and_leaves_nothing(project: Path):
    done = subprocess.run(
        [sys.executable, "-m", "flows.ui", "--port", "0", "--check"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for name in ("download-data", "session-based", "top-k", "density", "ablations", "search", "tables", "whole-paper"):
        assert f"{name}: http://127.0.0.1:" in done.stderr
    assert not living(project)


@pytest.mark.slow
def test_refuse_run_cancel_and_stop(project: Path, running: tuple[subprocess.Popen[str], Api]):
    process, api = running
    for parameters in ({"profile": "smal"}, {"methods": ["knn"]}, {"method": ["pop"]}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            api.create("session-based", **parameters)
        assert refused.value.code == 409

    absent = api.wait(api.create("session-based", profile="small", methods=["ar"]), "FAILED", "CRASHED")
    assert absent["message"] == "profile small has no session method ar; it has: pop"

    (project / "method.sh").write_text(SLEEPS)
    run = api.create("session-based", methods=["pop"])
    until((project / "started").exists, 40, "the stage to run")
    api.call(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    api.wait(run, "CANCELLED")
    until(lambda: not [p for p in living(project) if "sleep" in p.name()], 15, "the cancelled stage to end")
    assert not (project / "runs/pop").exists()

    (project / "started").unlink()
    api.create("session-based", methods=["pop"])
    until((project / "started").exists, 40, "the stage to run again")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not living(project)
    assert "profile@sample" not in json.loads(dvc("status", "--json"))
    with contextlib.closing(sqlite3.connect(project / "prefect/prefect.db")) as database:
        states = [row[0] for row in database.execute("SELECT state_type FROM flow_run ORDER BY created")]
    assert states == ["FAILED", "CANCELLED", "CANCELLED"]
