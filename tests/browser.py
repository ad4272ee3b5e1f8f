"""A real browser before the running service, for the tests of the console; they are skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(__file__).parent / "clients" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

needed = pytest.mark.skipif(PROGRAM is None, reason="needs chromium: apt-get install chromium, or name it in CHROMIUM")
with_axe = pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: install node, then `make test`")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*FLAGS])
        yield browser
        browser.close()


def ready(page: Page, base: str) -> Page:
    """The console, loaded."""
    page.goto(base)
    page.wait_for_selector("#age:focus")
    return page


def example(page: Page, name: str) -> None:
    """Load an example and wait for its answer."""
    with page.expect_response(lambda response: "/v1/assessments" in response.url):
        page.select_option("#examples", name)
    page.wait_for_selector("#result .urgency")


def complaints(page: Page) -> list[str]:
    """What axe finds wrong with the page as it stands."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))  # by the debugger: the policy of the page lets nothing else in
    found = page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", [*RULES])
    return [f"{each['id']}: {node['html'][:120]}" for each in found["violations"] for node in each["nodes"]]
