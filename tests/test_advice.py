"""Follow-up, referral and the leaflet: for this person, at this level, and nothing that was taken off."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from tests.patients import strain
from tests.people import Request, calm, person
from tests.presentations import PATH, random_request


def page(request: Request, knowledge: Knowledge, engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = assess(request, knowledge, engine, leaflet=True)["leaflet"]
    return found


def rows(leaflet: dict[str, Any]) -> set[str]:
    return {line["row"] for section in leaflet["sections"] for line in section["lines"]}


def test_a_strain_is_told_to_move_to_warm_and_when_to_come_back(knowledge: Knowledge, engine: Engine) -> None:
    leaflet = page(strain(), knowledge, engine)
    assert leaflet["first"] == knowledge.leaflet.levels["self_care"].text
    assert knowledge.conditions["lumbar_strain"].label in leaflet["likely"]
    assert {"E01", "E02", "E20", "E23", "E28"} <= rows(leaflet)
    assert (leaflet["provisional"], leaflet["review_days"]) == (None, 14)
    assert "14 days" in leaflet["review"]
    assert leaflet["sections"][0]["heading"] == "Get help if this happens"


@pytest.mark.parametrize(
    ("request_", "gone"),
    [
        (strain("impaired_sensation_at_site"), {"E23", "E24", "E26"}),
        (strain(observations={"egfr_ml_min": 20}), {"E28"}),
        (strain(medications=["warfarin"]), {"E28"}),
    ],
)
def test_what_safety_took_off_is_not_on_the_page(
    knowledge: Knowledge, engine: Engine, request_: Request, gone: set[str]
) -> None:
    assert gone <= rows(page(strain(), knowledge, engine))
    assert gone.isdisjoint(rows(page(request_, knowledge, engine)))


@pytest.mark.parametrize("request_", [person("saddle_anaesthesia"), calm("foot_drop")])
def test_at_an_emergency_or_same_day_level_the_page_holds_warnings_only(
    knowledge: Knowledge, engine: Engine, request_: Request
) -> None:
    leaflet = page(request_, knowledge, engine)
    assert {knowledge.education[row].topic for row in rows(leaflet)} == {"warning"}
    assert (leaflet["review"], leaflet["review_days"]) == (None, None)


def test_a_serious_cause_is_not_named_on_the_page(knowledge: Knowledge, engine: Engine) -> None:
    request_ = person("saddle_anaesthesia", "urinary_retention", "bilateral_sciatica")
    assert page(request_, knowledge, engine)["likely"] is None
    assert page(calm("fever", "iv_drug_use"), knowledge, engine)["likely"] is None


def test_an_open_level_says_so_on_the_page(knowledge: Knowledge, engine: Engine) -> None:
    assert page(person("onset_after_lifting"), knowledge, engine)["provisional"] == knowledge.leaflet.provisional


@pytest.mark.parametrize("seed", range(30))
def test_no_line_stands_without_its_treatment_or_beside_one_that_was_taken_off(
    knowledge: Knowledge, engine: Engine, seed: int
) -> None:
    request_ = knowledge.request_schema.load(random_request(Random(seed), knowledge))
    answer = assess(request_, knowledge, engine, leaflet=True)
    entries = [entry for rung in answer["treatment_ladder"]["rungs"] for entry in rung["entries"]]
    proposed = {entry["treatment"] for entry in entries if entry["status"] in ("recommended", "consider", "caution")}
    for row in rows(answer["leaflet"]):
        fact = knowledge.education[row]
        assert not fact.treatments or proposed & {*fact.treatments}, row
        assert {entry["treatment"] for entry in entries if entry["treatment"] not in proposed}.isdisjoint(
            fact.unless_excluded
        ), row
        assert fact.leaflet


def test_the_page_is_made_only_when_it_is_asked_for(client: FlaskClient) -> None:
    request_ = {"patient": {"age_years": 40}}
    assert client.post(PATH, json=request_).get_json()["leaflet"] is None
    assert client.post(f"{PATH}?leaflet=true", json=request_).get_json()["leaflet"]["sections"]
    assert client.post(f"{PATH}?leaflet=true&detail=summary", json=request_).get_json()["leaflet"]["title"]
    assert client.post(f"{PATH}?leaflet=perhaps", json=request_).status_code == 422


# follow-up and referral


def reviews(request: Request, knowledge: Knowledge, engine: Engine) -> list[str]:
    return [row["row"] for row in assess(request, knowledge, engine)["follow_up"]]


def test_the_earliest_review_comes_first_and_each_is_for_this_person(knowledge: Knowledge, engine: Engine) -> None:
    assert "E70" in reviews(strain(), knowledge, engine)
    assert "E72" in reviews(calm("myotomal_weakness", "pain_below_knee"), knowledge, engine)
    for request_ in (strain(), calm("myotomal_weakness", "pain_below_knee")):
        days = [row["review_days"] for row in assess(request_, knowledge, engine)["follow_up"]]
        assert days == sorted(days)


def test_a_review_of_a_drug_needs_the_drug_on_the_ladder_and_the_person_at_risk(
    knowledge: Knowledge, engine: Engine
) -> None:
    assert "E73" not in reviews(strain(), knowledge, engine)
    assert "E73" in reviews(strain(medications=["ramipril"]), knowledge, engine)
    assert "E73" not in reviews(strain(medications=["ramipril", "warfarin"]), knowledge, engine)


def test_each_leading_condition_with_a_row_says_to_whom_it_is_referred(knowledge: Knowledge, engine: Engine) -> None:
    found = assess(strain(), knowledge, engine)["referral"]
    assert [row["condition"] for row in found] == ["lumbar_strain"]
    assert found[0]["refer_to"] and found[0]["when"] and found[0]["references"]
