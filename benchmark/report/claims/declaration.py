"""The declared claims: one strictly checked YAML file each, ``declared/<id>.yaml``."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from benchmark.data import registry
from contracts import UserError
from contracts.strict import Strict

FOLDER = Path(__file__).with_name("declared")
Topic = Literal[
    "Session methods", "More modalities", "The model's parts", "Top-k methods", "Density", "Cost and streams"
]


class Place(Strict):
    """A data set on which a claim can be tested here."""

    paper: str = Field("", description="the paper's data set whose numbers stand beside ours")
    published: str = Field("", description="method of srgnn_split_published.csv that stands in for the second row")
    split: str = Field("", description="default: all slices, or the data set's default split")


class Selected(Strict):
    """A row of kept runs: a method with params.yaml's settings, and changes of them."""

    method: str
    settings: dict[str, Any] = Field(default_factory=dict, description="parameters laid over params.yaml's")
    masked: bool = Field(False, description="its lists without the items that the user dislikes")

    @property
    def label(self) -> str:
        """``emde [decoder=min]``"""
        changes = ", ".join(f"{name}={_short(value)}" for name, value in self.settings.items())
        return f"{self.method}{f' [{changes}]' if changes else ''}{' (masked)' if self.masked else ''}"


def _places(found: Any) -> Any:
    """``{data: PAPER}`` as short for ``{data: {paper: PAPER}}``; a list of names has no paper's data sets."""
    if isinstance(found, list):
        return {name: {} for name in found}
    if isinstance(found, dict):
        return {name: {"paper": place} if isinstance(place, str) else place or {} for name, place in found.items()}
    return found


def _row(found: Any) -> Any:
    """``emde`` as short for ``{method: emde}``."""
    return {"method": found} if isinstance(found, str) else found


Places = Annotated[dict[str, Place], BeforeValidator(_places), Field(min_length=1)]
"""Data sets of a claim."""
Row = Annotated[Selected, BeforeValidator(_row)]


class Printed(Strict):
    """The two rows of a table of the paper, as results/paper/paper_tables.csv spells them."""

    table: str
    first: str
    second: str


class Paired(Strict):
    """Two rows of kept runs, tested over sessions or users; the first is claimed to be above the second."""

    kind: Literal["paired"]
    first: Row
    second: Row
    metrics: list[str] = Field(min_length=1)
    data: Places
    paper: Printed | None = None
    margin: float | None = Field(
        None, gt=0, description="claimed instead: the first is below the second by no more than that"
    )


class Ablated(Strict):
    """Two levels of the ablation grid, "factor/label" each; the first is claimed to be above the second."""

    kind: Literal["ablation"]
    first: str = Field(pattern=".+/.+")
    second: str = Field(pattern=".+/.+")
    metrics: list[str] = Field(min_length=1)
    data: Places
    paper: Printed | None = None
    margin: float | None = Field(
        None, gt=0, description="claimed instead: the first is below the second by no more than that"
    )


class Estimated(Strict):
    """Correlations with the exact density: a row above another or not far below it, growth with N, an optimum in K."""

    kind: Literal["density"]
    rule: Literal["above", "close", "grows with N", "optimum in K"]
    first: str = Field("emde", description="a row of Table 5; the rules about N and K are of the grid of Figure 4")
    second: str = ""
    k: int = Field(7, description="of the rule about N")
    margin: float | None = Field(None, gt=0, description="of the rule close")
    data: Places
    paper: Printed | None = None

    @model_validator(mode="after")
    def _complete(self) -> Estimated:
        if (self.rule in ("above", "close")) != bool(self.second) or (self.rule == "close") != (
            self.margin is not None
        ):
            raise ValueError("expected second with the rules above and close only, margin with close only")
        return self


class Scaled(Strict):
    """Slopes of ``make bench``: cost ~ size^exponent, claimed to be at most ``limit``."""

    kind: Literal["scaling"]
    method: str
    axes: list[str] = Field(min_length=1)
    costs: list[str] = Field(min_length=1)
    limit: float = Field(ge=0)


class Priced(Strict):
    """Processor seconds of the fit per train session: the first is claimed to cost more than the second."""

    kind: Literal["cost"]
    first: Row
    second: Row
    data: Places


class Checked(Strict):
    """Property tests of this repository, as ``file::function``."""

    kind: Literal["test"]
    tests: list[str] = Field(min_length=1)


class Untestable(Strict):
    """Why a claim, or a part of it, cannot be tested here."""

    kind: Literal["untestable"]
    why: str = Field(min_length=1)
    what: str = Field("", description="data set or part of the claim")


Evidence = Annotated[Paired | Ablated | Estimated | Scaled | Priced | Checked | Untestable, Field(discriminator="kind")]


class Number(Strict):
    """A number of the paper that stands in none of its transcribed tables."""

    what: str
    value: float
    source: str = Field(min_length=1)


class Claim(Strict):
    """One testable statement of the paper or of its article."""

    id: str
    topic: Topic
    order: int = Field(description="place within the topic")
    statement: str = Field(min_length=1, description="in our words")
    where: str = Field(min_length=1, description="section and table of the paper, or of the article")
    numbers: list[Number] = Field(default_factory=list)
    evidence: list[Evidence] = Field(min_length=1)
    note: str = Field("", description="how we made the statement testable, and what a reader must know")


def _short(value: Any) -> str:
    if isinstance(value, list):
        return " + ".join(map(_short, value))
    return " ".join(str(part) for part in value.values()) if isinstance(value, dict) else str(value)


def read(path: Path) -> Claim:
    """One declaration; raises UserError naming the file, the field, expected and found."""
    try:
        claim = Claim.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: expected valid YAML, found {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the claim"
        raise UserError(f"{path}: {field}: {first['msg']}, found {str(first['input'])[:80]!r}") from None
    if claim.id != path.stem:
        raise UserError(f"{path}: id: expected the file's name {path.stem!r}, found {claim.id!r}")
    known = registry.names()
    for number, part in enumerate(claim.evidence):
        stray = [name for name in getattr(part, "data", {}) if name not in known]
        if stray:
            raise UserError(f"{path}: evidence.{number}.data: expected known data sets, found {stray[0]!r}")
    return claim


@cache
def declared(folder: Path = FOLDER) -> dict[str, Claim]:
    """Every claim by its id, in the order of topics. Raises UserError where two claim one place of a topic."""
    claims = sorted((read(path) for path in folder.glob("*.yaml")), key=_place)
    for one, other in pairwise(claims):
        if _place(one) == _place(other):
            raise UserError(f"{folder}: order: expected one claim {other.order} of {other.topic!r}, found "
                            f"{one.id} and {other.id}")  # fmt: skip
    return {claim.id: claim for claim in claims}


def _place(claim: Claim) -> tuple[int, int]:
    return get_args(Topic).index(claim.topic), claim.order
