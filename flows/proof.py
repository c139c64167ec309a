"""``python -m flows.proof [--renew]``: the default profile once more, in an empty folder, against the committed lock.

A clone of HEAD is run from nothing. On the processor of proof.json, with its torch, the clone's dvc.lock must be the
committed one; elsewhere its values must be those of proof.json within tolerances. With --renew both files are replaced
by what the clone made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.data.root import VARIABLE, project_root
from benchmark.report import proof
from contracts import UserError
from flows.repro import _say

OWN = ("EMDE_PROJECT", "EMDE_CACHE", VARIABLE)
"""Variables that would let the clone take something from here."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0; 1 where the clone made something else, 2 where it could not be made."""
    parser = argparse.ArgumentParser(prog="python -m flows.proof", description="the default profile, reproduced")
    parser.add_argument("--renew", action="store_true", help=f"take {proof.LOCK} and {proof.FILE} from the new run")
    args = parser.parse_args(argv)
    try:
        root = project_root()
        with TemporaryDirectory(prefix="emde-proof-") as temporary:
            return _prove(root, Path(temporary) / "clone", args.renew)
    except UserError as error:
        _say(str(error))
        return 2


def _prove(root: Path, clone: Path, renew: bool) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in OWN}
    environment["PYTHONPATH"] = str(clone)

    def run(*command: str) -> int:
        return subprocess.run(command, cwd=clone, env=environment).returncode

    clone.mkdir()
    if run("git", "clone", "--quiet", str(root), "."):
        raise UserError(f"{root}: expected a git repository to clone, found none")
    committed = Path(shutil.copy(clone / proof.LOCK, clone.parent))
    if run(sys.executable, "-m", "flows.repro"):
        raise UserError("the clone's run failed; its lines are above")
    if renew:
        proof.record(clone)
        for name in (proof.LOCK, proof.FILE):
            shutil.copy(clone / name, root / name)
        _say(f"{proof.LOCK} and {proof.FILE} are those of the new run: commit them")
        return 0
    if not proof.same_machine(clone):
        return run(sys.executable, "-m", "benchmark.cli", "verify", "--lock")
    lines = proof.stale(committed, clone / proof.LOCK)
    for line in lines:
        _say(line)
    _say(f"{proof.LOCK}: {len(lines) or 'no'} stages differ from the committed one")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
