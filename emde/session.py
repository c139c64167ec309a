"""EMDE for sessions (paper 4.1.1)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Self

import numpy as np
import torch
from pydantic import Field

from contracts import SessionRecommender, Sessions, require_events
from contracts.device import pick_device
from emde.inputs import Events, Inputs, input_sketch
from emde.model import BATCH, SketchModel
from emde.sketch import normalize

VALID_K = 20
"""Length of the lists whose mean reciprocal rank chooses the epoch."""


class EMDE(SketchModel, SessionRecommender):
    """Session recommender: sketch of the session so far -> network -> sketch of the next item.

    Input: the sketch of all events but the last, with exponential time decay (and each event's weight,
    where the data has some), beside the sketch of the last event; each row L2-normalised. Target: the
    next item's code in every row; loss: cross entropy per row, averaged. Every prefix of every train
    session is an example. With ``validation``, the sessions that end last are held out (their items'
    codes included), and the epoch of the largest MRR@20 on them is kept.
    """

    citation: ClassVar[str] = "Dabrowski et al., An efficient manifold density estimator, arXiv 2006.01894"

    alpha: float = Field(0.9, gt=0, le=1, description="base of the time decay alpha^(w seconds) (paper, Table 10)")
    w: float = Field(0.01, ge=0, description="exponent of the time decay per second")
    inputs: Inputs = Field(
        ("past", "last"),
        description="input sketches: past (all events but the last, decayed), last, all (both in one), pairs (of "
        "consecutive events), places (events with their position from the end)",
    )
    max_prefixes: int = Field(0, ge=0, description="training prefixes per session, the longest ones; 0: all")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "emde")
        columns = {"items": train.items, "times": train.times, "offsets": train.offsets, "weights": train.weights}
        checkpoint = self.checkpoint(columns)
        train, held_out = self._hold_out(train)
        codes_rng, rng = self._rngs()
        codes = self._codes(train, codes_rng)
        device = pick_device(self.device)
        table = torch.from_numpy(codes).to(device)
        events = Events(train, device)
        starts, targets = _examples(train, self.max_prefixes)
        network = self._new_network(len(self.inputs), codes.shape[1], rng)

        def batch_loss(batch: torch.Tensor, rows: slice) -> torch.Tensor:
            batch = batch[rows]
            start, target = starts[batch].to(device), targets[batch].to(device)
            log_p = self.log_probabilities(network(self._inputs(table, events, start, target)))
            next_codes = table[events.items[target]].long()
            return -log_p.gather(-1, next_codes[..., None]).mean()

        counts = np.bincount(train.items[train.items >= 0], minlength=train.n_items)
        validate = partial(self._reciprocal_rank, held_out)
        self._train(network, codes, counts, len(starts), batch_loss, validate, rng, checkpoint)
        return self

    def _hold_out(self, train: Sessions) -> tuple[Sessions, Sessions]:
        """(train, held out): the share ``validation`` of the sessions, those that end last."""
        order = np.argsort(train.last_times, kind="stable")
        kept = len(train) - int(len(train) * self.validation)
        return (train.take(np.sort(order[:kept])) if self.validation else train), train.take(np.sort(order[kept:]))

    def _reciprocal_rank(self, sessions: Sessions) -> float:
        """Mean reciprocal rank, within a list of 20, of every event after the first."""
        starts, targets = (index.numpy() for index in _examples(sessions))
        prefixes = sessions.windows(starts, targets, sessions.session_of_event[targets])
        listed, _ = self.recommend(prefixes, VALID_K)
        hits = listed == sessions.items[targets][:, None]
        return float((hits / np.arange(1, VALID_K + 1)).sum() / max(len(hits), 1))

    def sketches(self, prefixes: Sessions) -> torch.Tensor:
        """Input sketches [sessions, inputs * R * W] of prefixes, as the fitted network reads them."""
        device = pick_device(self.device)
        events = Events(prefixes, device)
        return self._inputs(
            torch.from_numpy(self._state["codes"]).to(device), events, events.offsets[:-1], events.offsets[1:]
        )

    def _inputs(self, codes: torch.Tensor, events: Events, starts: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """Input sketches [B, inputs * R * W] of the prefixes ``events[starts:ends]``, L2-normalised per row."""
        parts = [
            input_sketch(part, codes, events, starts, ends, self.alpha, self.w, self.width) for part in self.inputs
        ]
        return torch.cat([normalize(part, 2).flatten(1) for part in parts], dim=1)

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        network, lookup = self._ready(len(self.inputs))
        items = np.empty((len(prefixes), k), np.int32)
        scores = np.empty((len(prefixes), k), np.float32)
        for row in range(0, len(prefixes), BATCH):
            rows = np.arange(row, min(row + BATCH, len(prefixes)))
            inputs = self.sketches(prefixes.take(rows))
            items[rows], scores[rows] = self._best(network, lookup, inputs, k, None)
        return items, scores


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
