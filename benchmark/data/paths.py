"""Where data lives: ``data/raw/<name>`` and ``data/prepared/<name>/<split>`` under one root."""

from __future__ import annotations

from pathlib import Path

from benchmark.data import registry
from benchmark.data.root import data_root


def raw_dir(name: str) -> Path:
    """The folder of a data set's raw files; raises UserError for an unknown name."""
    return data_root() / "raw" / registry.get(name).name


def prepared_dir(name: str) -> Path:
    """The folder of a data set's prepared splits; raises UserError for an unknown name."""
    return data_root() / "prepared" / registry.get(name).name


def split_dir(name: str, split: str) -> Path:
    """The folder of one split; ``published:valid`` lives in ``published.valid``."""
    return prepared_dir(name) / split.replace(":", ".")
