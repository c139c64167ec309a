"""The ablation grid of params/ablations.yaml: base models, cells that change one thing, factors that compare."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from benchmark.protocol.metric import Metric
from contracts import RANDOM, Source, UserError
from contracts.strict import Strict

Params = dict[str, Any]
K = 20
METRICS = tuple(str(Metric(name, K)) for name in ("P", "MRR", "MAP", "R", "HR"))
"""Of every cell: the paper's five."""
BASE = "base"
"""The cell that changes nothing, and the name of its modalities."""


class Base(Strict):
    """What every cell on one data set has in common."""

    method: str = "emde"
    split: str = Field("", description="a tuning split (default: the default split's)")
    sessions: int | None = Field(None, ge=1, description="fit on so many most recent train sessions only")
    points: int | None = Field(None, ge=1, description="rank about so many evaluation points only")
    seeds: int = Field(3, ge=1)
    params: Params = Field(default_factory=dict)
    modalities: dict[str, list[Params]] = Field(description="name -> modalities; cells choose among them by name")

    @model_validator(mode="after")
    def _complete(self) -> Base:
        if BASE not in self.modalities:
            raise ValueError(f"expected modalities named {BASE!r}")
        return self


class Change(Strict):
    """One change of the base model; with no training of its own where only decoders differ."""

    params: Params = Field(default_factory=dict)
    modalities: str = Field(BASE, description="which of the data's modalities")
    embedding: Params = Field(default_factory=dict, description="laid over every modality that has an embedding")
    decoders: list[str] = Field(default_factory=list, description="rank with each, same weights; default: the model's")


class AblationChoice(Strict):
    """Data sets and cells of a profile: every pair is trained."""

    data: list[str]
    cells: list[str] = Field(default_factory=list, description="default: all")


class Grid(Strict):
    """All of it. A level is a cell, or "cell/decoder"."""

    base: dict[str, Base] = Field(default_factory=dict, description="data set -> what its cells share")
    cells: dict[str, Change] = Field(default_factory=dict)
    factors: dict[str, dict[str, str]] = Field(default_factory=dict, description="factor -> label -> level")

    @model_validator(mode="after")
    def _known(self) -> Grid:
        for cell in self.cells:
            if not re.fullmatch(r"[\w-]+", cell):  # a stage and a key, where a dot would part it
                raise ValueError(f"cells: expected names of letters, digits, _ and -, found {cell!r}")
        for factor, levels in self.factors.items():
            for label, level in levels.items():
                cell, _, decoder = level.partition("/")
                if cell not in self.cells or (decoder and decoder not in self.cells[cell].decoders):
                    raise ValueError(f"factors.{factor}.{label}: expected a cell (or cell/decoder), found {level!r}")
        return self

    def of(self, data: str, cell: str) -> tuple[Base, Change]:
        """Base and cell; raises UserError that lists the known names."""
        for what, name, known in (("data set", data, self.base), ("cell", cell, self.cells)):
            if name not in known:
                raise UserError(
                    f"ablations: unknown {what} {name!r}; params/ablations.yaml declares: {', '.join(known)}"
                )
        return self.base[data], self.cells[cell]


def cell_files(folder: Path, data: str, cell: str) -> tuple[Path, Path]:
    """Where a cell's results (JSON) and its sums per session (Parquet) lie."""
    return folder / data / f"{cell}.json", folder / data / f"{cell}.parquet"


def parameters(base: Base, cell: Change) -> Params:
    """The model's parameters; raises UserError where the data has no such modalities."""
    if cell.modalities not in base.modalities:
        raise UserError(f"no {cell.modalities} modalities: the data offers {', '.join(base.modalities)}")
    modalities = [
        {**modality, **cell.embedding} if Source.parse(modality["group"]) != RANDOM else modality
        for modality in base.modalities[cell.modalities]
    ]
    return {**base.params, **cell.params, "modalities": modalities}
