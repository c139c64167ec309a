"""Kept results as claims ask for them: rows with their values per session, tests, ablations, densities, reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data import registry
from benchmark.data.root import project_root
from benchmark.experiments import methods
from benchmark.experiments.settings import Settings
from benchmark.protocol.metric import Metric, of_lists
from benchmark.protocol.significance import Tested
from benchmark.report import kept, units
from benchmark.report.claims.declaration import Selected
from benchmark.report.tables.commands import NOT_RECORDED
from benchmark.report.tables.stale import again, differences
from contracts import Estimator, Kind, UserError

Place = tuple[str, str]
"""(split, seed)"""
Column = tuple[np.ndarray, np.ndarray]
"""(keys [units, 2] of split and unit, contributions [units])"""


@dataclass(frozen=True)
class KeptRun:
    """One kept run and the folder that keeps it."""

    folder: Path
    result: dict[str, Any]
    settings: Settings

    @property
    def command(self) -> str:
        """The command line that makes it now."""
        return again(self.settings, self.record) or NOT_RECORDED

    @property
    def record(self) -> dict[str, Any]:
        """Its run.json."""
        return dict(self.result["run"])

    @property
    def place(self) -> Place:
        """Split and seed; "-" where it has none."""
        seed = self.record.get("seed")
        return self.record["split"], "-" if seed is None else str(seed)

    @property
    def has_units(self) -> bool:
        """Whether its values per session or user are kept."""
        return units.path_of(self.folder, self.record).is_file()


@dataclass(frozen=True)
class KeptRow:
    """Runs of one setting on the same splits with one or several seeds.

    seeds     those whose values stand for the row; all_seeds: all that are kept, of which the spread is
    runs      by split and seed; every seed has every split
    known     lists_sha256 of all kept runs of this setting, those of other folders too
    """

    splits: tuple[str, ...]
    seeds: tuple[str, ...]
    all_seeds: tuple[str, ...]
    every: dict[Place, KeptRun]
    known: frozenset[str]

    @property
    def runs(self) -> dict[Place, KeptRun]:
        """The runs of ``seeds``."""
        return {(split, seed): self.every[split, seed] for seed in self.seeds for split in self.splits}

    @property
    def whole(self) -> bool:
        """Fitted on all of train."""
        return all(not run.record.get("sessions") for run in self.runs.values())

    @property
    def commands(self) -> list[str]:
        """The command lines that make the runs now."""
        return list(dict.fromkeys(run.command for run in self.runs.values()))

    @property
    def lists(self) -> tuple[str, ...]:
        """lists_sha256 of the runs."""
        return tuple(run.record["lists_sha256"] for run in self.runs.values())

    def _per_seed(self, metric: str, seeds: Sequence[str]) -> list[float]:
        """The metric of every seed, each a mean over the splits; empty where some run does not hold it."""
        try:
            return [float(np.mean([_part(self.every[s, seed].result, "metrics", metric) for s in self.splits]))
                    for seed in seeds]  # fmt: skip
        except KeyError:
            return []

    def value(self, metric: str) -> float | None:
        """Mean over splits and seeds."""
        means = self._per_seed(metric, self.seeds)
        return float(np.mean(means)) if means else None

    def spread(self, metric: str) -> float | None:
        """Standard deviation over all seeds that are kept; None of one seed."""
        means = self._per_seed(metric, self.all_seeds)
        return float(np.std(means, ddof=1)) if len(means) > 1 else None

    def interval(self, metric: str) -> tuple[float, float]:
        """The runs' own 95% interval over sessions, mean over seeds and splits (exact for one split)."""
        bounds = [_part(run.result, "intervals", metric) for run in self.runs.values()]
        return float(np.mean([low for low, _ in bounds])), float(np.mean([high for _, high in bounds]))

    def column(self, metric: str) -> Column | None:
        """Contributions per session or user, mean over seeds; None where they are not kept."""
        seeds = []
        for seed in self.seeds:
            parts = [units.read(self.every[s, seed].folder, self.every[s, seed].record) for s in self.splits]
            known = [part for part in parts if part is not None and metric in part.sums]
            if len(known) < len(parts):
                return None
            seeds.append(units.of_seed(known, [metric]))
        found = units.over_seeds(seeds)
        return None if found is None else (found[0], found[1][metric])


def _part(result: dict[str, Any], part: str, metric: str) -> Any:
    """A metric (its interval) of the lists that its label means; KeyError where there is none."""
    lists = result["masked"] or {part: {}} if Metric.parse(metric).masked else result
    return lists[part][of_lists(metric, masked=False)]


def folders() -> list[Path]:
    """Every folder of kept results."""
    return sorted(path for path in (project_root() / "results/reported").iterdir() if kept.files(path))


