"""Blocks of ranking tables: sessions and top-k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmark.data import as_is, registry
from benchmark.experiments.headline import ELSEWHERE
from benchmark.protocol.metric import Metric, of_lists
from benchmark.protocol.significance import Tested, holm, leaders, paired
from benchmark.report import published
from benchmark.report.kept import RunName
from benchmark.report.tables import modalities
from benchmark.report.tables.declaration import BlockDeclaration, Declaration
from benchmark.report.tables.labels import label
from benchmark.report.tables.measured import Measured
from benchmark.report.tables.model import Block, Cell, Cost, Expected, PairedTest, Row, Slices, Verdict
from benchmark.report.tables.stale import Stale
from benchmark.report.tables.variants import base
from benchmark.report.tables.verdict import judge, over_seeds, t_interval
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
    stale: Stale,
) -> Block:
    """One data set: a row per name, with verdicts, tests against the reference row and marks.

    Stale rows have their values and say why; they are compared with nothing.
    """
    dataset = registry.get(chosen.data)
    runs = {name: _runs(measured, chosen, name, splits) for name in names}
    why = {name: stale.runs(chosen.data, base(chosen.results_of.get(name, name)), [r["run"] for r in results.values()])
           if base(name) == name else "" for name, results in runs.items()}  # fmt: skip
    fresh = {name: {} if why[name] else results for name, results in runs.items()}
    columns = [of_lists(metric, chosen.masked) for metric in declared.metrics]
    units = {
        name: measured.units(chosen.data, chosen.results_of.get(name, name), splits, columns) if fresh[name] else None
        for name in names
    }
    tests = _tests(chosen.data, declared.against, columns, units, fresh, measured)
    marks = _marks(names, columns, units, fresh)
    rows = []
    for name in names:
        cells = [
            cell(declared, chosen, protocol, name, metric, runs[name], splits, why[name]).model_copy(
                update={"test": tests.get((name, column)), "mark": marks.get((name, column), "")}
            )
            for metric, column in zip(declared.metrics, columns, strict=True)
        ]
        line = measured.failed.get((chosen.data, chosen.results_of.get(name, name)), "")
        if line:
            cells = [each.model_copy(update={"verdict": Verdict.FAILED, "why": line}) for each in cells]
        rows.append(_row(chosen, name, cells, runs[name], why[name], line))
    ran = next((results for results in runs.values() if results), {})
    seed = next(iter(ran), ("", "-"))[1]
    points = sum(result["run"]["n_points"] for key, result in ran.items() if key[1] == seed) if ran else None
    stated = {result["run"].get("approximate") for results in runs.values() for result in results.values()} - {None}
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
        tied=all(units[name] is not None for name, results in fresh.items() if results),
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
    measured_runs = measured.runs(chosen.data, chosen.results_of.get(name, name), splits)
    return {key: result for key, result in measured_runs.items() if result.get("masked") or not chosen.masked}


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
    stale: str = "",
) -> Cell:
    """One metric of one row, without tests and marks."""
    known = [] if chosen.masked else published.lookup(chosen.data, protocol, name, metric)
    values = _values(runs, metric, chosen.masked)
    if not values:
        return judged(declared, chosen, name, metric, known, None)
    seeds = list(dict.fromkeys(seed for _, seed in values))
    by_seed = {seed: [value for key, value in values.items() if key[1] == seed] for seed in seeds}
    by_split = {split: np.mean([value for key, value in values.items() if key[0] == split]) for split in splits
                if any(key[0] == split for key in values)}  # fmt: skip
    of_seed = {seed: float(np.mean(column)) for seed, column in by_seed.items()}
    low, high = _interval(_values(runs, metric, chosen.masked, "intervals"), float(np.mean(list(of_seed.values()))))
    filled = {"low": low, "high": high, "slices": _slices({split: float(value) for split, value in by_split.items()})}
    partial = f"{len(by_split)} of {len(splits)} slices were run" if len(by_split) < len(splits) else ""
    cut = next((result["run"]["sessions"] for result in runs.values() if result["run"].get("sessions")), None)
    if any(as_is.said(result["run"].get("approximate")) for result in runs.values()):
        partial = as_is.STATED
    partial = partial or (f"fitted on the {cut:,} most recent train sessions only" if cut else "")
    params = next(iter(runs.values()))["run"]["params"]
    reason = outdated(stale) or partial
    return judged(declared, chosen, name, metric, known, of_seed, reason, params).model_copy(update=filled)


def outdated(stale: str) -> str:
    """Why a stale row may not be compared."""
    return f"stale: {stale}" if stale else ""


def judged(
    declared: Declaration,
    chosen: BlockDeclaration,
    name: str,
    metric: str,
    known: Sequence[published.Value],
    of_seed: dict[str, float] | None,
    reason: str = "",
    params: Mapping[str, Any] | None = None,
) -> Cell:
    """A cell with its verdict.

    of_seed  the value of every seed, None where nothing was run
    reason   why it may not be compared
    params   the setting it was measured with: a published value of another setting is no verdict on it
    """
    wanted = {origin: rank for rank, origin in enumerate(declared.expected)}
    also = [Expected(value=v.value, source=v.source, origin=v.origin, params=v.params) for v in known]
    expected = min((e for e in also if e.origin in wanted), key=lambda e: wanted[e.origin], default=None)
    also = [e for e in also if e is not expected]
    ours = None if of_seed is None else float(np.mean(list(of_seed.values())))
    seeds = over_seeds(of_seed) if of_seed else None
    tolerance = chosen.tolerance or declared.tolerance
    generated = registry.get(chosen.data).comparable == "generated"
    reason = reason or chosen.incomparable or ("generated data" if generated else "")
    if name in chosen.timed_out:
        verdict, why = Verdict.TIMED_OUT, f"{declared.source} has no value: it timed out there"
    elif ours is None:
        verdict, why = Verdict.NOT_RUN, ""
    elif expected is None or reason:
        verdict, why = Verdict.NOT_COMPARABLE, reason or "nothing published for it"
    elif unlike := other_settings(expected, params or {}):
        verdict, why = Verdict.OTHER_SETTINGS, unlike
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
    )


def other_settings(expected: Expected, params: Mapping[str, Any]) -> str:
    """What sets the published value's setting apart, of what is known of both; empty where nothing does."""
    apart = {name: value for name, value in expected.params.items() if name in params and params[name] != value}
    return "; ".join(f"published with {name} {value}, ours {params[name]}" for name, value in apart.items())


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
    data: str,
    against: str | None,
    columns: Sequence[str],
    units: dict[str, Units | None],
    runs: dict[str, Runs],
    measured: Measured,
) -> dict[tuple[str, str], PairedTest]:
    """(row, column) -> the test against the reference row, Holm-corrected over the block.

    As they were when the runs were kept, else made from values per session or user.
    """
    if against is None or not runs.get(against):
        return {}
    of_row: dict[tuple[str, str], Tested] = {}
    for name, own in units.items():
        if name == against or not runs[name]:
            continue
        tests = measured.tests(runs[name], runs[against])
        if own is not None and (reference := units[against]) is not None:
            tests = tested(data, (name, own), (against, reference)) | tests
        of_row.update({(name, column): tests[column] for column in columns if column in tests})
    t, w = (holm(np.array([getattr(p, part) for p in of_row.values()])) for part in ("t_p", "wilcoxon_p"))
    return {
        key: PairedTest(against=against, **asdict(p), t_holm=float(t[i]), wilcoxon_holm=float(w[i]), family=len(of_row))
        for i, (key, p) in enumerate(of_row.items())
    }


