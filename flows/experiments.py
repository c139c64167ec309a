"""The experiments as Prefect flows. Each one runs DVC stages, the same that ``dvc repro`` runs.

DVC decides what is stale, Prefect schedules, retries and shows. A stage is one task of the stage's name.
(No ``from __future__ import annotations`` here: Prefect reads the types of the parameters at run time.)
"""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from prefect import Flow, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.tasks import exponential_backoff
from pydantic import BaseModel, Field

from benchmark import settings
from contracts import UserError
from flows import cells, dvc_stages, processes
from flows.artifacts import Progress, followed, show_tables
from flows.cells import Cell, Crew
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
from flows.notify import notify
from flows.reaper import alive

ALL: Any = []  # of the profile
QUICK_SESSION: Any = ["pop", "ar", "sr", "s-knn", "vs-knn"]
QUICK_TOPK: Any = ["top-pop", "ease", "pure-emde"]
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


def _step(stage: Stage, stale: bool, cell: Cell | None, crew: Crew) -> Any:
    """Run one stage, or say that there is nothing to do."""
    if not stale:
        return Completed(name="UpToDate", message=f"{stage.target} did not change")
    log = followed(stage.label, get_run_logger().info)
    if cell is None:
        dvc_stages.repro(stage, log, crew.seconds)
    else:
        crew.run(cell, log)
    return None


@functools.cache
def stage_task(kind: str) -> Any:
    """The Prefect task of a kind of stage. Only ``fetch`` is tried again: any other failure would only repeat."""
    options = NETWORK if kind == "fetch" else {}
    return task(name=kind, task_run_name="{stage.label}", cache_policy=NO_CACHE, **options)(_step)


@contextmanager
def _profile(name: str, who: str) -> Iterator[list[Stage]]:
    """The stages of a profile, ours to run: the writer lock is held until the end."""
    with dvc_stages.writer(f"the flow {who} ({name})", get_run_logger().warning):
        dvc_stages.choose(name)
        yield dvc_stages.stages()


def execute(chosen: Sequence[Stage], machines: Machines) -> None:
    """Run stages in the order of the data, several of a kind at once where the machines allow."""
    done = 0
    bar = Progress("stages of this run")

    def step(stage: Stage, stale: bool, cell: Cell | None) -> None:
        nonlocal done
        stage_task(stage.kind)(stage, stale, cell, crew)
        done += 1
        bar.show(done, len(chosen))

    seconds = 60.0 * machines.minutes or None
    with hire(machines.workers, machines.dask, seconds) as crew:
        cells.execute(chosen, step, crew, get_run_logger().info)


def _with_tables(
    every: Sequence[Stage], chosen: Sequence[Stage], profile: str, machines: Machines, also: Sequence[str] = ()
) -> None:
    """Run the chosen stages, then what is made once for a profile (its tables, its site, kinds ``also``); show it."""
    once = dvc_stages.select(every, ("profile", "tables", "site", *also), [profile], [])
    execute([*once, *chosen], machines)
    show_tables(profile, settings.project_root() / "results/generated" / profile)


def _tell(flow: Any, run: Any, state: Any) -> None:
    """Prefect's hook at the end of a run."""
    notify(flow.name, run.name, state.type.value, state.message or "", flow_run.get_ui_url() or "")


def _experiment(name: str) -> Callable[[Callable[..., None]], Flow[..., Any]]:
    """A flow whose runs are named after the profile, and whose bad input is one clear failure, not a traceback."""

    def decorate(function: Callable[..., None]) -> Flow[..., Any]:
        @functools.wraps(function)
        def body(*args: Any, **kwargs: Any) -> Any:
            try:
                with alive(flow_run.get_id()):
                    function(*args, **kwargs)
            except UserError as error:
                return Failed(message=str(error))

        hooks: Any = {f"on_{end}": [_tell] for end in ("completion", "failure", "cancellation", "crashed")}
        return flow(name=name, flow_run_name=f"{name} {{profile}}", **hooks)(body)

    return decorate


@_experiment("download-data")
def download_data(
    profile: ProfileName = "sample", data: list[AnyData] = ALL, prepare: bool = True, machines: Machines = HERE
) -> None:
    """Fetch raw files (mirror first, checksums hold), and cut them into the splits that every method gets.

    Args:
        profile: Which experiments of params.yaml to serve.
        data: Data sets; none chosen means all of the profile.
        prepare: Also parse, check the statistics, and split.
        machines: Where cells run.
    """
    with _profile(profile, "download-data") as every:
        known = [stage.data for stage in every if stage.kind in ("fetch", "derive")]
        names = dvc_stages.with_sources(dvc_stages.named(data, known, "data set", profile))
        kinds = ("profile", "fetch", "prepare", "derive") if prepare else ("profile", "fetch")
        execute(dvc_stages.select(every, kinds, [*names, profile], []), machines)


