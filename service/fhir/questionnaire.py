"""The vocabulary as a Questionnaire, whose answers come back in through $assess. Pure.

The linkId of an item is the word that it answers. A finding is a choice of three, since a yes or no could not say that
it was asked in vain; must-asks come first, each with its findings, which stand nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rules.knowledge import Knowledge
from schemas.assessment import ANSWERS
from schemas.codes import Code
from schemas.glossary import FIELDS
from schemas.vocabulary import FINDING_KINDS
from service.fhir.codes import SYSTEM
from service.fhir.parts import BASE, LOINC, UCUM, Json, coding, markdown, own, tidy

ID = "lumbar-intake"
URL = f"{BASE}/Questionnaire/{ID}"
SECTIONS = {
    "must-ask": "Must be asked",
    "person": "Person and episode",
    **dict(zip(FINDING_KINDS, ("History", "Examination", "Context", "Tests"), strict=True)),
    "treatment": "Treatment so far",
}
"""linkId of a section -> its heading."""

_EXTENSION = "http://hl7.org/fhir/StructureDefinition"
_PERSON = ("patient.pregnancy", "setting", "episode.duration_days", "episode.pain_severity", "contact.mode")
_SPOKEN = ("snomed", "loinc")
_NONE, _UNKNOWN = "None of these", "Cannot be answered"


def write(knowledge: Knowledge) -> Json:
    """The Questionnaire of a knowledge base."""
    asked = {word for entry in knowledge.must_ask.values() for word in entry.findings}
    person = [_field(name, knowledge) for name in (*_PERSON, "contact.informant") if name in knowledge.fields]
    sections = {"must-ask": [*_must_asks(knowledge)], "person": person}
    for kind in FINDING_KINDS:
        found = (name for name, entry in knowledge.findings.items() if entry.kind == kind and name not in asked)
        sections[kind] = [_finding(name, knowledge) for name in found]
    sections["investigation"] += [_observation(name, knowledge) for name in knowledge.observations]
    sections["treatment"] = [*_treatment(knowledge)]
    stamp = {"system": own("knowledge"), "version": knowledge.policy.version, "code": knowledge.sha256}
    resource = {
        "resourceType": "Questionnaire",
        "id": ID,
        "meta": {"tag": [stamp]},
        "url": URL,
        "version": knowledge.policy.version,
        "name": "LumbarIntake",
        "title": "Low back pain: intake",
        "status": "draft",
        "subjectType": ["Patient"],
        "date": knowledge.source_attributes.revised,
        "description": markdown(knowledge.policy.texts["intended_use"]),
        "item": [_group(name, SECTIONS[name], items) for name, items in sections.items() if items],
    }
    written: Json = tidy(resource)
    return written


def _group(link: str, text: str, items: Sequence[Json], **more: bool) -> Json:
    return {"linkId": link, "text": text, "type": "group", **more, "item": items}


def _must_asks(knowledge: Knowledge) -> Iterator[Json]:
    """Each item with one answer for all its findings, then the findings that no item before it has."""
    taken: set[str] = set()
    for name, entry in knowledge.must_ask.items():
        text = {"absent": _NONE, "unknown": _UNKNOWN}
        options = [
            {"valueCoding": coding(SYSTEM, state, text[state])} for state in knowledge.fields["screening"].values
        ]
        whole = _item(name, f"{entry.item}: all of these", "choice", answerOption=options)
        findings = [word for word in entry.findings if word not in taken]
        taken.update(findings)
        yield _group(f"must-ask.{name}", entry.item, [whole, *(_finding(word, knowledge) for word in findings)])


def _finding(name: str, knowledge: Knowledge) -> Json:
    coded = knowledge.codes.findings.get(name)
    codes = _codes(coded.codes, knowledge) if coded else []
    return _choice(name, knowledge.findings[name].question, ANSWERS, codes)


def _observation(name: str, knowledge: Knowledge) -> Json:
    entry, coded = knowledge.observations[name], knowledge.codes.observations.get(name)
    listed = (entry.loinc if entry.loinc_sure else None, *entry.loinc_alternatives)
    codes = [coding(LOINC, code) for code in listed] + (_codes(coded.codes, knowledge) if coded else [])
    if entry.plausible is None:
        return _choice(name, entry.label, entry.values, codes)
    return _number(name, entry.label, entry.plausible, coding(UCUM, entry.ucum, entry.unit), codes)


def _field(name: str, knowledge: Knowledge) -> Json:
    """A field of the request, in the words of the contract."""
    entry = knowledge.fields[name]
    part, _, last = name.rpartition(".")
    component = {"": "AssessmentRequest", "treatments_tried": "TreatmentTried"}.get(part, part.title())
    text = FIELDS[f"{component}.{last}"]
    if entry.plausible is None:
        return _choice(name, text, entry.values, ())
    return _number(name, text, entry.plausible, coding(UCUM, entry.unit), [coding(LOINC, entry.loinc)])


def _treatment(knowledge: Knowledge) -> Iterator[Json]:
    for name in ("medications", "allergies"):
        yield _item(name, FIELDS[f"AssessmentRequest.{name}"], "string", repeats=True)
    treatments = {name: entry.label for name, entry in knowledge.treatments.items()}
    treatments |= {name: entry.label for name, entry in knowledge.treatment_groups.items()}
    options = [{"valueCoding": coding(SYSTEM, name, label)} for name, label in treatments.items()]
    which = _item("treatments_tried.treatment", FIELDS["TreatmentTried.treatment"], "choice", answerOption=options)
    parts = [_field(f"treatments_tried.{name}", knowledge) for name in ("weeks", "response")]
    yield _group("treatments_tried", FIELDS["AssessmentRequest.treatments_tried"], [which, *parts], repeats=True)


def _choice(name: str, text: str, values: Iterable[str], codes: Iterable[Json | None]) -> Json:
    options = [{"valueCoding": coding(SYSTEM, value, value.replace("_", " "))} for value in values]
    return _item(name, text, "choice", codes, answerOption=options)


def _number(
    name: str, text: str, plausible: tuple[float, float], unit: Json | None, codes: Iterable[Json | None]
) -> Json:
    limits = zip(("minValue", "maxValue"), plausible, strict=True)
    extensions: list[Json] = [{"url": f"{_EXTENSION}/{end}", "valueDecimal": value} for end, value in limits]
    if unit:
        extensions.append({"url": f"{_EXTENSION}/questionnaire-unit", "valueCoding": unit})
    return _item(name, text, "decimal", codes, extension=extensions)


def _item(name: str, text: str, kind: str, codes: Iterable[Json | None] = (), **more: object) -> Json:
    return {"linkId": name, "code": [coding(SYSTEM, name), *codes], "text": text, "type": kind, **more}


def _codes(codes: Iterable[Code], knowledge: Knowledge) -> list[Json | None]:
    """The codes of a question that consumers of Observations know; codes of diagnoses are for reading only."""
    return [
        coding(knowledge.codes.systems[row.system].uris[0], row.code, row.display)
        for row in codes
        if row.system in _SPOKEN
    ]
