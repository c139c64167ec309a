"""What of a data set a method may ask for: where EMDE's item codes come from, and users' dislikes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer


class SourceKind(StrEnum):
    """Group, attribute and vectors have a name of the data's; the others are written as they are called."""

    GROUP = "group"
    NEXT = "next"
    PREVIOUS = "previous"
    ROLES = "roles"
    ATTRIBUTE = "attribute"
    ATTRIBUTES = "attributes"
    VECTORS = "vectors"
    RANDOM = "random"
    DISLIKES = "dislikes"


PREFIXED = (SourceKind.ATTRIBUTE, SourceKind.VECTORS)


class Source(NamedTuple):
    """Written ``session`` (or another group of the data), ``attribute:NAME``, ``vectors:NAME``, ``random``, ..."""

    kind: SourceKind
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Source:
        """What ``str`` wrote; any other text is the name of a group."""
        prefix, colon, name = text.partition(":")
        if colon and prefix in PREFIXED:
            return cls(SourceKind(prefix), name)
        plain = text in set(SourceKind) - {SourceKind.GROUP, *PREFIXED}
        return cls(SourceKind(text)) if plain else cls(SourceKind.GROUP, text)

    @classmethod
    def group(cls, name: str) -> Source:
        """A group of the data: session, user, ..."""
        return cls(SourceKind.GROUP, name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.kind in PREFIXED else self.name or str(self.kind)


RANDOM = Source(SourceKind.RANDOM)


def _read(written: object) -> object:
    if isinstance(written, str):
        return Source.parse(written)
    if isinstance(written, Source):
        return written
    raise ValueError("expected the name of a group, attribute:NAME, vectors:NAME or random")


WrittenSource = Annotated[Source, BeforeValidator(_read), PlainSerializer(str)]
"""A field that YAML and JSON hold as a string."""


def sources(params: Mapping[str, Any]) -> list[Source]:
    """Of the modalities among a method's parameters as they are written."""
    return [Source.parse(modality["group"]) for modality in params.get("modalities", ()) if "group" in modality]
