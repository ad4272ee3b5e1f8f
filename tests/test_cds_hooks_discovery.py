"""CDS Hooks: what services there are, and the rules of HTTP below /cds-services (checks D1 to D8, H1 to H4)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.cds_hooks import Discovery
from service import create_app
from service.settings import Settings
from tests.hooks import SERVICES, body, post, refused

TOKENS = {
    "patient-view": {"userId", "patientId", "encounterId"},
    "encounter-start": {"userId", "patientId", "encounterId"},
    "order-select": {"userId", "patientId", "encounterId"},
    "order-sign": {"userId", "patientId", "encounterId"},
}
"""Root fields of each context that hold one value: what a template may name (CDS Hooks 2.0)."""
TOKEN_PARAMETERS = {"category", "status", "clinical-status", "code"}


@pytest.fixture(scope="module")
def services(client: FlaskClient) -> list[dict[str, Any]]:
    """The services as discovery lists them."""
    response = client.get("/cds-services")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    found: list[dict[str, Any]] = response.get_json()["services"]
    return found


def test_d1_d2_discovery_is_json_with_a_list_of_services(client: FlaskClient, services: list[dict[str, Any]]) -> None:
    assert client.get("/cds-services").get_json().keys() == {"services"}
    assert {service["hook"]: service["id"] for service in services} == SERVICES
    assert Discovery().validate({"services": services}) == {}


def test_d3_d4_fields_are_texts_that_are_not_empty(services: list[dict[str, Any]]) -> None:
    for service in services:
        assert {"hook", "id", "title", "description", "usageRequirements", "version"} <= service.keys()
        assert all(isinstance(value, str) and value.strip() for key, value in service.items() if key != "prefetch")
        assert service["prefetch"]
        assert all(isinstance(template, str) and template for template in service["prefetch"].values())


def test_d5_templates_use_only_what_every_ehr_can_do(services: list[dict[str, Any]]) -> None:
    """A read or a type search; one value for a token; _count and _sort; root fields of the context of the hook."""
    for service in services:
        for key, template in service["prefetch"].items():
            named = set(re.findall(r"{{context\.(\w+)}}", template))
            assert named
            assert named <= TOKENS[service["hook"]], key
            assert "{{" not in re.sub(r"{{context\.\w+}}", "", template)
            parts = urlsplit(re.sub(r"{{context\.\w+}}", "X", template))
            if not parts.query:
                assert re.fullmatch(r"[A-Z]\w+/X", parts.path)
                continue
            assert re.fullmatch(r"[A-Z]\w+", parts.path)
            for name, value in parse_qsl(parts.query, strict_parsing=True):
                assert name in {"patient", "_count", "_sort"} | TOKEN_PARAMETERS, template
                assert "," not in value, "a list of values is more than every EHR can do"


def test_d5_only_a_hook_that_must_have_an_encounter_or_can_do_without_names_one(
    services: list[dict[str, Any]],
) -> None:
    naming = {service["hook"] for service in services if "encounter" in service["prefetch"]}
    assert naming == {"patient-view", "encounter-start"}


def test_d6_each_id_is_safe_in_a_path_and_leads_to_the_service(
    client: FlaskClient, services: list[dict[str, Any]]
) -> None:
    for service in services:
        assert re.fullmatch(r"[a-z0-9-]+", service["id"])
        assert post(client, body(service["hook"]), service["id"]).status_code == 200


def test_d7_the_version_is_a_semantic_one(services: list[dict[str, Any]]) -> None:
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", service["version"]) for service in services)


def test_d8_ids_and_hooks_stand_once(services: list[dict[str, Any]]) -> None:
    for key in ("id", "hook"):
        assert len({service[key] for service in services}) == len(services) == 4


def test_a_service_says_that_no_card_is_no_all_clear(services: list[dict[str, Any]]) -> None:
    for service in services:
        said = service["description"] + service["usageRequirements"]
        assert "no card does not mean that nothing is wrong" in said or "not judged" in said


# HTTP


def test_h1_a_listed_origin_is_let_in_exactly_and_no_other(knowledge: Knowledge, engine: Engine) -> None:
    app = create_app(knowledge, engine, Settings(cors_origins=frozenset({"https://ehr.example"})))
    client = app.test_client()
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    for path in ("/cds-services", "/cds-services/lumbar-patient-view", "/cds-services/lumbar-patient-view/feedback"):
        answer = client.options(path, headers={"Origin": "https://ehr.example", **asks})
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "https://ehr.example"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
        for other in ("https://ehr.example.evil", "http://ehr.example", "https://EHR.example", "null"):
            answer = client.options(path, headers={"Origin": other, **asks})
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Origin" in answer.headers["Vary"]
    answer = client.get("/cds-services", headers={"Origin": "https://ehr.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://ehr.example"


@pytest.mark.parametrize("path", ["/cds-services/lumbar-patient-view", "/cds-services/lumbar-patient-view/feedback"])
def test_h2_another_media_type_is_refused(client: FlaskClient, path: str) -> None:
    assert "application/json" in refused(client.post(path, data=b"{}", content_type="text/plain"), 415)


def test_h3_a_chart_of_two_megabytes_is_read_and_a_larger_one_refused(client: FlaskClient) -> None:
    sent = body(extension={"padding": "x" * 1_900_000})
    assert post(client, sent).status_code == 200
    sent["extension"]["padding"] *= 2
    assert "2048 KB" in refused(post(client, sent), 413)


def test_h4_other_methods_are_refused_and_head_has_no_body(client: FlaskClient) -> None:
    head = client.head("/cds-services")
    assert (head.status_code, head.get_data()) == (200, b"")
    assert client.options("/cds-services").status_code == 200
    for path, allowed in (("/cds-services", "GET"), ("/cds-services/lumbar-order-sign", "POST")):
        other = client.delete(path)
        refused(other, 405)
        assert allowed in other.headers["Allow"]


def test_an_unknown_service_is_named_as_such(client: FlaskClient) -> None:
    for path in ("/cds-services/nobody", "/cds-services/nobody/feedback"):
        assert "lumbar-patient-view" in refused(client.post(path, json={}), 404)
