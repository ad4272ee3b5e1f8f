"""People written for each row of the urgency evidence, against the rules; and every word of every rule is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rules import logic
from rules.checks import example_literals
from rules.engine import Engine
from rules.knowledge import Knowledge
from rules.logic import Antecedent
from schemas.parts import AtLeast, Line
from tests.oracle import parse
from tests.people import triaged

FOLDER = Path(__file__).parent / "data" / "urgency_cases"
DEFAULTS = {"E-56", "E-57", "E-58"}
"""Rows that are the default policy and no rule; tests/test_urgency.py is about them."""


@dataclass(frozen=True)
class Case:
    """A person for one row, and the literals that hold for them."""

    about: Mapping[str, Any]
    held: frozenset[str]

    @property
    def row(self) -> str:
        return str(self.about["row"])


@pytest.fixture(scope="session")
def cases(knowledge: Knowledge) -> list[Case]:
    return [Case(case, example_literals(knowledge, case["given"])) for case in _written()]


@cache
def _written() -> tuple[dict[str, Any], ...]:
    return tuple(case for file in sorted(FOLDER.glob("*.yaml")) for case in parse(file))


def holds(antecedents: Iterable[Antecedent], held: frozenset[str]) -> bool:
    return any(antecedent <= held for antecedent in antecedents)


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


def without(line: Line) -> Iterable[tuple[str, Line]]:
    """A line with one of its words gone, each in turn."""
    for term in line.terms:
        yield term.word, replace(line, terms=tuple(other for other in line.terms if other != term))
    for word in line.unless:
        yield f"unless {word}", replace(line, unless=tuple(other for other in line.unless if other != word))
    for place, block in enumerate(line.at_least):
        for word in block.of:
            fewer = replace(block, of=tuple(other for other in block.of if other != word))
            blocks: tuple[AtLeast, ...] = (*line.at_least[:place], fewer, *line.at_least[place + 1 :])
            yield word, replace(line, at_least=blocks)


def changed(before: Iterable[Line], after: Iterable[Line], cases: Iterable[Case]) -> bool:
    """Whether one of the people is given another answer: the rule fires or not, or names other words."""
    old, new = (
        logic.minimal(found for line in lines for found in logic.antecedents(line)) for lines in (before, after)
    )
    gone, come = set(old) - set(new), set(new) - set(old)
    return any(reasons(old, case.held) != reasons(new, case.held) for case in cases if holds(gone | come, case.held))


def reasons(antecedents: Iterable[Antecedent], held: frozenset[str]) -> tuple[bool, frozenset[str]]:
    """Whether a rule fires, and the words that the answer names."""
    fired = [found for found in antecedents if found <= held]
    return bool(fired), frozenset(word for found in fired for word in logic.words_of(found))


def test_without_any_one_rule_somebody_gets_another_answer(knowledge: Knowledge, cases: list[Case]) -> None:
    assert [name for name, flag in knowledge.red_flags.items() if not changed(flag.when, (), cases)] == []


def test_without_any_one_word_of_any_line_somebody_gets_another_answer(knowledge: Knowledge, cases: list[Case]) -> None:
    unseen = [
        (name, word)
        for name, flag in knowledge.red_flags.items()
        for place, line in enumerate(flag.when)
        for word, mutant in without(line)
        if not changed(flag.when, (*flag.when[:place], mutant, *flag.when[place + 1 :]), cases)
    ]
    assert unseen == []
