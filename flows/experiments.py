"""The experiments as Prefect flows. Each one runs DVC stages, the same that ``dvc repro`` runs.

DVC decides what is stale, Prefect schedules, retries and shows. A stage is one task of the stage's name.
(No ``from __future__ import annotations`` here: Prefect reads the types of the parameters at run time.)
"""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from prefect import Flow, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, Pending, Running
from prefect.tasks import exponential_backoff
from pydantic import BaseModel, Field

from benchmark.experiments import settings
from benchmark.experiments.profiles import GENERATED
from contracts import UserError
from flows import cells, dvc_stages, processes
from flows.artifacts import Progress, followed, show
from flows.cells import Crew, Outcome
from flows.crew import hire
from flows.dvc_stages import Stage
from flows.names import (
    AblationCell,
    AblationData,
    AnyData,
    DensityData,
    ProfileName,
    RankedData,
    SearchMethod,
    SessionData,
    SessionMethod,
    TopKData,
    TopKMethod,
)

ALL: Any = []  # of the profile
NETWORK: dict[str, Any] = {"retries": 2, "retry_delay_seconds": exponential_backoff(backoff_factor=10)}


class Machines(BaseModel):
    """Where cells run, and for how long at most."""

    workers: int = Field(1, ge=1, le=64, description="Cells at once on this machine.")
    dask: str = Field(
        "",
        pattern=r"^$|^[a-z+]+://\S+$",
        description="Address of a Dask scheduler such as tcp://host:8786, whose workers then run the cells. "
        "Empty: this machine.",
    )
    minutes: int = Field(0, ge=0, le=10080, description="A stage that takes longer is stopped. 0: no limit.")


class Budget(BaseModel):
    """How long a search looks."""

    trials: int = Field(8, ge=1, le=1000, description="Settings to try, the method's own first.")
    sampler: Literal["random", "tpe"] = Field("tpe", description="Who proposes the next setting.")


HERE: Any = Machines()
SHORT: Any = Budget()


def _step(stage: Stage, stale: bool, together: bool, crew: Crew) -> Any:
    """Run one stage, or say that there is nothing to do."""
    if not stale:
        return Completed(name="UpToDate", message=f"{stage.target} did not change")
    log = followed(stage.label, get_run_logger().info)
    if together:
        crew.run(stage, log)
    else:
        dvc_stages.repro(stage, log, crew.seconds)
    return None


@functools.cache
def stage_task(kind: str) -> Any:
    """The Prefect task of a kind of stage. Only ``fetch`` is tried again: any other failure would only repeat."""
    options = NETWORK if kind == "fetch" else {}
    return task(name=kind, task_run_name="{stage.label}", cache_policy=NO_CACHE, **options)(_step)


@functools.cache
def part_task(kind: str) -> Any:
    """The Prefect task that makes a stage from what there is."""
    name = "{stage.label}, from what there is"
    return task(name=kind, task_run_name=name, cache_policy=NO_CACHE)(dvc_stages.partly)


@contextmanager
def _turn(who: str) -> Iterator[None]:
    """Hold the writer lock; while another holds it, the run is Pending and says for whom it waits."""
    waits = False

    def wait(line: str) -> None:
        nonlocal waits
        get_run_logger().warning(line)
        if not waits:
            _become(Pending(name="WaitingForWriter", message=line))
        waits = True

    with dvc_stages.writer(f"the flow {who}", wait):
        if waits:
            _become(Running())
        yield


