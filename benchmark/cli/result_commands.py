"""The commands that show finished results: tables, figures, pages, comparisons, exports."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.cli.options import listed, positive
from contracts.errors import UserError

LAYOUT = ("digits", "spread", "published", "caption", "label", "wide")
"""Options of ``emde tables`` that are fields of ``benchmark.report.tables.PageLayout``."""


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add every such command; ``add`` makes a parser with the common options."""
    illustrated = add(
        "illustrated", run_illustrated, "EMDE explained in pictures: a page and its PNGs, all computed here"
    )
    illustrated.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/illustrated")

    figures = add("figures", run_figures, "every figure that the results allow, as PDF and PNG")
    figures.add_argument("--profile", metavar="NAME", help="default: sample")
    figures.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")
    which = figures.add_mutually_exclusive_group()
    which.add_argument("--table", metavar="NAME", help="of one table only (default: everything)")
    which.add_argument("--items", metavar="NAME", help="ratings whose items Figure 5 maps (default: the profile's)")
    figures.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/profiles/PROFILE/figures")

    figures.add_argument("--width", type=float, metavar="PT",
                         help="for a paper: PDF and PGF as wide as its column (acmart 241, IEEEtran 252)")  # fmt: skip
    figures.add_argument("--font-size", type=float, default=8, metavar="PT", help="of a paper (default: 8)")

    site = add("site", make_site, "results as web pages: matrix, runs, data sets, methods, figures; serve opens them")
    site.add_argument("action", nargs="?", choices=("build", "serve"), default="build")
    site.add_argument("--profile", metavar="NAME", help="default: sample")
    site.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")
    site.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/profiles/PROFILE/site")
    site.add_argument("--port", type=positive, default=8000, metavar="N", help="of serve (default: 8000)")

    _add_tables(add)

    costs = add("costs", show_costs, "time, memory, machine and versions of a profile's runs, beside their accuracy")
    costs.add_argument("--profile", metavar="NAME", help="default: sample")
    costs.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/profiles/PROFILE/costs")

    claims = add("claims", judge_claims, "the paper's claims, judged from kept results")
    claims.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR",
                        help="folders of kept results (default: all of results/reported)")  # fmt: skip
    claims.add_argument("--claim", metavar="ID", help="one claim only (default: all)")
    claims.add_argument("--format", choices=("md", "csv", "tex", "json"), help="print in this format (default: md)")
    claims.add_argument("--out", type=Path, metavar="DIR", help="write every format and the pictures into DIR")

    verify = add(
        "verify", verify_results, "check what was run against its published values; exit status 1 if one differs"
    )
    verify.add_argument("--profile", metavar="NAME", help="default: sample")
    verify.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")
    commands = verify.add_mutually_exclusive_group()
    commands.add_argument("--commands", action="store_true", help="the exact command of every row of every table")
    commands.add_argument("--row", type=positive, metavar="N", help="run the commands of that row again, and compare")
    commands.add_argument("--lock", action="store_true", help="the default profile's values against proof.json instead")

    compare = add("compare", compare_runs, "two runs of one split: differences, intervals, p values, and where")
    compare.add_argument("first", metavar="RUN_A", help="a run's folder, or FOLDER:RUN of kept results")
    compare.add_argument("second", metavar="RUN_B", help="RUN: data/method/split/seed, or digits of lists_sha256")
    compare.add_argument("--metric", metavar="NAME", help="orders the sessions (default: MRR@20, top-k NDCG@20)")
    compare.add_argument("--top", type=positive, default=10, metavar="N", help="sessions to show")

    keep = add(
        "keep", keep_results, "results that are to stay: runs, densities, searches, ... into results/reported/NAME"
    )
    keep.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="runs, a folder of results, or a file")
    keep.add_argument("--as", dest="name", required=True, metavar="NAME", help="folder below results/reported")
    keep.add_argument("--root", type=Path, metavar="DIR", help="another folder instead of results/reported")
    keep.add_argument("--why", default="", metavar="REASON", help="needed where a kept value changes (docs/numbers.md)")
    keep.add_argument(
        "--replace", action="store_true", help="kept runs of the same data, method, split go, with any parameters"
    )

    export = add("export", export_run, "a run's lists and its truth as files for other tools")
    export.add_argument("run", type=Path, metavar="RUN_DIR")
    export.add_argument("--format", choices=("trec",), default="trec")
    export.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/trec/<data>-<method>-<run>")


