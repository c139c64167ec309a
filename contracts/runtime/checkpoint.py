"""Checkpoints of a training run: killed at any moment and started again, it ends as if it had never stopped.

    state = checkpoint.restore()              # None: from the beginning
    ... each step:
    if checkpoint.due():
        checkpoint.save({"network": ..., "optimizer": ..., "rng": generator.get_state(), "epoch": ..., "step": ...})

``EpochLearner.checkpoint_at`` says where; ``emde run`` does so by itself and removes the file in the end.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import UserError
from contracts.runtime.files import whole_file
from contracts.runtime.json import to_json

VARIABLE = "EMDE_CHECKPOINT_SECONDS"
SECONDS = 300.0
"""Between checkpoints within an epoch: a large model's takes seconds to write."""
SHARE = 10
log = logging.getLogger("emde")


class Checkpoint:
    """One file with the whole state of a run, and whose run that is.

    path      None: nothing is ever written or read
    identity  what must agree between the run that wrote the file and the one that reads it
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.identity = hashlib.sha256(
            to_json(dict(identity), "identity", sort_keys=True, other=str).encode()
        ).hexdigest()
        self.every = seconds()
        self.written = time.monotonic()
        self.cost = 0.0  # seconds that the last one took to write

    def restore(self) -> dict[str, Any] | None:
        """The state last saved, on the CPU; None where there is none, or only that of another run (logged)."""
        if self.path is None or not self.path.is_file():
            return None
        import torch  # takes seconds to load

        try:
            stored = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises whatever its unpickler trips over
            raise UserError(f"{self.path}: expected a checkpoint, found {str(error).splitlines()[0]}") from None
        if not isinstance(stored, dict) or stored.get("identity") != self.identity:
            log.warning(
                "%s: checkpoint of another run (data, parameters, code or versions differ): starting anew", self.path
            )
            return None
        log.info("%s: going on from a checkpoint", self.path)
        return stored["state"]

    def due(self) -> bool:
        """Whether the last one was written (or the run started) long enough ago."""
        return self.path is not None and time.monotonic() - self.written >= self.every

    def due_after_epoch(self) -> bool:
        """Always, unless epochs are so short that writing would take more than a tenth of the time."""
        return self.path is not None and time.monotonic() - self.written >= SHARE * self.cost

    def save(self, state: Mapping[str, Any]) -> None:
        """Write tensors, numbers, strings, lists and dicts of them, whole and synced; nothing without a path."""
        if self.path is None:
            return
        import torch

        began = time.monotonic()
        with whole_file(self.path, "the checkpoint") as stream:
            torch.save({"identity": self.identity, "state": dict(state)}, stream)
        self.written = time.monotonic()
        self.cost = self.written - began


def seconds() -> float:
    """Seconds between checkpoints: EMDE_CHECKPOINT_SECONDS if set (0: after every step), else 300."""
    value = os.environ.get(VARIABLE, "")
    try:
        interval = float(value or SECONDS)
    except ValueError:
        interval = -1.0
    if interval < 0:
        raise UserError(f"{VARIABLE}: expected seconds from 0, found {value!r}")
    return interval


def digest(arrays: Iterable[np.ndarray]) -> str:
    """sha256 of arrays (types, shapes, values): what stands for the train set in an identity."""
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(f"{array.dtype.str}{array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()
