"""What the session and the top-k model share: hyper-parameters, codes, the network's life cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch.nn import functional as F

from contracts import RANDOM, Checkpoint, EpochLearner, Interactions, Recommender, Sessions, Source
from contracts.runtime.device import ADAM_BYTES, Device, DType, pick_device, precision, require_memory, send
from contracts.runtime.training import Row, Schedule, Trainer
from emde.adam import sketch_adam
from emde.coders import CoderName, Coding
from emde.decode import Decoder, ItemLookup, popularity_prior
from emde.meter import Meter
from emde.modality import Known, Modalities, Modality, Variant, item_codes, needs
from emde.network import Members, Network, SketchNetwork, Skip
from emde.sketch import normalize
from emde.train import Batches, Chosen

NETWORK = "network."


class Draws(NamedTuple):
    """Where a training's random numbers come from: the order of its examples, on the CPU; noise, on its device."""

    order: torch.Generator
    noise: torch.Generator


class Coded(Recommender):
    """What knows items by their codes: where these come from, what that asks of the data, what was made of it."""

    modalities: Modalities = Field(
        (Modality(iterations=2), Modality(iterations=4), Modality(group=RANDOM)),
        description="where item codes come from",
    )
    coder: CoderName = Field("dlsh", description="dlsh, pq, opq or random codes (paper 3.3.2)")
    n: int = Field(10, ge=1, description="N, depths per modality (paper: 9 or 10)")
    k: int = Field(7, ge=1, le=16, description="K, bits per code; width 2^K (paper: 7)")

    _known: list[Known] = PrivateAttr(default_factory=list)

    @property
    def needs(self) -> list[Source]:
        return needs(self.modalities)

    @property
    def fit_record(self) -> dict[str, Any]:
        return {"modalities": self._known}

    @property
    def width(self) -> int:
        """Regions per depth row, 2^K."""
        return 1 << self.k


