"""What services there are, as an EHR asks for them."""

from __future__ import annotations

from typing import Any

from rules.knowledge import Knowledge


def discovery(knowledge: Knowledge) -> dict[str, Any]:
    """The answer of discovery; one service for each hook, as EHRs find a service by its URL and its hook."""
    cards = knowledge.cards
    return {
        "services": [
            {
                "hook": service.hook,
                "id": service.id,
                "title": service.title,
                "description": service.description,
                "usageRequirements": service.usage,
                "version": knowledge.policy.version,
                "prefetch": {key: cards.prefetch[key] for key in service.prefetch},
            }
            for service in cards.services
        ]
    }
