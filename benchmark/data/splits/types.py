"""What a splitter hands to ``prepare``: columns to write and what to say about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmark.data.tables import Edges


@dataclass(frozen=True)
class SplitData:
    """One split. ``columns`` become .npy files; item_ids (and names) the catalogue; ``meta`` split.json."""

    name: str
    columns: dict[str, np.ndarray]
    item_ids: np.ndarray
    item_names: np.ndarray | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def csr_columns(name: str, matrix: sp.csr_matrix) -> dict[str, np.ndarray]:
    """The two columns that hold a 0/1 CSR matrix."""
    return {f"{name}_indices": matrix.indices.astype(np.int32), f"{name}_indptr": matrix.indptr.astype(np.int64)}


def attribute_columns(
    edges: Mapping[str, Edges], item_ids: np.ndarray, moment: float | None, prefix: str = "attribute_"
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Attributes of the catalogue as CSR columns [items, tokens]; also name -> number of tokens.

    Only what was known at ``moment``; tokens in alphabetical order, those of no item left out.
    """
    columns: dict[str, np.ndarray] = {}
    widths: dict[str, int] = {}
    positions = pd.Index(item_ids)
    for name, known in edges.items():
        now = known.known_at(moment)
        rows = positions.get_indexer(pd.Index(now.items))
        codes, tokens = pd.factorize(now.tokens[rows >= 0], sort=True)
        shape = (len(item_ids), len(tokens))
        matrix = sp.csr_matrix((np.ones(len(codes), np.float32), (rows[rows >= 0], codes)), shape=shape)
        matrix.sum_duplicates()
        columns |= csr_columns(f"{prefix}{name}", matrix)
        columns[f"{prefix}{name}_tokens"] = np.asarray(tokens).astype(str)
        widths[name] = len(tokens)
    return columns, widths
