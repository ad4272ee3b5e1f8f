"""The vocabulary files: what a request may say and what words follow from it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from schemas.parts import Id, Number, Record, Term, TermField, Terms, Tuples, ascending, ids, words

FINDING_KINDS = ("history", "examination", "context", "investigation")
COMPARISONS = ("at_least", "above", "at_most", "below", "equals", "in", "between", "missing")
OPERATORS = ("all", "any", "of", "from", "difference", "ratio", "tried", "score", "item_points")


@dataclass(frozen=True, slots=True)
class Finding:
    """A question that is answered present, absent or unknown."""

    kind: str
    label: str
    question: str
    group: str | None = None
    groups_also: tuple[str, ...] = ()
    implied_by: tuple[str, ...] = ()
    absent_clears: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    also_present_if: str | None = None
    also_absent_if: str | None = None
    prompted_by: str | None = None
    synonyms: tuple[str, ...] = ()
    note: str | None = None


class FindingSchema(Record):
    model = Finding
    kind = fields.String(required=True, validate=validate.OneOf(FINDING_KINDS))
    label = fields.String(required=True)
    question = fields.String(required=True)
    group = Id("group")
    groups_also = ids("group")
    implied_by = ids("finding")
    absent_clears = ids("finding")
    contradicts = ids("finding")
    also_present_if = Id("word")
    also_absent_if = Id("word")
    prompted_by = Id("word")
    synonyms = words()
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Observation:
    """A measurement with unit and plausible range, or one of some coded values."""

    label: str
    unit: str | None = None
    ucum: str | None = None
    plausible: tuple[float, float] | None = None
    values: tuple[str, ...] = ()
    loinc: str | None = None
    loinc_sure: bool = True
    loinc_alternatives: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    note: str | None = None


class ObservationSchema(Record):
    model = Observation
    label = fields.String(required=True)
    unit = fields.String()
    ucum = fields.String()
    plausible = Tuples(Number(), validate=[validate.Length(equal=2), ascending])
    values = words()
    loinc = fields.String()
    loinc_sure = fields.Boolean()
    loinc_alternatives = words()
    synonyms = words()
    note = fields.String()

    @validates_schema
    def _one_kind(self, data: dict[str, Any], **_: object) -> None:
        if ("plausible" in data) == ("values" in data):
            raise ValidationError("an observation has either a plausible range or coded values")


@dataclass(frozen=True, slots=True)
class Derived:
    """A word worked out from other words or fields by exactly one operator."""

    operator: str
    members: tuple[Term, ...] = ()
    count: int = 0
    paths: tuple[str, ...] = ()
    absolute: bool = False
    comparison: tuple[str, Any] | None = None
    tried: Mapping[str, Any] | None = None
    score: str | None = None
    applies_if: str | None = None
    group: str | None = None
    source: str | None = None
    switches_off: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    note: str | None = None


class _TriedSchema(Record):
    model = dict
    treatment = Id("any treatment", required=True)
    weeks_at_least = Number(required=True)
    response_in = words(required=True)


class DerivedSchema(Record):
    """Reads the flat grammar: one operator a word."""

    all = Terms()
    any = Terms()
    of = Terms()
    path = Id("field", data_key="from")
    difference = ids("field", validate=validate.Length(equal=2))
    ratio = ids("field", validate=validate.Length(equal=2))
    absolute = fields.Boolean()
    tried = fields.Nested(_TriedSchema)
    score = Id("score")
    item_points = Id("score")
    at_least = Number()
    above = Number()
    at_most = Number()
    below = Number()
    equals = fields.String()
    one_of = words(data_key="in")
    between = Tuples(Number(), validate=validate.Length(equal=2))
    missing = fields.Boolean(validate=validate.Equal(True))
    applies_if = Id("word")
    group = Id("group")
    source = fields.String()
    switches_off = ids("group or word")
    synonyms = words()
    note = fields.String()

    _ABOUT = ("applies_if", "group", "source", "switches_off", "synonyms", "note")

    @post_load
    def _build(self, data: dict[str, Any], **_: object) -> Derived:
        about = {key: data.pop(key) for key in self._ABOUT if key in data}
        given = {"from" if key == "path" else key: value for key, value in data.items()}
        operators = [key for key in OPERATORS if key in given]
        if len(operators) != 1:
            raise ValidationError(f"exactly one operator is needed, found {operators or 'none'}")
        operator = operators[0]
        if "absolute" in given and operator != "difference":
            raise ValidationError("only a difference can be absolute")
        if operator in ("all", "any", "of", "tried"):
            return self._counting(operator, given, about)
        comparisons = [key for key in ("one_of", *COMPARISONS) if key in given]
        if len(comparisons) != 1:
            raise ValidationError(f"exactly one comparison is needed, found {comparisons or 'none'}")
        comparison = (comparisons[0].replace("one_of", "in"), given[comparisons[0]])
        if operator == "item_points" and comparison[0] != "at_least":
            raise ValidationError("the points of an item are read with at_least")
        if operator in ("score", "item_points"):
            return Derived(operator, score=given[operator], comparison=comparison, **about)
        paths = (given["from"],) if operator == "from" else given[operator]
        return Derived(operator, paths=paths, absolute=given.get("absolute", False), comparison=comparison, **about)

    @staticmethod
    def _counting(operator: str, given: dict[str, Any], about: dict[str, Any]) -> Derived:
        """A word made of other words, or of what was tried: it compares nothing."""
        count = given.pop("at_least", None) if operator == "of" else None
        if len(given) != 1:
            raise ValidationError(f"nothing stands beside {operator}, found {sorted(set(given) - {operator})}")
        if operator == "tried":
            return Derived("tried", tried=given["tried"], **about)
        members = given[operator]
        if operator != "of":
            return Derived(operator, members=members, **about)
        if not isinstance(count, int) or not 1 <= count <= len(members):
            raise ValidationError("of needs at_least, a whole number of its words")
        return Derived("at_least", members=members, count=count, **about)


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One item of a score: points for a word, for a band of a number, for a code, or the number itself."""

    name: str
    points: float = 0
    word: Term | None = None
    one_of: tuple[ScoreItem, ...] = ()
    path: str | None = None
    bands: tuple[tuple[float | None, float | None, float], ...] = ()
    codes: Mapping[str, float] | None = None
    value: bool = False
    defaults: Mapping[str, str] | None = None
    scales: tuple[Mapping[str, Any], ...] = ()


