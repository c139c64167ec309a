"""Numbers that a method may not go on with: NaN and the infinities are refused where they arise."""

from __future__ import annotations

import math

import numpy as np

from contracts.errors import NotFinite


def require_finite(loss: float, method: str, epoch: int) -> float:
    """The loss; raises NotFinite, naming method, epoch (from 1) and what to try, where it is none."""
    if not math.isfinite(loss):
        name = method.lower()
        raise NotFinite(f"{name}: expected a finite loss, found {loss} in epoch {epoch}: try a smaller lr")
    return loss


def require_finite_values(values: np.ndarray, what: str, hint: str) -> np.ndarray:
    """The values, any shape; raises NotFinite, naming the first that is none and its row, and what to try.

    what  "method: values"
    """
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise NotFinite(f"{what}: expected finite numbers, found {values[tuple(bad[0])]} in row {bad[0][0]}: {hint}")
    return values
