"""Runs whose process is gone do not stay "Running": a lock per run says who lives, a reaper marks the rest.

A flow run holds a file lock while it works; the kernel frees it however the process ends. The worker looks
from time to time at runs that the server calls running: one whose lock is free is dead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from filelock import FileLock, Timeout
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

from benchmark import settings
from flows.notify import notify

EVERY = 20.0  # seconds between two looks
YOUNG = timedelta(seconds=30)  # a run that has only just started may not hold its lock yet
MESSAGE = "its process is gone; run it again: only unfinished cells are run"

log = logging.getLogger("emde")


def _lock(run: object) -> Path:
    return settings.project_root() / f".cache/runs/{run}.lock"


@contextmanager
def alive(run: object) -> Iterator[None]:
    """Hold a flow run's lock while it works."""
    path = _lock(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield
    path.unlink(missing_ok=True)


def dead(run: object) -> bool:
    """Whether nobody holds the run's lock."""
    path = _lock(run)
    if not path.parent.is_dir():
        return True
    try:
        with FileLock(path, timeout=0):
            pass
    except Timeout:
        return False
    path.unlink(missing_ok=True)
    return True


async def reap(client: PrefectClient, deployment: str, young: timedelta = YOUNG) -> list[UUID]:
    """Mark the dead among the running runs of our deployments as crashed; returns their ids."""
    running = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING]))
        ),
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
    )
    found = []
    for run in running:
        started = run.start_time or run.created
        if started is not None and datetime.now(UTC) - started < young:
            continue
        if dead(run.id):
            await client.set_flow_run_state(run.id, Crashed(message=MESSAGE), force=True)
            notify(deployment, run.name, "CRASHED", MESSAGE)
            found.append(run.id)
    return found


async def watch(deployment: str) -> None:
    """Reap for ever; a server that does not answer is asked again later."""
    while True:
        try:
            async with get_client() as client:
                for run in await reap(client, deployment):
                    log.warning("flow run %s: %s", run, MESSAGE)
        except Exception as error:
            log.warning("reaper: %s", error)
        await asyncio.sleep(EVERY)
