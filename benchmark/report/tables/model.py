"""What tables hold: the one structure that the documents, the checker and the site are made from.

``schema.json`` beside this file is its JSON schema (``schema`` makes it, a test compares), and ``emde tables
--format json`` prints an instance. Values are as measured, never rounded; null = there is none.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from contracts.runtime.json import to_json
from contracts.strict import Strict

SCHEMA_VERSION = 3
SCHEMA = Path(__file__).with_name("schema.json")


class Verdict(StrEnum):
    """What became of a published value; of a hyper-parameter as published or other settings."""

    REPRODUCED = "reproduced"
    AS_PUBLISHED = "as published"
    CLOSE = "close"
    DIFFERS = "differs"
    OTHER_SETTINGS = "other settings"
    NOT_RUN = "not run"
    FAILED = "failed"
    NOT_COMPARABLE = "not comparable"
    TIMED_OUT = "timed out in the paper"


class Expected(Strict):
    """A published value of the same data, protocol, method and metric."""

    value: float
    source: str = Field(description="publication and table, for people")
    origin: str = Field(description="short name of the source: paper, session-rec, framework, srgnn, reference, other")
    params: dict[str, Any] = Field(default_factory=dict, description="what is known of the setting it belongs to")


class Slices(Strict):
    """One value per time slice (mean over seeds), and the 95% t interval of their mean."""

    values: dict[str, float]
    sd: float
    low: float
    high: float


class Seeds(Strict):
    """One value per seed (mean over slices); a single published run should fall into low..high (95%, t)."""

    values: dict[str, float]
    sd: float
    low: float = Field(description="of the prediction interval for one more run: mean -+ t sd sqrt(1 + 1/n)")
    high: float


class PairedTest(Strict):
    """This row against the reference row, paired over sessions or users; p values are two-sided."""

    against: str
    difference: float = Field(description="this row minus the reference row")
    low: float = Field(description="95% t interval of the difference")
    high: float
    effect: float | None = Field(description="Cohen's d_z: mean / sd of the paired differences; null where sd = 0")
    units: int = Field(description="sessions or users, over all slices")
    t_p: float
    wilcoxon_p: float
    t_holm: float = Field(description="Holm-corrected over the family: all rows and metrics of the block")
    wilcoxon_holm: float
    family: int = Field(description="number of tests that are corrected together")


class Cell(Strict):
    """One metric of one row. Cells stand in the order of the table's metrics."""

    metric: str
    ours: float | None = Field(None, description="mean over slices, then over seeds")
    low: float | None = Field(None, description="95% bootstrap interval over sessions or users (density: over seeds)")
    high: float | None = None
    slices: Slices | None = None
    seeds: Seeds | None = None
    expected: Expected | None = Field(None, description="what the verdict compares with")
    also: list[Expected] = Field(default_factory=list, description="values of other sources for the same cell")
    delta: float | None = Field(None, description="ours - expected")
    verdict: Verdict
    why: str = Field("", description="one line: the tolerance or interval used, or why there is no comparison")
    required: bool = Field(False, description="declared as reproduced: emde verify fails where it is not")
    mark: Literal["", "best", "second"] = Field("", description="not significantly below the best (or second) value")
    test: PairedTest | None = None

    @property
    def significant(self) -> bool:
        """Whether it differs from the reference row, Holm-corrected t test at 5%."""
        return self.test is not None and self.test.t_holm < 0.05


class Cost(Strict):
    """What a row took, summed over slices, mean over seeds; memory is the largest of its processes."""

    fit_seconds: float | None
    recommend_seconds: float | None
    fit_cpu_seconds: float | None
    recommend_cpu_seconds: float | None
    peak_mb: float | None
    peak_gpu_mb: float | None
    points: int | None = Field(None, description="evaluation points or users ranked in recommend_seconds")


class Row(Strict):
    """One method (or parameter set, sketch size, ablation) on one data set."""

    method: str
    label: str
    seeded: bool | None = Field(None, description="whether its result depends on a seed; null = not run")
    cells: list[Cell]
    cost: Cost | None = None
    parameters_from: str = Field("", description="where its parameters come from")
    modalities: str = Field("", description="EMDE: what its codes were made from, and how many items each knew")
    stale: str = Field("", description="why its runs are not what params.yaml asks for now; empty where they are")
    note: str = ""
    runs: list[str] = Field(default_factory=list, description="keys of Results.runs, in the order of slices and seeds")


class Block(Strict):
    """One data set of a table."""

    data: str
    label: str
    title: str
    protocol: str = Field(description="a split name, or 'slices': the plain mean over the time slices")
    splits: list[str]
    points: int | None = Field(description="evaluation points or test users over all slices; null = nothing was run")
    unit: str = Field(description="what points counts: evaluation points, test users, queries, configurations")
    masked: bool = Field(False, description="lists without the items that the user dislikes")
    tied: bool = Field(False, description="whether marks take in all rows that do not differ significantly")
    comparable: Literal["paper", "public", "generated"]
    approximate: str | None = None
    shown: bool = Field(description="whether documents show it: something was run, or the profile would run it")
    caption: str
    rows: list[Row]


class Table(Strict):
    """One table as declared in benchmark/report/tables/declared/<id>.yaml."""

    id: str
    title: str
    kind: Literal["ranking", "density", "ablation", "parameters"]
    source: str
    about: str
    metrics: list[str]
    against: str | None = Field(description="the reference row of the paired tests")
    blocks: list[Block]


class Run(Strict):
    """One stored run and everything derived from its lists."""

    folder: str = Field(description="relative to the project; of kept results below a run store")
    record: dict[str, Any] = Field(description="run.json: params, seed, code, data_hashes, command, seconds, ...")
    again: str = Field("", description="the command that makes it now; empty where none was recorded")
    metrics: dict[str, float]
    intervals: dict[str, list[float]] = Field(description="metric -> [low, high], 95% bootstrap over sessions or users")
    masked: dict[str, Any] | None = Field(None, description="metrics and intervals of the lists without disliked items")
    ties: dict[str, list[float]] | None = Field(None, description="metric -> [every tie lost, every tie won]")
    breakdown: dict[str, dict[str, dict[str, float]]] | None = Field(
        None, description="position / popularity / next item -> group -> points, HR@20, MRR@20"
    )
    examples: list[dict[str, Any]] = Field(
        default_factory=list,
        description="a few points: {unit, position, seen: [names], next: [names], list: [{item, hit}]}",
    )


class Results(Strict):
    """Everything of a profile (or of kept results)."""

    schema_version: int = SCHEMA_VERSION
    profile: str
    title: str
    verdicts: dict[str, int] = Field(description="verdict -> cells, over all tables of results")
    hyper_parameters: dict[str, int] = Field(description="verdict -> cells of the tables of hyper-parameters")
    tables: list[Table]
    runs: dict[str, Run] = Field(description="'data/method/split/seed' -> run; seed is '-' where there is none")
    density: dict[str, dict[str, Any]] = Field(default_factory=dict, description="data -> output of emde density")
    ablation: dict[str, Any] = Field(default_factory=dict, description="output of emde ablations (levels, differences)")


def schema() -> str:
    """The JSON schema of ``Results`` as it is committed."""
    return to_json(Results.model_json_schema(), indent=1) + "\n"
