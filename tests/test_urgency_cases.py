"""People written for each row of the urgency evidence, against the rules; and every word of every rule is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rules import logic
from rules.checks import example_literals
from rules.engine import Engine
from rules.knowledge import Knowledge
from tests.mutants import Held, changed, holds, unneeded
from tests.oracle import parse
from tests.people import triaged

FOLDER = Path(__file__).parent / "data" / "urgency_cases"
DEFAULTS = {"E-56", "E-57", "E-58"}
"""Rows that are the default policy and no rule; tests/test_urgency.py is about them."""


@dataclass(frozen=True)
class Case:
    """A person for one row, and the literals that hold for them."""

    about: Mapping[str, Any]
    held: Held

    @property
    def row(self) -> str:
        return str(self.about["row"])


@pytest.fixture(scope="session")
def cases(knowledge: Knowledge) -> list[Case]:
    return [Case(case, example_literals(knowledge, case["given"])) for case in _written()]


@cache
def _written() -> tuple[dict[str, Any], ...]:
    return tuple(case for file in sorted(FOLDER.glob("*.yaml")) for case in parse(file))


def test_there_are_people_for_every_row_who_fire_it_and_others_who_do_not(
    knowledge: Knowledge, cases: list[Case]
) -> None:
    rows = {flag.row for flag in knowledge.red_flags.values()}
    assert len(rows | DEFAULTS) == 113
    assert {case.row for case in cases if case.about["fires"]} == rows
    assert {case.row for case in cases if not case.about["fires"]} == rows


def test_the_people_say_only_what_a_request_can_say(knowledge: Knowledge) -> None:
    lists = {"medications", "allergies", "treatments_tried"}
    assert {key for case in _written() for key in case["given"]} <= knowledge.findings.keys() | knowledge.paths | lists


def test_a_row_fires_for_the_people_of_whom_its_evidence_says_so_and_for_no_other(
    knowledge: Knowledge, cases: list[Case]
) -> None:
    antecedents = [
        (flag.row, [found for line in flag.when for found in logic.antecedents(line)])
        for flag in knowledge.red_flags.values()
    ]
    wrong = [
        case.about
        for case in cases
        if case.about["fires"] is not any(row == case.row and holds(lines, case.held) for row, lines in antecedents)
    ]
    assert wrong == []


def test_the_level_of_a_typical_person_is_that_of_the_row(knowledge: Knowledge, engine: Engine) -> None:
    levels = [case for case in _written() if "level" in case]
    assert len(levels) > 113
    found = {case["says"]: triaged(sent(case["given"], knowledge), knowledge, engine).level for case in levels}
    assert found == {case["says"]: case["level"] for case in levels}


def test_a_choice_is_never_milder_than_the_row(cases: list[Case]) -> None:
    """Where the service leaves the letter of a row it fires, or fires at another level of the same row."""
    assert all(case.about["fires"] for case in cases if "choice" in case.about)


def sent(given: Mapping[str, Any], knowledge: Knowledge) -> dict[str, Any]:
    """A request that says this."""
    request: dict[str, Any] = {"findings": {}}
    for key, value in given.items():
        part, _, name = key.partition(".")
        if name:
            request.setdefault(part, {})[name] = value
        elif key in knowledge.findings:
            request["findings"][key] = value
        else:
            request[key] = value
    return request


# every rule and every word of it is needed


def test_without_any_one_rule_somebody_gets_another_answer(knowledge: Knowledge, cases: list[Case]) -> None:
    people = [case.held for case in cases]
    assert [name for name, flag in knowledge.red_flags.items() if not changed(flag.when, (), people)] == []


def test_without_any_one_word_of_any_line_somebody_gets_another_answer(knowledge: Knowledge, cases: list[Case]) -> None:
    people = [case.held for case in cases]
    assert [(flag.id, word) for flag in knowledge.red_flags.values() for word in unneeded(flag.when, people)] == []