def _become(state: State[Any]) -> None:
    """The state of this run, by force: Prefect has no rule for a run that waits by itself."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(flow_run.get_id()), state, force=True)


def execute(chosen: Sequence[Stage], machines: Machines) -> Outcome:
    """Run stages in the order of the data, several of a kind at once where the machines allow.

    Each task waits for those that make what it reads: the graph of the run. What does not need a stage that failed
    runs all the same.
    """
    bar = Progress("stages of this run")
    made = {path: stage for stage in chosen for path in stage.outs}
    states: dict[Stage, State[Any]] = {}

    def perform(of: Any, stage: Stage, *arguments: Any) -> State[Any]:
        needs = dict.fromkeys(made[path] for path in stage.ins if path in made)
        before = [states[need] for need in needs if need in states and states[need].is_completed()]
        states[stage] = of(stage.kind)(stage, *arguments, wait_for=before, return_state=True)
        return states[stage]

    def step(stage: Stage, stale: bool, together: bool) -> None:
        state = perform(stage_task, stage, stale, together, crew)
        if stale or len(states) == len(chosen):  # a call of the server's each: not for what is up to date
            bar.show(len(states), len(chosen))
        state.result()

    seconds = 60.0 * machines.minutes or None
    with hire(machines.workers, machines.dask, seconds) as crew:
        outcome = cells.execute(
            chosen, step, crew, get_run_logger().info, partly=lambda *stage: perform(part_task, *stage).result()
        )
    get_run_logger().info(outcome.summary)
    return outcome


def _require(outcome: Outcome) -> None:
    """Raise the first failure, once all that could be made is made."""
    for error in outcome.failed.values():
        raise error


def folder(profile: str) -> Path:
    """Where tables, figures and site of a profile lie."""
    return settings.project_root() / GENERATED / "profiles" / profile


def _run(flow: str, profile: str, chosen: Sequence[Stage], machines: Machines) -> None:
    """Run the chosen stages when it is our turn, show what became of them; raises the first failure."""
    with _turn(f"{flow} ({profile})"):
        outcome = execute(chosen, machines)
        dvc_stages.costs(profile, bool(outcome.ran), get_run_logger().warning)
    show(flow, profile, folder(profile), outcome)
    _require(outcome)


def _once(every: Sequence[Stage], profile: str, *also: str) -> list[Stage]:
    """What is made once for a profile: its tables, its site, and kinds ``also``."""
    return dvc_stages.select(every, ("tables", "site", *also), [profile], [])


def _experiment(name: str) -> Callable[[Callable[..., None]], Flow[..., Any]]:
    """A flow whose runs are named after the profile, and whose bad input is one clear failure, not a traceback."""

    def decorate(function: Callable[..., None]) -> Flow[..., Any]:
        @functools.wraps(function)
        def body(*args: Any, **kwargs: Any) -> Any:
            try:
                function(*args, **kwargs)
            except UserError as error:
                return Failed(message=str(error))

        return flow(name=name, flow_run_name=f"{name} {{profile}}")(body)

    return decorate


@_experiment("download-data")
def download_data(
    profile: ProfileName = "sample", data: list[AnyData] = ALL, prepare: bool = True, machines: Machines = HERE
) -> None:
    """Fetch raw files (mirror first, checksums hold), and cut them into the splits that every method gets.

    Args:
        profile: Which experiments (profiles/) to serve.
        data: Data sets; none chosen means all of the profile.
        prepare: Also parse, check the statistics, and split.
        machines: Where cells run.
    """
    every = dvc_stages.stages(profile)
    known = [stage.data for stage in every if stage.kind in ("fetch", "derive")]
    names = dvc_stages.with_sources(dvc_stages.named(data, known, "data set", profile))
    kinds = ("fetch", "prepare", "derive") if prepare else ("fetch",)
    _run("download-data", profile, dvc_stages.select(every, kinds, names, []), machines)


@_experiment("session-based")
def session_based(
    profile: ProfileName = "sample",
    data: list[SessionData] = ALL,
    methods: list[SessionMethod] = ALL,
    machines: Machines = HERE,
) -> None:
    """Session-based recommendation (Tables 1 and 2): run the methods, evaluate their ranked lists, make the tables.

    Args:
        profile: Which experiments (profiles/) to run.
        data: Session data sets; none chosen means all of the profile.
        methods: Rows of the table; none chosen means all of the profile.
        machines: Where cells run.
    """
    every = dvc_stages.stages(profile)
    chosen = dvc_stages.cells(every, profile, "session", data, methods)
    _run("session-based", profile, [*chosen, *_once(every, profile)], machines)


@_experiment("top-k")
def top_k(
    profile: ProfileName = "sample",
    data: list[TopKData] = ALL,
    methods: list[TopKMethod] = ALL,
    machines: Machines = HERE,
) -> None:
    """Top-k recommendation (Tables 3, 4 and 7): run the methods, evaluate their ranked lists, make the tables.

    Args:
        profile: Which experiments (profiles/) to run.
        data: Ratings; none chosen means all of the profile.
        methods: Rows of the table; none chosen means all of the profile.
        machines: Where cells run.
    """
    every = dvc_stages.stages(profile)
    chosen = dvc_stages.cells(every, profile, "topk", data, methods)
    _run("top-k", profile, [*chosen, *_once(every, profile)], machines)


@_experiment("density")
def density(profile: ProfileName = "sample", data: list[DensityData] = ALL, machines: Machines = HERE) -> None:
    """EMDE as a density estimator (Table 5): sketches against kernel density estimates.

    Args:
        profile: Which experiments (profiles/) to run.
        data: Vector sets; none chosen means all of the profile.
        machines: Where cells run.
    """
    every = dvc_stages.stages(profile)
    known = [stage.data for stage in every if stage.kind == "density"]
    names = dvc_stages.with_sources(dvc_stages.named(data, known, "vector set", profile))
    mapped = settings.load().profile(profile).taste_map  # Figure 5 maps the items of these ratings
    chosen = dvc_stages.select(every, ("fetch", "prepare", "derive", "density"), [*names, mapped], [])
    _run("density", profile, [*chosen, *_once(every, profile, "figures")], machines)


@_experiment("ablations")
def ablations(
    profile: ProfileName = "sample",
    data: list[AblationData] = ALL,
    cells: list[AblationCell] = ALL,
    machines: Machines = HERE,
) -> None:
    """Ablations of the session model (Table 6 and ours): train what changed, compare all, make the tables.

    Args:
        profile: Which experiments (profiles/) to run.
        data: Session data sets; none chosen means all that the profile ablates.
        cells: Changes of the base model; none chosen means all of the profile.
        machines: Where cells run.
    """
    every = dvc_stages.stages(profile)
    known = [stage for stage in every if stage.kind == "ablate"]
    names = dvc_stages.named(data, [stage.data for stage in known], "ablated data set", profile)
    wanted = dvc_stages.named(cells, [stage.method for stage in known], "ablation", profile)
    chosen = dvc_stages.select(every, ("fetch", "prepare", "ablate"), names, wanted)
    _run("ablations", profile, [*chosen, *_once(every, profile, "ablations")], machines)


@_experiment("tables")
def tables(profile: ProfileName = "sample", machines: Machines = HERE) -> None:
    """Make the tables and the page from the metrics that are there; cells that were not run say so.

    Args:
        profile: Whose tables.
        machines: Where cells run.
    """
    _run("tables", profile, _once(dvc_stages.stages(profile), profile), machines)


@_experiment("search")
def search(
    profile: ProfileName = "sample",
    data: RankedData = "sample-sessions",
    method: SearchMethod = "vs-knn",
    budget: Budget = SHORT,
    machines: Machines = HERE,
) -> None:
    """Search a method's parameters on a data set's tuning split; goes on where an earlier search stopped.

    Args:
        profile: Experiments (profiles/) among which the data set is.
        data: The data set; its test split stays closed.
        method: A method whose file below params/ has a search space.
        budget: How long to look.
        machines: Where the data is prepared; the search itself runs here.
    """
    every = dvc_stages.stages(profile)
    names = dvc_stages.named([data], [stage.data for stage in every if stage.kind == "fetch"], "data set", profile)
    _run("search", profile, dvc_stages.select(every, ("fetch", "prepare"), names, []), machines)
    log = followed(f"search {method} on {data}", get_run_logger().info)
    command = [sys.executable, "-m", "benchmark.cli", "search", "--data", data, "--method", method]
    command += ["--trials", str(budget.trials), "--sampler", budget.sampler]
    status, tail = processes.live(command, log, 60.0 * machines.minutes or None)
    if status != 0:
        raise processes.StageError(f"search {method} on {data} failed; last lines:\n{tail}")
    create_markdown_artifact(f"```\n{tail}\n```\n", key=f"search-{data}", description=f"search {method} on {data}")


@_experiment("whole-paper")
def whole_paper(profile: ProfileName = "sample", machines: Machines = HERE) -> None:
    """Everything of a profile, from the raw files to the page: what ``dvc repro`` does.

    Args:
        profile: Which experiments (profiles/) to run.
        machines: Where cells run.
    """
    _run("whole-paper", profile, dvc_stages.stages(profile), machines)


FLOWS = (whole_paper, session_based, top_k, density, ablations, search, tables, download_data)
