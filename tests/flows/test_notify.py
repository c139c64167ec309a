"""The webhook: what it gets, and that it never harms a run."""

import http.server
import json
import threading
from typing import Any

from flows import notify


def test_the_webhook_gets_one_object(monkeypatch):
    got: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(notify.VARIABLE, f"http://127.0.0.1:{server.server_address[1]}/hook")
        assert notify.notify("top-k", "top-k sample", "FAILED", "no luck", "http://here")
        server.shutdown()
    (told,) = got
    assert {name: told[name] for name in ("flow", "run", "state", "message", "link")} == {
        "flow": "top-k", "run": "top-k sample", "state": "FAILED", "message": "no luck", "link": "http://here",
    }  # fmt: skip
    assert told["host"]
    assert told["time"].endswith("+00:00")


def test_no_webhook_and_a_dead_one_harm_nothing(monkeypatch, caplog):
    monkeypatch.delenv(notify.VARIABLE, raising=False)
    assert not notify.notify("tables", "tables sample", "COMPLETED", "")
    monkeypatch.setenv(notify.VARIABLE, "http://127.0.0.1:1/hook")
    assert not notify.notify("tables", "tables sample", "COMPLETED", "")
    assert "was not told of tables sample" in caplog.text
