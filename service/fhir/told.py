"""One answer or measurement: which word a code asks about, and what a value says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rules.coding import Pair
from rules.knowledge import Knowledge
from schemas.codes import Conversion
from service.fhir.codes import SYSTEM, UCUM
from service.fhir.values import codings, inside, mapping, number, objects, text

_COMPARATORS = ("", "<", "<=", ">", ">=")
_ASKED, _AGE = ("patient.", "setting", "episode.", "contact."), "patient.age_years"
"""Fields that a value may give; the age is worked out from the birth date, lists and trials are read elsewhere."""
_STATES = ("present", "absent", "unknown")


class Unread(Exception):
    """A value that cannot be used; the text says why and holds nothing of the resource."""


class Word(NamedTuple):
    """A word and the part of the request where it stands: findings, observations or fields."""

    part: str
    name: str


def asked(concept: Any, knowledge: Knowledge) -> Word | None:
    """What a CodeableConcept asks about: our own code first, then the first that is known."""
    pairs = list(codings(concept))
    own = (found for system, code in pairs if system == SYSTEM and (found := named(code, knowledge)))
    return next(own, None) or next((found for pair in pairs if (found := _foreign(pair, knowledge))), None)


def named(name: str, knowledge: Knowledge) -> Word | None:
    """The word of one of our own ids."""
    if name in knowledge.findings:
        return Word("findings", name)
    if name in knowledge.observations:
        return Word("observations", name)
    return Word("fields", name) if name in knowledge.fields and name.startswith(_ASKED) and name != _AGE else None


def _foreign(pair: Pair, knowledge: Knowledge) -> Word | None:
    coding = knowledge.coding
    for part, table in (
        ("observations", coding.observations),
        ("findings", coding.findings),
        ("fields", coding.fields),
    ):
        name = table.find(*pair)
        if name:
            return Word(part, name)
    return None


def state(name: str, node: Mapping[str, Any], knowledge: Knowledge) -> str:
    """What an Observation (or a component of it) says of a finding.

    Unknown only where the person was asked and could not or would not say; a value that is missing for any other
    reason was not asked.

    Raises:
        Unread: no answer that can be read.
    """
    coding = knowledge.coding
    if "dataAbsentReason" in node:
        if any(coding.answers.find(*pair) == "unknown" for pair in codings(node["dataAbsentReason"])):
            return "unknown"
        raise Unread("it has no value")
    if isinstance(node.get("valueBoolean"), bool):
        return "present" if node["valueBoolean"] else "absent"
    for concept in (node.get("valueCodeableConcept"), *objects(node.get("interpretation"))):
        said = next((found for pair in codings(concept) if (found := answer(name, pair, knowledge))), None)
        if said in ("present", "absent"):
            return said
    raise Unread("its value is neither yes nor no")


def answer(name: str, pair: Pair, knowledge: Knowledge) -> str | None:
    """What one coded answer says of a finding: present, absent, unknown; None when the code is not an answer."""
    if pair[0] == SYSTEM:
        return pair[1] if pair[1] in _STATES else None
    special = knowledge.coding.finding_answers.get(name)
    return (special.find(*pair) if special else None) or knowledge.coding.answers.find(*pair)


def measurement(word: Word, node: Mapping[str, Any], knowledge: Knowledge, *, own: bool) -> float | str:
    """The value of an Observation, a component or an answer for an observation or a field of the request.

    Args:
        word: what is measured.
        node: what holds `value[x]`.
        knowledge: the vocabulary and its units.
        own: asked in our own words, so that a bare number is in the unit of the vocabulary.

    Raises:
        Unread: not a value of it, a unit that does not convert, or outside the plausible range.
    """
    if "dataAbsentReason" in node:
        raise Unread("it has no value")
    if word.part == "observations":
        entry = knowledge.observations[word.name]
        values, plausible = entry.values, entry.plausible
        units: Mapping[str, Conversion] = knowledge.coding.conversions[word.name]
        unit = entry.ucum or ""
    else:
        field = knowledge.fields[word.name]
        values, plausible, unit = field.values, field.plausible, field.unit or ""
        units = {unit: Conversion(1.0), **knowledge.coding.unitless}
    if values:
        return _coded(word.name, values, node, knowledge)
    if plausible is None:
        raise Unread("it is not read from a value")
    value = _number(node, units, unit, knowledge, own or unit.startswith("{"))
    if not plausible[0] <= value <= plausible[1]:
        raise Unread("outside the plausible range")
    return value


def _coded(name: str, values: tuple[str, ...], node: Mapping[str, Any], knowledge: Knowledge) -> str:
    for pair in _coded_values(node):
        if pair[0] == SYSTEM and pair[1] in values:
            return pair[1]
        field, _, value = (knowledge.coding.field_values.find(*pair) or "").partition("=")
        said = value if field == name else knowledge.coding.answer_names.find(*pair)
        if said in values:
            return said
    said = text(node.get("valueString"))[:100].strip().casefold()
    meant = next((value for value in values if value.casefold() == said), None)
    if meant is None:
        raise Unread("its value is not one that is known")
    return meant


def _coded_values(node: Mapping[str, Any]) -> Iterator[Pair]:
    coding = mapping(node.get("valueCoding"))
    yield text(coding.get("system")), text(coding.get("code"))
    for concept in (node.get("valueCodeableConcept"), *objects(node.get("interpretation"))):
        yield from codings(concept)


def _number(
    node: Mapping[str, Any], units: Mapping[str, Conversion], unit: str, knowledge: Knowledge, bare: bool
) -> float:
    """A number in the unit of the vocabulary; `bare`: one without a unit is in it already."""
    for kind in ("valueDecimal", "valueInteger") if bare else ():
        plain = number(node.get(kind))
        if plain is not None:
            return plain
    quantity = mapping(node.get("valueQuantity"))
    value, comparator = number(quantity.get("value")), quantity.get("comparator", "")
    if value is None or not isinstance(comparator, str) or comparator not in _COMPARATORS:
        raise Unread("it has no number that can be read")
    sent = _unit(quantity, units)
    if not sent and not bare:
        raise Unread("it has no unit")
    how = units.get(sent) if sent else Conversion(1.0)
    if how is None:
        shown = f"unit {sent}" if sent in knowledge.coding.known_units else "its unit"
        raise Unread(f"{shown} cannot be converted to {unit or 'what is asked'}")
    if (how.factor, how.plus) != (1, 0):
        value = round(value * how.factor + how.plus, 4)
        value = int(value) if value == int(value) else value  # 84, not 84.0: numbers are shown as they are sent
    return inside(value, comparator)


def _unit(quantity: Mapping[str, Any], units: Mapping[str, Conversion]) -> str:
    """The UCUM code; without one the printed unit, where it is written as UCUM writes it."""
    code, printed = text(quantity.get("code")), text(quantity.get("unit"))
    if code and quantity.get("system") in (None, UCUM):
        return code
    return printed if printed in units else code or printed
