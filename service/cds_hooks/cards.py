"""Cards: an answer, or what was found of an order, in the words of rules/cds_hooks.yaml. Ids follow from the call."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.knowledge import Knowledge
from schemas.cards import INDICATORS
from service.cds_hooks import prose
from service.cds_hooks.calls import Call
from service.cds_hooks.judging import Answer, Judged
from service.fhir.codes import SYSTEM

Card = dict[str, Any]
_NAMES = uuid.UUID("4b3c0ad5-6b0f-5a51-9ef5-3c1d3a4c2e10")
"""Namespace of the ids of cards and suggestions."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What every card needs: the call, the knowledge, how much was not read, and the address of the console."""

    call: Call
    knowledge: Knowledge
    skipped: int
    console: str


def level(answer: Answer, frame: Frame) -> Card | None:
    """The card of the urgency level; None when no rule fired, as "nothing found" is no news."""
    urgency, cards = answer["urgency"], frame.knowledge.cards
    fired = [reason for reason in urgency["reasons"] if reason["rule"] in frame.knowledge.red_flags]
    leading = [reason for reason in fired if reason["level"] == urgency["level"]]
    if not leading:
        return None
    shown = cards.levels[urgency["level"]]
    summary = cards.texts["summary_provisional" if urgency["provisional"] else "summary"]
    return _card(
        frame,
        key="level",
        summary=summary.format(level=shown.word, reason=leading[0]["title"]),
        indicator=shown.indicator,
        detail=_level_detail(answer, leading, frame),
        suggestions=_suggestions(answer, frame),
    )


def order(judged: Judged, answer: Answer, frame: Frame) -> Card:
    """The card of one order."""
    cards = frame.knowledge.cards
    first = judged.findings[0]
    return _card(
        frame,
        key=f"order:{judged.label}:{first.rule}",
        summary=cards.texts[judged.verdict].format(ordered=judged.label, reason=first.title),
        indicator=_at_least(cards.verdicts[judged.verdict], cards.show.critical_at_least if judged.critical else ""),
        detail=_order_detail(judged, answer, frame),
    )


def not_checked(quoted: Sequence[str], frame: Frame) -> Card:
    """The card of drugs for the back that could not be read."""
    cards = frame.knowledge.cards
    lines = [f"- {prose.escaped(text, prose.QUOTED)}" for text in quoted if text]
    return _card(
        frame,
        key="not_checked",
        summary=cards.texts["not_checked"],
        indicator=cards.verdicts["not_checked"],
        detail=prose.paragraphs([prose.said(cards.texts["unreadable"]), "\n".join(lines[: cards.show.questions])]),
    )


def _at_least(indicator: str, other: str) -> str:
    """The heavier of two indicators; the other may be none."""
    return max(indicator, other or indicator, key=INDICATORS.index)


def heaviest(cards: Iterable[Card], most: int) -> list[Card]:
    """The most pressing cards, at most so many."""
    return sorted(cards, key=lambda card: -INDICATORS.index(card["indicator"]))[:most]


def _card(
    frame: Frame, *, key: str, summary: str, indicator: str, detail: str, suggestions: Sequence[Card] = ()
) -> Card:
    knowledge = frame.knowledge
    reasons = [
        {"system": each.system, "code": each.code, "display": each.display} for each in knowledge.cards.override_reasons
    ]
    card: Card = {
        "uuid": _uuid(frame.call, key),
        "summary": prose.shortened(prose.plain(summary)),
        "indicator": indicator,
        "detail": detail,
        "source": {"label": f"Lumbar {knowledge.policy.version}"},
        "overrideReasons": reasons,
    }
    if suggestions:
        card |= {"suggestions": [*suggestions], "selectionBehavior": "any"}
    if frame.console:
        card["links"] = [{"label": knowledge.cards.texts["console"], "url": frame.console, "type": "absolute"}]
    return card


def _level_detail(answer: Answer, leading: Sequence[Mapping[str, Any]], frame: Frame) -> str:
    urgency, texts, show = answer["urgency"], frame.knowledge.cards.texts, frame.knowledge.cards.show
    pathway = answer["treatment_ladder"]["pathway"]
    why = [_reason(reason, frame) for reason in leading[: show.reasons]]
    steps = [prose.said(f"{urgency['disposition']} ({urgency['within']})"), *map(prose.said, urgency["actions"])]
    return prose.paragraphs(
        [
            prose.section(texts["because"], why),
            prose.section(texts["do"], steps),
            prose.section(texts["avoid"], map(prose.said, pathway["avoid"] if pathway else ())),
            _questions(answer, frame),
            _limits(frame),
            _sources([name for reason in leading for name in reason["references"]], frame),
        ]
    )


