"""scikit-learn's load_digits as a csv file: ``label,p0..p63``, values 0..16."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from contracts.strict import Strict


class DigitSettings(Strict):
    """The digits are as shipped with scikit-learn; there is nothing to choose."""


def write(parameters: DigitSettings, folder: Path) -> None:
    """Write digits.csv."""
    from sklearn.datasets import load_digits  # slow to import, needed only here

    digits = load_digits()
    table = np.column_stack([digits.target, digits.data.astype(int)])
    header = ",".join(["label", *(f"p{column}" for column in range(digits.data.shape[1]))])
    np.savetxt(folder / "digits.csv", table, fmt="%d", delimiter=",", header=header, comments="")
