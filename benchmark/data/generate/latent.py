"""The truth behind generated data: items in clusters on a torus, a Zipf law of popularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Latent:
    """positions [items, 2] in [0, 1)^2 (a torus), cluster [items], popularity [items] (sums to 1)."""

    positions: np.ndarray
    cluster: np.ndarray
    popularity: np.ndarray


def draw(random: np.random.Generator, items: int, clusters: int, spread: float, zipf: float) -> Latent:
    """Cluster centres uniform on the torus, items normal around them with sd ``spread``."""
    centres = random.random((clusters, 2))
    cluster = random.integers(clusters, size=items)
    positions = (centres[cluster] + random.normal(0, spread, (items, 2))) % 1.0
    popularity = 1.0 / (1.0 + random.permutation(items)) ** zipf
    return Latent(positions, cluster, popularity / popularity.sum())


def closeness(a: np.ndarray, b: np.ndarray, sd: float) -> np.ndarray:
    """Gaussian kernel of the torus distance between points a [n, 2] and b [m, 2]: [n, m]."""
    gap = np.abs(a[:, None, :] - b[None, :, :])
    gap = np.minimum(gap, 1.0 - gap)
    return np.exp(-(gap**2).sum(axis=2) / (2 * sd**2))


def choose(random: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """One column per row of ``weights`` [n, m], with probability proportional to its weight: [n]."""
    steps = np.cumsum(weights, axis=1)
    level = random.random(len(weights)) * steps[:, -1]
    return np.minimum((steps <= level[:, None]).sum(axis=1), weights.shape[1] - 1)


def bins(random: np.random.Generator, coordinate: np.ndarray, count: int, noise: float) -> np.ndarray:
    """The bin of each coordinate in [0, 1), replaced by a random one with probability ``noise``."""
    true = (coordinate * count).astype(int)
    wrong = random.random(len(true)) < noise
    return np.where(wrong, random.integers(count, size=len(true)), true)
