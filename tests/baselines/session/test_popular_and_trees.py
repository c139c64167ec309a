"""The popularity methods and context trees: by hand, and against straight Python."""

import numpy as np
import pytest

from baselines.session.context_tree import CT
from baselines.session.pop import Pop
from baselines.session.recent_pop import RecentPop
from baselines.session.session_pop import SessionPop
from contracts import Sessions

from ._oracles import DAY, check, context_tree, lists, random_sessions

TRAIN = Sessions.from_lists([[0, 1, 1], [2, 1, 3], [3, 4]], 6)


def test_pop_counts_events():
    items, scores = Pop().fit(TRAIN).recommend(Sessions.from_lists([[5], [-1]], 6), 6)
    assert items.tolist() == [[1, 3, 0, 2, 4, -1], [-1] * 6]
    assert scores[0].tolist() == [3, 2, 1, 1, 1, 0]
    assert Pop(top_n=2).fit(TRAIN).recommend(Sessions.from_lists([[5]], 6), 3)[0].tolist() == [[1, 3, -1]]


def test_session_pop_puts_the_session_first():
    model = SessionPop(top_n=2).fit(TRAIN)
    items, scores = model.recommend(Sessions.from_lists([[4, 0, 4, 3], [5], [-1]], 6), 5)
    assert items.tolist() == [[4, 3, 0, 1, -1], [5, 1, 3, -1, -1], [-1] * 5]
    np.testing.assert_allclose(scores[0], [2, 1.5, 1, 0.75, 0], rtol=1e-6)


def test_recent_pop_counts_from_midnight():
    times = [[0.5 * DAY, 0.6 * DAY], [1.0 * DAY, 1.1 * DAY], [2.2 * DAY, 2.9 * DAY]]
    train = Sessions.from_lists([[0, 0], [1, 2], [2, 3]], 4, times)
    prefix = Sessions.from_lists([[0]], 4)
    assert RecentPop(num_days=0).fit(train).recommend(prefix, 4)[0].tolist() == [[2, 3, -1, -1]]
    assert RecentPop(num_days=1).fit(train).recommend(prefix, 4)[0].tolist() == [[2, 1, 3, -1]]
    assert RecentPop(num_days=2).fit(train).recommend(prefix, 4)[0].tolist() == [[0, 2, 1, 3]]


def test_context_tree_prefers_what_followed_the_longest_context():
    train = Sessions.from_lists([[0, 1, 2], [0, 1, 2], [3, 1, 4], [5, 1, 4], [4, 4]], 6)
    model = CT().fit(train)
    items, _ = model.recommend(Sessions.from_lists([[0, 1], [1]], 6), 3)
    assert items[0].tolist() == [2, 4, 1]  # 0 1 -> 2, twice; then 1 -> 4; then the most popular
    assert items[1].tolist() == [4, 2, 1]
    assert CT(history_maxlen=1).fit(train).recommend(Sessions.from_lists([[0, 1]], 6), 2)[0].tolist() == [[4, 2]]


@pytest.mark.parametrize("seed", range(8))
def test_context_tree_against_straight_python(seed):
    n_items = 4 if seed % 2 else 9  # few items: long contexts repeat
    train, prefixes = random_sessions(seed, n_items=n_items), random_sessions(100 + seed, n_items=n_items)
    for depth in (50, 2):
        oracle = [context_tree(train, prefix, depth) if prefix else {} for prefix in lists(prefixes)]
        check(CT(history_maxlen=depth).fit(train), prefixes, oracle, k=5)
