"""Section ``full-size``: EMDE at the sizes of the paper's data sets, on generated data.

Measured, in processor seconds of one thread: some training steps with the data set's own settings on a train of its
full size (ratings: of a stated share of the users; a step does not depend on their number), recommendations over the
full catalogue, and item graph and codes on a part of the events and of the catalogue. The model: training = seconds per
step x steps per epoch x epochs; codes = seconds of the part / its share. Peak memory is measured, codes apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmark.experiments import environment
from benchmark.speed import generate
from benchmark.speed.harness import alone, best_of, first_steps, recommender, seconds
from contracts import Interactions, Kind, Sessions
from emde import EMDE, TopKEMDE
from emde.coders import Coding
from emde.modality import item_codes
from emde.model import SketchModel

STEPS, QUERIES, K = 3, 64, 20
PART = 40_000
"""Events (likes) of the part whose graph and codes are timed."""


@dataclass(frozen=True)
class Shape:
    """Train sizes: events of sessions, or positives of train users (specs: stated by the paper; mean of slices).

    share  part of the users that is generated
    """

    events: int
    units: int
    items: int
    share: float = 1.0


SESSIONS = {
    "retail": Shape(212_182, 59_962, 31_968),
    "rsc15": Shape(5_426_961, 1_375_128, 28_582),
    "30mu": Shape(638_933, 37_333, 210_633),
    "aotm": Shape(306_830, 21_888, 91_166),
    "nowp": Shape(271_177, 27_005, 75_169),
}
RATINGS = {
    "ml20m": Shape(8_528_000, 116_677, 20_720, 0.25),
    "netflix": Shape(47_060_000, 383_000, 17_000, 0.05),
}
ONE = "--set 'modalities=[{group: session, iterations: 2}]'"
TARGETS = (
    ("RETAIL shape, one modality: under 10 s per slice", f"emde run --data retail --split all --method emde {ONE}"),
    ("RETAIL shape, all modalities: under 30 s per slice", "emde run --data retail --split all --method emde-mm"),
    ("RSC15 shape: under 120 s per slice", "emde run --data rsc15 --split all --method emde"),
    ("evaluation: over 100,000 points/s with 30,000 items", "emde run --data rsc15 --split all --method emde"),
    ("EASE on 20,000 items: under 3 s", "emde run --data ml20m --method ease"),
    ("neural baselines at their published settings", "python -m benchmark.speed neural-baselines"),
)
"""Targets on an H200-class GPU, and the commands that measure them where there is one (seconds in run.json)."""


def measure(data: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """One data set's shape, in this process."""
    kind: Kind = "session" if data in SESSIONS else "topk"
    shape = SESSIONS.get(data) or RATINGS[data]
    model = recommender(kind, "emde", data, overrides)
    assert isinstance(model, SketchModel)
    share = min(1.0, PART / shape.events)
    part = generated(kind, shape, share, max(2, int(shape.items * share)))
    coding = Coding(model.coder, model.n, model.k, model.spread)
    codes = seconds(lambda: item_codes(part, model.modalities, coding, np.random.default_rng(0)))
    train = generated(kind, shape, shape.share, shape.items)
    random = {"modalities": [{"group": "random"}] * len(model.modalities)}  # a step does not know whence codes came
    cls = EMDE if kind == "session" else TopKEMDE
    fitted, step, before = first_steps(cls, {**model.model_dump(mode="json"), **random}, train, STEPS)
    peak = environment.peak_rss_mb()
    queries = train.take(np.arange(QUERIES))
    query = best_of(lambda: fitted.recommend(queries, K), 2)[1] / QUERIES
    examples = shape.events - shape.units if kind == "session" else shape.units
    steps = math.ceil(examples / model.batch_size)
    return {
        "data": data, "events": shape.events, "items": shape.items, "share generated": shape.share,
        "modalities": len(model.modalities), "weights": sum(p.numel() for p in fitted._ready(1)[0].parameters()),
        "examples": examples, "batch": model.batch_size, "epochs": model.epochs, "step cpu s": step,
        "before the first step cpu s": before, "training, extrapolated, cpu h": step * steps * model.epochs / 3600,
        "codes, extrapolated, cpu s": codes[1] / share, "query ms/query": query * 1000, "peak MB": peak,
    }  # fmt: skip


def generated(kind: Kind, shape: Shape, share: float, items: int) -> Sessions | Interactions:
    """A share of the shape's events, as sessions or likes."""
    events, units = int(shape.events * share), max(20, int(shape.units * share))
    if kind == "session":
        return generate.sessions(events, items, mean_length=shape.events / shape.units)
    return Interactions(generate.likes(units, items, events))


def report(data: Sequence[str] = (*SESSIONS, *RATINGS), overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every shape in a process of its own with one thread, and what waits for a GPU; overrides are of parameters."""
    why = "not measured: run the command" if torch.cuda.is_available() else "not measured: no GPU"
    targets = [{"target": what, "measured": why, "command": command} for what, command in TARGETS]
    return {"rows": [alone(measure, name, overrides or {}, threads=1) for name in data], "GPU targets": targets}
