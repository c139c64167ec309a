"""The house: imports point one way, one public class a baseline, one JSON."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("contracts", "emde", "baselines", "benchmark", "flows")
FLOORS = (
    {"contracts"},
    {"emde", "baselines"},
    {"benchmark.data"},
    {"benchmark.protocol"},
    {"benchmark.experiments"},
    {"benchmark.report"},
    {"benchmark.speed", "benchmark.pipelines"},
    {"benchmark.cli", "flows"},
)
"""From the ground up: a floor imports itself and those below it, never its neighbour."""


def files(package: str) -> list[Path]:
    return sorted(path for path in (PROJECT / package).rglob("*.py") if "__pycache__" not in path.parts)


def imported_modules(path: Path) -> set[str]:
    """Everything a file imports, wherever in it: modules, what is in them, ``importlib`` by a literal name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return names


def imported(path: Path) -> set[str]:
    """First names of everything a file imports."""
    return {name.split(".")[0] for name in imported_modules(path)}


def room(module: str) -> tuple[int, str] | None:
    """(floor, room) of a module of ours; None of others, and of what lies on no floor."""
    for floor, names in enumerate(FLOORS):
        for name in names:
            if f"{module}.".startswith(f"{name}."):
                return floor, name
    return None


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    assert files(package)
    for path in files(package):
        relative = path.relative_to(PROJECT)
        own = room(".".join(relative.with_suffix("").parts))
        if relative == Path("benchmark/__init__.py"):  # offers names of several floors, loads none
            continue
        assert own is not None, f"{relative} lies on no floor"
        places = {name: room(name) for name in imported_modules(path)}
        wrong = [name for name, place in places.items() if place and place != own and place[0] >= own[0]]
        assert not wrong, f"{relative} imports {wrong}"


def test_nothing_imports_the_measurements_of_speed() -> None:
    for path in [path for package in PACKAGES for path in files(package)]:
        if not {"speed", "cli", "flows"} & set(path.parts):  # emde plan and the first lines of make repro ask for it
            wrong = [name for name in imported_modules(path) if f"{name}.".startswith("benchmark.speed.")]
            assert not wrong, f"{path.relative_to(PROJECT)} imports {wrong}"


@pytest.mark.parametrize("package", ["contracts", "emde", "baselines", "benchmark"])
def test_no_orchestrator_below_flows(package: str) -> None:
    """emde, baselines and benchmark run without Prefect and DVC (``doctor`` starts dvc as a command)."""
    for path in files(package):
        assert not imported(path) & {"prefect", "dvc"}, path.relative_to(PROJECT)


def test_nothing_heavy_is_imported_for_help() -> None:
    """The command line, its parser built, has not loaded torch, prefect, dvc or matplotlib."""
    code = "import sys, benchmark.cli.main; benchmark.cli.main.build_parser(); print(' '.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert not {"torch", "prefect", "dvc", "matplotlib", "faiss", "sklearn"} & set(found.stdout.split())


@pytest.mark.parametrize("kind", ["session", "topk"])
def test_a_baseline_is_one_public_class(kind: str) -> None:
    for path in sorted((PROJECT / "baselines" / kind).glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        public = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
        assert len(public) == 1, f"{path.relative_to(PROJECT)}: {public}"
        assert ast.get_docstring(tree), path


def test_every_method_is_found() -> None:
    from benchmark.experiments import methods
    from contracts import SessionRecommender, TopKRecommender

    for kind, base in (("session", SessionRecommender), ("topk", TopKRecommender)):
        known = methods.catalogue(kind)
        stems = [path.stem for path in (PROJECT / "baselines" / kind).glob("[!_]*.py")]
        own = {methods.ABBREVIATED.get(stem, stem.replace("_", "-")) for stem in stems}
        assert own | {"emde"} <= set(known)
        for name in known:
            assert issubclass(methods.find(kind, name), base), name
            if name in own | {"emde", "pure-emde"}:
                module = methods.module_of(kind, name)
                assert (PROJECT / f"{module.replace('.', '/')}.py").is_file(), module


@pytest.mark.parametrize("package", PACKAGES)
def test_public_things_are_documented(package: str) -> None:
    """Every module with code, and every public class and function of it, has a docstring."""
    for path in files(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not tree.body:
            continue
        assert ast.get_docstring(tree), path.relative_to(PROJECT)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.relative_to(PROJECT)}: {node.name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_one_json(package: str) -> None:
    """``contracts.runtime.json`` writes and reads all of ours, without NaN; parsers read what others wrote."""
    for path in files(package):
        if path != PROJECT / "contracts/runtime/json.py" and not path.is_relative_to(
            PROJECT / "benchmark/data/parsers"
        ):
            assert "json" not in imported(path), path.relative_to(PROJECT)
