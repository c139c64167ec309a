"""EMDE at the sizes of the paper's data sets, on generated data (a section of ``make bench``).

python -m benchmark.full_size [DATA ...]

Measured, in processor seconds of one thread: some training steps with the data set's own settings on a train of its
full size (ratings: of a stated share of the users; a step does not depend on their number), recommendations over the
full catalogue, and item graph and codes on a part of the events and of the catalogue. The model: training = seconds per
step x steps per epoch x epochs; codes = seconds of the part / its share. Peak memory is measured, codes apart.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark import environment, settings
from benchmark.bench_session import generate
from benchmark.bench_steps import first_steps
from benchmark.bench_topk import generate as generate_likes
from benchmark.timing import best_of, seconds
from contracts import Interactions, Sessions, UserError
from emde import EMDE, TopKEMDE
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
    ("neural rivals at their published settings", "python -m benchmark.bench neural-rivals"),
)
"""Targets on an H200-class GPU, and the commands that measure them where there is one (seconds in run.json)."""


def measure(data: str) -> dict[str, Any]:
    """One data set's shape, in this process."""
    environment.set_threads(1)
    torch.set_num_threads(1)
    kind = "session" if data in SESSIONS else "topk"
    shape = SESSIONS.get(data) or RATINGS[data]
    model = settings.load().recommender(kind, "emde", data, {}, None, "cpu")  # type: ignore[arg-type]
    assert isinstance(model, SketchModel)
    share = min(1.0, PART / shape.events)
    part = generated(kind, shape, share, max(2, int(shape.items * share)))
    codes = seconds(lambda: item_codes(part, model.modalities, model.coder, model.n, model.k, np.random.default_rng(0)))
    train = generated(kind, shape, shape.share, shape.items)
    random = {"modalities": [{"group": "random"}] * len(model.modalities)}  # a step does not know whence codes came
    cls = EMDE if kind == "session" else TopKEMDE
    fitted, step, before = first_steps(cls, {**model.model_dump(mode="json"), **random}, train, STEPS)
    peak = environment.peak_rss_mb()
    asked = train.take(np.arange(QUERIES))
    query = best_of(lambda: fitted.recommend(asked, K), 2)[1] / QUERIES
    examples = shape.events - shape.units if kind == "session" else shape.units
    steps = math.ceil(examples / model.batch_size)
    return {
        "data": data, "events": shape.events, "items": shape.items, "share generated": shape.share,
        "modalities": len(model.modalities), "weights": sum(p.numel() for p in fitted._ready(1)[0].parameters()),
        "examples": examples, "batch": model.batch_size, "epochs": model.epochs, "step cpu s": step,
        "before the first step cpu s": before, "training, extrapolated, cpu h": step * steps * model.epochs / 3600,
        "codes, extrapolated, cpu s": codes[1] / share, "query ms/query": query * 1000, "peak MB": peak,
    }  # fmt: skip


def generated(kind: str, shape: Shape, share: float, items: int) -> Sessions | Interactions:
    """A share of the shape's events, as sessions or likes."""
    events, units = int(shape.events * share), max(20, int(shape.units * share))
    if kind == "session":
        return generate(events, items, mean_length=shape.events / shape.units)
    return Interactions(generate_likes(units, items, events))


def report(data: Sequence[str] = (*SESSIONS, *RATINGS)) -> dict[str, Any]:
    """Every shape in a process of its own, and what waits for a GPU."""
    rows = []
    for name in data:
        command = [sys.executable, "-m", "benchmark.full_size", "--measure", name]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
        if done.returncode != 0:
            raise UserError(f"full size, {name}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        rows.append(json.loads(done.stdout))
    why = "not measured: run the command" if torch.cuda.is_available() else "not measured: no GPU"
    return {"rows": rows, "GPU targets": [{"target": what, "measured": why, "command": c} for what, c in TARGETS]}


def main(words: Sequence[str]) -> int:
    """The report of some shapes as JSON, or one measurement."""
    found = measure(words[1]) if words[:1] == ["--measure"] else report(words or (*SESSIONS, *RATINGS))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
