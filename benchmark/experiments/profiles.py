"""Profiles: which cells stand in whose tables, and where what a cell leaves lies.

A cell is one method on one data set, all its splits inside; where a profile asks for several seeds or for fewer train
sessions, these are part of its name. It exists once, whichever profiles list it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from benchmark.data import registry
from benchmark.data.root import project_root
from benchmark.experiments.ablations.grid import AblationChoice, cell_files
from benchmark.experiments.methods import Kind
from contracts.strict import Strict

if TYPE_CHECKING:
    from benchmark.experiments.settings import Settings

GENERATED = "results/generated"
"""Where everything that can be made again lies, relative to the project."""
DEFAULT = "sample"
"""The profile of a plain ``dvc repro``, and of every command without ``--profile``."""
ROOT = "dvc.yaml"
KINDS = (
    "fetch", "prepare", "derive", "page", "run", "evaluate", "density", "ablate", "methods", "illustrated", "ablations",
    "tables", "figures", "site",
)  # fmt: skip
"""Kinds of stages in the order in which data flow."""
JOIN = "--"
"""Between the parts of a stage's name: kind, data set or profile, cell."""
ABLATIONS = f"{GENERATED}/ablations"
"""Where ablation cells lie, <data>/<cell>.json and .parquet, relative to the project."""


class Group(Strict):
    """Data sets and methods of one kind: every pair is a cell."""

    data: list[str]
    methods: list[str]
    seeds: int = Field(1, ge=1, description="runs of every seeded method, with seeds one apart; the others run once")
    sessions: int | None = Field(
        None, ge=1, description="fit on so many most recent train sessions only, where all cost too much"
    )


class Profile(Strict):
    """profiles/<name>/profile.yaml: what one ``make repro PROFILE=...`` runs."""

    title: str
    session: list[Group] = Field(default_factory=list)
    topk: list[Group] = Field(default_factory=list)
    density: list[str] = Field(default_factory=list)
    taste_map: str = Field("", description="ratings whose items Figure 5 maps")
    ablations: list[AblationChoice] = Field(default_factory=list)

    @property
    def cells(self) -> dict[tuple[str, str], Listed]:
        """(data, method) -> the cell that its tables show, in the order of the profile."""
        groups: list[tuple[Kind, Group]] = [("session", g) for g in self.session] + [("topk", g) for g in self.topk]
        return {
            (data, method): Listed(kind, data, method, group.seeds, group.sessions)
            for kind, group in groups
            for data in group.data
            for method in group.methods
        }

    @property
    def ablated(self) -> list[tuple[str, str]]:
        """(data, cell) of every ablation that is named; where a data set has all, (data, "")."""
        return [(data, cell) for group in self.ablations for data in group.data for cell in group.cells or [""]]


@dataclass(frozen=True)
class Listed:
    """A cell as profiles list it."""

    kind: Kind
    data: str
    method: str
    seeds: int = 1
    sessions: int | None = None

    @property
    def name(self) -> str:
        """Its name among the cells of its data set."""
        seeds = f"-{self.seeds}-seeds" if self.seeds > 1 else ""
        return f"{self.method}{seeds}" + (f"-{self.sessions}-sessions" if self.sessions else "")

    @property
    def folder(self) -> str:
        """Where all of it lies, relative to the project."""
        return f"{GENERATED}/cells/{self.data}/{self.name}"


@dataclass
class Wanted:
    """What is to be run on one data set, in the order of the profiles."""

    cells: dict[str, Listed] = field(default_factory=dict)
    ablations: dict[str, None] = field(default_factory=dict)
    density: bool = False


def wanted(settings: Settings, names: Iterable[str]) -> dict[str, Wanted]:
    """Data set -> what some profiles run on it; what a data set is made from comes before it."""
    out: dict[str, Wanted] = {}

    def of(data: str) -> Wanted:
        if (source := registry.get(data).source) is not None:
            of(source)
        return out.setdefault(data, Wanted())

    for name in names:
        profile = settings.profile(name)
        for listed in profile.cells.values():
            of(listed.data).cells[listed.name] = listed
        for data in profile.density:
            of(data).density = True
        for data, cell in settings.ablation_cells(name):
            of(data).ablations[cell] = None
        if profile.taste_map:
            of(profile.taste_map)
    return out


def method_of(cell: str) -> str:
    """The method of a cell's name."""
    return re.sub(r"(-\d+-seeds)?(-\d+-sessions)?$", "", cell)


def file_of_data(name: str) -> str:
    """The pipeline of a data set that is not the default profile's."""
    return f"pipelines/{name}/dvc.yaml"


def file_of_profile(name: str) -> str:
    """The pipeline of a profile: the targets of ``dvc repro``."""
    return ROOT if name == DEFAULT else f"profiles/{name}/dvc.yaml"


def costs_of(path: str) -> str:
    """Where the costs of something below ``GENERATED`` lie (``benchmark.experiments.costs``); no output of DVC."""
    return f"{GENERATED}/costs/{path.removeprefix(f'{GENERATED}/')}"


def density_file(data: str) -> str:
    """Where the density results of a vector set lie, relative to the project."""
    return f"{GENERATED}/density/{data}.json"


def ablation_files(data: str, cell: str) -> list[str]:
    """What ``emde ablate`` leaves of a cell, results and sums per session, relative to the project."""
    return [str(path) for path in cell_files(Path(ABLATIONS), data, cell)]


def compared_folder(profile: str) -> str:
    """Where the compared ablations of a profile lie, relative to the project."""
    return f"{GENERATED}/profiles/{profile}/ablations"


def profile_folder(name: str) -> Path:
    """Where tables, figures and site of a profile lie."""
    return project_root() / GENERATED / "profiles" / name
