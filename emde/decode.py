"""Decoders: from an output sketch to item scores (paper 3.3.5, Table 6).

p[r, :] is a probability distribution over the W regions of row r (one depth of one modality). Item i
looks up p[r, code_r(i)] in every row; a decoder turns these R numbers into one score:

    gmean exp(mean log p)    hmean 1 / mean(1 / p)    mean    min
    popularity (the release's live path): sum over rows of [log p - log share of the bucket among
    training events] + log share of the item; what does not depend on p is the item's prior

All but min are a sum over rows of f(p) and a monotone function of it. So the look-ups of a batch are one
product with the 0/1 matrix [items, R * W] of the items' regions: ``score`` does that, on any device.
``best`` is what ranks: on a CPU a kernel that keeps the k best of every row while it adds, without a
score matrix; elsewhere ``score``, some items at a time. Its memory does not grow with the catalogue.
"""

from __future__ import annotations

import warnings
from typing import Literal, get_args

import numba
import numpy as np
import scipy.sparse as sp
import torch

from contracts import PAD, for_chunks, top_k
from contracts.ranking import insert

Decoder = Literal["gmean", "min", "mean", "hmean", "popularity"]
GMEAN, MIN, MEAN, HMEAN, POPULARITY = range(5)
FLOOR = 1e-30
"""Probabilities are clamped here before a logarithm or a reciprocal."""
LANES = 32
"""Rows of a batch that the kernel adds side by side: their share of the table fits the second-level cache."""
ITEMS_AT_ONCE = 1 << 16
"""Columns of a score matrix where one is made."""


