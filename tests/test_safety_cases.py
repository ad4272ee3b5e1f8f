"""People written for each row of the safety evidence, against the rules; and every word of every rule is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rules import logic
from rules.checks import example_literals
from rules.knowledge import Knowledge
from tests.mutants import Held, changed, holds, unneeded
from tests.oracle import parse

FOLDER = Path(__file__).parent / "data" / "safety_cases"
EFFECTS = ("none", "instruct", "caution", "exclude")


@dataclass(frozen=True)
class Case:
    """A person and a treatment for one row, and the literals that hold for them."""

    about: Mapping[str, Any]
    held: Held


@pytest.fixture(scope="module")
def cases(knowledge: Knowledge) -> list[Case]:
    written = [case for file in sorted(FOLDER.glob("*.yaml")) for case in parse(file)]
    return [Case(case, example_literals(knowledge, case["given"])) for case in written]


def test_there_are_people_for_every_row_whom_it_stops_and_others_whom_it_lets_pass(
    knowledge: Knowledge, cases: list[Case]
) -> None:
    rows = {rule.row or rule.id for rule, _ in knowledge.safety_rules.values()}
    assert {row for row in rows if row.startswith("X")} == rows - SERVICE_CHOICES
    assert len(rows - SERVICE_CHOICES) == 186
    assert {case.about["row"] for case in cases if case.about["effect"] != "none"} == rows
    assert rows - {case.about["row"] for case in cases if case.about["effect"] == "none"} == ALWAYS_TOLD


SERVICE_CHOICES = {"SC01"}
"""Rules that no row of the evidence asks for; each says so in its note."""

ALWAYS_TOLD = {"X061", "X063", "X081"}
"""Rows that tell everyone something, so that nobody passes them in silence."""


def test_the_people_say_only_what_a_request_can_say_or_a_ladder_knows(knowledge: Knowledge, cases: list[Case]) -> None:
    lists = {"medications", "allergies", "treatments_tried"}
    diseases = {f"{kind}:{name}" for kind in ("condition", "suspected") for name in knowledge.conditions}
    known = knowledge.findings.keys() | knowledge.paths | lists | diseases
    assert {key for case in cases for key in case.about["given"]} <= known


def test_a_row_does_to_a_treatment_what_its_evidence_says(knowledge: Knowledge, cases: list[Case]) -> None:
    compiled = [
        (rule.row or rule.id, rule.action, targets, [found for line in rule.when for found in logic.antecedents(line)])
        for rule, targets in knowledge.safety_rules.values()
    ]
    wrong = []
    for case in cases:
        row, treatment = case.about["row"], case.about["treatment"]
        acting = [
            action
            for name, action, targets, antecedents in compiled
            if name == row and treatment in targets and holds(antecedents, case.held)
        ]
        if max(acting, key=EFFECTS.index, default="none") != case.about["effect"]:
            wrong.append((case.about, acting))
    assert wrong == []


def test_without_any_one_rule_somebody_gets_another_answer(knowledge: Knowledge, cases: list[Case]) -> None:
    people = [case.held for case in cases]
    useless = [name for name, (rule, _) in knowledge.safety_rules.items() if not changed(rule.when, (), people)]
    assert useless == []


def test_without_any_one_word_of_any_line_somebody_gets_another_answer(knowledge: Knowledge, cases: list[Case]) -> None:
    people = [case.held for case in cases]
    assert [
        (name, word) for name, (rule, _) in knowledge.safety_rules.items() for word in unneeded(rule.when, people)
    ] == []
