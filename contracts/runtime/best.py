"""The k best of scores that are on a device: only the lists leave it. Imports torch.

Score and item become one int64, larger for a better place in the list: the score's float32 bits, in an order that
integers share, above the item's complement. All are different, so ``topk``, which promises nothing about ties, has
none to settle, and the order is that of ``contracts.ranking``: score descending, then first appearance in train.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from contracts.errors import NotFinite
from contracts.ranking import Lists, top_k
from contracts.runtime.device import send

NOT_FINITE = "scores: expected finite numbers, found NaN or infinity: the model diverged"
NEVER = torch.iinfo(torch.int64).min
"""The place of what is never listed."""
_LOW = (1 << 32) - 1
_MAGNITUDE = (1 << 31) - 1


def best(scores: torch.Tensor, k: int, exclude: sp.csr_matrix | None = None) -> Lists:
    """``contracts.top_k`` of float scores [rows, items], wherever they are; on a device they are ranked there."""
    if scores.device.type == "cpu":
        return top_k(scores.numpy(), k, exclude)
    lists = Best(len(scores), k, scores.device, exclude)
    lists.add(scores.float(), 0)
    return lists.lists((scores < torch.inf).all())  # neither NaN


class Best:
    """Lists that grow block by block of items, on a device.

    exclude  CSR [rows, items]: stored entries are never listed
    """

    def __init__(self, rows: int, k: int, device: torch.device, exclude: sp.csr_matrix | None = None) -> None:
        self._places = torch.full((rows, k), NEVER, dtype=torch.int64, device=device)
        self._bounds: np.ndarray | None = None
        if exclude is not None:
            order = np.argsort(exclude.indices, kind="stable")
            self._bounds = np.concatenate([[0], np.cumsum(np.bincount(exclude.indices, minlength=exclude.shape[1]))])
            row = np.repeat(np.arange(rows), np.diff(exclude.indptr))[order]
            self._hidden = send(np.stack([row, exclude.indices[order].astype(np.int64)]), device)

    def add(self, scores: torch.Tensor, first: int) -> None:
        """Take in float32 scores [rows, block] of the items from ``first`` on. A score of -inf is never listed."""
        block = scores.shape[1]
        places = _places(scores, first)
        if self._bounds is not None:
            row, item = self._hidden[:, self._bounds[first] : self._bounds[first + block]]
            places[row, item - first] = NEVER
        together = torch.cat([self._places, places], dim=1)
        self._places = together.topk(self._places.shape[1], dim=1).values

    def lists(self, finite: torch.Tensor) -> Lists:
        """The lists, here: the one time that the device is waited for.

        finite  bool scalar on the device, whether what the scores came from is finite; NotFinite is raised if not
        """
        told = torch.cat([self._places.flatten(), finite.long().view(1)]).cpu().numpy()
        if not told[-1]:
            raise NotFinite(NOT_FINITE)
        places = told[:-1].reshape(self._places.shape)
        listed = places != NEVER
        bits = (places >> 32).astype(np.int32)
        scores = (bits ^ ((bits >> 31) & _MAGNITUDE)).view(np.float32)
        items = (_LOW - (places & _LOW)).astype(np.int32)
        return Lists(np.where(listed, items, np.int32(-1)), np.where(listed, scores, np.float32(0)))


def _places(scores: torch.Tensor, first: int) -> torch.Tensor:
    bits = (scores + 0.0).view(torch.int32)  # -0.0 ties with 0.0
    ordered = bits ^ ((bits >> 31) & _MAGNITUDE)  # of negative numbers the larger magnitude is the smaller one
    items = _LOW - torch.arange(first, first + scores.shape[1], device=scores.device)
    places = (ordered.long() << 32) | items
    return places.masked_fill_(scores == -torch.inf, NEVER)
