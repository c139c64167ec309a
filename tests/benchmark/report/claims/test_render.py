"""Claims as text, files and pages; docs/claims.md is what the kept results say now."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from benchmark.cli.main import main
from benchmark.experiments.settings import Settings
from benchmark.report.claims import render, words
from benchmark.report.claims.declaration import declared
from benchmark.report.claims.finding import Judgement
from benchmark.report.claims.judge import Judged, Page
from benchmark.report.claims.make import page as judged_page
from benchmark.report.claims.make import write
from benchmark.report.site.build import build
from benchmark.report.tables.model import Results
from tests.benchmark.report.claims.conftest import DATA, Folder, rows
from tests.benchmark.report.site.conftest import made_results
from tests.benchmark.report.site.test_build import Page as Html
from tests.test_imports import PROJECT


@pytest.fixture
def page(folder: Folder) -> Page:
    """Three claims: one that holds, one that does not and is not run elsewhere, one that cannot be tested."""
    folder.run("emde", 0.35, seed=0, draw=1)
    folder.run("sr", 0.30, draw=2)
    folder.run("ct", 0.40, draw=3)
    return folder.page(
        [rows()],
        [rows(second="ct", data=[DATA, "retailrocket-dhcn"])],
        [{"kind": "untestable", "why": "no data | at all"}],
    )


def test_markdown_has_every_claim_and_what_would_run_the_rest(page: Page) -> None:
    text = render.markdown(page)
    assert "Of 3 claims: 1 holds, 1 does not hold, 1 not testable here." in text
    assert "family of 2 paired tests" in text
    assert "| [It is so.](#c0) | Section 0 | holds | 1 holds |" in text
    assert f"| {DATA} | MRR@20 | paired | emde 0.3500 | sr 0.3000 | +0.0500 |" in text
    assert "1 does not hold, 1 not run yet" in text
    assert "    emde run --data retailrocket-dhcn --method emde --split published\n" in text
    assert "no data \\| at all" in text


def test_csv_and_json_hold_every_finding(page: Page) -> None:
    lines = list(csv.DictReader(io.StringIO(render.as_csv(page))))
    assert [(line["claim"], line["verdict"]) for line in lines] == [
        ("c0", "holds"), ("c1", "does not hold"), ("c1", "not run yet"), ("c2", "not testable here"),
    ]  # fmt: skip
    assert float(lines[0]["difference"]) == pytest.approx(0.05)
    assert float(lines[0]["p_holm"]) < 0.05
    found = json.loads(render.as_json(page))
    assert found["family"] == 2
    assert [len(claim["findings"]) for claim in found["claims"]] == [1, 2, 1]
    assert found["claims"][1]["counts"] == {"does not hold": 1, "not run yet": 1}
    assert found["claims"][0]["findings"][0]["lists"][0] != found["claims"][0]["findings"][0]["lists"][1]


def test_latex_is_balanced_and_escaped(page: Page) -> None:
    text = render.latex(page)
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 2
    assert text.count("{") == text.count("}")
    assert r"+0.0500 & {[}+" in text
    body = [line for line in text.splitlines() if line.endswith((r"\\", r"\tabularnewline"))]
    assert {line.count(" & ") for line in body} == {3, 6}


def test_files_and_pictures(page: Page, tmp_path: Path) -> None:
    names = {str(path.relative_to(tmp_path)) for path in write(page, tmp_path)}
    assert {f"claims.{kind}" for kind in render.FORMATS} <= names
    assert {"figures/claim-c0.png", "figures/claim-c1.pdf"} <= names
    assert "figures/claim-c2.png" not in names  # nothing was measured


@pytest.mark.parametrize(
    ("counts", "words_"),
    [({"HOLDS": 1}, "1 holds"), ({"HOLDS": 2, "FAILS": 1, "UNDECIDED": 1}, "2 hold, 1 does not hold, 1 undecided"),
     ({"FAILS": 12, "NOT_RUN": 1}, "12 do not hold, 1 not run yet"), ({"HOLDS": 11}, "11 hold")],
)  # fmt: skip
def test_counts_in_words(counts: dict[str, int], words_: str, page: Page) -> None:
    from dataclasses import replace

    one = page.claims[0]
    findings = [replace(one.findings[0], verdict=Judgement[name]) for name, n in counts.items() for _ in range(n)]
    assert words.counts(Judged(one.claim, findings)) == words_


def test_the_command(folder: Folder, page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one folder; a claim alone keeps its correction over the page."""
    assert main(["claims", "--results", str(folder.path), "--claim", "above-sr", "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {line["claim"] for line in lines} == {"above-sr"}
    ran = [line for line in lines if line["verdict"] != "not run yet"]
    assert {(line["data"], line["verdict"]) for line in ran} == {(DATA, "holds")}
    assert main(["claims", "--results", str(folder.path), "--claim", "weather"]) == 2
    assert "--claim: no claim 'weather'; expected one of: above-vs-knn" in capsys.readouterr().err
    assert main(["claims", "--results", str(folder.path.parent)]) == 2
    assert "expected a folder of kept results" in capsys.readouterr().err


def test_pages(page: Page, chosen: Settings, tmp_path: Path) -> None:
    """One page of all, filtered by verdict, and one each with rows, commands and picture; all sound HTML."""
    results: Results = made_results()
    build(results, chosen.methods, tmp_path / "made", tmp_path / "site", page)
    text = (tmp_path / "site/claims.html").read_text(encoding="utf-8")
    assert 'data-verdicts="does-not-hold"' in text
    assert 'data-verdict="not-testable-here"' in text
    assert 'href="claims/c0.html"' in text
    assert 'href="claims.html"' in (tmp_path / "site/index.html").read_text(encoding="utf-8")
    for path in [tmp_path / "site/claims.html", *(tmp_path / "site/claims").iterdir()]:
        read = Html(path)
        assert len(read.ids) == len(set(read.ids))
        assert read.unscoped == 0
        local = [target.partition("#")[0] for target in read.targets if not target.startswith(("data:", "#"))]
        assert all((path.parent / target).exists() for target in local), (path, local)
    one = (tmp_path / "site/claims/c1.html").read_text(encoding="utf-8")
    assert "c1: differences with 95% intervals" in one
    assert "<code>emde run --data rsc15-100k --method ct</code>" in one
    assert "<code>emde run --data retailrocket-dhcn --method emde --split published</code>" in one


def test_a_claim_links_the_pages_of_its_runs(page: Page, chosen: Settings, tmp_path: Path) -> None:
    results = made_results()
    lists = page.claims[0].findings[0].lists[0][0]
    results.runs["sample-sessions/emde/0/0"].record["lists_sha256"] = lists
    build(results, chosen.methods, tmp_path / "made", tmp_path / "site", page)
    text = (tmp_path / "site/claims/c0.html").read_text(encoding="utf-8")
    assert '<a href="../runs/sample-sessions--emde.html">emde</a> 0.3500' in text


def test_a_site_without_claims_has_no_page_of_them(chosen: Settings, tmp_path: Path) -> None:
    build(made_results(), chosen.methods, tmp_path / "made", tmp_path / "site")
    assert not (tmp_path / "site/claims.html").exists()
    assert "claims.html" not in (tmp_path / "site/index.html").read_text(encoding="utf-8")


def test_docs_say_what_the_kept_results_say(chosen: Settings) -> None:
    """Made by: emde claims --format md > docs/claims.md"""
    found = judged_page(chosen)
    assert len(found.claims) == len(declared())
    assert (PROJECT / "docs/claims.md").read_text(encoding="utf-8") == render.markdown(found)
