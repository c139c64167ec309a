"""The page of a data set: complete, self-contained, well formed, and stopped by wrong statistics."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from benchmark.cli import main as cli
from benchmark.data import paths, registry
from benchmark.data.load import load_split
from benchmark.report import data_page, data_plots
from contracts import UserError

VOID = {"meta", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Open elements, and everything a browser would have to load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("script", "link", "iframe", "img"):
            self.loads.append(tag)
        if tag != "a" and not (found.get("href") or "#").startswith("#"):
            self.loads.append(found["href"])
        if "id" in found:
            self.ids.append(found["id"])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def sample(tmp_path, monkeypatch):
    monkeypatch.setenv("EMDE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("EMDE_MIRROR", raising=False)

    def ready(name: str) -> str:
        assert cli.main(["data", "prepare", name]) == 0
        return name

    return ready


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("sample-sessions", ["Session length", "Item popularity", "Actions per day and the slices"]),
        ("sample-ratings", ["Ratings per user", "Item popularity", "Share of positives"]),
        ("digits", []),
    ],
)
def test_page_is_complete_and_loads_nothing(sample, tmp_path, name, titles):
    out = tmp_path / "deep" / "page.html"
    assert cli.main(["data", "page", sample(name), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    parsed = Page()
    parsed.feed(text)
    assert parsed.open == []
    assert parsed.loads == []
    assert "url(http" not in text
    assert "@import" not in text
    assert len(parsed.ids) == len(set(parsed.ids))
    assert re.findall(r'role="img" aria-label="', text) == ['role="img" aria-label="'] * len(titles)
    dataset = registry.get(name)
    for expected in (*titles, dataset.licence, dataset.citation, data_page.MEANING[dataset.comparable]):
        assert expected in text
    for file in dataset.files:
        assert file.name in text
    assert data_page.page(name) == text, "the same page every time"
    assert not [path for path in out.parent.iterdir() if path.name != out.name]


def test_expected_values_stand_beside_the_counts(sample, monkeypatch):
    name = sample("sample-ratings")
    right = registry.get(name).model_copy(update={"expected": {"raw": {"users": 1200}}, "approximate": "made <up>"})
    monkeypatch.setattr(registry, "_built_in", lambda: {name: right})
    text = data_page.page(name)
    assert "<td>1,200<small>expected 1,200</small></td>" in text
    assert "Approximate: made &lt;up&gt;." in text


def test_wrong_statistics_and_missing_data_give_one_line(sample, monkeypatch, capsys):
    assert cli.main(["data", "page", "digits"]) == 2
    assert "not prepared; run: emde data prepare digits" in capsys.readouterr().err
    name = sample("sample-ratings")
    wrong = registry.get(name).model_copy(update={"expected": {"cold-user": {"items": 7}}})
    monkeypatch.setattr(registry, "_built_in", lambda: {name: wrong})
    with pytest.raises(UserError, match="sample-ratings, cold-user: items: expected 7, found 500"):
        data_page.page(name)


def test_page_that_cannot_be_written(sample, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the page"):
        data_page.write(sample("digits"), tmp_path / "file" / "page.html")


def test_what_the_curves_show(sample):
    sample("sample-sessions")
    np.testing.assert_allclose(data_plots.at_least(np.array([2, 2, 3, 0])), [[2, 3], [0.75, 0.25]])
    np.testing.assert_array_equal(data_plots.ranked(np.array([0, 1, 5, 2])), [[1, 2, 3], [5, 2, 1]])
    x, y = data_plots.thinned(np.arange(1, 100_001), np.arange(100_000))
    assert len(x) <= data_plots.POINTS
    assert (x[0], x[-1], y[-1]) == (1, 100_000, 99_999)
    splits = [load_split("sample-sessions", split) for split in "01234"]
    begin, counts = data_plots.daily(splits)
    assert begin == splits[0].train.times.min()
    assert len(counts) == 55
    # A session that crosses the border of two slices puts a few events into the other one's day.
    assert counts.sum() == pytest.approx(sum(split.train.n_events + split.test.n_events for split in splits), rel=1e-3)
    for split in splits:
        first, middle, last = data_plots.windows(split)
        assert split.train.last_times.max() < middle <= last <= first + 11 * data_plots.DAY


def test_files_that_were_recorded_are_shown_so(sample):
    rows = data_page.files(registry.get(sample("sample-ratings")))
    assert [row["name"] for row in rows] == ["ratings.csv", "movies.csv", "truth.csv"]
    assert all(len(row["sha256"]) == 64 for row in rows)
    assert rows[0]["size"] == (paths.raw_dir("sample-ratings") / "ratings.csv").stat().st_size
