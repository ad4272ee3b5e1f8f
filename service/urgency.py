"""Fired red flags, and the must-asks that are open, turned into one level with its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

from rules.grounds import grounds, openers
from rules.knowledge import Conclusion, Knowledge
from rules.logic import Antecedent, words_of
from schemas.knowledge import DefaultLevel, RedFlag
from service.findings import Notice, Presentation, answered, applicable

Fired = Mapping[Conclusion, list[Antecedent]]


@dataclass(frozen=True)
class Urgency:
    """The level and everything that explains it."""

    level: str
    provisional: bool
    fired: tuple[RedFlag, ...]
    """Rules that set a level, the strongest first."""
    default: DefaultLevel | None
    words: Mapping[str, tuple[str, ...]]
    """Rule id -> the words that held."""
    said: Mapping[str, tuple[str, ...]]
    """Rule id -> what was answered, measured or listed that makes them hold, in words."""
    open_items: tuple[str, ...]
    """Must-asks that must be answered before the level is final, the most dangerous first."""
    would_change: tuple[tuple[RedFlag, tuple[str, ...]], ...]
    """Rules of a higher level that did not fire, the nearest first, and the findings of which one more would do it."""
    notices: tuple[Notice, ...]

    @property
    def suspects(self) -> dict[str, str]:
        """Condition -> the strongest rule that suspects it."""
        found: dict[str, str] = {}
        for flag in self.fired:
            for condition in flag.suspects:
                found.setdefault(condition, flag.id)
        return found


def triage(fired: Fired, presentation: Presentation, knowledge: Knowledge) -> Urgency:
    """The highest level among the fired rules, or the default policy when none fired."""
    flags = [knowledge.red_flags[conclusion.id] for conclusion in fired if conclusion.kind == "red_flag"]
    setting = sorted(
        (flag for flag in flags if flag.urgency),
        key=lambda flag: (-_rank(flag.urgency, knowledge), flag.row, flag.id),
    )
    default = None if setting else _default(presentation, knowledge)
    level = setting[0].urgency if setting else default.level  # type: ignore[union-attr]
    assert level is not None
    lacking = _lacking(presentation.literals, knowledge)
    items = _open(level, lacking, presentation, knowledge)
    return Urgency(
        level=level,
        provisional=bool(items),
        fired=tuple(setting),
        default=default,
        words=(words := {flag.id: _held(fired[Conclusion("red_flag", flag.id)]) for flag in flags}),
        said={rule: _said(held, presentation, knowledge) for rule, held in words.items()},
        open_items=items,
        would_change=_would_change(level, lacking, presentation, knowledge),
        notices=tuple(_no_downgrade(flag) for flag in flags if flag.then.notice),
    )


def describe(urgency: Urgency, knowledge: Knowledge) -> dict[str, Any]:
    """The `urgency` part of the answer."""
    lead = urgency.fired[0] if urgency.fired else urgency.default
    assert lead is not None
    return {
        "level": urgency.level,
        "label": knowledge.levels[urgency.level].label,
        "provisional": urgency.provisional,
        "statement": knowledge.policy.texts["provisional"] if urgency.provisional else None,
        "within": lead.within,
        "disposition": lead.disposition,
        "actions": _actions(urgency),
        "reasons": _reasons(urgency),
        "would_change": [_change(flag, missing, knowledge) for flag, missing in urgency.would_change],
        "open_must_asks": [open_item(item, knowledge) for item in urgency.open_items],
    }


def suspected(urgency: Urgency, knowledge: Knowledge) -> frozenset[str]:
    """What the rules of the higher levels suspect: safety rules read it as `suspected:` words."""
    floor = _rank(knowledge.policy.ladder.suspected_from, knowledge)
    return frozenset(
        name for flag in urgency.fired if _rank(flag.urgency, knowledge) >= floor for name in flag.suspects
    )


def open_item(item: str, knowledge: Knowledge) -> dict[str, Any]:
    """A must-ask that is still open, and how far it could move the level."""
    entry = knowledge.must_ask[item]
    return {
        "id": item,
        "question": entry.item,
        "findings": list(entry.findings),
        "could_raise_to": knowledge.reach[item],
    }


def gate(level: str, presentation: Presentation, knowledge: Knowledge) -> list[str]:
    """Must-asks that the level needs answered and that are not: the stricter of the two tables."""
    entry = knowledge.levels[level]
    listed = {*entry.must_be_answered, *entry.if_applicable}
    listed |= {item for item, asked in knowledge.must_ask.items() if level in asked.gates}
    return [
        item
        for item in sorted(listed)
        if applicable(item, presentation, knowledge) and not answered(item, presentation, knowledge)
    ]


def _lacking(held: Set[str], knowledge: Knowledge) -> list[int]:
    """How many literals each of `urgency_antecedents` lacks."""
    lacking = [len(antecedent) for antecedent, *_ in knowledge.urgency_antecedents]
    for literal in held & knowledge.urgency_places.keys():
        for place in knowledge.urgency_places[literal]:
            lacking[place] -= 1
    return lacking


def _open(level: str, lacking: Sequence[int], presentation: Presentation, knowledge: Knowledge) -> tuple[str, ...]:
    items = gate(level, presentation, knowledge)
    return tuple(sorted(items, key=lambda item: (*_danger(item, lacking, knowledge), item)))


def _danger(item: str, lacking: Sequence[int], knowledge: Knowledge) -> tuple[int, int]:
    """How far a present finding of the item could move the level, and how little else that would need."""
    level, places = knowledge.reaching[item]
    return -_rank(level, knowledge), min([lacking[place] for place in places], default=0)


def _default(presentation: Presentation, knowledge: Knowledge) -> DefaultLevel:
    """The first entry of the default policy whose words hold."""
    for entry in knowledge.default_policy:
        fits = all(map(presentation.present, entry.all_of))
        fits = fits and (not entry.any_of or any(map(presentation.present, entry.any_of)))
        if fits and not (entry.needs_gate and gate(entry.level, presentation, knowledge)):
            return entry
    raise LookupError("the last entry of the default policy always applies")  # held by a check when loading


def _rank(level: str | None, knowledge: Knowledge) -> int:
    return knowledge.levels[level].rank if level else 0


def _held(antecedents: list[Antecedent]) -> tuple[str, ...]:
    return tuple(sorted({word for antecedent in antecedents for word in words_of(antecedent)}))


def _said(words: tuple[str, ...], presentation: Presentation, knowledge: Knowledge) -> tuple[str, ...]:
    """What the words rest on, as a clinician would read it back."""
    facts, state = presentation.facts, presentation.words.state
    found = frozenset().union(*(grounds(word, facts, state, knowledge.vocabulary) for word in words))
    return tuple(sorted(_in_words(each, presentation, knowledge) for each in found))


def _in_words(ground: str, presentation: Presentation, knowledge: Knowledge) -> str:
    if ground in knowledge.findings:
        return knowledge.findings[ground].label
    value = presentation.facts.values.get(ground)
    if value is not None:
        part, _, name = ground.rpartition(".")
        measured = knowledge.observations.get(name) if part == "observations" else None
        said = f"{measured.label if measured else _plain(name).capitalize()}: {_plain(value)}"
        return f"{said} {measured.unit}" if measured and measured.unit else said
    kind, _, name = ground.partition(":")
    if kind == "absent":
        return f"Not: {_in_words(name, presentation, knowledge)}"
    if kind == "unknown":
        return f"Cannot be answered: {knowledge.must_ask[name].item}"
    return knowledge.medications[name].label if name in knowledge.medications else _plain(ground)


def _plain(value: float | str) -> str:
    return str(value).replace("_", " ")


def _change(flag: RedFlag, missing: tuple[str, ...], knowledge: Knowledge) -> dict[str, Any]:
    policy = knowledge.policy
    labels = [knowledge.findings[word].label for word in missing[: policy.questions.would_change_named]]
    left = len(missing) - len(labels)
    text = policy.texts["would_change_more" if left else "would_change"]
    level = _plain(str(flag.urgency))
    return {
        "to": flag.urgency,
        "rule": flag.id,
        "title": flag.title,
        "words": list(missing),
        "text": text.format(level=level, findings="; or: ".join(labels), left=left),
    }


def _actions(urgency: Urgency) -> list[str]:
    """First actions of the leading rule, then of each further rule of that level with another suspicion."""
    if urgency.default:
        return list(urgency.default.actions)
    actions: list[str] = []
    suspected: set[tuple[str, ...]] = set()
    for flag in urgency.fired:
        if flag.urgency == urgency.level and flag.suspects not in suspected:
            suspected.add(flag.suspects)
            actions += [action for action in flag.actions if action not in actions]
    return actions


def _reasons(urgency: Urgency) -> list[dict[str, Any]]:
    if urgency.default:
        entry = urgency.default
        return [
            {
                "rule": "default_policy",
                "row": entry.row,
                "title": entry.title,
                "level": entry.level,
                "words": [],
                "said": [],
                "because": entry.because,
                "within": entry.within,
                "guideline": entry.guideline,
                "references": list(entry.references),
                "evidence_status": entry.evidence_status,
            }
        ]
    return [
        {
            "rule": flag.id,
            "row": flag.row,
            "title": flag.title,
            "level": flag.urgency,
            "words": list(urgency.words[flag.id]),
            "said": list(urgency.said[flag.id]),
            "because": flag.because,
            "within": flag.within,
            "guideline": flag.guideline,
            "references": list(flag.references),
            "evidence_status": flag.evidence_status,
        }
        for flag in urgency.fired
    ]


def _would_change(
    level: str, lacking: Sequence[int], presentation: Presentation, knowledge: Knowledge
) -> tuple[tuple[RedFlag, tuple[str, ...]], ...]:
    """Rules above the level that one more finding which nobody has denied would fire.

    The highest level first, then the rule of which most already holds, then the order of the evidence rows.
    """
    held, state = presentation.literals, presentation.words.state
    missing: dict[str, set[str]] = {}
    near: dict[str, int] = {}
    opening = cache(lambda literal: openers(literal, state, knowledge.vocabulary))
    for place in [place for place, left in enumerate(lacking[: knowledge.stronger[level]]) if left == 1]:
        antecedent, _, rule = knowledge.urgency_antecedents[place]
        if found := opening(*antecedent - held):
            missing.setdefault(rule, set()).update(found)
            near[rule] = max(near.get(rule, 0), len(words_of(antecedent)))
    flags = sorted(
        (knowledge.red_flags[rule] for rule in missing),
        key=lambda flag: (-_rank(flag.urgency, knowledge), -near[flag.id], flag.row, flag.id),
    )
    return tuple(
        (flag, tuple(knowledge.in_order(missing[flag.id]))) for flag in flags[: knowledge.policy.questions.would_change]
    )


def _no_downgrade(flag: RedFlag) -> Notice:
    return {"kind": "no_downgrade", "value": flag.id, "text": flag.because}
