"""Decoders: from an output sketch to item scores (paper 3.3.5, Table 6).

p[r, :] is a probability distribution over the W regions of row r (one depth of one modality). Item i
looks up p[r, code_r(i)] in every row; a decoder turns these R numbers into one score.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import torch

Decoder = Literal["gmean", "min", "mean", "hmean", "popularity"]
FLOOR = 1e-30
"""Probabilities are clamped here before a logarithm or a reciprocal."""


class ItemLookup:
    """The catalogue's codes, ready for scoring.

    codes  uint8 / uint16 [items, R]
    width  W = 2^K
    Sums over rows are one sparse product with the 0/1 matrix [items, R * W] that has a one at
    every item's regions.
    """

    def __init__(self, codes: np.ndarray, width: int, device: torch.device) -> None:
        items, rows = codes.shape
        self.rows, self.width = rows, width
        self.columns = torch.from_numpy(np.arange(rows) * width + codes.astype(np.int64)).to(device)
        indptr = torch.arange(items + 1, device=device) * rows
        ones = torch.ones(items * rows, device=device)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            self.matrix = torch.sparse_csr_tensor(
                indptr, self.columns.reshape(-1), ones, (items, rows * width), check_invariants=False
            )

    def sums(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over rows of values [B, R, W] at each item's codes: [B, items]."""
        return (self.matrix @ values.reshape(len(values), -1).T).T

    def minimum(self, values: torch.Tensor) -> torch.Tensor:
        """Minimum over rows of values [B, R, W] at each item's codes: [B, items]."""
        flat = values.reshape(len(values), -1)
        best = flat[:, self.columns[:, 0]]
        for row in range(1, self.rows):
            best = torch.minimum(best, flat[:, self.columns[:, row]])
        return best

    def score(self, p: torch.Tensor, decoder: Decoder, log_prior: torch.Tensor | None = None) -> torch.Tensor:
        """Scores [B, items] of probabilities p [B, R, W] (float32).

        gmean exp(mean log p), hmean 1 / mean(1 / p), mean, min; popularity (the release's live path):
        sum over rows of [log p - log share of the bucket among training events] + log share of the
        item, where ``log_prior`` [items] holds the parts that do not depend on p.
        """
        if decoder == "gmean":
            return torch.exp(self.sums(torch.log(p.clamp_min(FLOOR))) / self.rows)
        if decoder == "mean":
            return self.sums(p) / self.rows
        if decoder == "hmean":
            return self.rows / self.sums(1.0 / p.clamp_min(FLOOR))
        if decoder == "min":
            return self.minimum(p)
        if log_prior is None:
            raise ValueError("the popularity decoder needs log_prior")
        return self.sums(torch.log(p.clamp_min(FLOOR))) + log_prior


def popularity_prior(codes: np.ndarray, width: int, counts: np.ndarray) -> np.ndarray:
    """log share of each item minus the sum over rows of the log share of its bucket, float32 [items].

    counts  training events per item [items]
    """
    share = counts / counts.sum()
    prior = np.log(np.maximum(share, FLOOR))
    for row in range(codes.shape[1]):
        buckets = np.bincount(codes[:, row], weights=share, minlength=width)
        prior = prior - np.log(np.maximum(buckets[codes[:, row]], FLOOR))
    return prior.astype(np.float32)
