"""Sketches: sums of items as histograms over regions (paper 3.3.3).

The sketch of a weighted multiset is, for every row r (one depth of one modality), a histogram of
width W = 2^K: S[r, c] = sum of the weights of the items whose code at r is c. Sketches add up, have
a constant size and do not depend on the number of items in the catalogue.

``sketch`` builds a batch of them from events on a device; ``Sketch`` is one of them in NumPy, fed from a
stream. Both give the same numbers.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch


class Sketch:
    """One sketch that is updated as items come and go; float64, so that what was added can be taken away.

    codes   integer [items, R]    width  W
    counts  [R, W], the histograms
    """

    def __init__(self, codes: np.ndarray, width: int, counts: np.ndarray | None = None) -> None:
        self.codes, self.width = codes, width
        self.counts = np.zeros((codes.shape[1], width)) if counts is None else counts

    def update(self, items: np.ndarray, weights: np.ndarray | float = 1.0) -> Self:
        """Add items with their weights (negative ones take away); in place."""
        rows = np.arange(self.codes.shape[1])
        values = np.broadcast_to(np.asarray(weights, np.float64), np.shape(items))
        np.add.at(self.counts, (rows, self.codes[items]), values[:, None])
        return self

    def fade(self, factor: float) -> Self:
        """Multiply by alpha^(w seconds), as time passes; in place."""
        self.counts *= factor
        return self

    def __add__(self, other: Sketch) -> Sketch:
        """The sketch of both multisets (of two shards of a stream, say)."""
        return Sketch(self.codes, self.width, self.counts + other.counts)

    def __sub__(self, other: Sketch) -> Sketch:
        """The sketch of what is in the first but not in the second."""
        return Sketch(self.codes, self.width, self.counts - other.counts)

    def count(self, items: np.ndarray) -> np.ndarray:
        """Count-min estimate of the weight of items: the least of their buckets, never below the truth."""
        return self.counts[np.arange(self.codes.shape[1]), self.codes[items]].min(axis=1)


def sketch(
    codes: torch.Tensor, items: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor, shape: tuple[int, int, int]
) -> torch.Tensor:
    """Sum weighted items into sketches.

    codes    integer [items, R], the region of every catalogue item in every row
    items    int64 [events], catalogue index of each event
    rows     int64 [events], the sketch (0..B-1) each event is added to
    weights  float [events]
    shape    (B, R, W)
    Returns float [B, R, W]. On a GPU sums are in no fixed order, unless torch's deterministic algorithms are on
    (``EMDE_DETERMINISTIC=1``), which sort the cells first.
    """
    batch, depth, width = shape
    out = torch.zeros(batch * depth * width, dtype=weights.dtype, device=codes.device)
    base = rows[:, None] * depth + torch.arange(depth, device=codes.device)
    index = base * width + codes[items].long()
    out.index_add_(0, index.reshape(-1), weights[:, None].expand(-1, depth).reshape(-1))
    return out.view(batch, depth, width)


def normalize(sketches: torch.Tensor, order: int) -> torch.Tensor:
    """Divide every depth row by its L1 (order 1) or L2 (order 2) norm; a zero row stays zero."""
    norms = torch.linalg.vector_norm(sketches, ord=order, dim=-1, keepdim=True)
    return sketches / norms.clamp_min(1e-12)


def decay(age: torch.Tensor, alpha: float, w: float) -> torch.Tensor:
    """Weight of events that are ``age`` seconds old: alpha^(w age), float32 (paper 4.1.1).

    Age counts from the last event of the same sketch: what all its events share until "now" is one
    common factor, which the normalisation removes.
    """
    return torch.pow(alpha, w * age.clamp_min(0)).float()


def ragged(starts: torch.Tensor, ends: torch.Tensor, total: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Expand event ranges: (event index int64 [events], range index int64 [events]).

    total  events in all, known on the CPU: asking the device would wait for it
    """
    lengths = (ends - starts).clamp_min(0)
    ranges = torch.arange(len(starts), device=starts.device)
    rows = torch.repeat_interleave(ranges, lengths, output_size=total)
    first = torch.cumsum(lengths, 0) - lengths
    events = torch.arange(total, device=starts.device) + (starts - first)[rows]
    return events, rows
