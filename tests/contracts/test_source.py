"""contracts.source: what is asked of data is read and written in one way."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from contracts.source import RANDOM, Source, SourceKind, WrittenSource


class Holder(BaseModel):
    source: WrittenSource


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("session", Source.group("session")),
        ("artist", Source.group("artist")),
        ("a:b", Source.group("a:b")),
        ("group", Source.group("group")),
        ("attribute", Source.group("attribute")),
        ("attribute:a title: the second", Source(SourceKind.ATTRIBUTE, "a title: the second")),
        ("vectors:clip", Source(SourceKind.VECTORS, "clip")),
        ("attributes", Source(SourceKind.ATTRIBUTES)),
        ("random", RANDOM),
    ],
)
def test_a_source_is_written_as_it_is_read(text: str, source: Source) -> None:
    held = Holder.model_validate({"source": text})
    assert held.source == source
    assert held.model_dump() == {"source": text} == held.model_dump(mode="json")
    assert Holder.model_validate_json(held.model_dump_json()) == held


def test_a_source_is_a_string() -> None:
    with pytest.raises(ValidationError, match="expected the name of a group"):
        Holder.model_validate({"source": ["session"]})
