"""EASE^R: a full-rank linear item-item model with a closed form."""

from __future__ import annotations

from typing import ClassVar, Self

import numba
import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field, PrivateAttr
from scipy.linalg.lapack import dpotrf, dpotri

from baselines.topk.shared.gram import gram_matrix
from baselines.topk.shared.scoring import recommend_in_blocks
from contracts import Interactions, TopKRecommender, UserError, for_chunks, require_events
from contracts.runtime.best import best
from contracts.runtime.device import Device, pick_device, require_memory, send

USERS_ON_DEVICE = 4096
"""Users made dense at once on a GPU: 4,096 x 20,000 float32 = 320 MB."""


@numba.njit(cache=True, nogil=True)
def _weights_rows(start, stop, inverse, diagonal, weights):
    # inverse holds only its upper triangle. Row j below the diagonal is column j above it, so both
    # halves are written from one read, in tiles that keep the strided half in cache.
    n = inverse.shape[0]
    tile = stop - start
    for left in range(start, n, tile):
        for i in range(start, stop):
            for j in range(max(i + 1, left), min(left + tile, n)):
                entry = inverse[i, j]
                weights[i, j] = -entry / diagonal[j]
                weights[j, i] = -entry / diagonal[i]


def inverse_upper(matrix: np.ndarray) -> np.ndarray:
    """Overwrite the upper triangle of a symmetric positive definite float64 matrix by its inverse's.

    Cholesky in place (LAPACK potrf, potri): no second n x n matrix if ``matrix`` is C-ordered. The
    lower triangle is left undefined. Raises numpy.linalg.LinAlgError if the matrix is not positive definite.
    """
    # LAPACK reads columns first: the transpose is the same matrix and the same memory.
    factor, info = dpotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    if info == 0:
        factor, info = dpotri(factor, lower=True, overwrite_c=True)
    if info != 0:
        raise np.linalg.LinAlgError(f"not positive definite at row {info}")
    return factor.T


def weights_in_place(liked: sp.csr_matrix, l2: float) -> np.ndarray:
    """EASE's weights B, float32 [items, items], on the CPU; one float64 matrix of that shape beside them.

    Raises numpy.linalg.LinAlgError if X'X + l2 I is not positive definite.
    """
    gram = gram_matrix(liked, np.float64)
    gram[np.diag_indices_from(gram)] += l2
    inverse = inverse_upper(gram)
    diagonal = inverse.diagonal().copy()
    weights = np.zeros(inverse.shape, np.float32)
    for_chunks(len(diagonal), lambda start, stop: _weights_rows(start, stop, inverse, diagonal, weights), 64)
    return weights


def weights_on(device: torch.device, liked: sp.csr_matrix, l2: float) -> np.ndarray:
    """EASE's weights B, float32 [items, items], computed by torch on ``device``.

    The Gram matrix is a sum over blocks of users made dense there: counts, exact in float32 below 2^24
    users. Factor and inverse are float64; at most two such matrices of items x items exist at once.
    Raises numpy.linalg.LinAlgError if X'X + l2 I is not positive definite.
    """
    n_items = liked.shape[1]
    counts = torch.zeros((n_items, n_items), device=device)
    for start in range(0, liked.shape[0], USERS_ON_DEVICE):
        block = send(liked[start : start + USERS_ON_DEVICE].toarray(), device)
        counts.addmm_(block.T, block)
    gram = counts.double()
    del counts
    gram.diagonal().add_(l2)
    factor, info = torch.linalg.cholesky_ex(gram)
    del gram
    row = int(info)
    if row != 0:
        raise np.linalg.LinAlgError(f"not positive definite at row {row}")
    inverse = torch.cholesky_inverse(factor)
    del factor
    inverse /= -inverse.diagonal().clone()
    weights = inverse.float()
    weights.fill_diagonal_(0)
    return weights.cpu().numpy()


def bytes_on_device(n_items: int, n_users: int) -> int:
    """What ``weights_on`` needs at most: two float64 matrices, or the counts and the users made dense beside them."""
    return max(16 * n_items**2, 4 * n_items**2 + 4 * n_items * min(n_users, USERS_ON_DEVICE))


class Ease(TopKRecommender):
    """Ridge regression of every item on all others, each item's own weight held at zero.

    G = X'X + l2 I,  P = G^-1,  B_ij = -P_ij / P_jj,  B_ii = 0;  scores = profile B.

    l2: weight of the ridge penalty; published best 679 (ML-20M), 1170 (Netflix).
    Reference: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, Algorithm 1.
    Memory while fitting n items: 12 n^2 bytes (the float64 inverse in place and the float32 result);
    on a GPU 16 n^2 there and 4 n^2 here.
    Differs from the framework: the inverse is by Cholesky in float64 (there: a general inverse in
    float32); lists agree except for ties.
    """

    citation: ClassVar[str] = "Steck, WWW 2019, arXiv 1905.03375"

    l2: float = Field(default=200.0, gt=0, description="Ridge penalty added to the diagonal of X'X")
    device: Device = Field(default="auto", description="where the weights are computed; auto: CUDA where available")

    _there: torch.Tensor | None = PrivateAttr(None)

    def fit(self, train: Interactions) -> Self:
        """Solve for the item-item weights B, float32 [items, items]."""
        require_events(train, "ease")
        device = pick_device(self.device)
        self._there = None
        require_memory(device, bytes_on_device(train.n_items, len(train)), "ease")
        try:
            if device.type == "cpu":
                self._state["weights"] = weights_in_place(train.liked, self.l2)
            else:
                self._state["weights"] = weights_on(device, train.liked, self.l2)
        except np.linalg.LinAlgError as error:
            raise UserError(f"ease: parameter 'l2': X'X + {self.l2} I is {error}; expected a larger l2") from None
        return self

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items by the sum of the profile items' weights towards them."""
        device, weights = pick_device(self.device), self._state["weights"]
        if device.type == "cpu":
            return recommend_in_blocks(profiles, k, exclude, lambda liked: liked @ weights)
        if self._there is None:
            self._there = send(weights, device)
        there = self._there
        return recommend_in_blocks(
            profiles, k, exclude, lambda liked: send(liked.toarray().astype(np.float32), device) @ there, best
        )
