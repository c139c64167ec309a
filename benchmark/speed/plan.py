"""``emde plan``: what a profile will cost, before it starts.

Cells to run, their examples, processor hours, memory and disk; files that a person must place. Sizes are those of the
prepared splits, else those that the registry expects. Rates are measured on this machine at two small catalogues, in
processor seconds of one thread, and carried on in a straight line: what a training example (a train event, where a
method has no steps) and a ranked point cost with so many items. Kept in ``.cache/plan`` under the hash of the code.
Density, tables, figures and pages, minutes at any size, are not counted.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import psutil

from benchmark.data import paths, registry
from benchmark.data.root import project_root
from benchmark.experiments.ablations.grid import parameters
from benchmark.experiments.headline import EVALUATION
from benchmark.experiments.profiles import ablation_files, wanted
from benchmark.experiments.settings import Settings
from benchmark.speed import generate
from benchmark.speed.harness import first_steps
from contracts import RANDOM, EpochLearner, Interactions, Kind, Recommender
from contracts.runtime.cache import cached
from contracts.runtime.json import read_json, to_json
from contracts.runtime.progress import track
from contracts.runtime.sources import sources_hash

CATALOGUES = {"session": (2_000, 20_000), "topk": (500, 1_500)}
"""Items of the two catalogues that rates are measured with."""
EVENTS, FEW, USERS, QUERIES, STEPS = 8_000, 1_500, 1_200, 60, 2
"""Generated events (few for neural baselines, which pass over all), users, ranked points, counted steps of EMDE's."""
CODED = 20_000
"""Events of the train whose item graph is coded."""
SETTLED = 1.75
"""Epochs that are trained, for one that is asked for, where the epoch is chosen on a part and trained again on all."""
START, SPLIT = 4.0, 0.15
"""Processor seconds that DVC and a stage take to load their packages (twice for a cell: run and evaluate); that a split
takes to be read, written and evaluated, whatever its size."""
ABLATION = "ablation "
"""Before the names of ablations among methods."""
PROCESS, ROW = 0.6, 8
"""GB of a process that has done nothing; bytes of a listed item with its score."""


WHOLE_SESSIONS, SQUARE = ("nextitnet", "sasrec"), ("ease", "slim")
"""Modules of methods that score all items after every event of a batch; that hold items by items."""


@dataclass(frozen=True)
class Size:
    """All default splits of a data set together; ``items`` is the mean catalogue.

    examples  prefixes with a next item, or train users
    events    of train: clicks, or likes
    """

    splits: int
    examples: float
    events: float
    points: float
    items: float
    source: str

    @property
    def one(self) -> Size:
        """A split of them."""
        n = self.splits
        return replace(self, splits=1, examples=self.examples / n, events=self.events / n, points=self.points / n)


def size_of(data: str) -> Size | None:
    """From the prepared splits, else from the registry; None where neither says."""
    dataset = registry.get(data)
    found = [read_json(path)["statistics"] for split in dataset.splits
             if (path := paths.split_dir(data, split) / "split.json").is_file()]  # fmt: skip
    session = dataset.kind == "session"
    if len(found) == len(dataset.splits) > 0:
        names = ("train.prefixes", "train.events", "test.points", "catalogue") if session else (
            "train.users", "train.positives", "test.users", "items")  # fmt: skip
        columns = [[float(one[name]) for one in found] for name in names]
        examples, events, points, items = (sum(column) for column in columns)
        return Size(len(found), examples, events, points, items / len(found), "prepared")
    mean, cold = dataset.expected.get("mean", {}), dataset.expected.get("cold-user", {})
    if session and mean:
        events, sessions, items = (float(mean[name]) for name in ("events", "sessions", "catalogue"))
        how = dataset.options["slices"]
        tested = how["test_days"] / (how["train_days"] + how["test_days"])
        n = len(dataset.splits)
        prefixes = n * (events - sessions)
        return Size(n, prefixes * (1 - tested), n * events * (1 - tested), prefixes * tested, items, "registry")
    if not session and cold:
        users, likes = float(cold["surviving.users"]), float(cold["surviving.positives"])
        held = 2 * dataset.options["heldout_users"]
        items = float(cold.get("surviving.items", 17_770))
        return Size(1, users - held, likes * (1 - held / users), held / 2, items, "registry")
    return None


@dataclass(frozen=True)
class Rate:
    """Processor seconds: per example and epoch and per ranked point, at no item and per item; per train event, once."""

    example: tuple[float, float]
    point: tuple[float, float]
    event: float = 0.0

    def seconds(self, size: Size, epochs: float) -> float:
        """Of a cell on data of this size."""
        example, point = (max(a + b * size.items, 0.0) for a, b in (self.example, self.point))
        return size.examples * epochs * example + size.points * point + size.events * self.event


