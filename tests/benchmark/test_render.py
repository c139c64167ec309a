"""benchmark.render: every format shows the values, and says what is not comparable."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

import pytest

from benchmark import render
from benchmark.tables import Block, Cell, Row, Table
from contracts import UserError

ODD = "session-rec, T_1 & <b>"
ROWS = (
    Row(
        "vs-knn",
        (Cell("HR@20", 0.68214, 0.67, 0.69), Cell("MRR@20", 0.3689, 0.36, 0.37, 0.36, ODD)),
        1.5,
        2.25,
        512.4,
        "50% of {a_b} & c#d ~ ^ $",
    ),
    Row("emde", (Cell("HR@20", 0.7, 0.69, 0.71), Cell("MRR@20", 0.35, 0.34, 0.36)), 60.0, 3.0, 2048.0, "paper"),
    Row("sr", (Cell("HR@20", None), Cell("MRR@20", None, None, None, 0.31, "elsewhere")), None, None, None, "not run"),
)


def tables(comparable: str = "public") -> list[Table]:
    return [
        Table("1", "Sessions", [Block("rsc15-100k", "RSC15 (10,152 points)", ("HR@20", "MRR@20"), ROWS, comparable)])
    ]


@pytest.mark.parametrize("fmt", ["md", "tex", "html", "csv"])
def test_every_format_holds_the_values(fmt: str) -> None:
    text = render.FORMATS[fmt](tables(), "A title")
    for wanted in ("vs-knn", "emde", "sr", "HR@20", "MRR@20"):
        assert wanted in text
    if fmt == "csv":
        assert "0.68214" in text
    else:
        assert "0.6821" in text
        assert "0.3500" in text
        assert "A title" in text


@pytest.mark.parametrize("fmt", ["md", "tex", "html"])
def test_generated_data_say_so(fmt: str) -> None:
    assert "nothing in this table is comparable with the paper" in render.FORMATS[fmt](tables("generated"), "t")
    assert "comparable with the paper" not in render.FORMATS[fmt](tables("public"), "t")


def test_markdown() -> None:
    text = render.markdown(tables(), "t")
    lines = text.splitlines()
    row = next(line for line in lines if line.startswith("| vs-knn | 0.6821"))
    assert "**0.3689**" in row  # the best MRR
    assert "| 1.50 | 2.25 | 512 |" in row
    best = next(line for line in lines if line.startswith("| emde | **0.7000**"))
    assert "**0.3500**" not in best
    compared = next(line for line in lines if line.startswith("| vs-knn | MRR@20"))
    assert "| 0.3600 | 0.3689 | [0.3600, 0.3700] | +0.0089 |" in compared
    missing = next(line for line in lines if line.startswith("| sr | MRR@20"))
    assert "| 0.3100 | – |  | – | elsewhere |" in missing
    for start in range(len(lines)):  # all rows of a grid have as many cells as its head
        if lines[start].startswith("|---"):
            width = lines[start].count("|")
            assert lines[start - 1].count("|") == width
            for line in lines[start + 1 :]:
                if not line.startswith("|"):
                    break
                assert line.count("|") == width, line


def test_csv() -> None:
    found = list(csv.DictReader(io.StringIO(render.comma_separated(tables(), "t"))))
    assert len(found) == 6
    first = next(row for row in found if (row["method"], row["metric"]) == ("vs-knn", "MRR@20"))
    assert float(first["ours"]) == 0.3689
    assert float(first["difference"]) == pytest.approx(0.0089)
    assert first["source"] == "session-rec, T_1 & <b>"
    assert (first["low"], first["high"], first["peak_mb"]) == ("0.36", "0.37", "512.4")
    absent = next(row for row in found if (row["method"], row["metric"]) == ("sr", "HR@20"))
    assert absent["ours"] == absent["published"] == absent["difference"] == absent["fit_seconds"] == ""


def test_tex_escapes() -> None:
    assert render.tex_escape("50% of {a_b} & c#d ~ ^ $") == (
        r"50\% of \{a\_b\} \& c\#d \textasciitilde{} \textasciicircum{} \$"
    )
    assert "\\" not in render.tex_escape(r"a\b")
    text = render.latex(tables("generated"), "t")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    assert r"\textbf{0.7000}" in text
    assert r"\textbf{0.3689}" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 4
    assert all(line.count(" & ") == 2 for line in body)
    assert "–" not in text


def test_html_escapes_and_loads_nothing() -> None:
    text = render.html(tables(), "A <title> & more")
    assert "T_1 &amp; &lt;b&gt;" in text
    assert "A &lt;title&gt; &amp; more" in text

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
    check.feed(text)
    assert check.open == []


def test_write_all(tmp_path) -> None:
    page = render.write_all(tables(), "t", tmp_path / "deep" / "er")
    assert page.name == "index.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "index.html",
        "tables.csv",
        "tables.md",
        "tables.tex",
    ]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the tables"):
        render.write_all(tables(), "t", tmp_path / "file")


def test_numbers() -> None:
    assert render.number(None) == "–"
    assert render.number(0.12345) == "0.1235"
    assert render.number(0.5, 2, sign=True) == "+0.50"
    assert Cell("m", 0.5, published=0.75).difference == -0.25
    assert Cell("m", None, published=0.75).difference is None
    plain = render.as_dict(tables()[0])
    assert plain["blocks"][0]["rows"][0]["cells"][1]["difference"] == pytest.approx(0.0089)
