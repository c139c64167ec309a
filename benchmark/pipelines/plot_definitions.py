"""What ``dvc plots show`` draws: metrics over k, training loss, accuracy against cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.data import registry
from benchmark.experiments import headline, methods
from benchmark.experiments.profiles import Listed, Profile
from benchmark.experiments.settings import Settings
from benchmark.pipelines.profile_stages import out
from benchmark.report.costs import plot_file
from benchmark.report.tables.declaration import declarations

Plots = dict[str, dict[str, Any]]
"""Title -> definition, with paths relative to the project."""
COSTS = {"fit seconds": "seconds to fit, all splits", "ranking seconds": "seconds to rank, all splits",
         "peak MB": "peak memory, MB"}  # fmt: skip


def of_data(settings: Settings, data: str, cells: Sequence[Listed]) -> Plots:
    """Lines of all cells of a data set: each family of metrics over k, and the loss of those that learn in epochs."""
    plots: Plots = {}
    for family in headline.FAMILIES[cells[0].kind]:
        files = {f"{cell.folder}/{headline.AT_K}": family for cell in cells}
        plots[f"{family} over k, {data}"] = _lines(files, "k", "k, length of the list", f"{family}@k")
    learning = [cell for cell in cells if _learns(settings, cell)]
    if learning:
        files = {f"{cell.folder}/{headline.LEARNING}": "loss" for cell in learning}
        plots[f"training loss, {data}"] = _lines(files, "epoch", "epoch", "training loss")
    return plots


def _learns(settings: Settings, cell: Listed) -> bool:
    """Whether a cell's method trains in epochs."""
    return "epochs" in methods.find(cell.kind, settings.base(cell.kind, cell.method)).model_fields


def of_profile(chosen: Profile, name: str) -> Plots:
    """Accuracy against each cost, a plot per data set that a table of rankings shows."""
    shown = {
        block.data
        for table in declarations().values()
        if table.kind == "ranking"
        for block in table.blocks
        if not block.masked
    }
    plots: Plots = {}
    for data in dict.fromkeys(data for data, _ in chosen.cells):
        if data not in shown:
            continue
        file = f"{out(name, 'costs')}/{plot_file(data)}"
        for column, label in COSTS.items():
            plots[f"accuracy against {column}, {data} ({name})"] = {
                "template": "scatter",
                "x": {file: column},
                "y": {file: "accuracy"},
                "x_label": label,
                "y_label": "MRR@20" if registry.get(data).kind == "session" else "NDCG",
            }
    return plots


def _lines(files: dict[str, str], x: str, x_label: str, y_label: str) -> dict[str, Any]:
    return {"template": "linear", "x": x, "y": files, "x_label": x_label, "y_label": y_label}


def relative(plots: Plots, up: str) -> list[dict[str, Any]]:
    """As dvc.yaml has them: paths of plots are relative to the file."""

    def moved(axis: Any) -> Any:
        return {f"{up}{file}": column for file, column in axis.items()} if isinstance(axis, dict) else axis

    return [
        {title: {key: moved(value) if key in ("x", "y") else value for key, value in plot.items()}}
        for title, plot in plots.items()
    ]
