"""Two hundred ordinary people: none is called urgent unless a row of the evidence asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.urgency import Urgency
from tests.oracle import parse
from tests.people import ALL_DENIED, triaged

PEOPLE: list[dict[str, Any]] = parse(Path(__file__).parent / "data" / "ordinary.yaml")

E_46 = "a leg that feels weak is seen again within a week, unless the examination as a whole was called normal"
E_50 = "age 60 or over, over 6 weeks and up to 2 years, and the pain wakes at night: bloods for myeloma"
ABOVE_ROUTINE: Mapping[str, tuple[str, str]] = {
    "sciatica-19": ("E-46", E_46),
    "sciatica-42": ("E-46", E_46),
    "stenosis-20": ("E-46", E_46),
    **dict.fromkeys(
        ["stenosis-04", "stenosis-15", "stenosis-17", "stenosis-25", "stenosis-27", "chronic-26", "weak-22"],
        ("E-50", E_50),
    ),
}
"""Who is called more than routine, the row that asks for it, and why. All of them within two weeks."""


def request_of(person: Mapping[str, Any]) -> dict[str, Any]:
    denied = {item: said for item, said in ALL_DENIED.items() if item not in person["not_screened"]}
    return {**person["request"], "screening": denied}


@pytest.fixture(scope="module")
def found(knowledge: Knowledge, engine: Engine) -> dict[str, Urgency]:
    requests = {person["id"]: knowledge.request_schema.load(request_of(person)) for person in PEOPLE}
    return {name: triaged(request, knowledge, engine) for name, request in requests.items()}


def test_there_are_two_hundred_of_them_of_every_kind() -> None:
    kinds = Counter(person["id"].partition("-")[0] for person in PEOPLE)
    assert kinds == {"strain": 45, "sciatica": 45, "stenosis": 30, "chronic": 40, "myofascial": 15, "weak": 25}
    patients = [person["request"]["patient"] for person in PEOPLE]
    assert sum(patient["sex"] == "female" and patient["age_years"] <= 55 for patient in patients) > 40
    assert sum(patient["age_years"] >= 70 for patient in patients) > 30
    assert sum(person["request"].get("episode", {}).get("pain_severity", 0) >= 8 for person in PEOPLE) > 30
    assert sum("recent_infection" in person["request"]["findings"] for person in PEOPLE) > 15


def test_none_is_above_routine_but_for_those_of_whom_a_row_asks_it(found: Mapping[str, Urgency]) -> None:
    above = {
        name: (urgency.fired[0].row, urgency.level)
        for name, urgency in found.items()
        if urgency.level not in ("routine", "self_care")
    }
    assert above == {name: (row, "urgent_2_weeks") for name, (row, _) in ABOVE_ROUTINE.items()}


def test_whoever_was_asked_everything_has_a_final_level(found: Mapping[str, Urgency]) -> None:
    assert [name for name, urgency in found.items() if urgency.provisional] == []
