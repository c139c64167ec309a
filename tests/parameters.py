"""The project's parameter files for tests: read as one mapping, changed, written elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
SHARED = ("threads", "seed", "final_fit")


def write_parameters(folder: Path, content: dict[str, Any]) -> Path:
    """Write params.yaml, params/, profiles/ and the mark of a suite from one mapping; returns the path of params.yaml.

    content  threads, seed, final_fit; methods: kind -> name -> row; profiles: name -> profile; density; ablations
    """
    for name in ("params", "profiles"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "pyproject.toml").write_text("[tool.emde]\n", encoding="utf-8")
    rest = {key: value for key, value in content.items() if key not in ("methods", "profiles", "density", "ablations")}
    files: dict[str, Any] = {"params.yaml": rest}
    for kind, rows in content.get("methods", {}).items():
        files |= {f"params/{kind}/{name}.yaml": row for name, row in rows.items()}
    files |= {f"profiles/{name}/profile.yaml": profile for name, profile in content.get("profiles", {}).items()}
    files |= {f"params/{name}.yaml": content[name] for name in ("density", "ablations") if name in content}
    for file, value in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return folder / "params.yaml"


def copy_parameters(folder: Path) -> Path:
    """Copy the project's own, with the mark of a suite; returns the path of params.yaml."""
    shutil.copy(PROJECT / "params.yaml", folder)
    (folder / "pyproject.toml").write_text("[tool.emde]\n", encoding="utf-8")
    shutil.copytree(PROJECT / "params", folder / "params", dirs_exist_ok=True)
    for file in (PROJECT / "profiles").glob("*/profile.yaml"):
        target = folder / file.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return folder / "params.yaml"


def edit(path: Path, change: Any) -> None:
    """Read a YAML file, let ``change`` alter its content, write it."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
