"""The command line: ``emde data | methods | run | search | evaluate | compare | tables | verify | ...``.

Heavy packages are imported by the command that needs them, after the thread counts are set. With
``--json`` exactly one object goes to stdout; everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import cli_data, cli_options, cli_results, cli_search
from benchmark.cli_options import positive
from contracts.errors import UserError

if TYPE_CHECKING:
    from benchmark.run import Asked
    from benchmark.settings import Settings

Command = Callable[[argparse.Namespace], Any]
COMPUTING = ("run", "search", "ablate", "density", "figures", "illustrated", "site")
"""Commands whose numbers may depend on the number of threads."""


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else there")
    common.add_argument("--verbose", "-v", action="store_true", help="say more on stderr")
    common.add_argument("--threads", type=positive, help="threads to use (default: params.yaml's)")
    parser = argparse.ArgumentParser(
        prog="emde",
        description="Reproduce the experiments of EMDE (arXiv 2006.01894) and of its rivals.",
        epilog="Start with: make repro. EMDE_MIRROR=<folder or URL> is tried before the registered sources.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, handler: Command, text: str, within: Any = commands) -> argparse.ArgumentParser:
        child = within.add_parser(name, help=text, description=text, parents=[common])
        child.set_defaults(handler=handler)
        return child

    data = commands.add_parser("data", help="list, fetch, prepare, add, export data sets; show their statistics")
    cli_data.add_commands(data.add_subparsers(dest="part", required=True, metavar="PART"), add)

    add("methods", list_methods, "every method with its parameters, defaults and bounds")

    run = add("run", run_method, "fit one method on one split, rank, store the lists, print the metrics")
    run.add_argument("--data", required=True, metavar="NAME")
    run.add_argument("--split", metavar="SPLIT", help="0..4, published, cold-user, ...; suffix :valid; or all")
    run.add_argument("--method", required=True, metavar="NAME")
    run.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="override one parameter (YAML)")
    run.add_argument("--seed", type=int)
    run.add_argument("--final-fit", choices=("train", "train+valid"), help="cold users only (default: params.yaml's)")
    run.add_argument("--seeds", type=positive, default=1, metavar="N", help="repeat a seeded method with N seeds")
    run.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    run.add_argument("--sessions", type=positive, metavar="N", help="fit on so many most recent sessions only")
    run.add_argument("--out", type=Path, metavar="DIR", help="root of the run store (default: results/generated/runs)")

    cli_search.add_commands(add)

    evaluate = add("evaluate", evaluate_runs, "metrics of stored runs, from their ranked lists")
    evaluate.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR")
    evaluate.add_argument("--out", type=Path, metavar="FILE", help="also write the metrics there")

    density = add("density", run_density, "EMDE as a density estimator on a vector set")
    density.add_argument("--data", required=True, metavar="NAME")
    density.add_argument("--out", type=Path, metavar="FILE", help="also write the result there")

    cli_results.add_commands(add)

    profile = add("profile", choose_profile, "show or choose the profile that dvc repro runs")
    profile.add_argument("name", nargs="?", metavar="NAME")
    profile.add_argument("--check", action="store_true", help="fail if profile.yaml no longer matches params.yaml")

    add("doctor", run_doctor, "versions, cores, threads, bf16, GPU, disk, mirror, DVC and Prefect state")
    return parser


def list_methods(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.describe import describe_methods

    return {"methods": describe_methods()}


def asked_runs(args: argparse.Namespace) -> list[tuple[Settings, Asked, Path]]:
    """The arguments of ``benchmark.run.run`` for every split and seed that ``emde run`` is asked for."""
    from benchmark import settings
    from benchmark.data.registry import get
    from benchmark.data.root import project_root
    from benchmark.run import Asked, splits_of

    chosen = settings.load()
    out = args.out or project_root() / "results/generated/runs"
    overrides = cli_options.overrides(args.set)
    splits, kind = splits_of(args.data, args.split), get(args.data).kind
    seeds = [args.seed] if kind == "vectors" else chosen.seeds(kind, args.method, args.seed, args.seeds)
    return [
        (
            chosen,
            Asked(args.data, args.method, split, overrides, seed, args.device, args.final_fit, args.sessions),
            out,
        )
        for split, seed in product(splits, seeds)
    ]


def run_method(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.evaluate import evaluate
    from benchmark.run import run

    results = []
    for asked in asked_runs(args):
        folder = run(*asked)
        result = evaluate(folder)
        record = result["run"]
        kept = (
            "data", "split", "method", "params", "seed", "n_points", "approximate", "seconds", "peak_rss_mb",
            "peak_gpu_mb", "device",
        )  # fmt: skip
        shown = {name: record[name] for name in kept}
        parts = ("metrics", "intervals", "masked", "ties", "breakdown")
        results.append({**shown, **{name: result[name] for name in parts}, "run_dir": str(folder)})
    return results[0] if len(results) == 1 else {"runs": results}


def evaluate_runs(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.evaluate import evaluate_all

    results = evaluate_all(args.runs, args.out)
    return results[0] if len(results) == 1 else {"runs": results}


def run_density(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings
    from benchmark.density import density
    from benchmark.evaluate import write_json

    result = density(settings.load(), args.data)
    if args.out is not None:
        write_json(args.out, result)
    return result


def choose_profile(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import settings

    if args.name:
        return {"profile": args.name, "file": str(settings.write_profile(args.name))}
    name = settings.current_profile()
    path = settings.project_root() / settings.PROFILE_FILE
    if args.check and path.read_text(encoding="utf-8") != settings.profile_content(settings.load(), name):
        raise UserError(f"{path}: params.yaml changed since it was written; run: emde profile {name}")
    return {"profile": name, "known": list(settings.load().profiles)}


def run_doctor(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.doctor import examine

    return examine()


def configure(args: argparse.Namespace) -> None:
    """Threads and logging, before anything heavy is imported."""
    from benchmark.environment import set_threads
    from contracts.threads import VARIABLE

    count = args.threads
    if count is None and VARIABLE not in os.environ and args.command in COMPUTING:
        from benchmark import settings

        count = settings.load().threads
    set_threads(count)
    from benchmark.data.root import project_root

    os.environ.setdefault("EMDE_CACHE", str(project_root() / ".cache/vectors"))
    level = logging.DEBUG if args.verbose else logging.INFO
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("emde").setLevel(level)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``emde``; returns the exit status (0 fine, 1 not verified, 2 bad input, 130 interrupted)."""
    args = build_parser().parse_args(argv)
    try:
        configure(args)
        result = args.handler(args)
        if args.json:
            sys.stdout.write(json.dumps(result, default=str) + "\n")
        else:
            from benchmark.show import show

            show(args, result)
    except UserError as error:
        sys.stderr.write(f"emde: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("emde: interrupted\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 1 if args.command == "verify" and result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
