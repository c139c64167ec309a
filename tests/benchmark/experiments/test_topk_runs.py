"""Top-k runs: lists with and without disliked items, values per user, every split, sampled protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.load import TopKSplit, load_split
from benchmark.experiments import run_store, settings
from benchmark.experiments.evaluate import evaluate, score
from benchmark.experiments.run import Asked, run
from benchmark.protocol import topk_metrics
from benchmark.protocol.train_sets import with_validation
from contracts import UserError
from tests.contract import rows_of

PROJECT = Path(__file__).parents[3]


def run_of(method: str, root: Path, data: str = "sample-ratings", split: str | None = None, **params: Any) -> Path:
    return run(settings.load(PROJECT / "params.yaml"), Asked(data, method, split, params, device="cpu"), root)


def opened(data: str, split: str | None = None) -> TopKSplit:
    found = load_split(data, split)
    assert isinstance(found, TopKSplit)
    return found


@pytest.mark.parametrize("method", ["ease", "top-pop"])
def test_masked_lists_are_the_lists_without_disliked_items(sample, tmp_path, method: str) -> None:
    folder = run_of(method, tmp_path)
    plain, masked = run_store.read_ranks(folder)[0], run_store.read_ranks(folder, run_store.MASKED)[0]
    disliked = opened("sample-ratings").profiles.disliked
    taken = 0
    for row in range(len(plain)):
        hidden = set(disliked[row].indices.tolist())
        kept = [item for item in plain[row].tolist() if item not in hidden]
        assert masked[row, : len(kept)].tolist() == kept
        assert not hidden & set(masked[row].tolist())
        taken += len(plain[row]) - len(kept)
    assert taken > len(plain), "the sample's users do get disliked items listed"


def test_masked_metrics_stand_beside_the_plain_ones(sample, tmp_path) -> None:
    folder = run_of("ease", tmp_path)
    found = evaluate(folder)
    assert found["masked"]["metrics"].keys() == found["metrics"].keys()
    assert found["masked"]["metrics"]["Recall@20"] > found["metrics"]["Recall@20"]
    low, high = found["masked"]["intervals"]["Recall@20"]
    assert low < found["masked"]["metrics"]["Recall@20"] < high


def test_values_per_user(sample, tmp_path) -> None:
    found, per_user = score(run_of("ease", tmp_path))
    expected = found["metrics"] | {f"masked {name}": value for name, value in found["masked"]["metrics"].items()}
    assert per_user.sums.keys() == expected.keys()
    assert per_user.unit.tolist() == np.flatnonzero(np.diff(opened("sample-ratings").heldout.indptr) > 0).tolist()
    for name, column in per_user.sums.items():
        assert column.mean() == pytest.approx(expected[name], abs=1e-12), name


def test_sessions_have_no_masked_lists(sample, tmp_path) -> None:
    sessions = run(settings.load(PROJECT / "params.yaml"), Asked("sample-sessions", "pop", "0", device="cpu"), tmp_path)
    assert evaluate(sessions)["masked"] is None


def test_a_damaged_masked_list_is_refused(sample, tmp_path) -> None:
    folder = run_of("top-pop", tmp_path)
    (folder / run_store.MASKED).write_bytes((folder / run_store.RANKS).read_bytes())
    with pytest.raises(UserError, match=r"ranks_masked\.parquet: the lists are not those"):
        evaluate(folder)


@pytest.mark.parametrize("split", ["per-user", "temporal", "temporal:valid"])
def test_every_split_runs(sample, tmp_path, split: str) -> None:
    found = evaluate(run_of("ease", tmp_path, split=split))
    data = opened("sample-ratings", split)
    assert found["run"]["n_points"] == len(data.profiles)
    assert 0.05 < found["metrics"]["Recall@20"] < 1
    if split == "temporal":
        assert np.diff(data.heldout.indptr).mean() > 1.5, "several targets"


def test_final_fit_adds_what_validation_users_held_out(sample, tmp_path) -> None:
    test, valid = opened("sample-ratings"), opened("sample-ratings", ":valid")
    widened = with_validation(test)
    assert len(widened.train) == len(test.train) + len(valid.profiles)
    assert (widened.train.liked[: len(test.train)] != test.train.liked).nnz == 0
    assert (widened.train.liked[len(test.train) :] != valid.heldout).nnz == 0, "the 20%, not the fold-in"
    assert widened.train.disliked.nnz == test.train.disliked.nnz
    assert widened.train.disliked.shape == widened.train.liked.shape
    assert widened.profiles is test.profiles
    chosen = settings.load(PROJECT / "params.yaml")
    plain = run(chosen, Asked("sample-ratings", "ease", device="cpu"), tmp_path)
    wide = run(chosen, Asked("sample-ratings", "ease", device="cpu", final_fit="train+valid"), tmp_path)
    everywhere = chosen.model_copy(update={"final_fit": "train+valid"})
    assert run(everywhere, Asked("sample-ratings", "ease", device="cpu"), tmp_path) == wide != plain
    record = run_store.read_record(wide)
    assert record["final_fit"] == "train+valid"
    assert (run_store.read_ranks(plain)[0] != run_store.read_ranks(wide)[0]).any()
    tuning = run(everywhere, Asked("sample-ratings", "top-pop", ":valid", device="cpu"), tmp_path)
    assert run_store.read_record(tuning)["final_fit"] == "train", "tuning never sees it"


@pytest.mark.parametrize(("data", "split"), [("sample-ratings", "temporal"), ("sample-sessions", "0")])
def test_final_fit_is_for_cold_users(sample, tmp_path, data: str, split: str) -> None:
    chosen = settings.load(PROJECT / "params.yaml")
    method = "top-pop" if data == "sample-ratings" else "pop"
    with pytest.raises(UserError, match="final_fit: expected"):
        run(chosen, Asked(data, method, split, device="cpu", final_fit="train+valid"), tmp_path)


def test_sampled_metrics_by_hand() -> None:
    heldout = rows_of([[3], [1], [5]], 6)
    listed = np.full((3, 100), -1, np.int32)
    listed[:, :3] = [[3, 0, 1], [0, 2, 1], [0, 1, 2]]  # ranks 1, 3, none
    found = topk_metrics.sampled(topk_metrics.per_user(listed, heldout))
    assert found["HR@1(sampled)"].tolist() == [1, 0, 0]
    assert found["HR@10(sampled)"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(found["NDCG@10(sampled)"], [1, 0.5, 0])  # ln 2 / ln 4
    np.testing.assert_allclose(found["MRR@10(sampled)"], [1, 1 / 3, 0])
    assert all(name.endswith("(sampled)") for name in found)


@pytest.mark.realdata
def test_ncf_leave_one_out_ranks_its_hundred_candidates(mirror, tmp_path, monkeypatch) -> None:
    from benchmark.data.fetch import fetch
    from benchmark.data.prepare import prepare

    if not (mirror / "movielens-1m").is_dir():
        pytest.skip("no movielens-1m in the mirror")
    monkeypatch.setenv("EMDE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EMDE_MIRROR", str(mirror))
    fetch("movielens-1m", offline=True)
    prepare("movielens-1m")
    folder = run_of("top-pop", tmp_path, "movielens-1m", "leave-one-out")
    found = evaluate(folder)
    assert found["masked"] is None, "every rating is a positive there"
    # Rendle et al., Neural Collaborative Filtering vs. Matrix Factorization Revisited, RecSys 2020, Table 1: popularity
    assert found["metrics"]["HR@10(sampled)"] == pytest.approx(0.4535, abs=2e-3)
    assert found["metrics"]["NDCG@10(sampled)"] == pytest.approx(0.2543, abs=2e-3)
    items, _ = run_store.read_ranks(folder)
    split = opened("movielens-1m", "leave-one-out")
    for row in range(0, 6040, 997):
        assert set(items[row][items[row] >= 0].tolist()) == set(split.candidates[row].indices.tolist())
