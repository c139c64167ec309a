"""Which choices matter: the ablation cells of a profile compared, as JSON, Markdown and one forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from benchmark.experiments.ablations.grid import BASE, METRICS, cell_files
from benchmark.experiments.settings import Settings
from benchmark.protocol.significance import LEVEL, contributions, holm, paired
from benchmark.report import published
from benchmark.report.figures.intervals import Effect, forest
from benchmark.report.figures.style import save
from benchmark.report.tables.measured import COMPARED_SCHEMA
from benchmark.report.tables.text import counted
from benchmark.report.tables.verdict import t_interval
from contracts import UserError
from contracts.runtime.files import write_whole
from contracts.runtime.json import read_json, to_json

MAIN = "MRR@20"
"""The metric of the forest plot and of the orderings."""
PAPER_ON = "retail"
"""The data set of the paper's Table 6."""

Level = dict[str, Any]


def compare(settings: Settings, profile: str, folder: Path, only: Sequence[str] = ()) -> dict[str, Any]:
    """Every level of every factor, from the cells under ``folder`` that were run.

    only  these data sets of the profile; none: all

    {"schema": 2, "profile", "main": metric, "levels": [...]}; a level holds data, factor, label, cell, decoder,
    and either unavailable (why) or params, split, train, points, seeds (how many), items, random_codes (group -> items
    that it knows nothing about), sessions and sampled_points (null: all of train, all points), metrics: name ->
    {mean, sd, low, high} (95% t interval over seeds) and, but for the base model with its default decoder,
    difference: name -> the paired test against that over sessions (mean over seeds; fields of
    benchmark.report.tables.model.PairedTest), Holm-corrected over the data set's levels and metrics; beside: label
    of an earlier level of the factor that is not the base either -> the same tests, without that correction;
    published: name -> value of the paper's Table 6 (another data set) where it has that level.
    Raises UserError where a cell of the profile was not run, or the profile has none of a data set.
    """
    cells = settings.ablation_cells(profile)
    if not cells:
        raise UserError(f"profile {profile} declares no ablations")
    declared = dict.fromkeys(data for data, _ in cells)
    if unknown := [data for data in only if data not in declared]:
        raise UserError(f"profile {profile}: expected ablations of {', '.join(declared)}, found {', '.join(unknown)}")
    cells = [(data, cell) for data, cell in cells if data in (only or declared)]
    read = {(data, cell): _read(cell_files(folder, data, cell)[0]) for data, cell in cells}
    levels: list[Level] = []
    for data in dict.fromkeys(data for data, _ in cells):
        first = len(levels)
        for factor, labels in settings.ablations.factors.items():
            chosen = {label: level.partition("/") for label, level in labels.items()}
            ran = [label for label, (cell, _, _) in chosen.items() if (data, cell) in read]
            alone = all(chosen[label][0] == BASE for label in ran) and len(ran) < 2  # compares nothing
            for label in [] if alone else ran:
                cell, _, decoder = chosen[label]
                level = _level(read[data, cell], decoder)
                head = {"data": data, "factor": factor, "label": label, "cell": cell}
                levels.append({**head, **level, "published": _published(factor, label)})
        _differences(folder, data, levels[first:])
    return {"schema": COMPARED_SCHEMA, "profile": profile, "main": MAIN, "levels": levels}


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, UserError):
        raise UserError(f"{path}: expected an ablation cell, found none; run: emde ablate") from None


def _published(factor: str, label: str) -> dict[str, float]:
    """Metric -> the paper's value of this level; empty where Table 6 has none."""
    of_paper = {name: published.lookup(PAPER_ON, published.ABLATION, f"{factor}: {label}", name) for name in METRICS}
    return {name: values[0].value for name, values in of_paper.items() if values}


