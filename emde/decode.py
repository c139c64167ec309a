"""Decoders: from an output sketch to item scores (paper 3.3.5, Table 6).

p[r, :] is a probability distribution over the W regions of row r (one depth of one modality). Item i
looks up p[r, code_r(i)] in every row; a decoder turns these R numbers into one score:

    gmean exp(mean log p)    hmean 1 / mean(1 / p)    mean    min
    popularity (the release's live path): sum over rows of [log p - log share of the bucket among
    training events] + log share of the item; what does not depend on p is the item's prior

All but min are a sum over rows of f(p) and a monotone function of it. ``score`` adds one row of look-ups after the
other, on any device. ``best`` is what ranks: on a CPU a kernel that keeps the k best of every row while it adds,
without a score matrix; elsewhere the same sums for some items at a time, ranked on the device. A GPU takes them as
look-ups or as a sparse product, whichever it was the faster in when it was first asked. Memory does not grow with the
catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import cached_property
from typing import Literal, NamedTuple

import numba
import numpy as np
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from contracts import PAD, for_chunks
from contracts.errors import NotFinite
from contracts.ranking import Lists, insert
from contracts.runtime.best import NOT_FINITE, Best
from contracts.runtime.device import best_seconds, send

Decoder = Literal["gmean", "min", "mean", "hmean", "popularity"]
FLOOR = 1e-30
"""Probabilities are clamped here before a logarithm or a reciprocal."""
LANES = 32
"""Rows of a batch that the kernel adds side by side: their share of the table fits the second-level cache."""
BATCH, ITEMS_AT_ONCE = 512, 1 << 14
"""Rows scored at once, and columns on a device: 34 MB, which its cache holds, and 67 MB to rank them."""


class Rule(IntEnum):
    """The decoders as the kernels know them; a ``Decoder`` in capitals."""

    GMEAN = 0
    MIN = 1
    MEAN = 2
    HMEAN = 3
    POPULARITY = 4


class _Catalogue(NamedTuple):
    """What is known of the items before a sketch.

    codes   uint8 / uint16 [items, R], contiguous
    width   W, regions per row
    prior   float32 [items], added to the sum over rows (popularity)
    factor  float32 [items], by which scores are multiplied; empty: 1
    """

    codes: np.ndarray
    width: int
    prior: np.ndarray
    factor: np.ndarray


class _Hidden(NamedTuple):
    """Items of every row that are never listed.

    indptr  int32 or int64 [B + 1]
    items   int32 or int64 [entries], ascending within a row
    """

    indptr: np.ndarray
    items: np.ndarray


def code_table(codes: np.ndarray, device: torch.device) -> torch.Tensor:
    """Codes [items, R] on a device: as they are on a CPU, int32 on a GPU, which cannot index all of uint16."""
    return send(codes if device.type == "cpu" else codes.astype(np.int32), device)


class ItemLookup:
    """The catalogue's codes, ready for scoring.

    codes  uint8 / uint16 [items, R]
    width  W = 2^K
    """

    def __init__(self, codes: np.ndarray, width: int, device: torch.device) -> None:
        self.codes, self.width, self.device = np.ascontiguousarray(codes), width, device
        self._table: torch.Tensor | None = None
        self._rank = self._best_on_cpu if device.type == "cpu" else self._best_on_device

    @property
    def rows(self) -> int:
        """R, depth rows of all modalities."""
        return self.codes.shape[1]

    @property
    def table(self) -> torch.Tensor:
        """The codes on the device, as ``code_table`` has them."""
        if self._table is None:
            self._table = code_table(self.codes, self.device)
        return self._table

    def columns(self, items: slice) -> torch.Tensor:
        """int64 [items, R]: where in a flattened [R, W] sketch each item looks."""
        return torch.arange(self.rows, device=self.device) * self.width + self.table[items].long()

    def score(
        self, p: torch.Tensor, decoder: Decoder, log_prior: torch.Tensor | None = None, items: slice = slice(None)
    ) -> torch.Tensor:
        """Scores [B, items] of probabilities p [B, R, W] (float32), for some of the items.

        log_prior  float32 [items of the catalogue], for the popularity decoder
        """
        return self._score(_values(p, decoder, log_prior).flatten(1).T.contiguous(), decoder, log_prior, items)

    def _score(
        self, values: torch.Tensor, decoder: Decoder, log_prior: torch.Tensor | None, items: slice
    ) -> torch.Tensor:
        """From values [R * W, B]: scores [B, items]."""
        total = self._minima(values, items) if decoder == "min" else self._sums(values, items)
        if decoder == "popularity":
            assert log_prior is not None
            total += log_prior[items, None]
        elif decoder == "hmean":
            total = self.rows / total
        elif decoder in ("gmean", "mean"):
            total /= self.rows
        return (total.exp_() if decoder == "gmean" else total).T

    def _minima(self, values: torch.Tensor, items: slice) -> torch.Tensor:
        """Over the rows, float32 [items, B], of values [R * W, B]."""
        columns = self.columns(items)
        total = values.index_select(0, columns[:, 0])
        for row in range(1, self.rows):
            total = torch.minimum(total, values.index_select(0, columns[:, row]))
        return total

    def looked_up(self, values: torch.Tensor, items: slice) -> torch.Tensor:
        """Sums over the rows, float32 [items, B], of values [R * W, B], added in the kernel's order."""
        return F.embedding_bag(self.columns(items), values, mode="sum")

    def multiplied(self, values: torch.Tensor, items: slice) -> torch.Tensor:
        """The same sums in whatever order, as the product with a sparse matrix that has R ones per item."""
        columns = self.columns(items)
        owners = torch.arange(len(columns), device=self.device).repeat_interleave(
            self.rows, output_size=columns.numel()
        )
        places, ones = torch.stack([owners, columns.flatten()]), torch.ones(columns.numel(), device=self.device)
        size = (len(columns), len(values))
        return torch.sparse_coo_tensor(places, ones, size, check_invariants=False, is_coalesced=True) @ values

    @cached_property
    def _sums(self) -> Callable[[torch.Tensor, slice], torch.Tensor]:
        """The one that a GPU is faster in, for a full batch; ``looked_up`` where it may not choose."""
        if self.device.type != "cuda" or torch.are_deterministic_algorithms_enabled():
            return self.looked_up
        values = torch.ones(self.rows * self.width, BATCH, device=self.device)
        some = slice(0, min(ITEMS_AT_ONCE, len(self.codes)))
        ways = (self.looked_up, self.multiplied)
        return min(ways, key=lambda way: best_seconds(lambda: way(values, some), self.device))

    def best(
        self,
        p: torch.Tensor,
        decoder: Decoder,
        k: int,
        log_prior: torch.Tensor | None = None,
        exclude: sp.csr_matrix | None = None,
        factor: torch.Tensor | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k best items of every row of p [B, R, W]: (items int32 [B, k], scores float32 [B, k]).

        exclude            CSR [B, items]: stored entries are never listed
        factor, log_prior  float32 [items], where p is: scores are multiplied by the one, the other as in ``score``
        Order and padding are those of ``contracts.top_k``. Raises NotFinite where p is not.
        """
        return self._rank(p, decoder, k, log_prior, exclude, factor)

    def _best_on_device(
        self,
        p: torch.Tensor,
        decoder: Decoder,
        k: int,
        log_prior: torch.Tensor | None,
        exclude: sp.csr_matrix | None,
        factor: torch.Tensor | None,
    ) -> Lists:
        values = _values(p, decoder, log_prior).flatten(1).T.contiguous()
        lists = Best(len(p), k, self.device, exclude)
        for start in range(0, len(self.codes), ITEMS_AT_ONCE):
            part = slice(start, min(start + ITEMS_AT_ONCE, len(self.codes)))
            scores = self._score(values, decoder, log_prior, part)
            lists.add(scores if factor is None else scores * factor[part], start)
        return lists.lists(torch.isfinite(p).all())

    def _best_on_cpu(
        self,
        p: torch.Tensor,
        decoder: Decoder,
        k: int,
        log_prior: torch.Tensor | None,
        exclude: sp.csr_matrix | None,
        factor: torch.Tensor | None,
    ) -> Lists:
        if not bool(torch.isfinite(p).all()):
            raise NotFinite(NOT_FINITE)
        lists = Lists(np.full((len(p), k), PAD, np.int32), np.zeros((len(p), k), np.float32))
        values = _values(p, decoder, log_prior).flatten(1).numpy()
        hidden = _Hidden(np.zeros(len(p) + 1, np.int32), np.zeros(0, np.int32))
        if exclude is not None:
            exclude = exclude.sorted_indices()
            hidden = _Hidden(exclude.indptr, exclude.indices)
        n = len(self.codes)
        prior = np.zeros(n, np.float32) if decoder != "popularity" or log_prior is None else log_prior.numpy()
        factors = np.zeros(0, np.float32) if factor is None else factor.numpy()
        catalogue, rule = _Catalogue(self.codes, self.width, prior, factors), int(Rule[decoder.upper()])

        def work(start: int, stop: int) -> None:
            lanes = np.zeros((values.shape[1], LANES), np.float32)
            lanes[:, : stop - start] = values[start:stop].T
            _best(lanes, catalogue, rule, hidden, lists, start, stop)

        for_chunks(len(p), work, LANES)
        return lists


def _values(p: torch.Tensor, decoder: Decoder, log_prior: torch.Tensor | None) -> torch.Tensor:
    """What is summed over rows: log p, 1 / p, or p."""
    if decoder == "popularity" and log_prior is None:
        raise ValueError("the popularity decoder needs log_prior")
    if decoder in ("gmean", "popularity"):
        return torch.log(p.clamp_min(FLOOR))
    return 1.0 / p.clamp_min(FLOOR) if decoder == "hmean" else p


@numba.njit(cache=True, nogil=True)
def _score(total, rows, rule):
    """The score of a sum (of a minimum, for min) over rows; never larger for a worse one."""
    if rule == Rule.GMEAN:
        return np.float32(np.exp(total / np.float32(rows)))
    if rule == Rule.MEAN:
        return np.float32(total / np.float32(rows))
    if rule == Rule.HMEAN:
        return np.float32(np.float32(rows) / total)
    return total


@numba.njit(cache=True, nogil=True)
def _best(lanes, catalogue, rule, hidden, lists, start, stop):
    """The k best items of rows start:stop; ``lanes`` [cells, LANES] holds their values, a lane each.

    A lane's bar is the total of its last listed item: whatever does not beat it cannot enter the list,
    for items come in ascending order and a tie keeps the earlier one.
    """
    codes, width, prior, factor = catalogue.codes, catalogue.width, catalogue.prior, catalogue.factor
    items, scores, indptr = lists.items, lists.scores, hidden.indptr
    n_items, rows = codes.shape
    count = stop - start
    sizes = np.zeros(count, np.int64)
    position = indptr[start:stop].copy()
    sign = np.float32(-1 if rule == Rule.HMEAN else 1)  # a small sum of reciprocals is a good one
    bars = np.full(LANES, np.inf, np.float32)
    bars[:count] = -np.inf
    totals = np.empty(LANES, np.float32)
    for item in range(n_items):
        _add(lanes, codes[item], width, rule, prior[item], totals)
        better = 0
        for lane in range(LANES):
            better += sign * totals[lane] > bars[lane]
        if better == 0:
            continue
        for lane in range(count):
            if sign * totals[lane] <= bars[lane]:
                continue
            row = start + lane
            while position[lane] < indptr[row + 1] and hidden.items[position[lane]] < item:
                position[lane] += 1
            if position[lane] < indptr[row + 1] and hidden.items[position[lane]] == item:
                continue
            score = _score(totals[lane], rows, rule)
            if len(factor):
                score = score * factor[item]
            sizes[lane] = insert(items[row], scores[row], sizes[lane], item, score)
            if sizes[lane] == items.shape[1] and len(factor) == 0:
                last = items[row, -1]
                bars[lane] = sign * _total(lanes, codes[last], width, rule, prior[last], lane)


@numba.njit(cache=True, nogil=True)
def _add(lanes, code, width, rule, prior, totals):
    """Totals of one item in every lane, in the order of the rows.

    Constant bounds make vector code of the loops over lanes; five rows at once because then a total is loaded and
    stored once for five additions (measured: 2.6 times as fast).
    """
    rows = len(code)
    for lane in range(LANES):
        totals[lane] = np.inf if rule == Rule.MIN else 0
    done = 0 if rule == Rule.MIN else rows - rows % 5
    for row in range(0, done, 5):
        a, b, c = row * width + code[row], (row + 1) * width + code[row + 1], (row + 2) * width + code[row + 2]
        d, e = (row + 3) * width + code[row + 3], (row + 4) * width + code[row + 4]
        for lane in range(LANES):
            total = totals[lane] + lanes[a, lane] + lanes[b, lane] + lanes[c, lane]
            totals[lane] = total + lanes[d, lane] + lanes[e, lane]
    for row in range(done, rows):
        cell = row * width + code[row]
        if rule == Rule.MIN:
            for lane in range(LANES):
                totals[lane] = min(totals[lane], lanes[cell, lane])
        else:
            for lane in range(LANES):
                totals[lane] += lanes[cell, lane]
    for lane in range(LANES):
        totals[lane] += prior


@numba.njit(cache=True, nogil=True)
def _total(lanes, code, width, rule, prior, lane):
    """One of the totals of ``_add``, bit for bit."""
    total = np.float32(np.inf if rule == Rule.MIN else 0)
    for row in range(len(code)):
        value = lanes[row * width + code[row], lane]
        total = min(total, value) if rule == Rule.MIN else total + value
    return total + prior


def popularity_prior(codes: np.ndarray, width: int, counts: np.ndarray) -> np.ndarray:
    """log share of each item minus the sum over rows of the log share of its bucket, float32 [items].

    counts  training events per item [items]; an item without any comes after all others
    """
    share = counts / counts.sum()
    prior = np.log(np.maximum(share, FLOOR))
    for row in range(codes.shape[1]):
        buckets = np.bincount(codes[:, row], weights=share, minlength=width)
        prior = prior - np.log(np.maximum(buckets[codes[:, row]], FLOOR))
    seen = counts > 0
    prior[~seen] = prior[seen].min(initial=0.0) + np.log(FLOOR)  # its buckets may be as empty as it is
    return prior.astype(np.float32)
