"""Registering a user's own data set: files copied, read, split; then entry, copies and splits change at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmark.data import registry, swap
from benchmark.data.parsers import parse
from benchmark.data.prepare import build
from benchmark.data.registry import Dataset
from benchmark.data.root import data_root
from benchmark.data.store import copy_file, sha256
from benchmark.data.tables import Parsed, RatingTable, SessionTable
from contracts import UserError

LONGEST = 100
"""Letters of a name: files are named after it."""


def register(
    name: str,
    kind: str,
    entry: dict[str, Any],
    sources: list[Path],
    attributes: Path | None,
    complete: Callable[[Dataset, Parsed], dict[str, Any]],
) -> Dataset:
    """Copy the files, read them, split; the new data set is there when all is done.

    complete: the fields of the entry that follow from what was read.
    Whatever fails before, and a kill at any moment, leaves an earlier data set of the name as it was.
    """
    check_name(name)
    own = registry.user_folder() / f"{name}.yaml"
    if not own.exists() and (name in registry.names() or name in registry.ALIASES):
        raise UserError(f"'{name}' is a built-in data set; choose another name")
    copies = {file.name: file for file in sources}
    if attributes:
        entry["options"]["attributes"] = _free_name(attributes.name, copies)
        copies[entry["options"]["attributes"]] = attributes
    for file in copies.values():
        check_readable(file)
    with swap.locked(name), swap.replacing(name) as new:
        raw = new.place(data_root() / "raw" / name)
        hashes = _copy(copies, raw)
        about = {"title": f"{name} (own data)", "licence": "own", "citation": "own data", "homepage": "own"}
        files = [{"name": file, "sha256": hashes[file], "size": (raw / file).stat().st_size} for file in copies]
        written = {"name": name, "kind": kind, **about, "comparable": "public", "files": files, **entry}
        with _named_as_given(raw, copies):
            parsed = parse(Dataset(**written), raw)
            if attributes:
                _check_attributes(attributes, parsed)
        with _said_of(sources[0]):
            written |= complete(Dataset(**written), parsed)
            dataset = Dataset(**written)
            build(dataset, parsed, hashes, new.place(data_root() / "prepared" / name))
        new.place(own).write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    return dataset


def check_name(name: str) -> None:
    """Raise UserError unless files and folders can be named so, everywhere."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name) or len(name) > LONGEST:
        rule = f"a name of at most {LONGEST} lower-case letters, digits, '.', '_' and '-'"
        raise UserError(f"'{name[:LONGEST]}': expected {rule}")


def check_readable(path: Path) -> None:
    """Raise UserError unless ``path`` is a file that can be opened."""
    if path.is_dir():
        raise UserError(f"{path}: expected a file, found a folder")
    if not path.is_file():
        raise UserError(f"{path}: {'expected a plain file' if path.exists() else 'no such file'}")
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror}") from None


def _free_name(name: str, copies: Mapping[str, Path]) -> str:
    """The copy of a file whose name another one has is called otherwise."""
    while name in copies:
        name = f"attributes-{name}"
    return name


def _copy(copies: Mapping[str, Path], folder: Path) -> dict[str, str]:
    folder.mkdir()
    for name, file in copies.items():
        copy_file(file, folder / name)
    return {name: sha256(folder / name) for name in copies}


@contextmanager
def _named_as_given(folder: Path, copies: Mapping[str, Path]) -> Iterator[None]:
    """What is wrong in a copy is said of the file that the user named."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for name in sorted(copies, key=len, reverse=True):
            text = text.replace(str(folder / name), str(copies[name]))
        raise UserError(text) from None


@contextmanager
def _said_of(source: Path) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        said = str(error).startswith((f"{source}:", "--"))
        raise UserError(str(error) if said else f"{source}: {error}") from None


def _check_attributes(path: Path, parsed: Parsed) -> None:
    """At least one item of the attributes must be an item of the data."""
    table = parsed.table
    assert isinstance(table, SessionTable | RatingTable)
    items = (table.item_ids if isinstance(table, SessionTable) else np.unique(table.items)).tolist()
    named = table.edges["attribute"].items.tolist()
    if not set(named) & set(items):
        raise UserError(f"{path}: column 'item': expected items of the data such as {items[0]!r}, found {named[0]!r}")
