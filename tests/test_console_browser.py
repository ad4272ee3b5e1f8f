"""The console in a real browser: the paths of a newcomer and of a keyboard, bad connections, refusals, print, WCAG."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import create_app
from service.settings import Settings
from tests.browser import complaints, example, needed, ready, with_axe
from tests.console import CHOSEN, examples
from tests.credentials import api_key
from tests.sockets import serving

playwright = pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect  # noqa: E402

pytestmark = [needed, pytest.mark.outside]
expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong
ASSESS = "**/v1/assessments*"
EMERGENCY, SCIATICA = "wneuro-f", "symptomtodx-47f"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    from tests.browser import chromium  # noqa: PLC0415

    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def base(app: Flask) -> Iterator[str]:
    """The running service."""
    with serving(app) as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile, as wide as a desk."""
    found = browser.new_context(viewport={"width": 1400, "height": 900})
    found.set_default_timeout(20_000)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext, base: str) -> Iterator[Page]:
    """The console, loaded; whatever the browser complains about fails the test."""
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield ready(page, base)
    assert [text for text in said if "Failed to load resource" not in text] == []


def _sent(page: Page) -> Any:
    """The next request for an assessment, as it is sent."""
    return page.expect_request(lambda request: "/v1/assessments" in request.url)


def _level(page: Page) -> str:
    return page.inner_text("#level")


def _three(page: Page, place: str, answer: str) -> None:
    page.click(f"{place} .three [data-answer={answer}]")


# The ways through


def test_a_newcomer_gets_an_explained_answer_without_a_manual(page: Page) -> None:
    expect(page.locator("#welcome")).to_be_visible()
    page.keyboard.type("45")
    expect(page.locator("#level")).to_have_text("Routine")
    expect(page.locator(".atleast")).to_be_visible()
    page.get_by_text("Male", exact=True).click()
    search = page.get_by_role("combobox", name="Find a symptom, sign or test")
    for text, label in (("below kn", "Pain below the knee"), ("straight leg", "Straight leg raise positive")):
        search.fill(text)
        page.get_by_role("option", name=label).first.click()
    first = page.locator("#result .condition").first
    expect(first).to_contain_text("Disc herniation")
    expect(page.locator(".changes")).to_contain_text("Disc herniation")
    first.locator("summary").first.click()
    line = first.locator("table.for tbody tr").filter(has_text="Pain below the knee")
    expect(line).to_contain_text(re.compile(r"present · 80\s% with it"))
    assert float(line.locator("td.lr").inner_text()) > 5
    expect(line.locator("abbr")).to_have_attribute("title", re.compile("study|estimate|review", re.IGNORECASE))
    expect(line.locator(".source").first).to_have_text("konstantinou 2015")
    first.get_by_text("Sources in full").click()
    expect(first.locator(".citations")).to_contain_text("Konstantinou")
    expect(page.locator(".urgency a.source").first).to_have_attribute("href", re.compile("^https?://"))
    expect(page.locator(".rung").first).to_contain_text("Education")


