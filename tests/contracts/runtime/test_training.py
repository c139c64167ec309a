"""contracts.runtime.training on one weight: the schedule, the epoch that is kept, what a broken loss says."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from contracts import Checkpoint, UserError
from contracts.runtime.training import Schedule, Step, Trainer, best_epoch, seeded


def train(
    schedule: Schedule, curve: list[float] | None = None, loss: float = 1.0
) -> tuple[Trainer, list[float], float]:
    """(the trainer, every epoch's rate, the weight kept); two steps an epoch, each moves the weight by the rate."""
    network = nn.ParameterDict({"w": torch.zeros(())})
    optimizer = torch.optim.SGD(network.parameters(), lr=99.0)
    rates: list[float] = []

    def losses(epoch: int, done: int) -> Iterator[Step]:
        rates.append(optimizer.param_groups[0]["lr"])
        for weight in (1.0, 3.0):
            yield Step(network["w"] * 1.0 + loss * weight, 2, weight)

    values = iter(curve or ())
    validate = (lambda: {"valid_mrr": next(values), "valid_hr": 0.0}) if curve else None
    trainer = Trainer("Toy", network, optimizer, losses, schedule, validate=validate)
    trainer.fit(4, Checkpoint(None, {}))
    return trainer, rates, float(network["w"].detach())


@pytest.mark.parametrize(
    ("step", "expected"), [(0, [0.1] * 5), (1, [0.1 * 0.5**e for e in range(5)]), (2, [0.1, 0.1, 0.05, 0.05, 0.025])]
)
def test_the_rate_falls_in_steps(step: int, expected: list[float]) -> None:
    trainer, rates, weight = train(Schedule(5, 0.1, 0.5, step))
    assert rates == pytest.approx(expected)
    assert weight == pytest.approx(-2 * sum(expected))
    assert [row["epoch"] for row in trainer.history] == [1, 2, 3, 4, 5]


def test_the_loss_is_a_weighted_mean_of_the_steps() -> None:
    trainer, _, _ = train(Schedule(1, 0.1))
    assert trainer.history[0]["loss"] == pytest.approx((1 * 1 + 3 * (3 - 0.1)) / 4)


def test_the_first_best_epoch_is_kept() -> None:
    curve = [0.1, 0.3, 0.2, 0.3, 0.1, 0.9]
    trainer, rates, weight = train(Schedule(30, 0.1, patience=3), curve)
    assert [row["valid_mrr"] for row in trainer.history] == curve[:5]
    assert weight == pytest.approx(-0.2 * 2)
    assert len(rates) == 5
    assert best_epoch(trainer.history) == 2
    assert best_epoch([]) == 0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_an_error(loss: float) -> None:
    with pytest.raises(UserError, match=f"toy: expected a finite loss, found {loss} in epoch 1: try a smaller lr"):
        train(Schedule(2, 0.1), loss=loss)


def test_a_generator_has_its_own_key() -> None:
    def draw(*key: int) -> float:
        return float(torch.rand((), generator=seeded(*key)))

    assert draw(1, 2, 0) == draw(1, 2, 0)
    assert len({draw(1, 2, 0), draw(1, 2, 1), draw(1, 3, 0), draw(2, 2, 0)}) == 4
