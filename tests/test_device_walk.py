"""What a training step and a ranking batch ask of a GPU, proven without one: nothing but what is listed here."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch

from benchmark.experiments import methods
from contracts import Interactions, Kind, Sessions
from contracts.runtime.device import send
from emde import EMDE, PureEMDE, TopKEMDE
from emde.decode import Decoder
from emde.inputs import Input
from tests.contract import rows_of
from tests.device_walk import META, Crossing, of_a_batch, of_a_step, walk

BATCH = "baselines/session/shared/batches.py:batch"
GRAPH = "baselines/session/shared/graph.py:batch"
LISTS: dict[Crossing, int] = {("out", "contracts/runtime/best.py:lists"): 1}
HIDDEN: dict[Crossing, int] = {("in", "contracts/runtime/best.py:__init__"): 1}
"""What may not be listed."""
STEPS: dict[str, dict[Crossing, int]] = {
    # the drawn samples in; torch.unique, so that a row's gradients add up before they are squared
    "gru4rec": {
        ("in", "baselines/session/gru4rec.py:losses"): 1,
        ("size", "baselines/session/shared/gru4rec.py:distinct_rows"): 2,
    },
    **{name: {("in", BATCH): 1} for name in ("narm", "stamp", "nextitnet", "sasrec")},
    **{name: {("in", GRAPH): 1} for name in ("sr-gnn", "tagnn", "gce-gnn")},
}
"""The examples' places in; nothing out."""
READ: dict[str, dict[Crossing, int]] = {
    **{name: {("in", "baselines/session/shared/batches.py:of"): 1, ("in", BATCH): 1} for name in STEPS},
    **{
        name: {
            ("in", "baselines/session/shared/batches.py:of"): 1,
            ("in", "baselines/session/shared/graph.py:of"): 7,
            ("in", GRAPH): 1,
        }
        for name in ("sr-gnn", "tagnn", "gce-gnn")
    },
}
"""The prefixes that are ranked for (of graphs, their arrays), and which of them are in the batch."""
SMALL: dict[str, Any] = {"epochs": 1, "batch_size": 8, "dtype": "float32", "device": "auto"}
SKETCH: dict[str, Any] = SMALL | {
    "n": 3, "k": 4, "hidden": 8, "dropout": 0.3, "modalities": [{"group": "random"}],
}  # fmt: skip


def sessions(seed: int = 0, n: int = 24) -> Sessions:
    rng = np.random.default_rng(seed)
    return Sessions.from_lists([rng.integers(0, 20, rng.integers(2, 9)).tolist() for _ in range(n)], 20)


def likes(n: int = 40) -> Interactions:
    rng = np.random.default_rng(0)
    rows = [rng.choice(30, 8, replace=False) for _ in range(n)]
    return Interactions(
        rows_of([row[:6].tolist() for row in rows], 30), rows_of([row[6:].tolist() for row in rows], 30)
    )


EMDES: list[dict[str, Any]] = [
    {},
    *({"decoder": decoder} for decoder in get_args(Decoder)),
    *({"inputs": [part]} for part in get_args(Input)),
    {"variant": "release", "decoder": "popularity"},
    {"members": 2, "skip": True},
    {"layers": 0, "weight_decay": 0.01, "smoothing": 0.1},
]


@pytest.mark.parametrize("params", EMDES, ids=str)
def test_emdes_step_on_sessions_passes_nothing(params: dict[str, Any]) -> None:
    """The order of an epoch is there, and whatever else a step needs; one batch of prefixes is ranked, lists come."""
    model = EMDE.create(SKETCH | params)
    assert of_a_step(lambda: model.fit(sessions())) == {}
    found = of_a_batch(lambda: model.recommend(sessions(1, 10), 5))
    assert found == {("in", "emde/inputs.py:__init__"): 4, **LISTS}


@pytest.mark.parametrize(
    "params", [p for p in EMDES if not {"inputs", "smoothing"} & set(p)] + [{"dislikes": True}], ids=str
)
def test_emdes_step_on_likes_sends_one_small_table(params: dict[str, Any]) -> None:
    """Where each user's shuffled items are cut."""
    model, train = TopKEMDE.create(SKETCH | params), likes()
    assert of_a_step(lambda: model.fit(train)) == {("in", "emde/topk.py:_split"): 1}
    rows = 3 * (2 if "dislikes" in params else 1)
    found = of_a_batch(lambda: model.recommend(train, 5, train.liked))
    assert found == {("in", "emde/topk.py:__init__"): rows, **HIDDEN, **LISTS}


