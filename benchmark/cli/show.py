"""What the command line prints for people (``--json`` prints the result itself)."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.protocol.metric import Metric
from benchmark.report.console import grid, line
from contracts.runtime.json import to_json

Result = dict[str, Any]
SHOWN = {(1, ""), (20, ""), (10, "sampled")}
"""Lengths of lists and forms of the metrics that are shown."""


def _is_shown(label: str) -> bool:
    metric = Metric.parse(label)
    return (metric.k, metric.form) in SHOWN


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
            if verbose or _is_shown(name)
        ]
        title = f"{record['method']} on {record['data']}, split {record['split']}: {record['n_points']:,} points"
        if seconds := record.get("seconds"):
            title += f"; fit {seconds['fit']:.2f} s, recommend {seconds['recommend']:.2f} s"
            title += f", peak {record['peak_rss_mb']:.0f} MB"
        elif record.get("imported"):
            title += f"; {record['params_source']}"
        columns = 4 if masked else 3
        grid(["metric", "value", "95% interval", "disliked masked"][:columns], (row[:columns] for row in rows), title)
        if record.get("approximate"):
            line(f"approximate: {record['approximate']}")
        if "found" in run:
            line(f"found: {run['found']}")
        if "run_dir" in run:
            line(f"run: {run['run_dir']}")


def show_methods(result: Result) -> None:
    if "written" in result:
        line(f"written: {result['written']}")
    for method in result.get("methods", ()):
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
        for name, value in (part.get("found") or {}).items():
            rows.append([split, name, value, (part.get("expected") or {}).get(name, "")])
    grid(["split", "statistic", "found", "expected"], rows, f"{result['name']} ({result['kind']})")
    if result.get("approximate"):
        line(f"approximate: {result['approximate']}")


def show_tables(result: Result) -> None:
    if "text" in result:
        line(result["text"])
    if "page" in result:
        line(f"page: {result['page']}")


def show_claims(result: Result) -> None:
    if "text" in result:
        line(result["text"].rstrip("\n"))
    if "written" in result:
        line(f"{result['summary']}; written: {len(result['written'])} files, the first {result['written'][0]}")


def show_figures(result: Result) -> None:
    folders = Counter(Path(path).parent for path in result["written"])
    for folder, files in folders.items():
        line(f"written: {files} files in {folder}")
    if not folders:
        line("written: none")


def show_commands(result: Result) -> None:
    for row in result["rows"]:
        stale = f"  (stale: {row['stale']})" if row["stale"] else ""
        line(f"{row['row']:>4}  {row['data']}  {row['method']}  [{', '.join(row['tables'])}]{stale}")
        for command in row["commands"]:
            line(f"      {command}")
    line("emde verify --row N runs the commands of a row again, and compares")


def show_again(result: Result) -> None:
    for command in result["commands"]:
        line(command)
    rows = [[c["result"], c["run"], c["metric"], c["shown"], c["now"], f"{c['delta']:+.5f}", c["why"]]
            for c in result["checks"]]  # fmt: skip
    grid(["", "run", "metric", "in the table", "now", "difference", "why"], rows)


def show_plan(result: Result) -> None:
    from benchmark.speed import plan

    def cells(row: Result) -> list[Any]:
        if "examples" not in row:  # its size is not known yet
            return ["?"] * 4
        numbers = (f"{row['cpu_hours']:,.2f}", f"{row['memory_gb']:.1f}", f"{row['disk_mb']:,.0f}")
        return [f"{row['examples']:,.0f}", *numbers]

    head = ["training examples", "processor hours", "GB of memory", "MB of lists"]
    grid(["data", "method", *head], ([row["data"], row["method"], *cells(row)] for row in result["cells"]))
    grid(["data", "cells", *head], ([row["data"], row["cells"], *cells(row)] for row in plan.totals(result["cells"])))
    for text in plan.lines(result):
        line(text)
    if result["of_unknown_size"]:
        line(f"not counted, their sizes are known once they are prepared: {', '.join(result['of_unknown_size'])}")


def show_verify(result: Result) -> None:
    if "rows" in result or "row" in result:
        (show_commands if "rows" in result else show_again)(result)
        return
    if "differences" in result:
        for difference in result["differences"]:
            line(difference)
        made, here = (", torch ".join(map(str, result[name].values())) for name in ("made_on", "here"))
        line(f"proof.json: {made}; here: {here}")
        line(f"{result['values']} values, {result['failed'] or 'no'} differences beyond their tolerances")
        return
    rows = [
        [c["result"], c["data"], c["method"], c["metric"], c["expected"], "–" if c["ours"] is None else c["ours"],
         "–" if c["delta"] is None else f"{c['delta']:+.5f}", c["why"]]
        for c in result["checks"]
    ]  # fmt: skip
    grid(["", "data", "method", "metric", "expected", "ours", "difference", "why"], rows)
    words = {"not_run": "not run", "stale": "stale", "not_comparable": "of other data or another split"}
    others = {what: result[name] for name, what in words.items()}
    more = "".join(f", {count} {what}" for what, count in others.items() if count)
    said = []
    for what, of_settings in (("values reproduced", False), ("parameters as published", True)):
        good = [check["result"] == "OK" for check in result["checks"] if check["set"] == of_settings]
        said += [f"{sum(good)} of {len(good)} {what}"] if good else []
    line(f"{result['profile']}: {', '.join(said) or 'no value to hold against a published one'}{more}")


def show_compare(result: Result) -> None:
    a, b = result["first"], result["second"]
    line(f"A {a['run_dir']}\nB {b['run_dir']}\n{b['data']}, split {b['split']}: {result['units']:,} sessions or users")
    rows = [
        [name, row["first"], row["second"], f"{row['difference']:+.4f}", f"[{row['low']:+.4f}, {row['high']:+.4f}]",
         f"{row['t_p']:.2g}", f"{row['wilcoxon_p']:.2g}", f"{row['t_holm']:.2g}"]
        for name, row in result["metrics"].items() if _is_shown(name)
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
    rungs = [rung["train"] for rung in result["rungs"]]
    best_first = sorted(result["trials"], key=lambda t: (-rungs.index(t["train"]), -t[result["objective"]]))
    rows = [
        [t["trial"], t["train"], t["state"], *(t[name] for name in metrics), t["seconds"],
         ", ".join(f"{name}={value}" for name, value in t["point"].items())]
        for t in best_first
    ]  # fmt: skip
    title = f"{result['method']} on {result['data']}, {result['split']}: {result['points']:,} points"
    grid(["trial", "train", "state", *metrics, "seconds", "parameters"], rows, title)
    line(f"tuned.{result['data']} of {result['method']}: {to_json(result['tuned'])}")
    if "saved" in result:
        line(f"written to {result['saved']}; then: emde pipeline")
    line(f"trials: {result['file']}")
    for what, path in result["report"].items():
        line(f"{what}: {path}")


def show_parameters(result: Result) -> None:
    """A parameter a line; sources, which are sentences and stand for many parameters, numbered below."""
    sources: dict[tuple[str, str], int] = {}
    rows = []
    for p in result["parameters"]:
        where = ": ".join(filter(None, [p["file"], p["key"].removesuffix(p["name"]).rstrip(".: ")]))
        number = sources.setdefault((p["source"], where), len(sources) + 1) if where else 0
        several = isinstance(p["value"], list) and any(isinstance(one, dict) for one in p["value"])
        value = "\n".join(map(to_json, p["value"])) if several else to_json(p["value"])
        rows.append([p["name"], value, f"[{number}]" if number else p["source"]])
    grid(["parameter", "value", "from"], rows, f"{result['method']} on {result['data']}")
    for (source, where), number in sources.items():
        line(f"[{number}] {where}: {source}")


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


def show_keep(result: Result) -> None:
    for change in result["changed"]:
        line(f"{change['run']}, {change['metric']}: {change['old']} -> {change['new']}")
    counts = ", ".join(f"{result[name]} {name}" for name in ("added", "replaced", "gone"))
    line(f"{result['folder']}: {counts}; {len(result['changed'])} values changed")


def show_recommend(result: Result) -> None:
    for step in result.get("steps", []):
        best = ", ".join(entry["name"] for entry in step["list"][:3])
        line(f"+ {step['item']}: {best}; sketch - sketch made anew: at most {step['difference']:.1g}")
    rows = [[entry["rank"], entry["item"], entry["name"], entry["score"]] for entry in result["list"]]
    seen = ", ".join(result["seen"])
    grid(["rank", "item", "name", "score"], rows, f"{result['method']} on {result['data']}, after {seen}:")


SHOWS: dict[str, Callable[[Result], None]] = {
    "data list": show_list,
    "data stats": show_stats,
    "methods": show_methods,
    "search": show_search,
    "tables": show_tables,
    "costs": show_tables,
    "show": show_parameters,
    "claims": show_claims,
    "figures": show_figures,
    "plan": show_plan,
    "verify": show_verify,
    "compare": show_compare,
    "density": show_density,
    "keep": show_keep,
    "recommend": show_recommend,
}


def show(args: argparse.Namespace, result: Result) -> None:
    """Print a command's result for people."""
    key = f"data {args.part}" if args.command == "data" else args.command
    if key in ("run", "evaluate", "import"):
        show_run(result, args.verbose)
    else:
        SHOWS.get(key, show_tree)(result)
