"""Raw files: from the mirror, from the registered sources, or generated."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path

from filelock import FileLock

from benchmark.data import archives, checksums, paths, registry
from benchmark.data.download import ChecksumError, SourceError, check, download, publish
from benchmark.data.generate import VERSION, generate
from benchmark.data.prepare import prepare
from benchmark.data.registry import Dataset, File
from benchmark.data.store import read_json, replace_folder, write_json
from contracts import UserError

log = logging.getLogger("emde")
MIRROR = "EMDE_MIRROR"
GENERATED = "generated.json"


def fetch(name: str, *, offline: bool = False) -> Path:
    """Bring a data set's raw files to data/raw/<name> and return that folder.

    EMDE_MIRROR (a folder or URL, <mirror>/<data set>/<file>) is tried first, then the registered
    sources; offline: only what is there, a mirror folder, or generated data. A present file with the right
    checksum stays; a damaged one is reported and replaced. Two processes at once: the second waits.
    Data made from another data set have no raw files: that one is fetched and prepared, where it is not yet.
    Raises UserError naming the file and, per source, what was expected and found.
    """
    dataset = registry.get(name)
    folder = paths.raw_dir(name)
    mirror = _mirror()
    if dataset.source:
        _prepare_source(dataset.source, offline)
        return paths.prepared_dir(dataset.source)
    with FileLock(paths.lock_file(name)):
        if dataset.generator:
            _generate(dataset, folder)
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        for file in dataset.files:
            _fetch_file(dataset, file, folder, mirror, offline)
    return folder


def _prepare_source(source: str, offline: bool) -> None:
    if not paths.prepared_dir(source).exists():
        fetch(source, offline=offline)
        prepare(source)


def _mirror() -> str | None:
    mirror = os.environ.get(MIRROR) or None
    if mirror and not _is_url(mirror) and not Path(mirror).is_dir():
        raise UserError(f"{MIRROR}: expected an existing folder or a URL, found '{mirror}'")
    return mirror


def _is_url(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def _fetch_file(dataset: Dataset, registered: File, folder: Path, mirror: str | None, offline: bool) -> None:
    file = checksums.enforced(dataset.name, registered)
    target = folder / file.name
    if file.unpack and not target.exists() and _members_present(dataset, file, folder):
        return
    damage = _damage(file, target)
    if damage is not None:
        troubles = _from_sources(dataset, file, target, mirror, offline)
        if troubles is not None:
            raise UserError(_failure(dataset, file, folder, damage, troubles, offline))
        if damage:
            log.warning("%s: was damaged (%s); fetched again", target, damage)
    if not registered.sha256:
        checksums.record(dataset.name, target)
    if file.unpack and not _members_present(dataset, file, folder):
        archives.extract(target, file.unpack, folder)
        for member in file.unpack:
            checksums.record(dataset.name, folder / member)


def _damage(file: File, target: Path) -> str | None:
    """None where the file lies there as it should, an empty text where there is none, else what is wrong."""
    if not target.exists():
        return ""
    try:
        check(file, target)
    except ChecksumError as error:
        return str(error).removeprefix(f"{file.name}: ")
    return None


def _members_present(dataset: Dataset, file: File, folder: Path) -> bool:
    """All members of an archive lie unpacked, unchanged since they were first seen."""
    if not all((folder / member).exists() for member in file.unpack):
        return False
    for member in file.unpack:
        if checksums.recorded(dataset.name, member) is None:
            checksums.record(dataset.name, folder / member)
        else:
            damage = _damage(checksums.enforced(dataset.name, File(name=member)), folder / member)
            if damage is not None:
                log.warning("%s: damaged (%s); unpacking it again", folder / member, damage)
                return False
    return True


def _from_sources(dataset: Dataset, file: File, target: Path, mirror: str | None, offline: bool) -> list[str] | None:
    """Try every source in order; None on success, else what went wrong at each."""
    troubles = []
    for source in _sources(dataset, file, mirror, offline):
        try:
            if _is_url(source):
                download(file, source, target)
            else:
                _copy(file, Path(source), target)
        except SourceError as error:
            troubles.append(str(error))
        except OSError as error:
            raise UserError(f"{target}: {error.strerror or error}") from None
        else:
            for trouble in troubles:
                log.info("%s", trouble)
            log.info("%s: fetched from %s", target, source)
            return None
    return troubles


def _sources(dataset: Dataset, file: File, mirror: str | None, offline: bool) -> list[str]:
    places = [f"{mirror.rstrip('/')}/{dataset.mirror or dataset.name}/{file.name}"] if mirror else []
    places += file.urls
    return [place for place in places if not (offline and _is_url(place))]


def _copy(file: File, source: Path, target: Path) -> None:
    """A file of a mirror folder, checked like any other."""
    if not source.exists():
        raise SourceError(f"{source}: no such file")
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(source, part)
    try:
        check(file, part)
    except ChecksumError as error:
        part.unlink()
        raise SourceError(f"{source}: {error}") from None
    publish(part, target)


def _failure(dataset: Dataset, file: File, folder: Path, damage: str, troubles: list[str], offline: bool) -> str:
    what = f"{dataset.name}: {file.name}"
    if damage:
        what += f" is damaged ({damage}) and"
    tried = "; ".join(troubles) or "no source to try"
    if dataset.manual:
        unpacked = f" (or its unpacked {', '.join(file.unpack)})" if file.unpack else ""
        return (
            f"{what} must be fetched by hand: {' '.join(dataset.manual.split())} Put {file.name}{unpacked} into "
            f"{folder} and run: emde data fetch {dataset.name}" + (f" [{tried}]" if troubles else "")
        )
    return f"{what} could not be fetched{' offline' if offline else ''}: {tried}"


def _generate(dataset: Dataset, folder: Path) -> None:
    """Generate unless the files of the same parameters lie there unchanged."""
    recipe = json.dumps([VERSION, dataset.generator, dataset.options.get("generate", {})], sort_keys=True)
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    if (folder / GENERATED).exists() and read_json(folder / GENERATED)["recipe"] == digest:
        known = read_json(folder / GENERATED)["files"]
        files = [File(name=name, sha256=value) for name, value in known.items()]
        if all(_damage(file, folder / file.name) is None for file in files):
            return
    with replace_folder(folder) as temporary:
        generate(dataset, temporary)
        hashes = {file.name: checksums.sha256(temporary / file.name) for file in dataset.files}
        write_json(temporary / GENERATED, {"recipe": digest, "files": hashes})
    log.info("%s: generated in %s", dataset.name, folder)
