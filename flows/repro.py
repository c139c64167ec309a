"""``python -m flows.repro [--profile NAME] [TARGET...]``: ``dvc repro`` that queues with the flows of the UI.

It takes the same writer lock, chooses the profile under it, and leaves the terminal to DVC.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from benchmark import settings
from contracts import UserError
from flows import dvc_stages


def main(argv: Sequence[str] | None = None) -> int:
    """Returns DVC's exit status; 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m flows.repro", description="dvc repro, one writer at a time")
    parser.add_argument("--profile", metavar="NAME", help="choose this profile first (default: the chosen one)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="stages to reproduce (default: all)")
    args = parser.parse_args(argv)
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *args.targets]
    try:
        with dvc_stages.writer("dvc repro on the command line", _say):
            dvc_stages.choose(args.profile or settings.current_profile())
            return subprocess.call(command, cwd=settings.project_root(), env=dvc_stages.environment())
    except UserError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130


def _say(line: str) -> None:
    sys.stderr.write(f"repro: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
