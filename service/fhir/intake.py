"""Resources of FHIR R4 into a native request. Pure: no web, no clock. What cannot be read is listed, never guessed."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.knowledge import Knowledge
from service.fhir.codes import SYSTEM


class OtherPatient(Exception):
    """A resource speaks of another patient: nothing may be concluded. `reference` names it, as `Type/id`."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class NoAge(Exception):
    """No Patient with a usable birth date."""


@dataclass(frozen=True, slots=True)
class Input:
    """Which resource said what."""

    reference: str
    word: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A resource, or part of one, that was not used, and why."""

    reference: str
    because: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What was read: a native request, where it came from, and what was left out."""

    request: dict[str, Any]
    inputs: tuple[Input, ...]
    skipped: tuple[Skipped, ...]
    reasons: frozenset[str]


def read(resources: Iterable[Any], today: datetime.date, knowledge: Knowledge, *, patient: str | None = None) -> Intake:
    """First sketch: Patient, and Observations in the code system of this service."""
    request: dict[str, Any] = {}
    inputs = []
    skipped = []
    for each in resources:
        if not isinstance(each, Mapping):
            continue
        reference = f"{each.get('resourceType')}/{each.get('id')}"
        if each.get("resourceType") == "Patient":
            if patient is not None and each.get("id") != patient.removeprefix("Patient/"):
                raise OtherPatient(reference)
            try:
                born = datetime.date.fromisoformat(str(each.get("birthDate")))
            except ValueError:
                continue
            age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
            request["patient"] = {"age_years": age}
            if each.get("gender") in ("male", "female"):
                request["patient"]["sex"] = each["gender"]
        elif each.get("resourceType") == "Observation":
            for coding in each.get("code", {}).get("coding", ()):
                if coding.get("system") == SYSTEM and coding.get("code") in knowledge.findings:
                    value = each.get("valueBoolean")
                    if isinstance(value, bool):
                        state = "present" if value else "absent"
                        request.setdefault("findings", {})[coding["code"]] = state
                        inputs.append(Input(reference, coding["code"]))
        else:
            skipped.append(Skipped(reference, "not read yet"))
    if "patient" not in request:
        raise NoAge
    return Intake(request, tuple(inputs), tuple(skipped), frozenset())


def resources(bundle_or_prefetch: Any) -> Iterator[Any]:
    """Entries of a Bundle, or of every Bundle of a prefetch, and what they contain."""
    queue = [bundle_or_prefetch]
    while queue:
        each = queue.pop(0)
        if isinstance(each, Mapping) and each.get("resourceType") == "Bundle":
            entries = each.get("entry")
            queue += [entry.get("resource") for entry in entries or () if isinstance(entry, Mapping)]
        elif isinstance(each, Mapping) and "resourceType" not in each:
            queue += each.values()
        elif isinstance(each, Mapping):
            yield each
