"""Seconds of one training step of EMDE, without running an epoch: the same ``fit``, ended after a few steps."""

from __future__ import annotations

import statistics
import time
from typing import Any

from contracts import Checkpoint, Interactions, Sessions
from emde import EMDE, TopKEMDE


class _Enough(Exception):
    """Ends a fit."""


class _Clock(Checkpoint):
    """Asked after every step whether it is due: notes the time, never writes, and ends the fit after ``steps``."""

    def __init__(self, steps: int) -> None:
        super().__init__(None, {})
        self.steps, self.ended = steps, [time.process_time()]

    def due(self) -> bool:
        self.ended.append(time.process_time())
        if len(self.ended) > self.steps + 1:
            raise _Enough
        return False


def first_steps(
    cls: type[EMDE] | type[TopKEMDE], params: dict[str, Any], train: Sessions | Interactions, steps: int
) -> tuple[Any, float, float]:
    """Fit for one step that is not counted and ``steps`` more.

    Returns (model, ready to recommend; processor seconds per step, the median; processor seconds before the first).
    """
    clock = _Clock(steps)
    timed: Any = type(cls.__name__, (cls,), {"checkpoint": lambda self, train: clock})
    model = timed.create(params)
    began = time.process_time()
    try:
        model.fit(train)
    except _Enough:
        model._network.eval()
    seconds = [after - before for before, after in zip(clock.ended[1:], clock.ended[2:], strict=False)]
    step = statistics.median(seconds)
    return model, step, max(clock.ended[1] - began - step, 0.0)
