"""The methods in straight Python, one prefix at a time, and how a ranked list is held against them."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from contracts import SessionRecommender, Sessions

Scores = dict[int, float]
DAY = 86_400.0


def random_sessions(seed: int, n: int = 25, n_items: int = 9, equal_times: bool = False) -> Sessions:
    """Short sessions with repeats over a tiny catalogue, in which the last item never occurs."""
    random = np.random.default_rng(seed)
    rows = [random.integers(0, n_items - 1, random.integers(1, 8)).tolist() for _ in range(n)]
    times = []
    for row in rows:
        start = 0.0 if equal_times else float(random.integers(0, 10)) * DAY / 2
        times.append([start + (0 if equal_times else 60.0 * i) for i in range(len(row))])
    return Sessions.from_lists(rows, n_items, times)


def lists(sessions: Sessions) -> list[list[int]]:
    """Sessions as lists of items."""
    ends = zip(sessions.offsets[:-1], sessions.offsets[1:], strict=True)
    return [sessions.items[start:end].tolist() for start, end in ends]


def check(model: SessionRecommender, prefixes: Sessions, expected: list[Scores], k: int) -> None:
    """Every list holds the k largest positive expected scores, in order, ties by item index."""
    items, scores = model.recommend(prefixes, k)
    assert items.dtype == np.int32
    assert scores.dtype == np.float32
    for row, oracle in enumerate(expected):
        positive = {item: score for item, score in oracle.items() if score > 0}
        size = min(k, len(positive))
        assert (items[row, size:] == -1).all()
        assert (scores[row, size:] == 0).all()
        listed, values = items[row, :size], scores[row, :size]
        assert len(set(listed.tolist())) == size
        np.testing.assert_allclose(values, sorted(positive.values(), reverse=True)[:size], rtol=2e-6)
        np.testing.assert_allclose(values, [positive[item] for item in listed], rtol=2e-6)
        for i in range(size - 1):
            assert values[i] > values[i + 1] or (values[i] == values[i + 1] and listed[i] < listed[i + 1])


def mined(train: Sessions, kind: str, weights: list[float] | None = None) -> dict[int, dict[int, float]]:
    """Rules in the order of their first co-occurrence. kind: ar or sr (weights[d] for d steps)."""
    rules: dict[int, dict[int, float]] = {}
    for session in lists(train):
        for j, b in enumerate(session):
            previous = range(j) if weights is None else range(j - 1, max(-1, j - len(weights)), -1)
            for i in previous:
                weight = 1.0 if weights is None else weights[j - i]
                row = rules.setdefault(session[i], {})
                row[b] = row.get(b, 0.0) + weight
                if kind == "ar":
                    row = rules.setdefault(b, {})
                    row[session[i]] = row.get(session[i], 0.0) + weight
    return rules


def shared(train: Sessions, lambda_: float, alpha: float) -> dict[int, dict[int, float]]:
    """Item-KNN: every event of a adds one to each other item of its session; first shared session, then index."""
    support = Counter(train.items.tolist())
    rules: dict[int, dict[int, float]] = {}
    for session in lists(train):
        for a in session:
            row = rules.setdefault(a, {})
            for b in sorted(set(session) - {a}):
                row[b] = row.get(b, 0.0) + 1.0
    return {
        a: {b: n / ((support[a] + lambda_) ** alpha * (support[b] + lambda_) ** (1 - alpha)) for b, n in row.items()}
        for a, row in rules.items()
    }


def pruned(rules: dict[int, dict[int, float]], keep: float) -> dict[int, dict[int, float]]:
    """The ``keep`` largest rules of each item (below 1: without that share), first co-occurrence first."""
    result: dict[int, dict[int, float]] = {}
    for a, row in rules.items():
        size = len(row) if keep == 0 else int(keep) if keep >= 1 else len(row) - int(len(row) * keep)
        result[a] = dict(sorted(row.items(), key=lambda rule: -rule[1])[:size])
    return result


def neighbours(
    train: Sessions,
    prefix: list[int],
    k: int,
    sample_size: int,
    weight,
    similarity,
    decay=lambda back: 1.0,
    ageing_days: float | None = None,
    reach=lambda distance: 1.0,
    item_factor=lambda item: 1.0,
) -> Scores:
    """All neighbourhood methods; weight(p, L), decay(steps back), similarity(shared weight, |a|, |b|, norm)."""
    length = len(prefix)
    last = {item: p for p, item in enumerate(prefix, start=1)}  # last positions, most recent first below
    recent = sorted(last, key=lambda item: -last[item])
    weights = {item: weight(last[item], length) for item in recent}
    norm = math.sqrt(sum(weights[item] ** 2 for item in recent))
    sessions = lists(train)
    order = sorted(range(len(train)), key=lambda s: (-train.last_times[s], -s))
    sample = [s for s in order if set(sessions[s]) & set(prefix)][:sample_size]
    similarities = {}
    for s in sample:
        shared = sum(weights[item] for item in recent if item in sessions[s])
        value = similarity(shared, len(set(sessions[s])), len(recent), norm)
        if ageing_days:
            value *= math.exp(-(train.last_times[sample[0]] - train.last_times[s]) / (ageing_days * DAY))
        if value > 0:
            similarities[s] = value
    best = sorted(similarities, key=lambda s: -similarities[s])[:k]  # stable: most recent first
    scores: Scores = {}
    for s in sorted(best, key=order.index):
        newest = max(last[item] for item in sessions[s] if item in last)
        position = {item: p for p, item in enumerate(sessions[s])}
        meeting = max(position[item] for item in sessions[s] if item in last)
        for item in position:
            part = similarities[s] * decay(length - newest) * reach(abs(position[item] - meeting))
            scores[item] = scores.get(item, 0.0) + part
    return {item: score * item_factor(item) for item, score in scores.items()}


def idf(train: Sessions, item: int) -> float:
    """ln(sessions / events of the item)."""
    return math.log(len(train) / int((train.items == item).sum()))


def context_tree(train: Sessions, prefix: list[int], max_depth: int) -> Scores:
    """q of every item, by walking the contexts, less what an item with no counts at all would get."""
    history = prefix[::-1][:max_depth]
    counts: list[Counter[int]] = []
    for d in range(len(history) + 1):
        followers: Counter[int] = Counter()
        exists = d == 0
        for session in lists(train):
            for j in range(len(session) + 1):
                if d <= j and session[j - d : j][::-1] == history[:d]:
                    exists = True
                    if j < len(session):
                        followers[session[j]] += 1
        if not exists:
            break
        counts.append(followers)

    def q(count) -> float:
        value = 0.0
        for d, followers in enumerate(counts):
            p = (1 + count(followers)) / (2 + followers.total())
            value = 2.0**-d * p + (1 - 2.0**-d) * value
        return value

    rest = q(lambda followers: 0)
    seen = set(train.items.tolist())
    return {item: q(lambda followers, item=item: followers[item]) - rest for item in seen}
