"""The flows: what their forms offer, and what the deployments fill in."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from benchmark.experiments import settings
from benchmark.experiments.profiles import KINDS
from flows import deploy, experiments

NAMES = ["whole-paper", "session-based", "top-k", "density", "ablations", "search", "tables", "download-data"]


def test_the_names_and_forms_of_the_flows():
    assert [flow.name for flow in experiments.FLOWS] == NAMES
    for flow in experiments.FLOWS:
        fields = parameter_schema(flow).properties
        assert fields["profile"]["enum"] == list(settings.load().profiles)
        assert fields["profile"]["default"] == "sample"
        assert all(field["description"] for field in fields.values()), flow.name
        assert flow.description


def test_the_deployments_are_of_the_flows_and_their_parameters_fit_the_forms():
    listed = yaml.safe_load(Path("prefect.yaml").read_text())["deployments"]
    assert len({entry["name"] for entry in listed}) == len(listed)
    flows = {f"flows.experiments.{flow.fn.__name__}": flow for flow in experiments.FLOWS}
    assert {entry["entrypoint"] for entry in listed} == flows.keys()
    for entry in listed:
        flow = flows[entry["entrypoint"]]
        form = {**parameter_schema(flow).model_dump(), **deploy.closed(flow.name)}
        validate(entry.get("parameters", {}), form, raise_on_error=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"profile": "small", "methods": ["emde-mm"]}, "'emde-mm' is not one of"), ({"method": ["pop"]}, "unexpected"),
     ({"profile": "small", "data": ["sample-sessions"]}, "'sample-sessions' is not one of"), ({}, None)],
)  # fmt: skip
def test_a_form_knows_what_its_profile_has(wrong, message):
    form = {**parameter_schema(experiments.session_based).model_dump(), **deploy.closed("session-based")}
    errors = [error.message for error in validate(wrong, form)]
    assert all(message in error for error in errors)
    assert bool(errors) == bool(message)


def test_every_stage_kind_is_a_task_of_its_name():
    tasks = {kind: experiments.stage_task(kind) for kind in KINDS}
    assert {kind: task.name for kind, task in tasks.items()} == {kind: kind for kind in tasks}
    assert {kind for kind, task in tasks.items() if task.retries} == {"fetch"}


def test_the_library_never_imports_prefect():
    code = "import sys, flows.dvc_stages, flows.repro, benchmark.cli.main; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
