"""One file over HTTP: resumed, retried, bounded, checked. In the end the right file or no file."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmark.data.registry import File
from benchmark.data.store import sha256
from contracts.runtime.json import read_json, write_json
from contracts.runtime.progress import progress

log = logging.getLogger("emde")
BLOCK = 1 << 18
RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}


class SourceError(Exception):
    """One source cannot give the file; the next one may."""


class _TryAgain(Exception):
    """A passing trouble: broken connection, busy server, damaged transfer; ``wait``: seconds the server asks for."""

    def __init__(self, text: str, wait: float | None = None) -> None:
        super().__init__(text)
        self.wait = wait


@dataclass(frozen=True)
class Patience:
    """How long to bear with a server; all in seconds but ``attempts``."""

    attempts: int = 5
    backoff: float = 1.0
    connect: float = 15.0
    read: float = 60.0
    longest_wait: float = 60.0


PATIENCE = Patience()


def download(file: File, url: str, target: Path, patience: Patience | None = None) -> None:
    """Stream ``url`` to ``target``: through ``target.part``, checked, then renamed.

    A part left by an earlier run of the same URL is resumed where the source says it is unchanged
    or a checksum will tell. Raises SourceError saying what was expected and found.
    """
    patience = patience or PATIENCE
    part = target.with_name(f"{target.name}.part")
    damaged = 0
    for attempt in range(patience.attempts):
        try:
            _transfer(file, url, part, patience)
            check(file, part)
            break
        except ChecksumError as error:
            damaged += 1
            _discard(part)
            if damaged == 2:
                raise SourceError(f"{url}: {error}") from None
            reason: Exception = error
        except (_TryAgain, requests.ConnectionError, requests.Timeout) as error:
            reason = error
        except requests.RequestException as error:
            raise SourceError(f"{url}: {_short(error)}") from None
        except OSError:  # a disk that is full would stay so
            _discard(part)
            raise
        if attempt + 1 == patience.attempts:
            raise SourceError(f"{url}: {_short(reason)} (after {patience.attempts} attempts)")
        wait = min(getattr(reason, "wait", None) or patience.backoff * 2**attempt, patience.longest_wait)
        log.info("%s: %s; trying again in %.1f s", url, _short(reason), wait)
        time.sleep(wait)
    publish(part, target)


class ChecksumError(Exception):
    """A file is not the registered one."""


def check(file: File, path: Path) -> None:
    """Raise ChecksumError unless size and every known checksum of ``path`` are the registered ones."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise ChecksumError(f"{file.name}: expected {file.size} bytes, found {size}")
    for algorithm in ("sha256", "md5"):
        expected = getattr(file, algorithm)
        if expected and (digest := sha256(path, algorithm)) != expected:
            raise ChecksumError(f"{file.name}: expected {algorithm} {expected}, found {digest}")


def publish(part: Path, target: Path) -> None:
    """Make a finished part durable and give it its name, atomically."""
    with open(part, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(part, target)
    _note(part).unlink(missing_ok=True)


def _transfer(file: File, url: str, part: Path, patience: Patience) -> None:
    have = _resumable(file, url, part)
    headers = {"Accept-Encoding": "identity", "User-Agent": "emde-suite (data download)"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator := read_json(_note(part)).get("validator"):
            headers["If-Range"] = validator
    timeout = (patience.connect, patience.read)
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        _check_status(response, url)
        if response.status_code == 416:
            # Nothing beyond what we have: either the part is whole (the check will tell) or it is wrong.
            return
        resumed = response.status_code == 206 and _range_start(response) == have
        if response.status_code == 206 and not resumed:
            _discard(part)
            raise _TryAgain(f"expected a range from {have}, found {response.headers.get('Content-Range')}")
        start = have if resumed else 0
        total = _total(file, response, start, url)
        validator = _validator(response)
        write_json(_note(part), {"url": url, "validator": validator}, sort_keys=True)
        with open(part, "ab" if resumed else "wb") as stream:
            _copy(file, response, stream, start, total, url)
    size = part.stat().st_size
    if total is not None and size < total:
        raise _TryAgain(f"broken off: expected {total} bytes, found {size}")


def _copy(file: File, response: requests.Response, stream, start: int, total: int | None, url: str) -> None:
    done = start
    blocks: Iterable[bytes] = response.iter_content(BLOCK)
    try:
        with progress(f"fetch {file.name}", max(1, (total or 0) // BLOCK)) as advance:
            for block in blocks:
                if done == 0 and _looks_like_html(file, response, block):
                    raise SourceError(f"{url}: expected {file.name}, found an HTML page")
                done += len(block)
                if total is not None and done > total:
                    raise SourceError(f"{url}: expected {total} bytes, found more")
                stream.write(block)
                advance()
    except requests.exceptions.ChunkedEncodingError as error:
        raise _TryAgain(f"broken off after {done} bytes ({_short(error)})") from None


def _resumable(file: File, url: str, part: Path) -> int:
    """Bytes of the part that may be kept: 0 unless it came from this URL and damage would be noticed."""
    if not part.exists() or not _note(part).exists():
        _discard(part)
        return 0
    note = read_json(_note(part))
    safe = file.sha256 or file.md5 or note.get("validator")
    size = part.stat().st_size
    if note.get("url") != url or not safe or (file.size is not None and size >= file.size):
        _discard(part)
        return 0
    return size


def _check_status(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status in RETRY_STATUS:
        after = response.headers.get("Retry-After", "")
        raise _TryAgain(f"HTTP status {status}", float(after) if after.isdigit() else None)
    if status not in (200, 206, 416):
        raise SourceError(f"{url}: expected HTTP status 200, found {status}")


def _total(file: File, response: requests.Response, start: int, url: str) -> int | None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdigit() else None
    if file.size is not None and total is not None and total != file.size:
        kind = response.headers.get("Content-Type", "unknown type")
        raise SourceError(f"{url}: expected {file.size} bytes, found {total} ({kind})")
    return file.size if file.size is not None else total


def _range_start(response: requests.Response) -> int:
    words = response.headers.get("Content-Range", "").replace("-", " ").split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else -1


def _validator(response: requests.Response) -> str | None:
    etag = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _looks_like_html(file: File, response: requests.Response, block: bytes) -> bool:
    declared = response.headers.get("Content-Type", "").startswith("text/html")
    opening = block[:512].lstrip().lower()
    return not file.name.endswith(".html") and (declared or opening.startswith((b"<!doctype html", b"<html")))


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.source")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _short(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) < 160 else f"{type(error).__name__}"
