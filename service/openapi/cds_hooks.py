"""The routes of CDS Hooks in the contract."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from marshmallow import Schema

from rules.knowledge import Knowledge
from schemas.cds_hooks import CONTEXTS, Discovery, Feedback, HookRequest, HookResponse, Received
from service.fhir.codes import SYSTEM
from service.openapi.parts import PROBLEMS, failure, read

_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
_SUBJECT = {"reference": "Patient/example"}


def _condition(system: str, code: str, display: str) -> dict[str, Any]:
    """An active problem."""
    active = {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
    return {
        "resourceType": "Condition",
        "id": code.replace("_", "-"),
        "clinicalStatus": {"coding": [active]},
        "code": {"coding": [{"system": system, "code": code, "display": display}]},
        "subject": _SUBJECT,
    }


def _searchset(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": each} for each in resources]}


EXAMPLE: dict[str, Any] = {
    "hook": "patient-view",
    "hookInstance": _INSTANCE,
    "context": {"userId": "Practitioner/example", "patientId": "example", "encounterId": "example"},
    "prefetch": {
        "patient": {"resourceType": "Patient", "id": "example", "gender": "female", "birthDate": "1972-03-04"},
        "encounter": {
            "resourceType": "Encounter",
            "id": "example",
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": _SUBJECT,
            "reasonCode": [{"coding": [{"system": _ICD, "code": "M54.50", "display": "Low back pain"}]}],
        },
        "conditions": _searchset(_condition(SYSTEM, "saddle_anaesthesia", "New saddle numbness")),
        "medications": _searchset(),
    },
}
"""A call: someone is seen for low back pain, and has new saddle numbness."""

FEEDBACK: dict[str, Any] = {
    "feedback": [
        {
            "card": _INSTANCE,
            "outcome": "overridden",
            "overrideReason": {
                "reason": {
                    "system": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
                    "code": "action-completed",
                }
            },
            "outcomeTimestamp": "2026-11-21T10:00:00Z",
        }
    ]
}

_REFUSED = {
    400: "Not JSON, not a call of this service, or a field that is missing or not what it should be",
    404: "No such service",
    413: "The body is larger than 2048 KB, or holds more than 2,000 resources",
    415: PROBLEMS[415],
    500: PROBLEMS[500],
}


def describe(spec: APISpec, knowledge: Knowledge) -> None:
    """Add the paths."""
    schemas: tuple[type[Schema], ...] = (*CONTEXTS.values(), Discovery, HookRequest, HookResponse, Feedback, Received)
    for each in schemas:
        spec.components.schema(each.__name__, schema=each)
    context = spec.components.schemas["HookRequest"]["properties"]["context"]
    spec.components.schemas["HookRequest"]["properties"]["context"] = {
        "description": context["description"],
        "anyOf": [{"$ref": f"#/components/schemas/{each.__name__}"} for each in schemas[: len(CONTEXTS)]],
    }
    texts = ("CDS Hooks: the services", "Discovery (CDS Hooks 2.0, with fields of the 3.0 ballot); one for each hook.")
    discovery = read("listCdsServices", "cds-hooks", texts, "Discovery")
    discovery["responses"]["500"] = failure(PROBLEMS[500], "/cds-services")
    spec.path("/cds-services", operations={"get": discovery})
    spec.path("/cds-services/{id}", operations={"post": _call(knowledge)})
    spec.path("/cds-services/{id}/feedback", operations={"post": _feedback(knowledge)})


def _call(knowledge: Knowledge) -> dict[str, Any]:
    return {
        "operationId": "callCdsService",
        "tags": ["cds-hooks"],
        "summary": "CDS Hooks: the cards of a call",
        "description": "Cards for one hook; often none. The chart is what stands under prefetch: the service never "
        "calls the EHR. A list that is not there, or not whole, counts as not asked, never as absent.",
        "parameters": [_id(knowledge)],
        "requestBody": _body("HookRequest", "The call", EXAMPLE),
        "responses": {
            **_answer("HookResponse", "The cards, the heaviest first; an empty list where nothing is worth one"),
            "412": failure("A prefetch that is needed did not come; it is named", "/cds-services"),
            "422": failure(
                "The chart cannot be used: it is of two patients, or a value is not plausible", "/cds-services"
            ),
            "503": failure(PROBLEMS[503], "/cds-services"),
        },
    }


def _feedback(knowledge: Knowledge) -> dict[str, Any]:
    return {
        "operationId": "giveCdsFeedback",
        "tags": ["cds-hooks"],
        "summary": "CDS Hooks: what became of cards",
        "description": "Counted by service, outcome and coded reason; the same feedback again counts once. Comments "
        "are neither logged nor kept.",
        "parameters": [_id(knowledge)],
        "requestBody": _body("Feedback", "What became of the cards", FEEDBACK),
        "responses": _answer("Received", "Received"),
    }


def _id(knowledge: Knowledge) -> dict[str, Any]:
    names = [service.id for service in knowledge.cards.services]
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Id of the service, as discovery lists it",
        "schema": {"type": "string", "enum": names},
        "example": names[0],
    }


def _body(name: str, text: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": text, "required": True, "content": content}


def _answer(name: str, text: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    refused = {str(status): failure(said, "/cds-services") for status, said in _REFUSED.items()}
    return {"200": {"description": text, "content": content}, **refused}
