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
    """

    liked: sp.csr_matrix
    disliked: sp.csr_matrix | None = None
    attributes: Mapping[str, sp.csr_matrix] = field(default_factory=dict)
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.disliked is not None and self.disliked.shape != self.liked.shape:
            raise ValueError(f"Interactions: liked is {self.liked.shape}, disliked {self.disliked.shape}")

    def __len__(self) -> int:
        return self.liked.shape[0]

    @property
    def n_items(self) -> int:
        return self.liked.shape[1]

    def take(self, rows: np.ndarray | slice) -> Interactions:
        """The users ``rows``, in that order."""
        disliked = None if self.disliked is None else self.disliked[rows]
        return replace(self, liked=self.liked[rows], disliked=disliked)
