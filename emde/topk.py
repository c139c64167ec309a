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

from contracts import Interactions, TopKRecommender, UserError, require_events
from contracts.device import Device, pick_device
from emde.coders import CoderName
from emde.decode import ItemLookup
from emde.modality import Modalities, Modality, item_codes
from emde.model import BATCH, SketchModel
from emde.sketch import normalize, ragged, sketch

USER_GRAPH = (Modality(group="user"),)
VALID_K = 20
"""Length of the lists whose recall chooses the epoch."""


class TopKEMDE(SketchModel, TopKRecommender):
    """Top-k recommender: sketch of part of a user's items -> one hidden layer -> sketch of the rest.

    In training a user's items are shuffled anew each time; ``input_share`` of them form the input,
    the others the target: a distribution with several non-zeros per row (L1-normalised). Loss: soft
    cross entropy (= KL divergence up to a constant), averaged over rows.
    """

    citation: ClassVar[str] = "Dabrowski et al., An efficient manifold density estimator, arXiv 2006.01894"

    modalities: Modalities = Field(
        (Modality(group="user", iterations=2), Modality(group="random")), description="where item codes come from"
    )
    hidden: int = Field(12000, ge=1, description="units of the hidden layer (paper: 12,000)")
    layers: int = Field(1, ge=0, description="hidden layers (paper: 1; 0: one linear map from sketch to sketch)")
    input_share: float = Field(0.8, gt=0, lt=1, description="share of a user's items in the input sketch")
    dislikes: bool = Field(False, description="add the sketch of disliked items (rating < 4) as an input (EMDE MM)")

    def fit(self, train: Interactions) -> Self:
        require_events(train, "emde")
        parts = {"liked": train.liked, "disliked": train.disliked, "weights": train.weights}
        checkpoint = self.checkpoint(parts)
        kept = len(train) - int(len(train) * self.validation)
        train, held_out = train.take(slice(0, kept)), train.take(slice(kept, len(train)))
        codes_rng, rng = self._rngs()
        codes = self._codes(train, codes_rng)
        device = pick_device(self.device)
        table = torch.from_numpy(codes).to(device)
        users = train.take(np.flatnonzero(np.diff(train.liked.indptr) >= 2))
        liked, disliked = _liked(users, device), self._disliked(users, device)
        network = self._new_network(2 if self.dislikes else 1, codes.shape[1], rng)

        def batch_loss(batch: torch.Tensor, rows: slice) -> torch.Tensor:
            given, wanted = _split(liked.of(batch), len(batch), self.input_share, rng)
            log_p = self.log_probabilities(network(self._inputs(table, given, disliked, batch)[rows]))
            shape = (len(batch), table.shape[1], self.width)
            target = normalize(sketch(table, wanted.items, wanted.owner, wanted.weights, shape), 1)[rows]
            return -(target * log_p).sum(-1).mean()

        counts = np.bincount(train.liked.indices, minlength=train.n_items)
        validate = partial(self._recall, held_out)
        self._train(network, codes, counts, len(users), batch_loss, validate, rng, checkpoint)
        return self

    def _recall(self, users: Interactions) -> float:
        """Mean recall in lists of 20 of the last items of users whose first ``input_share`` are given."""
        sizes = np.diff(users.liked.indptr)
        place = np.arange(users.liked.nnz) - np.repeat(users.liked.indptr[:-1], sizes)
        given = users.liked.copy()
        given.data = (place < np.repeat(np.ceil(sizes * self.input_share), sizes)).astype(np.float32)
        wanted = users.liked - given
        given.eliminate_zeros()
        wanted.eliminate_zeros()
        known = np.flatnonzero(np.diff(wanted.indptr))
        profiles = replace(users, liked=given, weights=None).take(known)
        items, _ = self.recommend(profiles, VALID_K, profiles.liked)
        hits = wanted[np.repeat(known, VALID_K), np.maximum(items, 0).ravel()].reshape(len(known), VALID_K)
        possible = np.minimum(np.diff(wanted.indptr)[known], VALID_K)
        return float(np.mean(np.asarray((hits != 0).sum(axis=1)).ravel() / possible)) if len(known) else 0.0

    def _disliked(self, users: Interactions, device: torch.device) -> _Rows | None:
        if not self.dislikes:
            return None
        if users.disliked is None:
            raise UserError("emde: 'dislikes': expected data with ratings below the threshold, found none")
        return _Rows(users.disliked, None, device)

    def _inputs(self, codes: torch.Tensor, liked: _Items, disliked: _Rows | None, batch: torch.Tensor) -> torch.Tensor:
        """L2-normalised input sketches [B, inputs * R * W] of what each user likes (and dislikes)."""
        shape = (len(batch), codes.shape[1], self.width)
        parts = [liked] if disliked is None else [liked, disliked.of(batch)]
        sketches = [sketch(codes, part.items, part.owner, part.weights, shape) for part in parts]
        return torch.cat([normalize(s, 2).flatten(1) for s in sketches], dim=1)

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        network, lookup = self._ready(2 if self.dislikes else 1)
        device = pick_device(self.device)
        table = torch.from_numpy(self._state["codes"]).to(device)
        liked, disliked = _liked(profiles, device), self._disliked(profiles, device)

        def best(batch: torch.Tensor, hidden: sp.csr_matrix | None) -> tuple[np.ndarray, np.ndarray]:
            inputs = self._inputs(table, liked.of(batch), disliked, batch)
            return self._best(network, lookup, inputs, k, hidden)

        return _in_batches(best, len(profiles), k, exclude)


