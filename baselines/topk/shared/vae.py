"""Training and scoring of the Mult-VAE network in torch; ``multvae`` is its public face.

The input layer reads only the liked items (a sum of their rows of w1) and the loss reads only the
liked logits beside one logsumexp per user, so that no dense [batch, items] input or target exists.
All randomness comes from one CPU generator per epoch, seeded by (seed, epoch): every device draws
the same numbers, and a run resumed after any epoch equals one that was never interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn import functional

from contracts.checkpoint import Checkpoint
from contracts.progress import progress

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of one training run (see ``multvae.MultVae``)."""

    epochs: int
    batch_size: int
    dropout: float
    anneal_cap: float
    anneal_steps: int
    lr: float
    hidden: int
    latent: int
    seed: int


@dataclass(frozen=True)
class Batch:
    """Sparse rows as torch sees them: entries in row order."""

    items: torch.Tensor  # int64 [entries]
    rows: torch.Tensor  # int64 [entries]
    offsets: torch.Tensor  # int64 [batch], first entry of every row
    values: torch.Tensor  # float32 [entries]
    unit: torch.Tensor  # float32 [entries], values with each row scaled to L2 norm 1

    @classmethod
    def of(cls, liked: sp.csr_matrix, device: torch.device) -> Batch:
        rows = np.repeat(np.arange(liked.shape[0]), np.diff(liked.indptr))
        norm = np.sqrt(np.bincount(rows, weights=liked.data.astype(np.float64) ** 2, minlength=liked.shape[0]))
        arrays = (
            liked.indices.astype(np.int64),
            rows,
            liked.indptr[:-1].astype(np.int64),
            liked.data.astype(np.float32),
            (liked.data / norm[rows]).astype(np.float32),
        )
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))


def generator(seed: int, stage: int) -> torch.Generator:
    """The generator of one stage of training: 0 = initial weights, e = epoch e (from 1)."""
    state = np.random.SeedSequence([seed, stage]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def initial_weights(n_items: int, settings: Settings) -> Weights:
    """Glorot-uniform matrices w1..w4 and biases b1..b4 of sd .001, on the CPU."""
    draw = generator(settings.seed, 0)
    shapes = (
        (n_items, settings.hidden),
        (settings.hidden, 2 * settings.latent),  # mean and log variance
        (settings.latent, settings.hidden),
        (settings.hidden, n_items),
    )
    weights: Weights = {}
    for layer, (fan_in, fan_out) in enumerate(shapes, start=1):
        bound = math.sqrt(6.0 / (fan_in + fan_out))
        weights[f"w{layer}"] = (torch.rand(fan_in, fan_out, generator=draw) * 2 - 1) * bound
        weights[f"b{layer}"] = torch.randn(fan_out, generator=draw) * 1e-3
    return weights


def encode(weights: Weights, batch: Batch, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean, log variance) of q(z | x), each [batch, latent]; inputs float32 [entries]."""
    summed = functional.embedding_bag(batch.items, weights["w1"], batch.offsets, mode="sum", per_sample_weights=inputs)
    hidden = torch.tanh(summed + weights["b1"])
    mean, log_variance = (hidden @ weights["w2"] + weights["b2"]).chunk(2, dim=1)
    return mean, log_variance


def decode(weights: Weights, latent: torch.Tensor) -> torch.Tensor:
    """Logits [batch, items]."""
    hidden = torch.tanh(latent @ weights["w3"] + weights["b3"])
    return torch.addmm(weights["b4"], hidden, weights["w4"])


def loss_of(weights: Weights, batch: Batch, dropout: float, kl_weight: float, draw: torch.Generator) -> torch.Tensor:
    """Negative evidence bound per user: multinomial log likelihood and weighted KL divergence."""
    device = batch.values.device
    kept = torch.rand(len(batch.items), generator=draw) >= dropout
    inputs = batch.unit * kept.to(device) / (1.0 - dropout)
    mean, log_variance = encode(weights, batch, inputs)
    noise = torch.randn(mean.shape, generator=draw).to(device)
    logits = decode(weights, mean + noise * torch.exp(0.5 * log_variance))
    liked_logits = logits[batch.rows, batch.items] - torch.logsumexp(logits, dim=1)[batch.rows]
    divergence = 0.5 * (torch.exp(log_variance) + mean.square() - 1.0 - log_variance).sum()
    return (kl_weight * divergence - (batch.values * liked_logits).sum()) / len(batch.offsets)


def train_epoch(
    weights: Weights, optimizer: torch.optim.Optimizer, liked: sp.csr_matrix, settings: Settings, epoch: int
) -> float:
    """One pass over the users in random order; returns the mean loss. Epochs count from 1."""
    draw = generator(settings.seed, epoch)
    order = torch.randperm(liked.shape[0], generator=draw).numpy()
    device = weights["w1"].device
    starts = range(0, len(order), settings.batch_size)
    total = torch.zeros((), device=device)
    for number, start in enumerate(starts):
        updates = (epoch - 1) * len(starts) + number
        ramp = updates / settings.anneal_steps if settings.anneal_steps else 1.0
        batch = Batch.of(liked[order[start : start + settings.batch_size]], device)
        loss = loss_of(weights, batch, settings.dropout, min(settings.anneal_cap, ramp), draw)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return float(total) / len(starts)


def train(
    liked: sp.csr_matrix,
    settings: Settings,
    device: torch.device,
    checkpoint: Checkpoint,
    history: list[dict[str, float]],
    after_epoch: Callable[[int, dict[str, np.ndarray]], None] | None = None,
) -> dict[str, np.ndarray]:
    """Train on the non-empty rows, going on from the checkpoint if there is one; fills ``history`` epoch by epoch.

    after_epoch  called with the number of epochs so far and the weights
    """
    liked = liked[np.diff(liked.indptr) > 0]
    weights = {
        name: tensor.to(device).requires_grad_() for name, tensor in initial_weights(liked.shape[1], settings).items()
    }
    optimizer = torch.optim.Adam(list(weights.values()), lr=settings.lr, fused=True)
    history.clear()
    state = checkpoint.restore()
    if state is not None:
        with torch.no_grad():
            for name, tensor in weights.items():
                tensor.copy_(state["weights"][name])
        optimizer.load_state_dict(state["optimizer"])
        history.extend(state["history"])
    with progress("train MultVAE", settings.epochs) as advance:
        advance(len(history))
        for epoch in range(len(history) + 1, settings.epochs + 1):
            loss = train_epoch(weights, optimizer, liked, settings, epoch)
            history.append({"epoch": epoch, "loss": loss})
            advance(note=f"loss {loss:.4f}")
            if after_epoch is not None:
                after_epoch(epoch, _arrays(weights))
            if checkpoint.due():
                plain = {name: tensor.detach() for name, tensor in weights.items()}
                checkpoint.save({"weights": plain, "optimizer": optimizer.state_dict(), "history": history})
    return _arrays(weights)


def _arrays(weights: Weights) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in weights.items()}


@torch.inference_mode()
def score(weights: Weights, liked: sp.csr_matrix) -> np.ndarray:
    """Logits float32 [rows, items] at the mean of q(z | x)."""
    batch = Batch.of(liked, weights["w1"].device)
    mean, _ = encode(weights, batch, batch.unit)
    return decode(weights, mean).cpu().numpy()
