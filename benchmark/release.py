"""The paper's variant of EMDE beside the authors' release, on rsc15-100k, with the release's settings.

    python -m benchmark.release VARIANT SEED    # train once, decode the same weights with every decoder
    python -m benchmark.release                 # collect what has been run into results/reported/release/

Parts lie in results/generated/release/. The values of the release itself are in the methods spec and README.md there.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, get_args

from benchmark import environment, settings
from benchmark.data.load import SessionSplit
from benchmark.data.root import project_root
from benchmark.evaluate import write_json
from benchmark.metrics_session import per_point
from benchmark.points import evaluation_points
from benchmark.run import checkpoint_file, describe_run, load_ranking_split, rank
from contracts import UserError
from contracts.files import write_whole
from contracts.threads import VARIABLE
from emde import EMDE
from emde.decode import Decoder
from emde.modality import Variant

DATA = "rsc15-100k"
SETTINGS: dict[str, Any] = {
    "modalities": [
        {"group": "session", "iterations": 2, "dim": 1024},
        {"group": "session", "iterations": 4, "dim": 1024},
        {"group": "random", "dim": 1024},
    ],
    "n": 10, "k": 7, "hidden": 2986, "alpha": 0.9, "w": 0.01,
    "epochs": 7, "batch_size": 512, "lr": 0.0005, "gamma": 1.0,
}  # fmt: skip
"""Of the run whose values the spec states: the paper's Table 10, RSC15."""
METRICS = ("HR@20", "MRR@20")


def measure(variant: Variant, seed: int) -> list[dict[str, Any]]:
    """Train one network; a run record with metrics per decoder (the seconds of training are the same in all)."""
    split = load_ranking_split(DATA, None)
    assert isinstance(split, SessionSplit)
    points = evaluation_points(split.test)
    model = EMDE.create({**SETTINGS, "variant": variant, "seed": seed, "device": "cpu"})
    checkpoint = checkpoint_file(project_root() / f"results/generated/release/{variant}-{seed}")
    fit: dict[str, float] = {}
    with environment.timed(fit, "fit"):
        model.checkpoint_at(checkpoint).fit(split.train)
    records = []
    for decoder in get_args(Decoder):
        decoding = model.model_copy(update={"decoder": decoder})
        seconds = dict(fit)
        ranked = rank(decoding, split, seconds)
        values = per_point(ranked.items, points)
        metrics = {name: float(values[name].mean()) for name in METRICS}
        records.append({**describe_run(decoding, split, "emde", ranked, seconds), "metrics": metrics})
    checkpoint.unlink(missing_ok=True)
    return records


def collect() -> str:
    """Write every part's records to results/reported/release/runs.jsonl; returns a table: mean (least to most)."""
    parts = sorted((project_root() / "results/generated/release").glob("*.json"))
    if not parts:
        raise UserError(
            "results/generated/release: expected parts, found none; run: python -m benchmark.release paper 0"
        )
    records = [record for part in parts for record in json.loads(part.read_text(encoding="utf-8"))]
    target = project_root() / "results/reported/release"
    write_whole(target / "runs.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    lines = ["| variant | decoder | seeds | HR@20 | MRR@20 |", "|---|---|---|---|---|"]
    for variant in get_args(Variant):
        for decoder in get_args(Decoder):
            asked = {"variant": variant, "decoder": decoder}
            rows = [record for record in records if asked.items() <= record["params"].items()]
            if rows:
                cells = " | ".join(_mean([row["metrics"][name] for row in rows]) for name in METRICS)
                lines.append(f"| {variant} | {decoder} | {len(rows)} | {cells} |")
    return "\n".join(lines) + "\n"


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def main(words: list[str]) -> int:
    """One measurement, or the collection of all."""
    try:
        if not words:
            sys.stdout.write(collect())
            return 0
        if len(words) != 2 or words[0] not in get_args(Variant) or not words[1].isdigit():
            raise UserError(f"release: expected a variant ({', '.join(get_args(Variant))}) and a seed, found {words}")
        environment.set_threads(None if VARIABLE in os.environ else settings.load().threads)
        variant, seed = words
        path = project_root() / f"results/generated/release/{variant}-{seed}.json"
        write_json(path, measure(variant, int(seed)))  # type: ignore[arg-type]
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
