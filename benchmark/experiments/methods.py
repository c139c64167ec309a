"""Finding a method by its name.

A method of this suite is one file: ``vs-knn`` of kind session is the recommender class defined in
``baselines/session/vs_knn.py``; a few are known by an abbreviation (``ABBREVIATED``). EMDE's classes are
listed below. Any installed package can offer more through the entry-point groups ``emde.methods.session``,
``emde.methods.topk`` and ``emde.methods.density``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType

from contracts import Estimator, Kind, UserError

OWN: dict[Kind, dict[str, str]] = {
    "session": {"emde": "emde.session:EMDE"},
    "topk": {"emde": "emde.topk:TopKEMDE", "pure-emde": "emde.topk:PureEMDE"},
    "density": {"emde": "emde.density:SketchDensity"},
}
FOLDERS: dict[Kind, str] = {
    "session": "baselines.session",
    "topk": "baselines.topk",
    "density": "baselines.density",
}
ABBREVIATED = {"association_rules": "ar", "context_tree": "ct", "sequential_rules": "sr"}
"""File -> the method's name on the command line and in results, where it is not the file's."""


def _baselines(kind: Kind) -> dict[str, str]:
    folder = Path(str(importlib.import_module(FOLDERS[kind]).__file__)).parent
    modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    return {ABBREVIATED.get(module, module.replace("_", "-")): f"{FOLDERS[kind]}.{module}" for module in modules}


@cache
def catalogue(kind: Kind) -> Mapping[str, str]:
    """Every known method of a kind: name -> "module" or "module:Class". Imports none of them.

    Looked up once: asking the installed packages takes milliseconds, and everything asks.
    """
    plugins = {point.name: point.value for point in entry_points(group=f"emde.methods.{kind}")}
    return MappingProxyType({**plugins, **_baselines(kind), **OWN[kind]})


def find(kind: Kind, name: str) -> type[Estimator]:
    """The class behind a method name; raises UserError that lists the known names."""
    known = catalogue(kind)
    if name not in known:
        raise UserError(f"unknown {kind} method {name!r}; expected one of: {', '.join(sorted(known))}")
    module_name, _, class_name = known[name].partition(":")
    module = importlib.import_module(module_name)
    if class_name:
        return getattr(module, class_name)
    classes = [
        value
        for key, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, Estimator)
        and value.__module__ == module_name
        and not key.startswith("_")
    ]
    if len(classes) != 1:
        raise UserError(f"{module.__file__}: expected one public class of a method, found {len(classes)}")
    return classes[0]


def module_of(kind: Kind, name: str) -> str:
    """The module that holds the class behind a method name; raises UserError that lists the known names."""
    known = catalogue(kind)
    if name not in known:
        find(kind, name)  # raises with the list of names
    return known[name].partition(":")[0]
