from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.topk.multvae import MultVae
from baselines.topk.shared import vae
from contracts import Interactions
from tests.baselines.topk.conftest import ColdUserSplit

SMALL = {"hidden": 16, "latent": 4, "batch_size": 7, "device": "cpu"}


def dense_loss(weights: dict[str, np.ndarray], likes: np.ndarray, kl_weight: float, noise: np.ndarray) -> float:
    """The objective without dropout, on dense float64 arrays."""
    inputs = likes / np.maximum(np.linalg.norm(likes, axis=1, keepdims=True), 1e-30)
    hidden = np.tanh(inputs @ weights["w1"] + weights["b1"])
    mean, log_variance = np.split(hidden @ weights["w2"] + weights["b2"], 2, axis=1)
    latent = mean + noise * np.exp(log_variance / 2)
    logits = np.tanh(latent @ weights["w3"] + weights["b3"]) @ weights["w4"] + weights["b4"]
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    divergence = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    return float((kl_weight * divergence - (likes * log_softmax).sum(axis=1)).mean())


def test_loss_matches_the_formula(tiny: Callable[..., Interactions]) -> None:
    liked = tiny(0).liked  # one row is empty: it has a divergence and no likelihood
    weights = vae.initial_weights(liked.shape[1], 16, 4, torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(1)
    found = vae.loss_of(weights, vae.UserBatch.of(liked, torch.device("cpu")), 0.0, 0.3, draw)
    draw = torch.Generator().manual_seed(1)
    torch.rand(liked.nnz, generator=draw)  # the dropout mask is drawn first
    noise = torch.randn((liked.shape[0], 4), generator=draw).numpy().astype(np.float64)
    arrays = {name: tensor.detach().numpy().astype(np.float64) for name, tensor in weights.items()}
    assert float(found) == pytest.approx(dense_loss(arrays, liked.toarray().astype(np.float64), 0.3, noise), rel=1e-5)


def test_initial_weights_are_glorot_uniform() -> None:
    weights = vae.initial_weights(300, 100, 50, torch.Generator().manual_seed(0))
    assert {name: tuple(tensor.shape) for name, tensor in weights.items() if name[0] == "w"} == {
        "w1": (300, 100),
        "w2": (100, 100),
        "w3": (50, 100),
        "w4": (100, 300),
    }
    bound = math.sqrt(6 / 400)
    assert 0.98 * bound < float(weights["w1"].abs().max()) <= bound


def interrupted(model: MultVae, train: Interactions, path: Path, after: int) -> None:
    """Fit with a checkpoint after every epoch, killed in the epoch after ``after``."""
    losses = MultVae._losses

    def stop(*arguments):
        if arguments[-2] > after:
            raise KeyboardInterrupt
        return losses(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMDE_CHECKPOINT_SECONDS", "0")
        patch.setattr(MultVae, "_losses", stop)
        with pytest.raises(KeyboardInterrupt):
            model.checkpoint_at(path).fit(train)


def test_resumed_equals_uninterrupted(
    tiny: Callable[..., Interactions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, path = tiny(2), tmp_path / "deep" / "vae.pt"
    whole = MultVae(epochs=5, **SMALL).fit(train)
    interrupted(MultVae(epochs=5, **SMALL), train, path, after=2)
    epochs, losses = [], MultVae._losses
    monkeypatch.setattr(MultVae, "_losses", lambda *given: epochs.append(given[-2]) or losses(*given))
    resumed = MultVae(epochs=5, **SMALL).checkpoint_at(path).fit(train)
    assert epochs == [3, 4, 5]
    for name, array in whole._state.items():
        np.testing.assert_array_equal(array, resumed._state[name])
    assert resumed.history == whole.history
    assert [row["epoch"] for row in whole.history] == [1, 2, 3, 4, 5]


def test_a_checkpoint_of_another_run_is_not_used(tiny: Callable[..., Interactions], tmp_path: Path) -> None:
    path = tmp_path / "vae.pt"
    interrupted(MultVae(epochs=3, **SMALL), tiny(2), path, after=2)
    for train, more in ((tiny(3), {}), (tiny(2), {"dropout": 0.1})):
        expected = MultVae(epochs=3, **SMALL, **more).fit(train)
        found = MultVae(epochs=3, **SMALL, **more).checkpoint_at(path).fit(train)
        np.testing.assert_array_equal(found._state["w1"], expected._state["w1"])


@pytest.mark.realdata
@pytest.mark.slow
def test_movielens_100k(ml100k: ColdUserSplit) -> None:
    recall = [ml100k.score(MultVae(epochs=150, seed=seed).fit(ml100k.train))["Recall@20"] for seed in range(3)]
    assert 0.39 <= np.mean(recall) <= 0.41
