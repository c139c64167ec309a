"""Finding a method by its name.

A method of this suite is one file: ``vs-knn`` of kind session is the recommender class defined in
``baselines/session/vs_knn.py``. EMDE's classes are listed below. Any installed package can offer more
through the entry-point groups ``emde.methods.session``, ``emde.methods.topk`` and ``emde.methods.density``.
"""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from contracts import Estimator, UserError

Kind = Literal["session", "topk", "density"]

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


def _baselines(kind: Kind) -> dict[str, str]:
    folder = Path(str(importlib.import_module(FOLDERS[kind]).__file__)).parent
    modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    return {module.replace("_", "-"): f"{FOLDERS[kind]}.{module}" for module in modules}


def catalogue(kind: Kind) -> dict[str, str]:
    """Every known method of a kind: name -> "module" or "module:Class". Imports none of them."""
    plugins = {point.name: point.value for point in entry_points(group=f"emde.methods.{kind}")}
    return {**plugins, **_baselines(kind), **OWN[kind]}


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


def code_paths(kind: Kind, name: str) -> tuple[str, str]:
    """The two paths (relative to the project) whose change makes a cell of this method stale.

    For EMDE the class's file and its package; for a baseline its file and the folder of what it
    shares with its relatives; for a plugin, whose code is elsewhere, the registry and the lock.
    """
    known = catalogue(kind)
    if name not in known:
        find(kind, name)  # raises with the list of names
    module = known[name].partition(":")[0]
    path = module.replace(".", "/") + ".py"
    if module.startswith("emde."):
        return path, "emde"
    if module.startswith(FOLDERS[kind]):
        return path, FOLDERS[kind].replace(".", "/") + "/shared"
    return "benchmark/methods.py", "requirements.lock"
