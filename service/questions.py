"""What to ask next: first the must-asks that could raise the level, then what tells the leading conditions apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import mul
from typing import Any

from rules.evidence import entropy
from rules.knowledge import Knowledge
from service.differential import Ranked
from service.findings import Presentation
from service.urgency import Urgency


def ask_next(
    ranked: Sequence[Ranked], urgency: Urgency, presentation: Presentation, knowledge: Knowledge
) -> list[dict[str, Any]]:
    """The next questions, the best first, each with what a yes and a no would do."""
    top = ranked[: knowledge.policy.questions.from_top]
    asked = [*_must_asks(urgency, presentation, knowledge)]
    limit = knowledge.policy.questions.at_most
    must = [_question(finding, why, top, knowledge) for finding, why in asked[: limit - 2]]
    named = {question["finding"] for question in must}
    worth = knowledge.policy.questions.worth
    gains = sorted(
        _gains(top, presentation, knowledge),
        key=lambda row: (-row[0] * worth[knowledge.findings[row[1]].kind], row[1]),
    )
    telling = [(gain, finding) for gain, finding in gains if finding not in named][: limit - len(must)]
    return must + [
        _question(finding, f"tells the leading conditions apart ({gain:.2f} bit expected)", top, knowledge)
        for gain, finding in telling
    ]


def _must_asks(urgency: Urgency, presentation: Presentation, knowledge: Knowledge) -> Iterator[tuple[str, str]]:
    """The first open finding of each open must-ask; a finding that answers two items is asked once."""
    asked: set[str] = set()
    for item in urgency.open_items:
        for finding in knowledge.must_ask[item].findings:
            decided = presentation.present(finding) or presentation.absent(finding)
            if not decided and finding not in asked:
                asked.add(finding)
                yield finding, f"{item} is open; the answer could raise the level to {knowledge.reach[item]}"
                break


def _gains(top: Sequence[Ranked], presentation: Presentation, knowledge: Knowledge) -> Iterator[tuple[float, str]]:
    """Expected information gain, in bits, over the leading conditions for every finding not yet decided.

    It is the uncertainty of the answer as a whole less what stays of it inside each condition.
    """
    share = math.fsum(item.probability for item in top)
    weights = [item.probability / share for item in top]
    places = [knowledge.places[item.condition.id] for item in top]
    # Where only the background has a row, the answer is equally likely in all and tells nothing.
    telling = [item for item in top if item.condition.id != knowledge.policy.reasoning.background]
    literals = presentation.literals
    asked = frozenset().union(*(knowledge.askable[item.condition.id] for item in telling))
    for finding in asked - literals - presentation.unknown:
        if f"absent:{finding}" in literals:
            continue
        frequencies, uncertainties = knowledge.answering[finding]
        chance = sum(map(mul, weights, map(frequencies.__getitem__, places)))
        within = sum(map(mul, weights, map(uncertainties.__getitem__, places)))
        yield entropy(chance) - within, finding


def _question(finding: str, why: str, top: Sequence[Ranked], knowledge: Knowledge) -> dict[str, Any]:
    entry = knowledge.findings[finding]
    return {
        "finding": finding,
        "question": entry.question,
        "kind": entry.kind,
        "why": why,
        "if_present": _effect(top, finding, True, knowledge),
        "if_absent": _effect(top, finding, False, knowledge),
    }


def _effect(top: Sequence[Ranked], finding: str, present: bool, knowledge: Knowledge) -> str:
    """The leading three after the answer, with their share of the leading conditions."""
    weights = []
    frequencies, _ = knowledge.answering[finding]
    for item in top:
        f = frequencies[knowledge.places[item.condition.id]]
        weights.append((item.probability * (f if present else 1 - f), item.condition.id))
    whole = math.fsum(weight for weight, _ in weights)
    ordered = sorted(weights, key=lambda pair: (-pair[0], pair[1]))[:3]
    return ", ".join(f"{name} {weight / whole:.0%}" for weight, name in ordered)
