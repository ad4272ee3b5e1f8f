"""What apispec cannot see in the fields of our own: ranges, lengths and known ids."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from schemas.assessment import MAX_ENTRIES, Answers, KnownId, Observations, Short
from schemas.parts import Number


def name(schema: Any) -> str:
    """What a schema is called among the components."""
    kind = schema if isinstance(schema, type) else type(schema)
    return str(kind.__name__).removesuffix("Schema")


def custom(_: Any, field: fields.Field[Any], **__: Any) -> dict[str, Any]:
    """What to add to the schema that apispec makes of a field."""
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
