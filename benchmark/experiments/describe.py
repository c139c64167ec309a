"""Every method with its parameters, for ``emde methods``."""

from __future__ import annotations

from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from benchmark import methods
from contracts import Estimator

SYMBOLS = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt"), MinLen: ("at least", "min_length")}


def describe_methods() -> list[dict[str, Any]]:
    """Name, kind, first line of the description, citation and parameters of every known method."""
    out = []
    for kind in methods.FOLDERS:
        for name in sorted(methods.catalogue(kind)):
            cls = methods.find(kind, name)
            text = (cls.__doc__ or "").strip().splitlines()[0]
            out.append({"name": name, "kind": kind, "what": text, "citation": cls.citation, "params": parameters(cls)})
    return out


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
