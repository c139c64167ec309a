"""``emde search``, ``emde ablate``, ``emde ablations``: which parameters, and which of them matter."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.cli_options import overrides, positive


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the commands; ``add(name, handler, text)`` makes a parser."""
    search = add("search", run_search, "search a method's parameters on a tuning split; resumable")
    search.add_argument("--data", required=True, metavar="NAME")
    search.add_argument("--method", required=True, metavar="NAME")
    search.add_argument("--trials", required=True, type=positive, metavar="N", help="the method's defaults among them")
    search.add_argument("--split", metavar="SPLIT", help="a tuning split: suffix :valid (default: the default split's)")
    search.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="fix one parameter (YAML)")
    search.add_argument("--sampler", choices=("random", "tpe"), default="tpe")
    search.add_argument("--workers", type=positive, default=1, metavar="N", help="processes, each with --threads")
    search.add_argument("--points", type=positive, metavar="N", help="rank about so many points only (whole sessions)")
    search.add_argument("--sessions", type=positive, metavar="N", help="fit on so many most recent sessions only")
    search.add_argument("--seed", type=int, default=0)
    search.add_argument("--out", type=Path, metavar="DIR", help="trials (default: results/generated/search)")

    ablate = add("ablate", run_ablation, "train and measure one cell of the ablation grid on a tuning split")
    ablate.add_argument("--data", required=True, metavar="NAME")
    ablate.add_argument("--cell", required=True, metavar="NAME", help="a name under ablations.cells in params.yaml")
    ablate.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/ablations")

    ablations = add("ablations", compare_ablations, "which choices matter: a profile's ablation cells compared")
    ablations.add_argument("--cells", required=True, type=Path, metavar="DIR", help="where emde ablate wrote them")
    ablations.add_argument("--profile", metavar="NAME", help="default: the chosen one")
    ablations.add_argument("--out", required=True, type=Path, metavar="DIR", help="JSON, Markdown and forest plot")


def run_search(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings
    from benchmark.data.root import project_root
    from benchmark.search import search

    out = args.out or project_root() / "results/generated/search"
    return search(
        settings.load(), args.data, args.method, args.trials, args.seed, args.split, args.points, args.sessions,
        overrides(args.set), args.sampler, args.workers, out,
    )  # fmt: skip


def run_ablation(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings
    from benchmark.ablate import ablate
    from benchmark.data.root import project_root

    out = args.out or project_root() / "results/generated/ablations"
    return ablate(settings.load(), args.data, args.cell, out)


def compare_ablations(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import sensitivity, settings

    profile = args.profile or settings.current_profile()
    return sensitivity.write(sensitivity.compare(settings.load(), profile, args.cells), args.out)
