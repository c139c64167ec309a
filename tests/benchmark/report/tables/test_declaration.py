"""Declared tables: all of them are right; a wrong one is refused with file and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.data import registry
from benchmark.report import published
from benchmark.report.tables.build import splits_of
from benchmark.report.tables.declaration import declarations, expand, read
from contracts import UserError

GOOD: dict[str, Any] = {
    "id": "mine", "title": "t", "kind": "ranking", "source": "s", "metrics": ["MRR@20"], "rows": ["emde", "ar"],
    "tolerance": {"absolute": 0.001, "close": 0.05}, "blocks": [{"data": "retail"}],
}  # fmt: skip


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def test_every_table_of_the_paper_is_declared() -> None:
    found = declarations()
    assert list(found)[:8] == ["1", "2", "3", "4", "5", "6", "7", "10"]
    assert {"session-rec", "topk-framework", "srgnn-splits", "small", "small-topk"} <= set(found)


def test_every_value_of_the_paper_has_a_cell() -> None:
    """No transcribed value is without a row and a metric of its declared table."""
    missing = []
    for (data, protocol, method, metric), values in published.values().items():
        for value in values:
            if value.origin == "paper":
                table = declarations()[value.source.rpartition(" ")[2]]
                blocks = [b for b in table.blocks if b.data == data and not b.masked]
                if not any(method in (b.rows or table.rows) for b in blocks) or metric not in table.metrics:
                    missing.append((value.source, data, protocol, method, metric))
    assert missing == []


def test_required_rows_have_references() -> None:
    """What must be reproduced has a published value for at least one metric: a check that checks nothing is none."""
    for table in declarations().values():
        for block in table.blocks:
            protocol = published.DENSITY if table.kind == "density" else _protocol(block)
            for method in block.required:
                known = [published.lookup(block.data, protocol, method, metric) for metric in table.metrics]
                assert any(v.origin in table.expected for values in known for v in values), (table.id, method)


def _protocol(block) -> str:
    splits = splits_of(block)
    return published.SLICES if len(splits) > 1 else splits[0]


def test_good(tmp_path) -> None:
    assert read(write(tmp_path)).blocks[0].data == "retail"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "other"}, ["id: expected the file's name 'mine'", "'other'"]),
        ({"colour": "red"}, ["colour: Extra inputs"]),
        ({"kind": "picture"}, ["kind: ", "'picture'"]),
        ({"metrics": []}, ["metrics: "]),
        ({"tolerance": {"absolute": -1, "close": 0.05}}, ["tolerance.absolute: ", "-1"]),
        ({"blocks": [{"data": "nowhere"}]}, ["blocks.0.data: expected a known data set, found 'nowhere'"]),
        ({"blocks": [{"data": "retail", "split": "9"}]}, ["blocks.0.split: expected one of: 0, 0:valid", "'9'"]),
        ({"rows": []}, ["block retail: expected rows"]),
        ({"blocks": [{"data": "retail", "required": ["sr"]}]}, ["block retail: sr is not among its rows"]),
        ({"blocks": [{"data": "retail", "row": ["sr"]}]}, ["blocks.0.row: Extra inputs"]),
    ],
)
def test_wrong(tmp_path, changes: dict[str, Any], words: list[str]) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        read(path)
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_yaml(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: [1")
    with pytest.raises(UserError, match=r"mine\.yaml: expected valid YAML"):
        read(path)
    with pytest.raises(UserError, match="expected the declaration of a table"):
        read(tmp_path / "none.yaml")


def test_rows_expand_once() -> None:
    meanings = {"@run": ["ar", "emde", "sr"], "@published": ["ct", "sr"]}
    assert expand(["emde", "@published", "@run"], meanings) == ["emde", "ct", "sr", "ar"]


def test_splits() -> None:
    blocks = {block.data: block for table in declarations().values() for block in table.blocks if not block.split}
    assert splits_of(blocks["retail"]) == list(registry.get("retail").splits)
    assert splits_of(blocks["rsc15-100k"]) == ["published"]
