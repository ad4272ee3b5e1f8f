"""What goes with the ladder: when to look again, to whom to refer, and a leaflet for the patient."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from rules.knowledge import Conclusion, Knowledge
from schemas.advice import Education
from service.drafts import Draft
from service.safety import Fired
from service.urgency import Urgency


def follow_up(drafts: Sequence[Draft], fitting: Fired, knowledge: Knowledge) -> list[dict[str, Any]]:
    """Reviews of which the lines hold and a treatment, where the row names any, is proposed; the earliest first."""
    proposed = {draft.treatment.id for draft in drafts if draft.proposed}
    rows = [
        row
        for row in knowledge.follow_up.values()
        if not row.when or Conclusion("follow_up", row.id) in fitting
        if not row.treatments or not proposed.isdisjoint(row.treatments)
    ]
    return [
        {
            "row": row.id,
            "title": row.title,
            "review_days": list(row.review_days),
            "within": row.within,
            "check": list(row.check),
            "evidence_status": row.evidence_status,
            "references": list(row.references),
        }
        for row in sorted(rows, key=lambda row: (row.review_days, row.id))
    ]


def referral(conditions: Collection[str], knowledge: Knowledge) -> list[dict[str, Any]]:
    """To whom each leading condition is referred, and when."""
    return [
        {
            "condition": row.condition,
            "refer_to": row.refer_to,
            "when": row.when,
            "reached": row.reached,
            "evidence_status": row.evidence_status,
            "references": list(row.references),
        }
        for row in knowledge.referral.values()
        if row.condition in conditions
    ]


def leaflet(
    drafts: Sequence[Draft],
    reviews: Sequence[dict[str, Any]],
    leading: str,
    fitting: Fired,
    urgency: Urgency,
    knowledge: Knowledge,
) -> dict[str, Any]:
    """A page in plain words for this person at this level, without anything that was taken off the ladder.

    Args:
        drafts: the entries of the ladder, settled.
        reviews: the follow-up of the answer.
        leading: the most probable condition.
        fitting: education rows that fired.
        urgency: the level; at the high ones only warnings are said.
        knowledge: the rows and the frame of the page.
    """
    frame, level = knowledge.leaflet, knowledge.leaflet.levels[urgency.level]
    condition = knowledge.conditions[leading]
    rows = [row for row in _for_this_person(drafts, fitting, knowledge) if row.topic in level.topics]
    sections: dict[str, list[dict[str, str]]] = {}
    for topic, heading in frame.sections.items():
        for row in rows:
            if row.topic == topic and row.leaflet:
                said = frame.warning.format(text=row.leaflet, act=row.act) if row.act else row.leaflet
                sections.setdefault(heading, []).append({"row": row.id, "text": said})
    calm = "activity" in level.topics
    days = [review["review_days"][0] for review in reviews if review["review_days"]] if calm else []
    return {
        "title": frame.title,
        "first": level.text,
        "provisional": frame.provisional if urgency.provisional else None,
        "likely": None if condition.serious or not calm else frame.likely.format(condition=condition.label),
        "sections": [{"heading": heading, "lines": lines} for heading, lines in sections.items()],
        "review": frame.review.format(days=min(days)) if days else None,
        "review_days": min(days, default=None),
    }


def _for_this_person(drafts: Sequence[Draft], fitting: Fired, knowledge: Knowledge) -> Iterator[Education]:
    """Education rows whose lines hold, whose treatment is proposed, and none of whose measures was taken off."""
    proposed = {draft.treatment.id for draft in drafts if draft.proposed}
    barred = {draft.treatment.id for draft in drafts if not draft.proposed}
    for row in knowledge.education.values():
        if row.when and Conclusion("education", row.id) not in fitting:
            continue
        if row.treatments and proposed.isdisjoint(row.treatments):
            continue
        if barred.isdisjoint(row.unless_excluded):
            yield row
