"""The whole sample profile in a fresh copy: every table, every kind of figure, the site; as the committed lock says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmark.report import proof
from tests.flows.chaos import ROOT, copy, environment

TABLES = ("1", "2", "3", "4", "5", "6", "7")  # 10 holds settings of the paper's own data


def undeclared(folder: Path, stage: str) -> set[str]:
    """Results that a stage's command reads though its entry of dvc.yaml does not name them."""
    entry = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"][stage]
    outs = [out if isinstance(out, str) else next(iter(out)) for out in entry["outs"]]
    named = [folder / path for path in entry["deps"] + outs]
    report = folder / f".cache/{stage}.txt"
    _, _, *arguments = entry["cmd"].split()
    subprocess.run(
        [sys.executable, "-m", "tests.flows.opened", str(report), *arguments],
        cwd=folder, env=environment(folder), check=True, capture_output=True,
    )  # fmt: skip
    read = [folder / line for line in report.read_text().splitlines() if line.startswith("results/")]
    whole = [path for path in read if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return {str(path) for path in whole if not any(path.is_relative_to(one) for one in named)}


@pytest.mark.slow
def test_the_sample_profile_makes_every_table_figure_and_page(tmp_path: Path):
    folder = copy(tmp_path)

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=folder, env=environment(folder), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
        return done.stdout

    command("flows.repro", "--profile", "sample", "--workers", "2")
    made = folder / "results/generated/profiles/sample"
    results = json.loads((made / "tables/results.json").read_text())
    for table in results["tables"]:
        if table["id"] in TABLES:
            ours = [cell["ours"] for block in table["blocks"] for row in block["rows"] for cell in row["cells"]]
            assert any(value is not None for value in ours), table["id"]
    for kind in ("md", "csv", "tex"):
        assert (made / f"tables/tables.{kind}").stat().st_size > 1000
    figures = {path.stem for path in (made / "figures").glob("*.pdf")}
    assert figures == {path.stem for path in (made / "figures").glob("*.png")}
    shown = {name.rpartition("-")[2] for name in figures}
    of_tables = {"k", "groups", "learning", "slices", "differences"}
    assert shown == {*of_tables, "figure4", "figure5", "bandwidth", "ablations"}
    assert (made / "ablations/forest.svg").is_file()
    pages = {path.relative_to(made / "site").as_posix() for path in (made / "site").rglob("*.html")}
    assert {"index.html", "ablations.html", "illustrated.html", *(f"tables/{name}.html" for name in TABLES)} <= pages
    assert sum(page.startswith("runs/") for page in pages) == 15  # their list, one per method and data set
    assert "fit seconds" in (made / "costs/plots/sample-sessions-cost.csv").read_text()
    assert "processor" in (made / "costs/index.html").read_text()
    assert {path.stem for path in (made / "costs/figures").glob("*.png")} > {"table-1-sample-sessions-cost"}
    command("benchmark.cli", "verify", "--profile", "sample")
    command("benchmark.cli", "verify", "--lock")
    if proof.same_machine(ROOT):
        assert proof.differences(ROOT / proof.LOCK, folder / proof.LOCK) == []
    for stage in ("ablations", "tables", "figures", "site"):
        assert undeclared(folder, f"{stage}--sample") == set(), stage
