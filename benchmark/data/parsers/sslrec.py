"""SSLRec's multi-behaviour matrices: purchases with one held out per user; carts and views as further interactions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from benchmark.data.parsers.pickles import read_sparse
from benchmark.data.registry import Dataset
from benchmark.data.tables import Array, Edges, Parsed, RatingTable
from contracts import UserError

PURCHASE = 5.0


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """Options ``train``, ``test`` and ``further`` (name -> file): CSR [users, items], values seconds (test: 1).

    Ids are rows and columns. Every purchase is a positive; the test's have no time and take part as held out.
    """
    files = dataset.options
    train = _read(folder / files["train"], None)
    test = _read(folder / files["test"], train.shape)
    rows, columns = test.nonzero()
    if len(rows) != train.shape[0] or len(np.unique(rows)) != len(rows):
        raise UserError(f"{folder / files['test']}: expected one item for each of {train.shape[0]} users")
    further = {name: _read(folder / file, train.shape) for name, file in files["further"].items()}
    held = sp.csr_matrix((np.ones(len(rows), bool), (rows, columns)), shape=train.shape)
    for name, matrix in {"train": train, **further}.items():
        seen = int(matrix.astype(bool).multiply(held).nnz)
        if seen:
            raise UserError(f"{folder}: expected no held-out pair among '{name}', found {seen}")
    bought = train.tocoo()
    edges = {}
    for name, matrix in further.items():
        pairs = matrix.tocoo()
        edges[name] = Edges.shared(pairs.col.astype(np.int64), pairs.row)
    users = np.concatenate([bought.row, rows]).astype(np.int64)
    items = np.concatenate([bought.col, columns]).astype(np.int64)
    table = RatingTable(users, items, np.full(len(users), PURCHASE, np.float32), None, edges)
    published: dict[str, Array] = {
        "users": rows,
        "items": columns,
        "catalogue": np.arange(train.shape[1]),
        "further": np.array([*further]),
    }
    counts = {"purchases": bought.nnz, "held-out purchases": len(rows), **{n: m.nnz for n, m in further.items()}}
    return Parsed(table, counts=counts, times="none", extra={"leave-one-out": published})


def _read(path: Path, shape: tuple[int, int] | None) -> sp.csr_matrix:
    matrix = sp.csr_matrix(read_sparse(path))
    if shape is not None and matrix.shape != shape:
        raise UserError(f"{path}: expected a matrix of shape {shape}, found {matrix.shape}")
    return matrix
