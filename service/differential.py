"""Fired evidence turned into ranked conditions, each with its ledger for and against.

Prior weight x the likelihood ratio of every finding, normalised over all ranked conditions. The ratio of a finding
is its frequency in the condition over its frequency in ordinary mechanical back pain (the background).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from rules.evidence import Entry, Evidence
from rules.knowledge import Knowledge
from schemas.knowledge import Condition, Frequency, Priors
from service.findings import Presentation

_ORDER = attrgetter("order")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A condition with its place in the differential."""

    condition: Condition
    prior: float
    probability: float
    entries: Sequence[Entry]


def rank(evidence: Collection[Evidence], presentation: Presentation, knowledge: Knowledge) -> tuple[Ranked, ...]:
    """Order every ranked condition by its posterior.

    Args:
        evidence: what the evidence rules that fired say of each word.
        presentation: gives setting, age and the words for prior modifiers.
        knowledge: conditions and policy.

    Returns:
        Most probable first; the probabilities add up to 1.
    """
    open_ = {
        name: condition.priors
        for name, condition in knowledge.ranked.items()
        if condition.priors and (not condition.priors.opens_with or presentation.present(condition.priors.opens_with))
    }
    by_age = {name for name, priors in open_.items() if len(priors.settings[presentation.setting]) > 1}
    entries = _entries(evidence, by_age, presentation, knowledge)
    scored = []
    for name, priors in open_.items():
        condition = knowledge.ranked[name]
        prior = _prior(priors, condition.frequencies, presentation)
        ledger = _depend(_composite_or_items(entries[name]), knowledge.policy.reasoning.dependence_factor)
        scored.append((condition, prior, ledger, math.log(prior) + _total(condition, ledger, knowledge)))
    top = max(score for *_, score in scored)
    whole = math.fsum(math.exp(score - top) for *_, score in scored)
    ranked = [
        Ranked(condition, prior, math.exp(score - top) / whole, ledger) for condition, prior, ledger, score in scored
    ]
    return tuple(sorted(ranked, key=lambda item: (-item.probability, item.condition.id)))


def leading(ranked: Iterable[Ranked], knowledge: Knowledge) -> tuple[str, ...]:
    """The conditions that the ladder and the investigations are made for, most probable first."""
    policy = knowledge.policy.ladder
    ordered = list(ranked)
    floor = max(policy.leading_at_least, policy.leading_share * ordered[0].probability)
    return tuple(
        item.condition.id
        for place, item in enumerate(ordered[: policy.leading_at_most])
        if place == 0 or item.probability >= floor
    )


def must_exclude(ranked: Iterable[Ranked], suspected: Mapping[str, str], knowledge: Knowledge) -> list[dict[str, Any]]:
    """Serious conditions that a red flag suspects, or whose posterior passes their test threshold.

    Args:
        ranked: the differential.
        suspected: condition id -> the strongest red flag that suspects it, strongest first.
        knowledge: conditions and policy.
    """
    found: list[dict[str, Any]] = [
        {"condition": name, "label": knowledge.conditions[name].label, "because": "red_flag", "rule": rule}
        for name, rule in suspected.items()
        if knowledge.conditions[name].serious
    ]
    for item in ranked:
        threshold = item.condition.test_threshold or knowledge.policy.reasoning.test_threshold
        if item.condition.serious and item.probability >= threshold and item.condition.id not in suspected:
            found.append(
                {
                    "condition": item.condition.id,
                    "label": item.condition.label,
                    "because": "probability",
                    "probability": round(item.probability, 4),
                    "threshold": threshold,
                }
            )
    return found


def likelihood(probability: float, knowledge: Knowledge) -> str:
    """The word beside a probability."""
    words = sorted(knowledge.policy.reasoning.likelihood, key=lambda entry: -entry.at_least)
    return next(entry.word for entry in words if probability >= entry.at_least)


def _prior(priors: Priors, counted: Collection[str], presentation: Presentation) -> float:
    """Prior weight for this setting and age."""
    bands = priors.settings[presentation.setting]
    age = float(presentation.facts.values["patient.age_years"])
    band = next(band for band in bands if band.below is None or age < band.below)
    weight = band.percent / 100
    for modifier in priors.modifiers:
        if modifier.word not in counted and presentation.present(modifier.word):
            weight *= modifier.factor
    return weight


def _entries(
    evidence: Collection[Evidence], by_age: Collection[str], presentation: Presentation, knowledge: Knowledge
) -> dict[str, list[Entry]]:
    """For each condition what was said that weighs something there, bands of one quantity once.

    Of the bands of a quantity that hold the narrowest counts, which is the one rarest in the background.

    Args:
        evidence: what was said.
        by_age: conditions whose prior counts the age already.
        presentation: tells which quantity decided a word.
        knowledge: what each evidence weighs.
    """
    background = knowledge.conditions[knowledge.policy.reasoning.background].frequencies
    found: dict[str, list[Entry]] = {name: [] for name in knowledge.ranked}
    banded: dict[str, list[tuple[float, Evidence]]] = {}
    for said in evidence:
        word, present = said
        quantity, row = _quantity(word, present, presentation, knowledge), background.get(word)
        if quantity is not None and row is not None:
            banded.setdefault(quantity, []).append((row.f if present else 1 - row.f, said))
            continue
        for name, entry in knowledge.weighed_by.get(said, ()):
            found[name].append(entry)
    for quantity, bands in banded.items():
        counted = set(by_age if quantity == "patient.age_years" else ())
        for _, said in sorted(bands):
            for name, entry in knowledge.weighed_by.get(said, ()):
                if entry.background is None or name not in counted:
                    found[name].append(entry)
                if entry.background is not None:
                    counted.add(name)
    return found


