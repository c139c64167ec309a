"""AR, SR, Markov and item-KNN: by hand, and against straight Python."""

import numpy as np
import pytest

from baselines.session.association_rules import AR
from baselines.session.item_knn import ItemKNN
from baselines.session.markov import Markov
from baselines.session.sequential_rules import SR
from contracts import Sessions

from ._oracles import check, lists, mined, pruned, random_sessions, shared

TRAIN = Sessions.from_lists([[0, 1, 2], [1, 0, 1], [3, 3]], 5)


def row(model, prefix, k=4):
    items, scores = model.fit(TRAIN).recommend(Sessions.from_lists([prefix], 5), k)
    return items[0].tolist(), scores[0].tolist()


def test_ar_counts_pairs_both_ways():
    # pairs with 1: (0,1) (1,2) | (1,0) (1,1) (0,1); the pair (1,1) counts twice for 1 -> 1
    assert row(AR(), [2, 1]) == ([0, 1, 2, -1], [3, 2, 1, 0])
    assert row(AR(), [3]) == ([3, -1, -1, -1], [2, 0, 0, 0])


def test_sr_weighs_by_distance():
    # 0 -> 1 one step twice, 0 -> 2 two steps; 1 -> 0 one step, 1 -> 1 two steps
    assert row(SR(), [0]) == ([1, 2, -1, -1], [2, 0.5, 0, 0])
    assert row(SR(), [1]) == ([0, 2, 1, -1], [1, 1, 0.5, 0])
    assert row(SR(weighting="quadratic"), [0])[1] == [2, 0.25, 0, 0]
    assert row(SR(weighting="same"), [0])[1] == [2, 1, 0, 0]
    assert row(SR(steps=1), [0]) == row(Markov(), [0]) == ([1, -1, -1, -1], [2, 0, 0, 0])


def test_item_knn_normalises_and_leaves_the_item_out():
    # events of 1 in sessions with 0: one and two; with 2: one
    items, scores = row(ItemKNN(lambda_=0), [1])
    assert items == [0, 2, -1, -1]
    np.testing.assert_allclose(scores, [3 / np.sqrt(3 * 2), 1 / np.sqrt(3 * 1), 0, 0], rtol=1e-6)


def test_item_knn_counts_a_partner_once_however_often_it_stands_in_the_session():
    # 0 meets 1 in two sessions; that the second has it twice counts for 1 -> 0 only
    items, scores = row(ItemKNN(lambda_=0), [0])
    assert items == [1, 2, -1, -1]
    np.testing.assert_allclose(scores, [2 / np.sqrt(2 * 3), 1 / np.sqrt(2 * 1), 0, 0], rtol=1e-6)


def test_item_knn_keeps_the_first_shared_of_equals():
    train = Sessions.from_lists([[3, 0], [1, 0, 2]], 4)
    items, _ = ItemKNN(n_sims=2, alpha=1).fit(train).recommend(Sessions.from_lists([[0]], 4), 3)
    assert items.tolist() == [[1, 3, -1]]


def test_pruning_keeps_the_first_seen_of_equals():
    train = Sessions.from_lists([[0, 3], [0, 2], [0, 1], [0, 1]], 4)
    items, _ = AR(pruning=2).fit(train).recommend(Sessions.from_lists([[0]], 4), 3)
    assert items.tolist() == [[1, 3, -1]]
    items, _ = SR(pruning=0.5).fit(train).recommend(Sessions.from_lists([[0]], 4), 3)
    assert items.tolist() == [[1, 3, -1]]  # 3 - int(3 * 0.5) rules stay
    items, _ = AR(pruning=0).fit(train).recommend(Sessions.from_lists([[0]], 4), 3)
    assert items.tolist() == [[1, 2, 3]]


def test_linear_weights_beyond_ten_steps():
    # session-rec's linear weight is -0.2 at 12 steps, more than the 0.1 that 0 -> 2 has at 9 steps
    train = Sessions.from_lists([[0, *[1] * 8, 2], [0, *[3] * 11, 2]], 4)
    prefix = Sessions.from_lists([[0]], 4)
    plain = SR(steps=20, weighting="linear").fit(train).recommend(prefix, 4)[0][0].tolist()
    clipped = SR(steps=20, weighting="linear_clipped").fit(train).recommend(prefix, 4)[0][0].tolist()
    assert sorted(plain) == [-1, -1, 1, 3]
    assert clipped == [3, 1, 2, -1]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pruning", [0, 0.4, 3])
def test_against_straight_python(seed, pruning):
    train, prefixes = random_sessions(seed), random_sessions(100 + seed)
    div = [0.0, *(1 / d for d in range(1, 4))]
    cases = [
        (AR(pruning=pruning), pruned(mined(train, "ar"), pruning)),
        (SR(steps=3, pruning=pruning), pruned(mined(train, "sr", div), pruning)),
        (Markov(pruning=pruning), pruned(mined(train, "sr", [0.0, 1.0]), pruning)),
        (ItemKNN(n_sims=3, lambda_=2, alpha=0.3), pruned(shared(train, 2, 0.3), 3)),
    ]
    for model, rules in cases:
        check(model.fit(train), prefixes, [rules.get(prefix[-1], {}) for prefix in lists(prefixes)], k=4)


def test_many_antecedents_in_parallel_chunks():
    random = np.random.default_rng(0)
    train = Sessions.from_lists([random.integers(0, 700, 6).tolist() for _ in range(400)], 700)
    cases = [(AR(), pruned(mined(train, "ar"), 20)), (ItemKNN(n_sims=20), pruned(shared(train, 20, 0.5), 20))]
    for model, rules in cases:
        check(model.fit(train), train, [rules.get(session[-1], {}) for session in lists(train)], k=20)
