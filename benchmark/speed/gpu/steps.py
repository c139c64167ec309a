"""The five steps: what each runs, and where its results go. Each returns 0, or 1 where a part of it failed."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.data.root import project_root
from benchmark.experiments import environment
from benchmark.experiments.run import Asked, run
from benchmark.experiments.settings import load
from benchmark.report import kept
from benchmark.report.console import line
from benchmark.report.keep import keep
from benchmark.speed import generate
from benchmark.speed.gpu import step_time
from contracts import Interactions
from contracts.runtime.device import DETERMINISTIC, pick_device

DATA = (
    "rsc15-100k", "retailrocket-dhcn", "30music-10pct", "yoochoose-1-64", "diginetica-srgnn", "nowplaying-gcegnn",
)  # fmt: skip
"""The public session data, the most wanted first."""
SEEDS = 3
BASELINES = ("gru4rec", "narm", "stamp", "sasrec", "nextitnet", "sr-gnn", "gce-gnn", "tagnn")
BASELINE_DATA = ("yoochoose-1-64", "diginetica-srgnn")
BASELINE_SEEDS = 2
TINY_BASELINE: dict[str, Any] = {"epochs": 1, "validation": 0.0}
TINY_EMDE: dict[str, Any] = {"epochs": 1, "hidden": 32, "n": 3}
TINY_SESSIONS = 300
"""Train sessions; tests stay whole, so the smallest data are taken."""
NAME, FIXED = "gpu", ", deterministic"
FOLDERS = ("tests/emde", "tests/baselines/topk")
"""Where tests for a GPU are."""


class Faults:
    """Minutes are lent: what fails is said and passed over, and named at the end."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @contextmanager
    def apart(self, name: str) -> Iterator[None]:
        """An error inside is noted under this name."""
        began = time.perf_counter()
        try:
            yield
            line(f"{name}: {time.perf_counter() - began:.1f} s")
        except Exception as error:
            logging.getLogger("emde").exception("%s", name)
            line(f"{name}: failed: {error}")
            self.names.append(name)

    def status(self) -> int:
        """1 where something failed."""
        if self.names:
            line(f"failed, the rest was done: {', '.join(self.names)}")
        return int(bool(self.names))


def tests(out: Path, tiny: bool) -> int:
    """The tests that need a GPU; without one they are counted only. Returns pytest's status."""
    options = ["-m", "gpu", "-q", "-p", "no:cacheprovider"]
    options += [] if torch.cuda.is_available() else ["--collect-only"]
    return subprocess.run([sys.executable, "-m", "pytest", *options, *FOLDERS], cwd=project_root()).returncode


def emde(out: Path, tiny: bool) -> int:
    """EMDE by Table 10 on all of train, then emde-plus, seed by seed."""
    return _runs(out, tiny, _emde_cells(tiny))


def baselines(out: Path, tiny: bool) -> int:
    """The full rows of neural baselines that ``results/reported`` lacks."""
    return _runs(out, tiny, _baseline_cells(tiny))


def topk(out: Path, tiny: bool) -> int:
    """EASE, Mult-VAE and EMDE with 12,000 units on generated likes of ML-20M's size, a part of their epochs.

    Likes drawn at random have no right answer: seconds and memory count here, the metrics of real data elsewhere.
    """
    users, items, likes = (400, 200, 8_000) if tiny else (117_000, 20_000, 8_000_000)
    train = Interactions(generate.likes(users, items, likes))
    profiles = train.take(slice(0, min(users, 10_000)))
    faults, rows = Faults(), []
    small = TINY_EMDE | {"modalities": [{"group": "random"}]}
    cells: list[tuple[str, dict[str, Any]]] = [
        ("ease", {}), ("multvae", {"epochs": 1 if tiny else 5}), ("emde", small if tiny else {"epochs": 2}),
    ]  # fmt: skip
    for method, params in cells:
        with faults.apart(method):
            rows.append(_fit_and_rank(method, params, train, profiles))
            _report(out, "gpu top-k", {"users": users, "items": items, "likes": train.liked.nnz, "rows": rows})
    return faults.status()


