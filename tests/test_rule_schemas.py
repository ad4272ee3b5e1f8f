"""The schemas of rule files: what they accept, what they refuse, and the frozen records that they build."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, validate

from schemas import knowledge as records
from schemas import vocabulary
from schemas.parts import AtLeast, Line, Number, Record, Term, parse_line, parse_term
from schemas.vocabulary import Derived, DerivedSchema
from tests.support import KNOWLEDGE

SCHEMAS: list[type[Record]] = sorted(
    {
        each
        for module in (records, vocabulary)
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, Record)
        and each not in (Record, records.Sourced, records.Reviewed)
    },
    key=lambda schema: schema.__name__,
)


def name_of(schema: type[Record]) -> str:
    return schema.__name__


def record_of(schema: type[Record]) -> Any:
    """The class of the records that a schema builds."""
    return schema.model


def entry(file: str, *path: str | int) -> Any:
    """The data at one place of a file of the small knowledge base, safe to change."""
    data = yaml.load(KNOWLEDGE[file], yaml.CSafeLoader)
    for step in path:
        data = data[step]
    return data


def refusal(schema: Record, data: object) -> dict[str, Any]:
    """What a schema says against some data."""
    with pytest.raises(ValidationError) as caught:
        schema.load(data)  # type: ignore[arg-type]
    messages: dict[str, Any] = caught.value.normalized_messages()  # type: ignore[no-untyped-call]
    return messages


# --- every schema


def test_the_list_of_schemas_is_whole() -> None:
    assert {"FindingSchema", "ConditionSchema", "RedFlagSchema", "PolicySchema", "ScoreItemSchema"} <= {
        schema.__name__ for schema in SCHEMAS
    }
    assert {type(schema) for schema in vocabulary.FILES.values()} <= {*SCHEMAS}


BUILT = [each for each in SCHEMAS if each is not DerivedSchema and dataclasses.is_dataclass(record_of(each))]
"""Schemas whose fields are those of their record; the others build it otherwise, or build a plain mapping."""


@pytest.mark.parametrize("schema", BUILT, ids=name_of)
def test_a_schema_and_its_record_have_the_same_fields_and_need_the_same(schema: type[Record]) -> None:
    of_schema = {field.attribute or name: field.required for name, field in schema().fields.items()}
    of_record = {
        field.name: field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        for field in dataclasses.fields(record_of(schema))
    }
    assert of_schema == of_record


@pytest.mark.parametrize("schema", SCHEMAS, ids=name_of)
def test_a_field_that_a_schema_does_not_know_is_refused(schema: type[Record]) -> None:
    assert refusal(schema(), {"colour": "red"})["colour"] == ["Unknown field."]


@pytest.mark.parametrize("schema", BUILT, ids=name_of)
def test_a_record_cannot_be_changed(schema: type[Record]) -> None:
    assert record_of(schema).__dataclass_params__.frozen


@pytest.mark.parametrize("part", [Term("a"), AtLeast(1, ("a",)), Line((Term("a"),)), Derived("any")])
def test_a_part_of_a_rule_cannot_be_changed(part: object) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(part, dataclasses.fields(part)[0].name, "other")  # type: ignore[arg-type]


LISTS = [
    pytest.param(records.RedFlagSchema, "references", "red_flags/suspected_infection.yaml", id="references"),
    pytest.param(records.TreatmentSchema, "conditions", "treatments/ibuprofen_tablets.yaml", id="words"),
    pytest.param(records.PathwaySchema, "actions", "pathways/spinal_infection.yaml", id="actions"),
]


@pytest.mark.parametrize(("schema", "field", "file"), LISTS)
def test_a_list_becomes_a_tuple_and_holds_no_empty_text(schema: type[Record], field: str, file: str) -> None:
    data = entry(file)
    assert getattr(schema().load({**data, field: ["one", "two"]}), field) == ("one", "two")
    for wrong in ("one", ["one", ""], ["one", 2], ["one", None], None):
        assert field in refusal(schema(), {**data, field: wrong})


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        (records.RedFlagSchema, "red_flags/suspected_infection.yaml"),
        (records.PatternSchema, "patterns/sick_pattern.yaml"),
        (records.PathwaySchema, "pathways/spinal_infection.yaml"),
        (records.PolicySchema, "policy.yaml"),
    ],
)
def test_a_rule_without_a_single_reference_is_refused(schema: type[Record], file: str) -> None:
    assert refusal(schema(), {**entry(file), "references": []}) == {"references": ["Shorter than minimum length 1."]}


# --- fields with a closed list of values, typed from FORMATS and the design


FINDING = entry("vocabulary/findings.yaml", "stiffness")
DRUG = entry("vocabulary/medications.yaml", "warfarin")
FLAG, PATTERN = entry("red_flags/suspected_infection.yaml"), entry("patterns/sick_pattern.yaml")
TREATMENT, SAFETY = entry("treatments/ibuprofen_tablets.yaml"), entry("safety/anti_inflammatory.yaml")
CONDITION, POLICY = entry("conditions/spinal_infection.yaml"), entry("policy.yaml")
FREQUENCY = CONDITION["frequencies"]["fever"]
PUBLISHED, PRIORS = CONDITION["published"][0], CONDITION["priors"]
DEFAULT = entry("default_urgency.yaml", "default_policy", 0)
RUNG = entry("rungs.yaml", "rungs", 0)
LEVELS = {"emergency", "urgent_same_day", "urgent_2_weeks", "routine", "self_care"}
STATUSES = {"verified", "part_verified", "recalled", "estimate"}
REVIEWS = {"draft", "reviewed", "retired"}
KINDS = {"education", "self_care", "physical", "drug", "supplement", "exercise", "manual", "psychological"}
KINDS |= {"injection", "procedure", "surgery", "other"}

CLOSED: list[tuple[type[Record], dict[str, Any], str, set[str]]] = [
    (vocabulary.FindingSchema, FINDING, "kind", {"history", "examination", "context", "investigation"}),
    (vocabulary.MedicationSchema, DRUG, "kind", {"ingredient", "class"}),
    (records.RedFlagSchema, FLAG, "evidence_status", STATUSES),
    (records.RedFlagSchema, FLAG, "review", REVIEWS),
    (records.ConditionSchema, CONDITION, "review", REVIEWS),
    (records.TreatmentSchema, TREATMENT, "review", REVIEWS),
    (records.TreatmentSchema, TREATMENT, "evidence_status", STATUSES),
    (records.TreatmentSchema, TREATMENT, "kind", KINDS),
    (records.LadderPolicySchema, POLICY["ladder"], "suspected_from", LEVELS),
    (records.SafetySchema, SAFETY, "review", REVIEWS),
    (records.FrequencySchema, FREQUENCY, "grade", {"A", "B", "C", "D"}),
    (records.FrequencySchema, FREQUENCY, "status", STATUSES),
    (records.CodeSchema, {"code": "M54", "title": "Pain"}, "evidence_status", STATUSES),
    (records.DefaultLevelSchema, DEFAULT, "level", LEVELS),
    (records.OfferSchema, TREATMENT["offer"][0], "status", {"recommended", "consider", "not_yet", "not_recommended"}),
    (records.SafetyRuleSchema, SAFETY["rules"][0], "action", {"exclude", "caution", "instruct"}),
    (records.SafetyRuleSchema, SAFETY["rules"][0], "severity", {"critical", "major", "moderate", "minor"}),
    (records.WorkUpSchema, CONDITION["work_up"][0], "advice", {"order", "do_not_order", "consider"}),
]


@pytest.mark.parametrize(("schema", "data", "field", "values"), CLOSED)
def test_a_field_with_a_closed_list_takes_these_values_and_no_other(
    schema: type[Record], data: dict[str, Any], field: str, values: set[str]
) -> None:
    tried = {
        *values,
        *LEVELS,
        *STATUSES,
        *REVIEWS,
        *KINDS,
        "A",
        "B",
        "C",
        "D",
        "E",
        "",
        "history",
        "class",
        "exclude",
        "order",
    }
    taken = {value for value in tried if not schema().validate({**data, field: value})}
    assert taken == values


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_an_urgency_rule_may_set_any_level(level: str) -> None:
    flag = records.RedFlagSchema().load({**FLAG, "then": {"urgency": level}})
    assert (flag.urgency, flag.suspects, flag.then.notice) == (level, (), None)


@pytest.mark.parametrize("then", [{"urgency": "soon"}, {"notice": "downgrade"}, {"finding": "x"}, None])
def test_an_urgency_rule_concludes_nothing_else(then: object) -> None:
    assert set(refusal(records.RedFlagSchema(), {**FLAG, "then": then})) == {"then"}


def test_an_urgency_rule_knows_its_level_and_its_suspects() -> None:
    flag = records.RedFlagSchema().load(FLAG)
    assert (flag.urgency, flag.suspects) == ("urgent_same_day", ("spinal_infection",))
    assert flag.when[0] == Line((Term("fever"), Term("pain_worsening")), ("recent_vaccine",))


def test_a_pattern_knows_the_word_that_it_concludes() -> None:
    assert records.PatternSchema().load(PATTERN).concludes == "looks_sick"


def test_a_do_not_row_may_name_no_treatment() -> None:
    row = records.DoNotSchema().load(entry("advice/do_not.yaml", 0))
    assert row.treatment is None
    assert records.DoNotSchema().load({**entry("advice/do_not.yaml", 0), "instead": {"text": "Walk"}}).id == "N01"


# --- numbers of rule files


BOUNDED: list[tuple[type[Record], dict[str, Any], str, float, float]] = [
    (records.FrequencySchema, FREQUENCY, "f", 0, 1),
    (records.PublishedSchema, PUBLISHED, "sensitivity", 0, 1),
    (records.PublishedSchema, PUBLISHED, "specificity", 0, 1),
    (records.PublishedSchema, PUBLISHED, "lr_present", 0, 1000),
    (records.PublishedSchema, PUBLISHED, "lr_absent", 0, 1000),
    (records.ModifierSchema, PRIORS["modifiers"][0], "factor", 0, 1000),
    (records.ConditionSchema, CONDITION, "test_threshold", 0, 1),
    (records.LikelihoodSchema, {"word": "likely"}, "at_least", 0, 1),
    *((records.ReasoningSchema, POLICY["reasoning"], field, 0, 1) for field in ("dependence_factor", "test_threshold")),
    *((records.LadderPolicySchema, POLICY["ladder"], f"leading_{field}", 0, 1) for field in ("share", "at_least")),
    (records.TreatmentSchema, TREATMENT, "rung", 0, 6),
    (records.TreatmentSchema, TREATMENT, "rung_max", 0, 6),
    (records.RungSchema, RUNG, "rung", 0, 6),
]


@pytest.mark.parametrize(("schema", "data", "field", "low", "high"), BOUNDED)
def test_a_number_may_stand_on_its_bounds_but_not_beyond(
    schema: type[Record], data: dict[str, Any], field: str, low: float, high: float
) -> None:
    step = 1 if "rung" in field else 0.001
    for value in (low, high):
        assert getattr(schema().load({**data, field: value}), field) == value
    for value in (low - step, high + step):
        assert set(refusal(schema(), {**data, field: value})) == {field}


@pytest.mark.parametrize(
    ("schema", "data", "field", "refused", "taken"),
    [
        (records.AgeBandSchema, {"percent": 1}, "percent", (0, -1, 101), (0.001, 100)),
        (records.ReasoningSchema, POLICY["reasoning"], "serious_floor", (0, 1), (0.001, 0.999)),
        (records.ReasoningSchema, POLICY["reasoning"], "clip", ([0, 0.9], [0.1, 1], [0.9, 0.1]), ([0.001, 0.999],)),
    ],
)
def test_a_number_whose_logarithm_is_taken_lies_inside_its_bounds(
    schema: type[Record], data: dict[str, Any], field: str, refused: tuple[Any, ...], taken: tuple[Any, ...]
) -> None:
    for value in refused:
        assert set(refusal(schema(), {**data, field: value})) == {field}
    for value in taken:
        assert schema().load({**data, field: value})


PAIRS: list[tuple[type[Record], dict[str, Any], str]] = [
    (vocabulary.ObservationSchema, {"label": "Pulse"}, "plausible"),
    (vocabulary.RequestFieldSchema, {"type": "number"}, "plausible"),
    (vocabulary.ScoreSchema, entry("vocabulary/scores.yaml", "ward_score"), "range"),
    (records.FrequencySchema, FREQUENCY, "range"),
    (records.PublishedSchema, PUBLISHED, "range_present"),
    (records.PublishedSchema, PUBLISHED, "range_absent"),
    (records.PatternSchema, PATTERN, "lr_range"),
    (records.ReasoningSchema, POLICY["reasoning"], "clip"),
]


@pytest.mark.parametrize(("schema", "data", "field"), PAIRS)
def test_a_range_is_two_numbers(schema: type[Record], data: dict[str, Any], field: str) -> None:
    assert getattr(schema().load({**data, field: [0.1, 0.2]}), field) == (0.1, 0.2)
    for wrong in ([], [0.1], [0.1, 0.2, 0.3], [0.1, "0.2"], [0.1, None], 0.1):
        assert set(refusal(schema(), {**data, field: wrong})) == {field}


@pytest.mark.parametrize(
    ("schema", "data", "field"),
    [
        (records.ReasoningSchema, POLICY["reasoning"], "likelihood"),
        (vocabulary.ScoreSchema, entry("vocabulary/scores.yaml", "ward_score"), "items"),
        (records.ExamplesSchema, FLAG["examples"], "fires"),
        (records.ExamplesSchema, FLAG["examples"], "silent"),
    ],
)
def test_a_list_that_must_say_something_may_not_be_empty(
    schema: type[Record], data: dict[str, Any], field: str
) -> None:
    assert refusal(schema(), {**data, field: []}) == {field: ["Shorter than minimum length 1."]}


def test_a_citation_says_at_least_something() -> None:
    assert records.ReferenceSchema().load({"citation": "abc"}).citation == "abc"
    assert set(refusal(records.ReferenceSchema(), {"citation": "ab"})) == {"citation"}


# --- Number


@pytest.mark.parametrize("value", [0, 1, -3, 2.5, 1e15, -1e15])
def test_a_number_is_taken_as_it_is(value: float) -> None:
    taken = Number().deserialize(value)
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize("value", ["1", "", True, False, [], {}, math.nan])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Number().deserialize(value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1.1e15, -1.1e15, 10**400, math.nan])
def test_a_number_of_no_ordinary_size_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="expected a finite number of ordinary size"):
        Number().deserialize(value)


@given(value=st.floats(allow_nan=True) | st.integers(), low=st.integers(-9, 0), high=st.integers(1, 9))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_a_number_is_taken_exactly_between_its_bounds(value: float, low: int, high: int) -> None:
    field = Number(low, high)
    if low <= value <= high:
        assert field.deserialize(value) == value
    else:
        with pytest.raises(ValidationError):
            field.deserialize(value)


def test_a_number_beyond_its_bounds_is_told_what_they_are() -> None:
    with pytest.raises(ValidationError, match=r"outside the plausible range 0\.5 to 12$"):
        Number(0.5, 12).deserialize(13)


@pytest.mark.parametrize(("field", "value"), [(Number(low=0), -1), (Number(high=0), 1)])
def test_a_number_with_one_bound_is_refused_beyond_it(field: Number, value: float) -> None:
    with pytest.raises(ValidationError, match="outside the plausible range"):
        field.deserialize(value)


@pytest.mark.parametrize(("field", "value"), [(Number(low=0), 0), (Number(low=0), 9), (Number(high=0), -9)])
def test_a_number_with_one_bound_is_taken_up_to_it(field: Number, value: float) -> None:
    assert field.deserialize(value) == value


@pytest.mark.parametrize(
    ("field", "ends"), [(Number(low=0), (0, None)), (Number(high=9), (None, 9)), (Number(0, 9), (0, 9))]
)
def test_a_number_shows_its_bounds_to_the_contract(field: Number, ends: tuple[float | None, float | None]) -> None:
    assert isinstance(field.validate, validate.Range)
    assert (field.validate.min, field.validate.max) == ends


# --- the rule language


@pytest.mark.parametrize(
    ("part", "term"), [("fever", Term("fever")), ({"absent": "fever"}, Term("fever", present=False))]
)
def test_a_term_is_a_word_or_its_absence(part: object, term: Term) -> None:
    assert parse_term(part) == term


@pytest.mark.parametrize(
    "part",
    [
        "",
        None,
        3,
        [],
        ["fever"],
        {},
        {"absent": 3},
        {"absent": ["fever"]},
        {"absent": "a", "unless": "b"},
        {"not": "a"},
    ],
)
def test_anything_else_is_no_term(part: object) -> None:
    with pytest.raises(ValidationError, match=r"expected a word or \{absent: word\}"):
        parse_term(part)


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (["a"], Line((Term("a"),))),
        (["a", {"absent": "b"}], Line((Term("a"), Term("b", present=False)))),
        (["a", {"unless": "b"}, "c", {"unless": "d"}], Line((Term("a"), Term("c")), ("b", "d"))),
        ([{"at_least": {"n": 1, "of": ["a"]}}], Line((), (), (AtLeast(1, ("a",)),))),
        ([{"at_least": {"n": 2, "of": ["a", "b"]}}], Line((), (), (AtLeast(2, ("a", "b")),))),
        (
            [{"at_least": {"n": 1, "of": ["a", "b"]}}, {"at_least": {"n": 1, "of": ["b", "c"]}}, "d"],
            Line((Term("d"),), (), (AtLeast(1, ("a", "b")), AtLeast(1, ("b", "c")))),
        ),
    ],
)
def test_a_line_is_read_part_by_part(parts: object, line: Line) -> None:
    assert parse_line(parts) == line


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(None, id="nothing"),
        pytest.param("a", id="a bare word"),
        pytest.param([], id="no part"),
        pytest.param({"at_least": {"n": 1, "of": ["a"]}}, id="a bare count"),
        pytest.param([{"unless": "a"}], id="an exclusion alone"),
        pytest.param([{"unless": "a"}, {"unless": "b"}], id="exclusions alone"),
        pytest.param(["a", {"unless": ["b"]}], id="a list of exclusions"),
        pytest.param(["a", {"unless": "b", "absent": "c"}], id="two keys"),
        pytest.param(["a", ["b"]], id="a line in a line"),
        pytest.param(["a", None], id="an empty part"),
        pytest.param([{"at_least": {"n": 0, "of": ["a"]}}], id="none of them"),
        pytest.param([{"at_least": {"n": 3, "of": ["a", "b"]}}], id="more than there are"),
        pytest.param([{"at_least": {"n": 1, "of": []}}], id="of nothing"),
        pytest.param([{"at_least": {"n": 1, "of": ["a", "a"]}}], id="a word twice"),
        pytest.param([{"at_least": {"n": 1.5, "of": ["a", "b"]}}], id="one and a half"),
        pytest.param([{"at_least": {"n": "1", "of": ["a", "b"]}}], id="a number as text"),
        pytest.param([{"at_least": {"n": 1, "of": "ab"}}], id="of letters"),
        pytest.param([{"at_least": {"n": 1, "of": ["a", {"absent": "b"}]}}], id="of absences"),
        pytest.param([{"at_least": {"n": 1}}], id="of what"),
        pytest.param([{"at_least": {"of": ["a"]}}], id="how many"),
        pytest.param([{"at_least": {"n": 1, "of": ["a"], "unless": "b"}}], id="a count with more"),
        pytest.param([{"at_least": ["a"]}], id="a count without a number"),
        pytest.param([{"at_least": ["n", "of"]}], id="the names of a count"),
        pytest.param([["absent"]], id="the name of an absence"),
        pytest.param(["a", ["unless"]], id="the name of an exclusion"),
    ],
)
def test_a_line_outside_the_language_is_refused(parts: object) -> None:
    with pytest.raises(ValidationError):
        parse_line(parts)


def test_a_line_names_every_word_that_it_reads() -> None:
    line = parse_line(["a", {"absent": "b"}, {"unless": "c"}, {"at_least": {"n": 1, "of": ["d", "e"]}}])
    assert line.words == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize("when", [None, [], "a", {"a": 1}, ["a"], [[]]])
def test_when_is_a_list_of_lines(when: object) -> None:
    assert "when" in refusal(records.PatternSchema(), {**PATTERN, "when": when})


def test_every_wrong_line_of_when_is_told_by_its_number() -> None:
    wrong = [["a"], [], ["b"], [{"unless": "c"}]]
    assert set(refusal(records.PatternSchema(), {**PATTERN, "when": wrong})["when"]) == {1, 3}


# --- the vocabulary language


A, NOT_B = Term("a"), Term("b", present=False)


@pytest.mark.parametrize(
    ("data", "derived"),
    [
        ({"all": ["a", {"absent": "b"}]}, Derived("all", members=(A, NOT_B))),
        ({"any": ["a"]}, Derived("any", members=(A,))),
        ({"of": ["a", {"absent": "b"}], "at_least": 2}, Derived("at_least", members=(A, NOT_B), count=2)),
        ({"from": "x.y", "at_least": 3}, Derived("from", paths=("x.y",), comparison=("at_least", 3))),
        ({"from": "x.y", "above": 3.5}, Derived("from", paths=("x.y",), comparison=("above", 3.5))),
        ({"from": "x.y", "at_most": 0}, Derived("from", paths=("x.y",), comparison=("at_most", 0))),
        ({"from": "x.y", "below": -1}, Derived("from", paths=("x.y",), comparison=("below", -1))),
        ({"from": "x.y", "equals": "male"}, Derived("from", paths=("x.y",), comparison=("equals", "male"))),
        ({"from": "x.y", "in": ["p", "q"]}, Derived("from", paths=("x.y",), comparison=("in", ("p", "q")))),
        ({"from": "x.y", "between": [1, 2]}, Derived("from", paths=("x.y",), comparison=("between", (1, 2)))),
        ({"from": "x.y", "missing": True}, Derived("from", paths=("x.y",), comparison=("missing", True))),
        (
            {"difference": ["x", "y"], "at_least": 20, "absolute": True},
            Derived("difference", paths=("x", "y"), absolute=True, comparison=("at_least", 20)),
        ),
        ({"difference": ["x", "y"], "above": 1}, Derived("difference", paths=("x", "y"), comparison=("above", 1))),
        ({"ratio": ["x", "y"], "below": 0.9}, Derived("ratio", paths=("x", "y"), comparison=("below", 0.9))),
        ({"score": "s", "at_least": 5}, Derived("score", score="s", comparison=("at_least", 5))),
        ({"item_points": "s", "at_least": 3}, Derived("item_points", score="s", comparison=("at_least", 3))),
        (
            {"tried": {"treatment": "any", "weeks_at_least": 6, "response_in": ["none"]}},
            Derived("tried", tried={"treatment": "any", "weeks_at_least": 6, "response_in": ("none",)}),
        ),
        (
            {
                "any": ["a"],
                "applies_if": "g",
                "group": "h",
                "source": "S",
                "switches_off": ["i"],
                "synonyms": ["j"],
                "note": "N",
            },
            Derived(
                "any",
                members=(A,),
                applies_if="g",
                group="h",
                source="S",
                switches_off=("i",),
                synonyms=("j",),
                note="N",
            ),
        ),
    ],
)
def test_a_derived_word_is_made_by_one_operator(data: dict[str, Any], derived: Derived) -> None:
    assert DerivedSchema().load(data) == derived


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="no operator"),
        pytest.param({"note": "only a note"}, id="only a note"),
        pytest.param({"at_least": 3}, id="only a comparison"),
        pytest.param({"all": ["a"], "any": ["b"]}, id="two operators"),
        pytest.param({"from": "x", "score": "s", "at_least": 1}, id="a number and a score"),
        pytest.param({"from": "x"}, id="no comparison"),
        pytest.param({"score": "s"}, id="a score without a comparison"),
        pytest.param({"from": "x", "at_least": 1, "below": 3}, id="two comparisons"),
        pytest.param({"from": "x", "at_least": 1, "in": ["a"]}, id="a number and a list"),
        pytest.param({"from": "x", "missing": False}, id="not missing"),
        pytest.param({"from": "x", "between": [1]}, id="half a range"),
        pytest.param({"from": "x", "at_least": "three"}, id="text for a number"),
        pytest.param({"from": ["x"], "at_least": 3}, id="a list for a field"),
        pytest.param({"difference": ["x"], "at_least": 3}, id="a difference of one"),
        pytest.param({"ratio": ["x", "y", "z"], "at_least": 3}, id="a ratio of three"),
        pytest.param({"all": []}, id="all of nothing"),
        pytest.param({"any": "a"}, id="any of letters"),
        pytest.param({"any": [["a"]]}, id="nesting"),
        pytest.param({"any": [{"unless": "a"}]}, id="an exclusion"),
        pytest.param({"not": "a"}, id="a negation"),
        pytest.param({"tried": {"treatment": "any"}}, id="half a trial"),
        pytest.param({"of": ["a", "b"]}, id="a count without a number"),
        pytest.param({"of": ["a", "b"], "at_least": 1.5}, id="one and a half of them"),
        pytest.param({"of": ["a", "b"], "at_least": 0}, id="none of them"),
        pytest.param({"of": ["a", "b"], "at_least": 3}, id="more than there are"),
        pytest.param({"of": ["a", "b"], "at_least": 1, "below": 3}, id="a count with a comparison"),
        pytest.param({"all": ["a", "b"], "at_least": 1}, id="all with a comparison"),
        pytest.param({"any": ["a"], "absolute": True}, id="an absolute word"),
        pytest.param(
            {"tried": {"treatment": "any", "weeks_at_least": 6, "response_in": ["none"]}, "below": 3},
            id="a trial with a comparison",
        ),
        pytest.param({"item_points": "s", "below": 3}, id="points of an item read from above"),
    ],
)
def test_a_derived_word_outside_the_flat_grammar_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DerivedSchema().load(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "exactly one operator is needed, found none"),
        ({"any": ["a"], "all": ["a"]}, "exactly one operator is needed, found ['all', 'any']"),
        ({"from": "x"}, "exactly one comparison is needed, found none"),
        ({"from": "x", "above": 1, "below": 2}, "exactly one comparison is needed, found ['above', 'below']"),
    ],
)
def test_a_derived_word_that_is_refused_is_told_why(data: dict[str, Any], message: str) -> None:
    assert refusal(DerivedSchema(), data) == {"_schema": [message]}


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        ({"plausible": [30, 43]}, True),
        ({"values": ["alert", "drowsy"]}, True),
        ({}, False),
        ({"plausible": [30, 43], "values": ["alert"]}, False),
    ],
)
def test_an_observation_has_either_a_range_or_codes(data: dict[str, Any], fits: bool) -> None:
    assert (vocabulary.ObservationSchema().validate({"label": "One", **data}) == {}) is fits


def test_a_must_ask_keeps_the_fields_that_it_names() -> None:
    data = entry("vocabulary/must_ask.yaml", "F-01")
    assert vocabulary.MustAskSchema().load({**data, "fields": ["setting"]}).fields == ("setting",)


# --- scores


def test_a_score_is_read_item_by_item() -> None:
    score = vocabulary.ScoreSchema().load(entry("vocabulary/scores.yaml", "ward_score"))
    fever, pulse, alertness = score.items
    assert (fever.name, fever.points, fever.word) == ("fever", 2, Term("fever"))
    assert (pulse.path, pulse.bands) == ("observations.pulse", ((None, 90, 0), (91, None, 1)))
    assert [item.name for item in alertness.one_of] == ["stiff", "drowsy"]
    assert alertness.one_of[1].codes == {"alert": 0, "drowsy": 1}
    assert (score.range, score.bands) == ((0, 4), {"low": (0, 1), "high": (2, 4)})


ITEM = {"name": "pulse", "from": "observations.pulse"}


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"name": "nothing", "points": 1}, id="read from nothing"),
        pytest.param({"name": "two", "word": "a", "from": "x", "bands": [[None, None, 1]]}, id="a word and a number"),
        pytest.param(ITEM, id="a number without bands"),
        pytest.param({**ITEM, "bands": []}, id="no bands"),
        pytest.param({**ITEM, "bands": [[None, 90]]}, id="half a band"),
        pytest.param({**ITEM, "bands": [[None, 90, None]]}, id="a band without points"),
        pytest.param({**ITEM, "bands": [[None, 90, 0], [100, None, 1]]}, id="a gap between bands"),
        pytest.param({**ITEM, "bands": [[50, 90, 0], [91, None, 1]]}, id="nothing for the low"),
        pytest.param({**ITEM, "bands": [[None, None, "1"]]}, id="points as text"),
        pytest.param({**ITEM, "codes": {"alert": "0"}}, id="points of a code as text"),
        pytest.param({**ITEM, "codes": {}}, id="no codes"),
        pytest.param({**ITEM, "value": False}, id="not its value"),
        pytest.param({"name": "word", "word": {"unless": "a"}}, id="an exclusion"),
    ],
)
def test_a_score_item_that_could_not_be_counted_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        vocabulary.ScoreItemSchema().load(item)


@pytest.mark.parametrize(
    "bands",
    [
        pytest.param({"low": [0, 1, 2]}, id="three ends"),
        pytest.param({"low": [0]}, id="one end"),
        pytest.param({"low": ["0", 1]}, id="text"),
        pytest.param([[0, 1]], id="no names"),
        pytest.param({1: [0, 1]}, id="a number for a name"),
    ],
)
def test_a_band_of_a_score_is_two_numbers_under_a_name(bands: object) -> None:
    data = entry("vocabulary/scores.yaml", "ward_score")
    assert set(refusal(vocabulary.ScoreSchema(), {**data, "bands": bands})) == {"bands"}