class ItemLookup:
    """The catalogue's codes, ready for scoring.

    codes  uint8 / uint16 [items, R]
    width  W = 2^K
    """

    def __init__(self, codes: np.ndarray, width: int, device: torch.device) -> None:
        self.codes, self.width, self.device = np.ascontiguousarray(codes), width, device

    @property
    def rows(self) -> int:
        """R, depth rows of all modalities."""
        return self.codes.shape[1]

    def columns(self, items: slice) -> torch.Tensor:
        """int64 [items, R]: where in a flattened [R, W] sketch each item looks."""
        first = torch.arange(self.rows) * self.width
        return (first + torch.from_numpy(self.codes[items]).long()).to(self.device)

    def score(
        self, p: torch.Tensor, decoder: Decoder, log_prior: torch.Tensor | None = None, items: slice = slice(None)
    ) -> torch.Tensor:
        """Scores [B, items] of probabilities p [B, R, W] (float32) by one product, for some of the items.

        log_prior  float32 [items of the catalogue], for the popularity decoder
        """
        values = _values(p, decoder, log_prior).flatten(1)
        columns = self.columns(items)
        if decoder == "min":
            best = values[:, columns[:, 0]]
            for row in range(1, self.rows):
                best = torch.minimum(best, values[:, columns[:, row]])
            return best
        sums = (_regions(columns, values.shape[1]) @ values.T).T
        if decoder == "popularity":
            assert log_prior is not None
            return sums + log_prior[items].to(sums.device)
        if decoder == "hmean":
            return self.rows / sums
        return torch.exp(sums / self.rows) if decoder == "gmean" else sums / self.rows

    def best(
        self,
        p: torch.Tensor,
        decoder: Decoder,
        k: int,
        log_prior: torch.Tensor | None = None,
        exclude: sp.csr_matrix | None = None,
        factor: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k best items of every row of p [B, R, W]: (items int32 [B, k], scores float32 [B, k]).

        exclude  CSR [B, items]: stored entries are never listed
        factor   float32 [items]: scores are multiplied by it
        Order and padding are those of ``contracts.top_k``.
        """
        items = np.full((len(p), k), PAD, np.int32)
        scores = np.zeros((len(p), k), np.float32)
        rank = self._best_on_cpu if self.device.type == "cpu" else self._best_in_parts
        rank(p, decoder, log_prior, exclude, factor, items, scores)
        return items, scores

    def _best_in_parts(self, p, decoder, log_prior, exclude, factor, items, scores) -> None:
        for start in range(0, len(self.codes), ITEMS_AT_ONCE):
            part = slice(start, min(start + ITEMS_AT_ONCE, len(self.codes)))
            block = self.score(p, decoder, log_prior, part).cpu().numpy()
            if factor is not None:
                block = block * factor[part]
            found = top_k(block, items.shape[1], None if exclude is None else exclude[:, part])
            _merge(items, scores, *found, start)

    def _best_on_cpu(self, p, decoder, log_prior, exclude, factor, items, scores) -> None:
        values = _values(p, decoder, log_prior).flatten(1).numpy()
        n = len(self.codes)
        nothing = np.zeros(0, np.int32)
        hidden = (np.zeros(len(p) + 1, np.int32), nothing)
        if exclude is not None:
            exclude = exclude.sorted_indices()
            hidden = (exclude.indptr, exclude.indices)
        prior = np.zeros(n, np.float32) if decoder != "popularity" or log_prior is None else log_prior.cpu().numpy()
        factors = np.zeros(0, np.float32) if factor is None else np.asarray(factor, np.float32)
        how = get_args(Decoder).index(decoder)

        def work(start: int, stop: int) -> None:
            lanes = np.zeros((values.shape[1], LANES), np.float32)
            lanes[:, : stop - start] = values[start:stop].T
            _best(lanes, self.codes, self.width, how, prior, factors, *hidden, items, scores, start, stop)

        for_chunks(len(p), work, LANES)


def _values(p: torch.Tensor, decoder: Decoder, log_prior: torch.Tensor | None) -> torch.Tensor:
    """What is summed over rows: log p, 1 / p, or p."""
    if decoder == "popularity" and log_prior is None:
        raise ValueError("the popularity decoder needs log_prior")
    if decoder in ("gmean", "popularity"):
        return torch.log(p.clamp_min(FLOOR))
    return 1.0 / p.clamp_min(FLOOR) if decoder == "hmean" else p


def _regions(columns: torch.Tensor, cells: int) -> torch.Tensor:
    """The 0/1 CSR matrix [items, cells] with a one at each item's regions."""
    items, rows = columns.shape
    indptr = torch.arange(items + 1, device=columns.device) * rows
    ones = torch.ones(items * rows, device=columns.device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse")
        return torch.sparse_csr_tensor(indptr, columns.reshape(-1), ones, (items, cells), check_invariants=False)


@numba.njit(cache=True, nogil=True)
def _score(total, rows, how):
    """The score of a sum (of a minimum, for min) over rows; never larger for a worse one."""
    if how == GMEAN:
        return np.float32(np.exp(total / np.float32(rows)))
    if how == MEAN:
        return np.float32(total / np.float32(rows))
    if how == HMEAN:
        return np.float32(np.float32(rows) / total)
    return total


@numba.njit(cache=True, nogil=True)
def _best(lanes, codes, width, how, prior, factor, indptr, hidden, items, scores, start, stop):
    """The k best items of rows start:stop; ``lanes`` [cells, LANES] holds their values, a lane each.

    A lane's bar is the total of its last listed item: whatever does not beat it cannot enter the list,
    for items come in ascending order and a tie keeps the earlier one.
    """
    n_items, rows = codes.shape
    count = stop - start
    sizes = np.zeros(count, np.int64)
    position = indptr[start:stop].copy()
    sign = np.float32(-1 if how == HMEAN else 1)  # a small sum of reciprocals is a good one
    bars = np.full(LANES, np.inf, np.float32)
    bars[:count] = -np.inf
    totals = np.empty(LANES, np.float32)
    for item in range(n_items):
        _add(lanes, codes[item], width, how, prior[item], totals)
        better = 0
        for lane in range(LANES):
            better += sign * totals[lane] > bars[lane]
        if better == 0:
            continue
        for lane in range(count):
            if sign * totals[lane] <= bars[lane]:
                continue
            row = start + lane
            while position[lane] < indptr[row + 1] and hidden[position[lane]] < item:
                position[lane] += 1
            if position[lane] < indptr[row + 1] and hidden[position[lane]] == item:
                continue
            score = _score(totals[lane], rows, how)
            if len(factor):
                score = score * factor[item]
            sizes[lane] = insert(items[row], scores[row], sizes[lane], item, score)
            if sizes[lane] == items.shape[1] and len(factor) == 0:
                last = items[row, -1]
                bars[lane] = sign * _total(lanes, codes[last], width, how, prior[last], lane)


@numba.njit(cache=True, nogil=True)
def _add(lanes, code, width, how, prior, totals):
    """Totals of one item in every lane, in the order of the rows.

    Constant bounds make vector code of the loops over lanes; five rows at once because then a total is loaded and
    stored once for five additions (measured: 2.6 times as fast).
    """
    rows = len(code)
    for lane in range(LANES):
        totals[lane] = np.inf if how == MIN else 0
    done = 0 if how == MIN else rows - rows % 5
    for row in range(0, done, 5):
        a, b, c = row * width + code[row], (row + 1) * width + code[row + 1], (row + 2) * width + code[row + 2]
        d, e = (row + 3) * width + code[row + 3], (row + 4) * width + code[row + 4]
        for lane in range(LANES):
            total = totals[lane] + lanes[a, lane] + lanes[b, lane] + lanes[c, lane]
            totals[lane] = total + lanes[d, lane] + lanes[e, lane]
    for row in range(done, rows):
        cell = row * width + code[row]
        if how == MIN:
            for lane in range(LANES):
                totals[lane] = min(totals[lane], lanes[cell, lane])
        else:
            for lane in range(LANES):
                totals[lane] += lanes[cell, lane]
    for lane in range(LANES):
        totals[lane] += prior


@numba.njit(cache=True, nogil=True)
def _total(lanes, code, width, how, prior, lane):
    """One of the totals of ``_add``, bit for bit."""
    total = np.float32(np.inf if how == MIN else 0)
    for row in range(len(code)):
        value = lanes[row * width + code[row], lane]
        total = min(total, value) if how == MIN else total + value
    return total + prior


@numba.njit(cache=True, nogil=True)
def _merge(items, scores, new_items, new_scores, first):
    """Put lists of later items (counted from ``first``) into the lists so far."""
    for row in range(len(items)):
        size = np.sum(items[row] >= 0)
        for j in range(new_items.shape[1]):
            if new_items[row, j] >= 0:
                size = insert(items[row], scores[row], size, new_items[row, j] + first, new_scores[row, j])


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
