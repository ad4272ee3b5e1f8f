"""What to order now and what not to order, for the leading and the suspected conditions, with the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rules.knowledge import Conclusion, Knowledge
from rules.logic import Antecedent
from schemas.knowledge import WorkUp
from service.urgency import Urgency

_ADVICE = ("order", "consider", "do_not_order")


def advise(
    conditions: Sequence[str],
    fitting: Mapping[Conclusion, list[Antecedent]],
    urgency: Urgency,
    knowledge: Knowledge,
) -> list[dict[str, Any]]:
    """Work-up rows whose lines fired, or that have none; never "do not order" while something urgent is open."""
    urgent = urgency.level in knowledge.policy.ladder.hold_levels
    chosen: dict[str, tuple[str, WorkUp]] = {}
    for name in conditions:
        for number, test in enumerate(knowledge.conditions[name].work_up):
            if test.lines and Conclusion("work_up", name, number) not in fitting:
                continue
            if urgent and test.advice == "do_not_order":
                continue
            before = chosen.get(test.investigation)
            if before is None or _ADVICE.index(test.advice) < _ADVICE.index(before[1].advice):
                chosen[test.investigation] = (name, test)
    ordered = sorted(chosen.values(), key=lambda pair: _ADVICE.index(pair[1].advice))
    return [
        {
            "investigation": test.investigation,
            "label": test.label,
            "advice": test.advice,
            "when": test.when,
            "condition": name,
            "acr": test.acr,
            "because": test.because,
            "evidence_status": test.evidence_status,
            "references": list(test.references),
        }
        for name, test in ordered
    ]
