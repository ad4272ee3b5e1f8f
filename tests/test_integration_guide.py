"""docs/integration.md: what it says to send is answered, and what it says of the cards holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rules.knowledge import Knowledge
from service.settings import Settings

PAGE = (Path(__file__).parent.parent / "docs" / "integration.md").read_text(encoding="utf-8")
CURLS = re.findall(r"<!-- try (\w+) (\S+) -->\n```\n(.*?)\n```", PAGE, re.DOTALL)


def _send(client: FlaskClient, text: str) -> Any:
    """The response to a curl of the page."""
    found = re.search(r"http://127\.0\.0\.1:8000([^\s']+)", text)
    assert found
    data = re.search(r"-d '\n(.*)'$", text, re.DOTALL)
    if data is None:
        return client.get(found[1])
    kind = re.search(r"Content-Type: ([\w/+]+)", text)
    assert kind
    assert json.loads(data[1])
    return client.post(found[1], data=data[1], content_type=kind[1])


@pytest.mark.parametrize(("method", "path", "text"), CURLS, ids=[path for _, path, _ in CURLS])
def test_each_curl_of_the_guide_is_answered(client: FlaskClient, method: str, path: str, text: str) -> None:
    assert path in text
    assert ("-d '" in text) == (method == "POST")
    response = _send(client, text)
    assert response.status_code == 200, response.get_data(as_text=True)


def test_the_cards_of_the_guide_are_those_that_it_speaks_of(client: FlaskClient) -> None:
    texts = {path: text for _, path, text in CURLS}
    (numb,) = _send(client, texts["/cds-services/lumbar-patient-view"]).get_json()["cards"]
    (drug,) = _send(client, texts["/cds-services/lumbar-order-sign"]).get_json()["cards"]
    assert numb["summary"] == "Emergency: New saddle numbness"
    assert drug["summary"] == "Ibuprofen is excluded here: Oral anticoagulant or heparin"


def test_every_route_of_cds_hooks_and_fhir_has_a_curl(app: Flask) -> None:
    rooms = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(("/cds-services", "/fhir"))]
    tried = [path for _, path, _ in CURLS]
    shapes = [re.sub(r"<\w+>", "[^/]+", re.escape(rule).replace(r"\<", "<").replace(r"\>", ">")) for rule in rooms]
    assert len(shapes) >= 6
    assert [shape for shape in shapes if not any(re.fullmatch(shape, path) for path in tried)] == []


def test_the_guide_names_each_service_level_and_setting(knowledge: Knowledge) -> None:
    for service in knowledge.cards.services:
        assert f"| `{service.id}` | `{service.hook}` |" in PAGE
    for level in knowledge.cards.levels.values():
        row = next(line for line in PAGE.splitlines() if f"`{level.word}: ...`" in line)
        assert f"| {level.indicator} |" in row
    block = re.findall(r"^(LUMBAR_\w+)='(.*)'$", PAGE, re.MULTILINE)
    read = Settings.read(dict(block))
    assert read.issuer_lifetimes == {"https://ehr.example/fhir": 900}
    assert (read.public_url, read.console_url) == ("https://lumbar.example", "https://lumbar.example/console")
