"""Where a rival that can use a GPU computes."""

from __future__ import annotations

from typing import Literal

import torch

from contracts import UserError

Device = Literal["auto", "cpu", "cuda"]


def choose_device(name: Device, method: str) -> torch.device:
    """The torch device for auto | cpu | cuda; raises UserError where CUDA is asked for and absent."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError(f"{method}: parameter 'device': expected an available device, found 'cuda' without a GPU")
    return torch.device("cuda" if name != "cpu" and available else "cpu")
