"""What ``emde claims`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.experiments.settings import Settings
from benchmark.report import kept
from benchmark.report.claims import render, words
from benchmark.report.claims.declaration import declared
from benchmark.report.claims.judge import Page, judge
from benchmark.report.claims.kept_rows import Evidence, folders
from contracts import UserError
from contracts.runtime.files import write_whole


def page(settings: Settings, results: Sequence[Path] = ()) -> Page:
    """Every claim judged from kept results; default: all folders of results/reported.

    Raises UserError for a folder without kept results.
    """
    for folder in results:
        if not kept.files(folder):
            raise UserError(f"{folder}: expected a folder of kept results (*.jsonl, see emde keep), found none")
    return judge(list(declared().values()), Evidence(list(results) or folders(), settings))


def make(
    settings: Settings, results: Sequence[Path], fmt: str | None, claim: str | None, out: Path | None
) -> dict[str, Any]:
    """Judge, and print in a format or write every format and the pictures into ``out``.

    claim  the id of one claim; its p values stay corrected over all claims
    """
    if claim is not None and claim not in declared():
        raise UserError(f"--claim: no claim {claim!r}; expected one of: {', '.join(declared())}")
    judged = page(settings, results)
    shown = judged if claim is None else judged.only(claim)
    result: dict[str, Any] = {**render.as_dict(shown), "summary": words.decided(shown)}
    if out is not None:
        result["written"] = [str(path) for path in write(shown, out)]
    if out is None or fmt:
        result["text"] = render.FORMATS[fmt or "md"](shown)
    return result


def write(found: Page, out: Path) -> list[Path]:
    """claims.md, .csv, .tex, .json and a picture of every claim with a measured difference."""
    from benchmark.report.claims.figure import picture
    from benchmark.report.figures.style import save

    paths = [write_whole(out / f"claims.{fmt}", made(found), "the claims") for fmt, made in render.FORMATS.items()]
    for judged in found.claims:
        if (drawn := picture(judged)) is not None:
            paths += save(drawn, out / "figures", f"claim-{judged.claim.id}")
    return paths
