"""What is deprecated says so by headers and in the contract, as docs/versioning.md promises."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import create_app, openapi, versioning
from service.versioning import Deprecated

SINCE, SUNSET = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
END = Deprecated(SINCE, SUNSET, "https://example.org/changes")
TABLE = {("GET", "/v1/gates/{id}"): END, ("POST", "/v1/assessments"): END}


@pytest.fixture(scope="module")
def ending(knowledge: Knowledge, engine: Engine) -> FlaskClient:
    app: Flask = create_app(knowledge, engine)
    versioning.register(app, TABLE)
    return app.test_client()


@pytest.mark.parametrize("path", ["/v1/gates/G1", "/v1/gates/G1/", "/v1/gates/nothing"])
def test_every_answer_of_a_deprecated_operation_says_since_when_until_when_and_what_instead(
    ending: FlaskClient, path: str
) -> None:
    headers = ending.get(path).headers
    assert headers["Deprecation"] == "@1798761600"
    assert datetime.fromtimestamp(int(headers["Deprecation"][1:]), UTC) == SINCE
    assert parsedate_to_datetime(headers["Sunset"]) == SUNSET
    assert headers["Link"] == '<https://example.org/changes>; rel="deprecation"'
    assert "Deprecation" in ending.post("/v1/assessments", data=b"{").headers


@pytest.mark.parametrize("path", ["/v1/gates", "/v1/gates/G1/more", "/v1/conflicts/C01", "/v1/assessments", "/healthz"])
def test_no_other_answer_says_so(ending: FlaskClient, path: str) -> None:
    assert {"Deprecation", "Sunset", "Link"} & {*ending.get(path).headers.keys()} == set()


def test_the_contract_marks_what_is_deprecated_and_describes_the_headers(knowledge: Knowledge) -> None:
    paths = openapi.build(knowledge)["paths"]
    marked = [operation for item in paths.values() for operation in item.values() if operation.get("deprecated")]
    assert len(marked) == len(versioning.DEPRECATED)
    versioning.mark(paths, TABLE)
    operation = paths["/v1/gates/{id}"]["get"]
    assert operation["deprecated"] is True
    assert all(answer["headers"].keys() == versioning.HEADERS.keys() for answer in operation["responses"].values())
    assert "deprecated" not in paths["/v1/gates"]["get"]


def test_what_the_policy_prints_is_what_is_sent(ending: FlaskClient) -> None:
    text = (Path(__file__).parent.parent / "docs" / "versioning.md").read_text(encoding="utf-8")
    printed = dict(re.findall(r"`(Deprecation|Sunset): ([^`]+)`", text))
    sent = ending.get("/v1/gates/G1").headers
    assert printed == {name: sent[name] for name in ("Deprecation", "Sunset")}


def test_every_path_of_the_contract_is_versioned_but_those_of_operation(knowledge: Knowledge) -> None:
    paths = openapi.build(knowledge)["paths"]
    free = {path for path, item in paths.items() for found in item.values() if "operation" in found["tags"]}
    assert {path for path in paths if not path.startswith(("/v1/", "/fhir/R4/", "/cds-services"))} == free
