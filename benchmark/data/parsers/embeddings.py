"""Item embeddings as a point set: the suite's own graph embedding of another data set's train part (paper 4.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmark.data.load import SessionSplit, TopKSplit, load_split
from benchmark.data.registry import Dataset
from benchmark.data.tables import Parsed, VectorTable
from contracts import UserError
from emde.modality import Modality, item_vectors


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """Vectors float32 [items, dim] of the items in the default split's train of ``dataset.source``, catalogue order.

    The options are those of a modality: group, iterations, dim, seed. Nothing of the test users or sessions enters.
    Raises UserError where the source is not prepared or does not offer the group.
    """
    split = load_split(dataset.source or "")
    if not isinstance(split, SessionSplit | TopKSplit):
        raise UserError(f"{dataset.name}: source: expected sessions or ratings, found the vectors {split.name}")
    vectors, known = item_vectors(split.train, Modality(**dataset.options))
    counts = {"items": len(known), "items without an edge, left out": int(np.count_nonzero(~known))}
    return Parsed(VectorTable(vectors[known], ids=split.item_ids[known]), counts=counts)
