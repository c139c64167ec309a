"""``emde doctor``: what this machine and checkout look like, and what is wrong with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from benchmark.data import paths
from benchmark.data.root import project_root
from benchmark.experiments import environment, settings
from benchmark.experiments.profiles import DEFAULT, ROOT
from contracts import UserError, n_threads
from contracts.runtime.json import from_json

TOOLS = ("dvc", "prefect", "fastapi", "matplotlib", "py7zr", "scikit-learn", "pytest")


def examine() -> dict[str, Any]:
    """Everything a bug report needs; ``problems`` lists what would stop a run."""
    import torch

    from contracts.runtime.device import has_bf16

    root = project_root()
    disk = shutil.disk_usage(root)
    cuda = torch.cuda.is_available()
    report: dict[str, Any] = {
        **environment.describe(),
        "tools": {name: environment.package_version(name) for name in TOOLS},
        "threads": n_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "bf16": has_bf16(torch.device("cpu")),
        "gpu": torch.cuda.get_device_name(0) if cuda else None,
        "project": str(root),
        "data": str(paths.data_root()),
        "disk_free_gb": round(disk.free / 2**30, 1),
        "mirror": os.environ.get("EMDE_MIRROR"),
        "dvc": _dvc(root),
        "prefect_api": os.environ.get("PREFECT_API_URL", "ephemeral (no server configured)"),
    }
    report["problems"] = _problems(report)
    return report


def _dvc(root: Path) -> dict[str, Any]:
    """How many stages of the default profile dvc repro would run, and what names them."""
    state: dict[str, Any] = {"profile": DEFAULT}
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json", ROOT], cwd=root, capture_output=True, text=True
    )
    if status.returncode != 0:
        return {**state, "stale": None, "note": (status.stderr.strip().splitlines() or ["dvc status failed"])[-1]}
    stale = from_json(status.stdout or "{}", "dvc status")
    return {**state, "stale": len(stale), "stages": f"dvc status {ROOT}"}


def _problems(report: dict[str, Any]) -> list[str]:
    problems = []
    if report["disk_free_gb"] < 5:
        problems.append(f"only {report['disk_free_gb']} GB of disk are free; expected at least 5")
    mirror = report["mirror"]
    if mirror and "://" not in mirror and not Path(mirror).is_dir():
        problems.append(f"EMDE_MIRROR={mirror}: expected a folder or URL, found no such folder")
    missing = [name for name in ("dvc", "prefect") if report["tools"][name] is None]
    if missing:
        problems.append(f"not installed: {', '.join(missing)} (make setup installs everything)")
    try:
        settings.load()
    except UserError as error:
        problems.append(str(error))
    return problems
