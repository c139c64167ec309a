"""``emde run`` in several processes that train one EMDE together (``emde.parallel``).

torchrun --nproc-per-node 2 -m benchmark.parallel --data rsc15-100k --method emde [options of emde run]

Every process takes its rows of every batch; the learning curve is that of one process. Process 0 ranks, evaluates and
writes what ``emde run`` writes; the others only fit. On GPUs each process takes one for itself. Several hosts:
torchrun's own options (--nnodes, --rdzv-endpoint); all must see the same data and code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from benchmark import cli
from benchmark.data.registry import get
from benchmark.methods import find
from contracts import UserError


def main(words: Sequence[str] | None = None) -> int:
    """Entry point of every process; the exit status of ``emde run``."""
    asked = ["run", *(sys.argv[1:] if words is None else words)]
    args = cli.build_parser().parse_args(asked)
    cli.configure(args)
    try:
        join(args.data, args.method)
        return _work(asked, args)
    except UserError as error:
        sys.stderr.write(f"emde: {error}\n")
        return 2


def _work(asked: Sequence[str], args: argparse.Namespace) -> int:
    import torch.distributed as dist

    from benchmark.run import fit_only
    from emde import parallel

    try:
        if parallel.rank() == 0:
            return cli.main(asked)
        for arguments in cli.asked_runs(args):
            fit_only(*arguments)
        return 0
    finally:
        dist.destroy_process_group()


def join(data: str, method: str) -> None:
    """Meet the other processes; raises UserError outside torchrun and for methods that do not train so."""
    if "WORLD_SIZE" not in os.environ:
        raise UserError("expected to be started by torchrun: torchrun --nproc-per-node 2 -m benchmark.parallel ...")
    import torch
    import torch.distributed as dist

    from benchmark import settings
    from emde.model import SketchModel

    kind = get(data).kind
    base = settings.load().base(kind, method) if kind != "vectors" else method
    if kind == "vectors" or not issubclass(find(kind, base), SketchModel):
        raise UserError(f"--method: expected an EMDE with a network for training in parallel, found {method}")
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")


if __name__ == "__main__":
    sys.exit(main())
