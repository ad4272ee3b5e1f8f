"""Fired red flags, and the must-asks that are open, turned into one level with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    open_items: tuple[str, ...]
    """Must-asks that must be answered before the level is final, the most dangerous first."""
    would_change: tuple[tuple[str, str, str], ...]
    """(word, level, rule): what one more present word would do."""
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
    items = _open(level, presentation, knowledge)
    return Urgency(
        level=level,
        provisional=bool(items),
        fired=tuple(setting),
        default=default,
        words={flag.id: _held(fired[Conclusion("red_flag", flag.id)]) for flag in flags},
        open_items=items,
        would_change=_would_change(level, presentation, knowledge),
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
        "would_change": [
            {"word": word, "label": knowledge.findings[word].label, "to": level, "rule": rule}
            for word, level, rule in urgency.would_change
        ],
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


def _open(level: str, presentation: Presentation, knowledge: Knowledge) -> tuple[str, ...]:
    items = gate(level, presentation, knowledge)
    return tuple(sorted(items, key=lambda item: (*_danger(item, presentation, knowledge), item)))


def _danger(item: str, presentation: Presentation, knowledge: Knowledge) -> tuple[int, int]:
    """How far a present finding of the item could move the level, and how little else that would need."""
    reading = [row for finding in knowledge.must_ask[item].findings for row in knowledge.urgency_readers[finding]]
    return min(
        ((-_rank(level, knowledge), len(antecedent - presentation.literals)) for antecedent, level in reading),
        default=(0, 0),
    )


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
            "because": flag.because,
            "within": flag.within,
            "guideline": flag.guideline,
            "references": list(flag.references),
            "evidence_status": flag.evidence_status,
        }
        for flag in urgency.fired
    ]


def _would_change(level: str, presentation: Presentation, knowledge: Knowledge) -> tuple[tuple[str, str, str], ...]:
    """Rules above the level that lack exactly one finding which nobody has denied."""
    rank, held = _rank(level, knowledge), presentation.literals
    found: dict[str, tuple[int, int, str, str]] = {}
    for antecedent, to, rule in knowledge.urgency_antecedents:
        higher = _rank(to, knowledge)
        if higher <= rank:
            break
        missing = antecedent - held
        if len(missing) != 1:
            continue
        (word,) = missing
        if word not in knowledge.findings or presentation.absent(word):
            continue
        best = (-higher, -len(antecedent), word, rule)
        if word not in found or best < found[word]:
            found[word] = best
    ordered = sorted(found.values())[: knowledge.policy.questions.would_change]
    levels = {entry.rank: name for name, entry in knowledge.levels.items()}
    return tuple((word, levels[-higher], rule) for higher, _, word, rule in ordered)


def _no_downgrade(flag: RedFlag) -> Notice:
    return {"kind": "no_downgrade", "value": flag.id, "text": flag.because}
