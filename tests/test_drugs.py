"""Names and codes of medications: read forgivingly, never guessed."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from rules.knowledge import Knowledge
from service.findings import derive
from tests.oracle import parse
from tests.people import person


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("warfarin", ("warfarin",)),
        ("Warfarin Sodium 5 mg tablets", ("warfarin",)),
        ("  WARFARIN  ", ("warfarin",)),
        ("rxnorm:11289", ("warfarin",)),
        ("RxCUI 11289", ("warfarin",)),
        ("11289", ("warfarin",)),
        ("http://www.nlm.nih.gov/research/umls/rxnorm|11289", ("warfarin",)),
        ("B01AA03", ("warfarin",)),
        ("atc:b01aa03", ("warfarin",)),
        ("Sertraline HCl 50mg tab", ("sertraline",)),
        ("Paracetamol", ("acetaminophen",)),
        ("Motrin", ("ibuprofen",)),
        ("hydrocodone/acetaminophen", ("hydrocodone", "acetaminophen")),
        ("ibuprofen + omeprazole", ("ibuprofen", "omeprazole")),
        ("potassium chloride tablets", ("potassium_chloride",)),
        ("calcium carbonate/vitamin D", ("calcium_carbonate", "colecalciferol")),
        ("Iodinated contrast", ("iodinated_contrast",)),
    ],
)
def test_a_name_a_code_or_a_pair_is_read(knowledge: Knowledge, sent: str, read: tuple[str, ...]) -> None:
    assert knowledge.drugs.read(sent) == read


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        "/",
        "moonflower extract",
        "warfarine2",
        "rxnorm:99999999",
        "Z99ZZ99",
        "ibuprofen and moonflower",
        "sodium",
    ],
)
def test_what_is_not_known_in_full_is_not_read_at_all(knowledge: Knowledge, sent: str) -> None:
    assert knowledge.drugs.read(sent) == ()


@pytest.mark.parametrize(
    ("sent", "never"),
    [("hydroxyzine", "hydralazine"), ("vitamin B6", "cyanocobalamin"), ("prednisone", "prednisolone")],
)
def test_a_name_that_looks_alike_is_never_taken_for_another(knowledge: Knowledge, sent: str, never: str) -> None:
    assert never not in knowledge.drugs.read(sent)


def test_every_id_and_every_label_is_read_as_itself(knowledge: Knowledge) -> None:
    for name, entry in knowledge.medications.items():
        assert knowledge.drugs.read(name) == (name,)
        spoken = re.sub(r"\s*\(.*\)", "", entry.label)
        assert knowledge.drugs.read(spoken) in ((name,), ()) or re.search("/| and | with ", spoken), spoken


def test_every_code_that_the_evidence_prints_leads_to_its_drug(knowledge: Knowledge) -> None:
    codes = {
        code: name
        for name, entry in parse(rules.HERE / "vocabulary" / "medications.yaml").items()
        for code in (entry.get("rxnorm"), entry.get("atc"))
        if code
    }
    assert len(codes) > 80
    assert {code: name in knowledge.drugs.read(code) for code, name in codes.items()} == dict.fromkeys(codes, True)


def test_spellings_and_brands_name_drugs_that_exist(knowledge: Knowledge) -> None:
    names = knowledge.medication_names
    for said, meant in {**names.same, **names.brands}.items():
        assert knowledge.drugs.read(said) == (meant,)


@given(sent=st.text(max_size=40))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_any_text_is_read_as_known_ids_or_as_nothing(knowledge: Knowledge, sent: str) -> None:
    assert set(knowledge.drugs.read(sent)) <= {*knowledge.medications, *knowledge.allergens}


def test_what_was_read_another_way_is_said_and_counts_and_the_rest_is_listed(knowledge: Knowledge) -> None:
    found = derive(person(medications=["Warfarin Sodium", "moonflower"], allergies=["Motrin"]), knowledge)
    told = {(notice["kind"], notice["value"]): notice["text"] for notice in found.notices}
    assert told["medication_read_as", "Warfarin Sodium"] == "Read as: Warfarin."
    assert ("medication_read_as", "Motrin") in told
    assert ("medication_not_checked", "moonflower") in told
    assert {"medication_class:anticoagulant", "allergy:ibuprofen"} <= found.literals
    assert found.unchecked == ("moonflower",)


def test_medications_can_be_searched_and_what_the_text_means_comes_first(client: FlaskClient) -> None:
    def found(query: str) -> list[str]:
        reply = client.get("/v1/medications", query_string={"q": query})
        return [item["id"] for item in reply.get_json()["items"]]

    assert found("Warfarin 5 mg") == ["warfarin"]
    assert found("B01AA03") == ["warfarin"]
    assert found("ibuprofen")[0] == "ibuprofen"
    assert "dexibuprofen" in found("ibuprofen")
    assert found("moonflower") == []
    assert len(found("")) > 600


def test_every_list_can_be_searched_by_id_label_or_synonym(client: FlaskClient) -> None:
    reply = client.get("/v1/findings", query_string={"q": "STRAIGHT LEG"})
    assert "straight_leg_raise_positive" in {item["id"] for item in reply.get_json()["items"]}
    assert client.get("/v1/findings", query_string={"q": "x" * 201}).status_code == 422
    assert client.get("/v1/findings", query_string={"query": "x"}).status_code == 422
