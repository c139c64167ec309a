"""contracts.runtime.device and contracts.runtime.best: what is asked of a GPU, on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from baselines.topk.ease import Ease, bytes_on_device
from baselines.topk.multvae import MultVae
from benchmark.experiments import methods
from contracts import Interactions, Sessions, UserError, top_k
from contracts.errors import NotFinite
from contracts.runtime import device
from contracts.runtime.best import Best
from contracts.runtime.device import Reading, pick_device, require_memory, send
from contracts.runtime.training import noise
from emde import EMDE
from emde.meter import Meter
from emde.network import SketchNetwork
from emde.session import data_bytes
from tests.contract import rows_of

CPU, META = torch.device("cpu"), torch.device("meta")


def test_sending_to_the_cpu_copies_nothing() -> None:
    values = np.arange(3.0)
    assert send(values, CPU).data_ptr() == values.ctypes.data


def test_on_the_cpu_noise_is_the_generator_itself() -> None:
    rng = torch.Generator().manual_seed(3)
    assert noise(rng, CPU) is rng


@pytest.mark.parametrize("asked", ["1", "0", None])
def test_deterministic_sums_on_a_gpu_are_asked_for_by_a_variable(asked, monkeypatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(device, "_gpu", lambda: META)
    monkeypatch.delenv(device.DETERMINISTIC, raising=False)
    if asked is not None:
        monkeypatch.setenv(device.DETERMINISTIC, asked)
    try:
        pick_device("cpu")
        assert not torch.are_deterministic_algorithms_enabled(), "the CPU's sums have an order"
        pick_device("auto")
        assert torch.are_deterministic_algorithms_enabled() == (asked == "1")
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("block", [3, 100])
def test_lists_made_on_a_device_are_those_of_the_contract(k: int, hide: bool, block: int) -> None:
    """Many ties, both zeros, negative scores, scores of -inf, blocks."""
    rng = np.random.default_rng(k)
    values = np.array([-np.inf, -3.5, -1e-30, -0.0, 0.0, 1e-30, 0.5, 3e38], np.float32)
    scores = rng.choice(values, (20, 30))
    exclude = sp.random(20, 30, 0.3, format="csr", random_state=rng) if hide else None
    found = Best(20, k, CPU, exclude)
    for start in range(0, 30, block):
        found.add(torch.from_numpy(scores[:, start : start + block]), start)
    for one, other in zip(found.lists(torch.tensor(True)), top_k(scores, k, exclude), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(NotFinite, match="the model diverged"):
        found.lists(torch.tensor(False))


def test_a_model_that_does_not_fit_is_refused_before_it_is_made(monkeypatch) -> None:
    require_memory(CPU, 1 << 60, "anything")
    monkeypatch.setattr(device, "free_bytes", lambda _: 1000)
    require_memory(META, 1000, "this")
    with pytest.raises(
        UserError, match=r"^this: expected 2,000 bytes free on the GPU \(0\.0 GiB\), found 1,000; choose"
    ):
        require_memory(META, 2000, "this")
    sessions = Sessions.from_lists([[0, 1, 2], [2, 1]], 3)
    likes = Interactions(rows_of([[0, 1], [1, 2]], 3))
    emde: dict[str, Any] = {"hidden": 16, "n": 2, "modalities": [{"group": "random"}]}
    for name, refused in (
        ("emde", lambda: EMDE.create(emde).fit(sessions)), ("ease", lambda: Ease().fit(likes)),
        ("multvae", lambda: MultVae(epochs=1).fit(likes)),
        ("narm", lambda: methods.find("session", "narm").create({}, "narm").fit(sessions)),
    ):  # fmt: skip
        monkeypatch.setattr(device, "free_bytes", lambda _: 100)
        with pytest.raises(UserError, match=f"^{name}: expected .* bytes free"):
            refused()


def test_bytes_by_hand() -> None:
    """The paper's card, 11 GB: RETAIL MM's 152 M weights beside rsc15's events; EASE for ML-20M in 8 GB."""
    model = EMDE.create({"hidden": 10, "layers": 2, "batch_size": 3})
    network = SketchNetwork(40, 20, 10, 2, 0.0, torch.Generator())
    weights = 40 * 20 + 20 + 10 * 10 + 10 + 2 * 2 * 10 + 10 * 20 + 20  # first, second, norms, out
    assert sum(parameter.numel() for parameter in network.parameters()) == weights
    assert model._bytes(weights, 40, 20) == 16 * weights + 4 * 3 * (2 * 40 + 4 * 20 + 4 * 10 * 2)
    assert model.model_copy(update={"validation": 0.1})._bytes(weights, 40, 20) - model._bytes(weights, 40, 20) == (
        4 * weights
    )
    retail = 17_920 * 6_000 + 2 * 3_000**2 + 3_000 * 8_960  # seven modalities, 3,000 units
    assert 151e6 < retail < 153e6
    assert data_bytes(31_700_000, 37_500 * 70) + EMDE.create({})._bytes(retail, 17_920, 8_960) < 11e9
    assert bytes_on_device(20_108, 116_677) == 16 * 20_108**2 < 8e9
    assert bytes_on_device(100, 10_000) == 4 * 100**2 + 4 * 100 * 4096


class _Late:
    """A number that takes two looks to arrive."""

    def __init__(self, value: torch.Tensor) -> None:
        self.left, self.number = 2, float(value)

    def value(self) -> float | None:
        self.left -= 1
        return None if self.left >= 0 else self.number


def test_the_progress_note_does_not_wait_for_the_loss(monkeypatch) -> None:
    assert Reading(torch.tensor(2.5)).value() == 2.5
    monkeypatch.setattr("emde.meter.Reading", _Late)
    monkeypatch.setattr("emde.meter.PAUSE", 0.0)
    monkeypatch.setattr("emde.meter.peak_flops", lambda *_: 1e9)
    meter = Meter(SketchNetwork(4, 4, 4, 1, 0.0, torch.Generator()), "float32")
    notes = [meter.note(1, torch.tensor(float(step)), 8) for step in range(4)]
    assert notes[:2] == ["", ""]
    assert notes[2].startswith("epoch 1 loss 0.0000"), "the one that was on its way"
    assert notes[3] == notes[2]
