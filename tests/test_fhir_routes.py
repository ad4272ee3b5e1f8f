"""The FHIR routes: a chart in, the same answer as the native route out; every error an OperationOutcome."""

from __future__ import annotations

import datetime
import json
from random import Random
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

import service.fhir.routes
from rules.engine import Engine, EngineFault
from rules.knowledge import Knowledge
from service import create_app, telemetry
from service.openapi.fhir import EXAMPLE
from service.settings import Settings
from tests.credentials import api_key
from tests.fhir_bundles import OWN, bundle
from tests.presentations import PATH, cases

Json = dict[str, Any]

ROOT = "/fhir/R4"
ASSESS = f"{ROOT}/$assess"
QUESTIONNAIRE = f"{ROOT}/Questionnaire/lumbar-intake"
KIND = "application/fhir+json"
TODAY = datetime.datetime.now(datetime.UTC).date()


def _post(client: FlaskClient, value: Any, **more: Any) -> Any:
    return client.post(ASSESS, data=json.dumps(value), content_type=KIND, **more)


def _resources(answer: Json, kind: str) -> list[Json]:
    return [each["resource"] for each in answer["entry"] if each["resource"]["resourceType"] == kind]


def _issue(response: Any, status: int) -> Json:
    """The one issue of an error."""
    assert response.status_code == status
    assert response.content_type == KIND
    found = response.get_json()
    assert found["resourceType"] == "OperationOutcome"
    (issue,) = found["issue"]
    assert issue["severity"] == ("fatal" if status >= 500 else "error")
    return dict(issue)


def _patient(**more: Any) -> Json:
    return {"resource": {"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01", **more}}


def _said(answer: Json) -> tuple[Any, ...]:
    """What a Bundle concludes: level, whether it is final, and each condition with its probability."""
    output = {each["name"]: each for each in _resources(answer, "Parameters")[0]["parameter"]}
    predictions = _resources(answer, "RiskAssessment")[0]["prediction"]
    return (
        output["urgency"]["valueCode"],
        output["provisional"]["valueBoolean"],
        [(each["outcome"]["coding"][0]["code"], each["probabilityDecimal"]) for each in predictions],
    )


def _native(client: FlaskClient, request: Json) -> tuple[Any, ...]:
    answer = client.post(PATH, json=request).get_json()
    ranked = [(row["condition"], row["probability"]) for row in answer["differential"]]
    return answer["urgency"]["level"], answer["urgency"]["provisional"], ranked


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_published_case_as_a_chart_gets_the_answer_that_it_gets_natively(client: FlaskClient, case: Json) -> None:
    response = _post(client, bundle(case["request"], TODAY))
    assert (response.status_code, response.content_type) == (200, KIND)
    answer = response.get_json()
    assert (answer["resourceType"], answer["type"]) == ("Bundle", "collection")
    assert answer["entry"][0]["resource"]["resourceType"] == "GuidanceResponse"
    assert _said(answer) == _native(client, case["request"])
    assert {each["subject"]["reference"] for each in _resources(answer, "CarePlan")} == {"Patient/p1"}
    assert _resources(answer, "RiskAssessment")[0]["basis"]


def test_the_same_chart_gives_the_same_bytes_in_any_order_and_in_either_wrapping(client: FlaskClient) -> None:
    chart = bundle(cases()[0]["request"], TODAY)
    first = _post(client, chart).get_data()
    assert _post(client, chart).get_data() == first
    assert client.post(ASSESS, json=chart).get_data() == first
    shuffled = {**chart, "entry": Random(1).sample(chart["entry"], len(chart["entry"]))}
    assert _post(client, shuffled).get_data() == first
    single = {"resourceType": "Parameters", "parameter": [{"name": "resource", **each} for each in chart["entry"]]}
    whole = {"resourceType": "Parameters", "parameter": [{"name": "chart", "resource": chart}]}
    assert _post(client, single).get_data() == _post(client, whole).get_data() == first


