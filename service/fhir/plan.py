"""What may be done, as proposals: a CarePlan, the ladder in it as a RequestGroup, and drafts of what to order. Pure.

Every leaf of a RequestGroup needs a resource (its invariant rqg-1): a draft of it is contained in the group. What was
taken off the ladder is no action, so that nobody orders it by mistake; the notes of the plan say what, and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.fhir.case import Case
from service.fhir.parts import ATC, RXNORM, Json, citations, coding, concept, note, own
from service.fhir.risk import outcome

PLAN, GROUP = "CarePlan", "RequestGroup"
PROPOSED = ("recommended", "consider", "caution")
_HELD = {"not_yet": "Not yet", "excluded": "Excluded"}
_PROPOSAL = {"status": "draft", "intent": "proposal"}
_DRUGS = ("drug", "supplement")

Entry = Mapping[str, Any]


def write(case: Case, supporting: Sequence[Json]) -> list[Json]:
    """The entries of the plan.

    Args:
        case: the answer.
        supporting: entries that the plan rests on.
    """
    group, orders = _group(case), [*_orders(case)]
    urgency = case.answer["urgency"]
    resource = {
        "resourceType": PLAN,
        **_PROPOSAL,
        "title": "Proposal for low back pain",
        "description": f"{urgency['label']}. {urgency['within']}. {urgency['disposition']}.",
        "subject": case.subject,
        "supportingInfo": [*map(_link, supporting)],
        "activity": [{"reference": _link(each)} for each in (group, *orders)],
        "note": note(urgency["statement"], *urgency["actions"], *_remarks(case.answer), case.answer["intended_use"]),
    }
    return [case.entry(PLAN, resource), group, *orders]


def _link(entry: Json) -> Json:
    return {"reference": entry["fullUrl"], "type": entry["resource"]["resourceType"]}


def _remarks(answer: Mapping[str, Any]) -> Iterator[str]:
    """What is no action: held back, advised against, follow-up, referral."""
    ladder = answer["treatment_ladder"]
    for rung in ladder["rungs"]:
        for entry in rung["entries"]:
            if entry["status"] in _HELD:
                until = f" Until: {entry['until']}." if entry["until"] else ""
                rules = f" Rules: {', '.join(line['rule'] for line in entry['safety'])}." if entry["safety"] else ""
                yield f"{_HELD[entry['status']]}: {entry['label']}. {entry['because']}{until}{rules}"
    yield from (f"Advised against: {row['label']}. {row['because']}" for row in ladder["not_recommended"])
    for row in answer["investigations"]:
        if row["advice"] != "order":
            yield f"{row['advice'].replace('_', ' ').capitalize()}: {row['label']}. {row['because']}"
    yield from (f"Follow-up: {row['title']}. {row['within']}. {'; '.join(row['check'])}" for row in answer["follow_up"])
    yield from (f"Referral: {row['refer_to']}. {row['when']}" for row in answer["referral"])


def _group(case: Case) -> Json:
    """The ladder, or what replaces it in an emergency."""
    pathway, contained = case.answer["treatment_ladder"]["pathway"], list[Json]()
    if pathway:
        actions = [_pathway(pathway, contained, case)]
    else:
        actions = [
            found for rung in case.answer["treatment_ladder"]["rungs"] if (found := _rung(rung, contained, case))
        ]
    resource = {
        "resourceType": GROUP,
        "contained": contained,
        **_PROPOSAL,
        "priority": case.priority,
        "code": concept("Treatment ladder for low back pain"),
        "subject": case.subject,
        "action": actions,
    }
    return case.entry(GROUP, resource)


def _rung(rung: Mapping[str, Any], contained: list[Json], case: Case) -> Json | None:
    entries = [entry for entry in rung["entries"] if entry["status"] in PROPOSED]
    climb = f"Climb when: {rung['climb_when']}." if rung["climb_when"] else ""
    return (
        {
            "prefix": str(rung["rung"]),
            "title": rung["title"],
            "description": f"Enter when: {rung['enter_when']}. {climb}".strip(),
            "groupingBehavior": "logical-group",
            "selectionBehavior": "any",
            "action": [_treatment(entry, contained, case) for entry in entries],
        }
        if entries
        else None
    )


def _treatment(entry: Entry, contained: list[Json], case: Case) -> Json:
    """One entry of a rung, with a draft of it."""
    draft = _draft(entry, case)
    contained.append(draft)
    dose = f" Dose: {entry['dose']}." if entry["dose"] else ""
    checks = f" Check: {'; '.join(entry['checks'])}." if entry["checks"] else ""
    return {
        "title": entry["label"],
        "description": f"{entry['because']} {entry['effect']}".strip(),
        "textEquivalent": f"{entry['label']} ({entry['status']}).{dose}{checks}",
        "code": [draft.get("code", draft.get("medicationCodeableConcept")), _status(entry["status"])],
        "documentation": citations(entry["references"], case.knowledge),
        "requiredBehavior": "could",
        "resource": {"reference": f"#{draft['id']}"},
    }


def _status(status: str) -> Json:
    return concept(status, coding(own("offer-status"), status))


def _draft(entry: Entry, case: Case) -> Json:
    """A draft of a treatment: MedicationRequest for what is taken, else ServiceRequest."""
    treatment = case.knowledge.treatments[entry["treatment"]]
    ours = coding(own("treatments"), treatment.id, treatment.label)
    drugs = [case.knowledge.medications[name] for name in treatment.drugs]
    drug = drugs[0] if len(drugs) == 1 else None
    codes = (
        coding(RXNORM, drug.rxnorm if drug.rxnorm_sure else None, drug.label) if drug else None,
        coding(ATC, drug.atc, drug.label) if drug else None,
    )
    common = {"id": treatment.id.replace("_", "-"), **_PROPOSAL, "subject": case.subject}
    if treatment.kind in _DRUGS:
        return {
            "resourceType": "MedicationRequest",
            **common,
            "medicationCodeableConcept": concept(entry["label"], ours, *codes),
            "dosageInstruction": [{"text": entry["dose"]}] if entry["dose"] else [],
            "note": note(*entry["checks"]),
        }
    return {
        "resourceType": "ServiceRequest",
        **common,
        "code": concept(entry["label"], ours),
        "note": note(entry["use"], *entry["checks"]),
    }


def _pathway(pathway: Mapping[str, Any], contained: list[Json], case: Case) -> Json:
    """First actions in order, then what to avoid meanwhile."""
    steps = [(text, False) for text in pathway["actions"]] + [(text, True) for text in pathway["avoid"]]
    actions = []
    for number, (text, avoid) in enumerate(steps, 1):
        draft = {"resourceType": "ServiceRequest", "id": f"step-{number}", **_PROPOSAL, "priority": case.priority}
        never = {"doNotPerform": True} if avoid else {}
        contained.append({**draft, **never, "code": concept(text), "subject": case.subject})
        title = f"Avoid: {text}" if avoid else text
        actions.append({"prefix": str(number), "title": title, "resource": {"reference": f"#step-{number}"}})
    return {
        "title": pathway["title"],
        "description": f"{pathway['statement']} Within: {pathway['within']}.",
        "documentation": citations(pathway["references"], case.knowledge),
        "groupingBehavior": "logical-group",
        "action": actions,
    }


def _orders(case: Case) -> Iterator[Json]:
    """A draft for each investigation that is advised."""
    for row in case.answer["investigations"]:
        if row["advice"] == "order":
            name = row["investigation"]
            resource = {
                "resourceType": "ServiceRequest",
                **_PROPOSAL,
                "priority": case.priority,
                "code": concept(row["label"], coding(own("investigations"), name, row["label"])),
                "subject": case.subject,
                "reasonCode": [outcome(row["condition"], case.knowledge)],
                "note": note(row["when"], row["because"]),
            }
            yield case.entry(f"ServiceRequest/{name}", resource)
