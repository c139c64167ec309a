"""A kept model lists for a session or user given by hand what its run stored for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import load_split, points_of, recommend
from benchmark.cli import main as cli
from benchmark.experiments import run_store, settings
from benchmark.experiments.recommend import load_model
from benchmark.experiments.run import Asked, run
from contracts import UserError

SMALL = {"epochs": 1, "hidden": 64, "n": 3, "modalities": [{"group": "random"}]}


@pytest.fixture(scope="module")
def runs(sample_root, tmp_path_factory) -> dict[str, Path]:
    out, known = tmp_path_factory.mktemp("runs"), settings.load()
    asked = {
        "emde": Asked("sample-sessions", "emde", "0", SMALL, device="cpu", keep_model=True),
        "ease": Asked("sample-ratings", "ease", device="cpu", keep_model=True),
        "ar": Asked("sample-sessions", "ar", "0"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMDE_DATA", str(sample_root))
        return {name: run(known, one, out) for name, one in asked.items()}


def ids(found: dict[str, Any]) -> list[Any]:
    return [entry["item"] for entry in found["list"]]


def test_a_session(sample, runs) -> None:
    split = load_split("sample-sessions", "0")
    points = points_of(split)
    stored, scores = run_store.read_ranks(runs["emde"])
    for point in (0, 7, len(points) // 2):
        so_far = points.prefixes(point, point + 1)
        if (so_far.items < 0).any():
            continue
        found = recommend(runs["emde"], split.item_ids[so_far.items], so_far.times, k=20, each=True)
        assert ids(found) == split.item_ids[stored[point]].tolist()
        assert [entry["score"] for entry in found["list"]] == pytest.approx(scores[point], rel=1e-4)
        assert len(found["steps"]) == so_far.n_events
        assert found["steps"][-1]["list"][0]["item"] == ids(found)[0]
        assert max(step["difference"] for step in found["steps"]) < 1e-6
    assert ids(recommend(runs["emde"], split.item_ids[:2], k=3)) == ids(
        recommend(runs["emde"], split.item_ids[:2], [0, float(median_gap(split))], k=3)
    )


def median_gap(split: Any) -> float:
    return float(np.median([b - a for s in range(len(split.train)) for a, b in zip(
        split.train.times[split.train.offsets[s] : split.train.offsets[s + 1]],
        split.train.times[split.train.offsets[s] + 1 : split.train.offsets[s + 1]], strict=False)]))  # fmt: skip


def test_a_user(sample, runs, tmp_path, capsys) -> None:
    """Liked and disliked items by their ratings, items by name or id: the list without disliked items."""
    split = load_split("sample-ratings")
    stored, _ = run_store.read_ranks(runs["ease"], run_store.MASKED)
    liked, disliked = split.profiles.liked[3].indices, split.profiles.disliked[3].indices
    lines = [f"{split.item_names[i]}\t5" for i in liked] + [f"{split.item_ids[i]}\t1" for i in disliked]
    (tmp_path / "user.tsv").write_text("\n".join(lines) + "\n")
    assert cli.main(["recommend", str(runs["ease"]), "--user", str(tmp_path / "user.tsv"), "--k", "20"]) == 0
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines()[2:]]
    assert shown == [str(split.item_ids[i]) for i in stored[3][:20]]


@pytest.mark.parametrize(
    ("run_of", "arguments", "words"),
    [
        ("emde", {"items": ["nothing"]}, "unknown item 'nothing'; expected ids of its train items"),
        ("emde", {"items": []}, "at least one item"),
        ("ar", {"items": ["8464"]}, "keep it: emde run --data sample-sessions --split 0 --method ar --keep-model"),
        ("ease", {"items": ["Film 3, The (1980)"], "each": True}, "--each: expected a run of sessions"),
    ],
)
def test_what_is_refused(sample, runs, run_of: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        recommend(runs[run_of], **arguments)


def test_a_damaged_model(sample, runs, tmp_path) -> None:
    path = runs["ar"] / run_store.MODEL
    path.write_bytes(b"nothing of a model")
    with pytest.raises(UserError, match="expected a saved model"):
        load_model(runs["ar"])
    path.unlink()
