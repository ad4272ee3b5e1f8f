"""The contract as an OpenAPI 3.1 document, built from the same schemas that the service runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas import answer
from schemas.about import About
from schemas.assessment import MAX_ENTRIES, MAX_TEXT, Answers, KnownId, Observations, Short
from schemas.parts import Number
from service import auth, catalogue, records, summary, trace, versioning
from service.assess import assess
from service.describe import described

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

_PROBLEMS = {
    400: "Not JSON, or a key twice",
    413: "The body is larger than 256 KB",
    415: "Not sent as application/json",
    422: "Values that cannot be used, each with its place and the closest known ids",
    500: "A defect of the service; nothing was concluded",
    503: "Not assessed, assess manually: the rule engine could not be trusted, or the keys of a token's issuer "
    "cannot be had now",
}
_TAGS = {
    "assessment": "One presentation in, one explained answer out",
    "knowledge": "Everything that an answer names, to be looked up",
    "operation": "Whether the service runs, and its reference",
}

_SECURITY_SCHEMES = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The key of a named client. A service that listens on loopback only may need none.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The key of a named client, or a JWT signed with ES384 or RS384 by an issuer that the service "
        "knows: kid in its header; iss, aud, exp, iat and jti among its claims, each token used once; what it may do "
        "in scope.",
    },
}
_CHALLENGE = {"WWW-Authenticate": {"description": "What is needed (RFC 6750)", "schema": {"type": "string"}}}
_REQUEST_ID = {
    "description": "The id of this request in the log: the one that was sent if it is such a token, else a new one",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{trace.REQUEST_ID.pattern}$"},
    "example": "a65794ea0f1acc1af5d11eee44768ee8",
}
_WAIT = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}


def build(knowledge: Knowledge) -> dict[str, Any]:
    """The OpenAPI 3.1 document for a knowledge base."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(
        title="Lumbar",
        version=knowledge.policy.version,
        openapi_version="3.1.0",
        plugins=[plugin],
        info={
            "description": knowledge.policy.texts["intended_use"],
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        servers=[{"url": "/", "description": "Where this document was had from"}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_custom)  # type: ignore[no-untyped-call]
    for name, schema in answer.COMPONENTS.items():
        spec.components.schema(name, schema=schema)
    spec.components.schema("AssessmentRequest", schema=knowledge.request_schema)
    for record in records.reached(About, *catalogue.RECORDS.values()):
        shelved = record in catalogue.RECORDS.values()
        spec.components.schema(records.name(record), component=records.schema(record, with_id=shelved))
    for name, component in _COMPONENTS.items():
        spec.components.schema(name, component=component)
    _assessment(spec)
    _lookups(spec, knowledge)
    _operation(spec)
    for name, scheme in _SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    spec.components.header("RequestId", _REQUEST_ID)
    document: dict[str, Any] = spec.to_dict()
    _secure(document)
    _named(document)
    _found_by(document["components"]["schemas"]["Finding"])
    described(document["components"]["schemas"])
    versioning.mark(document["paths"])
    return document


def _secure(document: dict[str, Any]) -> None:
    """What each operation needs of whoever asks, from the table that the service itself reads."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in auth.OPEN:
                operation["security"] = []
                continue
            scope = auth.needed(path)
            operation["security"] = [{name: [scope]} for name in _SECURITY_SCHEMES]
            responses = operation["responses"]
            responses["401"] = {**_problem("No credential, or one that is not valid here"), "headers": _CHALLENGE}
            responses["403"] = {**_problem(f"The credential lacks the scope {scope}"), "headers": _CHALLENGE}
            responses["429"] = {**_problem("More requests than this client may send"), "headers": _WAIT}
            responses.setdefault("503", _problem("The keys of the token's issuer cannot be had now"))
            operation["responses"] = dict(sorted(responses.items()))


_STATE = {"type": "object", "required": ["status"], "additionalProperties": False}
_COMPONENTS: Mapping[str, dict[str, Any]] = {
    "Listed": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "label": {"type": "string"}},
        "required": ["id", "label"],
        "additionalProperties": False,
    },
    "Listing": {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Listed"}}},
        "required": ["items"],
        "additionalProperties": False,
    },
    "Health": {**_STATE, "properties": {"status": {"type": "string", "enum": ["alive", "ready"]}}},
}


def _named(document: dict[str, Any]) -> None:
    """The request id, which every response has."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                named = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
                response["headers"] = named | response.get("headers", {})


def _found_by(finding: dict[str, Any]) -> None:
    """What the catalogue adds to a finding."""
    finding["properties"]["used_by"] = {"type": "array", "items": {"type": "string"}}
    finding["required"].append("used_by")


def example(knowledge: Knowledge, engine: Engine) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request of the README with the short answer that this knowledge gives."""
    answer = assess(knowledge.request_schema.load(EXAMPLE), knowledge, engine)
    return EXAMPLE, summary.shorten(answer)


def _name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return str(kind.__name__).removesuffix("Schema")


def _custom(_: Any, field: fields.Field[Any], **__: Any) -> dict[str, Any]:
    """What apispec cannot see in the fields of our own."""
    if isinstance(field, Number):
        bounds = {"minimum": field.low, "maximum": field.high}
        return {"type": "number", **{key: value for key, value in bounds.items() if value is not None}}
    if isinstance(field, Short):
        return {"maxItems": MAX_ENTRIES}
    if isinstance(field, KnownId):
        return {"enum": sorted(field.known)}
    if isinstance(field, Answers):
        return {
            "type": "object",
            "propertyNames": {"enum": sorted(field.known)},
            "additionalProperties": {"type": "string", "enum": list(field.answers)},
        }
    if isinstance(field, Observations):
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {
                    "description": " ".join(filter(None, (entry.label, f"({entry.unit})" if entry.unit else ""))),
                    **(
                        {"type": "number", "minimum": entry.plausible[0], "maximum": entry.plausible[1]}
                        if entry.plausible
                        else {"type": "string", "enum": list(entry.values)}
                    ),
                }
                for name, entry in field.known.items()
            },
        }
    return {}


SEARCH = {
    "name": "q",
    "in": "query",
    "description": "Only entries of which id, label or a synonym holds this text. Medications are also read by name "
    "and code as a request would read them; what the text means by itself comes first.",
    "schema": {"type": "string", "maxLength": MAX_TEXT, "default": ""},
    "example": "stenosis",
}


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
                    **{str(code): _problem(text) for code, text in _PROBLEMS.items()},
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
    spec.path("/v1/knowledge", operations={"get": _read("getKnowledge", "knowledge", about, "Knowledge")})
    for kind, shelf in catalogue.shelves(knowledge).items():
        name = kind.title().replace("-", "")
        every = _read(f"list{name}", "knowledge", (f"All {kind}, by id", "Not in pages: a list is short."), "Listing")
        every["parameters"] = [SEARCH]
        every["responses"]["422"] = _problem("The query is too long, or not a parameter of this route")
        spec.path(f"/v1/{kind}", operations={"get": every})
        whole = (f"One entry of {kind}, whole", "What is not known of it is left out.")
        single = _read(f"get{name}", "knowledge", whole, records.name(catalogue.RECORDS[kind]))
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
        single["responses"]["404"] = _problem("No such id; the closest known ones are named")
        spec.path(f"/v1/{kind}/{{id}}", operations={"get": single})


_OPERATIONS = {
    "/healthz": ("getHealth", "The process is alive", "Liveness: asks nothing of the rule engine.", "Health"),
    "/readyz": ("getReadiness", "The rule engine passes its self-test", "Readiness: fires known rules.", "Health"),
    "/metrics": ("getMetrics", "Numbers for Prometheus", "In its text format, over all workers.", "text/plain"),
    "/docs": ("getReference", "This contract as a page to read", "Without any script; works offline.", "text/html"),
    "/docs/style.css": ("getReferenceStyle", "The style of that page", "Light and dark.", "text/css"),
    "/openapi.json": ("getContract", "This contract as a document", "OpenAPI 3.1, as JSON.", "application/json"),
}
"""Path -> operation, summary, description and shape."""


def _operation(spec: APISpec) -> None:
    for path, (operation, title, text, shape) in _OPERATIONS.items():
        read = _read(operation, "operation", (title, text), shape)
        if path == "/readyz":
            read["responses"]["503"] = _problem("The rule engine is broken")
        spec.path(path, operations={"get": read})


def _read(operation: str, tag: str, texts: tuple[str, str], shape: str) -> dict[str, Any]:
    """An operation that reads: a component as JSON, or a media type, of which no more is said."""
    (summary, description), kind = texts, shape if "/" in shape else "application/json"
    free = {"type": "object"} if kind == "application/json" else {"type": "string"}
    content = {kind: {"schema": free if "/" in shape else {"$ref": f"#/components/schemas/{shape}"}}}
    return {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "responses": {
            "200": {"description": summary, "content": content},
            "500": _problem(_PROBLEMS[500]),
        },
    }


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}
