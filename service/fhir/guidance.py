"""A native answer as one Bundle: GuidanceResponse first, then everything that it points to. Pure.

The same answer about the same inputs gives the same bytes: ids come from the content, and there is no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rules.knowledge import Knowledge
from service.fhir import issues, outcome, plan, risk
from service.fhir.case import Case
from service.fhir.codes import SYSTEM
from service.fhir.intake import Input, Skipped
from service.fhir.parts import BASE, Json, coding, note, reference, without_markup

MODULE = f"{BASE}/guidance/low-back-pain"
RESPONSE, MESSAGES, OUTPUT = "GuidanceResponse", "OperationOutcome", "Parameters"


def write(
    answer: Mapping[str, Any],
    knowledge: Knowledge,
    subject: Json,
    *,
    inputs: Sequence[Input] = (),
    skipped: Sequence[Skipped] = (),
) -> Json:
    """The Bundle (type collection) of an answer.

    Args:
        answer: as `service.assess.assess` gives it.
        knowledge: what gave it.
        subject: Reference to the Patient as sent.
        inputs: which resource said what.
        skipped: what was not used, and why.
    """
    case = Case(answer, knowledge, subject, inputs, skipped)
    messages = [*_messages(case)]
    differential, detected = risk.write(case), issues.write(case)
    entries = [
        _response(case, bool(messages)),
        *([case.entry(MESSAGES, {"resourceType": MESSAGES, "issue": messages})] if messages else []),
        case.entry(OUTPUT, {"resourceType": OUTPUT, "parameter": [*_output(case)]}),
        differential,
        *detected,
        *plan.write(case, [differential, *detected]),
    ]
    return {"resourceType": "Bundle", "id": case.id("Bundle"), "type": "collection", "entry": entries}


def _response(case: Case, messages: bool) -> Json:
    missing = [*_missing(case)]
    resource = {
        "resourceType": RESPONSE,
        "moduleUri": MODULE,
        "status": "data-requested" if missing else "success",
        "subject": case.subject,
        "note": note(case.answer["intended_use"], case.answer["urgency"]["statement"]),
        "evaluationMessage": [case.link(MESSAGES)] if messages else [],
        "outputParameters": case.link(OUTPUT),
        "result": case.link(plan.PLAN),
        "dataRequirement": missing,
    }
    return case.entry(RESPONSE, resource)


def _missing(case: Case) -> Iterator[Json]:
    """What is still to be asked: open must-asks with the findings that answer each, then the questions."""
    findings = case.knowledge.findings
    for item in case.answer["urgency"]["open_must_asks"]:
        answers = [coding(SYSTEM, word, findings[word].label) for word in item["findings"]]
        yield _required([coding(SYSTEM, item["id"], item["question"]), *answers])
    for question in case.answer["questions"]:
        word = question["finding"]
        yield _required([coding(SYSTEM, word, findings[word].label)])


def _required(codes: list[Json | None]) -> Json:
    return {"type": "Observation", "codeFilter": [{"path": "code", "code": codes}]}


def _messages(case: Case) -> Iterator[Json]:
    """What was not used of what was sent, and what the answer itself notes."""
    for each in case.skipped:
        place = each.reference if reference(each.reference) else "A resource"
        yield outcome.issue("information", "informational", f"{place}: {without_markup(each.because)}")
    for notice in case.answer["notices"]:
        about = without_markup(notice["value"])
        text = f"{notice['kind'].replace('_', ' ')}: {about}. {notice['text']}"
        yield outcome.issue("warning", "informational", text)


def _output(case: Case) -> Iterator[Json]:
    """The level and what belongs to it, for a consumer that reads no other resource."""
    urgency, knowledge = case.answer["urgency"], case.answer["knowledge"]
    yield {"name": "urgency", "valueCode": urgency["level"]}
    yield {"name": "provisional", "valueBoolean": urgency["provisional"]}
    yield {"name": "within", "valueString": urgency["within"]}
    yield {"name": "disposition", "valueString": urgency["disposition"]}
    yield from ({"name": "action", "valueString": text} for text in urgency["actions"])
    for row in case.answer["must_exclude"]:
        yield {"name": "must-exclude", "valueCodeableConcept": risk.outcome(row["condition"], case.knowledge)}
    yield {"name": "knowledge-version", "valueString": knowledge["version"]}
    yield {"name": "knowledge-sha256", "valueString": knowledge["sha256"]}
