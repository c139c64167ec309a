"""``python -m flows.repro [--profile NAME] [--workers N | --dask ADDRESS] [TARGET...]``: reproduce what is stale.

It takes the same writer lock as the flows of the UI. With one worker everything is left to ``dvc repro``; with several,
stale stages of one kind run together (flows.cells). At the end it says in a few lines what was up to date, ran, failed.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence

from benchmark.experiments import settings
from benchmark.experiments.profiles import DEFAULT, profile_folder
from benchmark.speed import plan
from contracts import UserError
from flows import cells, dvc_stages
from flows.cells import Crew, Outcome
from flows.crew import hire
from flows.dvc_stages import Stage
from flows.processes import StageError, live

NOISE = re.compile(
    r"didn't change, skipping|^To track the changes with git|^\tgit add|^To enable auto staging|config core.autostage"
    r"|^Use `dvc push`|^Updating lock file|^Generating lock file"
    r"|^metric +value|^run: |^[A-Z]\w*(@\d+)?(\(\w+\))? +\d\.\d{4}( |$)"
)
"""Lines that say nothing about what ran, and metrics of single runs: the tables have them."""
LONG = 2e7
"""Training examples from which on this machine is measured first: a minute or two, before hours."""
WORKERS = min(2, os.cpu_count() or 1)
"""A cell of the generated data keeps little more than one core busy."""
OF_DVC = re.compile(r"ERROR: failed to |WARNING: (failed to run|Stages? .* will be skipped)")
"""What it says after a stage's own last line."""
RUNNING = re.compile(r"^Running stage '(.+)':")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0; 1 where a stage failed, 2 for bad input, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m flows.repro", description="dvc repro, one writer at a time")
    parser.add_argument("--profile", default=DEFAULT, metavar="NAME", help=f"default: {DEFAULT}")
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="N",
                        help=f"cells at once on this machine (default here: {WORKERS})")  # fmt: skip
    parser.add_argument("--dask", metavar="ADDRESS", help="run cells on the workers of this Dask scheduler")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="names or kinds of stages (default: all)")
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f"--workers: expected 1 or more, found {args.workers}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with dvc_stages.writer("dvc repro on the command line", _say):
            chosen = _chosen(args.profile, args.targets)
            stale = dvc_stages.stale(chosen, _say)
            if stale:
                _announce(args.profile)
            if not stale:
                outcome = Outcome(chosen)
            elif args.workers == 1 and not args.dask:
                outcome = _by_dvc(chosen, stale)
            else:
                with hire(args.workers, args.dask, None) as crew:
                    outcome = _by_crew(chosen, stale, crew)
            dvc_stages.costs(args.profile, bool(outcome.ran), _say)
        return _report(args.profile, outcome)
    except UserError as error:
        _say(str(error))
        return 1 if isinstance(error, StageError) else 2
    except KeyboardInterrupt:
        return 130


def _announce(profile: str) -> None:
    """What is to come; raises UserError, before anything runs, where parameters ask what the data do not offer."""
    known = settings.load()
    settings.check_offered(known, profile)
    estimate = plan.plan(known, profile, calibrate=False)
    if estimate["examples"] > LONG:
        estimate = plan.plan(known, profile)
    for line in plan.lines(estimate):
        _say(line)


def _chosen(profile: str, targets: Sequence[str]) -> list[Stage]:
    every = dvc_stages.stages(profile)
    chosen = [stage for stage in every if not targets or {stage.target, stage.name, stage.kind} & set(targets)]
    if not chosen:
        raise UserError(f"profile {profile} has no stage {', '.join(targets)}; dvc stage list --all shows them")
    return chosen


def _by_dvc(chosen: Sequence[Stage], stale: set[Stage]) -> Outcome:
    """``dvc repro`` on all of them; what it could not make is then made from what there is, where that is possible."""
    known = {stage.target: stage for stage in _evaluated_at_once(chosen)}
    started: dict[Stage, str] = {}  # with its last line

    def follow(line: str) -> None:
        if (stage := RUNNING.match(line)) and stage[1] in known:
            started[known[stage[1]]] = "failed"
        elif started and line.strip() and not OF_DVC.match(line):
            started[list(started)[-1]] = line.strip()
        if not NOISE.search(line):
            _say(line)

    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--keep-going", *known]
    status, tail = live(command, follow)
    outcome = Outcome(chosen, ran=set(started))
    if status == 0:
        return outcome
    left = dvc_stages.stale(chosen, _say)
    outcome.failed = {stage: StageError(line) for stage, line in started.items() if stage in left}
    outcome.ran -= outcome.failed.keys()
    if not outcome.failed:
        raise StageError(f"dvc repro failed with exit status {status}; last lines:\n{tail}")
    outcome.without = (left | stale) - outcome.failed.keys() - outcome.ran
    for group in dvc_stages.by_kind(outcome.without).values():
        for stage in group:
            if stage.kind in cells.FROM_WHAT_THERE_IS:
                dvc_stages.partly(stage, _say, outcome.last_lines)
    return outcome


def _evaluated_at_once(chosen: Sequence[Stage]) -> list[Stage]:
    """The stages as ``dvc repro`` is to take them: the evaluation of a cell after its run, not after all runs."""
    after = {path: stage for stage in chosen if stage.kind == "evaluate" for path in stage.ins}
    order: list[Stage] = []
    for stage in chosen:
        order.append(stage)
        order += [after[path] for path in stage.outs if stage.kind == "run" and path in after]
    return list(dict.fromkeys(order))


def _by_crew(chosen: Sequence[Stage], stale: set[Stage], crew: Crew) -> Outcome:
    def step(stage: Stage, is_stale: bool, together: bool) -> None:
        if not is_stale:
            return
        _say(stage.label)
        run = crew.run if together else lambda stage, log: dvc_stages.repro(stage, log, crew.seconds)
        run(stage, lambda line: None if NOISE.search(line) else _say(f"{stage.label}: {line}"))

    return cells.execute(chosen, step, crew, _say, stale)


def _report(profile: str, outcome: Outcome) -> int:
    for stage, error in outcome.failed.items():
        _say(f"{stage.label} failed: {str(error).splitlines()[-1]}")
    for line in outcome.summary.splitlines():
        _say(line)
    for page in (profile_folder(profile) / "site/index.html", profile_folder(profile) / "tables/index.html"):
        if page.is_file():
            _say(f"page: {page}")
            break
    return 1 if outcome.failed else 0


def _say(line: str) -> None:
    sys.stderr.write(f"repro: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
