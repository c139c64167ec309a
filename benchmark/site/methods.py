"""What the page of a method shows: its own documentation, its parameters, its rows."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmark import methods
from benchmark.describe import parameters
from benchmark.settings import Settings
from benchmark.site import links
from benchmark.site.cells import Place, places
from benchmark.tables.model import Results
from contracts import Estimator, UserError


@dataclass(frozen=True)
class Method:
    """A method of one kind; one that is only published (no class here) has no text and no parameters.

    base    name of the class it is a preset of, if that is another
    preset  parameters that params.yaml lays over the class's defaults
    """

    kind: methods.Kind
    name: str
    label: str
    base: str
    text: list[str]
    citation: str
    code: str
    params: list[dict[str, Any]]
    preset: dict[str, Any]
    source: str
    places: list[Place]

    @property
    def first(self) -> str:
        """One line about it."""
        return self.text[0] if self.text else "published values only"


@cache
def described(kind: methods.Kind, name: str) -> type[Estimator] | None:
    """The class behind a name, None where this suite has none."""
    try:
        return methods.find(kind, name)
    except UserError:
        return None


def pages(results: Results, settings: Settings) -> list[Method]:
    """Every method that stands in a table, sorted by name."""
    rows: dict[tuple[methods.Kind, str], list[Place]] = {}
    for place in places(results):
        rows.setdefault((links.method_kind(place.block.data), place.row.method), []).append(place)
    return [_method(kind, name, settings, found) for (kind, name), found in sorted(rows.items())]


def _method(kind: methods.Kind, name: str, settings: Settings, rows: list[Place]) -> Method:
    base = settings.base(kind, name)
    cls = described(kind, base)
    preset = settings.methods.get(kind, {}).get(name)
    return Method(
        kind=kind,
        name=name,
        label=rows[0].row.label,
        base=base if base != name else "",
        text=inspect.cleandoc(cls.__doc__ or "").split("\n\n") if cls else [],
        citation=cls.citation if cls else "",
        code=methods.code_paths(kind, base)[0] if cls else "",
        params=parameters(cls) if cls else [],
        preset=preset.params if preset else {},
        source=preset.source if preset else "",
        places=rows,
    )
