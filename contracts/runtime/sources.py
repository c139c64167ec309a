"""Which code makes a value: a module, all that it imports inside the project, and the hash of their sources.

Whatever is kept and used again (item vectors, exact densities, checkpoints, trials of a search) is kept under the
hash of the code that made it. Imports are read, not run: those inside functions count, those for type checkers don't.
A module is read once per process: its file may change under a running process, what was loaded does not.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from contracts.errors import UserError

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("contracts", "emde", "baselines", "benchmark", "flows")
"""The suite's own. Their ``__init__`` files do no more than offer names: of those only what is taken is followed."""
IMPORTERS = ("__import__", "import_module")
PRESENT = ""
"""Instead of a name taken from a package: it is loaded, because a module inside it is."""


@dataclass(frozen=True)
class _Import:
    """``import module`` (name None), or ``from module import name``, known as ``bound`` in its file.

    by_name  a string that may be given to ``importlib``
    """

    module: str
    name: str | None
    bound: str
    by_name: bool = False


@dataclass(frozen=True)
class _Source:
    """Imports of one file and the hash of its code."""

    imports: tuple[_Import, ...]
    digest: str


def closure(module_name: str, *, by_name: bool = True, without: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """The files of a module and of all that it imports inside the project, sorted.

    Inside the project are the suite's packages and, for a module from elsewhere, its own top-level package.
    Where a file imports by computed names (``importlib``), each of its strings that names a module counts, and for a
    package the modules in it; with ``by_name=False`` none does: the caller knows which of them is meant, and adds it.
    without  modules that are imported, but not for what the caller runs
    Raises UserError where the module has no file.
    """
    return tuple(sorted(_closure(module_name, by_name, without).values()))


def sources_hash(*module_names: str) -> str:
    """sha256 over the names and the code of all files in the modules' closures; comments and docstrings are no code."""
    files = {name: path for module_name in module_names for name, path in _closure(module_name).items()}
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name} {_read(name, path).digest}\n".encode())
    return digest.hexdigest()


@cache
def _closure(module_name: str, by_name: bool = True, without: tuple[str, ...] = ()) -> dict[str, Path]:
    """Module -> file."""
    if _find(module_name) is None:
        raise UserError(f"{module_name}: expected a module in a file of its own, found none: its code has no identity")
    tops = {*PACKAGES, module_name.partition(".")[0]}
    files: dict[str, Path] = {}
    seen = set[tuple[str, str | None]]()
    pending: list[tuple[str, str | None]] = [(module_name, None)]
    while pending:
        module, name = pending.pop()
        if (module, name) in seen or module in without or module.partition(".")[0] not in tops:
            continue
        seen.add((module, name))
        pending += [(ancestor, PRESENT) for ancestor in _ancestors(module)]
        if name and _exists(f"{module}.{name}"):
            pending.append((f"{module}.{name}", None))
        path = _find(module)
        if path is None:  # a folder without __init__, or no module at all
            continue
        files[module] = path
        pending += [(imported.module, imported.name) for imported in _followed(module, path, name, by_name)]
    return files


def _followed(module: str, path: Path, name: str | None, by_name: bool) -> list[_Import]:
    """The imports of a module that count for who takes ``name`` from it (None: the whole of it)."""
    imports = [one for one in _read(module, path).imports if by_name or not one.by_name]
    if path.name != "__init__.py" or module.partition(".")[0] not in PACKAGES or name is None:
        return imports
    if name == PRESENT:
        return []
    binding = [one for one in imports if one.bound == name]
    return binding or ([] if _exists(f"{module}.{name}") else imports)


@cache
def _read(module: str, path: Path) -> _Source:
    content = path.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # compiled, or not loaded by anybody
        return _Source((), hashlib.sha256(content).hexdigest())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imports = tuple(_imports(tree, package))
    code = ast.dump(_WithoutText().visit(tree))
    return _Source(imports, hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest())


def _imports(tree: ast.Module, package: str) -> Iterator[_Import]:
    """All imports of a file, wherever in it."""
    nodes = list(_executed(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _Import(alias.name, None, alias.asname or alias.name)
                if alias.asname is None:  # binds the first package: all that it offers can be used
                    yield from (_Import(ancestor, None, ancestor) for ancestor in _ancestors(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                name = None if alias.name == "*" else alias.name
                yield _Import(module, name, alias.asname or alias.name)
    if any(_loads_by_name(node) for node in nodes):
        tops = {*PACKAGES, package.partition(".")[0]}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from _named(node.value, tops)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING``."""
    yield node
    skipped: list[ast.stmt] = []
    if isinstance(node, ast.If) and "TYPE_CHECKING" in (
        getattr(node.test, "id", ""),
        getattr(node.test, "attr", ""),
    ):
        skipped = node.body
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _executed(child)


def _loads_by_name(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "importlib" and any(alias.name in IMPORTERS for alias in node.names)
    called = node.func if isinstance(node, ast.Call) else None
    return (getattr(called, "id", "") or getattr(called, "attr", "")) in IMPORTERS


def _named(text: str, tops: Container[str]) -> Iterator[_Import]:
    """The module that a string such as "emde.session:EMDE" names, the modules in "baselines.session."."""
    module = text.partition(":")[0].rstrip(".")
    parts = module.split(".")
    if parts[0] not in tops or not all(part.isidentifier() for part in parts) or not _exists(module):
        return
    yield _Import(module, None, module, by_name=True)
    for folder in _folders(module):
        inside = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
        yield from (_Import(f"{module}.{name}", None, name, by_name=True) for name in inside)


class _WithoutText(ast.NodeTransformer):
    """Takes out strings that stand alone: docstrings, and what is used like them."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        alone = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if alone else self.generic_visit(node)


# ---------------------------------------------------------------------- where modules lie


def _ancestors(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


@cache
def _places(top: str) -> tuple[Path, ...]:
    """The folders of a top-level package, or the one file that a top-level module is."""
    if top in PACKAGES:
        return (PROJECT / top,)
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a script's __main__ has none
        spec = None
    if spec is not None and spec.submodule_search_locations:
        return tuple(Path(place) for place in spec.submodule_search_locations)
    file = spec.origin if spec is not None and spec.has_location else getattr(sys.modules.get(top), "__file__", None)
    return (Path(file),) if file else ()


def _folders(module: str) -> list[Path]:
    """The folders of a package; none for a module."""
    top, *rest = module.split(".")
    return [place.joinpath(*rest) for place in _places(top) if place.joinpath(*rest).is_dir()]


@cache
def _find(module: str) -> Path | None:
    """The file of a module, source or compiled; None where it has none."""
    top, *rest = module.split(".")
    for place in _places(top):
        path = place.joinpath(*rest)
        beside = [path.with_name(path.name + suffix) for suffix in (".py", *EXTENSION_SUFFIXES)] if rest else [path]
        for candidate in (path / "__init__.py", *beside):
            if candidate.is_file():
                return candidate
    return None


def _exists(module: str) -> bool:
    return _find(module) is not None or bool(_folders(module))
