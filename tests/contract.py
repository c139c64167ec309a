"""What every recommender must do, as test classes: subclass one per method under test.

    class TestMine(SessionContract):
        name = "mine"
        params = {"epochs": 2}

A class is found by ``benchmark.experiments.methods``; ``params`` should make it small.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from annotated_types import Ge, Gt, Le, Lt

from benchmark.experiments import methods
from contracts import PAD, Interactions, Kind, Recommender, SessionRecommender, Sessions, TopKRecommender, UserError

Lists = tuple[np.ndarray, np.ndarray]


def check_lists(found: Lists, n: int, k: int, n_items: int) -> None:
    """Shapes, types, range, no item twice, padding at the end, scores descending, ties by item."""
    items, scores = found
    assert items.shape == scores.shape == (n, k)
    assert items.dtype == np.int32
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert (items >= PAD).all()
    assert (items < n_items).all()
    for listed, values in zip(items.tolist(), scores.tolist(), strict=True):
        size = listed.index(PAD) if PAD in listed else k
        assert listed[size:] == [PAD] * (k - size), "padding is at the end"
        assert values[size:] == [0.0] * (k - size), "padding has score 0"
        assert len(set(listed[:size])) == size, "an item is listed once"
        keys = [(-value, item) for value, item in zip(values[:size], listed[:size], strict=True)]
        assert keys == sorted(keys), "score descending, ties by item index"


def assert_same(left: Lists, right: Lists, exact: bool = True, note: str = "") -> None:
    """Equal lists; equal scores, or close ones where arithmetic may be reordered."""
    np.testing.assert_array_equal(left[0], right[0], err_msg=note)
    if exact:
        np.testing.assert_array_equal(left[1], right[1], err_msg=note)
    else:
        np.testing.assert_allclose(left[1], right[1], rtol=1e-4, atol=1e-6, err_msg=note)


def wrong_values(cls: type[Recommender]) -> Iterator[tuple[str, Any]]:
    """(parameter, value out of its type or bounds) for every parameter of a method."""
    for name, info in cls.model_fields.items():
        yield name, ["?"]  # no parameter is a list of arbitrary text
        for limit in info.metadata:
            if isinstance(limit, Ge):
                yield name, limit.ge - 1
            elif isinstance(limit, Gt):
                yield name, limit.gt
            elif isinstance(limit, Le):
                yield name, limit.le + 1
            elif isinstance(limit, Lt):
                yield name, limit.lt


class _Contract:
    """What both kinds share."""

    kind: ClassVar[Kind]
    name: ClassVar[str]
    params: ClassVar[dict[str, Any]] = {}
    exact: ClassVar[bool] = True
    """Bit-equal whatever the batch and the threads; False for networks, whose matrix products are not."""
    seeds_matter: ClassVar[bool] = False
    """Another seed gives other lists."""

    def create(self, **more: Any) -> Any:
        return methods.find(self.kind, self.name).create({**self.params, **more}, self.name)

    def test_is_documented(self) -> None:
        cls = methods.find(self.kind, self.name)
        assert cls.kind == self.kind
        assert cls.__doc__
        assert cls.citation
        plain = {"epochs", "batch_size", "device", "seed"}
        assert all(field.description for name, field in cls.model_fields.items() if name not in plain)

    def test_unknown_parameter_is_named(self) -> None:
        with pytest.raises(UserError, match=f"{self.name}: unknown parameter 'no_such_parameter'"):
            self.create(no_such_parameter=1)

    def test_wrong_values_are_named(self) -> None:
        for parameter, value in wrong_values(methods.find(self.kind, self.name)):
            with pytest.raises(UserError) as caught:
                self.create(**{parameter: value})
            message = str(caught.value)
            assert "\n" not in message
            assert f"parameter '{parameter}" in message, message

    def test_parameters_cannot_change_later(self) -> None:
        model = self.create()
        for parameter in type(model).model_fields:
            with pytest.raises(ValueError, match="frozen"):
                setattr(model, parameter, getattr(model, parameter))


# ----------------------------------------------------------------------------------------- sessions


def relabel(sessions: list[list[int]]) -> list[list[int]]:
    """Number the items in order of first appearance, as catalogues do."""
    numbers: dict[int, int] = {}
    return [[numbers.setdefault(item, len(numbers)) for item in session] for session in sessions]


def random_sessions(seed: int, n: int, n_items: int, longest: int = 8) -> Sessions:
    """Zipf-like items, repeats included, times that partly coincide, a user per session."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, n_items + 1)
    drawn = [rng.choice(n_items, rng.integers(1, longest + 1), p=weights / weights.sum()) for _ in range(n)]
    lists = relabel([row.tolist() for row in drawn])
    times = [1e9 + 3600.0 * s + np.cumsum(rng.integers(0, 60, len(row))) for s, row in enumerate(lists)]
    sessions = Sessions.from_lists(lists, 1 + max(max(row) for row in lists), times)
    return frozen(Sessions(sessions.items, sessions.times, sessions.offsets, sessions.n_items,
                           {"user": (np.arange(n) // 3).astype(np.int32)}))  # fmt: skip


def frozen(sessions: Sessions) -> Sessions:
    """Read-only columns, as memory-mapped ones are."""
    for column in (sessions.items, sessions.times, sessions.offsets):
        column.flags.writeable = False
    return sessions


def prefix_lists(n_items: int) -> list[list[int]]:
    """One of every kind of prefix, and a few ordinary ones."""
    ordinary = [[0], [1], [n_items - 1], [0, 1], [3, 2, 1], [2, 2, 2], [0, 1, 0, 1, 4], list(range(min(n_items, 12)))]
    return [*ordinary, [-1, 2], [2, -1], [1, -1, 3], [-1], [-1, -1], []]


def as_prefixes(lists: list[list[int]], n_items: int, start: float = 2e9) -> Sessions:
    """Prefixes whose events follow each other every ten seconds."""
    times = [start + 10.0 * np.arange(len(row)) for row in lists]
    return frozen(Sessions.from_lists(lists, n_items, times or None))


class SessionContract(_Contract):
    """The contract of ``contracts.SessionRecommender``."""

    kind = "session"
    knows: ClassVar[str] = "order"
    """What it can learn from cycles: the order of items, the company they keep, or nothing."""
    cycle_params: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    def train(self) -> Sessions:
        return random_sessions(0, 80, 40)

    @pytest.fixture(scope="class")
    def model(self, train: Sessions) -> SessionRecommender:
        return self.create().fit(train)

    def test_lists_are_well_formed(self, model, train) -> None:
        for k in (1, 5, 20):
            prefixes = as_prefixes(prefix_lists(train.n_items), train.n_items)
            found = model.recommend(prefixes, k)
            check_lists(found, len(prefixes), k, train.n_items)
            assert (found[0][:8] >= 0).any(axis=1).all(), "an ordinary prefix gets a list"

    def test_k_larger_than_the_catalogue(self, model, train) -> None:
        prefixes = as_prefixes(prefix_lists(train.n_items), train.n_items)
        check_lists(model.recommend(prefixes, train.n_items + 9), len(prefixes), train.n_items + 9, train.n_items)

    def test_a_shorter_list_is_the_head_of_a_longer_one(self, model, train) -> None:
        prefixes = as_prefixes(prefix_lists(train.n_items), train.n_items)
        long_items, long_scores = model.recommend(prefixes, 20)
        for k in (1, 5):
            assert_same(model.recommend(prefixes, k), (long_items[:, :k], long_scores[:, :k]))

    def test_no_prefixes(self, model, train) -> None:
        check_lists(model.recommend(as_prefixes([], train.n_items), 5), 0, 5, train.n_items)

    def test_unknown_items_are_as_if_they_had_not_happened(self, model, train) -> None:
        start = 2e9
        lists, known = [[-1, 2, 3], [2, -1, 3], [2, 3]], [[2, 3], [2, 3], [2, 3]]
        times = [[start - 5, start, start + 10], [start, start + 5, start + 10], [start, start + 10]]
        plain = [[start, start + 10]] * 3
        with_unknown = model.recommend(Sessions.from_lists(lists, train.n_items, times), 10)
        without = model.recommend(Sessions.from_lists(known, train.n_items, plain), 10)
        assert_same(with_unknown, without)

    def test_rows_do_not_depend_on_their_batch(self, model, train) -> None:
        lists = prefix_lists(train.n_items) * 50  # more than one chunk of every method
        together = model.recommend(as_prefixes(lists, train.n_items), 10)
        backwards = model.recommend(as_prefixes(lists[::-1], train.n_items), 10)
        assert_same(together, (backwards[0][::-1], backwards[1][::-1]), self.exact, "order of the batch")
        for row in range(len(prefix_lists(train.n_items))):
            alone = model.recommend(as_prefixes([lists[row]], train.n_items), 10)
            assert_same(alone, (together[0][row : row + 1], together[1][row : row + 1]), self.exact, str(lists[row]))

    def test_recommending_changes_nothing(self, model, train) -> None:
        prefixes = as_prefixes(prefix_lists(train.n_items), train.n_items)
        assert_same(model.recommend(prefixes, 10), model.recommend(prefixes, 10))

    def test_save_and_load(self, model, train, tmp_path) -> None:
        prefixes = as_prefixes(prefix_lists(train.n_items), train.n_items)
        path = model.save(tmp_path / "deeper" / "model.safetensors")
        assert [child.name for child in path.parent.iterdir()] == [path.name], "no temporary file stays"
        loaded = type(model).load(path)
        assert loaded.model_dump() == model.model_dump()
        assert_same(loaded.recommend(prefixes, 10), model.recommend(prefixes, 10))

    def test_same_seed_same_lists(self, model, train) -> None:
        prefixes = as_prefixes(prefix_lists(train.n_items), train.n_items)
        again = self.create().fit(train)
        assert_same(again.recommend(prefixes, 10), model.recommend(prefixes, 10))
        if self.seeds_matter:
            other = self.create(seed=7).fit(train).recommend(prefixes, 10)
            assert (other[1] != model.recommend(prefixes, 10)[1]).any()

    def test_threads_change_nothing(self, monkeypatch) -> None:
        if not self.exact:
            pytest.skip("sums of a network may depend on the threads; a cell fixes their number")
        train = random_sessions(1, 900, 700)  # several chunks of items and of prefixes
        prefixes = random_sessions(2, 600, 650)
        found = []
        for threads in ("1", "2"):
            monkeypatch.setenv("EMDE_THREADS", threads)
            found.append(self.create().fit(train).recommend(prefixes, 10))
        assert_same(*found)

    def test_empty_train_is_refused(self) -> None:
        for lists in ([], [[]], [[], []]):
            with pytest.raises(UserError, match=f"{self.name}.*empty"):
                self.create().fit(Sessions.from_lists(lists, 3))

    @pytest.mark.parametrize(
        "lists",
        [[[0, 1, 2, 3, 1]], [[0], [1], [2]], [[0, 0, 0]], [[0]], [[], [0, 1], [], [1, 0]]],
        ids=["one session", "single events", "one item", "one event", "empty sessions"],
    )
    def test_degenerate_trains(self, lists) -> None:
        n_items = 1 + max(max(row, default=0) for row in lists)
        model = self.create().fit(Sessions.from_lists(lists, n_items))
        prefixes = as_prefixes([[0], [n_items - 1, 0], [-1], []], n_items)
        check_lists(model.recommend(prefixes, 6), 4, 6, n_items)

    def test_all_times_equal(self, train) -> None:
        still = Sessions(train.items, np.full(train.n_events, 5.0), train.offsets, train.n_items, train.groups)
        prefixes = Sessions.from_lists([[0, 1], [2]], train.n_items, [[5.0, 5.0], [5.0]])
        model = self.create().fit(still)
        found = model.recommend(prefixes, 10)
        check_lists(found, 2, 10, train.n_items)
        assert (found[0][:, 0] >= 0).all()

    def test_two_cycles(self) -> None:
        """Walks around 0..5 and around 6..11: what comes next is obvious, and never on the other cycle."""
        size, length = 6, 4
        walks = [
            [base + (start + step) % size for step in range(length)]
            for _ in range(4)
            for base in (0, size)
            for start in range(size)
        ]
        model = self.create(**self.cycle_params).fit(Sessions.from_lists(walks, 2 * size))
        if self.knows == "nothing":
            return
        prefixes = [[base + i, base + (i + 1) % size] for base in (0, size) for i in range(size)]
        items, _ = model.recommend(as_prefixes(prefixes, 2 * size), 3)
        for prefix, listed in zip(prefixes, items.tolist(), strict=True):
            base = prefix[0] // size * size
            if self.knows == "order":
                assert listed[0] == base + (prefix[-1] - base + 1) % size, (prefix, listed)
            else:
                assert all(base <= item < base + size for item in listed if item != PAD), (prefix, listed)


# -------------------------------------------------------------------------------------------- top-k


def rows_of(lists: list[list[int]], n_items: int) -> sp.csr_matrix:
    """A 0/1 CSR matrix from lists of columns."""
    indptr = np.cumsum([0, *(len(row) for row in lists)]).astype(np.int32)
    indices = np.array([item for row in lists for item in sorted(row)], np.int32)
    return sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(lists), n_items))


def random_interactions(seed: int, n: int, n_items: int) -> Interactions:
    """Zipf-like likes and a few dislikes."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, n_items + 1)
    liked, disliked = [], []
    for _ in range(n):
        drawn = rng.choice(n_items, rng.integers(2, 12), replace=False, p=weights / weights.sum()).tolist()
        liked.append(drawn[: max(1, len(drawn) - 2)])
        disliked.append(drawn[max(1, len(drawn) - 2) :])
    return Interactions(rows_of(liked, n_items), rows_of(disliked, n_items))


class TopKContract(_Contract):
    """The contract of ``contracts.TopKRecommender``."""

    kind = "topk"
    personal: ClassVar[bool] = True
    """Lists depend on the profile."""
    community_params: ClassVar[dict[str, Any]] = {}

    N_ITEMS: ClassVar[int] = 40

    @cached_property
    def profiles(self) -> Interactions:
        n = self.N_ITEMS
        liked = [[0], [n - 1], [0, 1, 2], list(range(n)), list(range(0, n, 2)), [], [5, 9, 11]]
        disliked = [[1], [], [5, 6], [], [1], [3], []]
        return Interactions(rows_of(liked, n), rows_of(disliked, n))

    @pytest.fixture(scope="class")
    def train(self) -> Interactions:
        return random_interactions(0, 90, self.N_ITEMS)

    @pytest.fixture(scope="class")
    def model(self, train: Interactions) -> TopKRecommender:
        return self.create().fit(train)

    def test_lists_are_well_formed(self, model) -> None:
        for k in (1, 5, 20, self.N_ITEMS + 9):
            found = model.recommend(self.profiles, k)
            check_lists(found, len(self.profiles), k, self.N_ITEMS)
            assert (found[0][:5] >= 0).any(axis=1).all(), "an ordinary profile gets a list"

    def test_excluded_items_are_never_listed(self, model) -> None:
        everything = rows_of([list(range(self.N_ITEMS))] * len(self.profiles), self.N_ITEMS)
        items, scores = model.recommend(self.profiles, 7, everything)
        assert (items == PAD).all()
        assert (scores == 0).all()
        for exclude in (self.profiles.liked, self.profiles.disliked):
            items, scores = model.recommend(self.profiles, self.N_ITEMS, exclude)
            check_lists((items, scores), len(self.profiles), self.N_ITEMS, self.N_ITEMS)
            for row, listed in enumerate(items.tolist()):
                assert not set(listed) & set(exclude[row].indices.tolist())

    def test_excluding_only_removes(self, model) -> None:
        """The list with exclusions is the full list without them; a stored zero excludes, too."""
        full_items, _ = model.recommend(self.profiles, self.N_ITEMS)
        exclude = self.profiles.liked.copy()
        exclude.data[:] = 0
        items, _ = model.recommend(self.profiles, self.N_ITEMS, exclude)
        for row in range(len(self.profiles)):
            hidden = set(exclude[row].indices.tolist())
            expected = [item for item in full_items[row].tolist() if item not in hidden]
            assert items[row, : len(expected)].tolist() == expected

    def test_a_shorter_list_is_the_head_of_a_longer_one(self, model) -> None:
        long_items, long_scores = model.recommend(self.profiles, 20, self.profiles.liked)
        for k in (1, 5):
            assert_same(model.recommend(self.profiles, k, self.profiles.liked), (long_items[:, :k], long_scores[:, :k]))

    def test_no_profiles(self, model) -> None:
        check_lists(model.recommend(self.profiles.take(slice(0, 0)), 5), 0, 5, self.N_ITEMS)

    def test_rows_do_not_depend_on_their_batch(self, model) -> None:
        n = len(self.profiles)
        many = self.profiles.take(np.tile(np.arange(n), 120))
        together = model.recommend(many, 10, many.liked)
        backwards = many.take(np.arange(len(many))[::-1])
        found = model.recommend(backwards, 10, backwards.liked)
        assert_same(together, (found[0][::-1], found[1][::-1]), self.exact, "order of the batch")
        for row in range(n):
            one = self.profiles.take(np.array([row]))
            alone = model.recommend(one, 10, one.liked)
            assert_same(alone, (together[0][row : row + 1], together[1][row : row + 1]), self.exact, f"profile {row}")

    def test_recommending_changes_nothing(self, model) -> None:
        before = self.profiles.liked.copy()
        assert_same(model.recommend(self.profiles, 10), model.recommend(self.profiles, 10))
        assert (self.profiles.liked != before).nnz == 0

    def test_save_and_load(self, model, tmp_path) -> None:
        path = model.save(tmp_path / "deeper" / "model.safetensors")
        assert [child.name for child in path.parent.iterdir()] == [path.name], "no temporary file stays"
        loaded = type(model).load(path)
        assert loaded.model_dump() == model.model_dump()
        assert_same(loaded.recommend(self.profiles, 10), model.recommend(self.profiles, 10))

    def test_same_seed_same_lists(self, model, train) -> None:
        again = self.create().fit(train)
        assert_same(again.recommend(self.profiles, 10), model.recommend(self.profiles, 10))
        if self.seeds_matter:
            other = self.create(seed=7).fit(train).recommend(self.profiles, 10)
            assert (other[1] != model.recommend(self.profiles, 10)[1]).any()

    def test_threads_change_nothing(self, monkeypatch) -> None:
        if not self.exact:
            pytest.skip("sums of a network may depend on the threads; a cell fixes their number")
        train, profiles = random_interactions(1, 700, 120), random_interactions(2, 600, 120)
        found = []
        for threads in ("1", "2"):
            monkeypatch.setenv("EMDE_THREADS", threads)
            found.append(self.create().fit(train).recommend(profiles, 10, profiles.liked))
        assert_same(*found)

    def test_empty_train_is_refused(self) -> None:
        for rows in ([], [[]], [[], []]):
            with pytest.raises(UserError, match=f"{self.name}.*empty"):
                self.create().fit(Interactions(rows_of(rows, 3)))

    @pytest.mark.parametrize(
        "lists",
        [[[0, 1, 2]], [[0], [1], [2]], [[0]], [[0, 1], [], [0, 2]]],
        ids=["one user", "one like each", "one like", "a user without likes"],
    )
    def test_degenerate_trains(self, lists) -> None:
        n_items = 1 + max(max(row, default=0) for row in lists)
        model = self.create().fit(Interactions(rows_of(lists, n_items)))
        found = model.recommend(Interactions(rows_of([[0], [n_items - 1], []], n_items)), 6)
        check_lists(found, 3, 6, n_items)

    def test_two_communities(self) -> None:
        """Half of the users like items of the first eight, half of the last eight: nobody is sent across."""
        rng = np.random.default_rng(0)
        size = 8
        likes = [(side * size + rng.choice(size, 6, replace=False)).tolist() for side in (0, 1) for _ in range(40)]
        model = self.create(**self.community_params).fit(Interactions(rows_of(likes, 2 * size)))
        if not self.personal:
            return
        profiles = Interactions(rows_of([[0, 1, 2], [8, 9, 10], [5, 6, 7], [13, 14, 15]], 2 * size))
        items, scores = model.recommend(profiles, 5, profiles.liked)
        for row in range(len(profiles)):
            side = row % 2
            rest = set(range(side * size, (side + 1) * size)) - set(profiles.liked[row].indices.tolist())
            listed = set(items[row][scores[row] != 0].tolist())  # a score of zero only fills the list
            assert listed <= rest, (row, items[row])
            assert len(listed) >= 3, (row, items[row])


def contract_classes(
    kind: Kind, contract: type[_Contract], known: dict[str, dict[str, Any]], neural: dict[str, Any]
) -> dict[str, type]:
    """A test class for every method of a kind: class name -> subclass of ``contract``.

    known   name -> attributes of the class (params, knows, ...)
    neural  parameters that make a network small; those of them that a method has are its ``params``
    """
    out = {}
    for name in sorted(methods.catalogue(kind)):
        fields = methods.find(kind, name).model_fields
        attributes: dict[str, Any] = {"kind": kind, "name": name}
        if "epochs" in fields:
            small = {field: value for field, value in neural.items() if field in fields}
            attributes.update(params=small, exact=False, seeds_matter=True)
        attributes.update(known.get(name, {}))
        title = "Test" + "".join(part.capitalize() for part in name.split("-"))
        out[title] = type(title, (contract,), attributes)
    return out
