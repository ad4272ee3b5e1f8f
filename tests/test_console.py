"""GET /: the console is served whole, to everyone, from this origin alone, and has a text for whatever it says."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.knowledge import GRADES, LEVELS, SEVERITIES, STATUSES
from service import console, create_app
from service.settings import Settings
from tests.console import CHOSEN, FILE, examples, text
from tests.credentials import api_key

SCRIPTS = {name: file.read_text(encoding="utf-8") for name, file in console.files().items() if name.endswith(".js")}
TEXTS: dict[str, str] = json.loads((console.HERE / "text" / "en.json").read_text(encoding="utf-8"))
PAGE = (console.HERE / "page.html").read_text(encoding="utf-8")


def test_the_page_may_load_scripts_styles_and_answers_of_its_own_origin_and_nothing_else(client: FlaskClient) -> None:
    for path in ("/", *(f"/console/{name}" for name in console.files())):
        response = client.get(path)
        assert response.status_code == 200
        policy = {part.split()[0]: part.split()[1:] for part in response.headers["Content-Security-Policy"].split(";")}
        for name in ("script-src", "style-src", "img-src", "connect-src"):
            assert policy.pop(name) == ["'self'"]
        assert policy.pop("require-trusted-types-for") == ["'script'"]
        assert policy.keys() == {"default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types"}
        assert {*map(tuple, policy.values())} == {("'none'",)}
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"


class _Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, found: list[tuple[str, dict[str, str | None]]]) -> None:
        super().__init__()
        self.found = found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_holds_nothing_inline_and_loads_only_files_that_are_there(client: FlaskClient) -> None:
    found: list[tuple[str, dict[str, str | None]]] = []
    _Tags(found).feed(client.get("/").get_data(as_text=True))
    assert not any(name.startswith("on") or name == "style" for _, attributes in found for name in attributes)
    assert "style" not in {tag for tag, _ in found}
    loaded = [each.get("src") or each.get("href") for tag, each in found if tag in ("script", "link", "img")]
    assert loaded
    assert all(client.get(f"/{path}").status_code == 200 for path in loaded)
    imported = {name for script in SCRIPTS.values() for name in re.findall(r'from "\./(\w+\.js)"', script)}
    assert imported | {"app.js"} == {*SCRIPTS}, "each script is used"
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", "".join(SCRIPTS.values()) + PAGE) == []
    style = client.get("/console/style.css").get_data(as_text=True)
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_weighs_under_150_kb_without_its_picture(client: FlaskClient) -> None:
    names = [name for name in console.files() if not name.endswith(".svg")]
    assert sum(len(client.get(path).data) for path in ("/", *(f"/console/{name}" for name in names))) < 150_000


def test_a_file_that_is_not_there_is_a_problem_and_no_way_out_of_the_folder(client: FlaskClient) -> None:
    for name in ("nothing.js", "__init__.py", "page.html", "..%2f__init__.py", "%2e%2e/app.py"):
        response = client.get(f"/console/{name}")
        assert (response.status_code, response.content_type) == (404, "application/problem+json"), name


def test_a_closed_service_gives_the_page_to_everyone_and_the_knowledge_to_those_with_a_key(
    knowledge: Knowledge, engine: Engine
) -> None:
    settings = dataclasses.replace(Settings(), api_keys=(api_key("clinic", "secret", "assess", "knowledge"),))
    closed = create_app(knowledge, engine, settings).test_client()
    for path in ("/", *(f"/console/{name}" for name in console.files())):
        assert closed.get(path).status_code == 200, path
    assert closed.get("/v1/findings").status_code == 401
    assert closed.get("/v1/findings", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_the_examples_are_ten_published_cases_as_they_stand_and_are_answered(client: FlaskClient) -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "python -m tests.console"
    assert len({*CHOSEN}) == 10
    levels = set()
    for example in examples():
        response = client.post("/v1/assessments", json=example["request"])
        assert response.status_code == 200, example["id"]
        levels.add(response.get_json()["urgency"]["level"])
        assert example["source"]["url"].startswith("http")
    assert levels >= {"emergency", "urgent_same_day", "routine"}


# Texts


def _said() -> tuple[set[str], set[str]]:
    """The keys of texts that scripts and page name in full, and the beginnings of those that they put together."""
    code = "".join(SCRIPTS.values())
    whole = {*re.findall(r'\bt\("([\w.]+)"', code), *re.findall(r"""t\[["']([\w.]+)["']\]""", PAGE)}
    choices = re.findall(r"\bt\(([^()`]*?\?[^()`]*?)(?:,\s*{|\))", code)
    whole |= {key for choice in choices for key in re.findall(r'[?:]\s*"([\w.]+)"', choice)}
    whole |= {*re.findall(r'[?:]\s+"(error\.\w+)"', code)}
    begun = {
        *re.findall(r"\bt\(`([\w.]+\.)\$", code),
        *(f"{group}." for group in re.findall(r'\bword\(\s*"(\w+)"', code)),
    }
    begun |= {f"{group}." for group in re.findall(r'\b(?:choice|segmented)\([^,]+, (?:"\w+", )?"(\w+)", \[', code)}
    return whole, begun


def test_every_text_that_is_named_is_in_the_catalogue_and_every_one_of_it_is_used() -> None:
    whole, begun = _said()
    assert whole - {*TEXTS} == set()
    assert {start for start in begun if not any(key.startswith(start) for key in TEXTS)} == {"code."}
    suffixed = {key for key in TEXTS if re.fullmatch(r"(medications|allergies)\.(find|none|chosen)", key)}
    suffixed |= {key for key in TEXTS if re.fullmatch(r"api\.\w+(\.call)?|ledger\.(for|against)None", key)}
    suffixed |= {key for key in TEXTS if re.fullmatch(r"ledger\.(finding|lr|grade|sources)", key)}
    unused = {key for key in TEXTS if key not in whole and not key.startswith(tuple(begun))} - suffixed
    assert unused == set()


def test_every_code_of_an_answer_that_stands_as_a_mark_has_its_word(knowledge: Knowledge) -> None:
    codes: dict[str, Any] = {
        "level": LEVELS,
        "status": ("recommended", "consider", "caution", "not_yet", "excluded"),
        "grade": GRADES,
        "evidence": STATUSES,
        "answer": ("present", "absent", "unknown"),
        "key": ("present", "absent", "unknown"),
        "state": ("present", "absent"),
        "investigations": ("order", "consider", "do_not_order"),
        "likelihood": [step.word for step in knowledge.policy.reasoning.likelihood],
        "kind": {finding.kind for finding in knowledge.findings.values()},
        "setting": knowledge.fields["setting"].values,
        "sex": knowledge.fields["patient.sex"].values,
        "pregnancy": knowledge.fields["patient.pregnancy"].values,
        "mode": knowledge.fields["contact.mode"].values,
        "informant": knowledge.fields["contact.informant"].values,
        "response": knowledge.fields["treatments_tried.response"].values,
    }
    assert {f"{group}.{code}" for group, found in codes.items() for code in found} - {*TEXTS} == set()
    assert "critical" in SEVERITIES


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_script_reads_text_as_html_or_keeps_anything(name: str) -> None:
    html = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
    kept = r"localStorage|sessionStorage|indexedDB|\.cookie|pushState|replaceState|location\.hash"
    assert re.findall(f"{html}|{kept}", SCRIPTS[name]) == []


def test_every_colour_has_its_dark_one_and_motion_and_print_are_minded() -> None:
    style = (console.HERE / "style.css").read_text(encoding="utf-8")
    light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
    names = re.findall(r"(--[\w-]+):", light)
    assert len(names) > 20
    assert re.findall(r"(--[\w-]+):", dark.split("\n}\n")[0]) == names
    for media in ("print", "(forced-colors: active)", "(prefers-reduced-motion: no-preference)"):
        assert f"@media {media}" in style
