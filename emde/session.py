"""EMDE for sessions (paper 4.1.1)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Self

import numpy as np
import torch
from pydantic import Field

from contracts import SessionRecommender, Sessions, require_events
from contracts.device import pick_device
from emde.model import BATCH, SketchModel
from emde.sketch import decay, normalize, ragged, sketch

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

    def fit(self, train: Sessions) -> Self:
        require_events(train, "emde")
        columns = {"items": train.items, "times": train.times, "offsets": train.offsets, "weights": train.weights}
        checkpoint = self.checkpoint(columns)
        train, held_out = self._hold_out(train)
        codes_rng, rng = self._rngs()
        codes = self._codes(train, codes_rng)
        device = pick_device(self.device)
        table = torch.from_numpy(codes).to(device)
        events = _Events(train, device)
        starts, targets = _examples(train)
        network = self._new_network(2, codes.shape[1], rng)

        def batch_loss(batch: torch.Tensor) -> torch.Tensor:
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
        """Input sketches [sessions, 2 * R * W] of prefixes, as the fitted network reads them."""
        device = pick_device(self.device)
        events = _Events(prefixes, device)
        return self._inputs(
            torch.from_numpy(self._state["codes"]).to(device), events, events.offsets[:-1], events.offsets[1:]
        )

    def _inputs(self, codes: torch.Tensor, events: _Events, starts: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """Input sketches [B, 2 * R * W] of the prefixes ``events[starts:ends]``."""
        shape = (len(starts), codes.shape[1], self.width)
        history, rows = ragged(starts, ends - 1)
        age = events.times[(ends - 2).clamp_min(0)][rows] - events.times[history]
        weights = decay(age, self.alpha, self.w) * events.weights[history]
        past = sketch(codes, events.items[history], rows, weights, shape)
        last, rows = ragged(torch.maximum(ends - 1, starts), ends)
        current = sketch(codes, events.items[last], rows, torch.ones_like(last, dtype=torch.float32), shape)
        return torch.cat([normalize(past, 2).flatten(1), normalize(current, 2).flatten(1)], dim=1)

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        network, lookup = self._ready(2)
        items = np.empty((len(prefixes), k), np.int32)
        scores = np.empty((len(prefixes), k), np.float32)
        for row in range(0, len(prefixes), BATCH):
            rows = np.arange(row, min(row + BATCH, len(prefixes)))
            inputs = self.sketches(prefixes.take(rows))
            items[rows], scores[rows] = self._best(network, lookup, inputs, k, None)
        return items, scores


class _Events:
    """The event columns of sessions on a device, items unknown to train left out."""

    def __init__(self, sessions: Sessions, device: torch.device) -> None:
        known = sessions.items >= 0
        before = np.concatenate([[0], np.cumsum(known)])
        weights = np.ones(sessions.n_events, np.float32) if sessions.weights is None else sessions.weights
        # one event behind the last, so that an empty prefix at the end has a place to point to
        self.items = torch.from_numpy(np.append(sessions.items[known], 0).astype(np.int64)).to(device)
        self.times = torch.from_numpy(np.append(sessions.times[known], 0.0)).to(device)
        self.weights = torch.from_numpy(np.append(weights[known], np.float32(0))).to(device)
        self.offsets = torch.from_numpy(before[sessions.offsets]).to(device)


def _examples(train: Sessions) -> tuple[torch.Tensor, torch.Tensor]:
    """Every (session start, target event) with a non-empty prefix, int64 event indices on the CPU."""
    first = np.repeat(train.offsets[:-1], train.lengths)
    target = np.arange(train.n_events)
    keep = target > first
    return torch.from_numpy(first[keep]), torch.from_numpy(target[keep])
