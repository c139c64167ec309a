"""The training loop that the session and the top-k model share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal

import torch

from contracts import UserError, n_threads
from contracts.progress import progress
from emde.network import SketchNetwork

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


def fit_network(
    network: SketchNetwork,
    n_examples: int,
    batch_loss: Callable[[torch.Tensor], torch.Tensor],
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    gamma: float,
    dtype: DType,
    rng: torch.Generator,
    description: str,
    after_epoch: Callable[[int], None],
) -> None:
    """Adam(0.9, 0.999) over shuffled mini-batches; the rate is multiplied by gamma after each epoch.

    batch_loss   maps example indices int64 [batch] (on the CPU) to the mean loss of that batch
    after_epoch  is called with the number of epochs so far, the network in evaluation mode
    A last batch of one example is left out: batch normalisation needs two.
    """
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, betas=(0.9, 0.999), fused=True)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
    network.train()
    starts = [start for start in range(0, n_examples, batch_size) if n_examples - start > 1]
    with progress(description, epochs * len(starts)) as advance:
        for epoch in range(epochs):
            order = torch.randperm(n_examples, generator=rng)
            for start in starts:
                with precision(dtype, device):
                    loss = batch_loss(order[start : start + batch_size])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                advance(note=f"epoch {epoch + 1} loss {loss.item():.4f}")
            if starts:
                schedule.step()
            network.eval()
            after_epoch(epoch + 1)
            network.train()
    network.eval()
