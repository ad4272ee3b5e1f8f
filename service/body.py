"""Reading the body of a request: JSON only, whole, and nothing in it lost."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import Request

from service.problems import Refusal, shown

MAX_BYTES = 256 * 1024


def read(request: Request) -> Any:
    """The JSON value of a request body.

    Raises:
        Refusal: 400 not JSON, a key twice, NaN, nested too deep; 415 another media type. A body that is too long
            is refused by Flask (413).
    """
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise Refusal(415, "send application/json")
    raw = request.get_data()
    if len(raw) > MAX_BYTES:
        raise Refusal(413, f"the body is larger than {MAX_BYTES // 1024} KB")
    if not raw.strip():
        raise Refusal(400, "the body is empty; send a JSON object with at least patient.age_years")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_not_json)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal(400, "a text holds half of a character (a lone surrogate)") from error
    except UnicodeDecodeError as error:
        raise Refusal(400, f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise Refusal(400, f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Refusal(400, "nested too deep") from error
    except ValueError as error:  # an integer of thousands of digits
        raise Refusal(400, "a number in the body is too long") from error
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Refusal(400, f"the key {shown(twice)!r} stands twice in one object; one of the two would be lost")
    return read


def _not_json(name: str) -> NoReturn:
    raise Refusal(400, f"{name} is not JSON")
