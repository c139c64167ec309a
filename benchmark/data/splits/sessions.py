"""Splits of session data: published pairs of files, or session-rec's slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.data.registry import Dataset
from benchmark.data.splits.slicing import (
    Pair,
    Slicing,
    filter_support,
    hold_out_last_days,
    hold_out_last_sessions,
    slices,
)
from benchmark.data.splits.types import SplitData, attribute_columns
from benchmark.data.tables import Parsed, SessionTable, factorize
from contracts import UserError

VALID_FRACTION = 0.1
"""Share of train sessions that validate where only the order of events is known."""


def session_splits(dataset: Dataset, parsed: Parsed, table: SessionTable) -> Iterator[SplitData]:
    """Every split of a session data set with its ``:valid`` twin."""
    wanted = dataset.splits + dataset.more_splits
    published = [split for split in wanted if split in parsed.given]
    for split in published:
        yield from _with_valid(dataset, parsed, split, parsed.given[split]())
    sliced = [split for split in wanted if split not in parsed.given]
    if sliced:
        how = Slicing(**dataset.options["slices"])
        filtered = filter_support(table, how.min_support, how.min_length)
        for split, pair in zip(sliced, slices(filtered, how), strict=True):
            yield from _with_valid(dataset, parsed, split, pair)


def _with_valid(dataset: Dataset, parsed: Parsed, split: str, pair: Pair) -> Iterator[SplitData]:
    yield session_split(dataset, parsed, split, pair)
    valid = f"{split}:valid"
    unseen = dataset.options.get("unseen", "drop")
    if valid in parsed.given:
        held_out = parsed.given[valid]()
    elif parsed.times == "order":
        held_out = hold_out_last_sessions(pair[0], VALID_FRACTION, unseen)
    else:
        held_out = hold_out_last_days(pair[0], valid_days(dataset, split in parsed.given), unseen)
    for part, table in zip(("train", "validation"), held_out, strict=True):
        if not len(table):
            raise UserError(f"split '{valid}': expected train and validation sessions, found no {part} session")
    yield session_split(dataset, parsed, valid, held_out)


def valid_days(dataset: Dataset, published: bool) -> float:
    """Days at the end of train that validate: as many as the test has."""
    return dataset.options["valid_days"] if published else dataset.options["slices"]["test_days"]


def session_split(dataset: Dataset, parsed: Parsed, name: str, pair: Pair) -> SplitData:
    """Columns of one (train, test) pair; items are numbered by first appearance in train."""
    train, test = pair
    if parsed.times != "order":  # ties among rules go to the first co-occurrence in this order
        train = train.sort_by_session()
    test = test.sort_by_session()
    positions = pd.Index(train.item_ids).get_indexer(pd.Index(test.item_ids)).astype(np.int32)
    columns = {
        "train_items": train.items,
        "train_times": train.times,
        "train_offsets": _offsets(train),
        "test_items": positions[test.items],
        "test_times": test.times,
        "test_offsets": _offsets(test),
    }
    columns |= _groups(train, test)
    attributes, widths = attribute_columns(train.edges, train.item_ids, train.times.max())
    values = {name: edges.ever for name, edges in train.edges.items()}
    at_any_time = {name: edges for name, edges in values.items() if edges is not None}
    ever, ever_widths = attribute_columns(at_any_time, train.item_ids, None, "ever_")
    meta: dict[str, Any] = {
        "protocol": _protocol(dataset, parsed, name),
        "times": parsed.times,
        "min_prefix": dataset.options.get("min_prefix", 1) if _is_given(parsed, name) else 1,
        "groups": sorted(train.groups),
        "attributes": widths,
        "ever": ever_widths,
        "step_seconds": parsed.step_seconds,
        "observed": {"test.unseen_items": int((positions < 0).sum())},
    }
    return SplitData(name, columns | attributes | ever, train.item_ids, train.item_names, meta)


def _protocol(dataset: Dataset, parsed: Parsed, name: str) -> dict[str, Any]:
    published = _is_given(parsed, name)
    if published:
        rule: dict[str, Any] = {"name": dataset.options.get("protocol", "session-rec"), "split": "published files"}
    else:
        rule = {"name": "session-rec", "split": "slices", **Slicing(**dataset.options["slices"]).model_dump()}
        rule["sessionisation"] = dataset.options.get("sessionisation", "as given")
    rule["unseen_test_items"] = dataset.options.get("unseen", "drop")
    if name.endswith(":valid") and name not in parsed.given:
        rule["valid"] = (
            f"last {VALID_FRACTION:.0%} of the train sessions in file order"
            if parsed.times == "order"
            else f"train sessions that end in the last {valid_days(dataset, published):g} days"
        )
    return rule


def _is_given(parsed: Parsed, name: str) -> bool:
    return name.removesuffix(":valid") in parsed.given


def _offsets(table: SessionTable) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(table.lengths)]).astype(np.int64)


def _groups(train: SessionTable, test: SessionTable) -> dict[str, np.ndarray]:
    """Users (...) of train and test sessions under one numbering, and their raw ids."""
    columns = {}
    for name, (codes, ids) in train.groups.items():
        test_codes, test_ids = test.groups[name]
        both, raw = factorize(np.concatenate([ids[codes], test_ids[test_codes]]))
        columns[f"train_group_{name}"] = both[: len(codes)]
        columns[f"test_group_{name}"] = both[len(codes) :]
        columns[f"group_{name}_ids"] = raw
    return columns