def rate_of(kind: str, model: Recommender) -> Rate:
    """Measured, or as measured before by the same code with the same parameters."""
    params = {name: value for name, value in model.model_dump(mode="json").items() if name not in ("seed", "device")}
    how = [to_json(params, sort_keys=True), sources_hash(__name__)]
    made = cached("plan", type(model).__module__, how, partial(_measured, kind, model))
    return Rate(tuple(made["example"].tolist()), tuple(made["point"].tolist()), float(made["event"]))


def _measured(kind: str, model: Recommender) -> dict[str, np.ndarray]:
    few, many = (_at(kind, model, items) for items in CATALOGUES[kind])
    if _in_steps(model):  # between sketches, whatever the catalogue: the rest is chance, and would be multiplied
        many = (few[0], many[1])
    lines = []
    for low, high in zip(few, many, strict=True):
        slope = max(high - low, 0.0) / (CATALOGUES[kind][1] - CATALOGUES[kind][0])
        lines.append(np.array([max(low - slope * CATALOGUES[kind][0], 0.0), slope]))
    return {"example": lines[0], "point": lines[1], "event": np.array(_coding(model))}


def _at(kind: str, model: Recommender, items: int) -> tuple[float, float]:
    """Processor seconds of an example and of a point with a catalogue of so many items."""
    params = model.model_dump(mode="json")
    events = EVENTS if _in_steps(model) or "validation" not in params else FEW
    train: Any = generate.sessions(events, items) if kind == "session" else Interactions(
        generate.likes(USERS, items, USERS * 40), generate.likes(USERS, items, USERS * 10, seed=1)
    )  # fmt: skip
    if "modalities" in params:  # a step does not know whence codes came
        params["modalities"] = [{"group": "random"}] * len(params["modalities"])
    examples = train.n_events - len(train) if kind == "session" else len(train)
    if _in_steps(model):
        fitted, step, _ = first_steps(type(model), params, train, STEPS)
        example = step / min(params["batch_size"], examples)
    else:
        params |= {name: value for name, value in {"epochs": 1, "validation": 0.0}.items() if name in params}
        fitted = type(model).create(params)
        began = time.process_time()
        fitted.fit(train)
        example = (time.process_time() - began) / examples
    queries = train.take(np.arange(QUERIES))
    fitted.recommend(queries, 20)
    began = time.process_time()
    fitted.recommend(queries, 20)
    return example, (time.process_time() - began) / QUERIES


def _in_steps(model: Recommender) -> bool:
    """Whether it is a network between sketches, of which some steps are counted."""
    return isinstance(model, EpochLearner) and "modalities" in type(model).model_fields


