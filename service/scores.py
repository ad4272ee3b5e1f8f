"""The scores and counts that said something, with their items, as intervals where items are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rules.knowledge import Knowledge
from service.findings import Presentation


def read(presentation: Presentation, knowledge: Knowledge) -> list[dict[str, Any]]:
    """Every score and every "so many of these" that says something, by id."""
    return sorted(
        [*_weighted(presentation, knowledge), *_counted(presentation, knowledge)], key=lambda shown: shown["score"]
    )


def _weighted(presentation: Presentation, knowledge: Knowledge) -> Iterator[dict[str, Any]]:
    """Every score whose band is decided, that a present word rests on, or with three quarters of its items answered."""
    used = {word.score for name, word in knowledge.derived.items() if word.score and presentation.present(name)}
    for name, reading in presentation.words.readings.items():
        answered = sum(item.low == item.high for item in reading.items)
        if reading.band is None and name not in used and 4 * answered < 3 * len(reading.items):
            continue
        score = knowledge.scores[name]
        yield {
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


def _counted(presentation: Presentation, knowledge: Knowledge) -> Iterator[dict[str, Any]]:
    """Every count of items (the Laslett, ASAS, Berlin and like sets) that is reached, or mostly answered."""
    for name, word in knowledge.derived.items():
        if word.operator != "at_least" or (word.applies_if and not presentation.present(word.applies_if)):
            continue
        said = [presentation.words.state.get(term.word) for term in word.members]
        spans = [
            (0, 1) if value is None else (int(value is term.present),) * 2
            for value, term in zip(said, word.members, strict=True)
        ]
        low, high = sum(span[0] for span in spans), sum(span[1] for span in spans)
        answered = len(said) - said.count(None)
        if low < word.count and 4 * answered < 3 * len(said):
            continue
        yield {
            "score": name,
            "low": low,
            "high": high,
            "range": [0, len(said)],
            "band": "positive" if low >= word.count else "negative" if high < word.count else None,
            "complete": answered == len(said),
            "items": [
                {"name": term.word if term.present else f"no {term.word}", "low": span[0], "high": span[1]}
                for term, span in zip(word.members, spans, strict=True)
            ],
            "source": word.source,
            "note": word.note,
        }
