"""The knowledge as one value: what the small knowledge base says, worked out by hand."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import rules
from rules.engine import Engine
from rules.knowledge import CONCERNS, Conclusion, Knowledge, trial_words
from rules.words import Trial, Words
from tests.support import edited, without, write_knowledge

DERIVED, SCORES = "vocabulary/derived.yaml", "vocabulary/scores.yaml"
INFECTION, FLAG = "conditions/spinal_infection.yaml", "red_flags/suspected_infection.yaml"


def literals(*each: str) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(one.split()) for one in each)


def test_the_rulesets_are_these_and_patterns_come_first(small_knowledge: Knowledge) -> None:
    assert CONCERNS == ("patterns", "evidence", "urgency", "treatment", "safety", "together")
    assert tuple(small_knowledge.rules) == CONCERNS


@pytest.mark.parametrize(
    ("concern", "expected"),
    [
        ("patterns", {"fever chills": [("pattern", "sick_pattern", 0)]}),
        (
            "evidence",
            {
                "fever": [("present", "fever", 0)],
                "absent:fever": [("absent", "fever", 0)],
                "stiffness": [("present", "stiffness", 0)],
                "absent:stiffness": [("absent", "stiffness", 0)],
                "older": [("present", "older", 0)],
                "absent:older": [("absent", "older", 0)],
                "ward_score:high": [("present", "ward_score:high", 0)],
                "absent:ward_score:high": [("absent", "ward_score:high", 0)],
            },
        ),
        (
            "urgency",
            {
                "fever pain_worsening free:recent_vaccine": [("red_flag", "suspected_infection", 0)],
                "rigors saddle_numbness": [("red_flag", "suspected_infection", 0)],
                "rigors older": [("red_flag", "suspected_infection", 0)],
                "saddle_numbness older": [("red_flag", "suspected_infection", 0)],
                "unknown:F-01 infection_signs": [("red_flag", "suspected_infection", 0)],
            },
        ),
        (
            "treatment",
            {
                "condition:plain_strain failed:tablets_any": [("offer", "ibuprofen_tablets", 0)],
                "condition:plain_strain": [
                    ("offer", "ibuprofen_tablets", 1),
                    ("do_not", "N01", 0),
                    ("education", "E20", 0),
                    ("follow_up", "E70", 0),
                ],
                "fever condition:spinal_infection": [("work_up", "spinal_infection", 0)],
            },
        ),
        (
            "safety",
            {
                "medication_class:anticoagulant": [("safety", "X001", 0)],
                "allergy_class:nsaid": [("safety", "X002", 0)],
                "tried:ibuprofen_tablets older": [("safety", "X002", 0)],
            },
        ),
    ],
)
def test_every_antecedent_knows_what_follows_from_it(
    small_knowledge: Knowledge, concern: str, expected: dict[str, list[tuple[str, str, int]]]
) -> None:
    found = small_knowledge.rules[concern]
    assert found == {frozenset(key.split()): tuple(Conclusion(*one) for one in ends) for key, ends in expected.items()}


def test_an_antecedent_that_says_nothing_new_for_its_rule_is_left_out(tmp_path: Path) -> None:
    more = "  - [fever, chills, stiffness]\n  - [fever, chills]"
    changes = edited(("patterns/sick_pattern.yaml", "  - [fever, chills]", more))
    assert [*rules.load(write_knowledge(tmp_path, **changes)).rules["patterns"]] == [frozenset({"fever", "chills"})]


def test_the_engine_takes_the_rules_and_their_firings_lead_back_to_the_files(small_knowledge: Knowledge) -> None:
    fired = Engine(small_knowledge.rules).fire("treatment", {"condition:plain_strain", "failed:tablets_any"})
    assert small_knowledge.conclude("treatment", fired) == {
        Conclusion("offer", "ibuprofen_tablets", 1): [frozenset({"condition:plain_strain"})],
        Conclusion("do_not", "N01"): [frozenset({"condition:plain_strain"})],
        Conclusion("education", "E20"): [frozenset({"condition:plain_strain"})],
        Conclusion("follow_up", "E70"): [frozenset({"condition:plain_strain"})],
        Conclusion("offer", "ibuprofen_tablets", 0): [frozenset({"condition:plain_strain", "failed:tablets_any"})],
    }


def test_conclusions_come_in_one_order_whatever_the_order_of_the_firings(small_knowledge: Knowledge) -> None:
    fired = [*literals("rigors saddle_numbness", "rigors older", "saddle_numbness older")]
    one, two = (small_knowledge.conclude("urgency", each) for each in (fired, reversed(fired)))
    assert one == two
    assert [*one.values()] == [
        [
            frozenset({"older", "rigors"}),
            frozenset({"older", "saddle_numbness"}),
            frozenset({"rigors", "saddle_numbness"}),
        ]
    ]


def test_only_excluded_words_need_to_be_known_as_free(small_knowledge: Knowledge) -> None:
    assert small_knowledge.exclusions == {"recent_vaccine": frozenset()}


def test_an_excluded_word_comes_with_what_it_is_made_of(tmp_path: Path) -> None:
    changes = edited((FLAG, "{unless: recent_vaccine}]", "{unless: recent_vaccine}, {unless: cauda_signs}]"))
    parts = {"saddle_numbness", "bladder_change", "urinary_retention", "older"}
    knowledge = rules.load(write_knowledge(tmp_path, **changes))
    assert knowledge.exclusions == {"recent_vaccine": set(), "cauda_signs": parts}


def test_the_fields_that_hold_a_value_are_those_of_the_request_and_every_observation(
    small_knowledge: Knowledge,
) -> None:
    observations = {"observations.temperature_c", "observations.pulse", "observations.alertness"}
    assert small_knowledge.paths == {*small_knowledge.fields} | observations
    assert {"patient.age_years", "setting", "treatments_tried.weeks"} <= small_knowledge.paths


def test_frequencies_are_drawn_into_the_clip(tmp_path: Path) -> None:
    changes = edited(
        (INFECTION, "  stiffness: {f: 0.6", "  stiffness: {f: 1"),
        (INFECTION, "fever: {f: 0.4, range: [0.3, 0.5]", "fever: {f: 0"),
        (INFECTION, "lr_present: 20", "lr_present: 0.5"),
    )
    found = rules.load(write_knowledge(tmp_path, **changes)).likelihoods  # the clip of the policy is 0.01 to 0.9
    assert found == {
        "plain_strain": {"fever": 0.02, "stiffness": 0.5, "older": 0.2},
        "spinal_infection": {"stiffness": 0.9, "fever": 0.01},
    }


def test_a_condition_without_a_prior_is_neither_ranked_nor_evidence(tmp_path: Path) -> None:
    knowledge = rules.load(write_knowledge(tmp_path, **without(INFECTION, "priors:", "frequencies:")))
    assert [*knowledge.ranked] == [*knowledge.likelihoods] == ["plain_strain"]
    assert knowledge.evidence_words == {"fever", "stiffness", "older"}
    assert [*knowledge.conditions] == ["plain_strain", "spinal_infection"]


def test_a_safety_rule_is_about_its_own_treatments_or_those_of_its_file(tmp_path: Path) -> None:
    other = "id: rest\nrow: T02\nlabel: Rest\nrung: 0\nconditions: []\n"
    own = ("safety/anti_inflammatory.yaml", "    treatments: [ibuprofen_tablets]", "    treatments: [rest]")
    knowledge = rules.load(write_knowledge(tmp_path, **{"treatments/rest.yaml": other}, **edited(own)))
    targets = {name: treatments for name, (_, treatments) in knowledge.safety_rules.items()}
    assert targets == {"X001": ("ibuprofen_tablets",), "X002": ("rest",)}
    assert [knowledge.has_safety(treatment) for treatment in knowledge.treatments.values()] == [True, True]


def test_a_treatment_that_no_safety_rule_is_about_has_no_safety(tmp_path: Path) -> None:
    other = "id: rest\nrow: T02\nlabel: Rest\nrung: 0\nconditions: []\n"
    knowledge = rules.load(write_knowledge(tmp_path, **{"treatments/rest.yaml": other}))
    found = {name: knowledge.has_safety(treatment) for name, treatment in knowledge.treatments.items()}
    assert found == {"ibuprofen_tablets": True, "rest": False}


# --- words


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("stiffness", set()),
        ("fever", {"temperature_raised", "temperature_normal"}),
        ("chills", {"rigors"}),
        ("infection_signs", {"fever", "chills", "rigors", "temperature_raised", "temperature_normal"}),
        ("cauda_signs", {"saddle_numbness", "bladder_change", "urinary_retention", "older"}),
        ("ward_score:high", {"fever", "stiffness", "temperature_raised", "temperature_normal"}),
        ("very_sick", {"ward_score", "fever", "stiffness", "temperature_raised", "temperature_normal"}),
        ("thin_blood", set()),
        ("looks_sick", set()),
        ("medication:warfarin", set()),
    ],
)
def test_the_parts_of_a_word_are_all_that_it_is_made_of(small_knowledge: Knowledge, word: str, parts: set[str]) -> None:
    assert small_knowledge.parts(word) == parts


def test_a_band_of_one_quantity_knows_which(tmp_path: Path) -> None:
    more = """\
