"""The counts of the mirror's README, reproduced by ``stats``; raw fragments through the paper sets' parsers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmark.data import paths, registry
from benchmark.data.load import SessionSplit, TopKSplit, VectorSet, load_split
from benchmark.data.parsers.diginetica import read_views
from benchmark.data.parsers.pickles import read_plain, read_sparse
from benchmark.data.statistics import stats
from contracts import UserError

pytestmark = pytest.mark.realdata

COUNTS = {
    "rsc15-100k": {
        "published": {
            "train.events": 70278,
            "train.sessions": 17794,
            "train.items": 2933,
            "test.events": 13568,
            "test.sessions": 3416,
            "test.items": 1771,
            "test.points": 10152,
        }
    },
    "yoochoose-1-64": {
        "published": {
            "train.sessions": 116167,
            "train.prefixes": 369859,
            "train.items": 17376,
            "test.points": 55898,
            "test.unseen_items": 369,
        }
    },
    "diginetica-srgnn": {
        "published": {
            "train.sessions": 186670,
            "train.prefixes": 719470,
            "train.items": 43097,
            "test.sessions": 15963,
            "test.points": 60858,
            "attribute.category.items": 21131,
        }
    },
    "retailrocket-dhcn": {
        "published": {
            "train.sessions": 126168,
            "train.events": 685984,
            "train.items": 36968,
            "test.sessions": 4775,
            "test.points": 15132,
        }
    },
    "retailrocket-sslrec": {
        "raw": {"purchases": 9551, "held-out purchases": 2174, "view": 75374, "cart": 12456, "users": 2174},
        "leave-one-out": {"train.positives": 9551, "test.users": 2174, "test.heldout": 2174, "items": 30113},
    },
    "nowplaying-gcegnn": {
        "published": {"train.sessions": 128077, "train.prefixes": 825304, "train.items": 60416, "test.points": 89824}
    },
    "30music-10pct": {"raw": {"events": 343183, "sessions": 37877, "users": 14262, "items": 9999}},
    "movielens-100k": {"raw": {"ratings": 100000, "users": 943, "items": 1682}},
    "movielens-1m": {"raw": {"ratings": 1000209, "users": 6040, "items": 3706}},
    "mnist": {"raw": {"rows": 10000, "dimensions": 784}},
    "glove-50d-5k": {"raw": {"rows": 5050, "dimensions": 50}},
    "shuttle": {"raw": {"rows": 43500, "dimensions": 9}},
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_the_readme(real, name):
    found = stats(real(name))
    for part, expected in COUNTS[name].items():
        counted = found["raw"]["found"] if part == "raw" else found["splits"][part]["found"]
        assert {key: counted[key] for key in expected} == expected


def rows_of_the_readme(mirror) -> dict[str, set[int]]:
    """Data set -> every count of its row in the mirror's README: the numbers with a thousands separator."""
    rows = re.findall(r"^\| ([a-z0-9-]+) \|(.*)$", (mirror / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    counts = {name: re.findall(r"\b\d{1,3}(?:,\d{3})+\b", text) for name, text in rows}
    return {name: {int(number.replace(",", "")) for number in found} for name, found in counts.items()}


def test_every_count_of_every_row_of_the_readme_is_gated(mirror):
    """Each number is an expected value of the registry: what ``prepare`` and ``stats`` count must equal it."""
    rows = rows_of_the_readme(mirror)
    assert set(rows) == {path.name for path in mirror.iterdir() if path.is_dir()}
    assert set(rows) <= set(COUNTS)
    for name, numbers in rows.items():
        dataset = registry.get(name)
        gated = {value for part in dataset.expected.values() for value in part.values()}
        assert gated, name
        assert numbers <= gated, name
        assert dataset.tolerance == 0


def test_spans_of_the_readme(real):
    music = stats(real("30music-10pct"))["raw"]["found"]
    assert (music["first"][:10], music["last"][:10]) == ("2014-01-20", "2015-01-20")
    shuttle = load_split(real("shuttle"))
    np.testing.assert_allclose(shuttle.vectors.std(axis=0), 1, atol=1e-3)


@pytest.mark.parametrize("name", ["yoochoose-1-64", "diginetica-srgnn", "retailrocket-dhcn", "nowplaying-gcegnn"])
def test_points_are_the_published_ones(real, mirror, name):
    split = load_split(real(name), "published")
    assert isinstance(split, SessionSplit)
    prefixes, targets = read_plain(mirror / name / "test.txt")
    known = set(split.item_ids.tolist())
    rank, point = split.min_prefix, 0
    for start, stop in zip(split.test.offsets[:200], split.test.offsets[1:201], strict=True):
        items = split.test.items[start:stop]
        for length in range(len(items) - 1, rank - 1, -1):
            wanted = [*prefixes[point], targets[point]]
            found = [split.item_ids[item] if item >= 0 else None for item in items[: length + 1]]
            assert found == [item if item in known else None for item in wanted]
            point += 1


def test_category_share_is_that_of_the_readme(real):
    found = stats(real("diginetica-srgnn"))["splits"]["published"]["found"]
    assert round(found["attribute.category.train_event_share"], 2) == 0.69


def test_purchases_of_the_test_week_are_not_known(real):
    found = stats(real("diginetica-srgnn"))
    assert found["raw"]["found"]["purchases in or after the test week, left out"] == 1677
    assert 0.3 < found["splits"]["published"]["found"]["attribute.purchase.train_event_share"] < 0.4


@pytest.mark.parametrize("split", ["leave-one-out", "leave-one-out:valid"])
def test_nothing_tells_who_bought_the_held_out_item(real, split):
    opened = load_split(real("retailrocket-sslrec"), split)
    assert isinstance(opened, TopKSplit)
    assert opened.heldout.multiply(opened.train.liked).nnz == 0
    held = {(str(opened.user_ids[user]), item) for user, item in zip(*opened.heldout.nonzero(), strict=True)}
    for name, matrix in opened.train.attributes.items():
        tokens = np.load(paths.split_dir(opened.name, split) / f"attribute_{name}_tokens.npy")
        assert not held & {(tokens[token], item) for item, token in zip(*matrix.nonzero(), strict=True)}


def test_music_runs_the_five_slices_on_true_dates(real):
    for number in range(5):
        split = load_split(real("30music-10pct"), number)
        assert split.meta["times"] == "real"
        assert split.meta["approximate"] is None
        assert 89 < (split.train.last_times.max() - split.train.last_times.min()) / 86400 <= 90
        assert split.test.last_times.min() > split.train.last_times.max()
        assert len(split.train.groups["user"]) == len(split.train)


def test_retail_slices_are_labelled_approximate(real):
    split = load_split(real("retailrocket-dhcn"), "4")
    assert "+- 4-6 days" in split.meta["approximate"]
    assert split.meta["times"] == "approximate"
    assert split.min_prefix == 1
    assert load_split("retailrocket-dhcn", "published").min_prefix == 2
    published = load_split("retailrocket-dhcn", "published")
    assert (np.diff(published.train.last_times) >= 0).all()
    assert published.train.times.max() < published.test.times.min()


def test_diginetica_fragment_with_the_other_header(mirror):
    table, counts = read_views(mirror / "diginetica-srgnn" / "sample_train-item-views.csv")
    lines = (mirror / "diginetica-srgnn" / "sample_train-item-views.csv").read_text().splitlines()
    assert len(table) == counts["rows"] == len(lines) - 1
    assert len(table.session_ids) == len({line.split(";")[0] for line in lines[1:]})
    assert counts["events of unknown users"] == sum(line.split(";")[1] == "NA" for line in lines[1:])


def test_sparse_pickles_only_where_admitted(mirror):
    path = mirror / "retailrocket-dhcn" / "sslrec_train_mat_buy.pkl"
    matrix = read_sparse(path)
    assert (matrix.shape, matrix.nnz) == ((2174, 30113), 9551)
    with pytest.raises(UserError, match="expected plain lists"):
        read_plain(path)


def test_shuttle_truth_is_the_gaussian_density(real):
    shuttle = load_split(real("shuttle"))
    assert isinstance(shuttle, VectorSet)
    rows = [0, 1, 84]
    points = shuttle.vectors.astype(np.float64)
    for row in rows:
        distance = ((points - points[row]) ** 2).sum(axis=1)
        density = np.exp(-distance / (2 * 0.4397371264**2)).mean()
        assert density == pytest.approx(shuttle.density[row], rel=2e-5)
