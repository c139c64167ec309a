"""``emde search --save``: the best setting of a search becomes ``tuned`` of the method's file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmark.data import registry
from benchmark.data.root import project_root
from benchmark.experiments.parameters import method_file
from benchmark.experiments.settings import Settings
from contracts import UserError
from contracts.runtime.files import write_whole


def save(settings: Settings, row: str, found: Mapping[str, Any]) -> Path:
    """Write a search's best setting for its data set; the rest of the file stays as it is. Returns the file.

    row  whose file: the searched method, or a preset of it, where the method keeps its own setting
    """
    kind = registry.get(found["data"]).kind
    if kind == "vectors" or row not in settings.methods[kind]:
        raise UserError(f"--save: expected a {kind} method with a file below params/, found {row!r}")
    if settings.base(kind, row) != settings.base(kind, found["method"]):
        raise UserError(f"--save: expected {found['method']} or a preset of it, found {row!r}")
    path = project_root() / method_file(kind, row)
    writer = YAML()  # as DVC's own
    content = writer.load(path.read_text(encoding="utf-8"))
    content.setdefault("tuned", {})[found["data"]] = dict(found["tuned"])
    stream = io.StringIO()
    writer.dump(content, stream)
    return write_whole(path, stream.getvalue())
