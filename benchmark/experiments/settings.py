"""What decides the numbers, read from the project and validated as one model.

params.yaml                     threads, seed, final fit: what all cells share
params/<kind>/<method>.yaml     a row of the tables: parameters, search space, tuned values per data set
params/ablations.yaml           base models, cells and factors of the ablations
params/density.yaml             sketch sizes, kernel and methods per vector set
profiles/<name>/profile.yaml    which cells stand in a profile's tables
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError

from benchmark.data import registry
from benchmark.data.root import project_root
from benchmark.experiments import methods
from benchmark.experiments.ablations.grid import Grid, parameters
from benchmark.experiments.offered import require_offered
from benchmark.experiments.parameters import Method, Parameters, Tuned, method_file
from benchmark.experiments.profiles import Listed, Profile
from benchmark.experiments.search.space import Declared
from contracts import Kind, UserError
from contracts.strict import Strict

__all__ = ["Density", "MethodRow", "Settings", "Tuned", "check_offered", "check_parameters", "load", "project_root"]

PARAMS, ABLATIONS, DENSITY = "params.yaml", "params/ablations.yaml", "params/density.yaml"


class MethodRow(Method):
    """A method with what a search of its parameters chooses from."""

    search: dict[str, Declared] = Field(default_factory=dict, description="parameter -> choices")


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

    @property
    def bandwidth_rule(self) -> str:
        """How the bandwidth is chosen, in words."""
        return f"{self.bandwidth:g} " + ("N^(-1/(d+4))" if self.rule == "scott" else "x median distance")

    @property
    def normalisation(self) -> str:
        """What is done to the points first, in words."""
        return "columns divided by their standard deviation" if self.standardize else "none"


class Settings(Parameters):
    """All of it."""

    threads: int = Field(ge=1, description="threads of every cell: fixed, because sums depend on it")
    methods: dict[Kind, dict[str, MethodRow]] = Field(default_factory=dict)
    profiles: dict[str, Profile] = Field(default_factory=dict)
    density: dict[str, Density] = Field(default_factory=dict)
    ablations: Grid = Field(default_factory=Grid, description="Table 6 and our own ablations of the session model")

    def profile(self, name: str) -> Profile:
        """One profile; raises UserError that lists the known ones."""
        if name not in self.profiles:
            raise UserError(f"unknown profile {name!r}; expected one of: {', '.join(self.profiles)}")
        return self.profiles[name]

    def cells(self, profile: str) -> dict[tuple[str, str], Listed]:
        """(data, method) -> every cell of a profile."""
        return self.profile(profile).cells

    def ablation_cells(self, profile: str) -> list[tuple[str, str]]:
        """(data, cell) of every ablation of a profile; raises UserError for a name that is not declared."""
        pairs: dict[tuple[str, str], None] = {}
        for data, cell in self.profile(profile).ablated:
            for name in [cell] if cell else self.ablations.cells:
                self.ablations.of(data, name)
                pairs[data, name] = None
        return list(pairs)

    @property
    def spaces(self) -> dict[Kind, dict[str, dict[str, Declared]]]:
        """kind -> method -> parameter -> what a search chooses from, of the methods that declare a space."""
        declared = {kind: {name: row.search for name, row in rows.items() if row.search}
                 for kind, rows in self.methods.items()}  # fmt: skip
        return {kind: spaces for kind, spaces in declared.items() if spaces}


class Reader(yaml.CSafeLoader):
    """YAML in which a key that is given twice is an error, and 1e-05 (as DVC writes it) a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for index, key in enumerate(own):
            if key in own[:index]:
                raise yaml.YAMLError(f"the key {key!r} twice in the mapping of line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


Reader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load(path: Path | None = None) -> Settings:
    """Read and check the files beside params.yaml; raises UserError naming the file, the field, expected and found."""
    path = path or project_root() / PARAMS
    root = path.parent
    files: dict[str, Path] = {}
    raw = _read(path)
    for name in raw.keys() & {"methods", "profiles", "density", "ablations"}:
        raise UserError(f"{path}: {name}: expected in a file of its own (params/, profiles/), found it here")
    for name, file in (("ablations", ABLATIONS), ("density", DENSITY)):
        files[name] = root / file
        if files[name].is_file():
            raw[name] = _read(files[name])
    raw["methods"] = {}
    for kind in get_args(Kind):
        files_of_kind = {file.stem: file for file in sorted((root / "params" / kind).glob("*.yaml"))}
        raw["methods"][kind] = {name: _read(file) for name, file in files_of_kind.items()}
        files |= {f"methods.{kind}.{name}": file for name, file in files_of_kind.items()}
    profiles = {file.parent.name: file for file in sorted((root / "profiles").glob("*/profile.yaml"))}
    raw["profiles"] = {name: _read(file) for name, file in profiles.items()}
    files |= {f"profiles.{name}": file for name, file in profiles.items()}
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise UserError(_located(error, path, files)) from None
    _check(settings, root)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Reader)
    except FileNotFoundError:
        raise UserError(f"{path}: expected the parameter file, found nothing") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: expected valid YAML, found {str(error).splitlines()[0]}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected a mapping, found {raw!r}")
    return raw


