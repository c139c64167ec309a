"""Every format shows the values, says what is not comparable, and holds against odd text."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmark import latex_table
from benchmark.experiments import settings
from benchmark.report.tables import Choice, render, text
from benchmark.report.tables.build import build
from benchmark.report.tables.declaration import declarations
from benchmark.report.tables.latex import PageLayout, escape, latex, signed
from benchmark.report.tables.measured import Measured
from benchmark.report.tables.model import Block, Cell, Cost, Expected, PairedTest, Results, Row, Seeds, Table, Verdict
from contracts import UserError
from tests.benchmark.report.tables.conftest import measured

ODD = "session-rec, T_1 & <b> 50% #1"


def cell(metric: str, ours: float | None, **more: Any) -> Cell:
    bounds = {} if ours is None else {"low": ours - 0.01, "high": ours + 0.01}
    return Cell(metric=metric, ours=ours, **{"verdict": Verdict.NOT_COMPARABLE, **bounds, **more})


def expected(value: float) -> Expected:
    return Expected(value=value, source=ODD, origin="paper")


def results(comparable: str = "public", shown: bool = True, kind: str = "ranking") -> Results:
    test = PairedTest(against="emde", difference=-0.02, low=-0.03, high=-0.01, effect=-0.2, units=50, t_p=0.001,
                wilcoxon_p=0.001, t_holm=0.002, wilcoxon_holm=0.002, family=2)  # fmt: skip
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
    return Results(profile="p", title="A <title> & more", verdicts={}, hyper_parameters={}, tables=[table], runs={})


@pytest.mark.parametrize("fmt", list(render.FORMATS))
def test_every_format_holds_the_values(fmt: str) -> None:
    found = render.FORMATS[fmt](results())
    value = {"csv": "0.68214", "json": "0.68214", "tex": ".6821"}.get(fmt, "0.6821")
    for wanted in ("EMDE", "HR@20", value):
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
    assert r"VS-KNN & \underline{.6821} & $^{*}$ & \textbf{.3689} &  & .3600 \\" in found
    assert r"EMDE & \textbf{.7000} &  & \underline{.3500} & \,{\scriptsize $\pm$.0141} & -- \\" in found
    assert r"SR & -- &  & -- &  & .3100 \\" in found
    assert "CT" not in found  # neither measured nor published
    assert (
        r"\caption{Sessions, RSC15 100k ($n$ = 10,152 evaluation points; one split). Paired t-tests over sessions, "
        in found
    )
    assert "Holm-corrected over 2 comparisons.}" in found
    assert "{*} differs from EMDE (p $<$ .05). $\\pm$ standard deviation over seeds. Published: session-rec" in found
    assert "–" not in found
    assert found.count(r"\begin{tabular}") == found.count(r"\end{tabular}") == 1


def test_latex_as_it_is_laid_out() -> None:
    found = latex(results(), PageLayout(3, "ci", "below", "Mine & yours.", "tab:mine", True))
    assert r"\caption{Mine \& yours.}" in found
    assert r"\label{tab:mine}" in found
    assert r"\begin{table*}" in found
    assert r"VS-KNN & \underline{.682} & \,{\scriptsize {[}.672, .692{]}}$^{*}$ & \textbf{.369} &" in found
    assert "\n" + r"\quad published & -- &  & .360 &  \\" in found
    assert "\n" + r"SR, published & -- &  & .310 &  \\" in found
    alone = latex(results(), PageLayout(spread="none", published="none"))
    assert r"EMDE & \textbf{.7000} &  & \underline{.3500} \\" in alone
    assert "SR" not in alone
    assert signed("[-0.01, 2-3] a-b") == "[−0.01, 2-3] a-b"


def test_a_part_of_a_table() -> None:
    table = Choice(rows=["emde", "vs-knn"], metrics=["MRR@20"]).of(results()).tables[0]
    assert table.metrics == ["MRR@20"]
    assert [(row.method, [cell.ours for cell in row.cells]) for row in table.blocks[0].rows] == [
        ("emde", [0.35]), ("vs-knn", [0.3689]),
    ]  # fmt: skip
    for choice, said in (
        (Choice(rows=["ct"]), "--rows: nothing of ct there; expected some of: vs-knn, emde, sr"),
        (Choice(metrics=["HR@3"]), "--metrics: nothing of HR@3 there; expected some of: HR@20, MRR@20"),
        (Choice(data=["retail"]), "--data: nothing of retail there; expected some of: rsc15-100k"),
    ):
        with pytest.raises(UserError, match=said):
            choice.of(results())


def test_a_table_of_ones_own_from_python(tmp_path: Path) -> None:
    """A declaration that lies anywhere, of kept results, with a metric that no table of the suite has."""
    own = tmp_path / "mine.yaml"
    own.write_text(
        "{id: mine, title: Mine, kind: ranking, source: me, metrics: [HR@20], rows: [ar, vs-knn],\n"
        " tolerance: {absolute: 0, close: 0}, blocks: [{data: rsc15-100k, label: Clicks}]}"
    )
    found = latex_table(own, kept="small", metrics=["MRR@10", "HR@20"], digits=3)
    assert r"Method & \multicolumn{1}{c}{MRR@10} & \multicolumn{1}{c}{HR@20} \\" in found
    assert re.search(r"\nAR & [^&]*\.\d{3}[^&]* & [^&]*\.634[^&]* \\\\", found)
    assert r"\caption{Mine, Clicks ($n$ = 10,152 evaluation points; one split).}" in found


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


ARTICLE, TWO = r"\documentclass{article}", r"\documentclass[twocolumn]{article}"
ACM, IEEE = r"\documentclass[sigconf,nonacm]{acmart}", r"\documentclass[conference]{IEEEtran}"
NARROW = (PageLayout(), PageLayout(published="below", spread="ci", digits=3))
WIDE = (PageLayout(wide=True), PageLayout(wide=True, spread="ci"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "layouts"), [(ARTICLE, WIDE), (TWO, NARROW), (ACM, (*NARROW, WIDE[0])), (IEEE, (*NARROW, WIDE[0]))]
)
def test_every_table_fits_its_paper(tmp_path: Path, start: str, layouts: tuple[PageLayout, ...]) -> None:
    """No error, no line that sticks out, no table that is longer than the page."""
    name = start.partition("{")[2].rstrip("}")
    if shutil.which("pdflatex") is None or not subprocess.run(["kpsewhich", f"{name}.cls"], capture_output=True).stdout:
        pytest.skip(f"no LaTeX with {name} (.ci/run names Debian's packages)")
    body = "".join(latex(found, layout) for found in (results("generated"), everything()) for layout in layouts)
    body = re.sub(r"\\end{table\*?}", r"\g<0>\\clearpage", body)
    start += r"\usepackage{booktabs}\title{T}\author{A}\begin{document}\maketitle "
    (tmp_path / "t.tex").write_text(f"{start}{body}\\end{{document}}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    said = (tmp_path / "t.log").read_text(errors="replace")
    assert not re.findall(r"Overfull \\hbox.*|.*Float too large.*", said)
    assert "Output written on t.pdf" in said


@cache
def everything() -> Results:
    """Every declared table with all its blocks, though nothing was run: published values throughout."""
    from benchmark.experiments import settings
    from benchmark.report.tables.build import build
    from benchmark.report.tables.declaration import declarations

    planned = {block.data: block.rows or table.rows for table in declarations().values() for block in table.blocks}
    return build(declarations().values(), Measured([]), settings.load(), "sample", planned)


NASTY = "a|b_c & <d> $e$ 100% #1 \\f [g] *h* `i`"
"""A name that every format could take for markup."""


@pytest.fixture
def nasty(write_cell) -> Results:
    """A table whose names, captions and sources are text of the data."""
    folder = write_cell("sample-sessions", "ar", {("0", None): 0.3})
    results = build(declarations().values(), measured(folder), settings.load(), "sample", {})
    table = next(t for t in results.tables if t.id == "1")
    block = next(b for b in table.blocks if b.shown)
    row = block.rows[0].model_copy(update={"label": NASTY, "parameters_from": NASTY})
    expected = Expected(value=0.3, source=NASTY, origin="other")
    row = row.model_copy(update={"cells": [c.model_copy(update={"expected": expected}) for c in row.cells]})
    block = block.model_copy(update={"label": NASTY, "caption": NASTY, "title": NASTY, "rows": [row]})
    table = table.model_copy(update={"title": NASTY, "source": NASTY, "about": NASTY, "blocks": [block]})
    return results.model_copy(update={"title": NASTY, "tables": [table]})


def test_text_is_no_markup_in_markdown(nasty: Results) -> None:
    text = render.FORMATS["md"](nasty)
    escaped = r"a\|b\_c \& \<d\> \$e\$ 100% \#1 \\f \[g\] \*h\* \`i\`"
    assert f"| {escaped} |" in text
    assert f"### {escaped}\n" in text
    assert text.count("a|b") == 0
    rows = [re.sub(r"\\.", "", line).count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(rows) == {len(nasty.tables[0].metrics) + 6, 9}, "no text makes a column of its own"


def test_text_is_no_markup_in_latex(nasty: Results) -> None:
    text = render.FORMATS["tex"](nasty)
    escaped = r"a$|$b\_c \& $<$d$>$ \$e\$ 100\% \#1 \textbackslash{}f {[}g{]} {*}h{*} `i`"
    wrapped = re.sub(r"(\\_|[=/:,])", r"\1\\allowbreak{}", escaped)
    assert re.search(rf"\n(\\raggedright\\hangindent1em )?{re.escape(wrapped)} &", text), "no option of a row's break"
    assert rf"\caption{{{escaped}, {escaped} (" in text
    assert text.splitlines()[0].startswith("% ")


def test_text_is_no_markup_in_html(nasty: Results) -> None:
    text = render.FORMATS["html"](nasty)
    assert "<d>" not in text
    assert text.count("a|b_c &amp; &lt;d&gt; $e$ 100% #1") >= 8
