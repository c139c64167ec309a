"""What the session and the top-k model share: hyper-parameters, codes, the network's life cycle."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, Field, PrivateAttr
from torch.nn import functional as F

from contracts import Interactions, Recommender, Sessions
from emde.coders import CoderName
from emde.decode import Decoder, ItemLookup, popularity_prior
from emde.modality import Modalities, Modality, item_codes
from emde.network import SketchNetwork
from emde.train import Device, DType, fit_network, pick_device, precision

Variant = Literal["paper", "release"]
NETWORK = "network."
BATCH = 512
"""Rows scored at once."""


class SketchModel(BaseModel):
    """Hyper-parameters and machinery of every EMDE model with a network."""

    modalities: Modalities = Field(
        (Modality(iterations=2), Modality(iterations=4), Modality(group="random")),
        description="where item codes come from",
    )
    coder: CoderName = Field("dlsh", description="dlsh, pq, opq or random codes (paper 3.3.2)")
    n: int = Field(10, ge=1, description="N, depths per modality (paper: 9 or 10)")
    k: int = Field(7, ge=1, le=16, description="K, bits per code; width 2^K (paper: 7)")
    hidden: int = Field(3000, ge=1, description="units per hidden layer")
    layers: int = Field(3, ge=0, description="hidden layers")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of hidden units dropped in training")
    epochs: int = Field(5, ge=0)
    batch_size: int = Field(512, ge=2)
    lr: float = Field(0.0005, gt=0, description="Adam's learning rate")
    gamma: float = Field(1.0, gt=0, le=1, description="factor on the learning rate after each epoch")
    decoder: Decoder = Field("gmean", description="from the output sketch to item scores (paper 3.3.5)")
    variant: Variant = Field(
        "paper",
        description="release: softmax over strided groups, as in the authors' code (methods spec, difference 2)",
    )
    dtype: DType = Field("auto", description="matrix products: bf16, float32, or auto (bf16 where it is native)")
    device: Device = "auto"
    seed: int = Field(0, ge=0)

    _network: SketchNetwork | None = PrivateAttr(None)
    _lookup: ItemLookup | None = PrivateAttr(None)

    @property
    def width(self) -> int:
        """Regions per depth row, 2^K."""
        return 1 << self.k

    def _rngs(self) -> tuple[np.random.Generator, torch.Generator]:
        codes_rng, torch_rng = np.random.default_rng(self.seed).spawn(2)
        return codes_rng, torch.Generator().manual_seed(int(torch_rng.integers(1 << 62)))

    def _codes(self, train: Sessions | Interactions, rng: np.random.Generator) -> np.ndarray:
        return item_codes(train, self.modalities, self.coder, self.n, self.k, rng)

    def _new_network(self, n_inputs: int, rows: int, rng: torch.Generator) -> SketchNetwork:
        cells = rows * self.width
        network = SketchNetwork(n_inputs * cells, cells, self.hidden, self.layers, self.dropout, rng)
        return network.to(pick_device(self.device))

    def _train(
        self, model: Recommender, network: SketchNetwork, codes: np.ndarray, counts: np.ndarray,
        n_examples: int, batch_loss, rng: torch.Generator,
    ) -> None:  # fmt: skip
        """Train the network, and keep what was learned; where the model is watched, after every epoch.

        counts  train events per item [items]
        """

        def after_epoch(epoch: int) -> None:
            if model._after_epoch is not None:
                self._keep(model, network, codes, counts)
                model._after_epoch(epoch)

        fit_network(
            network, n_examples, batch_loss, epochs=self.epochs, batch_size=self.batch_size, lr=self.lr,
            gamma=self.gamma, dtype=self.dtype, rng=rng, description=f"train {type(self).__name__}",
            after_epoch=after_epoch,
        )  # fmt: skip
        self._keep(model, network, codes, counts)

    def _keep(self, model: Recommender, network: SketchNetwork, codes: np.ndarray, counts: np.ndarray) -> None:
        """Move what was learned into the recommender's state (arrays on the CPU)."""
        arrays = {NETWORK + name: value.cpu().numpy() for name, value in network.state_dict().items()}
        model._state = {**arrays, "codes": codes, "prior": popularity_prior(codes, self.width, counts)}
        self._network, self._lookup = network, None

    def _ready(self, model: Recommender, n_inputs: int) -> tuple[SketchNetwork, ItemLookup]:
        """The network and the item look-up, rebuilt from the state after ``load``."""
        if self._network is None:
            network = self._new_network(n_inputs, model._state["codes"].shape[1], torch.Generator())
            arrays = {
                name.removeprefix(NETWORK): torch.from_numpy(value)
                for name, value in model._state.items()
                if name.startswith(NETWORK)
            }
            network.load_state_dict(arrays)
            self._network = network.eval()
        if self._lookup is None:
            self._lookup = ItemLookup(model._state["codes"], self.width, pick_device(self.device))
        return self._network, self._lookup

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """log p [B, R, W] (float32) of the network's logits [B, R * W].

        paper: softmax along the width of every depth row. release: each modality's N * W logits are
        viewed as W x N and normalised along the first axis, then read as N rows of W.
        """
        logits = logits.float()
        if self.variant == "paper":
            return F.log_softmax(logits.view(len(logits), -1, self.width), dim=-1)
        strided = logits.view(len(logits), -1, self.width, self.n)
        return F.log_softmax(strided, dim=2).reshape(len(logits), -1, self.width)

    @torch.no_grad()
    def _scores(self, model: Recommender, network: SketchNetwork, lookup: ItemLookup, inputs: torch.Tensor):
        """Item scores, numpy float32 [B, items], of input sketches [B, cells]."""
        with precision(self.dtype, inputs.device):
            logits = network(inputs)
        p = torch.exp(self.log_probabilities(logits))
        prior = torch.from_numpy(model._state["prior"]).to(p.device)
        return lookup.score(p, self.decoder, prior).cpu().numpy()
