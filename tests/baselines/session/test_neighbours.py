"""S-KNN, VS-KNN, STAN and VSTAN: by hand, and against straight Python."""

import math

import numpy as np
import pytest

from baselines.session.s_knn import SKNN
from baselines.session.stan import STAN
from baselines.session.vs_knn import VSKNN
from baselines.session.vstan import VSTAN
from contracts import Sessions

from ._oracles import check, idf, lists, neighbours, random_sessions

SIMILARITIES = {
    "jaccard": lambda x, a, b, norm: x / (a + b - x),
    "cosine": lambda x, a, b, norm: x / (norm * math.sqrt(a)) if norm else 0.0,
    "binary": lambda x, a, b, norm: 2 * x / (2 * x + a + b),
    "vec": lambda x, a, b, norm: x / b,
}
POSITIONS = {  # p of length
    "div": lambda p, length: p / length,
    "quadratic": lambda p, length: (p / length) ** 2,
    "log": lambda p, length: 1 / math.log10(length - p + 1.7),
    "same": lambda p, length: 1.0,
    "linear": lambda p, length: 1 - 0.1 * (length - p) if p <= 10 else 0.0,
    "linear_clipped": lambda p, length: max(0.0, 1 - 0.1 * (length - p)),
}
DECAYS = {  # steps back, 1 = last event
    "div": lambda s: 1 / s,
    "quadratic": lambda s: 1 / (s * s),
    "log": lambda s: 1 / math.log10(s + 1.7),
    "same": lambda s: 1.0,
    "linear": lambda s: 1 - 0.1 * s if s <= 100 else 0.0,
    "linear_clipped": lambda s: max(0.0, 1 - 0.1 * s),
}


def fade(scale):
    return lambda distance: 1.0 if scale is None else math.exp(-distance / scale)


def recommend(model, train, prefix, k=4):
    items, scores = model.fit(train).recommend(Sessions.from_lists([prefix], train.n_items), k)
    return items[0].tolist(), scores[0].tolist()


def test_sknn_by_hand():
    train = Sessions.from_lists([[0, 1], [0, 2, 3], [4, 5]], 6)
    # jaccard with {0, 2}: 1/3 and 2/3
    items, scores = recommend(SKNN(), train, [0, 2, 0])
    assert items == [0, 2, 3, 1]
    np.testing.assert_allclose(scores, [1, 2 / 3, 2 / 3, 1 / 3], rtol=1e-6)
    assert recommend(SKNN(k=1), train, [0, 2])[0] == [0, 2, 3, -1]


def test_most_recent_by_last_event_then_later_in_train():
    train = Sessions.from_lists([[0, 1], [0, 2], [0, 3]], 4, times=[[0, 9], [5, 6], [1, 6]])
    assert recommend(SKNN(sample_size=1), train, [0], 3)[0] == [0, 1, -1]
    assert recommend(SKNN(sample_size=2), train, [0], 3)[0] == [0, 1, 3]
    assert recommend(SKNN(k=2), train, [0], 3)[0] == [0, 1, 3]  # equal similarity: the same rule at the cut


def test_vsknn_by_hand():
    train = Sessions.from_lists([[0, 3], [1, 4]], 5)
    # prefix 0 1: weights 1/2 and 1, |b| = 2; [0 3] is met 2 steps back, [1 4] in the last event
    items, scores = recommend(VSKNN(), train, [0, 1])
    assert items == [1, 4, 0, 3]
    np.testing.assert_allclose(scores, [0.5, 0.5, 0.125, 0.125], rtol=1e-6)


def test_stan_by_hand():
    train = Sessions.from_lists([[0, 1, 2], [0, 3]], 4, times=[[0, 0, 0], [86400, 86400]])
    items, scores = recommend(STAN(lambda_snh=1, lambda_inh=1), train, [0])
    near, far = 1 / math.sqrt(2), math.exp(-1) / math.sqrt(3)  # the older session fades by one day
    assert items == [0, 3, 1, 2]
    np.testing.assert_allclose(scores, [near + far, near / math.e, far / math.e, far / math.e**2], rtol=1e-6)


