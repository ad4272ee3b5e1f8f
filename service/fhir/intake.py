"""Resources of FHIR R4 into a native request. Pure: no web, no clock.

What a resource does not say plainly is not asked, neither unknown nor absent; whatever is left out is listed with its
reason. Only another patient's resource stops everything.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.knowledge import Knowledge
from service.fhir import answers, lists, observations
from service.fhir.chart import Chart, Claim, Input, Skipped
from service.fhir.person import FULL_URL, NoAge, OtherPatient, Person, age
from service.fhir.values import label, mapping, objects, target, text

__all__ = ["Input", "Intake", "NoAge", "OtherPatient", "Skipped", "read", "resources"]

_AGE = "patient.age_years"
_SEX = "patient.sex"
_CUT_SHORT = "cutShort"
"""Where `resources()` says of which types a Bundle has further pages."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What was read."""

    request: dict[str, Any]
    """A native request, as the body of POST /v1/assessments; it always loads."""
    inputs: tuple[Input, ...]
    """Which resource said what."""
    skipped: tuple[Skipped, ...]
    """What was not used, and why."""
    reasons: frozenset[str]
    """Ids of rules/vocabulary/codes/reasons.yaml that say that back pain or its like is why the person is here."""


def read(resources: Iterable[Any], today: datetime.date, knowledge: Knowledge, *, patient: str | None = None) -> Intake:
    """Read resources of one patient into a native request.

    Args:
        resources: R4 resources as plain JSON, in any order; `resources()` takes them out of a Bundle or a prefetch.
        today: the day of the assessment; ages, durations and what is too old are counted from it.
        knowledge: vocabulary, codes and units.
        patient: id of the patient, or `Patient/id`; without it the one Patient among the resources.

    Raises:
        OtherPatient: a resource speaks of another patient.
        NoAge: no living Patient with a usable birth date is among them.
    """
    chart = Chart(knowledge, today)
    given = [each for each in resources if isinstance(each, Mapping)]
    mine = _of_one_patient(given, chart, patient)
    drugs = _medications(mine)
    named = frozenset(_reasons_named(mine))
    for each in mine:
        kind = text(each.get("resourceType"))
        if kind == "Condition":
            observations.condition(each, chart, named)
        elif kind in ("MedicationStatement", "MedicationRequest"):
            lists.medication(each, chart, drugs)
        elif kind in _READERS:
            _READERS[kind](each, chart)
        elif kind == "Bundle" and _CUT_SHORT in each:
            lists.cut_short(label(each), each[_CUT_SHORT], chart)
        elif kind not in ("Patient", "Medication"):
            chart.skip(label(each), "resources of this type are not read")
    request = chart.request()
    return Intake(request, tuple(sorted(chart.inputs)), tuple(sorted(chart.skipped)), frozenset(chart.reasons))


_READERS = {
    "Observation": observations.observation,
    "Procedure": observations.procedure,
    "Encounter": observations.encounter,
    "AllergyIntolerance": lists.allergy,
    "List": lists.empty_list,
    "QuestionnaireResponse": answers.response,
}


def resources(bundle_or_prefetch: Any) -> Iterator[Any]:
    """Every resource of a Bundle, of a prefetch (key -> resource, Bundle or null) or of a list of them.

    Bundles are opened down to one inside another, and contained resources follow the one that holds them, their ids
    beginning with `#`. A Bundle deeper than that is passed on as it is, and `read` lists it as not read;
    of one with a next page a note is passed on, so that its list is not taken for whole.
    """
    yield from _opened(bundle_or_prefetch, 3)


def _opened(value: Any, depth: int) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value if depth else ():
            yield from _opened(each, depth - 1)
    elif isinstance(value, Mapping) and value.get("resourceType") == "Bundle":
        if not depth:
            yield value
        entries = objects(value.get("entry")) if depth else []
        if any(link.get("relation") == "next" for link in objects(value.get("link"))):
            kinds = sorted({text(mapping(entry.get("resource")).get("resourceType")) for entry in entries})
            yield {"resourceType": "Bundle", "id": value.get("id"), _CUT_SHORT: kinds}
        for entry in entries:
            url, inner = entry.get("fullUrl"), entry.get("resource")
            if isinstance(inner, Mapping) and inner.get("resourceType") in ("Patient", "Medication") and url:
                inner = {**inner, FULL_URL: url}
            yield from _opened(inner, depth - 1)
    elif isinstance(value, Mapping) and "resourceType" not in value:
        for each in value.values() if depth else ():
            yield from _opened(each, depth - 1)
    elif isinstance(value, Mapping):
        yield value
        for each in objects(value.get("contained")):
            yield {**each, "id": f"#{text(each.get('id'))}"}


def _of_one_patient(given: list[Mapping[str, Any]], chart: Chart, patient: str | None) -> list[Mapping[str, Any]]:
    """The resources that are about the person; age and sex are claimed on the way."""
    patients = [each for each in given if each.get("resourceType") == "Patient"]
    outer = [each for each in patients if not text(each.get("id")).startswith("#")]
    person = Person(outer, patient)
    mine = []
    for each in given:
        why = person.owns(each)
        if why:
            chart.skip(label(each), why)
        elif each.get("resourceType") != "Patient":
            mine.append(each)
    knowledge = chart.knowledge
    oldest = (knowledge.fields[_AGE].plausible or (0, 120))[1]
    years = age(outer, chart.today, knowledge.codes.reading.adult_from, oldest)
    reference = label(outer[0])
    chart.fields[_AGE] = [Claim(years, None, reference)]
    genders = {text(each.get("gender")) for each in outer}
    if len(genders) == 1 and genders <= {*knowledge.fields[_SEX].values}:
        chart.fields[_SEX] = [Claim(genders.pop(), None, reference)]
    return mine


def _medications(given: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Medication resources by every reference that may name them."""
    found = {}
    for each in given:
        name = text(each.get("id"))
        if each.get("resourceType") == "Medication" and not name.startswith("#"):
            found[f"Medication/{name}"] = found[text(each.get(FULL_URL)) or f"Medication/{name}"] = each
    return found


def _reasons_named(given: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """`Condition/id` of every Condition that a present Encounter gives as its reason."""
    for each in given:
        if each.get("resourceType") == "Encounter" and each.get("status") in observations.NOW:
            for reason in objects(each.get("reasonReference")):
                aimed = target(text(mapping(reason).get("reference")))
                if aimed:
                    yield "/".join(aimed)
