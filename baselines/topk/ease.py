"""EASE^R: a full-rank linear item-item model with a closed form."""

from __future__ import annotations

from typing import ClassVar, Self

import numba
import numpy as np
import scipy.sparse as sp
from pydantic import Field
from scipy.linalg.lapack import dpotrf, dpotri

from baselines.topk.shared.gram import gram_matrix
from baselines.topk.shared.scoring import recommend_in_blocks
from contracts import Interactions, TopKRecommender, UserError, for_chunks, require_events


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


class Ease(TopKRecommender):
    """Ridge regression of every item on all others, each item's own weight held at zero.

    G = X'X + l2 I,  P = G^-1,  B_ij = -P_ij / P_jj,  B_ii = 0;  scores = profile B.

    l2: weight of the ridge penalty; published best 679 (ML-20M), 1170 (Netflix).
    Reference: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019, Algorithm 1.
    Memory while fitting n items: 12 n^2 bytes (the float64 inverse in place and the float32 result).
    Differs from the framework: the inverse is by Cholesky in float64 (there: a general inverse in
    float32); lists agree except for ties.
    """

    citation: ClassVar[str] = "Steck, WWW 2019, arXiv 1905.03375"

    l2: float = Field(default=200.0, gt=0, description="Ridge penalty added to the diagonal of X'X")

    def fit(self, train: Interactions) -> Self:
        """Solve for the item-item weights B, float32 [items, items]."""
        require_events(train, "ease")
        gram = gram_matrix(train.liked, np.float64)
        gram[np.diag_indices_from(gram)] += self.l2
        try:
            inverse = inverse_upper(gram)
        except np.linalg.LinAlgError as error:
            raise UserError(f"ease: parameter 'l2': X'X + {self.l2} I is {error}; expected a larger l2") from None
        diagonal = inverse.diagonal().copy()
        weights = np.zeros(inverse.shape, np.float32)
        for_chunks(len(diagonal), lambda start, stop: _weights_rows(start, stop, inverse, diagonal, weights), 64)
        self._state["weights"] = weights
        return self

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items by the sum of the profile items' weights towards them."""
        weights = self._state["weights"]
        return recommend_in_blocks(profiles, k, exclude, lambda liked: liked @ weights)
