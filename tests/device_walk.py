"""A device without data walked by real code: every transfer, every wait, every tensor left on the other side.

Tensors of torch's ``meta`` device have shapes and no values, so code that runs on them runs as it would on a GPU up to
the point where a value is asked for. ``walk`` puts that device in the GPU's place and notes what passes between it and
the CPU:

    in        copied to the device, behind the work that it has
    in:waits  copied to it from memory that is not page-locked, for which a GPU's work so far is waited
    out       copied from it: waits
    scalar    a number read from it: waits
    size      a result whose size depends on values (nonzero, a boolean index, unique, ...): waits
    mixed     one operation over tensors on both sides
    noise     numbers drawn on the device from a generator that is on the CPU

What ``meta`` refuses is answered by a stand-in of the largest possible size. Left out, since ``meta`` has no such
thing: autocast (walk in float32), Adam's fused kernel (its plain form steps instead), generators (one on the CPU
stands for the device's), CUDA graphs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

META = torch.device("meta")
PROJECT = Path(__file__).parents[1]
OURS = ("contracts", "emde", "baselines")
SIZES = ("nonzero", "repeat_interleave", "_unique2", "unique_dim", "bincount", "masked_select", "unique_consecutive")
ON_DEVICE = 1 << 63
"""Seeds from here on are those of generators that stand for the device's."""
Crossing = tuple[str, str]
"""(what, ``file:function`` of ours that asked for it)."""


class Crossings(TorchDispatchMode):
    """Notes what passes between the sides; ``noted`` counts it."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: Counter[Crossing] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:  # in inference mode operations come whole that otherwise come in their parts
            whole = func.decompose(*args, **kwargs)
        if whole is not NotImplemented:
            return whole
        name = func.overloadpacket.__name__
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)]
        there = [x for x in tensors if x.device == META]
        if name in ("_to_copy", "copy_"):
            return self._copy(name, func, args, kwargs)
        if name == "_local_scalar_dense" and there:
            self.note("scalar")
            return torch.zeros((), dtype=args[0].dtype).item()
        if name in SIZES and there and kwargs.get("output_size") is None:
            self.note("size")
            return _stand_in(name, args)
        if name in ("index", "index_put_", "index_put") and there:
            args = self._indices(args)
        if {x.device.type for x in tensors if x.dim() or x.device == META} == {"cpu", "meta"}:
            self.note("mixed")
            args, kwargs = _all_there(args, kwargs)
        self._noise(args, kwargs, there or [x for x in [kwargs.get("device")] if x == META])
        return func(*args, **kwargs)

    def note(self, what: str) -> None:
        """Count a crossing of the nearest function of ours."""
        frame = sys._getframe(1)
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(PROJECT) and path.relative_to(PROJECT).parts[0] in OURS:
                name = f"{path.relative_to(PROJECT)}:{frame.f_code.co_name}"
                if not name.startswith("contracts/runtime/device.py"):  # who sends is of interest
                    break
            frame = frame.f_back
        self.noted[what, name if frame is not None else "?"] += 1

    def _copy(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        source, target = (args[1], args[0]) if name == "copy_" else (args[0], None)
        aim = target.device if target is not None else torch.device(kwargs.get("device") or source.device)
        if {source.device.type, aim.type} != {"cpu", "meta"}:
            return func(*args, **kwargs)
        blocking = not (kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2]))
        if aim == META:
            self.note("in:waits" if blocking else "in")
            return func(*args, **kwargs)
        self.note("out")
        return torch.ones(source.shape, dtype=kwargs.get("dtype") or source.dtype) if target is None else target

    def _indices(self, args: Any) -> Any:
        """A boolean index is as long as its mask, and a look at how many are true."""
        indices = list(args[1])
        for place, index in enumerate(indices):
            if index is not None and index.dtype == torch.bool:
                self.note("size")
                indices[place] = torch.empty(index.shape[0], dtype=torch.int64, device=META)
        return (args[0], indices, *args[2:])

    def _noise(self, args: Any, kwargs: Any, there: list[Any]) -> None:
        drawn = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.Generator)]
        if there and any(x.initial_seed() < ON_DEVICE for x in drawn):
            self.note("noise")


def _stand_in(name: str, args: Any) -> Any:
    whole = args[0].numel()
    if name == "_unique2":
        return (torch.empty(whole, dtype=args[0].dtype, device=META), *torch.empty(2, whole, dtype=int, device=META))
    shape = (whole, args[0].dim()) if name == "nonzero" else (whole,)
    return torch.empty(shape, dtype=torch.int64, device=META)


def _all_there(args: Any, kwargs: Any) -> Any:
    return tree_map(lambda x: x.to(META) if isinstance(x, torch.Tensor) else x, (args, kwargs))


class _OnDevice:
    """Makes generators that can be told from the CPU's."""

    def manual_seed(self, seed: int) -> torch.Generator:
        """With the same seed, but for one bit."""
        return torch.Generator().manual_seed(seed + ON_DEVICE)


class _Torch:
    """torch with what it has not for a device without data."""

    def __init__(self) -> None:
        self.optim = self

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def Generator(self, device: Any = "cpu") -> Any:
        """One on the CPU that stands for the device's."""
        return _OnDevice() if torch.device(device) == META else torch.Generator(device)

    def Adam(self, weights: Any, *, fused: bool, **settings: Any) -> torch.optim.Optimizer:
        """Not fused."""
        assert fused
        return torch.optim.Adam(weights, foreach=False, **settings)

    def AdamW(self, weights: Any, *, fused: bool, **settings: Any) -> torch.optim.Optimizer:
        """Not fused."""
        assert fused
        return torch.optim.AdamW(weights, foreach=False, **settings)

    def autocast(self, device: str, **settings: Any) -> Any:
        """None there."""
        return nullcontext() if device == "meta" else torch.autocast(device, **settings)

    def is_autocast_enabled(self, device: str) -> bool:
        """Never there."""
        return device != "meta" and torch.is_autocast_enabled(device)


@contextmanager
def walk() -> Iterator[Crossings]:
    """The device without data is the one that ``auto`` takes; what passes is noted."""
    mode = Crossings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("contracts.runtime.device._gpu", lambda: META)
        for module in ("contracts.runtime.training", "baselines.session.shared.graph", "baselines.session.tagnn"):
            patch.setattr(f"{module}.torch", _Torch())
        with mode:
            yield mode


def of_a_step(fit: Callable[[], Any]) -> dict[Crossing, int]:
    """What passes in one training step: its batch, loss, gradients and update; the third one of a fit."""
    from contracts.runtime.training import Trainer

    seen: list[Counter[Crossing]] = []

    def update(trainer: Trainer, step: Any) -> None:
        real(trainer, step)
        seen.append(mode.noted.copy())

    real = Trainer._update
    with pytest.MonkeyPatch.context() as patch, walk() as mode:
        patch.setattr(Trainer, "_update", update)
        patch.setattr("emde.meter.PAUSE", float("inf"))
        fit()
    assert len(seen) >= 3
    return dict(seen[2] - seen[1])


def of_a_batch(recommend: Callable[[], Any]) -> dict[Crossing, int]:
    """What passes in ranking one batch; weights and codes are there from the batch before."""
    with walk() as mode:
        recommend()
        mode.noted.clear()
        recommend()
    return dict(mode.noted)
