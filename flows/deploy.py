"""``python -m flows.deploy``: this checkout's work pool, deployments and automations, on the server of PREFECT_API_URL.

``make ui`` does it at every start. What prefect.yaml does not say (schedules and automations made in the UI) stays as
it is. The forms are closed: the server refuses an unknown parameter, and a name that the chosen profile lacks, before
a run exists.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker
from pydantic import SecretStr

from benchmark.experiments import settings
from contracts import UserError
from flows import processes
from flows.names import OFFERED

POOL = "emde"
AT_ONCE = 1  # runs of the pool: one writes, the others are Scheduled, then Late
WEBHOOK = "EMDE_WEBHOOK"
QUIET = timedelta(seconds=90)  # three missed heartbeats
ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut")}
BEAT = "prefect.flow-run.heartbeat"
LOST = "no sign of life for 90 seconds: its process is gone; run it again: only unfinished cells are run"
RUNS = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
PAYLOAD = (
    '{"flow": {{ flow.name|tojson }}, "run": {{ flow_run.name|tojson }},'
    ' "state": {{ flow_run.state.type.value|tojson }}, "message": {{ (flow_run.state.message or "")|tojson }},'
    ' "link": {{ flow_run|ui_url|tojson }},'
    ' "time": "{{ event.occurred }}", "host": "HOST"}'
)


def own() -> dict[str, Any]:
    """The fields of this checkout's pool: whose it is, one run at a time, in this folder, by this Python."""
    template = ProcessWorker.get_default_base_job_template()
    fields = template["variables"]["properties"]
    fields["command"]["default"] = f"{sys.executable} -m prefect.engine"  # none: a second process looks for one
    fields["working_dir"]["default"] = str(settings.project_root())
    whose = f"runs in {settings.project_root()} on {socket.gethostname()}"
    return {"description": whose, "concurrency_limit": AT_ONCE, "base_job_template": template}


def pool(client: SyncPrefectClient) -> None:
    """Make the work pool, or bring ours up to date; raises UserError where it is another checkout's.

    A pool of another type (Kubernetes, ...) was made by hand, for all who use that server: it is taken as it is.
    """
    wish = own()
    try:
        there = client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", **wish))
        return
    if there.type != "process":
        return
    home = Path(os.environ.get("PREFECT_HOME", "/")).resolve()  # a state folder in here moved with us
    if there.description != wish["description"] and not home.is_relative_to(settings.project_root()):
        raise UserError(
            f"the work pool {POOL} of {client.api_url} is another checkout's: it {there.description}; "
            f"expected: it {wish['description']}"
        )
    client.update_work_pool(POOL, WorkPoolUpdate(**wish))


def close_forms(client: SyncPrefectClient) -> list[str]:
    """No other fields, and of names those of the chosen profile; returns the deployments' full names."""
    listed = yaml.safe_load((settings.project_root() / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    out = []
    for deployment in client.read_deployments():
        if deployment.work_pool_name != POOL or deployment.name not in {entry["name"] for entry in listed}:
            continue
        flow = client.read_flow(deployment.flow_id).name
        form = {**(deployment.parameter_openapi_schema or {}), **closed(flow)}
        client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=form))
        out.append(f"{flow}/{deployment.name}")
    return out


def closed(flow: str) -> dict[str, Any]:
    """What a form's schema needs besides Prefect's: no other fields, and per profile the names that it has."""
    rules = []
    for profile, fields in OFFERED[flow].items():
        then = {
            field: {"enum": list(names)} if isinstance(names, tuple) else {"items": {"enum": names}}
            for field, names in fields.items()
        }
        rules.append({"if": {"properties": {"profile": {"const": profile}}}, "then": {"properties": then}})
    return {"additionalProperties": False, **({"allOf": rules} if rules else {})}


def automate(client: SyncPrefectClient) -> None:
    """A run without a heartbeat is Crashed (Prefect's recipe); EMDE_WEBHOOK, if set, hears how every run ends.

    What is there already stays: it may be about to act on what was before a restart.
    """
    gone = AutomationCore(
        name="a run whose process is gone is Crashed",
        trigger=EventTrigger(
            after={BEAT}, expect={BEAT, "prefect.flow-run.Suspended", *ENDS},
            match=RUNS, for_each={"prefect.resource.id"}, posture=Posture.Proactive, threshold=1, within=QUIET,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=LOST)],
    )  # fmt: skip
    if not client.read_automations_by_name(gone.name):
        client.create_automation(gone)
    url, name = os.environ.get(WEBHOOK), f"{WEBHOOK} hears how runs end"
    actions: list[Any] = []
    if url:
        saved: Any = Webhook(url=SecretStr(url)).save("emde-webhook", overwrite=True)
        actions = [CallWebhook(block_document_id=saved, payload=PAYLOAD.replace("HOST", socket.gethostname()))]
    old = client.read_automations_by_name(name)
    if [automation.actions for automation in old] == [actions]:
        return
    for automation in old:
        client.delete_automation(automation.id)
    if actions:
        trigger = EventTrigger(
            expect=ENDS, match=RUNS, for_each={"prefect.resource.id"},
            posture=Posture.Reactive, threshold=1, within=timedelta(0),
        )  # fmt: skip
        client.create_automation(AutomationCore(name=name, trigger=trigger, actions=actions))


def main() -> int:
    """Returns 0, or 2 for an error that is explained in its message; prints the deployments' names."""
    try:
        with get_client(sync_client=True) as client:
            pool(client)
            command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
            done = subprocess.run(
                command, cwd=settings.project_root(), env=processes.environment(), capture_output=True, text=True
            )
            if done.returncode != 0:
                raise UserError(f"prefect deploy --all failed:\n{done.stdout}{done.stderr}")
            names = close_forms(client)
            automate(client)
    except UserError as error:
        sys.stderr.write(f"deploy: {error}\n")
        return 2
    sys.stdout.write("\n".join(sorted(names)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
