"""The errors of ``python -m flows.ui``."""

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import UserError
from flows import ui
from tests.flows.conftest import BUSY


def serve_text(text: bytes, pool: bytes = b"") -> Iterator[int]:
    """An HTTP server that answers everything with the same text, but for a work pool."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(pool if "work_pools" in self.path else text)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((ui.HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_server_that_is_there_is_refused(capsys):
    for pool, whose in ((b"{}", "is not this checkout's"), (b'{"description": "runs in /there"}', "runs in /there")):
        for port in serve_text(b"true", pool):
            assert ui.main(["--port", str(port)]) == 2
            message = f"port {port} has a Prefect server already; it {whose}; choose another port: make ui PORT="
            assert message in capsys.readouterr().err


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


def test_free_ports_are_neither_taken_nor_those_of_outgoing_connections():
    first = ui.free_port()
    for taken in (first, first + 1):  # ours, or that of the sites beside it
        with socket.create_server((ui.HOST, taken)):
            other = ui.free_port()
            assert other != first
            for port in (other, other + 1):
                assert ui.LOW <= port < ui.HIGH
                socket.create_server((ui.HOST, port)).close()


def test_a_server_that_dies_shows_its_last_lines(project: Path, monkeypatch):
    monkeypatch.setattr(ui, "environment", lambda port: {"PREFECT_HOME": str(project / "home")})
    expected = r"the Prefect server ended with exit status 1; last lines of .*\n.*no_such_module"
    with ui.child(["no_such_module"], 1, "server") as (process, log):
        process.wait(BUSY * 20)
        with pytest.raises(UserError, match=expected):
            ui.died(process, log, "Prefect server")


def test_nothing_outside_is_contacted_and_the_home_folder_is_ours(project: Path, monkeypatch):
    monkeypatch.delenv("PREFECT_HOME")
    env = ui.environment(4200)
    assert env["PREFECT_HOME"] == str(project / ".cache/prefect")
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert env["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
