"""What the page of a method shows: its own documentation, its parameters, its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.report.site import links
from benchmark.report.site.cells import TablePlace, places
from benchmark.report.tables.labels import label
from benchmark.report.tables.model import Results
from benchmark.report.tables.variants import base
from contracts import Kind


@dataclass(frozen=True)
class MethodPage:
    """A method of one kind; one that is only published (no class here) has no text and no parameters.

    base    name of the class it is a preset of, if that is another
    preset  parameters that the row's file below params/ lays over the class's defaults
    """

    kind: Kind
    name: str
    label: str
    base: str
    text: list[str]
    citation: str
    code: str
    params: list[dict[str, Any]]
    preset: dict[str, Any]
    source: str
    places: list[TablePlace]

    @property
    def first(self) -> str:
        """One line about it."""
        return self.text[0] if self.text else "published values only"


@dataclass(frozen=True)
class Described:
    """What ``emde methods`` says: (kind, name) -> a method, a row of the tables."""

    methods: Mapping[tuple[str, str], Mapping[str, Any]]
    rows: Mapping[tuple[str, str], Mapping[str, Any]]

    @classmethod
    def of(cls, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Described:
        """From its JSON."""
        return cls(*({(one["kind"], one["name"]): one for one in found[part]} for part in ("methods", "rows")))


def pages(results: Results, described: Described) -> list[MethodPage]:
    """Every method that stands in a table, sorted by name."""
    rows: dict[tuple[Kind, str], list[TablePlace]] = {}
    for place in places(results):
        rows.setdefault((links.method_kind(place.block.data), base(place.row.method)), []).append(place)
    return [_method(kind, name, of_row, described) for (kind, name), of_row in sorted(rows.items())]


def _method(kind: Kind, name: str, rows: list[TablePlace], described: Described) -> MethodPage:
    preset = described.rows.get((kind, name), {"base": name, "params": {}, "source": ""})
    origin = preset["base"]
    known = described.methods.get((kind, origin), {})
    return MethodPage(
        kind=kind,
        name=name,
        label=label(name),
        base=origin if origin != name else "",
        text=known.get("text", []),
        citation=known.get("citation", ""),
        code=known.get("code", ""),
        params=known.get("params", []),
        preset=preset["params"],
        source=preset["source"],
        places=rows,
    )