def _bands() -> Tuples:
    return Tuples(Tuples(Number(allow_none=True), validate=validate.Length(equal=3)))


class _ScaleSchema(Record):
    model = dict
    when = fields.Dict(keys=Id("field"), values=fields.String(), required=True)
    bands = _bands()


def _seamless(bands: tuple[tuple[float | None, float | None, float | None], ...]) -> bool:
    """Open at both ends, and each band begins one step (of the printed ends) after the one before."""
    ends = [end for low, high, _ in bands for end in (low, high) if end is not None]
    step = 1 if all(float(end).is_integer() for end in ends) else 0.1
    meeting = all(
        before[1] is not None and after[0] is not None and abs(after[0] - before[1] - step) < 1e-9
        for before, after in itertools.pairwise(bands)
    )
    return meeting and bands[0][0] is None and bands[-1][1] is None and all(points is not None for *_, points in bands)


class ScoreItemSchema(Record):
    model = ScoreItem
    name = fields.String(required=True)
    points = Number()
    word = TermField()
    one_of = Tuples(fields.Nested("ScoreItemSchema"))
    path = Id("field", data_key="from")
    bands = _bands()
    codes = fields.Dict(keys=fields.String(), values=Number())
    value = fields.Boolean()
    defaults = fields.Dict(keys=Id("field"), values=fields.String())

    @validates_schema
    def _one_source(self, data: dict[str, Any], **_: object) -> None:
        sources = [key for key in ("word", "one_of", "path") if data.get(key)]
        readings = [key for key in ("bands", "codes", "value", "scales") if data.get(key)]
        if len(sources) != 1 or len(readings) != ("path" in sources):
            raise ValidationError("an item reads a word, alternatives, or a number by bands, codes, scales or itself")
        for bands in (data.get("bands"), *(scale["bands"] for scale in data.get("scales", ()))):
            if bands and not _seamless(bands):
                raise ValidationError("the bands leave a gap, or have no points")

    scales = Tuples(fields.Nested(_ScaleSchema))


@dataclass(frozen=True, slots=True)
class Score:
    """A sum of items; with items missing an interval; read by rules as score:band."""

    items: tuple[ScoreItem, ...]
    range: tuple[float, float]
    bands: Mapping[str, tuple[float, float]]
    applies_if: str | None = None
    switches_off: tuple[str, ...] = ()
    actions: Mapping[str, str] | None = None
    missing_policy: str | None = None
    group: str | None = None
    source: str | None = None
    synonyms: tuple[str, ...] = ()
    note: str | None = None


class ScoreSchema(Record):
    model = Score
    items = Tuples(fields.Nested(ScoreItemSchema), required=True, validate=validate.Length(min=1))
    range = Tuples(Number(), required=True, validate=validate.Length(equal=2))
    bands = fields.Dict(keys=fields.String(), values=Tuples(Number(), validate=validate.Length(equal=2)), required=True)
    applies_if = Id("word")
    switches_off = ids("group or word")
    actions = fields.Dict(keys=fields.String(), values=fields.String())
    missing_policy = fields.String()
    group = Id("group")
    source = fields.String()
    synonyms = words()
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Medication:
    """An ingredient or a class; classes are inherited."""

    label: str
    kind: str
    classes: tuple[str, ...]
    rxnorm: str | None = None
    atc: str | None = None
    rxnorm_sure: bool = True
    synonyms: tuple[str, ...] = ()


