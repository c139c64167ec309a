"""What every recommender is: validated hyper-parameters, fit, recommend, save, load."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from safetensors import safe_open
from safetensors.numpy import save as to_safetensors

from contracts.checkpoint import Checkpoint, digest
from contracts.errors import UserError
from contracts.files import write_whole
from contracts.interactions import Interactions
from contracts.sessions import Sessions
from contracts.threads import n_threads


class Estimator(BaseModel):
    """What every method is: its hyper-parameters are the fields (typed, bounded, described)."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    kind: ClassVar[str]
    citation: ClassVar[str] = ""

    @classmethod
    def create(cls, params: dict[str, Any], name: str | None = None) -> Self:
        """Build from untrusted parameters; raises UserError with one line naming the bad one."""
        try:
            return cls(**params)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "parameters"
            method = name or cls.__name__
            if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
                known = ", ".join(cls.model_fields) or "none"
                raise UserError(f"{method}: unknown parameter '{field}'; expected one of: {known}") from None
            raise UserError(f"{method}: parameter '{field}': {first['msg']}, found {first['input']!r}") from None


class Recommender(Estimator):
    """An estimator that ranks items; fitted state lives in ``_state``.

    A method needs no more than ``fit`` and ``recommend``. Everything learned goes into ``_state``,
    a dict of arrays, so that ``save`` and ``load`` need no code of their own.
    """

    _state: dict[str, np.ndarray] = PrivateAttr(default_factory=dict)
    _history: list[dict[str, float]] = PrivateAttr(default_factory=list)
    _checkpoint: Path | None = PrivateAttr(None)
    _after_epoch: Callable[[int], None] | None = PrivateAttr(None)

    @property
    def history(self) -> list[dict[str, float]]:
        """The learning curve: one dict per epoch (``epoch``, ``loss``, ...); empty for what has no epochs."""
        return self._history

    def watch(self, after_epoch: Callable[[int], None]) -> Self:
        """Have ``after_epoch(epochs so far)`` called in ``fit``, the model ready to recommend; returns self.

        For validation curves. Methods that do not learn in epochs never call it; an exception ends the fit.
        """
        self._after_epoch = after_epoch
        return self

    def checkpoint_at(self, path: Path | None) -> Self:
        """Where ``fit`` keeps its checkpoint, if the method makes any; an unfinished run there is continued."""
        self._checkpoint = path
        return self

    def checkpoint(self, train: Mapping[str, np.ndarray | sp.csr_matrix | None]) -> Checkpoint:
        """The checkpoint of a fit on ``train`` (arrays and matrices by name): of these parameters, on these data."""
        parts = {name: _arrays(value) for name, value in train.items() if value is not None}
        identity = {
            "method": type(self).__name__,
            "params": self.model_dump(mode="json"),
            "train": {name: digest(arrays) for name, arrays in parts.items()},
            "threads": n_threads(),
        }
        return Checkpoint(self._checkpoint, identity)

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file (parameters in its header), atomically. Returns its path."""
        header = {"class": type(self).__name__, "params": self.model_dump_json()}
        if self._history:
            header["history"] = json.dumps(self._history)
        arrays = {name: np.ascontiguousarray(array) for name, array in self._state.items()}
        return write_whole(Path(path), to_safetensors(arrays, metadata=header), "the model")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what ``save`` wrote; raises UserError if the file holds another class."""
        with safe_open(str(path), framework="numpy") as stream:
            header = stream.metadata()
            if header["class"] != cls.__name__:
                raise UserError(f"{path}: expected a saved {cls.__name__}, found {header['class']}")
            model = cls(**json.loads(header["params"]))
            model._state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            model._history = json.loads(header.get("history", "[]"))
        return model

    def set_csr(self, name: str, matrix: sp.csr_matrix) -> None:
        """Store a CSR matrix in the fitted state as four arrays."""
        for part in ("data", "indices", "indptr"):
            self._state[f"{name}.{part}"] = getattr(matrix, part)
        self._state[f"{name}.shape"] = np.array(matrix.shape, dtype=np.int64)

    def get_csr(self, name: str) -> sp.csr_matrix:
        """The CSR matrix stored by ``set_csr`` (no copy)."""
        parts = tuple(self._state[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return sp.csr_matrix(parts, shape=tuple(self._state[f"{name}.shape"]), copy=False)


class SessionRecommender(Recommender):
    """Recommends the next items of running sessions."""

    kind: ClassVar[str] = "session"

    def fit(self, train: Sessions) -> Self:
        """Learn from complete sessions; raises UserError on an empty train."""
        raise TypeError(f"{type(self).__name__} does not define fit")

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rank items for each prefix (a session so far; its last event is the current item).

        Returns (items int32 [n, k], scores float32 [n, k]), best first; -1 (score 0) pads short
        lists. Ties go to the item seen first in train. Rows do not depend on each other.
        """
        raise TypeError(f"{type(self).__name__} does not define recommend")


class TopKRecommender(Recommender):
    """Recommends items to users known only by a profile (their fold-in)."""

    kind: ClassVar[str] = "topk"

    def fit(self, train: Interactions) -> Self:
        """Learn from the train users; raises UserError on an empty train."""
        raise TypeError(f"{type(self).__name__} does not define fit")

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items for each profile, never listing the stored entries of ``exclude`` [n, items].

        Returns (items int32 [n, k], scores float32 [n, k]), best first; -1 (score 0) pads.
        """
        raise TypeError(f"{type(self).__name__} does not define recommend")


def _arrays(value: np.ndarray | sp.csr_matrix) -> list[np.ndarray]:
    return [value] if isinstance(value, np.ndarray) else [value.data, value.indices, value.indptr]


def require_events(train: Sessions | Interactions, method: str) -> None:
    """Raise UserError where there is nothing to learn from."""
    empty = train.n_events == 0 if isinstance(train, Sessions) else train.liked.nnz == 0
    if empty:
        raise UserError(f"{method}: the train set is empty; expected at least one event")