def test_the_keyboard_reaches_and_answers_everything(page: Page) -> None:
    page.keyboard.type("61")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_selector("#result .urgency")
    groups = page.locator("#must-ask .items > .item:visible > .line .three")
    groups.first.locator("button").first.focus()
    for _ in range(3):
        page.keyboard.press("n")
    assert [groups.nth(place).locator("[aria-pressed=true]").inner_text() for place in range(3)] == ["No"] * 3
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert groups.nth(3).locator("[aria-pressed=true]").inner_text() == "Can't tell"
    page.get_by_role("combobox", name="Find a symptom").focus()
    page.keyboard.type("pain sit")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    with _sent(page) as request:
        page.keyboard.press("Shift+Enter")
    assert "absent" in request.value.post_data_json["findings"].values()
    page.locator("#skip-next").focus()
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    question = page.inner_text(".question")
    page.wait_for_timeout(300)  # the guard against a press that was meant for another question
    page.keyboard.press("n")
    expect(page.locator(".question")).not_to_have_text(question)
    page.locator("#skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"


def test_the_next_best_question_is_in_view_and_one_press_answers_it(page: Page) -> None:
    page.keyboard.type("50")
    page.wait_for_selector("#result .urgency")
    for width, height in ((1400, 900), (360, 740)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(page.locator("#next .question")).to_be_in_viewport()
        expect(page.locator("#next .takes .absent")).to_be_in_viewport()
    question = page.inner_text(".question")
    page.wait_for_timeout(300)
    with _sent(page) as request:
        page.click("#next .takes .present")
    (finding,) = request.value.post_data_json["findings"]
    assert request.value.post_data_json["findings"][finding] == "present"
    expect(page.locator(".question")).not_to_have_text(question)
    expect(page.locator("#said")).not_to_be_empty()


def test_a_press_just_after_the_question_changed_is_not_taken_for_an_answer_to_it(page: Page) -> None:
    page.keyboard.type("50")
    page.wait_for_selector("#result .urgency")
    page.wait_for_timeout(300)
    taken = page.evaluate(
        """() => { const press = () => document.querySelector("#next .takes .absent").click();
        document.querySelector("#next .takes > button").click(); press();
        return document.querySelectorAll("#findings .rows [aria-pressed=true]").length; }"""
    )
    assert taken == 0


def test_the_rest_is_answered_no_only_after_it_was_all_listed(page: Page, knowledge: Knowledge) -> None:
    page.keyboard.type("30")
    page.get_by_text("Male", exact=True).click()
    page.wait_for_selector("#result .urgency")
    page.wait_for_load_state("networkidle")
    shown = page.locator("#must-ask .items > .item:visible .ask").all_inner_texts()
    page.get_by_role("button", name="Answer the other").click()
    listed = page.locator("dialog li strong").all_inner_texts()
    assert listed == [text.removesuffix(" open") for text in shown]
    page.keyboard.press("Escape")
    assert page.locator("#must-ask [aria-pressed=true]").count() == 0
    page.get_by_role("button", name="Answer the other").click()
    with _sent(page) as request:
        page.get_by_role("button", name="were asked: no").click()
    sent = request.value.post_data_json
    denied = {name for name, said in sent.get("findings", {}).items() if said == "absent"}
    items = {name for name, item in knowledge.must_ask.items() if {*item.findings} <= denied} | sent["screening"].keys()
    assert {knowledge.must_ask[name].item for name in items} >= {*listed}
    assert {*sent["screening"].values()} == {"absent"}


def test_yes_to_an_item_asks_which_and_stays_open_until_it_is_said(page: Page) -> None:
    page.keyboard.type("40")
    page.wait_for_selector("#result .urgency")
    item = "#must-ask [data-item=F-01]"
    page.locator(f"{item} > .line .answer.present").click()
    expect(page.locator(f"{item} .which")).to_be_visible()
    expect(page.locator(f"{item} .flag")).to_be_visible()
    with _sent(page) as request:
        page.locator(f"{item} .parts .answer.present").first.click()
    assert request.value.post_data_json["findings"] == {"urinary_retention": "present"}
    expect(page.locator("#level")).to_have_text("Emergency")
    expect(page.locator(f"{item} .which")).to_be_hidden()
    with _sent(page) as request:
        page.locator(f"{item} > .line .answer.absent").click()
    assert request.value.post_data_json["screening"] == {"F-01": "absent"}
    assert "findings" not in request.value.post_data_json


def test_no_to_an_item_does_not_take_back_what_another_item_said(page: Page) -> None:
    page.keyboard.type("40")
    page.locator("[data-item=F-03] > .line .answer.present").click()
    page.wait_for_selector("#result .urgency")
    with _sent(page) as request:
        page.locator("[data-item=F-02] > .line .answer.absent").click()
    assert request.value.post_data_json["findings"] == {"saddle_anaesthesia": "present"}


@pytest.mark.parametrize("chosen", examples(), ids=CHOSEN)
def test_an_example_is_sent_as_it_was_published_and_prints_on_one_page(page: Page, chosen: dict[str, Any]) -> None:
    with _sent(page) as request:
        page.select_option("#examples", chosen["id"])
    expected = chosen["request"]
    days = expected.get("episode", {}).get("duration_days")
    sent = request.value.post_data_json
    assert sent.pop("episode", {}).get("duration_days") == days
    assert sent == {key: value for key, value in expected.items() if key != "episode"}
    page.wait_for_selector("#result .urgency")
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    assert page.locator("#sheet section").count() > 5


def test_an_emergency_shows_the_pathway_instead_of_the_ladder(page: Page) -> None:
    example(page, EMERGENCY)
    assert _level(page) == "Emergency"
    expect(page.locator(".pathway")).to_contain_text("Emergency pathway")
    assert page.locator(".rungs li").count() == 0
    expect(page.locator("#next .now")).to_have_text(re.compile("Emergency"))
    expect(page.locator("#next-title")).to_have_text(re.compile("Act first"))


def test_what_is_taken_off_the_ladder_stays_with_its_reason_and_a_mark_beside_the_colour(page: Page) -> None:
    example(page, SCIATICA)
    entry = page.locator(".entry.excluded").first
    expect(entry.locator("small").first).not_to_be_empty()
    expect(entry.locator(".status")).to_have_text("Excluded")
    marks = {
        page.locator(f".legend .{state} .mark").evaluate("mark => getComputedStyle(mark, '::before').content")
        for state in ("recommended", "consider", "caution", "not_yet", "excluded")
    }
    assert len(marks) == 5, "each state has a mark of its own"


def test_medicines_and_allergies_are_typed_ahead_and_none_is_said_not_assumed(page: Page) -> None:
    page.keyboard.type("70")
    page.wait_for_selector("#result .urgency")
    field = page.get_by_role("combobox", name="Medicines")
    field.fill("warf")
    with _sent(page) as request:
        page.keyboard.press("Enter")
    assert request.value.post_data_json["medications"] == ["warfarin"]
    field.fill("moonflower")
    with _sent(page) as request:
        page.keyboard.press("Enter")
    assert request.value.post_data_json["medications"] == ["warfarin", "moonflower"]
    expect(page.locator("#result")).to_contain_text("moonflower", ignore_case=True)
    with _sent(page) as request:
        page.get_by_label("No known allergies").check()
    assert request.value.post_data_json["allergies"] == []
    page.get_by_role("button", name="Remove moonflower").click()
    with _sent(page) as request:
        page.get_by_role("button", name="Remove Warfarin").click()
    assert "medications" not in request.value.post_data_json


# When something is wrong


def test_a_broken_connection_keeps_what_was_entered_and_says_that_the_answer_is_old(page: Page) -> None:
    example(page, SCIATICA)
    page.route(ASSESS, lambda route: route.abort())
    page.fill("#age", "48")
    expect(page.locator("#trouble")).to_contain_text("No connection")
    expect(page.locator("#trouble")).to_contain_text("what was entered before")
    expect(page.locator("#answer")).to_have_class(re.compile("stale"))
    expect(page.locator("#copy")).to_be_disabled()
    assert page.input_value("#age") == "48"
    page.unroute(ASSESS)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#trouble")).to_be_empty()
    expect(page.locator("#answer")).not_to_have_class(re.compile("stale"))
    expect(page.locator("#copy")).to_be_enabled()


def test_a_service_that_cannot_be_reached_at_first_is_tried_again(context: BrowserContext, base: str) -> None:
    page = context.new_page()
    page.route("**/v1/**", lambda route: route.abort())
    page.goto(base)
    expect(page.locator("#trouble")).to_contain_text("No connection")
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#age")).to_be_focused()


def test_an_answer_that_comes_late_does_not_take_the_place_of_a_newer_one(page: Page) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route(ASSESS, hold_the_first)
    page.fill("#age", "20")
    page.wait_for_selector("#answer[aria-busy]")
    page.fill("#age", "81")
    page.wait_for_selector("#result .urgency")
    now = page.inner_text("#result")
    held[0].fulfill(json={"never": "shown"})
    page.wait_for_timeout(100)
    assert page.inner_text("#result") == now
    expect(page.locator("#trouble")).to_be_empty()


def test_a_service_that_failed_leaves_no_answer_standing(page: Page) -> None:
    example(page, EMERGENCY)
    problem = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Not assessed - manually.",
    }
    page.route(ASSESS, lambda route: route.fulfill(status=503, content_type="application/problem+json", json=problem))
    page.fill("#age", "31")
    expect(page.locator("#trouble")).to_contain_text("Not assessed - manually.")
    assert page.inner_text("#result") == ""
    assert page.inner_text("#sheet") == ""


def test_a_value_that_the_service_refuses_is_marked_at_its_field(page: Page) -> None:
    page.keyboard.type("300")
    place = page.locator("[data-pointer='/patient/age_years'] .error")
    expect(place).to_contain_text("120")
    expect(page.locator("#age")).to_have_attribute("aria-invalid", "true")
    assert page.get_attribute("#age", "aria-describedby") == place.get_attribute("id")
    page.fill("#age", "30")
    expect(place).to_be_hidden()
    expect(page.locator("#level")).to_be_visible()
    assert page.get_attribute("#age", "aria-invalid") is None


def test_a_measurement_out_of_its_range_is_told_before_it_is_sent(page: Page) -> None:
    page.keyboard.type("30")
    page.wait_for_selector("#result .urgency")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Body temperature").fill("98,6")
    place = page.locator("[data-pointer='/observations/temperature_c'] .error")
    expect(place).to_have_text("Expected 30 to 43 degrees Celsius")
    assert asked == []
    with _sent(page) as request:
        page.get_by_label("Body temperature").fill("38,6")
    assert request.value.post_data_json["observations"] == {"temperature_c": 38.6}


def test_a_closed_service_shows_its_page_and_asks_for_a_key_that_stays_in_memory(
    context: BrowserContext, knowledge: Knowledge, engine: Engine
) -> None:
    key = api_key("clinic", "right-key", "assess", "knowledge")
    app = create_app(knowledge, engine, dataclasses.replace(Settings(), api_keys=(key,)))
    with serving(app) as closed:
        page = context.new_page()
        page.goto(closed)
        page.fill("#key", "wrong-key")
        page.keyboard.press("Enter")
        expect(page.locator("dialog .error")).to_contain_text("does not accept")
        page.keyboard.press("Escape")
        expect(page.locator("#trouble")).to_contain_text("Without a key")
        page.get_by_role("button", name="Enter a key").click()
        page.fill("#key", "right-key")
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator("#age")).to_be_focused()
        page.keyboard.type("52")
        expect(page.locator("#level")).to_be_visible()
        assert "right-key" not in _kept(page) + page.content()