def _add_tables(add: Callable[..., argparse.ArgumentParser]) -> None:
    tables = add("tables", make_tables, "tables of a profile beside the published values")
    which = tables.add_mutually_exclusive_group()
    which.add_argument("--table", metavar="NAME", help="one table only (default: all)")
    which.add_argument("--declared", type=Path, metavar="FILE", help="a table of your own, declared in this YAML file")
    tables.add_argument("--format", choices=("md", "tex", "html", "csv", "json"), help="print in this format")
    tables.add_argument("--out", type=Path, metavar="DIR", help="write every format into DIR")
    tables.add_argument("--profile", metavar="NAME", help="default: sample")
    tables.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="kept results instead")
    tables.add_argument("--failed", type=Path, metavar="FILE", help="cells that failed, with their last lines (JSON)")
    for name, what in (("rows", "methods"), ("metrics", "metrics"), ("data", "data sets")):
        tables.add_argument(f"--{name}", type=listed, default=[], metavar="A,B", help=f"these {what}, in this order")
    layout = tables.add_argument_group("LaTeX (any of these prints --format tex)")
    layout.add_argument("--digits", type=positive, metavar="N", help="behind the decimal point (default: 4)")
    layout.add_argument("--spread", choices=("none", "sd", "ci"), help="sd over seeds (default) or 95%% interval")
    layout.add_argument("--published", choices=("beside", "below", "none"), help="published values (default: beside)")
    layout.add_argument("--caption", metavar="TEXT", help="instead of the table's own")
    layout.add_argument("--label", metavar="LABEL", help="default: tab:NAME")
    layout.add_argument("--wide", action="store_true", default=None, help="across the page instead of one column")


def run_illustrated(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.root import project_root
    from benchmark.report.illustrated import page

    return {"written": str(page.write(args.out or project_root() / "results/generated/illustrated"))}


def run_figures(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import profiles, settings
    from benchmark.report import tables
    from benchmark.report.figures.paper import Paper
    from benchmark.report.figures.write import write

    known, profile = settings.load(), args.profile or profiles.DEFAULT
    results = tables.finished(known, profile, args.results)
    items = args.items or ("" if args.results or args.table else known.profile(profile).taste_map)
    out = args.out or profiles.profile_folder(results.profile) / ("figures" if args.width is None else "paper")
    wanted = None if args.width is None else Paper(args.width, args.font_size)
    return {"written": [str(path) for path in write(results, items or None, out, wanted, args.table)]}


def make_site(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import profiles, settings
    from benchmark.report.site import make, serve

    profile = "+".join(path.resolve().name for path in args.results) or args.profile or profiles.DEFAULT
    out = args.out or profiles.profile_folder(profile) / "site"
    if args.action == "serve":
        return serve.serve(out, args.port)
    return {"page": str(make.make(settings.load(), profile, args.results, out))}


def make_tables(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import profiles, settings
    from benchmark.report import tables

    options = {name: value for name in LAYOUT if (value := getattr(args, name)) is not None}
    if options and args.format not in (None, "tex"):
        raise UserError(f"--{next(iter(options))}: expected --format tex, found {args.format}")
    fmt = args.format or ("tex" if options else None)
    choice = tables.Choice(args.table, args.declared, args.rows, args.metrics, args.data)
    profile = args.profile or profiles.DEFAULT
    layout = tables.PageLayout(**options)
    return tables.make(settings.load(), profile, args.results, choice, fmt, args.out, layout, args.failed)


def show_costs(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import profiles, settings
    from benchmark.report import costs, tables

    chosen, profile = settings.load(), args.profile or profiles.DEFAULT
    results = tables.collect(chosen, profile, priced=True)
    made, folder = settings.project_root() / profiles.GENERATED, profiles.profile_folder(profile)
    return costs.write(results, chosen.methods, made, folder / "site", args.out or folder / "costs")


def judge_claims(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import settings
    from benchmark.report.claims.make import make

    return make(settings.load(), args.results, args.format, args.claim, args.out)


def verify_results(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import profiles, settings
    from benchmark.report import proof, tables
    from benchmark.report.tables.commands import commands, repeat
    from benchmark.report.tables.verify import verify

    if args.lock:
        return proof.verify(settings.load())
    results = tables.collect(settings.load(), args.profile or profiles.DEFAULT, args.results)
    if args.commands:
        return {"profile": results.profile, "rows": commands(results), "failed": 0}
    return repeat(results, args.row, run_again) if args.row else verify(results)


def run_again(command: str) -> list[dict[str, Any]]:
    """What ``emde evaluate`` says of the runs of an ``emde run`` command, stored apart from all others."""
    import shlex

    from benchmark.cli.main import asked_runs, build_parser
    from benchmark.data.root import project_root
    from benchmark.experiments.evaluate import evaluate
    from benchmark.experiments.run import run

    words = shlex.split(command)
    if words[:2] != ["emde", "run"]:
        raise UserError(f"expected a command emde run ..., found: {command}")
    out = project_root() / "results/generated/verify"
    args = build_parser().parse_args([*words[1:], "--out", str(out)])
    return [evaluate(run(*request)) for request in asked_runs(args)]


def compare_runs(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.report.compare import compare

    return compare(args.first, args.second, args.metric, args.top)


def keep_results(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.report.keep import keep

    return keep(args.sources, args.name, args.root, args.why, args.replace)


def export_run(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.root import project_root
    from benchmark.experiments.trec import export

    data, method, name = args.run.resolve().parts[-3:]
    return export(args.run, args.out or project_root() / "results/generated/trec" / f"{data}-{method}-{name}")
