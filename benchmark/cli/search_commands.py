"""``emde search``, ``emde ablate``, ``emde ablations``: which parameters, and which of them matter."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.cli.options import add_costs, overrides, positive, sizes


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the commands; ``add(name, handler, text)`` makes a parser."""
    search = add("search", run_search, "search a method's parameters on a tuning split; resumable")
    search.add_argument("--data", required=True, metavar="NAME")
    search.add_argument("--method", required=True, metavar="NAME")
    search.add_argument(
        "--trials", required=True, type=positive, metavar="N", help="on the first rung; the best third goes on"
    )
    search.add_argument("--split", metavar="SPLIT", help="a tuning split: suffix :valid (default: the default split's)")
    search.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="fix one parameter (YAML)")
    search.add_argument("--sampler", choices=("random", "tpe"), default="tpe")
    search.add_argument("--workers", type=positive, default=1, metavar="N", help="processes, each with --threads")
    search.add_argument("--points", type=positive, metavar="N", help="rank about so many points only (whole sessions)")
    search.add_argument("--rungs", type=sizes, metavar="N,...,all", help="train sessions of the rungs (5000,20000,all)")
    search.add_argument("--cap", type=positive, metavar="SECONDS", help="processor seconds of all trials (28800)")
    search.add_argument("--seed", type=int, default=0)
    search.add_argument("--out", type=Path, metavar="DIR", help="trials (default: results/generated/search)")
    search.add_argument(
        "--save",
        nargs="?",
        const="",
        metavar="ROW",
        help="write the best to tuned of the method's file (or of a preset's)",
    )

    ablate = add("ablate", run_ablation, "train and measure one cell of the ablation grid on a tuning split")
    ablate.add_argument("--data", required=True, metavar="NAME")
    ablate.add_argument("--cell", required=True, metavar="NAME", help="a name under cells in params/ablations.yaml")
    ablate.add_argument("--out", type=Path, metavar="DIR", help="default: results/generated/ablations")
    add_costs(ablate)

    ablations = add("ablations", compare_ablations, "which choices matter: a profile's ablation cells compared")
    ablations.add_argument("--cells", type=Path, metavar="DIR", help="where emde ablate wrote them (default: its)")
    ablations.add_argument("--profile", metavar="NAME", help="default: sample")
    ablations.add_argument("--data", nargs="+", default=(), metavar="NAME", help="these data sets of it (default: all)")
    ablations.add_argument(
        "--out", type=Path, metavar="DIR", help="default: results/generated/profiles/PROFILE/ablations"
    )


def run_search(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.root import project_root
    from benchmark.experiments import settings
    from benchmark.experiments.search.search import CAP, SIZES, prepare, search
    from benchmark.report import search_report

    out = args.out or project_root() / "results/generated/search"
    known, fixed = settings.load(), overrides(args.set)
    rungs = prepare(known, args.data, args.method, args.split, args.points, args.rungs or SIZES, fixed)
    result = search(rungs, args.trials, out, args.seed, args.sampler, args.workers, args.cap or CAP)
    trials = Path(result["file"])
    result["report"] = search_report.write(result, trials.parent, trials.stem)
    if args.save is not None:
        from benchmark.experiments.tuned import save

        result["saved"] = str(save(known, args.save or args.method, result))
    return result


def run_ablation(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.root import project_root
    from benchmark.experiments import settings
    from benchmark.experiments.ablations.ablate import ablate
    from benchmark.experiments.profiles import ABLATIONS, ablation_files, costs_of

    out, costs = args.out or project_root() / ABLATIONS, args.costs
    if args.out is None and costs is None:  # the place of DVC's stage: by hand it is to hold the same
        costs = project_root() / costs_of(ablation_files(args.data, args.cell)[0])
    return ablate(settings.load(), args.data, args.cell, out, costs)


def compare_ablations(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import profiles, settings
    from benchmark.report import sensitivity

    root, profile = settings.project_root(), args.profile or profiles.DEFAULT
    compared = sensitivity.compare(settings.load(), profile, args.cells or root / profiles.ABLATIONS, args.data)
    return sensitivity.write(compared, args.out or root / profiles.compared_folder(profile))
