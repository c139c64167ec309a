"""benchmark.data.titles: words that tie items together."""

from __future__ import annotations

from benchmark.data.load import load_split
from benchmark.data.titles import title_tokens


def test_words_by_hand() -> None:
    found = title_tokens(["Alien (1979)", "Aliens (1986)", "The Thing, the film (1979)", "THE FLY (1986)", ""])
    # the, 1979, 1986 stand in two titles; alien, aliens, thing, film, fly in one
    assert found.toarray().tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [0, 0, 0]]


def test_no_words() -> None:
    assert title_tokens([]).shape == (0, 0)
    assert title_tokens(["", "one"]).shape == (2, 0)


def test_every_split_with_titles_offers_them(sample) -> None:
    split = load_split("sample-ratings")
    tokens = split.train.attributes["title"]
    assert tokens.shape[0] == split.train.n_items
    assert (tokens.sum(axis=0) > 1).all()
    assert split.profiles.attributes.keys() == split.train.attributes.keys() == {"genre", "title"}
