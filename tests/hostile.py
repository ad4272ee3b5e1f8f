"""Requests that nobody should send, made by a seeded generator: each with the statuses that are right for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.presentations import PATH

SECRET = "Quillfeather"
"""Stands in values only; no answer to a hostile request may repeat it."""

LONG_NUMBER = "7043211" * 600
"""4,200 digits: Python still reads it as an integer."""

FULL: dict[str, Any] = {
    "patient": {"age_years": 54, "sex": "female", "pregnancy": "not_pregnant"},
    "setting": "primary_care",
    "episode": {"duration_days": 10, "pain_severity": 7},
    "contact": {"mode": "in_person", "informant": "patient"},
    "screening": {"F-01": "absent", "F-02": "unknown"},
    "findings": {"saddle_anaesthesia": "absent", "pain_below_knee": "present", "fever": "unknown"},
    "observations": {"temperature_c": 38.4, "esr_mm_h": 60, "urine_nitrite": "negative"},
    "medications": ["warfarin", "ibuprofen"],
    "allergies": ["ibuprofen"],
    "treatments_tried": [{"treatment": "ibuprofen_oral", "weeks": 3, "response": "none"}],
}
"""A valid request in which every part is sent."""


@dataclass(frozen=True)
class Hostile:
    """One request, and the statuses of which one must come back."""

    name: str
    data: bytes
    statuses: tuple[int, ...]
    method: str = "POST"
    path: str = PATH
    content_type: str | None = "application/json"
    closest: str | None = None
    """The id that the answer must name."""
    pointer: str | None = None
    """The place that the answer must name."""


def hostile(count: int, seed: int) -> list[Hostile]:
    """So many hostile requests: every fixed one, then random ones."""
    chance = Random(seed)
    found = [*_unreadable(), *_media(), *_sizes(), *_deep(), *_ids(), *_unknown_paths(), *_everywhere()]
    while len(found) < count:
        found.append(chance.choice([_mutated, _mutated, _garbled, _misspelt, _cut])(chance))
    chance.shuffle(found)
    return found[:count]


def _json(name: str, document: Any, *statuses: int, **more: Any) -> Hostile:
    return Hostile(name, json.dumps(document).encode(), statuses or (422,), **more)


def _raw(name: str, text: str, *statuses: int, **more: Any) -> Hostile:
    return Hostile(name, text.encode(), statuses or (400,), **more)


def _with(part: str, text: str) -> str:
    """A small valid request with one more part, written as text."""
    return f'{{"patient": {{"age_years": 40}}, "{part}": {text}}}'


def _unreadable() -> Iterator[Hostile]:
    """Bodies that are not JSON, or JSON of which something would be lost."""
    for text in ("", " ", "\r\n\t", "\x00", "{", "[", '{"patient"', '{"patient": }', "{'patient': 1}", "tru"):
        yield _raw(f"not JSON: {text[:12]!r}", text)
    for text in ('{"age_years": 40,}', '{"patient": {"age_years": 40}} x', '{"patient": {"age_years": 040}}'):
        yield _raw("nearly JSON", text)
    for number in ("NaN", "Infinity", "-Infinity"):
        yield _raw(number, _with("episode", f'{{"duration_days": {number}}}'))
        yield _raw(f"{number} alone", number)
    for number in ("1e999", "-1e999", "1e16", "-1", "121", "1e15", LONG_NUMBER, "-" + LONG_NUMBER, "0.1e400"):
        body = f'{{"patient": {{"age_years": {number}}}}}'
        yield _raw(f"{number[:8]} years", body, 422, pointer="/patient/age_years")
        body = _with("observations", f'{{"temperature_c": {number}}}')
        yield _raw(f"{number[:8]} degrees", body, 422, pointer="/observations/temperature_c")
    for number in ("9" * 5_000, "-" + "9" * 5_000):
        yield _raw("5,000 digits", _with("episode", f'{{"duration_days": {number}}}'))
    for number in ("-0", "-0.0", "0e999", "1E0", "10000e-4"):
        yield _raw(f"odd but allowed: {number}", _with("episode", f'{{"duration_days": {number}}}'), 200)
    yield _raw("a key twice", '{"patient": {"age_years": 40, "age_years": 41}}')
    yield _raw("a part twice", '{"patient": {"age_years": 40}, "patient": {"age_years": 40}}')
    yield _raw("an escaped key twice", '{"patient": {"age_years": 40, "age\\u005fyears": 40}}')
    for data in (b"\xff\xfe", b'{"patient": "\xff"}', b"\xc3\x28", json.dumps(FULL).encode("utf-16")):
        yield Hostile("not UTF-8", data, (400,))
    yield Hostile("a byte order mark", b"\xef\xbb\xbf" + json.dumps(FULL).encode(), (400,))
    yield Hostile("an encoded surrogate", b'{"patient": "\xed\xa0\x80"}', (400,))
    for half in ("\\ud800", "\\udfff", "a\\udc00b"):
        yield _raw("half a character as a key", f'{{"{half}": 1}}', 400, 422)
        for part in ("findings", "screening", "observations"):
            yield _raw(f"half a character in {part}", _with(part, f'{{"{half}": "absent"}}'), 400, 422)
        for part in ("medications", "allergies"):
            yield _raw(f"half a character in {part}", _with(part, f'["{half}"]'), 400, 422)
        yield _raw("half a character as a setting", _with("setting", f'"{half}"'), 400, 422)
        tried = f'[{{"treatment": "{half}"}}]'
        yield _raw("half a character as a treatment", _with("treatments_tried", tried), 400, 422)
        yield _raw("half a character twice", f'{{"{half}": 1, "{half}": 2}}', 400)
    for text in ("[]", '""', "1", "null", "true", "[[]]", '[{"patient": {"age_years": 40}}]'):
        yield _raw(f"not an object: {text}", text, 422, pointer="")
    yield _raw("an empty object", "{}", 422, pointer="/patient")
    yield _raw("a NUL in a key", _with("fin\\u0000dings", "{}"), 422, pointer="/fin\u0000dings")
    yield _raw("a raw NUL", '{"patient": {"age_years": 4\x000}}')
    yield _raw("a raw line feed in a text", _with("setting", '"a\nb"'))


def _media() -> Iterator[Hostile]:
    """The wrong media type, method or query."""
    body = json.dumps(FULL).encode()
    for kind in (None, "", "text/plain", "text/json", "application/xml", "application/jsonp", "json", ";;;", "*/*"):
        yield Hostile(f"sent as {kind}", body, (415,), content_type=kind)
    yield Hostile(
        "a form", f"patient={SECRET}&age_years=40".encode(), (415,), content_type="application/x-www-form-urlencoded"
    )
    form = f'--x\r\nContent-Disposition: form-data; name="patient"\r\n\r\n{SECRET}\r\n--x--\r\n'.encode()
    yield Hostile("a multipart form", form, (415,), content_type="multipart/form-data; boundary=x")
    for method in ("GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "PROPFIND"):
        yield Hostile(f"{method} an assessment", body, (405,), method=method)
    for path in ("/healthz", "/readyz", "/v1/knowledge", "/v1/findings", "/v1/findings/fever"):
        yield Hostile(f"POST {path}", body, (405,), path=path)
    for query in (
        "detail=all",
        "detail=FULL",
        "detail=%ff",
        "detail=%00",
        "x=1",
        "detail=full&x=1",
        "%ed%a0%80=1",
        "=1",
    ):
        yield Hostile(f"query {query}", body, (422,), path=f"{PATH}?{query}")


def _sizes() -> Iterator[Hostile]:
    """Too long, too many."""
    limit = 256 * 1024
    small = json.dumps({"patient": {"age_years": 40}}).encode()
    yield Hostile("exactly the limit", small.ljust(limit), (200,))
    yield Hostile("one byte over the limit", small.ljust(limit + 1), (413,))
    yield _json("300 KB", {"medications": [SECRET * 25_000]}, 413)
    yield Hostile("10 MB", small.ljust(10_000_000), (413,))
    yield Hostile("10 MB of another type", small.ljust(10_000_000), (413, 415), content_type="text/plain")
    for part in ("medications", "allergies"):
        yield _json(f"100 {part}", {"patient": {"age_years": 40}, part: ["moonflower"] * 100}, 200)
        yield _json(f"101 {part}", {"patient": {"age_years": 40}, part: ["moonflower"] * 101}, pointer=f"/{part}")
        yield _json(f"{part} of 200", {"patient": {"age_years": 40}, part: ["m" * 200]}, 200)
        yield _json(f"{part} of 201", {"patient": {"age_years": 40}, part: ["m" * 201]}, pointer=f"/{part}/0")
        yield _json(f"{part} of 0", {"patient": {"age_years": 40}, part: ["ok", ""]}, pointer=f"/{part}/1")
    for number, statuses in ((100, (200,)), (101, (422,))):
        tried = [{"treatment": "ibuprofen_oral"}] * number
        yield _json(f"{number} trials", {"patient": {"age_years": 40}, "treatments_tried": tried}, *statuses)
    yield _json("thousands of fields", {f"field_{number}": SECRET for number in range(4_000)})
    yield _json(
        "thousands of answers", {"patient": {"age_years": 40}, "findings": {str(n): SECRET for n in range(4_000)}}
    )
    yield _json("thousands of names", {"patient": {"age_years": 40}, "medications": ["m"] * 9_000})
    yield _json("a name of 100 KB", {"patient": {"age_years": 40}, "medications": [SECRET * 9_000]})


def _deep() -> Iterator[Hostile]:
    """Nested from 10 to 200,000 deep."""
    for depth in (10, 100, 500, 900):
        for part in ("findings", "observations", "patient", "medications", "treatments_tried", "setting"):
            yield _raw(f"{part} {depth} deep", _with(part, "[" * depth + "]" * depth), 400, 422)
        yield _raw(f"objects {depth} deep", '{"patient":' * depth + "1" + "}" * depth, 400, 422)
    for depth in (5_000, 20_000, 100_000, 200_000):
        yield _raw(f"open {depth} deep", "[" * depth)
        yield _raw(f"closed {depth} deep", "[" * depth + "]" * depth, 400, 413)
        yield _raw(f"objects {depth} deep", '{"a":' * depth, 400, 413)


def _ids() -> Iterator[Hostile]:
    """Ids that do not exist, near to one that does."""
    for part, wrong, right in (
        ("findings", "feever", "fever"),
        ("findings", "Fever", "fever"),
        ("findings", "saddle_anesthesia", "saddle_anaesthesia"),
        ("screening", "F_01", "F-01"),
        ("screening", "f-01", "F-01"),
        ("observations", "temprature_c", "temperature_c"),
        ("observations", "esr_mm", "esr_mm_h"),
    ):
        body = {"patient": {"age_years": 40}, part: {wrong: "absent"}}
        yield _json(f"{wrong} in {part}", body, pointer=f"/{part}/{wrong}", closest=right)
    tried = {"patient": {"age_years": 40}, "treatments_tried": [{"treatment": "nsaid_orl"}]}
    yield _json("a treatment misspelt", tried, pointer="/treatments_tried/0/treatment", closest="nsaid_oral")
    for part in ("findings", "screening", "observations"):
        for key in ("", " ", "a/b", "~", "~1", "x" * 300, "__class__", "$ref", "0", "ﬁndings", "😀"):
            shown = key if len(key) <= 80 else key[:80] + "..."
            pointer = f"/{part}/{shown.replace('~', '~0').replace('/', '~1')}"
            yield _json(f"{part} {key[:9]!r}", {"patient": {"age_years": 40}, part: {key: SECRET}}, pointer=pointer)
    for key in ("", "a/b", "~", "Patient", "patients", "__proto__", "id", "sid"):
        pointer = f"/{key.replace('~', '~0').replace('/', '~1')}"
        yield _json(f"field {key!r}", {"patient": {"age_years": 40}, key: SECRET}, pointer=pointer)
    for kind, wrong, right in (
        ("findings", "feever", "fever"),
        ("conditions", "disc_hernia", "disc_herniation"),
        ("treatments", "ibuprofen", "ibuprofen_oral"),
        ("red-flags", "incomplete_cauda_equine", "incomplete_cauda_equina"),
        ("must-ask", "F_01", "F-01"),
        ("medications", "warfarine", "warfarin"),
    ):
        yield Hostile(f"{kind}/{wrong}", b"", (404,), "GET", f"/v1/{kind}/{wrong}", None, right)


def _unknown_paths() -> Iterator[Hostile]:
    """Paths that lead nowhere."""
    for path in (
        *(
            "/console",
            "/v1",
            "/v1/",
            "/v2/assessments",
            "/v1/assessments/1",
            "/v1/nothing",
            "/v1/findings/fever/x",
            "/static/x",
        ),
        *("/v1/findings/%00", "/v1/findings/%ff", "/v1/findings/%ed%a0%80", "/v1/findings/..%2f..%2fetc%2fpasswd"),
        *("/v1/../../etc/passwd", "/.env", "/v1/findings/" + "a" * 3_000, "/v1/findings/<script>", "/%7B%7B7*7%7D%7D"),
        *("/v1/FINDINGS", "/v1/findings/FEVER", "/v1/findings/fever%20", "/v1/findings/'%20or%201=1", "/healthz/x"),
    ):
        yield Hostile(f"GET {path[:40]}", b"", (404,), "GET", path, None)


_KINDS: tuple[tuple[type, Any], ...] = (
    (type(None), None),
    (bool, True),
    (bool, False),
    (int, 7),
    (float, 0.5),
    (str, SECRET),
    (str, "1"),
    (str, ""),
    (list, []),
    (list, [SECRET]),
    (list, [None]),
    (dict, {}),
    (dict, {SECRET.lower(): 1}),
)


def _everywhere() -> Iterator[Hostile]:
    """A value of the wrong type at every place of a request in which every part is sent."""
    for path in _paths(FULL):
        there, place = _at(FULL, path), "".join(f"/{step}" for step in path)
        for value in _wrong(there):
            yield _json(f"{value!r} at {place}", _replaced(FULL, path, value), pointer=place)
        if isinstance(there, str) and path[0] not in ("medications", "allergies"):
            yield _json(f"a wrong code at {place}", _replaced(FULL, path, SECRET), pointer=place)


def _wrong(there: Any) -> list[Any]:
    """Values of another JSON type."""
    kinds = {int, float} if isinstance(there, int | float) else {type(there)}
    return [value for kind, value in _KINDS if kind not in kinds]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _paths(inner, (*path, step))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    whole = deepcopy(value)
    _at(whole, path[:-1])[path[-1]] = new
    return whole


def _mutated(chance: Random) -> Hostile:
    """Two to five places of a valid request replaced by something of another type."""
    whole: Any = deepcopy(FULL)
    for _ in range(chance.randint(2, 5)):
        path = chance.choice([path for path in _paths(whole) if path])
        whole = _replaced(whole, path, chance.choice(_wrong(_at(whole, path))))
    return _json("mutated", whole, 200, 422)  # a second change at one place may mend the first


def _garbled(chance: Random) -> Hostile:
    """A few bytes of a valid request overwritten."""
    data = bytearray(json.dumps(FULL).encode())
    for _ in range(chance.randint(1, 6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return Hostile("garbled", bytes(data), (200, 400, 422))


def _misspelt(chance: Random) -> Hostile:
    """One letter of one id lost."""
    part = chance.choice(["findings", "observations"])
    whole = deepcopy(FULL)
    name = chance.choice(sorted(whole[part]))
    cut = chance.randrange(1, len(name))
    wrong = name[:cut] + name[cut + 1 :]
    whole[part][wrong] = whole[part].pop(name)
    return _json(f"misspelt {wrong}", whole, pointer=f"/{part}/{wrong}", closest=name)


def _cut(chance: Random) -> Hostile:
    """A valid request that breaks off."""
    data = json.dumps(FULL).encode()
    return Hostile("cut", data[: chance.randrange(1, len(data) - 1)], (400,))
