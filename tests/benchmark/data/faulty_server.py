"""A local HTTP server that misbehaves as its path says; each path counts its requests."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 400
HALF = len(CONTENT) // 2


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        fault = self.path.strip("/").split("/")[0]
        self.server.ranges.append(self.headers.get("Range"))
        with self.server.guard:
            self.server.seen[self.path] += 1
            visit = self.server.seen[self.path]
        getattr(self, f"fault_{fault}")(visit)

    def _send(self, body: bytes, *, length: int | None = None, kind: str = "text/plain", ranges: bool = True) -> None:
        start = 0
        wanted = self.headers.get("Range")
        if ranges and wanted:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", kind)
        self.send_header("ETag", '"v1"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str((len(body) if length is None else length) - start))
        self.end_headers()
        self.wfile.write(body[start:])

    def fault_none(self, visit: int) -> None:
        self._send(CONTENT)

    def fault_slow(self, visit: int) -> None:
        time.sleep(1.0)
        self._send(CONTENT)

    def fault_truncate(self, visit: int) -> None:
        self._send(CONTENT[:HALF] if visit == 1 else CONTENT, length=len(CONTENT))
        self.close_connection = True

    def fault_truncate_norange(self, visit: int) -> None:
        self._send(CONTENT[:HALF] if visit == 1 else CONTENT, length=len(CONTENT), ranges=False)
        self.close_connection = True

    def fault_always_truncate(self, visit: int) -> None:
        self._send(CONTENT[:10], length=len(CONTENT), ranges=False)
        self.close_connection = True

    def fault_stall(self, visit: int) -> None:
        if visit == 1:
            self._send(CONTENT[:HALF], length=len(CONTENT))
            self.wfile.flush()
            time.sleep(1.0)
        else:
            self._send(CONTENT)

    def fault_flip(self, visit: int) -> None:
        body = bytearray(CONTENT)
        if visit == 1:
            body[1000] ^= 4
        self._send(bytes(body))

    def fault_always_flip(self, visit: int) -> None:
        self._send(CONTENT[:-1] + b"x")

    def fault_error_twice(self, visit: int) -> None:
        if visit <= 2:
            self.send_error(500)
        else:
            self._send(CONTENT)

    def fault_busy(self, visit: int) -> None:
        if visit == 1:
            self.send_response(429)
            self.send_header("Retry-After", "0")
            self.end_headers()
        else:
            self._send(CONTENT)

    def fault_missing(self, visit: int) -> None:
        self.send_error(404)

    def fault_html(self, visit: int) -> None:
        self._send(b"<!DOCTYPE html><html>sign in</html>".ljust(len(CONTENT)), kind="text/html; charset=utf-8")

    def fault_html_in_disguise(self, visit: int) -> None:
        self._send(b"\n<html>quota exceeded</html>".ljust(len(CONTENT)), kind="application/octet-stream")

    def fault_too_short(self, visit: int) -> None:
        self._send(CONTENT[:100])

    def log_message(self, *args) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: Counter[str] = Counter()
        self.ranges: list[str | None] = []
        self.guard = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
