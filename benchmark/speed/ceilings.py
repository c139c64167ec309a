"""Section ``ceilings``: what the machine can do, beside which the other sections stand."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from benchmark.speed.harness import best_of
from contracts.runtime.device import has_bf16


def product_rate(kind: torch.dtype, rows: int = 512, width: int = 3000) -> tuple[float, float]:
    """GFLOP per (wall, processor) second of one matrix product [rows, width] x [width, width]."""
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, width, generator=rng).to(kind) for size in (rows, width))
    wall, cpu = best_of(lambda: a @ b, 5)
    flops = 2 * rows * width * width / 1e9
    return flops / wall, flops / cpu


def report() -> dict[str, float]:
    """Matrix products (GFLOP/s; bf16 where it is native), memory copy and sparse product (GB/s, GFLOP/s)."""
    out = {"float32 product GFLOP/s": product_rate(torch.float32)[0]}
    if has_bf16(torch.device("cpu")):
        out["bf16 product GFLOP/s"] = product_rate(torch.bfloat16)[0]
    source, target = np.ones(1 << 25, np.float32), np.empty(1 << 25, np.float32)
    out["memory copy GB/s (read + write)"] = 2 * source.nbytes / 1e9 / best_of(lambda: np.copyto(target, source))[0]
    rows = np.arange(30_000 * 10, dtype=np.int64)
    columns = np.random.default_rng(0).integers(1280, size=len(rows))
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows // 10, columns)), shape=(30_000, 1280))
    dense = np.ones((1280, 256), np.float32)
    out["sparse product GFLOP/s (one thread)"] = 2 * matrix.nnz * 256 / 1e9 / best_of(lambda: matrix @ dense)[0]
    return {name: round(value, 1) for name, value in out.items()}
