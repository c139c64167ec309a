"""contracts.runtime.sources: what a module imports inside the project, and the hash of that code."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts import UserError
from contracts.runtime import sources
from contracts.runtime.sources import PACKAGES, PROJECT, closure, sources_hash

ASK = "import json, sys; from contracts.runtime import sources as s; print(json.dumps([{}]))"


def names(module: str) -> set[str]:
    return {str(path.relative_to(PROJECT)) for path in closure(module)}


def forget() -> None:
    """As in a new process."""
    for kept in (sources._closure, sources._read, sources._places, sources._find):
        kept.cache_clear()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch) -> Callable[..., Path]:
    """Write files of a user's own package ``shop``, which Python finds; what was read before is forgotten."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**files: str) -> Path:
        for name, text in files.items():
            place = name if name == "__init__" else name.replace("__", "/")
            path = tmp_path / f"shop/{place}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        forget()
        return tmp_path / "shop"

    yield write
    forget()


def test_of_the_vectors() -> None:
    """What the package offers is not followed: a change of the training loop makes no other vectors."""
    assert names("emde.graph") == {
        "contracts/__init__.py",
        "contracts/sessions.py",
        "emde/__init__.py",
        "emde/graph.py",
    }


def test_of_methods() -> None:
    assert {"emde/session.py", "emde/train.py", "emde/graph.py", "contracts/runtime/checkpoint.py"} <= names(
        "emde.session"
    )
    narm = names("baselines.session.narm")
    assert {"baselines/session/shared/neural.py", "baselines/session/shared/batches.py"} <= narm
    assert not any("sasrec" in name or name.startswith(("emde", "benchmark")) for name in narm)
    assert "baselines/topk/shared/vae.py" in names("baselines.topk.multvae"), "imported inside a function"
    assert closure("emde.session") == tuple(sorted(closure("emde.session")))


@pytest.mark.parametrize("module", ["emde.session", "baselines.topk.als"])
def test_nothing_that_is_loaded_is_missing(module: str) -> None:
    """But the packages' own files, every project module that the import loads is in the closure."""
    code = ASK.format("[m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] in s.PACKAGES]")
    code = code.replace("print", f"import {module}; print")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    loaded = {Path(path) for path in json.loads(found.stdout)[0] if path}
    offered = {Path(path) for package in ("contracts", "emde") for path in closure(package)}
    assert set(closure(module)) >= loaded - offered
    assert PROJECT / (module.replace(".", "/") + ".py") in loaded & set(closure(module))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_only_offer_names(package: str) -> None:
    """``sources`` relies on it: an ``__init__`` that does something would have to be followed."""
    for path in (PROJECT / package).rglob("__init__.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            passive = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
            text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert text or isinstance(node, passive), f"{path}: line {node.lineno}"


def test_of_a_users_package(shop) -> None:
    folder = shop(
        __init__="import shop.patch",
        patch="",
        model="from .parts import layer\nimport numpy\nfrom contracts import Sessions\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop import typed\n"
        "else:\n    import shop.other\n"
        "def fit():\n    from shop.lazy import x\n",
        parts__layer="from .. import above\nfrom ..deep.er import name",
        above="", lazy="", other="", unused="", typed="", deep__er="name = 1",
    )  # fmt: skip
    own = {str(path.relative_to(folder)) for path in closure("shop.model") if path.is_relative_to(folder)}
    assert own == {
        "__init__.py",
        "patch.py",
        "model.py",
        "parts/layer.py",
        "above.py",
        "lazy.py",
        "other.py",
        "deep/er.py",
    }
    rest = {path.name for path in closure("shop.model") if not path.is_relative_to(folder)}
    assert rest == {"__init__.py", "sessions.py"}


def test_names_that_are_computed(shop) -> None:
    shop(
        model="from importlib import import_module as f\ndef g(n): return f(f'shop.kinds.{n}')\nG = 'shop.far:X'",
        far="", kinds__a="", kinds__b="", other="PLAIN = 'shop.far'",
    )  # fmt: skip
    assert {path.name for path in closure("shop.model")} == {"model.py", "far.py", "a.py", "b.py"}
    assert {path.name for path in closure("shop.other")} == {"other.py"}


def test_the_hash_is_that_of_the_code(shop) -> None:
    def found(text: str) -> str:
        shop(model=f"from shop.part import x\n\n\nclass A:\n{text}\n", part="x = 1")
        return sources_hash("shop.model")

    plain = found("    y = 1")
    assert plain == found("    # why\n    y   =  1  # one") == found('    """What it is."""\n\n    y = 1')
    assert plain == found("    y = 1\n    '''About y.'''")
    assert len({plain, found("    y = 2"), found("    z = 1"), found("    y = '1'")}) == 4
    last = found("    y = 3")
    shop(part="x = 2")
    assert sources_hash("shop.model") != last, "of what is imported, too"
    shop(part="x = 1")
    assert sources_hash("shop.model") == last


def test_the_hash_knows_no_place(shop, tmp_path, monkeypatch) -> None:
    shop(model="x = 1")
    here = sources_hash("shop.model")
    (tmp_path / "moved").mkdir()
    (tmp_path / "shop").rename(tmp_path / "moved/shop")
    monkeypatch.syspath_prepend(tmp_path / "moved")
    forget()
    assert closure("shop.model") == (tmp_path / "moved/shop/model.py",)
    assert sources_hash("shop.model") == here
    assert sources_hash("shop.model", "emde.graph") == sources_hash("emde.graph", "shop.model") != here


def test_what_was_loaded_stays(shop) -> None:
    """A file that is edited while a process runs does not change what the process runs."""
    folder = shop(model="x = 1")
    before = sources_hash("shop.model")
    (folder / "model.py").write_text("x = 2")
    assert sources_hash("shop.model") == before


def test_no_python(shop) -> None:
    shop(model="from shop import broken", broken="not python")
    before = sources_hash("shop.model")
    shop(broken="not python either")
    assert sources_hash("shop.model") != before
    with pytest.raises(UserError, match=r"shop\.absent: expected a module in a file of its own, found none"):
        closure("shop.absent")


def test_of_a_script(tmp_path) -> None:
    """A class that stands in a script, whose module is ``__main__``."""
    script = tmp_path / "script.py"
    script.write_text("from contracts.runtime.sources import closure\nprint([p.name for p in closure('__main__')])")
    env = os.environ | {"PYTHONPATH": str(PROJECT)}
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=env)
    assert "script.py" in found.stdout
    assert "sources.py" in found.stdout
