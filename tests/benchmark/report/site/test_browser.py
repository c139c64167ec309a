"""The site as a reader sees it, from file://: filter, sort, open, copy, dark colours, a narrow window."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmark.experiments import settings
from benchmark.report.site.build import build
from tests.benchmark.report.site.conftest import made_results

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS = os.environ.get("EMDE_SCREENSHOTS")  # a folder: keep pictures of what was seen


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt install chromium)")
def test_a_reader_finds_a_run(tmp_path: Path) -> None:
    from playwright.sync_api import Page, Request, expect, sync_playwright

    index = build(made_results(), settings.load().methods, tmp_path, tmp_path / "site")
    asked: list[str] = []
    troubles: list[str] = []

    def shot(page: Page, name: str) -> None:
        if SHOTS:
            page.screenshot(path=str(Path(SHOTS, f"site-{name}.png")))

    def requested(request: Request) -> None:
        asked.append(request.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
        context.on("request", requested)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.goto(index.as_uri())
        shown = page.get_by_role("status")

        # what was run is shown first; filters narrow it, and the address keeps them
        expect(shown).to_have_text("2 of 4 rows shown")
        page.get_by_role("button", name="differs").click()
        expect(shown).to_have_text("1 of 4 rows shown")
        expect(page.locator("tbody tr:visible th")).to_have_text(["AR"])
        assert page.url.endswith("#verdict=differs")
        page.get_by_role("button", name="everything").click()
        page.get_by_label("Data").select_option("rsc15")
        expect(page.locator("tbody tr:visible th")).to_have_text(["CT"])
        page.get_by_role("combobox", name="Protocol").select_option("slices")
        expect(shown).to_have_text("0 of 4 rows shown")
        expect(page.get_by_role("heading", level=2)).to_have_count(0)
        page.get_by_role("button", name="Reset").click()
        expect(shown).to_have_text("2 of 4 rows shown")
        page.goto(index.as_uri() + "#method=gru4rec&verdict=not-run")
        expect(page.locator("tbody tr:visible th")).to_have_text(["GRU4Rec"])
        page.get_by_role("button", name="Reset").click()

        # sorting by keyboard: large values first, again: small ones first; what has no value stays last
        page.get_by_role("button", name="everything").click()
        head = page.get_by_role("columnheader", name="MRR@20")
        head.get_by_role("button").press("Enter")
        expect(head).to_have_attribute("aria-sort", "descending")
        names = page.locator("tbody tr:visible th")
        expect(names).to_have_text(["EMDE", "AR", "GRU4Rec", "CT"])
        head.get_by_role("button").press("Enter")
        expect(head).to_have_attribute("aria-sort", "ascending")
        expect(names).to_have_text(["AR", "EMDE", "GRU4Rec", "CT"])
        shot(page, "matrix")

        # the first stop of the keyboard is the skip link
        page.goto(index.as_uri())
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()

        # a cell opens its run, whose command is copied, though file:// may have no clipboard of its own
        page.get_by_role("link", name="0.3500 reproduced").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("EMDE on")
        page.evaluate("() => addEventListener('copy', () => { window.copied = document.activeElement.value; })")
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        page.get_by_role("button", name="Copy: command of split 0").click()
        expect(page.get_by_role("button", name="Copy: command of split 0")).to_have_text("Copied")
        wanted = "emde run --data sample-sessions --split 0 --method emde --set 'a={\"b\": 1}'"
        assert page.evaluate("window.copied") == wanted

        # dark colours, kept on the next page; a narrow window scrolls tables, not the page
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.get_by_role("button", name="Dark colours").click()
        dark = page.evaluate(ground)
        assert light != dark
        page.get_by_role("link", name="Overview").click()
        expect(shown).to_have_text("2 of 4 rows shown")  # the new page is there
        assert page.evaluate(ground) == dark
        page.set_viewport_size({"width": 360, "height": 740})
        for path in sorted(index.parent.rglob("*.html")):
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        shot(page, "narrow")

        # a phone shows two metrics and lets others be chosen (there is one here), and finds a page by its words
        page.goto(index.as_uri())
        protocol = page.get_by_role("columnheader", name="protocol")
        expect(protocol).to_be_hidden()
        page.get_by_label("protocol", exact=True).check()
        expect(protocol).to_be_visible()
        page.get_by_role("searchbox").fill("ar sample")
        expect(page.get_by_role("listitem")).to_have_text(["AR on sample-sessions run"])
        page.get_by_role("searchbox").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("AR on")

        # two runs of a split side by side, from the page of one
        page.get_by_role("link", name="Compare with another run").click()
        expect(page.get_by_role("cell", name="+0.1000").first).to_be_visible()
        assert page.url.endswith("#a=sample-sessions%2Far%2F0%2F-&b=sample-sessions%2Femde%2F0%2F0")
        page.locator("select[name=a]").select_option("sample-sessions/emde/1/0")
        expect(page.get_by_role("cell", name="-0.1000").first).to_be_visible()
        shot(page, "compare")

        # who prefers dark colours gets them without asking
        other = browser.new_context(color_scheme="dark").new_page()
        other.goto(index.as_uri())
        assert other.evaluate(ground) == dark
        browser.close()
    assert not troubles
    assert all(url.startswith(("file://", "data:")) for url in asked), asked
