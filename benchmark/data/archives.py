"""Taking named members out of an archive, safely: no path escapes, no links, bounded size."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, cast

from benchmark.data.download import publish
from contracts import UserError
from contracts.runtime.progress import progress

MAX_BYTES = 40 << 30
"""Upper bound of what one archive may unpack to."""
BLOCK = 1 << 20
Opener = Callable[[], IO[bytes] | None]


def extract(archive: Path, members: tuple[str, ...], folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Write the members with these base names into ``folder``, each atomically.

    An archive within the archive (training_set.tar in Netflix's) is a member like any other.
    Raises UserError for a missing member, an unsafe path, a link, or more than ``max_bytes``.
    """
    wanted = set(members)
    left = max_bytes
    with _open(archive, members) as entries:
        for path, opener in entries:
            _refuse_escape(archive, path)
            name = PurePosixPath(path).name
            if name not in wanted:
                continue
            stream = opener()
            if stream is None:
                raise UserError(f"{archive}: member '{path}': expected a plain file, found a link")
            with stream:
                left -= _copy(archive, stream, folder / name, left)
            wanted.discard(name)
            if not wanted:
                return
    raise UserError(f"{archive}: expected member '{sorted(wanted)[0]}', not found")


def _copy(archive: Path, stream: IO[bytes], target: Path, limit: int) -> int:
    part = target.with_name(f"{target.name}.part")
    size = 0
    try:
        with open(part, "wb") as out, progress(f"unpack {target.name}", 1) as advance:
            while block := stream.read(BLOCK):
                size += len(block)
                if size > limit:
                    raise UserError(f"{archive}: member '{target.name}': expected at most {limit} bytes, found more")
                out.write(block)
                advance(0, note=f"{size >> 20} MB")
        publish(part, target)
    finally:
        part.unlink(missing_ok=True)
    return size


def _refuse_escape(archive: Path, path: str) -> None:
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts:
        raise UserError(f"{archive}: member '{path}': expected a path inside the archive")


@contextmanager
def _open(archive: Path, members: tuple[str, ...]) -> Iterator[Iterator[tuple[str, Opener]]]:
    """(path, opener) of each entry; the opener gives None for what is not a plain file."""
    name = archive.name
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                yield ((info.filename, _zip_opener(opened, info)) for info in opened.infolist())
        elif name.endswith((".tar", ".tar.gz", ".tgz")):
            with tarfile.open(archive) as tar:
                yield ((entry.name, _tar_opener(tar, entry)) for entry in tar)
        elif name.endswith(".7z"):
            with TemporaryDirectory(dir=archive.parent, prefix=".7z.") as temporary:
                yield _seven_zip(archive, members, Path(temporary))
        elif name.endswith(".gz"):
            yield iter([(members[0], lambda: cast(IO[bytes], gzip.open(archive)))])  # noqa: SIM115 (closed by extract)
        else:
            raise UserError(f"{archive}: expected .zip, .tar, .tar.gz, .tgz, .gz or .7z")
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        raise UserError(f"{archive}: damaged archive: {error}") from None


def _zip_opener(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Opener:
    return lambda: None if stat.S_ISLNK(info.external_attr >> 16) else opened.open(info)


def _tar_opener(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Opener:
    return lambda: tar.extractfile(entry) if entry.isreg() else None


def _file_opener(path: Path, plain: bool) -> Opener:
    return lambda: path.open("rb") if plain else None


def _seven_zip(archive: Path, members: tuple[str, ...], temporary: Path) -> Iterator[tuple[str, Opener]]:
    """7z is solid: the wanted members are unpacked into a temporary folder first."""
    import py7zr

    try:
        with py7zr.SevenZipFile(archive) as opened:
            entries = list(opened.files)
            for entry in entries:
                _refuse_escape(archive, entry.filename)
            plain = [entry for entry in entries if not (entry.is_symlink or entry.is_junction or entry.is_directory)]
            chosen = [entry for entry in plain if PurePosixPath(entry.filename).name in members]
            size = sum(entry.uncompressed for entry in chosen)
            if size > MAX_BYTES:
                raise UserError(f"{archive}: expected at most {MAX_BYTES} bytes, found {size}")
            opened.extract(path=temporary, targets=[entry.filename for entry in chosen])
    except (py7zr.Bad7zFile, py7zr.exceptions.ArchiveError) as error:
        raise UserError(f"{archive}: damaged archive: {error}") from None
    kept = {entry.filename for entry in plain}
    for entry in entries:
        yield entry.filename, _file_opener(temporary / entry.filename, entry.filename in kept)
