"""Where networks run and in which precision: what every floor with a network shares. Imports torch."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal

import torch

from contracts.errors import UserError
from contracts.threads import n_threads

Device = Literal["auto", "cpu", "cuda"]
DType = Literal["auto", "float32", "bf16"]


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


def precision(dtype: DType, device: torch.device):
    """A context in which matrix products run in bf16 (float32 elsewhere), or a plain one."""
    if dtype == "bf16" or (dtype == "auto" and has_bf16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