class MedicationSchema(Record):
    model = Medication
    label = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["ingredient", "class"]))
    classes = ids("medication class", required=True)
    rxnorm = fields.String(allow_none=True)
    atc = fields.String(allow_none=True)
    rxnorm_sure = fields.Boolean()
    synonyms = words()


@dataclass(frozen=True, slots=True)
class MedicationNames:
    """How names of medications may differ and still mean the same."""

    salts_and_forms: tuple[str, ...]
    """Words that a name may carry and that do not change the ingredient."""
    whole_names: tuple[str, ...]
    """Names of which the salt is part."""
    same: Mapping[str, str]
    brands: Mapping[str, str]


class MedicationNamesSchema(Record):
    model = MedicationNames
    salts_and_forms = words(required=True)
    whole_names = words(required=True)
    same = fields.Dict(keys=fields.String(), values=Id("medication"), required=True)
    brands = fields.Dict(keys=fields.String(), values=Id("medication"), required=True)


@dataclass(frozen=True, slots=True)
class Allergen:
    """An allergen that is no medication."""

    label: str
    rules: tuple[str, ...] = ()


class AllergenSchema(Record):
    model = Allergen
    label = fields.String(required=True)
    rules = words()


@dataclass(frozen=True, slots=True)
class TreatmentGroup:
    """What treatments_tried may name when the exact item is not known."""

    label: str
    rung: int
    covers: tuple[str, ...]


class TreatmentGroupSchema(Record):
    model = TreatmentGroup
    label = fields.String(required=True)
    rung = fields.Integer(required=True)
    covers = ids("treatment", required=True)


@dataclass(frozen=True, slots=True)
class MustAsk:
    """An item that gates levels until it is answered."""

    item: str
    findings: tuple[str, ...]
    gates: tuple[str, ...]
    if_unknown: str
    action_if_unknown: str
    applies_if: str | None = None
    answered_if: str | None = None
    stale_after_hours: int | None = None
    valid: str | None = None
    fields: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    gates_treatments: tuple[str, ...] = ()
    note: str | None = None


class MustAskSchema(Record):
    model = MustAsk
    item = fields.String(required=True)
    findings = ids("finding", required=True)
    gates = ids("level", required=True)
    if_unknown = fields.String(required=True)
    action_if_unknown = fields.String(required=True)
    applies_if = Id("word")
    answered_if = Id("word")
    stale_after_hours = fields.Integer()
    valid = fields.String()
    fields_ = ids("field", data_key="fields", attribute="fields")
    derived = ids("vocabulary word")
    gates_treatments = ids("treatment or group")
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Level:
    """An urgency level and what must be answered before it is final."""

    rank: int
    label: str
    limit: str
    place: str
    must_be_answered: tuple[str, ...]
    if_applicable: tuple[str, ...] = ()


class LevelSchema(Record):
    model = Level
    rank = fields.Integer(required=True)
    label = fields.String(required=True)
    limit = fields.String(required=True)
    place = fields.String(required=True)
    must_be_answered = ids("must-ask", required=True)
    if_applicable = ids("must-ask")


@dataclass(frozen=True, slots=True)
class Setting:
    """A care setting; `prior_column` is the column of the evidence tables."""

    label: str
    prior_column: str


class SettingSchema(Record):
    model = Setting
    label = fields.String(required=True)
    prior_column = fields.String(required=True)


@dataclass(frozen=True, slots=True)
class Group:
    """A correlated group: one thing described in several ways."""

    source: str
    note: str | None = None


class GroupSchema(Record):
    model = Group
    source = fields.String(required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class NotCoded:
    """A score that must not be computed, and why."""

    reason: str
    source: str


class NotCodedSchema(Record):
    model = NotCoded
    reason = fields.String(required=True)
    source = fields.String(required=True)


@dataclass(frozen=True, slots=True)
class RequestField:
    """A field of the request besides findings and observations."""

    type: str
    values: tuple[str, ...] = ()
    plausible: tuple[float, float] | None = None
    loinc: str | None = None
    unit: str | None = None
    keys: str | None = None
    note: str | None = None


class RequestFieldSchema(Record):
    model = RequestField
    type = fields.String(required=True)
    values = words()
    plausible = Tuples(Number(), validate=[validate.Length(equal=2), ascending])
    loinc = fields.String()
    unit = fields.String()
    keys = fields.String()
    note = fields.String()


FILES: Mapping[str, Record] = {
    "findings": FindingSchema(),
    "observations": ObservationSchema(),
    "derived": DerivedSchema(),
    "scores": ScoreSchema(),
    "not_coded": NotCodedSchema(),
    "medications": MedicationSchema(),
    "allergens": AllergenSchema(),
    "treatment_groups": TreatmentGroupSchema(),
    "must_ask": MustAskSchema(),
    "levels": LevelSchema(),
    "settings": SettingSchema(),
    "fields": RequestFieldSchema(),
    "groups": GroupSchema(),
}
"""File of rules/vocabulary -> the schema of each of its entries."""
