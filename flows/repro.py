"""``python -m flows.repro [--profile NAME] [--workers N | --dask ADDRESS] [TARGET...]``: reproduce what is stale.

It takes the same writer lock as the flows of the UI, and chooses the profile under it. With one worker the
terminal is left to ``dvc repro``; with several, stale stages of one kind run together (flows.cells).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from benchmark import settings
from contracts import UserError
from flows import cells, dvc_stages, guard
from flows.cells import Cell, Crew
from flows.crew import hire
from flows.dvc_stages import Stage
from flows.processes import GRACE, environment

STDOUT = 1  # our own, whatever sys.stdout is replaced by


def main(argv: Sequence[str] | None = None) -> int:
    """Returns DVC's exit status; 1 for a stage that failed, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m flows.repro", description="dvc repro, one writer at a time")
    parser.add_argument("--profile", metavar="NAME", help="choose this profile first (default: the chosen one)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="cells at once on this machine")
    parser.add_argument("--dask", metavar="ADDRESS", help="run cells on the workers of this Dask scheduler")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="stages to reproduce (default: all)")
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f"--workers: expected 1 or more, found {args.workers}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with dvc_stages.writer("dvc repro on the command line", _say):
            profile = args.profile or settings.current_profile()
            dvc_stages.choose(profile)
            if args.workers == 1 and not args.dask:
                command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *args.targets]
                return _guarded(command)
            with hire(args.workers, args.dask, None) as crew:
                _together(profile, args.targets, crew)
            return 0
    except UserError as error:
        _say(str(error))
        return 1 if isinstance(error, dvc_stages.StageError) else 2
    except KeyboardInterrupt:
        return 130


def _guarded(command: Sequence[str]) -> int:
    """Run with our terminal; it ends with us, however that ends. Returns its exit status."""
    process = guard.start(command, grace=GRACE, cwd=settings.project_root(), env=environment(), output=STDOUT)
    try:
        return process.wait()
    finally:
        guard.stop(process, GRACE)


def _together(profile: str, targets: Sequence[str], crew: Crew) -> None:
    every = dvc_stages.stages()
    chosen = [stage for stage in every if not targets or stage.target in targets or stage.kind in targets]
    if not chosen:
        raise UserError(f"profile {profile} has no stage {', '.join(targets)}; dvc stage list shows them")

    def step(stage: Stage, stale: bool, cell: Cell | None) -> None:
        if not stale:
            return
        _say(stage.label)
        if cell is None:
            dvc_stages.repro(stage, lambda line: _say(f"{stage.label}: {line}"), crew.seconds)
        else:
            crew.run(cell, lambda line: _say(f"{stage.label}: {line}"))

    cells.execute(chosen, step, crew, _say)


def _say(line: str) -> None:
    sys.stderr.write(f"repro: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
