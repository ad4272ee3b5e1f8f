"""The differential: priors, frequencies over one background, dependence, the floor, and the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from rules.engine import Engine
from rules.evidence import Entry, Evidence
from rules.knowledge import Knowledge
from schemas.knowledge import AgeBand, Code, Codes, Condition, Published
from service import differential
from service.assess import assess
from service.differential import Ranked
from service.findings import Presentation, derive
from tests.people import Request, calm, fire, frequency, illness, knowing, person, seen

BACKGROUND = "lumbar_strain"


@pytest.fixture(scope="module")
def adult(knowledge: Knowledge) -> Presentation:
    """Forty years old, primary care, nothing else said."""
    return derive({"patient": {"age_years": 40}, "setting": "primary_care"}, knowledge)


def ledgers(
    knowledge: Knowledge, adult: Presentation, conditions: Iterable[Condition], evidence: Iterable[Evidence]
) -> dict[str, list[tuple[str, bool, float, float]]]:
    """Condition -> its lines as (word, present, ratio, share that counts), in order."""
    ranked = differential.rank(set(evidence), adult, knowing(knowledge, *conditions))
    return {
        item.condition.id: [
            (entry.word, entry.present, round(entry.lr, 6), entry.counted)
            for entry in item.entries
            if entry.lr != 1 or item.condition.id != BACKGROUND
        ]
        for item in ranked
    }


def posterior(
    knowledge: Knowledge, adult: Presentation, conditions: Iterable[Condition], evidence: Iterable[Evidence]
) -> dict[str, float]:
    ranked = differential.rank(set(evidence), adult, knowing(knowledge, *conditions))
    return {item.condition.id: item.probability for item in ranked}


def one(
    knowledge: Knowledge,
    adult: Presentation,
    frequencies: Mapping[str, tuple[float, float]],
    evidence: Iterable[Evidence],
    **more: object,
) -> list[tuple[str, bool, float, float]]:
    """The ledger of a condition with (frequency, background) for each word."""
    strain = illness(BACKGROUND, 50, {word: b for word, (_, b) in frequencies.items()})
    other = illness("other", 50, {word: f for word, (f, _) in frequencies.items()})
    return ledgers(knowledge, adult, [strain, replace(other, **more)], evidence)["other"]  # type: ignore[arg-type]


# the worked example


def test_the_posterior_of_a_worked_example_is_what_the_printed_numbers_give(
    knowledge: Knowledge, adult: Presentation
) -> None:
    """At 40 in primary care; straight leg raise positive, fever absent, spine not tender.

    Priors in per cent and frequencies as they stand in rules/conditions/*.yaml. Each condition weighs
    prior x f(leg raise) x (1 - f(fever)) x (1 - f(tender)); without a row it takes the value of the strain.
    """
    weights = {
        "lumbar_strain": 75 * 0.10 * (1 - 0.015) * (1 - 0.25),
        "disc_herniation": 5 * 0.70 * (1 - 0.015) * (1 - 0.25),
        "spinal_stenosis": 0.3 * 0.17 * (1 - 0.01) * (1 - 0.25),
        "nephrolithiasis": 0.5 * 0.03 * (1 - 0.05) * (1 - 0.06),
        "cauda_equina_syndrome": 0.08 * 0.68 * (1 - 0.015) * (1 - 0.25),
        "spinal_epidural_abscess": 0.003 * 0.16 * (1 - 0.42) * (1 - 0.65),
    }
    six = replace(knowledge, conditions={name: knowledge.conditions[name] for name in weights})
    evidence = {("straight_leg_raise_positive", True), ("fever", False), ("spinal_tenderness", False)}

    ranked = differential.rank(evidence, adult, six)

    expected = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    assert {item.condition.id: round(item.probability, 4) for item in ranked} == {
        name: round(share, 4) for name, share in expected.items()
    }
    # and as plain figures, so that the sum above is checked too
    assert {item.condition.id: round(item.probability, 4) for item in ranked} == {
        "lumbar_strain": 0.6742,
        "disc_herniation": 0.3146,
        "spinal_stenosis": 0.0046,
        "nephrolithiasis": 0.0016,
        "cauda_equina_syndrome": 0.0049,
        "spinal_epidural_abscess": 0.0,
    }
    assert [item.condition.id for item in ranked] == [
        "lumbar_strain",
        "disc_herniation",
        "cauda_equina_syndrome",
        "spinal_stenosis",
        "nephrolithiasis",
        "spinal_epidural_abscess",
    ]


def test_the_probabilities_add_up_to_one(knowledge: Knowledge, engine: Engine) -> None:
    presentation = seen(calm("fever", "foot_drop", "haematuria", age=71), knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    ranked = differential.rank(evidence, presentation, knowledge)
    assert math.isclose(math.fsum(item.probability for item in ranked), 1)
    assert [item.probability for item in ranked] == sorted((item.probability for item in ranked), reverse=True)


def test_conditions_with_the_same_probability_stand_in_alphabetical_order(
    knowledge: Knowledge, adult: Presentation
) -> None:
    conditions = [illness(BACKGROUND, 50, {}), illness("b_illness", 25, {}), illness("a_illness", 25, {})]
    ranked = differential.rank(set(), adult, knowing(knowledge, *conditions))
    assert [item.condition.id for item in ranked] == [BACKGROUND, "a_illness", "b_illness"]


def test_a_condition_without_a_prior_is_not_in_the_differential(knowledge: Knowledge, adult: Presentation) -> None:
    unranked = replace(illness("other", 1, {}), priors=None)
    conditions = [illness(BACKGROUND, 50, {}), illness("ranked", 50, {}), unranked]
    assert set(posterior(knowledge, adult, conditions, [])) == {BACKGROUND, "ranked"}


# ratios


def test_present_weighs_the_frequency_over_the_background(knowledge: Knowledge, adult: Presentation) -> None:
    assert one(knowledge, adult, {"fever": (0.6, 0.2)}, [("fever", True)]) == [("fever", True, 3.0, 1.0)]


def test_absent_weighs_the_rest_over_the_rest_of_the_background(knowledge: Knowledge, adult: Presentation) -> None:
    assert one(knowledge, adult, {"fever": (0.6, 0.2)}, [("fever", False)]) == [("fever", False, 0.5, 1.0)]


def test_a_word_without_a_row_has_ratio_one_and_is_not_in_the_ledger(knowledge: Knowledge, adult: Presentation) -> None:
    strain = illness(BACKGROUND, 50, {"fever": 0.2, "limp": 0.1})
    conditions = [strain, illness("with_row", 25, {"fever": 0.2}), illness("without_row", 25, {})]
    after = posterior(knowledge, adult, conditions, [("fever", True), ("limp", True)])
    assert after == pytest.approx({BACKGROUND: 0.5, "with_row": 0.25, "without_row": 0.25})
    assert ledgers(knowledge, adult, conditions, [("fever", True), ("limp", True)])["without_row"] == []


@pytest.mark.parametrize(
    ("f", "b", "present", "ratio"),
    [
        (1.0, 0.5, True, 0.98 / 0.5),
        (0.99, 0.5, False, 0.02 / 0.5),
        (0.0, 0.5, True, 0.005 / 0.5),
        (0.5, 0.001, True, 0.5 / 0.005),
        (0.5, 1.0, False, 0.5 / 0.02),
        (0.98, 0.005, True, 0.98 / 0.005),
    ],
)
def test_frequencies_are_drawn_into_the_clip(
    knowledge: Knowledge, adult: Presentation, f: float, b: float, present: bool, ratio: float
) -> None:
    assert one(knowledge, adult, {"fever": (f, b)}, [("fever", present)]) == [("fever", present, round(ratio, 6), 1.0)]


def test_the_likelihoods_are_clipped_and_leave_out_what_has_no_row(knowledge: Knowledge) -> None:
    strain = illness(BACKGROUND, 50, {"fever": 0.001, "limp": 0.3, "nausea": 1.0})
    small = knowing(knowledge, strain, illness("other", 50, {"limp": 0.98}))
    assert small.likelihoods == {
        BACKGROUND: {"fever": 0.005, "limp": 0.3, "nausea": 0.98},
        "other": {"limp": 0.98},
    }


def test_the_ledger_shows_the_frequency_as_printed_not_as_clipped(knowledge: Knowledge, adult: Presentation) -> None:
    strain, other = illness(BACKGROUND, 50, {"fever": 0.001}), illness("other", 50, {"fever": 0.999})
    small = knowing(knowledge, strain, other)
    entry = next(item for item in differential.rank({("fever", True)}, adult, small) if item.condition.id == "other")
    line = differential.describe(entry, True, [], small)["for"][0]
    assert (line["frequency"], line["background"], line["lr"]) == (0.999, 0.001, 196.0)


# dependence


def test_in_a_correlated_group_the_strongest_counts_in_full_the_next_half_then_a_quarter(
    knowledge: Knowledge, adult: Presentation
) -> None:
    """Four signs of one nerve root: 8, 4, 2 and 1.5 times as frequent."""
    signs = ("muscle_wasting", "vibration_deficit", "dermatomal_sensory_loss", "knee_reflex_absent")
    rows = dict(zip(signs, [(0.4, 0.1), (0.8, 0.1), (0.15, 0.1), (0.2, 0.1)], strict=True))
    assert {group for sign in signs for group in knowledge.groups_of(sign)} >= {"neuro_deficit"}
    assert one(knowledge, adult, rows, [(sign, True) for sign in signs]) == [
        ("vibration_deficit", True, 8.0, 1.0),
        ("muscle_wasting", True, 4.0, 0.5),
        ("knee_reflex_absent", True, 2.0, 0.25),
        ("dermatomal_sensory_loss", True, 1.5, 0.125),
    ]


def test_the_counted_shares_enter_the_posterior(knowledge: Knowledge, adult: Presentation) -> None:
    """Odds of one to one, times 8, times the root of 4."""
    rows = {"vibration_deficit": 0.8, "muscle_wasting": 0.4}
    conditions = [illness(BACKGROUND, 50, dict.fromkeys(rows, 0.1)), illness("other", 50, rows)]
    after = posterior(knowledge, adult, conditions, [(word, True) for word in rows])
    assert after["other"] / after[BACKGROUND] == pytest.approx(8 * math.sqrt(4))


def test_each_direction_of_a_group_is_counted_by_itself(knowledge: Knowledge, adult: Presentation) -> None:
    rows = {
        "vibration_deficit": (0.8, 0.1),
        "muscle_wasting": (0.4, 0.1),
        "knee_reflex_absent": (0.2, 0.8),
        "dermatomal_sensory_loss": (0.4, 0.8),
    }
    found = one(knowledge, adult, rows, [(sign, True) for sign in rows])
    assert {word: share for word, _, _, share in found} == {
        "vibration_deficit": 1.0,
        "knee_reflex_absent": 1.0,
        "muscle_wasting": 0.5,
        "dermatomal_sensory_loss": 0.5,
    }


def test_words_of_different_groups_and_of_none_count_in_full(knowledge: Knowledge, adult: Presentation) -> None:
    rows = {"muscle_wasting": (0.8, 0.1), "haematuria": (0.4, 0.1), "spinal_tenderness": (0.2, 0.1)}
    assert knowledge.groups_of("muscle_wasting") == ("neuro_deficit",)
    assert knowledge.groups_of("haematuria") == knowledge.groups_of("spinal_tenderness") == ()
    assert [share for *_, share in one(knowledge, adult, rows, [(word, True) for word in rows])] == [1.0, 1.0, 1.0]


def test_a_word_of_two_groups_takes_the_smaller_share_and_has_its_place_in_both(
    knowledge: Knowledge, adult: Presentation
) -> None:
    rows = {
        "muscle_wasting": (0.8, 0.1),  # neuro_deficit
        "leg_paraesthesia_numbness": (0.4, 0.1),  # neuro_deficit and radicular_history
        "dermatomal_pain_distribution": (0.2, 0.1),  # radicular_history
    }
    assert set(knowledge.groups_of("leg_paraesthesia_numbness")) == {"neuro_deficit", "radicular_history"}
    found = one(knowledge, adult, rows, [(word, True) for word in rows])
    assert {word: share for word, _, _, share in found} == {
        "muscle_wasting": 1.0,
        "leg_paraesthesia_numbness": 0.5,
        "dermatomal_pain_distribution": 0.5,
    }


def test_equal_weights_stand_in_alphabetical_order(knowledge: Knowledge, adult: Presentation) -> None:
    rows = {"vibration_deficit": (0.4, 0.1), "muscle_wasting": (0.4, 0.1), "haematuria": (0.8, 0.1)}
    assert [word for word, *_ in one(knowledge, adult, rows, [(word, True) for word in rows])] == [
        "haematuria",
        "muscle_wasting",
        "vibration_deficit",
    ]


# bands of one quantity

CRP = {"crp_over_10": (0.9, 0.1), "crp_over_30": (0.8, 0.04), "crp_over_50": (0.6, 0.02), "crp_over_100": (0.3, 0.01)}
DURATION = {"duration_over_1_month": (0.5, 0.3), "duration_over_3_months": (0.4, 0.2), "phase_acute": (0.2, 0.5)}
AGE = {"age_over_50": (0.6, 0.4), "age_over_65": (0.4, 0.15), "age_under_60": (0.5, 0.7)}


@pytest.mark.parametrize(
    ("rows", "evidence", "counted"),
    [
        # 60 mg/L: over 10, 30 and 50, not over 100; the narrowest that holds is over 50
        (
            CRP,
            [("crp_over_10", True), ("crp_over_30", True), ("crp_over_50", True), ("crp_over_100", False)],
            ("crp_over_50", True),
        ),
        # 5 mg/L: over none; "not over 10" is the narrowest
        (CRP, [(word, False) for word in CRP], ("crp_over_10", False)),
        # 200 days
        (
            DURATION,
            [("duration_over_1_month", True), ("duration_over_3_months", True), ("phase_acute", False)],
            ("duration_over_3_months", True),
        ),
        # age 70
        (AGE, [("age_over_50", True), ("age_over_65", True), ("age_under_60", False)], ("age_over_65", True)),
    ],
    ids=["CRP 60", "CRP 5", "200 days", "age 70"],
)
def test_bands_of_one_quantity_count_once_the_narrowest_that_holds(
    knowledge: Knowledge,
    adult: Presentation,
    rows: Mapping[str, tuple[float, float]],
    evidence: list[Evidence],
    counted: Evidence,
) -> None:
    for order in (evidence, evidence[::-1]):
        assert [(word, present) for word, present, *_ in one(knowledge, adult, rows, order)] == [counted]


def test_of_equally_narrow_bands_the_first_by_name_counts_whatever_the_order(
    knowledge: Knowledge, adult: Presentation
) -> None:
    strain = illness(BACKGROUND, 50, {"crp_over_30": 0.04, "crp_over_50": 0.04})
    small = knowing(knowledge, strain, illness("other", 50, {"crp_over_30": 0.2, "crp_over_50": 0.8}))
    evidence = [("crp_over_30", True), ("crp_over_50", True)]
    for order in (evidence, evidence[::-1]):
        (item,) = [found for found in differential.rank(order, adult, small) if found.condition.id == "other"]
        assert [entry.word for entry in item.entries] == ["crp_over_30"]


def test_bands_of_different_quantities_both_count(knowledge: Knowledge, adult: Presentation) -> None:
    rows = {"crp_over_50": (0.6, 0.02), "esr_over_50": (0.6, 0.05), "haematuria": (0.4, 0.1)}
    found = one(knowledge, adult, rows, [(word, True) for word in rows])
    assert {word for word, *_ in found} == set(rows)


def test_age_bands_are_not_counted_again_where_the_prior_is_given_by_age(
    knowledge: Knowledge, adult: Presentation
) -> None:
    rows = {word: b for word, (_, b) in AGE.items()} | {"female_sex": 0.5}
    here = {word: f for word, (f, _) in AGE.items()} | {"female_sex": 0.8}
    bands = (AgeBand(20, below=50), AgeBand(30, at_least=50))
    conditions = [illness(BACKGROUND, 50, rows), illness("by_age", bands, here), illness("one_prior", 20, here)]
    evidence = [("age_over_50", False), ("age_over_65", False), ("age_under_60", True), ("female_sex", True)]
    found = ledgers(knowledge, adult, conditions, evidence)
    assert [word for word, *_ in found["by_age"]] == ["female_sex"]
    assert [word for word, *_ in found["one_prior"]] == ["female_sex", "age_over_50"]


@pytest.mark.parametrize(
    ("word", "quantity"),
    [
        ("age_over_65", "patient.age_years"),
        ("age_under_45", "patient.age_years"),
        ("crp_over_100", "observations.crp_mg_l"),
        ("esr_over_20", "observations.esr_mm_h"),
        ("hypothermia", "observations.temperature_c"),
        ("duration_over_6_weeks", "episode.duration_days"),
        ("phase_subacute", "episode.duration_days"),  # two comparisons of one quantity
        ("female_sex", "patient.sex"),
    ],
)
def test_a_band_knows_its_quantity(knowledge: Knowledge, word: str, quantity: str) -> None:
    assert knowledge.quantities[word] == quantity


@pytest.mark.parametrize(
    "word",
    [
        "fever",  # a finding
        "childbearing_age_female",  # two quantities
        "age_at_onset_under_45",  # an alternative of two quantities
        "crp_or_esr_raised",  # an alternative, with a finding
        "pain_worsening_at_4_weeks",  # a quantity and a finding
        "hypotension",  # a difference of two
        "shock_index_1_or_more",  # a ratio of two
        "news2_7_or_more",  # a score
        "nsaid_tried_2_weeks_failed",  # a trial
    ],
)
def test_a_word_that_is_more_than_a_band_has_no_quantity(knowledge: Knowledge, word: str) -> None:
    assert word in knowledge.derived or word in knowledge.findings
    assert word not in knowledge.quantities


def test_a_band_that_applies_to_some_people_only_has_no_quantity(knowledge: Knowledge) -> None:
    derived = {**knowledge.derived, "age_over_65": replace(knowledge.derived["age_over_65"], applies_if="female_sex")}
    quantities = replace(knowledge, derived=derived).quantities
    assert "age_over_65" not in quantities
    assert quantities["age_over_70"] == "patient.age_years"


# composites


def test_a_finding_stands_in_place_of_those_that_imply_it_only_where_it_says_more(
    knowledge: Knowledge, adult: Presentation
) -> None:
    """Pain below the knee implies leg pain."""
    both: list[Evidence] = [("leg_pain_present", True), ("pain_below_knee", True)]
    more = one(knowledge, adult, {"leg_pain_present": (0.9, 0.2), "pain_below_knee": (0.4, 0.1)}, both)
    less = one(knowledge, adult, {"leg_pain_present": (0.9, 0.3), "pain_below_knee": (0.8, 0.1)}, both)
    same = one(knowledge, adult, {"leg_pain_present": (0.8, 0.2), "pain_below_knee": (0.4, 0.1)}, both)
    assert [word for word, *_ in more] == ["leg_pain_present"]
    assert [word for word, *_ in less] == ["pain_below_knee"]
    assert [word for word, *_ in same] == ["pain_below_knee"]


def test_a_composite_is_compared_with_all_its_items_together(knowledge: Knowledge, adult: Presentation) -> None:
    """5 times as frequent, against items of 2 and 3: together 6, so the items stand; with 2 and 2 it stands."""
    word, items = "leg_neurological_deficit", ("dermatomal_sensory_loss", "knee_reflex_absent")
    evidence: list[Evidence] = [(word, True), *((item, True) for item in items)]
    stronger = {word: (0.5, 0.1), items[0]: (0.2, 0.1), items[1]: (0.3, 0.1)}
    weaker = {word: (0.5, 0.1), items[0]: (0.2, 0.1), items[1]: (0.2, 0.1)}
    assert [found for found, *_ in one(knowledge, adult, stronger, evidence)] == [items[1], items[0]]
    assert [found for found, *_ in one(knowledge, adult, weaker, evidence)] == [word]


def test_absent_composites_follow_the_same_law(knowledge: Knowledge, adult: Presentation) -> None:
    word, item = "leg_neurological_deficit", "knee_reflex_absent"
    evidence: list[Evidence] = [(word, False), (item, False)]
    assert one(knowledge, adult, {word: (0.9, 0.2), item: (0.5, 0.1)}, evidence) == [(word, False, 0.125, 1.0)]


def test_items_that_speak_for_and_against_are_weighed_together(knowledge: Knowledge, adult: Presentation) -> None:
    """Items of 8 and 1/8 say nothing together, so a composite of 2 says more."""
    word, items = "leg_neurological_deficit", ("dermatomal_sensory_loss", "knee_reflex_absent")
    rows = {word: (0.2, 0.1), items[0]: (0.8, 0.1), items[1]: (0.1, 0.8)}
    assert [found for found, *_ in one(knowledge, adult, rows, [(name, True) for name in rows])] == [word]


def test_a_composite_is_not_compared_twice_with_one_thing_that_it_holds_at_two_depths(
    knowledge: Knowledge, adult: Presentation
) -> None:
    """Any deficit holds leg deficit, which holds the reflex: 4, 3 and 2 times as frequent, one sign in all.

    The leg deficit says more than the reflex and replaces it; any deficit says more than the leg deficit.
    """
    rows = {
        "any_neurological_deficit": (0.4, 0.1),
        "leg_neurological_deficit": (0.3, 0.1),
        "knee_reflex_absent": (0.2, 0.1),
    }
    assert "knee_reflex_absent" in knowledge.parts("leg_neurological_deficit")
    assert {"leg_neurological_deficit", "knee_reflex_absent"} <= knowledge.parts("any_neurological_deficit")
    found = one(knowledge, adult, rows, [(word, True) for word in rows])
    assert found == [("any_neurological_deficit", True, 4.0, 1.0)]


KONNO = "konno_score:likely"
POSTURE = {"relief_leaning_forward": 8.0, "worse_when_rising_to_stand": 4.0}
"""An item of the Konno score, and a word of the group that the score switches off; how much more frequent they are."""


def konno(lr_present: float | None = 3.3, lr_absent: float | None = 0.1) -> Published:
    return Published(KONNO, "B", "verified", ("paper",), lr_present=lr_present, lr_absent=lr_absent)


def stenosis(*published: Published, composites: tuple[str, ...] = (KONNO,)) -> list[Condition]:
    rows = {**{word: 0.1 * times for word, times in POSTURE.items()}, "haematuria": 0.2}
    strain = illness(BACKGROUND, 50, dict.fromkeys(rows, 0.1))
    return [strain, illness("other", 50, rows, published=published, composites=composites)]


def test_a_validated_composite_replaces_its_items_and_what_it_switches_off_even_where_it_says_less(
    knowledge: Knowledge, adult: Presentation
) -> None:
    assert "relief_leaning_forward" in knowledge.parts(KONNO)
    assert "worse_when_rising_to_stand" in knowledge.switched_off(KONNO) - knowledge.parts(KONNO)
    evidence: list[Evidence] = [(KONNO, True), ("haematuria", True), *((word, True) for word in POSTURE)]
    assert ledgers(knowledge, adult, stenosis(konno()), evidence)["other"] == [
        (KONNO, True, 3.3, 1.0),
        ("haematuria", True, 2.0, 1.0),
    ]


def test_an_item_that_a_validated_composite_replaced_is_not_weighed_against_another_word(
    knowledge: Knowledge, adult: Presentation
) -> None:
    """Diabetes is an item of the Konno score, and one of the risks of a psoas abscess."""
    assert "diabetes" in knowledge.parts(KONNO) & knowledge.parts("psoas_abscess_risk")
    rows = {"diabetes": 0.4, "psoas_abscess_risk": 0.2}
    strain = illness(BACKGROUND, 50, dict.fromkeys(rows, 0.1))
    other = illness("other", 50, rows, published=[konno()], composites=(KONNO,))
    evidence = [(KONNO, True), *((word, True) for word in rows)]
    assert ledgers(knowledge, adult, [strain, other], evidence)["other"] == [
        (KONNO, True, 3.3, 1.0),
        ("psoas_abscess_risk", True, 2.0, 1.0),
    ]
    assert ledgers(knowledge, adult, [strain, other], evidence[1:])["other"] == [("diabetes", True, 4.0, 1.0)]


def test_without_the_composite_its_items_stand(knowledge: Knowledge, adult: Presentation) -> None:
    evidence: list[Evidence] = [("haematuria", True), *((word, True) for word in POSTURE)]
    assert ledgers(knowledge, adult, stenosis(konno()), evidence)["other"] == [
        ("relief_leaning_forward", True, 8.0, 1.0),
        ("worse_when_rising_to_stand", True, 4.0, 0.5),
        ("haematuria", True, 2.0, 1.0),
    ]


def test_a_composite_enters_with_its_published_ratio_in_each_direction(
    knowledge: Knowledge, adult: Presentation
) -> None:
    here = stenosis(konno())
    assert ledgers(knowledge, adult, here, [(KONNO, True)])["other"] == [(KONNO, True, 3.3, 1.0)]
    assert ledgers(knowledge, adult, here, [(KONNO, False)])["other"] == [(KONNO, False, 0.1, 1.0)]
    assert ledgers(knowledge, adult, here, [(KONNO, True)])[BACKGROUND] == []


def test_a_composite_without_a_printed_ratio_in_that_direction_does_not_enter(
    knowledge: Knowledge, adult: Presentation
) -> None:
    assert ledgers(knowledge, adult, stenosis(konno(lr_absent=None)), [(KONNO, False)])["other"] == []
    assert ledgers(knowledge, adult, stenosis(konno(lr_present=None)), [(KONNO, True)])["other"] == []


def test_a_published_ratio_enters_only_for_a_composite_of_the_condition(
    knowledge: Knowledge, adult: Presentation
) -> None:
    assert ledgers(knowledge, adult, stenosis(konno(), composites=()), [(KONNO, True)])["other"] == []
    assert ledgers(knowledge, adult, stenosis(), [(KONNO, True)])["other"] == []


def test_the_first_published_row_of_a_word_is_the_one_used(knowledge: Knowledge, adult: Presentation) -> None:
    found = ledgers(knowledge, adult, stenosis(konno(2.5), konno(9.0)), [(KONNO, True)])
    assert found["other"] == [(KONNO, True, 2.5, 1.0)]


def test_the_parts_of_a_word_reach_all_depths_and_a_band_has_those_of_its_score(knowledge: Knowledge) -> None:
    assert knowledge.parts("stenosis_pattern_stable") >= {"neurogenic_claudication", "duration_days_above_42"}
    assert knowledge.parts("epidural_abscess_triad") >= {"fever", "any_neurological_deficit", "foot_drop"}
    assert knowledge.parts("leg_pain_present") >= {"pain_below_knee", "bilateral_sciatica"}
    assert knowledge.parts(KONNO) == knowledge.parts("konno_score") >= {"intermittent_claudication", "diabetes"}
    assert knowledge.parts("foot_drop") == knowledge.parts("no_such_word") == frozenset()


def test_what_a_composite_switches_off_is_a_whole_group_or_a_single_word(knowledge: Knowledge) -> None:
    scores = {
        **knowledge.scores,
        "konno_score": replace(knowledge.scores["konno_score"], switches_off=("balance", "fever")),
    }
    small = replace(knowledge, scores=scores)
    members = {"gait_disturbance", "romberg_abnormal", "vibration_deficit", "wide_based_gait"}
    assert members <= small.switched_off(KONNO)
    assert "fever" in small.switched_off(KONNO)
    assert "balance" not in small.switched_off(KONNO)
    assert knowledge.switched_off("any_neurological_deficit") == knowledge.switched_off("fever") == frozenset()


def test_the_groups_of_a_word_are_its_own_and_those_it_is_also_in(knowledge: Knowledge) -> None:
    assert knowledge.groups_of("knee_reflex_absent") == ("neuro_deficit",)
    assert set(knowledge.groups_of("bilateral_sciatica")) == {"cauda_equina_signs", "claudication_posture"}
    assert knowledge.groups_of("crp_over_10") == ("infection_response",)
    assert knowledge.groups_of("hip_oa_sutlive:argues_for") == ("hip_joint",)
    assert knowledge.groups_of("spinal_tenderness") == knowledge.groups_of(KONNO) == ()
    assert knowledge.groups_of("hypotension") == knowledge.groups_of("no_such_word") == ()


# the floor of serious conditions


@pytest.mark.parametrize(
    ("serious", "rows", "against"),
    [
        (True, {"haematuria": 0.9, "spinal_tenderness": 0.9}, 0.05),
        (False, {"haematuria": 0.9, "spinal_tenderness": 0.9}, (0.1 / 0.9) ** 2),
        (True, {"haematuria": 0.9}, 0.1 / 0.9),  # above the floor: as it is
    ],
    ids=["serious", "not serious", "above the floor"],
)
def test_what_speaks_against_a_serious_condition_never_weighs_more_than_the_floor(
    knowledge: Knowledge, adult: Presentation, serious: bool, rows: Mapping[str, float], against: float
) -> None:
    conditions = [illness(BACKGROUND, 50, dict.fromkeys(rows, 0.1)), illness("other", 50, rows, serious=serious)]
    after = posterior(knowledge, adult, conditions, [(word, False) for word in rows])
    assert after["other"] / after[BACKGROUND] == pytest.approx(against)


def test_what_speaks_for_a_serious_condition_counts_on_top_of_the_floor(
    knowledge: Knowledge, adult: Presentation
) -> None:
    rows = {"haematuria": 0.9, "spinal_tenderness": 0.9, "nausea": 0.4}
    conditions = [illness(BACKGROUND, 50, dict.fromkeys(rows, 0.1)), illness("other", 50, rows, serious=True)]
    evidence = [("haematuria", False), ("spinal_tenderness", False), ("nausea", True)]
    after = posterior(knowledge, adult, conditions, evidence)
    assert after["other"] / after[BACKGROUND] == pytest.approx(0.05 * 4)


# priors


def prior(knowledge: Knowledge, name: str, age: float, setting: str | None) -> float:
    request = {"patient": {"age_years": age}} | ({"setting": setting} if setting else {})
    ranked = differential.rank(set(), derive(request, knowledge), knowledge)
    return next(item.prior for item in ranked if item.condition.id == name)


@pytest.mark.parametrize(
    ("name", "age", "setting", "percent"),
    [
        ("lumbar_strain", 18, "primary_care", 75),
        ("lumbar_strain", 49.9, "primary_care", 75),
        ("lumbar_strain", 50, "primary_care", 62),
        ("lumbar_strain", 64.9, "primary_care", 62),
        ("lumbar_strain", 65, "primary_care", 45),
        ("lumbar_strain", 110, "primary_care", 45),
        ("lumbar_strain", 30, "emergency", 65),
        ("lumbar_strain", 80, "emergency", 65),
        ("lumbar_strain", 80, "spine_clinic", 20),
        ("spinal_stenosis", 49, "primary_care", 0.3),
        ("spinal_stenosis", 50, "primary_care", 4),
        ("spinal_stenosis", 65, "primary_care", 15),
        ("spinal_stenosis", 64, "spine_clinic", 25),
        ("spinal_stenosis", 65, "spine_clinic", 35),
        ("disc_herniation", 50, "primary_care", 5),
        ("disc_herniation", 65, "primary_care", 3),
        ("disc_herniation", 40, "emergency", 12),
        ("cauda_equina_syndrome", 40, "primary_care", 0.08),
        ("cauda_equina_syndrome", 40, "emergency", 1),
        ("nephrolithiasis", 40, "emergency", 3),
        ("spinal_epidural_abscess", 40, "primary_care", 0.003),
        ("spinal_epidural_abscess", 40, "emergency", 0.1),
    ],
)
def test_the_prior_is_the_printed_one_of_the_setting_and_the_age_band(
    knowledge: Knowledge, name: str, age: float, setting: str, percent: float
) -> None:
    assert prior(knowledge, name, age, setting) == pytest.approx(percent / 100)


def test_without_a_setting_the_priors_of_primary_care_are_used_and_a_notice_says_so(knowledge: Knowledge) -> None:
    assert prior(knowledge, "lumbar_strain", 50, None) == pytest.approx(0.62)
    silent, said = (derive(request, knowledge) for request in (person(), person(setting="emergency")))
    assert [notice["value"] for notice in silent.notices if notice["kind"] == "setting_assumed"] == ["primary_care"]
    assert not any(notice["kind"] == "setting_assumed" for notice in said.notices)


def test_a_prior_modifier_is_used_only_where_the_condition_has_no_frequency_row_for_the_word(
    knowledge: Knowledge,
) -> None:
    strain = illness(BACKGROUND, 50, {"iv_drug_use": 0.1})
    bare = illness("without_row", 1, {}, modifiers={"iv_drug_use": 20, "haemodialysis": 3})
    rowed = illness("with_row", 1, {"iv_drug_use": 0.1}, modifiers={"iv_drug_use": 20})
    small = knowing(knowledge, strain, bare, rowed)

    def priors(request: Mapping[str, object]) -> dict[str, float]:
        ranked = differential.rank(set(), derive(dict(request), small), small)
        return {item.condition.id: round(item.prior, 6) for item in ranked if item.condition.id != BACKGROUND}

    assert priors(person()) == {"without_row": 0.01, "with_row": 0.01}
    assert priors(person("iv_drug_use")) == {"without_row": 0.2, "with_row": 0.01}
    assert priors(person("iv_drug_use", "haemodialysis")) == {"without_row": 0.6, "with_row": 0.01}
    assert priors(person(absent=["iv_drug_use"], unknown=["haemodialysis"])) == {"without_row": 0.01, "with_row": 0.01}


@pytest.mark.parametrize("days", [5, 42, 43, 85])
def test_the_printed_modifiers_of_a_strain_give_way_to_its_frequency_rows(knowledge: Knowledge, days: float) -> None:
    """Three times up to 6 weeks, 0.3 times over 12 weeks: both words have a row, so 75 per cent stays."""
    strain = knowledge.conditions[BACKGROUND]
    assert strain.priors is not None
    assert {modifier.word for modifier in strain.priors.modifiers} == {"acute_under_6_weeks", "chronic_over_12_weeks"}
    presentation = derive(person(episode={"duration_days": days}), knowledge)
    ranked = differential.rank(set(), presentation, knowledge)
    assert next(item.prior for item in ranked if item.condition.id == BACKGROUND) == pytest.approx(0.75)


# what must be excluded, what leads, and words for numbers


def at(probability: float, name: str = "other", *, serious: bool = True, threshold: float | None = None) -> Ranked:
    condition = replace(illness(name, 1, {}, serious=serious), test_threshold=threshold)
    return Ranked(condition, 0.01, probability, ())


@pytest.mark.parametrize(
    ("item", "listed"),
    [
        (at(0.02), True),
        (at(0.0199), False),
        (at(0.9, serious=False), False),
        (at(0.01, threshold=0.01), True),
        (at(0.03, threshold=0.05), False),
    ],
)
def test_a_serious_condition_must_be_excluded_from_its_test_threshold_on(
    knowledge: Knowledge, item: Ranked, listed: bool
) -> None:
    found = differential.must_exclude([item], {}, knowledge)
    assert bool(found) is listed


def test_the_reason_by_probability_names_the_number_and_the_threshold(knowledge: Knowledge) -> None:
    assert differential.must_exclude([at(0.123456, threshold=0.05)], {}, knowledge) == [
        {
            "condition": "other",
            "label": "other",
            "because": "probability",
            "probability": 0.1235,
            "threshold": 0.05,
        }
    ]
    assert differential.must_exclude([at(0.5)], {}, knowledge)[0]["threshold"] == 0.02


def test_what_a_red_flag_suspects_must_be_excluded_whatever_its_rank_and_is_named_once(knowledge: Knowledge) -> None:
    suspected = {"spinal_malignancy": "rule_b", "cauda_equina_syndrome": "rule_a", "disc_herniation": "rule_c"}
    ranked = [at(0.6, "nephrolithiasis"), at(0.3, "cauda_equina_syndrome")]
    found = differential.must_exclude(ranked, suspected, knowledge)
    assert [(item["condition"], item["because"], item.get("rule")) for item in found] == [
        ("spinal_malignancy", "red_flag", "rule_b"),
        ("cauda_equina_syndrome", "red_flag", "rule_a"),
        ("nephrolithiasis", "probability", None),
    ]
    assert found[0]["label"] == knowledge.conditions["spinal_malignancy"].label


@pytest.mark.parametrize(
    ("probabilities", "leading"),
    [
        ([0.8, 0.2, 0.0], 2),  # a quarter of the first, itself included
        ([0.8, 0.199, 0.001], 1),
        ([0.3, 0.1, 0.09], 2),  # at least one in ten
        ([0.25, 0.25, 0.25, 0.25], 3),  # three at most
        ([0.09, 0.09, 0.08], 1),  # somebody always leads
    ],
)
def test_leading_are_those_near_the_first_and_not_too_rare(
    knowledge: Knowledge, probabilities: list[float], leading: int
) -> None:
    ranked = [at(share, f"condition_{place}") for place, share in enumerate(probabilities)]
    assert differential.leading(iter(ranked), knowledge) == tuple(f"condition_{place}" for place in range(leading))


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (1.0, "likely"),
        (0.5, "likely"),
        (0.4999, "possible"),
        (0.1, "possible"),
        (0.0999, "unlikely"),
        (0.0, "unlikely"),
    ],
)
def test_the_word_beside_a_probability(knowledge: Knowledge, probability: float, word: str) -> None:
    assert differential.likelihood(probability, knowledge) == word
    described = differential.describe(at(probability), True, [], knowledge)
    assert described["likelihood"] == word


def test_the_order_of_the_words_in_the_policy_does_not_matter(knowledge: Knowledge) -> None:
    reasoning = knowledge.policy.reasoning
    turned = replace(reasoning, likelihood=reasoning.likelihood[::-1])
    small = replace(knowledge, policy=replace(knowledge.policy, reasoning=turned))
    assert [differential.likelihood(share, small) for share in (0.9, 0.3, 0.01)] == ["likely", "possible", "unlikely"]


def test_the_word_is_withheld_until_the_answer_is_final(knowledge: Knowledge) -> None:
    described = differential.describe(at(0.9), False, [], knowledge)
    assert (described["probability"], described["likelihood"]) == (0.9, None)


# the ledger as it is shown


def entry(word: str, lr: float, *, present: bool = True, published: Published | None = None) -> Entry:
    weight = math.log(lr)
    order = (-abs(weight), word)
    return Entry(word, present, lr, 0.5, 0.25, frequency(0.5), published, weight, order, counted=0.5)


def printed(lr_present: float | None, lr_absent: float | None = None, differs: str | None = None) -> Published:
    return Published("word", "A", "verified", ("trial",), lr_present=lr_present, lr_absent=lr_absent, differs=differs)


def test_the_ledger_has_two_sides_and_keeps_the_order_of_the_weights(knowledge: Knowledge) -> None:
    entries = (entry("a", 9.0), entry("b", 0.2), entry("c", 2.0), entry("d", 0.5))
    shown = differential.describe(replace(at(0.5), entries=entries), True, [], knowledge)
    assert [line["word"] for line in shown["for"]] == ["a", "c"]
    assert [line["word"] for line in shown["against"]] == ["b", "d"]


def test_lines_that_hardly_move_the_odds_are_counted_together(knowledge: Knowledge) -> None:
    """At half weight a ratio of 1.21 moves the odds by 1.1, 1.2 by 1.095 and 0.9 by 0.949."""
    entries = (entry("strong", 1.2101), entry("weak", 1.2), entry("also_weak", 0.9), entry("nothing", 1.0))
    shown = differential.describe(replace(at(0.5), entries=entries), True, [], knowledge)
    assert [line["word"] for line in shown["for"]] == ["strong"]
    assert shown["against"] == []
    assert shown["slight"] == {"lines": 3, "lr": round(math.sqrt(1.2 * 0.9), 3)}
    assert differential.describe(at(0.5), True, [], knowledge)["slight"] == {"lines": 0, "lr": 1.0}


def test_a_line_of_the_background_leans_as_its_printed_ratio_says(knowledge: Knowledge) -> None:
    entries = (
        entry("for", 1.0, published=printed(1.5)),
        entry("against", 1.0, published=printed(0.5)),
        entry("for_when_absent", 1.0, present=False, published=printed(0.5, 3.0)),
        entry("neither", 1.0),
        entry("not_printed", 1.0, present=False, published=printed(4.0)),
    )
    shown = differential.describe(replace(at(0.5), entries=entries), True, [], knowledge)
    assert [line["word"] for line in shown["for"]] == ["for", "for_when_absent"]
    assert [line["word"] for line in shown["against"]] == ["against"]


def test_a_line_shows_ratio_share_grade_and_sources(knowledge: Knowledge) -> None:
    line = entry("fever", 2.34567, published=printed(5.0, differs="other people"))
    shown = differential.describe(replace(at(0.5), entries=(line,)), True, [], knowledge)
    assert shown["for"] == [
        {
            "word": "fever",
            "state": "present",
            "frequency": 0.5,
            "background": 0.25,
            "lr": 2.346,
            "counted": 0.5,
            "published_lr": 5.0,
            "published_references": ["trial"],
            "differs": "other people",
            "grade": "B",
            "evidence_status": "verified",
            "references": ["paper"],
        }
    ]


def test_what_was_not_printed_for_that_answer_is_not_shown_as_published(knowledge: Knowledge) -> None:
    line = entry("fever", 0.5, present=False, published=printed(5.0, differs="other people"))
    (shown,) = differential.describe(replace(at(0.5), entries=(line,)), True, [], knowledge)["against"]
    assert (shown["state"], shown["published_lr"], shown["published_references"], shown["differs"]) == (
        "absent",
        None,
        [],
        None,
    )


def test_a_line_of_a_composite_has_the_status_of_the_published_row(knowledge: Knowledge, adult: Presentation) -> None:
    published = replace(konno(), evidence_status="part_verified", grade="C", references=("konno",))
    small = knowing(knowledge, *stenosis(published))
    item = next(found for found in differential.rank({(KONNO, True)}, adult, small) if found.condition.id == "other")
    (line,) = differential.describe(item, True, [], small)["for"]
    assert (line["evidence_status"], line["grade"], line["references"]) == ("part_verified", "C", ["konno"])
    assert (line["frequency"], line["background"], line["published_lr"], line["lr"]) == (None, None, 3.3, 3.3)


def test_the_described_condition_carries_rounded_numbers_and_its_codes(knowledge: Knowledge) -> None:
    codes = Codes(icd10cm=Code("M54.50", "Low back pain"), snomed=Code("279039007", "Low back pain"))
    item = Ranked(replace(illness("other", 1, {}), codes=codes), 0.00123456, 0.123456, ())
    shown = differential.describe(item, True, [], knowledge)
    assert (shown["probability"], shown["prior"]) == (0.1235, 0.001235)
    assert (shown["icd10cm"], shown["snomed"]) == ("M54.50", "279039007")
    without = replace(item, condition=replace(item.condition, codes=Codes(icd10cm=Code("M54.50", "Low back pain"))))
    assert differential.describe(without, True, [], knowledge)["snomed"] is None
    uncoded = replace(item, condition=replace(item.condition, codes=None))
    shown = differential.describe(uncoded, True, [], knowledge)
    assert (shown["icd10cm"], shown["snomed"], shown["serious"]) == (None, None, False)


def test_readings_of_the_root_level_stand_only_with_a_condition_that_has_one(knowledge: Knowledge) -> None:
    item = at(0.5)
    with_level = replace(item, condition=replace(item.condition, root_level=True))
    assert differential.describe(with_level, True, ["L5", "S1"], knowledge)["root_level"] == "L5, S1"
    assert differential.describe(with_level, True, [], knowledge)["root_level"] is None
    assert differential.describe(item, True, ["L5"], knowledge)["root_level"] is None


# textbook presentations

CLAUDICATION = (
    "intermittent_claudication",
    "standing_alone_triggers_leg_symptoms",
    "leg_symptoms_on_walking_or_standing",
    "relief_leaning_forward",
    "relief_with_sitting_or_flexion",
    "bilateral_leg_symptoms",
    "leg_pain_worse_than_back_pain",
)

TEXTBOOK: list[tuple[str, Request]] = [
    ("lumbar_strain", calm("onset_after_lifting", "pain_worse_with_movement")),
    (
        "disc_herniation",
        calm("pain_below_knee", "dermatomal_pain_distribution", "straight_leg_raise_positive", days=21),
    ),
    ("spinal_stenosis", person("neurogenic_claudication", "relief_leaning_forward", age=72)),
    # the same disease asked about in full: the scores are complete and take the place of their items
    ("spinal_stenosis", calm(*CLAUDICATION, age=72, days=300, observations={"ankle_brachial_index": 1.1})),
    ("nephrolithiasis", calm("flank_pain_colicky", "haematuria", "pain_radiating_to_groin", setting="emergency")),
    (
        "cauda_equina_syndrome",
        person(
            "saddle_anaesthesia", "urinary_retention", "bilateral_sciatica", "reduced_anal_tone", setting="emergency"
        ),
    ),
    (
        "spinal_epidural_abscess",
        person("fever", "iv_drug_use", "spinal_percussion_tenderness", "limb_weakness_any", setting="emergency"),
    ),
]


@pytest.mark.parametrize(
    ("condition", "request_"), TEXTBOOK, ids=[f"{name} {place}" for place, (name, _) in enumerate(TEXTBOOK)]
)
def test_a_textbook_presentation_puts_its_condition_first(
    knowledge: Knowledge, engine: Engine, condition: str, request_: Request
) -> None:
    presentation = seen(request_, knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    ranked = differential.rank(evidence, presentation, knowledge)
    assert ranked[0].condition.id == condition, [(item.condition.id, item.probability) for item in ranked[:3]]


def test_no_better_after_a_month_counts_for_a_half_beside_the_duration(knowledge: Knowledge, engine: Engine) -> None:
    """It holds only where the pain has lasted, so the two are in part one fact."""
    request = calm(absent=["pain_improving"], days=400)
    presentation = seen(request, knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    (item,) = (
        found for found in differential.rank(evidence, presentation, knowledge) if found.condition.id == "fibromyalgia"
    )
    counted = {line.word: line.counted for line in item.entries if "course" in knowledge.groups_of(line.word)}
    assert sorted(counted.values()) == [0.5, 1.0]
    assert "failure_to_improve_1_month" in counted


def test_another_band_of_what_a_score_counts_is_never_counted_beside_it(knowledge: Knowledge, engine: Engine) -> None:
    """The fracture count has an item for 70 and over; that someone is over 75 as well says no more than the count."""
    answer = assess(calm("falls_past_year", age=82, patient={"sex": "female"}), knowledge, engine)
    (fracture,) = [entry for entry in answer["differential"] if entry["condition"] == "vertebral_fracture"]
    words = {line["word"] for line in fracture["for"]}
    assert ("henschke_count:two_opens_imaging" in words) != ("age_over_75" in words)
