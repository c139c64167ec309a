"""Tables of a profile: every row with the published value for the same data and protocol, ours, and the cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import published, render
from benchmark.data import registry
from benchmark.data.root import project_root
from benchmark.settings import Group, Settings
from contracts import UserError

SESSION_METRICS = ("HR@20", "MRR@20", "P@20", "R@20", "MAP@20")
TOPK_METRICS = ("Recall@1", "Recall@20", "NDCG@5", "NDCG@20")
TITLES = {"1": "Session-based recommendation", "3": "Top-k recommendation", "5": "Density estimation"}


@dataclass(frozen=True)
class Cell:
    """One metric of one row: ours with its interval, and what others published for the same thing."""

    metric: str
    ours: float | None
    low: float | None = None
    high: float | None = None
    published: float | None = None
    source: str = ""

    @property
    def difference(self) -> float | None:
        """Ours minus published, where both exist."""
        return None if self.ours is None or self.published is None else self.ours - self.published


@dataclass(frozen=True)
class Row:
    """One method on one data set."""

    method: str
    cells: tuple[Cell, ...]
    fit_seconds: float | None
    recommend_seconds: float | None
    peak_mb: float | None
    note: str = ""


@dataclass(frozen=True)
class Block:
    """The rows of one data set."""

    data: str
    caption: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    comparable: str


@dataclass(frozen=True)
class Table:
    """One table of the paper, as far as the profile fills it."""

    number: str
    title: str
    blocks: list[Block] = field(default_factory=list)


def results_dir(profile: str) -> Path:
    """Where everything of a profile lies."""
    return project_root() / "results/generated" / profile


def collect(settings: Settings, profile: str) -> list[Table]:
    """Read the profile's metrics and shape them into tables; a cell that was not run says so."""
    chosen = settings.profile(profile)
    folder = results_dir(profile)
    tables = [
        Table("1", TITLES["1"], _ranking(settings, "session", chosen.session, folder, SESSION_METRICS)),
        Table("3", TITLES["3"], _ranking(settings, "topk", chosen.topk, folder, TOPK_METRICS)),
        Table("5", TITLES["5"], [_density(name, folder) for name in chosen.density]),
    ]
    return [table for table in tables if table.blocks]


def _ranking(
    settings: Settings, kind: str, groups: Sequence[Group], folder: Path, metrics: tuple[str, ...]
) -> list[Block]:
    methods: dict[str, list[str]] = {}
    for group in groups:
        for data in group.data:
            methods.setdefault(data, []).extend(group.methods)
    blocks = []
    for data, names in methods.items():
        dataset = registry.get(data)
        sliced = len(dataset.splits) > 1
        found = {name: _read(folder / "metrics" / f"{data}--{name}.json") for name in names}
        rows = tuple(_row(settings, kind, data, name, found[name], sliced, metrics) for name in names)
        results: list[dict[str, Any]] = next((value for value in found.values() if value), [])
        points = sum(result["run"]["n_points"] for result in results)
        what = "evaluation points" if kind == "session" else "test users"
        protocol = f"mean over {len(results)} slices" if sliced else f"split {dataset.splits[0]}"
        approximate = next((result["run"]["approximate"] for result in results if result["run"]["approximate"]), None)
        caption = f"{dataset.title} ({protocol}, {points:,} {what})" + (f"; {approximate}" if approximate else "")
        blocks.append(Block(data, caption, metrics, rows, dataset.comparable))
    return blocks


def _read(path: Path) -> Any:
    """The JSON of a stage's output; an empty list where it has not run."""
    if not path.is_file():
        return []
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: expected JSON, found an error at line {error.lineno}") from None


def _row(
    settings: Settings, kind: str, data: str, method: str, results: list[dict[str, Any]], sliced: bool, metrics
) -> Row:
    protocol = published.SLICES if sliced else registry.get(data).splits[0]
    source = settings.sources(kind, method, data)  # type: ignore[arg-type]
    cells = tuple(_cell(data, protocol, method, metric, results) for metric in metrics)
    if not results:
        return Row(method, cells, None, None, None, "not run")
    seconds = [result["run"]["seconds"] for result in results]
    return Row(
        method,
        cells,
        float(np.sum([s["fit"] for s in seconds])),
        float(np.sum([s["recommend"] for s in seconds])),
        max(result["run"]["peak_rss_mb"] for result in results),
        source,
    )


def _cell(data: str, protocol: str, method: str, metric: str, results: list[dict[str, Any]]) -> Cell:
    """The mean over splits. Its interval treats the splits' bootstrap errors as independent."""
    known = published.lookup(data, protocol, method, metric)
    value, source = (known[0].value, known[0].source) if known else (None, "")
    if not results:
        return Cell(metric, None, published=value, source=source)
    ours = float(np.mean([result["metrics"][metric] for result in results]))
    bounds = np.array([result["intervals"][metric] for result in results])
    if len(results) == 1:
        low, high = bounds[0]
    else:
        half = float(np.sqrt(((bounds[:, 1] - bounds[:, 0]) ** 2).sum()) / 2 / len(results))
        low, high = ours - half, ours + half
    return Cell(metric, ours, float(low), float(high), value, source)


def _density(data: str, folder: Path) -> Block:
    dataset = registry.get(data)
    result = _read(folder / "density" / f"{data}.json")
    if not result:
        return Block(data, f"{dataset.title}: not run", ("Pearson r",), (), dataset.comparable)
    rows = []
    for row in result["rows"]:
        found, seeds = row["pearson"], len(row["pearson"]["seeds"])
        half = None if found["sd"] is None else 1.96 * found["sd"] / seeds**0.5
        low, high = (None, None) if half is None else (found["mean"] - half, found["mean"] + half)
        seconds = row["query_us"]["mean"] * result["queries"] / 1e6
        note = f"{seeds} seeds; Spearman {row['spearman']['mean']:.4f}, relative error "
        note += f"{row['relative_error']['mean']:.3f}, {row['query_us']['mean']:.3g} us/query, {row['bytes']:,} bytes"
        cell = Cell("Pearson r", found["mean"], low, high)
        rows.append(Row(row["method"], (cell,), row["fit_s"]["mean"], seconds, result["peak_rss_mb"], note))
    caption = (
        f"{dataset.title}: {result['points']:,} points x {result['dim']}, {result['kernel']} kernel, "
        f"h = {result['h']:.4f} ({result['rule']}), normalisation: {result['normalisation']}, "
        f"{result['queries']:,} queries"
    )
    return Block(data, caption, ("Pearson r",), tuple(rows), dataset.comparable)


def make(settings: Settings, profile: str, number: str | None, fmt: str | None, out: Path | None) -> dict[str, Any]:
    """Render the tables of a profile; with ``out`` write every format there (and the page index.html)."""
    tables = collect(settings, profile)
    if number is not None:
        tables = [table for table in tables if table.number == number]
        if not tables:
            raise UserError(f"--table: profile {profile} has no table {number!r}; expected one of: {', '.join(TITLES)}")
    title = f"EMDE suite: {settings.profile(profile).title}"
    result: dict[str, Any] = {"profile": profile, "tables": [render.as_dict(table) for table in tables]}
    if out is not None:
        result["page"] = str(render.write_all(tables, title, out))
    if out is None or fmt:
        result["text"] = render.FORMATS[fmt or "md"](tables, title)
    return result
