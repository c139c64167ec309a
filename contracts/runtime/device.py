"""Where and in what precision networks run: what every floor with a network shares. Imports torch."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal

import torch
from filelock import FileLock, Timeout

from contracts.errors import UserError
from contracts.threads import n_threads

Device = Literal["auto", "cpu", "cuda"]
DType = Literal["auto", "float32", "tf32", "bf16"]

WAIT = 1.0
"""Seconds between two looks for a free GPU."""


def pick_device(device: Device) -> torch.device:
    """``auto`` takes the GPU if there is one. Also sets torch's CPU threads to ours."""
    torch.set_num_threads(n_threads())
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError("device: expected a CUDA device for 'cuda', found none that torch can use")
    return torch.device("cuda" if device != "cpu" and available else "cpu")


@contextmanager
def own_gpu(device: Device) -> Iterator[None]:
    """Have a GPU to ourselves for as long as the block lasts, if ``device`` means one; else nothing happens.

    A file lock per GPU, which the kernel frees when its holder dies: cells never share a GPU, whoever started
    them (DVC, a flow, a Dask worker). Waits for the first GPU that becomes free.
    """
    if pick_device(device).type != "cuda":
        yield
        return
    locks = [FileLock(Path(tempfile.gettempdir(), f"emde-gpu-{name}.lock")) for name in _gpu_names()]
    while True:
        for index, lock in enumerate(locks):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            torch.cuda.set_device(index)
            try:
                yield
            finally:
                lock.release()
            return
        time.sleep(WAIT)


def _gpu_names() -> list[str]:
    """What tells this machine's GPUs apart, in torch's order: CUDA_VISIBLE_DEVICES renumbers them."""
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]


def has_bf16(device: torch.device) -> bool:
    """Whether matrix products in bf16 are native (and hence fast) on this device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def precision(dtype: DType, device: torch.device) -> AbstractContextManager[None]:
    """A context in which matrix products run in bf16 (``auto``: where that is native), TF32 (CUDA) or float32."""
    if dtype == "bf16" or (dtype == "auto" and has_bf16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return _tf32() if dtype == "tf32" and device.type == "cuda" else nullcontext()


@contextmanager
def _tf32() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
