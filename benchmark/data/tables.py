"""The canonical tables between a parser and the splits: plain arrays, file order kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

Array = np.ndarray


@dataclass(frozen=True)
class Edges:
    """What is known of items: token ``tokens[i]`` holds for item ``items[i]`` since ``times[i]``.

    items   raw item ids
    tokens  text
    times   seconds (UTC) at which this became known; None where it always held
    latest  of the tokens of one property (the part before '=') only the latest holds
    events  tokens are contexts in which items were met (``shared``), not properties of items
    """

    items: Array
    tokens: Array
    times: Array | None = None
    latest: bool = False
    events: bool = False

    @classmethod
    def shared(cls, items: Array, contexts: Array, times: Array | None = None) -> Edges:
        """Further interactions (purchases, result lists ...): the context an item was met in is its token."""
        return cls(items, pd.Series(contexts).astype(str).to_numpy(object), times, events=True)

    @property
    def ever(self) -> Edges | None:
        """Every value that an item had at any time; None where there is no other than the latest, or later ones are
        events: a purchase after train is made in the sessions that test."""
        return None if self.times is None or self.events else Edges(self.items, self.tokens)

    def known_at(self, moment: float | None) -> Edges:
        """The edges known at ``moment`` (None: all times), one row per item and token."""
        keep = np.ones(len(self.items), bool) if moment is None or self.times is None else self.times <= moment
        frame = pd.DataFrame({"item": self.items[keep], "token": self.tokens[keep]})
        if self.latest and self.times is not None:
            frame["time"] = self.times[keep]
            frame["property"] = frame["token"].str.split("=", n=1).str[0]
            newest = frame.groupby(["item", "property"])["time"].transform("max")
            frame = frame[frame["time"] == newest]
        frame = frame.drop_duplicates(["item", "token"])
        return Edges(frame["item"].to_numpy(), frame["token"].to_numpy())


@dataclass(frozen=True)
class SessionTable:
    """Events of sessions. Rows of one session are contiguous, sessions in order of first appearance.

    sessions    int32 [events], 0..S-1, ascending
    items       int32 [events], index into ``item_ids`` (order of first appearance)
    times       float64 [events], seconds (UTC)
    session_ids raw ids [S]
    item_ids    raw ids [items]
    groups      name -> (int32 [S] codes, raw ids): the user (...) of a session
    edges       attribute name -> Edges
    item_names  text [items] or None
    """

    sessions: Array
    items: Array
    times: Array
    session_ids: Array
    item_ids: Array
    groups: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    edges: Mapping[str, Edges] = field(default_factory=dict)
    item_names: Array | None = None

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def from_columns(
        cls,
        sessions: Array,
        items: Array,
        times: Array,
        groups: Mapping[str, Array] | None = None,
        edges: Mapping[str, Edges] | None = None,
    ) -> SessionTable:
        """Code raw columns [events]; rows of a session that lie apart are brought together, stably.

        A session belongs to the user (...) of its first event.
        """
        codes, session_ids = factorize(sessions)
        item_codes, item_ids = factorize(items)
        times = np.asarray(times, np.float64)
        columns = {name: factorize(column) for name, column in (groups or {}).items()}
        if np.any(np.diff(codes) < 0):
            order = np.argsort(codes, kind="stable")
            codes, item_codes, times = codes[order], item_codes[order], times[order]
            columns = {name: (column[order], ids) for name, (column, ids) in columns.items()}
            item_codes, item_ids = _recode(item_codes, item_ids)
        first = np.flatnonzero(np.diff(codes, prepend=-1))
        return cls(
            sessions=codes,
            items=item_codes,
            times=times,
            session_ids=session_ids,
            item_ids=item_ids,
            groups={name: (column[first], ids) for name, (column, ids) in columns.items()},
            edges=edges or {},
        )

    def keep(self, rows: Array) -> SessionTable:
        """The events ``rows`` (a mask), ids compacted to those that remain, order kept."""
        sessions = self.sessions[rows]
        starts = np.diff(sessions, prepend=-1) != 0
        survivors = sessions[starts]
        items, item_ids = _recode(self.items[rows], self.item_ids)
        names = None
        if self.item_names is not None:
            names = pd.Series(self.item_names, index=self.item_ids).loc[item_ids].to_numpy()
        return replace(
            self,
            sessions=(np.cumsum(starts, dtype=np.int64) - 1).astype(np.int32),
            items=items,
            times=self.times[rows],
            session_ids=self.session_ids[survivors],
            item_ids=item_ids,
            groups={name: (codes[survivors], ids) for name, (codes, ids) in self.groups.items()},
            item_names=names,
        )

    def sort_by_session(self) -> SessionTable:
        """Events by (raw session id, time), stable: the order in which session-rec reads train and test."""
        rank = np.empty(len(self.session_ids), np.int32)
        rank[np.argsort(self.session_ids, kind="stable")] = np.arange(len(rank), dtype=np.int32)
        order = np.lexsort((self.times, rank[self.sessions]))
        by_rank = np.argsort(rank, kind="stable")
        items, item_ids = _recode(self.items[order], self.item_ids)
        names = self.item_names
        if names is not None:
            names = names[pd.Index(self.item_ids).get_indexer(pd.Index(item_ids))]
        return replace(
            self,
            sessions=rank[self.sessions][order],
            items=items,
            times=self.times[order],
            session_ids=self.session_ids[by_rank],
            item_ids=item_ids,
            groups={name: (codes[by_rank], ids) for name, (codes, ids) in self.groups.items()},
            item_names=names,
        )

    @property
    def lengths(self) -> Array:
        """Events per session, int64 [S]."""
        return np.bincount(self.sessions, minlength=len(self.session_ids))

    @property
    def last_times(self) -> Array:
        """Latest time of each session, float64 [S]."""
        starts = np.flatnonzero(np.diff(self.sessions, prepend=-1))
        return np.maximum.reduceat(self.times, starts) if len(starts) else np.zeros(0)


@dataclass(frozen=True)
class RatingTable:
    """Ratings of users. Rows in file order; ids are those of the file.

    users, items  int64 [rows]
    ratings       float32 [rows]
    times         float64 [rows], seconds (UTC), or None
    edges         attribute name -> Edges
    names         item id -> title, or None
    """

    users: Array
    items: Array
    ratings: Array
    times: Array | None = None
    edges: Mapping[str, Edges] = field(default_factory=dict)
    names: Mapping[int, str] | None = None

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class VectorTable:
    """Points for density estimation: vectors float32 [n, d] and what is known of each row."""

    vectors: Array
    labels: Array | None = None
    ids: Array | None = None
    density: Array | None = None


@dataclass(frozen=True)
class Parsed:
    """What a parser hands on.

    table   the canonical table of the whole data
    given   split name -> (train, test) where the split is published as files
    counts  repairs and observations, counted ('rows', 'duplicates dropped', ...)
    times   'real', 'approximate' or 'order' (only the order of events is known)
    extra   split name -> further arrays that belong to a published split
    step_seconds  what was put between events of which only the order is known; None where all times are known
    """

    table: SessionTable | RatingTable | VectorTable
    given: Mapping[str, Callable[[], tuple[SessionTable, SessionTable]]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    times: str = "real"
    extra: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    step_seconds: float | None = None


def factorize(column: Array) -> tuple[Array, Array]:
    """Codes int32 in order of first appearance, and the distinct raw ids."""
    codes, ids = pd.factorize(column)
    return codes.astype(np.int32), np.asarray(ids)


def _recode(codes: Array, ids: Array) -> tuple[Array, Array]:
    """Renumber codes by first appearance; drop the ids that no longer occur."""
    new, old = factorize(codes)
    return new, ids[old]
