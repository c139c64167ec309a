"""A split cut to its most recent train sessions, where all of them cost too much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark.data.load import SessionSplit, TopKSplit
from contracts import UserError


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
