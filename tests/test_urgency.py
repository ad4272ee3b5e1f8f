"""Urgency: one level, why, whether it is final, what is open and what would change it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rules.engine import Engine
from rules.knowledge import Conclusion, Knowledge
from schemas.knowledge import RedFlag, Then
from service import urgency
from service.findings import derive
from service.urgency import Urgency
from tests.people import ALL_DENIED, RANKS, Request, calm, person, seen, triaged
from tests.presentations import cases

# presentations that must not be missed: what is sent, the level, and the evidence row that sets it

SICK: Mapping[str, float | str] = {"respiratory_rate_per_min": 25, "heart_rate_per_min": 115, "temperature_c": 39.2}

MUST_NOT_MISS: list[tuple[str, Request, str, str]] = [
    ("saddle anaesthesia", person("saddle_anaesthesia"), "emergency", "E-02"),
    ("retention of urine", person("urinary_retention"), "emergency", "E-01"),
    ("new leak of urine", person("urinary_incontinence_new"), "emergency", "E-01"),
    ("residual of 201 mL", person(observations={"post_void_residual_ml": 201}), "emergency", "E-01"),
    ("bladder and saddle", person("new_bladder_dysfunction", "saddle_anaesthesia"), "emergency", "E-03"),
    ("bladder and one weak leg", person("new_bladder_dysfunction", "leg_power_reduced"), "emergency", "E-03"),
    ("bowel incontinence", person("bowel_incontinence"), "emergency", "E-04"),
    ("lax anal tone", person("reduced_anal_tone"), "emergency", "E-04"),
    ("sciatica of both legs with weakness", person("bilateral_sciatica", "leg_power_reduced"), "emergency", "E-05"),
    ("sciatica of both legs", person("bilateral_sciatica"), "urgent_same_day", "E-05b"),
    ("both legs weak", person("bilateral_leg_weakness"), "emergency", "E-07"),
    ("new bladder change alone", person("new_bladder_dysfunction"), "urgent_same_day", "E-72b"),
    ("fever and injected drugs", person("fever", "iv_drug_use"), "emergency", "E-10"),
    ("37.6 and a dialysis line", person("haemodialysis", observations={"temperature_c": 37.6}), "emergency", "E-10"),
    ("fever, diabetes, tender spine", person("fever", "diabetes", "spinal_tenderness"), "emergency", "E-10"),
    ("fever and a weak leg", person("fever", "leg_power_reduced"), "emergency", "E-09"),
    (
        "37.5 and power 4 of 5",
        person(observations={"temperature_c": 37.5, "leg_power_min_mrc": 4}),
        "emergency",
        "E-09",
    ),
    ("fever alone", person("fever"), "urgent_same_day", "E-63"),
    ("infected stone", person("flank_pain_colicky", "fever"), "emergency", "E-23"),
    ("colic of a solitary kidney", person("flank_pain_colicky", "solitary_or_transplant_kidney"), "emergency", "E-24"),
    ("colic without urine", person("flank_pain", "haematuria", "anuria_or_oliguria"), "emergency", "E-24"),
    ("colic", person("flank_pain_colicky"), "urgent_same_day", "E-26"),
    ("colic at 60", person("flank_pain_colicky", age=60), "urgent_same_day", "E-20"),
    ("foot drop", person("foot_drop"), "urgent_same_day", "E-45"),
    ("power 3 of 5", person(observations={"leg_power_min_mrc": 3}), "urgent_same_day", "E-45"),
    ("power 4 of 5", person(observations={"leg_power_min_mrc": 4}), "urgent_2_weeks", "E-46"),
    (
        "raised CRP, severe pain, tender spine",
        person("spinal_tenderness", observations={"crp_mg_l": 60}, episode={"pain_severity": 8}),
        "emergency",
        "E-80",
    ),
    (
        "raised CRP and severe pain",
        person(observations={"crp_mg_l": 11}, episode={"pain_severity": 7}),
        "urgent_same_day",
        "E-81",
    ),
    ("NEWS2 of 7", person(observations=SICK), "emergency", "E-87"),
    (
        "NEWS2 of 6",
        person(observations={"respiratory_rate_per_min": 21, "heart_rate_per_min": 112, "spo2_percent": 93}),
        "urgent_same_day",
        "E-88",
    ),
    ("fever with NEWS2 of 7", person("fever", observations=SICK), "emergency", "E-11"),
    ("fever and systolic 88", person("fever", observations={"systolic_bp_mmhg": 88}), "emergency", "E-11"),
    ("fever and a mottled skin", person("fever", "mottled_or_ashen_skin"), "emergency", "E-11"),
    ("shock", person(observations={"systolic_bp_mmhg": 90}), "emergency", "E-87"),
    ("drowsy", person(observations={"consciousness": "voice"}), "emergency", "E-87"),
    ("pulsating abdomen", person("pulsatile_abdominal_mass", age=38), "emergency", "E-18"),
    ("collapse at 50", person("syncope_or_collapse", age=50), "emergency", "E-18"),
    ("known aneurysm", person("known_aaa"), "emergency", "E-19"),
    ("cancer and a weak leg", person("history_of_cancer", "leg_power_reduced"), "emergency", "E-13"),
    ("cancer and unsteady walking", person("history_of_cancer", "gait_disturbance"), "emergency", "E-13"),
    ("cancer and night pain", person("history_of_cancer", "night_pain"), "urgent_same_day", "E-48"),
    ("cancer", person("history_of_cancer"), "urgent_2_weeks", "E-49"),
    ("injury with deficit", person("significant_trauma", "leg_power_reduced"), "emergency", "E-14"),
    ("injury at 65", person("significant_trauma", age=65), "emergency", "E-14"),
    ("injury", person("significant_trauma"), "urgent_same_day", "E-94"),
    ("fall in a stiff spine", person("ankylosed_spine", "minor_trauma", "midline_pain"), "emergency", "E-15"),
    (
        "blood thinner, deficit, severe pain",
        person("limb_sensory_loss", medications=["warfarin"], episode={"pain_severity": 9}),
        "emergency",
        "E-16",
    ),
    ("drooping face", person("facial_droop"), "emergency", "E-38"),
    ("cold pale limb", person("cold_pale_pulseless_limb"), "emergency", "E-41"),
    ("brisk reflexes and weakness", person("hyperreflexia", "leg_power_reduced"), "emergency", "E-40"),
    (
        "tearing pain between the shoulders",
        person("tearing_pain", "interscapular_or_migrating_pain"),
        "emergency",
        "E-22",
    ),
    ("MRI shows infection", person("mri_spinal_infection"), "emergency", "E-86"),
]


@pytest.mark.parametrize(
    ("request_", "level", "row"), [case[1:] for case in MUST_NOT_MISS], ids=[case[0] for case in MUST_NOT_MISS]
)
def test_what_must_not_be_missed_has_the_level_of_its_evidence_row(
    knowledge: Knowledge, engine: Engine, request_: Request, level: str, row: str
) -> None:
    found = triaged(request_, knowledge, engine)
    assert found.level == level
    assert row in {flag.row for flag in found.fired if flag.urgency == level}


# calm presentations: never above their level, and final once all was asked

STRAIN = ("onset_after_lifting", "pain_worse_with_movement", "pain_improving")
SCIATICA = ("pain_below_knee", "unilateral_leg_symptoms", "dermatomal_pain_distribution", "straight_leg_raise_positive")
STENOSIS = ("neurogenic_claudication", "relief_with_sitting_or_flexion", "bilateral_leg_symptoms")

CALM: list[tuple[str, Request, str]] = [
    ("strain", calm(*STRAIN), "self_care"),
    ("strain of a woman of 30", calm(*STRAIN, age=30, patient={"sex": "female"}), "self_care"),
    ("strain of 9 of 10 after lifting", calm(*STRAIN, episode={"duration_days": 1, "pain_severity": 9}), "self_care"),
    ("strain with diabetes", calm(*STRAIN, "diabetes"), "self_care"),
    ("strain at 49", calm(*STRAIN, age=49), "self_care"),
    ("strain at 55", calm(*STRAIN, age=55), "self_care"),
    ("sciatica for 3 weeks", calm(*SCIATICA, "pain_improving", days=21), "routine"),
    ("stenosis for a year", calm(*STENOSIS, age=72, days=365), "routine"),
    ("back pain for ten years", calm("pain_worse_with_movement", age=60, days=3650), "routine"),
]


@pytest.mark.parametrize(("request_", "level"), [case[1:] for case in CALM], ids=[case[0] for case in CALM])
def test_a_calm_presentation_with_all_answered_is_final_at_its_level(
    knowledge: Knowledge, engine: Engine, request_: Request, level: str
) -> None:
    found = triaged(request_, knowledge, engine)
    assert (found.level, found.provisional, found.open_items) == (level, False, ())


# one level


def test_the_highest_level_wins_and_the_others_stay_as_reasons(knowledge: Knowledge, engine: Engine) -> None:
    found = triaged(person("history_of_cancer", "fever", "saddle_anaesthesia"), knowledge, engine)
    ranks = [RANKS[flag.urgency or ""] for flag in found.fired]
    assert found.level == "emergency"
    assert ranks == sorted(ranks, reverse=True)
    assert {"E-02", "E-13", "E-63", "E-49"} <= {flag.row for flag in found.fired}
    assert found.default is None


def flag(
    knowledge: Knowledge, name: str, row: str, level: str, *suspects: str, actions: tuple[str, ...] = ()
) -> RedFlag:
    """An urgency rule of our own."""
    some = knowledge.red_flags["fever_with_back_pain"]
    return replace(some, id=name, row=row, then=Then(urgency=level, suspects=suspects), actions=actions)


def test_rules_of_one_level_stand_in_the_order_of_row_and_id(knowledge: Knowledge) -> None:
    flags = [
        flag(knowledge, "z", "E-05", "emergency", "myelopathy"),
        flag(knowledge, "b", "E-07", "emergency", "cauda_equina_syndrome"),
        flag(knowledge, "a", "E-07", "emergency", "myelopathy"),
        flag(knowledge, "c", "E-01", "urgent_same_day", "sepsis", "myelopathy"),
    ]
    small = replace(knowledge, red_flags={found.id: found for found in flags})
    fired = {Conclusion("red_flag", found.id): [frozenset({"fever", "free:limp"})] for found in reversed(flags)}
    found = urgency.triage(fired, derive(person(), small), small)
    assert [item.id for item in found.fired] == ["z", "a", "b", "c"]
    assert found.suspects == {"myelopathy": "z", "cauda_equina_syndrome": "b", "sepsis": "c"}
    assert list(found.suspects) == ["myelopathy", "cauda_equina_syndrome", "sepsis"]
    assert found.words["a"] == ("fever",)


def test_what_a_rule_of_same_day_or_above_suspects_is_read_by_safety_rules_and_no_weaker_suspicion(
    knowledge: Knowledge,
) -> None:
    flags = [
        flag(knowledge, "a", "E-01", "emergency", "sepsis"),
        flag(knowledge, "b", "E-02", "urgent_same_day", "myelopathy"),
        flag(knowledge, "c", "E-03", "urgent_2_weeks", "spinal_malignancy"),
    ]
    small = replace(knowledge, red_flags={found.id: found for found in flags})
    fired = {Conclusion("red_flag", found.id): [frozenset({"fever"})] for found in flags}
    found = urgency.triage(fired, derive(person(), small), small)
    assert urgency.suspected(found, small) == {"sepsis", "myelopathy"}


def test_the_words_of_a_reason_are_those_of_all_lines_that_held(knowledge: Knowledge, engine: Engine) -> None:
    found = triaged(person("urinary_retention", "saddle_anaesthesia"), knowledge, engine)
    assert found.words["cauda_equina_with_retention"] == ("urinary_retention",)
    assert found.words["incomplete_cauda_equina"] == ("new_bladder_dysfunction", "saddle_anaesthesia")


# the default policy

ROOT_PAIN: Request = calm(
    "unilateral_leg_symptoms",
    "pain_below_knee",
    "normal_neurological_examination",
    absent=["straight_leg_raise_positive", "femoral_stretch_positive", "severe_pain", "limp"],
)


def also(request: Request, *present: str) -> Request:
    return {**request, "findings": {**request["findings"], **dict.fromkeys(present, "present")}}


def without(request: Request, *items: str) -> Request:
    """The same request with some must-asks not asked."""
    return {**request, "screening": {item: said for item, said in request["screening"].items() if item not in items}}


@pytest.mark.parametrize(
    ("request_", "row", "level"),
    [
        (calm(absent=["pain_improving"], days=28), "E-59", "routine"),
        (calm("pain_improving", days=42), "E-58", "routine"),
        (calm("pain_improving", days=41.9), "E-56", "self_care"),
        (calm("pain_improving", days=27.9), "E-57", "self_care"),
        (calm("pain_improving", "previous_episodes_over_2"), "E-58", "routine"),
        (ROOT_PAIN, "E-47", "self_care"),
        (calm("diabetes"), "E-56", "self_care"),
        (calm(age=50), "E-56", "self_care"),
        (calm(age=49), "E-57", "self_care"),
        # the order: the first that holds
        (calm("previous_episodes_over_2", absent=["pain_improving"], days=28), "E-59", "routine"),
        (also(ROOT_PAIN, "previous_episodes_over_2"), "E-58", "routine"),
        (also(ROOT_PAIN, "diabetes"), "E-47", "self_care"),
        # nothing fits: the duration is not known, or the gate of self-care is not answered
        ({**calm(), "episode": {}}, "E-58", "routine"),
        ({**calm("diabetes"), "episode": {}}, "E-58", "routine"),
        (without(calm(), "F-20"), "E-58", "routine"),
        (without(calm("diabetes"), "F-20"), "E-58", "routine"),
        (without(ROOT_PAIN, "F-22"), "E-58", "routine"),
    ],
)
def test_when_no_rule_fires_the_first_default_that_holds_gives_the_level(
    knowledge: Knowledge, engine: Engine, request_: Request, row: str, level: str
) -> None:
    found = triaged(request_, knowledge, engine)
    assert found.fired == ()
    assert found.default is not None
    assert (found.default.row, found.level) == (row, level)


def test_an_entry_of_the_default_policy_needs_all_of_its_words_and_one_of_its_alternatives(
    knowledge: Knowledge,
) -> None:
    entry = replace(knowledge.default_policy[-1], row="own", all_of=("fever", "limp"), any_of=("nausea", "headache"))
    small = replace(knowledge, default_policy=(entry, knowledge.default_policy[-1]))

    def row(*present: str) -> str:
        found = urgency.triage({}, derive(person(*present), small), small)
        assert found.default is not None
        return found.default.row

    assert row("fever", "limp", "nausea") == "own"
    assert row("fever", "nausea") == row("fever", "limp") == row("limp", "nausea") == "E-58"


def test_an_entry_that_needs_its_gate_waits_for_it_and_the_others_do_not(knowledge: Knowledge) -> None:
    last = knowledge.default_policy[-1]
    for needs_gate, row in ((True, "E-58"), (False, "own")):
        small = replace(
            knowledge, default_policy=(replace(last, row="own", level="self_care", needs_gate=needs_gate), last)
        )
        found = urgency.triage({}, derive(person(), small), small)
        assert found.default is not None
        assert found.default.row == row


def test_a_default_policy_without_a_last_resort_is_not_passed_over_in_silence(knowledge: Knowledge) -> None:
    small = replace(knowledge, default_policy=knowledge.default_policy[:1])
    with pytest.raises(LookupError):
        urgency.triage({}, derive(person(), small), small)


def test_the_reason_of_a_default_names_the_policy_and_its_source(knowledge: Knowledge, engine: Engine) -> None:
    shown = urgency.describe(triaged(calm(), knowledge, engine), knowledge)
    (reason,) = shown["reasons"]
    assert reason == {
        "rule": "default_policy",
        "row": "E-57",
        "title": "Low back pain or spasm under 6 weeks with nothing found",
        "level": "self_care",
        "words": [],
        "said": [],
        "because": "Most such pain is benign and settles by itself.",
        "within": "Review at 2 to 4 weeks",
        "guideline": "NICE NG59; ACR variant 1",
        "references": ["nice_ng59", "acr_2021"],
        "evidence_status": "verified",
    }
    assert "Stay active" in shown["actions"]
    assert shown["within"] == "Review at 2 to 4 weeks"
    assert shown["disposition"] == "Home, with a written safety-net"


# what the articles call a reason to see a doctor (red-flags section 1): at least the level that the section sets

COLIC = ("flank_pain_colicky",)
PYELONEPHRITIS = ("fever", "flank_pain", "dysuria_frequency")
SEE_A_DOCTOR: list[tuple[str, Request, str]] = [
    ("loss of bladder control", person("urinary_incontinence_new"), "emergency"),
    ("cannot pass urine", person("urinary_retention"), "emergency"),
    ("loss of bowel control", person("bowel_incontinence"), "emergency"),
    ("weakness of a limb", person("limb_weakness_any"), "urgent_2_weeks"),
    ("weakness that grows", person("progressive_motor_weakness"), "urgent_same_day"),
    ("weakness of both legs", person("bilateral_leg_weakness"), "emergency"),
    ("foot drop", person("foot_drop"), "urgent_same_day"),
    ("tingling of one leg", person("leg_paraesthesia_numbness", "unilateral_leg_symptoms"), "routine"),
    ("tingling of the saddle", person("saddle_anaesthesia"), "emergency"),
    ("tingling of both legs", person("leg_paraesthesia_numbness", "bilateral_leg_symptoms"), "urgent_same_day"),
    ("numb or weak on one side of the body", person("hemibody_sensory_or_motor_symptoms"), "emergency"),
    ("balance lost suddenly", person("balance_or_coordination_loss", "sudden_onset_neurology"), "emergency"),
    ("balance lost slowly", person("balance_or_coordination_loss", "gait_disturbance"), "urgent_2_weeks"),
    ("feeling lost, with cancer", person("limb_sensory_loss", "history_of_cancer"), "emergency"),
    ("feeling lost with a sensory level", person("sensory_level_trunk", "limb_weakness_any"), "emergency"),
    ("sciatica", person("pain_below_knee", "unilateral_leg_symptoms"), "routine"),
    ("abscess", person("fever", "iv_drug_use"), "emergency"),
    ("kidney stone", person(*COLIC), "urgent_same_day"),
    ("kidney stone and fever", person(*COLIC, "fever"), "emergency"),
    ("kidney stone in the only kidney", person(*COLIC, "solitary_or_transplant_kidney"), "emergency"),
    ("kidney stone and no urine", person(*COLIC, "anuria_or_oliguria"), "emergency"),
    ("kidney infection", person(*PYELONEPHRITIS), "urgent_same_day"),
    ("kidney infection in pregnancy", person(*PYELONEPHRITIS, patient={"pregnancy": "pregnant"}), "emergency"),
    ("gallstones", person("ruq_pain"), "routine"),
    ("gallstones with fever and jaundice", person("ruq_pain", "fever", "jaundice"), "emergency"),
    ("spinal tumour", person("history_of_cancer"), "urgent_2_weeks"),
    ("spinal tumour and a weak leg", person("history_of_cancer", "leg_power_reduced"), "emergency"),
    ("cramps everywhere with weakness", person("generalised_cramps", "generalised_weakness"), "emergency"),
    ("unable to move for pain", person("severe_uncontrolled_pain"), "urgent_same_day"),
    ("not recovered in 4 weeks", person(absent=["pain_improving"], episode={"duration_days": 30}), "routine"),
    (
        "not recovered, with weight loss",
        person("unexplained_weight_loss", absent=["pain_improving"], episode={"duration_days": 30}),
        "urgent_2_weeks",
    ),
    (
        "not recovered at 50 with raised markers",
        person("inflammatory_marker_raised", absent=["pain_improving"], age=50, episode={"duration_days": 30}),
        "urgent_2_weeks",
    ),
    ("spasm again and again", person("previous_episodes_over_2"), "routine"),
    ("severe spasm", person("previous_episodes_over_2", "severe_uncontrolled_pain"), "urgent_same_day"),
    ("pancreatitis", person("epigastric_pain_to_back", "nausea", "vomiting"), "emergency"),
    ("tearing between the shoulder blades", person("tearing_pain", "interscapular_or_migrating_pain"), "emergency"),
    ("red hot skin and fever", person("local_skin_redness_swelling", "fever"), "urgent_same_day"),
    ("pain that spreads to the groin in waves", person("pain_comes_in_waves", "haematuria"), "urgent_same_day"),
    ("accident and a tender spine", person("significant_trauma", "spinal_tenderness"), "emergency"),
    ("accident", person("significant_trauma"), "urgent_same_day"),
    ("fall at 70", person("minor_trauma", age=70), "urgent_2_weeks"),
    ("worse after an injection", person("recent_spinal_procedure", "pain_worsening"), "urgent_same_day"),
    ("sudden pain after an injection", person("recent_spinal_procedure", "sudden_severe_onset"), "emergency"),
]

NO_TRIGGER_ALONE = ("diabetes", "night_pain", "pain_worse_with_movement", "thoracic_pain", "pop_or_tear_at_onset")


@pytest.mark.parametrize(("request_", "level"), [row[1:] for row in SEE_A_DOCTOR], ids=[row[0] for row in SEE_A_DOCTOR])
def test_what_the_articles_send_to_a_doctor_has_at_least_the_level_of_the_evidence(
    knowledge: Knowledge, engine: Engine, request_: Request, level: str
) -> None:
    assert RANKS[triaged(request_, knowledge, engine).level] >= RANKS[level]


@pytest.mark.parametrize("finding", NO_TRIGGER_ALONE)
def test_what_the_articles_fear_and_the_evidence_does_not_is_no_trigger_alone(
    knowledge: Knowledge, engine: Engine, finding: str
) -> None:
    assert triaged(calm(finding), knowledge, engine).level == "self_care"


# weak flags

WEAK_FLAGS: Mapping[str, Request] = {
    "age_over_50": {"patient": {"age_years": 55}},
    "night_pain": {"findings": {"night_pain": "present"}},
    "thoracic_pain": {"findings": {"thoracic_pain": "present"}},
    "positional_pain": {"findings": {"pain_worse_with_movement": "present"}},
    "minor_trauma_in_elderly": {"patient": {"age_years": 66}, "findings": {"minor_trauma": "present"}},
    "diabetes": {"findings": {"diabetes": "present"}},
    "female_sex": {"patient": {"sex": "female", "pregnancy": "not_pregnant"}},
    "duration_4_to_6_weeks": {"episode": {"duration_days": 35}},
}
"""The words of row E-56, each as it is sent; minor trauma without tenderness."""

STRONGER_TOGETHER: Mapping[tuple[str, ...], list[str]] = {
    ("thoracic_pain", "minor_trauma_in_elderly"): ["E-55"],
    ("minor_trauma_in_elderly", "female_sex"): ["E-54"],
}
"""Pairs of the row that the amended rows E-54 and E-55 name themselves: within two weeks. The stronger row holds."""


@pytest.mark.parametrize(
    "flags", [*itertools.combinations(WEAK_FLAGS, 1), *itertools.combinations(WEAK_FLAGS, 2)], ids="+".join
)
def test_one_or_two_weak_flags_alone_are_never_more_than_routine(
    knowledge: Knowledge, engine: Engine, flags: tuple[str, ...]
) -> None:
    request = calm("pain_improving", absent=["spinal_tenderness"])
    for flag_ in flags:
        for part, said in WEAK_FLAGS[flag_].items():
            request[part] = {**request[part], **said}
    found = triaged(request, knowledge, engine)
    above = [fired.row for fired in found.fired if RANKS[str(fired.urgency)] > RANKS["routine"]]
    assert above == STRONGER_TOGETHER.get(flags, [])


def test_every_level_is_reached(knowledge: Knowledge, engine: Engine) -> None:
    """By the published cases; self-care, which wants every must-ask answered, by a calm man."""
    requests = [*(case["request"] for case in cases()), calm()]
    assert {triaged(request, knowledge, engine).level for request in requests} == RANKS.keys()


# the gate

GATE_OF: Mapping[str, set[str]] = {
    "emergency": set(),
    "urgent_same_day": {"F-01", "F-02", "F-03", "F-06", "F-07", "F-08", "F-14"},
    "urgent_2_weeks": {f"F-{n:02}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 14)},
    "routine": {f"F-{n:02}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 18, 22)},
    "self_care": {f"F-{n:02}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 18, 20, 22)},
}
"""What must be answered for a man of 40 of whom nothing else is known: the stricter of the two tables."""

ONLY_IF: list[tuple[str, Request]] = [
    ("F-04", person("leg_pain_present")),
    ("F-13", person(patient={"sex": "female"})),
    ("F-15", person(age=60)),
    ("F-16", person("epigastric_pain_to_back", age=60)),
    ("F-17", person("thoracic_pain")),
    ("F-19", person(age=50)),
    ("F-23", person(age=45)),
    ("F-24", person("leg_pain_present")),
    ("F-25", person("cold_sweat")),
]


@pytest.mark.parametrize("level", list(GATE_OF))
def test_the_gate_of_a_level_is_the_stricter_of_the_two_tables(knowledge: Knowledge, level: str) -> None:
    presentation = derive(person(patient={"sex": "male"}), knowledge)
    assert set(urgency.gate(level, presentation, knowledge)) == GATE_OF[level]


def test_either_table_alone_holds_a_level_open(knowledge: Knowledge) -> None:
    presentation = derive(person(), knowledge)
    bare = replace(knowledge.levels["routine"], must_be_answered=(), if_applicable=())
    asks = {item: replace(entry, gates=()) for item, entry in knowledge.must_ask.items()}

    def gate(listed: bool, needed: bool, if_applicable: bool) -> list[str]:
        level = replace(
            bare,
            must_be_answered=("F-01",) if needed else (),
            if_applicable=("F-01",) if if_applicable else (),
        )
        asked = {**asks, "F-01": replace(asks["F-01"], gates=("routine",) if listed else ())}
        small = replace(knowledge, levels={**knowledge.levels, "routine": level}, must_ask=asked)
        return urgency.gate("routine", presentation, small)

    assert gate(True, False, False) == gate(False, True, False) == gate(False, False, True) == ["F-01"]
    assert gate(False, False, False) == []


@pytest.mark.parametrize(("item", "request_"), ONLY_IF)
def test_a_must_ask_that_concerns_some_people_is_open_for_them_only(
    knowledge: Knowledge, item: str, request_: Request
) -> None:
    others = derive(person(patient={"sex": "male"}), knowledge)
    assert item in urgency.gate("routine", derive(request_, knowledge), knowledge)
    assert item not in urgency.gate("routine", others, knowledge)


def test_vital_signs_hold_a_same_day_level_open_though_its_own_table_does_not_name_them(
    knowledge: Knowledge, engine: Engine
) -> None:
    in_pain = triaged(person("foot_drop", "severe_pain"), knowledge, engine)
    assert in_pain.level == "urgent_same_day"
    assert "F-25" in in_pain.open_items
    measured = triaged(person("foot_drop", "severe_pain", observations={"consciousness": "alert"}), knowledge, engine)
    assert "F-25" not in measured.open_items


def test_a_level_is_provisional_until_its_whole_gate_is_answered(knowledge: Knowledge, engine: Engine) -> None:
    """One must-ask after the other is denied; those that share a finding may close together."""
    asked: dict[str, str] = {}
    denied: set[str] = set()
    for item in sorted(GATE_OF["routine"]):
        found = triaged(person(screening=dict(asked)), knowledge, engine)
        still = {name for name in GATE_OF["routine"] if not denied.issuperset(knowledge.must_ask[name].findings)}
        assert set(found.open_items) == still
        assert found.provisional
        asked[item] = "absent"
        denied.update(knowledge.must_ask[item].findings)
    assert not triaged(person(screening=asked), knowledge, engine).provisional


def test_an_emergency_is_never_provisional(knowledge: Knowledge, engine: Engine) -> None:
    found = triaged(person("saddle_anaesthesia"), knowledge, engine)
    assert (found.level, found.provisional) == ("emergency", False)


def test_one_present_finding_answers_a_must_ask_and_one_absent_does_not(knowledge: Knowledge) -> None:
    def still_open(request: Request) -> bool:
        return "F-22" in urgency.gate("routine", derive(request, knowledge), knowledge)

    assert still_open(person())
    assert not still_open(person("pain_improving"))
    assert still_open(person(absent=["pain_improving", "pain_worsening"]))
    assert still_open(person(absent=["pain_improving", "pain_worsening"], unknown=["repeat_attendance"]))
    assert not still_open(person(absent=["pain_improving", "pain_worsening", "repeat_attendance"]))


def test_screening_answers_in_one_stroke_and_single_answers_win(knowledge: Knowledge, engine: Engine) -> None:
    stroke = triaged(person(screening={"F-05": "absent"}), knowledge, engine)
    assert "F-05" not in stroke.open_items
    single = triaged(person("bilateral_sciatica", screening={"F-05": "absent"}), knowledge, engine)
    assert single.level == "urgent_same_day"
    unsure = triaged(person(unknown=["fever"], screening={"F-08": "absent"}), knowledge, engine)
    assert "E-60" in {flag.row for flag in unsure.fired}


# unknown

BLOCKING = ("F-01", "F-02", "F-03", "F-05", "F-06", "F-07", "F-08", "F-14", "F-20")
"""The items of the policy on missing information (E-60); with F-20 the walking of F-06 stays unknown too."""


@pytest.mark.parametrize("item", sorted(ALL_DENIED))
def test_a_must_ask_that_cannot_be_answered_is_same_day_where_it_decides_about_an_emergency(
    knowledge: Knowledge, engine: Engine, item: str
) -> None:
    found = triaged(calm(*STRAIN[:2], screening={**ALL_DENIED, item: "unknown"}), knowledge, engine)
    assert (found.level == "urgent_same_day") is (item in BLOCKING)
    assert ([flag.row for flag in found.fired] == ["E-60"]) is (item in BLOCKING)


# what is open, and what would change the level


def ruled(knowledge: Knowledge, lines: Mapping[tuple[str, ...], tuple[str, str]]) -> Knowledge:
    """The same knowledge with urgency rules of our own: literals -> rule and level."""
    small = replace(knowledge, red_flags={name: flag(knowledge, name, "E-01", level) for name, level in lines.values()})
    table = {frozenset(words): (Conclusion("red_flag", name),) for words, (name, _) in lines.items()}
    small.__dict__["rules"] = {"urgency": table}
    return small


def test_open_items_stand_in_the_order_of_their_danger(knowledge: Knowledge) -> None:
    """Those that could reach an emergency come first, and of these the ones that need least besides."""
    small = ruled(
        knowledge,
        {
            ("foot_drop", "fever", "limp"): ("two_besides", "emergency"),  # F-06, F-08
            ("bowel_incontinence", "nausea"): ("one_besides", "emergency"),  # F-02
            ("tearing_pain", "night_pain"): ("none_besides", "emergency"),  # F-14
            ("tearing_pain",): ("weaker", "routine"),  # F-14 again: its strongest reading counts
            ("speech_disturbance",): ("same_day", "urgent_same_day"),  # F-07
            ("raised_temperature_any", "night_pain", "free:limp"): ("derived", "urgent_2_weeks"),  # F-08 again
        },
    )
    found = urgency.triage({}, derive(person("night_pain", screening={"F-18": "absent"}), small), small)
    first = [item for item in found.open_items if item in ("F-02", "F-06", "F-07", "F-08", "F-14")]
    assert first == ["F-14", "F-02", "F-06", "F-08", "F-07"]
    assert list(found.open_items[:5]) == first
    assert list(found.open_items[5:]) == sorted(found.open_items[5:])


def test_in_the_real_knowledge_what_reaches_an_emergency_is_asked_before_what_does_not(
    knowledge: Knowledge, engine: Engine
) -> None:
    found = triaged(person("low_grade_temperature", patient={"sex": "male"}), knowledge, engine).open_items
    assert found[:3] == ("F-01", "F-02", "F-03")
    assert found.index("F-09") < found.index("F-10")  # with the warmth a risk of infection is enough
    assert found[-1] == "F-22"


def test_an_item_that_no_rule_reads_comes_last(knowledge: Knowledge) -> None:
    asks = {**knowledge.must_ask, "F-01": replace(knowledge.must_ask["F-01"], findings=("visible_spasm_or_guarding",))}
    small = replace(knowledge, must_ask=asks)
    assert small.urgency_readers["visible_spasm_or_guarding"] == ()
    found = urgency.triage({}, derive(person(), small), small)
    assert found.open_items[-1] == "F-01"
    assert urgency.open_item("F-01", small)["could_raise_to"] == "self_care"


@pytest.mark.parametrize(
    ("item", "level"),
    [
        ("F-01", "emergency"),
        ("F-10", "emergency"),
        ("F-12", "emergency"),
        ("F-19", "urgent_same_day"),
        ("F-22", "urgent_same_day"),
    ],
)
def test_the_reach_of_a_must_ask_is_the_highest_level_of_a_rule_that_reads_it(
    knowledge: Knowledge, item: str, level: str
) -> None:
    assert knowledge.reach[item] == level
    assert urgency.open_item(item, knowledge) == {
        "id": item,
        "question": knowledge.must_ask[item].item,
        "findings": list(knowledge.must_ask[item].findings),
        "could_raise_to": level,
    }


def test_a_rule_reads_a_finding_directly_or_through_other_words_but_not_as_an_exclusion(knowledge: Knowledge) -> None:
    reading = [knowledge.urgency_antecedents[place] for place in knowledge.urgency_readers["fever"]]
    fever = {(tuple(sorted(antecedent)), level) for antecedent, level, _ in reading}
    assert (("fever",), "urgent_same_day") in fever
    assert any("raised_temperature_any" in antecedent for antecedent, _ in fever)
    assert knowledge.urgency_readers["bladder_symptoms_longstanding"] == ()
    assert set(knowledge.urgency_readers) == set(knowledge.findings)


@pytest.mark.parametrize(
    "request_",
    [
        person(),
        person("new_bladder_dysfunction"),
        person("foot_drop", "severe_pain"),
        person("leg_power_reduced", absent=["skin_cool", "history_of_cancer"]),
        person("history_of_cancer", unknown=["limb_sensory_loss"]),
        calm(*STRAIN),
    ],
)
def test_each_finding_that_would_change_the_level_does_so_when_it_is_present(
    knowledge: Knowledge, engine: Engine, request_: Request
) -> None:
    before = triaged(request_, knowledge, engine)
    assert 0 < len(before.would_change) <= 6
    for flag, words in before.would_change:
        assert RANKS[str(flag.urgency)] > RANKS[before.level]
        for word in words:
            assert request_["findings"].get(word) not in ("present", "absent")
            after = triaged(also(request_, word), knowledge, engine)
            assert flag.id in {fired.id for fired in after.fired}


def test_what_would_change_the_level_is_undenied_single_and_higher_and_the_nearest_comes_first(
    knowledge: Knowledge,
) -> None:
    lines = {
        ("fever", "vomiting"): ("two_missing", "emergency"),
        ("balance_or_coordination_loss", "free:pain_improving"): ("one_missing", "emergency"),
        ("leg_pain_present", "nausea"): ("one_held", "emergency"),
        ("nausea",): ("shorter", "emergency"),
        ("headache",): ("denied", "emergency"),
        ("neck_pain",): ("asked_in_vain", "urgent_same_day"),
        ("abdominal_pain",): ("same_level", "routine"),
        ("raised_temperature_any",): ("another_word", "emergency"),
        ("chills_sweats",): ("another_word", "emergency"),
        ("absent:fatigue",): ("an_absence", "emergency"),
        ("groin_pain", "free:leg_pain_present"): ("excluded", "emergency"),
        ("leg_pain_present",): ("held", "routine"),
    }
    small = ruled(knowledge, lines)
    presentation = derive(
        person("leg_pain_present", absent=["headache", "low_grade_temperature"], unknown=["neck_pain"]), knowledge
    )
    fired = {Conclusion("red_flag", "held"): [frozenset({"leg_pain_present"})]}
    found = urgency.triage(fired, presentation, small).would_change
    assert [(flag.id, words) for flag, words in found] == [
        ("one_held", ("nausea",)),
        ("another_word", ("fever", "chills_sweats")),
        ("one_missing", ("balance_or_coordination_loss",)),
        ("shorter", ("nausea",)),
        ("asked_in_vain", ("neck_pain",)),
    ]


def test_the_antecedents_of_urgency_stand_strongest_first(knowledge: Knowledge) -> None:
    ranks = [RANKS[level] for _, level, _ in knowledge.urgency_antecedents]
    assert ranks == sorted(ranks, reverse=True)
    assert {rule for *_, rule in knowledge.urgency_antecedents} == {
        name for name, found in knowledge.red_flags.items() if found.urgency
    }


# no normal test lowers the level


@pytest.mark.parametrize(
    ("request_", "change", "rule"),
    [
        (person("saddle_anaesthesia"), {"observations": {"post_void_residual_ml": 60}}, "normal_bladder_residual"),
        (
            person("fever", "iv_drug_use", "recent_antibiotic_course"),
            {"observations": {"crp_mg_l": 4, "esr_mm_h": 8}},
            "normal_markers_after_antibiotic_or_steroid",
        ),
        (person("fever"), {"findings": {"fever": "present", "spinal_xray_normal": "present"}}, "normal_spinal_film"),
        (
            person("known_aaa"),
            {"findings": {"known_aaa": "present", "pain_relieved_by_analgesic": "present"}},
            "pain_eased_by_analgesic",
        ),
    ],
)
def test_a_normal_test_lowers_no_level_and_a_notice_says_so(
    knowledge: Knowledge, engine: Engine, request_: Request, change: Mapping[str, Any], rule: str
) -> None:
    before, after = (triaged(request, knowledge, engine) for request in (request_, {**request_, **change}))
    assert before.notices == ()
    assert after.level == before.level
    assert after.notices == ({"kind": "no_downgrade", "value": rule, "text": knowledge.red_flags[rule].because},)
    assert rule not in {found.id for found in after.fired}


# what is said


def described(knowledge: Knowledge, *flags: RedFlag) -> dict[str, Any]:
    found = Urgency(
        level=flags[0].urgency or "",
        provisional=False,
        fired=flags,
        default=None,
        words={item.id: ("fever",) for item in flags},
        said={item.id: ("Fever",) for item in flags},
        open_items=(),
        would_change=(),
        notices=(),
    )
    return urgency.describe(found, knowledge)


def test_first_actions_are_those_of_the_leading_rule_and_of_each_further_suspicion_of_that_level(
    knowledge: Knowledge,
) -> None:
    shown = described(
        knowledge,
        flag(knowledge, "lead", "E-01", "emergency", "sepsis", actions=("one", "two")),
        flag(knowledge, "same", "E-02", "emergency", "sepsis", actions=("three",)),
        flag(knowledge, "other", "E-03", "emergency", "myelopathy", actions=("two", "four")),
        flag(knowledge, "lower", "E-04", "routine", "stroke_or_tia", actions=("five",)),
    )
    assert shown["actions"] == ["one", "two", "four"]
    assert [reason["rule"] for reason in shown["reasons"]] == ["lead", "same", "other", "lower"]


def test_the_leading_rule_gives_time_and_place_and_each_reason_has_its_source(
    knowledge: Knowledge, engine: Engine
) -> None:
    shown = urgency.describe(triaged(person("saddle_anaesthesia", "fever"), knowledge, engine), knowledge)
    lead = knowledge.red_flags["new_saddle_numbness"]
    assert (shown["level"], shown["label"]) == ("emergency", "Now")
    assert shown["within"] == "MRI within 4 hours"
    assert shown["disposition"] == lead.disposition
    reason = shown["reasons"][0]
    assert reason == {
        "rule": "new_saddle_numbness",
        "row": "E-02",
        "title": lead.title,
        "level": "emergency",
        "words": ["saddle_anaesthesia"],
        "said": ["New numbness or altered feeling in the saddle area"],
        "because": lead.because,
        "within": lead.within,
        "guideline": lead.guideline,
        "references": list(lead.references),
        "evidence_status": lead.evidence_status,
    }
    assert all(item["references"] for item in shown["reasons"])


def test_a_provisional_level_says_at_least_and_lists_the_open_items(knowledge: Knowledge, engine: Engine) -> None:
    shown = urgency.describe(triaged(person("foot_drop", patient={"sex": "male"}), knowledge, engine), knowledge)
    assert shown["provisional"] is True
    assert "at least" in shown["statement"]
    assert {item["id"] for item in shown["open_must_asks"]} == GATE_OF["urgent_same_day"] - {"F-06"}
    assert shown["would_change"][0] == {
        "to": "emergency",
        "rule": "new_saddle_numbness",
        "title": "New saddle numbness",
        "words": ["saddle_anaesthesia"],
        "text": "Would become emergency if present: New numbness or altered feeling in the saddle area.",
    }
    final = urgency.describe(triaged(calm(), knowledge, engine), knowledge)
    assert (final["provisional"], final["statement"], final["open_must_asks"]) == (False, None, [])


def test_a_pattern_feeds_the_urgency_rules(knowledge: Knowledge, engine: Engine) -> None:
    """What a pattern concludes is a word like any other."""
    presentation = seen(person("foot_drop", "hip_abductor_weakness", "unilateral_leg_symptoms"), knowledge, engine)
    concluded = {pattern.concludes for pattern in knowledge.patterns.values()}
    assert concluded & presentation.literals


# what a reason and a change say in words


@pytest.mark.parametrize(
    ("request_", "rule", "said"),
    [
        (person("fever"), "fever_with_back_pain", ["Fever: 38.0 C or more, or convincing in the last 7 days"]),
        (person(age=17), "under_18_without_warning_sign", ["Age years: 17"]),
        (
            person(
                absent=["pain_improving"], observations={"esr_mm_h": 50}, episode={"duration_days": 40}
            ),  # a measurement with its unit, a field, and what was denied
            "raised_marker_with_spinal_warning_sign",
            [
                "Age years: 40",
                "Duration days: 40",
                "Erythrocyte sedimentation rate: 50 mm per hour",
                "Not: Pain is getting better",
            ],
        ),
        (
            person(observations={"consciousness": "new_confusion"}),
            "moderate_news2",
            ["Level of consciousness (ACVPU): new confusion"],
        ),
        (
            person(screening={"F-01": "unknown"}),
            "must_ask_cannot_be_answered",
            ["Cannot be answered: Change in passing water"],
        ),
        (
            person("sudden_severe_onset", medications=["warfarin"]),
            "bleeding_risk_with_sudden_severe_pain",
            ["Anticoagulant", "Maximal pain within about a minute"],
        ),
    ],
)
def test_a_reason_reads_back_what_was_sent(
    request_: Request, rule: str, said: list[str], knowledge: Knowledge, engine: Engine
) -> None:
    reasons = urgency.describe(triaged(request_, knowledge, engine), knowledge)["reasons"]
    assert next(reason for reason in reasons if reason["rule"] == rule)["said"] == said


def test_a_treatment_that_was_tried_is_read_back_without_its_underscores(knowledge: Knowledge) -> None:
    flag = ruled(knowledge, {("failed:nsaid_oral",): ("no_help", "routine")})
    request = person(treatments_tried=[{"treatment": "nsaid_oral", "weeks": 8, "response": "none"}])
    presentation = derive(request, flag)
    (fired,) = flag.rules["urgency"].items()
    found = urgency.triage({fired[1][0]: [fired[0]]}, presentation, flag)
    assert urgency.describe(found, flag)["reasons"][0]["said"] == ["failed:nsaid oral"]


def test_a_change_names_the_level_and_the_first_findings_and_counts_the_rest(
    knowledge: Knowledge, engine: Engine
) -> None:
    changes = urgency.describe(triaged(person("fever"), knowledge, engine), knowledge)["would_change"]
    texts = {row["rule"]: row["text"] for row in changes}
    assert texts["infection_risk_with_fever"] == (
        "Would become emergency if present: Blood infection or endocarditis in 3 months; or: Injected non-prescribed "
        "drugs (not if stopped over a year); or: Dialysis line, port, PICC or other vascular line; or: Current "
        "dialysis; or one of 2 more."
    )
    assert texts["sepsis_high_risk"] == (
        "Would become emergency if present: Mottled, ashen or blue skin or lips; or: Non-blanching rash; or: New "
        "reduction in alertness or new confusion; or: No or very little urine."
    )


def test_a_level_of_several_words_is_written_without_underscores(knowledge: Knowledge) -> None:
    small = ruled(knowledge, {("fever", "limp"): ("soon", "urgent_same_day")})
    found = urgency.triage({}, derive(person("limp"), small), small)
    (change,) = urgency.describe(found, small)["would_change"]
    assert change["text"].startswith("Would become urgent same day if present: ")
