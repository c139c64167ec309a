"""Raw files -> canonical tables: one small function per raw format, found by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from benchmark.data.registry import Dataset
from benchmark.data.tables import Parsed

PARSERS = {
    "session-rec": "benchmark.data.parsers.session_rec:parse",
    "retailrocket": "benchmark.data.parsers.retailrocket:parse",
    "movielens-inter": "benchmark.data.parsers.movielens:parse_inter",
    "movielens-csv": "benchmark.data.parsers.movielens:parse_csv",
    "movielens-folds": "benchmark.data.parsers.movielens_folds:parse",
    "srgnn": "benchmark.data.parsers.srgnn:parse",
    "sslrec": "benchmark.data.parsers.sslrec:parse",
    "diginetica": "benchmark.data.parsers.diginetica:parse",
    "yoochoose": "benchmark.data.parsers.yoochoose:parse",
    "playlists": "benchmark.data.parsers.playlists:parse_csv",
    "30music": "benchmark.data.parsers.playlists:parse_parquet",
    "netflix": "benchmark.data.parsers.netflix:parse",
    "idx": "benchmark.data.parsers.vectors:parse_idx",
    "glove-json": "benchmark.data.parsers.vectors:parse_glove",
    "item-embeddings": "benchmark.data.parsers.embeddings:parse",
    "shuttle": "benchmark.data.parsers.vectors:parse_shuttle",
    "user-sessions": "benchmark.data.parsers.user:parse_sessions",
    "user-ratings": "benchmark.data.parsers.user:parse_ratings",
    "vectors-csv": "benchmark.data.parsers.vectors:parse_csv",
}


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """Read a data set's raw files in ``folder``; raises UserError naming file, row and field."""
    module, function = PARSERS[dataset.parser].split(":")
    reader = cast(Callable[[Dataset, Path], Parsed], getattr(import_module(module), function))
    return reader(dataset, folder)
