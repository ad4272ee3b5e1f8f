"""Words and examples for the schemas of the contract: what the glossary and the example values say of each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas import glossary
from schemas.examples import EXAMPLES

Json = dict[str, Any]


def described(schemas: Mapping[str, Json]) -> None:
    """Complete the components in place: each field gets a description, and an example where it is a plain value."""
    for name, schema in schemas.items():
        if name in glossary.COMPONENTS:
            schema["description"] = glossary.COMPONENTS[name]
        for key, field in schema["properties"].items():
            schema["properties"][key] = _field(name, key, field)


def _field(component: str, key: str, field: Json) -> Json:
    full = f"{component}.{key}"
    text = field.get("description") or glossary.FIELDS.get(full) or glossary.FIELDS.get(key)
    place = field.pop("x-ids", None)
    found = {name: value for name, value in field.items() if name not in ("description", "example")}
    if "items" in found:
        found["items"] = {name: value for name, value in found["items"].items() if name != "x-ids"}
    if text:
        found["description"] = f"{text} ({place})" if place else text
    example = field.get("example", EXAMPLES.get(full))
    if example is not None and is_plain(found):
        found["examples"] = [example]
    return found


def is_plain(field: Json) -> bool:
    """Whether a field is a value, or a list of values, that needs an example: neither a code nor a yes or no."""
    if field.get("type") == "array":
        return is_plain(field["items"])
    kinds = {*([field["type"]] if isinstance(field.get("type"), str) else field.get("type", ()))} - {"null"}
    return "enum" not in field and bool(kinds) and kinds <= {"string", "number", "integer"}
