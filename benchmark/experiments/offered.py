"""What a method asks of a data set (groups, attributes, dislikes) against what the data set offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.data.registry import Dataset, Offers
from contracts import Recommender, Source, SourceKind, UserError


def require_offered(model: Recommender, method: str, dataset: Dataset, meta: Mapping[str, Any] | None = None) -> None:
    """Raise UserError at the first thing that the model's parameters need and the data set does not offer.

    meta  split.json of prepared data, which may hold more than the registry promises; without it, data whose entry
          promises nothing are not judged. Added item vectors are looked for when they are read
    """
    offers = dataset.offers if meta is None else _prepared(meta)
    if offers is None:
        return
    known = {Source(SourceKind.ATTRIBUTE, name) for name in offers.attributes} | set(map(Source.group, offers.groups))
    known |= {Source(SourceKind.DISLIKES)} if offers.dislikes else set()
    known |= {Source.group("user")} if dataset.kind == "topk" else set()
    some = {Source(SourceKind.ATTRIBUTES)} if offers.attributes else set()
    for need in model.needs:
        if need not in known | some and need.kind is not SourceKind.VECTORS:
            offered = ", ".join(sorted(map(str, known))) or "nothing but events"
            raise UserError(f"{method}: expected what {dataset.name} offers ({offered}), found {str(need)!r}")


def _prepared(meta: Mapping[str, Any]) -> Offers:
    """What a prepared split holds."""
    groups, dislikes = tuple(meta.get("groups", ())), bool(meta.get("disliked"))
    return Offers(groups=groups, attributes=tuple(meta["attributes"]), dislikes=dislikes)
