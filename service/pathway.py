"""What replaces the ladder in an emergency."""

from __future__ import annotations

from typing import Any

from rules.knowledge import Knowledge
from schemas.knowledge import Pathway
from service.urgency import Urgency


def pathway(urgency: Urgency, knowledge: Knowledge) -> dict[str, Any] | None:
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
            "avoid": list(knowledge.policy.ladder.emergency_avoid),
            "within": lead.within,
            "also": [],
            "evidence_status": lead.evidence_status,
            "references": list(lead.references),
            "statement": knowledge.policy.texts["replaced_by_pathway"],
        }
    matching.sort(key=lambda found: found.general)
    first = matching[0]
    specific = (avoid for found in matching for avoid in found.avoid)
    return {
        "pathway": first.id,
        "title": first.title,
        "actions": list(first.actions),
        "avoid": list(dict.fromkeys([*specific, *knowledge.policy.ladder.emergency_avoid])),
        "within": first.within,
        "also": [found.id for found in matching[1:]],
        "evidence_status": first.evidence_status,
        "references": list(first.references),
        "statement": knowledge.policy.texts["replaced_by_pathway"],
    }
