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


def _interval(bounds: list[float] | None) -> str:
    return "" if bounds is None else "[{:.4f}, {:.4f}]".format(*bounds)


def show_run(result: Result, verbose: bool = False) -> None:
    for run in result.get("runs", [result]):
        record = run.get("run", run)
        metrics, intervals = run["metrics"], run["intervals"]
        masked = (run["masked"] or {}).get("metrics", {})
        rows = [
            [name, value, _interval(intervals.get(name)), masked.get(name, "")]
            for name, value in metrics.items()
            if verbose or name.endswith(("@1", "@20", "@10(sampled)"))
        ]
        seconds = record["seconds"]
        title = (
            f"{record['method']} on {record['data']}, split {record['split']}: {record['n_points']:,} points; "
            f"fit {seconds['fit']:.2f} s, recommend {seconds['recommend']:.2f} s, peak {record['peak_rss_mb']:.0f} MB"
        )
        columns = 4 if masked else 3
        grid(["metric", "value", "95% interval", "disliked masked"][:columns], (row[:columns] for row in rows), title)
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
    rows = [[d["name"], d["kind"], d["comparable"], ", ".join(d["splits"]), d["here"], d["title"]]
            for d in result["data"]]  # fmt: skip
    grid(["name", "kind", "comparable", "splits", "here", "what"], rows)
    line("comparable: paper = the paper's own data; public = a public split, compare with what others published for it")
    line("here: by hand = a person must get the files first; emde data fetch NAME says which and where to put them")


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


def show_verify(result: Result) -> None:
    rows = [
        [c["result"], c["data"], c["method"], c["metric"], c["expected"], "–" if c["ours"] is None else c["ours"],
         "–" if c["delta"] is None else f"{c['delta']:+.5f}", c["why"]]
        for c in result["checks"]
    ]  # fmt: skip
    grid(["", "data", "method", "metric", "expected", "ours", "difference", "why"], rows)
    line(f"{result['profile']}: {len(rows) - result['failed']} of {len(rows)} values reproduced")


def show_compare(result: Result) -> None:
    a, b = result["first"], result["second"]
    line(f"A {a['run_dir']}\nB {b['run_dir']}\n{b['data']}, split {b['split']}: {result['units']:,} sessions or users")
    rows = [
        [name, row["first"], row["second"], f"{row['difference']:+.4f}", f"[{row['low']:+.4f}, {row['high']:+.4f}]",
         f"{row['t_p']:.2g}", f"{row['wilcoxon_p']:.2g}", f"{row['t_holm']:.2g}"]
        for name, row in result["metrics"].items() if name.endswith(("@1", "@20"))
    ]  # fmt: skip
    grid(["metric", "A", "B", "B - A", "95% interval", "t: p", "Wilcoxon: p", "t: p (Holm)"], rows)
    where = [
        [
            row["unit"],
            row["points"],
            row["first"],
            row["second"],
            f"{row['difference']:+.3f}",
            " ".join(row["items"][:8]),
        ]
        for row in result["sessions"]
    ]
    grid(
        ["session", "points", "A", "B", "B - A, summed", "items"], where, f"\nLargest differences in {result['metric']}"
    )


def show_density(result: Result) -> None:
    names = ("pearson", "spearman", "relative_error", "query_us", "fit_s")
    rows = []
    for r in result["rows"]:
        sd = "" if r["pearson"]["sd"] is None else r["pearson"]["sd"]
        rows.append([r["method"], *(r[name]["mean"] for name in names), sd, r["bytes"]])
    title = (
        f"{result['data']}: {result['points']:,} points, {result['kernel']}, h = {result['h']:.6f}, {result['rule']}"
    )
    grid(["method", "Pearson r", "Spearman", "relative error", "us/query", "fit s", "sd of r", "bytes"], rows, title)


def show_search(result: Result) -> None:
    metrics = [name for name in ("MRR@20", "HR@20", "NDCG@20", "Recall@20") if name in result["trials"][0]]
    best_first = sorted(result["trials"], key=lambda trial: -trial[result["objective"]])
    rows = [
        [t["trial"], t["state"], *(t[name] for name in metrics), t["seconds"],
         ", ".join(f"{name}={value}" for name, value in t["point"].items())]
        for t in best_first
    ]  # fmt: skip
    title = f"{result['method']} on {result['data']}, {result['split']}: {result['points']:,} points"
    grid(["trial", "state", *metrics, "seconds", "parameters"], rows, title)
    line(result["entry"])
    line(f"trials: {result['file']}")
    for what, path in result["report"].items():
        line(f"{what}: {path}")


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
    "verify": show_verify,
    "compare": show_compare,
    "density": show_density,
}


def show(args: argparse.Namespace, result: Result) -> None:
    """Print a command's result for people."""
    key = f"data {args.part}" if args.command == "data" else args.command
    if key in ("run", "evaluate"):
        show_run(result, args.verbose)
    else:
        SHOWS.get(key, show_tree)(result)
