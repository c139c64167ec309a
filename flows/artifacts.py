"""What a flow leaves in the UI: progress while a stage runs, tables, pictures and the page when it ends."""

import base64
import csv
import re
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.processes import Log

COUNT = re.compile(r"^(?P<what>[^:]+): (?P<done>\d+)/(?P<total>\d+)\b")  # as contracts.progress writes it
MAX_PICTURE = 400_000  # bytes: artifacts live in Prefect's database
NAMES, NUMBERS = ("table", "data", "method", "metric"), ("ours", "published", "difference")


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
        if found := COUNT.match(text):
            bar = bars.setdefault(found["what"], Progress(f"{description}: {found['what']}"))
            bar.show(int(found["done"]), int(found["total"]))

    return line


def show_tables(profile: str, folder: Path) -> None:
    """Tables as Markdown and as a sortable table, figures, and a link to the page.

    folder  results/generated/<profile>
    """
    tables = folder / "tables"
    text = (tables / "tables.md").read_text(encoding="utf-8")
    create_markdown_artifact(key=f"tables-{profile}", markdown=text, description=f"Tables of profile {profile}")
    if rows := _rows(tables / "tables.csv"):
        create_table_artifact(key=f"values-{profile}", table=rows, description=f"Values of profile {profile}")
    for page in (folder / "site/index.html", tables / "index.html"):
        if page.is_file():
            create_link_artifact(
                key=f"page-{profile}", link=page.resolve().as_uri(), link_text=str(page), description="The page"
            )
            break
    if pictures := _pictures(folder):
        create_markdown_artifact(
            key=f"figures-{profile}", markdown="\n\n".join(pictures), description=f"Figures of profile {profile}"
        )


def _rows(path: Path) -> list[dict[str, Any]]:
    """The lines of tables.csv, numbers rounded to four digits."""
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as stream:
        return [
            {name: row.get(name, "") for name in NAMES} | {name: _short(row.get(name, "")) for name in NUMBERS}
            for row in csv.DictReader(stream)
        ]


def _short(value: str) -> str | float:
    try:
        return round(float(value), 4)
    except ValueError:
        return value


def _pictures(folder: Path) -> list[str]:
    """Figures as Markdown with the picture inside: the UI loads nothing from elsewhere."""
    out = []
    for path in sorted((folder / "figures").glob("*.png")):
        if path.stat().st_size <= MAX_PICTURE:
            picture = base64.b64encode(path.read_bytes()).decode()
            out.append(f"### {path.stem}\n\n![{path.stem}](data:image/png;base64,{picture})")
    return out
