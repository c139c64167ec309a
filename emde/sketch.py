"""Sketches: sums of items as histograms over regions (paper 3.3.3).

The sketch of a weighted multiset is, for every row r (one depth of one modality), a histogram of
width W = 2^K: S[r, c] = sum of the weights of the items whose code at r is c. Sketches add up, have
a constant size and do not depend on the number of items in the catalogue.
"""

from __future__ import annotations

import torch


def sketch(
    codes: torch.Tensor, items: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor, shape: tuple[int, int, int]
) -> torch.Tensor:
    """Sum weighted items into sketches.

    codes    integer [items, R], the region of every catalogue item in every row
    items    int64 [events], catalogue index of each event
    rows     int64 [events], the sketch (0..B-1) each event is added to
    weights  float [events]
    shape    (B, R, W)
    Returns float [B, R, W].
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


def ragged(starts: torch.Tensor, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Expand event ranges: (event index int64 [events], range index int64 [events])."""
    lengths = (ends - starts).clamp_min(0)
    rows = torch.repeat_interleave(torch.arange(len(starts), device=starts.device), lengths)
    first = torch.cumsum(lengths, 0) - lengths
    events = torch.arange(len(rows), device=starts.device) + (starts - first)[rows]
    return events, rows