# What leaves the page, and what stays


def _kept(page: Page) -> str:
    """Whatever a browser keeps of a page, as text."""
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.length])")
    return f"{stored} {page.url} {json.dumps(page.context.storage_state())}"


def test_nothing_of_the_person_is_kept_or_asked_of_another_place(context: BrowserContext, base: str) -> None:
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    ready(page, base)
    before = _kept(page)
    example(page, SCIATICA)
    page.get_by_role("combobox", name="Medicines").fill("moonflower")
    page.keyboard.press("Enter")
    page.click("#result .condition summary >> nth=0")
    for view in ("knowledge", "api", "assessment"):
        page.click(f"[data-view={view}]")
    page.wait_for_load_state("networkidle")
    assert _kept(page) == before
    assert {url[: len(base)] for _, url in asked} == {base}
    assert all(
        re.fullmatch(r"(console/[\w.]+)?|v1/[\w-]+(\?(detail=form|leaflet=true))?", url[len(base) :])
        for _, url in asked
    )
    assert {url[len(base) :] for method, url in asked if method == "POST"} == {"v1/assessments?leaflet=true"}
    page.click("#clear")
    assert page.input_value("#age") == ""
    assert page.inner_text("#result") == ""
    assert "moonflower" not in page.content()


def test_the_record_is_copied_as_text_or_shown_to_be_copied_by_hand(page: Page) -> None:
    example(page, SCIATICA)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.click("#copy")
    text = page.input_value("#text")
    for words in ("URGENCY", "At least: Routine", "47 years, Female", "DIFFERENTIAL", "Disc herniation", "Ibuprofen"):
        assert words in text
    assert page.evaluate("[text.selectionStart, text.selectionEnd]") == [0, len(text)]
    page.keyboard.press("Escape")


