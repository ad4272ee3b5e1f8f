"""What is being ordered, in our own words: a drug by code or name, another order by code or the words of its name."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.knowledge import Knowledge
from schemas.cards import Order
from service.fhir.chart import Chart
from service.fhir.codes import SYSTEM
from service.fhir.lists import drug_names

_MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Ordered:
    """One draft order.

    `drugs` are the ids that its drug means (none: not read), None for an order that is no drug; `kinds` the orders of
    rules/cds_hooks.yaml that it is.
    """

    text: str
    drugs: tuple[str, ...] | None
    kinds: tuple[Order, ...]
    reasons: tuple[Any, ...]


def read(
    drafts: Sequence[Mapping[str, Any]], others: Iterable[Any], today: datetime.date, knowledge: Knowledge
) -> Iterator[Ordered]:
    """The drafts that are drugs, or orders that we know.

    Args:
        drafts: resources of the draft orders in question.
        others: resources in which the Medication of a draft may stand.
        today: the day of the call.
        knowledge: drugs, and what orders are called.
    """
    medications = {
        f"Medication/{each.get('id')}": each
        for each in (*others, *drafts)
        if isinstance(each, dict) and each.get("resourceType") == "Medication"
    }
    for draft in drafts:
        reasons = tuple(_listed(draft.get("reasonCode")))
        if draft.get("resourceType") == "MedicationRequest":
            concept = _medication(draft, medications)
            names = drug_names(concept, "medications", Chart(knowledge, today))
            drugs = tuple(name for name in names if name in knowledge.medications)
            yield Ordered(_text(concept), drugs, (), reasons)
        elif draft.get("resourceType") == "ServiceRequest":
            concept = _object(draft.get("code"))
            kinds = tuple(order for order in knowledge.cards.orders if _is(order, concept))
            if kinds:
                yield Ordered(_text(concept), None, kinds, reasons)


def subject(draft: Mapping[str, Any]) -> str | None:
    """The patient that an order is for, as `Patient/id` or a URL that ends so; None where it does not say."""
    reference = _object(draft.get("subject")).get("reference")
    return reference if isinstance(reference, str) else None


def _medication(draft: Mapping[str, Any], medications: Mapping[str, Any]) -> Mapping[str, Any]:
    """The CodeableConcept of the drug, also where it is a reference to a Medication."""
    if concept := _object(draft.get("medicationCodeableConcept")):
        return concept
    reference = _object(draft.get("medicationReference"))
    name = str(reference.get("reference", ""))
    inside = {f"#{each.get('id')}": each for each in _listed(draft.get("contained"))}
    found = inside.get(name) or medications.get("/".join(name.split("/")[-2:]))
    return _object(_object(found).get("code")) or {"text": reference.get("display")}


def _is(order: Order, concept: Mapping[str, Any]) -> bool:
    codes = {(coding.get("system"), coding.get("code")) for coding in _listed(concept.get("coding")) if _coded(coding)}
    if (SYSTEM, order.id) in codes or any((code.system, code.code) in codes for code in order.codes):
        return True
    for text in _texts(concept):
        words = {*re.findall(r"[a-z0-9]+", text.casefold())}
        if any(words.issuperset(name) for name in order.names) and words.isdisjoint(order.but_not):
            return True
    return False


def _coded(coding: Mapping[str, Any]) -> bool:
    return isinstance(coding.get("system"), str) and isinstance(coding.get("code"), str)


def _texts(concept: Mapping[str, Any]) -> Iterator[str]:
    said = (concept.get("text"), *(coding.get("display") for coding in _listed(concept.get("coding"))))
    yield from (text[:_MAX_TEXT] for text in said if isinstance(text, str) and text.strip())


def _text(concept: Mapping[str, Any]) -> str:
    return next(_texts(concept), "")


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(values: Any) -> list[Mapping[str, Any]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
