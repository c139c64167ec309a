"""EMDE for top-k recommendation (paper 4.1.2), with and without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field, PrivateAttr

from contracts import RANDOM, Interactions, Source, SourceKind, TopKRecommender, UserError, require_events
from contracts.ranking import CUT
from contracts.runtime.device import Device, pick_device, send
from contracts.runtime.training import Row, noise
from emde.coders import Coding
from emde.decode import BATCH, ItemLookup, code_table
from emde.modality import Modalities, Modality, item_codes
from emde.model import Coded, Draws, SketchModel
from emde.sketch import normalize, ragged, sketch
from emde.train import Chosen

USER = Source.group("user")


class TopKEMDE(SketchModel, TopKRecommender):
    """Top-k recommender: sketch of part of a user's items -> one hidden layer -> sketch of the rest.

    In training a user's items are shuffled anew each time; ``input_share`` of them form the input,
    the others the target: a distribution with several non-zeros per row (L1-normalised). Loss: soft
    cross entropy (= KL divergence up to a constant), averaged over rows.
    """

    citation: ClassVar[str] = "Dabrowski et al., An efficient manifold density estimator, arXiv 2006.01894"

    modalities: Modalities = Field(
        (Modality(group=USER, iterations=2), Modality(group=RANDOM)), description="where item codes come from"
    )
    hidden: int = Field(12000, ge=1, description="units of the hidden layer (paper: 12,000)")
    layers: int = Field(1, ge=0, description="hidden layers (paper: 1; 0: one linear map from sketch to sketch)")
    input_share: float = Field(0.8, gt=0, lt=1, description="share of a user's items in the input sketch")
    dislikes: bool = Field(False, description="add the sketch of disliked items (rating < 4) as an input (EMDE MM)")

    @property
    def needs(self) -> list[Source]:
        return [*super().needs, *[Source(SourceKind.DISLIKES)] * self.dislikes]

    def fit(self, train: Interactions) -> Self:
        require_events(train, "emde")
        parts = {"liked": train.liked, "disliked": train.disliked, "weights": train.weights}
        checkpoint = self.checkpoint(parts)
        kept = len(train) - int(len(train) * self.validation)
        train, held_out = train.take(slice(0, kept)), train.take(slice(kept, len(train)))
        codes_rng, rng = self._rngs()
        codes = self._codes(train, codes_rng)
        device = pick_device(self.device)
        draws = noise(rng, device)
        network = self._new_network(2 if self.dislikes else 1, codes.shape[1], rng, draws)
        table = code_table(codes, device)
        users = train.take(np.flatnonzero(np.diff(train.liked.indptr) >= 2))
        liked, disliked = _liked(users, device), self._disliked(users, device)

        def batch_loss(batch: Chosen) -> torch.Tensor:
            fold_in, target_items = _split(liked.of(batch), self.input_share, draws)
            log_p = self.log_probabilities(network(self._inputs(table, fold_in, disliked, batch)))
            shape = (len(batch.here), table.shape[1], self.width)
            target = normalize(sketch(table, target_items.items, target_items.owner, target_items.weights, shape), 1)
            return -(target * log_p).sum(-1).mean()

        counts = np.bincount(train.liked.indices, minlength=train.n_items)
        validate = partial(self._validate, held_out)
        self._train(network, codes, counts, len(users), batch_loss, validate, Draws(rng, draws), checkpoint)
        return self

    def _validate(self, users: Interactions) -> Row:
        """Mean recall in lists of 20 of the last items of users whose first ``input_share`` are the fold-in."""
        sizes = np.diff(users.liked.indptr)
        place = np.arange(users.liked.nnz) - np.repeat(users.liked.indptr[:-1], sizes)
        fold_in = users.liked.copy()
        fold_in.data = (place < np.repeat(np.ceil(sizes * self.input_share), sizes)).astype(np.float32)
        held_out = users.liked - fold_in
        fold_in.eliminate_zeros()
        held_out.eliminate_zeros()
        known = np.flatnonzero(np.diff(held_out.indptr))
        profiles = replace(users, liked=fold_in, weights=None).take(known)
        items, _ = self.recommend(profiles, CUT, profiles.liked)
        hits = held_out[np.repeat(known, CUT), np.maximum(items, 0).ravel()].reshape(len(known), CUT)
        possible = np.minimum(np.diff(held_out.indptr)[known], CUT)
        recall = float(np.mean(np.asarray((hits != 0).sum(axis=1)).ravel() / possible)) if len(known) else 0.0
        return {"valid_recall": recall}

    def _disliked(self, users: Interactions, device: torch.device) -> _Rows | None:
        if not self.dislikes:
            return None
        if users.disliked is None:
            raise UserError("emde: 'dislikes': expected data with ratings below the threshold, found none")
        return _Rows(users.disliked, None, device)

    def _inputs(self, codes: torch.Tensor, liked: _Items, disliked: _Rows | None, batch: Chosen) -> torch.Tensor:
        """Input sketches [B, inputs * R * W] of what each user likes (and dislikes)."""
        shape = (len(batch.here), codes.shape[1], self.width)
        parts = [liked] if disliked is None else [liked, disliked.of(batch)]
        sketches = [sketch(codes, part.items, part.owner, part.weights, shape) for part in parts]
        return self.network_input(sketches)

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        network, lookup = self._ready(2 if self.dislikes else 1)
        device, table = lookup.device, lookup.table
        liked, disliked = _liked(profiles, device), self._disliked(profiles, device)

        def best(batch: Chosen, hidden: sp.csr_matrix | None) -> tuple[np.ndarray, np.ndarray]:
            inputs = self._inputs(table, liked.of(batch), disliked, batch)
            return self._best(network, lookup, inputs, k, hidden)

        return _in_batches(best, len(profiles), k, exclude, device)


class PureEMDE(Coded, TopKRecommender):
    """No network: an item's score is the density of the user's own items at the item (paper, Table 7).

    The user's liked-item sketch, L1-normalised per row, is queried at every item. ``popularity``
    multiplies the score by the item's number of train users.
    """

    citation: ClassVar[str] = "Dabrowski et al., An efficient manifold density estimator, arXiv 2006.01894"

    modalities: Modalities = Field((Modality(group=USER),), description="where item codes come from")
    decoder: Literal["gmean", "min", "mean", "hmean"] = Field("gmean", description="how rows are combined")
    floor: float = Field(
        1e-3, gt=0, description="added to every bucket's share: without it one empty bucket makes a geometric mean zero"
    )
    popularity: bool = Field(False, description="multiply the score by the item's popularity (Pure EMDE + Pop)")
    device: Device = "auto"
    seed: int = Field(0, ge=0)

    _lookup: ItemLookup | None = PrivateAttr(None)

    def fit(self, train: Interactions) -> Self:
        require_events(train, "pure-emde")
        coding, rng = Coding(self.coder, self.n, self.k), np.random.default_rng(self.seed)
        codes, self._known = item_codes(train, self.modalities, coding, rng)
        counts = np.bincount(train.liked.indices, minlength=train.n_items)
        self._state = {"codes": codes, "popularity": counts.astype(np.float32)}
        self._lookup = None
        return self

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        if self._lookup is None:
            self._lookup = ItemLookup(self._state["codes"], self.width, pick_device(self.device))
        lookup, device, table = self._lookup, self._lookup.device, self._lookup.table
        liked = _liked(profiles, device)
        factor = send(self._state["popularity"], device) if self.popularity else None

        def best(batch: Chosen, hidden: sp.csr_matrix | None) -> tuple[np.ndarray, np.ndarray]:
            own = liked.of(batch)
            shape = (len(batch.here), table.shape[1], self.width)
            shares = normalize(sketch(table, own.items, own.owner, own.weights, shape), 1)
            return lookup.best(shares + self.floor, self.decoder, k, exclude=hidden, factor=factor)

        return _in_batches(best, len(profiles), k, exclude, device)


@dataclass(frozen=True)
class _Items:
    """Weighted items, each with its owner: a user's place in the batch. Parallel tensors.

    lengths  items of every user, int64 on the CPU
    """

    items: torch.Tensor
    owner: torch.Tensor
    weights: torch.Tensor
    lengths: np.ndarray

    def take(self, which: torch.Tensor, lengths: np.ndarray) -> _Items:
        """Some of them, by their places."""
        return _Items(self.items[which], self.owner[which], self.weights[which], lengths)


class _Rows:
    """CSR rows on a device; an entry weighs 1 where ``weights`` (the same pattern) says nothing else."""

    def __init__(self, matrix: sp.csr_matrix, weights: sp.csr_matrix | None, device: torch.device) -> None:
        values = np.ones(matrix.nnz, np.float32) if weights is None else weights.data.astype(np.float32)
        self.items = send(matrix.indices.astype(np.int64), device)
        self.offsets = send(matrix.indptr.astype(np.int64), device)
        self.weights = send(values, device)
        self.lengths = np.diff(matrix.indptr.astype(np.int64))

    def of(self, batch: Chosen) -> _Items:
        """The stored entries of the rows ``batch``."""
        lengths = self.lengths[batch.here.numpy()]
        ends = self.offsets[batch.there + 1]
        entries, owner = ragged(self.offsets[batch.there], ends, int(lengths.sum()))
        return _Items(self.items[entries], owner, self.weights[entries], lengths)


def _liked(users: Interactions, device: torch.device) -> _Rows:
    return _Rows(users.liked, users.weights, device)


def _split(liked: _Items, share: float, rng: torch.Generator) -> tuple[_Items, _Items]:
    """Shuffle each user's items and cut: (input, target).

    At least one item is in each.
    """
    device = liked.owner.device
    keys = liked.owner + torch.rand(len(liked.items), generator=rng, device=device).double()
    order = torch.argsort(keys)
    counts = torch.from_numpy(liked.lengths)
    cut = torch.minimum((counts * share).ceil().long(), counts - 1)
    ends = torch.cumsum(counts, 0)
    starts, cuts, ends = send(torch.stack([ends - counts, ends - counts + cut, ends]), device)
    n_inputs = int(cut.sum())
    of_input, _ = ragged(starts, cuts, n_inputs)
    of_target, _ = ragged(cuts, ends, len(liked.items) - n_inputs)
    return liked.take(order[of_input], cut.numpy()), liked.take(order[of_target], (counts - cut).numpy())


def _in_batches(
    best: Callable[[Chosen, sp.csr_matrix | None], tuple[np.ndarray, np.ndarray]],
    n: int,
    k: int,
    exclude: sp.csr_matrix | None,
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:
    items, scores = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    for row in range(0, n, BATCH):
        rows = slice(row, min(row + BATCH, n))
        hidden = None if exclude is None else exclude[rows]
        here, there = (torch.arange(rows.start, rows.stop, device=where) for where in ("cpu", device))
        items[rows], scores[rows] = best(Chosen(here, there), hidden)
    return items, scores
