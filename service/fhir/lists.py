"""Medications, allergies and lists: names for the request, and drugs that were tried."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from service.fhir.chart import Chart
from service.fhir.codes import SYSTEM
from service.fhir.values import codings, first_code, first_date, label, mapping, objects, target, text

_TAKEN = ("active", "on-hold", "unknown", "intended")
_ENDED = ("completed", "stopped")
_NOT_YET = ("proposal", "option")
_NAMELESS = {"medications": "a medication without a name", "allergies": "an allergy without a name"}

_PARTS = {"MedicationStatement": "medications", "MedicationRequest": "medications", "AllergyIntolerance": "allergies"}

Resource = Mapping[str, Any]


def medication(resource: Resource, chart: Chart, medications: Mapping[str, Resource]) -> None:
    """A MedicationStatement or MedicationRequest: what is taken, or was tried.

    Args:
        resource: the statement or request.
        chart: where to.
        medications: Medication resources by the references that name them.
    """
    reference, status = label(resource), resource.get("status")
    if status not in (*_TAKEN, *_ENDED) or resource.get("intent") in _NOT_YET or resource.get("doNotPerform") is True:
        return chart.skip(reference, "its status or intent does not say that it is taken")
    concepts = list(_concepts(resource, medications))
    if any(chart.knowledge.coding.nothing.find(*pair) == "medications" for each in concepts for pair in codings(each)):
        return chart.listed("medications", (), reference)
    names = [name for concept in concepts for name in drug_names(concept, "medications", chart)]
    if status in _TAKEN:
        return chart.listed("medications", names or [_NAMELESS["medications"]], reference)
    return _tried(names, resource, chart)


def _concepts(resource: Resource, medications: Mapping[str, Resource]) -> Iterator[Any]:
    """The CodeableConcepts that say what is taken: its own, or those of the Medication that it points to."""
    yield from (each for each in (resource.get("medicationCodeableConcept"),) if isinstance(each, Mapping))
    pointer = mapping(resource.get("medicationReference"))
    if not pointer:
        return
    name = text(pointer.get("reference"))
    inner = {f"#{text(each.get('id'))}": each for each in objects(resource.get("contained"))}
    aimed = target(name)
    found = inner.get(name) or medications.get(name) or (medications.get("/".join(aimed)) if aimed else None)
    if found is None:
        yield {"text": pointer.get("display")}
    elif mapping(found.get("code")):
        yield found["code"]
    else:
        yield from (each.get("itemCodeableConcept") for each in objects(found.get("ingredient")))


def drug_names(concept: Any, part: str, chart: Chart) -> tuple[str, ...]:
    """The ids that a concept means; else its text, so that the answer says that it was not checked; else nothing."""
    knowledge = chart.knowledge
    pairs = list(codings(concept))
    for system, code in pairs:
        if system == SYSTEM and (
            code in knowledge.medications or (part == "allergies" and code in knowledge.allergens)
        ):
            return (code,)
        if part == "allergies" and (allergen := knowledge.coding.allergens.find(system, code)):
            return (allergen,)
        if system in knowledge.coding.drug_systems and (ids := knowledge.drugs.read(code[:20])):
            return ids
    texts = [
        text(mapping(concept).get("text")),
        *(text(each.get("display")) for each in objects(mapping(concept).get("coding"))),
    ]
    texts = [said for each in texts if (said := each.strip()[:200])]
    for said in texts:
        ids = knowledge.drugs.read(said) or (knowledge.drugs.read(_bare(said, chart)) if part == "allergies" else ())
        if ids:
            return ids
    group = next((found for pair in pairs if (found := knowledge.coding.medications.find(*pair))), None)
    return (group,) if group else tuple(texts[:1])


def _bare(said: str, chart: Chart) -> str:
    """`Allergy to aspirin` without the words around the name."""
    around = "|".join(map(re.escape, chart.knowledge.codes.reading.allergy_words))
    return re.sub(rf"\b(?:{around})\b", " ", said.casefold()).strip()


def _tried(names: list[str], resource: Resource, chart: Chart) -> None:
    """A drug that ended lately counts as tried where one treatment names it."""
    reference, reading = label(resource), chart.knowledge.codes.reading
    ended = first_date(resource, "effectivePeriod.end", "effectiveDateTime", "dateAsserted", "authoredOn")
    old = chart.too_old(ended, reading.tried_days)
    treatments = {found for name in names if (found := chart.knowledge.coding.treatment_of.get(name))}
    if old or not treatments:
        return chart.skip(reference, f"no longer taken; {old or 'not one treatment of the ladder'}")
    began = first_date(resource, "effectivePeriod.start")
    weeks = (ended.day - began.day).days / 7 if ended and began and began.parts == ended.parts == 3 else -1
    longest = (chart.knowledge.fields["treatments_tried.weeks"].plausible or (0, 0))[1]
    extra = {"weeks": round(weeks, 1)} if 0 <= weeks <= longest else {}
    for treatment in sorted(treatments):
        chart.tried({"treatment": treatment, **extra}, reference)
    return None


def allergy(resource: Resource, chart: Chart) -> None:
    """An AllergyIntolerance: a name for the list, or that there is none."""
    reference = label(resource)
    if first_code(resource.get("verificationStatus")) in ("refuted", "entered-in-error"):
        return chart.skip(reference, "refuted or entered in error")
    if first_code(resource.get("clinicalStatus")) in ("inactive", "resolved"):
        return chart.skip(reference, "no longer active")
    concept = resource.get("code")
    if any(chart.knowledge.coding.nothing.find(*pair) == "allergies" for pair in codings(concept)):
        return chart.listed("allergies", (), reference)
    names = list(drug_names(concept, "allergies", chart))
    for reaction in objects(resource.get("reaction")):
        names += drug_names(reaction.get("substance"), "allergies", chart)
    return chart.listed("allergies", names or [_NAMELESS["allergies"]], reference)


def empty_list(resource: Resource, chart: Chart) -> None:
    """A List that is empty because nothing is known to be on it; any other List says nothing by itself."""
    reference = label(resource)
    lists = chart.knowledge.coding.lists
    part = next((found for pair in codings(resource.get("code")) if (found := lists.find(*pair))), None)
    known_empty = first_code(resource.get("emptyReason")) == "nilknown" and not objects(resource.get("entry"))
    if part is None or not known_empty or resource.get("status") != "current":
        return chart.skip(reference, "a list that is not known to be empty; its entries are read by themselves")
    return chart.listed(part, (), reference)


def cut_short(reference: str, kinds: Any, chart: Chart) -> None:
    """A search result with further pages: a name that nobody knows keeps its list from being taken for whole."""
    chart.skip(reference, "further pages were not sent")
    for kind, part in _PARTS.items():
        if isinstance(kinds, list) and kind in kinds:
            chart.listed(part, ["more, on pages that were not sent"], reference)
