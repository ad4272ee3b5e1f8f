"""Calls of CDS Hooks for the tests: a person with back pain as an EHR would send one, and what is being ordered."""

from __future__ import annotations

import datetime
import json
from typing import Any

from flask.testing import FlaskClient

from service.fhir.codes import SYSTEM

INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
PATIENT_ID = "pt-1"
SUBJECT = {"reference": f"Patient/{PATIENT_ID}"}
SERVICES = {hook: f"lumbar-{hook}" for hook in ("patient-view", "encounter-start", "order-select", "order-sign")}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CPT = "http://www.ama-assn.org/go/cpt"


def patient(born: str = "1985-05-05", **changes: Any) -> dict[str, Any]:
    """The Patient of every call."""
    return {"resourceType": "Patient", "id": PATIENT_ID, "birthDate": born, "gender": "male", **changes}


def days_ago(days: int) -> str:
    """A day before today, as the service counts days."""
    return (datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=days)).isoformat()


def back_pain(since: int | None = None) -> dict[str, Any]:
    """Low back pain, written down today; with the number of days since when, where that is known."""
    return {
        "resourceType": "Condition",
        "id": "back",
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M54.50"}],
            "text": "Low back pain",
        },
        "subject": SUBJECT,
        "recordedDate": days_ago(0),
        **({} if since is None else {"onsetDateTime": days_ago(since)}),
    }


def finding(word: str, value: bool = True) -> dict[str, Any]:
    """One answered question, in our own code system."""
    return {
        "resourceType": "Observation",
        "id": word.replace("_", "-"),
        "status": "final",
        "code": {"coding": [{"system": SYSTEM, "code": word}]},
        "subject": SUBJECT,
        "effectiveDateTime": days_ago(0),
        "valueBoolean": value,
    }


def taking(text: str) -> dict[str, Any]:
    """A medicine that is taken."""
    return {
        "resourceType": "MedicationRequest",
        "id": f"takes-{text.split(maxsplit=1)[0].lower()}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": text},
        "subject": SUBJECT,
    }


def drug(text: str = "", code: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A draft of a drug."""
    concept = {**({"text": text} if text else {}), **({"coding": [code]} if code else {})}
    return {
        "resourceType": "MedicationRequest",
        "id": "draft-drug",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": concept,
        "subject": SUBJECT,
        **more,
    }


def request(text: str = "", code: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A draft of an investigation or procedure."""
    concept = {**({"text": text} if text else {}), **({"coding": [code]} if code else {})}
    return {
        "resourceType": "ServiceRequest",
        "id": "draft-request",
        "status": "draft",
        "intent": "order",
        "code": concept,
        "subject": SUBJECT,
        **more,
    }


def searchset(*resources: Any, **more: Any) -> dict[str, Any]:
    """A search result."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": each} for each in resources], **more}


def drafts(*orders: Any) -> dict[str, Any]:
    """A Bundle of draft orders."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in orders]}


def chart(*resources: Any, born: str = "1985-05-05", reason: bool = True, since: int | None = None) -> dict[str, Any]:
    """A prefetch: the resources under the keys under which they would come."""
    kinds = {"Condition": "conditions", "MedicationRequest": "medications", "AllergyIntolerance": "allergies"}
    found: dict[str, list[Any]] = {key: [] for key in (*kinds.values(), "examination")}
    if reason:
        found["conditions"].append(back_pain(since))
    for each in resources:
        found[kinds.get(each["resourceType"], "examination")].append(each)
    return {"patient": patient(born), **{key: searchset(*each) for key, each in found.items()}}


def body(
    hook: str = "patient-view", prefetch: Any = None, orders: tuple[Any, ...] = (), **changes: Any
) -> dict[str, Any]:
    """A call; of order-select everything is selected."""
    context: dict[str, Any] = {"userId": "Practitioner/1", "patientId": PATIENT_ID}
    if hook == "encounter-start":
        context["encounterId"] = "enc-1"
    if hook.startswith("order-"):
        context["draftOrders"] = drafts(*orders)
    if hook == "order-select":
        context["selections"] = [f"{each['resourceType']}/{each['id']}" for each in orders]
    whole = {
        "hook": hook,
        "hookInstance": INSTANCE,
        "context": context,
        "prefetch": chart() if prefetch is None else prefetch,
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def post(client: FlaskClient, sent: Any, service: str | None = None) -> Any:
    """The response to a call."""
    return client.post(f"/cds-services/{service or SERVICES[sent['hook']]}", json=sent)


def cards(client: FlaskClient, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """The cards of a call that is answered."""
    response = post(client, body(*args, **kwargs))
    assert response.status_code == 200, response.get_data(as_text=True)
    found: list[dict[str, Any]] = json.loads(response.get_data())["cards"]
    return found


def refused(response: Any, status: int) -> str:
    """What an OperationOutcome says, after the checks that hold for all of them."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/fhir+json"
    found = response.get_json()
    assert found["resourceType"] == "OperationOutcome"
    assert found["issue"]
    for issue in found["issue"]:
        assert issue["severity"] in ("fatal", "error")
        assert issue["code"]
        assert issue["diagnostics"]
    return " | ".join(issue["diagnostics"] for issue in found["issue"])
