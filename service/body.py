"""Reading the body of a request: JSON only, whole, and nothing in it lost."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import Request

from service.problems import Refusal, shown

NATIVE = 256 * 1024
"""Bytes of a request in the service's own format."""
LARGE = 2 * 1024 * 1024
"""Bytes of a request that carries a chart; no route takes more."""
MAX_DEPTH = 32
_TOO_DEEP = f"nested too deep, at most {MAX_DEPTH} levels are read"


def read(request: Request, limit: int = NATIVE, expected: str = "an object with at least patient.age_years") -> Any:
    """The JSON value of a request body of at most so many bytes; `expected` says what an empty one lacks.

    Raises:
        Refusal: 400 not JSON, a key twice, NaN, nested too deep; 413 too long; 415 another media type or compressed.
            A body that is announced as too long is refused by Flask (413).
    """
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise Refusal(415, "send application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(415, "send the body as it is, without Content-Encoding")
    # One byte more than is allowed: a body without a length is read up to here, and then known to be too long.
    request.max_content_length = limit + 1
    raw = request.get_data()
    if len(raw) > limit:
        raise Refusal(413, f"the body is larger than {limit // 1024} KB")
    if not raw.strip():
        raise Refusal(400, f"the body is empty; send {expected}")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_not_json)
        _refuse_depth(value)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal(400, "a text holds half of a character (a lone surrogate)") from error
    except UnicodeDecodeError as error:
        raise Refusal(400, f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise Refusal(400, f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Refusal(400, _TOO_DEEP) from error
    except ValueError as error:  # an integer of thousands of digits
        raise Refusal(400, "a number in the body is too long") from error
    return value


def _refuse_depth(value: Any) -> None:
    """Level by level, so that the depth of the input is not the depth of the stack."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    raise Refusal(400, _TOO_DEEP)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Refusal(400, f"the key {shown(twice)!r} stands twice in one object; one of the two would be lost")
    return read


def _not_json(name: str) -> NoReturn:
    raise Refusal(400, f"{name} is not JSON")
