"""What the command line prints for people (``--json`` prints the result itself)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

Result = dict[str, Any]


def grid(head: Iterable[str], rows: Iterable[Iterable[Any]], title: str | None = None) -> None:
    """A table on stdout; numbers keep four digits."""
    if title:
        line(title)
    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    console = Console()
    # a pipe has no width of its own: lines there are not to be folded
    (console if console.is_terminal else Console(width=200)).print(table)


def line(text: str) -> None:
    """One line on stdout, as it is."""
    sys.stdout.write(text + "\n")


def show_run(result: Result, verbose: bool = False) -> None:
    for run in result.get("runs", [result]):
        record = run.get("run", run)
        metrics, intervals = run["metrics"], run["intervals"]
        rows = [
            [name, value, "[{:.4f}, {:.4f}]".format(*intervals[name]) if name in intervals else ""]
            for name, value in metrics.items()
            if verbose or name.endswith(("@1", "@20"))
        ]
        seconds = record["seconds"]
        title = (
            f"{record['method']} on {record['data']}, split {record['split']}: {record['n_points']:,} points; "
            f"fit {seconds['fit']:.2f} s, recommend {seconds['recommend']:.2f} s, peak {record['peak_rss_mb']:.0f} MB"
        )
        grid(["metric", "value", "95% interval"], rows, title)
        if record.get("approximate"):
            line(f"approximate: {record['approximate']}")
        if "run_dir" in run:
            line(f"run: {run['run_dir']}")


def show_methods(result: Result) -> None:
    for method in result["methods"]:
        line(f"\n{method['name']} ({method['kind']}): {method['what']}")
        for p in method["params"]:
            bounds = f" ({p['bounds']})" if p["bounds"] else ""
            line(f"    {p['name']} = {p['default']}{bounds}  {p['description']}")


def show_list(result: Result) -> None:
    rows = [[d["name"], d["kind"], ", ".join(d["splits"]), "yes" if d["prepared"] else "no", d["title"]]
            for d in result["data"]]  # fmt: skip
    grid(["name", "kind", "splits", "prepared", "what"], rows)


def show_stats(result: Result) -> None:
    rows = []
    for split, part in {"raw": result["raw"], "mean": result["mean"], **result["splits"]}.items():
        for name, found in (part.get("found") or {}).items():
            rows.append([split, name, found, (part.get("expected") or {}).get(name, "")])
    grid(["split", "statistic", "found", "expected"], rows, f"{result['name']} ({result['kind']})")
    if result.get("approximate"):
        line(f"approximate: {result['approximate']}")


def show_tables(result: Result) -> None:
    if "text" in result:
        line(result["text"])
    if "page" in result:
        line(f"page: {result['page']}")


def show_density(result: Result) -> None:
    rows = [[r["n"], r["k"], r["pearson"], "" if r["sd"] is None else r["sd"], r["seconds"], r["sketch_bytes"]]
            for r in result["rows"]]  # fmt: skip
    title = f"{result['data']}: {result['points']:,} points, {result['kernel']}, h = {result['h']:.6f}"
    grid(["N", "K", "Pearson r", "sd over seeds", "seconds", "bytes"], rows, title)


def show_search(result: Result) -> None:
    best_first = sorted(result["trials"], key=lambda trial: -trial["MRR@20"])
    rows = [
        [t["trial"], t["MRR@20"], t["HR@20"], t["seconds"], ", ".join(f"{n}={v}" for n, v in t["params"].items())]
        for t in best_first
    ]
    title = f"{result['method']} on {result['data']}, {result['split']}: {result['points']:,} points"
    grid(["trial", "MRR@20", "HR@20", "seconds", "parameters"], rows, title)
    line(result["entry"])
    line(f"trials: {result['file']}")


def show_tree(result: Any, indent: str = "") -> None:
    """Nested results as indented lines."""
    for name, value in result.items():
        if isinstance(value, dict):
            line(f"{indent}{name}:")
            show_tree(value, indent + "  ")
        elif isinstance(value, list):
            line(f"{indent}{name}: {', '.join(str(v) for v in value) or 'none'}")
        else:
            line(f"{indent}{name}: {value}")


SHOWS: dict[str, Callable[[Result], None]] = {
    "data list": show_list,
    "data stats": show_stats,
    "methods": show_methods,
    "search": show_search,
    "tables": show_tables,
    "density": show_density,
}


def show(args: argparse.Namespace, result: Result) -> None:
    """Print a command's result for people."""
    key = f"data {args.part}" if args.command == "data" else args.command
    if key in ("run", "evaluate"):
        show_run(result, args.verbose)
    else:
        SHOWS.get(key, show_tree)(result)
