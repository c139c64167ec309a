"""What is fair: data, splits, evaluation points, metrics, runs and tables.

The few names a script needs are here; each is imported when it is first used, so that the command
line starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "evaluate_all": "benchmark.experiments.evaluate",
    "evaluation_points": "benchmark.protocol.points",
    "fetch": "benchmark.data.fetch",
    "latex_table": "benchmark.report.tables.make",
    "load_model": "benchmark.experiments.recommend",
    "load_split": "benchmark.data.load",
    "per_point": "benchmark.protocol.session_metrics",
    "per_user": "benchmark.protocol.topk_metrics",
    "points_of": "benchmark.protocol.points",
    "prepare": "benchmark.data.prepare",
    "recommend": "benchmark.experiments.recommend",
    "results": "benchmark.report.frame",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'benchmark' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
