"""Made-up kept results: runs with values per session, tests, ablations, densities, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.experiments import settings
from benchmark.experiments.headline import PerUnit
from benchmark.experiments.settings import Settings
from benchmark.report import kept, units
from benchmark.report.claims.declaration import Claim
from benchmark.report.claims.judge import Judged, Page, judge
from benchmark.report.claims.kept_rows import Evidence

DATA, SPLIT = "rsc15-100k", "published"
N = 400


@pytest.fixture(scope="session")
def chosen() -> Settings:
    return settings.load()


class Folder:
    """A folder of kept results that tests fill."""

    def __init__(self, path: Path, chosen: Settings) -> None:
        self.path, self.settings = path, chosen
        self.records: list[kept.Record] = []
        self.values: units.Units = {}

    def run(
        self, method: str, level: float, *, data: str = DATA, split: str = SPLIT, seed: int | None = None,
        sessions: int | None = None, valued: bool = True, noise: float = 0.1, draw: int = 0, **changes: Any,
    ) -> str:  # fmt: skip
        """A run whose metrics are ``level``; the same draw gives the same noise per session. Returns its hash."""
        model = self.settings.estimator("session", method, data, changes, seed, "cpu")
        own = np.random.default_rng(draw).normal(0, noise, N)
        column = level + own - own.mean()
        lists = f"{len(self.records):012x}".ljust(64, "0")
        names = units.METRICS["session"]
        record = {
            "data": data, "split": split, "kind": "session", "method": method, "seed": seed, "sessions": sessions,
            "params": model.model_dump(mode="json"), "lists_sha256": lists, "seconds": {"fit_cpu": 10.0 * (1 + draw)},
            "command": f"emde run --data {data} --method {method}",
        }  # fmt: skip
        interval = [level - 0.02, level + 0.02]
        self.records.append(kept.record("run", {
            "run": record, "metrics": dict.fromkeys(names, level), "intervals": dict.fromkeys(names, interval),
            "masked": None,
        }))  # fmt: skip
        if valued:
            self.values[lists] = PerUnit(np.arange(N), np.ones(N, np.int64), dict.fromkeys(names, column))
        return lists

    def add(self, kind: str, **content: Any) -> None:
        self.records.append(kept.record(kind, content))

    def evidence(self) -> Evidence:
        kept.write(self.path, self.records)
        units.write(self.path, self.records, self.values)
        return Evidence([self.path], self.settings)

    def judged(self, *parts: dict[str, Any]) -> Judged:
        """A claim of these parts, judged."""
        (found,) = self.page(list(parts)).claims
        return found

    def page(self, *claims: list[dict[str, Any]]) -> Page:
        made = [
            Claim.model_validate({"id": f"c{i}", "topic": "Session methods", "order": i, "statement": "It is so.",
                                  "where": "Section 0", "evidence": parts})
            for i, parts in enumerate(claims)
        ]  # fmt: skip
        return judge(made, self.evidence())


@pytest.fixture
def folder(tmp_path: Path, chosen: Settings) -> Folder:
    return Folder(tmp_path / "kept", chosen)


def rows(first: Any = "emde", second: Any = "sr", data: Any = None, **more: Any) -> dict[str, Any]:
    """Paired evidence in one metric."""
    place = {DATA: "RSC15"} if data is None else data
    return {"kind": "paired", "first": first, "second": second, "metrics": ["MRR@20"], "data": place, **more}
