"""How fast training runs, against what the device can do."""

from __future__ import annotations

import time

import torch

from contracts.runtime.device import DType, Reading, best_seconds, precision
from emde.network import Network

PAUSE = 1.0
"""Seconds between two readings."""
SIDE = {"cpu": 1536, "cuda": 8192}
"""Side of the square matrices whose product is the device's peak."""


class Meter:
    """The note beside the progress bar: epoch, loss, examples/s, achieved / peak FLOP/s of the products."""

    def __init__(self, network: Network, dtype: DType) -> None:
        self.network, self.dtype = network, dtype
        self.examples, self.since, self.peak = 0, time.perf_counter(), 0.0
        self.loss: Reading | None = None
        self.text = ""

    def note(self, epoch: int, loss: torch.Tensor, examples: int) -> str:
        """Count ``examples`` more; the text is renewed once a second, as soon as a loss is here without waiting."""
        self.examples += examples
        elapsed = time.perf_counter() - self.since
        if elapsed < PAUSE:
            return self.text
        self.loss = self.loss or Reading(loss)
        value = self.loss.value()
        if value is not None:
            rate = self.examples / elapsed
            self.peak = self.peak or peak_flops(loss.device, self.dtype)
            done = rate * self.network.flops()
            self.text = f"epoch {epoch} loss {value:.4f} {rate:,.0f} examples/s {done / 1e9:,.0f} of "
            self.text += f"{self.peak / 1e9:,.0f} GFLOP/s"
            self.examples, self.since, self.loss = 0, time.perf_counter(), None
        return self.text


def peak_flops(device: torch.device, dtype: DType) -> float:
    """FLOP/s of a large square product, the best of three: some 100 ms on a CPU."""
    side = SIDE[device.type]
    a = torch.rand(side, side, device=device, generator=torch.Generator(device).manual_seed(0))  # ones cost less power
    with precision(dtype, device), torch.no_grad():
        a = a @ a  # in the type in which the context multiplies
        return 2 * side**3 / best_seconds(lambda: a @ a, device)
