"""NextItNet: dilated causal convolutions over the session."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from baselines.session.shared.batches import Batch
from baselines.session.shared.neural import EveryEventRecommender


class NextItNet(EveryEventRecommender):
    """Residual blocks of two dilated causal convolutions; every position predicts its next item (paper, section 3).

    Block with dilation l: x + relu(LN(conv_2l(relu(LN(conv_l(x)))))), convolutions of width ``kernel`` padded in
    front; a softmax layer of its own over all items. Every event of a session with one before it is a target.

    Defaults: dilations 1 2 1 2, kernel 3, Adam with lr .001 as in the authors' code for sessions; 100 channels
    and batches of 64 sessions are ours.
    Differs: softmax over all items in training (the paper samples negatives for large catalogues); loss is the
    mean over a batch's events; initial weights N(0, .02) (there: truncated); no padding tokens are predicted.
    """

    citation: ClassVar[str] = "Yuan, Karatzoglou, Arapakis, Jose, He, WSDM 2019, arXiv 1808.05163"

    dim: int = Field(100, ge=1, description="dimensions of the item vectors, channels of the convolutions")
    dilations: tuple[int, ...] = Field((1, 2, 1, 2), min_length=1, description="of the first layer of every block")
    kernel: int = Field(3, ge=1, description="width of the convolutions")
    batch_size: int = Field(64, ge=1, description="sessions per update")

    def build(self, n_items: int) -> nn.Module:
        return _Network(n_items, self.dim, self.dilations, self.kernel)


class _Network(nn.Module):
    def __init__(self, n_items: int, dim: int, dilations: tuple[int, ...], kernel: int) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=n_items)
        self.blocks = nn.ModuleList(_Block(dim, dilation, kernel) for dilation in dilations)
        self.score = nn.Linear(dim, n_items)

    def states(self, batch: Batch) -> torch.Tensor:
        """What the session is after every event, [B, L, dim]."""
        x = self.items(batch.items)
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, batch: Batch) -> torch.Tensor:
        states = self.states(batch)
        return self.score(states[torch.arange(len(states), device=states.device), batch.last])


class _Block(nn.Module):
    def __init__(self, dim: int, dilation: int, kernel: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv1d(dim, dim, kernel, dilation=d) for d in (dilation, 2 * dilation))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x
        for convolution, norm in zip((self.first, self.second), self.norms, strict=True):
            out = F.relu(norm(causal(convolution, out)))
        return x + out


def causal(convolution: nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
    """The convolution at every position of [B, L, dim], of no later event: one product.

    oneDNN's convolutions wait for their threads by spinning: on shared cores one of 64 short sessions took seconds.
    """
    width, step = convolution.kernel_size[0], convolution.dilation[0]
    padded = F.pad(x, (0, 0, (width - 1) * step, 0))
    windows = torch.cat([padded[:, tap * step : tap * step + x.shape[1]] for tap in range(width)], -1)
    return F.linear(windows, convolution.weight.transpose(1, 2).flatten(1), convolution.bias)
