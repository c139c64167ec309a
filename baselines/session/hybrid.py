"""Two methods, one list."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, ClassVar, Self

import numba
import numpy as np
from pydantic import Field, model_validator

from baselines.session.shared.common import empty_lists
from contracts import SessionRecommender, Sessions, UserError, for_chunks, require_events
from contracts.ranking import insert


class Hybrid(SessionRecommender):
    """Weighted hybrid: score(i) = weight * first(i) / max first + (1 - weight) * second(i) / max second.

    As session-rec's weighted hybrid, whose methods return scores divided by the largest; there any
    number of methods with free weights over all items, here two, each by its ``depth`` best items.
    """

    citation: ClassVar[str] = (
        "Jannach, Ludewig: When recurrent neural networks meet the neighborhood for session-based recommendation. "
        "RecSys 2017."
    )

    first: str = Field("vs-knn", description="name of the first method, any of baselines/session")
    second: str = Field("sr", description="name of the second method")
    weight: float = Field(0.5, ge=0, le=1, description="weight of the first method; the second has the rest")
    first_params: dict[str, Any] = Field(default_factory=dict, description="parameters of the first method")
    second_params: dict[str, Any] = Field(default_factory=dict, description="parameters of the second method")
    depth: int = Field(100, ge=1, description="items taken from each method's list, whatever the k asked for")

    @model_validator(mode="after")
    def _both_exist(self) -> Self:
        self._parts()
        return self

    def fit(self, train: Sessions) -> Self:
        require_events(train, "hybrid")
        for number, part in enumerate(self._parts()):
            part.fit(train)
            self._state.update({f"{number}/{name}": array for name, array in part._state.items()})
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        lists = []
        for number, part in enumerate(self._parts()):
            own = f"{number}/"
            part._state = {name[len(own) :]: array for name, array in self._state.items() if name.startswith(own)}
            lists.append(part.recommend(prefixes, self.depth))
        (a_items, a_scores), (b_items, b_scores) = lists
        items, scores = empty_lists(len(prefixes), k)
        n_items = 1 + int(max(a_items.max(initial=0), b_items.max(initial=0)))

        def work(start: int, stop: int) -> None:
            _mix(start, stop, n_items, self.weight, a_items, a_scores, b_items, b_scores, items, scores)

        for_chunks(len(prefixes), work)
        return items, scores

    def _parts(self) -> tuple[SessionRecommender, SessionRecommender]:
        return (
            _method(self.first).create(self.first_params, self.first),
            _method(self.second).create(self.second_params, self.second),
        )


def _method(name: str) -> type[SessionRecommender]:
    """The class that baselines/session/<name>.py defines; raises UserError for an unknown name."""
    path = f"baselines.session.{name.replace('-', '_')}"
    if name.startswith("_") or not name.replace("-", "").isalnum() or importlib.util.find_spec(path) is None:
        raise UserError(f"hybrid: expected the name of a method in baselines/session, found {name!r}")
    members = vars(importlib.import_module(path)).values()
    return next(
        member
        for member in members
        if isinstance(member, type) and issubclass(member, SessionRecommender) and member.__module__ == path
    )


@numba.njit(cache=True, nogil=True)
def _mix(start, stop, n_items, weight, a_items, a_scores, b_items, b_scores, items_out, scores_out):
    totals = np.zeros(n_items, np.float64)
    for row in range(start, stop):
        for rank in range(a_items.shape[1]):
            if a_items[row, rank] >= 0:
                totals[a_items[row, rank]] = weight * a_scores[row, rank] / a_scores[row, 0]
        for rank in range(b_items.shape[1]):
            if b_items[row, rank] >= 0:
                totals[b_items[row, rank]] += (1.0 - weight) * b_scores[row, rank] / b_scores[row, 0]
        size = 0
        for listed in (a_items, b_items):
            for rank in range(listed.shape[1]):
                item = listed[row, rank]
                if item >= 0 and totals[item] > 0:  # each item once
                    size = insert(items_out[row], scores_out[row], size, item, np.float32(totals[item]))
                    totals[item] = 0.0
