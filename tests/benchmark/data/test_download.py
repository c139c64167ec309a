"""Against a server that truncates, stalls, flips a bit ...: the right file or no file."""

from __future__ import annotations

import hashlib

import pytest

from benchmark.data.download import Patience, SourceError, download
from benchmark.data.registry import File
from tests.benchmark.data.faulty_server import CONTENT, HALF, serving

QUICK = Patience(attempts=4, backoff=0.01, connect=2, read=0.3, longest_wait=0.05)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KNOWN = File(name="data.bin", sha256=SHA256, size=len(CONTENT))
UNKNOWN = File(name="data.bin")


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.mark.parametrize("file", [KNOWN, UNKNOWN], ids=["known", "unknown"])
@pytest.mark.parametrize("fault", ["none", "truncate", "truncate_norange", "stall", "error_twice", "busy"])
def test_passing_faults_end_in_the_right_file(server, tmp_path, fault, file):
    target = tmp_path / "data.bin"
    download(file, f"{server.url}/{fault}/{file.size}", target, QUICK)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]


def test_flipped_bit_is_noticed_and_fetched_again(server, tmp_path):
    download(KNOWN, f"{server.url}/flip", tmp_path / "data.bin", QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("always_flip", "expected sha256"),
        ("always_truncate", "after 4 attempts"),
        ("missing", "found 404"),
        ("html", "HTML page"),
        ("html_in_disguise", "HTML page"),
        ("too_short", f"expected {len(CONTENT)} bytes, found 100"),
    ],
)
def test_lasting_faults_leave_no_file(server, tmp_path, fault, message):
    with pytest.raises(SourceError, match=message):
        download(KNOWN, f"{server.url}/{fault}", tmp_path / "data.bin", QUICK)
    assert not (tmp_path / "data.bin").exists()


def test_part_is_resumed_where_it_ended(server, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.data.download.BLOCK", 1024)  # what a block had begun is lost with the connection
    server.ranges.clear()
    download(KNOWN, f"{server.url}/truncate/again", tmp_path / "data.bin", QUICK)
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_part_of_another_source_is_not_mixed_in(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(b"of someone else")
    (tmp_path / "data.bin.part.source").write_text('{"url": "http://elsewhere/", "validator": null}')
    server.ranges.clear()
    download(UNKNOWN, f"{server.url}/none", tmp_path / "data.bin", QUICK)
    assert server.ranges == [None]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_nobody_listens(tmp_path):
    with pytest.raises(SourceError, match="attempts"):
        download(KNOWN, "http://127.0.0.1:9/data.bin", tmp_path / "data.bin", QUICK)
