"""The few REST calls that a browser would make."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from flows import ui
from tests.flows.conftest import until

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Api:
    """A Prefect server on this machine."""

    def __init__(self, port: int) -> None:
        self.root = f"http://{ui.HOST}:{port}/api"

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data=data, headers={"Content-Type": "application/json"})
        for _ in range(20):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                if error.code != 503:  # SQLite is busy: every Prefect client tries again
                    raise
                time.sleep(0.5)
        raise AssertionError(f"{path}: the server stays busy")

    def create(self, deployment: str, **parameters: Any) -> str:
        """A run of ``flow/deployment``; returns its id."""
        deployment = self.call(f"/deployments/name/{deployment}")["id"]
        wish = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return self.call(f"/deployments/{deployment}/create_flow_run", wish)["id"]

    def state(self, run: str) -> dict[str, Any]:
        return self.call(f"/flow_runs/{run}")["state"]

    def wait(self, run: str, *types: str, seconds: float = 180) -> dict[str, Any]:
        """The run's state once it is one of the types; a run that ends otherwise fails the test with its message."""
        until(lambda: self.state(run)["type"] in {*types, *ENDED}, seconds, f"{run} to become {types}")
        state = self.state(run)
        assert state["type"] in types, f"expected {types}, found {state['type']}: {state['message']}"
        return state