class PureEMDE(TopKRecommender):
    """No network: an item's score is the density of the user's own items at the item (paper, Table 7).

    The user's liked-item sketch, L1-normalised per row, is queried at every item. ``popularity``
    multiplies the score by the item's number of train users.
    """

    citation: ClassVar[str] = "Dabrowski et al., An efficient manifold density estimator, arXiv 2006.01894"

    modalities: Modalities = Field(USER_GRAPH, description="where item codes come from")
    coder: CoderName = Field("dlsh", description="dlsh, pq, opq or random codes (paper 3.3.2)")
    n: int = Field(10, ge=1, description="N, depths per modality")
    k: int = Field(7, ge=1, le=16, description="K, bits per code; width 2^K")
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
        codes = item_codes(train, self.modalities, self.coder, self.n, self.k, np.random.default_rng(self.seed))
        counts = np.bincount(train.liked.indices, minlength=train.n_items)
        self._state = {"codes": codes, "popularity": counts.astype(np.float32)}
        self._lookup = None
        return self

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        device = pick_device(self.device)
        table = torch.from_numpy(self._state["codes"]).to(device)
        if self._lookup is None:
            self._lookup = ItemLookup(self._state["codes"], 1 << self.k, device)
        lookup, liked = self._lookup, _liked(profiles, device)
        factor = self._state["popularity"] if self.popularity else None

        def best(batch: torch.Tensor, hidden: sp.csr_matrix | None) -> tuple[np.ndarray, np.ndarray]:
            own = liked.of(batch)
            shape = (len(batch), table.shape[1], 1 << self.k)
            shares = normalize(sketch(table, own.items, own.owner, own.weights, shape), 1)
            return lookup.best(shares + self.floor, self.decoder, k, exclude=hidden, factor=factor)

        return _in_batches(best, len(profiles), k, exclude)


@dataclass(frozen=True)
class _Items:
    """Weighted items, each with its owner: a user's place in the batch. Parallel tensors."""

    items: torch.Tensor
    owner: torch.Tensor
    weights: torch.Tensor

    def __getitem__(self, which: torch.Tensor) -> _Items:
        return _Items(self.items[which], self.owner[which], self.weights[which])


class _Rows:
    """CSR rows on a device; an entry weighs 1 where ``weights`` (the same pattern) says nothing else."""

    def __init__(self, matrix: sp.csr_matrix, weights: sp.csr_matrix | None, device: torch.device) -> None:
        values = np.ones(matrix.nnz, np.float32) if weights is None else weights.data.astype(np.float32)
        self.items = torch.from_numpy(matrix.indices.astype(np.int64)).to(device)
        self.offsets = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)
        self.weights = torch.from_numpy(values).to(device)

    def of(self, batch: torch.Tensor) -> _Items:
        """The stored entries of the rows ``batch``."""
        batch = batch.to(self.offsets.device)
        events, owner = ragged(self.offsets[batch], self.offsets[batch + 1])
        return _Items(self.items[events], owner, self.weights[events])


def _liked(users: Interactions, device: torch.device) -> _Rows:
    return _Rows(users.liked, users.weights, device)


def _split(liked: _Items, users: int, share: float, rng: torch.Generator) -> tuple[_Items, _Items]:
    """Shuffle each user's items and cut: (given, wanted).

    At least one item is wanted and at least one is given.
    """
    keys = liked.owner + torch.rand(len(liked.items), generator=rng).double().to(liked.owner.device)
    liked = liked[torch.argsort(keys)]
    counts = torch.bincount(liked.owner, minlength=users)
    place = torch.arange(len(liked.items), device=counts.device) - (torch.cumsum(counts, 0) - counts)[liked.owner]
    given = place < torch.minimum((counts * share).ceil().long(), counts - 1)[liked.owner]
    return liked[given], liked[~given]


def _in_batches(
    best: Callable[[torch.Tensor, sp.csr_matrix | None], tuple[np.ndarray, np.ndarray]],
    n: int,
    k: int,
    exclude: sp.csr_matrix | None,
) -> tuple[np.ndarray, np.ndarray]:
    items, scores = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    for row in range(0, n, BATCH):
        rows = slice(row, min(row + BATCH, n))
        hidden = None if exclude is None else exclude[rows]
        items[rows], scores[rows] = best(torch.arange(rows.start, rows.stop), hidden)
    return items, scores
