"""The declared tables: one strictly checked YAML file each. They drive the checker, the documents and the site."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from benchmark.data import registry
from benchmark.report.tables.verdict import Tolerance
from contracts import UserError
from contracts.errors import invalid
from contracts.strict import Strict

FOLDER = Path(__file__).with_name("declared")
RUN, PUBLISHED = "@run", "@published"
"""As a row: every other method that was run (or is in the profile), or that the expected origins publish."""


class BlockDeclaration(Strict):
    """One data set of a table."""

    data: str
    label: str = Field("", description="the paper's name of the data set; default: its own")
    split: str = Field("", description="default: the data set's default protocol")
    rows: list[str] = Field(default_factory=list, description="methods in order; default: the table's")
    timed_out: list[str] = Field(default_factory=list, description="rows that the source reports as timed out")
    required: list[str] = Field(default_factory=list, description="rows that must be reproduced (emde verify)")
    tolerance: Tolerance | None = Field(None, description="default: the table's")
    results_of: dict[str, str] = Field(default_factory=dict, description="row -> measured method that stands for it")
    incomparable: str = Field("", description="why published values may not be compared with ours")
    masked: bool = Field(False, description="the lists without the items that the user dislikes")


class Declaration(Strict):
    """One table: rows, data, protocol, metrics, expected source, tolerance."""

    id: str
    title: str
    kind: Literal["ranking", "density", "ablation", "parameters"]
    source: str = Field(description="publication and table")
    about: str = Field("", description="what a reader must know, shown with the table")
    expected: list[str] = Field(default_factory=list, description="origins of expected values, the first known wins")
    metrics: list[str] = Field(min_length=1)
    rows: list[str] = Field(default_factory=list)
    against: str | None = Field(None, description="the reference row of the paired tests")
    tolerance: Tolerance
    blocks: list[BlockDeclaration] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_exist(self) -> Declaration:
        for block in self.blocks:
            rows = block.rows or self.rows
            if not rows:
                raise ValueError(f"block {block.data}: expected rows, in the block or for the whole table")
            named = (*block.required, *block.timed_out, *block.results_of)
            stray = [name for name in named if name not in rows]
            if stray and not {RUN, PUBLISHED} & set(rows):
                raise ValueError(f"block {block.data}: {', '.join(stray)} is not among its rows")
        return self


def read(path: Path) -> Declaration:
    """One declaration; raises UserError naming the file, the field, expected and found."""
    try:
        declared = Declaration.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: expected the declaration of a table: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: expected valid YAML, found {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        raise invalid(str(path), error, whole="the table") from None
    if declared.id != path.stem:
        raise UserError(f"{path}: id: expected the file's name {path.stem!r}, found {declared.id!r}")
    known = registry.names()
    for number, block in enumerate(declared.blocks):
        if block.data not in known:
            raise UserError(f"{path}: blocks.{number}.data: expected a known data set, found {block.data!r}")
        splits = registry.get(block.data).all_splits
        if block.split and block.split not in splits:
            expected = ", ".join(splits)
            raise UserError(f"{path}: blocks.{number}.split: expected one of: {expected}; found {block.split!r}")
    return declared


@cache
def declarations(folder: Path = FOLDER) -> dict[str, Declaration]:
    """Every declared table by its id: the paper's first, by number."""
    tables = [read(path) for path in folder.glob("*.yaml")]
    return {table.id: table for table in sorted(tables, key=lambda t: (not t.id.isdigit(), t.id.zfill(3)))}


def expand(rows: Sequence[str], meanings: dict[str, list[str]]) -> list[str]:
    """Row names with ``@run`` and ``@published`` replaced by what they mean, each name once."""
    out: dict[str, None] = {}
    for name in rows:
        out.update(dict.fromkeys(meanings.get(name, [name])))
    return list(out)


def splits_of(block: BlockDeclaration) -> list[str]:
    """The splits whose mean a block shows."""
    dataset = registry.get(block.data)
    if block.split:
        return [block.split]
    return list(dataset.splits) if len(dataset.splits) > 1 else [dataset.default_split]
