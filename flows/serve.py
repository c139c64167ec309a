"""``python -m flows.serve``: register every flow as a deployment and run what is asked of it.

``flows.ui`` starts this beside the server; PREFECT_API_URL says where the server is.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from typing import Any

from prefect.exceptions import TerminationSignal
from prefect.runner import Runner
from prefect.settings import PREFECT_UI_URL
from prefect.types.entrypoint import EntrypointType
from prefect.utilities.callables import ParameterSchema

from flows.experiments import FLOWS

NAME = "emde"  # of every deployment: session-based/emde, ...
POLL = 2.0  # seconds between two looks for new runs
AT_ONCE = 4  # flow runs that may have a process; one works, the others wait for the writer lock


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
    """Register the deployments, print the address of each one's form, and serve until stopped."""
    runner = Worker(name=NAME, pause_on_shutdown=False, limit=AT_ONCE, query_seconds=POLL)
    for flow in FLOWS:
        deployment = await flow.ato_deployment(
            NAME, tags=["emde"], version=version("emde-suite"), entrypoint_type=EntrypointType.MODULE_PATH
        )
        fields = deployment._parameter_openapi_schema.model_dump()
        deployment._parameter_openapi_schema = Closed(**fields, additionalProperties=False)
        identity = await runner.aadd_deployment(deployment)
        sys.stdout.write(f"{flow.name:>16}: {PREFECT_UI_URL.value()}/deployments/deployment/{identity}/run\n")
    sys.stdout.write("registered\n")
    sys.stdout.flush()
    await runner.start()


def main() -> int:
    """Returns 0 when stopped."""
    try:
        asyncio.run(serve())
    except (KeyboardInterrupt, TerminationSignal):
        sys.stdout.write("stopped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
