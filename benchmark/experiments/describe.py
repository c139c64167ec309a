"""Every method with its text and parameters, for ``emde methods`` and the site."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from benchmark.experiments import methods
from benchmark.experiments.parameters import Method
from contracts import Estimator

SYMBOLS = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt"), MinLen: ("at least", "min_length")}


def describe_methods() -> list[dict[str, Any]]:
    """Every known method: name, kind, text (paragraphs), what (its first line), citation, code (module), params."""
    return [
        {
            "name": name,
            "kind": kind,
            "what": (cls.__doc__ or "").strip().splitlines()[0],
            "text": inspect.cleandoc(cls.__doc__ or "").split("\n\n"),
            "citation": cls.citation,
            "code": cls.__module__,
            "params": parameters(cls),
        }
        for kind in methods.FOLDERS
        for name in sorted(methods.catalogue(kind))
        for cls in [methods.find(kind, name)]
    ]


def describe_rows(rows: Mapping[methods.Kind, Mapping[str, Method]]) -> list[dict[str, Any]]:
    """Every row of the tables that has a file below params/: kind, name, base (a method), params, source."""
    return [
        {"kind": kind, "name": name, "base": row.base or name, "params": row.params, "source": row.source}
        for kind, of_kind in rows.items()
        for name, row in of_kind.items()
    ]


def parameters(cls: type[Estimator]) -> list[dict[str, Any]]:
    """Name, default, bounds and description of every hyper-parameter."""
    rows = []
    for name, info in cls.model_fields.items():
        default = None if info.default is PydanticUndefined else info.default
        bounds = [f"{symbol} {getattr(limit, attribute)}" for limit in info.metadata
                  for kind, (symbol, attribute) in SYMBOLS.items() if isinstance(limit, kind)]  # fmt: skip
        if isinstance(default, tuple):
            default = [entry.model_dump() if isinstance(entry, BaseModel) else entry for entry in default]
        rows.append(
            {"name": name, "default": default, "bounds": ", ".join(bounds), "description": info.description or ""}
        )
    return rows
