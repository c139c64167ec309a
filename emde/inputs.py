"""What the network of a session reads: sketches of its events, alone, in pairs or by place (paper 4.1.1, 6).

The paper's input is ``past`` and ``last``. It leaves open to encode pairs of items, and items together with their
position. Both are done in the same regions: a code is relabelled by a permutation of [0, W) that depends on the
place (a full-period linear congruential step, applied as many times as the event is steps back), so that the
same item at another place fills another cell, and similar items at one place still fill the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from contracts import Sessions
from contracts.runtime.device import send
from emde.sketch import decay, ragged, sketch

Input = Literal["past", "last", "all", "first", "pairs", "places"]
Inputs = Annotated[tuple[Input, ...], Field(min_length=1)]
PLACES = 8
"""Places told apart: the last event, the one before, ..., and all earlier ones."""


class Events:
    """The event columns of sessions on a device, items unknown to train left out.

    items int64, times float64, weights float32 [events + 1]; sessions, their ranges of events; items_here, the items
    on the CPU.
    """

    def __init__(self, sessions: Sessions, device: torch.device) -> None:
        known = sessions.items >= 0
        before = np.concatenate([[0], np.cumsum(known)])
        weights = np.ones(sessions.n_events, np.float32) if sessions.weights is None else sessions.weights
        # one event behind the last, so that an empty prefix at the end has a place to point to
        self.items_here = np.append(sessions.items[known], 0).astype(np.int64)
        self.items = send(self.items_here, device)
        self.times = send(np.append(sessions.times[known], 0.0), device)
        self.weights = send(np.append(weights[known], np.float32(0)), device)
        offsets = before[sessions.offsets]
        there = send(offsets, device)
        self.sessions = Ranges(there[:-1], there[1:], np.diff(offsets))


@dataclass(frozen=True)
class Ranges:
    """Ranges of events: starts, ends int64 [B] on a device, lengths int64 [B] on the CPU.

    The lengths are known on both sides, so that nobody waits for the device to say how many events a batch has.
    """

    starts: torch.Tensor
    ends: torch.Tensor
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: slice) -> Ranges:
        return Ranges(self.starts[rows], self.ends[rows], self.lengths[rows])

    def of(self, part: Input) -> tuple[torch.Tensor, torch.Tensor, int]:
        """(starts, ends, how many in all) of the events that an input sketch takes."""
        total = int(self.lengths.sum())
        without = total - int((self.lengths > 0).sum())  # one of each
        if part == "last":
            return torch.maximum(self.ends - 1, self.starts), self.ends, total - without
        if part == "first":
            return self.starts, torch.minimum(self.starts + 1, self.ends), total - without
        if part == "pairs":
            return torch.minimum(self.starts + 1, self.ends), self.ends, without
        return (self.starts, self.ends - 1, without) if part == "past" else (self.starts, self.ends, total)


def relabel(codes: torch.Tensor, places: torch.Tensor, width: int) -> torch.Tensor:
    """Codes int64 [events, R] after ``places`` int64 [events] steps of c -> (5 c + 1) mod W, W a power of two."""
    factors = torch.pow(5, places)[:, None]
    return (codes * factors + (factors - 1) // 4) % width


def input_sketch(
    part: Input,
    codes: torch.Tensor,
    events: Events,
    prefixes: Ranges,
    alpha: float,
    w: float,
    width: int,
) -> torch.Tensor:
    """One input sketch [B, R, W] of B prefixes.

    past    all events but the last, decayed with their age before the newest of them
    last    the last event
    all     past and last in one
    first   the first event
    pairs   every event with the one before it; an event without one has no part in it
    places  all events, each joined with its steps back from the end
    codes   integer [items, R]
    """
    first, stop, total = prefixes.of(part)
    index, rows = ragged(first, stop, total)
    age = events.times[(stop - 1).clamp_min(0)][rows] - events.times[index]
    weights = torch.ones(len(index), device=codes.device)
    if part not in ("last", "first"):
        weights = decay(age, alpha, w) * events.weights[index]
    event_codes = codes[events.items[index]]
    if part == "pairs":
        before = codes[events.items[index - 1]].long()
        event_codes = relabel(before, torch.ones_like(index), width) ^ event_codes.long()
    elif part == "places":
        event_codes = relabel(event_codes.long(), (stop[rows] - 1 - index).clamp_max(PLACES - 1), width)
    shape = (len(prefixes), codes.shape[1], width)
    return sketch(event_codes, torch.arange(len(index), device=codes.device), rows, weights, shape)