def _reason(reason: Mapping[str, Any], frame: Frame) -> str:
    """A rule in words: what it is, what of the chart fired it, and why it is one."""
    texts = frame.knowledge.cards.texts
    chart = texts["chart"].format(words=", ".join(reason["said"])) if reason["said"] else ""
    rule = texts["rule"].format(rule=reason["row"])
    parts = [f"{reason['title']}.", chart, reason["because"], f"({rule})"]
    return prose.said(" ".join(part for part in parts if part))


def _order_detail(judged: Judged, answer: Answer, frame: Frame) -> str:
    texts, show = frame.knowledge.cards.texts, frame.knowledge.cards.show
    quoted = f"> {prose.escaped(judged.quoted, prose.QUOTED)}" if judged.quoted else ""
    stands_for = texts["judged_as"].format(label=judged.judged_as) if judged.judged_as else ""
    why = [
        prose.said(f"{each.title.rstrip('.')}. {each.because} ({texts['rule'].format(rule=each.rule)})")
        for each in judged.findings[: show.reasons]
    ]
    instead = dict.fromkeys(name for each in judged.findings[: show.reasons] for name in each.instead)
    return prose.paragraphs(
        [
            quoted,
            prose.section(texts["because"], why),
            prose.said(texts["instead"].format(instead="; ".join(instead))) if instead else "",
            prose.said(stands_for),
            _questions(answer, frame) if judged.verdict == "not_recommended" else "",
            _limits(frame),
            _sources([name for each in judged.findings for name in each.references], frame),
        ]
    )


def _questions(answer: Answer, frame: Frame) -> str:
    """What nobody asked and could change the level."""
    open_, texts = answer["urgency"]["open_must_asks"], frame.knowledge.cards.texts
    if not open_:
        return ""
    most = frame.knowledge.cards.show.questions
    lines = [prose.said(item["question"]) for item in open_[:most]]
    if len(open_) > most:
        lines.append(prose.said(texts["more"].format(count=len(open_) - most)))
    return prose.paragraphs([prose.section(texts["questions"], lines), prose.said(texts["provisional"])])


def _limits(frame: Frame) -> str:
    texts = frame.knowledge.cards.texts
    lines = [texts[gap.text].format(key=gap.key.replace("_", " ")) for gap in frame.call.gaps]
    if frame.skipped:
        lines.append(texts["skipped"].format(count=frame.skipped))
    return prose.section(texts["limits"], map(prose.said, lines))


def _sources(names: Iterable[str], frame: Frame) -> str:
    known = frame.knowledge.references
    chosen = [known[name] for name in dict.fromkeys(names)][: frame.knowledge.cards.show.sources]
    lines = [prose.link(reference.citation, reference.url) for reference in chosen]
    return prose.section(frame.knowledge.cards.texts["sources"], lines)


def _suggestions(answer: Answer, frame: Frame) -> list[Card]:
    """A draft order for each investigation that is to be ordered, first those that come first."""
    cards = frame.knowledge.cards
    wanted = [row for row in answer["investigations"] if row["advice"] == "order"][: cards.show.suggestions]
    return [_suggestion(row, cards.levels[answer["urgency"]["level"]].priority, frame) for row in wanted]


def _suggestion(row: Mapping[str, Any], priority: str, frame: Frame) -> Card:
    label, texts = prose.plain(row["label"]), frame.knowledge.cards.texts
    draft = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "priority": priority,
        "code": {
            "coding": [{"system": SYSTEM, "code": row["investigation"], "display": label}],
            "text": label,
        },
        "subject": {"reference": f"Patient/{frame.call.patient}"},
    }
    action = {"type": "create", "description": texts["action"].format(label=label), "resource": draft}
    return {
        "label": texts["order"].format(label=label),
        "uuid": _uuid(frame.call, f"suggestion:{row['investigation']}"),
        "actions": [action],
    }


def _uuid(call: Call, key: str) -> str:
    """The same call has the same ids, so that a call that is repeated makes no second card."""
    return str(uuid.uuid5(_NAMES, f"{call.instance.lower()}:{key}"))
