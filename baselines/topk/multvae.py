"""Mult-VAE: a variational autoencoder with a multinomial likelihood."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field, PrivateAttr
from torch import nn

from baselines.topk.shared import vae
from baselines.topk.shared.scoring import recommend_in_blocks
from contracts import EpochLearner, Interactions, TopKRecommender, require_events
from contracts.runtime.best import best
from contracts.runtime.device import ADAM_BYTES, Device, pick_device, require_memory, send
from contracts.runtime.training import Schedule, Step, Trainer, adam, noise, seeded


class MultVae(EpochLearner, TopKRecommender):
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

    _there: dict[str, torch.Tensor] | None = PrivateAttr(None)

    def fit(self, train: Interactions) -> Self:
        """Train for ``epochs`` epochs; goes on from the checkpoint of an interrupted run, to the same weights."""
        require_events(train, "multvae")
        checkpoint = self.checkpoint({"liked": train.liked})
        liked = train.liked[np.diff(train.liked.indptr) > 0]
        weights = vae.initial_weights(liked.shape[1], self.hidden, self.latent, seeded(self.seed, 0))
        device = pick_device(self.device)
        of_weights, of_batch = (sum(w.numel() for w in weights.values()), 2 * self.batch_size * liked.shape[1])
        require_memory(device, ADAM_BYTES * of_weights + 4 * of_batch, "multvae")
        weights.to(device)
        trainer = Trainer(
            type(self).__name__, weights, adam(weights, self.lr), partial(self._losses, weights, liked),
            Schedule(self.epochs, self.lr), after_epoch=partial(self._watched, weights),
        )  # fmt: skip
        trainer.fit(liked.shape[0], checkpoint, checkpoint.restore())
        self._history = trainer.history
        self._keep(weights)
        return self

    def _losses(self, weights: nn.ParameterDict, liked: sp.csr_matrix, epoch: int, done: int) -> Iterator[Step]:
        """The steps of an epoch, the users in random order; always from its beginning."""
        assert done == 0
        draw = seeded(self.seed, epoch)
        device = weights["w1"].device
        on_device = noise(draw, device)
        order = torch.randperm(liked.shape[0], generator=draw).numpy()
        starts = range(0, len(order), self.batch_size)
        for number, start in enumerate(starts):
            updates = (epoch - 1) * len(starts) + number
            ramp = updates / self.anneal_steps if self.anneal_steps else 1.0
            batch = vae.UserBatch.of(liked[order[start : start + self.batch_size]], device)
            loss = vae.loss_of(weights, batch, self.dropout, min(self.anneal_cap, ramp), on_device)
            yield Step(loss, len(batch.offsets))

    def _watched(self, weights: nn.ParameterDict, epoch: int) -> None:
        if self._after_epoch is not None:
            self._keep(weights)
            self._after_epoch(epoch)

    def _keep(self, weights: nn.ParameterDict) -> None:
        self._there = None
        self._state.update({name: tensor.detach().cpu().numpy() for name, tensor in weights.items()})

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items by their logits given each profile."""
        if self._there is None:
            device = pick_device(self.device)
            self._there = {name: send(array, device) for name, array in self._state.items()}
        weights = self._there
        return recommend_in_blocks(profiles, k, exclude, lambda liked: vae.score(weights, liked), best)
