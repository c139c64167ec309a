"""Item vectors that a user added to a data set: what lies there, and its rows in the order of a catalogue."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from benchmark.data import registry
from benchmark.data.root import data_root
from contracts import UserError


def vector_names(dataset: str) -> list[str]:
    """Names of the item vectors added to a data set, sorted."""
    return sorted(file.stem for file in vector_folder(dataset).glob("*.npy"))


def vector_hashes(dataset: str) -> dict[str, str]:
    """Name -> sha256 over vectors and ids of the item vectors added to a data set."""
    folder = vector_folder(dataset)
    return {
        name: hashlib.sha256(b"".join((folder / f"{name}.{part}").read_bytes() for part in ("npy", "ids"))).hexdigest()
        for name in vector_names(dataset)
    }


def item_vectors(dataset: str, vector_name: str, item_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(vectors float32 [items, d] in catalogue order, known bool [items]); rows of unknown items are 0."""
    path = vector_folder(dataset) / f"{vector_name}.npy"
    if not path.exists():
        present = ", ".join(vector_names(dataset)) or "none"
        raise UserError(f"{path}: no item vectors '{vector_name}'; found: {present}")
    array = np.load(path)
    names = id_lines(path.with_suffix(".ids"))
    row = {name: number for number, name in enumerate(names)}
    rows = np.array([row.get(str(item), -1) for item in item_ids.tolist()], np.int64)
    known = rows >= 0
    return np.where(known[:, None], array[rows], np.float32(0)), known


def id_lines(path: Path) -> list[str]:
    names = path.read_text(encoding="utf-8-sig").split("\n")  # text mode: CRLF has become \\n
    return names[:-1] if names and not names[-1] else names


def vector_folder(dataset: str) -> Path:
    return data_root() / "vectors" / registry.get(dataset).name
