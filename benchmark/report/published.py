"""Published values by our names: results/paper/*.csv, each value with its source.

Values are only comparable on the same data under the same protocol: a value is looked up by (data,
protocol, method, metric), and a data set that is not the published one has none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.experiments import published_parameters
from benchmark.protocol.metric import Metric
from contracts.runtime.json import from_json

FOLDER = Path(__file__).resolve().parents[2] / "results/paper"

SLICES = "slices"
"""Protocol name of the plain mean over the five slices."""
DENSITY, ABLATION, PARAMETERS = "density", "ablation", "parameters"
"""Protocol names of the paper's Tables 5, 6 and 10, which rank nothing or rank for another purpose."""

METHODS = {
    "sknn": "s-knn", "vsknn": "vs-knn", "recent_pop": "recent-pop", "gru4rec": "gru4rec",
    "TopPop": "top-pop", "RP3beta": "rp3beta", "SLIM": "slim", "EASE": "ease", "MultVAE": "multvae",
    "EMDE": "emde", "EMDE MM": "emde-mm", "Cond EMDE": "emde", "Pure EMDE": "pure-emde",
    "Pure EMDE+Pop": "pure-emde-pop", "sr-default": "sr", "sknn-k100": "s-knn",
    "EASE_R": "ease", "ItemKNN cosine": "item-knn", "PureSVD": "pure-svd", "SLIM ElasticNet": "slim",
    "Mult-VAE": "multvae", "FastHBE": "hbe",
}  # fmt: skip
"""Spellings of the published files; every other name is ours in lower case."""
DATA = {
    "RETAIL": "retail", "RSC15": "rsc15", "DIGI": "digi", "NOWP": "nowp", "30MU": "30mu", "AOTM": "aotm",
    "ML20M": "ml20m", "NETFLIX": "netflix", "MovieLens20M": "ml20m", "NetflixPrize": "netflix",
    "retailrocket": "retail", "diginetica": "digi", "30music": "30mu", "nowplaying": "nowp",
    "rsc15": "rsc15", "aotm": "aotm", "GloVe": "glove-50d-5k", "MNIST": "mnist",
}  # fmt: skip
PUBLISHERS = ("paper", "session-rec", "framework")
"""Origins whose parameters are known: the paper's baselines have session-rec's and the framework's."""
SESSION_REC = {"HitRate": "HR", "Precision": "P", "Recall": "R", "COV": "Coverage", "POP": "Popularity"}
FORMS = {"min den": "min", "truncated": "trunc"}
"""Published spellings of metrics."""


