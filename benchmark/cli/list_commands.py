"""The commands around single lists: recommend for a person, import what another library listed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.cli.options import positive


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add every such command; ``add`` makes a parser with the common options."""
    recommend = add("recommend", run_recommend, "a ranked list for a session or a user, from a run's kept model")
    recommend.add_argument("run", type=Path, metavar="RUN_DIR", help="a run of emde run --keep-model")
    whom = recommend.add_mutually_exclusive_group(required=True)
    whom.add_argument("--session", metavar="ITEM,...", help="raw ids or names of a session's items, the last one last")
    whom.add_argument("--user", type=Path, metavar="FILE",
                       help="an item a line; behind a tab its seconds (sessions) or rating (users)")  # fmt: skip
    recommend.add_argument("--k", type=positive, default=10, metavar="N", help="length of the list (default: 10)")
    recommend.add_argument("--each", action="store_true", help="EMDE: a list after every event, from a running sketch")

    bring = add("import", import_lists, "ranked lists of another library, checked and stored as a run")
    bring.add_argument("file", type=Path, metavar="FILE")
    bring.add_argument("--data", required=True, metavar="NAME")
    bring.add_argument("--split", metavar="SPLIT", help="default: the data set's default split")
    bring.add_argument("--method", required=True, metavar="NAME", help="what tables call it; no method of the suite")
    bring.add_argument("--format", choices=("tsv", "trec", "session-rec"), default="tsv",
                       help="tsv (default): header session (user), position, item, rank or score")  # fmt: skip
    bring.add_argument("--note", default="", metavar="TEXT", help="whose code made the lists, and how; tables show it")
    bring.add_argument("--seed", type=int, help="where the same method is imported with several seeds")
    bring.add_argument("--partial", action="store_true", help="points without a list have an empty one")
    bring.add_argument(
        "--out", type=Path, metavar="DIR", help="root of the run store (default: results/generated/runs)"
    )


def import_lists(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.root import project_root
    from benchmark.experiments.evaluate import evaluate
    from benchmark.experiments.imported import Brought, bring

    brought = Brought(args.file, args.data, args.method, args.split, args.note, args.format, args.seed, args.partial)
    folder, how = bring(brought, args.out or project_root() / "results/generated/runs")
    return {**evaluate(folder), "found": how, "run_dir": str(folder)}


def run_recommend(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments.recommend import read_user, recommend

    if args.user is not None:
        items, values = read_user(args.user)
        return recommend(args.run, items, values, args.k, args.each)
    return recommend(args.run, [item.strip() for item in args.session.split(",")], None, args.k, args.each)