def test_a_second_patient_starts_from_nothing(page: Page) -> None:
    example(page, SCIATICA)
    expect(page.locator(".moved")).to_have_count(0)
    with _sent(page) as request:
        page.select_option("#examples", EMERGENCY)
    assert request.value.post_data_json["patient"]["age_years"] == 30
    assert "observations" not in request.value.post_data_json
    expect(page.locator("#level")).to_have_text("Emergency")
    expect(page.locator(".changes")).to_have_count(0)


# For everyone


def _plain(page: Page) -> None:
    """As it comes."""


def _answered(page: Page) -> None:
    example(page, SCIATICA)
    for place in ("#result .condition >> nth=0", "#result .entry.excluded >> nth=0", "#must-ask", "[data-key=leaflet]"):
        summary = page.locator(place).locator("summary").first
        if summary.count():
            summary.click()
    page.locator("#findings .browse > summary").filter(has_text="Tests").click()


def _emergency(page: Page) -> None:
    example(page, EMERGENCY)


def _refused(page: Page) -> None:
    page.fill("#age", "300")
    page.wait_for_selector(".trouble")


def _stale(page: Page) -> None:
    example(page, SCIATICA)
    page.route(ASSESS, lambda route: route.abort())
    page.fill("#age", "48")
    page.wait_for_selector(".stale .urgency")