old_but_not_very: {all: [older, younger_than_80]}
younger_than_80: {from: patient.age_years, below: 80}
old_and_long: {all: [older, long_episode]}
older_or_younger: {any: [older, younger_than_80]}
older_if_long: {from: patient.age_years, at_least: 70, applies_if: long_episode}
older_and_stiff: {all: [older, stiffness]}
cooling: {difference: [observations.temperature_c, observations.pulse], below: 0}
"""
    changes = edited((DERIVED, "infection_signs:", f"{more}infection_signs:"))
    assert rules.load(write_knowledge(tmp_path, **changes)).quantities == {
        "temperature_raised": "observations.temperature_c",
        "temperature_normal": "observations.temperature_c",
        "older": "patient.age_years",
        "long_episode": "episode.duration_days",
        "younger_than_80": "patient.age_years",
        "old_but_not_very": "patient.age_years",
    }


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """The small knowledge base with words and a score that switch others off."""
    changes = edited(
        (DERIVED, "{any: [fever, chills]}", "{any: [fever, chills], switches_off: [age, stiffness]}"),
        (SCORES, "  range:", "  switches_off: [infection, chills]\n  group: infection\n  range:"),
        ("vocabulary/findings.yaml", "  group: infection\n", "  group: infection\n  groups_also: [age]\n"),
        ("vocabulary/groups.yaml", "age:", "nobody: {source: empty}\nage:"),
    )
    return rules.load(write_knowledge(tmp_path_factory.mktemp("grouped"), **changes))


@pytest.mark.parametrize(
    ("word", "off"),
    [
        ("infection_signs", {"older", "fever", "stiffness"}),
        ("ward_score", {"fever", "rigors", "chills"}),
        ("ward_score:high", {"fever", "rigors", "chills"}),
        ("very_sick", set()),
        ("fever", set()),
        ("nowhere", set()),
    ],
)
def test_a_composite_switches_off_the_words_and_groups_that_it_names(
    grouped: Knowledge, word: str, off: set[str]
) -> None:
    assert grouped.switched_off(word) == off


@pytest.mark.parametrize(
    ("word", "groups"),
    [
        ("fever", ("infection", "age")),
        ("rigors", ("infection",)),
        ("chills", ()),
        ("older", ("age",)),
        ("infection_signs", ()),
        ("ward_score:high", ("infection",)),
        ("looks_sick", ()),
    ],
)
def test_a_word_may_belong_to_several_correlated_groups(grouped: Knowledge, word: str, groups: tuple[str, ...]) -> None:
    assert grouped.groups_of(word) == groups


def test_a_correlated_group_knows_its_words(grouped: Knowledge) -> None:
    assert grouped.group_members == {
        "infection": {"fever", "rigors"},
        "age": {"fever", "older"},
        "nobody": set(),
    }


# --- urgency


def rule(name: str, line: str, then: str, example: str) -> dict[str, str]:
    """A file with one more urgency rule."""
    text = f"""\
