"""params.yaml as one validated model, and what a profile means in cells.

A cell is one method on one data set, all its splits inside: the unit that DVC reruns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark import methods
from benchmark.data import registry
from benchmark.data.root import project_root
from benchmark.final_fit import FinalFit
from benchmark.grid import Chosen, Grid, parameters
from benchmark.methods import Kind
from benchmark.space import Declared
from contracts import DensityEstimator, Estimator, Recommender, UserError
from contracts.files import write_whole

PARAMS = "params.yaml"
PROFILE_FILE = "profile.yaml"


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt one must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Method(Strict):
    """A row of the tables: a recommender with parameters (a preset has a ``base`` other than its name)."""

    base: str = Field("", description="class to use where it is not the name itself")
    params: dict[str, Any] = Field(default_factory=dict)
    source: str = Field("", description="where the parameters come from")


class Tuned(Strict):
    """Parameters for one data set, laid over the method's own."""

    params: dict[str, Any]
    source: str = Field(description="where they come from: a publication, or the search that found them")


class Group(Strict):
    """Data sets and methods of one kind: every pair is a cell."""

    data: list[str]
    methods: list[str]
    seeds: int = Field(1, ge=1, description="runs of every seeded method, with seeds one apart; the others run once")
    sessions: int | None = Field(
        None, ge=1, description="fit on so many most recent train sessions only, where all cost too much"
    )


class Profile(Strict):
    """What one ``make repro PROFILE=...`` runs."""

    title: str
    session: list[Group] = Field(default_factory=list)
    topk: list[Group] = Field(default_factory=list)
    density: list[str] = Field(default_factory=list)
    taste_map: str = Field("", description="ratings whose items Figure 5 maps")
    ablations: list[Chosen] = Field(default_factory=list)


class Density(Strict):
    """Density estimation: sketch sizes, kernel and repetitions (Table 5, Figure 4)."""

    n: list[int] = Field(min_length=1, description="N of Figure 4, ascending")
    k: list[int] = Field(min_length=1, description="K of Figure 4")
    bandwidth: float = Field(gt=0, description="c in h = c N^(-1/(d+4)), or the share of the median distance")
    rule: Literal["scott", "median"] = "scott"
    standardize: bool = Field(False, description="divide columns by their standard deviation first")
    sweep: list[Annotated[float, Field(gt=0)]] = Field(
        default_factory=list, description="more bandwidths, as shares of the median distance"
    )
    queries: int = Field(10_000, ge=2, description="points asked for, at most")
    methods: list[str] = Field(default_factory=list, description="rows of Table 5")
    seeds: int = Field(ge=1)
    source: str = ""