def _coding(model: Recommender) -> float:
    """Processor seconds per train event of item graphs and codes."""
    modalities = [one for one in getattr(model, "modalities", ()) if one.group != RANDOM]
    if not modalities:
        return 0.0
    from emde.coders import Coding
    from emde.modality import Modality, item_codes

    train = generate.sessions(CODED, CODED // 10)
    began = time.process_time()
    item_codes(train, [Modality(dim=modalities[0].dim, iterations=2)], Coding("dlsh", 10, 7), np.random.default_rng(0))
    return (time.process_time() - began) / CODED * sum(one.iterations for one in modalities) / 2


def epochs_of(model: Recommender) -> float:
    """Epochs that will be trained, at most."""
    params = model.model_dump()
    chosen = params.get("validation") and params.get("refit")
    return params.get("epochs", 1) * (SETTLED if chosen else 1.0)


def gigabytes(model: Recommender, size: Size) -> float:
    """Largest memory of a cell's process, roughly: weights with Adam's numbers, a batch's scores, the data."""
    params, items, method = model.model_dump(), size.items, type(model).__module__.rpartition(".")[2]
    needed = size.events / size.splits * 60.0
    if "hidden" in params and "modalities" in params:
        cells = len(params["modalities"]) * params["n"] * (1 << params["k"])
        width, deep = params["hidden"], params["layers"]
        needed += 16.0 * (2 * cells * width + deep * width * width + cells * width)
        needed += items * params["modalities"][0]["dim"] * 8.0
    elif "batch_size" in params:
        length = params["max_length"] if method in WHOLE_SESSIONS else 1
        needed += 16.0 * 2 * items * params.get("dim", 100) + 12.0 * params["batch_size"] * length * items
    elif method in SQUARE:
        needed += 12.0 * items * items
    return PROCESS + needed / 1e9


def plan(settings: Settings, profile: str, calibrate: bool = True) -> dict[str, Any]:
    """Cells that were not run, with what each will take; what all take together; files to be placed by hand.

    calibrate  False: without rates, hours are null (nothing is measured)
    """
    cells = list(_cells(settings, profile))
    left = [cell for cell in cells if not (project_root() / cell.result).is_file()]
    rows = [_row(cell, calibrate) for cell in (track(left, "calibrate", len(left)) if calibrate else left)]
    known = [row for row in rows if "examples" in row]
    return {
        "profile": profile,
        "cells": rows,
        "done": len(cells) - len(rows),
        "cpu_hours": sum(row["cpu_hours"] for row in known) if calibrate else None,
        "examples": sum(row["examples"] for row in known),
        "disk_mb": sum(row["disk_mb"] for row in known),
        "memory_gb": max((row["memory_gb"] for row in known), default=0.0),
        "too_large": [f"{row['data']}/{row['method']}" for row in known if not row["fits"]],
        "of_unknown_size": sorted({row["data"] for row in rows if "examples" not in row}),
        "by_hand": by_hand(settings, profile),
        "free_disk_mb": shutil.disk_usage(project_root()).free / 1e6,
    }


@dataclass(frozen=True)
class _Cell:
    """One row of the plan.

    result   the file, relative to the project, that is there once it was run
    starts   processes that it takes
    alone    whether it takes one split, not all of them
    """

    kind: Kind
    data: str
    name: str
    model: Recommender
    seeds: int
    result: str
    starts: int = 2
    alone: bool = False


def _cells(settings: Settings, profile: str) -> Iterator[_Cell]:
    """The profile's cells, and its ablations."""
    for one in settings.cells(profile).values():
        model = settings.recommender(one.kind, one.method, one.data, {}, None, "cpu")
        yield _Cell(one.kind, one.data, one.name, model, one.seeds, f"{one.folder}/{EVALUATION}")
    for data, name in settings.ablation_cells(profile):
        base, cell = settings.ablations.of(data, name)
        if cell.modalities in base.modalities:
            model = settings.recommender("session", base.method, "", parameters(base, cell), None, "cpu")
            result = ablation_files(data, name)[0]
            yield _Cell("session", data, f"{ABLATION}{name}", model, base.seeds, result, starts=1, alone=True)


def _row(cell: _Cell, calibrate: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"data": cell.data, "method": cell.name}
    size = size_of(cell.data)
    if size is None:
        return row
    size = size.one if cell.alone else size
    epochs, memory = epochs_of(cell.model), gigabytes(cell.model, size)
    row |= {"examples": size.examples * epochs, "points": size.points, "sizes": size.source, "cpu_hours": None,
            "memory_gb": memory, "fits": memory < psutil.virtual_memory().total / 1e9,
            "disk_mb": size.points * (20 if cell.kind == "session" else 200) * ROW / 1e6}  # fmt: skip
    if calibrate:
        each = rate_of(cell.kind, cell.model).seconds(size, epochs) + SPLIT * size.splits
        row["cpu_hours"] = (each * cell.seeds + START * cell.starts) / 3600
    return row


def by_hand(settings: Settings, profile: str) -> list[dict[str, str]]:
    """Every file of a profile that a person must place and that is not there: file, where it goes, how to get it."""
    out = []
    for data in wanted(settings, [profile]):
        dataset, folder = registry.get(data), paths.raw_dir(data)
        for file in dataset.files if dataset.manual else ():
            unpacked = bool(file.unpack) and all((folder / member).exists() for member in file.unpack)
            if not file.urls and not unpacked and not (folder / file.name).exists():
                out.append({"file": file.name, "folder": str(folder), "how": " ".join((dataset.manual or "").split())})
    return out


def totals(rows: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per data set: cells, examples, processor hours, memory, disk."""
    out: dict[str, dict[str, Any]] = {}
    for row in rows:
        total = out.setdefault(row["data"], {"data": row["data"], "cells": 0, "examples": 0.0, "cpu_hours": 0.0,
                                             "memory_gb": 0.0, "disk_mb": 0.0})  # fmt: skip
        total["cells"] += 1
        for name in ("examples", "cpu_hours", "disk_mb"):
            total[name] += row.get(name) or 0.0
        total["memory_gb"] = max(total["memory_gb"], row.get("memory_gb", 0.0))
    return list(out.values())


def lines(found: Mapping[str, Any]) -> list[str]:
    """The plan in a few lines, for the beginning of ``make repro``."""
    hours = "" if found["cpu_hours"] is None else f", about {found['cpu_hours']:,.1f} processor hours"
    cells = f"{len(found['cells'])} cells to run ({found['done']} done)"
    rest = f"{found['disk_mb']:,.0f} MB of lists, up to {found['memory_gb']:.1f} GB of memory"
    out = [f"plan: {cells}, {found['examples']:,.0f} training examples{hours}, {rest}"]
    out += [f"plan: does not fit the memory: {name}" for name in found["too_large"]]
    out += [f"plan: put {one['file']} into {one['folder']}: {one['how']}" for one in found["by_hand"]]
    return out
