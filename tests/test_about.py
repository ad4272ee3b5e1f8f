"""What the service says of itself: the thirteen source attributes, what it reads, and how good it was measured."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import evaluate
from tests import test_ordinary, test_textbook
from tests.oracle import parse
from tests.support import complaints, edited, write_knowledge

ROOT = Path(__file__).parent.parent
THIRTEEN = (
    *("bibliographic_citation", "developer", "funding_source", "release_and_revision_dates"),
    *("race", "ethnicity", "language", "sexual_orientation", "gender_identity", "sex", "date_of_birth"),
    *("social_determinants_of_health", "health_status_assessments"),
)
"""Typed from 45 CFR 170.315(b)(11)(iv)(A)."""


@pytest.fixture(scope="module")
def about(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/knowledge").get_json()
    return found


@pytest.fixture(scope="module")
def studies(about: dict[str, Any]) -> dict[str, Any]:
    return {
        study["id"]: {**study, "measures": {row["id"]: row for row in study["measures"]}}
        for study in about["validation"]["studies"]
    }


def test_the_thirteen_source_attributes_are_there_in_their_order(about: dict[str, Any]) -> None:
    rows = about["source_attributes"]["attributes"]
    assert tuple(row["attribute"] for row in rows) == THIRTEEN
    assert all(row["says"] for row in rows)
    assert [row["attribute"] for row in rows if "used" in row] == [*THIRTEEN[4:]]
    assert all(bool(row.get("inputs")) == bool(row.get("used")) for row in rows)


def test_for_whom_it_is_and_when_it_was_revised_is_said(about: dict[str, Any]) -> None:
    said = about["source_attributes"]
    assert {"intended_users", "intended_population", "not_intended", "revised", "kind"} <= said.keys()
    assert "released" not in said or re.fullmatch(r"\d{4}-\d\d-\d\d", said["released"])
    assert said["revised"] >= about["validation"]["date"]


def test_race_and_ethnicity_are_not_used_and_the_race_item_of_the_stone_score_is_said_to_be_left_out(
    about: dict[str, Any], knowledge: Knowledge
) -> None:
    unused = about["inputs_not_used"]
    assert {"race", "ethnicity"} <= unused.keys()
    assert "STONE" in unused["race"]
    words = {*knowledge.findings, *knowledge.observations, *knowledge.fields, *knowledge.derived}
    assert [word for word in words if re.search(r"\brace|ethnic|(^|_)(black|asian|caucasian)(_|$)", word)] == []
    items = [item.name for score in knowledge.scores.values() for item in score.items]
    assert [name for name in items if "race" in name.split("_")] == []


def test_the_inputs_that_are_used_are_those_that_a_request_may_hold(about: dict[str, Any], client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()["components"]["schemas"]
    parts = {"patient": "Patient", "episode": "Episode", "contact": "Contact", "treatments_tried": "TreatmentTried"}
    allowed = {
        f"{key}.{inner}" if key in parts else key
        for key in document["AssessmentRequest"]["properties"]
        for inner in (document[parts[key]]["properties"] if key in parts else [""])
    }
    assert {*about["inputs_used"]} == allowed
    assert {name for row in about["source_attributes"]["attributes"] for name in row.get("inputs", ())} <= allowed


def _wilson(hits: int, cases: int) -> list[float]:
    """The interval by its definition: the shares p with |hits/cases - p| = z sqrt(p (1 - p) / cases)."""
    z, share = 1.959964, hits / cases
    a, b, c = 1 + z * z / cases, -(2 * share + z * z / cases), share * share
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return [(-b - root) / (2 * a), (-b + root) / (2 * a)]


def _compared(study: dict[str, Any], cases: list[dict[str, Any]], knowledge: Knowledge) -> dict[str, Any]:
    """What `make evaluate` prints of some cases, after the figures of a study were found to be the same."""
    outcomes = evaluate.evaluate(cases, knowledge)
    ranks = {name: level.rank for name, level in knowledge.levels.items()}
    printed: dict[str, Any] = json.loads([*evaluate.report(outcomes, ranks)][-1])
    said, known = study["measures"], printed["known_diagnosis"]
    assert (study["cases"], said["known_diagnosis"]["value"]) == (printed["cases"], known["cases"])
    for name, found in (("top1", known), ("top3", known), ("urgency_exact", printed), ("missed_emergencies", printed)):
        assert said[name]["value"] == found[name], name
    for name in ("brier", "ece"):
        assert (said[name]["value"], said[name]["interval"]) == (printed[name], printed["intervals"][name])
    assert said["missed_emergencies"]["of"] == sum(found.reference[0] == max(ranks.values()) for found in outcomes)
    return printed


def test_the_figures_of_the_published_cases_are_those_of_make_evaluate(
    studies: dict[str, Any], knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "Engine", lambda _: engine)
    study, cases = studies["published_cases"], evaluate.read_cases(ROOT / "tests" / "cases")
    printed = _compared(study, cases, knowledge)
    table = [{"from": row.pop("low"), "to": row.pop("high"), **row} for row in map(dict, study["reliability"])]
    assert table == printed["reliability"]


def test_the_figures_of_a_second_reader_are_those_of_make_evaluate(
    studies: dict[str, Any], knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "Engine", lambda _: engine)
    again = {row["id"]: row["request"] for row in parse(ROOT / "tests" / "data" / "second_coding.yaml")}
    first = evaluate.read_cases(ROOT / "tests" / "cases")
    assert {case["id"] for case in first} == again.keys()
    cases = [{**case, "request": again[case["id"]]} for case in first]
    assert sum(case["request"] != other["request"] for case, other in zip(first, cases, strict=True)) > 40
    _compared(studies["coded_again"], cases, knowledge)


def test_each_share_is_its_count_and_has_its_interval(studies: dict[str, Any]) -> None:
    counted = [
        row
        for study in studies.values()
        for row in study["measures"].values()
        if row["unit"] == "share" and "of" in row
    ]
    assert len(counted) >= 5
    for row in counted:
        assert row["value"] == round(row["count"] / row["of"], 4), row["id"]
        assert row["interval"] == pytest.approx(_wilson(row["count"], row["of"]), abs=6e-5), row["id"]


def test_the_people_that_were_written_are_as_many_as_is_said(studies: dict[str, Any], knowledge: Knowledge) -> None:
    for name in ("urgency", "safety"):
        files = (ROOT / "tests" / "data" / f"{name}_cases").glob("*.yaml")
        assert studies[f"{name}_people"]["cases"] == sum(len(parse(file)) for file in files)
    ordinary = studies["ordinary_people"]
    assert ordinary["cases"] == len(test_ordinary.PEOPLE)
    assert ordinary["measures"]["above_routine"]["count"] == len(test_ordinary.ABOVE_ROUTINE)
    assert studies["textbook_presentations"]["cases"] == len(knowledge.ranked) == len(test_textbook.CLASSICS)


def test_the_readme_says_the_same_figures(studies: dict[str, Any]) -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    text = text.split("## How good is it")[1].split("## What it does not do")[0]
    cases, said = studies["published_cases"], studies["published_cases"]["measures"]

    def percent(share: float) -> str:
        return f"{share * 100:.0f}"

    def span(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{percent(low)} to {percent(high)} %"

    top1, top3, again = said["top1"], said["top3"], studies["coded_again"]["measures"]
    for words in (
        f"runs {cases['cases']} published cases",
        f"Of the {said['known_diagnosis']['value']} whose diagnosis the service knows, {top1['count']} come first",
        f"({percent(top1['value'])} %; 95 % interval {span(top1)})",
        f"{top3['count']} stand among the first three ({percent(top3['value'])} %; {span(top3)})",
        "this is a fit, not a proof",
        f"diagnoses, {again['top1']['count']} come first and {again['top3']['count']} stand among the first three",
        f"each of the {studies['textbook_presentations']['cases']} ranked conditions",
        f"{studies['urgency_people']['cases']:,} people written for the rows of their evidence",
        f"the safety rules by {studies['safety_people']['cases']:,}",
        f"Of {studies['ordinary_people']['cases']} ordinary people",
        f"{percent(studies['answers_left_out']['measures']['still_same_day']['value'])} % of the published emergencies",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("  - {attribute: race, used: false, says: Not used}\n", "", "expected each once, in this order"),
        ("attribute: sex, used", "attribute: gender, used", "Must be one of"),
        ("inputs: [observations]", "inputs: [birthday]", "unknown field 'birthday'"),
        ('revised: "2020-02-29"', "revised: soon", "does not match"),
    ],
)
def test_source_attributes_that_are_wrong_do_not_start(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    found = complaints(write_knowledge(tmp_path, **edited(("source_attributes.yaml", old, new))))
    assert len(found) == 1
    assert re.match(r"source_attributes\.yaml:\d+: ", found[0])
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("unit: share", "unit: metres", "Must be one of"),
        ("interval: [0.09, 0.91]", "interval: [0.09]", "Length must be 2"),
        ("cases: 2\n", "cases: 0\n", "greater than or equal to 1"),
        ("value: 0.5,", "value: half,", "expected a number"),
    ],
)
def test_a_validation_that_is_wrong_does_not_start(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    found = complaints(write_knowledge(tmp_path, **edited(("validation.yaml", old, new))))
    assert len(found) == 1
    assert re.match(r"validation\.yaml:\d+: ", found[0])
    assert complaint in found[0]
