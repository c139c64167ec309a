"""results/reported: whatever folder is named, its tables come out, the README's headline rows among them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from benchmark.cli import main as cli
from benchmark.experiments import methods, settings
from benchmark.report import kept as format_
from benchmark.report.tables import Choice, collect
from benchmark.report.tables.model import Results
from benchmark.report.tables.render import rendered

REPORTED = Path(__file__).parents[3] / "results/reported"
FOLDERS = sorted(path.name for path in REPORTED.iterdir() if path.is_dir())
ROWS = {
    "ablations": [("6", "rsc15-100k", "partition: opq", "MRR@20", None)],
    "claims": [("movielens-1m", "movielens-1m", "ease", "NDCG@5", 0.1784)],
    "density": [("5", "digits", "emde", "Pearson", 0.950), ("5", "mnist", "emde", "Pearson", 0.722)],
    "movielens-1m": [("movielens-1m", "movielens-1m", "ease", "NDCG@5", 0.1784)],
    "neural-baselines": [
        ("srgnn-splits", "yoochoose-1-64", "stamp", "HR@20", 0.6880),
        ("small", "rsc15-100k", "sasrec", "MRR@20", 0.3691),
        ("other-session", "30music-10pct", "gce-gnn", "HR@20", 0.4573),
        ("srgnn-splits", "yoochoose-1-64", "sr-gnn [sessions=14520, patience=1]", "HR@20", 0.5729),
    ],
    "paper-settings": [
        ("small", "rsc15-100k", "emde", "HR@20", 0.6459),
        ("srgnn-splits", "retailrocket-dhcn", "vs-knn", "HR@20", 0.5530),
    ],
    "plus": [
        ("emde-plus", "rsc15-100k", "emde-plus", "MRR@20", 0.3781),
        ("emde-plus", "retailrocket-dhcn", "emde-plus-one", "HR@20", 0.5732),
        ("emde-plus", "retailrocket-dhcn", "emde-plus", "MRR@20", 0.3034),
        ("emde-plus", "yoochoose-1-64", "emde-plus-one", "MRR@20", 0.3156),
        ("emde-plus", "yoochoose-1-64", "emde-plus", "HR@20", 0.7085),
        ("emde-plus", "30music-10pct", "emde-plus-one", "MRR@20", 0.3077),
        ("emde-plus", "diginetica-srgnn", "emde-plus-one", "HR@20", 0.5188),
        ("emde-plus", "nowplaying-gcegnn", "emde-plus-one", "MRR@20", 0.0999),
        ("emde-plus-topk", "movielens-1m", "emde-plus", "NDCG@20", 0.2812),
    ],
    "public": [
        ("srgnn-splits", "yoochoose-1-64", "emde-searched", "MRR@20", 0.3114),
        ("small", "rsc15-100k", "emde-searched", "HR@20", 0.6867),
        ("srgnn-splits", "retailrocket-dhcn", "emde-searched", "HR@20", 0.4248),
        ("emde-plus", "30music-10pct", "emde-searched", "MRR@20", 0.2954),
    ],
    "release": [("small", "rsc15-100k", "emde [decoder=gmean, variant=paper]", "HR@20", 0.6394)],
    "rsc15-emde": [("small", "rsc15-100k", "emde-searched", "HR@20", 0.6852)],
    "search": [("other-session", "rsc15-100k", "emde-searched", "MRR@20", 0.3378)],
    "session-baselines": [
        ("small", "rsc15-100k", "vs-knn", "MRR@20", 0.3614), ("srgnn-splits", "yoochoose-1-64", "sr", "MRR@20", 0.3027),
        ("srgnn-splits", "nowplaying-gcegnn", "ct", "MRR@20", 0.0827),
        ("other-session", "30music-10pct", "sr", "MRR@20", 0.2894),
    ],
    "small": [("small", "rsc15-100k", "vstan", "MRR@20", 0.3748), ("5", "digits", "race", "Pearson", 0.980)],
}  # fmt: skip
"""Folder -> (table, data, method, metric, value)."""


SHOWN = {"plus": (["public", "paper-settings", "plus"], "emde-plus")}
"""Folder -> what its tables.md shows, if not all tables of its own rows: the folders of the rows, the table."""


@cache
def kept(name: str) -> Results:
    return collect(settings.load(), "sample", [REPORTED / name])


def test_every_folder_is_asked_for() -> None:
    assert {*ROWS, "bench"} == set(FOLDERS)


@pytest.mark.parametrize("name", ROWS)
def test_its_rows_come_out(name: str) -> None:
    results = kept(name)
    assert "10" not in {table.id for table in results.tables}, "hyper-parameters are no kept results"
    for table, data, method, metric, value in ROWS[name]:
        cells = [cell for t in results.tables if t.id == table for b in t.blocks if b.data == data and b.shown
                 for row in b.rows if row.method == method for cell in row.cells if cell.metric == metric]  # fmt: skip
        assert cells, (table, data, method)
        assert cells[0].ours is not None, (table, data, method)
        assert value is None or cells[0].ours == pytest.approx(value, abs=6e-4 if metric == "Pearson" else 6e-5)


def test_every_kept_run_stands_in_a_row() -> None:
    for name in ROWS:
        results = kept(name)
        of_rows = {run.record["lists_sha256"] for run in results.runs.values()}
        of_records = {r["run"]["lists_sha256"] for r in format_.read(REPORTED / name) if r["kind"] == "run"}
        assert of_rows == of_records, name


def test_kept_parameters_have_the_names_of_today() -> None:
    """A parameter that was renamed is renamed in the records (``original`` keeps the old one), else rows are stale."""
    for name in ROWS:
        for run in (record["run"] for record in format_.read(REPORTED / name) if record["kind"] == "run"):
            known = methods.find(run["kind"], run.get("base") or run["method"]).model_fields
            named = re.findall(r"--set '?(\w+)=", run.get("command", ""))
            assert {*run["params"], *named} <= known.keys(), (name, run["data"], run["method"])


@pytest.mark.parametrize("name", [path.parent.name for path in sorted(REPORTED.glob("*/tables.md"))])
def test_the_tables_beside_them_are_those_of_today(name: str) -> None:
    shown = (REPORTED / name / "tables.md").read_text(encoding="utf-8").rstrip("\n")
    folders, table = SHOWN.get(name, ([name], None))
    results = collect(settings.load(), "sample", [REPORTED / folder for folder in folders], Choice(table))
    command = f"emde tables{f' --table {table}' if table else ''} --results "
    command += " ".join(f"results/reported/{folder}" for folder in folders)
    assert shown == rendered(results, "md").rstrip("\n"), f"print it anew: {command}"


def test_paired_tests_were_kept() -> None:
    rows = {row.method: row for t in kept("movielens-1m").tables if t.id == "movielens-1m"
            for b in t.blocks if not b.masked for row in b.rows}  # fmt: skip
    test = rows["top-pop"].cells[0].test
    assert test is not None
    assert (test.against, round(test.difference, 4)) == ("ease", -0.0183)


def test_rows_are_tested_by_the_values_per_session_that_are_kept() -> None:
    """Of the rows of two folders: none of them holds a test of these pairs."""
    results = collect(settings.load(), "sample", [REPORTED / name for name in SHOWN["plus"][0]], Choice("emde-plus"))
    rows = {row.method: row for b in results.tables[0].blocks if b.data == "rsc15-100k" for row in b.rows}
    test = rows["vstan"].cells[0].test
    assert test is not None
    assert (test.against, round(test.difference, 4)) == ("emde-plus", -0.0153)
    assert test.t_holm < 1e-6


@pytest.mark.parametrize(
    ("name", "words"),
    [("bench", "expected results that fill a table, found records that do not: 6 of kind bench"),
     ("small/figures", "expected kept results (*.jsonl, see emde keep)")],
)  # fmt: skip
def test_what_fills_no_table_is_one_line(capsys: pytest.CaptureFixture[str], name: str, words: str) -> None:
    assert cli.main(["tables", "--results", str(REPORTED / name)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err


def test_a_former_format_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs.jsonl").write_text(json.dumps({"data": "rsc15-100k", "method": "sr"}) + "\n")
    assert cli.main(["tables", "--results", str(tmp_path)]) == 2
    assert "runs.jsonl: line 1: expected a kept record (emde keep)" in capsys.readouterr().err


def test_the_site_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of several settings have pages of their own; so do the ablations."""
    folders = [str(REPORTED / name) for name in ("release", "ablations", "public")]
    assert cli.main(["site", "--results", *folders, "--out", str(tmp_path)]) == 0
    assert "decoder=gmean, variant=paper" in (tmp_path / "tables/small.html").read_text()
    assert (tmp_path / "ablations.html").is_file()
    links = [
        line
        for line in (tmp_path / "tables/small.html").read_text().splitlines()
        if "../runs/rsc15-100k--emde-" in line
    ]
    assert links
