"""emde.modality: which codes a catalogue gets."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import scipy.sparse as sp

from contracts import Interactions, Sessions, Source, UserError
from emde.coders import Coding
from emde.modality import Modality, edges, expand, item_codes, item_vectors

ATTRIBUTES = {
    "size": sp.csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]], np.float32)),
    "colour": sp.csr_matrix(np.array([[1], [0], [1], [0], [0]], np.float32)),
}


def train() -> Sessions:
    plain = Sessions.from_lists([[0, 1, 2], [2, 3], [0, 3]], 5)
    users = {"user": np.array([0, 1, 0], np.int32)}
    return Sessions(plain.items, plain.times, plain.offsets, 5, users, ATTRIBUTES)


def codes(*modalities: Modality, seed: int = 0, n: int = 6, k: int = 4) -> np.ndarray:
    return item_codes(train(), modalities, Coding("dlsh", n, k), np.random.default_rng(seed))[0]


def test_expand() -> None:
    both = expand([Modality(group="attributes", iterations=3, dim=8), Modality(group="random")], ATTRIBUTES)
    assert [str(modality.group) for modality in both] == ["attribute:colour", "attribute:size", "random"]
    assert both[0].iterations == 3
    assert both[0].dim == 8


def test_edges() -> None:
    assert edges(train(), Source.group("session")) == ["0 1 2", "2 3", "0 3"]
    assert edges(train(), Source.group("user")) == ["0 1 2 0 3", "2 3"]
    assert edges(train(), Source.parse("attribute:size")) == ["0 1", "2 3"]
    likes = Interactions(sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 1]])))
    assert edges(likes, Source.group("user")) == edges(likes, Source.group("session")) == ["0 1", "1 2"]
    for data in (train(), likes):
        with pytest.raises(UserError, match="unknown group 'artist'; the data offers"):
            edges(data, Source.group("artist"))


def test_each_modality_has_its_own_columns() -> None:
    session, user, random = Modality(dim=8), Modality(group="user", dim=8), Modality(group="random")
    everything = codes(session, user, random)
    assert everything.shape == (5, 18)
    assert everything.dtype == np.uint8
    np.testing.assert_array_equal(everything[:, :6], codes(session))  # later modalities do not disturb earlier ones
    np.testing.assert_array_equal(everything, codes(session, user, random))
    assert (everything != codes(session, user, random, seed=1)).mean() > 0.3
    assert codes(session, k=9).dtype == np.uint16


def test_a_modality_may_have_its_own_depth() -> None:
    session, deep = Modality(dim=8), Modality(group="random", n=9)
    np.testing.assert_array_equal(codes(session, deep)[:, :6], codes(session))
    assert codes(session, deep).shape == (5, 15)
    assert "n" not in Modality().model_dump()  # records of before have none
    assert deep.model_dump()["n"] == 9


def test_roles_tell_what_is_left_from_what_follows() -> None:
    """0 -> 1 and 2 -> 1: 0 and 2 are left for the same item, 1 is what follows both and is never left."""
    steps = Sessions.from_lists([[0, 1], [2, 1]], 4)
    vectors, known = item_vectors(steps, Modality(group="roles", dim=8, iterations=3))
    assert vectors.shape == (4, 16)
    assert known.tolist() == [True, True, True, False]
    left, follows = vectors[:, :8], vectors[:, 8:]
    assert not left[1].any()
    assert not follows[[0, 2]].any()
    assert left[0] @ left[2] > 0.9
    assert not vectors[3].any()


def test_one_embedding_with_two_seeds_is_two_modalities() -> None:
    both = codes(Modality(dim=8), Modality(dim=8, seed=1))
    assert (both[:, :6] != both[:, 6:]).any()


def test_unknown_items_get_random_codes_and_are_counted(caplog) -> None:
    with caplog.at_level(logging.INFO, "emde"):
        found = codes(Modality(group="attribute:size", dim=8), n=40)
    assert "modality attribute:size: 1 of 5 items unknown" in caplog.text
    assert len(np.unique(found[4])) > 5
    # items 0 and 1 carry the same token only: one vector after an iteration, one region everywhere
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[3])
    assert (found[0] != found[2]).any()


def test_an_attribute_nobody_carries() -> None:
    plain = train()
    empty = Sessions(plain.items, plain.times, plain.offsets, 5, {}, {"none": sp.csr_matrix((5, 2), dtype=np.float32)})
    coding, rng = Coding("dlsh", 6, 4), np.random.default_rng(0)
    found, made = item_codes(empty, [Modality(group="attribute:none", dim=8)], coding, rng)
    assert found.shape == (5, 6)
    assert made == [{"group": "attribute:none", "iterations": 4, "dim": 8, "seed": 0, "known": 0, "items": 5}]
