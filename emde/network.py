"""The feed-forward network from input sketch to output sketch (paper 4.1.1).

With layers = 3:  p = W_p x;  h1 = BN(act(W_1 x));  h2 = BN(act(W_2 h1 + p));  h3 = BN(act(W_3 h2 + p));
out = W_o h3, the logits of every depth row. layers = 1 is the top-k network, layers = 0 one linear map.
``Skip`` is one with sketches beside it, which go to its logits; ``Members`` are several side by side, each with its
own rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from emde.first_layer import SketchLinear

SKIP = 10.0
"""Of a skip's factors: Adam moves a weight by the learning rate a step, and some thousand steps of that are too few."""


def linear(inputs: int, outputs: int, rng: torch.Generator) -> nn.Linear:
    """A linear layer initialised as PyTorch's default, from the given generator."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    nn.init.uniform_(layer.weight, -bound, bound, generator=rng)
    nn.init.uniform_(layer.bias, -bound, bound, generator=rng)
    return layer


class Network(nn.Module):
    """What training asks of a network."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def flops(self) -> int:
        """Floating-point operations of the dense products per training example: forward 2, backward 4 per weight.

        The first layer needs no gradient of its input (4 in all), and none of this where it is sparse.
        """
        total = 0
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                total += 6 * layer.weight.numel()
            elif isinstance(layer, SketchLinear) and not layer.is_sparse:
                total += 4 * layer.weight.numel()
        return total


class SketchNetwork(Network):
    """Residual network on flattened sketches: [B, inputs] -> logits [B, outputs].

    rng    draws the initial weights, on the CPU
    noise  draws dropout masks, on the device that the network is moved to; None: ``rng``

    ``first`` holds W_1 and, behind it, W_p: both read the same sketch, so they are one product. Without
    ``batch_norm`` BN is left out.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: int,
        layers: int,
        dropout: float,
        rng: torch.Generator,
        batch_norm: bool = True,
        noise: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout, self.noise, self.hidden = dropout, rng if noise is None else noise, hidden
        self.first: SketchLinear | None = SketchLinear(inputs, hidden * min(layers, 2), rng) if layers else None
        self.layers = nn.ModuleList(linear(hidden, hidden, rng) for _ in range(layers - 1))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) if batch_norm else nn.Identity() for _ in range(layers))
        self.out = linear(hidden, outputs, rng) if layers else SketchLinear(inputs, outputs, rng)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.first is None:
            return self.out(x)
        h, p = self.first(x).split([self.hidden, self.first.weight.shape[1] - self.hidden], dim=1)
        h = self._activate(h, 0)
        for depth, layer in enumerate(self.layers, 1):
            h = self._activate(layer(h) + p, depth)
        return self.out(h)

    def _activate(self, h: torch.Tensor, depth: int) -> torch.Tensor:
        """BN(leaky ReLU(h)), and dropout in training; statistics are taken in float32."""
        h = self.norms[depth](F.leaky_relu(h, 0.01).float())
        if self.training and self.dropout > 0:
            h = h * self._mask(h) / (1 - self.dropout)
        return h

    def _mask(self, h: torch.Tensor) -> torch.Tensor:
        # bernoulli_ takes five times as long on a CPU
        return torch.rand(h.shape, generator=self.noise, device=h.device) >= self.dropout


class Skip(Network):
    """A network with sketches beside it, whose rows go to the logits of the same rows without passing its layers.

    Logits [B, rows, W] = network(the first ``read`` sketches) + sum over the sketches s from ``first`` on of
    SKIP * factors[s] * x[s]; the factors, one per sketch and row, are learned and begin at 0. Ours: past the layers,
    what was seen is named again, as in the repeat mode of RepeatNet (Ren et al., AAAI 2019).

    sketches  how many there are in x [B, sketches * rows * W]
    """

    def __init__(self, network: SketchNetwork, sketches: int, rows: int, read: int, first: int = 0) -> None:
        super().__init__()
        self.network, self.factors = network, nn.Parameter(torch.zeros(sketches - first, rows))
        self.sketches, self.rows, self.read, self.first = sketches, rows, read, first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sketches = x.view(len(x), self.sketches, self.rows, -1)
        beside: torch.Tensor = (SKIP * self.factors[..., None] * sketches[:, self.first :]).sum(1)
        return self.network(sketches[:, : self.read].flatten(1)) + beside.flatten(1)


class Members(Network):
    """Networks side by side, none of which sees another's rows: [B, parts * members * cells] -> [B, members * cells].

    parts  input sketches of every row (past, last, ...); within each, the rows of a member lie together
    """

    def __init__(self, parts: int, members: Sequence[Network]) -> None:
        super().__init__()
        self.parts, self.members = parts, nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        own = x.view(len(x), self.parts, len(self.members), -1).unbind(2)
        return torch.cat([member(cells.flatten(1)) for member, cells in zip(self.members, own, strict=True)], dim=1)
