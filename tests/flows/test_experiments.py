"""The flows: what their forms offer, and (slow) a real run that leaves DVC clean while another writer queues."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prefect.utilities.callables import parameter_schema

from benchmark import settings
from flows import dvc_stages, experiments
from tests.flows.conftest import dvc

NAMES = ["whole-paper", "session-based", "top-k", "density", "ablations", "search", "tables", "download-data"]


def test_the_names_and_forms_of_the_flows():
    assert [flow.name for flow in experiments.FLOWS] == NAMES
    for flow in experiments.FLOWS:
        fields = parameter_schema(flow).properties
        assert fields["profile"]["enum"] == list(settings.load().profiles)
        assert fields["profile"]["default"] == "sample"
        assert all(field["description"] for field in fields.values()), flow.name
        assert flow.description


def test_the_quick_defaults_are_in_the_forms():
    for flow, quick in (
        (experiments.session_based, experiments.QUICK_SESSION),
        (experiments.top_k, experiments.QUICK_TOPK),
    ):
        assert set(quick) <= set(parameter_schema(flow).properties["methods"]["items"]["enum"])


def test_every_stage_kind_is_a_task_of_its_name():
    tasks = {kind: experiments.stage_task(kind) for kind in dvc_stages.kinds()}
    assert {kind: task.name for kind, task in tasks.items()} == {kind: kind for kind in tasks}
    assert {kind for kind, task in tasks.items() if task.retries} == {"fetch"}


def test_the_library_never_imports_prefect():
    code = "import sys, flows.dvc_stages, flows.repro, benchmark.cli; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_a_run_is_clean_for_dvc_and_queues_with_the_command_line(project: Path, caplog):
    from prefect.client.orchestration import get_client
    from prefect.exceptions import FailedRun
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        experiments.session_based(methods=["ar"])
        done = ["run@sample-sessions--ar", "evaluate@sample-sessions--ar", "tables@sample", "profile@sample"]
        assert json.loads(dvc("status", "--json", *done)) == {}

        command = subprocess.Popen(
            [sys.executable, "-m", "flows.repro", "--profile", "sample"], stderr=subprocess.PIPE, text=True
        )
        notes: list[str] = []
        flow = threading.Thread(target=lambda: notes.append(str(experiments.whole_paper(return_state=True))))
        flow.start()
        notes.append(command.communicate(timeout=60)[1])
        flow.join(60)
        assert command.returncode == 0
        assert any("Completed" in note for note in notes)
        assert "waiting for" in caplog.text + "".join(notes)
        assert json.loads(dvc("status", "--json")) == {}

        with pytest.raises(FailedRun, match="profile small has no session method ar; it has: pop"):
            experiments.session_based("small", methods=["ar"])
        with get_client(sync_client=True) as client:
            names = {run.name for run in client.read_task_runs()}
            artifacts = client.read_artifacts()
    assert {"fetch sample-sessions", "run sample-sessions / ar", "density digits", "tables sample"} <= names
    assert [a.key for a in artifacts if "ranked by ar" in str(a.data)] != []