@dataclass(frozen=True)
class Value:
    """One published number; ``params``: what is known of the setting it belongs to, under our names."""

    data: str
    protocol: str
    method: str
    metric: str
    value: float
    source: str
    origin: str
    params: dict[str, Any] = field(default_factory=dict)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with open(FOLDER / name, newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(stream)


def _method(name: str) -> str:
    return METHODS.get(name, name.lower())


def _metric(label: str, names: Mapping[str, str]) -> str:
    """A published label with our names."""
    metric = Metric.parse(label)
    return str(metric._replace(name=names.get(metric.name, metric.name), form=FORMS.get(metric.form, metric.form)))


PROTOCOLS = {"3": "cold-user", "4": "cold-user", "7": "cold-user", "5": DENSITY, "6": ABLATION}
"""Of the paper's tables; every other is a mean over slices."""
ITEMS = ("ml20m", "netflix")
"""Data whose item embeddings are the points of Table 5."""


def _paper() -> Iterator[Value]:
    """The paper's Tables 1-7."""
    for row in _rows("paper_tables.csv"):
        protocol, source = PROTOCOLS.get(row["table"], SLICES), f"EMDE paper, Table {row['table']}"
        data, method = DATA[row["dataset"]], _method(row["method"])
        if protocol == DENSITY and data in ITEMS:
            data = f"{data}-items"
        yield Value(data, protocol, method, row["metric"], float(row["value"]), source, "paper")


def _paper_parameters() -> Iterator[Value]:
    """The paper's Table 10, under our names of the parameters."""
    for row in _rows("paper_hyperparameters.csv"):
        data, _, variant = row["configuration"].partition(" ")
        for name, value in list(row.items())[1:]:
            method = "emde-mm" if variant else "emde"
            yield Value(DATA[data], PARAMETERS, method, name.lower(), float(value), "EMDE paper, Table 10", "paper")


def _session_rec() -> Iterator[Value]:
    """The benchmark authors' five-slice tables; the newer of two versions of a table comes first."""
    for newest in (True, False):
        for row in _rows("session_rec_published.csv"):
            if row["dataset"] in DATA and "window" in row["source"] and row["source"].startswith("umuai") == newest:
                source = f"session-rec, {row['source']}: {row['table_title']}"
                metric = _metric(row["metric"], SESSION_REC)
                method = _method(row["algorithm"])
                yield Value(DATA[row["dataset"]], SLICES, method, metric, float(row["value"]), source, "session-rec")


def _session_rec_run() -> Iterator[Value]:
    """session-rec run by us on its prepared RSC15 sample (defaults)."""
    for row in _rows("session_rec_reference_run.csv"):
        metric = _metric(f"{row['metric']}@{row['k']}", SESSION_REC)
        source, params = "session-rec run on the same points, defaults", from_json(row["params"], "params")
        method, value = _method(row["algorithm"]), float(row["value"])
        yield Value("rsc15-100k", "published", method, metric, value, source, "reference", params)


FRAMEWORK = ("Table 62", "Table 63", "Table 64", "Table 65")
"""The framework's final tables; values before its EASE fix and other people's are told apart."""


def _topk() -> Iterator[Value]:
    for row in _rows("topk_published.csv"):
        if not Metric.parse(row["metric"]).k:
            continue  # times and sizes
        if row["source"].startswith("EMDE paper"):
            continue  # the paper's own rows are read from paper_tables.csv
        metric = _metric(row["metric"], {})
        source = f"{row['source']}, {row['table']}"
        origin = "framework" if row["table"] in FRAMEWORK else "other"
        data, method = DATA[row["dataset"]], _method(row["algorithm"])
        yield Value(data, "cold-user", method, metric, float(row["value"]), source, origin)


def _srgnn() -> Iterator[Value]:
    for row in _rows("srgnn_split_published.csv"):
        unverified = ", unverified" if "unverified" in row["status"] else ""
        for metric, column in (("HR@20", "P@20 (=HR@20, percent)"), ("MRR@20", "MRR@20 (percent)")):
            if not row[column]:
                continue  # a leaderboard that shows only MRR
            yield Value(row["dataset"], "published", row["method"].lower(), metric, float(row[column]) / 100,
                        f"paper of {row['method']}{unverified}", "srgnn")  # fmt: skip


def _reference_runs() -> Iterator[Value]:
    for row in _rows("reference_runs.csv"):
        value = float(row["value"])
        params = from_json(row["params"] or "{}", "params")
        yield Value(row["data"], row["split"], row["method"], row["metric"], value, row["source"], "reference", params)


def _with_setting(value: Value) -> Value:
    """The value with the parameters that its publisher gives for the method on the data set."""
    known = published_parameters.find(value.method, value.data)
    if known is None or value.params or value.origin not in PUBLISHERS or value.protocol in (DENSITY, PARAMETERS):
        return value
    return replace(value, params=known.params)


@cache
def values() -> dict[tuple[str, str, str, str], list[Value]]:
    """Every published value by (data, protocol, method, metric); the paper's own come first."""
    out: dict[tuple[str, str, str, str], list[Value]] = {}
    for source in (_paper, _paper_parameters, _session_rec, _session_rec_run, _topk, _srgnn, _reference_runs):
        for value in map(_with_setting, source()):
            out.setdefault((value.data, value.protocol, value.method, value.metric), []).append(value)
    return out


def methods(data: str, protocol: str, origins: Iterable[str]) -> list[str]:
    """Every method that the origins publish on a data set under a protocol, in their order."""
    wanted = set(origins)
    names = {key[2]: None for key, cell in values().items() if key[:2] == (data, protocol)
             if any(value.origin in wanted for value in cell)}  # fmt: skip
    return list(names)


def lookup(data: str, protocol: str, method: str, metric: str) -> list[Value]:
    """Published values of one cell, possibly from several sources; empty where there is none."""
    return values().get((data, protocol, method, metric), [])


@cache
def paper_tables() -> dict[tuple[str, str, str, str], float]:
    """(table, data set, method, metric), all as the paper spells them -> its value."""
    return {
        (row["table"], row["dataset"], row["method"], row["metric"]): float(row["value"])
        for row in _rows("paper_tables.csv")
    }
