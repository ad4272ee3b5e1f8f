"""Whose resources these are, how old the person is, and nobody else's."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from service.fhir.values import label, mapping, target, text, when

FULL_URL = "fullUrl"
"""Where `resources()` keeps the fullUrl of a Bundle entry."""


class OtherPatient(Exception):
    """A resource speaks of another patient: nothing may be concluded. `reference` is the resource, as `Type/id`."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class NoAge(Exception):
    """No living Patient with a usable birth date is among the resources."""


class Person:
    """The one patient by every name that a reference may use."""

    def __init__(self, patients: Iterable[Mapping[str, Any]], patient: str | None) -> None:
        self._names: set[str] = {_bare(patient)} if patient else set()
        patients = list(patients)
        for each in patients:
            own = {text(each.get("id")), _bare(text(each.get(FULL_URL)))} - {""}
            if own.isdisjoint(self._names) and (self._names or (len(patients) > 1 and not own)):
                raise OtherPatient(label(each))
            self._names |= own

    def owns(self, resource: Mapping[str, Any]) -> str | None:
        """None when a resource is about this person, or does not say about whom; else why it cannot be told.

        Raises:
            OtherPatient: it is about someone else.
        """
        for name in ("subject", "patient"):
            if name in resource:
                reference = text(mapping(resource[name]).get("reference"))
                if not reference or reference.startswith("#"):
                    return "its subject does not point to a patient"
                aimed = target(reference)
                if aimed and aimed[0] != "Patient":
                    return "its subject is not a patient"
                self._same(_bare(reference), resource)
        return None

    def _same(self, name: str, resource: Mapping[str, Any]) -> None:
        if not self._names:  # nothing names the person: what is said first does, for all others too
            self._names = {name}
        if name not in self._names:
            raise OtherPatient(label(resource))


def _bare(reference: str) -> str:
    """The id of a reference to a Patient; of a urn, what follows its kind."""
    aimed = target(reference)
    if aimed and aimed[0] == "Patient":
        return aimed[1]
    return reference.removeprefix("urn:uuid:").removeprefix("urn:oid:")


def age(patients: list[Mapping[str, Any]], today: datetime.date, adult_from: float, oldest: float) -> int:
    """Completed years.

    A birth date without day or month is read as the older age, at which more is looked for, unless the person may be
    younger than `adult_from`: then as the younger.

    Raises:
        NoAge: no birth date that can be read, two that differ, one in the future or too long ago, or no longer alive.
    """
    dates = {text(each.get("birthDate")) for each in patients}
    dead = any(each.get("deceasedBoolean") is True or "deceasedDateTime" in each for each in patients)
    born = when(dates.pop()) if len(dates) == 1 and not dead else None
    if born is None or born.moment is not None or born.day > today:
        raise NoAge
    latest = _latest(born.day, born.parts)
    young = _years(min(latest, today), today)
    years = young if young < adult_from else _years(born.day, today)
    if years > oldest:
        raise NoAge
    return years


def _latest(day: datetime.date, parts: int) -> datetime.date:
    """The last day that a date of so many parts can mean."""
    if parts == 3:
        return day
    if parts == 1 or day.month == 12:
        return day.replace(month=12, day=31)
    return day.replace(month=day.month + 1) - datetime.timedelta(days=1)


def _years(born: datetime.date, today: datetime.date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
