"""emde export: another tool reads the files and finds our metrics. ir_measures is the independent oracle."""

from __future__ import annotations

import tracemalloc
from collections import deque
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, P, R, Success, nDCG

from benchmark.cli import main as cli
from benchmark.experiments import run_store, settings
from benchmark.experiments.evaluate import evaluate
from benchmark.experiments.run import Asked, run
from benchmark.experiments.trec import LATER, NEXT, QRELS, RUN, document_ids, export, judgements
from benchmark.protocol.points import evaluation_points
from contracts import Sessions

PROJECT = Path(__file__).parents[3]


def run_of(root: Path, method: str, data: str, **params: Any) -> Path:
    return run(settings.load(PROJECT / "params.yaml"), Asked(data, method, overrides=params, device="cpu"), root)


def scored(folder: Path, *measures: Any) -> dict[Any, float]:
    """Means over all queries of the qrels, a query without a list counting as zero."""
    qrels = list(ir_measures.read_trec_qrels(str(folder / QRELS)))
    ranked = list(ir_measures.read_trec_run(str(folder / RUN)))
    queries = {line.query_id for line in qrels}
    sums = dict.fromkeys(measures, 0.0)
    for value in ir_measures.iter_calc(list(measures), qrels, ranked):
        sums[value.measure] += value.value
    return {measure: total / len(queries) for measure, total in sums.items()}


@pytest.mark.parametrize("method", ["s-knn", "ar"])
def test_sessions(sample, tmp_path, method: str) -> None:
    """AR's lists are full of equal scores and some are empty: order and missing queries must survive the files."""
    run_dir = run_of(tmp_path / "runs", method, "sample-sessions")
    answer = export(run_dir, tmp_path)
    ours = evaluate(run_dir)["metrics"]
    pairs = {
        Success(rel=2) @ 20: "HR@20", RR(rel=2) @ 20: "MRR@20", RR(rel=2) @ 5: "MRR@5",
        P(rel=1) @ 20: "P@20", R(rel=1) @ 20: "R_distinct@20", Success(rel=2) @ 1: "HR@1",
    }  # fmt: skip
    found = scored(tmp_path, *pairs)
    for measure, name in pairs.items():
        assert found[measure] == pytest.approx(ours[name], abs=1e-9), name
    record = run_store.read_record(run_dir)
    assert answer["queries"] == record["n_points"]
    assert answer["listed"] == (run_store.read_ranks(run_dir)[0] >= 0).sum()


def test_users(sample, tmp_path) -> None:
    run_dir = run_of(tmp_path / "runs", "ease", "sample-ratings")
    export(run_dir, tmp_path)
    ours = evaluate(run_dir)["metrics"]
    pairs = {
        R @ 20: "Recall@20", P @ 5: "Precision@5", RR @ 10: "MRR@10", nDCG @ 20: "NDCG@20(trunc)", P @ 1: "Precision@1",
    }  # fmt: skip
    found = scored(tmp_path, *pairs)
    for measure, name in pairs.items():
        assert found[measure] == pytest.approx(ours[name], abs=1e-9), name
    assert found[R @ 20] < scored(tmp_path, R @ 100)[R @ 100]


def test_items_with_blanks_go_by_their_position() -> None:
    assert document_ids(np.array([17, 4])) == ["17", "4"]
    assert document_ids(np.array(["a", "b c"])) == ["0", "1"]


@given(st.lists(st.lists(st.integers(-1, 5), max_size=9), max_size=5), st.integers(1, 3))
def test_judged_items_are_the_remaining_ones_as_they_come(lists, min_prefix: int) -> None:
    points = evaluation_points(Sessions.from_lists(lists, 6), min_prefix)
    expected = []
    for i in range(len(points)):
        remaining = points.test.items[points.target[i] : points.end[i]].tolist()
        query = f"{points.session[i]}.{points.position[i]}"
        expected += [(query, item, NEXT if item == remaining[0] else LATER) for item in dict.fromkeys(remaining)]
    assert list(judgements(points)) == expected


def test_judged_items_are_not_held() -> None:
    """A session of 1,500 different items has a million of them."""
    points = evaluation_points(Sessions.from_lists([range(1500)], 1500), 1)
    tracemalloc.start()
    last = deque(judgements(points), maxlen=1).pop()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last == ("0.1499", 1499, NEXT)
    assert peak < 4 << 20


def test_command_line(sample, tmp_path, capsys) -> None:
    run_dir = run_of(tmp_path / "runs", "pop", "sample-sessions")
    assert cli.main(["export", str(run_dir), "--format", "trec", "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [QRELS, RUN]
    line = (tmp_path / "out" / RUN).read_text().splitlines()[0].split(" ")
    assert (line[1], line[3], line[4]) == ("Q0", "1", "20")
    capsys.readouterr()
    assert cli.main(["export", str(tmp_path / "nothing"), "--json"]) == 2
    assert "expected a run directory" in capsys.readouterr().err
