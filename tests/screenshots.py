"""The pictures of the console for README.md and for whoever looks at its design: `make screenshots`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from service import create_app
from tests.browser import chromium, example, ready
from tests.sockets import serving

FOLDER = Path(__file__).parent.parent / "docs" / "images"


def _ledger(page: Page) -> None:
    example(page, "symptomtodx-47f")
    page.click("#result .condition summary >> nth=0")
    page.wait_for_load_state("networkidle")
    page.locator("#differential").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#differential').scrollIntoView()")


def _sciatica(page: Page) -> None:
    example(page, "symptomtodx-47f")


def _emergency(page: Page) -> None:
    example(page, "wneuro-f")


def _emergency_answer(page: Page) -> None:
    example(page, "wneuro-f")
    page.evaluate("document.querySelector('#answer').scrollIntoView()")


def _knowledge(page: Page) -> None:
    page.click("[data-view=knowledge]")
    page.wait_for_selector(".plot")
    page.evaluate("document.querySelector('.plot').scrollIntoView({block: 'center'})")


SHOTS = {
    "console": (_sciatica, 1280, 860, "light"),
    "console-dark": (_ledger, 1280, 860, "dark"),
    "console-emergency": (_emergency, 1280, 860, "light"),
    "console-phone": (_emergency_answer, 360, 740, "light"),
    "console-phone-dark": (_sciatica, 360, 740, "dark"),
    "console-knowledge": (_knowledge, 1280, 860, "light"),
}
"""Name -> what is shown, width and height in pixels, colour scheme."""


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving(create_app()) as base, chromium() as browser:
        for name, (show, width, height, scheme) in SHOTS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                reduced_motion="reduce",
            )
            page = ready(context.new_page(), base)
            show(page)
            page.wait_for_load_state("networkidle")
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=FOLDER / f"{name}.png")
            context.close()


if __name__ == "__main__":
    main()
