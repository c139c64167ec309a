"""Blocks of ranking tables: sessions and top-k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmark import published
from benchmark.data import registry
from benchmark.evaluate import MASKED
from benchmark.significance import Paired, holm, leaders, paired
from benchmark.tables.declaration import BlockDeclaration, Declaration
from benchmark.tables.labels import label
from benchmark.tables.measured import Measured
from benchmark.tables.model import Block, Cell, Cost, Expected, PairedTest, Row, Slices, Verdict
from benchmark.tables.verdict import judge, over_seeds, t_interval
from contracts import UserError

Runs = dict[tuple[str, str], dict[str, Any]]
Units = tuple[np.ndarray, dict[str, np.ndarray]]


def block(
    declared: Declaration,
    chosen: BlockDeclaration,
    names: Sequence[str],
    protocol: str,
    splits: list[str],
    measured: Measured,
    planned: bool,
) -> Block:
    """One data set: a row per name, with verdicts, tests against the reference row and marks."""
    dataset = registry.get(chosen.data)
    runs = {name: _runs(measured, chosen, name, splits) for name in names}
    columns = [f"{MASKED}{metric}" if chosen.masked else metric for metric in declared.metrics]
    units = {
        name: measured.units(chosen.data, chosen.results_of.get(name, name), splits, columns) if runs[name] else None
        for name in names
    }
    tests, marks = (
        _tests(chosen.data, declared.against, columns, units),
        _marks(names, columns, units, runs, chosen.masked),
    )
    rows = []
    for name in names:
        cells = [
            cell(declared, chosen, protocol, name, metric, runs[name], splits).model_copy(
                update={"test": tests.get((name, column)), "mark": marks.get((name, column), "")}
            )
            for metric, column in zip(declared.metrics, columns, strict=True)
        ]
        rows.append(_row(chosen, name, cells, runs[name]))
    ran = next((found for found in runs.values() if found), {})
    seed = next(iter(ran), ("", "-"))[1]
    points = sum(result["run"]["n_points"] for key, result in ran.items() if key[1] == seed) if ran else None
    stated = {result["run"].get("approximate") for found in runs.values() for result in found.values()} - {None}
    approximate = "; ".join(sorted(stated)) or dataset.approximate
    unit = "evaluation points" if dataset.kind == "session" else "test users"
    return Block(
        data=chosen.data,
        label=chosen.label or chosen.data,
        title=dataset.title,
        protocol=protocol,
        splits=splits,
        points=points,
        unit=unit,
        masked=chosen.masked,
        comparable=dataset.comparable,
        approximate=approximate,
        shown=planned or any(runs.values()),
        caption=_caption(chosen, dataset.title, protocol, len(splits), points, unit, approximate),
        rows=rows,
    )


def _caption(
    chosen: BlockDeclaration, title: str, protocol: str, n: int, points: int | None, unit: str, approximate: str | None
) -> str:
    how = f"mean over {n} slices" if protocol == published.SLICES else f"split {protocol}"
    size = f", {points:,} {unit}" if points is not None else ", not run"
    masked = "; disliked items left out of all lists" if chosen.masked else ""
    return f"{title} ({how}{size}{masked}{'; ' + approximate if approximate else ''})"


def _runs(measured: Measured, chosen: BlockDeclaration, name: str, splits: list[str]) -> Runs:
    found = measured.runs(chosen.data, chosen.results_of.get(name, name), splits)
    return {key: result for key, result in found.items() if result.get("masked") or not chosen.masked}


def _values(runs: Runs, metric: str, masked: bool, part: str = "metrics") -> dict[tuple[str, str], Any]:
    """(split, seed) -> a metric (or its interval)."""
    tables = {key: (result["masked"] if masked else result)[part] for key, result in runs.items()}
    return {key: table[metric] for key, table in tables.items() if metric in table}


def cell(
    declared: Declaration,
    chosen: BlockDeclaration,
    protocol: str,
    name: str,
    metric: str,
    runs: Runs,
    splits: list[str],
) -> Cell:
    """One metric of one row, without tests and marks."""
    known = [] if chosen.masked else published.lookup(chosen.data, protocol, name, metric)
    values = _values(runs, metric, chosen.masked)
    if not values:
        return judged(declared, chosen, name, metric, known, None, {})
    seeds = list(dict.fromkeys(seed for _, seed in values))
    by_seed = {seed: [value for key, value in values.items() if key[1] == seed] for seed in seeds}
    by_split = {split: np.mean([value for key, value in values.items() if key[0] == split]) for split in splits
                if any(key[0] == split for key in values)}  # fmt: skip
    of_seed = {seed: float(np.mean(column)) for seed, column in by_seed.items()}
    low, high = _interval(_values(runs, metric, chosen.masked, "intervals"), float(np.mean(list(of_seed.values()))))
    filled = {"low": low, "high": high, "slices": _slices({split: float(value) for split, value in by_split.items()})}
    partial = f"{len(by_split)} of {len(splits)} slices were run" if len(by_split) < len(splits) else ""
    cut = next((result["run"]["sessions"] for result in runs.values() if result["run"].get("sessions")), None)
    partial = partial or (f"fitted on the {cut:,} most recent train sessions only" if cut else "")
    return judged(declared, chosen, name, metric, known, of_seed, filled, partial)


def judged(
    declared: Declaration,
    chosen: BlockDeclaration,
    name: str,
    metric: str,
    known: Sequence[published.Value],
    of_seed: dict[str, float] | None,
    filled: dict[str, Any],
    partial: str = "",
) -> Cell:
    """A cell with its verdict; ``of_seed`` is the value of every seed, None where nothing was run."""
    wanted = {origin: rank for rank, origin in enumerate(declared.expected)}
    also = [Expected(value=v.value, source=v.source, origin=v.origin) for v in known]
    expected = min((e for e in also if e.origin in wanted), key=lambda e: wanted[e.origin], default=None)
    also = [e for e in also if e is not expected]
    ours = None if of_seed is None else float(np.mean(list(of_seed.values())))
    seeds = over_seeds(of_seed) if of_seed else None
    tolerance = chosen.tolerance or declared.tolerance
    reason = chosen.incomparable or partial
    if registry.get(chosen.data).comparable == "generated":
        reason = "generated data"
    if name in chosen.timed_out:
        verdict, why = Verdict.TIMED_OUT, f"{declared.source} has no value: it timed out there"
    elif ours is None:
        verdict, why = Verdict.NOT_RUN, ""
    elif expected is None or reason:
        verdict, why = Verdict.NOT_COMPARABLE, reason or "nothing published for it"
    else:
        verdict, why = judge(ours, expected, tolerance, seeds)
    return Cell(
        metric=metric,
        ours=ours,
        seeds=seeds,
        expected=expected,
        also=also,
        delta=None if ours is None or expected is None else ours - expected.value,
        verdict=verdict,
        why=why,
        required=name in chosen.required and expected is not None,
        **filled,
    )


def _interval(bounds: dict[tuple[str, str], list[float]], mean: float) -> tuple[float | None, float | None]:
    """Of the mean over splits, whose bootstrap errors are independent. Seeds share their sessions: bounds average."""
    if not bounds:
        return None, None
    of_split = [np.mean([b for key, b in bounds.items() if key[0] == split], axis=0)
                for split in dict.fromkeys(split for split, _ in bounds)]  # fmt: skip
    if len(of_split) == 1:
        return float(of_split[0][0]), float(of_split[0][1])
    half = float(np.sqrt(sum((high - low) ** 2 for low, high in of_split))) / 2 / len(of_split)
    return mean - half, mean + half


def _slices(values: dict[str, float]) -> Slices | None:
    if len(values) < 2:
        return None
    sd, low, high = t_interval(list(values.values()))
    return Slices(values=values, sd=sd, low=low, high=high)


def _tests(
    data: str, against: str | None, columns: Sequence[str], units: dict[str, Units | None]
) -> dict[tuple[str, str], PairedTest]:
    """(row, column) -> the test against the reference row, Holm-corrected over the block."""
    reference = units.get(against or "")
    if reference is None or against is None:
        return {}
    found: dict[tuple[str, str], Paired] = {}
    for name, own in units.items():
        if own is None or name == against:
            continue
        if not np.array_equal(own[0], reference[0]):
            raise UserError(f"{data}: {name} and {against} were not evaluated on the same sessions or users")
        for column in columns:
            if column in own[1] and column in reference[1]:
                found[name, column] = paired(own[1][column], reference[1][column])
    t, w = (holm(np.array([getattr(p, part) for p in found.values()])) for part in ("t_p", "wilcoxon_p"))
    return {
        key: PairedTest(against=against, **asdict(p), t_holm=float(t[i]), wilcoxon_holm=float(w[i]))
        for i, (key, p) in enumerate(found.items())
    }


def _marks(
    names: Sequence[str], columns: Sequence[str], units: dict[str, Units | None], runs: dict[str, Runs], masked: bool
) -> dict[tuple[str, str], Any]:
    out = {}
    for column in columns:
        found = [list(_values(runs[name], column.removeprefix(MASKED), masked).values()) for name in names]
        values = [float(np.mean(value)) if value else None for value in found]
        own = [(units[name] or (None, {}))[1].get(column) for name in names]
        out.update({(name, column): mark for name, mark in zip(names, leaders(values, own), strict=True)})
    return out


def _row(chosen: BlockDeclaration, name: str, cells: list[Cell], runs: Runs) -> Row:
    if not runs:
        note = "timed out in the paper" if name in chosen.timed_out else "not run"
        return Row(method=name, label=label(name), cells=cells, note=note)
    records = [result["run"] for result in runs.values()]
    measured = chosen.results_of.get(name, name)
    return Row(
        method=name,
        label=label(name),
        seeded=records[0].get("seed") is not None,
        cells=cells,
        cost=_cost(records, len({seed for _, seed in runs})),
        parameters_from=records[0].get("params_source", ""),
        runs=[f"{chosen.data}/{measured}/{split}/{seed}" for split, seed in runs],
    )


def _cost(records: Sequence[dict[str, Any]], seeds: int) -> Cost:
    def total(name: str) -> float | None:
        found = [record["seconds"][name] for record in records if name in record["seconds"]]
        return float(np.sum(found)) / seeds if found else None

    gpu = [record["peak_gpu_mb"] for record in records if record.get("peak_gpu_mb") is not None]
    return Cost(
        fit_seconds=total("fit"),
        recommend_seconds=total("recommend"),
        fit_cpu_seconds=total("fit_cpu"),
        recommend_cpu_seconds=total("recommend_cpu"),
        peak_mb=max(record["peak_rss_mb"] for record in records),
        peak_gpu_mb=max(gpu, default=None),
        points=sum(record["n_points"] for record in records) // seeds,
    )
