"""Users x items: the only form in which top-k data reaches a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Interactions:
    """What users liked (and disliked), as sparse rows over the same items.

    liked       float32 CSR [users, items], 1.0 where the rating is positive (>= 4.0)
    disliked    the same shape, 1.0 where a rating below 4.0 was given; None where unknown
    attributes  name -> CSR [items, tokens]
    vectors     name -> float32 [items, d]: given item vectors; a zero row = unknown
    weights     float32 CSR, the pattern of ``liked``: how strong each like is (its rating, say); None: all alike
    """

    liked: sp.csr_matrix
    disliked: sp.csr_matrix | None = None
    attributes: Mapping[str, sp.csr_matrix] = field(default_factory=dict)
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: sp.csr_matrix | None = None

    def __post_init__(self) -> None:
        if self.disliked is not None and self.disliked.shape != self.liked.shape:
            raise ValueError(f"Interactions: liked is {self.liked.shape}, disliked {self.disliked.shape}")
        weights, liked = self.weights, self.liked
        if weights is not None and not (
            np.array_equal(weights.indptr, liked.indptr) and np.array_equal(weights.indices, liked.indices)
        ):
            raise ValueError("Interactions: weights and liked must have the same stored entries")

    def __len__(self) -> int:
        return self.liked.shape[0]

    @property
    def n_items(self) -> int:
        return self.liked.shape[1]

    def take(self, rows: np.ndarray | slice) -> Interactions:
        """The users ``rows``, in that order."""
        disliked = None if self.disliked is None else self.disliked[rows]
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, liked=self.liked[rows], disliked=disliked, weights=weights)
