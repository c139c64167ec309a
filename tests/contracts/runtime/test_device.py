"""One cell per GPU: locks stand in for GPUs here, there being none."""

import threading
from typing import Any

import pytest
import torch

from contracts import UserError
from contracts.runtime import device


def test_without_a_gpu_nothing_is_locked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with device.own_gpu("auto"), device.own_gpu("cpu"):
        pass
    with pytest.raises(UserError, match="expected a CUDA device"), device.own_gpu("cuda"):
        pass


def test_cells_never_share_a_gpu(monkeypatch, tmp_path):
    """Four cells, two GPUs: at most one at a time on each, and both are used."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "_gpu_names", lambda: ["a", "b"])
    monkeypatch.setattr(device, "WAIT", 0.01)
    monkeypatch.setattr(device.tempfile, "gettempdir", lambda: str(tmp_path))
    mine = threading.local()
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: setattr(mine, "gpu", index))
    busy: set[int] = set()
    used: list[int] = []
    clashes: list[Any] = []

    def cell() -> None:
        with device.own_gpu("auto"):
            if mine.gpu in busy:
                clashes.append(mine.gpu)
            busy.add(mine.gpu)
            used.append(mine.gpu)
            both.wait(0.3)
            busy.discard(mine.gpu)

    both = threading.Event()
    threads = [threading.Thread(target=cell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert clashes == []
    assert sorted(used) == [0, 0, 1, 1]


def test_bf16_is_native_only_where_a_processor_has_instructions_for_it(monkeypatch):
    """oneDNN says yes to every processor with AVX-512, on which bf16 then takes twice as long as float32."""
    monkeypatch.setattr(device.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(device.torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    for has in (True, False):
        monkeypatch.setattr(device.torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has, raising=False)
        assert device.has_bf16(torch.device("cpu")) == has
