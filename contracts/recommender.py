"""What every recommender is: validated hyper-parameters, fit, recommend, save, load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from safetensors import safe_open
from safetensors.numpy import save as to_safetensors

from contracts.errors import UserError, invalid
from contracts.interactions import Interactions
from contracts.runtime.checkpoint import Checkpoint, digest
from contracts.runtime.files import write_whole
from contracts.runtime.json import from_json, to_json
from contracts.runtime.sources import sources_hash
from contracts.runtime.threads import n_threads
from contracts.sessions import Sessions
from contracts.source import Source

Kind = Literal["session", "topk", "density"]


class Estimator(BaseModel, ABC):
    """What every method is: its hyper-parameters are the fields (typed, bounded, described)."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

    kind: ClassVar[Kind]
    citation: ClassVar[str] = ""

    @classmethod
    def create(cls, params: dict[str, Any], name: str | None = None) -> Self:
        """Build from untrusted parameters; raises UserError with one line naming the bad one."""
        try:
            return cls(**params)
        except ValidationError as error:
            first, method = error.errors()[0], name or cls.__name__
            if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
                known = ", ".join(cls.model_fields) or "none"
                raise UserError(f"{method}: unknown parameter '{first['loc'][0]}'; expected one of: {known}") from None
            raise invalid(method, error, "parameter", "parameters") from None


class Recommender(Estimator):
    """An estimator that ranks items; fitted state lives in ``_state``.

    A method needs no more than ``fit`` and ``recommend``. Everything learned goes into ``_state``,
    a dict of arrays, so that ``save`` and ``load`` need no code of their own.
    """

    _state: dict[str, np.ndarray] = PrivateAttr(default_factory=dict)

    @abstractmethod
    def fit(self, train: Any) -> Self:
        """Learn from what this kind of recommender is given; raises UserError on an empty train."""

    @abstractmethod
    def recommend(self, so_far: Any, k: int, /) -> tuple[np.ndarray, np.ndarray]:
        """(items int32 [n, k], scores float32 [n, k]) for n sessions or profiles so far, best first; -1 (score 0) pads.

        The subclasses name and type the first argument.
        """

    @property
    def needs(self) -> list[Source]:
        """What its parameters ask of the data: a group, an attribute, attributes (any), vectors, dislikes."""
        return []

    @property
    def fit_record(self) -> dict[str, Any]:
        """What run.json says of the fit besides parameters and curve."""
        return {}

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file (parameters in its header), atomically. Returns its path."""
        header = {"class": type(self).__name__, "params": self.model_dump_json(), **self._more_header()}
        arrays = {name: np.ascontiguousarray(array) for name, array in self._state.items()}
        return write_whole(Path(path), to_safetensors(arrays, metadata=header), "the model")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what ``save`` wrote; raises UserError if the file holds another class."""
        with safe_open(str(path), framework="numpy") as stream:
            header = stream.metadata()
            if header["class"] != cls.__name__:
                raise UserError(f"{path}: expected a saved {cls.__name__}, found {header['class']}")
            model = cls(**from_json(header["params"], str(path)))
            model._state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            model._read_header(header)
        return model

    def _more_header(self) -> dict[str, str]:
        """What a subclass keeps in the header besides."""
        return {}

    def _read_header(self, header: Mapping[str, str]) -> None:
        """Take up what ``_more_header`` kept."""

    def set_csr(self, name: str, matrix: sp.csr_matrix) -> None:
        """Store a CSR matrix in the fitted state as four arrays."""
        for part in ("data", "indices", "indptr"):
            self._state[f"{name}.{part}"] = getattr(matrix, part)
        self._state[f"{name}.shape"] = np.array(matrix.shape, dtype=np.int64)

    def get_csr(self, name: str) -> sp.csr_matrix:
        """The CSR matrix stored by ``set_csr`` (no copy)."""
        parts = tuple(self._state[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return sp.csr_matrix(parts, shape=tuple(self._state[f"{name}.shape"]), copy=False)


class EpochLearner(Recommender):
    """Mix-in of what learns in epochs: a learning curve, checkpoints, and somebody who watches."""

    _history: list[dict[str, float]] = PrivateAttr(default_factory=list)
    _checkpoint: Path | None = PrivateAttr(None)
    _after_epoch: Callable[[int], None] | None = PrivateAttr(None)

    @property
    def history(self) -> list[dict[str, float]]:
        """The learning curve: one dict per epoch (``epoch``, ``loss``, ...)."""
        return self._history

    def watch(self, after_epoch: Callable[[int], None]) -> Self:
        """Have ``after_epoch(epochs so far)`` called in ``fit``, the model ready to recommend; returns self.

        For validation curves; an exception ends the fit.
        """
        self._after_epoch = after_epoch
        return self

    def checkpoint_at(self, path: Path | None) -> Self:
        """Where ``fit`` keeps its checkpoint; an unfinished run there is continued."""
        self._checkpoint = path
        return self

    def checkpoint(self, train: Mapping[str, np.ndarray | sp.csr_matrix | None]) -> Checkpoint:
        """The checkpoint of a fit on ``train`` (arrays and matrices by name): of these parameters, data and code."""
        parts = {name: _arrays(value) for name, value in train.items() if value is not None}
        identity = {
            "method": type(self).__name__,
            "sources": sources_hash(type(self).__module__) if self._checkpoint else "",
            "packages": [version("numpy"), version("torch")],
            "params": self.model_dump(mode="json"),
            "train": {name: digest(arrays) for name, arrays in parts.items()},
            "threads": n_threads(),
        }
        return Checkpoint(self._checkpoint, identity)

    def _more_header(self) -> dict[str, str]:
        return {"history": to_json(self._history, "history")} if self._history else {}

    def _read_header(self, header: Mapping[str, str]) -> None:
        self._history = from_json(header.get("history", "[]"), "history")


class SessionRecommender(Recommender):
    """Recommends the next items of running sessions."""

    kind: ClassVar[Kind] = "session"

    @abstractmethod
    def fit(self, train: Sessions) -> Self:
        """Learn from complete sessions; raises UserError on an empty train."""

    @abstractmethod
    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rank items for each prefix (a session so far; its last event is the current item).

        Returns (items int32 [n, k], scores float32 [n, k]), best first; -1 (score 0) pads short
        lists. Ties go to the item seen first in train. Rows do not depend on each other.
        """


class TopKRecommender(Recommender):
    """Recommends items to users known only by a profile (their fold-in)."""

    kind: ClassVar[Kind] = "topk"

    @abstractmethod
    def fit(self, train: Interactions) -> Self:
        """Learn from the train users; raises UserError on an empty train."""

    @abstractmethod
    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items for each profile, never listing the stored entries of ``exclude`` [n, items].

        Returns (items int32 [n, k], scores float32 [n, k]), best first; -1 (score 0) pads.
        """


def _arrays(value: np.ndarray | sp.csr_matrix) -> list[np.ndarray]:
    return [value] if isinstance(value, np.ndarray) else [value.data, value.indices, value.indptr]


def require_events(train: Sessions | Interactions, method: str) -> None:
    """Raise UserError where there is nothing to learn from."""
    empty = train.n_events == 0 if isinstance(train, Sessions) else train.liked.nnz == 0
    if empty:
        raise UserError(f"{method}: the train set is empty; expected at least one event")
