"""People in few words, and what the parts of the service make of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from rules.engine import Engine
from rules.knowledge import Conclusion, Knowledge
from rules.logic import Antecedent
from schemas.knowledge import AgeBand, Condition, Frequency, Modifier, Priors, Published
from service import findings, urgency
from service.findings import Presentation
from service.urgency import Urgency

ALL_DENIED: Mapping[str, str] = {f"F-{number:02}": "absent" for number in range(1, 26)}
"""Every must-ask was asked and denied; single findings still say more."""

RANKS: Mapping[str, int] = {"self_care": 1, "routine": 2, "urgent_2_weeks": 3, "urgent_same_day": 4, "emergency": 5}

SETTINGS = ("primary_care", "emergency", "spine_clinic")

Request = dict[str, Any]


def person(
    *present: str, absent: Iterable[str] = (), unknown: Iterable[str] = (), age: float = 40, **parts: Any
) -> Request:
    """A request; `parts` are its other parts as they are sent, `patient` without the age."""
    answers = dict.fromkeys(present, "present")
    answers |= dict.fromkeys(absent, "absent") | dict.fromkeys(unknown, "unknown")
    patient = {"age_years": age, **parts.pop("patient", {})}
    return {"patient": patient, "findings": answers, **parts}


def calm(*present: str, age: float = 40, days: float = 5, **parts: Any) -> Request:
    """A man with pain for five days who was asked every must-ask and denied them all, but for what is said here."""
    parts.setdefault("patient", {"sex": "male"})
    return person(*present, age=age, **{"episode": {"duration_days": days}, "screening": dict(ALL_DENIED), **parts})


def seen(request: Request, knowledge: Knowledge, engine: Engine) -> Presentation:
    """The person as the rules see them, with what patterns conclude."""
    presentation = findings.derive(request, knowledge)
    fired = fire("patterns", presentation, knowledge, engine)
    return presentation.adding(frozenset(knowledge.patterns[found.id].concludes for found in fired))


def fire(
    concern: str, presentation: Presentation, knowledge: Knowledge, engine: Engine
) -> dict[Conclusion, list[Antecedent]]:
    """The conclusions of one concern."""
    return knowledge.conclude(concern, engine.fire(concern, presentation.literals))


def triaged(request: Request, knowledge: Knowledge, engine: Engine) -> Urgency:
    """The urgency of a request."""
    presentation = seen(request, knowledge, engine)
    return urgency.triage(fire("urgency", presentation, knowledge, engine), presentation, knowledge)


def frequency(f: float) -> Frequency:
    """A frequency row with a source."""
    return Frequency(f, "B", "verified", "a series", ("paper",))


def illness(
    name: str,
    percent: float | tuple[AgeBand, ...],
    frequencies: Mapping[str, float],
    modifiers: Mapping[str, float] | None = None,
    published: Iterable[Published] = (),
    **more: Any,
) -> Condition:
    """A condition with the same prior in every setting, in per cent, and how often each finding is present in it."""
    bands = (AgeBand(percent),) if isinstance(percent, (int, float)) else percent
    return Condition(
        id=name,
        label=name.replace("_", " "),
        family="test",
        serious=more.pop("serious", False),
        priors=Priors(
            settings=dict.fromkeys(SETTINGS, bands),
            grade="D",
            evidence_status="estimate",
            references=("paper",),
            modifiers=tuple(
                Modifier(word, factor, "R1", "recalled", ("paper",)) for word, factor in (modifiers or {}).items()
            ),
        ),
        frequencies={word: frequency(f) for word, f in frequencies.items()},
        published=tuple(published),
        **more,
    )


def knowing(knowledge: Knowledge, *conditions: Condition) -> Knowledge:
    """The same vocabulary and policy, but these conditions only; the first is the background."""
    background = replace(conditions[0], id=knowledge.policy.reasoning.background)
    small = replace(knowledge, conditions={found.id: found for found in (background, *conditions[1:])})
    for same in (
        "vocabulary",
        "quantities",
        "group_members",
        "_groups_of",
        "_switched_off",
    ):  # none of them rests on conditions
        small.__dict__[same] = getattr(knowledge, same)
    return small