class SketchModel(Coded, EpochLearner):
    """Hyper-parameters and machinery of every EMDE model with a network."""

    spread: float = Field(
        0.5,
        ge=0,
        le=0.5,
        description="dlsh: thresholds at quantiles from .5 - spread to .5 + spread; .5: the paper's, 0: medians, "
        "regions of equal size",
    )
    members: int = Field(
        1,
        ge=1,
        description="models trained side by side, each with other seeds of its embeddings, codes and weights; the rows "
        "of all are decoded together (paper 6 leaves several embeddings open)",
    )
    hidden: int = Field(3000, ge=1, description="units per hidden layer")
    layers: int = Field(3, ge=0, description="hidden layers")
    batch_norm: bool = Field(True, description="batch normalisation after each hidden layer's activation")
    normalization: Literal["l2", "none"] = Field(
        "l2", description="of every row of the input sketches: l2 (paper 3.3.4), or none, weights as they were summed"
    )
    skip: bool = Field(
        False,
        description="the rows of the input sketches go to the logits of the same rows, too, times learned factors: "
        "what was seen is named again without passing the layers",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of hidden units dropped in training")
    epochs: int = Field(5, ge=0, description="passes over all examples, at most (paper, Table 10)")
    batch_size: int = Field(512, ge=2, description="examples per step (paper, Table 10)")
    lr: float = Field(0.0005, gt=0, description="Adam's learning rate")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's; 0: Adam")
    gamma: float = Field(1.0, gt=0, le=1, description="factor on the learning rate after each epoch")
    validation: float = Field(
        0.0, ge=0, lt=1, description="share of the last sessions (or users) held out to keep the best epoch; 0: none"
    )
    patience: int = Field(1, ge=1, description="epochs without a better one after which training stops, if held out")
    decoder: Decoder = Field("gmean", description="from the output sketch to item scores (paper 3.3.5)")
    variant: Variant = Field(
        "paper",
        description="release: softmax over strided groups, codes of standardised vectors, DLSH of noise for random "
        "codes, as in the authors' code; its decoder is popularity",
    )
    dtype: DType = Field(
        "auto", description="matrix products: bf16, float32, tf32 (CUDA only), or auto (bf16 where it is native)"
    )
    graphs: bool = Field(False, description="CUDA only: the network as CUDA graphs; what it gains is not measured")
    device: Device = "auto"
    seed: int = Field(0, ge=0)

    past_layers: ClassVar[tuple[str, ...]] = ("skip",)
    """Options that send sketches to the logits of the same rows."""

    _network: Network | None = PrivateAttr(None)
    _lookup: ItemLookup | None = PrivateAttr(None)
    _prior: torch.Tensor | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _rows_lie_alike(self) -> Self:
        for option in self.past_layers:
            if getattr(self, option) and self.variant == "release":
                raise ValueError(
                    f"{option}: expected variant paper, found release, whose logits do not lie as the sketches do"
                )
        return self

    @property
    def _beside(self) -> int:
        """Sketches behind those that the layers read, which go to the logits only."""
        return 0

    def _rngs(self) -> tuple[np.random.Generator, torch.Generator]:
        codes_rng, torch_rng = np.random.default_rng(self.seed).spawn(2)
        return codes_rng, torch.Generator().manual_seed(int(torch_rng.integers(1 << 62)))

    def _codes(self, train: Sessions | Interactions, rng: np.random.Generator) -> np.ndarray:
        step = 1 + max(modality.seed for modality in self.modalities)
        every = [
            modality.model_copy(update={"seed": modality.seed + member * step})
            for member in range(self.members)
            for modality in self.modalities
        ]
        coding = Coding(self.coder, self.n, self.k, self.spread)
        codes, self._known = item_codes(train, every, coding, rng, self.variant)
        return codes

    def network_input(self, sketches: Sequence[torch.Tensor]) -> torch.Tensor:
        """Sketches [B, R, W] side by side, [B, sketches * R * W], their rows normalised as the network reads them."""
        alike = sketches if self.normalization == "none" else [normalize(one, 2) for one in sketches]
        return torch.cat([one.flatten(1) for one in alike], dim=1)

    def _new_network(
        self,
        n_inputs: int,
        rows: int,
        rng: torch.Generator,
        noise: torch.Generator | None = None,
        data: int = 0,
    ) -> Network:
        """On its device; refused where it, with so many bytes of ``data``, does not fit there."""
        cells, sketches = rows * self.width // self.members, n_inputs + self._beside
        size = (n_inputs * cells, cells, self.hidden, self.layers, self.dropout, rng, self.batch_norm, noise)
        alone = [SketchNetwork(*size) for _ in range(self.members)]
        members: list[SketchNetwork] | list[Skip] = alone
        if self.skip or self._beside:
            first = 0 if self.skip else n_inputs
            members = [Skip(one, sketches, cells // self.width, n_inputs, first) for one in alone]
        network = members[0] if self.members == 1 else Members(sketches, members)
        device = pick_device(self.device)
        weights = sum(parameter.numel() for parameter in network.parameters())
        require_memory(device, data + self._bytes(weights, sketches * cells, cells), type(self).__name__.lower())
        network = network.to(device)
        if self.graphs and network.device.type == "cuda":
            network.compile(mode="reduce-overhead")
        return network

    def _bytes(self, weights: int, inputs: int, outputs: int) -> int:
        """What training needs on a device: Adam's four numbers per weight (five where the best epoch is kept), and of
        a batch, in float32, sketches, logits, log probabilities and their gradients, and four states per layer."""
        of_weight = ADAM_BYTES + (4 if self.validation else 0)
        return of_weight * weights + 4 * self.batch_size * self.members * (
            2 * inputs + 4 * outputs + 4 * self.hidden * self.layers
        )

    def _train(
        self,
        network: Network,
        codes: np.ndarray,
        counts: np.ndarray,
        n_examples: int,
        batch_loss: Callable[[Chosen], torch.Tensor],
        validate: Callable[[], Row],
        draws: Draws,
        checkpoint: Checkpoint,
    ) -> None:
        """Train, and keep what was learned as arrays on the CPU.

        counts    training events per item [items]
        validate  asked after each epoch where ``validation`` holds something out; ``recommend`` works by then
        """
        self._state = {"codes": codes, "prior": popularity_prior(codes, self.width, counts)}
        self._network, self._lookup = network, None
        batches = Batches(n_examples, self.batch_size, batch_loss, draws.order, draws.noise, self.dtype, network.device)
        trainer = Trainer(
            type(self).__name__, network, sketch_adam(network, self.lr, self.weight_decay), batches.losses,
            Schedule(self.epochs, self.lr, self.gamma, patience=self.patience),
            validate=validate if self.validation else None, after_epoch=self._after_epoch,
            note=Meter(network, self.dtype).note, source=batches,
        )  # fmt: skip
        trainer.fit(batches.examples, checkpoint, checkpoint.restore())
        self._history = trainer.history
        self._state.update({NETWORK + name: value.cpu().numpy() for name, value in network.state_dict().items()})

    def _ready(self, n_inputs: int) -> tuple[Network, ItemLookup]:
        """The network and the item look-up, rebuilt from the state after ``load``."""
        if self._network is None:
            network = self._new_network(n_inputs, self._state["codes"].shape[1], torch.Generator())
            arrays = {
                name.removeprefix(NETWORK): torch.from_numpy(value)
                for name, value in self._state.items()
                if name.startswith(NETWORK)
            }
            network.load_state_dict(arrays)
            self._network = network.eval()
        if self._lookup is None:
            device = pick_device(self.device)
            self._lookup = ItemLookup(self._state["codes"], self.width, device)
            self._prior = send(self._state["prior"], device)
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
    def _best(
        self, network: Network, lookup: ItemLookup, inputs: torch.Tensor, k: int, exclude: sp.csr_matrix | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k best (items, scores) [B, k] for input sketches [B, cells]."""
        with precision(self.dtype, inputs.device):
            logits = network(inputs)
        p = torch.exp(self.log_probabilities(logits))
        return lookup.best(p, self.decoder, k, self._prior, exclude)
