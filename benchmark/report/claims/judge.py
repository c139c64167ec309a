"""From declared claims and kept results to verdicts.

A finding is one comparison on one data set in one metric. It holds (does not hold) where the difference has the
claimed (the other) sign, its p value is below .05 after Holm's correction over all paired tests of the page, and it
is larger than the spread over seeds; a claimed margin, by which the first may be below the second, holds where the
95% interval lies above it, and does not where it lies below; a published value is compared with our row's own 95%
interval. Part of train, or a subset of the points, gives at most "indicated". A claim as a whole is what its decided
findings say, if they agree; else undecided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.data.root import project_root
from benchmark.protocol.significance import LEVEL, holm
from benchmark.report.claims.ablated import ablated
from benchmark.report.claims.declaration import (
    Ablated,
    Checked,
    Claim,
    Estimated,
    Paired,
    Priced,
    Scaled,
    Untestable,
)
from benchmark.report.claims.estimated import estimated
from benchmark.report.claims.finding import DECIDED, Finding, Judgement
from benchmark.report.claims.kept_rows import Evidence
from benchmark.report.claims.ranked import compared, priced


@dataclass(frozen=True)
class Judged:
    """A claim with its findings."""

    claim: Claim
    findings: list[Finding]

    @property
    def counts(self) -> dict[Judgement, int]:
        """How many findings have each verdict."""
        counted = Counter(finding.verdict for finding in self.findings)
        return {verdict: counted[verdict] for verdict in Judgement if counted[verdict]}

    @property
    def verdict(self) -> Judgement:
        """What the decided findings say, if they agree; without any the first of: undecided, indicated, not run, ..."""
        verdicts = {finding.verdict for finding in self.findings}
        decided = [verdict for verdict in DECIDED if verdict in verdicts]
        if len(decided) == 1:
            return decided[0]
        indicated = [verdict for verdict in (Judgement.INDICATED, Judgement.COUNTER) if verdict in verdicts]
        if decided or Judgement.UNDECIDED in verdicts or len(indicated) > 1:
            return Judgement.UNDECIDED
        order = (*indicated, Judgement.NOT_RUN, Judgement.NOT_TESTABLE)
        return next(verdict for verdict in order if verdict in verdicts)


@dataclass(frozen=True)
class Page:
    """All claims, and how many paired tests were corrected for together."""

    claims: list[Judged]
    family: int

    def only(self, claim: str) -> Page:
        """The page with one claim; its p values stay corrected over the whole page."""
        return Page([judged for judged in self.claims if judged.claim.id == claim], self.family)


def judge(claims: Sequence[Claim], kept: Evidence) -> Page:
    """Every claim judged from kept results."""
    findings = [finding for claim in claims for part in claim.evidence for finding in _findings(claim.id, part, kept)]
    corrected = holm(np.array([np.nan if f.p is None else f.p for f in findings], float))
    findings = [f if f.p is None else replace(f, p_holm=float(p)) for f, p in zip(findings, corrected, strict=True)]
    ruled = [ruling(finding) for finding in findings]
    pages = [Judged(claim, [f for f in ruled if f.claim == claim.id]) for claim in claims]
    return Page(pages, int(np.count_nonzero(~np.isnan(corrected))))


def _findings(claim: str, part: object, kept: Evidence) -> Iterator[Finding]:
    if isinstance(part, Paired):
        yield from compared(claim, part, kept)
    elif isinstance(part, Ablated):
        yield from ablated(claim, part, kept)
    elif isinstance(part, Estimated):
        yield from estimated(claim, part, kept)
    elif isinstance(part, Priced):
        yield from priced(claim, part, kept)
    elif isinstance(part, Scaled):
        yield from _scaled(claim, part, kept)
    elif isinstance(part, Checked):
        yield from _tests(claim, part)
    elif isinstance(part, Untestable):
        yield Finding(claim, "untestable", part.what or "–", "–", verdict=Judgement.NOT_TESTABLE, why=part.why)


def ruling(found: Finding) -> Finding:
    """The finding with its verdict, and why where that is not plain."""
    if found.verdict is not None or found.effect is None:
        return found
    verdict, why = _above(found, *found.effect) if found.margin is None else _no_worse(found.margin, *found.effect[1:])
    if verdict in DECIDED and not found.whole:
        verdict = Judgement.INDICATED if verdict is Judgement.HOLDS else Judgement.COUNTER
    return replace(found, verdict=verdict, why=why)


def _above(found: Finding, difference: float, low: float, high: float) -> tuple[Judgement, str]:
    if found.spread is not None and abs(difference) <= found.spread:
        return Judgement.UNDECIDED, f"within the spread over seeds ({found.spread:.4f})"
    if found.p_holm is not None and found.p_holm >= LEVEL:
        return Judgement.UNDECIDED, f"p = {found.p_holm:.2g}"
    if found.p_holm is None and low <= 0 <= high:
        return Judgement.UNDECIDED, "0 lies within the interval"
    return (Judgement.HOLDS if difference > 0 else Judgement.FAILS), ""


def _no_worse(margin: float, low: float, high: float) -> tuple[Judgement, str]:
    if low >= -margin:
        return Judgement.HOLDS, f"not {margin:g} below"
    if high < -margin:
        return Judgement.FAILS, f"more than {margin:g} below"
    return Judgement.UNDECIDED, f"the interval reaches over {margin:g} below"


def _scaled(claim: str, part: Scaled, kept: Evidence) -> Iterator[Finding]:
    """Exponents of ``make bench``'s scaling section, of the newest report that has it."""
    reports = [report.get("sections", {}).get("scaling", {}).get("results", {}) for report in reversed(kept.benches)]
    slopes = {(s["method"], s["axis"], s["cost"]): s for r in reports if r for s in r["slopes"]}
    for axis in part.axes:
        for cost in part.costs:
            bare = Finding(claim, "scaling", f"generated, over {axis}", cost, f"{part.method}: exponent",
                           f"at most {part.limit:g}", second_value=part.limit,
                           commands=("python -m benchmark.speed scaling",))  # fmt: skip
            slope = slopes.get((part.method, axis, cost))
            if slope is None:
                yield replace(bare, verdict=Judgement.NOT_RUN)
                continue
            exponent = float(slope["exponent"])
            yield replace(bare, first_value=exponent, verdict=DECIDED[exponent > part.limit],
                          why=f"cost grows as size^{exponent:g}")  # fmt: skip


def _tests(claim: str, part: Checked) -> Iterator[Finding]:
    """Tests of this repository; the suite's own run decides that they pass."""
    for name in part.tests:
        path, _, function = name.partition("::")
        file = project_root() / path
        there = file.is_file() and f"def {function}(" in file.read_text(encoding="utf-8")
        bare = Finding(claim, "test", "any", "property", function, commands=(f"pytest {name}",))
        yield replace(bare, verdict=Judgement.HOLDS if there else Judgement.NOT_RUN,
                      why="for every input that the test draws" if there else "no such test")  # fmt: skip
