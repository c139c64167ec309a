"""benchmark.report.published: values of results/paper under our names."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmark.data import registry
from benchmark.report import published
from benchmark.report.published import SLICES, lookup, values

PAPER = Path(__file__).parents[3] / "results/paper"


def rows(name: str) -> list[dict[str, str]]:
    with open(PAPER / name, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("cell", "value", "source"),
    [
        (("retail", SLICES, "vs-knn", "MRR@20"), 0.3395, "EMDE paper, Table 1"),
        (("retail", SLICES, "emde", "MRR@20"), 0.3524, "EMDE paper, Table 1"),
        (("retail", SLICES, "emde-mm", "MRR@20"), 0.3664, "EMDE paper, Table 2"),
        (("rsc15", SLICES, "emde", "MRR@20"), 0.3104, "EMDE paper, Table 1"),
        (("rsc15-100k", "published", "ar", "HR@20"), 0.634358, "session-rec run"),
        (("rsc15-100k", "published", "s-knn", "MRR@20"), 0.320662, "session-rec run"),
        (("movielens-100k", "cold-user", "ease", "NDCG@20"), 0.344731, "framework"),
        (("movielens-100k", "cold-user", "top-pop", "Recall@20"), 0.176470, "framework"),
        (("ml20m", "cold-user", "ease", "Recall@20"), 0.3542, "EMDE paper, Table 3"),
        (("diginetica-srgnn", "published", "tagnn", "HR@20"), 0.5131, "TAGNN"),
    ],
)
def test_known_values(cell, value: float, source: str) -> None:
    found = lookup(*cell)[0]
    assert found.value == pytest.approx(value, abs=5e-5)
    assert source in found.source


def test_percent_and_unverified() -> None:
    found = lookup("diginetica-srgnn", "published", "sr-gnn", "MRR@20")[0]
    assert found.value == pytest.approx(0.1759)
    assert "unverified" in found.source
    assert "unverified" not in lookup("diginetica-srgnn", "published", "tagnn", "MRR@20")[0].source


def test_every_value_of_the_paper_is_found() -> None:
    """Tables 1-7, each under one of our data sets, in its own protocol."""
    protocols = {"1": SLICES, "2": SLICES, "5": "density", "6": "ablation"}
    for row in rows("paper_tables.csv"):
        protocol = protocols.get(row["table"], "cold-user")
        data = published.DATA[row["dataset"]]
        if row["table"] == "5" and data in ("ml20m", "netflix"):
            data += "-items"
        assert data in registry.names()
        method = published.METHODS.get(row["method"], row["method"].lower())
        found = lookup(data, protocol, method, row["metric"])
        source = f"EMDE paper, Table {row['table']}"
        assert (float(row["value"]), source) in [(value.value, value.source) for value in found], row


def test_data_and_protocols_exist() -> None:
    for data, protocol, method, metric in values():
        dataset = registry.get(data)
        assert method == method.lower() or method not in published.METHODS
        if protocol in (published.DENSITY, published.PARAMETERS):
            assert "@" not in metric
            continue
        assert protocol in (SLICES, published.ABLATION, *dataset.splits, *dataset.more_splits), (data, protocol)
        if protocol == SLICES:
            assert len(dataset.splits) == 5
        assert "@" in metric


def test_nothing_is_published_for_generated_data_or_another_protocol() -> None:
    assert lookup("sample-sessions", SLICES, "ar", "MRR@20") == []
    assert lookup("retail", "0", "vs-knn", "MRR@20") == []
    assert lookup("rsc15", "published", "ar", "HR@20") == []
    assert not [key for key in values() if key[0].startswith("sample-")]


def test_the_papers_own_value_comes_first() -> None:
    """RETAIL's VS-KNN is in the paper and in the benchmark's own tables."""
    found = lookup("retail", SLICES, "vs-knn", "MRR@20")
    assert found[0].source.startswith("EMDE paper")
    assert any(value.source.startswith("session-rec") for value in found)


def test_baselines_that_the_paper_leaves_out() -> None:
    assert lookup("retail", SLICES, "stan", "MRR@20")[0].value == pytest.approx(0.3638, abs=1e-4)
    assert lookup("digi", SLICES, "vstan", "MRR@20")[0].value == pytest.approx(0.1837, abs=1e-4)
    srgnn = [value.value for value in lookup("rsc15", SLICES, "sr-gnn", "MRR@20")]
    assert any(value == pytest.approx(0.3142, abs=1e-4) for value in srgnn)


def test_no_published_table_is_lost() -> None:
    """Every five-slice row of the benchmark's authors whose data set is one of ours, and the framework's EASE."""
    names = {"rsc15", "aotm", "retailrocket", "diginetica", "30music", "nowplaying"}
    wanted = [row for row in rows("session_rec_published.csv") if row["dataset"] in names and "window" in row["source"]]
    found = [value for cell in values().values() for value in cell if value.source.startswith("session-rec, ")]
    assert len(found) == len(wanted)
    assert 0.3530 in [value.value for value in lookup("ml20m", "cold-user", "ease", "Recall@20")]