class Settings(Strict):
    """The whole of params.yaml."""

    threads: int = Field(ge=1, description="threads of every cell: fixed, because sums depend on it")
    seed: int = Field(ge=0)
    final_fit: FinalFit = Field("train", description="what models for cold users are fitted on before the test")
    profiles: dict[str, Profile]
    methods: dict[Kind, dict[str, Method]]
    tuned: dict[str, dict[str, Tuned]]
    density: dict[str, Density]
    search: dict[Kind, dict[str, dict[str, Declared]]] = Field(
        default_factory=dict, description="kind -> method -> parameter -> what a search chooses from"
    )

    ablations: Grid = Field(default_factory=Grid, description="Table 6 and our own ablations of the session model")

    def profile(self, name: str) -> Profile:
        """One profile; raises UserError that lists the known ones."""
        if name not in self.profiles:
            raise UserError(f"unknown profile {name!r}; expected one of: {', '.join(self.profiles)}")
        return self.profiles[name]

    def cells(self, profile: str) -> dict[str, dict[str, str]]:
        """Every cell of a profile: "data--method" -> data, method, seeds, paths, parameter keys."""
        chosen = self.profile(profile)
        out: dict[str, dict[str, str]] = {}
        groups: list[tuple[Kind, Group]] = [("session", g) for g in chosen.session] + [("topk", g) for g in chosen.topk]
        for kind, group in groups:
            for data in group.data:
                for name in group.methods:
                    own = f"methods.{kind}.{name}"
                    tuned = f"tuned.{data}.{name}" if name in self.tuned.get(data, {}) else own
                    code, shared = methods.code_paths(kind, self.base(kind, name))
                    layers = [layer.params for layer in self.layers(kind, name, data)]
                    vectors = f"data/vectors/{data}"  # item vectors that a user added to the data set
                    taken = '"vectors:' in json.dumps(layers) and (project_root() / vectors).is_dir()
                    out[f"{data}--{name}"] = {
                        "data": data,
                        "method": name,
                        "code": code,
                        "shared": shared,
                        "seeds": str(group.seeds),
                        "cut": f" --sessions {group.sessions}" if group.sessions else "",
                        "vectors": vectors if taken else "benchmark/data/load.py",
                        "params": own,
                        "tuned": tuned,
                    }
        return out

    def ablation_cells(self, profile: str) -> dict[str, dict[str, str]]:
        """Every ablation of a profile: "data--cell" -> data, cell, parameter keys."""
        return self.ablations.stages(self.profile(profile).ablations)

    def base(self, kind: Kind, name: str) -> str:
        """The class name behind a method or preset."""
        preset = self.methods.get(kind, {}).get(name)
        return preset.base or name if preset else name

    def seeds(self, kind: Kind, name: str, first: int | None, count: int) -> list[int | None]:
        """The seeds of ``count`` runs, one apart; a method without randomness runs once. None = the default seed."""
        if count == 1 or "seed" not in methods.find(kind, self.base(kind, name)).model_fields:
            return [first]
        start = self.seed if first is None else first
        return [start + i for i in range(count)]

    def recommender(
        self, kind: Kind, name: str, data: str, overrides: dict[str, Any], seed: int | None, device: str
    ) -> Recommender:
        """Build a recommender: class defaults < method < tuned for the data < overrides, seed, device."""
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
        known = {*methods.catalogue(kind), *self.methods.get(kind, {})}
        if name not in known:
            raise UserError(f"unknown {kind} method {name!r}; expected one of: {', '.join(sorted(known))}")
        cls = methods.find(kind, self.base(kind, name))
        params: dict[str, Any] = {}
        for layer in self.layers(kind, name, data):
            params.update(layer.params)
        if "seed" in cls.model_fields:
            params["seed"] = self.seed if seed is None else seed
        if "device" in cls.model_fields:
            params["device"] = device
        return cls.create({**params, **overrides}, name)

    def layers(self, kind: Kind, name: str, data: str) -> list[Method | Tuned]:
        """The entries of params.yaml that apply to a method on a data set, weakest first."""
        preset = self.methods.get(kind, {}).get(name)
        tuned = self.tuned.get(data, {}).get(name)
        return [layer for layer in (preset, tuned) if layer is not None]

    def sources(self, kind: Kind, name: str, data: str) -> str:
        """Where the parameters of a row come from, for the foot of a table."""
        return next((layer.source for layer in reversed(self.layers(kind, name, data)) if layer.source), "defaults")


class UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error, not a silent choice of the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for index, key in enumerate(own):
            if key in own[:index]:
                raise yaml.YAMLError(f"the key {key!r} twice in the mapping of line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def load(path: Path | None = None) -> Settings:
    """Read and check params.yaml; raises UserError naming the file, the field, expected and found."""
    path = path or project_root() / PARAMS
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), UniqueKeys)
    except FileNotFoundError:
        raise UserError(f"{path}: expected the parameter file, found nothing") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: expected valid YAML, found {str(error).splitlines()[0]}") from None
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {field}: {first['msg']}, found {first['input']!r}") from None
    _check(settings, path)
    return settings


def check_parameters(settings: Settings) -> None:
    """Build every recommender that params.yaml describes; raises UserError at the first bad parameter.

    Apart from ``load`` because it imports every method, torch included.
    """
    for kind, rows in settings.methods.items():
        same_kind = [data for data in settings.tuned if registry.get(data).kind == kind]
        for name in rows:
            for data in (None, *same_kind):
                if data is None or name in settings.tuned[data]:
                    settings.estimator(kind, name, data or "", {}, None, "cpu")
    for base in settings.ablations.base.values():
        for cell in settings.ablations.cells.values():
            if cell.modalities in base.modalities:
                settings.estimator("session", base.method, "", parameters(base, cell), None, "cpu")


