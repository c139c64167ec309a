"""Parameters that others published for a method on a data set, read from results/paper/*.csv under our names.

session_rec_tuned.csv      session-rec's tuned values for its five-slice data sets
topk_hyperparameters.csv   the top-k framework's best values for ML-20M and Netflix
paper_hyperparameters.csv  the paper's Table 10; of public data cut from the same sources, too
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "results/paper"
SESSION_REC, TOPK, PAPER = "session_rec_tuned.csv", "topk_hyperparameters.csv", "paper_hyperparameters.csv"

Names = Mapping[str, str]


@dataclass(frozen=True)
class Published:
    """Parameters of one method on one data set.

    file  the CSV below results/paper that holds them
    """

    params: dict[str, Any]
    source: str
    file: str


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


SESSION_METHODS: dict[str, Names] = {
    "sr": _same("steps", "weighting"),
    "s-knn": _same("k", "sample_size", "similarity"),
    "vs-knn": _same("k", "sample_size", "weighting", "weighting_score", "idf_weighting"),
    "stan": _same("k", "sample_size", "lambda_spw", "lambda_snh", "lambda_inh"),
    "vstan": _same("k", "sample_size", "lambda_spw", "lambda_snh", "lambda_inh", "lambda_ipw", "lambda_idf"),
    "gru4rec": {"loss": "loss_function", "constrained_embedding": "constrained", "dropout": "hidden_dropout",
                "final_activation": "elu_param", **_same("lr", "momentum")},
    "narm": _same("lr"),
    "stamp": _same("epochs", "lr"),
    "sr-gnn": {"l2": "weight_decay", "lr_decay": "gamma", "lr_decay_steps": "lr_step", **_same("lr")},
    "nextitnet": {"learning_rate": "lr", **_same("lr", "epochs")},
}  # fmt: skip
"""Method -> their parameter -> ours."""
LACKING = {
    ("csrm", ""): "the suite has no CSRM",
    ("vstan", "similarity"): "no effect there: VSTAN is always cosine",
    ("stamp", "decay_rate"): "no effect there: read with update_lr alone, which is off",
    ("nextitnet", "negative_sampling"): "the softmax is over all items here",
}
"""(method, their parameter or all of them) of session_rec_tuned.csv -> why it is not used (docs/neural.md)."""
TOPK_METHODS: dict[str, tuple[str, Names]] = {
    "item-knn": ("ItemKNN cosine", {"topK": "top_k", **_same("shrink", "feature_weighting")}),
    "p3alpha": ("P3alpha", {"topK": "top_k", "normalize_similarity": "normalize", **_same("alpha")}),
    "rp3beta": ("RP3beta", {"topK": "top_k", "normalize_similarity": "normalize", **_same("alpha", "beta")}),
    "pure-svd": ("PureSVD", {"num_factors": "factors"}),
    "als": ("iALS", {"num_factors": "factors", "reg": "regularization", **_same("alpha")}),
    "ease": ("EASE_R", {"l2_norm": "l2"}),
    "slim": ("SLIM ElasticNet", {"topK": "top_k", **_same("l1_ratio", "alpha")}),
    "multvae": ("MultVAE", _same("epochs")),
}
"""Method -> their algorithm, their parameter -> ours."""
TOPK_DATA = {"ml20m": "best_MovieLens20M", "netflix": "best_NetflixPrize"}
PAPER_DATA = {
    "retail": "RETAIL", "digi": "DIGI", "rsc15": "RSC15", "nowp": "NOWP", "30mu": "30MU", "aotm": "AOTM",
}  # fmt: skip
PUBLIC_DATA = {
    "retailrocket-dhcn": "RETAIL", "diginetica-srgnn": "DIGI", "rsc15-100k": "RSC15", "yoochoose-1-64": "RSC15",
    "nowplaying-gcegnn": "NOWP", "30music-10pct": "30MU",
}  # fmt: skip
"""Other cuts of the paper's sources: EMDE's own row counts there, EMDE MM's (other attributes) does not."""
READ: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("gru4rec", "elu_param"): lambda text: 0 if text == "linear" else float(text.removeprefix("elu-")),
    ("item-knn", "feature_weighting"): str.lower,
    ("als", "alpha"): lambda value: round(1 + value, 6),  # their confidence is 1 + alpha r, ours alpha r
}
"""(method, our parameter) -> how their value is read, where it is not simply taken."""


def find(method: str, data: str) -> Published | None:
    """What was published for a method (a row's own name, no preset of it) on a data set; None where nothing was."""
    return _all().get((method, data))


@cache
def _all() -> dict[tuple[str, str], Published]:
    return {**_session_rec(), **_topk(), **_paper()}


def _session_rec() -> dict[tuple[str, str], Published]:
    params: dict[tuple[str, str], dict[str, Any]] = {}
    source = {}
    for row in _rows(SESSION_REC):
        name = SESSION_METHODS.get(row["method"], {}).get(row["parameter"])
        if name is not None:
            key = row["method"], row["dataset"]
            params.setdefault(key, {})[name] = _value(row["method"], name, row["value"])
            source[key] = f"session-rec, {row['source']}"
    return {key: Published(found, source[key], SESSION_REC) for key, found in params.items()}


def _topk() -> dict[tuple[str, str], Published]:
    rows = _rows(TOPK)
    out = {}
    for data, column in TOPK_DATA.items():
        for method, (algorithm, names) in TOPK_METHODS.items():
            mine = [row for row in rows if row["algorithm"] == algorithm and row["parameter"] in names]
            params = {names[row["parameter"]]: _value(method, names[row["parameter"]], row[column]) for row in mine}
            out[method, data] = Published(params, f"top-k framework, best found for {algorithm}", TOPK)
    return out


def _paper() -> dict[tuple[str, str], Published]:
    out = {}
    known = {row["configuration"]: row for row in _rows(PAPER)}
    places = [("emde", data, name) for data, name in (PAPER_DATA | PUBLIC_DATA).items()]
    places += [("emde-mm", data, f"{name} MM") for data, name in PAPER_DATA.items()]
    for method, data, configuration in places:
        if configuration in known:
            row = known[configuration]
            names = [name for name in row if name != "configuration"]
            params = {name.lower(): yaml.safe_load(row[name]) for name in names}
            out[method, data] = Published(params, f"paper, Table 10 ({configuration})", PAPER)
    return out


def _value(method: str, name: str, text: str) -> Any:
    """A cell of a CSV as a value: numbers and booleans as YAML reads them (and 1.00E-05)."""
    value = yaml.safe_load(text.lower() if text in ("True", "False") else text)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    read = READ.get((method, name))
    return value if read is None else read(value)


def _rows(name: str) -> list[dict[str, str]]:
    with open(FOLDER / name, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
