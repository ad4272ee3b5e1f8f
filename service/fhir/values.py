"""Careful hands for JSON that anyone may have sent: what is not of the expected kind is as if it were not there."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rules.coding import Pair

_NOTHING: Mapping[str, Any] = {}
_TYPE = re.compile(r"[A-Za-z]{1,40}")
_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{1,39})/([A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T.{5,30})?)?)?")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_LARGEST = 1e15


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, Mapping) else _NOTHING


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; anything else holds none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """A string, or an empty one."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """A finite number of ordinary size; no boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= _LARGEST else None


def codings(concept: Any) -> Iterator[Pair]:
    """(system, code) of every Coding of a CodeableConcept."""
    for each in objects(mapping(concept).get("coding")):
        yield text(each.get("system")), text(each.get("code"))


def first_code(concept: Any) -> str:
    """The first code of a CodeableConcept whose value set is fixed (a status)."""
    return next((code for _, code in codings(concept) if code), "")


def label(resource: Mapping[str, Any]) -> str:
    """`Type/id` with nothing else in it: what does not look like a type or an id is left out."""
    kind, name = text(resource.get("resourceType")), text(resource.get("id")).removeprefix("#")
    return f"{kind if _TYPE.fullmatch(kind) else '?'}/{name if _ID.fullmatch(name) else '?'}"


def target(reference: str) -> tuple[str, str] | None:
    """(type, id) of a literal reference, relative or absolute, with or without its version."""
    found = _REFERENCE.fullmatch(reference) if len(reference) <= 2000 else None
    return (found[1], found[2]) if found else None


class When(NamedTuple):
    """A date, as precise as it was given: the first day that it can mean, and seconds where there is a time."""

    day: datetime.date
    moment: float | None = None
    parts: int = 3

    def newer(self, other: When) -> bool:
        """Whether it is certainly later: by the time where both have one, else by the day."""
        if self.moment is not None and other.moment is not None:
            return self.moment > other.moment
        return self.day > other.day

    def future(self, today: datetime.date) -> bool:
        """Whether it lies ahead; a time may be of a place where the next day has begun."""
        return (self.day - today).days > (self.moment is not None)

    def age(self, today: datetime.date) -> int:
        """Days until today, not below 0."""
        return max(0, (today - self.day).days)


def when(value: Any) -> When | None:
    """A FHIR date, dateTime or instant; None when it is none."""
    found = _DATE.fullmatch(text(value)[:50])
    if not found:
        return None
    year, month, day, time = found.groups()
    try:
        date = datetime.date(int(year), int(month or 1), int(day or 1))
        if not time:
            return When(date, parts=1 + bool(month) + bool(day))
        full = datetime.datetime.fromisoformat(found[0])
        return When(date, ((full if full.tzinfo else full.replace(tzinfo=datetime.UTC)) - _EPOCH).total_seconds())
    except (ValueError, OverflowError):
        return None


def first_date(resource: Mapping[str, Any], *names: str) -> When | None:
    """The first date that can be read; `name.part` reads an element of a Period."""
    for name in names:
        outer, _, inner = name.partition(".")
        value = resource.get(outer)
        found = when(mapping(value).get(inner) if inner else value)
        if found:
            return found
    return None


def inside(value: float, comparator: str) -> float:
    """The nearest number that a bound allows: `<30` is just below 30."""
    towards = {"<": -math.inf, ">": math.inf}.get(comparator)
    return value if towards is None else math.nextafter(value, towards)