id: {name}
row: E-02
title: A rule
review: draft
evidence_status: verified
references: [paper]
when:
  - {line}
then: {then}
within: Now
disposition: Hospital
actions: [Go]
because: It matters.
examples:
  fires: [{example}]
  silent: [{{fever: absent}}]
"""
    return {f"red_flags/{name}.yaml": text}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """The small knowledge base with a second, higher rule and a rule that only gives a notice."""
    lost = "{saddle_numbness: present, urinary_retention: present, patient.age_years: 70}"
    files = {
        **rule("lost_bladder", "[cauda_signs, {unless: stiffness}]", "{urgency: emergency}", lost),
        **rule("film_is_normal", "[recent_vaccine]", "{notice: no_downgrade}", "{recent_vaccine: present}"),
    }
    return rules.load(write_knowledge(tmp_path_factory.mktemp("graded"), **files))


def test_urgency_rules_come_with_their_level_the_strongest_first(graded: Knowledge) -> None:
    found = graded.urgency_antecedents
    assert found[0] == (frozenset({"cauda_signs", "free:stiffness"}), "emergency", "lost_bladder")
    assert [level for _, level, _ in found] == ["emergency"] + ["urgent_same_day"] * 5
    assert [sorted(antecedent) for antecedent, _, _ in found[1:]] == sorted(sorted(each) for each, _, _ in found[1:])
    assert "film_is_normal" not in {rule for _, _, rule in found}


@pytest.mark.parametrize(
    ("finding", "levels"),
    [
        ("fever", {"urgent_same_day"}),
        ("rigors", {"urgent_same_day"}),
        ("urinary_retention", {"emergency"}),
        ("saddle_numbness", {"emergency", "urgent_same_day"}),
        # only excluded, or only read by a notice
        ("stiffness", set()),
        ("recent_vaccine", set()),
    ],
)
def test_a_finding_knows_the_urgency_rules_that_read_it(graded: Knowledge, finding: str, levels: set[str]) -> None:
    assert {graded.urgency_antecedents[place][1] for place in graded.urgency_readers[finding]} == levels


def test_a_must_ask_reaches_the_highest_level_of_any_rule_that_reads_one_of_its_findings(
    small_knowledge: Knowledge, graded: Knowledge
) -> None:
    assert graded.reach == {"F-01": "emergency", "F-02": "emergency"}
    # nothing reads the bladder in the small knowledge base, so that item cannot raise a level
    assert small_knowledge.reach == {"F-01": "self_care", "F-02": "urgent_same_day"}


@pytest.mark.parametrize(
    ("unknown", "state", "items"),
    [
        ([], {}, set()),
        (["bladder_change"], {}, {"unknown:F-01"}),
        (["bladder_change", "urinary_retention"], {"fever": True}, {"unknown:F-01"}),
        (["bladder_change"], {"urinary_retention": False}, {"unknown:F-01"}),
        # one that is present does not take another back that could not be answered
        (["bladder_change"], {"urinary_retention": True}, {"unknown:F-01"}),
        # denied by something else; made present by something else it stays open
        (["bladder_change"], {"bladder_change": False}, set()),
        (["bladder_change"], {"bladder_change": True}, {"unknown:F-01"}),
        # F-02 concerns older people only
        (["saddle_numbness"], {"older": True}, {"unknown:F-02"}),
        (["saddle_numbness"], {"older": False}, set()),
        (["saddle_numbness", "bladder_change"], {"older": True}, {"unknown:F-01", "unknown:F-02"}),
        (["fever"], {"older": True}, set()),
    ],
)
def test_a_must_ask_was_asked_in_vain_when_it_applies_and_a_finding_could_not_be_answered(
    small_knowledge: Knowledge, unknown: list[str], state: dict[str, bool], items: set[str]
) -> None:
    assert small_knowledge.asked_in_vain(unknown, Words(state, {}, ())) == items


# --- drugs and trials


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([], ""),
        (["ibuprofen"], "ibuprofen nsaid"),
        (["warfarin"], "warfarin coumarin anticoagulant"),
        (["coumarin"], "coumarin anticoagulant"),
        (["warfarin", "ibuprofen", "warfarin"], "warfarin coumarin anticoagulant ibuprofen nsaid"),
        (["latex"], "latex"),
        (["unheard_of"], ""),
    ],
)
def test_a_drug_brings_its_classes_and_theirs(small_knowledge: Knowledge, ids: list[str], found: str) -> None:
    for kind in ("medication", "allergy"):
        expected = {f"{prefix}:{name}" for name in found.split() for prefix in (kind, f"{kind}_class")}
        assert small_knowledge.listed(kind, ids) == expected


def test_classes_that_hold_one_another_are_listed_once(tmp_path: Path) -> None:
    changes = edited(
        (
            "vocabulary/medications.yaml",
            "kind: class, classes: []}\ncoumarin",
            "kind: class, classes: [warfarin]}\ncoumarin",
        )
    )
    knowledge = rules.load(write_knowledge(tmp_path, **changes))
    assert len(knowledge.listed("medication", ["warfarin"])) == 6


def test_a_treatment_that_was_tried_counts_for_the_groups_that_cover_it(small_knowledge: Knowledge) -> None:
    trial = small_knowledge.trial("ibuprofen_tablets", 3, "partial")
    assert trial == Trial(frozenset({"ibuprofen_tablets", "tablets_any"}), 3, "partial", "ibuprofen_tablets")
    group = small_knowledge.trial("tablets_any", None, None)
    assert group == Trial(frozenset({"tablets_any"}), None, None, "tablets_any")


@pytest.mark.parametrize(
    ("treatment", "weeks", "adequate"),
    [
        ("ibuprofen_oral", 0.4, False),  # rung 1: 3 days
        ("ibuprofen_oral", 0.43, True),
        ("exercise_programme", 5.9, False),  # rung 2: 6 weeks
        ("exercise_programme", 6, True),
        ("exercise_programme", None, True),
        ("duloxetine_oral", 7, False),  # its own figure, not that of rung 3
        ("duloxetine_oral", 8, True),
        ("exercise_any", 0.9, False),  # a group: the shortest of its members
        ("exercise_any", 1, True),
    ],
)
def test_a_trial_that_is_known_to_be_too_short_has_not_failed(
    knowledge: Knowledge, treatment: str, weeks: float | None, adequate: bool
) -> None:
    trial = knowledge.trial(treatment, weeks, "none")
    assert trial.adequate is adequate
    assert (f"failed:{treatment}" in trial_words([trial])) is adequate
    assert f"tried:{treatment}" in trial_words([trial])


@pytest.mark.parametrize(("response", "failed"), [("none", True), ("partial", True), ("good", False), (None, False)])
def test_a_trial_failed_when_it_gave_no_or_only_partial_relief(response: str | None, failed: bool) -> None:
    words = trial_words([Trial(frozenset({"a", "b"}), 1, response), Trial(frozenset({"c"}), None, "good")])
    assert words == {"tried:a", "tried:b", "tried:c"} | ({"failed:a", "failed:b"} if failed else set())


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ({}, set()),
        ({"medications": []}, {"medication"}),
        ({"allergies": []}, {"allergy"}),
        ({"trials": []}, {"treatments_tried"}),
        ({"medications": [], "allergies": [], "trials": []}, {"medication", "allergy", "treatments_tried"}),
    ],
)
def test_a_list_that_was_not_sent_was_not_asked(
    small_knowledge: Knowledge, sent: dict[str, Any], asked: set[str]
) -> None:
    facts = small_knowledge.facts({"fever": True}, {"patient.age_years": 40}, **sent)
    assert facts.asked == asked
    assert not facts.listed and not facts.trials
    assert (facts.answers, facts.values) == ({"fever": True}, {"patient.age_years": 40})


def test_facts_hold_what_was_listed_of_either_kind(small_knowledge: Knowledge) -> None:
    trial = Trial(frozenset({"tablets_any"}), 2, "none")
    facts = small_knowledge.facts({}, {}, medications=["nsaid"], allergies=["latex"], trials=[trial])
    assert facts.listed == {"medication:nsaid", "medication_class:nsaid", "allergy:latex", "allergy_class:latex"}
    assert facts.trials == (trial,)


def test_the_knowledge_cannot_be_changed(small_knowledge: Knowledge) -> None:
    with pytest.raises(AttributeError):
        small_knowledge.sha256 = "other"  # type: ignore[misc]


def test_a_request_is_read_by_the_words_of_the_knowledge(small_knowledge: Knowledge) -> None:
    schema, patient = small_knowledge.request_schema, {"age_years": 40}
    tried = [{"treatment": name} for name in ("tablets_any", "ibuprofen_tablets")]
    right = {"patient": patient, "findings": {"rigors": "present"}, "observations": {"pulse": 80}}
    assert schema.validate({**right, "treatments_tried": tried, "screening": {"F-02": "absent"}}) == {}
    for part in (
        {"findings": {"older": "present"}},
        {"observations": {"pulse": 251}},
        {"screening": {"F-03": "absent"}},
    ):
        assert set(schema.validate({"patient": patient, **part})) == set(part)
    assert set(schema.validate({"patient": patient, "treatments_tried": [{"treatment": "rest"}]})) == {
        "treatments_tried"
    }


def test_warm_knowledge_has_nothing_left_to_work_out(tmp_path: Path) -> None:
    knowledge = rules.load(write_knowledge(tmp_path))
    knowledge.warm()
    kept = {name for name, each in vars(type(knowledge)).items() if isinstance(each, cached_property)}
    assert len(kept) > 15
    assert kept <= vars(knowledge).keys()
