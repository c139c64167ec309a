"""What kind of file a path names (text or Parquet, compressed or not), and its content as a stream."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from contracts import UserError

CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
PACKED = (*CODECS, ".xz", ".zip")
"""Endings of compressed files; what they hold is told by the ending before, in a .zip by that of its one member."""
PARQUET = (".parquet", ".pq")

MAGIC = {
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x93NUMPY": "a NumPy array",
}
"""How the content of files begins that are often given where delimited text is expected."""
HEAD = 4096


def ending(path: Path) -> str:
    """What the content is, by the file's ending in lower case: ``.csv`` of ``Clicks.CSV.gz`` and of ``clicks.csv``."""
    name = path.name.lower()
    suffix = Path(name).suffix
    if suffix not in PACKED:
        return suffix
    return Path(_member(path).lower()).suffix if suffix == ".zip" else Path(name.removesuffix(suffix)).suffix


def _member(path: Path) -> str:
    """The one file of a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except zipfile.BadZipFile as error:
        raise UserError(f"{path}: not a zip archive: {error}") from None
    if len(names) != 1:
        raise UserError(f"{path}: expected an archive of one file, found {len(names)}")
    return names[0]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes] | pa.NativeFile]:
    """The content of a file as a stream of bytes, decompressed; raises UserError where that fails while it is read."""
    suffix = path.suffix.lower()
    try:
        with _stream(path, suffix) as stream:
            yield stream
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as e:
        if suffix not in PACKED:
            raise
        raise UserError(f"{path}: expected a complete {suffix} file, found: {str(e).splitlines()[0]}") from None


@contextmanager
def _stream(path: Path, suffix: str) -> Iterator[Any]:
    if suffix in CODECS:
        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, CODECS[suffix]) as stream:
            yield stream
    elif suffix == ".xz":
        with lzma.open(path) as stream:
            yield stream
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_member(path)) as stream:
            yield stream
    else:
        with pa.OSFile(str(path)) as stream:
            yield stream


def check_text(path: Path) -> None:
    """Raise UserError for an empty file and for one that holds no delimited text, naming what it seems to be."""
    with opened(path) as stream:
        head = bytes(stream.read(HEAD))
    if not head:
        raise UserError(f"{path}: expected rows, found an empty file")
    content = next((what for magic, what in MAGIC.items() if head.startswith(magic)), None)
    if content is None and b"\0" in head:
        content = "text in UTF-16 or no text at all"
    if content:
        advice = "; save it as UTF-8" if "UTF-16" in content else ""
        raise UserError(f"{path}: expected text in UTF-8, found {content}{advice}")