def _typing(page: Page) -> None:
    page.get_by_role("combobox", name="Find a symptom").fill("pain")


def _confirming(page: Page) -> None:
    page.fill("#age", "50")
    page.wait_for_selector("#result .urgency")
    page.get_by_role("button", name="Answer the other").click()


def _knowledge(page: Page) -> None:
    page.click("[data-view=knowledge]")
    page.wait_for_selector(".plot")


def _integration(page: Page) -> None:
    example(page, SCIATICA)
    page.click("[data-view=api]")


STATES = (_plain, _answered, _emergency, _refused, _stale, _typing, _confirming, _knowledge, _integration)


@with_axe
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 360)])
def test_axe_finds_nothing_in_any_state(browser: Browser, base: str, scheme: Any, width: int) -> None:
    found = {}
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    for state in STATES:
        page = ready(context.new_page(), base)
        state(page)
        if wrong := complaints(page):
            found[state.__name__] = wrong
        page.close()
    context.close()
    assert found == {}


def test_a_phone_of_360_pixels_shows_it_all_without_scrolling_sideways_and_with_large_enough_targets(
    browser: Browser, base: str
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    for state in STATES:
        page = ready(context.new_page(), base)
        state(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, state.__name__
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, select, input, summary")].filter((each) => {
            const {width, height} = each.getBoundingClientRect();
            const own = each.closest(".segmented, .check") === null;  // there the label is the target
            return own && each.checkVisibility() && (width < 24 || height < 24);
            }).map((each) => each.outerHTML.slice(0, 100))"""
        )
        assert small == [], state.__name__
        page.close()
    context.close()


def test_the_root_levels_are_read_from_what_the_answer_says(page: Page) -> None:
    said = {
        "most consistent with L2 to L4 (upper lumbar roots), LR 7 (2.3-21)": ["L2", "L3", "L4"],
        "most consistent with L5 (usual disc L4-5), LR 1.74 (1.04-2.93)": ["L5"],
        "most consistent with S1 (usual disc L5-S1), LR 1.29": ["S1"],
        "": [],
    }
    for text, roots in said.items():
        found = page.evaluate("text => import('/console/pictures.js').then(({roots}) => [...roots(text)])", text)
        assert found == roots, text
    example(page, SCIATICA)
    assert page.locator(".sketch svg").get_attribute("aria-label") is not None
