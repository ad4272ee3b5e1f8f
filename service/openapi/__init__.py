"""The contract as an OpenAPI 3.1 document, built from the same schemas that the service runs.

The paths stand in one module for each room: native, fhir.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas import answer
from schemas.about import About
from service import auth, catalogue, records, summary, trace, versioning
from service.assess import assess
from service.describe import described
from service.openapi import cds_hooks, fhir, fields, native
from service.openapi.native import EXAMPLE
from service.openapi.parts import failure

__all__ = ["EXAMPLE", "build", "example"]

_ROOMS = (native, fhir, cds_hooks)
"""The modules that describe paths, in the order of the document."""
_TAGS = {
    "assessment": ("Assessment", "One presentation in, one explained answer out"),
    "knowledge": ("Knowledge", "Everything that an answer names, to be looked up"),
    "fhir": ("FHIR", "The same in resources of FHIR R4 (4.0.1)"),
    "cds-hooks": ("CDS Hooks", "Cards while a clinician works in an EHR: CDS Hooks 2.0"),
    "operation": ("Operation", "Whether the service runs, and its reference"),
}
"""Tag -> its heading and what it is about."""

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
    plugin = MarshmallowPlugin(schema_name_resolver=fields.name)
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
        tags=[{"name": name, "x-displayName": title, "description": text} for name, (title, text) in _TAGS.items()],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(fields.custom)  # type: ignore[no-untyped-call]
    for name, schema in answer.COMPONENTS.items():
        spec.components.schema(name, schema=schema)
    spec.components.schema("AssessmentRequest", schema=knowledge.request_schema)
    for record in records.reached(About, *catalogue.RECORDS.values()):
        shelved = record in catalogue.RECORDS.values()
        spec.components.schema(records.name(record), component=records.schema(record, with_id=shelved))
    for name, component in _COMPONENTS.items():
        spec.components.schema(name, component=component)
    for room in _ROOMS:
        room.describe(spec, knowledge)
    for name, scheme in _SECURITY_SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    spec.components.header("RequestId", _REQUEST_ID)
    document: dict[str, Any] = spec.to_dict()
    _secure(document)
    _before_any_route(document)
    _named(document)
    _found_by(document["components"]["schemas"]["Finding"])
    described(document["components"]["schemas"])
    versioning.mark(document["paths"])
    return document


_AS_ROUTE = str.maketrans("{}", "<>")


def _secure(document: dict[str, Any]) -> None:
    """What each operation needs of whoever asks, from the table that the service itself reads."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.translate(_AS_ROUTE) in auth.OPEN:
                operation["security"] = []
                continue
            scope = auth.needed(path)
            operation["security"] = [{name: [scope]} for name in _SECURITY_SCHEMES]
            responses = operation["responses"]
            responses["401"] = {**failure("No credential, or one that is not valid here", path), "headers": _CHALLENGE}
            responses["403"] = {**failure(f"The credential lacks the scope {scope}", path), "headers": _CHALLENGE}
            responses["429"] = {**failure("More requests than this client may send", path), "headers": _WAIT}
            responses.setdefault("503", failure("The keys of the token's issuer cannot be had now", path))
            operation["responses"] = dict(sorted(responses.items()))


def _before_any_route(document: dict[str, Any]) -> None:
    """What the server refuses while a request is still arriving."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            responses["408"] = failure("The request did not arrive in time", path)
            responses["431"] = failure("The head of the request is larger than 32 KB", path)
            operation["responses"] = dict(sorted(responses.items()))


_STATE = {"type": "object", "required": ["status"], "additionalProperties": False}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_COMPONENTS: Mapping[str, dict[str, Any]] = {
    "Listed": {
        "type": "object",
        "properties": {
            **{key: {"type": "string"} for key in ("id", "label", "kind", "question")},
            "synonyms": _TEXTS,
            "unit": {"type": "string"},
            "plausible": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            **dict.fromkeys(("values", "findings", "fields"), _TEXTS),
            "url": {"type": "string"},
        },
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
