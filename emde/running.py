"""A session as it runs: its sketches are updated with every event, never made anew (paper 3.3.3: sketches add up)."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch

from contracts import UserError
from emde.inputs import Input
from emde.session import EMDE
from emde.sketch import Sketch

ADDITIVE: tuple[Input, ...] = ("past", "last", "all")
"""Inputs to which an event is added in one step; pairs and places join an event with its neighbours."""


class RunningSession:
    """One session read by a fitted model, event by event, in constant time and memory however long it is.

    Raises UserError for a model that reads more than ``ADDITIVE`` inputs, or ``cooccurrence``.
    """

    def __init__(self, model: EMDE) -> None:
        if not_additive := [part for part in model.inputs if part not in ADDITIVE]:
            raise UserError(f"emde: inputs: expected {', '.join(ADDITIVE)}, found {', '.join(not_additive)}, "
                            "which are no sum over single events")  # fmt: skip
        if model.cooccurrence:
            raise UserError("emde: cooccurrence: expected false, found true, which is no sum over single events")
        self._model = model
        self._network, self._lookup = model._ready(len(model.inputs))
        codes = model._state["codes"]
        self._parts = {part: Sketch(codes, model.width) for part in ADDITIVE}
        self._newest: tuple[int, float, float] | None = None
        self._newest_of_past = 0.0

    def add(self, item: int, time: float, weight: float = 1.0) -> Self:
        """Take an event in; an item that train does not know is passed over. In place.

        item    index in the train catalogue, -1 = unknown
        time    seconds, not before the event added last (UserError)
        weight  how strong the event is, where the data have weights
        """
        if item < 0:
            return self
        everything = self._parts["all"]
        if self._newest is not None:
            item_before, before, weight_before = self._newest
            if time < before:
                raise UserError(f"running session: expected an event not before {before:g} s, found {time:g} s")
            self._parts["past"].fade(self._decay(before - self._newest_of_past)).update(
                np.array([item_before]), weight_before
            )
            self._newest_of_past = before
            everything.fade(self._decay(time - before))
        else:
            self._newest_of_past = time
        everything.update(np.array([item]), weight)
        self._parts["last"] = Sketch(everything.codes, everything.width).update(np.array([item]))
        self._newest = item, time, weight
        return self

    def _decay(self, seconds: float) -> float:
        return float(self._model.alpha ** (self._model.w * seconds))

    @property
    def inputs(self) -> torch.Tensor:
        """What the network reads, float32 [1, inputs * R * W]; ``EMDE.sketches`` of all events so far."""
        parts = [torch.from_numpy(self._parts[part].counts).float()[None] for part in self._model.inputs]
        return self._model.network_input(parts).to(self._lookup.device)

    def recommend(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(items int32 [k], scores float32 [k]) for what comes next, best first."""
        items, scores = self._model._best(self._network, self._lookup, self.inputs, k, None)
        return items[0], scores[0]
