"""benchmark.speed.harness: a process of its own, growth, and some steps of a training."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from benchmark.speed import generate
from benchmark.speed.harness import alone, exponent, first_steps
from contracts import UserError
from contracts.runtime.threads import n_threads
from emde import EMDE

SMALL: dict[str, Any] = {
    "modalities": [{"group": "random"}], "n": 3, "k": 4, "hidden": 8, "batch_size": 32, "device": "cpu",
}  # fmt: skip


def described(text: str, numbers: list[int]) -> dict[str, Any]:
    return {"text": text, "sum": sum(numbers), "process": os.getpid(), "threads": n_threads()}


def test_work_runs_in_a_process_of_its_own_with_its_threads() -> None:
    found = alone(described, "ü", [1, 2], threads=1)
    assert found["process"] != os.getpid()
    assert (found["text"], found["sum"], found["threads"]) == ("ü", 3, 1)


def test_a_failing_process_says_why_in_one_line() -> None:
    with pytest.raises(UserError, match="unsupported operand") as error:
        alone(described, "a", ["no number"])
    assert len(str(error.value).splitlines()) == 1


def test_exponent_of_a_power_law() -> None:
    assert exponent([1000, 2000, 8000], [3e-6 * n**1.5 for n in (1000, 2000, 8000)]) == pytest.approx(1.5)


def test_some_steps_of_a_fit() -> None:
    train = generate.sessions(2000, 50)
    model, step, before = first_steps(EMDE, SMALL, train, 4)
    assert step > 0
    assert before >= 0
    items, _ = model.recommend(train.take([0, 1]), 5)
    assert items.shape == (2, 5)
    assert model.history == [], "no epoch was finished"
    untrained = EMDE.create({**SMALL, "epochs": 0}).fit(train)
    assert not torch.equal(model._network.out.weight, untrained._network.out.weight)