def _check(settings: Settings, path: Path) -> None:
    """Every data set and method that is named must exist."""
    for kind, rows in settings.methods.items():
        known = methods.catalogue(kind)
        for name in rows:
            if settings.base(kind, name) not in known:
                raise UserError(f"{path}: methods.{kind}.{name}: unknown method {settings.base(kind, name)!r}")
    for kind, spaces in settings.search.items():
        for name in spaces:
            if name not in settings.methods.get(kind, {}):
                raise UserError(f"{path}: search.{kind}: method {name!r} has no line in methods.{kind}")
    for data, names in settings.tuned.items():
        of_data = registry.get(data).kind
        for name in names:
            if of_data == "vectors" or name not in settings.methods.get(of_data, {}):
                raise UserError(f"{path}: tuned.{data}: method {name!r} has no line in methods.{of_data}")
    for data, base in settings.ablations.base.items():
        if registry.get(data).kind != "session" or base.method not in settings.methods["session"]:
            raise UserError(f"{path}: ablations.base.{data}: expected session data and a session method")
    for data, density in settings.density.items():
        if density.n != sorted(set(density.n)):
            raise UserError(f"{path}: density.{data}.n: expected ascending numbers, found {density.n}")
        for name in density.methods:
            if name not in settings.methods.get("density", {}):
                raise UserError(f"{path}: density.{data}.methods: method {name!r} has no line in methods.density")
    for name, profile in settings.profiles.items():
        for kind, groups in (("session", profile.session), ("topk", profile.topk)):
            for group in groups:
                if group.sessions and kind != "session":
                    raise UserError(f"{path}: profiles.{name}.{kind}.sessions: expected session data only")
                for data in group.data:
                    if registry.get(data).kind != kind:
                        raise UserError(f"{path}: profiles.{name}.{kind}: {data!r} is {registry.get(data).kind} data")
                for method in group.methods:
                    if method not in settings.methods[kind]:
                        raise UserError(
                            f"{path}: profiles.{name}.{kind}: method {method!r} has no line in methods.{kind}"
                        )
        if profile.taste_map and registry.get(profile.taste_map).kind != "topk":
            raise UserError(f"{path}: profiles.{name}.taste_map: expected ratings, found {profile.taste_map!r}")
        settings.ablation_cells(name)
        for data in profile.density:
            if registry.get(data).kind != "vectors" or data not in settings.density:
                raise UserError(f"{path}: profiles.{name}.density: {data!r} needs vectors and an entry in density")


def _data_paths(name: str) -> dict[str, str]:
    """Whose change makes a data set stale: its registry entry, and what generates it or what it is made of."""
    own = Path("benchmark/data/registry") / f"{name}.yaml"
    entry = own if (project_root() / own).is_file() else Path("data/registry") / f"{name}.yaml"
    dataset = registry.get(name)
    if dataset.source:
        return {"registry": str(entry), "source": registry.get(dataset.source).name}
    maker = "benchmark/data/generate" if dataset.generator else "benchmark/data/paths.py"
    return {"registry": str(entry), "maker": maker}


def profile_content(settings: Settings, name: str) -> str:
    """The text of profile.yaml: the chosen profile as dvc.yaml's ``vars`` read it."""
    chosen = settings.profile(name)
    groups: tuple[Group | Chosen, ...] = (*chosen.session, *chosen.topk, *chosen.ablations)
    named = {d for g in groups for d in g.data} | set(chosen.density) | ({chosen.taste_map} - {""})
    sources = {source for name in named if (source := registry.get(name).source)}
    every = {name: _data_paths(name) for name in sorted(named | sources)}
    content = {
        "profile": name,
        "data": {name: paths for name, paths in every.items() if "maker" in paths},
        "derived": {name: paths for name, paths in every.items() if "source" in paths},
        "pages": every,
        "cells": settings.cells(name),
        "vectors": chosen.density,
        "taste_map": chosen.taste_map,
        "taste_map_in": f"data/prepared/{chosen.taste_map}" if chosen.taste_map else "benchmark/figures/taste.py",
        "ablated": settings.ablation_cells(name),
        "compared": [name] if chosen.ablations else [],
        "compared_in": f"results/generated/{name}/ablations/compared" if chosen.ablations else "benchmark/grid.py",
    }
    head = "# Written by make from params.yaml: the chosen profile. Not in git; change it with PROFILE=name.\n"
    return head + yaml.safe_dump(content, sort_keys=False, width=120)


def write_profile(name: str) -> Path:
    """Write profile.yaml if it would change, after a check of every parameter; returns its path."""
    path = project_root() / PROFILE_FILE
    settings = load()
    content = profile_content(settings, name)
    check_parameters(settings)
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        write_whole(path, content)
    return path


def current_profile() -> str:
    """The profile in profile.yaml, or ``sample`` where none was chosen."""
    path = project_root() / PROFILE_FILE
    if not path.exists():
        return "sample"
    try:
        return str(yaml.safe_load(path.read_text(encoding="utf-8"))["profile"])
    except (yaml.YAMLError, TypeError, KeyError):
        raise UserError(f"{path}: expected a profile, found none; run: emde profile sample") from None
