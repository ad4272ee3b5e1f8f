"""What the safety rules, missing data, the level and the other entries make of an entry of the ladder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rules.knowledge import Conclusion, Knowledge
from rules.logic import Antecedent, words_of
from schemas.knowledge import Need, SafetyRule, Treatment
from service.drafts import Draft
from service.findings import Presentation
from service.urgency import Urgency

Fired = Mapping[Conclusion, list[Antecedent]]


def make_safe(draft: Draft, unsafe: Fired, urgency: Urgency, presentation: Presentation, knowledge: Knowledge) -> None:
    """Apply the safety rules that fired, then what is not known and would matter, then what must wait."""
    if draft.status == "not_recommended":
        return
    for conclusion, antecedents in unsafe.items():
        rule, targets = knowledge.safety_rules[conclusion.id]
        if draft.treatment.id in targets:
            _apply(draft, rule, antecedents)
    _allergies(draft, presentation, knowledge)
    if draft.status != "excluded":
        _not_known(draft, presentation, knowledge)
    _hold(draft, urgency, knowledge)


def _apply(draft: Draft, rule: SafetyRule, antecedents: list[Antecedent]) -> None:
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


def _not_known(draft: Draft, presentation: Presentation, knowledge: Knowledge) -> None:
    """Safety data that nobody gave: caution on the low rungs, not yet on the high ones, with the question."""
    policy, texts = knowledge.policy.ladder, knowledge.policy.texts
    low = draft.treatment.rung <= policy.missing_data_caution_up_to_rung
    open_needs = list(_open_needs(draft.treatment, presentation, knowledge))
    if open_needs:
        draft.checks += [question for question in open_needs if question not in draft.checks]
        draft.lower("caution" if low else "not_yet", texts["safety_data_missing"])
        draft.until = draft.until or (None if low else "; ".join(open_needs))
    if draft.treatment.kind in policy.kinds_needing_safety and not knowledge.has_safety(draft.treatment):
        draft.lower("caution" if low else "not_yet", texts["safety_not_encoded"])
        draft.until = draft.until or (None if low else texts["safety_not_encoded"])
    if presentation.unchecked and draft.treatment.drugs:
        draft.lower("caution", texts["drug_not_checked"])


def _allergies(draft: Draft, presentation: Presentation, knowledge: Knowledge) -> None:
    """An allergy to a drug of the entry, or to its class, takes it off; one to a sibling is a caution."""
    mine = {word.removeprefix("own:") for word in knowledge.listed("own", draft.treatment.drugs)}
    if not presentation.allergies.isdisjoint(mine):
        draft.lower("excluded", knowledge.policy.texts["own_allergy"])
    elif any(
        drug_class in mine and f"allergy_class:{drug_class}" in presentation.facts.listed
        for drug_class in knowledge.policy.ladder.allergy_classes
    ):
        draft.lower("caution", knowledge.policy.texts["class_allergy"])


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


def _hold(draft: Draft, urgency: Urgency, knowledge: Knowledge) -> None:
    """Hands-on treatment and injections wait until the level is final and not urgent."""
    waiting = urgency.provisional or urgency.level in knowledge.policy.ladder.hold_levels
    if draft.treatment.hold_unless_final and waiting and draft.proposed:
        text = knowledge.policy.texts["held"]
        draft.lower("not_yet", text)
        draft.until = text


def make_compatible(drafts: Iterable[Draft], together: Fired, knowledge: Knowledge) -> None:
    """Check entries that are proposed side by side against one another; the later one of two steps back.

    Args:
        drafts: the entries, already safe one by one.
        together: safety rules that one entry would fire if another were taken, with `with:` words.
        knowledge: the classes of which one drug at a time is enough.
    """
    proposed = sorted((draft for draft in drafts if draft.proposed), key=lambda draft: draft.place)
    _one_at_a_time(proposed, knowledge)
    by_name = {draft.treatment.id: (place, draft) for place, draft in enumerate(proposed)}
    for conclusion, antecedents in together.items():
        rule, targets = knowledge.safety_rules[conclusion.id]
        givers = {word.removeprefix("with:") for found in antecedents for word in found if word.startswith("with:")}
        for giver in sorted(givers & by_name.keys()):
            for target in sorted({*targets} & by_name.keys() - {giver}):
                _beside(by_name[giver], by_name[target], rule, knowledge)
    for draft in proposed:
        if draft.barred_by:
            draft.lower("caution", f"{knowledge.policy.texts['not_together']}: {'; '.join(draft.barred_by)}.")


def _beside(giver: tuple[int, Draft], target: tuple[int, Draft], rule: SafetyRule, knowledge: Knowledge) -> None:
    """Two proposed entries that a rule is about: both say so; where it forbids, the later one becomes a caution."""
    if _of_one_class(giver[1].treatment, target[1].treatment, knowledge):
        return  # alternatives to one another already
    first, later = sorted((giver, target), key=lambda each: each[0])
    for draft, other in ((first[1], later[1]), (later[1], first[1])):
        line = {
            "with": other.treatment.id,
            "rule": rule.id,
            "action": rule.action,
            "because": rule.because,
            "references": list(rule.references),
            "evidence_status": rule.evidence_status,
        }
        if line not in draft.together:
            draft.together.append(line)
    if rule.action == "exclude" and first[1].treatment.label not in later[1].barred_by:
        later[1].barred_by.append(first[1].treatment.label)


def _one_at_a_time(proposed: Sequence[Draft], knowledge: Knowledge) -> None:
    """Of proposed entries of one drug class only the first keeps its place; the others are alternatives."""
    for drug_class in knowledge.policy.ladder.one_at_a_time:
        giving = [draft for draft in proposed if _gives(draft.treatment, drug_class, knowledge)]
        for draft in giving[1:]:
            draft.lower("consider", f"{knowledge.policy.texts['one_at_a_time']} ({giving[0].treatment.label})")


def _of_one_class(one: Treatment, other: Treatment, knowledge: Knowledge) -> bool:
    return any(
        _gives(one, drug_class, knowledge) and _gives(other, drug_class, knowledge)
        for drug_class in knowledge.policy.ladder.one_at_a_time
    )


def _gives(treatment: Treatment, drug_class: str, knowledge: Knowledge) -> bool:
    return f"own:{drug_class}" in knowledge.listed("own", treatment.drugs)
