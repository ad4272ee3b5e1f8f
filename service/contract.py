"""openapi.yaml, written from the same schemas that the service runs: `python -m service.contract`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields

import rules
from rules.knowledge import Knowledge
from schemas import answer
from schemas.assessment import MAX_ENTRIES, MAX_TEXT, Answers, KnownId, Observations, Short
from schemas.parts import Number
from service import auth, catalogue

FILE = Path(__file__).parent.parent / "openapi.yaml"

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
    503: "Not assessed, assess manually: the rule engine could not be trusted, or the keys of a token's issuer "
    "cannot be had now",
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
        servers=[{"url": "/"}],
        tags=[{"name": name} for name in ("assessment", "knowledge", "operation")],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_custom)  # type: ignore[no-untyped-call]
    for name, schema in answer.COMPONENTS.items():
        spec.components.schema(name, schema=schema)
    spec.components.schema("AssessmentRequest", schema=knowledge.request_schema)
    _assessment(spec)
    _lookups(spec, knowledge)
    _operation(spec)
    for name, scheme in _SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    document: dict[str, Any] = spec.to_dict()
    _secure(document)
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
        where = "/v1/must-ask" if field.kind == "must-ask" else "/v1/findings"
        return {
            "type": "object",
            "description": f"{field.kind} id -> answer; ids under {where}",
            "propertyNames": {"enum": sorted(field.known)},
            "additionalProperties": {"type": "string", "enum": list(field.answers)},
        }
    if isinstance(field, Observations):
        return {
            "type": "object",
            "description": "Measurements in the unit of their id; each is listed under /v1/observations",
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
    "schema": {"type": "string", "maxLength": MAX_TEXT},
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
    reply = {"anyOf": [{"$ref": "#/components/schemas/Assessment"}, {"type": "object", "description": "summary"}]}
    spec.path(
        "/v1/assessments",
        operations={
            "post": {
                "operationId": "createAssessment",
                "tags": ["assessment"],
                "summary": "Differential, urgency and treatment ladder for one presentation",
                "description": "Stateless: nothing about the person outlives the request.",
                "parameters": [detail, leaflet],
                "requestBody": {
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
                        "description": "The assessment",
                        "content": {"application/json": {"schema": reply}},
                    },
                    **{str(code): _problem(text) for code, text in _PROBLEMS.items()},
                },
            }
        },
    )


def _lookups(spec: APISpec, knowledge: Knowledge) -> None:
    spec.path("/v1/knowledge", operations={"get": _read("getKnowledge", "knowledge", "What the service knows")})
    for kind in catalogue.shelves(knowledge):
        name = kind.title().replace("-", "")
        every = _read(f"list{name}", "knowledge", f"All {kind}, by id")
        every["parameters"] = [SEARCH]
        every["responses"]["422"] = _problem("The query is too long, or not a parameter of this route")
        spec.path(f"/v1/{kind}", operations={"get": every})
        single = _read(f"get{name}", "knowledge", f"One entry of {kind}, whole")
        single["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
        single["responses"]["404"] = _problem("No such id; the closest known ones are named")
        spec.path(f"/v1/{kind}/{{id}}", operations={"get": single})


def _operation(spec: APISpec) -> None:
    spec.path("/healthz", operations={"get": _read("getHealth", "operation", "The process is alive")})
    ready = _read("getReadiness", "operation", "The rule engine passes its self-test")
    ready["responses"]["503"] = _problem("The rule engine is broken")
    spec.path("/readyz", operations={"get": ready})
    numbers = _read("getMetrics", "operation", "Numbers for Prometheus, in its text format")
    numbers["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    spec.path("/metrics", operations={"get": numbers})


def _read(operation: str, tag: str, summary: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}},
    }


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}


class _Dumper(yaml.SafeDumper):
    """Block style without anchors, in the order of the document."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def render(knowledge: Knowledge) -> str:
    """The text of openapi.yaml."""
    head = "# Written by `make openapi` from the schemas; a test fails when the two differ.\n"
    return head + yaml.dump(build(knowledge), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    FILE.write_text(render(rules.load()), encoding="utf-8")
    sys.exit(0)
