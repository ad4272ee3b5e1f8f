"""Words read backwards."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

import rules
from rules.grounds import grounds, openers
from rules.knowledge import Knowledge
from rules.words import Facts
from service.findings import derive
from tests.people import Request, person
from tests.presentations import random_request
from tests.support import write_knowledge


def resting(knowledge: Knowledge, literal: str, request: Request) -> set[str]:
    presentation = derive(request, knowledge)
    assert literal in presentation.literals
    return set(grounds(literal, presentation.facts, presentation.words.state, knowledge.vocabulary))


@pytest.mark.parametrize(
    ("literal", "request_", "expected"),
    [
        ("fever", person("fever"), {"fever"}),
        ("fever", person(observations={"temperature_c": 38.6}), {"observations.temperature_c"}),
        ("limb_weakness_any", person("foot_drop"), {"foot_drop"}),
        ("limb_weakness_any", person("limb_weakness_any", "foot_drop"), {"limb_weakness_any"}),
        ("infection_risk_strong", person("iv_drug_use", "haemodialysis", "diabetes"), {"iv_drug_use", "haemodialysis"}),
        ("absent:fever", person(absent=["fever"]), {"absent:fever"}),
        ("duration_over_6_weeks", person(episode={"duration_days": 90}), {"episode.duration_days"}),
        (
            "shock_index_1_or_more",
            person(observations={"heart_rate_per_min": 120, "systolic_bp_mmhg": 100}),
            {"observations.heart_rate_per_min", "observations.systolic_bp_mmhg"},
        ),
        ("anticoagulant_use", person(medications=["warfarin"]), {"medication_class:anticoagulant"}),
        (
            "failure_to_improve_1_month",
            person(treatments_tried=[{"treatment": "nsaid_oral", "weeks": 6, "response": "none"}]),
            {"treatments_tried"},
        ),
        ("unknown:F-03", person(unknown=["saddle_anaesthesia"]), {"unknown:F-03"}),
        (
            "chronic_unchanged_pain",
            person(absent=["pain_worsening"], episode={"duration_days": 100}),
            {"absent:pain_worsening", "episode.duration_days"},
        ),
    ],
)
def test_a_word_rests_on_what_was_sent(
    knowledge: Knowledge, literal: str, request_: Request, expected: set[str]
) -> None:
    assert resting(knowledge, literal, request_) == expected


def test_a_score_rests_on_its_items(knowledge: Knowledge) -> None:
    vitals = {"respiratory_rate_per_min": 26, "heart_rate_per_min": 135, "temperature_c": 39.5, "spo2_percent": 97}
    found = resting(knowledge, "news2_7_or_more", person(observations=vitals))
    assert {f"observations.{name}" for name in vitals} <= found


@pytest.mark.parametrize("seed", range(12))
def test_what_words_rest_on_is_enough_to_make_them_hold(knowledge: Knowledge, seed: int) -> None:
    """Send nothing but the grounds of a word of an urgency rule, and the word still holds."""
    presentation = derive(random_request(Random(seed), knowledge), knowledge)
    facts, state = presentation.facts, presentation.words.state
    read = {literal for antecedent, *_ in knowledge.urgency_antecedents for literal in antecedent}
    held = sorted(literal for literal in read & presentation.literals if literal in state)
    assert held
    for literal in held:
        found = grounds(literal, facts, state, knowledge.vocabulary)
        if "treatments_tried" in found:
            continue
        alone = Facts(
            answers={
                word: facts.answers[word]
                for word in (each.removeprefix("absent:") for each in found)
                if word in facts.answers
            },
            values={path: facts.values[path] for path in found & facts.values.keys()},
            listed=facts.listed & found,
        )
        assert knowledge.vocabulary.derive(alone).present(literal), (literal, found)


# which finding would make a word hold


@pytest.mark.parametrize(
    ("literal", "request_", "expected"),
    [
        ("fever", person(), {"fever"}),
        ("fever", person(absent=["fever"]), set()),
        ("fever", person("fever"), set()),
        ("free:limp", person("limp"), set()),
        ("medication_class:nsaid", person(), set()),
        ("raised_temperature_any", person(absent=["fever"]), {"low_grade_temperature", "chills_sweats"}),
        ("chronic_unchanged_pain", person(episode={"duration_days": 100}), set()),
        ("mechanical_trigger_and_pattern", person("onset_after_lifting"), {"pain_worse_with_movement"}),
        ("mechanical_trigger_and_pattern", person(), set()),
        ("duration_over_6_weeks", person(), set()),
    ],
)
def test_one_more_finding_makes_a_word_hold(
    knowledge: Knowledge, literal: str, request_: Request, expected: set[str]
) -> None:
    state = derive(request_, knowledge).words.state
    assert openers(literal, state, knowledge.vocabulary) == expected


def test_a_count_that_lacks_one_is_opened_by_any_that_is_left_and_a_gate_must_be_open(tmp_path: Path) -> None:
    small = rules.load(write_knowledge(tmp_path / "rules"))
    opened = partial(openers, vocabulary=small.vocabulary)
    assert opened("two_signs", {"fever": True}) == {"chills"}
    assert opened("two_signs", {}) == frozenset()
    assert opened("two_signs", {"stiffness": False}) == {"fever", "chills"}
    assert opened("cauda_signs", {"saddle_numbness": True}) == frozenset()
    assert opened("cauda_signs", {"saddle_numbness": True, "older": True}) == {"bladder_change"}


@pytest.mark.parametrize("seed", range(12))
def test_each_opener_makes_its_word_hold(knowledge: Knowledge, seed: int) -> None:
    presentation = derive(random_request(Random(seed), knowledge), knowledge)
    facts, state = presentation.facts, presentation.words.state
    for literal in sorted({literal for antecedent, *_ in knowledge.urgency_antecedents for literal in antecedent}):
        for word in openers(literal, state, knowledge.vocabulary) if not state.get(literal) else ():
            after = knowledge.vocabulary.derive(replace(facts, answers={**facts.answers, word: True}))
            assert after.present(literal), (literal, word)
