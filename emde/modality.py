"""Modalities: what item vectors, and hence codes, are made from (paper 3.3.1, 4.1.1).

Each modality gives N codes per item; all are concatenated. Several versions of one embedding that
differ in iterations, dimension or seed are several modalities.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import BaseModel, ConfigDict, Field

from contracts import Interactions, Sessions, UserError
from emde import graph
from emde.cache import cached
from emde.coders import CoderName, encode, random_codes, release_codes

log = logging.getLogger("emde")
Variant = Literal["paper", "release"]
RANDOM, ATTRIBUTES = "random", "attributes"
DIRECTED = ("next", "previous")


class Modality(BaseModel):
    """One source of item codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field(
        "session",
        description="hyperedges of the item graph: session, user (or another group of the data), next or previous "
        "(directed: what follows or precedes an item in sessions), attribute:NAME, "
        "attributes (one modality per attribute of the data), vectors:NAME (given item vectors), or random "
        "(no embedding: random codes)",
    )
    iterations: int = Field(4, ge=0, le=100, description="Cleora iterations (paper: 1 to 5)")
    dim: int = Field(1024, ge=1, description="embedding dimension (paper: 512 to 4096)")
    seed: int = Field(0, ge=0, description="seed of the initial vectors")


Modalities = Annotated[tuple[Modality, ...], Field(min_length=1)]


def expand(modalities: Sequence[Modality], attributes: Mapping[str, sp.csr_matrix]) -> list[Modality]:
    """Replace the group ``attributes`` by one modality per attribute of the data."""
    out: list[Modality] = []
    for modality in modalities:
        if modality.group == ATTRIBUTES:
            out += [modality.model_copy(update={"group": f"attribute:{name}"}) for name in sorted(attributes)]
        else:
            out.append(modality)
    if not out:
        raise UserError("modalities: expected at least one that the data offers, found none")
    return out


def edges(train: Sessions | Interactions, group: str) -> list[str]:
    """Hyperedges of one group; raises UserError where the data does not offer it."""
    if group.startswith("attribute:"):
        name = group.removeprefix("attribute:")
        if name not in train.attributes:
            raise UserError(
                f"modality: unknown attribute {name!r}; the data offers: {', '.join(train.attributes) or 'none'}"
            )
        return graph.attribute_edges(train.attributes[name])
    if isinstance(train, Interactions):
        if group not in ("user", "session"):
            raise UserError(f"modality: unknown group {group!r}; the data offers: user")
        return graph.user_edges(train.liked)
    if group == "session":
        return graph.session_edges(train)
    if group not in train.groups:
        raise UserError(f"modality: unknown group {group!r}; the data offers: {', '.join(('session', *train.groups))}")
    return graph.group_edges(train, group)


def item_vectors(train: Sessions | Interactions, modality: Modality) -> tuple[np.ndarray, np.ndarray]:
    """(vectors float32 [items, d], known bool [items]) of a modality with an embedding."""
    if modality.group.startswith("vectors:"):
        name = modality.group.removeprefix("vectors:")
        if name not in train.vectors:
            offered = ", ".join(train.vectors) or "none"
            raise UserError(f"modality: unknown item vectors {name!r}; the data offers: {offered}")
        given = np.asarray(train.vectors[name], np.float32)
        return given, np.asarray(given.any(axis=1))
    if modality.group in DIRECTED and isinstance(train, Sessions):
        followed = graph.follow(train)
        matrix = followed if modality.group == "next" else followed.T.tocsr()
        return graph.propagate_directed(matrix, modality.dim, modality.iterations, modality.seed)
    found = edges(train, modality.group)
    settings = (train.n_items, modality.dim, modality.iterations, modality.seed)
    inputs = [f"pycleora {version('pycleora')}, numpy {version('numpy')}, {settings}", "\n".join(found)]
    return cached(inputs, lambda: graph.propagate(found, *settings))


def item_codes(
    train: Sessions | Interactions,
    modalities: Sequence[Modality],
    coder: CoderName,
    n: int,
    k: int,
    rng: np.random.Generator,
    variant: Variant = "paper",
) -> np.ndarray:
    """Codes of the whole catalogue in every modality: uint8 / uint16 [items, modalities * N].

    Items that a modality knows nothing about get random codes there; their number is logged.
    """
    columns = []
    for modality in expand(modalities, train.attributes):
        child = rng.spawn(1)[0]
        vectors, known = None, np.zeros(train.n_items, bool)
        if modality.group != RANDOM:
            vectors, known = item_vectors(train, modality)
            if not known.all():
                log.info(
                    "modality %s: %d of %d items unknown, random codes", modality.group, (~known).sum(), len(known)
                )
        if variant == "release" and coder == "dlsh":
            columns.append(release_codes(vectors, known, n, k, modality.dim, child))
        elif vectors is None:
            columns.append(random_codes(train.n_items, n, k, child))
        else:
            columns.append(encode(vectors, known, coder, n, k, child))
    return np.concatenate(columns, axis=1)