def _quantity(word: str, present: bool, presentation: Presentation, knowledge: Knowledge) -> str | None:
    """The one measured quantity that decided a word here: its own, or that of every part which settled it.

    "A risk factor for cancer" that holds by age alone says no more than the age does. A word with a correlated group
    of its own, such as the age at onset, is counted there.
    """
    derived = knowledge.derived.get(word)
    if word in knowledge.quantities or derived is None or derived.group or derived.operator not in ("any", "all"):
        return knowledge.quantities.get(word)
    decisive = derived.operator == "any"
    if present is not decisive:
        return None
    state = presentation.words.state
    settling = {
        _quantity(term.word, state[term.word], presentation, knowledge)
        for term in derived.members
        if state.get(term.word) is (term.present is decisive)
    }
    return settling.pop() if len(settling) == 1 else None


def _composite_or_items(entries: list[Entry]) -> list[Entry]:
    """A composite or its items, never both.

    A validated composite (it names what it switches off) always replaces its items; any other word that is made
    of words in the ledger stands only where it says more than they do together.
    """
    composites = [(entry.composite, entry) for entry in entries if entry.composite]
    if not composites:
        return entries
    chosen = {entry.word: entry for entry in entries}
    # Validated composites first, then the small before the large, so that no item is weighed at two depths.
    for (_, parts, replaces, validated), entry in sorted(composites, key=lambda each: each[0].place):
        if entry.word not in chosen or (parts.isdisjoint(chosen) and replaces.isdisjoint(chosen)):
            continue
        items = [chosen[part] for part in parts | replaces if part in chosen]
        if not validated and abs(entry.weight) <= abs(math.fsum([item.weight for item in items])):
            items = [entry]
        for item in items:
            del chosen[item.word]
    return list(chosen.values())


def _depend(entries: list[Entry], factor: float) -> list[Entry]:
    """Within a correlated group, and in each direction, each further line counts half of the one before."""
    places: dict[tuple[str, bool], int] = {}
    entries.sort(key=_ORDER)
    for number, entry in enumerate(entries):
        if not entry.groups:
            continue
        place = 0
        for key in entry.groups:
            before = places.get(key, 0)
            places[key] = before + 1
            place = max(place, before)
        if place:
            entries[number] = entry._replace(counted=factor**place)
    return entries


def _total(condition: Condition, entries: Iterable[Entry], knowledge: Knowledge) -> float:
    """Sum of the counted log ratios; what speaks against a serious condition has a floor."""
    weights = [entry.weight * entry.counted for entry in entries]
    against = math.fsum([weight for weight in weights if weight < 0])
    if condition.serious:
        against = max(against, math.log(knowledge.policy.reasoning.serious_floor))
    return against + math.fsum([weight for weight in weights if weight > 0])


def describe(item: Ranked, final: bool, roots: Collection[str], knowledge: Knowledge) -> dict[str, Any]:
    """One entry of the `differential` part of the answer.

    Args:
        item: the condition and its ledger.
        final: whether words such as likely may stand beside the number.
        roots: readings of the nerve root level, for the condition that has one.
        knowledge: policy.
    """
    condition, codes = item.condition, item.condition.codes
    least = math.log(knowledge.policy.reasoning.line_from)
    leaning = [(entry, _leans(entry) * entry.counted) for entry in item.entries]
    slight = [entry for entry, lean in leaning if abs(lean) < least]
    return {
        "condition": condition.id,
        "label": condition.label,
        "serious": condition.serious,
        "probability": round(item.probability, 4),
        "likelihood": likelihood(item.probability, knowledge) if final else None,
        "prior": round(item.prior, 6),
        "icd10cm": codes.icd10cm.code if codes else None,
        "snomed": codes.snomed.code if codes and codes.snomed else None,
        "root_level": ", ".join(roots) if condition.root_level and roots else None,
        "for": [_line(entry) for entry, lean in leaning if lean >= least],
        "against": [_line(entry) for entry, lean in leaning if lean <= -least],
        "slight": {
            "lines": len(slight),
            "lr": round(math.exp(math.fsum(entry.weight * entry.counted for entry in slight)), 3),
        },
    }


def _printed(entry: Entry) -> float | None:
    shown = entry.published
    return (shown.lr_present if entry.present else shown.lr_absent) if shown else None


def _leans(entry: Entry) -> float:
    """Above 0 speaks for. For the background itself every ratio is 1, so there the printed ratio says which side."""
    return entry.weight or math.log(_printed(entry) or 1)


def _line(entry: Entry) -> dict[str, Any]:
    shown, printed, row = entry.published, _printed(entry), entry.row
    return {
        "word": entry.word,
        "state": "present" if entry.present else "absent",
        "frequency": entry.frequency,
        "background": entry.background,
        "lr": round(entry.lr, 3),
        "counted": entry.counted,
        "published_lr": printed,
        "published_references": list(shown.references) if printed and shown else [],
        "differs": shown.differs if printed and shown else None,
        "grade": row.grade,
        "evidence_status": row.status if isinstance(row, Frequency) else row.evidence_status,
        "references": list(row.references),
    }
