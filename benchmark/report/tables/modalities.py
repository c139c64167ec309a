"""The modalities that a number really had, in words: run.json holds each with how many items it knew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from contracts import RANDOM, Source, SourceKind

VALUES = {"all": "every value of an attribute", "as-of-train": "attributes as of the end of train"}


def made(records: Sequence[Mapping[str, Any]]) -> str:
    """``session x2, user x3, property_6 x4 (1,234 of 5,678 items known), random``; empty for what has no modalities.

    records  run.json of the runs of a row; how many items were known is the mean over them
    """
    every = [record["modalities"] for record in records if record.get("modalities")]
    if not every or len({len(found) for found in every}) > 1:
        return ""
    words = [_words(modalities) for modalities in zip(*every, strict=True)]
    if any(Source.parse(one["group"]).kind is SourceKind.ATTRIBUTE for one in every[0]):
        words.append(VALUES.get(records[0]["params"].get("attributes", ""), ""))
    return ", ".join(word for word in words if word)


def _words(modalities: Sequence[Mapping[str, Any]]) -> str:
    """One modality over several runs."""
    first = modalities[0]
    source = Source.parse(first["group"])
    if source == RANDOM:
        return str(source)
    known, items = (round(float(np.mean([one[part] for one in modalities]))) for part in ("known", "items"))
    unknown = "" if known == items else f" ({known:,} of {items:,} items known)"
    name = source.name if source.kind is SourceKind.ATTRIBUTE else source
    return f"{name} x{first['iterations']}{unknown}"
