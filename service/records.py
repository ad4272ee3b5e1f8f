"""JSON Schemas of the entries of the catalogue, worked out from the records and from the schemas of their files."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from marshmallow import fields, validate

from schemas import about, glossary, vocabulary
from schemas.parts import Id, Number, Record

Json = dict[str, Any]

_NAMES: Mapping[type, str] = {vocabulary.ScoreItem: "ScoreItemRule", about.About: "Knowledge"}
"""Records whose own name a part of the answer has, or that go by another."""
_BASIC: Mapping[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {"type": ["string", "number", "boolean", "array", "object"], "items": {}},
}
_LINES = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "array"], "items": {}}}
_BY_HAND: Mapping[str, Json] = {
    "Derived.comparison": {"type": "array", "items": _BASIC[Any], "minItems": 2, "maxItems": 2},
    "Derived.tried": {
        "type": "object",
        "properties": {
            "treatment": {
                "type": "string",
                "description": "Treatment (/v1/treatments/{id}), group (/v1/treatment-groups/{id}), or any",
            },
            "weeks_at_least": {"type": "number", "description": "Least number of weeks"},
            "response_in": {"type": "array", "items": {"type": "string"}, "description": "Responses that count"},
        },
        "required": ["treatment", "weeks_at_least", "response_in"],
    },
    "ScoreItemRule.scales": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "when": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Field -> code"},
                "bands": {
                    "type": "array",
                    "items": {
                        "type": "array",
                        "items": {"type": ["number", "null"]},
                        "minItems": 3,
                        "maxItems": 3,
                    },
                    "description": "From, to (null: without limit) and points, in the unit of the field",
                },
            },
            "required": ["when", "bands"],
        },
    },
    "Examples.fires": {"type": "array", "items": _LINES},
    "Examples.silent": {"type": "array", "items": _LINES},
    "DoNot.instead": {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "What to offer instead, in words"},
            "treatments": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Treatments to offer instead (/v1/treatments/{id} or /v1/treatment-groups/{id})",
            },
        },
        "required": ["text"],
    },
}
"""Where a record holds plain data whose shape its type does not tell."""


def name(record: type) -> str:
    """The name of a record among the components."""
    return _NAMES.get(record, record.__name__)


def ref(record: type) -> Json:
    """A pointer to the schema of a record."""
    return {"$ref": f"#/components/schemas/{name(record)}"}


def reached(*records: type) -> Iterator[type]:
    """Records and every record inside them, each once, outer ones first."""
    found = dict.fromkeys(records)
    queue = [*records]
    while queue:
        for hint in get_type_hints(queue.pop(0)).values():
            for inner in _inside(hint):
                if inner not in found:
                    found[inner] = None
                    queue.append(inner)
    yield from found


def _inside(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    for part in get_args(hint):
        yield from _inside(part)


def schema(record: type, *, with_id: bool = False) -> Json:
    """The schema of a record as the catalogue shows it: what is not said (None, empty) is left out.

    Args:
        record: a dataclass of the knowledge.
        with_id: whether the catalogue puts an id in front of it.
    """
    hints, readers = get_type_hints(record), _readers(record)
    properties: dict[str, Json] = {"id": {"type": "string"}} if with_id else {}
    required = ["id"] if with_id else []
    for each in dataclasses.fields(record):
        shape = _BY_HAND.get(f"{name(record)}.{each.name}") or _shape(hints[each.name])
        properties[each.name] = _limited(shape, readers.get(each.name))
        if _always(hints[each.name]):
            required.append(each.name)
    wanted = list(dict.fromkeys(required))
    return {"type": "object", "properties": properties, "required": wanted, "additionalProperties": False}


def _always(hint: Any) -> bool:
    """Whether a value is never left out: neither None nor empty can be said by its type."""
    return hint in (str, bool, int, float) or (isinstance(hint, type) and dataclasses.is_dataclass(hint))


def _shape(hint: Any) -> Json:
    if hint in _BASIC:
        return _BASIC[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return ref(hint)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (part for part in parts if part is not type(None))
        return _shape(inner)
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return {"type": "array", "items": _shape(parts[0])}
        kinds = [_shape(part)["type"] for part in parts]
        nullable = any(type(None) in get_args(part) for part in parts)
        kind = [kinds[0], "null"] if nullable else kinds[0]
        return {"type": "array", "items": {"type": kind}, "minItems": len(parts), "maxItems": len(parts)}
    return {"type": "object", "additionalProperties": _shape(parts[1])}


def _limited(shape: Json, reader: fields.Field[Any] | None) -> Json:
    """A shape with what the schema of the rule file knows besides: codes, limits, and where an id resolves."""
    if reader is None:
        return shape
    if isinstance(reader, fields.List) and "items" in shape:
        inner = _limited(shape["items"], reader.inner)
        place = inner.pop("x-ids", None) if inner is not shape["items"] else None
        return {**shape, "items": inner} | ({"x-ids": place} if place else {})
    more: Json = {}
    for check in [*reader.validators, *([reader.validate] if reader.validate else [])]:
        for one in check if isinstance(check, list | tuple) else [check]:
            if isinstance(one, validate.OneOf):
                more["enum"] = list(one.choices)
            elif isinstance(one, validate.Range) and isinstance(reader, Number | fields.Integer):
                limits = {"minimum": one.min, "maximum": one.max}
                more |= {key: value for key, value in limits.items() if value is not None}
    if isinstance(reader, Id) and reader.names in glossary.PLACES:
        more["x-ids"] = glossary.PLACES[reader.names]
    return {**shape, **more}


@cache
def _schemas() -> Mapping[Any, type[Record]]:
    """Record -> the schema that reads it from a rule file."""
    found: dict[Any, type[Record]] = {vocabulary.Derived: vocabulary.DerivedSchema}
    queue: list[type[Record]] = [Record]
    while queue:
        for each in queue.pop().__subclasses__():
            queue.append(each)
            if "model" in vars(each):
                found[each.model] = each
    return found


def _readers(record: type) -> Mapping[str, fields.Field[Any]]:
    """Field of a record -> the field of the schema that reads it."""
    read_by = _schemas().get(record)
    if read_by is None:
        return {}
    return {field.attribute or key: field for key, field in read_by().fields.items()}
