"""What a top-k model is fitted on before the test: the train users, or these and part of the validation users."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import scipy.sparse as sp

from benchmark.data.load import TopKSplit, load_split
from contracts import UserError

FinalFit = Literal["train", "train+valid"]
COLD_USER = "cold-user"


def with_validation(split: TopKSplit) -> TopKSplit:
    """The split with one train row more per validation user: the items held out of that user, not the fold-in.

    So odd was the fit behind the top-k framework's published numbers. What these users disliked stays
    unknown to the model, as there. Raises UserError unless the split is the test of cold users.
    """
    if split.split != COLD_USER:
        raise UserError(f"final_fit: expected the split {COLD_USER} for 'train+valid', found {split.split!r}")
    valid = load_split(split.name, f"{COLD_USER}:valid")
    assert isinstance(valid, TopKSplit)
    train = split.train
    liked = sp.csr_matrix(sp.vstack([train.liked, valid.heldout]))
    disliked = train.disliked
    if disliked is not None:
        disliked = sp.csr_matrix(sp.vstack([disliked, sp.csr_matrix(valid.heldout.shape, dtype=disliked.dtype)]))
    return replace(split, train=replace(train, liked=liked, disliked=disliked))
