"""CDS Hooks: what a call must be, and what becomes of each way in which a prefetch can come (checks R1 to R9)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hooks import (
    SERVICES,
    back_pain,
    body,
    cards,
    chart,
    drug,
    finding,
    patient,
    post,
    refused,
    request,
    searchset,
    taking,
)

NUMB = finding("saddle_anaesthesia")
AUTHORIZATION = {
    "access_token": "opaque",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.read",
    "subject": "lumbar",
}


def _without(sent: dict[str, Any], *path: str) -> dict[str, Any]:
    changed = deepcopy(sent)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return changed


def _with(sent: dict[str, Any], value: Any, *path: str) -> dict[str, Any]:
    changed = deepcopy(sent)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


# R1 to R6: the message


@pytest.mark.parametrize("field", ["hook", "hookInstance", "context"])
def test_r1_a_call_without_a_required_field_is_refused_with_its_name(client: FlaskClient, field: str) -> None:
    response = post(client, _without(body(), field), SERVICES["patient-view"])
    assert f"/{field}" in refused(response, 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hook", "patient-views"),
        ("hook", 1),
        ("hookInstance", "1"),
        ("hookInstance", "d1577c69-dfbe-44ad-ba6d-3e05e953b2eg"),
        ("hookInstance", "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea\n"),
        ("hookInstance", None),
        ("context", []),
        ("context", "patient"),
        ("prefetch", []),
        ("fhirServer", 7),
    ],
)
def test_r1_a_field_that_is_not_what_it_should_be_is_refused_with_its_name(
    client: FlaskClient, field: str, value: Any
) -> None:
    response = post(client, _with(body(), value, field), SERVICES["patient-view"])
    assert f"/{field}" in refused(response, 400)


@pytest.mark.parametrize("sent", ["[]", '"call"', "null", "1", "{", ""])
def test_r1_what_is_no_object_is_refused(client: FlaskClient, sent: str) -> None:
    response = client.post("/cds-services/lumbar-patient-view", data=sent, content_type="application/json")
    refused(response, 400)


def test_r2_an_authorization_needs_its_server_and_all_its_fields(client: FlaskClient) -> None:
    whole = body(fhirServer="https://ehr.example/fhir", fhirAuthorization=AUTHORIZATION)
    assert post(client, whole).status_code == 200
    assert "fhirServer" in refused(post(client, _without(whole, "fhirServer")), 400)
    for field in AUTHORIZATION:
        assert field in refused(post(client, _without(whole, "fhirAuthorization", field)), 400)


@pytest.mark.parametrize(
    ("hook", "field"),
    [
        *((hook, field) for hook in SERVICES for field in ("userId", "patientId")),
        ("encounter-start", "encounterId"),
        ("order-select", "draftOrders"),
        ("order-select", "selections"),
        ("order-sign", "draftOrders"),
    ],
)
def test_r3_a_context_without_a_required_field_is_refused_with_its_name(
    client: FlaskClient, hook: str, field: str
) -> None:
    assert f"/context/{field}" in refused(post(client, _without(body(hook), "context", field)), 400)


@pytest.mark.parametrize(
    ("hook", "field", "value"),
    [
        ("patient-view", "patientId", ""),
        ("patient-view", "patientId", "a/b"),
        ("patient-view", "encounterId", 3),
        ("order-select", "selections", "MedicationRequest/1"),
        ("order-select", "selections", [1]),
        ("order-select", "draftOrders", []),
        ("order-sign", "draftOrders", {"resourceType": "Patient"}),
    ],
)
def test_r3_a_field_of_the_context_has_its_type(client: FlaskClient, hook: str, field: str, value: Any) -> None:
    assert f"/context/{field}" in refused(post(client, _with(body(hook), value, "context", field)), 400)


@pytest.mark.parametrize("hook", SERVICES)
def test_r4_the_user_is_one_of_the_kinds_that_the_hook_allows(client: FlaskClient, hook: str) -> None:
    allowed = {"Practitioner", "PractitionerRole"} | ({"Patient", "RelatedPerson"} if hook == "patient-view" else set())
    for kind in ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Device"):
        response = post(client, _with(body(hook), f"{kind}/1", "context", "userId"))
        assert (response.status_code == 200) == (kind in allowed), kind
    refused(post(client, _with(body(hook), "1", "context", "userId")), 400)


def test_r5_fields_that_are_not_known_are_left_alone(client: FlaskClient) -> None:
    plain = post(client, body(prefetch=chart(NUMB)))
    more = body(prefetch=chart(NUMB), extension={"com.example": {"deep": [1]}}, somethingNew=True)
    more["context"]["more"] = {"a": None}
    more["prefetch"]["another"] = {"resourceType": "Patient", "id": "someone-else"}
    assert post(client, more).get_data() == plain.get_data()


def test_r6_a_hook_that_is_not_that_of_the_service_is_refused(client: FlaskClient) -> None:
    said = refused(post(client, body("patient-view"), SERVICES["order-sign"]), 400)
    assert "order-sign" in said


# R7 to R9: the prefetch


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(..., id="absent"),
        pytest.param(None, id="null"),
        pytest.param({"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}, id="failed"),
        pytest.param(searchset(patient()), id="searchset"),
        pytest.param(searchset(), id="empty searchset"),
        pytest.param({"resourceType": "Condition"}, id="wrong resource"),
        pytest.param("Patient", id="wrong type"),
        pytest.param([patient()], id="list"),
    ],
)
@pytest.mark.parametrize("hook", SERVICES)
def test_r7_r8_without_the_patient_the_call_is_refused_and_the_key_is_named(
    client: FlaskClient, hook: str, value: Any
) -> None:
    sent = body(hook, fhirServer="http://127.0.0.1:9/fhir")
    del sent["prefetch"]["patient"]
    if value is not ...:
        sent["prefetch"]["patient"] = value
    response = post(client, sent)
    assert "prefetch.patient" in refused(response, 412)
    assert response.get_json()["issue"][0]["expression"] == ["prefetch.patient"]


def test_r7_no_prefetch_at_all_is_the_same(client: FlaskClient) -> None:
    sent = _without(body(), "prefetch")
    assert "prefetch.patient" in refused(post(client, sent), 412)


@pytest.mark.parametrize("born", [None, "", "19", "soon"])
def test_r7_a_patient_without_a_birth_date_is_refused(client: FlaskClient, born: Any) -> None:
    sent = body()
    sent["prefetch"]["patient"] = patient(born) if born is not None else _without(patient(), "birthDate")
    assert "prefetch.patient" in refused(post(client, sent), 412)


FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(..., None, id="absent"),
        pytest.param(None, None, id="null"),
        pytest.param(searchset(), None, id="empty searchset"),
        pytest.param({"resourceType": "Bundle", "type": "searchset", "total": 0}, None, id="searchset without entry"),
        pytest.param(searchset(taking("omeprazole")), None, id="searchset"),
        pytest.param(
            searchset(taking("omeprazole"), link=[{"relation": "next", "url": "https://ehr.example/next"}]),
            "The list of medications was not complete",
            id="paginated",
        ),
        pytest.param(searchset(taking("omeprazole"), total=2), "was not complete", id="fewer than counted"),
        pytest.param(FAILED, "medications could not be had", id="failed"),
        pytest.param(searchset(FAILED), "medications could not be had", id="failed inside"),
        pytest.param("none", "medications could not be had", id="text"),
        pytest.param([], "medications could not be had", id="list"),
        pytest.param({"entry": []}, "medications could not be had", id="no resource"),
    ],
)
def test_r7_a_list_that_did_not_come_whole_is_answered_and_said(
    client: FlaskClient, value: Any, said: str | None
) -> None:
    """An empty list and a missing one are not read as "takes nothing"; the card is the same."""
    prefetch = chart(NUMB)
    del prefetch["medications"]
    if value is not ...:
        prefetch["medications"] = value
    (card,) = cards(client, prefetch=prefetch)
    assert card["indicator"] == "critical"
    assert (said in card["detail"]) if said else ("What was not read" not in card["detail"])


def test_r7_an_outcome_that_is_only_a_remark_is_no_failure(client: FlaskClient) -> None:
    remark = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
    prefetch = chart(NUMB)
    prefetch["medications"] = searchset(taking("omeprazole"), remark)
    (card,) = cards(client, prefetch=prefetch)
    assert "could not be had" not in card["detail"]


OTHER = {"reference": "Patient/someone-else"}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"patient": patient(id="someone-else")}, id="patient"),
        pytest.param({"conditions": searchset({**back_pain(), "subject": OTHER})}, id="condition"),
        pytest.param({"examination": searchset({**NUMB, "subject": OTHER})}, id="observation"),
        pytest.param({"medications": searchset({**taking("warfarin"), "subject": OTHER})}, id="medication"),
        pytest.param(
            {"allergies": searchset({"resourceType": "AllergyIntolerance", "id": "a", "patient": OTHER})}, id="allergy"
        ),
    ],
)
@pytest.mark.parametrize("hook", SERVICES)
def test_r9_a_second_patient_in_the_chart_stops_the_call(
    client: FlaskClient, hook: str, changed: dict[str, Any]
) -> None:
    said = refused(post(client, body(hook, prefetch={**chart(NUMB), **changed})), 422)
    assert "another patient" in said
    assert "someone-else" not in said


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("draft", [drug("ibuprofen"), request("MRI lumbar spine")], ids=["drug", "scan"])
@pytest.mark.parametrize("subject", ["Patient/someone-else", "https://ehr.example/fhir/Patient/other", "urn:uuid:1"])
def test_r9_an_order_for_another_patient_stops_the_call(
    client: FlaskClient, hook: str, draft: dict[str, Any], subject: str
) -> None:
    sent = body(hook, orders=({**draft, "subject": {"reference": subject}},))
    assert "another patient" in refused(post(client, sent), 422)


def test_r9_the_patient_of_an_order_may_be_named_by_its_url(client: FlaskClient) -> None:
    subject = {"reference": "https://ehr.example/fhir/Patient/pt-1"}
    assert post(client, body("order-sign", orders=({**drug("ibuprofen"), "subject": subject},))).status_code == 200


# No input gives a 500

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KEYS = (
    "resourceType",
    "entry",
    "resource",
    "code",
    "coding",
    "text",
    "subject",
    "reference",
    "link",
    "total",
    "issue",
)
_RESOURCE = st.dictionaries(
    st.sampled_from(_KEYS), _JSON | st.sampled_from(["Bundle", "Patient", "MedicationRequest", "ServiceRequest"])
)


@given(hook=st.sampled_from([*SERVICES]), key=st.sampled_from(["conditions", "examination"]), data=st.data())
@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck])
def test_no_resource_however_odd_gives_a_server_error(
    client: FlaskClient, hook: str, key: str, data: st.DataObject
) -> None:
    odd = data.draw(_JSON | _RESOURCE | st.builds(searchset, _RESOURCE | _JSON))
    sent = body(hook, prefetch={**chart(), key: odd})
    if hook.startswith("order-"):
        sent["context"]["draftOrders"] = {
            "resourceType": "Bundle",
            "entry": data.draw(_JSON | st.just([{"resource": odd}])),
        }
    assert post(client, sent).status_code in (200, 400, 412, 422)
