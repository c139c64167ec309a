"""The picture of a claim: its differences with their intervals, a panel for every data set."""

from __future__ import annotations

from matplotlib.figure import Figure

from benchmark.report.claims.finding import Finding
from benchmark.report.claims.judge import Judged
from benchmark.report.figures.intervals import Effect, forests


def picture(judged: Judged) -> Figure | None:
    """None where nothing was measured."""
    of_data: dict[str, list[Effect]] = {}
    measured = [(finding, finding.effect) for finding in judged.findings if finding.effect is not None]
    several = len({(finding.first, finding.second) for finding, _ in measured}) > 1
    for finding, effect in measured:
        label = f"{finding.metric}: {_pair(finding)}" if several else finding.metric
        of_data.setdefault(finding.data, []).append(Effect(label, *effect, decided=effect[1] > 0 or effect[2] < 0))
    return forests(of_data, "difference, first - second", title(judged)) if of_data else None


def title(judged: Judged) -> str:
    """Also what the picture is called for those who do not see it."""
    return f"{judged.claim.id}: differences with 95% intervals"


def _pair(found: Finding) -> str:
    names = [name if len(name) <= 28 else f"{name[:27]}…" for name in (found.first, found.second)]
    return " / ".join(names)
