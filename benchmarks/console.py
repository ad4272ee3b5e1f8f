"""How long the console takes from the end of its debounce to the answer on the screen: `make console-speed`."""

from __future__ import annotations

import statistics

from service import create_app
from tests.browser import chromium, example, ready
from tests.sockets import serving

ROUNDS = 30
WAIT = """age => new Promise((done) => {
  const field = document.querySelector("#age"), seen = performance.getEntriesByName("answer").length;
  field.value = age;
  field.dispatchEvent(new Event("input"));
  const look = () => {
    const found = performance.getEntriesByName("answer");
    if (found.length > seen) requestAnimationFrame(() => done(performance.now() - found.at(-1).startTime));
    else requestAnimationFrame(look);
  };
  look();
})"""
"""Types another age; gives the milliseconds from when the page asks to the frame that shows the answer."""


def main() -> None:
    with serving(create_app()) as base, chromium() as browser:
        page = ready(browser.new_page(viewport={"width": 1400, "height": 900}), base)
        example(page, "symptomtodx-47f")
        times = sorted(page.evaluate(WAIT, str(30 + number)) for number in range(ROUNDS))
    print(f"{ROUNDS} answers: median {statistics.median(times):.0f} ms, slowest {times[-1]:.0f} ms after the debounce")


if __name__ == "__main__":
    main()
