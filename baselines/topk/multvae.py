"""Mult-VAE: a variational autoencoder with a multinomial likelihood."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from baselines.topk.shared.scoring import recommend_in_blocks
from contracts import Interactions, TopKRecommender, require_events
from contracts.device import Device, pick_device


class MultVae(TopKRecommender):
    """Encoder items-600-200, decoder 200-600-items, tanh; scores = logits at the latent mean.

    Maximises, per user x,  E_q[sum_i x_i log softmax(f(z))_i] - beta KL(q(z | x) || N(0, I)),
    beta = min(anneal_cap, updates so far / anneal_steps), by Adam. The input is x scaled to norm 1,
    its entries dropped at random while training.

    epochs: published best 95 (ML-20M), 80 (Netflix), found on validation users. The others: as
    published for both data sets (batch 500, dropout .5, cap .2, 200,000 steps, lr 1e-3, 600-200-600).
    seed: of initial weights, user order, dropout and latent noise. device: where to train and score.
    Reference: Liang, Krishnan, Hoffman, Jebara, "Variational autoencoders for collaborative
    filtering", WWW 2018.
    Differs from the framework: updates are counted over the whole run as in the paper's code (there:
    from zero in every epoch, so that beta stays below epoch length / anneal_steps); batches hold only
    users with likes; biases start normal, not truncated normal; Adam's epsilon is torch's; the last
    epoch is kept (there: the best one on validation users, which here is chosen outside).
    """

    citation: ClassVar[str] = "Liang, Krishnan, Hoffman, Jebara, WWW 2018, arXiv 1802.05814"

    epochs: int = Field(default=100, ge=1, description="Passes over the train users")
    batch_size: int = Field(default=500, ge=1, description="Users per update")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Share of input entries dropped while training")
    anneal_cap: float = Field(default=0.2, ge=0, description="Largest weight of the KL divergence")
    anneal_steps: int = Field(default=200_000, ge=0, description="Updates after which that weight would be 1")
    lr: float = Field(default=1e-3, gt=0, description="Adam's learning rate")
    hidden: int = Field(default=600, ge=1, description="Units of the encoder's and of the decoder's hidden layer")
    latent: int = Field(default=200, ge=1, description="Dimensions of the latent code")
    seed: int = Field(default=0, ge=0, description="Seed of every random number")
    device: Device = Field(default="auto", description="auto: CUDA where available")

    def fit(self, train: Interactions) -> Self:
        """Train for ``epochs`` epochs; goes on from the checkpoint of an interrupted run, to the same weights."""
        from baselines.topk.shared import vae  # torch takes seconds to import: only where it is used

        require_events(train, "multvae")
        settings = vae.Settings(**self.model_dump(exclude={"device"}))
        device, checkpoint = pick_device(self.device), self.checkpoint({"liked": train.liked})
        watched = None if self._after_epoch is None else self._watched
        self._state.update(vae.train(train.liked, settings, device, checkpoint, self._history, watched))
        return self

    def _watched(self, epoch: int, weights: dict[str, np.ndarray]) -> None:
        assert self._after_epoch is not None
        self._state.update(weights)
        self._after_epoch(epoch)

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items by their logits given each profile."""
        import torch

        from baselines.topk.shared import vae

        device = pick_device(self.device)
        weights = {name: torch.from_numpy(array).to(device) for name, array in self._state.items()}
        return recommend_in_blocks(profiles, k, exclude, lambda liked: vae.score(weights, liked))
