"""Figures drawn from small made-up results: what stands where, read back from the axes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmark.report.figures import block, series
from benchmark.report.figures.cost import CostPoint, accuracy_against_cost, front
from benchmark.report.figures.curves import NAMED, by_group, learning_curves, metric_at_k
from benchmark.report.figures.intervals import Effect, forest, small_multiples
from benchmark.report.figures.style import GREEN, GREY, LINES, RED, looks, svg
from benchmark.report.figures.write import write
from contracts import UserError
from tests.benchmark.report.site.conftest import made_results


def points(axes, label: str) -> list[tuple[float, float]]:
    line = next(line for line in axes.get_lines() if line.get_label() == label)
    return [tuple(pair) for pair in line.get_xydata().tolist()]


def test_metric_at_k_has_a_panel_per_family_and_names_the_best() -> None:
    lines = {f"m{i}": {1: i / 100, 10: i / 50, 20: i / 20} for i in range(NAMED + 3)}
    figure = metric_at_k({"HR": lines, "MRR": lines}, "title", "m0")
    first, second = figure.axes
    assert (first.get_ylabel(), second.get_ylabel()) == ("HR@k", "MRR@k")
    assert points(first, f"m{NAMED + 2}") == [(1, 0.1), (10, 0.2), (20, 0.5)]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == "m0"  # the one that stands out, though it is the worst
    assert names[1:] == [f"m{i}" for i in range(NAMED + 2, 3, -1)] + ["3 others"]


def test_groups_share_the_scale_of_the_largest() -> None:
    groups = {"position": {"a": {"1": 0.1, "2": 0.2}}, "popularity": {"a": {"Q1": 0.05, "Q5": 0.9}}}
    figure = by_group(groups, "MRR@20", {"position": "events", "popularity": "fifths"}, "title", None)
    assert [axes.get_xlabel() for axes in figure.axes] == ["events", "fifths"]
    assert all(axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 0.9 for axes in figure.axes)
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()] == ["Q1", "Q5"]


def test_a_title_has_the_lines_that_its_figure_has_room_for() -> None:
    effects = {"": [Effect("a", 0.1, 0.0, 0.2, True)]}
    long = "Paired differences to EMDE-plus, 95% intervals: Yoochoose 1/64 (55,898 evaluation points)"
    narrow = forest(effects, "axis", long)
    assert len(narrow.get_suptitle().splitlines()) == 2
    narrow.draw_without_rendering()
    assert narrow.texts[0].get_window_extent().x1 <= narrow.bbox.x1
    assert forest(effects, "axis", "short").get_suptitle() == "short"


def test_a_learning_curve_is_the_mean_of_the_epochs_that_all_runs_have() -> None:
    runs = [[{"epoch": e, "loss": 4.0 / e, "valid_recall": e / 10} for e in range(1, n + 1)] for n in (3, 2)]
    unwatched = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]
    figure = learning_curves({"a": runs, "b": [runs[0]], "c": [unwatched]}, "title")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["a (2 runs)", "b", "c", "a (2 runs)", "b"]
    assert [axes.get_ylabel() for axes in shown] == ["training loss"] * 3 + ["validation metric"] * 2
    assert shown[0].get_lines()[-1].get_xydata().tolist() == [[1, 4.0], [2, 2.0]]
    assert shown[1].get_lines()[-1].get_xydata().tolist() == [[1, 4.0], [2, 2.0], [3, 4 / 3]]


def test_the_second_training_on_all_of_train_is_no_part_of_the_curve() -> None:
    chosen = [{"epoch": float(e), "loss": 4.0 / e, "valid_mrr": e / 10} for e in (1, 2, 3)]
    refit = [{"refit": 1.0, "epoch": float(e), "loss": 3.0 / e} for e in (1, 2)]
    figure = learning_curves({"a": [[*chosen, *refit]]}, "title")
    loss, valid = [axes.get_lines()[-1].get_xydata().tolist() for axes in figure.axes if axes.get_visible()]
    assert loss == [[1, 4.0], [2, 2.0], [3, 4 / 3]]
    assert valid == [[1, 0.1], [2, 0.2], [3, 0.3]]


def test_the_front_is_what_no_other_beats_in_both() -> None:
    methods = [
        CostPoint("slow", 9, 0.9),
        CostPoint("fast", 1, 0.2),
        CostPoint("beaten", 5, 0.1),
        CostPoint("good", 2, 0.5),
    ]
    assert [p.label for p in front(methods)] == ["fast", "good", "slow"]
    assert [p.label for p in front(methods, more_is_better=True)] == ["slow"]
    same = [CostPoint("a", 1, 0.5), CostPoint("b", 1, 0.4), CostPoint("c", 2, 0.5)]
    assert [p.label for p in front(same)] == ["a"]


def test_cost_labels_stay_inside_and_apart() -> None:
    rng = np.random.default_rng(0)
    crowd = [CostPoint(f"method {i}", float(10 ** rng.uniform(0, 4)), float(rng.uniform())) for i in range(12)]
    figure = accuracy_against_cost([("seconds", crowd, False)], "MRR@20", "title", "method 3")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("seconds", "MRR@20")
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert set(boxes) == {p.label for p in crowd}
    for name, box in boxes.items():
        assert axes.bbox.x0 <= box.x0 <= box.x1 <= axes.bbox.x1, name
        assert not any(box.overlaps(other) for key, other in boxes.items() if key != name), name


def test_a_forest_tells_the_sign_by_colour_and_marker() -> None:
    up, down = Effect("up", 0.2, 0.1, 0.3, True), Effect("down", -0.2, -0.3, -0.1, True)
    unclear = Effect("unclear", 0.0, -0.1, 0.1, False)
    figure = forest({"one": [up, down, unclear], "other": [down]}, "effect", "title")
    axes, other = figure.axes
    assert [line.get_ydata().tolist() for line in other.get_lines() if line.get_marker() == "v"] == [[1]]
    dots = [line for line in axes.get_lines() if line.get_marker() in "^vo" and len(line.get_xdata()) == 1]
    assert [(d.get_color(), d.get_marker()) for d in dots] == [(GREEN, "^"), (RED, "v"), (GREY, "o")]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["up", "down", "unclear"]
    assert axes.yaxis_inverted()


def test_small_multiples_have_a_panel_per_slice_and_the_best_on_top() -> None:
    values = {"worse": {"0": 0.1, "1": 0.3}, "better": {"0": 0.4, "1": 0.2}}
    figure = small_multiples(values, "MRR@20", "title", None)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["slice 0", "slice 1"]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["better", "worse"]
    dots = [line for line in figure.axes[1].get_lines() if line.get_marker() == "o"]
    assert [line.get_xydata().tolist() for line in dots] == [[[0.2, 0]], [[0.3, 1]]]


def test_looks_differ_in_more_than_colour() -> None:
    labels = [f"m{i}" for i in range(len(LINES) + 2)]
    found = looks(labels, "m4")
    assert found["m4"]["color"] == LINES[0]
    assert len({(look["color"], look["marker"], look["linestyle"]) for look in found.values()}) == len(labels)
    assert len({look["marker"] for look in found.values()}) == len(labels)


def test_svg_follows_the_page_and_repeats() -> None:
    def drawn() -> Figure:
        return forest({"": [Effect("a", 0.2, 0.1, 0.3, True)]}, "effect", "title")

    text = svg(drawn(), 'an "alt" text')
    assert text == svg(drawn(), 'an "alt" text')
    assert 'aria-label="an &quot;alt&quot; text"' in text
    assert "currentColor" in text
    assert "effect</text>" in text  # text stays text


def test_every_figure_of_a_block() -> None:
    results = made_results()
    table = results.tables[0]
    drawn = {figure.name: figure for figure in block.figures(results, table, table.blocks[0])}
    stem = "table-1-sample-sessions-"
    assert list(drawn) == [stem + n for n in ("k", "groups", "slices", "differences", "learning")]
    assert list(block.figures(results, table, table.blocks[1])) == []  # nothing was run
    cost = block.cost_figure(table, table.blocks[0])
    assert cost is not None
    assert cost.name == stem + "cost"
    assert block.cost_figure(table, table.blocks[1]) is None
    assert all(figure.alt.endswith("(1,200 evaluation points)") for figure in drawn.values())
    position = drawn[stem + "groups"].figure.axes[0]
    # two runs: 100 points at .25 and 300 at .45
    np.testing.assert_allclose(points(position, "EMDE")[0], (0, 0.4))


def test_series_are_means_over_slices_and_seeds() -> None:
    results = made_results()
    shown = results.tables[0].blocks[0]
    assert series.main_metric(shown) == "MRR@20"
    at_k = series.at_k(results, shown)
    assert list(at_k) == ["HR", "MRR"]
    np.testing.assert_allclose(list(at_k["MRR"]["EMDE"].values()), [0.15, 0.25, 0.35])
    assert list(at_k["MRR"]["EMDE"]) == [1, 10, 20]
    assert series.slices(shown, "MRR@20")["EMDE"] == pytest.approx({"0": 0.3, "1": 0.4})
    assert list(series.histories(results, shown)) == ["EMDE"]  # AR learns in no epochs


def test_figures_are_written_as_pdf_and_png(tmp_path) -> None:
    written = write(made_results(), None, tmp_path)
    assert {path.suffix for path in written} == {".pdf", ".png"}
    assert len(written) == 12
    assert all(path.stat().st_size > 2000 for path in written)
    empty = made_results().model_copy(update={"tables": []})
    with pytest.raises(UserError, match="expected results to draw, found none"):
        write(empty, None, tmp_path)
    test = {"difference": 0.01, "low": 0.005, "high": 0.015, "t_holm": 0.01}
    level = {"data": "d", "factor": "bits K", "label": "5", "difference": {"MRR@20": test}}
    only = write(empty.model_copy(update={"ablation": {"levels": [level]}}), None, tmp_path)
    assert [path.name for path in only] == ["ablations.pdf", "ablations.png"]


def test_the_figures_of_one_table_leave_the_others_where_they_are(tmp_path) -> None:
    results = made_results()
    other = results.tables[0].model_copy(update={"id": "other"})
    both = results.model_copy(update={"tables": [results.tables[0], other]})
    write(both, None, tmp_path)
    there = sorted(path.name for path in tmp_path.iterdir())
    one = write(both, None, tmp_path, only="other")
    assert one
    assert all(path.name.startswith("table-other-") for path in one)
    assert sorted(path.name for path in tmp_path.iterdir()) == there
    assert len(write(both, None, tmp_path)) == len(there) - 1  # known, so that nothing is drawn again or removed
    with pytest.raises(UserError, match=r"no table 'none'; expected one of: .*, other"):
        write(both, None, tmp_path, only="none")


def test_a_grouping_that_one_of_several_rows_has_is_not_drawn() -> None:
    results = made_results()
    table, shown = results.tables[0], results.tables[0].blocks[0]
    runs = {key: run.model_copy(deep=True) for key, run in results.runs.items()}
    assert series.grouped(results, shown, "position", "MRR@20").keys() == {"EMDE", "AR"}
    for row in shown.rows:
        for key in row.runs if row.label == "AR" else []:
            runs[key].breakdown.pop("position", None)
    alone = results.model_copy(update={"runs": runs})
    drawn = {one.name: one.figure for one in block.figures(alone, table, shown)}
    axes = [axes.get_xlabel() for name, figure in drawn.items() if name.endswith("-groups") for axes in figure.axes]
    assert block.GROUPS["position"] not in axes
