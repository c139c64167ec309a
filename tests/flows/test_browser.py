"""The Prefect UI as a user sees it: a form filled in by a link, an invalid value, a run, its artifact."""

import json
import os
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pytest

from tests.flows.api import Api

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS = os.environ.get("EMDE_SCREENSHOTS")  # a folder: keep pictures of what was seen


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt install chromium)")
def test_a_run_from_a_prefilled_link(project: Path, running: tuple[subprocess.Popen[str], Api]):
    from playwright.sync_api import Page, Route, expect, sync_playwright

    _, api = running
    site = api.root.removesuffix("/api")
    deployment = api.call("/deployments/name/session-based/emde")["id"]
    filled = {"profile": "sample", "methods": ["pop"], "machines": {"workers": 2}}
    outside: list[str] = []

    def only_here(route: Route) -> None:
        if route.request.url.startswith((site, "data:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    def shot(page: Page, name: str) -> None:
        if SHOTS:
            page.screenshot(path=str(Path(SHOTS, f"{name}.png")))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1250})
        page.set_default_timeout(90_000)
        page.route("**/*", only_here)
        page.goto(f"{site}/deployments/deployment/{deployment}/run?parameters={urllib.parse.quote(json.dumps(filled))}")
        page.get_by_text("Cells at once on this machine.").wait_for()
        assert page.get_by_text("Which experiments of params.yaml to run.").is_visible()
        workers, minutes = page.locator("input[type=number]").all()
        assert workers.input_value() == "2"
        shot(page, "prefect-form")

        workers.fill("100")
        minutes.fill("5")
        page.get_by_role("button", name="Submit").click()
        page.get_by_text("100 is greater than the maximum of 64").first.wait_for()
        shot(page, "prefect-invalid")
        assert api.call("/flow_runs/count", {}) == 0

        workers.fill("1")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**tab=Runs**", wait_until="commit")
        (run,) = api.call("/flow_runs/filter", {})
        assert run["parameters"] == {**filled, "data": [], "machines": {"workers": 1, "dask": "", "minutes": 5}}
        api.wait(run["id"], "COMPLETED")

        page.goto(f"{site}/runs/flow-run/{run['id']}")
        page.get_by_text("Artifacts", exact=True).click()
        page.get_by_text("Tables of profile sample").first.wait_for()
        made = {artifact["key"]: artifact["id"] for artifact in api.call("/artifacts/filter", {})}
        page.goto(f"{site}/artifacts/artifact/{made['tables-sample']}")
        expect(page.get_by_text("ranked by pop").first).to_be_visible(timeout=60_000)
        shot(page, "prefect-artifact")
        browser.close()
    assert outside == []
