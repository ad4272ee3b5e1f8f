"""Controls of docs/hazard-log.yaml that no other test holds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from tests.people import RANKS, calm, person, triaged
from tests.presentations import PATH, Reply

SMALLEST: dict[str, Any] = {"patient": {"age_years": 40}}


@pytest.mark.parametrize("name", ["name", "nhs_number", "mrn", "birth_date", "address"])
def test_nothing_that_identifies_a_person_is_taken(client: FlaskClient, name: str) -> None:
    """What the service cannot hold it cannot mix up; the caller joins the answer to the person."""
    for document, pointer in (
        ({**SMALLEST, name: "Quillfeather"}, f"/{name}"),
        ({"patient": {"age_years": 40, name: "Quillfeather"}}, f"/patient/{name}"),
    ):
        response = client.post(PATH, json=document)
        assert response.status_code == 422
        assert [error["pointer"] for error in response.get_json()["errors"]] == [pointer]
        assert b"Quillfeather" not in response.get_data()


def test_the_answer_to_one_person_holds_nothing_of_the_one_before(client: FlaskClient) -> None:
    before = client.post(PATH, json=SMALLEST).get_data()
    other = {"patient": {"age_years": 71}, "findings": {"saddle_anaesthesia": "present"}, "medications": ["warfarin"]}
    assert client.post(PATH, json=other).get_json()["urgency"]["level"] == "emergency"
    assert client.post(PATH, json=SMALLEST).get_data() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature_c", 101.3),  # Fahrenheit
        ("systolic_bp_mmhg", 16),  # kPa
        ("haemoglobin_g_l", 9.5),  # g/dL
        ("calcium_adjusted_mmol_l", 11.4),  # mg/dL
        ("creatinine_umol_l", 1.1),  # mg/dL
        ("glucose_mmol_l", 126),  # mg/dL
        ("hba1c_mmol_mol", 7.2),  # percent
        ("spo2_percent", 0.94),  # a fraction
    ],
)
def test_a_value_in_the_usual_wrong_unit_is_refused(client: FlaskClient, name: str, value: float) -> None:
    response = client.post(PATH, json={**SMALLEST, "observations": {name: value}})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.get_json()["errors"]] == [f"/observations/{name}"]


def test_the_name_of_a_measurement_carries_its_unit(knowledge: Knowledge) -> None:
    """Who sends `crp_mg_l` has read the unit."""
    numbers = {name: entry for name, entry in knowledge.observations.items() if entry.plausible}
    assert all(entry.unit for entry in numbers.values())
    for name, unit in (("crp_mg_l", "mg per litre"), ("post_void_residual_ml", "mL"), ("weight_kg", "kg")):
        assert numbers[name].unit == unit


def test_race_and_ethnicity_are_never_asked(knowledge: Knowledge) -> None:
    vocabulary = {*knowledge.findings, *knowledge.observations, *knowledge.derived}
    assert len(vocabulary) > 400
    asked = [name for name in vocabulary if re.search(r"(^|_)(race|racial|ethnic\w*|black|white|asian)(_|$)", name)]
    assert asked == ["white_cells_10e9_l"]


@pytest.mark.parametrize("age", [2, 9, 17])
def test_a_child_with_back_pain_is_never_sent_home_on_its_own(knowledge: Knowledge, engine: Engine, age: int) -> None:
    request = calm("onset_after_lifting", "pain_improving", age=age)
    found = triaged(request, knowledge, engine)
    assert RANKS[found.level] > RANKS["self_care"]
    assert any(flag.id.startswith("under_18") for flag in found.fired)
    assert "outside_scope" in {notice["kind"] for notice in assess(request, knowledge, engine)["notices"]}


def test_a_red_flag_outranks_any_posterior(knowledge: Knowledge, engine: Engine) -> None:
    """Someone in whom strain is likely by number, and who has lost feeling in the saddle."""
    strain = ("onset_after_lifting", "pain_worse_with_movement", "paraspinal_tenderness")
    calmly = assess(calm(*strain), knowledge, engine)
    alarmed = assess(calm(*strain, "saddle_anaesthesia"), knowledge, engine)
    assert calmly["differential"][0]["condition"] == "lumbar_strain"
    assert calmly["differential"][0]["probability"] > 0.5
    assert alarmed["urgency"]["level"] == "emergency"
    assert "cauda_equina_syndrome" in {row["condition"] for row in alarmed["must_exclude"]}
    assert [*alarmed].index("urgency") < [*alarmed].index("differential"), "the level is read first"


def test_each_answer_says_for_whom_it_is_and_from_which_knowledge(replies: list[Reply], knowledge: Knowledge) -> None:
    for reply in replies:
        assert "does not replace clinical judgement" in reply.answer["intended_use"]
        assert "Not for use by patients" in reply.answer["intended_use"]
        assert len(reply.answer["knowledge"]["sha256"]) == 64
        assert reply.answer["knowledge"]["version"] == knowledge.policy.version


def test_an_empty_request_is_never_answered_as_calm_and_final(knowledge: Knowledge, engine: Engine) -> None:
    answer = assess(person(), knowledge, engine)
    assert answer["urgency"]["provisional"] is True
    assert answer["urgency"]["level"] != "self_care"
    assert answer["urgency"]["open_must_asks"]
    assert {row["likelihood"] for row in answer["differential"]} == {None}
