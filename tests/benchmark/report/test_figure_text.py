"""Names from the data in every kind of figure: drawn as they are, in files of every kind, without a warning."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.data.load import SessionSplit, load_split
from benchmark.report import data_plots, search_report, sensitivity
from benchmark.report.figures import cost, curves, density, intervals, paper, scaling, style, taste
from benchmark.speed.scaling import CATALOGUE
from tests.benchmark.experiments.test_density import result

NAMES = ("Bag $20 - $30", r"x $\frac$ y", r"50% a_b^{c} \d & <i>", "日本語 ไทย العربية हिन्दी 🎒", "_hidden")
"""Even numbers of dollars, a formula that cannot be parsed, commands, scripts of other fonts, a private label."""
KINDS = ("pdf", "png", "svg")
LINES = {name: {1: 0.1 * place, 10: 0.2 * place} for place, name in enumerate(NAMES, 1)}


def taste_map() -> Figure:
    places = np.random.default_rng(0).standard_normal((9, 2))
    scores = {name: np.arange(9.0) for name in NAMES}
    names = np.array([*"abcd", *NAMES])
    found = taste.TasteMap(places, NAMES[1], NAMES[0], names, np.array([0, 1]), np.array([2]), scores)
    return taste.figure_5(found, " ".join(NAMES))


def groups() -> Figure:
    by_name = {name: {"1": 0.1, "10+": 0.2} for name in NAMES}
    both = {"position": by_name, "popularity": by_name}
    return curves.by_group(both, NAMES[0], {"position": NAMES[1], "popularity": NAMES[3]}, NAMES[2], NAMES[4])


def learning() -> Figure:
    return curves.learning_curves({name: [[{"epoch": 1, "loss": 2.0}]] for name in NAMES}, NAMES[1])


def priced() -> Figure:
    methods = [cost.CostPoint(name, 10.0**place, 0.1 * place) for place, name in enumerate(NAMES)]
    return cost.accuracy_against_cost([(NAMES[0], methods, False)], NAMES[1], NAMES[2], NAMES[4])


def ablations() -> Figure:
    test = {"difference": 0.01, "low": 0.005, "high": 0.015, "t_holm": 0.01}
    levels = [{"data": NAMES[1], "factor": NAMES[0], "label": name, "difference": {"MRR@20": test}} for name in NAMES]
    return sensitivity.plot({"levels": levels})


def searched() -> dict[str, Any]:
    trials = [
        {
            "trial": place,
            "state": "complete",
            "train": "all",
            "MRR@20": 0.1,
            "point": {"similarity": name, "k": 10.0**place},
        }
        for place, name in enumerate(NAMES)
    ]
    return {"trials": trials, "objective": "MRR@20", "method": NAMES[0], "data": NAMES[1], "split": NAMES[3]}


def growth() -> Figure:
    rows = [{"method": "emde", "axis": CATALOGUE, "size": size, "train ms/example": 0.5, "query ms/query": size / 1e4}
            for size in (1000, 100_000)]  # fmt: skip
    return scaling.curves(rows)


NAMED: dict[str, Callable[[], Figure]] = {
    "figure 5": taste_map,
    "metric at k": lambda: curves.metric_at_k({NAMES[0]: LINES}, NAMES[1], NAMES[4]),
    "groups": groups,
    "learning": learning,
    "cost": priced,
    "differences": lambda: intervals.forest(
        {NAMES[4]: [intervals.Effect(name, 0.2, 0.1, 0.3, True) for name in NAMES]}, NAMES[0], NAMES[1]
    ),
    "slices": lambda: intervals.small_multiples(LINES, NAMES[0], NAMES[1], None),
    "figure 4": lambda: density.figure_4([result(name) for name in NAMES]),
    "bandwidth": lambda: density.bandwidth_figure([result(name) for name in NAMES]),
    "ablations": ablations,
    "search over time": lambda: search_report.over_time(searched()),
    "search per parameter": lambda: search_report.per_parameter(searched()),
}
"""Every kind of figure that draws names."""


@pytest.fixture(autouse=True)
def strict() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("kind", [*NAMED, "scaling"])
def test_names_are_drawn_as_they_are(kind: str, caplog) -> None:
    figure = (NAMED | {"scaling": growth})[kind]()
    figure.set_dpi(style.DPI)  # these names leave "metric at k" no room at matplotlib's own resolution
    drawn = {form: style.rendered(figure, form) for form in KINDS}
    assert all(len(content) > 2000 for content in drawn.values())
    text = style.svg(figure, "alt")
    assert "mathdefault" not in text, "powers are plain text too"
    wanted = {"scaling": (), "search over time": (NAMES[0], NAMES[1], NAMES[3])}.get(kind, NAMES)
    for name in wanted:
        assert escape(name, quote=False) in text
    assert not caplog.records, "nor a word about fonts that are not installed"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex (.ci/run names Debian's packages)")
def test_a_figure_of_a_papers_measures(tmp_path: Path) -> None:
    plain = {name: LINES[name] for name in NAMES if name.isascii()}
    figure = curves.metric_at_k({"HR": plain, "MRR": plain}, "a title", None)
    written = paper.save(figure, tmp_path, "f", paper.Paper(241, 7))
    assert [path.name for path in written] == ["f.pdf", "f.pgf"]
    assert figure.get_size_inches()[0] == pytest.approx(241 / 72.27)
    assert {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()} == {7}
    assert not figure.get_suptitle()
    left = {round(axes.get_position().x0, 2) for axes in figure.axes}
    assert len(left) == 1, "panels stand below each other"
    found = written[1].read_text()
    assert r"Bag \$20 - \$30" in found
    assert r"\fontsize{7" in found


def test_a_method_looks_the_same_in_every_panel() -> None:
    hr, mrr = {"a": {1: 0.1, 20: 0.2}, "b": {1: 0.2, 20: 0.3}}, {"a": {1: 0.3, 20: 0.4}, "b": {1: 0.1, 20: 0.2}}
    first, second = curves.metric_at_k({"HR": hr, "MRR": mrr}, "title", None).axes
    colours = [{line.get_label(): line.get_color() for line in axes.get_lines()} for axes in (first, second)]
    assert colours[0] == colours[1]


def test_a_split_of_any_name_is_plotted(sample) -> None:
    split = load_split("sample-sessions", "0")
    assert isinstance(split, SessionSplit)
    named = dataclasses.replace(split, split=NAMES[1])
    assert escape(NAMES[1], quote=False) in data_plots.plots([split, named])[-1].svg


def test_powers_are_plain_text() -> None:
    figure, grid = style.panels(1, 1, 3, 3)
    style.log_scale(grid[0, 0], "x")
    grid[0, 0].plot([1e-3, 1e3], [0, 1])
    text = style.svg(figure, "alt")
    assert ">10⁻³</text>" in text
    assert ">10¹</text>" in text
    grid[0, 0].set_xlim(0.1, 0.4)
    assert ">2×10⁻¹</text>" in style.svg(figure, "alt")
