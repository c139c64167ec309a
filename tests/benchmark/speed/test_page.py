"""benchmark.speed.page: every measurement on the page is the report's, and the committed page the kept reports'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.report import kept
from benchmark.speed import page as pages
from benchmark.speed.sections import SECTIONS, number
from contracts import UserError

REPORT: dict[str, Any] = {
    "code": "0123456789abcdef", "time": "2026-01-02T03:04:05+00:00", "threads": 2, "packages": {"torch": "2.0"},
    "machine": {"processor": "abacus", "cores": 2, "system": "wood"},
    "sections": {
        "ceilings": {"results": {"bf16 product GFLOP/s": 192.4}, "spread": {"bf16 product GFLOP/s": 0.031},
                     "repeats": 2, "load before": 0.5},
        "scaling": {
            "results": {
                "rows": [{"method": "emde", "axis": "catalogue, items", "size": size, "train ms/example": 0.5,
                          "query ms/query": size / 1e4, "lookup ms/query": size / 1e5} for size in (1000, 10000)],
                "slopes": [{"method": "emde", "axis": "catalogue, items", "cost": "lookup ms/query", "exponent": 1.0,
                            "at the end": 1.0}],
                "limits": [{"method": "emde", "axis": "catalogue, items", "24 GB at": 2e8, "a day at": None}],
            },
            "spread": {}, "repeats": 1, "load before": 7.25,
        },
    },
    "failed": {"emde": "UserError: rsc15-100k is not prepared"},
}  # fmt: skip


def made_up(folder: Path, text: str) -> Path:
    (folder / "docs").mkdir()
    (folder / pages.PAGE).write_text(text, encoding="utf-8")
    (folder / pages.KEPT).mkdir(parents=True)
    kept_reports(folder, REPORT, {"time": "2026-01-03T00:00:00+00:00", "ceilings": {}})
    return folder


def kept_reports(folder: Path, *reports: dict[str, Any]) -> None:
    kept.write(folder / pages.KEPT, [kept.record("bench", {"result": report}) for report in reports])


def test_blocks_are_filled_and_the_text_stays(tmp_path: Path) -> None:
    names = ("machine", "ceilings", "scaling", "emde", "data")
    text = "# Page\n\nby hand\n\n" + "".join(f"<!-- measured: {name} -->\nold\n<!-- end -->\n" for name in names)
    root = made_up(tmp_path, text)
    page, curves = pages.write(root, pages.kept(root))
    found = page.read_text(encoding="utf-8")
    assert found.startswith("# Page\n\nby hand\n\n")
    assert "old" not in found
    assert "`results/reported/bench`, 2026-01-02T03:04:05+00:00, code" in found, "the newest report that has sections"
    assert "Section `ceilings` of 2026-01-02T03:04:05+00:00:" in found
    assert "| bf16 product GFLOP/s | 192 |" in found
    assert "best of 2, load before 0.5, median spread of its measurements 3.1%" in found
    assert "| emde | catalogue, items | 200,000,000 | – |" in found
    assert "Not measured (UserError: rsc15-100k is not prepared)" in found
    assert "Not measured (it was not asked for)" in found
    assert curves.read_bytes().startswith(b"\x89PNG")
    pages.write(root, pages.kept(root))
    assert page.read_text(encoding="utf-8") == found, "written twice it is the same"
    later = {
        **REPORT,
        "time": "2026-01-04T00:00:00+00:00",
        "sections": {"ceilings": {**REPORT["sections"]["ceilings"], "repeats": 3}},
    }
    kept_reports(root, REPORT, later)
    pages.write(root, pages.kept(root))
    found = page.read_text(encoding="utf-8")
    assert "Section `ceilings` of 2026-01-04T00:00:00+00:00: best of 3" in found
    assert "Section `scaling` of 2026-01-02T03:04:05+00:00" in found, "the newest report that has the section"


def test_unknown_blocks_and_missing_reports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nonsense"):
        pages.rendered("<!-- measured: nonsense -->\n<!-- end -->", {"x.json": REPORT})
    with pytest.raises(UserError, match="found none"):
        pages.kept(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (3, "3"), (12345.6, "12,346"), (0.01234, "0.0123"), (2e8, "200,000,000")]
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_every_section_has_a_block_on_the_page(project: Path) -> None:
    text = (project / pages.PAGE).read_text(encoding="utf-8")
    assert {name for _, name, _ in pages.BLOCK.findall(text)} == {"machine", *SECTIONS}


def test_the_committed_page_is_made_from_the_kept_reports(project: Path) -> None:
    reports = pages.kept(project)
    text = (project / pages.PAGE).read_text(encoding="utf-8")
    assert pages.rendered(text, reports) == text
    assert next(iter(reports)) in text, "the newest"


def test_curves_go_to_any_folder(tmp_path: Path, capsys) -> None:
    root = made_up(tmp_path, "")
    report = root / "2026-01-02T030405Z.json"
    report.write_text(json.dumps(REPORT))
    assert pages.main([str(report), "--curves", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scaling.csv", "scaling.pdf", "scaling.png"}
    rows = (tmp_path / "out/scaling.csv").read_text().splitlines()
    assert rows[1].startswith('emde,"catalogue, items",1000,,0.5,0.1,0.01')
    assert len(rows) == 3
    report.write_text(json.dumps({**REPORT, "sections": {}}))
    assert pages.main([str(report), "--curves", str(tmp_path / "out")]) == 2
    assert "expected a report with this section, found none" in capsys.readouterr().err
