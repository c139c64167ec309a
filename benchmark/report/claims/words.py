"""Numbers and words of claims that every format shares."""

from __future__ import annotations

from benchmark.report.claims.finding import Finding, Judgement
from benchmark.report.claims.judge import Judged, Page
from benchmark.report.tables.text import number

HOW = (
    "A finding compares two rows (levels, estimates) on one data set in one metric; what is claimed is that the first "
    "is above the second. Differences are first - second with their 95% interval, paired over sessions or users "
    "(densities: over seeds). A finding *holds* (*does not hold*) where the difference has the claimed (the other) "
    "sign, p < .05 after Holm's correction over the page's family of {family} paired tests (every p value on this "
    "page), and the difference is larger than the standard deviation over seeds, where several seeds are kept. A "
    "claimed margin, by which the first may be below the second, holds where the interval lies above it, and does not "
    "where it lies below. A value published for the same split is compared with our row's own interval; one that "
    "nobody verified is shown and not judged. What was fitted on a part of train or measured on a subset of the points "
    "is at most *indicated*, and decides nothing. A claim as a whole is what its decided findings say where they "
    "agree; else it is undecided."
)
SHORT = {
    Judgement.HOLDS: "hold",
    Judgement.FAILS: "do not hold",
    Judgement.UNDECIDED: "undecided",
    Judgement.INDICATED: "indicated",
    Judgement.COUNTER: "opposite indicated",
    Judgement.NOT_RUN: "not run yet",
    Judgement.NOT_TESTABLE: "not testable here",
}
HEAD = ("data", "metric", "evidence", "first", "second", "difference", "95% interval", "p (Holm)", "sd over seeds",
        "paper's difference", "verdict")  # fmt: skip


def how(page: Page) -> str:
    """How findings are judged, with the size of the family."""
    return HOW.format(family=page.family)


def counts(judged: Judged) -> str:
    """``2 hold, 1 does not hold, 4 not run yet``"""
    one = {Judgement.HOLDS: "holds", Judgement.FAILS: "does not hold"}
    return ", ".join(f"{n} {(one if n == 1 else SHORT).get(verdict, SHORT[verdict])}"
                     for verdict, n in judged.counts.items())  # fmt: skip


def decided(page: Page) -> str:
    """How many claims have which verdict as a whole."""
    verdicts = [judged.verdict for judged in page.claims]
    return ", ".join(f"{verdicts.count(verdict)} {verdict.value}" for verdict in Judgement if verdict in verdicts)


def side(name: str, value: float | None) -> str:
    """A row with its value."""
    return f"{name} {number(value)}" if value is not None else name


def interval(found: Finding) -> str:
    """``[-0.0123, +0.0045]``"""
    return f"[{number(found.low, sign=True)}, {number(found.high, sign=True)}]" if found.effect else number(None)


def p_value(found: Finding) -> str:
    """Holm-corrected, two digits."""
    return "–" if found.p_holm is None else f"{found.p_holm:.2g}"


def verdict(found: Finding) -> str:
    """The verdict, with why."""
    assert found.verdict is not None
    return f"{found.verdict.value}{f': {found.why}' if found.why else ''}"


def cells(found: Finding) -> list[str]:
    """One finding under ``HEAD``."""
    return [
        found.data, found.metric, found.evidence, side(found.first, found.first_value),
        side(found.second, found.second_value), number(found.difference, sign=True), interval(found), p_value(found),
        number(found.spread), number(found.paper_difference, sign=True), verdict(found),
    ]  # fmt: skip


def to_run(judged: Judged) -> list[str]:
    """The commands that would make what is missing, each once."""
    missing = [finding for finding in judged.findings if finding.verdict is Judgement.NOT_RUN]
    return list(dict.fromkeys(command for finding in missing for command in finding.commands))
