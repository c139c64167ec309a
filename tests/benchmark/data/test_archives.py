from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile

import py7zr
import pytest

from benchmark.data.archives import extract
from contracts import UserError


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def make_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def make_7z(path, members):
    with py7zr.SevenZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(content, name)


KINDS = [("a.zip", make_zip), ("a.tar.gz", make_tar), ("a.7z", make_7z)]


@pytest.mark.parametrize(("name", "make"), KINDS)
def test_members_are_found_by_base_name(tmp_path, name, make):
    make(tmp_path / name, {"deep/in/a.csv": b"1,2", "b.csv": b"3"})
    extract(tmp_path / name, ("a.csv",), tmp_path)
    assert (tmp_path / "a.csv").read_bytes() == b"1,2"
    assert not (tmp_path / "b.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "a.csv"])


@pytest.mark.parametrize(("name", "make"), KINDS)
def test_missing_member(tmp_path, name, make):
    make(tmp_path / name, {"a.csv": b"1"})
    with pytest.raises(UserError, match=r"expected member 'c.csv'"):
        extract(tmp_path / name, ("c.csv",), tmp_path)


@pytest.mark.parametrize(("name", "make"), KINDS)
def test_path_escape_is_refused(tmp_path, monkeypatch, name, make):
    monkeypatch.setattr("py7zr.py7zr.check_archive_path", lambda path: True)  # it would not even write one
    make(tmp_path / name, {"../evil.csv": b"1"})
    with pytest.raises(UserError, match="inside the archive"):
        extract(tmp_path / name, ("evil.csv",), tmp_path)
    assert not (tmp_path.parent / "evil.csv").exists()


def test_links_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("a.csv")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    info = zipfile.ZipInfo("a.csv")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    os.symlink("/etc/passwd", tmp_path / "link")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.write(tmp_path / "link", "a.csv")
    for name in ("a.tar", "a.zip", "a.7z"):
        with pytest.raises(UserError, match="a link"):
            extract(tmp_path / name, ("a.csv",), tmp_path)
        assert not (tmp_path / "a.csv").exists()


def test_size_bound(tmp_path):
    make_zip(tmp_path / "a.zip", {"a.csv": b"0" * 1000})
    with pytest.raises(UserError, match="expected at most 999 bytes"):
        extract(tmp_path / "a.zip", ("a.csv",), tmp_path, max_bytes=999)
    assert not (tmp_path / "a.csv").exists()


def test_gzip(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2"))
    extract(tmp_path / "a.csv.gz", ("a.csv",), tmp_path)
    assert (tmp_path / "a.csv").read_bytes() == b"1,2"


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.7z", "a.csv.gz"])
def test_damaged_archive(tmp_path, name):
    (tmp_path / name).write_bytes(b"this is no archive at all")
    with pytest.raises(UserError, match="damaged archive"):
        extract(tmp_path / name, ("a.csv",), tmp_path)
