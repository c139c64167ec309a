"""What a search chooses from: declared in params.yaml (``search``), resolved for a data set, drawn from.

A point of a space is flat: one value per name. Modalities are spread over several names there
(``modalities.groups``, ``modalities.iterations.0``, ..., ``modalities.dim``) and put together by ``parameters``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from benchmark.data.load import SessionSplit, TopKSplit
from contracts import RANDOM, Source, SourceKind, UserError
from contracts.source import WrittenSource
from contracts.strict import Strict

Params = dict[str, Any]
JOIN = " + "
"""Between the groups of one choice of modalities: "session + random"."""


class Multiples(Strict):
    """Choices that follow the data: multiples of its mean session length or its train's span in days."""

    of: Literal["mean_length", "train_days"]
    times: list[float] = Field(min_length=1)


class Range(Strict):
    """All numbers from ``low`` to ``high``: whole ones where both are; ``log``: uniform in the logarithm."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("expected low < high, and low > 0 for a logarithmic range")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def draw(self, rng: np.random.Generator) -> int | float:
        """One number, a real one to four significant digits."""
        low, high = self.low, self.high + self.whole
        x = math.exp(rng.uniform(math.log(low), math.log(high))) if self.log else rng.uniform(low, high)
        return min(math.floor(x), int(self.high)) if self.whole else min(max(float(f"{x:.4g}"), low), high)


class Inputs(Strict):
    """EMDE's modalities: which groups, Cleora iterations of each that has an embedding, one dimension for all."""

    groups: list[list[WrittenSource]] = Field(min_length=1)
    iterations: list[int] = Field(min_length=1)
    dim: list[int] = Field(min_length=1)


Values = Annotated[list[bool | int | float | str | None], Field(min_length=1)]
Declared = Values | Multiples | Range | Inputs
Space = dict[str, list[Any] | Range]


def resolve(declared: Mapping[str, Declared], split: SessionSplit | TopKSplit, lines: Sequence[Params]) -> Space:
    """The space for this data; groups that the data does not offer are left out.

    lines  whole parameters that must be points of the space, where need be by one choice more: the method's own,
           then published ones; what differs among them is searched, too
    """
    out: Space = {}
    others: dict[str, Declared] = {name: [] for name in lines[0] if any(line[name] != lines[0][name] for line in lines)}
    for name, choices in {**others, **declared}.items():
        given = [line[name] for line in lines]
        if isinstance(choices, Inputs):
            out |= _inputs(name, choices, split, given)
        elif isinstance(choices, Range):
            for value in given:
                if not choices.low <= value <= choices.high:
                    raise UserError(f"search: {name}: expected a range that holds the method's own {value}")
            out[name] = choices
        else:
            values = _multiples(choices, split) if isinstance(choices, Multiples) else choices
            out[name] = _distinct(given, values)
    return out


def _distinct(given: list[Any], values: list[Any]) -> list[Any]:
    """The declared choices, with more before them for what is not among them."""
    return list(dict.fromkeys([*(value for value in given if value not in values), *values]))


def _multiples(declared: Multiples, split: SessionSplit | TopKSplit) -> list[float]:
    if not isinstance(split, SessionSplit):
        raise UserError(f"search: {declared.of}: expected session data, found {split.name}")
    span = float(np.ptp(split.train.last_times)) / 86400
    scale = float(split.train.lengths.mean()) if declared.of == "mean_length" else span
    return [float(f"{max(times * scale, 1e-5):.4g}") for times in declared.times]


def _inputs(name: str, declared: Inputs, split: SessionSplit | TopKSplit, given: list[list[Params]]) -> Space:
    groups_of_data = ("session", *split.train.groups) if isinstance(split, SessionSplit) else ("user",)
    known = {RANDOM, *map(Source.group, groups_of_data)}
    if split.train.attributes:
        known.add(Source(SourceKind.ATTRIBUTES))
    mine = [[Source.parse(modality["group"]) for modality in line] for line in given]
    groups = [*mine, *(choice for choice in declared.groups if set(choice) <= known)]
    embedded = [_embedded(line) for line in given]
    out: Space = {f"{name}.groups": list(dict.fromkeys(JOIN.join(map(str, choice)) for choice in groups))}
    for place in range(max(len(choice) - choice.count(RANDOM) for choice in groups)):
        there = [line[place]["iterations"] for line in embedded if place < len(line)]
        out[f"{name}.iterations.{place}"] = _distinct(there, declared.iterations)
    out[f"{name}.dim"] = _distinct([line[0]["dim"] for line in embedded if line], declared.dim)
    return out


def _embedded(modalities: list[Params]) -> list[Params]:
    return [modality for modality in modalities if Source.parse(modality["group"]) != RANDOM]


def draws(space: Space, seed: int) -> Iterator[Params]:
    """Points of the space, uniform and without end; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    while True:
        yield {
            name: values.draw(rng) if isinstance(values, Range) else values[int(rng.integers(len(values)))]
            for name, values in space.items()
        }


def parameters(point: Params) -> Params:
    """A point of a space as parameters of the method."""
    out = {name: value for name, value in point.items() if "." not in name}
    for name in [key.removesuffix(".groups") for key in point if key.endswith(".groups")]:
        modalities: list[Params] = []
        place = 0
        for group in point[f"{name}.groups"].split(JOIN):
            if Source.parse(group) == RANDOM:
                modalities.append({"group": group})
                continue
            iterations = point[f"{name}.iterations.{place}"]
            modalities.append({"group": group, "iterations": iterations, "dim": point[f"{name}.dim"]})
            place += 1
        out[name] = modalities
    return out


def point_at(space: Space, params: Params) -> Params:
    """The point of a space at a method's own parameters: ``parameters`` the other way round."""
    out: Params = {}
    for name, values in space.items():
        base, _, part = name.partition(".")
        if not part:
            out[name] = params[name]
            continue
        assert isinstance(values, list)
        embedded = _embedded(params[base])
        kind, _, place = part.partition(".")
        if kind == "groups":
            out[name] = JOIN.join(modality["group"] for modality in params[base])
        else:
            at = int(place or 0)
            out[name] = embedded[at][kind] if at < len(embedded) else values[0]
    return out
