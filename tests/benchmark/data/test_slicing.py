"""The slices against the protocol written down once more, row by row, with data frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.data.splits.slicing import (
    DAY,
    Slicing,
    filter_support,
    hold_out_last_days,
    hold_out_last_sessions,
    slices,
)
from benchmark.data.tables import SessionTable
from contracts import UserError


def random_events(seed: int, rows: int = 3000) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    sessions = np.sort(random.integers(0, rows // 4, rows))
    frame = pd.DataFrame({"SessionId": random.permutation(rows)[sessions], "ItemId": random.zipf(1.4, rows) % 400})
    frame["Time"] = 1e9 + frame["SessionId"].map(dict(enumerate(random.random(rows) * 30 * DAY)))
    frame["Time"] += random.random(rows) * 3600
    return frame


def table_of(frame: pd.DataFrame) -> SessionTable:
    return SessionTable.from_columns(*(frame[name].to_numpy() for name in ("SessionId", "ItemId", "Time")))


def rows_of(table: SessionTable) -> pd.DataFrame:
    columns = {"SessionId": table.session_ids[table.sessions], "ItemId": table.item_ids[table.items]}
    return pd.DataFrame(columns | {"Time": table.times})


def protocol_filter(frame: pd.DataFrame, support: int, length: int) -> pd.DataFrame:
    frame = frame[frame.groupby("SessionId")["ItemId"].transform("size") > 1]
    frame = frame[frame.groupby("ItemId")["SessionId"].transform("size") >= support]
    return frame[frame.groupby("SessionId")["ItemId"].transform("size") >= length]


def protocol_slice(frame: pd.DataFrame, start: float, train_days: float, test_days: float):
    last = frame.groupby("SessionId")["Time"].transform("max")
    middle, end = start + train_days * DAY, start + (train_days + test_days) * DAY
    train, test = frame[(last >= start) & (last < middle)], frame[(last >= middle) & (last <= end)]
    test = test[test["ItemId"].isin(train["ItemId"])]
    return train, test[test.groupby("SessionId")["ItemId"].transform("size") >= 2]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("offset", "shift"), [(0, 5), (3, 2)])
def test_slices_follow_the_protocol(seed, offset, shift):
    frame = random_events(seed)
    how = Slicing(min_support=3, min_length=2, train_days=6, test_days=1, offset_days=offset, shift_days=shift, count=4)
    table = filter_support(table_of(frame), how.min_support, how.min_length)
    # The table groups a session's rows where the file scatters them; the order inside stays.
    order = frame["SessionId"].map({session: rank for rank, session in enumerate(frame["SessionId"].unique())})
    expected = protocol_filter(frame.iloc[np.argsort(order, kind="stable")], how.min_support, how.min_length)
    pd.testing.assert_frame_equal(rows_of(table), expected.reset_index(drop=True))
    for number, (train, test) in enumerate(slices(table, how)):
        start = expected["Time"].min() + (offset + number * shift) * DAY
        wanted = protocol_slice(expected, start, how.train_days, how.test_days)
        for found, part in zip((train, test), wanted, strict=True):
            pd.testing.assert_frame_equal(rows_of(found), part.reset_index(drop=True))


def test_filters_run_once_each_and_are_not_iterated():
    # Item 9 falls out; session 2 then has one event and goes; item 5 keeps only one event but stays.
    frame = pd.DataFrame(
        [(1, 5), (1, 6), (2, 5), (2, 9), (3, 6), (3, 7), (4, 7), (4, 6)], columns=["SessionId", "ItemId"]
    ).assign(Time=range(8))
    kept = rows_of(filter_support(table_of(frame), 2, 2))
    assert kept["SessionId"].tolist() == [1, 1, 3, 3, 4, 4]
    assert 5 in set(kept["ItemId"])


def test_session_belongs_to_a_slice_by_its_last_event_and_ends_are_inclusive():
    rows = [(0, 1, 0.0), (0, 2, 1.0), (1, 1, 0.9 * DAY), (1, 2, 1.0 * DAY), (2, 1, 1.5 * DAY), (2, 2, 2.0 * DAY)]
    frame = pd.DataFrame([*rows, (3, 1, 2.0 * DAY), (3, 2, 2.1 * DAY)], columns=["SessionId", "ItemId", "Time"])
    ((train, test),) = slices(table_of(frame), Slicing(train_days=1, test_days=1, shift_days=1, count=1))
    assert train.session_ids.tolist() == [0]
    assert test.session_ids.tolist() == [1, 2]


def test_test_events_of_new_items_go_one_by_one():
    rows = [(0, 1, 0.0), (0, 2, 1.0), (1, 1, DAY), (1, 8, DAY + 1), (1, 2, DAY + 2), (2, 8, DAY), (2, 1, DAY + 1)]
    frame = pd.DataFrame(rows, columns=["SessionId", "ItemId", "Time"])
    ((_, test),) = slices(table_of(frame), Slicing(train_days=1, test_days=1, shift_days=1, count=1))
    assert rows_of(test)[["SessionId", "ItemId"]].to_numpy().tolist() == [[1, 1], [1, 2]]


def test_window_without_sessions():
    frame = random_events(2)
    with pytest.raises(UserError, match="slice 2: expected train and test sessions"):
        list(slices(table_of(frame), Slicing(train_days=10, test_days=1, shift_days=12, count=4)))


def test_validation_by_days_and_by_order():
    table = table_of(random_events(3))
    train, valid = hold_out_last_days(table, 2, "drop")
    cut = table.times.max() - 2 * DAY
    assert train.last_times.max() < cut <= valid.last_times.min()
    assert set(valid.item_ids) <= set(train.item_ids)
    assert valid.lengths.min() >= 2
    train, valid = hold_out_last_sessions(table, 0.1, "keep")
    assert len(valid.session_ids) == round(0.1 * len(table.session_ids))
    assert np.concatenate([train.session_ids, valid.session_ids]).tolist() == table.session_ids.tolist()


def test_test_sessions_are_sorted_by_id_and_time_stably():
    rows = [(7, 1, 5.0), (7, 2, 3.0), (7, 3, 3.0), (2, 4, 9.0), (2, 1, 1.0)]
    table = table_of(pd.DataFrame(rows, columns=["SessionId", "ItemId", "Time"])).sort_by_session()
    assert rows_of(table)[["SessionId", "ItemId"]].to_numpy().tolist() == [[2, 1], [2, 4], [7, 2], [7, 3], [7, 1]]


def test_scattered_rows_of_a_session_come_together():
    table = SessionTable.from_columns(np.array([3, 1, 3]), np.array([9, 8, 7]), np.array([0.0, 1.0, 2.0]))
    assert table.session_ids.tolist() == [3, 1]
    assert table.item_ids[table.items].tolist() == [9, 7, 8]
    assert table.item_ids.tolist() == [9, 7, 8]
