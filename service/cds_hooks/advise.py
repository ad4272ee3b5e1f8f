"""The story of one call: read the chart, assess, and say what is worth a card. Pure but for the engine."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.cards import Service
from service.assess import assess
from service.cds_hooks import calls, cards, judging, orders
from service.cds_hooks.orders import Ordered
from service.fhir import intake
from service.fhir.intake import Intake, OtherPatient


@dataclass(frozen=True, slots=True)
class Advice:
    """The cards, and what they rest on; `answer` is None when nothing was assessed."""

    cards: list[cards.Card]
    request: Mapping[str, Any]
    answer: judging.Answer | None


def advise(
    body: Mapping[str, Any],
    service: Service,
    today: datetime.date,
    knowledge: Knowledge,
    engine: Engine,
    console: str = "",
) -> Advice:
    """The cards of one call.

    Raises:
        ValidationError, WrongHook, Missing, TooMany: a call that cannot be answered (calls).
        OtherPatient, NoAge: a chart that cannot be used (intake.read).
        EngineFault: nothing may be concluded.
    """
    call = calls.read(body, service)
    _same_patient(call)
    chart = [*intake.resources(call.chart)]
    if len(chart) + len(call.drafts) > calls.MAX_RESOURCES:
        raise calls.TooMany
    ordered = [*orders.read(call.drafts, chart, today, knowledge)]
    found = intake.read([*chart, *_encounter(ordered, call)], today, knowledge, patient=call.patient)
    meant = [each for each in ordered if found.reasons or any(kind.about_back for kind in each.kinds)]
    asks_about_orders = service.hook.startswith("order-")
    if not (meant if asks_about_orders else found.reasons):
        return Advice([], found.request, None)

    asked = knowledge.request_schema.load(found.request)
    answer = assess(asked, knowledge, engine)
    frame = cards.Frame(call, knowledge, len(found.skipped), console)
    made = [cards.level(answer, frame)]
    if asks_about_orders:
        made = [*_of_orders(meant, found, answer, frame, engine)]
        if unread := [each.text for each in meant if each.drugs == () and _for_the_back(each, call, today, knowledge)]:
            made.append(cards.not_checked(unread, frame))
    shown = cards.heaviest((card for card in made if card), knowledge.cards.show.cards)
    return Advice(shown, asked, answer)


def _same_patient(call: calls.Call) -> None:
    for draft in call.drafts:
        reference = orders.subject(draft)
        if reference is not None and f"/{reference}".rpartition("/Patient/")[2] != call.patient:
            raise OtherPatient(f"{draft.get('resourceType')}/{draft.get('id')}")


def _encounter(ordered: Iterable[Ordered], call: calls.Call) -> Iterator[dict[str, Any]]:
    """Why the orders are given, as an encounter would say it, so that the reader of charts can judge it."""
    if reasons := [reason for each in ordered for reason in each.reasons]:
        yield {
            "resourceType": "Encounter",
            "id": "draft-orders",
            "status": "in-progress",
            "class": {"code": "AMB"},
            "subject": {"reference": f"Patient/{call.patient}"},
            "reasonCode": reasons,
        }


def _for_the_back(one: Ordered, call: calls.Call, today: datetime.date, knowledge: Knowledge) -> bool:
    """Whether an order says itself that it is for the back."""
    if not one.reasons:
        return False
    alone = [call.chart[calls.REQUIRED], *_encounter([one], call)]
    return bool(intake.read(alone, today, knowledge, patient=call.patient).reasons)


def _of_orders(
    meant: list[Ordered], found: Intake, answer: judging.Answer, frame: cards.Frame, engine: Engine
) -> Iterator[cards.Card | None]:
    """One card for each order that a rule speaks against; the level itself where it asks for something else."""
    knowledge, sent = frame.knowledge, {*_paths(found.request)}
    on_order = answer["urgency"]["level"] in knowledge.cards.show.on_order
    if on_order and not any(judging.right(each, answer) for each in meant):
        yield cards.level(answer, frame)
    seen = set()
    for place, each in enumerate(meant):
        beside = _beside(each, meant[: knowledge.cards.show.orders]) if place < knowledge.cards.show.orders else ()
        spoken = answer if not beside else _with(beside, found, knowledge, engine)
        judged = judging.judge(each, spoken, sent, knowledge)
        if judged and (judged.label, judged.findings) not in seen:
            seen.add((judged.label, judged.findings))
            yield cards.order(judged, answer, frame)


def _beside(one: Ordered, meant: Iterable[Ordered]) -> tuple[str, ...]:
    """The drugs that are ordered together with one."""
    own = one.drugs or ()
    return tuple(sorted({drug for other in meant if other is not one for drug in other.drugs or ()} - {*own}))


def _with(drugs: Iterable[str], found: Intake, knowledge: Knowledge, engine: Engine) -> judging.Answer:
    """The answer as it were if these drugs were taken already."""
    taken = [*found.request.get("medications", ()), *drugs]
    return assess(knowledge.request_schema.load({**found.request, "medications": taken}), knowledge, engine)


def _paths(value: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every field of a request that holds a value, as `episode.duration_days`."""
    for key, inner in value.items():
        yield f"{path}{key}"
        if isinstance(inner, dict):
            yield from _paths(inner, f"{path}{key}.")
