"""What a model is fitted on: all of a split's train, its most recent sessions, or validation users beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import scipy.sparse as sp

from benchmark.data.load import SessionSplit, TopKSplit, load_split
from contracts import UserError

FinalFit = Literal["train", "train+valid"]
COLD_USER = "cold-user"


def recent(split: SessionSplit | TopKSplit, sessions: int | None) -> SessionSplit | TopKSplit:
    """The split with only its most recent train sessions (by last event), the catalogue unchanged; None = all.

    What is missing is added to ``meta["approximate"]``, N is ``meta["most_recent"]``. Raises UserError for top-k data.
    """
    if sessions is None:
        return split
    if not isinstance(split, SessionSplit):
        raise UserError(f"--sessions: expected session data, found users of {split.name}")
    if sessions >= len(split.train):
        return split
    newest = np.argsort(split.train.last_times, kind="stable")[-sessions:]
    cut = f"fitted on the {sessions:,} most recent of {len(split.train):,} train sessions"
    stated = "; ".join(filter(None, (split.meta.get("approximate"), cut)))
    meta = {"approximate": stated, "most_recent": sessions}
    return replace(split, train=split.train.take(np.sort(newest)), meta={**split.meta, **meta})


def with_validation(split: SessionSplit | TopKSplit) -> TopKSplit:
    """The split with one train row more per validation user: the items held out of that user, not the fold-in.

    So odd was the fit behind the top-k framework's published numbers. What these users disliked stays
    unknown to the model, as there. Raises UserError unless the split is the test of cold users.
    """
    if not isinstance(split, TopKSplit):
        raise UserError(f"final_fit: expected top-k data for 'train+valid', found sessions of {split.name}")
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
