"""EMDE for top-k recommendation (paper 4.1.2), with and without a network."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field, PrivateAttr

from contracts import Interactions, TopKRecommender, UserError, require_events, top_k
from emde.coders import CoderName
from emde.decode import ItemLookup
from emde.modality import Modalities, Modality, item_codes
from emde.model import BATCH, SketchModel
from emde.sketch import normalize, ragged, sketch
from emde.train import Device, pick_device

USER_GRAPH = (Modality(group="user"),)


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
        codes_rng, rng = self._rngs()
        codes = self._codes(train, codes_rng)
        device = pick_device(self.device)
        table = torch.from_numpy(codes.astype(np.int64)).to(device)
        users = np.flatnonzero(np.diff(train.liked.indptr) >= 2)
        liked = _Rows(train.liked[users], device)
        disliked = self._disliked(train.take(users), device)
        network = self._new_network(2 if self.dislikes else 1, codes.shape[1], rng)

        def batch_loss(batch: torch.Tensor) -> torch.Tensor:
            given, wanted = _split(liked, batch, self.input_share, rng)
            inputs = self._inputs(table, given, len(batch), disliked and disliked.of(batch))
            shape = (len(batch), table.shape[1], self.width)
            target = normalize(sketch(table, wanted[0], wanted[1], _ones(wanted[0]), shape), 1)
            return -(target * self.log_probabilities(network(inputs))).sum(-1).mean()

        self._train(network, len(users), batch_loss, rng)
        self._keep(self, network, codes, np.bincount(train.liked.indices, minlength=train.n_items))
        return self

    def _disliked(self, users: Interactions, device: torch.device) -> _Rows | None:
        if not self.dislikes:
            return None
        if users.disliked is None:
            raise UserError("emde: 'dislikes': expected data with ratings below the threshold, found none")
        return _Rows(users.disliked, device)

    def _inputs(self, codes: torch.Tensor, liked, batch: int, disliked) -> torch.Tensor:
        """L2-normalised input sketches [B, inputs * R * W]; liked and disliked are (items, rows) pairs."""
        shape = (batch, codes.shape[1], self.width)
        parts = [liked] if disliked is None else [liked, disliked]
        sketches = [sketch(codes, items, rows, _ones(items), shape) for items, rows in parts]
        return torch.cat([normalize(s, 2).flatten(1) for s in sketches], dim=1)

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        network, lookup = self._ready(self, 2 if self.dislikes else 1)
        device = pick_device(self.device)
        table = torch.from_numpy(self._state["codes"].astype(np.int64)).to(device)
        liked, disliked = _Rows(profiles.liked, device), self._disliked(profiles, device)

        def score(batch: torch.Tensor) -> np.ndarray:
            inputs = self._inputs(table, liked.of(batch), len(batch), disliked and disliked.of(batch))
            return self._scores(self, network, lookup, inputs)

        return _rank(score, len(profiles), k, exclude)


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
        table = torch.from_numpy(self._state["codes"].astype(np.int64)).to(device)
        if self._lookup is None:
            self._lookup = ItemLookup(self._state["codes"], 1 << self.k, device)
        lookup, decoder = self._lookup, self.decoder
        liked = _Rows(profiles.liked, device)

        def score(batch: torch.Tensor) -> np.ndarray:
            items, rows = liked.of(batch)
            shape = (len(batch), table.shape[1], 1 << self.k)
            shares = normalize(sketch(table, items, rows, _ones(items), shape), 1)
            density = lookup.score(shares + self.floor, decoder).cpu().numpy()
            return density * self._state["popularity"] if self.popularity else density

        return _rank(score, len(profiles), k, exclude)


def _ones(items: torch.Tensor) -> torch.Tensor:
    """Weight 1 for each item, float32."""
    return torch.ones(len(items), device=items.device)


class _Rows:
    """CSR rows on a device."""

    def __init__(self, matrix: sp.csr_matrix, device: torch.device) -> None:
        self.items = torch.from_numpy(matrix.indices.astype(np.int64)).to(device)
        self.offsets = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)

    def of(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(items, position in the batch) of the stored entries of the rows ``batch``."""
        batch = batch.to(self.offsets.device)
        events, rows = ragged(self.offsets[batch], self.offsets[batch + 1])
        return self.items[events], rows


def _split(rows: _Rows, batch: torch.Tensor, share: float, rng: torch.Generator):
    """Shuffle each user's items and cut: ((items, rows) given, (items, rows) wanted).

    At least one item is wanted and at least one is given.
    """
    items, owner = rows.of(batch)
    keys = owner + torch.rand(len(items), generator=rng).double().to(owner.device)
    order = torch.argsort(keys)
    items, owner = items[order], owner[order]
    counts = torch.bincount(owner, minlength=len(batch))
    position = torch.arange(len(items), device=items.device) - (torch.cumsum(counts, 0) - counts)[owner]
    n_given = torch.minimum((counts * share).ceil().long(), counts - 1)
    given = position < n_given[owner]
    return (items[given], owner[given]), (items[~given], owner[~given])


def _rank(score, n: int, k: int, exclude: sp.csr_matrix | None) -> tuple[np.ndarray, np.ndarray]:
    items, scores = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    for row in range(0, n, BATCH):
        rows = slice(row, min(row + BATCH, n))
        block = score(torch.arange(rows.start, rows.stop))
        items[rows], scores[rows] = top_k(block, k, None if exclude is None else exclude[rows])
    return items, scores
