"""Prepared splits as the shapes every method takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

from benchmark.data import paths, registry
from benchmark.data.store import VERSION, read_column
from contracts import Interactions, Sessions, UserError
from contracts.runtime.json import read_json

Column = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class SessionSplit:
    """Train and test sessions. A test session of n events gives n - min_prefix evaluation points.

    item_ids    raw ids, in catalogue order (first appearance in train)
    item_names  text or None
    meta        split.json: protocol, statistics, hashes, approximate
    """

    name: str
    split: str
    train: Sessions
    test: Sessions
    item_ids: np.ndarray
    item_names: np.ndarray | None
    meta: Mapping[str, Any]
    min_prefix: int = 1

    @property
    def n_points(self) -> int:
        """Evaluation points of the test sessions."""
        return int(np.maximum(self.test.lengths - self.min_prefix, 0).sum())


@dataclass(frozen=True)
class TopKSplit:
    """Train users, and test users as a profile (fold-in) and held-out items.

    heldout     float32 CSR [test users, items]
    candidates  CSR [test users, items] where a published protocol ranks only these items, else None
    """

    name: str
    split: str
    train: Interactions
    profiles: Interactions
    heldout: sp.csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray
    item_names: np.ndarray | None
    meta: Mapping[str, Any]
    candidates: sp.csr_matrix | None = None

    @property
    def n_points(self) -> int:
        """Test users."""
        return len(self.profiles)

    @property
    def maskable(self) -> bool:
        """Whether disliked items can be taken from the lists: ratings are known, and all items are ranked."""
        return self.profiles.disliked is not None and self.candidates is None


@dataclass(frozen=True)
class VectorSet:
    """Points for density estimation: vectors float32 [n, d]; density = shipped truth, by row."""

    name: str
    vectors: np.ndarray
    labels: np.ndarray | None
    ids: np.ndarray
    density: np.ndarray | None
    meta: Mapping[str, Any]


def resolve_split(name: str, split: str | int | None = None) -> str:
    """The full name of a split; None is the default one, a bare ``:valid`` its tuning twin."""
    dataset = registry.get(name)
    wanted = dataset.default_split if split is None else str(split)
    if wanted.startswith(":"):
        wanted = dataset.default_split + wanted
    if wanted not in dataset.all_splits:
        known = ", ".join(dataset.splits + dataset.more_splits)
        tuning = "" if dataset.kind == "vectors" else " (or one with ':valid')"
        raise UserError(f"{dataset.name}: unknown split '{wanted}'; expected one of: {known}{tuning}")
    return wanted


def load_split(name: str, split: str | int | None = None) -> SessionSplit | TopKSplit | VectorSet:
    """Open a prepared split, columns memory-mapped; what it is follows from the data set's kind.

    Raises UserError if it is not prepared, or by an older version of the suite.
    """
    dataset = registry.get(name)
    split = resolve_split(name, split)
    folder = paths.split_dir(name, split)
    path = folder / "split.json"
    if not path.exists():
        raise UserError(f"{path}: not prepared; run: emde data prepare {dataset.name}")
    meta = read_json(path)
    if meta.get("version") != VERSION:
        raise UserError(
            f"{path}: version: expected prepared data of version {VERSION}, found {meta.get('version')}; "
            f"run: emde data prepare {dataset.name}"
        )
    ids, names = _catalogue(folder)
    opened = assemble(dataset.kind, meta, lambda column: read_column(folder, column), ids, names)
    return opened if isinstance(opened, VectorSet) else _with_vectors(opened, dataset.name)


def _with_vectors(split: SessionSplit | TopKSplit, name: str) -> SessionSplit | TopKSplit:
    """Attach the item vectors that were added to the data set (``emde data add --vectors``)."""
    from benchmark.data.given_vectors import item_vectors, vector_names

    vectors = {added: item_vectors(name, added, split.item_ids)[0] for added in vector_names(name)}
    if not vectors:
        return split
    if isinstance(split, SessionSplit):
        return replace(split, train=replace(split.train, vectors=vectors))
    return replace(split, train=replace(split.train, vectors=vectors))


def assemble(
    kind: str, meta: Mapping[str, Any], column: Column, ids: np.ndarray, names: np.ndarray | None
) -> SessionSplit | TopKSplit | VectorSet:
    """The split of a kind over the columns that ``column`` opens."""
    if kind == "session":
        return _session_split(meta, column, ids, names)
    if kind == "topk":
        return _topk_split(meta, column, ids, names)
    return _vector_set(meta, column, ids)


def _session_split(meta: Mapping[str, Any], column: Column, ids: np.ndarray, names: np.ndarray | None) -> SessionSplit:
    attributes = _attributes(meta["attributes"], column, len(ids))
    ever = _attributes(meta["ever"], column, len(ids), "ever_")

    def sessions(part: str) -> Sessions:
        groups = {group: column(f"{part}_group_{group}") for group in meta["groups"]}
        items, times, offsets = (column(f"{part}_{field}") for field in ("items", "times", "offsets"))
        return Sessions(items, times, offsets, len(ids), groups, attributes, ever=ever)

    return SessionSplit(
        meta["dataset"], meta["split"], sessions("train"), sessions("test"), ids, names, meta, meta["min_prefix"]
    )


def _topk_split(meta: Mapping[str, Any], column: Column, ids: np.ndarray, names: np.ndarray | None) -> TopKSplit:
    attributes = _attributes(meta["attributes"], column, len(ids))

    def interactions(part: str) -> Interactions:
        disliked = _csr(column, f"{part}_disliked", len(ids)) if meta["disliked"] else None
        return Interactions(_csr(column, f"{part}_liked", len(ids)), disliked, attributes)

    candidates = _csr(column, "candidates", len(ids)) if meta["candidates"] else None
    return TopKSplit(
        name=meta["dataset"],
        split=meta["split"],
        train=interactions("train"),
        profiles=interactions("profile"),
        heldout=_csr(column, "heldout", len(ids)),
        user_ids=column("user_ids"),
        item_ids=ids,
        item_names=names,
        meta=meta,
        candidates=candidates,
    )


def _vector_set(meta: Mapping[str, Any], column: Column, ids: np.ndarray) -> VectorSet:
    labels, density = (column(name) if name in meta["known"] else None for name in ("labels", "density"))
    return VectorSet(meta["dataset"], column("vectors"), labels, ids, density, meta)


def _catalogue(folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    table = pq.read_table(folder / "catalogue.parquet")
    ids = table.column("item_id").to_numpy()
    return ids, table.column("name").to_numpy() if "name" in table.column_names else None


def _attributes(
    widths: Mapping[str, int], column: Column, n_items: int, prefix: str = "attribute_"
) -> dict[str, sp.csr_matrix]:
    return {name: _csr(column, f"{prefix}{name}", width, rows=n_items) for name, width in widths.items()}


def _csr(column: Column, name: str, width: int, rows: int | None = None) -> sp.csr_matrix:
    """A 0/1 matrix from its two columns; index arrays are int32 as scipy makes them."""
    indices, indptr = column(f"{name}_indices"), column(f"{name}_indptr").astype(np.int32)
    shape = (len(indptr) - 1 if rows is None else rows, width)
    return sp.csr_matrix((np.ones(len(indices), np.float32), np.array(indices), indptr), shape=shape)
