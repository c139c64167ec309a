"""``emde site``: the pages of a profile's tables, or of kept results with the claims that they decide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.data.root import project_root
from benchmark.experiments.profiles import GENERATED
from benchmark.experiments.settings import Settings
from benchmark.report.claims import make as claims
from benchmark.report.site.build import build
from benchmark.report.tables.make import finished


def make(settings: Settings, profile: str, kept: Sequence[Path], out: Path) -> Path:
    """Write the site and return its first page.

    kept  folders of kept results instead of what the profile left; the site of a profile reads its stage's inputs alone
    Raises UserError where there are no results or ``out`` holds something else than a site.
    """
    results = finished(settings, profile, kept)
    judged = claims.page(settings, kept) if kept else None
    return build(results, settings.methods, project_root() / GENERATED, out, judged)