def tested(data: str, own: tuple[str, Units], against: tuple[str, Units]) -> dict[str, Tested]:
    """Column -> the test of one row (name, values) against another, for the columns of both."""
    (name, (units, values)), (other, (other_units, others)) = own, against
    if not np.array_equal(units, other_units):
        raise UserError(f"{data}: {name} and {other} were not evaluated on the same sessions or users")
    return {column: paired(values[column], others[column]) for column in values if column in others}


def _marks(
    names: Sequence[str], columns: Sequence[str], units: dict[str, Units | None], runs: dict[str, Runs]
) -> dict[tuple[str, str], Any]:
    out = {}
    for column in columns:
        metric = Metric.parse(column)
        per_run = [_values(runs[name], of_lists(column, False), metric.masked) for name in names]
        values = [float(np.mean(list(value.values()))) if value else None for value in per_run]
        own = [(units[name] or (None, {}))[1].get(column) for name in names]
        out.update({(name, column): mark for name, mark in zip(names, leaders(values, own), strict=True)})
    return out


def _row(chosen: BlockDeclaration, name: str, cells: list[Cell], runs: Runs, stale: str, failed: str) -> Row:
    if not runs:
        note = "timed out in the paper" if name in chosen.timed_out else "not run"
        note = f"failed: {failed}" if failed else note
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
        modalities=modalities.made(records),
        stale=stale,
        note=ELSEWHERE if records[0].get("imported") else "",
        runs=[str(RunName(chosen.data, measured, *which)) for which in runs],
    )


def _cost(records: Sequence[dict[str, Any]], seeds: int) -> Cost | None:
    """Of runs that say what they cost; None where one does not."""
    if not all("seconds" in record for record in records):
        return None

    def total(name: str) -> float | None:
        seconds = [record["seconds"][name] for record in records if name in record["seconds"]]
        return float(np.sum(seconds)) / seeds if seconds else None

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
