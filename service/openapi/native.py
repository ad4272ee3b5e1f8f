"""The routes of the service's own format in the contract: assessment, catalogue and operation."""

from __future__ import annotations

from apispec import APISpec

from rules.knowledge import Knowledge
from schemas.assessment import MAX_TEXT
from service import catalogue, records
from service.openapi.parts import PROBLEMS, failure, read

EXAMPLE = {
    "patient": {"age_years": 45, "sex": "male"},
    "setting": "primary_care",
    "episode": {"duration_days": 10, "pain_severity": 6},
    "findings": {
        "pain_below_knee": "present",
        "unilateral_leg_symptoms": "present",
        "straight_leg_raise_positive": "present",
        "limb_weakness_any": "absent",
    },
    "screening": {"F-01": "absent", "F-02": "absent", "F-03": "absent"},
    "medications": ["warfarin"],
    "allergies": [],
}
"""The request of the README: a sciatica in someone who takes warfarin."""


SEARCH = {
    "name": "q",
    "in": "query",
    "description": "Only entries of which id, label or a synonym holds this text. Medications are also read by name "
    "and code as a request would read them; what the text means by itself comes first.",
    "schema": {"type": "string", "maxLength": MAX_TEXT, "default": ""},
    "example": "stenosis",
}
FORM = {
    "name": "detail",
    "in": "query",
    "description": "summary: id and label. form: also what a form needs, where an entry has it: section or kind, "
    "question, synonyms, unit, range, codes, what answers a must-ask, and the address of a source.",
    "schema": {"type": "string", "enum": ["summary", "form"], "default": "summary"},
}


def describe(spec: APISpec, knowledge: Knowledge) -> None:
    """Add the paths."""
    _assessment(spec)
    _lookups(spec, knowledge)
    _operation(spec)


def _assessment(spec: APISpec) -> None:
    detail = {
        "name": "detail",
        "in": "query",
        "description": "full, or the short form that a busy clinician reads",
        "schema": {"type": "string", "enum": ["full", "summary"], "default": "full"},
    }
    leaflet = {
        "name": "leaflet",
        "in": "query",
        "description": "Whether the answer holds a page for the patient",
        "schema": {"type": "boolean", "default": False},
    }
    forms = ("Assessment", "AssessmentSummary")
    reply = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in forms]}
    spec.path(
        "/v1/assessments",
        operations={
            "post": {
                "operationId": "createAssessment",
                "tags": ["assessment"],
                "summary": "Differential, urgency and treatment ladder for one presentation",
                "description": "Stateless: nothing about the person outlives the request. The same request and the "
                "same knowledge give the same answer, byte for byte, so that a retry is safe.",
                "parameters": [detail, leaflet],
                "requestBody": {
                    "description": "The presentation",
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"$ref": "#/components/schemas/AssessmentRequest"},
                            "example": EXAMPLE,
                        }
                    },
                },
                "responses": {
                    "200": {
                        "description": "The assessment: AssessmentSummary for ?detail=summary, else Assessment",
                        "content": {"application/json": {"schema": reply}},
                    },
                    **{str(code): failure(text) for code, text in PROBLEMS.items()},
                },
            }
        },
    )


def _lookups(spec: APISpec, knowledge: Knowledge) -> None:
    about = (
        "What the service knows",
        "Version, intended use, the 13 source attributes, inputs used and not used, measured accuracy, size, and how "
        "the numbers come about.",
    )
    spec.path("/v1/knowledge", operations={"get": read("getKnowledge", "knowledge", about, "Knowledge")})
    for kind, shelf in catalogue.shelves(knowledge).items():
        name = kind.title().replace("-", "")
        every = read(f"list{name}", "knowledge", (f"All {kind}, by id", "Not in pages: a list is short."), "Listing")
        every["parameters"] = [SEARCH, FORM]
        every["responses"]["422"] = failure("The query is too long, or not a parameter of this route")
        spec.path(f"/v1/{kind}", operations={"get": every})
        whole = (f"One entry of {kind}, whole", "What is not known of it is left out.")
        single = read(f"get{name}", "knowledge", whole, records.name(catalogue.RECORDS[kind]))
        single["parameters"] = [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": f"Id of the entry, as listed under /v1/{kind}",
                "schema": {"type": "string"},
                "example": min(shelf(), default="none"),
            }
        ]
        single["responses"]["404"] = failure("No such id; the closest known ones are named")
        spec.path(f"/v1/{kind}/{{id}}", operations={"get": single})


_OPERATIONS = {
    "/healthz": ("getHealth", "The process is alive", "Liveness: asks nothing of the rule engine.", "Health"),
    "/readyz": ("getReadiness", "The rule engine passes its self-test", "Readiness: fires known rules.", "Health"),
    "/metrics": ("getMetrics", "Numbers for Prometheus", "In its text format, over all workers.", "text/plain"),
    "/docs": ("getReference", "This contract as a page to read", "Without any script; works offline.", "text/html"),
    "/docs/style.css": ("getReferenceStyle", "The style of that page", "Light and dark.", "text/css"),
    "/": ("getConsole", "The clinician console", "One page that asks only /v1; keeps nothing.", "text/html"),
    "/console/{file}": ("getConsoleFile", "A file of the console", "Script, style, texts and examples.", "text/css"),
    "/openapi.json": ("getContract", "This contract as a document", "OpenAPI 3.1, as JSON.", "application/json"),
}
"""Path -> operation, summary, description and shape."""
_FILE = {
    "name": "file",
    "in": "path",
    "required": True,
    "description": "Name of the file",
    "schema": {"type": "string"},
    "example": "style.css",
}
_FILE_KINDS = ("text/css", "text/javascript", "application/json", "image/svg+xml")


def _operation(spec: APISpec) -> None:
    for path, (operation, title, text, shape) in _OPERATIONS.items():
        reading = read(operation, "operation", (title, text), shape)
        if path == "/readyz":
            reading["responses"]["503"] = failure("The rule engine is broken")
        if "{file}" in path:
            reading["parameters"] = [_FILE]
            reading["responses"]["200"]["content"] = {kind: {"schema": {}} for kind in _FILE_KINDS}
            reading["responses"]["404"] = failure("The console has no such file")
        spec.path(path, operations={"get": reading})
