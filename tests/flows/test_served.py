"""``make ui`` for real: refusals, waiting, graph, queue, cancel, failure, crash, webhook; and all of it in a browser.

One module: its server is started once.
"""

import json
import os
import re
import shutil
import signal
import time
import urllib.error
from itertools import pairwise
from pathlib import Path

import pytest

from flows import dvc_stages
from tests.flows.conftest import METHOD, SLEEPS, Served, dvc, living, until

pytestmark = pytest.mark.slow
TABLE = "session-based/table-1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS = os.environ.get("EMDE_SCREENSHOTS")  # a folder: keep pictures of what was seen


@pytest.fixture
def folder(served: Served, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The served project as working directory."""
    monkeypatch.chdir(served.folder)
    return served.folder


def test_wrong_parameters_are_refused_before_a_run_exists(served: Served):
    before = served.api.call("/flow_runs/count", {})
    wrong = ({"profile": "smal"}, {"methods": ["knn"]}, {"method": ["pop"]}, {"profile": "small", "methods": ["ar"]})
    for parameters in wrong:
        with pytest.raises(urllib.error.HTTPError) as refused:
            served.api.create(TABLE, **parameters)
        assert refused.value.code == 409
    assert served.api.call("/flow_runs/count", {}) == before


def test_a_run_waits_its_turn_shows_its_graph_and_is_clean_for_dvc(served: Served, folder: Path):
    api = served.api
    with dvc_stages.writer("the test", print):
        run = api.create("whole-paper/everything")
        until(lambda: api.state(run)["name"] == "WaitingForWriter", 60, "the run to wait")
        assert api.state(run)["type"] == "PENDING"
        assert "waiting for the test" in api.state(run)["message"]
    api.wait(run, "COMPLETED")
    assert json.loads(dvc("status", "--json", "dvc.yaml")) == {}
    assert served.hears(run, "COMPLETED")["flow"] == "whole-paper"

    nodes = {node["label"]: node for _, node in api.call(f"/flow_runs/{run}/graph-v2")["nodes"]}
    parents = {label: {parent["id"] for parent in node["parents"]} for label, node in nodes.items()}
    chain = [
        "fetch sample-sessions",
        "prepare sample-sessions",
        "run sample-sessions / ar",
        "evaluate sample-sessions / ar",
    ]
    for parent, child in pairwise([*chain, "tables sample"]):
        assert nodes[parent]["id"] in parents[child], (parent, child)

    artifacts = {one["key"]: one["data"] for one in api.call("/artifacts/filter", {}) if one["flow_run_id"] == run}
    assert "2 cells: 0 up to date, 2 run, 0 failed" in artifacts["summary-whole-paper-sample"]
    assert "ranked by ar" in artifacts["tables-sample"]


def test_one_runs_one_waits_and_cancel_leaves_nothing(served: Served, folder: Path):
    api = served.api
    (folder / "method.sh").write_text(SLEEPS)
    first = api.create(TABLE, methods=["pop"])
    until((folder / "started").exists, 60, "the stage to run")
    second = api.create("session-based/table-2", methods=["pop"])
    until(lambda: api.state(second)["name"] == "Late", 60, "the second run to queue")
    for run in (second, first):
        api.call(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
        api.wait(run, "CANCELLED")
    until(lambda: not [p for p in living(folder) if "sleep" in p.name()], 15, "the cancelled stage to end")
    assert not (folder / "runs/pop").exists()
    assert served.hears(first, "CANCELLED")["run"] == "session-based sample"


@pytest.mark.parametrize(("script", "end"), [("echo no luck; exit 3\n", "FAILED"), (SLEEPS, "CRASHED")])
def test_the_webhook_hears_of_failure_and_crash(served: Served, folder: Path, script: str, end: str):
    (folder / "started").unlink(missing_ok=True)
    (folder / "method.sh").write_text(script)
    run = served.api.create(TABLE, methods=["pop"])
    if end == "CRASHED":
        until((folder / "started").exists, 60, "the stage to run")
        flow = [p for p in living(folder) if "prefect.engine" in p.cmdline() and "python" in p.name()]
        flow[-1].send_signal(signal.SIGKILL)
    served.api.wait(run, end)
    told = served.hears(run, end)
    assert end == "CRASHED" or "no luck" in told["message"]
    assert set(told) == {"flow", "run", "state", "message", "link", "time", "host"}
    until(lambda: not [p for p in living(folder) if "sleep" in p.name()], 15, "the stage to end")
    (folder / "method.sh").write_text(METHOD)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt install chromium)")
def test_table_1_from_its_form_to_the_site_and_a_schedule_that_lasts(served: Served):
    from playwright.sync_api import Page, Route, expect, sync_playwright

    api, outside = served.api, list[str]()
    root = api.root.removesuffix("/api")
    results = f"http://127.0.0.1:{served.port + 1}"
    site = served.folder / "results/generated/profiles/sample/site/index.html"
    site.parent.mkdir(parents=True)
    site.write_text("<h1>Every published value beside ours</h1>")

    def only_here(route: Route) -> None:
        if route.request.url.startswith((root, results, "data:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    def new_run(page: Page, before: set[str]) -> str:
        """Press Submit, again where a busy server answered with an error (a passing note on the page): the run made.

        Waits by the page, not by ``until``: only then do its requests pass through ``only_here``.
        """
        for _ in range(3):
            page.get_by_role("button", name="Submit").click()
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                made = [run["id"] for run in api.call("/flow_runs/filter", {}) if run["id"] not in before]
                if made:
                    return str(made[0])
                page.wait_for_timeout(500)
        raise AssertionError(f"expected a run after Submit, the page shows:\n{page.locator('body').inner_text()}")

    def shot(page: Page, name: str) -> None:
        if SHOTS:
            page.screenshot(path=str(Path(SHOTS, f"{name}.png")))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1250})
        page.set_default_timeout(90_000)
        page.route("**/*", only_here)
        page.goto(f"{root}/deployments")
        for name in ("table-1", "density", "everything"):  # ten of them stand on the first page
            page.get_by_role("link", name=name, exact=True).first.wait_for()
        shot(page, "prefect-deployments")

        table = api.call("/deployments/name/session-based/table-1")["id"]
        page.goto(f"{root}/deployments/deployment/{table}/run")
        page.get_by_text("Which experiments (profiles/) to run.").wait_for()
        before = {run["id"] for run in api.call("/flow_runs/filter", {})}
        workers = page.locator("input[type=number]").first
        workers.fill("100")
        shot(page, "prefect-form")
        page.get_by_role("button", name="Submit").click()
        page.get_by_text("100 is greater than the maximum of 64").first.wait_for()
        assert api.call("/flow_runs/count", {}) == len(before)
        page.goto(f"{root}/deployments/deployment/{table}/run")  # anew: with what table-1 fills in
        page.get_by_text("Which experiments (profiles/) to run.").wait_for()
        run = new_run(page, before)
        api.wait(run, "COMPLETED")

        page.goto(f"{root}/runs/flow-run/{run}")
        page.get_by_text("Artifacts", exact=True).click()
        page.get_by_text("Summary of session-based, profile sample").first.wait_for()
        shot(page, "prefect-run")
        made = {one["key"]: one["id"] for one in api.call("/artifacts/filter", {}) if one["flow_run_id"] == run}
        page.goto(f"{root}/artifacts/artifact/{made['summary-session-based-sample']}")
        expect(page.get_by_text(re.compile(r"2 cells: \d up to date, \d run, 0 failed")).first).to_be_visible()
        shot(page, "prefect-summary")
        address = page.get_by_role("link", name="the site").first.get_attribute("href")
        page.goto(str(address))
        assert page.get_by_role("heading").inner_text() == "Every published value beside ours"

        wish = [{"schedule": {"cron": "0 3 * * *", "timezone": "UTC"}, "active": True}]
        api.call(f"/deployments/{table}/schedules", wish)
        (served.folder / "started").unlink(missing_ok=True)
        (served.folder / "method.sh").write_text(SLEEPS)
        at_work = api.create(TABLE, methods=["pop"])
        until((served.folder / "started").exists, 60, "the stage to run")
        served.stop()
        served.start()
        assert api.state(at_work)["type"] == "CANCELLED"
        page.goto(f"{root}/deployments/deployment/{table}")
        page.get_by_text("At 03:00 AM").first.wait_for()
        shot(page, "prefect-schedule")
        browser.close()
    assert outside == []
