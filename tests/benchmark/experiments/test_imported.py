"""Lists of another library (implicit's neighbours), made here, judged on our points whatever file they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from implicit.nearest_neighbours import CosineRecommender

from benchmark import load_split, points_of
from benchmark.cli import main as cli
from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.experiments import run_store, settings
from benchmark.experiments.evaluate import evaluate
from benchmark.experiments.imported import Brought, bring
from benchmark.experiments.lists_files import FORMATS
from benchmark.experiments.run import Asked, run
from benchmark.experiments.trec import export
from benchmark.report.keep import keep
from contracts import UserError

DATA, SPLIT = "sample-sessions", "0"


@pytest.fixture(scope="module")
def split(sample_root) -> SessionSplit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMDE_DATA", str(sample_root))
        found = load_split(DATA, SPLIT)
    assert isinstance(found, SessionSplit)
    return found


@pytest.fixture(scope="module")
def lists(split) -> pd.DataFrame:
    """session, position, item (raw id), rank, score: the neighbours of the last item, by implicit."""
    train, points = split.train, points_of(split)
    cells = (np.ones(train.n_events), (train.session_of_event, train.items))
    model = CosineRecommender(K=50)
    model.fit(sp.coo_matrix(cells, shape=(len(train), train.n_items)).tocsr(), show_progress=False)
    rows = []
    for point in range(len(points)):
        items, scores = model.similar_items(max(int(points.test.items[points.target[point] - 1]), 0), N=30)
        rows += [
            (int(points.session[point]), int(points.position[point]), split.item_ids[item], rank, float(score))
            for rank, (item, score) in enumerate(zip(items, scores, strict=True), 1)
            if item >= 0
        ]
    return pd.DataFrame(rows, columns=["session", "position", "item", "rank", "score"])


@pytest.fixture(scope="module")
def by_hand(split, lists) -> dict[str, float]:
    """HR@20 and MRR@20 of the lists, from their definitions."""
    points = points_of(split)
    wanted = [None if item < 0 else split.item_ids[item] for item in points.next_items]
    truth = pd.DataFrame({"session": points.session, "position": points.position, "wanted": wanted})
    hits = lists[lists["rank"] <= 20].merge(truth, on=["session", "position"]).query("item == wanted")
    return {"HR@20": len(hits) / len(points), "MRR@20": (1 / hits["rank"]).sum() / len(points)}


def written(folder: Path, form: str, table: pd.DataFrame) -> Path:
    """A file of the lists as another library writes it."""
    path = folder / f"lists.{form}"
    if form == "trec":
        columns = [f"{s}.{p} Q0 {i} {r} {c} x" for s, p, i, r, c in table.itertuples(index=False)]
        path.write_text("\n".join(columns) + "\n")
    elif form == "session-rec":
        grouped = table.groupby(["session", "position"], sort=False)
        joined = grouped.agg(lambda column: ",".join(map(str, column))).reset_index()
        joined["position"] -= 1
        names = {"session": "SessionId", "position": "Position", "item": "Recommendations", "score": "Scores"}
        joined.rename(columns=names).drop(columns="rank").to_csv(path, sep=";")
    else:
        table.to_csv(path, sep="\t", index=False)
    return path


def offset(table: pd.DataFrame, factor: int, more: int) -> pd.DataFrame:
    return table.assign(session=table["session"] * factor + more)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("numbers", ["the test's", "export's", "raw"])
def test_every_file_is_judged_the_same(sample, split, lists, by_hand, tmp_path, form: str, numbers: str) -> None:
    """Sessions by the test's numbers, as emde data export numbers them, or by ids that only keep their order."""
    table = {"the test's": lists, "export's": offset(lists, 1, len(split.train)), "raw": offset(lists, 7, 1003)}[
        numbers
    ]
    file = written(tmp_path, form, table.sample(frac=1, random_state=0) if form == "tsv" else table)
    folder, how = bring(Brought(file, DATA, "implicit-cosine", SPLIT, "a note", form), tmp_path / "runs")
    found = evaluate(folder)
    assert {name: found["metrics"][name] for name in by_hand} == pytest.approx(by_hand)
    assert {"the test's": "numbers in the test", "export's": "data export", "raw": "order of"}[numbers] in how
    assert found["run"]["imported"]["note"] == "a note"
    assert str(tmp_path) not in (folder / run_store.RECORD).read_text()


