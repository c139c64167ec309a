"""``emde site serve``: the site on this machine's own address."""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from contracts import UserError

HOST = "127.0.0.1"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the site in ``folder``; raises UserError where there is none or the port is taken."""
    if not (folder / "index.html").is_file():
        raise UserError(f"{folder}: expected a site, found none; run: emde site --out {folder}")
    return files(folder, port)


def files(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of any folder's files; raises UserError where the port is taken."""
    try:
        return ThreadingHTTPServer((HOST, port), partial(Quiet, directory=str(folder)))
    except OSError as error:
        raise UserError(f"port {port}: cannot listen there: {error.strerror}; choose another") from None


def serve(folder: Path, port: int) -> dict[str, Any]:
    """Serve until interrupted; returns what was served."""
    with server(folder, port) as running:
        sys.stderr.write(f"http://{HOST}:{running.server_address[1]}/ shows {folder}; Ctrl-C ends it\n")
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            sys.stderr.write("\n")
    return {"served": str(folder)}