@_experiment("session-based")
def session_based(
    profile: ProfileName = "sample",
    data: list[SessionData] = ALL,
    methods: list[SessionMethod] = QUICK_SESSION,
    machines: Machines = HERE,
) -> None:
    """Session-based recommendation (Tables 1 and 2): run the methods, evaluate their ranked lists, make the tables.

    Args:
        profile: Which experiments of params.yaml to run.
        data: Session data sets; none chosen means all of the profile.
        methods: Rows of the table; none chosen means all of the profile. The quick ones are chosen at first.
        machines: Where cells run.
    """
    with _profile(profile, "session-based") as every:
        _with_tables(every, dvc_stages.cells(every, profile, "session", data, methods), profile, machines)


@_experiment("top-k")
def top_k(
    profile: ProfileName = "sample",
    data: list[TopKData] = ALL,
    methods: list[TopKMethod] = QUICK_TOPK,
    machines: Machines = HERE,
) -> None:
    """Top-k recommendation (Tables 3, 4 and 7): run the methods, evaluate their ranked lists, make the tables.

    Args:
        profile: Which experiments of params.yaml to run.
        data: Ratings; none chosen means all of the profile.
        methods: Rows of the table; none chosen means all of the profile. The quick ones are chosen at first.
        machines: Where cells run.
    """
    with _profile(profile, "top-k") as every:
        _with_tables(every, dvc_stages.cells(every, profile, "topk", data, methods), profile, machines)


@_experiment("density")
def density(profile: ProfileName = "sample", data: list[DensityData] = ALL, machines: Machines = HERE) -> None:
    """EMDE as a density estimator (Table 5): sketches against kernel density estimates.

    Args:
        profile: Which experiments of params.yaml to run.
        data: Vector sets; none chosen means all of the profile.
        machines: Where cells run.
    """
    with _profile(profile, "density") as every:
        known = [stage.data for stage in every if stage.kind == "density"]
        names = dvc_stages.with_sources(dvc_stages.named(data, known, "vector set", profile))
        mapped = settings.load().profile(profile).taste_map  # Figure 5 maps the items of these ratings
        kinds = ("fetch", "prepare", "derive", "density")
        chosen = dvc_stages.select(every, kinds, [*names, mapped], [])
        _with_tables(every, chosen, profile, machines, ["figures"])


@_experiment("ablations")
def ablations(
    profile: ProfileName = "sample",
    data: list[AblationData] = ALL,
    cells: list[AblationCell] = ALL,
    machines: Machines = HERE,
) -> None:
    """Ablations of the session model (Table 6 and ours): train what changed, compare all, make the tables.

    Args:
        profile: Which experiments of params.yaml to run.
        data: Session data sets; none chosen means all that the profile ablates.
        cells: Changes of the base model; none chosen means all of the profile.
        machines: Where cells run.
    """
    with _profile(profile, "ablations") as every:
        known = [stage for stage in every if stage.kind == "ablate"]
        names = dvc_stages.named(data, [stage.data for stage in known], "ablated data set", profile)
        wanted = dvc_stages.named(cells, [stage.method for stage in known], "ablation", profile)
        chosen = dvc_stages.select(every, ("fetch", "prepare", "ablate"), names, wanted)
        _with_tables(every, chosen, profile, machines, ["ablations"])


@_experiment("tables")
def tables(profile: ProfileName = "sample", machines: Machines = HERE) -> None:
    """Make the tables and the page from the metrics that are there; cells that were not run say so.

    Args:
        profile: Whose tables.
        machines: Where cells run.
    """
    with _profile(profile, "tables") as every:
        _with_tables(every, [], profile, machines)


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
        profile: Experiments of params.yaml among which the data set is.
        data: The data set; its test split stays closed.
        method: A method with a space under search in params.yaml.
        budget: How long to look.
        machines: Where the data is prepared; the search itself runs here.
    """
    with _profile(profile, "search") as every:
        known = [stage.data for stage in every if stage.kind == "fetch"]
        names = dvc_stages.named([data], known, "data set", profile)
        execute(dvc_stages.select(every, ("fetch", "prepare"), names, []), machines)
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
        profile: Which experiments of params.yaml to run.
        machines: Where cells run.
    """
    with _profile(profile, "whole-paper") as every:
        execute(every, machines)
    show_tables(profile, settings.project_root() / "results/generated" / profile)


FLOWS = (whole_paper, session_based, top_k, density, ablations, search, tables, download_data)
