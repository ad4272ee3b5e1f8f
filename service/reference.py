"""GET /docs: the contract as a page to read, and GET /openapi.json: the same as a document. Made from one document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import orjson
from flask import Flask, Response

Json = Mapping[str, Any]

FILES = Path(__file__).parent / "docs"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""No script at all, nothing from outside, in no frame."""


def register(app: Flask, document: Callable[[], Json], example: Callable[[], tuple[Json, Json]]) -> None:
    """Hang the routes; page and document are made when first asked for, then kept.

    Args:
        app: where to.
        document: gives the OpenAPI document of this service.
        example: gives a request, and the answer that this service gives to it.
    """
    kept = cache(document)
    page = cache(lambda: render(kept(), *example()))
    raw = cache(lambda: orjson.dumps(kept()))

    @app.get("/docs")
    def reference() -> Response:
        return _sent(page(), "text/html; charset=utf-8")

    @app.get("/docs/style.css")
    def reference_style() -> Response:
        return _sent((FILES / "style.css").read_bytes(), "text/css; charset=utf-8")

    @app.get("/openapi.json")
    def contract_document() -> Response:
        return _sent(raw(), "application/json")


def _sent(content: str | bytes, kind: str) -> Response:
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return Response(content, content_type=kind, headers=headers)


def render(document: Json, request: Json, answer: Json) -> str:
    """The page of an OpenAPI document; every text of it is escaped."""
    files = jinja2.FileSystemLoader(FILES)
    templates = jinja2.Environment(
        loader=files, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template("page.html").render(
        title=document["info"]["title"],
        version=document["info"]["version"],
        description=document["info"]["description"],
        openapi=document["openapi"],
        example={"request": _pretty(request), "answer": _pretty(answer)},
        groups=[{**tag, "routes": [*_routes(document, tag["name"])]} for tag in document["tags"]],
        errors=_errors(document),
        schemas=[_component(name, schema) for name, schema in sorted(document["components"]["schemas"].items())],
    )


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        yield from ((path, method, operation) for method, operation in item.items())


def _routes(document: Json, tag: str) -> Iterator[Json]:
    for path, method, operation in _operations(document):
        if tag in operation["tags"]:
            body = operation.get("requestBody")
            yield {
                "id": operation["operationId"],
                "path": path,
                "method": method,
                "summary": operation["summary"],
                "description": operation.get("description"),
                "deprecated": operation.get("deprecated", False),
                "parameters": [_parameter(found) for found in operation.get("parameters", ())],
                "body": body and _content(body),
                "answers": [
                    {"status": status, "description": reply["description"], "type": _content(reply)}
                    for status, reply in operation["responses"].items()
                ],
            }


def _content(holder: Json) -> list[Json]:
    """The type of a body, or its media types where it is no component."""
    known = [part for content in holder["content"].values() for part in _type(content["schema"])]
    return known if any(part["link"] for part in known) else [_word(", ".join(holder["content"]))]


def _errors(document: Json) -> dict[str, list[str]]:
    """Status -> what it means, each meaning once."""
    found: dict[str, list[str]] = {}
    for _, _, operation in _operations(document):
        for status, reply in operation["responses"].items():
            texts = found.setdefault(status, []) if status >= "400" else []
            if reply["description"] not in texts:
                texts.append(reply["description"])
    return dict(sorted(found.items()))


def _parameter(parameter: Json) -> Json:
    row = _row(parameter["name"], parameter["schema"], required=parameter.get("required", False))
    return {**row, "description": parameter["description"], "example": parameter.get("example")}


def _component(name: str, schema: Json) -> Json:
    needed = schema.get("required", ())
    rows = [_row(key, field, required=key in needed) for key, field in schema["properties"].items()]
    return {"name": name, "description": schema.get("description"), "rows": rows}


def _row(name: str, field: Json, *, required: bool) -> Json:
    example = next(iter(field.get("examples", ())), None)
    return {
        "name": name,
        "required": required,
        "type": _type(field),
        "description": field.get("description", ""),
        "limits": _limits(field),
        "codes": [value for value in _values(field) if value is not None],
        "example": example if example is None or isinstance(example, str) else json.dumps(example, ensure_ascii=False),
    }


def _values(field: Json) -> list[Any]:
    """The codes of a field, of the entries of a list, or the keys of an object."""
    places = (field, field.get("items", {}), field.get("propertyNames", {}))
    return next((place["enum"] for place in places if "enum" in place), [*field.get("properties", ())])


def _limits(field: Json) -> str:
    names = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most", "maxItems": "at most"}
    units = {"minLength": " characters", "maxLength": " characters", "maxItems": " entries"}
    found = {**field.get("items", {}), **field}
    return " ".join(f"{text} {found[key]:g}{units.get(key, '')}" for key, text in names.items() if key in found)


def _type(field: Json) -> list[Json]:
    """The type in words, parts that are components as links."""
    if "$ref" in field:
        return [{"text": field["$ref"].rpartition("/")[2], "link": True}]
    for key in ("oneOf", "anyOf"):
        if key in field:
            parts = [_type(part) for part in field[key]]
            return [each for number, part in enumerate(parts) for each in ([_word(" or ")] if number else []) + part]
    kinds = field.get("type", "any")
    if kinds == "array":
        return [_word("list of "), *_type(field["items"])]
    if kinds == "object" and isinstance(field.get("additionalProperties"), dict):
        return [_word("object of "), *_type(field["additionalProperties"])]
    return [_word(kinds if isinstance(kinds, str) else " or ".join(kinds))]


def _word(text: str) -> Json:
    return {"text": text, "link": False}
