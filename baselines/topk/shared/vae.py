"""The Mult-VAE network in torch; ``multvae`` trains it.

The input layer reads only the liked items (a sum of their rows of w1) and the loss reads only the
liked logits beside one logsumexp per user, so that no dense [batch, items] input or target exists.
All randomness comes from generators seeded by (seed, epoch), masks and noise from one on the device: a run resumed
after any epoch equals one that was never interrupted. GPUs draw other numbers than CPUs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn
from torch.nn import functional

from contracts.runtime.device import send

Weights = Mapping[str, torch.Tensor] | nn.ParameterDict


@dataclass(frozen=True)
class UserBatch:
    """Sparse rows as torch sees them: entries in row order."""

    items: torch.Tensor  # int64 [entries]
    rows: torch.Tensor  # int64 [entries]
    offsets: torch.Tensor  # int64 [batch], first entry of every row
    values: torch.Tensor  # float32 [entries]
    unit: torch.Tensor  # float32 [entries], values with each row scaled to L2 norm 1

    @classmethod
    def of(cls, liked: sp.csr_matrix, device: torch.device) -> UserBatch:
        rows = np.repeat(np.arange(liked.shape[0]), np.diff(liked.indptr))
        norm = np.sqrt(np.bincount(rows, weights=liked.data.astype(np.float64) ** 2, minlength=liked.shape[0]))
        whole = np.concatenate([liked.indices.astype(np.int64), rows, liked.indptr[:-1].astype(np.int64)])
        values = np.stack([liked.data.astype(np.float32), (liked.data / norm[rows]).astype(np.float32)])
        return cls(*send(whole, device).split([liked.nnz, liked.nnz, liked.shape[0]]), *send(values, device))


def initial_weights(n_items: int, hidden: int, latent: int, draw: torch.Generator) -> nn.ParameterDict:
    """Glorot-uniform matrices w1..w4 and biases b1..b4 of sd .001, on the CPU."""
    shapes = (
        (n_items, hidden),
        (hidden, 2 * latent),  # mean and log variance
        (latent, hidden),
        (hidden, n_items),
    )
    weights: dict[str, torch.Tensor] = {}
    for layer, (fan_in, fan_out) in enumerate(shapes, start=1):
        bound = math.sqrt(6.0 / (fan_in + fan_out))
        weights[f"w{layer}"] = (torch.rand(fan_in, fan_out, generator=draw) * 2 - 1) * bound
        weights[f"b{layer}"] = torch.randn(fan_out, generator=draw) * 1e-3
    return nn.ParameterDict(weights)


def encode(weights: Weights, batch: UserBatch, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean, log variance) of q(z | x), each [batch, latent]; inputs float32 [entries]."""
    summed = functional.embedding_bag(batch.items, weights["w1"], batch.offsets, mode="sum", per_sample_weights=inputs)
    hidden = torch.tanh(summed + weights["b1"])
    mean, log_variance = (hidden @ weights["w2"] + weights["b2"]).chunk(2, dim=1)
    return mean, log_variance


def decode(weights: Weights, latent: torch.Tensor) -> torch.Tensor:
    """Logits [batch, items]."""
    hidden = torch.tanh(latent @ weights["w3"] + weights["b3"])
    return torch.addmm(weights["b4"], hidden, weights["w4"])


def loss_of(
    weights: Weights, batch: UserBatch, dropout: float, kl_weight: float, draw: torch.Generator
) -> torch.Tensor:
    """Negative evidence bound per user: multinomial log likelihood and weighted KL divergence.

    draw  on the device of the batch
    """
    device = batch.values.device
    kept = torch.rand(len(batch.items), generator=draw, device=device) >= dropout
    inputs = batch.unit * kept / (1.0 - dropout)
    mean, log_variance = encode(weights, batch, inputs)
    noise = torch.randn(mean.shape, generator=draw, device=device)
    logits = decode(weights, mean + noise * torch.exp(0.5 * log_variance))
    liked_logits = logits[batch.rows, batch.items] - torch.logsumexp(logits, dim=1)[batch.rows]
    divergence = 0.5 * (torch.exp(log_variance) + mean.square() - 1.0 - log_variance).sum()
    return (kl_weight * divergence - (batch.values * liked_logits).sum()) / len(batch.offsets)


@torch.inference_mode()
def score(weights: Weights, liked: sp.csr_matrix) -> torch.Tensor:
    """Logits float32 [rows, items] at the mean of q(z | x)."""
    batch = UserBatch.of(liked, weights["w1"].device)
    mean, _ = encode(weights, batch, batch.unit)
    return decode(weights, mean)