def _located(error: ValidationError, path: Path, files: dict[str, Path]) -> str:
    """The first complaint, with the file that holds the field."""
    first = error.errors()[0]
    field, said = ".".join(str(part) for part in first["loc"]), f"{first['msg']}, found {first['input']!r}"
    for prefix in sorted(files, key=len, reverse=True):
        if field == prefix or field.startswith(f"{prefix}."):
            return f"{files[prefix]}: {field.removeprefix(prefix).lstrip('.') or 'all of it'}: {said}"
    return f"{path}: {field}: {said}"


def check_parameters(settings: Settings) -> None:
    """Build every recommender that the parameters describe, and hold those of the profiles against their data.

    Raises UserError at the first bad one. Apart from ``load`` because it imports every method, torch included.
    """
    for kind, rows in settings.methods.items():
        for name, row in rows.items():
            for data in ("", *row.tuned):
                settings.estimator(kind, name, data, {}, None, "cpu")
    for base in settings.ablations.base.values():
        for cell in settings.ablations.cells.values():
            if cell.modalities in base.modalities:
                settings.estimator("session", base.method, "", parameters(base, cell), None, "cpu")
    for profile in settings.profiles:
        check_offered(settings, profile)


def check_offered(settings: Settings, profile: str) -> None:
    """Raise UserError at the first cell of a profile whose parameters ask what its data set does not offer."""
    for listed in settings.cells(profile).values():
        model = settings.recommender(listed.kind, listed.method, listed.data, {}, None, "cpu")
        require_offered(model, listed.method, registry.get(listed.data))
    for data, name in settings.ablation_cells(profile):
        base, cell = settings.ablations.of(data, name)
        if cell.modalities not in base.modalities:  # said by the cell's result
            continue
        model = settings.recommender("session", base.method, "", parameters(base, cell), None, "cpu")
        require_offered(model, f"{ABLATIONS}: {name}", registry.get(data))


def _check(settings: Settings, root: Path) -> None:
    """Every data set and method that is named must exist."""
    for kind, rows in settings.methods.items():
        known = methods.catalogue(kind)
        for name, row in rows.items():
            file = root / method_file(kind, name)
            if row.like and (row.like not in rows or rows[row.like].like):
                raise UserError(f"{file}: like: expected a row that is like no other, found {row.like!r}")
            if settings.base(kind, name) not in known:
                raise UserError(f"{file}: base: unknown method {settings.base(kind, name)!r}")
            for data in row.tuned:
                if registry.get(data).kind != kind:
                    raise UserError(f"{file}: tuned: expected {kind} data, found {data!r} ({registry.get(data).kind})")
    for data, base in settings.ablations.base.items():
        if registry.get(data).kind != "session" or base.method not in settings.methods["session"]:
            raise UserError(f"{root / ABLATIONS}: base.{data}: expected session data and a session method")
    for data, density in settings.density.items():
        if density.n != sorted(set(density.n)):
            raise UserError(f"{root / DENSITY}: {data}.n: expected ascending numbers, found {density.n}")
        _known_methods(settings, "density", density.methods, f"{root / DENSITY}: {data}.methods")
    for name in settings.profiles:
        _check_profile(settings, name, root / "profiles" / name / "profile.yaml")


def _known_methods(settings: Settings, kind: Kind, names: list[str], where: str) -> None:
    for name in names:
        if name not in settings.methods[kind]:
            raise UserError(f"{where}: method {name!r} has no file {method_file(kind, name)}")


def _check_profile(settings: Settings, name: str, path: Path) -> None:
    profile = settings.profiles[name]
    if not re.fullmatch(r"[\w-]+", name):
        raise UserError(f"{path}: expected a folder name of letters, digits, _ and -, found {name!r}")
    kinds: tuple[Kind, ...] = ("session", "topk")
    for kind in kinds:
        for group in getattr(profile, kind):
            if group.sessions and kind != "session":
                raise UserError(f"{path}: {kind}.sessions: expected session data only")
            for data in group.data:
                if registry.get(data).kind != kind:
                    raise UserError(f"{path}: {kind}: {data!r} is {registry.get(data).kind} data")
            _known_methods(settings, kind, group.methods, f"{path}: {kind}")
    if profile.taste_map and registry.get(profile.taste_map).kind != "topk":
        raise UserError(f"{path}: taste_map: expected ratings, found {profile.taste_map!r}")
    settings.ablation_cells(name)
    for data in profile.density:
        if registry.get(data).kind != "vectors" or data not in settings.density:
            raise UserError(f"{path}: density: {data!r} needs vectors and an entry in {DENSITY}")