def steps(out: Path, tiny: bool) -> int:
    """A training step against its floor, line by line, and ranking; then what CUDA graphs gain and fixed sums cost."""
    data, params = (DATA[:1], TINY_EMDE) if tiny else (("retailrocket-dhcn", "yoochoose-1-64"), {})
    count, points, faults = 10 if tiny else 100, 500 if tiny else 50_000, Faults()
    variants = [("", name, params) for name in data]
    variants += [(", graphs", data[0], params | {"graphs": True})] if torch.cuda.is_available() else []
    for variant, name, chosen in [*variants, (FIXED, data[0], params)]:
        if variant == FIXED:
            os.environ[DETERMINISTIC] = "1"  # for the rest of this process
        with faults.apart(f"step{variant}: {name}"):
            for part, measured in step_time.report(name, chosen, count, points).items():
                _report(out, f"gpu {part}{variant}: {name}", measured)
    return faults.status()


STEPS: dict[str, Callable[[Path, bool], int]] = {
    "tests": tests, "emde": emde, "baselines": baselines, "topk": topk, "steps": steps,
}  # fmt: skip


def _emde_cells(tiny: bool) -> Iterator[tuple[str, str, int]]:
    for seed in range(1 if tiny else SEEDS):
        yield from ((data, "emde", seed) for data in (DATA[:2] if tiny else DATA))
    for seed in range(1 if tiny else SEEDS):
        yield from ((data, "emde-plus", seed) for data in (DATA[:1] if tiny else DATA))


def _baseline_cells(tiny: bool) -> Iterator[tuple[str, str, int]]:
    known = {
        (record["run"]["data"], record["run"]["method"], record["run"]["seed"])
        for folder in (project_root() / "results/reported").glob("*")
        for record in kept.read(folder)
        if record["kind"] == "run" and not record["run"].get("sessions")
    }
    wanted = DATA[:1] if tiny else BASELINE_DATA
    for seed in range(1 if tiny else BASELINE_SEEDS):
        for method in BASELINES:
            yield from ((data, method, seed) for data in wanted if tiny or (data, method, seed) not in known)


def _runs(out: Path, tiny: bool, cells: Iterator[tuple[str, str, int]]) -> int:
    """Run cells whose data are here, and keep each at once."""
    settings, faults = load(), Faults()
    for data, method, seed in cells:
        small = TINY_EMDE if method.startswith("emde") else TINY_BASELINE
        wanted = Asked(data, method, None, small if tiny else {}, seed, "auto", None, TINY_SESSIONS if tiny else None)
        with faults.apart(f"{data} {method} seed {seed}"):
            keep([run(settings, wanted, out / "runs")], NAME, root=out / "kept", why="measured again")
    return faults.status()


def _fit_and_rank(method: str, params: dict[str, Any], train: Interactions, profiles: Interactions) -> dict[str, Any]:
    model: Any = load().recommender("topk", method, "ml20m", params, 0, "auto")
    device = pick_device("auto")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds: dict[str, float] = {}
    with environment.timed(seconds, "fit"):
        model.fit(train)
    model.recommend(profiles.take(slice(0, 2)), 20, profiles.liked[:2])  # weights travel, kernels are made
    with environment.timed(seconds, "rank"):
        items, _ = model.recommend(profiles, 100, profiles.liked)
    if (np.asarray(items) < 0).all():
        raise RuntimeError(f"{method}: nothing listed")
    return {
        "method": method, "params": params, "device": device.type, "fit s": seconds["fit"],
        "rank rows/s": round(len(profiles) / seconds["rank"], 1), "peak GPU MB": environment.peak_gpu_mb(),
    }  # fmt: skip


def _report(out: Path, section: str, results: Mapping[str, Any]) -> None:
    """Add a section to this machine's kept report; the newer one of a name counts."""
    folder = out / "kept" / NAME
    old = kept.read(folder)
    reports = [record["result"] for record in old if record["kind"] == "bench"]
    report = reports[-1] if reports else {
        **environment.describe(), "gpu": step_time.gpu_name(), "failed": {}, "sections": {},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    report["sections"][section] = {"results": dict(results), "spread": {}, "repeats": 1}
    kept.write(folder, kept.merged(old, [kept.record("bench", {"result": report})]))
