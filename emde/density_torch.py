"""The same sketch with its arrays on a torch device: for streams and queries on a GPU."""

from __future__ import annotations

import torch

from contracts import UserError
from emde.coders import DLSH, PROJECTIONS
from emde.density import SketchDensity


class TorchSketch:
    """A fitted DLSH sketch on a device; counts and queries agree with NumPy's up to the rounding of projections.

    Hashing is one matrix product per block of points. Raises UserError for partitions other than DLSH.
    """

    def __init__(self, sketch: SketchDensity, device: torch.device | str = "cpu") -> None:
        partition = sketch.partition
        if not isinstance(partition, DLSH):
            raise UserError(f"density: torch: expected coder 'dlsh', found {sketch.coder!r}")
        self.aggregate = sketch.aggregate
        self.n, self.k = partition.n, partition.k
        self.directions = torch.from_numpy(partition.directions).to(device)
        self.bias = torch.from_numpy(partition.bias).to(device)
        self.counts = torch.from_numpy(sketch.counts).to(device, copy=True)
        self.total = sketch.total
        self._powers = (1 << torch.arange(self.k, device=device)).float()
        self._base = torch.arange(self.n, device=device) << self.k
        self._rows = max(1, PROJECTIONS // (self.n * self.k))

    def cells(self, points: torch.Tensor) -> torch.Tensor:
        """Indices into the flat counters, int64 [m, N]."""
        bits = (points.float() @ self.directions > self.bias).view(len(points), self.n, self.k)
        return (bits.float() @ self._powers).long() + self._base  # K <= 16: exact in float32

    def partial_fit(self, points: torch.Tensor, weights: torch.Tensor | None = None) -> TorchSketch:
        """Count more points [m, d], each with its weight (default 1)."""
        weights = torch.ones(len(points), device=points.device) if weights is None else weights
        for block, of_block in zip(points.split(self._rows), weights.double().split(self._rows), strict=True):
            self.counts.view(-1).index_add_(0, self.cells(block).view(-1), of_block.repeat_interleave(self.n))
        self.total += float(weights.sum())
        return self

    def query(self, points: torch.Tensor) -> torch.Tensor:
        """Estimated density, float64 [m] on the device."""
        found = [self._combine(self.counts.view(-1)[self.cells(block)]) for block in points.split(self._rows)]
        return torch.cat(found) / self.total

    def _combine(self, counts: torch.Tensor) -> torch.Tensor:
        if self.aggregate == "gmean":
            return counts.clamp_min(0).log().mean(1).exp()
        return counts.amin(1) if self.aggregate == "min" else counts.mean(1)
