"""Pickles of lists, tuples, numbers and text; nothing in them may run code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from contracts import UserError

SPARSE = {
    ("scipy.sparse._csr", "csr_matrix"),
    ("scipy.sparse.csr", "csr_matrix"),
    ("scipy.sparse._coo", "coo_matrix"),
    ("scipy.sparse.coo", "coo_matrix"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
"""What the sparse matrices of SSLRec need; admitted only where the caller says so."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BufferedReader, allowed: set[tuple[str, str]]) -> None:
        super().__init__(stream, encoding="latin1")
        self.allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"expected plain lists and numbers, found {module}.{name}")
        return super().find_class(module, name)


def read_plain(path: Path) -> Any:
    """Lists, tuples, ints, floats and text; raises UserError for anything else."""
    return _read(path, set())


def read_sparse(path: Path) -> Any:
    """A scipy CSR or COO matrix of numpy arrays; raises UserError for anything else."""
    return _read(path, SPARSE)


def _read(path: Path, allowed: set[tuple[str, str]]) -> Any:
    try:
        with open(path, "rb") as stream:
            return _Unpickler(stream, allowed).load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: not a pickle of plain values: {error}") from None
