"""``python -m flows.serve``: register every flow as a deployment and run what is asked of it.

``flows.ui`` starts this beside the server; PREFECT_API_URL says where the server is.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.parse
from importlib.metadata import version
from typing import Any

from prefect.exceptions import TerminationSignal
from prefect.runner import Runner
from prefect.settings import PREFECT_UI_URL
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.callables import ParameterSchema

from flows import reaper
from flows.experiments import FLOWS

NAME = "emde"  # of every deployment: session-based/emde, ...
POLL = 2.0  # seconds between two looks for new runs
AT_ONCE = 4  # flow runs that may have a process; one works, the others wait for the writer lock


RERUN: dict[str, tuple[str, dict[str, Any]]] = {
    "rerun Table 1": ("session-based", {"profile": "sample", "methods": []}),
    "rerun Table 2": ("session-based", {"profile": "sample", "methods": ["emde", "emde-mm"]}),
    "rerun Tables 3, 4, 7": ("top-k", {"profile": "sample", "methods": []}),
    "rerun Table 5": ("density", {"profile": "sample"}),
}
"""Forms filled in beforehand: what to call them, whose form, which fields."""


class Closed(ParameterSchema):
    """A form that knows no other fields: the server then refuses a misspelt parameter before a run is created."""

    additionalProperties: bool


class Worker(Runner):
    """Prefect's own SIGTERM handler leaves its flow runs to themselves; ours cancels them, and then stops."""

    def handle_sigterm(self, *_: Any, **__: Any) -> None:
        if not self.started:
            raise KeyboardInterrupt
        asyncio.run_coroutine_threadsafe(self.astop(), asyncio.get_running_loop())


async def serve() -> None:
    """Register the deployments, print the addresses of their forms, and serve (and reap) until stopped."""
    runner = Worker(name=NAME, pause_on_shutdown=False, limit=AT_ONCE, query_seconds=POLL)
    forms: dict[str, str] = {}
    for flow in FLOWS:
        deployment = await flow.ato_deployment(
            NAME, tags=["emde"], version=version("emde-suite"), entrypoint_type=EntrypointType.MODULE_PATH
        )
        fields = deployment._parameter_openapi_schema.model_dump()
        deployment._parameter_openapi_schema = Closed(**fields, additionalProperties=False)
        identity = await runner.aadd_deployment(deployment)
        forms[flow.name] = f"{PREFECT_UI_URL.value()}/deployments/deployment/{identity}/run"
        sys.stdout.write(f"{flow.name:>20}: {forms[flow.name]}\n")
    for title, (name, parameters) in RERUN.items():
        sys.stdout.write(f"{title:>20}: {forms[name]}?parameters={urllib.parse.quote(json.dumps(parameters))}\n")
    sys.stdout.write("registered\n")
    sys.stdout.flush()
    reaping = asyncio.create_task(reaper.watch(NAME))
    try:
        await runner.start()
    finally:
        reaping.cancel()


def main() -> int:
    """Returns 0 when stopped."""
    try:
        asyncio.run(serve())
    except (KeyboardInterrupt, TerminationSignal):
        sys.stdout.write("stopped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
