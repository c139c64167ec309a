"""How fast training runs, against what the device can do."""

from __future__ import annotations

import time

import torch

from contracts.device import DType, precision
from emde.network import Network

PAUSE = 1.0
"""Seconds between two readings."""
SIDE = {"cpu": 1536, "cuda": 8192}
"""Side of the square matrices whose product is the device's peak."""


class Meter:
    """The note beside the progress bar: epoch, loss, examples/s, achieved / peak FLOP/s of the matrix products."""

    def __init__(self, network: Network, dtype: DType) -> None:
        self.network, self.dtype = network, dtype
        self.examples, self.since, self.peak = 0, time.perf_counter(), 0.0
        self.text = ""

    def note(self, epoch: int, loss: torch.Tensor, examples: int) -> str:
        """Count ``examples`` more; the text is renewed once a second, for reading a loss waits for the device."""
        self.examples += examples
        elapsed = time.perf_counter() - self.since
        if elapsed >= PAUSE:
            rate = self.examples / elapsed
            self.peak = self.peak or peak_flops(loss.device, self.dtype)
            done = rate * self.network.flops()
            self.text = f"epoch {epoch + 1} loss {loss.item():.4f} {rate:,.0f} examples/s {done / 1e9:,.0f} of "
            self.text += f"{self.peak / 1e9:,.0f} GFLOP/s"
            self.examples, self.since = 0, time.perf_counter()
        return self.text


def peak_flops(device: torch.device, dtype: DType) -> float:
    """FLOP/s of a large square product, the best of three: some 100 ms on a CPU."""
    side = SIDE[device.type]
    a = torch.ones(side, side, device=device)
    seconds = []
    with precision(dtype, device), torch.no_grad():
        a = a @ a  # in the type in which the context multiplies
        for _ in range(4):  # the first one warms up
            _wait(device)
            start = time.perf_counter()
            a @ a
            _wait(device)
            seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
