"""Splits of rating data (specs/topk_and_density.md, section 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmark.data.registry import Dataset
from benchmark.data.splits.ratings import (
    HOLDOUT,
    MIN_POSITIVES,
    SEED,
    Ratings,
    binary,
    codes,
    hold_out,
    hold_out_one,
    items_of,
    positives_are,
    threshold,
    to_matrices,
)
from benchmark.data.splits.types import SplitData, attribute_columns, csr_columns
from benchmark.data.tables import Array, Edges, Parsed, RatingTable
from benchmark.data.titles import ATTRIBUTE, title_tokens
from contracts import UserError

HISTORY = 0.8
"""Share of the positives, oldest first, that is history in the temporal split."""


def rule(dataset: Dataset) -> dict[str, Any]:
    """What the splits made here have in common, for split.json."""
    return {"positive": positives_are(dataset), "min_positives": MIN_POSITIVES, "holdout": HOLDOUT, "seed": SEED}


def topk_splits(dataset: Dataset, parsed: Parsed, table: RatingTable) -> Iterator[SplitData]:
    """Every split of a rating data set with its ``:valid`` twin."""
    rules = {"cold-user": cold_user, "per-user": per_user, "temporal": temporal, "leave-one-out": leave_one_out}
    for split in dataset.splits + dataset.more_splits:
        if split not in rules:
            raise UserError(f"{dataset.name}: unknown split '{split}'; expected one of: {', '.join(rules)}")
        yield from rules[split](dataset, parsed, table)


def cold_user(dataset: Dataset, parsed: Parsed, table: RatingTable) -> Iterator[SplitData]:
    """Test users are unknown to the model but for their fold-in; validation users tune it."""
    ratings = to_matrices(table, least=threshold(dataset))
    held_out = dataset.options["heldout_users"]
    users = len(ratings.user_ids)
    if users <= 2 * held_out:
        raise UserError(
            f"{dataset.name}: expected more than {2 * held_out} users ({held_out} to test, {held_out} to tune) with "
            f"{MIN_POSITIVES} positives, found {users}; {positives_in(dataset, table)}"
        )
    order = np.random.RandomState(SEED).permutation(users)
    train = np.sort(order[: users - 2 * held_out])
    items = items_of(ratings.liked[train])
    parts = {
        "cold-user": np.sort(order[users - held_out :]),
        "cold-user:valid": np.sort(order[users - 2 * held_out : users - held_out]),
    }
    protocol = {"name": "cold-user", "heldout_users": held_out, **rule(dataset)}
    surviving = {"users": users, "positives": int(ratings.liked.nnz), "items": len(items_of(ratings.liked))}
    observed = {f"surviving.{name}": count for name, count in surviving.items()}
    for name, test in parts.items():
        columns = {
            **_matrices("train", ratings.liked[train][:, items], ratings.disliked[train][:, items]),
            "train_user_ids": ratings.user_ids[train],
        }
        foldin, heldout = hold_out(ratings.liked[test][:, items])
        if not heldout.nnz:
            raise UserError(
                f"split '{name}': expected users with {MIN_POSITIVES} positives among the items of the train users, "
                f"found none in {len(test)}"
            )
        yield _split(
            table,
            name,
            ratings.item_ids[items],
            columns
            | _matrices("profile", foldin, ratings.disliked[test][:, items])
            | csr_columns("heldout", heldout)
            | {"user_ids": ratings.user_ids[test]},
            protocol,
            observed,
        )


def positives_in(dataset: Dataset, table: RatingTable) -> str:
    """What a positive is, and what the ratings are: for a message."""
    columns = dataset.options.get("columns", {"rating": "rating"})
    if "rating" not in columns:
        return f"no column of ratings: every row is a positive, {len(table)} user-item pairs"
    least, ratings = threshold(dataset), table.ratings
    positives = f"{int((ratings >= least).sum())} of {len(table)}"
    return (
        f"column '{columns['rating']}': rating >= {least:g} is a positive (--positive), {positives}; "
        f"lowest rating found: {ratings.min():g}, highest: {ratings.max():g}"
    )


def per_user(dataset: Dataset, parsed: Parsed, table: RatingTable) -> Iterator[SplitData]:
    """80/20 of every user's positives; validation: 80/20 of the 80."""
    ratings = to_matrices(table, least=threshold(dataset))
    foldin, heldout = hold_out(ratings.liked)
    protocol = {"name": "per-user", **rule(dataset)}
    yield _same_users(table, "per-user", ratings, foldin, heldout, protocol)
    yield _same_users(table, "per-user:valid", ratings, *hold_out(foldin), protocol)


def temporal(dataset: Dataset, parsed: Parsed, table: RatingTable) -> Iterator[SplitData]:
    """History before a moment, several targets after it; validation: the same inside the history."""
    if table.times is None:
        raise UserError(f"{dataset.name}: a temporal split needs rating times, found none")
    rows, positive = np.ones(len(table), bool), table.ratings >= threshold(dataset)
    for name in ("temporal", "temporal:valid"):
        times = np.sort(table.times[rows & positive])
        if not len(times):
            raise UserError(f"split '{name}': expected positives with a time, found none")
        moment = times[int(HISTORY * len(times))]
        before = rows & (table.times < moment)
        ratings = to_matrices(table, before, threshold(dataset))
        known = {user: row for row, user in enumerate(ratings.user_ids.tolist())}
        later = rows & (table.times >= moment) & positive
        users = np.array([known.get(user, -1) for user in table.users[later].tolist()], np.int64)
        items = np.searchsorted(ratings.item_ids, table.items[later])
        heldout = binary(users[users >= 0], items[users >= 0], ratings.liked.shape)
        protocol = {"name": "temporal", "history": HISTORY, "moment": float(moment), **rule(dataset)}
        yield _same_users(table, name, ratings, ratings.liked, heldout, protocol)
        rows = before


