"""benchmark.protocol.topk_metrics: hand-computed lists and a slow second implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp

from benchmark.protocol.topk_metrics import KS, METRICS, hit_matrix, per_user


def heldout_rows(rows: list[list[int]], n_items: int) -> sp.csr_matrix:
    indptr = np.cumsum([0, *(len(row) for row in rows)])
    indices = np.array([item for row in rows for item in row], dtype=np.int32)
    return sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(rows), n_items))


def slow_metrics(listed: list[int], wanted: set[int], k: int) -> dict[str, float]:
    """The definitions read aloud, one user, no arrays."""
    hits = [1 if item in wanted else 0 for item in listed[:k]]
    n = len(wanted)
    dcg = sum(hit / math.log(rank + 1) for rank, hit in enumerate(hits, start=1))
    ap = sum(sum(hits[:rank]) / rank for rank, hit in enumerate(hits, start=1) if hit)
    first = next((rank for rank, hit in enumerate(hits, start=1) if hit), None)
    return {
        f"Recall@{k}": sum(hits) / n,
        f"NDCG@{k}": dcg / sum(1 / math.log(rank + 1) for rank in range(1, n + 1)),
        f"Precision@{k}": sum(hits) / k,
        f"MAP@{k}": ap / min(n, k),
        f"MRR@{k}": 1 / first if first else 0.0,
        f"Recall@{k}(min)": sum(hits) / min(n, k),
        f"NDCG@{k}(trunc)": dcg / sum(1 / math.log(rank + 1) for rank in range(1, min(n, k) + 1)),
    }


def test_one_user_by_hand() -> None:
    # held out {2, 4, 5}; hits at ranks 2 and 3 of a list of 4
    items = np.array([[9, 4, 2, 7]], dtype=np.int32)
    found = per_user(items, heldout_rows([[2, 4, 5]], 10), ks=(1, 2, 4))
    assert found["Recall@4"][0] == pytest.approx(2 / 3)
    assert found["Recall@2"][0] == pytest.approx(1 / 3)
    assert found["Recall@2(min)"][0] == pytest.approx(1 / 2)
    assert found["Precision@4"][0] == pytest.approx(2 / 4)
    assert found["MAP@4"][0] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert found["MAP@2"][0] == pytest.approx((1 / 2) / 2)
    assert found["MRR@1"][0] == 0.0
    assert found["MRR@4"][0] == pytest.approx(1 / 2)
    log2, log3, log4 = math.log(2), math.log(3), math.log(4)
    ideal = 1 / log2 + 1 / log3 + 1 / log4
    assert found["NDCG@4"][0] == pytest.approx((1 / log3 + 1 / log4) / ideal)
    assert found["NDCG@2"][0] == pytest.approx((1 / log3) / ideal)  # the ideal holds all three items even at k = 2
    assert found["NDCG@2(trunc)"][0] == pytest.approx((1 / log3) / (1 / log2 + 1 / log3))


def test_perfect_list_is_one_where_it_can_be() -> None:
    items = np.array([[3, 1, 0, 2, 4]], dtype=np.int32)
    found = per_user(items, heldout_rows([[1, 3]], 5), ks=(1, 2, 5))
    for key in ("Recall@2", "NDCG@2", "MAP@2", "Precision@2", "MRR@2", "Recall@1(min)", "NDCG@1(trunc)", "NDCG@5"):
        assert found[key][0] == pytest.approx(1.0), key
    assert found["Recall@1"][0] == 0.5


def test_padding_is_never_a_hit() -> None:
    # item 9 of user 0 has the key that padding of user 1 would have, were it not recognised
    items = np.array([[9, -1, -1], [-1, -1, -1]], dtype=np.int32)
    heldout = heldout_rows([[9], [0]], 10)
    assert hit_matrix(items, heldout).tolist() == [[True, False, False], [False, False, False]]
    found = per_user(items, heldout, ks=(3,))
    assert found["Precision@3"].tolist() == [pytest.approx(1 / 3), 0.0]


def test_user_without_heldout_items_is_nan() -> None:
    items = np.array([[0, 1], [0, 1]], dtype=np.int32)
    found = per_user(items, heldout_rows([[], [1]], 3), ks=(2,))
    for column in found.values():
        assert np.isnan(column[0])
        assert not np.isnan(column[1])
    assert np.nanmean(found["Recall@2"]) == 1.0
    nobody = per_user(items, heldout_rows([[], []], 3), ks=(2,))
    assert all(np.isnan(column).all() for column in nobody.values())


def test_bad_shapes_are_named() -> None:
    items = np.zeros((2, 3), dtype=np.int32)
    with pytest.raises(ValueError, match="2 ranked lists"):
        per_user(items, heldout_rows([[1]], 3), ks=(1,))
    with pytest.raises(ValueError, match="lists of 3 items"):
        per_user(items, heldout_rows([[1], [2]], 3), ks=(5,))


@pytest.mark.parametrize("seed", range(5))
def test_against_slow_implementation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_users, n_items = 40, 150
    wanted = [sorted(rng.choice(n_items, rng.integers(0, 60), replace=False).tolist()) for _ in range(n_users)]
    items = np.stack([rng.permutation(n_items)[: max(KS)] for _ in range(n_users)]).astype(np.int32)
    items[0, rng.integers(1, 50) :] = -1
    columns = per_user(items, heldout_rows(wanted, n_items))
    assert len(columns) == len(METRICS) * len(KS)
    for user in range(n_users):
        for k in KS:
            if not wanted[user]:
                continue
            for key, value in slow_metrics(items[user].tolist(), set(wanted[user]), k).items():
                assert columns[key][user] == pytest.approx(value, abs=1e-12), (key, user)


def test_order_of_stored_heldout_items_does_not_matter() -> None:
    items = np.array([[5, 3, 1, 0]], dtype=np.int32)
    shuffled = heldout_rows([[5, 0, 3]], 6)
    ordered = heldout_rows([[0, 3, 5]], 6)
    for key, column in per_user(items, shuffled, ks=(2, 4)).items():
        assert column[0] == per_user(items, ordered, ks=(2, 4))[key][0]
