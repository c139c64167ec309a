"""The commands that show finished results: tables, figures, pages, comparisons, exports."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.cli_options import positive


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add every such command; ``add`` makes a parser with the common options."""
    illustrated = add(
        "illustrated", run_illustrated, "EMDE explained in pictures: a page and its PNGs, all computed here"
    )
    illustrated.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/illustrated")

    figures = add("figures", run_figures, "every figure that the results allow, as PDF and PNG")
    figures.add_argument("--profile", metavar="NAME", help="default: the chosen one")
    figures.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")
    figures.add_argument(
        "--items", metavar="NAME", help="ratings whose items Figure 5 maps (default: none, no Figure 5)"
    )
    figures.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/PROFILE/figures")

    site = add("site", make_site, "results as web pages: matrix, runs, data sets, methods, figures; serve opens them")
    site.add_argument("action", nargs="?", choices=("build", "serve"), default="build")
    site.add_argument("--profile", metavar="NAME", help="default: the chosen one")
    site.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")
    site.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/PROFILE/site")
    site.add_argument("--port", type=positive, default=8000, metavar="N", help="of serve (default: 8000)")

    tables = add("tables", make_tables, "tables of the current profile beside the published values")
    tables.add_argument("--table", metavar="NAME", help="one table only (default: all)")
    tables.add_argument("--format", choices=("md", "tex", "html", "csv", "json"), help="print in this format")
    tables.add_argument("--out", type=Path, metavar="DIR", help="write every format into DIR")
    tables.add_argument("--profile", metavar="NAME", help="default: the chosen one")
    tables.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")

    verify = add(
        "verify", verify_results, "check the rows that are declared as reproduced; exit status 1 if one is not"
    )
    verify.add_argument("--profile", metavar="NAME", help="default: the chosen one")
    verify.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")

    compare = add("compare", compare_runs, "two runs of one split: differences, intervals, p values, and where")
    compare.add_argument("first", type=Path, metavar="RUN_A")
    compare.add_argument("second", type=Path, metavar="RUN_B")
    compare.add_argument("--metric", metavar="NAME", help="orders the sessions (default: MRR@20, top-k NDCG@20)")
    compare.add_argument("--top", type=positive, default=10, metavar="N", help="sessions to show")

    export = add("export", export_run, "a run's lists and its truth as files for other tools")
    export.add_argument("run", type=Path, metavar="RUN_DIR")
    export.add_argument("--format", choices=("trec",), default="trec")
    export.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/trec/<data>-<method>-<run>")


def run_illustrated(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.root import project_root
    from benchmark.illustrated import page

    return {"written": str(page.write(args.out or project_root() / "results/generated/illustrated"))}


def run_figures(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings, tables
    from benchmark.figures.write import write

    profile = args.profile or settings.current_profile()
    results = tables.finished(settings.load(), profile, args.results)
    out = args.out or tables.results_dir(results.profile) / "figures"
    return {"written": [str(path) for path in write(results, args.items or None, out)]}


def make_site(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings, tables
    from benchmark.site import build, serve

    profile = "+".join(path.name for path in args.results) or args.profile or settings.current_profile()
    out = args.out or tables.results_dir(profile) / "site"
    if args.action == "serve":
        return serve.serve(out, args.port)
    chosen = settings.load()
    results = tables.finished(chosen, profile, args.results)
    return {"page": str(build.build(results, chosen, tables.results_dir(profile), out))}


def make_tables(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings, tables

    profile = args.profile or settings.current_profile()
    return tables.make(settings.load(), profile, args.table, args.format, args.out, args.results)


def verify_results(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings, tables
    from benchmark.tables.verify import verify

    return verify(tables.collect(settings.load(), args.profile or settings.current_profile(), args.results))


def compare_runs(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.compare import compare

    return compare(args.first, args.second, args.metric, args.top)


def export_run(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.root import project_root
    from benchmark.trec import export

    data, method, name = args.run.resolve().parts[-3:]
    return export(args.run, args.out or project_root() / "results/generated/trec" / f"{data}-{method}-{name}")
