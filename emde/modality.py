"""Modalities: what item vectors, and hence codes, are made from (paper 3.3.1, 4.1.1).

Each modality gives N codes per item; all are concatenated. Several versions of one embedding that
differ in iterations, dimension or seed are several modalities.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from contracts import RANDOM, Interactions, Sessions, Source, SourceKind, UserError
from contracts.runtime.cache import cached
from contracts.source import WrittenSource
from contracts.strict import Strict
from emde import graph
from emde.coders import Coding, encode, random_codes, release_codes

log = logging.getLogger("emde")
Variant = Literal["paper", "release"]
FREE = {RANDOM, Source.group("session"), *map(Source, (SourceKind.ROLES, SourceKind.NEXT, SourceKind.PREVIOUS))}
"""What every data set has."""
Known = dict[str, Any]
"""A modality as it was made: group, iterations, dim, seed; of ``items`` items it knew ``known``, the others got random
codes (those of the group ``random`` know none)."""


class Modality(Strict):
    """One source of item codes."""

    group: WrittenSource = Field(
        Source.group("session"),
        description="hyperedges of the item graph: session, user (or another group of the data), next or previous "
        "(directed: what follows or precedes an item in sessions), roles (an item as what is left and as what "
        "follows, the two vectors joined), attribute:NAME, "
        "attributes (one modality per attribute of the data), vectors:NAME (given item vectors), or random "
        "(no embedding: random codes)",
    )
    iterations: int = Field(4, ge=0, le=100, description="Cleora iterations (paper: 1 to 5)")
    dim: int = Field(1024, ge=1, description="embedding dimension (paper: 512 to 4096); roles: of each of the two")
    seed: int = Field(0, ge=0, description="seed of the initial vectors")
    n: int = Field(
        0, ge=0, description="depths of this modality; 0: the model's", exclude_if=lambda n: n == 0
    )  # records of before have none


Modalities = Annotated[tuple[Modality, ...], Field(min_length=1)]


def expand(modalities: Sequence[Modality], attributes: Mapping[str, sp.csr_matrix]) -> list[Modality]:
    """Replace what stands for all attributes by one modality per attribute of the data."""
    each = [Source(SourceKind.ATTRIBUTE, name) for name in sorted(attributes)]
    out: list[Modality] = []
    for modality in modalities:
        every = modality.group.kind is SourceKind.ATTRIBUTES
        out += [modality.model_copy(update={"group": one}) for one in each] if every else [modality]
    if not out:
        raise UserError("modalities: expected at least one that the data offers, found none")
    return out


def needs(modalities: Sequence[Modality]) -> list[Source]:
    """What a data set must offer; sessions and random codes are everywhere."""
    return [source for source in dict.fromkeys(modality.group for modality in modalities) if source not in FREE]


def edges(train: Sessions | Interactions, source: Source) -> list[str]:
    """Hyperedges of a group or an attribute; raises UserError where the data does not offer it."""
    if source.kind is SourceKind.ATTRIBUTE:
        return graph.attribute_edges(_offered(train.attributes, "attribute", source.name))
    if isinstance(train, Interactions):
        if source not in (Source.group("user"), Source.group("session")):
            raise UserError(f"modality: unknown group {str(source)!r}; the data offers: user")
        return graph.user_edges(train.liked)
    if source == Source.group("session"):
        return graph.session_edges(train)
    if source.name not in train.groups:
        offered = ", ".join(("session", *train.groups))
        raise UserError(f"modality: unknown group {str(source)!r}; the data offers: {offered}")
    return graph.group_edges(train, source.name)


def _offered(parts: Mapping[str, Any], what: str, name: str) -> Any:
    if name not in parts:
        raise UserError(f"modality: unknown {what} {name!r}; the data offers: {', '.join(parts) or 'none'}")
    return parts[name]


def item_vectors(train: Sessions | Interactions, modality: Modality) -> tuple[np.ndarray, np.ndarray]:
    """(vectors float32 [items, d], known bool [items]) of a modality with an embedding."""
    source, settings = modality.group, (modality.dim, modality.iterations, modality.seed)
    if source.kind is SourceKind.VECTORS:
        vectors = np.asarray(_offered(train.vectors, "item vectors", source.name), np.float32)
        return vectors, np.asarray(vectors.any(axis=1))
    if not isinstance(train, Sessions):
        return _propagated(edges(train, source), train.n_items, *settings)
    if source.kind in (SourceKind.NEXT, SourceKind.PREVIOUS):
        followed = graph.follow(train)
        matrix = followed if source.kind is SourceKind.NEXT else followed.T.tocsr()
        return graph.propagate_directed(matrix, *settings)
    if source.kind is SourceKind.ROLES:
        vectors, known = _propagated(graph.role_edges(train), 2 * train.n_items, *settings)
        return np.concatenate(np.split(vectors, 2), axis=1), np.logical_or(*np.split(known, 2))
    return _propagated(edges(train, source), train.n_items, *settings)


def _propagated(hyperedges: list[str], *settings: int) -> tuple[np.ndarray, np.ndarray]:
    """``graph.propagate`` with settings nodes, dim, iterations, seed; kept from one fit to the next."""
    inputs = [f"pycleora {version('pycleora')}, numpy {version('numpy')}, {settings}", "\n".join(hyperedges)]
    made = cached(
        "vectors",
        "emde.graph",
        inputs,
        lambda: dict(zip(("vectors", "known"), graph.propagate(hyperedges, *settings), strict=True)),
    )
    return made["vectors"], made["known"]


def item_codes(
    train: Sessions | Interactions,
    modalities: Sequence[Modality],
    coding: Coding,
    rng: np.random.Generator,
    variant: Variant = "paper",
) -> tuple[np.ndarray, list[Known]]:
    """Codes of the whole catalogue in every modality, uint8 / uint16 [items, sum of their depths]; and the modalities.

    Items that a modality knows nothing about get random codes there; their number is logged.
    """
    columns, record = [], []
    for modality in expand(modalities, train.attributes):
        child, own = rng.spawn(1)[0], coding._replace(n=modality.n or coding.n)
        vectors, known = None, np.zeros(train.n_items, bool)
        if modality.group != RANDOM:
            vectors, known = item_vectors(train, modality)
            if not known.all():
                log.info(
                    "modality %s: %d of %d items unknown, random codes", modality.group, (~known).sum(), len(known)
                )
        if variant == "release" and own.coder == "dlsh":
            columns.append(release_codes(vectors, known, own.n, own.k, modality.dim, child))
        elif vectors is None:
            columns.append(random_codes(train.n_items, own.n, own.k, child))
        else:
            columns.append(encode(vectors, known, own, child))
        made = {} if modality.group == RANDOM else modality.model_dump(include={"iterations", "dim", "seed"})
        record.append({"group": str(modality.group), **made, "known": int(known.sum()), "items": train.n_items})
    return np.concatenate(columns, axis=1), record
