from __future__ import annotations

import csv

import pytest

from benchmark.data import registry
from benchmark.data.load import resolve_split
from benchmark.data.parsers import PARSERS
from contracts import UserError

PAPER = {"retail", "digi", "rsc15", "30mu", "aotm", "nowp", "ml20m", "netflix"}


def test_every_entry_is_complete():
    assert set(registry.names()) >= PAPER | {
        "rsc15-100k",
        "movielens-100k",
        "sample-sessions",
        "sample-ratings",
        "digits",
    }
    for name in registry.names():
        dataset = registry.get(name)
        assert dataset.name == name
        assert dataset.parser in PARSERS
        assert bool(dataset.files) != bool(dataset.source)
        assert dataset.source is None or registry.get(dataset.source).kind != "vectors"
        assert dataset.default_split in dataset.splits
        assert dataset.licence
        assert dataset.citation
        assert set(dataset.expected) <= {"raw", "mean", *dataset.all_splits}
        for file in dataset.files:
            assert file.urls or dataset.manual or dataset.generator


def test_several_splits_are_time_slices():
    """Tables average over ``splits``: nothing but slices may stand there together."""
    for name in registry.names():
        splits = registry.get(name).splits
        assert len(splits) == 1 or all(split.isdigit() for split in splits)


def test_paper_sets_are_marked():
    assert {name for name in registry.names() if registry.get(name).comparable == "paper"} == PAPER


@pytest.mark.parametrize(
    ("alias", "name"), [("RetailRocket", "retail"), ("ml-100k", "movielens-100k"), ("30music", "30mu")]
)
def test_aliases(alias, name):
    assert registry.get(alias).name == name


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match=r"unknown data set 'nope'; expected one of: .*rsc15-100k"):
        registry.get("nope")


@pytest.mark.parametrize(
    ("name", "split", "full"),
    [
        ("rsc15-100k", None, "published"),
        ("rsc15-100k", ":valid", "published:valid"),
        ("movielens-1m", None, "cold-user"),
        ("retail", None, "0"),
        ("retail", 3, "3"),
        ("retail", "4:valid", "4:valid"),
        ("retailrocket-dhcn", None, "published"),
    ],
)
def test_default_splits(name, split, full):
    assert resolve_split(name, split) == full


def test_unknown_split():
    with pytest.raises(UserError, match="unknown split '7'; expected one of: published"):
        resolve_split("rsc15-100k", "7")


@pytest.mark.realdata
def test_sources_and_checksums_are_those_of_the_catalogue(mirror):
    for row in csv.DictReader((mirror / "CATALOGUE.csv").open()):
        entries = [registry.get(name) for name in registry.names()]
        from_here = [entry for entry in entries if row["dataset"] in (entry.name, entry.mirror)]
        files = [file for entry in from_here for file in entry.files if file.name == row["file"]]
        assert files
        for file in files:
            assert (file.urls, file.sha256, file.size) == ((row["url"],), row["sha256"], int(row["bytes"]))
