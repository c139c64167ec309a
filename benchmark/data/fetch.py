"""Raw files: from the mirror, from the registered sources, or generated."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from benchmark.data import archives, as_is, checksums, paths, registry, swap
from benchmark.data.download import ChecksumError, SourceError, check, download, publish
from benchmark.data.generate import VERSION, generate
from benchmark.data.prepare import prepare
from benchmark.data.registry import Dataset, File
from benchmark.data.store import copy_file
from contracts import UserError
from contracts.runtime.json import read_json, to_json, write_json

log = logging.getLogger("emde")
MIRROR = "EMDE_MIRROR"
GENERATED = "generated.json"


def fetch(name: str, *, offline: bool = False, as_they_are: bool = False) -> Path:
    """Bring a data set's raw files to data/raw/<name> and return that folder.

    EMDE_MIRROR (a folder or URL, <mirror>/<data set>/<file>) is tried first, then the registered
    sources; offline: only what is there, a mirror folder, or generated data. A present file with the right
    checksum stays; a damaged one is reported and replaced. Two processes at once: the second waits.
    Data made from another data set have no raw files: that one is fetched and prepared, where it is not yet.
    as_they_are: take what lies there or in a mirror folder without a check; from then on it stays so (``as_is``).
    Raises UserError naming the file and, per source, what was expected and found.
    """
    dataset = registry.get(name)
    folder = paths.raw_dir(name)
    mirror = _mirror()
    if dataset.source:
        _prepare_source(dataset.source, offline)
        return paths.prepared_dir(dataset.source)
    with swap.locked(dataset.name), swap.writing():
        if dataset.generator:
            _generate(dataset, folder)
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        if as_they_are or as_is.taken(name):
            _take(dataset, folder, mirror)
            return folder
        for file in dataset.files:
            _fetch_file(dataset, file, folder, mirror, offline)
    return folder


def _take(dataset: Dataset, folder: Path, mirror: str | None) -> None:
    """The raw files without a check: those that lie there, else those of a mirror folder; raises UserError at a gap."""
    for file in dataset.files:
        target, bare = folder / file.name, File(name=file.name)
        members = [folder / member for member in file.unpack]
        if not target.exists() and not (members and all(member.exists() for member in members)):
            places = [place for place in _sources(dataset, file, mirror, offline=True) if not _is_url(place)]
            troubles = _from_sources(dataset, bare, target, mirror if places else None, offline=True)
            if troubles is not None:
                raise UserError(_failure(dataset, file, folder, "", troubles, offline=True))
        if target.exists() and not all(member.exists() for member in members):
            archives.extract(target, file.unpack, folder)
    as_is.mark(dataset.name)
    log.warning("%s: %s; to go back to verified files remove %s", dataset.name, as_is.STATED, folder)


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
        except ChecksumError as error:  # of a mirror: nobody meant this file, and a source may take long to fail
            raise UserError(
                f"{source}: {error}; remove it from the mirror, or take it as it is: "
                f"emde data fetch {dataset.name} --as-is"
            ) from None
        except SourceError as error:
            troubles.append(str(error))
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
    try:
        source.open("rb").close()
    except OSError as error:
        raise SourceError(f"{source}: cannot read: {error.strerror}") from None
    part = target.with_name(f"{target.name}.part")
    try:
        copy_file(source, part)
        check(file, part)
        publish(part, target)
    finally:
        part.unlink(missing_ok=True)


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
    recipe = to_json([VERSION, dataset.generator, dataset.options.get("generate", {})], sort_keys=True)
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    if (folder / GENERATED).exists() and read_json(folder / GENERATED)["recipe"] == digest:
        known = read_json(folder / GENERATED)["files"]
        files = [File(name=name, sha256=value) for name, value in known.items()]
        if all(_damage(file, folder / file.name) is None for file in files):
            return
    with swap.replacing(dataset.name) as new:
        temporary = new.place(folder)
        temporary.mkdir()
        generate(dataset, temporary)
        hashes = {file.name: checksums.sha256(temporary / file.name) for file in dataset.files}
        write_json(temporary / GENERATED, {"recipe": digest, "files": hashes}, sort_keys=True)
    log.info("%s: generated in %s", dataset.name, folder)
