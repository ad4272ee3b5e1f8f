"""GET /docs: everything of the contract on one page, without script or anything from outside, and escaped."""

from __future__ import annotations

import re
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient

from service import reference
from service.contract import EXAMPLE
from tests.presentations import PATH


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [value for _, found in self.tags if (value := found.get(attribute))]


@pytest.fixture(scope="module")
def html(client: FlaskClient) -> str:
    return client.get("/docs").get_data(as_text=True)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


@pytest.mark.parametrize(("path", "kind"), [("/docs", "text/html"), ("/docs/style.css", "text/css")])
def test_the_page_may_load_its_own_style_and_nothing_else(client: FlaskClient, path: str, kind: str) -> None:
    response = client.get(path)
    assert response.content_type == f"{kind}; charset=utf-8"
    policy = {part.split()[0]: part.split()[1:] for part in response.headers["Content-Security-Policy"].split(";")}
    assert policy.pop("style-src") == ["'self'"]
    assert policy.keys() == {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert {*map(tuple, policy.values())} == {("'none'",)}
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_holds_no_script_no_inline_style_and_nothing_from_outside(page: Page, client: FlaskClient) -> None:
    assert {tag for tag, _ in page.tags} & {
        "script",
        "style",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
    } == set()
    attributes = {name for _, found in page.tags for name in found}
    assert not any(name.startswith("on") or name in ("style", "src") for name in attributes)
    pages = [link for link in page.all("href") if not link.startswith("#")]
    assert {*pages} == {"docs/style.css", "openapi.json"}
    assert all(client.get(f"/{link}").status_code == 200 for link in pages)
    style = client.get("/docs/style.css").get_data(as_text=True)
    assert "url(" not in style
    assert "@import" not in style


def test_every_tag_is_closed_and_every_link_inside_the_page_has_its_place(page: Page) -> None:
    assert page.open == []
    ids = page.all("id")
    assert len(ids) == len({*ids})
    assert {link[1:] for link in page.all("href") if link.startswith("#")} <= {*ids}


def test_every_route_parameter_field_description_and_error_of_the_contract_is_on_it(
    page: Page, html: str, document: dict[str, Any]
) -> None:
    text = " ".join(page.text.split())
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"{method} {path}" in text
            assert operation["operationId"] in page.all("id")
            said = [operation["summary"], operation["description"]]
            said += [parameter["description"] for parameter in operation.get("parameters", ())]
            said += [answer["description"] for answer in operation["responses"].values()]
            assert [each for each in said if " ".join(each.split()) not in text] == []
    for name, schema in document["components"]["schemas"].items():
        assert name in page.all("id")
        for key, field in schema["properties"].items():
            assert key in text
            assert " ".join(field["description"].split()) in text
    for status in ("400", "404", "413", "415", "422", "500", "503"):
        assert f"<code>{status}</code>" in html


def test_the_example_and_what_the_service_answers_stand_on_it(page: Page, client: FlaskClient) -> None:
    answer = client.post(f"{PATH}?detail=summary", json=EXAMPLE).get_json()
    assert reference._pretty(EXAMPLE) in page.text
    assert reference._pretty(answer) in page.text


def test_text_of_the_contract_is_escaped(document: dict[str, Any]) -> None:
    bad = "<script>alert(1)</script>\"'&"
    changed = deepcopy(document)
    changed["info"]["title"] = bad
    changed["tags"][0]["description"] = bad
    operation = changed["paths"][PATH]["post"]
    operation["summary"] = operation["description"] = operation["parameters"][0]["description"] = bad
    operation["responses"]["422"]["description"] = bad
    changed["components"]["schemas"]["Problem"]["properties"]["detail"] |= {"description": bad, "examples": [bad]}
    changed["components"]["schemas"]["Patient"]["properties"]["sex"]["enum"] = [bad]
    html = reference.render(changed, {"findings": {bad: "present"}}, {"notices": [bad]})
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 9
    assert Page(html).open == []


def test_an_operation_that_is_deprecated_is_said_to_be(document: dict[str, Any], html: str) -> None:
    changed = deepcopy(document)
    changed["paths"]["/v1/gates"]["get"]["deprecated"] = True
    assert reference.render(changed, {}, {}).count("Deprecated:") == 1 + html.count("Deprecated:")


def test_the_page_fits_a_narrow_screen_in_the_dark(client: FlaskClient, html: str) -> None:
    """Tables fall apart into blocks on a narrow screen; the colours follow the reader's choice."""
    style = client.get("/docs/style.css").get_data(as_text=True)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "color-scheme: light dark" in style
    names = re.findall(r"(--\w+):", style)
    assert {name: names.count(name) for name in names} == dict.fromkeys(names, 2), "each colour has its dark one"
    assert re.search(r"@media \(max-width: 40rem\) {[^@]*td { display: block", style)
    assert "overflow-wrap: anywhere" in style
    assert len(html) < 400_000