def _level(cell: dict[str, Any], decoder: str) -> Level:
    if "unavailable" in cell:
        return {"unavailable": cell["unavailable"]}
    decoder = decoder or next(iter(cell["results"]))
    metrics = {}
    for name, values in cell["results"][decoder].items():
        sd, low, high = t_interval(values) if len(values) > 1 else (None, None, None)
        metrics[name] = {"mean": float(np.mean(values)), "sd": sd, "low": low, "high": high}
    kept = {name: cell[name] for name in ("params", "split", "train", "points", "items", "random_codes")}
    kept |= {
        name: cell[name] for name in ("sessions", "sampled_points", "approximate") if name in cell
    }  # older cells: not
    return {"decoder": decoder, **kept, "seeds": len(cell["seeds"]), "metrics": metrics}


def _differences(folder: Path, data: str, levels: Sequence[Level]) -> None:
    """Add ``difference`` to the base model to every other level of a data set, if the base was run, and ``beside``."""
    bases = [level for level in levels if level["cell"] == BASE and "metrics" in level]
    if not bases:
        return
    base = _columns(folder, data, BASE, bases[0]["decoder"])
    tests = []
    others: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for level in levels:
        if "metrics" in level and (level["cell"], level["decoder"]) != (BASE, bases[0]["decoder"]):
            own = _columns(folder, data, level["cell"], level["decoder"])
            tests += [(level, name, paired(own[name], base[name])) for name in METRICS]
            before = others.setdefault(level["factor"], {})
            level["beside"] = {
                label: {name: asdict(paired(own[name], columns[name])) for name in METRICS}
                for label, columns in before.items()
            }
            before[level["label"]] = own
    t, w = (holm(np.array([getattr(test, part) for _, _, test in tests])) for part in ("t_p", "wilcoxon_p"))
    for i, (level, name, test) in enumerate(tests):
        corrected = {"t_holm": float(t[i]), "wilcoxon_holm": float(w[i])}
        level.setdefault("difference", {})[name] = {"against": BASE, **asdict(test), **corrected}


def _columns(folder: Path, data: str, cell: str, decoder: str) -> dict[str, np.ndarray]:
    """Metric -> contributions of the sessions, [sessions]."""
    table = pq.read_table(cell_files(folder, data, cell)[1])
    points = table["points"].to_numpy()
    one = np.zeros(len(points), np.int64)
    return {name: contributions(table[f"{decoder}:{name}"].to_numpy(), points, one) for name in METRICS}


def markdown(result: dict[str, Any]) -> str:
    """One table per data set: value, interval over seeds, difference to the base with its interval and p."""
    out = []
    levels = result["levels"]
    for data in dict.fromkeys(level["data"] for level in levels):
        mine = [level for level in levels if level["data"] == data]
        ran = next((level for level in mine if "metrics" in level), None)
        if ran is not None:
            out.append(f"\n### {data}\n\n{ran['split']}, {ran['points']:,} points, {ran['train']:,} train sessions, "
                       f"{counted(ran['seeds'], 'seed')}: mean +- sd; difference to the base with its 95% interval "
                       "over sessions, * where p < .05 (Holm).\n")  # fmt: skip
        out.append(
            f"| factor | level | HR@20 | {MAIN} | difference in {MAIN} | paper, RETAIL |\n|---|---|---|---|---|---|"
        )
        for level in mine:
            head = f"| {level['factor']} | {level['label']} "
            paper = f"{level['published'][MAIN]:.4f}" if level["published"] else ""
            if "unavailable" in level:
                out.append(f"{head}| cannot be filled: {level['unavailable']} | | | {paper} |")
                continue
            values = [_mean(level["metrics"][name]) for name in ("HR@20", MAIN)]
            out.append(f"{head}| {values[0]} | {values[1]} | {_difference(level)} | {paper} |")
        out.append("")
        out += [f"{line}  " for line in (*fallbacks(mine), *orderings(mine))]
    return "\n".join(out).lstrip() + "\n"


