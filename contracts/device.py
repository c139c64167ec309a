"""Where and in what precision a network runs. Imports torch: not part of ``import contracts``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch

from contracts.errors import UserError
from contracts.threads import n_threads

Device = Literal["auto", "cpu", "cuda"]
DType = Literal["auto", "float32", "tf32", "bf16"]


def pick_device(device: Device) -> torch.device:
    """``auto`` takes the GPU if there is one. Also sets torch's CPU threads to ours."""
    torch.set_num_threads(n_threads())
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError("device: expected a CUDA device for 'cuda', found none that torch can use")
    return torch.device("cuda" if device != "cpu" and available else "cpu")


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
