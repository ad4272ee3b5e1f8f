"""The vocabulary language: three values, no guessing, and nothing that depends on the order of anything."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.knowledge import Knowledge
from rules.words import Facts, Trial, Vocabulary, WordCycle, Words
from service import findings
from tests.support import vocabulary

Truth = bool | None

quick = settings(deadline=None, derandomize=True, max_examples=40)
few = settings(deadline=None, derandomize=True, max_examples=12)


def answers(**said: Truth) -> dict[str, bool]:
    """The answers that were given; None was not asked or could not be answered."""
    return {name: value for name, value in said.items() if value is not None}


def state_of(words: Vocabulary, said: Mapping[str, bool] | None = None, **facts: Any) -> dict[str, bool]:
    return words.derive(Facts(answers=said or {}, **facts)).state


# ---------------------------------------------------------------------------------------------------- truth tables

# Kleene's logic as arithmetic: absent 0, unknown 1/2, present 1; "all" is the least, "any" the greatest,
# "at least n" the n-th greatest, and saying that a word is absent turns the scale round.
NUMBER: Mapping[Truth, float] = {False: 0.0, None: 0.5, True: 1.0}
TRUTH: Mapping[float, Truth] = {number: truth for truth, number in NUMBER.items()}


def kleene(operator: str, count: int, values: Iterable[float]) -> float:
    ranked = sorted(values, reverse=True)
    return {"all": ranked[-1], "any": ranked[0], "at_least": ranked[count - 1]}[operator]


def entry(operator: str, count: int, members: list[Any]) -> dict[str, Any]:
    return {"at_least": count, "of": members} if operator == "at_least" else {operator: members}


@pytest.mark.parametrize(
    ("operator", "count"), [("all", 0), ("any", 0), ("at_least", 1), ("at_least", 2), ("at_least", 3)]
)
@pytest.mark.parametrize("asked", list(itertools.product((True, False), repeat=3)))
def test_the_operators_follow_the_kleene_tables(operator: str, count: int, asked: tuple[bool, ...]) -> None:
    names = ("a", "b", "c")
    members = [name if present else {"absent": name} for name, present in zip(names, asked, strict=True)]
    words = vocabulary(names, {"word": entry(operator, count, members)})
    for values in itertools.product((True, False, None), repeat=3):
        numbers = [NUMBER[v] if present else 1 - NUMBER[v] for v, present in zip(values, asked, strict=True)]
        expected = TRUTH[kleene(operator, count, numbers)]
        state = state_of(words, answers(**dict(zip(names, values, strict=True))))
        assert state.get("word") is expected, values


def test_a_word_that_was_not_asked_is_never_read_as_absent() -> None:
    words = vocabulary(
        ["asked", "other"], {"denied": {"all": [{"absent": "other"}]}, "either": {"any": ["asked", "other"]}}
    )
    state = state_of(words, {"asked": False})
    assert state == {"asked": False}


def test_unknown_and_omitted_are_alike(knowledge: Knowledge) -> None:
    def literals(**said: str) -> frozenset[str]:
        return findings.derive({"patient": {"age_years": 40}, "findings": said}, knowledge).literals

    asked = literals(fever="unknown", pain_below_knee="present")
    assert {literal for literal in asked if not literal.startswith("unknown:")} == literals(pain_below_knee="present")
    assert "absent:fever" not in asked


def test_only_what_is_present_counts_as_present() -> None:
    words = vocabulary(["a", "b", "c"]).derive(Facts({"a": True, "b": False}))
    assert [words.present(name) for name in ("a", "b", "c")] == [True, False, False]


# -------------------------------------------------------------------------------------------- links between findings


def test_presence_is_implied_one_way_and_along_a_chain() -> None:
    words = vocabulary({"weak": {}, "drop": {}, "deficit": {"implied_by": ["weak", "other"]}, "other": {}})
    assert state_of(words, {"weak": True})["deficit"] is True
    assert state_of(words, {"other": True})["deficit"] is True
    assert "deficit" not in state_of(words, {"weak": False, "other": False})
    assert state_of(words, {"deficit": False}) == {"deficit": False}
    assert state_of(words, {"deficit": True}) == {"deficit": True}
    chain = vocabulary({"a": {"implied_by": ["b"]}, "b": {"implied_by": ["c"]}, "c": {}})
    assert state_of(chain, {"c": True}) == {"a": True, "b": True, "c": True}


def test_an_implied_finding_that_was_denied_is_present_and_reported() -> None:
    words = vocabulary({"weak": {}, "deficit": {"implied_by": ["weak"]}})
    derived = words.derive(Facts({"weak": True, "deficit": False}))
    assert derived.state["deficit"] is True
    assert derived.conflicts == (("deficit",),)
    assert words.derive(Facts({"weak": True, "deficit": True})).conflicts == ()


FEVER: Mapping[str, Mapping[str, Any]] = {
    "fever": {"also_present_if": "hot", "also_absent_if": "cool"},
}
HEAT: Mapping[str, Mapping[str, Any]] = {
    "hot": {"from": "temperature", "at_least": 38},
    "cool": {"from": "temperature", "below": 37},
}


@pytest.mark.parametrize(
    ("answer", "temperature", "expected", "reported"),
    [
        (None, None, None, False),
        (None, 38, True, False),
        (None, 37.5, None, False),
        (None, 36.9, False, False),
        (True, None, True, False),
        (True, 38, True, False),
        (True, 37.5, True, False),
        (False, None, False, False),
        (False, 36.9, False, False),
        (False, 37.5, False, False),
        (False, 38, True, True),
        (True, 36.9, True, True),
    ],
)
def test_present_wins_between_answer_and_measurement_and_a_disagreement_is_reported(
    answer: Truth, temperature: float | None, expected: Truth, reported: bool
) -> None:
    values = {} if temperature is None else {"temperature": temperature}
    derived = vocabulary(FEVER, HEAT).derive(Facts(answers(fever=answer), values))
    assert derived.state.get("fever") is expected
    assert derived.conflicts == ((("fever",),) if reported else ())


def test_a_normal_measurement_clears_nothing_by_itself() -> None:
    words = vocabulary({"fever": {"also_present_if": "hot"}}, {"hot": HEAT["hot"]})
    assert "fever" not in state_of(words, values={"temperature": 36.5})
    assert state_of(words, {"fever": False}, values={"temperature": 36.5})["fever"] is False


def test_a_denied_finding_clears_what_its_definition_covers() -> None:
    words = vocabulary(
        {
            "leg_pain": {"absent_clears": ["below_knee", "thigh"], "implied_by": ["below_knee"]},
            "any_pain": {"absent_clears": ["thigh"]},
            "below_knee": {},
            "thigh": {},
            "arm": {},
        }
    )
    assert state_of(words, {"leg_pain": False}) == {"leg_pain": False, "below_knee": False, "thigh": False}
    assert state_of(words, {"any_pain": False}) == {"any_pain": False, "thigh": False}
    assert state_of(words, {"leg_pain": True}) == {"leg_pain": True}
    assert state_of(words) == {}
    state = state_of(words, {"leg_pain": False, "below_knee": True})
    assert (state["below_knee"], state["leg_pain"]) == (True, True)


PAIR: Mapping[str, Mapping[str, Any]] = {
    "normal": {"contradicts": ["weak", "numb"]},
    "weak": {"also_present_if": "measured_weak", "implied_by": ["foot_drop"]},
    "numb": {},
    "foot_drop": {},
}
PAIR_DERIVED: Mapping[str, Mapping[str, Any]] = {"measured_weak": {"from": "power", "below": 5}}


@pytest.mark.parametrize("owner", ["normal", "weak"])
@pytest.mark.parametrize(
    ("said", "power"),
    [({"weak": True}, None), ({"foot_drop": True}, None), ({}, 4), ({"weak": False}, 4)],
)
def test_two_findings_that_contradict_one_another_are_reported_however_they_became_present(
    owner: str, said: dict[str, bool], power: float | None
) -> None:
    other = {"normal": "weak", "weak": "normal"}[owner]
    pair = {name: {**links, "contradicts": [other] if name == owner else []} for name, links in PAIR.items()}
    values = {} if power is None else {"power": power}
    words = vocabulary(pair, PAIR_DERIVED).derive(Facts({"normal": True, **said}, values))
    pairs = {frozenset(found) for found in words.conflicts if len(found) == 2}
    assert (words.state["normal"], words.state["weak"]) == (True, True)
    assert pairs == {frozenset({"normal", "weak"})}


def test_findings_of_which_only_one_is_present_do_not_contradict_one_another() -> None:
    words = vocabulary(PAIR, PAIR_DERIVED)
    for said in ({"normal": True}, {"normal": True, "weak": False}, {"normal": False, "weak": True}, {"weak": True}):
        assert words.derive(Facts(said)).conflicts == ()
    both = words.derive(Facts({"normal": True, "weak": True, "numb": True})).conflicts
    assert set(both) == {("normal", "weak"), ("normal", "numb")}


# ------------------------------------------------------------------------------------------------------ comparisons


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        *(({"at_least": 5}, value, value != 4.99) for value in (4.99, 5, 5.01)),
        *(({"above": 5}, value, value == 5.01) for value in (4.99, 5, 5.01)),
        *(({"at_most": 5}, value, value != 5.01) for value in (4.99, 5, 5.01)),
        *(({"below": 5}, value, value == 4.99) for value in (4.99, 5, 5.01)),
        *(({"between": [5, 7]}, value, value in (5, 6, 7)) for value in (4.99, 5, 6, 7, 7.01)),
        *(({"equals": "red"}, value, value == "red") for value in ("red", "blue")),
        *(({"in": ["red", "green"]}, value, value != "blue") for value in ("red", "green", "blue")),
        ({"at_least": 0}, 0, True),
        ({"at_least": -2.5}, -2.6, False),
        ({"missing": True}, 0, False),
    ],
)
def test_a_comparison_holds_on_the_printed_side_of_its_limit(
    comparison: dict[str, Any], value: Any, expected: bool
) -> None:
    words = vocabulary([], {"word": {"from": "place", **comparison}})
    assert state_of(words, values={"place": value}) == {"word": expected}


@pytest.mark.parametrize(
    "comparison",
    [{"at_least": 5}, {"above": 5}, {"at_most": 5}, {"below": 5}, {"between": [5, 7]}, {"equals": "a"}, {"in": ["a"]}],
)
def test_a_value_that_was_not_sent_leaves_a_comparison_unknown(comparison: dict[str, Any]) -> None:
    assert state_of(vocabulary([], {"word": {"from": "place", **comparison}}), values={"other": 1}) == {}


def test_missing_holds_when_the_value_was_not_sent() -> None:
    assert state_of(vocabulary([], {"word": {"from": "place", "missing": True}})) == {"word": True}


@pytest.mark.parametrize(
    ("definition", "first", "second", "expected"),
    [
        ({"difference": ["x", "y"], "at_least": 40}, 140, 100, True),
        ({"difference": ["x", "y"], "at_least": 40}, 139, 100, False),
        ({"difference": ["x", "y"], "at_least": 40}, 100, 140, False),
        ({"difference": ["x", "y"], "above": 40}, 140, 100, False),
        ({"difference": ["x", "y"], "above": 40}, 141, 100, True),
        ({"difference": ["x", "y"], "above": 20, "absolute": True}, 100, 121, True),
        ({"difference": ["x", "y"], "above": 20, "absolute": True}, 121, 100, True),
        ({"difference": ["x", "y"], "above": 20, "absolute": True}, 100, 120, False),
        ({"difference": ["x", "y"], "at_least": 0}, 0, 0, True),
        ({"ratio": ["x", "y"], "at_least": 1.5}, 150, 100, True),
        ({"ratio": ["x", "y"], "at_least": 1.5}, 149, 100, False),
        ({"ratio": ["x", "y"], "above": 5}, 500, 100, False),
        ({"ratio": ["x", "y"], "above": 5}, 501, 100, True),
        ({"ratio": ["x", "y"], "at_least": 1.5}, 0, 100, False),
        ({"ratio": ["x", "y"], "at_least": 1.5}, 150, 0, None),
        ({"ratio": ["x", "y"], "at_least": 1.5}, 150, None, None),
        ({"ratio": ["x", "y"], "at_least": 1.5}, None, 100, None),
        ({"difference": ["x", "y"], "at_least": 40}, 140, None, None),
        ({"difference": ["x", "y"], "at_least": 40}, None, 100, None),
    ],
)
def test_differences_and_ratios_need_both_values(
    definition: dict[str, Any], first: float | None, second: float | None, expected: Truth
) -> None:
    values = {path: value for path, value in (("x", first), ("y", second)) if value is not None}
    assert state_of(vocabulary([], {"word": definition}), values=values).get("word") is expected


# ----------------------------------------------------------------------------------------- lists and treatments tried


def test_a_drug_is_absent_only_when_the_list_was_sent() -> None:
    members = ["medication:aspirin", "medication_class:statin", "allergy:latex", "allergy_class:nsaid"]
    words = vocabulary([], {f"w{place}": {"all": [member]} for place, member in enumerate(members)})
    listed, asked = frozenset({"medication:aspirin", "allergy_class:nsaid"}), frozenset({"medication", "allergy"})
    state = state_of(words, listed=listed, asked=asked)
    assert [state[f"w{place}"] for place in range(4)] == [True, False, False, True]
    state = state_of(words, listed=frozenset({"medication:aspirin"}), asked=frozenset({"medication"}))
    assert {name: state.get(name) for name in ("w0", "w1", "w2", "w3")} == {
        "w0": True,
        "w1": False,
        "w2": None,
        "w3": None,
    }
    assert state_of(words) == {}


def test_classes_are_inherited_by_what_was_listed(knowledge: Knowledge) -> None:
    def listed(*ids: str) -> frozenset[str]:
        return knowledge.facts({}, {}, medications=ids).listed

    assert {"medication:warfarin", "medication_class:anticoagulant"} <= listed("warfarin")
    assert "medication_class:anticoagulant" in listed("doac"), "a class may be sent instead of a drug"
    assert listed("no such drug") == frozenset()


TRIED = {"tried": {"treatment": "nsaid", "weeks_at_least": 2, "response_in": ["none", "partial"]}}
TRIED_ANY = {"tried": {"treatment": "any", "weeks_at_least": 2, "response_in": ["none"]}}


def tried(definition: dict[str, Any], *trials: Trial, asked: bool = True) -> Truth:
    given = frozenset({"treatments_tried"} if asked else ())
    return state_of(vocabulary([], {"word": definition}), asked=given, trials=trials).get("word")


def trial(*ids: str, weeks: float | None = 4, response: str | None = "none") -> Trial:
    return Trial(frozenset(ids), weeks, response)


def test_a_failed_treatment_must_fit_in_name_weeks_and_response() -> None:
    assert tried(TRIED, trial("nsaid")) is True
    assert tried(TRIED, trial("ibuprofen", "nsaid")) is True, "a group covers its treatments"
    assert tried(TRIED, trial("heat")) is False
    assert tried(TRIED, trial("nsaid", weeks=2)) is True
    assert tried(TRIED, trial("nsaid", weeks=1.9)) is False
    assert tried(TRIED, trial("nsaid", response="partial")) is True
    assert tried(TRIED, trial("nsaid", response="good")) is False
    assert tried(TRIED, trial("nsaid", weeks=1), trial("heat"), trial("nsaid", response="partial")) is True
    assert tried(TRIED, trial("nsaid", weeks=1), trial("heat")) is False, "one trial must fit as a whole"
    assert tried(TRIED_ANY, trial("heat")) is True
    assert tried(TRIED_ANY, trial("heat", response="partial")) is False


def test_nothing_tried_is_absent_and_not_asked_is_unknown() -> None:
    assert tried(TRIED) is False
    assert tried(TRIED_ANY) is False
    assert tried(TRIED, asked=False) is None


def test_a_trial_without_its_weeks_or_response_leaves_the_word_unknown() -> None:
    assert tried(TRIED, trial("nsaid", weeks=None)) is None
    assert tried(TRIED, trial("nsaid", response=None)) is None
    assert tried(TRIED_ANY, trial("heat", weeks=None, response=None)) is None


def test_a_trial_that_cannot_fit_whatever_is_missing_leaves_the_word_absent() -> None:
    assert tried(TRIED, trial("heat", weeks=None)) is False
    assert tried(TRIED, trial("nsaid", weeks=None, response="good")) is False
    assert tried(TRIED, trial("nsaid", weeks=1, response=None)) is False
    assert tried(TRIED, trial("nsaid", weeks=None), trial("nsaid")) is True


# ------------------------------------------------------------------------------------------------------------ scores

TALLY: Mapping[str, Any] = {
    "items": [
        {"name": "two", "points": 2, "word": "a"},
        {"name": "minus", "points": -1, "word": "b"},
        {"name": "not_c", "points": 1, "word": {"absent": "c"}},
    ],
    "range": [-1, 3],
    "bands": {"low": [-1, 0], "middle": [1, 2], "high": [3, 3]},
}
TALLY_WORDS: Mapping[str, Mapping[str, Any]] = {
    "two_or_more": {"score": "tally", "at_least": 2},
    "over_two": {"score": "tally", "above": 2},
    "one_or_less": {"score": "tally", "at_most": 1},
    "under_one": {"score": "tally", "below": 1},
    "single_two": {"item_points": "tally", "at_least": 2},
    "in_the_middle": {"all": ["tally:middle"]},
}
HOLDS: Mapping[str, Callable[[float], bool]] = {
    "two_or_more": lambda total: total >= 2,
    "over_two": lambda total: total > 2,
    "one_or_less": lambda total: total <= 1,
    "under_one": lambda total: total < 1,
}


def agreed(values: Iterable[bool]) -> Truth:
    """What all possible completions have in common."""
    seen = set(values)
    return seen.pop() if len(seen) == 1 else None


def test_a_score_with_items_missing_says_only_what_every_completion_would_say() -> None:
    words = vocabulary("abc", TALLY_WORDS, {"tally": TALLY})
    for values in itertools.product((True, False, None), repeat=3):
        options = [(True, False) if value is None else (value,) for value in values]
        totals = [2 * a - b + (not c) for a, b, c in itertools.product(*options)]
        derived = words.derive(Facts(answers(**dict(zip("abc", values, strict=True)))))
        reading, state = derived.readings["tally"], derived.state
        assert (reading.low, reading.high) == (min(totals), max(totals)), values
        for name, holds in HOLDS.items():
            assert state.get(name) is agreed([holds(min(totals)), holds(max(totals))]), (name, values)
        assert state.get("single_two") is values[0]
        bands = {"low": (-1, 0), "middle": (1, 2), "high": (3, 3)}
        for band, (bottom, top) in bands.items():
            inside = bottom <= min(totals) and max(totals) <= top
            outside = max(totals) < bottom or top < min(totals)
            expected = True if inside else False if outside else None
            assert state.get(f"tally:{band}") is expected, (band, values)
            assert (reading.band == band) is inside
        assert state.get("in_the_middle") is state.get("tally:middle")
        assert [item.name for item in reading.items] == ["two", "minus", "not_c"]


def test_a_total_stays_within_the_printed_range_at_both_ends() -> None:
    score = {**TALLY, "range": [0, 2], "bands": {"all": [0, 2]}}
    words = vocabulary("abc", {}, {"tally": score})
    for said, total in (({"a": True, "b": False, "c": False}, 2), ({"a": False, "b": True, "c": True}, 0)):
        reading = words.derive(Facts(said)).readings["tally"]
        assert (reading.low, reading.high, reading.band) == (total, total, "all")


@pytest.mark.parametrize("gate", [False, None])
def test_a_score_that_does_not_apply_says_nothing(gate: Truth) -> None:
    definitions = {**TALLY_WORDS, "gate": {"all": ["g"]}}
    words = vocabulary("abcg", definitions, {"tally": {**TALLY, "applies_if": "gate"}})
    said = {"a": True, "b": False, "c": False}
    derived = words.derive(Facts({**said, **answers(g=gate)}))
    assert derived.readings == {}
    assert not derived.state.keys() & {*TALLY_WORDS, "tally:low", "tally:middle", "tally:high"}
    assert words.derive(Facts({**said, "g": True})).state["two_or_more"] is True


@pytest.mark.parametrize("gate", [True, False, None])
def test_a_word_that_does_not_apply_is_not_used_at_all(gate: Truth) -> None:
    words = vocabulary("ag", {"word": {"any": ["a"], "applies_if": "g"}})
    for value in (True, False):
        expected = value if gate else None
        assert state_of(words, {"a": value, **answers(g=gate)}).get("word") is expected


@pytest.mark.parametrize(
    ("a", "b", "span"),
    [
        (False, False, (0, 0)),
        (True, False, (1, 1)),
        (False, True, (3, 3)),
        (True, True, (3, 3)),
        (True, None, (1, 3)),
        (None, True, (3, 3)),
        (None, False, (0, 1)),
        (False, None, (0, 3)),
        (None, None, (0, 3)),
    ],
)
def test_of_alternatives_the_highest_that_holds_counts(a: Truth, b: Truth, span: tuple[int, int]) -> None:
    either = {
        "name": "either",
        "one_of": [{"name": name, "points": p, "word": name} for name, p in (("a", 1), ("b", 3))],
    }
    words = vocabulary("ab", {}, {"s": {"items": [either], "range": [0, 4], "bands": {}}})
    reading = words.derive(Facts(answers(a=a, b=b))).readings["s"]
    assert [(item.name, item.low, item.high) for item in reading.items] == [("either", *span)]
    assert (reading.low, reading.high, reading.band) == (*span, None)


MEASURED: Mapping[str, Any] = {
    "items": [
        {"name": "mind", "from": "mind", "codes": {"clear": 0, "dazed": 2}},
        {"name": "pulse", "from": "pulse", "bands": [[None, 50, 1], [51, 90, 0], [91, None, 2]]},
        {"name": "heat", "from": "heat", "bands": [[None, 36.0, 1], [36.1, None, 0]]},
        {"name": "given", "from": "given", "value": True},
    ],
    "range": [0, 20],
    "bands": {},
}


@pytest.mark.parametrize(
    ("item", "value", "span"),
    [
        *(("mind", value, span) for value, span in (("clear", (0, 0)), ("dazed", (2, 2)), (None, (0, 2)))),
        *(("pulse", value, (1, 1)) for value in (10, 50, 50.4)),
        *(("pulse", value, (0, 0)) for value in (50.5, 51, 90, 90.49)),
        *(("pulse", value, (2, 2)) for value in (90.5, 91, 200)),
        ("pulse", None, (0, 2)),
        *(("heat", value, (1, 1)) for value in (36.0, 36.04)),
        *(("heat", value, (0, 0)) for value in (36.05, 36.1, 40)),
        ("given", 7, (7, 7)),
        ("given", 0, (0, 0)),
        ("given", None, (0, float("inf"))),
    ],
)
def test_items_of_measured_values(item: str, value: Any, span: tuple[float, float]) -> None:
    words = vocabulary([], {}, {"s": MEASURED})
    reading = words.derive(Facts({}, {} if value is None else {item: value})).readings["s"]
    found = {each.name: (each.low, each.high) for each in reading.items}
    assert found[item] == span


def test_a_reported_total_that_is_missing_stays_within_the_range() -> None:
    reading = vocabulary([], {}, {"s": MEASURED}).derive(Facts()).readings["s"]
    assert (reading.low, reading.high) == (0, 20)


SCALED: Mapping[str, Any] = {
    "items": [
        {
            "name": "oxygen",
            "from": "saturation",
            "defaults": {"target": "usual"},
            "scales": [
                {"when": {"target": "usual"}, "bands": [[None, 91, 3], [92, None, 0]]},
                {"when": {"target": "low", "air": "yes"}, "bands": [[None, 83, 2], [84, None, 0]]},
                {"when": {"target": "low", "air": "no"}, "bands": [[None, 83, 2], [84, 92, 0], [93, None, 5]]},
            ],
        }
    ],
    "range": [0, 9],
    "bands": {},
}


@pytest.mark.parametrize(
    ("known", "span"),
    [
        ({"saturation": 91}, (3, 3)),
        ({"saturation": 91, "target": "usual", "air": "no"}, (3, 3)),
        ({"saturation": 91, "target": "low", "air": "no"}, (0, 0)),
        ({"saturation": 93, "target": "low", "air": "no"}, (5, 5)),
        ({"saturation": 93, "target": "low", "air": "yes"}, (0, 0)),
        ({"saturation": 93, "target": "low"}, (0, 5)),
        ({"saturation": 83, "target": "low"}, (2, 2)),
        ({}, (0, 3)),
        ({"target": "low", "air": "yes"}, (0, 2)),
        ({"target": "low"}, (0, 5)),
    ],
)
def test_the_scale_of_an_item_is_chosen_by_other_values(known: dict[str, Any], span: tuple[int, int]) -> None:
    reading = vocabulary([], {}, {"s": SCALED}).derive(Facts({}, known)).readings["s"]
    assert (reading.low, reading.high) == span


def test_without_a_default_scale_every_scale_stays_possible() -> None:
    (item,) = SCALED["items"]
    open_item = {key: value for key, value in item.items() if key != "defaults"}
    words = vocabulary([], {}, {"s": {**SCALED, "items": [open_item]}})
    reading = words.derive(Facts({}, {"saturation": 91, "air": "no"})).readings["s"]
    assert (reading.low, reading.high) == (0, 3)


# ------------------------------------------------------------------------------------------------- order and circles


@pytest.mark.parametrize(
    ("found", "derived", "scores"),
    [
        ({}, {"a": {"all": ["b"]}, "b": {"any": ["a"]}}, {}),
        ({}, {"a": {"all": ["a"]}}, {}),
        ({"f": {"implied_by": ["g"]}, "g": {"implied_by": ["f"]}}, {}, {}),
        ({"f": {"also_present_if": "a"}}, {"a": {"all": ["f"]}}, {}),
        ({"f": {"also_absent_if": "a"}}, {"a": {"all": [{"absent": "f"}]}}, {}),
        ({"f": {}}, {"a": {"all": ["f"], "applies_if": "a"}}, {}),
        (
            {},
            {"a": {"score": "s", "at_least": 1}},
            {"s": {**TALLY, "items": [{"name": "a", "points": 1, "word": "a"}]}},
        ),
        (
            {},
            {"a": {"item_points": "s", "at_least": 1}},
            {"s": {**TALLY, "items": MEASURED["items"], "applies_if": "a"}},
        ),
        (
            {"f": {}},
            {"a": {"all": ["s:low"]}},
            {"s": {**TALLY, "items": [{"name": "x", "one_of": [{"name": "a", "points": 1, "word": "a"}]}]}},
        ),
    ],
)
def test_words_that_define_one_another_in_a_circle_are_refused(
    found: dict[str, Any], derived: dict[str, Any], scores: dict[str, Any]
) -> None:
    with pytest.raises(WordCycle, match=" -> "):
        vocabulary(found, derived, scores)


def test_a_circle_is_named_by_its_words() -> None:
    with pytest.raises(WordCycle) as caught:
        vocabulary(["f"], {"first": {"all": ["second", "f"]}, "second": {"any": ["first"]}})
    assert set(str(caught.value).split(" -> ")) == {"first", "second"}


LINKED: Mapping[str, Mapping[str, Any]] = {
    "f": {"also_present_if": "hot", "implied_by": ["g"]},
    "g": {},
    "h": {"also_absent_if": "hot"},
}
LINKED_DERIVED: Mapping[str, Mapping[str, Any]] = {
    "top": {"all": ["middle", {"absent": "g"}]},
    "middle": {"any": ["f", "count:high", "medication:aspirin"]},
    "hot": {"from": "temperature", "at_least": 38},
    "gated": {"all": ["g"], "applies_if": "h"},
    "many": {"score": "count", "at_least": 1},
}
LINKED_SCORE: Mapping[str, Any] = {
    "items": [
        {"name": "g", "points": 1, "word": "g"},
        {"name": "x", "one_of": [{"name": "h", "points": 1, "word": "h"}]},
    ],
    "range": [0, 2],
    "bands": {"high": [1, 2]},
    "applies_if": "hot",
}


def test_what_a_word_is_made_of_is_known_at_every_depth() -> None:
    words = vocabulary(LINKED, LINKED_DERIVED, {"count": LINKED_SCORE})
    assert words.reads("f") == {"hot", "g"}
    assert words.reads("h") == {"hot"}
    assert words.reads("middle") == {"f", "count"}
    assert words.reads("gated") == {"g", "h"}
    assert words.reads("count") == {"g", "h", "hot"}
    assert words.reads("many") == {"count"}
    assert words.parts["top"] == {"middle", "g", "f", "count", "hot", "h"}
    assert words.parts["g"] == frozenset()


def test_the_order_in_which_words_are_written_down_never_matters() -> None:
    facts = Facts({"g": True, "h": False}, {"temperature": 38.5}, asked=frozenset({"medication"}))
    expected = vocabulary(LINKED, LINKED_DERIVED, {"count": LINKED_SCORE}).derive(facts)
    rng = random.Random(7)
    for _ in range(10):
        found, derived = list(LINKED.items()), list(LINKED_DERIVED.items())
        rng.shuffle(found)
        rng.shuffle(derived)
        shuffled = vocabulary(dict(found), dict(derived), {"count": LINKED_SCORE}).derive(facts)
        assert (shuffled.state, shuffled.readings) == (expected.state, expected.readings)
    assert expected.state["top"] is False
    assert expected.state["count:high"] is True


# -------------------------------------------------------------------------------------------------------- properties


@st.composite
def layered(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Truth]]:
    """A few derived words over a few findings, each made of what came before it, and answers to the findings."""
    names = ["f0", "f1", "f2", "f3"]
    answered = {name: draw(st.sampled_from((True, False, None))) for name in names}
    derived: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 5))):
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
        members = [draw(st.sampled_from((name, {"absent": name}))) for name in chosen]
        operator = draw(st.sampled_from(("all", "any", "at_least")))
        derived[f"d{number}"] = entry(operator, draw(st.integers(1, len(members))), members)
        names.append(f"d{number}")
    return derived, answered


def by_arithmetic(derived: Mapping[str, Any], answered: Mapping[str, Truth]) -> dict[str, float]:
    numbers = {name: NUMBER[value] for name, value in answered.items()}
    for name, definition in derived.items():
        operator = "at_least" if "of" in definition else next(iter(definition))
        members = definition.get("of") or definition[operator]
        values = [numbers[part] if isinstance(part, str) else 1 - numbers[part["absent"]] for part in members]
        numbers[name] = kleene(operator, definition.get("at_least", 0), values)
    return numbers


@quick
@given(case=layered())
def test_nested_words_follow_the_kleene_tables(case: tuple[dict[str, Any], dict[str, Truth]]) -> None:
    derived, answered = case
    state = state_of(vocabulary([f"f{n}" for n in range(4)], derived), answers(**answered))
    assert {name: TRUTH[number] for name, number in by_arithmetic(derived, answered).items()} == {
        name: state.get(name) for name in (*answered, *derived)
    }


@quick
@given(case=layered(), later=st.tuples(*[st.booleans()] * 4))
def test_a_further_answer_never_changes_what_was_decided(
    case: tuple[dict[str, Any], dict[str, Truth]], later: tuple[bool, ...]
) -> None:
    derived, answered = case
    words = vocabulary([f"f{n}" for n in range(4)], derived)
    before = state_of(words, answers(**answered))
    after = state_of(words, {f"f{n}": value for n, value in enumerate(later)} | answers(**answered))
    assert before.items() <= after.items()
    assert after.keys() == {*answered, *derived}, "with every answer given every word is decided"


def known_persons(knowledge: Knowledge) -> st.SearchStrategy[dict[str, Any]]:
    """Some answers, values and lists, in the order in which they are drawn."""
    linked = sorted({name for name, each in knowledge.findings.items() if each.implied_by or each.absent_clears})
    reading = sorted({part for word in knowledge.derived.values() for part in (*(t.word for t in word.members),)})
    names = st.sampled_from(linked) | st.sampled_from([name for name in reading if name in knowledge.findings])
    numbers = {
        "patient.age_years": st.integers(0, 100),
        "episode.duration_days": st.sampled_from((0.1, 1, 13, 14, 27, 42, 84, 90, 400, 3000)),
        "episode.pain_severity": st.integers(0, 10),
        "observations.temperature_c": st.sampled_from((35, 36, 37.4, 37.5, 38, 39.5)),
        "observations.systolic_bp_mmhg": st.sampled_from((80, 95, 120, 170)),
        "observations.heart_rate_per_min": st.sampled_from((60, 100, 140)),
        "observations.crp_mg_l": st.sampled_from((3, 11, 120)),
        "observations.leg_power_min_mrc": st.integers(0, 5),
        "observations.urine_blood": st.sampled_from(("positive", "negative")),
        "patient.sex": st.sampled_from(("female", "male")),
        "patient.pregnancy": st.sampled_from(("pregnant", "not_pregnant", "possible")),
    }
    drugs = st.sampled_from(("warfarin", "aspirin", "clopidogrel", "ibuprofen", "simvastatin", "prednisolone"))
    return st.fixed_dictionaries(
        {
            "answers": st.dictionaries(names, st.booleans(), max_size=25),
            "values": st.fixed_dictionaries({}, optional=numbers),
        },
        optional={"medications": st.lists(drugs, max_size=3), "allergies": st.lists(drugs, max_size=2)},
    )


def read(knowledge: Knowledge, person: Mapping[str, Any]) -> Words:
    return knowledge.vocabulary.derive(
        knowledge.facts(person["answers"], person["values"], person.get("medications"), person.get("allergies"))
    )


@few
@given(data=st.data())
def test_a_further_answer_never_makes_a_decided_word_undecided(data: st.DataObject, knowledge: Knowledge) -> None:
    """Unless it overrules an earlier answer: then present wins, and what rested on the denial is open again."""
    before = data.draw(known_persons(knowledge))
    more = data.draw(known_persons(knowledge))
    state = read(knowledge, before).state
    for part in ("answers", "values"):
        for name, value in more[part].items():
            after = read(knowledge, {**before, part: {name: value} | before[part]}).state
            if all(after.get(other) is known for other, known in state.items() if other in knowledge.findings):
                assert not state.keys() - after.keys(), (name, value)
                if part == "answers":
                    assert state.items() <= after.items(), (name, value)


@few
@given(data=st.data())
def test_what_is_present_stays_present_when_more_findings_are_present(
    data: st.DataObject, knowledge: Knowledge
) -> None:
    """Worse answers never hide a finding: presence is passed on, never taken back."""
    person = data.draw(known_persons(knowledge))
    more = data.draw(known_persons(knowledge))
    worse = {**person, "answers": {**person["answers"], **dict.fromkeys(more["answers"], True)}}
    before, after = read(knowledge, person).state, read(knowledge, worse).state
    held = {name for name, value in before.items() if value and name in knowledge.findings}
    assert all(after[name] for name in held)


@few
@given(data=st.data())
def test_the_order_of_the_answers_never_matters(data: st.DataObject, knowledge: Knowledge) -> None:
    person = data.draw(known_persons(knowledge))
    shuffled: dict[str, Any] = {
        part: dict(data.draw(st.permutations(list(person[part].items())))) for part in ("answers", "values")
    }
    lists: dict[str, Any] = {
        part: data.draw(st.permutations(person[part])) for part in ("medications", "allergies") if part in person
    }
    one, other = read(knowledge, person), read(knowledge, {**shuffled, **lists})
    assert (one.state, one.readings, set(one.conflicts)) == (other.state, other.readings, set(other.conflicts))


@few
@given(data=st.data())
def test_working_out_a_few_words_gives_what_working_out_all_gives(data: st.DataObject, knowledge: Knowledge) -> None:
    person = data.draw(known_persons(knowledge))
    chosen = data.draw(st.sets(st.sampled_from(sorted(knowledge.derived)), min_size=1, max_size=5))
    needed = frozenset(chosen).union(*(knowledge.parts(word) for word in chosen))
    facts = knowledge.facts(person["answers"], person["values"], person.get("medications"), person.get("allergies"))
    whole, some = knowledge.vocabulary.derive(facts).state, knowledge.vocabulary.derive(facts, needed)
    assert {word: whole.get(word) for word in chosen} == {word: some.state.get(word) for word in chosen}
    assert {word for word in some.state if ":" not in word} <= needed
