"""Published values by our names: results/paper/*.csv, each value with its source.

Values are only comparable on the same data under the same protocol: a value is looked up by (data,
protocol, method, metric), and a data set that is not the published one has none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "results/paper"

SLICES = "slices"
"""Protocol name of the plain mean over the five slices."""

METHODS = {
    "sknn": "s-knn", "vsknn": "vs-knn", "recent_pop": "recent-pop", "gru4rec": "gru4rec",
    "TopPop": "top-pop", "RP3beta": "rp3beta", "SLIM": "slim", "EASE": "ease", "MultVAE": "multvae",
    "EMDE": "emde", "EMDE MM": "emde-mm", "Cond EMDE": "emde", "Pure EMDE": "pure-emde",
    "Pure EMDE+Pop": "pure-emde-pop", "sr-default": "sr", "sknn-k100": "s-knn",
    "EASE_R": "ease", "ItemKNN cosine": "item-knn", "PureSVD": "pure-svd", "SLIM ElasticNet": "slim",
    "Mult-VAE": "multvae",
}  # fmt: skip
"""Spellings of the published files; every other name is ours in lower case."""
DATA = {
    "RETAIL": "retail", "RSC15": "rsc15", "DIGI": "digi", "NOWP": "nowp", "30MU": "30mu", "AOTM": "aotm",
    "ML20M": "ml20m", "NETFLIX": "netflix", "MovieLens20M": "ml20m", "NetflixPrize": "netflix",
    "retailrocket": "retail", "diginetica": "digi", "30music": "30mu", "nowplaying": "nowp",
    "rsc15": "rsc15", "aotm": "aotm",
}  # fmt: skip
REFERENCE_METRICS = {"HitRate": "HR", "MRR": "MRR", "Precision": "P", "Recall": "R", "MAP": "MAP", "NDCG": "NDCG"}


@dataclass(frozen=True)
class Value:
    """One published number."""

    data: str
    protocol: str
    method: str
    metric: str
    value: float
    source: str


def _rows(name: str) -> Iterator[dict[str, str]]:
    with open(FOLDER / name, newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(stream)


def _method(name: str) -> str:
    return METHODS.get(name, name.lower())


def _paper() -> Iterator[Value]:
    """The paper's Tables 1-4 and 7 (5 and 6 are not rows of a method on a ranking protocol)."""
    for row in _rows("paper_tables.csv"):
        if row["table"] in "12347":
            protocol = "cold-user" if row["table"] in "347" else SLICES
            source = f"EMDE paper, Table {row['table']}"
            yield Value(
                DATA[row["dataset"]], protocol, _method(row["method"]), row["metric"], float(row["value"]), source
            )


def _session_rec() -> Iterator[Value]:
    """The benchmark authors' five-slice tables; the newer of two versions of a table comes first."""
    for newest in (True, False):
        for row in _rows("session_rec_published.csv"):
            if row["dataset"] in DATA and "window" in row["source"] and row["source"].startswith("umuai") == newest:
                source = f"session-rec, {row['source']}: {row['table_title']}"
                metric = row["metric"].replace("COV@", "Coverage@").replace("POP@", "Popularity@")
                method = _method(row["algorithm"])
                yield Value(DATA[row["dataset"]], SLICES, method, metric, float(row["value"]), source)


def _session_rec_run() -> Iterator[Value]:
    """session-rec run by us on its prepared RSC15 sample (defaults)."""
    for row in _rows("session_rec_reference_run.csv"):
        metric = f"{REFERENCE_METRICS[row['metric']]}@{row['k']}"
        yield Value("rsc15-100k", "published", _method(row["algorithm"]), metric, float(row["value"]),
                    "session-rec run on the same points, defaults")  # fmt: skip


def _topk() -> Iterator[Value]:
    for row in _rows("topk_published.csv"):
        if "@" not in row["metric"]:
            continue  # times and sizes
        if row["source"].startswith("EMDE paper"):
            continue  # the paper's own rows are read from paper_tables.csv
        metric = row["metric"].replace("(min den)", "(min)").replace("(truncated)", "(trunc)")
        source = f"{row['source']}, {row['table']}"
        yield Value(DATA[row["dataset"]], "cold-user", _method(row["algorithm"]), metric, float(row["value"]), source)


def _srgnn() -> Iterator[Value]:
    for row in _rows("srgnn_split_published.csv"):
        unverified = ", unverified" if "unverified" in row["status"] else ""
        for metric, column in (("HR@20", "P@20 (=HR@20, percent)"), ("MRR@20", "MRR@20 (percent)")):
            yield Value(row["dataset"], "published", row["method"].lower(), metric, float(row[column]) / 100,
                        f"paper of {row['method']}{unverified}")  # fmt: skip


def _reference_runs() -> Iterator[Value]:
    for row in _rows("reference_runs.csv"):
        yield Value(row["data"], row["split"], row["method"], row["metric"], float(row["value"]), row["source"])


@cache
def values() -> dict[tuple[str, str, str, str], list[Value]]:
    """Every published value by (data, protocol, method, metric); the paper's own come first."""
    out: dict[tuple[str, str, str, str], list[Value]] = {}
    for source in (_paper, _session_rec, _session_rec_run, _topk, _srgnn, _reference_runs):
        for value in source():
            out.setdefault((value.data, value.protocol, value.method, value.metric), []).append(value)
    return out


def lookup(data: str, protocol: str, method: str, metric: str) -> list[Value]:
    """Published values of one cell, possibly from several sources; empty where there is none."""
    return values().get((data, protocol, method, metric), [])
