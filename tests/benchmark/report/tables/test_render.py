"""Every format shows the values, says what is not comparable, and holds against odd text."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmark.tables import render, text
from benchmark.tables.latex import escape, latex
from benchmark.tables.model import Block, Cell, Cost, Expected, PairedTest, Results, Row, Seeds, Table, Verdict
from contracts import UserError

ODD = "session-rec, T_1 & <b> 50% #1"


def cell(metric: str, ours: float | None, **more: Any) -> Cell:
    bounds = {} if ours is None else {"low": ours - 0.01, "high": ours + 0.01}
    return Cell(metric=metric, ours=ours, **{"verdict": Verdict.NOT_COMPARABLE, **bounds, **more})


def expected(value: float) -> Expected:
    return Expected(value=value, source=ODD, origin="paper")


def results(comparable: str = "public", shown: bool = True, kind: str = "ranking") -> Results:
    test = PairedTest(against="emde", difference=-0.02, low=-0.03, high=-0.01, effect=-0.2, units=50, t_p=0.001,
                wilcoxon_p=0.001, t_holm=0.002, wilcoxon_holm=0.002)  # fmt: skip
    seeds = Seeds(values={"0": 0.34, "1": 0.36}, sd=0.0141, low=0.3, high=0.4)
    cost = Cost(fit_seconds=1.5, recommend_seconds=2.25, fit_cpu_seconds=1, recommend_cpu_seconds=1, peak_mb=512.4,
                peak_gpu_mb=None)  # fmt: skip
    published = {"expected": expected(0.36), "delta": 0.0089, "verdict": Verdict.CLOSE, "why": "within 5%"}
    rows = [
        Row(method="vs-knn", label="VS-KNN", cost=cost, parameters_from="50% of {a_b} & c#d ~ ^ $", cells=[
            cell("HR@20", 0.68214, mark="second", test=test), cell("MRR@20", 0.3689, mark="best", **published)]),
        Row(method="emde", label="EMDE", cost=cost, parameters_from="paper", cells=[
            cell("HR@20", 0.7, mark="best"), cell("MRR@20", 0.35, seeds=seeds, mark="second")]),
        Row(method="sr", label="SR", note="not run", cells=[
            cell("HR@20", None, verdict=Verdict.NOT_RUN),
            cell("MRR@20", None, verdict=Verdict.NOT_RUN, expected=expected(0.31))]),
        Row(method="ct", label="CT", note="not run", cells=[
            cell("HR@20", None, verdict=Verdict.NOT_RUN), cell("MRR@20", None, verdict=Verdict.NOT_RUN)]),
    ]  # fmt: skip
    block = Block(data="rsc15-100k", label="RSC15 100k", title="RSC15", protocol="published", splits=["published"],
                  points=10152, unit="evaluation points", comparable=comparable, shown=shown,
                  caption="RSC15 & more (10,152 points)", rows=rows)  # fmt: skip
    table = Table(id="1", title="Sessions", kind=kind, source="EMDE paper", about="", metrics=["HR@20", "MRR@20"],
                  against="emde", blocks=[block])  # fmt: skip
    return Results(profile="p", title="A <title> & more", verdicts={}, tables=[table], runs={})


@pytest.mark.parametrize("fmt", list(render.FORMATS))
def test_every_format_holds_the_values(fmt: str) -> None:
    found = render.FORMATS[fmt](results())
    for wanted in ("EMDE", "HR@20", "0.68214" if fmt in ("csv", "json") else "0.6821"):
        assert wanted in found or (fmt == "csv" and wanted == "EMDE")


@pytest.mark.parametrize("fmt", ["md", "tex", "html"])
def test_generated_data_say_so(fmt: str) -> None:
    assert text.GENERATED_NOTE in render.FORMATS[fmt](results("generated"))
    assert text.GENERATED_NOTE not in render.FORMATS[fmt](results())


@pytest.mark.parametrize("fmt", ["md", "tex", "html"])
def test_what_was_not_run_is_not_shown(fmt: str) -> None:
    assert "RSC15" not in render.FORMATS[fmt](results(shown=False))


def test_markdown() -> None:
    lines = render.markdown(results()).splitlines()
    row = next(line for line in lines if line.startswith("| VS-KNN | *0.6821*"))
    assert r"*0.6821*\* | **0.3689** | 1.50 | 2.25 | 512 |" in row
    assert any("| **0.7000** | *0.3500* ± 0.0141 |" in line for line in lines)
    compared = next(line for line in lines if line.startswith("| VS-KNN | MRR@20"))
    assert "| 0.3600 | 0.3689 | [0.3589, 0.3789] | +0.0089 | close (within 5%) |" in compared
    missing = next(line for line in lines if line.startswith("| SR | MRR@20"))
    assert "| 0.3100 | – |  | – | not run |" in missing
    assert any("* differs from EMDE (paired t-test over sessions" in line for line in lines)
    for start in range(len(lines)):  # all rows of a grid have as many cells as its head
        if lines[start].startswith("| ---"):
            width = lines[start].count("|")
            assert lines[start - 1].count("|") == width
            for line in lines[start + 1 :]:
                if not line.startswith("|"):
                    break
                assert line.count("|") == width, line


def test_csv() -> None:
    found = list(csv.DictReader(io.StringIO(render.comma_separated(results()))))
    assert len(found) == 8
    first = next(row for row in found if (row["method"], row["metric"]) == ("vs-knn", "MRR@20"))
    assert (float(first["ours"]), float(first["difference"]), first["verdict"]) == (0.3689, 0.0089, "close")
    assert (first["source"], first["mark"], first["peak_mb"]) == (ODD, "best", "512.4")
    tested = next(row for row in found if (row["method"], row["metric"]) == ("vs-knn", "HR@20"))
    assert (tested["against"], float(tested["t_holm"]), float(tested["effect"])) == ("emde", 0.002, -0.2)
    absent = next(row for row in found if (row["method"], row["metric"]) == ("ct", "HR@20"))
    assert absent["ours"] == absent["published"] == absent["difference"] == absent["fit_seconds"] == ""


def test_latex() -> None:
    found = latex(results())
    assert escape("50% of {a_b} & c#d ~ ^ $") == r"50\% of \{a\_b\} \& c\#d \textasciitilde{} \textasciicircum{} \$"
    assert r"VS-KNN & \underline{0.6821}$^{*}$ & \textbf{0.3689} \\" in found
    assert r"EMDE & \textbf{0.7000} & \underline{0.3500}{\scriptsize\,$\pm$0.0141} \\" in found
    assert r"SR & -- & 0.3100$^{\dagger}$ \\" in found
    assert "CT" not in found  # neither measured nor published
    assert r"$^{\dagger}$ published, not run here." in found
    assert "–" not in found
    assert found.count(r"\begin{tabular}") == found.count(r"\end{tabular}") == 1


def test_hyper_parameters_are_printed_as_they_are() -> None:
    table, block = results(kind="parameters").tables[0], results(kind="parameters").tables[0].blocks[0]
    assert text.value(table, block.rows[1].cells[0]) == "0.7"
    assert text.cost_names(table) == ()


def test_html_escapes_and_loads_nothing() -> None:
    found = render.html(results())
    assert "T_1 &amp; &lt;b&gt;" in found
    assert "A &lt;title&gt; &amp; more" in found

    class Check(HTMLParser):
        void = ("meta", "br", "img", "link", "hr", "input")

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag, attrs) -> None:
            assert tag not in ("script", "link", "img")
            assert not any(name in ("src", "href") and (value or "").startswith("http") for name, value in attrs)
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag) -> None:
            assert self.open.pop() == tag

    check = Check()
    check.feed(found)
    assert check.open == []


def test_write_all(tmp_path) -> None:
    page = render.write_all(results(), tmp_path / "deep" / "er")
    assert page.name == "index.html"
    assert {path.name for path in page.parent.iterdir()} == set(render.FILES.values())
    assert json.loads((page.parent / "results.json").read_text())["profile"] == "p"
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the tables"):
        render.write_all(results(), tmp_path / "file")


DOCUMENT = (
    r"\documentclass{article}\usepackage[margin=2cm]{geometry}\usepackage{booktabs}\begin{document}%s\end{document}"
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex (Debian: texlive-latex-base)")
@pytest.mark.parametrize("which", ["made up", "every declared table"])
def test_latex_compiles_with_booktabs_alone(tmp_path: Path, which: str) -> None:
    """No error, and no line that sticks out of the page by more than a point."""
    found = results("generated") if which == "made up" else everything()
    (tmp_path / "t.tex").write_text(DOCUMENT % latex(found).replace("\\end{table}", "\\end{table}\\clearpage"))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 10_000
    assert "Overfull \\hbox" not in done.stdout
    assert "Float too large" not in (tmp_path / "t.log").read_text()


def everything() -> Results:
    """Every declared table with all its blocks, though nothing was run: published values throughout."""
    from benchmark import settings
    from benchmark.tables.build import build
    from benchmark.tables.declaration import declarations
    from benchmark.tables.measured import Measured

    planned = {block.data: block.rows or table.rows for table in declarations().values() for block in table.blocks}
    return build(declarations().values(), Measured([]), settings.load(), "sample", planned)