def test_pure_emde_sends_profiles_and_gives_lists() -> None:
    with walk():
        model = PureEMDE.create({"popularity": True, "modalities": [{"group": "random"}]}).fit(likes())
    found = of_a_batch(lambda: model.recommend(likes(), 5, likes().liked))
    popularity: dict[Crossing, int] = {("in", "emde/topk.py:recommend"): 1}
    assert found == {("in", "emde/topk.py:__init__"): 3, **popularity, **HIDDEN, **LISTS}


def test_every_method_that_takes_a_device_is_walked() -> None:
    kinds: tuple[Kind, ...] = ("session", "topk")
    known = [(kind, name, methods.find(kind, name)) for kind in kinds for name in methods.catalogue(kind)]
    with_device = {(kind, name) for kind, name, method in known if "device" in method.model_fields}
    of_topk = {("topk", name) for name in ("emde", "pure-emde", "multvae", "ease")}
    assert with_device == {("session", name) for name in ("emde", *STEPS)} | of_topk


@pytest.mark.parametrize("name", STEPS)
def test_neural_baselines(name: str) -> None:
    model = methods.find("session", name).create(SMALL | {"validation": 0.0}, name)
    assert of_a_step(lambda: model.fit(sessions())) == STEPS[name]
    assert of_a_batch(lambda: model.recommend(sessions(1, 10), 5)) == READ[name] | LISTS


@pytest.mark.parametrize("name", ["narm", "gce-gnn"])
def test_validation_of_an_epoch_reads_the_ranks_at_once(name: str) -> None:
    model = methods.find("session", name).create(SMALL | {"validation": 0.3, "refit": False}, name)
    with walk() as found:
        model.fit(sessions())
    assert found.noted["out", "baselines/session/shared/neural.py:_validate"] == 1
    assert not [crossing for crossing in found.noted if crossing[0] in ("mixed", "size", "noise")]


def test_multvae() -> None:
    model, train = methods.find("topk", "multvae").create({"epochs": 1, "batch_size": 8}, "multvae"), likes()
    batch: dict[Crossing, int] = {("in", "baselines/topk/shared/vae.py:of"): 2}  # indices, values
    assert of_a_step(lambda: model.fit(train)) == batch
    assert of_a_batch(lambda: model.recommend(train, 5, train.liked)) == batch | HIDDEN | LISTS


def test_ease() -> None:
    model, train = methods.find("topk", "ease").create({}, "ease"), likes()
    with walk() as found:
        model.fit(train)
    there = "baselines/topk/ease.py:weights_on"  # a block of users in, the weights out, once whether it went well
    assert found.noted == {("in", there): 1, ("scalar", there): 1, ("out", there): 1}
    profiles: dict[Crossing, int] = {("in", "baselines/topk/ease.py:<lambda>"): 1}
    assert of_a_batch(lambda: model.recommend(train, 5, train.liked)) == profiles | HIDDEN | LISTS


def test_the_walk_sees_every_kind_of_crossing() -> None:
    """What it would not see, no test above could find."""
    here, there, mask = torch.arange(4.0), torch.empty(4, device=META), torch.empty(4, dtype=torch.bool, device=META)
    cases: list[tuple[str, Any]] = [
        ("in", lambda: send(here, META)), ("in:waits", lambda: here.to(META)), ("in:waits", lambda: there.copy_(here)),
        ("out", lambda: there.cpu()), ("out", lambda: here.clone().copy_(there)),
        ("scalar", lambda: float(there.sum())), ("scalar", lambda: bool(mask.any())), ("size", lambda: there[mask]),
        ("size", lambda: mask.nonzero()), ("size", lambda: torch.unique(there)),
        ("size", lambda: torch.bincount(there.long())),
        ("size", lambda: torch.repeat_interleave(there, there.long())), ("mixed", lambda: here + there),
        ("mixed", lambda: there[here.long()]), ("mixed", lambda: here[there.long()]),
        ("noise", lambda: torch.rand(3, device=META, generator=torch.Generator())),
    ]  # fmt: skip
    for what, case in cases:
        for context in (torch.enable_grad(), torch.inference_mode()):
            with walk() as found, context:
                case()
            assert [crossing[0] for crossing in found.noted] == [what], what
    quiet: list[Any] = [
        lambda: there + 1,
        lambda: there[:2],
        lambda: torch.where(mask, there, 0.0),
        lambda: here[here > 1],
    ]
    for case in quiet:
        with walk() as found:
            case()
        assert not found.noted
