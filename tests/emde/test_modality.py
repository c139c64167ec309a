"""emde.modality: which codes a catalogue gets."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import scipy.sparse as sp

from contracts import Interactions, Sessions, UserError
from emde.modality import Modality, edges, expand, item_codes

ATTRIBUTES = {
    "size": sp.csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]], np.float32)),
    "colour": sp.csr_matrix(np.array([[1], [0], [1], [0], [0]], np.float32)),
}


def train() -> Sessions:
    plain = Sessions.from_lists([[0, 1, 2], [2, 3], [0, 3]], 5)
    users = {"user": np.array([0, 1, 0], np.int32)}
    return Sessions(plain.items, plain.times, plain.offsets, 5, users, ATTRIBUTES)


def codes(*modalities: Modality, seed: int = 0, n: int = 6, k: int = 4) -> np.ndarray:
    return item_codes(train(), modalities, "dlsh", n, k, np.random.default_rng(seed))


def test_expand() -> None:
    both = expand([Modality(group="attributes", iterations=3, dim=8), Modality(group="random")], ATTRIBUTES)
    assert [modality.group for modality in both] == ["attribute:colour", "attribute:size", "random"]
    assert both[0].iterations == 3
    assert both[0].dim == 8


def test_edges() -> None:
    assert edges(train(), "session") == ["0 1 2", "2 3", "0 3"]
    assert edges(train(), "user") == ["0 1 2 0 3", "2 3"]
    assert edges(train(), "attribute:size") == ["0 1", "2 3"]
    likes = Interactions(sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 1]])))
    assert edges(likes, "user") == edges(likes, "session") == ["0 1", "1 2"]
    for data in (train(), likes):
        with pytest.raises(UserError, match="unknown group 'artist'; the data offers"):
            edges(data, "artist")


def test_each_modality_has_its_own_columns() -> None:
    session, user, random = Modality(dim=8), Modality(group="user", dim=8), Modality(group="random")
    everything = codes(session, user, random)
    assert everything.shape == (5, 18)
    assert everything.dtype == np.uint8
    np.testing.assert_array_equal(everything[:, :6], codes(session))  # later modalities do not disturb earlier ones
    np.testing.assert_array_equal(everything, codes(session, user, random))
    assert (everything != codes(session, user, random, seed=1)).mean() > 0.3
    assert codes(session, k=9).dtype == np.uint16


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
    found = item_codes(empty, [Modality(group="attribute:none", dim=8)], "dlsh", 6, 4, np.random.default_rng(0))
    assert found.shape == (5, 6)
