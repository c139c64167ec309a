"""The command line: ``emde data | methods | run | search | evaluate | compare | tables | verify | ...``.

Heavy packages are imported by the command that needs them, after the thread counts are set. With
``--json`` exactly one object goes to stdout; everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli import data_commands, list_commands, options, pipeline_commands, result_commands, search_commands
from benchmark.cli.examples import EXAMPLES
from benchmark.cli.options import positive
from contracts.errors import UserError
from contracts.runtime.files import CannotWrite

if TYPE_CHECKING:
    from benchmark.experiments.run import Asked
    from benchmark.experiments.settings import Settings

Command = Callable[[argparse.Namespace], Any]
COMPUTING = ("run", "search", "ablate", "density", "figures", "illustrated", "site", "costs", "verify")
"""Commands whose numbers may depend on the number of threads."""


class Version(argparse.Action):
    """Print the version and the commit of the code, and stop."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from benchmark.experiments.environment import code_version, package_version

        commit, dirty, changed = code_version().partition("+")
        version = package_version("emde-suite") or "not installed"
        sys.stdout.write(f"emde {version} ({commit[:12]}{dirty}{changed})\n")
        parser.exit()


class Help(argparse.HelpFormatter):
    """Help whose last line, the example, can be copied: it is never broken."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("example: ") else super()._fill_text(text, width, indent)


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else there")
    common.add_argument("--verbose", "-v", action="store_true", help="say more on stderr")
    common.add_argument("--threads", type=positive, help="threads to use (default: params.yaml's)")
    parser = argparse.ArgumentParser(
        prog="emde",
        description="Reproduce the experiments of EMDE (arXiv 2006.01894) and of its baselines.",
        epilog="Start with: make repro. EMDE_MIRROR=<folder or URL> is tried before the registered sources.",
    )
    parser.add_argument("--version", action=Version, nargs=0, help="the suite's version and commit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, handler: Command, text: str, within: Any = commands) -> argparse.ArgumentParser:
        example = EXAMPLES[name if within is commands else f"data {name}"]
        child = within.add_parser(
            name, help=text, description=text, epilog=f"example: {example}", parents=[common], formatter_class=Help
        )
        child.set_defaults(handler=handler)
        return child

    data = commands.add_parser("data", help="list, fetch, prepare, add, export data sets; show their statistics")
    data_commands.add_commands(data.add_subparsers(dest="part", required=True, metavar="PART"), add)

    methods = add("methods", list_methods, "every method with its parameters, defaults and bounds")
    methods.add_argument("--out", type=Path, metavar="FILE", help="write them there, as JSON, and print no list")

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
    run.add_argument("--keep-model", action="store_true", help="keep the fitted model beside the lists")
    run.add_argument("--out", type=Path, metavar="DIR", help="root of the run store (default: results/generated/runs)")
    options.add_costs(run)
    run.add_argument(
        "--resume", action="store_true",
        help="with --out: finished runs of the same code, data and parameters stay, all others in DIR are removed",
    )  # fmt: skip

    list_commands.add_commands(add)
    search_commands.add_commands(add)

    evaluate = add("evaluate", evaluate_runs, "metrics of stored runs, from their ranked lists")
    evaluate.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR")
    evaluate.add_argument("--out", type=Path, metavar="DIR", help="also write evaluation.json, metrics.json, ... there")
    options.add_costs(evaluate)

    density = add("density", run_density, "EMDE as a density estimator on a vector set")
    density.add_argument("--data", required=True, metavar="NAME")
    density.add_argument("--out", type=Path, metavar="FILE", help="also write the result there")
    options.add_costs(density)

    result_commands.add_commands(add)

    pipeline_commands.add_commands(add)
    add("doctor", run_doctor, "versions, cores, threads, bf16, GPU, disk, mirror, DVC and Prefect state")
    return parser


def list_methods(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import settings
    from benchmark.experiments.describe import describe_methods, describe_rows
    from contracts.runtime.json import write_json

    described = {"methods": describe_methods(), "rows": describe_rows(settings.load().methods)}
    return described if args.out is None else {"written": str(write_json(args.out, described))}


def asked_runs(args: argparse.Namespace) -> list[tuple[Settings, Asked, Path]]:
    """The arguments of ``benchmark.experiments.run.run`` for every split and seed that ``emde run`` is asked for."""
    from benchmark.data.registry import get
    from benchmark.data.root import project_root
    from benchmark.experiments import settings
    from benchmark.experiments.run import Asked, splits_of

    chosen = settings.load()
    out = args.out or project_root() / "results/generated/runs"
    overrides = options.overrides(args.set)
    splits, kind = splits_of(args.data, args.split), get(args.data).kind
    seeds = [args.seed] if kind == "vectors" else chosen.seeds(kind, args.method, args.seed, args.seeds)
    return [
        (
            chosen,
            Asked(args.data, args.method, split, overrides, seed, args.device, args.final_fit, args.sessions,
                  args.keep_model),
            out,
        )
        for split, seed in product(splits, seeds)
    ]  # fmt: skip


def run_method(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import costs, environment, run_store
    from benchmark.experiments.evaluate import evaluate
    from benchmark.experiments.run import run

    if args.resume and args.out is None:
        raise UserError("--resume: expected --out DIR with it, found none")
    results = []
    folders = [run(*request, args.costs, args.resume) for request in asked_runs(args)]
    if args.resume:
        run_store.keep_only(args.out, folders)
    for folder in folders:
        result = costs.evaluated([evaluate(folder)], args.costs or folder)[0]
        record = result["run"]
        kept = (
            "data", "split", "method", "params", "seed", "n_points", "approximate", "seconds", "peak_rss_mb",
            "peak_gpu_mb", "device",
        )  # fmt: skip
        shown = {name: record[name] for name in kept} | {"peak_rss_mb": environment.peak_rss_mb()}
        parts = ("metrics", "intervals", "masked", "ties", "breakdown")
        results.append({**shown, **{name: result[name] for name in parts}, "run_dir": str(folder)})
    return results[0] if len(results) == 1 else {"runs": results}


def evaluate_runs(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import costs
    from benchmark.experiments.evaluate import evaluate_all
    from benchmark.report.recorded import require_recorded

    if args.out is not None:
        require_recorded(args.out)
    places = [args.costs] if args.costs else args.runs
    results = costs.evaluated(evaluate_all(args.runs, args.out, args.costs), *places)
    return results[0] if len(results) == 1 else {"runs": results}


def run_density(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.experiments import costs, settings
    from benchmark.experiments.density import density
    from contracts.runtime.json import write_json

    result = density(settings.load(), args.data)
    if args.out is not None:
        write_json(args.out, costs.write(result, args.costs))
    return result


def run_doctor(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.cli.doctor import examine

    return examine()


def configure(args: argparse.Namespace) -> None:
    """Threads and logging, before anything heavy is imported."""
    from benchmark.experiments.environment import set_threads
    from contracts.runtime.threads import VARIABLE

    count = args.threads
    if count is None and VARIABLE not in os.environ and args.command in COMPUTING:
        from benchmark.experiments import settings

        count = settings.load().threads
    set_threads(count)
    from benchmark.data.root import project_root

    os.environ.setdefault("EMDE_CACHE", str(project_root() / ".cache"))
    level = logging.DEBUG if args.verbose else logging.INFO
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("emde").setLevel(level)


REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}
"""What a full disk or a place that may not be written to answers."""


def remedy(error: UserError, args: argparse.Namespace) -> str:
    """Of a file that cannot be written: the variable or option that moves it elsewhere."""
    if not isinstance(error, CannotWrite):
        return ""
    from benchmark.data.root import PROJECT, VARIABLE, data_root, project_root

    out = getattr(args, "out", None)
    if out is not None and error.path.absolute().is_relative_to(Path(out).absolute()):
        return "; --out names another place"
    cache = Path(os.environ.get("EMDE_CACHE") or os.devnull)
    for folder, variable in ((data_root(), VARIABLE), (cache, "EMDE_CACHE"), (project_root(), PROJECT)):
        if error.path.absolute().is_relative_to(folder.absolute()):
            what = "checkout" if variable == PROJECT else "folder"
            return f"; {variable} names another {what}"
    return ""


def work(args: argparse.Namespace) -> Any:
    """Run the command; where parameters decide its result, they must be the same when it ends."""
    from benchmark.experiments.unchanged import COMMANDS, unchanged

    if args.command not in COMMANDS:
        return args.handler(args)
    with unchanged(args):
        return args.handler(args)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``emde``; returns the exit status (0 fine, 1 not verified, 2 bad input, 130 interrupted)."""
    args = build_parser().parse_args(argv)
    try:
        configure(args)
        result = work(args)
        if args.json:
            from contracts.runtime.json import to_json

            sys.stdout.write(to_json(result, other=str) + "\n")
        else:
            from benchmark.cli.show import show

            show(args, result)
    except UserError as error:
        sys.stderr.write(f"emde: {error}{remedy(error, args)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("emde: interrupted\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        refused = CannotWrite(Path(error.filename or "."), "there", error)
        sys.stderr.write(f"emde: {refused}{remedy(refused, args)}\n")
        return 2
    failed = (args.command == "verify" and result["failed"]) or (
        args.command == "pipeline" and result.get("would change")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
