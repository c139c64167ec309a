"""What a flow leaves in the UI: progress while a stage runs; tables where they were made anew; one summary per run."""

import csv
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.cells import FROM_WHAT_THERE_IS, Outcome
from flows.dvc_stages import Stage
from flows.processes import SITE, Log

COUNT = re.compile(r"^(?P<what>[^:]+): (?P<done>\d+)/(?P<total>\d+)\b")  # as contracts.runtime.progress writes it
NAMES, NUMBERS = ("table", "data", "method", "metric"), ("ours", "published", "difference")
HEADLINE = ("HR@20", "MRR@20", "Recall@20", "NDCG@20", "Pearson")


class Progress:
    """A progress bar in the UI, made when there is something to show."""

    def __init__(self, description: str) -> None:
        self.description = description
        self._identity: UUID | None = None

    def show(self, done: int, total: int) -> None:
        """``done`` of ``total`` steps."""
        percent = round(100 * done / max(total, 1), 1)
        if self._identity is None:
            made: Any = create_progress_artifact(percent, description=self.description)
            self._identity = made
        else:
            update_progress_artifact(self._identity, percent)


def followed(description: str, log: Log) -> Log:
    """A log that also turns the counts which a stage prints (``train EMDE: 120/515 ...``) into a progress bar."""
    bars: dict[str, Progress] = {}

    def line(text: str) -> None:
        log(text)
        if count := COUNT.match(text):
            bar = bars.setdefault(count["what"], Progress(f"{description}: {count['what']}"))
            bar.show(int(count["done"]), int(count["total"]))

    return line


def show(flow: str, profile: str, folder: Path, outcome: Outcome) -> None:
    """The summary of a run; where it made the tables anew, these as Markdown, and what was measured as a table.

    folder  results/generated/profiles/<profile>
    """
    rows = measured(folder / "tables/tables.csv")
    create_markdown_artifact(
        key=f"summary-{flow}-{profile}",
        markdown=summary(flow, profile, folder, outcome, rows),
        description=f"Summary of {flow}, profile {profile}",
    )
    tables = folder / "tables/tables.md"
    anew = any(stage.kind == "tables" for stage in outcome.ran | outcome.without)  # without: from what there is
    if not anew or not tables.is_file():
        return
    text = tables.read_text(encoding="utf-8")
    create_markdown_artifact(key=f"tables-{profile}", markdown=text, description=f"Tables of profile {profile}")
    if rows:
        values = [{name: row[name] for name in (*NAMES, *NUMBERS)} for row in rows]
        create_table_artifact(key=f"values-{profile}", table=values, description=f"Values of profile {profile}")


def summary(flow: str, profile: str, folder: Path, outcome: Outcome, rows: Iterable[dict[str, Any]]) -> str:
    """Markdown: what ran, what was up to date, what failed, headline numbers, where to read on."""
    idle = set(outcome.chosen) - outcome.ran - outcome.failed.keys() - outcome.without
    parts_only = {stage for stage in outcome.without if stage.kind in FROM_WHAT_THERE_IS}
    groups = [("run", outcome.ran), ("made from what there is", parts_only)]
    groups += [("up to date", idle), ("left out", outcome.without - parts_only)]
    parts = [f"# {flow}, profile {profile}", "\n".join(f"* {line}" for line in outcome.summary.splitlines())]
    if outcome.failed:
        parts.append("## Failed")
        parts += [f"* **{s.label}**\n\n```\n{error}\n```" for s, error in outcome.failed.items()]
    if numbers := headline(rows, outcome.chosen):
        parts += ["## Headline numbers", numbers]
    parts += ["## Read on", "\n".join(f"* {link}" for link in links(folder))]
    for title, stages in groups:
        if labels := [stage.label for stage in outcome.chosen if stage in stages]:
            parts.append(f"## {title.capitalize()} ({len(labels)})\n\n{', '.join(labels)}")
    return "\n\n".join(parts) + "\n"


def measured(path: Path) -> list[dict[str, Any]]:
    """The lines of tables.csv that hold a value of ours, numbers rounded to four digits."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as stream:
        lines = [row for row in csv.DictReader(stream) if row.get("ours")]
    return [row | {name: _short(row.get(name, "")) for name in NUMBERS} for row in lines]


def headline(rows: Iterable[dict[str, Any]], chosen: Iterable[Stage]) -> str:
    """Headline metrics of the chosen cells, ablations, vector sets as a Markdown table; empty where there are none."""
    stages = list(chosen)
    of_cells = {(stage.data, stage.method) for stage in stages if stage.kind == "run"}
    of_tables = {"6": {stage.data for stage in stages if stage.kind == "ablate"},
                 "5": {stage.data for stage in stages if stage.kind == "density"}}  # fmt: skip
    metrics_of: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        wanted = (row["data"], row["method"]) in of_cells or row["data"] in of_tables.get(row["table"], ())
        if wanted and row["metric"] in HEADLINE and row.get("masked") != "1":
            metrics_of.setdefault((row["data"], row["method"]), {}).setdefault(row["metric"], row["ours"])
    metrics = [metric for metric in HEADLINE if any(metric in values for values in metrics_of.values())]
    lines = [["data", "method", *metrics], ["---"] * (2 + len(metrics))]
    lines += [[*key, *(str(values.get(metric, "")) for metric in metrics)] for key, values in metrics_of.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if metrics_of else ""


def links(folder: Path) -> list[str]:
    """Site, tables and figures of a profile as Markdown links; paths where nothing serves them."""
    base = os.environ.get(SITE)
    names = {"site": "the site", "tables": "all tables on one page", "costs": "what it cost"}
    places = [*(folder / name / "index.html" for name in names), *sorted((folder / "figures").glob("*.png"))]
    return [
        f"[{names.get(path.parent.name, path.stem)}]({base}/{path.relative_to(folder.parent)})" if base else str(path)
        for path in places
        if path.is_file()
    ]


def _short(value: str) -> str | float:
    try:
        return round(float(value), 4)
    except ValueError:
        return value
