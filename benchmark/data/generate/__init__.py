"""Data with a known truth, written in the exact raw formats of real data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.data import paths, registry
from benchmark.data.generate import digits, ratings, sessions
from benchmark.data.registry import Dataset
from contracts import UserError

GENERATORS = {"sessions": sessions, "ratings": ratings, "digits": digits}
TRUTH = "truth.csv"
VERSION = 2
"""Grows when the same parameters would give other files."""


def generate(dataset: Dataset, folder: Path) -> None:
    """Write the raw files of a generated data set into ``folder``.

    The parameters are the registry's ``options.generate``; one Generator, seeded there, makes every
    random choice. Raises UserError for an unknown or impossible parameter.
    """
    module = GENERATORS[dataset.generator or ""]
    given = dataset.options.get("generate", {})
    unknown = set(given) - set(module.Parameters.model_fields)
    if unknown:
        raise UserError(f"{dataset.name}: unknown generator parameter '{unknown.pop()}'")
    module.write(module.Parameters(**given), folder)


def load_truth(name: str) -> dict[str, np.ndarray]:
    """What the generator knew of each item: column -> values [items], raw ids under ``item``.

    x, y are positions on the latent torus [0, 1)^2; cluster is the latent cluster.
    Raises UserError for data without a known truth.
    """
    path = paths.raw_dir(name) / TRUTH
    if registry.get(name).generator is None or not path.exists():
        raise UserError(f"{path}: {name} has no known truth here; run: emde data fetch {name}")
    frame = pd.read_csv(path)
    return {column: frame[column].to_numpy() for column in frame.columns}