def test_the_example_of_the_contract_is_a_sciatica(client: FlaskClient) -> None:
    assert _said(_post(client, EXAMPLE).get_json())[2][0][0] == "disc_herniation"


@pytest.mark.parametrize(("day", "young"), [((2026, 2, 28), True), ((2026, 3, 1), False)])
def test_the_age_counts_from_the_day_that_the_service_is_told(
    knowledge: Knowledge, engine: Engine, day: tuple[int, int, int], young: bool
) -> None:
    app = Flask("day")
    telemetry.register(app, knowledge)
    service.fhir.routes.register(app, knowledge, engine, lambda: datetime.date(*day))
    found = _post(app.test_client(), {"resourceType": "Bundle", "entry": [_patient(birthDate="2008-03-01")]})
    assert found.status_code == 200
    assert ("outside scope" in found.get_data(as_text=True)) is young


def test_a_patient_without_an_id_is_named_by_its_full_url_or_not_at_all(client: FlaskClient) -> None:
    person = {"resourceType": "Patient", "birthDate": "1970-01-01"}
    url = "urn:uuid:0f9f8a5e-3c2b-4f3e-9a1d-1d2f3c4b5a69"
    for entry, subject in (
        ({"resource": person, "fullUrl": url}, {"reference": url}),
        ({"resource": person}, {"type": "Patient", "display": "The Patient as sent"}),
        ({"resource": {**person, "id": "<b>x</b>"}}, {"type": "Patient", "display": "The Patient as sent"}),
    ):
        answer = _post(client, {"resourceType": "Bundle", "entry": [entry]}).get_json()
        assert _resources(answer, "GuidanceResponse")[0]["subject"] == subject


def test_what_is_not_used_is_listed_with_its_reason(client: FlaskClient) -> None:
    more = {"resource": {"resourceType": "ImagingStudy", "id": "i1", "subject": {"reference": "Patient/p1"}}}
    answer = _post(client, {"resourceType": "Bundle", "entry": [_patient(), more]}).get_json()
    (messages,) = _resources(answer, "OperationOutcome")
    assert [each for each in messages["issue"] if each["diagnostics"].startswith("ImagingStudy/i1: ")]
    (response,) = _resources(answer, "GuidanceResponse")
    assert [each["reference"] for each in response["evaluationMessage"]] == [f"urn:uuid:{messages['id']}"]


# The questionnaire, there and back


def _items(item: Json) -> Any:
    for inner in item.get("item", ()):
        yield inner
        yield from _items(inner)


def test_the_answers_to_the_questionnaire_give_the_native_answer(client: FlaskClient) -> None:
    """Each answer is one of the options that the item itself offers, or a decimal."""
    response = client.get(QUESTIONNAIRE)
    assert (response.status_code, response.content_type) == (200, KIND)
    asked = {item["linkId"]: item for item in _items(response.get_json())}
    for case in cases()[::6]:
        request = {
            key: case["request"][key]
            for key in ("patient", "setting", "episode", "screening", "findings", "observations")
            if key in case["request"]
        }
        person = {key: value for key, value in request["patient"].items() if key != "pregnancy"}
        flat = {**request.get("screening", {}), **request.get("findings", {}), **request.get("observations", {})}
        flat |= {f"episode.{key}": value for key, value in request.get("episode", {}).items()}
        flat |= {key: request[key] for key in ("setting",) if key in request}
        items = []
        for name, value in flat.items():
            options = [option["valueCoding"] for option in asked[name].get("answerOption", ())]
            if options:
                items.append(
                    {"linkId": name, "answer": [{"valueCoding": next(o for o in options if o["code"] == value)}]}
                )
            else:
                assert asked[name]["type"] == "decimal"
                items.append({"linkId": name, "answer": [{"valueDecimal": value}]})
        reply = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": items}
        chart = bundle({"patient": person}, TODAY)
        chart["entry"].append({"resource": reply})
        assert _said(_post(client, chart).get_json()) == _native(client, {**request, "patient": person}), case["id"]


