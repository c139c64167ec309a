"""Item embeddings of ratings as a vector set: made from the prepared train, repeatable, usable for densities."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from benchmark.data import registry
from benchmark.data.fetch import fetch
from benchmark.data.load import TopKSplit, VectorSet, load_split
from benchmark.data.prepare import prepare
from benchmark.data.statistics import stats
from benchmark.experiments import density as estimation
from benchmark.experiments import settings
from benchmark.report import data_page
from contracts import UserError
from emde.graph import propagate, user_edges

ENTRY = {
    "name": "films",
    "kind": "vectors",
    "title": "t",
    "licence": "l",
    "citation": "c",
    "homepage": "h",
    "comparable": "generated",
    "source": "sample-ratings",
    "parser": "item-embeddings",
    "options": {"group": "user", "iterations": 2, "dim": 16, "seed": 3},
    "splits": ["all"],
}


@pytest.fixture
def films(sample_root, root):
    """Registers 'films', beside the prepared sample; takes changes to the entry."""
    for folder in ("registry", "prepared"):
        (root / folder).mkdir(parents=True)
    (root / "prepared" / "sample-ratings").symlink_to(sample_root / "prepared" / "sample-ratings")

    def register(**changes) -> str:
        (root / "registry" / "films.yaml").write_text(yaml.safe_dump(ENTRY | changes))
        return "films"

    return register


def test_vectors_are_the_embedding_of_the_train_users(films):
    prepare(films())
    vectors, source = load_split("films"), load_split("sample-ratings")
    assert isinstance(vectors, VectorSet)
    assert isinstance(source, TopKSplit)
    expected, _ = propagate(user_edges(source.train.liked), len(source.item_ids), 16, 2, 3)
    np.testing.assert_array_equal(vectors.vectors, expected)
    np.testing.assert_array_equal(vectors.ids, source.item_ids)
    np.testing.assert_allclose(np.linalg.norm(vectors.vectors, axis=1), 1, rtol=1e-5)
    assert stats("films")["raw"]["found"]["rows"] == len(source.item_ids)


def test_the_identity_of_the_source_is_that_of_the_vectors(films):
    prepare(films())
    raw = load_split("films").meta["raw"]
    columns = load_split("sample-ratings").meta["columns"]
    assert raw == {f"sample-ratings/{name}": value for name, value in columns.items()}


def test_the_page_says_what_the_vectors_are_made_from(films):
    prepare(films())
    page = data_page.page("films")
    assert "<dt>made from</dt><dd>the train part of <code>sample-ratings</code>" in page
    assert "<h2>Files</h2>" not in page
    assert "<h2>Files</h2>" in data_page.page("sample-ratings")


def test_the_source_is_prepared_where_it_is_not(films, root):
    (root / "prepared" / "sample-ratings").unlink()
    with pytest.raises(UserError, match="not prepared; run: emde data prepare sample-ratings"):
        prepare(films())
    assert fetch(films()) == root / "prepared" / "sample-ratings"
    prepare(films())
    assert len(load_split("films").vectors)


def test_a_group_that_the_source_lacks(films):
    with pytest.raises(UserError, match="unknown group 'artist'; the data offers: user"):
        prepare(films(options={"group": "artist"}))


def test_vectors_are_no_source(films, sample_root, root):
    (root / "prepared" / "digits").symlink_to(sample_root / "prepared" / "digits")
    with pytest.raises(UserError, match="films: source: expected sessions or ratings, found the vectors digits"):
        prepare(films(source="digits"))


def test_densities_of_item_embeddings(films, project):
    prepare(films())
    known = settings.load(project / "params.yaml")
    chosen = settings.Density(n=[20], k=[5], bandwidth=1.0, methods=["emde-n100"], seeds=1)
    found = estimation.density(known.model_copy(update={"density": {"films": chosen}}), "films")
    assert found["points"] == len(load_split("films").vectors)
    assert found["rows"][0]["pearson"]["mean"] > 0.3
    assert found["data_hashes"]["raw"] == load_split("films").meta["raw"]


@pytest.mark.parametrize("name", ["ml20m-items", "netflix-items", "movielens-1m-items", "movielens-100k-items"])
def test_registered_embeddings_declare_what_they_are(name, project):
    dataset = registry.get(name)
    assert set(dataset.options) == {"group", "iterations", "dim", "seed"}
    assert registry.get(dataset.source).default_split == "cold-user"
    assert name in settings.load(project / "params.yaml").density
