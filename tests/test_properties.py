"""Laws that must hold for every person, tried on people drawn at random from the real vocabulary."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import differential
from service.assess import assess
from service.differential import Ranked
from service.findings import answered
from service.urgency import Urgency
from tests.people import ALL_DENIED, RANKS, Request, calm, fire, person, seen, triaged
from tests.presentations import shuffled

QUICK = settings(deadline=None, derandomize=True, max_examples=25)
SLOW = settings(deadline=None, derandomize=True, max_examples=8)

NORMAL_VITALS: Mapping[str, float | str] = {
    "temperature_c": 36.8,
    "heart_rate_per_min": 72,
    "respiratory_rate_per_min": 14,
    "systolic_bp_mmhg": 125,
    "spo2_percent": 98,
    "consciousness": "alert",
}
ABNORMAL_VITALS: Sequence[tuple[str, float | str]] = (
    ("temperature_c", 39.5),
    ("temperature_c", 34.8),
    ("heart_rate_per_min", 131),
    ("heart_rate_per_min", 40),
    ("respiratory_rate_per_min", 25),
    ("respiratory_rate_per_min", 8),
    ("systolic_bp_mmhg", 90),
    ("systolic_bp_mmhg", 225),
    ("spo2_percent", 91),
    ("consciousness", "new_confusion"),
    ("consciousness", "unresponsive"),
)
NORMAL_TESTS: Sequence[tuple[str, float | str]] = (
    *NORMAL_VITALS.items(),
    ("crp_mg_l", 2),
    ("esr_mm_h", 5),
    ("white_cells_10e9_l", 7),
    ("post_void_residual_ml", 0),
    ("urine_blood", "negative"),
    ("leg_power_min_mrc", 5),
)

People = st.SearchStrategy[Request]


@pytest.fixture(scope="session")
def people(knowledge: Knowledge) -> People:
    """Requests with any findings, ages, courses, normal vital signs and must-asks answered in one stroke."""
    said = st.dictionaries(
        st.sampled_from(sorted(knowledge.findings)), st.sampled_from(["present", "absent"]), max_size=9
    )
    return st.builds(
        _person,
        age=st.sampled_from([18, 30, 44, 49, 50, 59, 60, 64, 65, 72, 90]),
        sex=st.sampled_from([None, "female", "male"]),
        days=st.sampled_from([None, 0.2, 1, 5, 13, 14, 28, 41, 42, 60, 100, 400, 4000]),
        findings=said,
        screened=st.sets(st.sampled_from(sorted(ALL_DENIED))) | st.just(set(ALL_DENIED)),
        measured=st.sets(st.sampled_from(sorted(NORMAL_VITALS))),
    )


def _person(
    age: float, sex: str | None, days: float | None, findings: dict[str, str], screened: set[str], measured: set[str]
) -> Request:
    return {
        "patient": {"age_years": age} | ({"sex": sex} if sex else {}),
        "episode": {"duration_days": days} if days is not None else {},
        "findings": findings,
        "screening": dict.fromkeys(sorted(screened), "absent"),
        "observations": {name: NORMAL_VITALS[name] for name in sorted(measured)},
    }


def saying(request: Request, **answers: str) -> Request:
    return {**request, "findings": {**request["findings"], **answers}}


def not_asking(request: Request, finding: str, knowledge: Knowledge) -> Request:
    """The same request without a finding, neither answered by itself nor through a must-ask."""
    screened = request["screening"].items()
    return {
        **request,
        "findings": {word: said for word, said in request["findings"].items() if word != finding},
        "screening": {item: said for item, said in screened if finding not in knowledge.must_ask[item].findings},
    }


def measuring(request: Request, name: str, value: float | str) -> Request:
    return {**request, "observations": {**request["observations"], name: value}}


def strongest(urgency: Urgency) -> int:
    """The level of the strongest rule that fired, 0 for none."""
    return max((RANKS[flag.urgency or ""] for flag in urgency.fired), default=0)


def never_lower(before: Urgency, after: Urgency) -> bool:
    """Whether a level stayed or rose.

    One fall is no fall: without any rule a must-ask that is answered may make the provisional default final.
    """
    if strongest(after) < strongest(before):
        return False
    settled = before.default is not None and after.default is not None and before.provisional
    return settled or RANKS[after.level] >= RANKS[before.level]


# urgency


def words_below(word: str, knowledge: Knowledge) -> frozenset[str]:
    """A word of a rule and the findings that it is made of."""
    return frozenset({word} | knowledge.parts(word)) & knowledge.findings.keys()


def denied_below(word: str, knowledge: Knowledge) -> set[str]:
    """Findings whose absence makes a derived word hold."""
    derived = [knowledge.derived[part] for part in {word} | knowledge.parts(word) if part in knowledge.derived]
    return {
        finding
        for entry in derived
        for term in entry.members
        if not term.present
        for finding in words_below(term.word, knowledge)
    }


@pytest.fixture(scope="session")
def read(knowledge: Knowledge) -> dict[str, frozenset[str]]:
    """Findings by how urgency rules read them: as a danger, as a danger when denied, or as an exclusion."""
    found: dict[str, set[str]] = {"present": set(), "denied": set(), "unless": set()}
    for antecedent, _, _ in knowledge.urgency_antecedents:
        for literal in antecedent:
            if literal.startswith("free:"):
                found["unless"] |= words_below(literal.removeprefix("free:"), knowledge)
            else:
                found["present"] |= words_below(literal, knowledge)
                found["denied"] |= denied_below(literal, knowledge)
    return {kind: frozenset(words) for kind, words in found.items()}


@pytest.fixture(scope="session")
def red_flags(read: Mapping[str, frozenset[str]]) -> list[str]:
    """Findings that urgency rules read as present, that none names under `unless`, and that are no sign when denied."""
    return sorted(read["present"] - read["unless"] - read["denied"])


def test_the_red_flags_of_the_property_are_most_findings_that_urgency_reads(
    red_flags: list[str], read: Mapping[str, frozenset[str]]
) -> None:
    assert {"saddle_anaesthesia", "urinary_retention", "foot_drop", "iv_drug_use", "history_of_cancer"} <= set(
        red_flags
    )
    assert len(red_flags) > 0.75 * len(read["present"])
    assert {"pain_improving", "deficit_old_and_stable", "onset_insidious"} <= read["unless"]


@given(data=st.data())
@QUICK
def test_one_more_red_flag_never_lowers_the_level(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People, red_flags: list[str]
) -> None:
    """For every finding that a rule reads as present and that none names under `unless`."""
    request, flag = data.draw(people), data.draw(st.sampled_from(red_flags))
    before = triaged(request, knowledge, engine)
    assert never_lower(before, triaged(saying(request, **{flag: "present"}), knowledge, engine))


@pytest.mark.parametrize(
    ("unknown", "present"),
    [
        ("bilateral_sciatica", "bilateral_leg_symptoms"),
        ("sudden_severe_onset", "onset_sudden"),
    ],
)
def test_a_present_finding_does_not_take_back_the_level_of_a_question_that_cannot_be_answered(
    knowledge: Knowledge, engine: Engine, unknown: str, present: str
) -> None:
    """The worse question stays unanswered: same day, whatever milder finding of the same must-ask is present."""
    before = triaged(person(unknown=[unknown]), knowledge, engine)
    after = triaged(person(present, unknown=[unknown]), knowledge, engine)
    assert before.level == "urgent_same_day"
    assert RANKS[after.level] >= RANKS[before.level]


@given(data=st.data())
@QUICK
def test_an_abnormal_vital_sign_never_lowers_the_level(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    request, (name, value) = data.draw(people), data.draw(st.sampled_from(ABNORMAL_VITALS))
    before, after = (triaged(one, knowledge, engine) for one in (request, measuring(request, name, value)))
    assert never_lower(before, after)
    assert RANKS[after.level] >= RANKS["urgent_same_day"]


@given(data=st.data())
@QUICK
def test_a_normal_test_never_lowers_what_a_rule_has_set(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    """Only a must-ask that it answers may settle a level for which no rule fired."""
    request, (name, value) = data.draw(people), data.draw(st.sampled_from(NORMAL_TESTS))
    before = triaged(request, knowledge, engine)
    assert never_lower(before, triaged(measuring(request, name, value), knowledge, engine))


@given(data=st.data())
@QUICK
def test_answering_a_must_ask_never_leaves_it_open(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    request, item = data.draw(people), data.draw(st.sampled_from(sorted(ALL_DENIED)))
    asked = knowledge.must_ask[item].findings
    way = data.draw(st.sampled_from(["one present", "all absent", "one stroke"]))
    if way == "one present":
        request = saying(request, **{data.draw(st.sampled_from(asked)): "present"})
    elif way == "all absent":
        request = saying(request, **dict.fromkeys(asked, "absent"))
    else:
        others = {word: said for word, said in request["findings"].items() if word not in asked}
        request = {**request, "findings": others, "screening": {**request["screening"], item: "absent"}}
    assert answered(item, seen(request, knowledge, engine), knowledge)
    assert item not in triaged(request, knowledge, engine).open_items


@given(data=st.data())
@QUICK
def test_an_unasked_question_never_leaves_the_level_below_that_of_a_no(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People, read: Mapping[str, frozenset[str]]
) -> None:
    """But for what is a danger when it is denied: pain that does not improve."""
    assert read["denied"] == {"pain_improving"}
    request = data.draw(people)
    finding = data.draw(st.sampled_from(sorted(knowledge.findings.keys() - read["denied"])))
    silent = not_asking(request, finding, knowledge)
    unasked, denied = (triaged(one, knowledge, engine) for one in (silent, saying(silent, **{finding: "absent"})))
    assert strongest(unasked) >= strongest(denied)
    assert RANKS[unasked.level] >= RANKS[denied.level]


@given(data=st.data())
@QUICK
def test_a_provisional_level_has_open_items_and_a_final_one_has_none(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    found = triaged(data.draw(people), knowledge, engine)
    assert found.provisional is bool(found.open_items)
    assert len(found.open_items) == len(set(found.open_items))
    assert (found.level == "emergency") <= (not found.provisional)
    assert all(RANKS[str(flag.urgency)] > RANKS[found.level] and words for flag, words in found.would_change)


@given(data=st.data())
@QUICK
def test_each_finding_that_is_said_to_fire_a_higher_rule_fires_it(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    """Unless it also brings what the rule names under `unless`."""
    request = data.draw(people)
    found = triaged(request, knowledge, engine)
    assume(found.would_change)
    flag, words = data.draw(st.sampled_from(found.would_change))
    word = data.draw(st.sampled_from(words))
    assert request["findings"].get(word) not in ("present", "absent")
    after = triaged(saying(request, **{word: "present"}), knowledge, engine)
    assert flag.id in {fired.id for fired in after.fired}


# differential


def ranking(request: Request, knowledge: Knowledge, engine: Engine) -> tuple[Ranked, ...]:
    presentation = seen(request, knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    return differential.rank(evidence, presentation, knowledge)


@given(data=st.data())
@QUICK
def test_unknown_and_not_sent_are_the_same_to_the_posterior(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    request = {**data.draw(people), "screening": {}}
    unknown = data.draw(st.sets(st.sampled_from(sorted(knowledge.findings)), min_size=1, max_size=8))
    not_sent = {
        **request,
        "findings": {word: said for word, said in request["findings"].items() if word not in unknown},
    }
    asked = saying(not_sent, **dict.fromkeys(sorted(unknown), "unknown"))
    assert ranking(asked, knowledge, engine) == ranking(not_sent, knowledge, engine)


@given(data=st.data())
@QUICK
def test_the_posterior_is_a_distribution_and_the_background_has_no_evidence(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    ranked = ranking(data.draw(people), knowledge, engine)
    assert sum(item.probability for item in ranked) == pytest.approx(1)
    assert set(knowledge.ranked) - {item.condition.id for item in ranked} <= {"ectopic_pregnancy"}
    for item in ranked:
        assert 0 <= item.probability <= 1
        assert len({entry.word for entry in item.entries}) == len(item.entries)
        for entry in item.entries:
            assert entry.counted in {0.5**place for place in range(20)}
            assert item.condition.id != "lumbar_strain" or entry.lr == 1
        words = {entry.word for entry in item.entries}
        for entry in item.entries:  # a composite or its items, never both
            assert not words & (knowledge.parts(entry.word) | knowledge.switched_off(entry.word)) - {entry.word}
        quantities = [knowledge.quantities[word] for word in words if word in knowledge.quantities]
        assert len(quantities) == len(set(quantities))


@pytest.fixture(scope="session")
def standing_alone(knowledge: Knowledge) -> list[str]:
    """Findings with a frequency that are in no group, imply nothing and are part of no other word."""
    linked = {
        part for table in (knowledge.derived, knowledge.scores) for name in table for part in knowledge.parts(name)
    }
    for finding in knowledge.findings.values():
        linked.update((*finding.implied_by, *finding.absent_clears, *finding.contradicts))
    linked |= {word for condition in knowledge.ranked.values() for word in condition.composites}  # a printed ratio
    opening = {condition.priors.opens_with for condition in knowledge.ranked.values() if condition.priors}
    modifying = {row.word for c in knowledge.ranked.values() if c.priors for row in c.priors.modifiers}
    return sorted(
        name
        for name in knowledge.evidence_words & knowledge.findings.keys() - linked - opening - modifying
        if not (knowledge.groups_of(name) or knowledge.parts(name))
    )


@given(data=st.data())
@QUICK
def test_a_finding_that_stands_alone_moves_the_odds_of_two_conditions_by_the_ratio_of_its_frequencies(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People, standing_alone: list[str]
) -> None:
    """The exact law for a finding outside groups and composites: odds A to B are multiplied by f(A) / f(B).

    So one that is more frequent in A than in B never lowers A against B. Only what speaks against a serious condition
    escapes it, because the sum of that has a floor.
    """
    assert len(standing_alone) > 60
    finding = data.draw(st.sampled_from(standing_alone))
    request = data.draw(people)
    silent = not_asking(request, finding, knowledge)
    before, after = (
        {item.condition.id: item for item in ranking(one, knowledge, engine)}
        for one in (silent, saying(silent, **{finding: "present"}))
    )
    background = knowledge.likelihoods["lumbar_strain"][finding]

    def ratio(name: str) -> float:
        return knowledge.likelihoods[name].get(finding, background) / background

    lawful = [name for name in before if not knowledge.conditions[name].serious or ratio(name) >= 1]
    for first, second in itertools.pairwise(sorted(lawful, key=ratio)):
        odds = [step[second].probability / step[first].probability for step in (before, after)]
        assert odds[1] / odds[0] == pytest.approx(ratio(second) / ratio(first))
        assert odds[1] >= odds[0] * (1 - 1e-9)


@given(data=st.data())
@QUICK
def test_a_no_never_takes_a_serious_condition_off_the_list_that_a_red_flag_put_it_on(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People, read: Mapping[str, frozenset[str]]
) -> None:
    """But for pain that was denied to improve: that is a danger itself."""
    request = data.draw(people)
    flag = data.draw(st.sampled_from(sorted(read["present"])))
    finding = data.draw(st.sampled_from(sorted(knowledge.findings.keys() - {flag})))
    silent = saying(not_asking(request, finding, knowledge), **{flag: "present"})

    def flagged(one: Request) -> set[str]:
        suspects = triaged(one, knowledge, engine).suspects
        listed = differential.must_exclude(ranking(one, knowledge, engine), suspects, knowledge)
        return {row["condition"] for row in listed if row["because"] == "red_flag"}

    assert flagged(saying(silent, **{finding: "absent"})) >= flagged(silent)


# the whole answer


@given(data=st.data())
@SLOW
def test_the_order_of_the_keys_never_matters(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, people: People
) -> None:
    """Byte for byte the same answer; the order of a list of medicines does not matter either."""
    medicines = data.draw(st.permutations(["warfarin", "moonflower", "lisinopril", "ssri"]))
    request = {**data.draw(people), "medications": sorted(medicines), "allergies": []}
    other = shuffled({**request, "medications": medicines}, Random(data.draw(st.integers(0, 9))))
    first, second = (json.dumps(assess(one, knowledge, engine)) for one in (request, other))
    assert first == second


MEDICINES = (
    "warfarin",
    "doac",
    "aspirin",
    "clopidogrel",
    "ssri",
    "lisinopril",
    "furosemide",
    "lithium",
    "methotrexate",
    "prednisolone",
    "maoi",
    "opioid",
    "benzodiazepine",
    "ibuprofen",
    "naproxen",
    "acetaminophen",
    "statin",
    "ciprofloxacin",
)
ALLERGIES = ("ibuprofen", "aspirin", "naproxen", "sulfonamide", "lidocaine", "acetaminophen", "opioid", "fish")
ILLNESSES = (
    "heart_failure",
    "chronic_kidney_disease",
    "previous_peptic_ulcer_or_gi_bleed",
    "active_peptic_ulcer_or_gi_bleed",
    "chronic_liver_disease",
    "cirrhosis",
    "asthma",
    "nasal_polyps",
    "bleeding_disorder",
    "atherosclerotic_disease",
    "arrhythmia_or_conduction_disorder",
    "ibd_history",
    "uncontrolled_hypertension",
    "breastfeeding",
)


@pytest.fixture(scope="session")
def treated(knowledge: Knowledge) -> People:
    """People with a strain or a sciatica below an emergency, with medicines, allergies, illnesses and trials."""
    assert set(MEDICINES) <= knowledge.medications.keys()
    assert set(ALLERGIES) <= knowledge.medications.keys() | knowledge.allergens.keys()
    assert set(ILLNESSES) <= knowledge.findings.keys()
    return st.builds(
        _treated,
        findings=st.sampled_from(
            [
                ("onset_after_lifting", "pain_worse_with_movement", "pain_improving"),
                ("pain_below_knee", "unilateral_leg_symptoms", "straight_leg_raise_positive", "pain_improving"),
            ]
        ),
        illnesses=st.sets(st.sampled_from(ILLNESSES), max_size=2),
        denied=st.booleans(),
        age=st.sampled_from([30, 55, 70]),
        days=st.sampled_from([3, 50, 200]),
        medications=st.none() | st.lists(st.sampled_from(MEDICINES), unique=True, max_size=2),
        allergies=st.none() | st.lists(st.sampled_from(ALLERGIES), unique=True, max_size=1),
        tried=st.none() | st.sampled_from(["none", "good"]),
        egfr=st.sampled_from([None, 25, 45, 90]),
    )


def _treated(  # noqa: PLR0913
    *,
    findings: Sequence[str],
    illnesses: set[str],
    denied: bool,
    age: float,
    days: float,
    medications: list[str] | None,
    allergies: list[str] | None,
    tried: str | None,
    egfr: float | None,
) -> Request:
    parts: dict[str, Any] = {"observations": {"egfr_ml_min": egfr} if egfr else {}}
    if medications is not None:
        parts["medications"] = medications
    if allergies is not None:
        parts["allergies"] = allergies
    if tried is not None:
        parts["treatments_tried"] = [{"treatment": "ibuprofen_oral", "weeks": 3, "response": tried}]
    absent = sorted(set(ILLNESSES) - illnesses) if denied else ()
    return calm(*findings, *sorted(illnesses), absent=absent, age=age, days=days, **parts)


def on_rungs(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["treatment"]: entry for rung in answer["treatment_ladder"]["rungs"] for entry in rung["entries"]}


@given(data=st.data())
@SLOW
def test_one_more_medicine_allergy_or_illness_never_makes_an_excluded_entry_recommended(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, treated: People
) -> None:
    request = data.draw(treated)
    kind, name = data.draw(
        st.sampled_from(
            [
                *(("medications", name) for name in MEDICINES),
                *(("allergies", name) for name in ALLERGIES),
                *(("findings", name) for name in ILLNESSES),
            ]
        )
    )
    more = (
        saying(request, **{name: "present"})
        if kind == "findings"
        else {**request, kind: [*request.get(kind, ()), name]}
    )
    before, after = (assess(one, knowledge, engine) for one in (request, more))
    assume(before["treatment_ladder"]["conditions"] == after["treatment_ladder"]["conditions"])
    excluded = {name for name, entry in on_rungs(before).items() if entry["status"] == "excluded"}
    now = {name: entry["status"] for name, entry in on_rungs(after).items()}
    assert {name: now[name] for name in excluded & now.keys() if now[name] == "recommended"} == {}


@given(data=st.data())
@SLOW
def test_every_entry_has_a_reason_and_a_source_and_none_that_a_rule_excludes_is_proposed(
    data: st.DataObject, knowledge: Knowledge, engine: Engine, treated: People
) -> None:
    answer = assess(data.draw(treated), knowledge, engine)
    if answer["urgency"]["level"] == "emergency":
        assert answer["treatment_ladder"]["pathway"]
        return
    for name, entry in on_rungs(answer).items():
        assert entry["because"], name
        assert entry["references"], name
        actions = {rule["action"] for rule in entry["safety"]}
        assert ("exclude" in actions) <= (entry["status"] == "excluded"), name
        excluded, instead = entry["status"] == "excluded", bool(entry["alternatives"])
        assert (instead, bool(entry["no_alternative"])) == (excluded and instead, excluded and not instead), name
        assert set(entry["alternatives"]).isdisjoint(
            {other for other, found in on_rungs(answer).items() if found["status"] in ("excluded", "not_recommended")}
        ), name
        assert ("caution" in actions) <= (entry["status"] not in ("recommended", "consider")), name
        assert (entry["status"] == "not_yet") <= bool(entry["until"]), name
        assert (entry["dose"] is None) or entry["status"] in ("recommended", "consider", "caution"), name
        for rule in entry["safety"]:
            assert rule["references"], rule["rule"]
            assert rule["because"], rule["rule"]
    for drug_class in ("nsaid", "muscle_relaxant", "opioid"):
        first = [
            name
            for name, entry in on_rungs(answer).items()
            if entry["status"] == "recommended"
            and f"own:{drug_class}" in knowledge.listed("own", knowledge.treatments[name].drugs)
        ]
        assert len(first) <= 1
