"""The FHIR routes in the contract. A resource is described by FHIR itself; here it is an object with a resourceType."""

from __future__ import annotations

from typing import Any

from apispec import APISpec

from rules.knowledge import Knowledge
from service.fhir import outcome, questionnaire
from service.fhir.codes import SYSTEM
from service.fhir.routes import BASE, MAX_RESOURCES
from service.openapi.parts import PROBLEMS, failure, read

ASSESS = f"{BASE}/$assess"


def _said(word: str, answer: str) -> dict[str, Any]:
    """An answer to an item of the questionnaire."""
    return {"linkId": word, "answer": [{"valueCoding": {"system": SYSTEM, "code": answer}}]}


EXAMPLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "p1", "birthDate": "1981-02-03", "gender": "male"}},
        {
            "resource": {
                "resourceType": "QuestionnaireResponse",
                "status": "completed",
                "subject": {"reference": "Patient/p1"},
                "item": [
                    _said("pain_below_knee", "present"),
                    _said("straight_leg_raise_positive", "present"),
                    _said("limb_weakness_any", "absent"),
                ],
            }
        },
    ],
}
"""A sciatica, asked by the questionnaire; without a date an answer is of today."""

_TYPE = {"type": "string", "description": "Type of the resource, as FHIR names it", "example": "Bundle"}
_COMPONENTS: dict[str, dict[str, Any]] = {
    "FhirResource": {
        "description": "A resource of FHIR R4 (4.0.1); what else it holds is said there (hl7.org/fhir/R4)",
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": _TYPE},
        "additionalProperties": True,
    },
    "FhirChart": {
        "description": f"A Bundle, or Parameters whose parameters hold resources, of one patient: the Patient with a "
        f"birthDate and what is known of the person, at most {MAX_RESOURCES:,} resources. What cannot be read is "
        "listed in the answer, never guessed, and counts as not asked",
        "type": "object",
        "required": ["resourceType"],
        "properties": {
            "resourceType": {"type": "string", "enum": ["Bundle", "Parameters"], "description": "Which of the two"},
            "entry": {"type": "array", "items": {}, "description": "Entries of a Bundle, each with a resource"},
            "parameter": {"type": "array", "items": {}, "description": "Parameters, each with a resource"},
        },
        "additionalProperties": True,
    },
    "OperationOutcome": {
        "description": "An error as FHIR says it; nothing of what was sent is repeated",
        "type": "object",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": {"type": "string", "enum": ["OperationOutcome"], "description": "Type of the resource"},
            "issue": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/OutcomeIssue"},
                "description": "What is wrong, one entry for each place",
            },
        },
        "additionalProperties": False,
    },
    "OutcomeIssue": {
        "description": "One thing that is wrong",
        "type": "object",
        "required": ["severity", "code", "diagnostics"],
        "properties": {
            "severity": {"type": "string", "enum": ["fatal", "error"], "description": "fatal: nothing was concluded"},
            "code": {"type": "string", "description": "Code of hl7.org/fhir/issue-type", "example": "invalid"},
            "diagnostics": {
                "type": "string",
                "description": "What happened, and the mend",
                "example": "an age is needed: send the Patient with a birthDate",
            },
            "expression": {
                "type": "array",
                "items": {"type": "string"},
                "description": "FHIRPath of each place in what was sent",
                "example": ["Bundle.entry[3].resource"],
            },
        },
        "additionalProperties": False,
    },
}

_FAILURES = {
    **{status: PROBLEMS[status] for status in (400, 500, 503)},
    413: f"The body is larger than 2 MB, or holds more than {MAX_RESOURCES:,} resources",
    415: "Not sent as application/fhir+json or application/json",
    422: "Neither Bundle nor Parameters, no age, or resources of more than one patient: nothing was concluded",
}
_READS = {
    f"{BASE}/Questionnaire/{questionnaire.ID}": (
        "getQuestionnaire",
        "Everything that may be asked, as a Questionnaire",
        "Must-asks first. The linkId of an item is the word that it answers; a QuestionnaireResponse is read by "
        f"{ASSESS}.",
    ),
    f"{BASE}/metadata": (
        "getCapabilities",
        "What the FHIR routes can do",
        "A CapabilityStatement. Needs no credential: it says which one the others need.",
    ),
}
"""Path -> operation, summary and description."""


def describe(spec: APISpec, _: Knowledge) -> None:
    """Add components and paths."""
    for name, component in _COMPONENTS.items():
        spec.components.schema(name, component=component)
    spec.path(ASSESS, operations={"post": _assess()})
    for path, (operation, title, text) in _READS.items():
        spec.path(path, operations={"get": read(operation, "fhir", (title, text), "FhirResource", path)})


def _assess() -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/FhirChart"}, "example": EXAMPLE}
    reply = {outcome.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/FhirResource"}}}
    return {
        "operationId": "assessResources",
        "tags": ["fhir"],
        "summary": "Differential, urgency and proposals for the person of a chart",
        "description": "The answer is a Bundle (collection): GuidanceResponse first, then an OperationOutcome with "
        "what was not used, Parameters with the level, RiskAssessment, DetectedIssues, and a CarePlan with its "
        "RequestGroup and drafts of what to order. Ages count from today in UTC; apart from that the same request and "
        "knowledge give the same bytes. Sent as application/json it is read as well.",
        "requestBody": {"description": "The chart", "required": True, "content": {outcome.MEDIA_TYPE: content}},
        "responses": {
            "200": {"description": "The assessment", "content": reply},
            **{str(status): failure(text, ASSESS) for status, text in sorted(_FAILURES.items())},
        },
    }
