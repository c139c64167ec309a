"""Which parameters a method has on a data set, where each comes from, and the estimator that they make.

Weakest first: the class's defaults, ``params`` of params/<kind>/<method>.yaml, what was published for the data set
(results/paper/*.csv), ``tuned`` of that file for the data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from benchmark.experiments import methods, published_parameters
from benchmark.experiments.methods import Kind
from benchmark.protocol.train_sets import FinalFit
from contracts import DensityEstimator, Estimator, Recommender, UserError
from contracts.strict import Strict


class Tuned(Strict):
    """Parameters for one data set, laid over the method's own."""

    params: dict[str, Any]
    source: str = Field(description="where they come from: a publication, or the search that found them")


class Method(Strict):
    """A row of the tables: a recommender with parameters (a preset has a ``base`` other than its name)."""

    base: str = Field("", description="class to use where it is not the name itself")
    like: str = Field("", description="row whose parameters on a data set lie below these")
    presets: bool = Field(False, description="only the data sets of tuned have parameters")
    params: dict[str, Any] = Field(default_factory=dict)
    source: str = Field("", description="where the parameters come from")
    tuned: dict[str, Tuned] = Field(default_factory=dict, description="data set -> parameters")


@dataclass(frozen=True)
class Layer:
    """Parameters of one origin.

    source  where they come from, for the foot of a table
    file    the file that holds them, relative to the project
    key     the dotted key in that file; empty for a CSV
    """

    params: dict[str, Any]
    source: str
    file: str
    key: str


def method_file(kind: Kind, name: str) -> str:
    """The file of a row's parameters, relative to the project."""
    return f"params/{kind}/{name}.yaml"


class Parameters(Strict):
    """The parameters of all methods: what a run takes of the settings."""

    seed: int = Field(ge=0)
    final_fit: FinalFit = Field("train", description="what models for cold users are fitted on before the test")
    methods: Mapping[Kind, Mapping[str, Method]] = Field(default_factory=dict)

    def base(self, kind: Kind, name: str) -> str:
        """The class name behind a method or preset."""
        preset = self.methods.get(kind, {}).get(name)
        if preset is None:
            return name
        return self.base(kind, preset.like) if preset.like else preset.base or name

    def seeds(self, kind: Kind, name: str, first: int | None, count: int) -> list[int | None]:
        """The seeds of ``count`` runs, one apart; a method without randomness runs once. None = the default seed."""
        if count == 1 or "seed" not in methods.find(kind, self.base(kind, name)).model_fields:
            return [first]
        start = self.seed if first is None else first
        return [start + i for i in range(count)]

    def recommender(
        self, kind: Kind, name: str, data: str, overrides: dict[str, Any], seed: int | None, device: str
    ) -> Recommender:
        """Build a recommender: its layers < overrides, seed, device."""
        built = self.estimator(kind, name, data, overrides, seed, device)
        assert isinstance(built, Recommender)
        return built

    def density_estimator(self, name: str, h: float, seed: int) -> DensityEstimator:
        """Build a density estimator of bandwidth h, where it has one; raises UserError for an unknown name."""
        estimator = self.estimator("density", name, "", {}, seed, "cpu")
        assert isinstance(estimator, DensityEstimator)
        return estimator.model_copy(update={"h": h}) if "h" in type(estimator).model_fields else estimator

    def estimator(
        self, kind: Kind, name: str, data: str, overrides: dict[str, Any], seed: int | None, device: str
    ) -> Estimator:
        """Build a method of any kind from its parameters."""
        cls = self.find(kind, name)
        params: dict[str, Any] = {}
        for layer in self.layers(kind, name, data):
            params.update(layer.params)
        if "seed" in cls.model_fields:
            params["seed"] = self.seed if seed is None else seed
        if "device" in cls.model_fields:
            params["device"] = device
        return cls.create({**params, **overrides}, name)

    def find(self, kind: Kind, name: str) -> type[Estimator]:
        """The class of a row; raises UserError that lists the known names."""
        known = {*methods.catalogue(kind), *self.methods.get(kind, {})}
        if name not in known:
            raise UserError(f"unknown {kind} method {name!r}; expected one of: {', '.join(sorted(known))}")
        return methods.find(kind, self.base(kind, name))

    def layers(self, kind: Kind, name: str, data: str) -> list[Layer]:
        """What applies to a method on a data set over the class's defaults, weakest first.

        Raises UserError for a row of presets that has none for the data set.
        """
        row, file = self.methods.get(kind, {}).get(name), method_file(kind, name)
        if row is not None and row.presets and data and data not in row.tuned:
            raise UserError(f"{file}: tuned: expected a preset for {data}, found: {', '.join(row.tuned)}")
        return self._layers(kind, name, data)

    def _layers(self, kind: Kind, name: str, data: str) -> list[Layer]:
        row, file = self.methods.get(kind, {}).get(name), method_file(kind, name)
        layers = [] if row is None else [Layer(row.params, row.source, file, "params")]
        if row is not None and row.like:
            layers = [*self._layers(kind, row.like, data), *layers]
        if of_publisher := published_parameters.find(name, data):
            layers.append(Layer(of_publisher.params, of_publisher.source, f"results/paper/{of_publisher.file}", ""))
        if row is not None and data in row.tuned:
            tuned = row.tuned[data]
            layers.append(Layer(tuned.params, tuned.source, file, f"tuned.{data}.params"))
        return layers

    def sources(self, kind: Kind, name: str, data: str) -> str:
        """Where the parameters of a row come from, for the foot of a table."""
        return next((layer.source for layer in reversed(self.layers(kind, name, data)) if layer.source), "defaults")

    def origins(self, kind: Kind, name: str, data: str) -> list[dict[str, Any]]:
        """Every parameter of a row on a data set: name, value, source and, where it is no default, file and key."""
        model = self.estimator(kind, name, data, {}, None, "auto").model_dump(mode="json")
        own = {"source": "default of the class", "file": "", "key": ""}
        where_from: dict[str, dict[str, str]] = {}
        for layer in self.layers(kind, name, data):
            where = {"source": layer.source, "file": layer.file}
            where_from.update(
                {key: {**where, "key": f"{layer.key}.{key}" if layer.key else ""} for key in layer.params}
            )
        if "seed" in model:
            where_from["seed"] = {"source": "of all methods", "file": "params.yaml", "key": "seed"}
        return [{"name": key, "value": value, **where_from.get(key, own)} for key, value in model.items()]
