"""Where and in what precision networks run: what every floor with a network shares. Imports torch.

Nothing here waits for a GPU: ``send`` copies towards it behind the work that it has, ``Reading`` copies from it and
says when the number is there.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock, Timeout

from contracts.errors import UserError
from contracts.runtime.threads import n_threads

Device = Literal["auto", "cpu", "cuda"]
DType = Literal["auto", "float32", "tf32", "bf16"]

WAIT = 1.0
"""Seconds between two looks for a free GPU."""
DETERMINISTIC = "EMDE_DETERMINISTIC"
"""Set to 1, a GPU gives the same bits every time: sums of sketches and of embeddings' gradients are sorted first."""
ADAM_BYTES = 16
"""Of a float32 weight that Adam trains: weight, gradient, two moments."""


def pick_device(device: Device) -> torch.device:
    """``auto`` takes the GPU if there is one. Also sets torch's CPU threads to ours."""
    torch.set_num_threads(n_threads())
    gpu = _gpu()
    if device == "cuda" and gpu is None:
        raise UserError("device: expected a CUDA device for 'cuda', found none that torch can use")
    if device == "cpu" or gpu is None:
        return torch.device("cpu")
    if os.environ.get(DETERMINISTIC) == "1":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
        torch.use_deterministic_algorithms(True, warn_only=True)
    return gpu


def _gpu() -> torch.device | None:
    """The device that is taken where there is one; tests put one without data in its place."""
    return torch.device("cuda") if torch.cuda.is_available() else None


def send(values: np.ndarray | torch.Tensor, device: torch.device) -> torch.Tensor:
    """A copy on the device, made without waiting for what is at work there; on the CPU the values themselves."""
    tensor = torch.as_tensor(values)
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # only from page-locked memory does a copy not wait; torch reuses its pages
    return tensor.to(device, non_blocking=True)


class Reading:
    """A number on a device, on its way here: look again later instead of waiting."""

    def __init__(self, value: torch.Tensor) -> None:
        self._copy = value.detach().to("cpu", non_blocking=True)
        self._done = None
        if value.device.type == "cuda":
            self._done = torch.cuda.Event()
            self._done.record()

    def value(self) -> float | None:
        """The number, None as long as it is not there."""
        return float(self._copy) if self._done is None or self._done.query() else None


def best_seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of three runs, after one that is not counted; waits for a GPU before and after each."""
    seconds = []
    for _ in range(4):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def wait(device: torch.device) -> None:
    """Until a GPU has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free_bytes(device: torch.device) -> int | None:
    """What can be allocated on a GPU; None on a CPU, where memory is the system's affair."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def require_memory(device: torch.device, needed: int, what: str) -> None:
    """Raises UserError, before anything is allocated, where ``what`` needs more bytes than the device has free."""
    free = free_bytes(device)
    if free is not None and needed > free:
        raise UserError(
            f"{what}: expected {needed:,} bytes free on the GPU ({needed / 2**30:.1f} GiB), found {free:,}; "
            "choose a smaller model or device=cpu"
        )


@contextmanager
def own_gpu(device: Device) -> Iterator[None]:
    """Have a GPU to ourselves for as long as the block lasts, if ``device`` means one; else nothing happens.

    A file lock per GPU, which the kernel frees when its holder dies: cells never share a GPU, whoever started
    them (DVC, a flow, a Dask worker). Waits for the first GPU that becomes free.
    """
    if pick_device(device).type != "cuda":
        yield
        return
    locks = [FileLock(Path(tempfile.gettempdir(), f"emde-gpu-{name}.lock")) for name in _gpu_names()]
    while True:
        for index, lock in enumerate(locks):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            torch.cuda.set_device(index)
            try:
                yield
            finally:
                lock.release()
            return
        time.sleep(WAIT)


def _gpu_names() -> list[str]:
    """What tells this machine's GPUs apart, in torch's order: CUDA_VISIBLE_DEVICES renumbers them."""
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]


def has_bf16(device: torch.device) -> bool:
    """Whether matrix products in bf16 are native (and hence fast) on this device.

    oneDNN computes them on every processor with AVX-512, without instructions for bf16 at half the speed of float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch 2.5 cannot tell
    native = platform.machine() != "x86_64" or instructions is None or instructions()
    return native and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def precision(dtype: DType, device: torch.device) -> AbstractContextManager[None]:
    """A context in which matrix products run in bf16 (``auto``: where that is native), TF32 (CUDA) or float32."""
    if dtype == "bf16" or (dtype == "auto" and has_bf16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return _tf32() if dtype == "tf32" and device.type == "cuda" else nullcontext()


@contextmanager
def _tf32() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
