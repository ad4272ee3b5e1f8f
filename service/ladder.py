"""The treatment ladder for this person: what the rules offer, made safe, rung by rung, with what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rules.knowledge import Knowledge
from rules.words import Trial
from service.drafts import Draft
from service.findings import Notice, Presentation
from service.pathway import pathway
from service.safety import Fired, make_safe
from service.urgency import Urgency


def made_for(leading: Sequence[str], knowledge: Knowledge) -> tuple[str, ...]:
    """The conditions that the ladder is made for: the leading ones, and mechanical pain where none has a treatment.

    A serious condition without treatments gets none of another: its urgency rules say what to do.
    """
    known = any(name in knowledge.treated for name in leading)
    if known or any(knowledge.conditions[name].serious for name in leading):
        return tuple(leading)
    return (*leading, knowledge.policy.reasoning.background)


def untreated(leading: Sequence[str], knowledge: Knowledge) -> list[Notice]:
    """Leading conditions of which no treatment is encoded are said, never passed over."""
    names = [name for name in leading if name not in knowledge.treated]
    return [{"kind": "not_treated", "value": name, "text": knowledge.policy.texts["not_treated"]} for name in names]


def draft(
    fitting: Fired, unsafe: Fired, urgency: Urgency, presentation: Presentation, knowledge: Knowledge
) -> list[Draft]:
    """One draft for each treatment, its first offer that fired, made safe by itself. None in an emergency."""
    if pathway(urgency, knowledge):
        return []
    first: dict[str, int] = {}
    for conclusion in fitting:
        if conclusion.kind == "offer":
            first[conclusion.id] = min(conclusion.part, first.get(conclusion.id, conclusion.part))
    drafts = []
    for name, number in sorted(first.items(), key=lambda pair: (knowledge.treatments[pair[0]].rung, pair[0])):
        treatment = knowledge.treatments[name]
        offer = treatment.offer[number]
        drafts.append(Draft(treatment, offer.status, list(treatment.checks), offer.until))
        make_safe(drafts[-1], unsafe, urgency, presentation, knowledge)
    return drafts


def climb(
    drafts: list[Draft],
    fitting: Fired,
    conditions: Sequence[str],
    urgency: Urgency,
    presentation: Presentation,
    knowledge: Knowledge,
) -> dict[str, Any]:
    """The `treatment_ladder` part of the answer.

    Args:
        drafts: the entries, safe one by one and side by side.
        fitting: do-not rows that fired.
        conditions: the leading conditions.
        urgency: an emergency replaces the ladder by its pathway.
        presentation: what was tried already.
        knowledge: treatments, pathways, policy.
    """
    replaced = pathway(urgency, knowledge)
    return {
        "pathway": replaced,
        "conditions": list(conditions),
        "rungs": [] if replaced else _rungs(drafts, conditions, presentation, knowledge),
        "not_recommended": [] if replaced else _not_recommended(drafts, fitting, knowledge),
    }


def _rungs(
    drafts: list[Draft], conditions: Sequence[str], presentation: Presentation, knowledge: Knowledge
) -> list[dict[str, Any]]:
    status = {draft.treatment.id: draft for draft in drafts}
    rungs = []
    for rung in knowledge.rungs:
        entries = sorted(
            (draft for draft in drafts if draft.treatment.rung == rung.rung and draft.status != "not_recommended"),
            key=lambda draft: draft.place,
        )
        rungs.append(
            {
                "rung": rung.rung,
                "title": rung.title,
                "enter_when": rung.enter_when,
                "adequate_trial": rung.adequate_trial,
                "climb_when": rung.climb_when,
                "entries": [_entry(draft, status, conditions, presentation, knowledge) for draft in entries],
            }
        )
    return rungs


def _entry(
    draft: Draft,
    ladder: dict[str, Draft],
    conditions: Sequence[str],
    presentation: Presentation,
    knowledge: Knowledge,
) -> dict[str, Any]:
    treatment, excluded = draft.treatment, draft.status == "excluded"
    instead = _alternatives(draft, ladder, knowledge) if excluded else []
    return {
        "treatment": treatment.id,
        "label": treatment.label,
        "status": draft.status,
        "conditions": [name for name in conditions if name in treatment.conditions],
        "because": " ".join(draft.lowered) or treatment.because,
        "effect": treatment.because,
        "until": draft.until if draft.status == "not_yet" else None,
        "tried": _tried(treatment.id, presentation, knowledge),
        "use": treatment.use,
        "dose": treatment.dose if draft.proposed else None,
        "judge_after": treatment.judge_after,
        "checks": draft.checks,
        "guidelines": dict(treatment.guidelines),
        "articles_say": treatment.articles,
        "conflicts": list(knowledge.conflicts_of[treatment.id]),
        "evidence_status": treatment.evidence_status,
        "references": list(treatment.references),
        "safety": draft.safety,
        "together": draft.together,
        "alternatives": instead,
        "no_alternative": knowledge.policy.texts["no_alternative"] if excluded and not instead else None,
    }


def _alternatives(draft: Draft, ladder: dict[str, Draft], knowledge: Knowledge) -> list[str]:
    """What the entry names instead, without what is off this ladder too; else what its rung or a lower one has."""
    named = [
        name
        for entry in draft.treatment.alternatives
        for name in (knowledge.treatment_groups[entry].covers if entry in knowledge.treatment_groups else (entry,))
    ]
    open_ = [name for name in dict.fromkeys(named) if name not in ladder or ladder[name].proposed]
    if open_:
        return open_
    lower = sorted((each for each in ladder.values() if each.proposed), key=lambda each: each.place)
    return [each.treatment.id for each in lower if each.treatment.rung <= draft.treatment.rung][:2]


def _tried(name: str, presentation: Presentation, knowledge: Knowledge) -> str:
    """What was said of the treatment itself, or of a group that it belongs to: how long, and how it answered."""
    if "treatments_tried" not in presentation.sent:
        return "not_asked"
    groups = {group for group, entry in knowledge.treatment_groups.items() if name in entry.covers}
    trials = [trial for trial in presentation.facts.trials if trial.named in {name, *groups}]
    return "; ".join(map(_in_words, trials)) or "not_tried"


def _in_words(trial: Trial) -> str:
    weeks = "" if trial.weeks is None else f" for {trial.weeks:g} weeks"
    return f"{trial.named}{weeks}: {trial.response or 'response not said'}"


def _not_recommended(drafts: list[Draft], fitting: Fired, knowledge: Knowledge) -> list[dict[str, Any]]:
    """Treatments that are advised against, and the do-not rows that apply; each thing once."""
    rows: list[dict[str, Any]] = []
    spoken_for: set[str] = set()
    for conclusion in sorted(fitting):
        if conclusion.kind == "do_not":
            row = knowledge.do_not[conclusion.id]
            spoken_for |= {row.treatment} if row.treatment else set()
            rows.append(
                {
                    "treatment": row.treatment,
                    "label": row.title,
                    "row": row.id,
                    "because": row.because,
                    "instead": row.instead["text"],
                    "evidence_status": row.evidence_status,
                    "references": list(row.references),
                }
            )
    for draft in drafts:
        if draft.status == "not_recommended" and draft.treatment.id not in spoken_for:
            rows.append(
                {
                    "treatment": draft.treatment.id,
                    "label": draft.treatment.label,
                    "row": draft.treatment.row,
                    "because": draft.treatment.because,
                    "instead": None,
                    "evidence_status": draft.treatment.evidence_status,
                    "references": list(draft.treatment.references),
                }
            )
    return rows
