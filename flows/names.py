"""The names that forms offer, read from params/ and profiles/ at import: profiles, data sets, methods.

To a type checker they are plain strings; to Prefect they are Literals, shown as combo boxes and checked by
the server before a run is created.
"""

from typing import TYPE_CHECKING, Any, Literal

from benchmark.experiments import settings
from benchmark.experiments.profiles import Profile

Names = list[str] | tuple[str, ...]
"""Of a field: a list where several may be chosen, a tuple where one is."""

_known = settings.load()


def _unique(*lists: list[str]) -> list[str]:
    return list(dict.fromkeys(name for names in lists for name in names))


def offered(profile: Profile) -> dict[str, dict[str, Names]]:
    """Flow -> field -> the names that a profile has."""
    session, topk = profile.session, profile.topk
    session_data, topk_data = (_unique(*(group.data for group in groups)) for groups in (session, topk))
    changes = [list(group.cells or _known.ablations.cells) for group in profile.ablations]
    return {
        "session-based": {"data": session_data, "methods": _unique(*(group.methods for group in session))},
        "top-k": {"data": topk_data, "methods": _unique(*(group.methods for group in topk))},
        "density": {"data": list(profile.density)},
        "ablations": {"data": _unique(*(group.data for group in profile.ablations)), "cells": _unique(*changes)},
        "download-data": {"data": _unique(session_data, topk_data, profile.density)},
        "search": {"data": tuple(_unique(session_data, topk_data))},
        "tables": {},
        "whole-paper": {},
    }


_of_profile = {name: offered(profile) for name, profile in _known.profiles.items()}
OFFERED = {flow: {name: flows[flow] for name, flows in _of_profile.items() if flows[flow]}
           for flow in offered(Profile(title=""))}  # fmt: skip
"""Flow -> profile -> field -> the names that the profile has."""

if TYPE_CHECKING:
    AblationCell = str
    AblationData = str
    AnyData = str
    DensityData = str
    ProfileName = str
    RankedData = str
    SearchMethod = str
    SessionData = str
    SessionMethod = str
    TopKData = str
    TopKMethod = str
else:

    def _literal(names: list[str]) -> Any:
        return Literal[tuple(names) or ("none",)]

    def _any(flow: str, field: str) -> Any:
        return _literal(_unique(*(list(fields[field]) for fields in OFFERED[flow].values())))

    ProfileName = _literal(list(_known.profiles))
    AblationData, AblationCell = _any("ablations", "data"), _literal(list(_known.ablations.cells))
    SearchMethod = _literal(_unique(*(list(spaces) for spaces in _known.spaces.values())))
    RankedData = _any("search", "data")
    SessionData, SessionMethod = _any("session-based", "data"), _any("session-based", "methods")
    TopKData, TopKMethod = _any("top-k", "data"), _any("top-k", "methods")
    DensityData, AnyData = _any("density", "data"), _any("download-data", "data")
