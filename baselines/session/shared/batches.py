"""From ragged sessions to padded mini-batches, without a Python step per example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from contracts import UNKNOWN, Sessions
from contracts.runtime.device import send

POOL = 32
"""Batches whose examples are sorted by length together: less padding, still a random order."""


@dataclass(frozen=True)
class Batch:
    """Prefixes, padded at the end.

    items    int64 [B, L], oldest event first; n_items where there is no event
    lengths  int64 [B], events of each prefix (0 = an empty prefix)
    targets  int64 [B], the item after the prefix; -1 where there is none
    follow   int64 [B, L], the item after every event; -1 in the padding
    """

    items: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    follow: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """Whether there is an event, bool [B, L]."""
        return torch.arange(self.items.shape[1], device=self.items.device) < self.lengths[:, None]

    @property
    def last(self) -> torch.Tensor:
        """Position of the last event, int64 [B] (0 in an empty prefix)."""
        return (self.lengths - 1).clamp_min(0)


@dataclass(frozen=True)
class Examples:
    """Prefixes as ranges of events: example e reads events starts[e]:ends[e], the next one is its target.

    items         int64 [events + 1] on the device, behind the last event -1; ``on_cpu`` the same here
    starts, ends  int64 [examples] on the CPU, at most max_length apart
    """

    items: torch.Tensor
    on_cpu: torch.Tensor
    starts: torch.Tensor
    ends: torch.Tensor
    n_items: int
    has_targets: bool

    @classmethod
    def of(cls, sessions: Sessions, starts: np.ndarray, ends: np.ndarray, targets: bool, device: torch.device) -> Self:
        """Examples from event ranges of sessions without unknown items."""
        items = torch.from_numpy(np.append(sessions.items, -1).astype(np.int64))
        return cls(send(items, device), items, torch.tensor(starts), torch.tensor(ends), sessions.n_items, targets)

    @classmethod
    def of_prefixes(cls, train: Sessions, max_length: int, device: torch.device) -> Self:
        """One example for every event that has one before it; the most recent max_length events are read."""
        first = np.repeat(train.offsets[:-1], train.lengths)
        target = np.arange(train.n_events)
        keep = target > first
        starts, ends = first[keep], target[keep]
        return cls.of(train, np.maximum(starts, ends - max_length), ends, True, device)

    @classmethod
    def of_sessions(cls, train: Sessions, max_length: int, device: torch.device) -> Self:
        """Whole sessions, for models that learn at every event; cut, from the end, into pieces of max_length.

        Every event but a session's first is the ``follow`` of exactly one event.
        """
        steps = np.maximum(train.lengths - 1, 0)
        pieces = -(-steps // max_length)
        session = np.repeat(np.arange(len(train)), pieces)
        number = np.arange(len(session)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        ends = train.offsets[session + 1] - 1 - number * max_length
        return cls.of(train, np.maximum(train.offsets[session], ends - max_length), ends, True, device)

    @classmethod
    def to_rank(cls, prefixes: Sessions, max_length: int, device: torch.device) -> Self:
        """Whole prefixes without targets."""
        starts, ends = prefixes.offsets[:-1], prefixes.offsets[1:]
        return cls.of(prefixes, np.maximum(starts, ends - max_length), ends, False, device)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> torch.Tensor:
        """Events of every example, int64 [examples] on the CPU."""
        return self.ends - self.starts

    def batch(self, rows: torch.Tensor) -> Any:
        """The examples ``rows`` (int64 [B] on the CPU), on the device: a ``Batch``, or what another network reads."""
        device = self.items.device
        steps = torch.arange(max(int(self.lengths[rows].max()), 1), device=device)
        starts, ends = send(torch.stack([self.starts[rows], self.ends[rows]]), device)
        lengths = ends - starts
        inside = steps < lengths[:, None]
        index = torch.where(inside, starts[:, None] + steps, len(self.items) - 1)
        items = torch.where(inside, self.items[index], self.n_items)
        if not self.has_targets:
            none = torch.full_like(items, -1)
            return Batch(items, lengths, none[:, 0], none)
        follow = torch.where(inside, self.items[(index + 1).clamp_max(len(self.items) - 1)], -1)
        return Batch(items, lengths, self.items[ends], follow)


def shuffled(lengths: torch.Tensor, batch_size: int, rng: torch.Generator) -> Iterator[torch.Tensor]:
    """Every example once, in random batches (int64 indices); batches hold examples of like length.

    The examples are shuffled, sorted by length within each ``POOL`` batches, cut into batches, and
    the batches shuffled.
    """
    order = torch.randperm(len(lengths), generator=rng)
    pool = torch.arange(len(order)) // (POOL * batch_size)
    order = order[torch.argsort(pool * (int(lengths.max()) + 1) + lengths[order], stable=True)] if len(order) else order
    batches = order.split(batch_size) if len(order) else ()
    for number in torch.randperm(len(batches), generator=rng).tolist():
        yield batches[number]


def without_unknown(sessions: Sessions) -> Sessions:
    """The same sessions without the events whose item train does not know."""
    known = sessions.items >= 0
    if known.all():
        return sessions
    before = np.concatenate([[0], np.cumsum(known)])
    return replace(sessions, items=sessions.items[known], times=sessions.times[known], offsets=before[sessions.offsets])


def hold_out(train: Sessions, share: float) -> tuple[Sessions, Sessions] | None:
    """(earlier sessions, the last ``share`` by the time of their last event); None where either has no example.

    Held-out events of items that the earlier sessions do not have are left out.
    """
    order = np.argsort(train.last_times, kind="stable")
    cut = len(order) - round(share * len(order))
    earlier, later = train.take(np.sort(order[:cut])), train.take(np.sort(order[cut:]))
    known = np.isin(later.items, earlier.items)
    later = without_unknown(replace(later, items=np.where(known, later.items, UNKNOWN).astype(np.int32)))
    return (earlier, later) if (earlier.lengths > 1).any() and (later.lengths > 1).any() else None


def prefixes_of(sessions: Sessions, max_length: int) -> tuple[Sessions, np.ndarray]:
    """(every prefix, cut to its last max_length events; the item after it, int32 [prefixes])."""
    first = np.repeat(sessions.offsets[:-1], sessions.lengths)
    target = np.arange(sessions.n_events)
    keep = target > first
    ends = target[keep]
    starts = np.maximum(first[keep], ends - max_length)
    return sessions.windows(starts, ends, sessions.session_of_event[keep]), sessions.items[ends]
