"""The scores that said something, with their items, as intervals where items are missing."""

from __future__ import annotations

from typing import Any

from rules.knowledge import Knowledge
from service.findings import Presentation


def read(presentation: Presentation, knowledge: Knowledge) -> list[dict[str, Any]]:
    """Every score whose band is decided, that a present word rests on, or with three quarters of its items answered."""
    used = {word.score for name, word in knowledge.derived.items() if word.score and presentation.present(name)}
    shown = []
    for name, reading in sorted(presentation.words.readings.items()):
        answered = sum(item.low == item.high for item in reading.items)
        if reading.band is None and name not in used and 4 * answered < 3 * len(reading.items):
            continue
        score = knowledge.scores[name]
        shown.append(
            {
                "score": name,
                "low": reading.low,
                "high": reading.high,
                "range": list(score.range),
                "band": reading.band,
                "complete": answered == len(reading.items),
                "items": [{"name": item.name, "low": item.low, "high": item.high} for item in reading.items],
                "source": score.source,
                "note": score.note,
            }
        )
    return shown
