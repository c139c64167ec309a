"""EMDE for sessions (paper 4.1.1)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr

from contracts import SessionRecommender, Sessions, blocks, require_events
from contracts.ranking import CUT, ranks_of, validation_row
from contracts.runtime.device import pick_device, send
from contracts.runtime.training import Row, noise
from emde.cooccurrence import SKETCHES, CoOccurrence
from emde.decode import BATCH, code_table
from emde.inputs import Events, Inputs, Ranges, input_sketch
from emde.model import Draws, SketchModel
from emde.train import Chosen

EVENTS = 1 << 18
"""Events sketched at once, each in every row of the codes; a batch of very long sessions is sketched in parts."""
HELD = 1 << 21
"""Events of held-out prefixes at once."""
EVENT_BYTES = 44
"""Of a train event on a device: item, time, weight; as an example its start, itself, its place in the order."""


class EMDE(SketchModel, SessionRecommender):
    """Session recommender: sketch of the session so far -> network -> sketch of the next item.

    Input: the sketch of all events but the last, with exponential time decay (and each event's weight,
    where the data has some), beside the sketch of the last event; each row L2-normalised (paper 3.3.4). Target: the
    next item's code in every row; loss: cross entropy per row, averaged. Every prefix of every train
    session is an example. With ``validation``, the sessions that end last are held out (their items'
    codes included), and the epoch of the largest MRR@20 on them is kept.
    """

    citation: ClassVar[str] = "Dabrowski et al., An efficient manifold density estimator, arXiv 2006.01894"

    alpha: float = Field(0.9, gt=0, le=1, description="base of the time decay alpha^(w seconds) (paper, Table 10)")
    w: float = Field(0.01, ge=0, description="exponent of the time decay per second")
    inputs: Inputs = Field(
        ("past", "last"),
        description="input sketches: past (all events but the last, decayed), last, all (both in one), first, pairs "
        "(of consecutive events), places (events with their position from the end)",
    )
    smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target that is spread over all regions of a row (label smoothing)"
    )
    cooccurrence: bool = Field(
        False,
        description="sketches of what stood near the session's items in train and of what came after the last one and "
        "two, counted without the example's own session, go to the logits, times learned factors",
    )
    max_prefixes: int = Field(0, ge=0, description="training prefixes per session, the longest ones; 0: all")
    attributes: Literal["all", "as-of-train"] = Field(
        "as-of-train",
        description="values of item attributes: every one they had at any time (as the authors' code reads them), or "
        "the last one known at the end of train; what was bought, shown or listed later is never seen",
    )

    past_layers: ClassVar[tuple[str, ...]] = ("skip", "cooccurrence")

    _counted: CoOccurrence | None = PrivateAttr(None)

    @property
    def _beside(self) -> int:
        return SKETCHES if self.cooccurrence else 0

    def fit(self, train: Sessions) -> Self:
        require_events(train, "emde")
        if self.attributes == "all":
            train = replace(train, attributes={**train.attributes, **train.ever})
        columns = {"items": train.items, "times": train.times, "offsets": train.offsets, "weights": train.weights}
        described = {f"attribute {name}": matrix for name, matrix in train.attributes.items()}
        checkpoint = self.checkpoint({**columns, **described})
        train, held_out = self._hold_out(train)
        codes_rng, rng = self._rngs()
        codes = self._codes(train, codes_rng)
        device = pick_device(self.device)
        masks = noise(rng, device)
        self._counted = CoOccurrence.of(train, codes, self.width) if self.cooccurrence else None
        data = data_bytes(train.n_events, codes.size)
        network = self._new_network(len(self.inputs), codes.shape[1], rng, masks, data)
        table, events = code_table(codes, device), Events(train, device)
        starts, targets = _examples(train, self.max_prefixes)
        lengths = (targets - starts).numpy()
        starts, targets = send(starts, device), send(targets, device)

        def batch_loss(batch: Chosen) -> torch.Tensor:
            target = targets[batch.there]
            prefixes = Ranges(starts[batch.there], target, lengths[batch.here.numpy()])
            log_p = self.log_probabilities(network(self._inputs(table, events, prefixes, train.offsets)))
            next_codes = table[events.items[target]].long()
            loss = -log_p.gather(-1, next_codes[..., None]).mean()
            return (1 - self.smoothing) * loss - self.smoothing * log_p.mean() if self.smoothing else loss

        counts = np.bincount(train.items[train.items >= 0], minlength=train.n_items)
        validate = partial(self._validate, held_out)
        self._train(network, codes, counts, len(starts), batch_loss, validate, Draws(rng, masks), checkpoint)
        if self._counted is not None:
            self._state.update(self._counted.state())
        return self

    def _hold_out(self, train: Sessions) -> tuple[Sessions, Sessions]:
        """(train, held out): the share ``validation`` of the sessions, those that end last."""
        order = np.argsort(train.last_times, kind="stable")
        kept = len(train) - int(len(train) * self.validation)
        return (train.take(np.sort(order[:kept])) if self.validation else train), train.take(np.sort(order[kept:]))

    def _validate(self, sessions: Sessions) -> Row:
        """MRR and hit rate, within lists of 20, of every event after the first."""
        starts, targets = (index.numpy() for index in _examples(sessions))
        owners = sessions.session_of_event[targets]
        listed = np.empty((len(targets), CUT), np.int32)
        for start, stop in blocks(targets - starts, len(targets), HELD):
            rows = slice(start, stop)
            listed[rows], _ = self.recommend(sessions.windows(starts[rows], targets[rows], owners[rows]), CUT)
        return validation_row(ranks_of(listed, sessions.items[targets]))

    def sketches(self, prefixes: Sessions) -> torch.Tensor:
        """Sketches [sessions, sketches * R * W] of prefixes, as the fitted network reads them."""
        _, lookup = self._ready(len(self.inputs))
        if self.cooccurrence and self._counted is None:
            self._counted = CoOccurrence.load(self._state, self.width)
        events = Events(prefixes, lookup.device)
        return self._inputs(lookup.table, events, events.sessions)

    def _inputs(
        self, codes: torch.Tensor, events: Events, prefixes: Ranges, sessions: np.ndarray | None = None
    ) -> torch.Tensor:
        """Sketches [B, sketches * R * W] of prefixes: the layers' inputs, and behind them what was counted.

        sessions  where the sessions of train start, if the prefixes are of these
        """
        inputs = self._of_events(codes, events, prefixes)
        if self._counted is None:
            return inputs
        return torch.cat([inputs, self._counted.sketches(events, prefixes, sessions)], dim=1)

    def _of_events(self, codes: torch.Tensor, events: Events, prefixes: Ranges) -> torch.Tensor:
        lengths = prefixes.lengths
        if lengths.sum() > EVENTS and len(lengths) > 1:
            pieces = [slice(start, stop) for start, stop in blocks(lengths, len(lengths), EVENTS)]
            return torch.cat([self._at_once(codes, events, prefixes[rows]) for rows in pieces])
        return self._at_once(codes, events, prefixes)

    def _at_once(self, codes: torch.Tensor, events: Events, prefixes: Ranges) -> torch.Tensor:
        parts = [input_sketch(part, codes, events, prefixes, self.alpha, self.w, self.width) for part in self.inputs]
        return self.network_input(parts)

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        network, lookup = self._ready(len(self.inputs))
        items = np.empty((len(prefixes), k), np.int32)
        scores = np.empty((len(prefixes), k), np.float32)
        for row in range(0, len(prefixes), BATCH):
            rows = np.arange(row, min(row + BATCH, len(prefixes)))
            inputs = self.sketches(prefixes.take(rows))
            items[rows], scores[rows] = self._best(network, lookup, inputs, k, None)
        return items, scores


def data_bytes(events: int, codes: int) -> int:
    """What so many train events and codes (int32) take on a device."""
    return EVENT_BYTES * events + 4 * codes


def _examples(train: Sessions, most: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Every (session start, target event) with a non-empty prefix, int64 event indices on the CPU.

    most  only so many of each session, those of its last targets; 0: all
    """
    first = np.repeat(train.offsets[:-1], train.lengths)
    target = np.arange(train.n_events)
    keep = target > first
    if most:
        keep &= target >= np.repeat(train.offsets[1:], train.lengths) - most
    return torch.from_numpy(first[keep]), torch.from_numpy(target[keep])