def leave_one_out(dataset: Dataset, parsed: Parsed, table: RatingTable) -> Iterator[SplitData]:
    """A published test of one item per user; every rating is a positive.

    The parser gives under ``extra``: users, items; negatives [n, 99] where only these are ranked (NCF); catalogue
    where it is more than the rated items; further, the attributes whose tokens are users (views, carts).
    """
    published = parsed.extra["leave-one-out"]
    users, user_ids = codes(table.users)
    item_ids = published.get("catalogue", np.unique(table.items))
    items = np.searchsorted(item_ids, table.items)
    shape = (len(user_ids), len(item_ids))
    rows = np.searchsorted(user_ids, published["users"])
    targets = np.searchsorted(item_ids, published["items"])
    heldout = binary(rows, targets, shape)
    everything = binary(users, items, shape)
    train = (everything - heldout).tocsr()
    train.eliminate_zeros()
    ranked = "1 + 99, published" if "negatives" in published else "all items"
    protocol: dict[str, Any] = {"name": "leave-one-out", "positive": "every rating", "candidates": ranked}
    tuning = {**protocol, "candidates": "all items", "seed": SEED}
    rest, valid = hold_out_one(train)
    for name, known, target, rule in (
        ("leave-one-out", train, heldout, protocol),
        ("leave-one-out:valid", rest, valid, tuning),
    ):
        columns = _matrices("train", known, None) | _matrices("profile", known, None)
        columns |= csr_columns("heldout", target) | {"train_user_ids": user_ids, "user_ids": user_ids}
        if name == "leave-one-out" and "negatives" in published:
            negatives = np.searchsorted(item_ids, published["negatives"])
            both = np.column_stack([targets, negatives])
            candidates = binary(np.repeat(rows, both.shape[1]), both.ravel(), shape)
            columns |= csr_columns("candidates", candidates)
        further = published.get("further", np.array([], str)).tolist()
        edges = {
            key: _without(value, user_ids, item_ids, target) for key, value in table.edges.items() if key in further
        }
        yield _split(replace(table, edges={**table.edges, **edges}), name, item_ids, columns, rule)


def _without(edges: Edges, user_ids: Array, item_ids: Array, heldout: sp.csr_matrix) -> Edges:
    """Edges whose tokens are users, less those of held-out pairs: who viewed it would give the target away."""
    pairs = heldout.tocoo()
    hidden = set(zip(user_ids[pairs.row].astype(str).tolist(), item_ids[pairs.col].tolist(), strict=True))
    both = zip(edges.tokens.tolist(), edges.items.tolist(), strict=True)
    keep = np.array([pair not in hidden for pair in both], bool)
    return Edges(edges.items[keep], edges.tokens[keep], None if edges.times is None else edges.times[keep])


def _same_users(
    table: RatingTable,
    name: str,
    ratings: Ratings,
    known: sp.csr_matrix,
    heldout: sp.csr_matrix,
    protocol: dict[str, Any],
) -> SplitData:
    """Train users are the test users; items are those of train, and only they can be held out."""
    items = items_of(known)
    heldout = heldout[:, items]
    test = np.flatnonzero(np.diff(heldout.indptr))
    if not len(test):
        raise UserError(f"split '{name}': expected users with held-out items, found none")
    columns = {
        **_matrices("train", known[:, items], ratings.disliked[:, items]),
        **_matrices("profile", known[test][:, items], ratings.disliked[test][:, items]),
        **csr_columns("heldout", heldout[test]),
        "train_user_ids": ratings.user_ids,
        "user_ids": ratings.user_ids[test],
    }
    return _split(table, name, ratings.item_ids[items], columns, protocol)


def _matrices(name: str, liked: sp.csr_matrix, disliked: sp.csr_matrix | None) -> dict[str, Array]:
    columns = csr_columns(f"{name}_liked", liked)
    return columns if disliked is None else columns | csr_columns(f"{name}_disliked", disliked)


def _split(
    table: RatingTable,
    name: str,
    item_ids: Array,
    columns: dict[str, Array],
    protocol: dict[str, Any],
    observed: dict[str, int] | None = None,
) -> SplitData:
    attributes, widths = attribute_columns(table.edges, item_ids, None)
    names = None
    if table.names is not None:
        names = np.array([table.names.get(item, "") for item in item_ids.tolist()], dtype=object)
        words = title_tokens(names)
        attributes |= csr_columns(f"attribute_{ATTRIBUTE}", words)
        widths[ATTRIBUTE] = words.shape[1]
    meta = {"protocol": protocol, "attributes": widths, "observed": observed or {}}
    return SplitData(name, columns | attributes, item_ids, names, meta)
