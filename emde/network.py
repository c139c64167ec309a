"""The feed-forward network from input sketch to output sketch (paper 4.1.1).

With layers = 3:  p = W_p x;  h1 = BN(act(W_1 x));  h2 = BN(act(W_2 h1 + p));  h3 = BN(act(W_3 h2 + p));
out = W_o h3, the logits of every depth row. layers = 1 is the top-k network, layers = 0 one linear map.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


def linear(inputs: int, outputs: int, rng: torch.Generator) -> nn.Linear:
    """A linear layer initialised as PyTorch's default, from the given generator."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    nn.init.uniform_(layer.weight, -bound, bound, generator=rng)
    nn.init.uniform_(layer.bias, -bound, bound, generator=rng)
    return layer


class SketchNetwork(nn.Module):
    """Residual network on flattened sketches: [B, inputs] -> logits [B, outputs]."""

    def __init__(
        self, inputs: int, outputs: int, hidden: int, layers: int, dropout: float, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.dropout, self.rng = dropout, rng
        sizes = [inputs] + [hidden] * layers
        self.layers = nn.ModuleList(linear(a, b, rng) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(layers))
        self.project = linear(inputs, hidden, rng) if layers > 1 else None
        self.out = linear(sizes[-1], outputs, rng)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.project(x) if self.project is not None else None
        h = x
        for depth, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            h = layer(h) if depth == 0 or residual is None else layer(h) + residual
            h = norm(F.leaky_relu(h, 0.01).float())
            if self.training and self.dropout > 0:
                h = h * self._mask(h) / (1 - self.dropout)
        return self.out(h)

    def _mask(self, h: torch.Tensor) -> torch.Tensor:
        # drawn on the CPU from the model's own generator: the same on every device
        keep = torch.empty(h.shape).bernoulli_(1 - self.dropout, generator=self.rng)
        return keep.to(h.device)