class Evidence:
    """Everything that some folders keep."""

    def __init__(self, where: Sequence[Path], settings: Settings) -> None:
        self.settings = settings
        self._records = [(folder, record) for folder in where for record in kept.read(folder)]
        self._runs: dict[tuple[str, str], list[KeptRun]] = {}
        for folder, record in self._of("run"):
            place = record["run"]["data"], record["run"]["method"]
            self._runs.setdefault(place, []).append(KeptRun(folder, record, settings))
        self._models: dict[str, Estimator] = {}
        self._rows: dict[str, KeptRow | None] = {}

    def _of(self, kind: str) -> Iterable[tuple[Path, kept.Record]]:
        return ((folder, record) for folder, record in self._records if record["kind"] == kind)

    @cached_property
    def densities(self) -> dict[str, dict[str, Any]]:
        """data -> what emde density wrote; of several folders the last."""
        return {record["result"]["data"]: record["result"] for _, record in self._of("density")}

    @cached_property
    def levels(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(data, "factor/label") -> level of the ablations."""
        return {
            (record["data"], f"{level['factor']}/{level['label']}"): level
            for _, record in self._of("ablation")
            for level in record["levels"]
        }

    @cached_property
    def benches(self) -> list[dict[str, Any]]:
        """Reports of make bench, the newest first."""
        return sorted((record["result"] for _, record in self._of("bench")), key=lambda r: r["time"], reverse=True)

    def row(self, data: str, wanted: Selected, splits: Sequence[str]) -> KeptRow | None:
        """The kept runs of a row: on all of train, else on the largest part of it; None where there are none.

        Runs with the settings asked for. Of a method that is no EMDE, where there are none, the one setting that is
        kept on all of train. A neural baseline that saw a part of train is no row.
        """
        key = f"{data} {wanted.method} {wanted.settings} {splits}"
        if key not in self._rows:
            self._rows[key] = self._find(data, wanted, splits)
        return self._rows[key]

    def _find(self, data: str, wanted: Selected, splits: Sequence[str]) -> KeptRow | None:
        on_splits = [run for run in self._runs.get((data, wanted.method), []) if run.record["split"] in splits]
        alike = [run for run in on_splits if self._asked(run, wanted)]
        if not on_splits:
            return None
        kind: Any = registry.get(data).kind
        own = self.settings.base(kind, wanted.method) in ("emde", "pure-emde")
        if not alike and not own and not wanted.settings:
            whole = [run for run in on_splits if not run.record.get("sessions")]
            alike = whole if len({_setting(run) for run in whole}) == 1 else []
        sizes = sorted({run.record.get("sessions") or 0 for run in alike}, key=lambda n: (n > 0, -n))
        if any(sizes) and not own and _neural(kind, self.settings.base(kind, wanted.method)):
            sizes = [part for part in sizes if part == 0]
        rows = (_row([run for run in alike if (run.record.get("sessions") or 0) == part], splits) for part in sizes)
        return next((row for row in rows if row is not None), None)

    def fitted(self, data: str, method: str, splits: Sequence[str]) -> list[KeptRun]:
        """Every kept run of a method on some splits, whatever its settings and its part of train."""
        return [run for run in self._runs.get((data, method), []) if run.record["split"] in splits]

    def _asked(self, run: KeptRun, wanted: Selected) -> bool:
        record = run.record
        key = f"{record['data']} {wanted.method} {wanted.settings}"
        if key not in self._models:
            kind: Any = registry.get(record["data"]).kind
            model = self.settings.estimator(kind, wanted.method, record["data"], wanted.settings, None, "cpu")
            self._models[key] = model
        return not differences(record["params"], self._models[key])

    def test(self, first: KeptRow, second: KeptRow, metric: str) -> Tested | None:
        """A kept test of one row against the other, either way round; None where there is none."""
        for _, record in self._of("test"):
            if tuple(record["splits"]) != first.splits or metric not in record["metrics"]:
                continue
            own, other = (set(side) for side in record["lists"])
            test = Tested(**record["metrics"][metric])
            if own <= first.known and other <= second.known:
                return test
            if own <= second.known and other <= first.known:
                effect = None if test.effect is None else -test.effect
                return Tested(-test.difference, -test.high, -test.low, effect, test.units, test.t_p, test.wilcoxon_p)
        return None


def _neural(kind: Kind, name: str) -> bool:
    """Whether a method learns in epochs."""
    return "epochs" in methods.find(kind, name).model_fields


def _setting(run: KeptRun) -> str:
    return str(kept.settings_of(run.record))


def _row(runs: Sequence[KeptRun], splits: Sequence[str]) -> KeptRow | None:
    """The runs of every seed that has all splits; where some keep values per session, those seeds alone."""
    best: dict[Place, KeptRun] = {}
    for run in runs:
        if run.place not in best or run.has_units or not best[run.place].has_units:
            best[run.place] = run
    seeds = sorted({seed for _, seed in best})
    full = [seed for seed in seeds if all((split, seed) in best for split in splits)]
    valued = [seed for seed in full if all(best[split, seed].has_units for split in splits)]
    chosen = valued or full
    if not chosen:
        return None
    known = frozenset(run.record["lists_sha256"] for run in runs)
    every = {(split, seed): best[split, seed] for seed in full for split in splits}
    return KeptRow(tuple(splits), tuple(chosen), tuple(full), every, known)


def split_names(data: str, split: str) -> list[str]:
    """The splits whose mean a claim is about."""
    dataset = registry.get(data)
    if split and split not in dataset.all_splits:
        raise UserError(f"{data}: expected one of the splits {', '.join(dataset.all_splits)}; found {split!r}")
    if split:
        return [split]
    return list(dataset.splits) if len(dataset.splits) > 1 else [dataset.default_split]
