"""contracts.runtime.json: standard JSON only, both ways."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from contracts import UserError
from contracts.runtime.json import from_json, read_json, to_json, write_json

VALUE = {"b": [1, 2.5, None, True], "a": {"c": "é"}}


def test_text_is_that_of_the_standard_library() -> None:
    """Names of run directories and studies are hashes of it."""
    assert to_json(VALUE) == json.dumps(VALUE)
    assert to_json(VALUE, sort_keys=True, indent=1) == json.dumps(VALUE, sort_keys=True, indent=1)
    assert to_json(VALUE, compact=True) == json.dumps(VALUE, separators=(",", ":"))


def test_numbers_of_numpy() -> None:
    value = {"a": np.int64(3), "b": np.float32(0.5), "c": [np.bool_(True)], "d": np.float64(1e-9)}
    assert from_json(to_json(value), "x") == {"a": 3, "b": 0.5, "c": [True], "d": 1e-9}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")])
def test_no_number_is_an_error_that_says_where(tmp_path: Path, number) -> None:
    value = {"metrics": {"HR": 0.5}, "history": [{"loss": 1.0}, {"loss": number}]}
    with pytest.raises(UserError, match=rf"run\.json: expected finite numbers, found {number} in history\.1\.loss"):
        write_json(tmp_path / "run.json", value)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="JSON: expected finite numbers"):
        to_json(number)


def test_other_objects() -> None:
    with pytest.raises(TypeError, match="Path"):
        to_json({"a": Path("b")})
    assert to_json({"a": Path("b")}, other=str) == '{"a": "b"}'


def test_files(tmp_path: Path) -> None:
    path = write_json(tmp_path / "new/a.json", VALUE)
    assert path.read_text(encoding="utf-8") == json.dumps(VALUE, indent=1) + "\n"
    assert read_json(path) == VALUE
    assert write_json(path, VALUE, sort_keys=True).read_text().index('"a"') < path.read_text().index('"b"')


@pytest.mark.parametrize("text", [b"{", b'{"a": NaN}', b"[Infinity]", b"[-Infinity]", b'"\xff"', b""])
def test_what_is_no_json(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(UserError, match=r"a\.json: expected JSON, found "):
        read_json(tmp_path / "a.json")
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "b.json")
