"""The house: imports point one way, one class a file, files that can be read at a sitting."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("contracts", "emde", "baselines", "benchmark", "flows")
MAY_IMPORT = {
    "contracts": {"contracts"},
    "emde": {"contracts", "emde"},
    "baselines": {"contracts", "baselines"},
    "benchmark": {"contracts", "emde", "baselines", "benchmark"},
    "flows": set(PACKAGES),
}
LONGEST = 350


def files(package: str) -> list[Path]:
    return sorted(path for path in (PROJECT / package).rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> set[str]:
    """First names of everything a file imports, wherever in it, ``importlib`` by a literal name included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    assert files(package)
    for path in files(package):
        wrong = imported(path) & set(PACKAGES) - MAY_IMPORT[package]
        assert not wrong, f"{path.relative_to(PROJECT)} imports {wrong}"


@pytest.mark.parametrize("package", ["contracts", "emde", "baselines", "benchmark"])
def test_no_orchestrator_below_flows(package: str) -> None:
    """emde, baselines and benchmark run without Prefect and DVC (``doctor`` starts dvc as a command)."""
    for path in files(package):
        assert not imported(path) & {"prefect", "dvc"}, path.relative_to(PROJECT)


def test_nothing_heavy_is_imported_for_help() -> None:
    """The command line, its parser built, has not loaded torch, prefect, dvc or matplotlib."""
    code = "import sys, benchmark.cli; benchmark.cli.build_parser(); print(' '.join(sys.modules))"
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
    from benchmark import methods
    from contracts import SessionRecommender, TopKRecommender

    for kind, base in (("session", SessionRecommender), ("topk", TopKRecommender)):
        known = methods.catalogue(kind)
        own = {path.stem.replace("_", "-") for path in (PROJECT / "baselines" / kind).glob("[!_]*.py")}
        assert own | {"emde"} <= set(known)
        for name in known:
            assert issubclass(methods.find(kind, name), base), name
            if name in own | {"emde", "pure-emde"}:
                for path in methods.code_paths(kind, name):
                    assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_short(package: str) -> None:
    for path in files(package):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines < LONGEST, f"{path.relative_to(PROJECT)}: {lines} lines"


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
