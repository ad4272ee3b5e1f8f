"""The story of one assessment, told in order. Pure but for the engine, which may refuse (EngineFault)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.knowledge import Pattern
from service import advice, differential, findings, investigations, ladder, questions, safety, scores, urgency
from service.findings import Presentation


def assess(request: Mapping[str, Any], knowledge: Knowledge, engine: Engine, leaflet: bool = False) -> dict[str, Any]:
    """Turn one validated request into the whole answer.

    Args:
        request: as loaded by the assessment schema.
        knowledge: what the rules know.
        engine: what fires them.
        leaflet: whether the answer holds a page for the patient.

    Raises:
        EngineFault: nothing may be concluded; the caller says so.
    """

    def fire(concern: str, literals: Collection[str]) -> dict[Any, Any]:
        return knowledge.conclude(concern, engine.fire(concern, literals))

    person = findings.derive(request, knowledge)
    patterns = fire("patterns", person.literals)
    person = person.adding(frozenset(knowledge.patterns[found.id].concludes for found in patterns))

    evidence = {(found.id, found.kind == "present") for found in fire("evidence", person.literals)}
    ranked = differential.rank(evidence, person, knowledge)
    triage = urgency.triage(fire("urgency", person.literals), person, knowledge)

    leading = differential.leading(ranked, knowledge)
    serious = urgency.suspected(triage, knowledge)
    treatable = ladder.made_for(leading, knowledge)
    after = {*(f"condition:{name}" for name in treatable), *(f"suspected:{name}" for name in serious)}
    held = person.adding(frozenset(after)).literals
    fitting = fire("treatment", held)
    unsafe = fire("safety", held)
    drafts = ladder.draft(fitting, unsafe, triage, person, knowledge)
    beside = {f"with:{draft.treatment.id}" for draft in drafts if draft.proposed}
    safety.make_compatible(drafts, fire("together", held | beside), knowledge)
    rungs = ladder.climb(drafts, fitting, treatable, triage, person, knowledge)
    reviews = advice.follow_up(drafts, fitting, knowledge)

    # What lesser rules suspect can wait for what the level is given for.
    suspected = [
        name
        for name, rule in triage.suspects.items()
        if name not in leading and knowledge.red_flags[rule].urgency == triage.level
    ]
    return {
        "knowledge": {"version": knowledge.policy.version, "sha256": knowledge.sha256},
        "intended_use": knowledge.policy.texts["intended_use"],
        "urgency": urgency.describe(triage, knowledge),
        "differential": _differential(ranked, patterns, person, knowledge),
        "must_exclude": differential.must_exclude(ranked, triage.suspects, knowledge),
        "scores": scores.read(person, knowledge),
        "investigations": investigations.advise([*leading, *suspected], fitting, triage, knowledge),
        "treatment_ladder": rungs,
        "follow_up": reviews,
        "referral": advice.referral(leading, knowledge),
        "leaflet": advice.leaflet(drafts, reviews, leading[0], fitting, triage, knowledge) if leaflet else None,
        "questions": questions.ask_next(ranked, triage, person, knowledge),
        "notices": [
            *person.notices,
            *triage.notices,
            *ladder.untreated(leading if rungs["pathway"] is None else (), knowledge),
            *_limits(knowledge),
        ],
    }


def _differential(
    ranked: Sequence[differential.Ranked],
    patterns: Mapping[Any, Any],
    person: Presentation,
    knowledge: Knowledge,
) -> list[dict[str, Any]]:
    """The listed conditions; likelihood words only once the gate of `routine` is answered."""
    final = not urgency.gate("routine", person, knowledge)
    roots = [_reading(knowledge.patterns[found.id]) for found in patterns]
    policy = knowledge.policy.reasoning
    listed = [
        item
        for place, item in enumerate(ranked[: policy.shown])
        if place < policy.shown_always or item.probability >= policy.shown_from
    ]
    return [differential.describe(item, final, roots, knowledge) for item in listed]


def _reading(pattern: Pattern) -> str:
    """What a pattern says, with how far it can be trusted."""
    if pattern.lr is None or pattern.lr_range is None:
        return pattern.label
    low, high = pattern.lr_range
    return f"{pattern.label}, LR {pattern.lr:g} ({low:g}-{high:g})"


def _limits(knowledge: Knowledge) -> list[findings.Notice]:
    """What this knowledge cannot rank is said in every answer."""
    unranked = sorted(knowledge.conditions.keys() - knowledge.ranked.keys())
    if not unranked:
        return []
    return [{"kind": "not_ranked", "value": ", ".join(unranked), "text": knowledge.policy.texts["not_ranked"]}]
