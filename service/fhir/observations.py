"""Observations, Conditions, Procedures and Encounters: what each says of the words of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.fhir import told
from service.fhir.chart import Chart, Claim
from service.fhir.codes import SYSTEM
from service.fhir.values import When, codings, first_code, first_date, label, mapping, objects, text, when

_READ = ("final", "amended", "corrected", "preliminary")
_ACTIVE, _OVER = ("active", "recurrence", "relapse"), ("inactive", "remission", "resolved")
NOW = ("planned", "arrived", "triaged", "in-progress", "onleave")
_STATUSES = frozenset((*_READ, "registered", "cancelled", "entered-in-error", "unknown"))

_DURATION = "episode.duration_days"

Resource = Mapping[str, Any]


def observation(resource: Resource, chart: Chart) -> None:
    """Its own value and those of its components, as of when it was made."""
    reference, status = label(resource), resource.get("status")
    if status not in _READ:
        named = f"status {status}" if isinstance(status, str) and status in _STATUSES else "its status"
        return chart.skip(reference, f"{named} is not used")
    if objects(resource.get("focus")):
        return chart.skip(reference, "it is about something else than the patient")
    made = first_date(
        resource, "effectiveDateTime", "effectiveInstant", "effectivePeriod.end", "effectivePeriod.start", "issued"
    )
    parts = objects(resource.get("component"))
    known = [_measure(node, made, reference, chart) for node in (*parts, resource)]
    if not any(known):
        chart.skip(reference, "none of its codes is known")
    return None


def _measure(node: Resource, made: When | None, reference: str, chart: Chart) -> bool:
    """Claim what one node says; False when its code is not known."""
    word = told.asked(node.get("code"), chart.knowledge)
    if word is None:
        return False
    old = chart.too_old(made, _days(word, chart)) if made else "it has no date that can be read"
    try:
        if old:
            raise told.Unread(old)
        own = any(system == SYSTEM for system, _ in codings(node.get("code")))
        value = (
            told.state(word.name, node, chart.knowledge)
            if word.part == "findings"
            else told.measurement(word, node, chart.knowledge, own=own)
        )
    except told.Unread as error:
        chart.skip(reference, f"{word.name}: {error}")
    else:
        _claim(chart, word, Claim(value, made, reference))
    return True


def _claim(chart: Chart, word: told.Word, claim: Claim) -> None:
    place: dict[str, list[Claim]] = getattr(chart, word.part)
    place.setdefault(word.name, []).append(claim)


def _days(word: told.Word, chart: Chart) -> float | None:
    """For how many days an Observation of a word stands for today; None for ever."""
    codes = chart.knowledge.codes
    if word.part == "observations":
        entry = codes.observations.get(word.name)
        return entry.days if entry else codes.reading.observation_days
    if word.part == "fields":
        field = codes.fields.get(word.name)
        return field.days if field and field.days is not None else codes.reading.observation_days
    coded = codes.findings.get(word.name)
    if coded and coded.days is not None:
        return coded.days
    return codes.reading.finding_days.get(chart.knowledge.findings[word.name].kind)


def condition(resource: Resource, chart: Chart, reasons: frozenset[str] = frozenset()) -> None:
    """A problem of the list: present while active, denied when refuted, and what it says once it is over.

    Args:
        resource: the Condition.
        chart: where to.
        reasons: references of the conditions that an Encounter names as its reason.
    """
    reference = label(resource)
    verified, clinical = first_code(resource.get("verificationStatus")), first_code(resource.get("clinicalStatus"))
    if verified == "entered-in-error":
        return chart.skip(reference, "entered in error")
    if verified != "refuted" and clinical not in (*_ACTIVE, *_OVER):
        return chart.skip(reference, "it has no clinical status")
    over = clinical in _OVER or any(name.startswith("abatement") for name in resource)
    began = first_date(resource, "onsetDateTime", "onsetPeriod.start", "recordedDate")
    if began and began.future(chart.today):
        return chart.skip(reference, "its date lies in the future")
    words = dict.fromkeys(_meanings(resource.get("code"), chart))
    for word in words:
        _problem(word, "absent" if verified == "refuted" else "past" if over else "present", began, reference, chart)
    why = set() if over or verified == "refuted" else set(_reasons(resource.get("code"), chart))
    if why:
        _reason(why, resource, began, chart, named=reference in reasons)
    if not words and not set(_reasons(resource.get("code"), chart)):
        chart.skip(reference, "none of its codes is known")
    return None


def _meanings(concept: Any, chart: Chart) -> Iterator[told.Word]:
    """Every word that the codes of a problem or procedure stand for; `field=value` for a field of the request."""
    coding = chart.knowledge.coding
    for system, code in codings(concept):
        if system == SYSTEM and code in chart.knowledge.findings:
            yield told.Word("findings", code)
        elif finding := coding.findings.find(system, code):
            yield told.Word("findings", finding)
        elif value := coding.field_values.find(system, code):
            yield told.Word("fields", value)


def _problem(word: told.Word, status: str, began: When | None, reference: str, chart: Chart) -> None:
    name, _, value = word.name.partition("=")
    if word.part == "fields":
        field = chart.knowledge.codes.fields[name]
        old = chart.too_old(began, field.problem_days)
        if status != "present" or old:
            return chart.skip(reference, f"{name}: {old or 'not current'}")
        return _claim(chart, told.Word("fields", name), Claim(value, began, reference))
    coded = chart.knowledge.codes.findings.get(name)
    old = chart.too_old(began, coded.days if coded else None)
    if status == "past" or (status == "present" and old):
        if coded is None or coded.past is None:
            return chart.skip(reference, f"{name}: {old or 'the problem is over'}")
        name, status = coded.past, "present"
    elif old:
        return chart.skip(reference, f"{name}: {old}")
    return _claim(chart, told.Word("findings", name), Claim(status, began, reference))


def _reasons(concept: Any, chart: Chart) -> Iterator[str]:
    table = chart.knowledge.coding.reasons
    yield from (found for pair in codings(concept) if (found := table.find(*pair)))


def _reason(why: set[str], resource: Resource, began: When | None, chart: Chart, *, named: bool) -> None:
    """Back pain that began lately, or that the encounter is about; its onset, given to the day, starts the episode."""
    reference, recent = (
        label(resource),
        began is not None and began.age(chart.today) <= chart.knowledge.codes.reading.reason_days,
    )
    if not named and not recent:
        return chart.skip(
            reference, "a back problem of long standing or without a date, not named as the reason to be here"
        )
    chart.reasons |= why
    onset = first_date(resource, "onsetDateTime", "onsetPeriod.start")
    longest = (chart.knowledge.fields[_DURATION].plausible or (0, 0))[1]
    if onset and onset.parts == 3 and onset.age(chart.today) <= longest:
        claim = Claim(onset.age(chart.today), onset, reference)
        chart.fields.setdefault(_DURATION, []).append(claim)
    return None


def procedure(resource: Resource, chart: Chart) -> None:
    """A completed procedure: a word of history for as long as that lasts, and a treatment tried if lately."""
    reference = label(resource)
    if resource.get("status") != "completed":
        return chart.skip(reference, "not completed")
    done = first_date(resource, "performedDateTime", "performedPeriod.end", "performedPeriod.start")
    knowledge = chart.knowledge
    words = dict.fromkeys(word for word in _meanings(resource.get("code"), chart) if word.part == "findings")
    for word in words:
        coded = knowledge.codes.findings.get(word.name)
        old = chart.too_old(done, coded.days if coded else None)
        if old:
            chart.skip(reference, f"{word.name}: {old}")
        else:
            _claim(chart, word, Claim("present", done, reference))
    pairs = list(codings(resource.get("code")))
    own = {code for system, code in pairs if system == SYSTEM and knowledge.is_treatment(code)}
    treatments = own | {found for pair in pairs if (found := knowledge.coding.treatments.find(*pair))}
    late = chart.too_old(done, knowledge.codes.reading.tried_days)
    for treatment in sorted(treatments):
        if late:
            chart.skip(reference, f"{treatment}: {late}")
        else:
            chart.tried({"treatment": treatment}, reference)
    if not words and not treatments:
        chart.skip(reference, "none of its codes is known")
    return None


def encounter(resource: Resource, chart: Chart) -> None:
    """Where and why the person is seen now."""
    reference = label(resource)
    if resource.get("status") not in NOW:
        return chart.skip(reference, "not the present encounter")
    kind = mapping(resource.get("class"))
    found = chart.knowledge.coding.field_values.find(text(kind.get("system")), text(kind.get("code")))
    began = when(mapping(resource.get("period")).get("start"))
    if found and not (began and began.future(chart.today)):
        name, _, value = found.partition("=")
        chart.fields.setdefault(name, []).append(Claim(value, began, reference))
    why = {reason for concept in objects(resource.get("reasonCode")) for reason in _reasons(concept, chart)}
    if why:
        chart.reasons |= why
    return None
