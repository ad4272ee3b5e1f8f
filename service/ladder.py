"""The treatment ladder for this person: what the rules offer, and what the safety rules take off it, with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.knowledge import Conclusion, Knowledge
from rules.logic import Antecedent, words_of
from schemas.knowledge import Need, Pathway, SafetyRule, Treatment
from service.findings import Notice, Presentation
from service.urgency import Urgency

Fired = Mapping[Conclusion, list[Antecedent]]


@dataclass
class _Draft:
    """An entry on its way onto the ladder."""

    treatment: Treatment
    status: str
    lowered: list[str]
    checks: list[str]
    until: str | None = None
    safety: list[dict[str, Any]] = field(default_factory=list)

    def lower(self, status: str, reason: str) -> None:
        """Take the entry down, never up; say why."""
        if _ORDER.index(status) > _ORDER.index(self.status):
            self.status = status
        if reason not in self.lowered:
            self.lowered.append(reason)


_ORDER = ("recommended", "consider", "caution", "not_yet", "excluded", "not_recommended")
_PROPOSED = _ORDER[:3]


def climb(
    urgency: Urgency,
    conditions: Sequence[str],
    fitting: Fired,
    unsafe: Fired,
    presentation: Presentation,
    knowledge: Knowledge,
) -> dict[str, Any]:
    """The `treatment_ladder` part of the answer.

    Args:
        urgency: an emergency replaces the ladder by its pathway.
        conditions: the leading conditions.
        fitting: offers and do-not rows that fired.
        unsafe: safety rules that fired.
        presentation: what is known about the person.
        knowledge: treatments, safety rules, pathways.
    """
    pathway = _pathway(urgency, knowledge)
    drafts = [] if pathway else _drafts(fitting, knowledge)
    for draft in drafts:
        _make_safe(draft, unsafe, presentation, knowledge)
        _hold(draft, urgency, knowledge)
    _one_at_a_time(drafts, knowledge)
    return {
        "pathway": pathway,
        "conditions": list(conditions),
        "rungs": [] if pathway else _rungs(drafts, conditions, knowledge),
        "not_recommended": [] if pathway else _not_recommended(drafts, fitting, knowledge),
    }


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


def _drafts(fitting: Fired, knowledge: Knowledge) -> list[_Draft]:
    """One draft for each treatment: its first offer that fired."""
    first: dict[str, int] = {}
    for conclusion in fitting:
        if conclusion.kind == "offer":
            first[conclusion.id] = min(conclusion.part, first.get(conclusion.id, conclusion.part))
    drafts = []
    for name, number in sorted(first.items(), key=lambda pair: (knowledge.treatments[pair[0]].rung, pair[0])):
        treatment = knowledge.treatments[name]
        offer = treatment.offer[number]
        drafts.append(_Draft(treatment, offer.status, [], list(treatment.checks), offer.until))
    return drafts


def _make_safe(draft: _Draft, unsafe: Fired, presentation: Presentation, knowledge: Knowledge) -> None:
    """Apply the safety rules that fired, then what is not known and would matter."""
    if draft.status == "not_recommended":
        return
    for conclusion, antecedents in unsafe.items():
        rule, targets = knowledge.safety_rules[conclusion.id]
        if draft.treatment.id in targets:
            _apply(draft, rule, antecedents)
    texts = knowledge.policy.texts
    if _own_allergy(draft.treatment, presentation, knowledge):
        draft.lower("excluded", texts["own_allergy"])
    if draft.status == "excluded":
        return
    open_needs = list(_open_needs(draft.treatment, presentation, knowledge))
    if open_needs:
        draft.checks += [question for question in open_needs if question not in draft.checks]
        low = draft.treatment.rung <= knowledge.policy.ladder.missing_data_caution_up_to_rung
        draft.lower("caution" if low else "not_yet", texts["safety_data_missing"])
        draft.until = draft.until or (None if low else "; ".join(open_needs))
    if draft.treatment.kind in knowledge.policy.ladder.kinds_needing_safety and not knowledge.has_safety(
        draft.treatment
    ):
        low = draft.treatment.rung <= knowledge.policy.ladder.missing_data_caution_up_to_rung
        draft.lower("caution" if low else "not_yet", texts["safety_not_encoded"])
        draft.until = draft.until or (None if low else texts["safety_not_encoded"])
    if presentation.unchecked and draft.treatment.drugs:
        draft.lower("caution", texts["drug_not_checked"])


def _apply(draft: _Draft, rule: SafetyRule, antecedents: list[Antecedent]) -> None:
    draft.safety.append(
        {
            "rule": rule.id,
            "title": rule.title,
            "action": rule.action,
            "severity": rule.severity,
            "words": sorted({word for antecedent in antecedents for word in words_of(antecedent)}),
            "because": rule.because,
            "instead": rule.instead,
            "references": list(rule.references),
            "evidence_status": rule.evidence_status,
        }
    )
    if rule.action == "exclude":
        draft.lower("excluded", rule.because)
    elif rule.action == "caution":
        draft.lower("caution", rule.because)


def _own_allergy(treatment: Treatment, presentation: Presentation, knowledge: Knowledge) -> bool:
    """Whether an allergy names a drug of the entry, or a class that it belongs to."""
    mine = {word.removeprefix("own:") for word in knowledge.listed("own", treatment.drugs)}
    return not presentation.allergies.isdisjoint(mine)


def _open_needs(treatment: Treatment, presentation: Presentation, knowledge: Knowledge) -> Iterator[str]:
    """Questions whose answer a safety rule of this treatment needs and nobody gave."""
    for sheet in knowledge.safety.values():
        if treatment.id in sheet.treatments:
            for need in sheet.needs:
                if (not need.treatments or treatment.id in need.treatments) and not _known(need, presentation):
                    yield need.question


def _known(need: Need, presentation: Presentation) -> bool:
    if need.applies and presentation.absent(need.applies):
        return True
    answering = (*need.counts_as_known, *((need.finding,) if need.finding else ()))
    if any(presentation.present(word) or presentation.absent(word) for word in answering):
        return True
    return need.field is not None and (need.field in presentation.sent or need.field in presentation.facts.values)


def _hold(draft: _Draft, urgency: Urgency, knowledge: Knowledge) -> None:
    """Hands-on treatment and injections wait until the level is final and not urgent."""
    waiting = urgency.provisional or urgency.level in knowledge.policy.ladder.hold_levels
    if draft.treatment.hold_unless_final and waiting and draft.status in _PROPOSED:
        text = knowledge.policy.texts["held"]
        draft.lower("not_yet", text)
        draft.until = text


def _one_at_a_time(drafts: list[_Draft], knowledge: Knowledge) -> None:
    """Of proposed entries of one drug class only the first keeps its place; the others are alternatives."""
    strongest = sorted(
        (draft for draft in drafts if draft.status in _PROPOSED),
        key=_place,
    )
    for drug_class in knowledge.policy.ladder.one_at_a_time:
        giving = [draft for draft in strongest if f"own:{drug_class}" in knowledge.listed("own", draft.treatment.drugs)]
        for draft in giving[1:]:
            draft.lower("consider", f"{knowledge.policy.texts['one_at_a_time']} ({giving[0].treatment.label})")


def _place(draft: _Draft) -> tuple[int, int, str]:
    """Proposed before not, then low rungs before high, then the order of the evidence file."""
    return _ORDER.index(draft.status), draft.treatment.rung, draft.treatment.row


def _rungs(drafts: list[_Draft], conditions: Sequence[str], knowledge: Knowledge) -> list[dict[str, Any]]:
    rungs = []
    for rung in knowledge.rungs:
        entries = sorted(
            (draft for draft in drafts if draft.treatment.rung == rung.rung and draft.status != "not_recommended"),
            key=_place,
        )
        rungs.append(
            {
                "rung": rung.rung,
                "title": rung.title,
                "enter_when": rung.enter_when,
                "entries": [_entry(draft, conditions) for draft in entries],
            }
        )
    return rungs


def _entry(draft: _Draft, conditions: Sequence[str]) -> dict[str, Any]:
    treatment = draft.treatment
    return {
        "treatment": treatment.id,
        "label": treatment.label,
        "status": draft.status,
        "conditions": [name for name in conditions if name in treatment.conditions],
        "because": " ".join(draft.lowered) or treatment.because,
        "effect": treatment.because,
        "until": draft.until if draft.status == "not_yet" else None,
        "use": treatment.use,
        "dose": treatment.dose if draft.status in _PROPOSED else None,
        "judge_after": treatment.judge_after,
        "checks": draft.checks,
        "guidelines": dict(treatment.guidelines),
        "evidence_status": treatment.evidence_status,
        "references": list(treatment.references),
        "safety": draft.safety,
        "alternatives": list(treatment.alternatives) if draft.status == "excluded" else [],
    }


def _not_recommended(drafts: list[_Draft], fitting: Fired, knowledge: Knowledge) -> list[dict[str, Any]]:
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


def _pathway(urgency: Urgency, knowledge: Knowledge) -> dict[str, Any] | None:
    """In an emergency: the pathway of what the strongest rules suspect; without one, the actions of the rule."""
    if knowledge.levels[urgency.level].rank < max(level.rank for level in knowledge.levels.values()):
        return None
    lead = urgency.fired[0]
    suspects = [name for flag in urgency.fired if flag.urgency == urgency.level for name in flag.suspects]
    matching: list[Pathway] = []
    for suspect in suspects:
        matching += [p for p in knowledge.pathways.values() if suspect in p.conditions and p not in matching]
    if not matching:
        return {
            "pathway": lead.id,
            "title": lead.title,
            "actions": list(lead.actions),
            "avoid": [],
            "within": lead.within,
            "also": [],
            "evidence_status": lead.evidence_status,
            "references": list(lead.references),
            "statement": knowledge.policy.texts["replaced_by_pathway"],
        }
    matching.sort(key=lambda pathway: pathway.general)
    first = matching[0]
    return {
        "pathway": first.id,
        "title": first.title,
        "actions": list(first.actions),
        "avoid": list(dict.fromkeys(avoid for pathway in matching for avoid in pathway.avoid)),
        "within": first.within,
        "also": [pathway.id for pathway in matching[1:]],
        "evidence_status": first.evidence_status,
        "references": list(first.references),
        "statement": knowledge.policy.texts["replaced_by_pathway"],
    }
