"""Errors: the place, what is wrong, and the closest known ids. As application/problem+json (RFC 9457), and below the
paths of FHIR and CDS Hooks as OperationOutcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, g, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from rules.engine import EngineFault
from schemas.assessment import Mend
from service.fhir import outcome

MAX_NAME = 80
BROKEN = "lumbar.broken"
"""Set in the environ of a request whose engine failed: the server replaces the worker that served it."""


class Refusal(Exception):
    """A request that cannot be read; becomes a 4xx with its reason.

    Args:
        errors: as `pointers` gives them.
        expressions: FHIRPath of the places in a FHIR resource.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: list[dict[str, Any]] | None = None,
        *,
        expressions: Sequence[str] = (),
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.expressions = status, detail, errors, expressions


def problem(
    status: int, detail: str, errors: list[dict[str, Any]] | None = None, *, expressions: Sequence[str] = ()
) -> Response:
    """One error in the shape of the path; nothing of the request's content is repeated but the names of its fields."""
    body, kind = rendered(request.path, status, detail, errors, expressions)
    return Response(body, status, content_type=kind)


def rendered(
    path: str, status: int, detail: str, errors: list[dict[str, Any]] | None = None, expressions: Sequence[str] = ()
) -> tuple[bytes, str]:
    """The body of an error, and its media type: the one place that picks the shape."""
    if outcome.speaks(path):
        found = outcome.outcome(status, detail, expressions=expressions, errors=errors or ())
        return orjson.dumps(found), outcome.MEDIA_TYPE
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return orjson.dumps(body), "application/problem+json"


def shown(name: str) -> str:
    """The name of a field as an error repeats it: whole, or its beginning when no field of ours is as long."""
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}..."


def pointers(messages: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Each message with the JSON pointer (RFC 6901) of the value it is about."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            step = "" if key == "_schema" else "/" + shown(str(key)).replace("~", "~0").replace("/", "~1")
            yield from pointers(inner, path + step)
    elif isinstance(messages, list):
        for inner in messages:
            yield from pointers(inner, path)
    else:
        found: dict[str, Any] = {"pointer": path, "detail": str(messages)}
        if isinstance(messages, Mend) and messages.closest:
            found["closest"] = messages.closest
        yield found


def register(app: Flask, not_assessed: str) -> None:
    """Install the handlers; `not_assessed` is the sentence of a failed engine."""

    @app.errorhandler(ValidationError)
    def invalid(error: ValidationError) -> Response:
        found = sorted(pointers(error.messages), key=lambda item: (item["pointer"], item["detail"]))
        return problem(422, f"{len(found)} value(s) cannot be used; each is named with its place", found)

    @app.errorhandler(Refusal)
    def refused(error: Refusal) -> Response:
        return problem(error.status, error.detail, error.errors, expressions=error.expressions)

    @app.errorhandler(EngineFault)
    def failed_closed(error: EngineFault) -> Response:
        g.engine_fault = str(error)  # telemetry logs and counts it
        request.environ[BROKEN] = True
        return problem(503, not_assessed)

    @app.errorhandler(MemoryError)
    def out_of_memory(_: MemoryError) -> Response:
        app.logger.error("out of memory")
        request.environ[BROKEN] = True
        return problem(503, not_assessed)

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> Response:
        return problem(413, f"the body is larger than {(request.max_content_length or 0) // 1024} KB")

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        response = problem(error.code or 500, error.description or "")
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
        return response