def test_by_score_alone_and_users(sample, lists, tmp_path) -> None:
    by_score = written(tmp_path, "tsv", lists.drop(columns="rank").sample(frac=1, random_state=1))
    items, scores = run_store.read_ranks(bring(Brought(by_score, DATA, "other", SPLIT), tmp_path)[0])
    assert (np.diff(scores, axis=1)[items[:, 1:] >= 0] <= 0).all()

    users = load_split("sample-ratings")
    assert isinstance(users, TopKSplit)
    ours = run(settings.load(), Asked("sample-ratings", "ease", device="cpu"), tmp_path)
    stored = run_store.read_ranks(ours)[0]
    table = pd.DataFrame([
        (users.user_ids[user], users.item_ids[item], rank)
        for user, row in enumerate(stored) for rank, item in enumerate(row.tolist(), 1) if item >= 0
    ], columns=["user", "item", "rank"])  # fmt: skip
    table.to_csv(tmp_path / "users.tsv", sep="\t", index=False)
    theirs, how = bring(Brought(tmp_path / "users.tsv", "sample-ratings", "theirs"), tmp_path)
    assert how == "users by their ids"
    np.testing.assert_array_equal(run_store.read_ranks(theirs)[0], stored)


def test_what_export_wrote_comes_back(sample, tmp_path) -> None:
    """AR has empty lists, which TREC cannot say."""
    ours = run(settings.load(), Asked(DATA, "ar", SPLIT), tmp_path / "runs")
    export(ours, tmp_path)
    theirs, _ = bring(Brought(tmp_path / "run.trec", DATA, "theirs", SPLIT, form="trec", partial=True), tmp_path)
    for mine, other in zip(run_store.read_ranks(ours), run_store.read_ranks(theirs), strict=True):
        assert mine.shape == other.shape
    np.testing.assert_array_equal(run_store.read_ranks(ours)[0], run_store.read_ranks(theirs)[0])


def test_tables_mark_the_row(sample, lists, tmp_path, capsys) -> None:
    file = written(tmp_path, "tsv", lists)
    folder, _ = bring(Brought(file, DATA, "implicit-cosine", SPLIT, "implicit's code"), tmp_path / "runs")
    run(settings.load(), Asked(DATA, "ar", SPLIT), tmp_path / "runs")
    assert cli.main(["evaluate", str(folder)]) == 0
    assert "lists from elsewhere: implicit's code" in capsys.readouterr().out
    keep([tmp_path / "runs"], "mine", tmp_path / "kept")
    for form, words in {
        "md": ["implicit-cosine §", "§ lists from elsewhere", "lists from elsewhere: implicit's code"],
        "tex": [r"implicit-cosine $^{\S}$", r"$^{\S}$ lists from elsewhere"],
    }.items():
        assert cli.main(["tables", "--results", str(tmp_path / "kept/mine"), "--format", form]) == 0
        out = capsys.readouterr().out
        for word in [*words, "AR"]:
            assert word in out


def broken(lists: pd.DataFrame, how: str) -> pd.DataFrame:
    first = lists.index[lists["session"] == lists["session"].iloc[0]]
    changed: dict[str, Any] = {
        "an unknown item": lambda t: t["item"].mask(t.index == 3, 999_999),
        "an item twice": lambda t: t["item"].mask(t.index == 3, t["item"].iloc[2]),
        "a rank twice": lambda t: t["rank"].mask(t.index == 3, 3),
        "no such point": lambda t: t["position"].mask(t.index == 3, 9_999),
    }
    if how == "a point missing":
        return lists.drop(first)
    if how == "neither rank nor score":
        return lists.drop(columns=["rank", "score"])
    column = {"an unknown item": "item", "an item twice": "item", "a rank twice": "rank"}.get(how, "position")
    return lists.assign(**{column: changed[how](lists)})


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("an unknown item", ["items of the train catalogue", "found 1 others, first '999999'"]),
        ("an item twice", ["expected an item once in a list", "found 1 entries"]),
        ("a rank twice", ["expected a rank once in a list"]),
        ("no such point", ["found a list of none of them", "position 9999"]),
        ("a point missing", ["have none, first session 0 of the test, position 1", "--partial"]),
        ("neither rank nor score", ["expected a column 'rank' or 'score'"]),
    ],
)
def test_what_is_refused(sample, lists, tmp_path, capsys, how: str, words: list[str]) -> None:
    file = written(tmp_path, "tsv", broken(lists, how))
    arguments = ["import", str(file), "--data", DATA, "--split", SPLIT, "--method", "other", "--out", str(tmp_path)]
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    for word in words:
        assert word in err[0]
    if how == "a point missing":
        assert cli.main([*arguments, "--partial"]) == 0


@pytest.mark.parametrize("name", ["emde", "vs-knn", "emde-searched", "a/b"])
def test_names_that_are_taken(sample, tmp_path, name: str) -> None:
    with pytest.raises(UserError, match="--method: expected a name"):
        bring(Brought(tmp_path / "x", DATA, name, SPLIT), tmp_path)
    with pytest.raises(UserError, match="expected a file of ranked lists"):
        bring(Brought(tmp_path / "x", DATA, "other", SPLIT), tmp_path)
