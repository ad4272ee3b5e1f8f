"""The scores that were decided, or that can still be, shown with their items and as an interval."""

from __future__ import annotations

from typing import Any

from rules.knowledge import Knowledge
from service.findings import Presentation


def read(presentation: Presentation, knowledge: Knowledge) -> list[dict[str, Any]]:
    """Every score that applies and of which at least half of the items are answered."""
    shown = []
    for name, reading in sorted(presentation.words.readings.items()):
        answered = [item for item in reading.items if item.low == item.high]
        if 2 * len(answered) < len(reading.items):
            continue
        score = knowledge.scores[name]
        shown.append(
            {
                "score": name,
                "low": reading.low,
                "high": reading.high,
                "range": list(score.range),
                "band": reading.band,
                "complete": len(answered) == len(reading.items),
                "items": [{"name": item.name, "low": item.low, "high": item.high} for item in reading.items],
                "source": score.source,
                "note": score.note,
            }
        )
    return shown
