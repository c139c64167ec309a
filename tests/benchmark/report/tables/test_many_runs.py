"""Ten thousand runs: 2,000 cells of five slices, with records, metrics and values per session."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from benchmark.experiments import settings
from benchmark.experiments.headline import EVALUATION, UNITS
from benchmark.report.tables import render
from benchmark.report.tables.build import build
from benchmark.report.tables.declaration import BlockDeclaration, Declaration
from benchmark.report.tables.verdict import Tolerance
from tests.benchmark.report.tables.conftest import measured

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
        by_hand(folder / "cells" / data / "m0" / EVALUATION)
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
    results = build(declared, measured(folder), settings.load(), "sample", {})
    render.write_all(results, tmp_path / "out")
    seconds = time.process_time() - began
    assert len(results.runs) == 10_000
    assert sum(len(block.rows) for table in results.tables for block in table.blocks) == 2000
    assert all(row.cells[0].test for table in results.tables for row in table.blocks[0].rows[1:])
    assert seconds < LIMIT, f"{seconds:.1f} s"


def by_hand(path: Path) -> None:
    """No parameter file has these methods: their runs are as of the command line, and not stale."""
    path.write_text(path.read_text().replace('"params_source": "a test"', '"params_source": "command line"'))


def copy(folder: Path, data: str, i: int) -> None:
    """Another method with the same numbers."""
    source, target = (folder / f"cells/{data}/m{n}" for n in (0, i))
    target.mkdir()
    text = (source / EVALUATION).read_text().replace('"method": "m0"', f'"method": "m{i}"')
    (target / EVALUATION).write_text(text)
    shutil.copyfile(source / UNITS, target / UNITS)