def test_old_trains_do_not_fade_to_nothing():
    train = Sessions.from_lists([[0, 1]], 2, times=[[0, 1]])
    prefix = Sessions.from_lists([[0]], 2, times=[[1e9]])
    items, _ = STAN(lambda_snh=0.01).fit(train).recommend(prefix, 2)
    assert items.tolist() == [[0, 1]]


def test_false_is_no_idf():
    assert VSKNN.create({"idf_weighting": False}).idf_weighting == 0
    assert VSTAN.create({"lambda_idf": False}).lambda_idf == 0


def test_random_sampling_is_seeded_uniform_and_ignores_time():
    train = Sessions.from_lists([[0, i] for i in range(1, 31)], 31)
    prefix = Sessions.from_lists([[0]], 31)
    drawn = np.zeros(31)
    for seed in range(300):
        model = SKNN(sampling="random", sample_size=3, seed=seed).fit(train)
        items, _ = model.recommend(prefix, 10)
        assert (items[0] >= 0).sum() == 4
        np.testing.assert_array_equal(items, SKNN(**model.model_dump()).fit(train).recommend(prefix, 10)[0])
        drawn[items[0][items[0] > 0]] += 1
    assert (drawn[1:] > 10).all()  # 30 expected each
    assert (drawn[1:] < 60).all()


@pytest.mark.parametrize("equal_times", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_sknn_against_straight_python(seed, equal_times):
    train, prefixes = random_sessions(seed, equal_times=equal_times), random_sessions(100 + seed)
    for similarity in ("jaccard", "cosine", "binary"):
        for k, sample in ((100, 1000), (4, 9), (3, 0)):
            oracle = [
                neighbours(train, prefix, k, sample or 1000, lambda p, length: 1.0, SIMILARITIES[similarity])
                for prefix in lists(prefixes)
            ]
            model = SKNN(k=k, sample_size=sample, similarity=similarity).fit(train)
            check(model, prefixes, oracle, k=5)


@pytest.mark.parametrize("weighting", sorted(POSITIONS))
def test_vsknn_against_straight_python(weighting):
    kinds = sorted(DECAYS)
    for seed, weighting_score in enumerate(kinds):
        train, prefixes = random_sessions(seed), random_sessions(100 + seed)
        long = Sessions.from_lists([*lists(prefixes), [i % 4 for i in range(13)] + [5] * 12], train.n_items)
        similarity, weight = ("vec", "cosine")[seed % 2], float(seed % 3)
        oracle = [
            neighbours(
                train, prefix, 5, 12, POSITIONS[weighting], SIMILARITIES[similarity],
                decay=lambda back, kind=weighting_score: DECAYS[kind](back + 1),
                item_factor=lambda item, train=train, weight=weight: 1 + weight * idf(train, item),
            )
            for prefix in lists(long)
        ]  # fmt: skip
        model = VSKNN(
            k=5, sample_size=12, similarity=similarity, weighting=weighting, weighting_score=weighting_score,
            idf_weighting=weight,
        )  # fmt: skip
        check(model.fit(train), long, oracle, k=5)


@pytest.mark.parametrize("seed", range(8))
def test_stan_and_vstan_against_straight_python(seed):
    train, prefixes = random_sessions(seed), random_sessions(100 + seed)
    spw, snh, inh, ipw = [(1.02, 5, 2.05, 1.02), (1e-5, 3, 0.4, None), (None, None, None, 2), (7, 0.2, 3, 1e-5)][
        seed % 4
    ]
    for lambda_idf in (None, 0, 2.0):  # None: STAN

        def factor(item, train=train, strength=lambda_idf):
            return 1 + strength * idf(train, item) if strength else 1.0

        oracle = [
            neighbours(
                train, prefix, 6, 14, lambda p, length: fade(spw)(length - p), SIMILARITIES["cosine"],
                decay=fade(None if lambda_idf is None else ipw), ageing_days=snh, reach=fade(inh), item_factor=factor,
            )
            for prefix in lists(prefixes)
        ]  # fmt: skip
        params = {"k": 6, "sample_size": 14, "lambda_spw": spw, "lambda_snh": snh, "lambda_inh": inh}
        model = STAN(**params) if lambda_idf is None else VSTAN(**params, lambda_ipw=ipw, lambda_idf=lambda_idf)
        check(model.fit(train), prefixes, oracle, k=5)
