"""Parameters that are edited while a command runs: DVC, which reads them when it ends, would record the new ones."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmark.data import registry
from benchmark.experiments import settings
from benchmark.experiments.methods import Kind
from benchmark.experiments.settings import Settings
from contracts import UserError

COMMANDS = ("run", "ablate", "density")


@contextmanager
def unchanged(args: argparse.Namespace) -> Iterator[None]:
    """Raise UserError at the end where a parameter of a command's result is no longer what it was at the beginning."""
    before = watched(args, settings.load())
    yield
    after = watched(args, settings.load())
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            raise UserError(
                f"{name}: expected the same parameters at the end of {args.command} as at its beginning, "
                f"found {after.get(name)} for {before.get(name)}; run it again"
            )


def watched(args: argparse.Namespace, known: Settings) -> dict[str, Any]:
    """Name -> what the result of run, ablate or density depends on of the settings."""
    dataset = registry.get(args.data)
    found: dict[str, Any] = {"threads": known.threads, "seed": known.seed, "final_fit": known.final_fit}
    rows: list[tuple[Kind, str, str]] = []
    if args.command == "run" and dataset.kind != "vectors":
        rows = [(dataset.kind, args.method, dataset.name)]
    elif args.command == "ablate":
        base, cell = known.ablations.of(dataset.name, args.cell)
        found |= {f"ablations.base.{dataset.name}": base, f"ablations.cells.{args.cell}": cell}
        rows = [("session", base.method, "")]
    elif args.command == "density" and dataset.name in known.density:
        found[f"density.{dataset.name}"] = known.density[dataset.name]
        rows = [("density", row, "") for row in known.density[dataset.name].methods]
    for kind, row, data in rows:
        found[f"{row} on {data or dataset.name}"] = [(one.params, one.source) for one in known.layers(kind, row, data)]
    return found
