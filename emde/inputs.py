"""What the network of a session reads: sketches of its events, alone, in pairs or by place (paper 4.1.1, 6).

The paper's input is ``past`` and ``last``. It leaves open to encode pairs of items, and items together with their
position. Both are done in the same regions: a code is relabelled by a permutation of [0, W) that depends on the
place (a full-period linear congruential step, applied as many times as the event is steps back), so that the
same item at another place fills another cell, and similar items at one place still fill the same one.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from contracts import Sessions
from emde.sketch import decay, ragged, sketch

Input = Literal["past", "last", "all", "pairs", "places"]
Inputs = Annotated[tuple[Input, ...], Field(min_length=1)]
PLACES = 8
"""Places told apart: the last event, the one before, ..., and all earlier ones."""


class Events:
    """The event columns of sessions on a device, items unknown to train left out.

    items int64, times float64, weights float32 [events + 1]; offsets int64 [sessions + 1].
    """

    def __init__(self, sessions: Sessions, device: torch.device) -> None:
        known = sessions.items >= 0
        before = np.concatenate([[0], np.cumsum(known)])
        weights = np.ones(sessions.n_events, np.float32) if sessions.weights is None else sessions.weights
        # one event behind the last, so that an empty prefix at the end has a place to point to
        self.items = torch.from_numpy(np.append(sessions.items[known], 0).astype(np.int64)).to(device)
        self.times = torch.from_numpy(np.append(sessions.times[known], 0.0)).to(device)
        self.weights = torch.from_numpy(np.append(weights[known], np.float32(0))).to(device)
        self.offsets = torch.from_numpy(before[sessions.offsets]).to(device)


def relabel(codes: torch.Tensor, places: torch.Tensor, width: int) -> torch.Tensor:
    """Codes int64 [events, R] after ``places`` int64 [events] steps of c -> (5 c + 1) mod W, W a power of two."""
    factors = torch.tensor([5**p for p in range(PLACES)], device=codes.device)
    shifts = torch.tensor([(5**p - 1) // 4 for p in range(PLACES)], device=codes.device)
    return (codes * factors[places][:, None] + shifts[places][:, None]) % width


def input_sketch(
    part: Input,
    codes: torch.Tensor,
    events: Events,
    starts: torch.Tensor,
    ends: torch.Tensor,
    alpha: float,
    w: float,
    width: int,
) -> torch.Tensor:
    """One input sketch [B, R, W] of the prefixes ``events[starts:ends]``, int64 [B].

    past    all events but the last, decayed with their age before the newest of them
    last    the last event
    all     past and last in one
    pairs   every event with the one before it; an event without one has no part in it
    places  all events, each joined with its steps back from the end
    codes   integer [items, R]
    """
    first = {"last": torch.maximum(ends - 1, starts), "pairs": torch.minimum(starts + 1, ends)}.get(part, starts)
    stop = ends - 1 if part == "past" else ends
    index, rows = ragged(first, stop)
    age = events.times[(stop - 1).clamp_min(0)][rows] - events.times[index]
    weights = torch.ones(len(index), device=codes.device)
    if part != "last":
        weights = decay(age, alpha, w) * events.weights[index]
    found = codes[events.items[index]]
    if part == "pairs":
        before = codes[events.items[index - 1]].long()
        found = relabel(before, torch.ones_like(index), width) ^ found.long()
    elif part == "places":
        found = relabel(found.long(), (ends[rows] - 1 - index).clamp_max(PLACES - 1), width)
    shape = (len(starts), codes.shape[1], width)
    return sketch(found, torch.arange(len(index), device=codes.device), rows, weights, shape)
