"""The experiments as Prefect flows. Each one runs DVC stages, the same that ``dvc repro`` runs.

DVC decides what is stale, Prefect schedules, retries and shows. A stage is one task of the stage's name.
(No ``from __future__ import annotations`` here: Prefect reads the types of the parameters at run time.)
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prefect import Flow, Task, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed
from prefect.tasks import exponential_backoff

from benchmark.tables import results_dir
from contracts import UserError
from flows import dvc_stages
from flows.dvc_stages import Stage
from flows.names import AnyData, DensityData, ProfileName, SessionData, SessionMethod, TopKData, TopKMethod

ALL: Any = []  # of the profile
QUICK_SESSION: Any = ["pop", "ar", "sr", "s-knn", "vs-knn"]
QUICK_TOPK: Any = ["top-pop", "ease", "pure-emde"]
NETWORK: dict[str, Any] = {"retries": 2, "retry_delay_seconds": exponential_backoff(backoff_factor=10)}


def _reproduce(stage: Stage, stale: bool) -> Any:
    """Run one DVC stage, or say that there is nothing to do."""
    if not stale:
        return Completed(name="UpToDate", message=f"{stage.target} did not change")
    dvc_stages.repro(stage, get_run_logger().info)
    return None


def _task(kind: str) -> Task[..., Any]:
    """The Prefect task of a kind of stage. Only ``fetch`` is tried again: any other failure would only repeat."""
    options = NETWORK if kind == "fetch" else {}
    return task(name=kind, task_run_name="{stage.label}", cache_policy=NO_CACHE, **options)(_reproduce)


TASKS: dict[str, Any] = {kind: _task(kind) for kind in dvc_stages.KINDS}


@contextmanager
def _profile(name: str, who: str) -> Iterator[list[Stage]]:
    """The stages of a profile, ours to run: the writer lock is held until the end."""
    with dvc_stages.writer(f"the flow {who} ({name})", get_run_logger().warning):
        dvc_stages.choose(name)
        yield dvc_stages.stages()


def _execute(chosen: Sequence[Stage]) -> None:
    """Run stages in the order of the data; what is stale is asked once per kind, after everything before it ran."""
    log = get_run_logger()
    for kind, group in dvc_stages.by_kind(chosen).items():
        stale = dvc_stages.stale(group, log.info)
        log.info("%s: %d of %d to run", kind, len(stale), len(group))
        for stage in group:
            TASKS[kind](stage, stage in stale)


def _with_tables(every: Sequence[Stage], chosen: Sequence[Stage], profile: str) -> None:
    """Run the chosen stages, then the tables, and show these."""
    for folder in ("metrics", "density"):  # the tables depend on both, and say "not run" where nothing is
        (results_dir(profile) / folder).mkdir(parents=True, exist_ok=True)
    _execute([*dvc_stages.select(every, ("profile", "tables"), [profile], []), *chosen])
    _show_tables(profile)


def _show_tables(profile: str) -> None:
    """The tables as a Markdown artifact, with the path of the page."""
    folder = results_dir(profile) / "tables"
    text = (folder / "tables.md").read_text(encoding="utf-8")
    create_markdown_artifact(
        key=f"tables-{profile}",
        markdown=f"{text}\n\nThe page: `{folder / 'index.html'}`\n",
        description=f"Tables of profile {profile}",
    )


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
def download_data(profile: ProfileName = "sample", data: list[AnyData] = ALL, prepare: bool = True) -> None:
    """Fetch raw files (mirror first, checksums hold), and cut them into the splits that every method gets.

    Args:
        profile: Which experiments of params.yaml to serve.
        data: Data sets; none chosen means all of the profile.
        prepare: Also parse, check the statistics, and split.
    """
    with _profile(profile, "download-data") as every:
        known = [stage.data for stage in every if stage.kind in ("fetch", "derive")]
        names = dvc_stages.with_sources(dvc_stages.named(data, known, "data set", profile))
        kinds = ("profile", "fetch", "prepare", "derive") if prepare else ("profile", "fetch")
        _execute(dvc_stages.select(every, kinds, [*names, profile], []))


@_experiment("session-based")
def session_based(
    profile: ProfileName = "sample", data: list[SessionData] = ALL, methods: list[SessionMethod] = QUICK_SESSION
) -> None:
    """Session-based recommendation (Tables 1 and 2): run the methods, evaluate their ranked lists, make the tables.

    Args:
        profile: Which experiments of params.yaml to run.
        data: Session data sets; none chosen means all of the profile.
        methods: Rows of the table; none chosen means all of the profile. The quick ones are chosen at first.
    """
    with _profile(profile, "session-based") as every:
        _with_tables(every, dvc_stages.cells(every, profile, "session", data, methods), profile)


@_experiment("top-k")
def top_k(profile: ProfileName = "sample", data: list[TopKData] = ALL, methods: list[TopKMethod] = QUICK_TOPK) -> None:
    """Top-k recommendation (Table 3): run the methods, evaluate their ranked lists, make the tables.

    Args:
        profile: Which experiments of params.yaml to run.
        data: Ratings; none chosen means all of the profile.
        methods: Rows of the table; none chosen means all of the profile. The quick ones are chosen at first.
    """
    with _profile(profile, "top-k") as every:
        _with_tables(every, dvc_stages.cells(every, profile, "topk", data, methods), profile)


@_experiment("density")
def density(profile: ProfileName = "sample", data: list[DensityData] = ALL) -> None:
    """EMDE as a density estimator (Table 5): sketches against kernel density estimates.

    Args:
        profile: Which experiments of params.yaml to run.
        data: Vector sets; none chosen means all of the profile.
    """
    with _profile(profile, "density") as every:
        known = [stage.data for stage in every if stage.kind == "density"]
        names = dvc_stages.with_sources(dvc_stages.named(data, known, "vector set", profile))
        kinds = ("fetch", "prepare", "derive", "density")
        _with_tables(every, dvc_stages.select(every, kinds, names, []), profile)


@_experiment("tables")
def tables(profile: ProfileName = "sample") -> None:
    """Make the tables and the page from the metrics that are there; cells that were not run say so.

    Args:
        profile: Whose tables.
    """
    with _profile(profile, "tables") as every:
        _with_tables(every, [], profile)


@_experiment("whole-paper")
def whole_paper(profile: ProfileName = "sample") -> None:
    """Everything of a profile, from the raw files to the page: what ``dvc repro`` does.

    Args:
        profile: Which experiments of params.yaml to run.
    """
    with _profile(profile, "whole-paper") as every:
        _with_tables(every, [stage for stage in every if stage.kind not in ("profile", "tables")], profile)


FLOWS = (whole_paper, session_based, top_k, density, tables, download_data)