def test_what_is_asked_for_can_be_answered_by_its_own_code(client: FlaskClient) -> None:
    before = _post(client, {"resourceType": "Bundle", "entry": [_patient()]}).get_json()
    required = _resources(before, "GuidanceResponse")[0]["dataRequirement"]
    words = [
        code["code"] for each in required for code in each["codeFilter"][0]["code"] if not code["code"].startswith("F-")
    ]
    said = [
        {
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "effectiveDateTime": TODAY.isoformat(),
                "code": {"coding": [{"system": OWN, "code": word}]},
                "valueBoolean": False,
            }
        }
        for word in words
    ]
    after = _post(client, {"resourceType": "Bundle", "entry": [_patient(), *said]}).get_json()
    open_now = _resources(after, "GuidanceResponse")[0].get("dataRequirement", [])
    assert len(required) > 10
    assert len([each for each in open_now if each in required]) < 3


# What is refused


def test_a_second_patient_stops_the_request_and_is_named_by_its_place(client: FlaskClient) -> None:
    other = {"resource": {"resourceType": "Observation", "id": "x9", "subject": {"reference": "Patient/p2"}}}
    response = _post(client, {"resourceType": "Bundle", "entry": [_patient(), other]})
    issue = _issue(response, 422)
    assert issue["expression"] == ["Bundle.entry[1].resource"]
    assert "p2" not in response.get_data(as_text=True)
    assert "x9" not in response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ({"resourceType": "Bundle"}, ["Bundle.descendants().ofType(Patient).birthDate"]),
        (
            {"resourceType": "Bundle", "entry": [_patient(birthDate="soon")]},
            ["Bundle.descendants().ofType(Patient).birthDate"],
        ),
        ({"resourceType": "Parameters"}, ["Parameters.descendants().ofType(Patient).birthDate"]),
        ({"resourceType": "Bundle", "entry": {}}, ["Bundle.entry"]),
        ({"resourceType": "Parameters", "parameter": "x"}, ["Parameters.parameter"]),
        ({"resourceType": "Patient", "birthDate": "1970-01-01"}, ["resourceType"]),
        ({}, ["resourceType"]),
        ([], ["resourceType"]),
        ("Bundle", ["resourceType"]),
    ],
)
def test_what_holds_no_person_with_an_age_is_refused_with_the_place(
    client: FlaskClient, value: Any, places: list[str]
) -> None:
    issue = _issue(_post(client, value), 422)
    assert issue["code"] == "invalid"
    assert issue["expression"] == places


def test_more_resources_than_are_read_are_refused(client: FlaskClient) -> None:
    entries = [_patient(), *[{"resource": {"resourceType": "Basic"}}] * 1999]
    assert _post(client, {"resourceType": "Bundle", "entry": entries}).status_code == 200
    assert (
        _issue(_post(client, {"resourceType": "Bundle", "entry": [*entries, entries[-1]]}), 413)["code"] == "too-long"
    )


