"""Distribution plots of a prepared data set as inline SVG that follows the page's colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from benchmark.data.load import SessionSplit, TopKSplit, VectorSet
from benchmark.report.figures.style import INK, drawing, log_scale, svg
from contracts import Sessions

DAY = 86400.0
TRAIN, TEST = "#2f8fce", "#d9662b"
"""Blue and vermilion: told apart by colour-blind readers, on white and on black; lines also differ in dash."""
LOOK: Any = {"font.size": 10, "axes.titlesize": "large", "lines.linewidth": 1.8}
POINTS = 300
"""Points of a curve that the eye can tell apart; longer ones are thinned evenly on the logarithmic axis."""


@dataclass(frozen=True)
class Plot:
    """One picture: the same text describes it to those who do not see it."""

    title: str
    alt: str
    svg: str


def plots(opened: Sequence[SessionSplit | TopKSplit | VectorSet]) -> list[Plot]:
    """The pictures of a data set from its splits, the default one first; none for vectors."""
    first = opened[0]
    if isinstance(first, VectorSet):
        return []
    with drawing(**LOOK):
        if isinstance(first, TopKSplit):
            return _topk_plots(first)
        sessions = [split for split in opened if isinstance(split, SessionSplit)]
        panels = [_lengths(first), _popularity(first)]
        return panels if first.meta["times"] == "order" else [*panels, _per_day(sessions)]


def _lengths(split: SessionSplit) -> Plot:
    figure, axes = _axes("Session length", "events n", "share of sessions with at least n events")
    for part, sessions, look in _parts(split):
        axes.plot(*thinned(*at_least(sessions.lengths)), label=f"{part} ({len(sessions):,} sessions)", **look)
    return _finish(figure, axes, f"Session length, split {split.split}")


def _popularity(split: SessionSplit) -> Plot:
    figure, axes = _axes("Item popularity", "rank of the item", "events of the item")
    for part, sessions, look in _parts(split):
        counts = np.bincount(sessions.items[sessions.items >= 0])
        axes.plot(*thinned(*ranked(counts)), label=f"{part} ({np.count_nonzero(counts):,} items)", **look)
    return _finish(figure, axes, f"Item popularity, split {split.split}")


def _parts(split: SessionSplit) -> list[tuple[str, Sessions, dict[str, Any]]]:
    return [
        ("train", split.train, {"color": TRAIN, "linestyle": "-"}),
        ("test", split.test, {"color": TEST, "linestyle": "--"}),
    ]


def daily(splits: Sequence[SessionSplit]) -> tuple[float, np.ndarray]:
    """(first moment, events per 24 hours since then); where splits overlap, the one with most of a day."""
    begin = min(float(part.times.min()) for split in splits for part in (split.train, split.test))
    end = max(float(part.times.max()) for split in splits for part in (split.train, split.test))
    days = int((end - begin) // DAY) + 1
    counts = np.zeros(days, np.int64)
    for split in splits:
        times = np.concatenate([split.train.times, split.test.times])
        counts = np.maximum(counts, np.bincount(((times - begin) // DAY).astype(np.int64), minlength=days))
    return begin, counts


def windows(split: SessionSplit) -> tuple[float, float, float]:
    """Where train begins, where test begins, where test ends: a session counts by its last event."""
    test = split.test.last_times
    return float(split.train.last_times.min()), float(test.min()), float(test.max())


def _per_day(splits: Sequence[SessionSplit]) -> Plot:
    begin, counts = daily(splits)
    approximate = splits[0].meta["times"] == "approximate"
    title = "Actions per day and the slices" + (" (approximate dates)" if approximate else "")
    rows = len(splits)
    figure = Figure(figsize=(11.5, 3.2 + 0.22 * rows), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.0, 0.5 + 0.3 * rows])
    starts = [_date(begin + day * DAY) for day in range(len(counts) + 1)]
    above.stairs(counts, mdates.date2num(starts), fill=True, color=INK, alpha=0.35)
    above.set_title(title, loc="left")
    above.set_ylabel("events per 24 h")
    above.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    above.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    for row, split in enumerate(splits):
        first, middle, last = (mdates.date2num(_date(moment)) for moment in windows(split))
        names = ("train", "test") if row == 0 else (None, None)
        below.barh(row, middle - first, left=first, height=0.6, color=TRAIN, label=names[0])
        below.barh(row, last - middle, left=middle, height=0.6, color=TEST, hatch="///", label=names[1])
        for axes in (above, below):
            axes.axvline(float(middle), color=TEST, linestyle="--", linewidth=1)
    below.set_yticks(range(rows), [split.split for split in splits])
    below.invert_yaxis()
    below.set_ylabel("split")
    below.set_xlabel(f"date (UTC), {starts[0]:%Y-%m-%d} to {starts[-2]:%Y-%m-%d}")
    locator = mdates.AutoDateLocator(maxticks=9)
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, show_offset=False))
    figure.legend(*below.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    bounds = "; ".join(f"split {s.split}: test from {_date(windows(s)[1]):%Y-%m-%d %H:%M}" for s in splits)
    return Plot(title, f"{title}. {bounds}.", svg(figure, f"{title}. {bounds}."))


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _topk_plots(split: TopKSplit) -> list[Plot]:
    liked, disliked = split.train.liked, split.train.disliked
    per_user, per_item = np.diff(liked.indptr), np.bincount(liked.indices, minlength=len(split.item_ids))
    curves: list[tuple[str, np.ndarray, np.ndarray, dict[str, Any]]] = [
        ("positives", per_user, per_item, {"color": TRAIN, "linestyle": "-"})
    ]
    share = None
    if disliked is not None and disliked.nnz:
        all_of_user = per_user + np.diff(disliked.indptr)
        all_of_item = per_item + np.bincount(disliked.indices, minlength=len(split.item_ids))
        curves.append(("all ratings", all_of_user, all_of_item, {"color": TEST, "linestyle": "--"}))
        share = per_user / np.maximum(all_of_user, 1)
    users, user_axes = _axes("Ratings per user", "ratings n", "share of train users with at least n")
    items, item_axes = _axes("Item popularity", "rank of the item", "ratings of the item")
    for label, of_user, of_item, look in curves:
        text = f"{label} ({int(of_user.sum()):,})"
        user_axes.plot(*thinned(*at_least(of_user)), label=text, **look)
        item_axes.plot(*thinned(*ranked(of_item)), label=text, **look)
    panels = [
        _finish(users, user_axes, f"Ratings per train user, split {split.split}"),
        _finish(items, item_axes, f"Item popularity, split {split.split}"),
    ]
    return panels if share is None else [*panels, _positives(split, share, per_user.sum() / all_of_user.sum())]


def _positives(split: TopKSplit, share: np.ndarray, overall: float) -> Plot:
    figure, axes = _axes("Share of positives", "positives among a user's ratings", "train users", log=False)
    counts, edges = np.histogram(share, bins=20, range=(0, 1))
    axes.stairs(counts, edges, fill=True, color=TRAIN, label="users")
    axes.axvline(overall, color=TEST, linestyle="--", label=f"of all ratings: {overall:.1%}")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0%}"))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylim(0, 1.3 * counts.max())
    return _finish(figure, axes, f"Share of positives per train user, split {split.split}")


def at_least(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, share of the values >= n) for every n from 1 that occurs."""
    ordered = np.sort(values[values > 0])
    distinct, first = np.unique(ordered, return_index=True)
    return distinct, (len(ordered) - first) / max(1, len(values))


def ranked(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rank from 1, count) of what occurs, most frequent first."""
    ordered = np.sort(counts[counts > 0])[::-1]
    return np.arange(1, len(ordered) + 1), ordered


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most ``POINTS`` points, evenly on a logarithmic axis; the ends stay."""
    if len(x) <= POINTS:
        return x, y
    rows = np.unique(np.round(np.geomspace(1, len(x), POINTS)).astype(np.int64)) - 1
    return x[rows], y[rows]


def _axes(title: str, x: str, y: str, log: bool = True) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if log:
        log_scale(axes, "xy")
    axes.grid(alpha=0.2)
    return figure, axes


def _finish(figure: Figure, axes: Axes, alt: str) -> Plot:
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,)))
            axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}" if x >= 1e-4 else f"{x:.9f}".rstrip("0")))
            axis.set_minor_formatter(NullFormatter())
    axes.legend()
    labels = ", ".join(str(label) for label in axes.get_legend_handles_labels()[1])
    text = f"{alt}: {labels}; {axes.get_xlabel()} against {axes.get_ylabel()}."
    return Plot(axes.get_title(loc="left"), text, svg(figure, text))
