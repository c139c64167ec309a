"""Figure 5: the user shown, the scores behind the colours, and the picture."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from benchmark.data.load import TopKSplit, load_split
from benchmark.report.figures import taste
from contracts import UserError


@pytest.fixture
def split(sample) -> TopKSplit:
    loaded = load_split("sample-ratings")
    assert isinstance(loaded, TopKSplit)
    return loaded


@pytest.fixture
def no_umap(monkeypatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "umap" else found(name))


def test_one_user_three_ways(split, no_umap) -> None:
    found = taste.taste_map(split, epochs=1, hidden=16)
    assert found.layout == "PCA"
    assert list(found.scores) == ["pure EMDE", "conditional EMDE", "popularity"]
    assert taste.PROFILE[0] <= len(found.liked) <= taste.PROFILE[1]
    assert not set(found.liked) & set(found.heldout)
    row = list(map(str, split.user_ids)).index(found.user)
    assert len(found.heldout) == split.heldout[row].nnz
    for values in found.scores.values():
        assert values.shape == (len(found.places),)
        assert np.isfinite(values).all()
    pure = found.scores["pure EMDE"]  # the density of the user's own items is highest at these items
    assert pure[found.liked].mean() > 2 * np.delete(pure, found.liked).mean()
    figure = taste.figure_5(found, "sample-ratings")
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == list(found.scores)
    best = np.argmax(np.where(np.isin(np.arange(len(pure)), found.liked), -1, pure))
    assert str(found.names[best]) in figure.axes[0].get_xlabel()


def test_pca_keeps_the_widest_directions() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((100, 6)) * np.array([9, 5, 0.1, 0.1, 0.1, 0.1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        places, layout = taste.layout_of(vectors, 0)
    assert layout == "PCA"
    centred = vectors - vectors.mean(0)
    assert abs(np.corrcoef(places[:, 0], centred[:, 0])[0, 1]) > 0.99
    assert abs(np.corrcoef(places[:, 1], centred[:, 1])[0, 1]) > 0.99


def test_no_fitting_user_is_an_error(split, monkeypatch) -> None:
    monkeypatch.setattr(taste, "PROFILE", (10_000, 20_000))
    with pytest.raises(UserError, match="expected a test user with 10000 to 20000 fold-in items, found none"):
        taste.taste_map(split)
