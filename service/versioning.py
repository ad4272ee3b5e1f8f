"""Whatever is deprecated says so in every answer, by the headers Deprecation and Sunset (docs/versioning.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request
from werkzeug.http import http_date


@dataclass(frozen=True, slots=True)
class Deprecated:
    """Since when an operation is deprecated, when it goes, and the page that says what takes its place."""

    since: datetime
    sunset: datetime
    instead: str


DEPRECATED: Mapping[tuple[str, str], Deprecated] = {}
"""(method, path of the contract) -> its end. Nothing is deprecated today."""

HEADERS: Mapping[str, dict[str, Any]] = {
    "Deprecation": {
        "description": "Since when the operation is deprecated: @ and seconds since 1970 (RFC 9745)",
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
    },
    "Sunset": {
        "description": "From when the operation may be gone, as an HTTP date (RFC 8594)",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": 'Page that says what takes its place, with rel="deprecation"',
        "schema": {"type": "string"},
    },
}
"""The headers as the contract describes them."""


def register(app: Flask, table: Mapping[tuple[str, str], Deprecated] = DEPRECATED) -> None:
    """Send the headers with every answer of a deprecated operation, errors included."""
    ends = [(method, re.compile(re.sub(r"{\w+}", "[^/]+", path)), end) for (method, path), end in table.items()]

    @app.after_request
    def announce(response: Response) -> Response:
        for method, path, end in ends:
            if request.method == method and path.fullmatch(request.path.rstrip("/")):
                response.headers["Deprecation"] = f"@{end.since.astimezone(UTC).timestamp():.0f}"
                response.headers["Sunset"] = http_date(end.sunset)
                response.headers["Link"] = f'<{end.instead}>; rel="deprecation"'
        return response


def mark(paths: Mapping[str, Any], table: Mapping[tuple[str, str], Deprecated] = DEPRECATED) -> None:
    """Say the same in the paths of the contract."""
    for method, path in table:
        operation = paths[path][method.lower()]
        operation["deprecated"] = True
        for response in operation["responses"].values():
            response["headers"] = dict(HEADERS)
