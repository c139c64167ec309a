"""Who lives: the lock of a flow run, held by its process and freed by the kernel."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

from flows import reaper
from tests.flows.conftest import python


def test_a_run_lives_as_long_as_its_process(project):
    run = uuid4()
    holder = python(f"""
        import time
        from flows.reaper import alive
        with alive("{run}"):
            print("mine", flush=True)
            time.sleep(60)
    """)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"
    assert not reaper.dead(run)
    holder.kill()
    holder.wait()
    assert reaper.dead(run)
    assert not list((project / ".cache/runs").iterdir())


def test_only_the_dead_and_not_the_young_are_reaped(project):
    from datetime import UTC, datetime

    old = datetime.now(UTC) - timedelta(minutes=5)
    living, dead, young = (SimpleNamespace(id=uuid4(), name="r", created=old, start_time=old) for _ in range(3))
    young.start_time = datetime.now(UTC)
    marked: dict[Any, str] = {}

    class Client:
        async def read_flow_runs(self, **filters: Any) -> list[Any]:
            return [living, dead, young]

        async def set_flow_run_state(self, run: Any, state: Any, force: bool) -> None:
            marked[run] = state.type.value

    with reaper.alive(living.id):
        found = asyncio.run(reaper.reap(cast(Any, Client()), "emde"))
    assert found == [dead.id]
    assert marked == {dead.id: "CRASHED"}
