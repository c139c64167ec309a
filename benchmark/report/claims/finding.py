"""What the kept results say of a claim on one data set in one metric, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Judgement(StrEnum):
    """Of a finding, and of a claim as a whole."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNDECIDED = "undecided"
    INDICATED = "indicated (part of train)"
    COUNTER = "opposite indicated (part of train)"
    NOT_RUN = "not run yet"
    NOT_TESTABLE = "not testable here"


DECIDED = (Judgement.HOLDS, Judgement.FAILS)


@dataclass(frozen=True)
class Finding:
    """One comparison. Where nothing was measured: a verdict, why, and the commands that would measure it.

    evidence     kind of the evidence, in words
    first, second            the rows (levels, ...); what is claimed is that the first is above the second
    first_value, second_value, difference, low, high     first - second with its 95% interval
    p, p_holm    two-sided paired t; Holm-corrected over the page
    spread       standard deviation over seeds, the larger of both rows'; None where there is one seed
    seeds        how many seeds are kept, the larger of both rows'
    whole        fitted on all of train and measured on all points, both of them
    margin       claimed instead: the first is below the second by no more than that
    paper        the paper's values of first and second on its data
    commands     that made the rows, or would make them
    lists        lists_sha256 of the runs of each row
    """

    claim: str
    evidence: str
    data: str
    metric: str
    first: str = ""
    second: str = ""
    first_value: float | None = None
    second_value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    spread: float | None = None
    seeds: int | None = None
    whole: bool = True
    margin: float | None = None
    paper: tuple[float, float] | None = None
    commands: tuple[str, ...] = ()
    lists: tuple[tuple[str, ...], ...] = ()
    verdict: Judgement | None = None
    why: str = ""

    @property
    def effect(self) -> tuple[float, float, float] | None:
        """(difference, low, high); None where nothing was measured, or without an interval."""
        if self.difference is None or self.low is None or self.high is None:
            return None
        return self.difference, self.low, self.high

    @property
    def paper_difference(self) -> float | None:
        """The paper's difference, on its data."""
        return None if self.paper is None else self.paper[0] - self.paper[1]
