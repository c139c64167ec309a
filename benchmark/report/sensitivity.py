"""Which choices matter: the ablation cells of a profile compared, as JSON, Markdown and one forest plot."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from benchmark import published
from benchmark.ablate import METRICS
from benchmark.grid import BASE
from benchmark.settings import Settings
from benchmark.significance import LEVEL, contributions, holm, paired
from benchmark.tables.measured import COMPARED_SCHEMA
from benchmark.tables.verdict import t_interval
from contracts import UserError
from contracts.files import write_whole

MAIN = "MRR@20"
"""The metric of the forest plot and of the orderings."""
BETTER, WORSE, EVEN = "#2f8fce", "#d9662b", "#777777"
PAPER_ON = "retail"
"""The data set of the paper's Table 6."""

Level = dict[str, Any]


def compare(settings: Settings, profile: str, folder: Path) -> dict[str, Any]:
    """Every level of every factor, from the cells under ``folder`` that were run.

    {"schema": 2, "profile", "main": metric, "levels": [...]}; a level holds data, factor, label, cell, decoder,
    and either unavailable (why) or split, train, points, seeds (how many), items, random_codes (group -> items that it
    knows nothing about), metrics: name -> {mean, sd, low, high}
    (95% t interval over seeds) and, but for the base model with its default decoder, difference: name -> the paired
    test against that over sessions (mean over seeds; fields of benchmark.tables.model.PairedTest), Holm-corrected over
    the data set's levels and metrics; published: name -> value of the paper's Table 6 (another data set) where it has
    that level.
    Raises UserError where a cell of the profile was not run.
    """
    cells = settings.ablation_cells(profile)
    if not cells:
        raise UserError(f"profile {profile} declares no ablations")
    read = {key: _read(folder / f"{key}.json") for key in cells}
    levels: list[Level] = []
    for data in dict.fromkeys(cell["data"] for cell in cells.values()):
        first = len(levels)
        for factor, labels in settings.ablations.factors.items():
            chosen = {label: level.partition("/") for label, level in labels.items()}
            ran = [label for label, (cell, _, _) in chosen.items() if f"{data}--{cell}" in read]
            alone = all(chosen[label][0] == BASE for label in ran) and len(ran) < 2  # compares nothing
            for label in [] if alone else ran:
                cell, _, decoder = chosen[label]
                level = _level(read[f"{data}--{cell}"], decoder)
                head = {"data": data, "factor": factor, "label": label, "cell": cell}
                levels.append({**head, **level, "published": _published(factor, label)})
        _differences(folder, data, levels[first:])
    return {"schema": COMPARED_SCHEMA, "profile": profile, "main": MAIN, "levels": levels}


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"{path}: expected an ablation cell, found none; run: emde ablate") from None


def _published(factor: str, label: str) -> dict[str, float]:
    """Metric -> the paper's value of this level; empty where Table 6 has none."""
    found = {name: published.lookup(PAPER_ON, published.ABLATION, f"{factor}: {label}", name) for name in METRICS}
    return {name: values[0].value for name, values in found.items() if values}


def _level(cell: dict[str, Any], decoder: str) -> Level:
    if "unavailable" in cell:
        return {"unavailable": cell["unavailable"]}
    decoder = decoder or next(iter(cell["results"]))
    metrics = {}
    for name, values in cell["results"][decoder].items():
        sd, low, high = t_interval(values) if len(values) > 1 else (None, None, None)
        metrics[name] = {"mean": float(np.mean(values)), "sd": sd, "low": low, "high": high}
    kept = {name: cell[name] for name in ("split", "train", "points", "items", "random_codes")}
    return {"decoder": decoder, **kept, "seeds": len(cell["seeds"]), "metrics": metrics}


def _differences(folder: Path, data: str, levels: Sequence[Level]) -> None:
    """Add ``difference`` to the base model to every other level of a data set, if the base was run."""
    bases = [level for level in levels if level["cell"] == BASE and "metrics" in level]
    if not bases:
        return
    base = _columns(folder, data, BASE, bases[0]["decoder"])
    tests = []
    for level in levels:
        if "metrics" in level and (level["cell"], level["decoder"]) != (BASE, bases[0]["decoder"]):
            own = _columns(folder, data, level["cell"], level["decoder"])
            tests += [(level, name, paired(own[name], base[name])) for name in METRICS]
    t, w = (holm(np.array([getattr(test, part) for _, _, test in tests])) for part in ("t_p", "wilcoxon_p"))
    for i, (level, name, test) in enumerate(tests):
        corrected = {"t_holm": float(t[i]), "wilcoxon_holm": float(w[i])}
        level.setdefault("difference", {})[name] = {"against": BASE, **asdict(test), **corrected}


def _columns(folder: Path, data: str, cell: str, decoder: str) -> dict[str, np.ndarray]:
    """Metric -> contributions of the sessions, [sessions]."""
    table = pq.read_table(folder / f"{data}--{cell}.parquet")
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
                       f"{ran['seeds']} seeds: mean +- sd; difference to the base with its 95% interval over "
                       "sessions, * where p < .05 (Holm).\n")  # fmt: skip
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
    found = [level for level in levels if level.get("random_codes")]
    counts = {group: count for level in found for group, count in level["random_codes"].items() if count}
    if not counts:
        return []
    listed = ", ".join(f"{group} {count:,}" for group, count in sorted(counts.items()))
    return [f"Items without a vector, which get random codes there, of {found[0]['items']:,}: {listed}."]


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
    found = level.get("difference", {}).get(MAIN)
    if found is None:
        return ""
    star = "*" if found["t_holm"] < LEVEL else ""
    return f"{found['difference']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]{star}"


def forest(result: dict[str, Any]) -> Figure:
    """Difference of every level to the base in the main metric, with its interval: one column per data set."""
    levels = [level for level in result["levels"] if MAIN in level.get("difference", {})]
    data = list(dict.fromkeys(level["data"] for level in levels))
    names = list(dict.fromkeys((level["factor"], level["label"]) for level in levels))
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        size = (2.2 + 2.9 * max(len(data), 1), 0.8 + 0.21 * max(len(names), 1))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(1, max(len(data), 1), squeeze=False, sharey=True)[0]
        for axes, name in zip(grid, data, strict=False):
            axes.axvline(0, color="#444444", lw=0.8)
            for level in levels:
                if level["data"] != name:
                    continue
                found = level["difference"][MAIN]
                sure = found["t_holm"] < LEVEL
                colour = EVEN if not sure else BETTER if found["difference"] > 0 else WORSE
                y = names.index((level["factor"], level["label"]))
                axes.plot([found["low"], found["high"]], [y, y], color=colour, lw=1.6)
                axes.plot(found["difference"], y, "o" if sure else "|", color=colour, ms=4 if sure else 7)
            axes.set(title=name, xlabel=f"difference in {MAIN}")
            axes.grid(axis="y", lw=0.3)
        grid[0].set_yticks(range(len(names)), [f"{factor}: {label}" for factor, label in names])
        grid[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def write(result: dict[str, Any], out: Path) -> dict[str, str]:
    """ablations.json, ablations.md, forest.svg and forest.png in ``out``; returns what -> path."""
    figure = forest(result)
    content: dict[str, str | bytes] = {
        "ablations.json": json.dumps(result, indent=1) + "\n",
        "ablations.md": markdown(result),
    }
    for kind in ("svg", "png"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
        content[f"forest.{kind}"] = buffer.getvalue()
    return {name: str(write_whole(out / name, text)) for name, text in content.items()}
