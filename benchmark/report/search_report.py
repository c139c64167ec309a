"""A search on paper: its trials as a table, the objective over time and against every parameter."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.protocol.metric import Metric
from benchmark.report.figures.style import log_scale, panels, rendered, styled, titled
from contracts.runtime.files import write_whole
from contracts.runtime.json import to_json

Result = dict[str, Any]
STATES = {"complete": ("#2f8fce", "o"), "pruned": ("#d9662b", "x")}
"""Colour and mark: told apart without colour too."""
LINES = (":", "-.", "--", "-")
"""Of the best so far, on ever more of train."""
COLUMNS = 4
DECADES = 30
"""A parameter whose largest value is so many times its smallest is drawn on a logarithmic axis."""


def write(result: Result, folder: Path, stem: str) -> dict[str, str]:
    """Write <stem>.csv, .json (the result less its own path), .time.svg and .parameters.svg; returns what -> path."""
    kept = {name: value for name, value in result.items() if name != "file"}
    content: dict[str, tuple[str, str | bytes]] = {
        "table": ("csv", table(result)),
        "result": ("json", to_json(kept, indent=1) + "\n"),
        "over time": ("time.svg", rendered(over_time(result), "svg")),
        "per parameter": ("parameters.svg", rendered(per_parameter(result), "svg")),
    }
    return {what: str(write_whole(folder / f"{stem}.{end}", text)) for what, (end, text) in content.items()}


def table(result: Result) -> str:
    """The trials in order as CSV: objective and companion, state, parameters as drawn, cost, code."""
    first = result["trials"][0]
    metrics = [name for name in first if Metric.parse(name).k]
    cost = ["epochs_run", "seconds", "cpu_seconds", "finished", "code"]
    head = ["trial", "train", "state", "sampler", *metrics, *first["point"], *cost]
    out = io.StringIO()
    writer = csv.DictWriter(out, head, lineterminator="\n")
    writer.writeheader()
    for trial in result["trials"]:
        row = {**trial, **trial["point"], "epochs_run": len(trial["curve"]) or ""}
        writer.writerow({name: row[name] for name in head})
    return out.getvalue()


@styled
def over_time(result: Result) -> Figure:
    """The objective of every trial, and the best so far on as much of train."""
    figure, grid = panels(1, 1, 7, 3.4)
    axes = grid[0, 0]
    number, value, states = _columns(result)
    _points(axes, number, value, states)
    complete = np.where(states == "complete", value, -np.inf)
    train = np.array([str(trial["train"]) for trial in result["trials"]])
    rungs = list(dict.fromkeys(train))
    for rung, line in zip(rungs, LINES[-len(rungs) :], strict=False):
        here = train == rung
        label = "best so far" + (f" on {rung} sessions" if len(rungs) > 1 else "")
        best = np.maximum.accumulate(complete[here])
        axes.step(number[here], best, line, where="post", color="#444444", lw=1.2, label=label)
    axes.set(xlabel="trial", ylabel=result["objective"], title=_title(result))
    axes.legend(loc="lower right")
    return figure


@styled
def per_parameter(result: Result) -> Figure:
    """The objective against every parameter, one small picture each; choices that are words in their order."""
    names = list(result["trials"][0]["point"])
    rows = -(-len(names) // COLUMNS)
    figure, grid = panels(rows, min(COLUMNS, len(names)), 3.1, 2.6, sharey=True)
    _, value, states = _columns(result)
    for axes, name in zip(grid.flat, names, strict=False):
        values = [trial["point"][name] for trial in result["trials"]]
        _points(axes, _positions(axes, values), value, states)
        axes.set_xlabel(name)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel(result["objective"])
    return titled(figure, _title(result))


def _columns(result: Result) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(trial number, objective, state) [trials]."""
    trials = result["trials"]
    return (
        np.array([trial["trial"] for trial in trials]),
        np.array([trial[result["objective"]] for trial in trials]),
        np.array([trial["state"] for trial in trials]),
    )


def _points(axes: Axes, x: np.ndarray, value: np.ndarray, states: np.ndarray) -> None:
    for state, (colour, mark) in STATES.items():
        rows = states == state
        if rows.any():
            axes.scatter(x[rows], value[rows], s=18, color=colour, marker=mark, label=state)


def _positions(axes: Axes, values: list[Any]) -> np.ndarray:
    """Where values stand on the axis: numbers at themselves, words side by side."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        words = sorted({str(value) for value in values})
        axes.set_xticks(range(len(words)), words, rotation=30, ha="right")
        return np.array([words.index(str(value)) for value in values], np.float64)
    if min(numbers) > 0 and max(numbers) >= DECADES * min(numbers):
        log_scale(axes, "x")
    return np.array(numbers, np.float64)


def _title(result: Result) -> str:
    return f"{result['method']} on {result['data']}, {result['split']}: {len(result['trials'])} trials"
