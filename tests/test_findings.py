"""From a request to words: screening, who was asked and how, what is said in notices, and what blocks an exclusion."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.knowledge import Knowledge
from service import findings
from service.findings import Presentation

quick = settings(deadline=None, derandomize=True, max_examples=15)

BLADDER = ("urinary_retention", "new_bladder_dysfunction", "urinary_incontinence_new")


def person(knowledge: Knowledge, **request: Any) -> Presentation:
    return findings.derive({"patient": {"age_years": 40}, "setting": "primary_care", **request}, knowledge)


def notices(presentation: Presentation) -> list[tuple[str, str]]:
    return [(notice["kind"], notice["value"]) for notice in presentation.notices]


def texts(presentation: Presentation) -> list[str]:
    return [notice["text"] for notice in presentation.notices]


def asked_in_vain(presentation: Presentation) -> set[str]:
    return {literal for literal in presentation.literals if literal.startswith("unknown:")}


# ---------------------------------------------------------------------------------------------------------- screening


def test_screening_an_item_as_absent_denies_each_of_its_findings(knowledge: Knowledge) -> None:
    someone = person(knowledge, screening={"F-01": "absent"})
    assert all(someone.absent(name) for name in BLADDER)
    assert findings.answered("F-01", someone, knowledge)
    assert not findings.answered("F-02", someone, knowledge)
    assert not asked_in_vain(someone)


def test_screening_an_item_as_unknown_leaves_each_of_its_findings_open(knowledge: Knowledge) -> None:
    someone = person(knowledge, screening={"F-01": "unknown"})
    assert someone.unknown == set(BLADDER)
    assert not any(someone.absent(name) or someone.present(name) for name in BLADDER)
    assert asked_in_vain(someone) == {"unknown:F-01"}
    assert not findings.answered("F-01", someone, knowledge)


@pytest.mark.parametrize("screened", ["absent", "unknown"])
@pytest.mark.parametrize("answer", ["present", "absent", "unknown"])
def test_a_single_answer_beats_screening(screened: str, answer: str, knowledge: Knowledge) -> None:
    said = {"urinary_retention": answer, "urinary_incontinence_new": "absent"}
    someone = person(knowledge, findings=said, screening={"F-01": screened})
    assert someone.present("urinary_retention") is (answer == "present")
    assert someone.absent("urinary_retention") is (answer == "absent")
    assert ("urinary_retention" in someone.unknown) is (answer == "unknown")
    assert someone.absent("urinary_incontinence_new")
    if answer != "present":
        assert someone.absent("new_bladder_dysfunction") is (screened == "absent")
        assert ("new_bladder_dysfunction" in someone.unknown) is (screened == "unknown")


@pytest.mark.parametrize(("unsure", "clear"), [("F-02", "F-03"), ("F-03", "F-02")])
def test_an_item_screened_as_unknown_is_not_cleared_by_another_item(
    unsure: str, clear: str, knowledge: Knowledge
) -> None:
    for order in ([unsure, clear], [clear, unsure]):
        screening = {item: "unknown" if item == unsure else "absent" for item in order}
        someone = person(knowledge, screening=screening)
        assert "saddle_anaesthesia" in someone.unknown, order
        assert f"unknown:{unsure}" in asked_in_vain(someone)
        assert someone.absent("bowel_incontinence") is (clear == "F-02")


def test_a_screened_finding_that_was_measured_is_present_and_said_to_be(knowledge: Knowledge) -> None:
    someone = person(knowledge, screening={"F-08": "absent"}, observations={"temperature_c": 38.0})
    assert someone.present("fever")
    assert someone.absent("chills_sweats")
    assert ("contradiction", "fever") in notices(someone)


# ------------------------------------------------------------------------------------------------- asked and unanswered


def test_an_unknown_answer_opens_its_must_ask_item(knowledge: Knowledge) -> None:
    someone = person(knowledge, findings={"saddle_anaesthesia": "unknown", "night_pain": "unknown"})
    assert someone.unknown == {"saddle_anaesthesia", "night_pain"}
    assert asked_in_vain(someone) == {"unknown:F-02", "unknown:F-03"}


def test_a_present_finding_does_not_take_back_what_could_not_be_answered(knowledge: Knowledge) -> None:
    someone = person(knowledge, findings={"saddle_anaesthesia": "unknown", "bowel_incontinence": "present"})
    assert asked_in_vain(someone) == {"unknown:F-02", "unknown:F-03"}


@pytest.mark.parametrize(("leg_pain", "expected"), [("present", {"unknown:F-04"}), ("absent", set()), (None, set())])
def test_an_item_that_does_not_apply_is_not_asked_in_vain(
    leg_pain: str | None, expected: set[str], knowledge: Knowledge
) -> None:
    said = {"sexual_dysfunction_new": "unknown"} | ({"leg_pain_present": leg_pain} if leg_pain else {})
    assert asked_in_vain(person(knowledge, findings=said)) == expected


def test_an_unknown_answer_that_something_else_decides_is_no_longer_unknown(knowledge: Knowledge) -> None:
    """But what makes it present does not answer the must-ask: that could still be worse."""
    said = {"new_bladder_dysfunction": "unknown", "urinary_retention": "present", "fever": "unknown"}
    someone = person(knowledge, findings=said, observations={"temperature_c": 38.4})
    assert someone.unknown == frozenset()
    assert someone.present("new_bladder_dysfunction")
    assert someone.present("fever")
    assert asked_in_vain(someone) == {"unknown:F-01", "unknown:F-08"}
    cleared = {"bilateral_sciatica": "unknown", "bilateral_leg_symptoms": "absent"}
    assert not asked_in_vain(person(knowledge, findings=cleared)), "no symptoms in both legs: no sciatica in both"
    assert not notices(someone), "an unknown answer contradicts nothing"


# --------------------------------------------------------------------------------------------- proxy and remote contact

# Evidence F3: saddle sensation and sexual items by proxy; midline tenderness, pulses and reflexes from afar.
BY_PROXY = ("saddle_anaesthesia", "sexual_dysfunction_new")
FROM_AFAR = (
    *("spinal_tenderness", "spinal_percussion_tenderness", "midline_tenderness_after_trauma"),
    *("pulse_abnormal", "doppler_pulse_absent", "pulse_or_bp_differential"),
    *("ankle_reflex_absent", "knee_reflex_absent", "bilateral_ankle_reflexes_absent"),
    *("hyperreflexia", "hoffmann_sign", "inverted_supinator_sign", "extensor_plantar", "clonus"),
)


@pytest.mark.parametrize("name", BY_PROXY)
def test_a_proxy_cannot_deny_saddle_or_sexual_change(name: str, knowledge: Knowledge) -> None:
    someone = person(knowledge, findings={name: "absent", "fever": "absent"}, contact={"informant": "proxy"})
    assert name in someone.unknown
    assert not someone.absent(name)
    assert someone.absent("fever")
    assert notices(someone) == [("proxy", name)]
    assert texts(someone) == [knowledge.policy.texts["proxy"]]


@pytest.mark.parametrize("name", BY_PROXY)
def test_what_a_proxy_affirms_or_leaves_open_is_taken_as_said(name: str, knowledge: Knowledge) -> None:
    for answer in ("present", "unknown"):
        someone = person(knowledge, findings={name: answer}, contact={"informant": "proxy"})
        assert (someone.present(name), name in someone.unknown) == (answer == "present", answer == "unknown")
        assert not notices(someone)


@pytest.mark.parametrize("informant", ["patient", "interpreter"])
def test_a_patient_may_deny_it_also_through_an_interpreter(informant: str, knowledge: Knowledge) -> None:
    someone = person(knowledge, findings={"saddle_anaesthesia": "absent"}, contact={"informant": informant})
    assert someone.absent("saddle_anaesthesia")
    assert not notices(someone)


def test_screening_by_proxy_leaves_the_saddle_open(knowledge: Knowledge) -> None:
    someone = person(knowledge, screening={"F-02": "absent", "F-03": "absent"}, contact={"informant": "proxy"})
    assert someone.absent("bowel_incontinence")
    assert asked_in_vain(someone) == {"unknown:F-02", "unknown:F-03"}


@pytest.mark.parametrize("name", FROM_AFAR)
def test_a_remote_contact_cannot_clear_an_examination_finding(name: str, knowledge: Knowledge) -> None:
    someone = person(knowledge, findings={name: "absent"}, contact={"mode": "remote"})
    assert not someone.absent(name)
    assert name not in someone.unknown, "it was not asked rather than unanswerable"
    assert notices(someone) == [("remote", name)]
    assert texts(someone) == [knowledge.policy.texts["remote"]]
    assert person(knowledge, findings={name: "absent"}, contact={"mode": "in_person"}).absent(name)
    assert person(knowledge, findings={name: "absent"}).absent(name)


def test_a_remote_contact_may_report_a_finding_and_deny_a_symptom(knowledge: Knowledge) -> None:
    said = {"ankle_reflex_absent": "present", "knee_reflex_absent": "unknown", "fever": "absent"}
    someone = person(knowledge, findings=said, contact={"mode": "remote"})
    assert someone.present("ankle_reflex_absent")
    assert someone.unknown == {"knee_reflex_absent"}
    assert someone.absent("fever")
    assert not notices(someone)


@pytest.mark.parametrize(("present", "denied"), [("saddle_anaesthesia", "F-01"), ("urinary_retention", "F-06")])
def test_a_remote_contact_cannot_clear_the_other_cauda_equina_symptoms_once_one_is_present(
    present: str, denied: str, knowledge: Knowledge
) -> None:
    asked = {"findings": {present: "present", "fever": "absent"}, "screening": {denied: "absent"}}
    left_out = set(knowledge.must_ask[denied].findings) - {present}
    remote, seen = person(knowledge, contact={"mode": "remote"}, **asked), person(knowledge, **asked)
    assert all(seen.absent(name) for name in left_out)
    assert not any(remote.absent(name) or name in remote.unknown for name in left_out)
    assert remote.absent("fever")
    assert notices(remote) == [("remote", name) for name in sorted(left_out)]
    assert set(texts(remote)) == {knowledge.policy.texts["remote_rest_of"]}


def test_a_remote_contact_may_deny_every_cauda_equina_symptom(knowledge: Knowledge) -> None:
    everything = {f"F-0{number}": "absent" for number in range(1, 7)}
    someone = person(knowledge, contact={"mode": "remote"}, screening=everything)
    assert all(findings.answered(item, someone, knowledge) for item in everything)
    assert not notices(someone)


def test_the_policy_names_what_the_evidence_names(knowledge: Knowledge) -> None:
    contact = knowledge.policy.contact
    assert (set(contact.proxy_unknown), set(contact.remote_cannot_clear)) == (set(BY_PROXY), set(FROM_AFAR))


# ------------------------------------------------------------------------------------------- drugs, setting, scope, age


def test_drugs_and_allergies_that_are_not_known_are_listed_once_each(knowledge: Knowledge) -> None:
    someone = person(
        knowledge,
        medications=["zzz tonic", "warfarin", "aaa drops", "zzz tonic", "fish"],
        allergies=["pollen", "ibuprofen", "fish", "pollen"],
    )
    assert notices(someone) == [
        ("medication_not_checked", "aaa drops"),
        ("medication_not_checked", "fish"),
        ("medication_not_checked", "zzz tonic"),
        ("allergy_not_checked", "pollen"),
    ]
    assert texts(someone) == [knowledge.policy.texts["drug_not_checked"]] * 4
    assert someone.unchecked == ("aaa drops", "fish", "zzz tonic", "pollen")
    assert someone.allergies == {"pollen", "ibuprofen", "fish"}
    assert {"medication:warfarin", "medication_class:anticoagulant", "allergy_class:nsaid"} <= someone.literals
    assert not any("zzz" in literal or "pollen" in literal for literal in someone.literals)


@pytest.mark.parametrize("names", [["Lipitor 20 mg"], ["Lipitor 20 mg", "warfarin"]])
def test_a_drug_that_is_not_known_could_be_any_drug_so_none_is_absent(names: list[str], knowledge: Knowledge) -> None:
    known, doubtful = person(knowledge, medications=["warfarin"]), person(knowledge, medications=names)
    assert known.absent("statin_use")
    assert not [word for word in knowledge.derived if doubtful.absent(word) and not person(knowledge).absent(word)]
    assert doubtful.present("anticoagulant_use") is ("warfarin" in names)


def test_an_allergy_that_is_not_known_could_be_any_allergy_so_none_is_absent(knowledge: Knowledge) -> None:
    assert person(knowledge, allergies=["iodinated_contrast"]).absent("nsaid_allergy")
    assert not person(knowledge, allergies=["iodinated_contrast", "moonflower"]).absent("nsaid_allergy")
    assert person(knowledge, allergies=["moonflower", "naproxen"]).present("nsaid_allergy")


def test_no_list_is_unknown_and_an_empty_list_is_none(knowledge: Knowledge) -> None:
    someone = person(knowledge)
    assert not someone.present("statin_use") and not someone.absent("statin_use")
    assert not someone.absent("nsaid_allergy")
    assert someone.facts.asked == frozenset()
    nobody = person(knowledge, medications=[], allergies=[], treatments_tried=[])
    assert nobody.absent("statin_use")
    assert nobody.absent("nsaid_allergy")
    assert nobody.absent("conservative_care_6_weeks_failed")
    assert nobody.facts.asked == {"medication", "allergy", "treatments_tried"}
    assert (someone.unchecked, nobody.unchecked) == ((), ())


def test_a_setting_that_was_not_sent_is_assumed_and_said_to_be(knowledge: Knowledge) -> None:
    someone = findings.derive({"patient": {"age_years": 40}}, knowledge)
    assert someone.setting == "primary_care"
    assert notices(someone) == [("setting_assumed", "primary_care")]
    assert texts(someone) == [knowledge.policy.texts["unknown_setting"]]
    assert not someone.absent("setting_emergency"), "assumed for the prior, not answered"


@pytest.mark.parametrize("setting", ["primary_care", "emergency", "spine_clinic"])
def test_a_setting_that_was_sent_is_used(setting: str, knowledge: Knowledge) -> None:
    someone = person(knowledge, setting=setting)
    assert someone.setting == setting
    assert not notices(someone)
    assert someone.present("setting_emergency") is (setting == "emergency")
    assert someone.absent("setting_emergency") is (setting != "emergency")


@pytest.mark.parametrize(("age", "outside"), [(0, True), (17.9, True), (18, False), (18.1, False), (90, False)])
def test_a_person_under_18_is_outside_the_validated_scope(age: float, outside: bool, knowledge: Knowledge) -> None:
    someone = person(knowledge, patient={"age_years": age})
    assert notices(someone) == ([("outside_scope", "patient.age_years")] if outside else [])
    assert texts(someone) == ([knowledge.policy.texts["outside_age"]] if outside else [])


# ------------------------------------------------------------------------------------- values, treatments, plain access


def test_every_part_of_the_request_reaches_the_words(knowledge: Knowledge) -> None:
    someone = person(
        knowledge,
        patient={"age_years": 66, "sex": "female"},
        episode={"duration_days": 43, "pain_severity": 7},
        observations={"temperature_c": 38.0, "urine_blood": "negative"},
    )
    expected = ("age_over_65", "female_sex", "duration_over_6_weeks", "severe_pain", "fever")
    assert [someone.present(word) for word in expected] == [True] * 5
    assert someone.absent("haematuria")
    assert not someone.present("haematuria")
    assert someone.facts.values == {
        "patient.age_years": 66,
        "patient.sex": "female",
        "episode.duration_days": 43,
        "episode.pain_severity": 7,
        "observations.temperature_c": 38.0,
        "observations.urine_blood": "negative",
        "setting": "primary_care",
    }


@pytest.mark.parametrize(("response", "failed"), [("none", True), ("partial", True), ("good", False), (None, False)])
def test_a_treatment_tried_counts_for_itself_and_its_groups(
    response: str | None, failed: bool, knowledge: Knowledge
) -> None:
    tried: dict[str, Any] = {"treatment": "ibuprofen_oral", "weeks": 2}
    someone = person(knowledge, treatments_tried=[tried | ({"response": response} if response else {})])
    names = ("ibuprofen_oral", "nsaid_oral")
    assert {f"tried:{name}" for name in names} <= someone.literals
    assert {literal for literal in someone.literals if literal.startswith("failed:")} == {
        f"failed:{name}" for name in names if failed
    }
    assert "tried:opioid_any" not in someone.literals
    assert someone.present("nsaid_tried_2_weeks_failed") is failed


def test_words_concluded_later_are_added_to_a_copy(knowledge: Knowledge) -> None:
    someone = person(knowledge)
    blocking = min(knowledge.exclusions)
    assert f"free:{blocking}" not in someone.adding(frozenset({blocking})).literals, "a concluded word blocks too"
    later = someone.adding(frozenset({"radicular_pattern"}))
    assert later.present("radicular_pattern")
    assert not someone.present("radicular_pattern")
    assert later.literals == someone.literals | {"radicular_pattern"}
    assert later.words is someone.words


# --------------------------------------------------------------------------------------- contradictions and exclusions


@pytest.mark.parametrize(
    ("said", "observed", "value"),
    [
        ({"pain_worsening": "present", "pain_improving": "present"}, {}, "pain_improving / pain_worsening"),
        ({"onset_insidious": "present", "onset_sudden": "present"}, {}, "onset_insidious / onset_sudden"),
        (
            {"normal_neurological_examination": "present", "foot_drop": "present"},
            {},
            "foot_drop / normal_neurological_examination",
        ),
        (
            {"normal_neurological_examination": "present"},
            {"leg_power_min_mrc": 4},
            "leg_power_reduced / normal_neurological_examination",
        ),
        (
            {"bilateral_sciatica": "present", "unilateral_leg_symptoms": "present"},
            {},
            "bilateral_sciatica / unilateral_leg_symptoms",
        ),
    ],
)
def test_two_answers_that_contradict_one_another_are_listed_once(
    said: dict[str, str], observed: dict[str, float], value: str, knowledge: Knowledge
) -> None:
    someone = person(knowledge, findings=said, observations=observed)
    assert notices(someone).count(("contradiction", value)) == 1
    (text,) = (notice["text"] for notice in someone.notices if notice["value"] == value)
    assert text == knowledge.policy.texts["contradiction"]


@pytest.mark.parametrize(
    ("said", "observed", "name"),
    [
        ({"fever": "absent"}, {"temperature_c": 38.0}, "fever"),
        ({"haematuria": "absent"}, {"urine_blood": "positive"}, "haematuria"),
        ({"leg_power_reduced": "absent"}, {"leg_power_min_mrc": 4}, "leg_power_reduced"),
        ({"new_bladder_dysfunction": "absent", "urinary_retention": "present"}, {}, "new_bladder_dysfunction"),
    ],
)
def test_an_answer_that_a_measurement_or_another_answer_contradicts_is_listed_and_present_holds(
    said: dict[str, str], observed: dict[str, Any], name: str, knowledge: Knowledge
) -> None:
    someone = person(knowledge, findings=said, observations=observed)
    assert someone.present(name)
    assert not someone.absent(name)
    assert notices(someone) == [("contradiction", name)]
    assert texts(someone) == [knowledge.policy.texts["measured_against_answer"]]


@pytest.mark.parametrize(
    ("said", "observed"),
    [
        ({"schober_reduced": "present"}, {"schober_cm": 5}),
        ({"haematuria": "present"}, {"urine_blood": "negative"}),
        ({"new_confusion": "present"}, {"consciousness": "alert"}),
        ({"hydronephrosis": "present"}, {"hydronephrosis_grade": "none"}),
    ],
)
def test_an_affirmed_finding_that_a_measurement_denies_is_listed_and_present_holds(
    said: dict[str, str], observed: dict[str, Any], knowledge: Knowledge
) -> None:
    (name,) = said
    someone = person(knowledge, findings=said, observations=observed)
    assert someone.present(name)
    assert [notice for notice in notices(someone) if notice[0] != "impaired"] == [("contradiction", name)]


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ({}, False),
        ({"patient": {"age_years": 30, "sex": "female", "pregnancy": "pregnant"}}, True),
        ({"patient": {"age_years": 30, "sex": "female", "pregnancy": "not_pregnant"}}, True),
        ({"patient": {"age_years": 30, "sex": "female", "pregnancy": "possible"}}, True),
        ({"observations": {"pregnancy_test": "negative"}}, True),
        ({"findings": {"late_or_missed_period": "absent"}}, True),
    ],
)
def test_the_question_of_pregnancy_is_answered_by_pregnancy_as_sent_or_by_a_test(
    said: dict[str, Any], answered: bool, knowledge: Knowledge
) -> None:
    assert findings.answered("F-13", person(knowledge, **said), knowledge) is answered


@pytest.mark.parametrize(
    "impaired", [{"findings": {"dementia": "present"}}, {"observations": {"consciousness": "voice"}}]
)
def test_who_may_not_be_able_to_answer_leaves_the_cauda_equina_questions_unknown_until_someone_answers(
    impaired: dict[str, Any], knowledge: Knowledge
) -> None:
    """Evidence F3: with cognitive impairment or sedation F-01 to F-03 default to unknown."""
    asked = [name for item in ("F-01", "F-02", "F-03") for name in knowledge.must_ask[item].findings]
    someone = person(knowledge, **impaired)
    assert someone.unknown == set(asked)
    assert asked_in_vain(someone) == {"unknown:F-01", "unknown:F-02", "unknown:F-03"}
    assert {name for kind, name in notices(someone) if kind == "impaired"} == set(asked)
    examined = person(knowledge, **impaired, screening=dict.fromkeys(("F-01", "F-02", "F-03"), "absent"))
    assert not examined.unknown and not asked_in_vain(examined)
    assert not person(knowledge).unknown


def test_one_contradiction_is_said_once_and_not_again_for_what_follows_from_it(knowledge: Knowledge) -> None:
    """Foot drop implies reduced power; the notice names what was answered."""
    said = {"foot_drop": "present", "normal_neurological_examination": "present"}
    someone = person(knowledge, findings=said)
    assert notices(someone) == [("contradiction", "foot_drop / normal_neurological_examination")]
    assert {"leg_power_reduced", "myotomal_weakness"} <= someone.literals, "which contradict it too"


def test_answers_that_agree_give_no_notice(knowledge: Knowledge) -> None:
    said = {"fever": "present", "pain_improving": "present", "pain_worsening": "absent"}
    assert not notices(person(knowledge, findings=said, observations={"temperature_c": 38.0}))
    assert not notices(person(knowledge, findings={"fever": "present"}, observations={"temperature_c": 36.9}))


@pytest.mark.parametrize(
    ("exclusion", "said", "against"),
    [
        ("pain_improving", {"pain_improving": "present"}, {"pain_worsening": "present"}),
        ("onset_insidious", {"onset_insidious": "present"}, {"sudden_severe_onset": "present"}),
        ("normal_neurological_examination", {"normal_neurological_examination": "present"}, {"foot_drop": "present"}),
        ("normal_neurology_over_6_weeks", {"normal_neurological_examination": "present"}, {"foot_drop": "present"}),
        (
            "improving_pain_after_mechanical_trigger",
            {"pain_improving": "present", "onset_after_lifting": "present"},
            {"pain_worsening": "present"},
        ),
        (
            "mechanical_trigger_and_pattern",
            {"pain_worse_with_movement": "present", "onset_after_lifting": "present"},
            {"constant_progressive_nonmechanical_pain": "present"},
        ),
    ],
)
def test_a_contradicted_word_does_not_block_an_exclusion(
    exclusion: str, said: dict[str, str], against: dict[str, str], knowledge: Knowledge
) -> None:
    """Worst case wins until the contradiction is settled, be the exclusion the word itself or built on it."""
    assert exclusion in knowledge.exclusions
    episode = {"duration_days": 60}
    sure = person(knowledge, findings=said, episode=episode)
    assert sure.present(exclusion)
    assert f"free:{exclusion}" not in sure.literals, "without a contradiction it blocks"
    torn = person(knowledge, findings=said | against, episode=episode)
    assert f"free:{exclusion}" in torn.literals


def test_only_a_present_word_blocks_an_exclusion(knowledge: Knowledge) -> None:
    for answer in ("absent", "unknown"):
        assert "free:pain_improving" in person(knowledge, findings={"pain_improving": answer}).literals
    assert "free:pain_improving" in person(knowledge).literals


def test_an_answer_overruled_by_a_measurement_still_blocks(knowledge: Knowledge) -> None:
    someone = person(knowledge, findings={"fever": "absent"}, observations={"temperature_c": 38.5})
    assert "fever" in knowledge.exclusions
    assert "free:fever" not in someone.literals


# ------------------------------------------------------------------------------------------------------------ must-asks


def test_a_must_ask_is_answered_by_one_present_finding_or_by_denying_all(knowledge: Knowledge) -> None:
    def answered(said: dict[str, str]) -> bool:
        return findings.answered("F-01", person(knowledge, findings=said), knowledge)

    assert not answered({})
    assert answered({"urinary_retention": "present"})
    assert answered({"urinary_incontinence_new": "present", "urinary_retention": "unknown"})
    assert answered(dict.fromkeys(BLADDER, "absent"))
    for name in BLADDER:
        denied = dict.fromkeys(BLADDER, "absent")
        assert not answered({**denied, name: "unknown"})
        del denied[name]
        assert not answered(denied)


def test_a_must_ask_may_be_answered_by_a_measurement(knowledge: Knowledge) -> None:
    alert = person(knowledge, observations={"consciousness": "alert"})
    confused = person(knowledge, observations={"consciousness": "voice"})
    assert findings.answered("F-25", alert, knowledge)
    assert findings.answered("F-25", confused, knowledge)
    assert not findings.answered("F-25", person(knowledge), knowledge)


def test_a_must_ask_without_a_condition_concerns_everyone(knowledge: Knowledge) -> None:
    someone = person(knowledge)
    concerned = {item for item in knowledge.must_ask if findings.applicable(item, someone, knowledge)}
    assert concerned == {item for item, entry in knowledge.must_ask.items() if entry.applies_if is None}
    assert {"F-01", "F-02", "F-03", "F-22"} <= concerned
    assert {"F-04", "F-13", "F-15", "F-19"}.isdisjoint(concerned)


@pytest.mark.parametrize(
    ("item", "concerned", "not_concerned"),
    [
        ("F-04", {"findings": {"leg_pain_present": "present"}}, {"findings": {"leg_pain_present": "absent"}}),
        ("F-04", {"findings": {"pain_below_knee": "present"}}, {"findings": {"leg_pain_present": "unknown"}}),
        ("F-13", {"patient": {"age_years": 55, "sex": "female"}}, {"patient": {"age_years": 56, "sex": "female"}}),
        ("F-13", {"patient": {"age_years": 12, "sex": "female"}}, {"patient": {"age_years": 30, "sex": "male"}}),
        ("F-13", {"patient": {"age_years": 30, "sex": "female"}}, {"patient": {"age_years": 30}}),
        ("F-15", {"patient": {"age_years": 60}}, {"patient": {"age_years": 59}}),
        ("F-19", {"episode": {"duration_days": 29}}, {"episode": {"duration_days": 28}}),
        ("F-19", {"patient": {"age_years": 50}}, {"patient": {"age_years": 49}}),
        ("F-23", {"patient": {"age_years": 45}}, {"patient": {"age_years": 44}}),
        ("F-25", {"setting": "emergency"}, {"setting": "spine_clinic"}),
    ],
)
def test_a_must_ask_concerns_whom_its_condition_names(
    item: str, concerned: dict[str, Any], not_concerned: dict[str, Any], knowledge: Knowledge
) -> None:
    assert findings.applicable(item, person(knowledge, **concerned), knowledge)
    assert not findings.applicable(item, person(knowledge, **not_concerned), knowledge)


# ----------------------------------------------------------------------------------------------------------- properties

RICH: dict[str, Any] = {
    "patient": {"age_years": 17, "sex": "female", "pregnancy": "possible"},
    "episode": {"duration_days": 30, "pain_severity": 8},
    "contact": {"informant": "proxy", "mode": "remote"},
    "findings": {
        "saddle_anaesthesia": "absent",
        "fever": "absent",
        "pain_improving": "present",
        "pain_worsening": "present",
        "ankle_reflex_absent": "absent",
        "onset_sudden": "present",
        "onset_insidious": "present",
        "foot_drop": "unknown",
        "urinary_retention": "present",
    },
    "screening": {"F-01": "absent", "F-02": "absent", "F-03": "unknown", "F-09": "unknown", "F-18": "absent"},
    "observations": {"temperature_c": 38.6, "crp_mg_l": 40, "leg_power_min_mrc": 4},
    "medications": ["warfarin", "mystery", "another mystery"],
    "allergies": ["ibuprofen", "dust"],
    "treatments_tried": [
        {"treatment": "ibuprofen_oral", "weeks": 3, "response": "none"},
        {"treatment": "superficial_heat", "weeks": 1, "response": "good"},
    ],
}


def shuffled(data: st.DataObject, value: Any) -> Any:
    """The same request with every object and every list in another order."""
    if isinstance(value, dict):
        return {key: shuffled(data, value[key]) for key in data.draw(st.permutations(list(value)))}
    if isinstance(value, list):
        return [shuffled(data, part) for part in data.draw(st.permutations(value))]
    return value


@quick
@given(data=st.data())
def test_the_order_of_the_request_never_matters(data: st.DataObject, knowledge: Knowledge) -> None:
    one, other = findings.derive(RICH, knowledge), findings.derive(shuffled(data, RICH), knowledge)
    assert one.notices == other.notices
    assert one.literals == other.literals
    assert (one.unknown, one.unchecked, one.allergies) == (other.unknown, other.unchecked, other.allergies)
    assert (one.words.state, one.words.readings) == (other.words.state, other.words.readings)
    assert (one.facts.answers, one.facts.values) == (other.facts.answers, other.facts.values)


def test_the_notices_of_a_full_request_stand_in_a_fixed_order(knowledge: Knowledge) -> None:
    kinds = [notice["kind"] for notice in findings.derive(RICH, knowledge).notices]
    assert list(dict.fromkeys(kinds)) == [
        "proxy",
        "remote",
        "contradiction",
        "medication_not_checked",
        "allergy_not_checked",
        "setting_assumed",
        "outside_scope",
    ]


def test_the_request_is_left_as_it_was(knowledge: Knowledge) -> None:
    request = copy.deepcopy(RICH)
    findings.derive(request, knowledge)
    assert request == RICH
