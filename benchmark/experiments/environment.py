"""What a run was made with: code, packages, machine, and what it cost."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from contracts.runtime.threads import VARIABLE, n_threads

PACKAGES = (
    "numpy", "scipy", "pandas", "pyarrow", "numba", "torch", "pycleora", "faiss-cpu", "implicit", "pydantic",
    "safetensors",
)  # fmt: skip
LIBRARY_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def set_threads(count: int | None) -> None:
    """Fix the number of threads of this process, in libraries loaded already and in those to come."""
    if count is not None:
        os.environ[VARIABLE] = str(count)
    for name in LIBRARY_THREADS:
        os.environ[name] = str(n_threads())
    # waiting threads sleep: spinning ones slow training several times where cores are shared
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # PyTorch then asks for huge pages: a training step that touches gigabytes faults on few of them
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    threadpool_limits(n_threads())


def package_version(name: str) -> str | None:
    """Installed version or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def code_version() -> str:
    """The commit of this checkout, ``+dirty`` where tracked files differ from it.

    Not counted: dvc.lock and the recorded checksums, which runs themselves write.
    """
    root = Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=20)
        status = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock", ":!*/checksums.lock.json"],
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    if head.returncode != 0:
        return "unknown"
    return head.stdout.strip() + ("+dirty" if status.stdout.strip() else "")


def describe() -> dict[str, Any]:
    """Code version, package versions and machine, for run.json."""
    return {
        "code": code_version(),
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": processor(), "cores": os.cpu_count()},
        "threads": n_threads(),
    }


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, MiB."""
    try:  # ru_maxrss starts at the parent's peak; the kernel's own mark is this program's alone
        with open("/proc/self/status", encoding="utf-8") as stream:
            return round(next(int(line.split()[1]) for line in stream if line.startswith("VmHWM")) / 1024, 1)
    except (OSError, StopIteration):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def peak_gpu_mb() -> float | None:
    """Largest memory allocated on the GPU by this process, MiB; None where no GPU was used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return round(torch.cuda.max_memory_allocated() / (1 << 20), 1)


@contextmanager
def timed(into: dict[str, float], name: str) -> Iterator[None]:
    """Record wall seconds under ``name`` and processor seconds under ``name_cpu``."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into[name] = round(time.perf_counter() - wall, 3)
    into[f"{name}_cpu"] = round(time.process_time() - cpu, 3)
