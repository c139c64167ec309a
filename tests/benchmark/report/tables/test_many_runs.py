"""Ten thousand runs: 2,000 cells of five slices, with records, metrics and values per session."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from benchmark import settings
from benchmark.tables import render
from benchmark.tables.build import build
from benchmark.tables.declaration import BlockDeclaration, Declaration
from benchmark.tables.measured import Measured
from benchmark.tables.verdict import Tolerance

DATA = ("retail", "digi", "rsc15", "30mu", "aotm", "nowp", "sample-sessions", "rsc15-100k")
METHODS, LIMIT = 250, 20.0
"""Methods on each of eight data sets; processor seconds that the tables may take."""


@pytest.mark.slow
def test_tables_of_ten_thousand_runs(write_cell, tmp_path) -> None:
    declared = []
    for data in DATA:
        splits = ["published"] if data == "rsc15-100k" else [str(i) for i in range(5)]
        seeds = range(5) if data == "rsc15-100k" else (0,)
        folder = write_cell(data, "m0", {(split, seed): 0.3 for split in splits for seed in seeds})
        for i in range(1, METHODS):
            copy(folder, data, i)
        declared.append(
            Declaration(
                id=data,
                title=data,
                kind="ranking",
                source="s",
                metrics=["MRR@20", "HR@20", "R@20"],
                rows=["@run"],
                against="m0",
                tolerance=Tolerance(absolute=0.001, close=0.05),
                blocks=[BlockDeclaration(data=data)],
            )
        )
    began = time.process_time()
    results = build(declared, Measured([folder]), settings.load(), "sample", {})
    render.write_all(results, tmp_path / "out")
    seconds = time.process_time() - began
    assert len(results.runs) == 10_000
    assert sum(len(block.rows) for table in results.tables for block in table.blocks) == 2000
    assert all(row.cells[0].test for table in results.tables for row in table.blocks[0].rows[1:])
    assert seconds < LIMIT, f"{seconds:.1f} s"


def copy(folder: Path, data: str, i: int) -> None:
    """Another method with the same numbers."""
    for suffix in ("json", "parquet"):
        source, target = (folder / f"metrics/{data}--m{n}.{suffix}" for n in (0, i))
        if suffix == "json":
            target.write_text(source.read_text().replace('"method": "m0"', f'"method": "m{i}"'))
        else:
            shutil.copyfile(source, target)
