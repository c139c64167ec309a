"""What the adapters of the ``implicit`` library share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from contracts.errors import NotFinite
from contracts.finite import require_finite_values


def create(model: Callable[..., Any], **settings: Any) -> Any:
    """A model of ``implicit``; it spreads rows over threads of its own and would warn of BLAS's beside them."""
    with threadpool_limits(1, "blas"):
        return model(**settings)


def fit_factors(model: Any, liked: sp.csr_matrix, method: str, hint: str) -> np.ndarray:
    """Train a model of ``implicit`` on likes; its item vectors, float32 [items, columns].

    Raises NotFinite, with a hint what to try, where the training leaves the finite numbers.
    """
    from implicit.recommender_base import ModelFitError

    with threadpool_limits(1, "blas"):
        try:
            model.fit(liked, show_progress=False)
        except ModelFitError:
            raise NotFinite(f"{method}: the training diverged, expected finite factors: {hint}") from None
    return require_finite_values(np.asarray(model.item_factors, np.float32), f"{method}: item factors", hint)
