"""Claims as Markdown, CSV, LaTeX and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from benchmark.report.claims import words
from benchmark.report.claims.finding import Finding, Judgement
from benchmark.report.claims.judge import Judged, Page
from benchmark.report.tables.latex import escape, signed
from benchmark.report.tables.text import number
from contracts.runtime.json import to_json

SCHEMA = 1
LINES = 16
"""Claims, or findings, of one LaTeX table; each takes two or three lines."""


def markdown(page: Page) -> str:
    """A table of all claims, then each with its findings."""
    out = ["# Claims", "", "What the paper (and its article) says, each statement declared once in "
           "benchmark/report/claims/declared, and what the kept results (results/reported) say of it. "
           f"Of {len(page.claims)} claims: {words.decided(page)}.", "", words.how(page), ""]  # fmt: skip
    for topic, of_topic in groupby(page.claims, key=lambda judged: judged.claim.topic):
        out += [f"## {topic}", "", "| claim | where | verdict | findings |", "|---|---|---|---|"]
        listed = list(of_topic)
        out += [_line([f"[{j.claim.statement}](#{j.claim.id})", j.claim.where, j.verdict.value, words.counts(j)])
                for j in listed]  # fmt: skip
        out.append("")
        for judged in listed:
            out += _section(judged)
    return "\n".join(out).rstrip() + "\n"


def _section(judged: Judged) -> list[str]:
    claim = judged.claim
    out = [f"### {claim.id}", "", f"{claim.statement} ({claim.where}) **{judged.verdict.value}**: "
           f"{words.counts(judged)}."]  # fmt: skip
    if claim.note:
        out.append(f"{claim.note}")
    if claim.numbers:
        out.append("The paper: " + "; ".join(f"{n.what}: {n.value:g} ({n.source})" for n in claim.numbers) + ".")
    shown = [finding for finding in judged.findings if finding.verdict is not Judgement.NOT_RUN]
    if shown:
        out += ["", _line(words.HEAD), "|" + "---|" * len(words.HEAD)]
        out += [_line(words.cells(finding)) for finding in shown]
    out += _missing(judged)
    return [*out, ""]


def _missing(judged: Judged) -> list[str]:
    missing = [found for found in judged.findings if found.verdict is Judgement.NOT_RUN]
    if not missing:
        return []
    places = dict.fromkeys(f"{found.data}{f' ({found.why})' if found.why else ''}" for found in missing)
    out = ["", f"Not run yet: {'; '.join(places)}."]
    if commands := words.to_run(judged):
        out += ["", *(f"    {command}" for command in commands)]
    return out


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


COLUMNS = (
    "claim", "verdict of the claim", "data", "metric", "evidence", "first", "second", "first_value", "second_value",
    "difference", "low", "high", "p", "p_holm", "spread", "seeds", "whole", "margin", "paper_first", "paper_second",
    "verdict", "why", "commands",
)  # fmt: skip


def as_csv(page: Page) -> str:
    """A line for every finding; numbers in full."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for judged in page.claims:
        for finding in judged.findings:
            paper = finding.paper or (None, None)
            verdict = finding.verdict and finding.verdict.value
            verdicts = {"verdict of the claim": judged.verdict.value, "verdict": verdict}
            printed = {"paper_first": paper[0], "paper_second": paper[1], "commands": "; ".join(finding.commands)}
            writer.writerow(asdict(finding) | verdicts | printed)
    return stream.getvalue()


def as_json(page: Page) -> str:
    """Everything, claim by claim."""
    return to_json(as_dict(page)) + "\n"


def as_dict(page: Page) -> dict[str, Any]:
    """What the JSON holds: schema, family (paired tests corrected together), claims with their findings."""
    return {
        "schema": SCHEMA,
        "family": page.family,
        "claims": [
            {
                **judged.claim.model_dump(mode="json"),
                "verdict": judged.verdict.value,
                "counts": {verdict.value: n for verdict, n in judged.counts.items()},
                "findings": [_plain(found) for found in judged.findings],
            }
            for judged in page.claims
        ],
    }


def _plain(found: Finding) -> dict[str, Any]:
    content = asdict(found) | {"verdict": found.verdict and found.verdict.value}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in content.items()}


def latex(page: Page) -> str:
    """Two kinds of tables, with booktabs: the claims and their verdicts; the findings that were measured."""
    claims = [[judged.claim.statement, judged.claim.where, judged.verdict.value, words.counts(judged)]
              for judged in page.claims]  # fmt: skip
    caption = "Claims of the paper and what the kept results say of them."
    out = _tables(claims, ["Claim", "Where", "Verdict", "Findings"], (".43", ".18", ".13", ".16"), "claims", caption)
    findings = [
        [f.claim, f"{f.data}, {f.metric}", signed(number(f.difference, sign=True)), signed(words.interval(f)),
         words.p_value(f), signed(number(f.paper_difference, sign=True)), f.verdict.value if f.verdict else ""]
        for judged in page.claims for f in judged.findings if f.effect
    ]  # fmt: skip
    head = ["Claim", "Data, metric", "Difference", r"95% interval", "p (Holm)", "Paper", "Verdict"]
    caption = f"Findings; p values corrected by Holm's procedure over {page.family} paired tests."
    return "\n".join(out + _tables(findings, head, (".18", ".16", "r", "r", "r", "r", ".12"), "findings", caption))


def _tables(
    rows: Sequence[Sequence[str]], head: Sequence[str], columns: Sequence[str], label: str, caption: str
) -> list[str]:
    """Tables across the page; a column is r, or the share of the width that its words are wrapped in."""
    spec = "".join(column if column == "r" else rf"p{{{column}\linewidth}}" for column in columns)
    ragged = [r"\raggedright " * (column != "r") for column in columns]
    out = []
    for start in range(0, len(rows), LINES):
        part = f"-{start // LINES + 1}" if start else ""
        out += [r"\begin{table*}[tp]", r"\centering\scriptsize\setlength{\tabcolsep}{2pt}",
                rf"\caption{{{escape(caption)}}}", rf"\label{{tab:{label}{part}}}",
                rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
                r"\toprule", " & ".join(map(escape, head)) + r" \\", r"\midrule"]  # fmt: skip
        out += [" & ".join(rag + escape(word) for rag, word in zip(ragged, row, strict=True)) + r" \tabularnewline"
                for row in rows[start : start + LINES]]  # fmt: skip
        out += [r"\bottomrule", r"\end{tabular}", r"\end{table*}", ""]
    return out


FORMATS: dict[str, Callable[[Page], str]] = {"md": markdown, "csv": as_csv, "tex": latex, "json": as_json}
