"""Scores against their published tables, typed here from the papers and the Royal College of Physicians chart."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.knowledge import Knowledge
from rules.words import Facts, Reading, Words
from service import findings, scores

Given = Mapping[str, Any]
Option = tuple[float, Given]
"""Points, and what must be known about a person for an item to give them."""

quick = settings(deadline=None, derandomize=True, max_examples=15)


def derive(knowledge: Knowledge, known: Given) -> Words:
    """Findings as True or False, everything else as a path with its value."""
    answers = {name: value for name, value in known.items() if name in knowledge.findings}
    values = {name: value for name, value in known.items() if name not in answers}
    return knowledge.vocabulary.derive(Facts(answers, values))


def merged(parts: Iterable[Given]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


def yes_no(finding: str, points: float = 1) -> list[Option]:
    return [(0, {finding: False}), (points, {finding: True})]


# ------------------------------------------------------------------------------------------------------- NEWS2

RATE, PRESSURE, PULSE, TEMPERATURE, MIND, OXYGEN, SATURATION, TARGET = (
    f"observations.{name}"
    for name in (
        "respiratory_rate_per_min",
        "systolic_bp_mmhg",
        "heart_rate_per_min",
        "temperature_c",
        "consciousness",
        "supplemental_oxygen",
        "spo2_percent",
        "spo2_target_88_92",
    )
)
WELL: Given = {RATE: 16, PRESSURE: 120, PULSE: 70, TEMPERATURE: 37.0, MIND: "alert", OXYGEN: "air", SATURATION: 98}
WORST: Given = {RATE: 25, PRESSURE: 90, PULSE: 131, TEMPERATURE: 35.0, MIND: "voice", OXYGEN: "oxygen", SATURATION: 91}

# Each column of the chart from left to right; the first and the last value of every cell.
CHART: list[tuple[str, list[tuple[Any, int]]]] = [
    (RATE, [(4, 3), (8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3), (60, 3)]),
    (SATURATION, [(50, 3), (91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]),
    (OXYGEN, [("air", 0), ("oxygen", 2)]),
    (PRESSURE, [(50, 3), (90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3), (280, 3)]),
    (PULSE, [(30, 3), (40, 3), (41, 1), (50, 1), (51, 0), (90, 0)]),
    (PULSE, [(91, 1), (110, 1), (111, 2), (130, 2), (131, 3), (200, 3)]),
    (MIND, [("alert", 0), ("new_confusion", 3), ("voice", 3), ("pain", 3), ("unresponsive", 3)]),
    (TEMPERATURE, [(31, 3), (35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2)]),
]
SCALE_2_ON_AIR = [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (97, 0), (100, 0)]
SCALE_2_ON_OXYGEN = [
    *((83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0)),
    *((93, 1), (94, 1), (95, 2), (96, 2), (97, 3), (100, 3)),
]
MOST = {RATE: 3, PRESSURE: 3, PULSE: 3, TEMPERATURE: 3, MIND: 3, OXYGEN: 2, SATURATION: 3}
NEWS2_BANDS = {"very_low": (0, 0), "low": (1, 4), "moderate": (5, 6), "high": (7, 20)}


def news2(knowledge: Knowledge, known: Given) -> Reading:
    return derive(knowledge, known).readings["news2_total"]


def points_of(reading: Reading, path: str) -> tuple[float, float]:
    (item,) = (item for item in reading.items if f"observations.{item.name}" == path)
    return item.low, item.high


@pytest.mark.parametrize(("path", "value", "points"), [(path, *cell) for path, row in CHART for cell in row])
def test_each_news2_parameter_gives_the_points_of_the_chart(
    path: str, value: Any, points: int, knowledge: Knowledge
) -> None:
    reading = news2(knowledge, {**WELL, path: value})
    assert points_of(reading, path) == (points, points)
    assert (reading.low, reading.high) == (points, points)


@pytest.mark.parametrize(("value", "points"), SCALE_2_ON_AIR)
def test_saturation_on_scale_2_breathing_air(value: float, points: int, knowledge: Knowledge) -> None:
    reading = news2(knowledge, {**WELL, SATURATION: value, TARGET: "scale_2"})
    assert points_of(reading, SATURATION) == (points, points)
    assert reading.low == reading.high == points


@pytest.mark.parametrize(("value", "points"), SCALE_2_ON_OXYGEN)
def test_saturation_on_scale_2_breathing_oxygen(value: float, points: int, knowledge: Knowledge) -> None:
    reading = news2(knowledge, {**WELL, SATURATION: value, TARGET: "scale_2", OXYGEN: "oxygen"})
    assert points_of(reading, SATURATION) == (points, points)
    assert reading.low == reading.high == points + 2


def test_scale_1_is_used_when_no_target_was_sent(knowledge: Knowledge) -> None:
    for oxygen in ("air", "oxygen"):
        sent = {**WELL, SATURATION: 90, OXYGEN: oxygen}
        assert points_of(news2(knowledge, sent), SATURATION) == (3, 3)
        assert news2(knowledge, sent) == news2(knowledge, {**sent, TARGET: "scale_1"})


def test_on_scale_2_without_a_word_on_oxygen_both_readings_stay_possible(knowledge: Knowledge) -> None:
    well = {key: value for key, value in WELL.items() if key != OXYGEN}
    for value, low, high in ((97, 0, 3), (95, 0, 2), (93, 0, 1), (92, 0, 0), (87, 1, 1), (83, 3, 3)):
        reading = news2(knowledge, {**well, SATURATION: value, TARGET: "scale_2"})
        assert points_of(reading, SATURATION) == (low, high)
        assert (reading.low, reading.high) == (low, high + 2)


@pytest.mark.parametrize(
    ("path", "value", "points"),
    [
        *((RATE, 8.4, 3), (RATE, 8.5, 1), (RATE, 20.4, 0), (RATE, 20.5, 2), (RATE, 24.6, 3)),
        *((PRESSURE, 90.4, 3), (PRESSURE, 90.5, 2), (PRESSURE, 219.4, 0), (PRESSURE, 219.5, 3)),
        *((PULSE, 40.4, 3), (PULSE, 40.6, 1), (PULSE, 130.4, 2), (PULSE, 130.5, 3)),
        *((SATURATION, 91.4, 3), (SATURATION, 91.5, 2), (SATURATION, 95.4, 1), (SATURATION, 95.6, 0)),
        *((TEMPERATURE, 35.04, 3), (TEMPERATURE, 35.06, 1), (TEMPERATURE, 38.04, 0), (TEMPERATURE, 38.05, 1)),
        *((TEMPERATURE, 36.04, 1), (TEMPERATURE, 36.06, 0), (TEMPERATURE, 39.04, 1), (TEMPERATURE, 39.06, 2)),
    ],
)
def test_values_between_two_cells_are_rounded_first(path: str, value: float, points: int, knowledge: Knowledge) -> None:
    assert points_of(news2(knowledge, {**WELL, path: value}), path) == (points, points)


@pytest.mark.parametrize(
    ("changes", "total", "band"),
    [
        ({}, 0, "very_low"),
        ({PULSE: 91}, 1, "low"),
        ({PULSE: 91, TEMPERATURE: 38.1, RATE: 21}, 4, "low"),
        ({PULSE: 91, TEMPERATURE: 38.1, RATE: 21, PRESSURE: 110}, 5, "moderate"),
        ({PULSE: 111, TEMPERATURE: 39.1, RATE: 21}, 6, "moderate"),
        ({PULSE: 111, TEMPERATURE: 39.1, RATE: 25}, 7, "high"),
        (WORST, 20, "high"),
    ],
)
def test_the_news2_total_falls_into_its_band(changes: Given, total: int, band: str, knowledge: Knowledge) -> None:
    words = derive(knowledge, {**WELL, **changes})
    reading = words.readings["news2_total"]
    assert (reading.low, reading.high, reading.band) == (total, total, band)
    assert {name: words.state[f"news2_total:{name}"] for name in NEWS2_BANDS} == {
        name: name == band for name in NEWS2_BANDS
    }
    assert words.state["news2_5_or_more"] is (total >= 5)
    assert words.state["news2_7_or_more"] is (total >= 7)


@pytest.mark.parametrize("path", sorted(MOST))
def test_a_missing_news2_parameter_makes_the_total_an_interval(path: str, knowledge: Knowledge) -> None:
    known = {key: value for key, value in WELL.items() if key != path}
    reading = news2(knowledge, known)
    assert points_of(reading, path) == (0, MOST[path])
    assert (reading.low, reading.high, reading.band) == (0, MOST[path], None)


def test_with_nothing_measured_any_news2_total_is_possible(knowledge: Knowledge) -> None:
    words = derive(knowledge, {})
    reading = words.readings["news2_total"]
    assert (reading.low, reading.high, reading.band) == (0, 20, None)
    undecided = {*(f"news2_total:{band}" for band in NEWS2_BANDS), "news2_5_or_more", "news2_single_3"}
    assert undecided.isdisjoint(words.state)


def test_an_incomplete_news2_decides_what_no_missing_value_can_change(knowledge: Knowledge) -> None:
    words = derive(knowledge, {MIND: "voice", OXYGEN: "oxygen"})
    assert (words.readings["news2_total"].low, words.readings["news2_total"].high) == (5, 20)
    assert words.state["news2_5_or_more"] is True
    assert "news2_7_or_more" not in words.state
    assert {words.state[f"news2_total:{band}"] for band in ("very_low", "low")} == {False}
    assert "news2_total:moderate" not in words.state
    known = {key: value for key, value in WELL.items() if key not in (RATE, MIND)}
    state = derive(knowledge, known).state
    assert (state.get("news2_5_or_more"), state.get("news2_7_or_more")) == (None, False)
    assert state["news2_total:high"] is False


def test_a_single_parameter_of_3_points_is_enough_and_may_be_missed(knowledge: Knowledge) -> None:
    def single(known: Given) -> bool | None:
        return derive(knowledge, known).state.get("news2_single_3")

    def without(path: str) -> Given:
        return {key: value for key, value in WELL.items() if key != path}

    assert single(WELL) is False
    assert single({**WELL, TEMPERATURE: 39.1, PULSE: 130, RATE: 24, OXYGEN: "oxygen"}) is False
    for path in (RATE, PRESSURE, PULSE, TEMPERATURE, MIND, SATURATION):
        assert single({**WELL, path: WORST[path]}) is True, path
        assert single({path: WORST[path]}) is True, path
        assert single(without(path)) is None, path
    assert single(without(OXYGEN)) is False, "oxygen gives 2 points at most"


@quick
@given(data=st.data())
def test_the_news2_interval_holds_every_complete_set(data: st.DataObject, knowledge: Knowledge) -> None:
    table: dict[str, list[tuple[Any, int]]] = {}
    for path, row in CHART:
        table.setdefault(path, []).extend(row)
    chosen = {path: data.draw(st.sampled_from(cells), label=path) for path, cells in table.items()}
    kept = data.draw(st.sets(st.sampled_from(sorted(table))))
    reading = news2(knowledge, {path: chosen[path][0] for path in kept})
    least = sum(chosen[path][1] for path in kept)
    assert reading.low == least
    assert reading.high == least + sum(MOST[path] for path in table.keys() - kept)


# ------------------------------------------------------------------------------- counts and weighted questionnaires

AGE, SEX, DAYS = "patient.age_years", "patient.sex", "episode.duration_days"
NO_STROKE_SIGN: Given = {"facial_droop": False, "arm_weakness": False, "speech_disturbance": False}
NO_AORTIC_SIGN: Given = {
    "pulse_or_bp_differential": False,
    "aortic_regurgitation_murmur": False,
    "hemibody_sensory_or_motor_symptoms": False,
    PRESSURE: 120,
    "observations.usual_systolic_bp_mmhg": 120,
    **NO_STROKE_SIGN,
}
QUIET_PAIN: Given = {"sudden_severe_onset": False, "onset_sudden": False, "tearing_pain": False, "severe_pain": False}
STONE_USABLE: Given = {
    "fever": False,
    "history_of_cancer": False,
    "prior_trauma_fall_or_car_accident": False,
    "acute_kidney_injury": False,
}

# score -> (what must hold for it to be used, items, range, bands)
TABLES: dict[str, tuple[Given, list[list[Option]], tuple[int, int], dict[str, tuple[int, int]]]] = {
    "konno_score": (
        {},
        [
            [(0, {AGE: 59}), (1, {AGE: 60}), (1, {AGE: 70}), (2, {AGE: 71})],
            [(0, {"diabetes": True}), (1, {"diabetes": False})],
            yes_no("intermittent_claudication", 3),
            yes_no("standing_alone_triggers_leg_symptoms", 2),
            yes_no("relief_leaning_forward", 3),
            yes_no("leg_symptoms_on_forward_bending", -1),
            yes_no("leg_symptoms_on_backward_bending", 1),
            [(0, {"observations.ankle_brachial_index": 0.89}), (3, {"observations.ankle_brachial_index": 0.9})],
            yes_no("ankle_reflex_absent", 1),
            yes_no("straight_leg_raise_positive", -2),
        ],
        (-2, 16),
        {"unlikely": (-2, 6), "likely": (7, 16)},
    ),
    "sugioka_score": (
        {},
        [
            [(0, {AGE: 59}), (2, {AGE: 60}), (2, {AGE: 70}), (3, {AGE: 71})],
            [(0, {DAYS: 182}), (1, {DAYS: 183})],
            yes_no("relief_leaning_forward", 2),
            yes_no("relief_bending_backward", -2),
            yes_no("standing_alone_triggers_leg_symptoms", 2),
            yes_no("intermittent_claudication", 1),
            [
                (0, {"urinary_incontinence_new": False, "urinary_disturbance_mild": False}),
                (1, {"urinary_incontinence_new": True}),
                (1, {"urinary_disturbance_mild": True}),
            ],
        ],
        (-2, 12),
        {"positive": (5, 12)},
    ),
    "cook_stenosis_count": (
        {},
        [
            yes_no("bilateral_leg_symptoms"),
            yes_no("leg_pain_worse_than_back_pain"),
            yes_no("leg_symptoms_on_walking_or_standing"),
            yes_no("relief_with_sitting_or_flexion"),
            [(0, {AGE: 48}), (1, {AGE: 49})],
        ],
        (0, 5),
        {"argues_against": (0, 0), "neutral": (1, 2), "weak_for": (3, 3), "argues_for": (4, 5)},
    ),
    "cook_myelopathy_count": (
        {},
        [
            yes_no("gait_disturbance"),
            yes_no("hoffmann_sign"),
            yes_no("inverted_supinator_sign"),
            yes_no("extensor_plantar"),
            [(0, {AGE: 45}), (1, {AGE: 46})],
        ],
        (0, 5),
        {"argues_against": (0, 1), "neutral": (2, 2), "refer": (3, 5)},
    ),
    "henschke_count": (
        {},
        [
            [(0, {SEX: "male"}), (1, {SEX: "female"})],
            [(0, {AGE: 69}), (1, {AGE: 70})],
            [
                (0, {"significant_trauma": False, "minor_trauma": False}),
                (1, {"significant_trauma": True, "minor_trauma": False}),
                (1, {"significant_trauma": False, "minor_trauma": True, "osteoporosis": True}),
            ],
            yes_no("prolonged_corticosteroids"),
        ],
        (0, 4),
        {"one": (1, 1), "two_opens_imaging": (2, 2), "three_or_more_same_day": (3, 4)},
    ),
    "roman_fracture_count": (
        {},
        [
            [(0, {AGE: 52}), (1, {AGE: 53})],
            [(0, {"leg_pain_present": True}), (1, {"leg_pain_present": False})],
            [(0, {"observations.bmi": 22.1}), (1, {"observations.bmi": 22})],
            [(0, {"exercises_regularly": True}), (1, {"exercises_regularly": False})],
            [(0, {SEX: "male"}), (1, {SEX: "female"})],
        ],
        (0, 5),
        {"argues_against": (0, 1), "neutral": (2, 3), "argues_for": (4, 5)},
    ),
    "stone_score_without_race": (
        STONE_USABLE,
        [
            [(0, {SEX: "female"}), (2, {SEX: "male"})],
            [(3, {DAYS: 0.24}), (1, {DAYS: 0.25}), (1, {DAYS: 1}), (0, {DAYS: 1.01})],
            [
                (0, {"nausea": False, "vomiting": False}),
                (1, {"nausea": True, "vomiting": False}),
                (2, {"nausea": True, "vomiting": True}),
                (2, {"vomiting": True}),
            ],
            [(0, {"observations.urine_blood": "negative"}), (3, {"observations.urine_blood": "positive"})],
        ],
        (0, 10),
        {},
    ),
    "add_rs": (
        {"interscapular_or_migrating_pain": True},
        [
            yes_no("connective_tissue_or_family_aortic"),
            [
                (0, QUIET_PAIN),
                *((1, {**QUIET_PAIN, name: True}) for name in ("sudden_severe_onset", "tearing_pain", "severe_pain")),
            ],
            [
                (0, NO_AORTIC_SIGN),
                *(
                    (1, {**NO_AORTIC_SIGN, name: True})
                    for name in (
                        "pulse_or_bp_differential",
                        "aortic_regurgitation_murmur",
                        "hemibody_sensory_or_motor_symptoms",
                        *NO_STROKE_SIGN,
                    )
                ),
                (1, {**NO_AORTIC_SIGN, PRESSURE: 100}),
                (1, {**NO_AORTIC_SIGN, "observations.usual_systolic_bp_mmhg": 160}),
            ],
        ],
        (0, 3),
        {"low": (0, 0), "intermediate": (1, 1), "high": (2, 3)},
    ),
    "hip_oa_sutlive": (
        {},
        [
            yes_no("squat_posterior_pain"),
            yes_no("hip_scour_painful"),
            yes_no("active_hip_flexion_lateral_pain"),
            yes_no("active_hip_extension_pain"),
            [
                (0, {"observations.hip_internal_rotation_deg": 26}),
                (1, {"observations.hip_internal_rotation_deg": 25}),
            ],
        ],
        (0, 5),
        {"argues_for": (3, 5)},
    ),
}
NAMES = sorted(TABLES)
# What the printed tables add up to: with every item at its highest, and at its most favourable.
ALL_ITEMS = {
    "konno_score": 13,
    "sugioka_score": 8,
    "cook_stenosis_count": 5,
    "cook_myelopathy_count": 5,
    "henschke_count": 4,
    "roman_fracture_count": 5,
    "stone_score_without_race": 10,
    "add_rs": 3,
    "hip_oa_sutlive": 5,
}


def none_of(name: str) -> list[Option]:
    """For each item of a score the answer that gives no points."""
    return [next(option for option in item if option[0] == 0) for item in TABLES[name][1]]


def all_of(name: str) -> list[Option]:
    """For each item of a score the answer that gives the most points, be they negative."""
    return [max(item, key=lambda option: abs(option[0])) for item in TABLES[name][1]]


def reads_as(knowledge: Knowledge, name: str, chosen: Sequence[Option | None], span: tuple[float, float]) -> None:
    """Check interval, band and every band word of a score; None for an item that is not known."""
    usable, _, (floor, ceiling), bands = TABLES[name]
    words = derive(knowledge, merged([usable, *(option[1] for option in chosen if option is not None)]))
    reading = words.readings[name]
    low, high = (min(max(floor, end), ceiling) for end in span)
    assert (reading.low, reading.high) == (low, high), chosen
    inside = [band for band, (bottom, top) in bands.items() if bottom <= low and high <= top]
    assert reading.band == (inside[0] if inside else None)
    for band, (bottom, top) in bands.items():
        expected = True if band in inside else False if high < bottom or top < low else None
        assert words.state.get(f"{name}:{band}") is expected, (band, low, high)


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_alone_gives_its_printed_points(name: str, knowledge: Knowledge) -> None:
    nothing = none_of(name)
    for place, item in enumerate(TABLES[name][1]):
        for option in item:
            reads_as(knowledge, name, [*nothing[:place], option, *nothing[place + 1 :]], (option[0], option[0]))


@pytest.mark.parametrize("name", NAMES)
def test_all_items_and_none_add_up_as_printed(name: str, knowledge: Knowledge) -> None:
    reads_as(knowledge, name, none_of(name), (0, 0))
    reads_as(knowledge, name, all_of(name), (ALL_ITEMS[name], ALL_ITEMS[name]))


@pytest.mark.parametrize("name", NAMES)
def test_one_item_missing_makes_an_interval(name: str, knowledge: Knowledge) -> None:
    for place, item in enumerate(TABLES[name][1]):
        points = [option[0] for option in item]
        others: list[Option | None] = [*none_of(name)]
        others[place] = None
        reads_as(knowledge, name, others, (min(points), max(points)))


@pytest.mark.parametrize("name", NAMES)
def test_a_score_is_decided_at_both_sides_of_every_band(name: str, knowledge: Knowledge) -> None:
    _, items, (floor, ceiling), bands = TABLES[name]
    most = sum(max(points for points, _ in item) for item in items)
    wanted = {end + move for ends in bands.values() for end in ends for move in (-1, 0, 1)}
    wanted = {total for total in wanted if floor <= total <= min(ceiling, most)}
    for combination in itertools.product(*items):
        total = sum(points for points, _ in combination)
        if total in wanted:
            wanted.discard(total)
            reads_as(knowledge, name, combination, (total, total))
    assert not wanted


@pytest.mark.parametrize("name", NAMES)
@quick
@given(data=st.data())
def test_any_mixture_of_answers_adds_up(name: str, data: st.DataObject, knowledge: Knowledge) -> None:
    chosen = [data.draw(st.one_of(st.none(), st.sampled_from(item))) for item in TABLES[name][1]]
    low = high = 0.0
    for option, item in zip(chosen, TABLES[name][1], strict=True):
        points = [one[0] for one in item] if option is None else [option[0]]
        low, high = low + min(points), high + max(points)
    reads_as(knowledge, name, chosen, (low, high))


def test_konno_without_an_ankle_brachial_index_is_shown_with_0_and_with_3(knowledge: Knowledge) -> None:
    chosen: list[Option | None] = [*all_of("konno_score")]
    chosen[7] = None
    reads_as(knowledge, "konno_score", chosen, (10, 13))


def test_a_konno_total_never_leaves_its_printed_range(knowledge: Knowledge) -> None:
    chosen = none_of("konno_score")
    chosen[5], chosen[9] = (-1, {"leg_symptoms_on_forward_bending": True}), (-2, {"straight_leg_raise_positive": True})
    reading = derive(knowledge, merged(option[1] for option in chosen)).readings["konno_score"]
    assert (reading.low, reading.high, reading.band) == (-2, -2, "unlikely")


def test_the_incontinence_item_stays_open_while_one_of_its_two_questions_is_unanswered(knowledge: Knowledge) -> None:
    chosen: list[Option] = none_of("sugioka_score")
    chosen[6] = (0, {"urinary_incontinence_new": False})
    reads_as(knowledge, "sugioka_score", chosen, (0, 1))


@pytest.mark.parametrize(
    ("person", "points"),
    [
        ({AGE: 65, "osteoporosis": False}, 1),
        ({AGE: 64, "osteoporosis": False}, 0),
        ({AGE: 30, "osteoporosis": True}, 1),
    ],
)
def test_a_minor_trauma_counts_for_fracture_in_the_old_or_osteoporotic_only(
    person: Given, points: int, knowledge: Knowledge
) -> None:
    trauma = {"significant_trauma": False, "minor_trauma": True, "prolonged_corticosteroids": False, SEX: "male"}
    reading = derive(knowledge, {**trauma, **person}).readings["henschke_count"]
    assert (reading.low, reading.high) == (points, points)


@pytest.mark.parametrize("exclusion", sorted(STONE_USABLE))
def test_stone_is_used_only_when_every_exclusion_was_denied(exclusion: str, knowledge: Knowledge) -> None:
    known = {**STONE_USABLE, SEX: "male"}
    assert derive(knowledge, known).readings["stone_score_without_race"].low == 2
    assert "stone_score_without_race" not in derive(knowledge, {**known, exclusion: True}).readings
    unasked = {key: value for key, value in known.items() if key != exclusion}
    assert "stone_score_without_race" not in derive(knowledge, unasked).readings


def test_nausea_with_vomiting_not_asked_is_worth_at_least_its_own_point(knowledge: Knowledge) -> None:
    chosen: list[Option] = none_of("stone_score_without_race")
    chosen[2] = (1, {"nausea": True})
    reads_as(knowledge, "stone_score_without_race", chosen, (1, 2))


REASONS = (
    *("sudden_severe_onset", "tearing_pain", "interscapular_or_migrating_pain", "chest_pain_or_dyspnoea"),
    *("connective_tissue_or_family_aortic", "pulse_or_bp_differential"),
)


@pytest.mark.parametrize("reason", REASONS)
def test_the_dissection_score_is_used_only_where_dissection_is_considered(reason: str, knowledge: Knowledge) -> None:
    quiet = {**QUIET_PAIN, **NO_AORTIC_SIGN, "connective_tissue_or_family_aortic": False}
    words = derive(knowledge, {**quiet, "severe_pain": True, "arm_weakness": True})
    assert "add_rs" not in words.readings
    assert not any(word.startswith("add_rs:") for word in words.state)
    assert "add_rs" in derive(knowledge, {**quiet, reason: True}).readings


def test_severe_pain_alone_gives_no_dissection_point_without_its_site(knowledge: Knowledge) -> None:
    known = {
        **QUIET_PAIN,
        "severe_pain": True,
        "connective_tissue_or_family_aortic": True,
        "interscapular_or_migrating_pain": False,
        "chest_pain_or_dyspnoea": False,
        **NO_AORTIC_SIGN,
    }
    assert derive(knowledge, known).readings["add_rs"].high == 1
    assert derive(knowledge, {**known, "chest_pain_or_dyspnoea": True}).readings["add_rs"].low == 2


def test_a_lumbar_root_deficit_gives_no_dissection_point(knowledge: Knowledge) -> None:
    known = {"tearing_pain": True, "connective_tissue_or_family_aortic": False, **NO_AORTIC_SIGN}
    root = {"foot_drop": True, "myotomal_weakness": True, "leg_power_reduced": True, "ankle_reflex_absent": True}
    reading = derive(knowledge, {**known, **root}).readings["add_rs"]
    assert (reading.low, reading.high, reading.band) == (1, 1, "intermediate")


@pytest.mark.parametrize(
    ("reported", "band"), [(0, "low"), (5, "low"), (6, "moderate"), (9, "moderate"), (10, "high"), (13, "high")]
)
def test_a_stone_score_reported_by_the_clinician_falls_into_its_printed_class(
    reported: int, band: str, knowledge: Knowledge
) -> None:
    words = derive(knowledge, {"observations.stone_score_reported": reported})
    reading = words.readings["stone_class_reported"]
    assert (reading.low, reading.high, reading.band) == (reported, reported, band)
    classes = {name: words.state[f"stone_class_reported:{name}"] for name in ("low", "moderate", "high")}
    assert classes == {name: name == band for name in classes}


def test_no_stone_score_reported_decides_no_class(knowledge: Knowledge) -> None:
    words = derive(knowledge, {})
    reading = words.readings["stone_class_reported"]
    assert (reading.low, reading.high, reading.band) == (0, 13, None)
    assert not any(word.startswith("stone_class_reported") for word in words.state)


# -------------------------------------------------------------------------------------------------- what is shown


def shown(knowledge: Knowledge, **request: Any) -> dict[str, dict[str, Any]]:
    person = findings.derive({"patient": {"age_years": 40}, **request}, knowledge)
    listed = scores.read(person, knowledge)
    names = [entry["score"] for entry in listed]
    assert names == sorted(names)
    return dict(zip(names, listed, strict=True))


VITAL = {"temperature_c": 37.0, "heart_rate_per_min": 70, "systolic_bp_mmhg": 120, "respiratory_rate_per_min": 16}
VITAL_REST = {"consciousness": "alert", "supplemental_oxygen": "air", "spo2_percent": 98}


def test_a_complete_score_is_shown_with_its_band_items_source_and_note(knowledge: Knowledge) -> None:
    said = {"leg_pain_present": "absent", "exercises_regularly": "absent"}
    person = {"age_years": 53, "sex": "female"}
    entry = shown(knowledge, patient=person, findings=said, observations={"bmi": 30})["roman_fracture_count"]
    assert (entry["low"], entry["high"], entry["band"], entry["complete"]) == (4, 4, "argues_for", True)
    assert entry["range"] == [0, 5]
    assert entry["items"] == [
        {"name": "age_over_52", "low": 1, "high": 1},
        {"name": "no_leg_pain", "low": 1, "high": 1},
        {"name": "bmi_22_or_less", "low": 0, "high": 0},
        {"name": "no_regular_exercise", "low": 1, "high": 1},
        {"name": "female", "low": 1, "high": 1},
    ]
    assert entry["source"] == "red-flag C5"
    assert "never to send a patient home" in entry["note"]


def test_a_score_that_says_nothing_yet_is_not_shown(knowledge: Knowledge) -> None:
    assert not shown(knowledge).keys() & {"news2_total", "konno_score", "stone_class_reported", "add_rs"}
    assert shown(knowledge, observations={**VITAL, **VITAL_REST})["news2_total"]["band"] == "very_low"


def test_an_incomplete_score_is_shown_as_an_interval_once_its_band_is_sure(knowledge: Knowledge) -> None:
    worse = {
        **VITAL,
        "systolic_bp_mmhg": 105,
        "supplemental_oxygen": "oxygen",
        "spo2_percent": 92,
        "consciousness": "alert",
    }
    del worse["temperature_c"]
    entry = shown(knowledge, observations={**worse, "heart_rate_per_min": 115})["news2_total"]
    assert (entry["low"], entry["high"], entry["band"], entry["complete"]) == (7, 10, "high", False)
    assert {item["name"]: (item["low"], item["high"]) for item in entry["items"]} == {
        "respiratory_rate_per_min": (0, 0),
        "systolic_bp_mmhg": (1, 1),
        "heart_rate_per_min": (2, 2),
        "temperature_c": (0, 3),
        "consciousness": (0, 0),
        "supplemental_oxygen": (2, 2),
        "spo2_percent": (2, 2),
    }
    assert entry["note"] is None


@pytest.mark.parametrize(
    ("observed", "low", "word"),
    [
        ({"heart_rate_per_min": 140}, 3, "news2_single_3"),
        ({"supplemental_oxygen": "oxygen", "spo2_percent": 93, "heart_rate_per_min": 91}, 5, "news2_5_or_more"),
    ],
)
def test_an_undecided_score_is_shown_when_a_rule_reads_what_it_already_says(
    observed: dict[str, Any], low: int, word: str, knowledge: Knowledge
) -> None:
    assert findings.derive({"patient": {"age_years": 40}, "observations": observed}, knowledge).present(word)
    entry = shown(knowledge, observations=observed)["news2_total"]
    assert (entry["low"], entry["band"], entry["complete"]) == (low, None, False)
    less = {**observed, "heart_rate_per_min": 90}
    assert "news2_total" not in shown(knowledge, observations=less)


KONNO_SAID = {
    "diabetes": "absent",
    "intermittent_claudication": "present",
    "standing_alone_triggers_leg_symptoms": "absent",
    "relief_leaning_forward": "absent",
    "leg_symptoms_on_forward_bending": "absent",
    "leg_symptoms_on_backward_bending": "absent",
    "ankle_reflex_absent": "absent",
    "straight_leg_raise_positive": "absent",
}


def test_konno_without_an_ankle_brachial_index_is_shown_as_a_range(knowledge: Knowledge) -> None:
    """Evidence C1: without an ABI present a range, the score with 0 and with 3; never assume a normal one."""
    entry = shown(knowledge, patient={"age_years": 65}, findings=KONNO_SAID)["konno_score"]
    assert (entry["low"], entry["high"], entry["band"], entry["complete"]) == (5, 8, None, False)


def test_an_undecided_score_is_shown_once_three_quarters_of_its_items_are_answered(knowledge: Knowledge) -> None:
    patient = {"age_years": 65, "sex": "male"}
    eight = {name: answer for name, answer in KONNO_SAID.items() if name != "ankle_reflex_absent"}
    seven = {name: answer for name, answer in eight.items() if name != "leg_symptoms_on_backward_bending"}
    assert "konno_score" in shown(knowledge, patient=patient, findings=eight), "8 of 10, age among them"
    assert "konno_score" not in shown(knowledge, patient=patient, findings=seven), "7 of 10"
    denied = dict.fromkeys(STONE_USABLE, "absent")
    three, two = {**denied, "vomiting": "present"}, denied
    episode = {"duration_days": 0.2}
    assert shown(knowledge, patient=patient, episode=episode, findings=three)["stone_score_without_race"]["low"] == 7
    assert "stone_score_without_race" not in shown(knowledge, patient=patient, episode=episode, findings=two)


def test_a_score_that_does_not_apply_is_not_shown(knowledge: Knowledge) -> None:
    said = {"severe_pain": "present", "connective_tissue_or_family_aortic": "absent", "tearing_pain": "absent"}
    assert "add_rs" not in shown(knowledge, findings=said)
    assert (
        shown(
            knowledge,
            findings=said
            | {"tearing_pain": "present"}
            | dict.fromkeys(["connective_tissue_or_family_aortic"], "present"),
        )["add_rs"]["band"]
        == "high"
    )


# ------------------------------------------------------------------------------------------- sets that only count

Said = dict[str, Any]
LONG: Said = {"episode": {"duration_days": 400}}
YOUNG_ONSET: tuple[Said, Said] = (
    {"observations": {"age_at_first_back_pain_years": 30}},
    {"observations": {"age_at_first_back_pain_years": 45}},
)


def asked(*names: str) -> tuple[Said, Said]:
    """The requests in which an item of these findings holds, and in which it does not."""
    yes, no = ({"findings": dict.fromkeys(names, answer)} for answer in ("present", "absent"))
    return yes, no


BEST_4 = {name: asked(name) for name in ("sij_distraction", "sij_thigh_thrust", "sij_compression", "sij_sacral_thrust")}
COUNTED: Mapping[str, tuple[int, Said, Mapping[str, tuple[Said, Said]]]] = {
    # set -> how many make it positive, to whom it applies, its items; evidence, mechanical C9, C11 and C12
    "sij_3_of_6": (3, {}, BEST_4 | {name: asked(name) for name in ("sij_gaenslen_right", "sij_gaenslen_left")}),
    "sij_2_of_best_4": (2, {}, BEST_4),
    "laslett_facet_3of5": (
        3,
        {},
        {
            "age_over_50": ({"patient": {"age_years": 50}}, {"patient": {"age_years": 49}}),
            **{name: asked(name) for name in ("pain_best_walking", "pain_best_sitting", "paraspinal_onset")},
            "extension_rotation_positive": asked("extension_rotation_positive"),
        },
    ),
    "ibp_asas_4of5": (
        4,
        {**LONG, "patient": {"age_years": 48}},
        {
            "age_at_onset_under_40": YOUNG_ONSET,
            **{name: asked(name) for name in ("onset_insidious", "improves_with_exercise", "not_improved_by_rest")},
            "night_pain_second_half": asked("night_pain_second_half"),
        },
    ),
    "ibp_berlin_2of4": (
        2,
        {**LONG, "patient": {"age_years": 49}},
        {
            "morning_stiffness_over_30min": asked("morning_stiffness_over_30min"),
            "better_with_exercise_not_rest": asked("improves_with_exercise", "not_improved_by_rest"),
            "night_pain_second_half": asked("night_pain_second_half"),
            "alternating_buttock_pain": asked("alternating_buttock_pain"),
        },
    ),
    "ibp_calin_4of5": (
        4,
        {"patient": {"age_years": 48}},
        {
            "age_at_onset_under_40": YOUNG_ONSET,
            "duration_over_3_months": ({"episode": {"duration_days": 90}}, {"episode": {"duration_days": 89}}),
            **{name: asked(name) for name in ("onset_insidious", "morning_stiffness_over_30min")},
            "improves_with_exercise": asked("improves_with_exercise"),
        },
    ),
}


def layered(*parts: Said) -> Said:
    """Requests laid over one another, part by part."""
    whole: Said = {}
    for part in parts:
        for key, value in part.items():
            whole[key] = {**whole.get(key, {}), **value}
    return whole


@pytest.mark.parametrize("name", COUNTED)
def test_every_mixture_of_the_items_of_a_set_counts_as_printed(name: str, knowledge: Knowledge) -> None:
    needed, base, items = COUNTED[name]
    for mixture in itertools.product((True, False), repeat=len(items)):
        answers = (yes if held else no for held, (yes, no) in zip(mixture, items.values(), strict=True))
        request = layered(base, *answers)
        entry = shown(knowledge, **{"patient": {"age_years": 40}, **request})[name]
        assert (entry["low"], entry["high"], entry["range"]) == (sum(mixture), sum(mixture), [0, len(items)])
        assert entry["band"] == ("positive" if sum(mixture) >= needed else "negative")
        assert [(item["name"], bool(item["low"])) for item in entry["items"]] == [*zip(items, mixture, strict=True)]


def test_a_set_is_an_interval_while_items_are_missing_and_is_shown_once_it_says_something(knowledge: Knowledge) -> None:
    three = dict.fromkeys(("sij_distraction", "sij_thigh_thrust", "sij_compression"), "present")
    entry = shown(knowledge, findings=three)["sij_3_of_6"]
    assert (entry["low"], entry["high"], entry["band"], entry["complete"]) == (3, 6, "positive", False)
    two = dict.fromkeys(("sij_distraction", "sij_thigh_thrust"), "present")
    assert "sij_3_of_6" not in shown(knowledge, findings=two)
    most = {**dict.fromkeys(("sij_distraction", "sij_sacral_thrust"), "present"), "sij_compression": "absent"}
    open_yet = shown(knowledge, findings={**most, "sij_gaenslen_left": "absent", "sij_gaenslen_right": "absent"})
    assert (open_yet["sij_3_of_6"]["low"], open_yet["sij_3_of_6"]["high"]) == (2, 3)
    assert open_yet["sij_3_of_6"]["band"] is None


def test_an_item_that_counts_when_it_is_denied_says_so(knowledge: Knowledge) -> None:
    said = dict.fromkeys(("pain_relieved_lying",), "present") | dict.fromkeys(
        (
            *("pain_worse_cough_sneeze_strain", "pain_worse_with_flexion_or_sitting", "pain_worse_rising_from_flexion"),
            *("pain_worse_with_extension", "extension_rotation_positive"),
        ),
        "absent",
    )
    entry = shown(knowledge, patient={"age_years": 60}, findings=said)["revel_criteria_5plus"]
    assert (entry["low"], entry["band"]) == (6, "positive")
    assert "no pain_worse_with_extension" in {item["name"] for item in entry["items"]}


def test_the_berlin_set_is_for_those_under_50(knowledge: Knowledge) -> None:
    said = {"findings": dict.fromkeys(("morning_stiffness_over_30min", "alternating_buttock_pain"), "present"), **LONG}
    assert "ibp_berlin_2of4" in shown(knowledge, **said, patient={"age_years": 49})
    assert "ibp_berlin_2of4" not in shown(knowledge, **said, patient={"age_years": 50})
