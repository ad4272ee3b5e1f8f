"""What entries of the ladder do to one another, to an allergy and to a short trial; and the worst case."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from service.findings import derive
from tests.patients import ORAL_NSAIDS, PROPOSED, entries, open_book, strain
from tests.people import Request, calm, fire, person
from tests.presentations import random_request

# entries beside one another


IN_NEED = strain("severe_pain", days=20, treatments_tried=[{"treatment": "nsaid_oral", "weeks": 3, "response": "none"}])
"""A strain of twenty days with severe pain, in whom an anti-inflammatory drug has failed."""


def together_with(request_: Request, knowledge: Knowledge, engine: Engine) -> dict[str, dict[str, Any]]:
    return {name: entry for name, entry in entries(request_, knowledge, engine).items() if entry["together"]}


def test_an_opioid_and_a_relaxant_that_are_both_proposed_name_one_another_and_the_later_steps_back(
    knowledge: Knowledge, engine: Engine
) -> None:
    found = together_with(open_book(IN_NEED, knowledge), knowledge, engine)
    opioid = found["weak_opioid"]
    others = {line["with"] for line in opioid["together"] if line["action"] == "exclude"}
    relaxants = others & {"cyclobenzaprine_oral", "methocarbamol_oral", "tizanidine_oral", "metaxalone_oral"}
    assert relaxants
    for name in relaxants:
        assert "weak_opioid" in {line["with"] for line in found[name]["together"]}
    assert opioid["status"] == "caution"
    assert knowledge.policy.texts["not_together"] in opioid["because"]
    for line in opioid["together"]:
        rule, _ = knowledge.safety_rules[line["rule"]]
        assert (line["because"], tuple(line["references"])) == (rule.because, rule.references)


def test_two_drugs_of_a_class_of_which_one_is_enough_are_alternatives_and_no_clash(
    knowledge: Knowledge, engine: Engine
) -> None:
    found = entries(strain(), knowledge, engine)
    for name in ORAL_NSAIDS:
        others = {line["with"] for line in found[name]["together"]} if name in found else set()
        assert others.isdisjoint(ORAL_NSAIDS)


@pytest.mark.parametrize("seed", range(6))
def test_what_two_entries_fire_together_is_what_the_second_fires_when_the_first_is_on_the_list(
    knowledge: Knowledge, engine: Engine, seed: int
) -> None:
    """Ask the safety rules again with the drugs of the giver on the medication list."""
    request_ = random_request(Random(seed), knowledge)
    request_["medications"] = [name for name in request_.get("medications", ()) if name in knowledge.medications]
    person_ = derive(request_, knowledge)
    before = set(fire("safety", person_, knowledge, engine))
    for name, treatment in knowledge.treatments.items():
        if not treatment.drugs:
            continue
        taking = derive({**request_, "medications": [*request_["medications"], *treatment.drugs]}, knowledge)
        after = {found.id for found in set(fire("safety", taking, knowledge, engine)) - before}
        beside = knowledge.conclude("together", engine.fire("together", person_.literals | {f"with:{name}"}))
        told = {found.id for found in beside if {*knowledge.safety_rules[found.id][1]} != {name}}
        others = {rule for rule in after if {*knowledge.safety_rules[rule][1]} != {name}}
        assert others <= told, name
        assert told <= {found.id for found in fire("safety", taking, knowledge, engine)}, name


# what was tried, and what the articles say


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (None, "not_asked"),
        ([], "not_tried"),
        ([{"treatment": "ibuprofen_oral", "weeks": 2, "response": "partial"}], "ibuprofen_oral for 2 weeks: partial"),
        ([{"treatment": "nsaid_oral"}], "nsaid_oral: response not said"),
        ([{"treatment": "superficial_heat", "response": "good"}], "not_tried"),
    ],
)
def test_an_entry_says_what_was_tried_of_it(
    knowledge: Knowledge, engine: Engine, tried: list[dict[str, Any]] | None, said: str
) -> None:
    request_ = strain()
    del request_["treatments_tried"]
    request_ |= {} if tried is None else {"treatments_tried": tried}
    assert entries(request_, knowledge, engine)["ibuprofen_oral"]["tried"] == said


def test_a_trial_that_was_too_short_opens_nothing(knowledge: Knowledge, engine: Engine) -> None:
    def another(weeks: float) -> str:
        tried = [{"treatment": "nsaid_oral", "weeks": weeks, "response": "none"}]
        request_ = open_book(strain(days=20, treatments_tried=tried), knowledge)
        return str(entries(request_, knowledge, engine)["nsaid_prescription_other"]["status"])

    assert (another(0.1), another(3)) == ("not_yet", "consider")


def test_an_entry_names_what_the_articles_say_and_where_they_differ(knowledge: Knowledge, engine: Engine) -> None:
    heat = entries(strain(), knowledge, engine)["superficial_heat"]
    assert "S4" in heat["articles_say"]
    assert "K01" in heat["conflicts"]
    conflict = knowledge.conflicts["K01"]
    assert {"S1", "S4"} <= conflict.articles.keys() and conflict.evidence and conflict.default


# allergies, alternatives, emergencies


def test_an_allergy_to_a_sibling_is_a_caution_and_to_the_drug_itself_an_exclusion(
    knowledge: Knowledge, engine: Engine
) -> None:
    request_ = open_book(IN_NEED, knowledge)
    sibling = entries({**request_, "allergies": ["morphine"]}, knowledge, engine)["weak_opioid"]
    assert sibling["status"] == "caution"
    assert knowledge.policy.texts["class_allergy"] in sibling["because"]
    itself = entries({**request_, "allergies": ["tramadol"]}, knowledge, engine)["weak_opioid"]
    assert itself["status"] == "excluded"


@pytest.mark.parametrize("finding", ["saddle_anaesthesia", "trismus_or_generalised_rigidity"])
def test_an_emergency_says_what_to_avoid_meanwhile_with_and_without_a_pathway(
    knowledge: Knowledge, engine: Engine, finding: str
) -> None:
    found = assess(person(finding), knowledge, engine)["treatment_ladder"]
    assert found["rungs"] == []
    assert set(knowledge.policy.ladder.emergency_avoid) <= set(found["pathway"]["avoid"])


def test_the_worst_case_still_gets_a_useful_first_three_rungs(knowledge: Knowledge, engine: Engine) -> None:
    """Ninety years, kidneys at their end, anticoagulated, a failing heart, an ulcer, cirrhosis, ten drugs."""
    worst = calm(
        *("heart_failure", "active_peptic_ulcer_or_gi_bleed", "cirrhosis", "chronic_kidney_disease", "osteoporosis"),
        age=90,
        days=200,
        medications=[
            *("warfarin", "furosemide", "bisoprolol", "ramipril", "digoxin", "amiodarone", "omeprazole"),
            *("sertraline", "insulin", "levothyroxine"),
        ],
        allergies=["penicillin"],
        treatments_tried=[],
        observations={"egfr_ml_min": 10, "inr": 2.5},
    )
    ladder_ = assess(worst, knowledge, engine)["treatment_ladder"]
    if ladder_["pathway"]:
        worst["findings"]["active_peptic_ulcer_or_gi_bleed"] = "absent"
        worst["findings"]["previous_peptic_ulcer_or_gi_bleed"] = "present"
        ladder_ = assess(worst, knowledge, engine)["treatment_ladder"]
    proposed = {
        rung["rung"]: {entry["treatment"] for entry in rung["entries"] if entry["status"] in PROPOSED}
        for rung in ladder_["rungs"]
    }
    assert {"education_reassurance", "stay_active"} <= proposed[0]
    assert proposed[1] and proposed[2]
    everything = set().union(*proposed.values())
    assert everything.isdisjoint({*ORAL_NSAIDS, "duloxetine_oral", "weak_opioid", "cyclobenzaprine_oral"})


@pytest.mark.parametrize(
    ("group", "opened"),
    [
        (None, set()),
        ("low", set()),
        ("medium", {"motor_control_exercise", "yoga_tai_chi", "mindfulness_relaxation_biofeedback"}),
        (
            "high",
            {
                *("motor_control_exercise", "yoga_tai_chi", "mindfulness_relaxation_biofeedback"),
                "cognitive_behavioural_therapy",
            },
        ),
    ],
)
def test_a_start_back_group_that_was_sent_opens_the_second_rung_at_once(
    knowledge: Knowledge, engine: Engine, group: str | None, opened: set[str]
) -> None:
    """Acute strain: a low group waits, a medium one begins with more exercise, a high one with therapy too."""
    observations = {"egfr_ml_min": 90} | ({"start_back_risk_group": group} if group else {})
    later = {"motor_control_exercise", "yoga_tai_chi", "mindfulness_relaxation_biofeedback"}
    later |= {"cognitive_behavioural_therapy", "multidisciplinary_rehabilitation"}
    found = entries(strain(observations=observations), knowledge, engine)
    assert {name for name in later if found[name]["status"] in PROPOSED} == opened
    assert found["exercise_programme"]["status"] == ("recommended" if opened else "consider")
