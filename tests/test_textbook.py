"""A classic presentation of every condition, written from textbooks without a look at the numbers, comes out first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rules
from rules.engine import Engine
from rules.knowledge import Knowledge
from service import differential
from service.assess import assess
from service.findings import derive
from tests.oracle import parse
from tests.support import write_knowledge

CLASSICS: list[dict[str, Any]] = parse(Path(__file__).parent / "data" / "textbook.yaml")


def test_every_condition_with_a_prior_has_its_classic(knowledge: Knowledge) -> None:
    assert {case["condition"] for case in CLASSICS} == set(knowledge.ranked)


@pytest.mark.parametrize("case", CLASSICS, ids=lambda case: case["condition"])
def test_the_classic_comes_out_first_and_is_not_called_safe_where_it_is_serious(
    case: dict[str, Any], knowledge: Knowledge, engine: Engine
) -> None:
    answer = assess(knowledge.request_schema.load(case["request"]), knowledge, engine)
    name = case["condition"]
    assert answer["differential"][0]["condition"] == name
    if knowledge.conditions[name].serious:
        assert name in {row["condition"] for row in answer["must_exclude"]}
        assert answer["urgency"]["level"] not in ("routine", "self_care")


NEW = """\
id: sunday_back
label: Pain of those who garden on Sundays
family: mechanical
serious: false
priors:
  settings: {primary_care: [{percent: 50}], emergency: [{percent: 1}]}
  grade: D
  evidence_status: estimate
  references: [paper]
frequencies:
  stiffness: {f: 0.9, grade: D, status: estimate, source: an estimate, references: [paper]}
"""


def test_a_condition_is_added_by_one_new_file(tmp_path: Path) -> None:
    request = {"patient": {"age_years": 40}, "setting": "primary_care", "findings": {"stiffness": "present"}}
    firsts = []
    for files in ({}, {"conditions/sunday_back.yaml": NEW}):
        known = rules.load(write_knowledge(tmp_path / str(len(files)), **files))
        person = derive(request, known)
        fired = known.conclude("evidence", Engine(known.rules).fire("evidence", person.literals))
        ranked = differential.rank({(found.id, found.kind == "present") for found in fired}, person, known)
        firsts.append(ranked[0].condition.id)
    assert firsts == ["plain_strain", "sunday_back"]
    assert [entry.word for entry in ranked[0].entries] == ["stiffness"]
