"""requirements.lock: one file for every Python and system (``python -m tests.lock`` writes it: ``make lock``)."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
LOCK = PROJECT / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = {
    "linux": ("linux", "posix", "Linux", "x86_64"),
    "macos": ("darwin", "posix", "Darwin", "arm64"),
    "windows": ("win32", "nt", "Windows", "AMD64"),
}
APART = ("torch", "pip", "emde-suite")
"""torch is chosen by the Makefile, with the build for the machine."""
Environment = dict[str, str]
Needs = Callable[[str], Iterable[str]]


def environment(python: str, system: str) -> Environment:
    """What markers are judged by, for the first release of a Python on a system."""
    names = dict(zip(("sys_platform", "os_name", "platform_system", "platform_machine"), SYSTEMS[system], strict=True))
    release = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    return {**{name: str(value) for name, value in default_environment().items()}, **names, **release}


def read(text: str) -> dict[str, Requirement]:
    """Canonical name -> pinned requirement."""
    lines = [Requirement(line) for line in text.splitlines() if line.strip()]
    return {canonicalize_name(line.name): line for line in lines}


def applies(line: Requirement, where: Environment) -> bool:
    """Whether a line holds in an environment."""
    return line.marker is None or line.marker.evaluate(where)


def pin(name: str, version: str, requires_python: str | None) -> str:
    """A line; with a marker where the version refuses one of the Pythons."""
    refused = [python for python in PYTHONS if not SpecifierSet(requires_python or "").contains(f"{python}.0")]
    if refused and refused != list(PYTHONS[-len(refused) :]):
        raise SystemExit(f"make lock: {name} {version} wants Python {requires_python}, and this is no upper bound")
    return f"{name}=={version}" + (f'; python_version < "{refused[0]}"' if refused else "")


def written(installed: Iterable[tuple[str, str, str | None]], old: str) -> str:
    """The lock of what is installed, (name, version, Python it requires), and the old lines for other environments."""
    lines = {canonicalize_name(name): pin(name, *rest) for name, *rest in installed
             if canonicalize_name(name) not in APART}  # fmt: skip
    here = default_environment()
    lines |= {name: str(line) for name, line in read(old).items() if not applies(line, here)}  # type: ignore[arg-type]
    return "".join(f"{line}\n" for _, line in sorted(lines.items()))


def needed(name: str) -> Iterable[str]:
    """What an installed package requires."""
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:  # of another environment: known to need nothing that is not here
        return []


def open_ends(lock: Mapping[str, Requirement], where: Environment, needs: Needs = needed) -> set[str]:
    """What is required in an environment, directly or not, and not pinned there, or to another version."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    todo = [Requirement(text) for group in groups for text in group]
    seen, out = set(), set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        line = lock.get(name)
        if name in APART:
            continue
        if line is None or not applies(line, where):
            out.add(f"{wanted.name}{wanted.specifier}: not pinned")
            continue
        if not wanted.specifier.contains(next(iter(line.specifier)).version, prereleases=True):
            out.add(f"{wanted.name}{wanted.specifier}: pinned to {line.specifier}")
        if (key := (name, *sorted(wanted.extras))) not in seen:
            seen.add(key)
            of_name = [Requirement(text) for text in needs(name)]
            extras = ("", *wanted.extras)
            todo += [r for r in of_name
                     if r.marker is None or any(r.marker.evaluate({**where, "extra": e}) for e in extras)]  # fmt: skip
    return out


if __name__ == "__main__":
    here = [(d.metadata["Name"], d.version, d.metadata.get("Requires-Python")) for d in distributions()]
    LOCK.write_text(written(here, LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{LOCK.name}: {len(read(LOCK.read_text(encoding='utf-8')))} packages\n")