def test_a_chart_may_be_longer_than_a_native_request_up_to_two_megabytes(client: FlaskClient) -> None:
    text = json.dumps({"resourceType": "Bundle", "entry": [_patient()]})
    for size, status in ((2 * 1024 * 1024, 200), (2 * 1024 * 1024 + 1, 413)):
        assert client.post(ASSESS, data=text + " " * (size - len(text)), content_type=KIND).status_code == status


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        ("{", KIND, 400, "structure"),
        ("", KIND, 400, "structure"),
        ("{}", "text/plain", 415, "not-supported"),
        ("<Bundle/>", "application/fhir+xml", 415, "not-supported"),
    ],
)
def test_what_is_no_json_is_refused_as_an_operation_outcome(
    client: FlaskClient, data: str, kind: str, status: int, code: str
) -> None:
    assert _issue(client.post(ASSESS, data=data, content_type=kind), status)["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", ASSESS, 405, "not-supported"),
        ("POST", QUESTIONNAIRE, 405, "not-supported"),
        ("GET", f"{ROOT}/Patient/1", 404, "not-found"),
        ("GET", "/fhir", 404, "not-found"),
    ],
)
def test_what_is_no_route_below_fhir_is_an_operation_outcome(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    assert _issue(client.open(path, method=method), status)["code"] == code


@pytest.mark.parametrize("path", ["/fhirx", "/v1/nothing", "/nothing"])
def test_elsewhere_an_error_stays_a_problem_document(client: FlaskClient, path: str) -> None:
    assert client.get(path).content_type == "application/problem+json"


def test_an_engine_that_fails_concludes_nothing(knowledge: Knowledge) -> None:
    class Broken:
        broken = None

        def fire(self, *_: object) -> Any:
            raise EngineFault("assert_fact returned 77")

    failing = create_app(knowledge, cast(Engine, Broken())).test_client()
    issue = _issue(_post(failing, EXAMPLE), 503)
    assert issue["diagnostics"] == knowledge.policy.texts["not_assessed"]
    assert issue["code"] == "transient"


def test_a_defect_is_an_operation_outcome_too(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(knowledge, engine)
    monkeypatch.setattr(service.fhir.routes, "assess", lambda *_: dict[str, Any]()["quillfeather"])
    response = _post(app.test_client(), EXAMPLE)
    assert _issue(response, 500)["code"] == "exception"
    assert "quillfeather" not in response.get_data(as_text=True)


# Who may ask


def test_each_route_needs_its_scope_and_the_capabilities_need_none(knowledge: Knowledge, engine: Engine) -> None:
    keys = (api_key("ehr", "key-of-ehr", "assess"), api_key("reader", "key-of-reader", "knowledge"))
    asking = create_app(knowledge, engine, Settings(api_keys=keys)).test_client()
    ehr, reader = ({"X-API-Key": name} for name in ("key-of-ehr", "key-of-reader"))
    assert asking.get(f"{ROOT}/metadata").status_code == 200
    assert _issue(_post(asking, EXAMPLE), 401)["code"] == "login"
    assert _issue(_post(asking, EXAMPLE, headers=reader), 403)["code"] == "forbidden"
    assert _post(asking, EXAMPLE, headers=ehr).status_code == 200
    assert _issue(asking.get(QUESTIONNAIRE, headers=ehr), 403)["code"] == "forbidden"
    assert asking.get(QUESTIONNAIRE, headers=reader).status_code == 200
    assert _issue(asking.get("/fhir/R4/nothing"), 401)["code"] == "login"


def test_the_rate_limit_counts_charts(knowledge: Knowledge, engine: Engine) -> None:
    asking = create_app(knowledge, engine, Settings(rate_limit="1 per hour")).test_client()
    assert _post(asking, EXAMPLE).status_code == 200
    response = _post(asking, EXAMPLE)
    assert _issue(response, 429)["code"] == "throttled"
    assert int(response.headers["Retry-After"]) > 0


def test_the_capabilities_are_the_routes_that_there_are(client: FlaskClient) -> None:
    response = client.get(f"{ROOT}/metadata")
    assert (response.status_code, response.content_type) == (200, KIND)
    (rest,) = response.get_json()["rest"]
    promised = {f"{ROOT}/{each['type']}/lumbar-intake" for each in rest["resource"]}
    promised |= {f"{ROOT}/${each['name']}" for each in rest["operation"]} | {f"{ROOT}/metadata"}
    rules = {rule.rule for rule in client.application.url_map.iter_rules()}
    assert promised == {rule for rule in rules if rule.startswith("/fhir")}
    assert response.get_json()["fhirVersion"] == "4.0.1"
