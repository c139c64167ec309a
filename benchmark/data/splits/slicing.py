"""The five slices of session-rec (specs/session_protocol.md, section 1)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from benchmark.data.tables import SessionTable
from contracts import UserError
from contracts.strict import Strict

DAY = 86400.0
Pair = tuple[SessionTable, SessionTable]


class Slicing(Strict):
    """Parameters of session-rec's sliding windows. Days are spans of 24 h from the first event."""

    min_support: int = Field(5, ge=1, description="events an item needs in the whole data")
    min_length: int = Field(2, ge=1, description="events a session needs after that")
    train_days: float = Field(gt=0)
    test_days: float = Field(gt=0)
    offset_days: float = Field(0, ge=0)
    shift_days: float = Field(gt=0)
    count: int = Field(5, ge=1)


def filter_support(table: SessionTable, min_support: int, min_length: int) -> SessionTable:
    """Drop sessions of one event, then rare items, then short sessions: once each, in this order."""
    table = table.keep(table.lengths[table.sessions] >= 2)
    support = np.bincount(table.items, minlength=len(table.item_ids))
    table = table.keep(support[table.items] >= min_support)
    table = table.keep(table.lengths[table.sessions] >= min_length)
    if not len(table):
        raise UserError(f"no session is left after min_support={min_support}, min_length={min_length}")
    return table


def slices(table: SessionTable, how: Slicing) -> Iterator[Pair]:
    """(train, test) of each window over an already filtered table.

    A session belongs to a window by its last event; it is kept whole. Raises UserError for a
    window without train or test sessions.
    """
    first, last = table.times.min(), table.last_times
    for number in range(how.count):
        start = first + (how.offset_days + number * how.shift_days) * DAY
        middle = start + how.train_days * DAY
        end = middle + how.test_days * DAY
        train = table.keep(((last >= start) & (last < middle))[table.sessions])
        test = table.keep(((last >= middle) & (last <= end))[table.sessions])
        test = drop_unseen(train, test)
        if not len(train) or not len(test):
            raise UserError(
                f"slice {number}: expected train and test sessions, found {len(train.session_ids)} and "
                f"{len(test.session_ids)}; the data ends {(table.times.max() - first) / DAY:.1f} days after its start"
            )
        yield train, test


def drop_unseen(train: SessionTable, test: SessionTable) -> SessionTable:
    """Delete test events whose item is not in train, then test sessions shorter than two."""
    test = test.keep(np.isin(test.item_ids, train.item_ids)[test.items])
    return test.keep(test.lengths[test.sessions] >= 2)


def hold_out_last_days(train: SessionTable, days: float, unseen: str) -> Pair:
    """train_tr and train_valid: sessions that end in the last ``days`` of train validate."""
    last = train.last_times
    return _cut(train, last >= train.times.max() - days * DAY, unseen)


def hold_out_last_sessions(train: SessionTable, fraction: float, unseen: str) -> Pair:
    """The same for data of which only the order is known: the last ``fraction`` of the sessions."""
    sessions = len(train.session_ids)
    return _cut(train, np.arange(sessions) >= sessions - round(fraction * sessions), unseen)


def _cut(train: SessionTable, valid_sessions: np.ndarray, unseen: str) -> Pair:
    train_tr = train.keep(~valid_sessions[train.sessions])
    valid = train.keep(valid_sessions[train.sessions])
    return train_tr, valid if unseen == "keep" else drop_unseen(train_tr, valid)