def fallbacks(levels: Sequence[Level]) -> list[str]:
    """How many items of the catalogue have random codes, because a group of a modality knows nothing about them."""
    with_random = [level for level in levels if level.get("random_codes")]
    counts = {group: count for level in with_random for group, count in level["random_codes"].items() if count}
    if not counts:
        return []
    listed = ", ".join(f"{group} {count:,}" for group, count in sorted(counts.items()))
    return [f"Items without a vector, which get random codes there, of {with_random[0]['items']:,}: {listed}."]


def orderings(levels: Sequence[Level]) -> list[str]:
    """Per factor that the paper has too: ours and the paper's order by the main metric, best first, and which of our
    significant differences to the base go the paper's way."""
    out = []
    for factor in dict.fromkeys(level["factor"] for level in levels if level["published"]):
        both = [level for level in levels if level["factor"] == factor and level["published"] and "metrics" in level]
        if len(both) < 2:
            continue
        ours = sorted(both, key=lambda level: -level["metrics"][MAIN]["mean"])
        theirs = sorted(both, key=lambda level: -level["published"][MAIN])
        orders = [" > ".join(level["label"] for level in order) for order in (ours, theirs)]
        agree = "the same order" if orders[0] == orders[1] else "another order"
        out.append(f"{factor}: {orders[0]}; paper: {orders[1]} ({agree}). {_agreement(both)}")
    return out


def _agreement(levels: Sequence[Level]) -> str:
    """Which differences to the base are as in the paper, contrary to it or undecided."""
    base = next((level for level in levels if MAIN not in level.get("difference", {})), None)
    if base is None:
        return ""
    ways: dict[str, list[str]] = {"as in the paper": [], "contrary to it": [], "undecided": []}
    for level in levels:
        if level is not base:
            test = level["difference"][MAIN]
            same = test["difference"] * (level["published"][MAIN] - base["published"][MAIN]) > 0
            way = "undecided" if test["t_holm"] >= LEVEL else "as in the paper" if same else "contrary to it"
            ways[way].append(level["label"])
    said = "; ".join(f"{way}: {', '.join(labels)}" for way, labels in ways.items() if labels)
    return f"Against {base['label']}, {said}."


def _mean(metric: dict[str, Any]) -> str:
    return f"{metric['mean']:.4f}" + ("" if metric["sd"] is None else f" +- {metric['sd']:.4f}")


def _difference(level: Level) -> str:
    test = level.get("difference", {}).get(MAIN)
    if test is None:
        return ""
    star = "*" if test["t_holm"] < LEVEL else ""
    return f"{test['difference']:+.4f} [{test['low']:+.4f}, {test['high']:+.4f}]{star}"


def effects(levels: Sequence[Level], main: str = MAIN) -> list[Effect]:
    """The difference to the base of every level that has one, in a metric."""
    tests = [
        (f"{lv['factor']}: {lv['label']}", lv["difference"][main]) for lv in levels if main in lv.get("difference", {})
    ]
    return [
        Effect(label, test["difference"], test["low"], test["high"], test["t_holm"] < LEVEL) for label, test in tests
    ]


def plot(result: dict[str, Any]) -> Figure:
    """Difference of every level to the base in the main metric: one column per data set that has some."""
    data = dict.fromkeys(level["data"] for level in result["levels"])
    columns = {name: effects([level for level in result["levels"] if level["data"] == name]) for name in data}
    drawn = {name: column for name, column in columns.items() if column}
    return forest(
        drawn or {"nothing to compare": []}, f"difference in {MAIN}", "Each change's difference to the base model"
    )


def write(result: dict[str, Any], out: Path) -> dict[str, str]:
    """ablations.json, ablations.md, forest.svg and forest.png in ``out``; returns what -> path."""
    content = {"ablations.json": to_json(result, indent=1) + "\n", "ablations.md": markdown(result)}
    written = [write_whole(out / name, text) for name, text in content.items()]
    written += save(plot(result), out, "forest", ("svg", "png"))
    return {path.name: str(path) for path in written}
