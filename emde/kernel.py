"""Exact kernel densities: the truth that sketches are compared with (paper 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from contracts import KernelName
from contracts.runtime.device import Device, pick_device
from contracts.runtime.progress import progress

CELLS = 1 << 23
"""Distances held at once: 64 MiB."""
NEAR = 1e-9
"""Squared distances below this share of the squared norms have lost digits in the expansion."""
PAIRS = 100_000
"""Pairs of points that the median distance is taken over."""


def bandwidth(n_points: int, dim: int, c: float = 1.0) -> float:
    """h = c N^(-1 / (d + 4)), for columns scaled to standard deviation 1 (Scott's rule at c = 1)."""
    return c * n_points ** (-1 / (dim + 4))


def median_distance(points: np.ndarray, rng: np.random.Generator) -> float:
    """Median L2 distance of two different points, over at most ``PAIRS`` random pairs."""
    left = rng.integers(len(points), size=PAIRS)
    right = (left + rng.integers(1, len(points), size=PAIRS)) % len(points)
    blocks = zip(np.array_split(left, 100), np.array_split(right, 100), strict=True)
    return float(np.median(np.concatenate([np.linalg.norm(points[a] - points[b], axis=1) for a, b in blocks])))


def exact_density(
    points: np.ndarray, queries: np.ndarray, h: float, kernel: KernelName = "laplacian", device: Device = "auto"
) -> np.ndarray:
    """Mean over all points of k(x, q), the point itself included: float64 [queries]."""
    return exact_densities(points, queries, [h], kernel, device)[0]


def exact_densities(
    points: np.ndarray,
    queries: np.ndarray,
    bandwidths: Sequence[float],
    kernel: KernelName = "laplacian",
    device: Device = "auto",
) -> np.ndarray:
    """``exact_density`` at several bandwidths from the same distances: float64 [bandwidths, queries].

    float64 throughout, a block of queries at a time, on the CPU or a GPU.
    """
    target = pick_device(device)
    x = torch.from_numpy(np.array(points, np.float64)).to(target)
    q = torch.from_numpy(np.array(queries, np.float64)).to(target)
    centre = x.mean(0)  # distances do not change, rounding errors shrink
    x, q = x - centre, q - centre
    out = torch.empty(len(bandwidths), len(q), dtype=torch.float64)
    rows = max(1, CELLS // len(x))
    with progress("exact density", len(q)) as advance:
        for start in range(0, len(q), rows):
            squares = squared_distances(q[start : start + rows], x)
            exponents = squares if kernel == "gaussian" else squares.sqrt_()
            for index, h in enumerate(bandwidths):
                scale = -1 / (2 * h * h) if kernel == "gaussian" else -1 / h
                out[index, start : start + rows] = (exponents * scale).exp_().mean(1).cpu()
            advance(len(squares))
    return out.numpy()


def squared_distances(q: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """|q_i - x_j|^2 as |q|^2 + |x|^2 - 2 q.x; pairs too near for this sum are subtracted first: [m, n]."""
    norms = (q**2).sum(1)[:, None] + (x**2).sum(1)
    squares = torch.addmm(norms, q, x.T, alpha=-2)
    i, j = torch.nonzero(squares <= NEAR * norms, as_tuple=True)
    for pairs in torch.arange(len(i), device=q.device).split(max(1, CELLS // q.shape[1])):
        squares[i[pairs], j[pairs]] = ((q[i[pairs]] - x[j[pairs]]) ** 2).sum(1)
    return squares
