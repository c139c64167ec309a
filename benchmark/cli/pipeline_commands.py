"""``emde pipeline``, ``emde plan``, ``emde show``: what DVC runs, what it will cost, which parameters a method has."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from contracts.errors import UserError


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Declare the commands; ``add(name, handler, text)`` makes a parser."""
    pipeline = add("pipeline", make_pipeline, "write the DVC pipelines from profiles and parameters")
    pipeline.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a file would change")
    pipeline.add_argument("--data", metavar="NAME", help="only the pipeline of your own data set")
    pipeline.add_argument("--methods", metavar="A,B", help="with --data: cells of these methods, too")

    plan = add("plan", plan_profile, "cells of a profile to run, with hours, memory, disk; files to be placed by hand")
    plan.add_argument("--profile", metavar="NAME", help="default: sample")

    show = add("show", show_parameters, "every parameter of a method on a data set, and where it comes from")
    show.add_argument("method", metavar="METHOD")
    show.add_argument("--data", required=True, metavar="NAME")


def make_pipeline(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import settings
    from benchmark.pipelines import pipeline

    known = settings.load()
    if args.methods and not args.data:
        raise UserError("--methods: expected --data NAME with it, found none")
    if args.data:
        return {
            "written": [pipeline.write_own(known, args.data, (args.methods or "").split(",") if args.methods else ())]
        }
    if args.check:
        return {"would change": list(pipeline.changes(known))}
    settings.check_parameters(known)
    return {"written": pipeline.write(known)}


def plan_profile(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import environment, profiles, settings
    from benchmark.speed import plan

    environment.set_threads(1)
    return plan.plan(settings.load(), args.profile or profiles.DEFAULT)


def show_parameters(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data import registry
    from benchmark.experiments import settings

    dataset = registry.get(args.data)
    kind = "density" if dataset.kind == "vectors" else dataset.kind
    return {"method": args.method, "data": dataset.name, "kind": kind,
            "parameters": settings.load().origins(kind, args.method, dataset.name)}  # fmt: skip
