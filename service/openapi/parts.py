"""Pieces of which the paths of the contract are made: a reading operation, and the answer of a failure."""

from __future__ import annotations

from typing import Any

from service.fhir import outcome

PROBLEMS = {
    400: "Not JSON, or a key twice",
    413: "The body is larger than 256 KB",
    415: "Not sent as application/json",
    422: "Values that cannot be used, each with its place and the closest known ids",
    500: "A defect of the service; nothing was concluded",
    503: "Not assessed, assess manually: the rule engine could not be trusted, or the keys of a token's issuer "
    "cannot be had now",
}


def read(operation: str, tag: str, texts: tuple[str, str], shape: str, path: str = "") -> dict[str, Any]:
    """An operation that reads: a component as JSON, or a media type, of which no more is said."""
    summary, description = texts
    kind = shape if "/" in shape else outcome.MEDIA_TYPE if outcome.speaks(path) else "application/json"
    free = {"type": "object"} if kind == "application/json" else {"type": "string"}
    content = {kind: {"schema": free if "/" in shape else {"$ref": f"#/components/schemas/{shape}"}}}
    return {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "responses": {
            "200": {"description": summary, "content": content},
            "500": failure(PROBLEMS[500], path),
        },
    }


def failure(text: str, path: str = "") -> dict[str, Any]:
    """What a failure answers with, in the shape that errors of the path have."""
    fhir = outcome.speaks(path)
    name, kind = ("OperationOutcome", outcome.MEDIA_TYPE) if fhir else ("Problem", "application/problem+json")
    return {"description": text, "content": {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}}
