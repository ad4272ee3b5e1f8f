"""What the service says of itself: rules/source_attributes.yaml, rules/validation.yaml, and GET /v1/knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import ValidationError, fields, validate

from schemas.knowledge import LadderPolicy, Reasoning
from schemas.parts import Number, Record, Tuples, ids, words
from schemas.vocabulary import NotCoded

ATTRIBUTES = (
    *("bibliographic_citation", "developer", "funding_source", "release_and_revision_dates"),
    *("race", "ethnicity", "language", "sexual_orientation", "gender_identity", "sex", "date_of_birth"),
    *("social_determinants_of_health", "health_status_assessments"),
)
"""The source attributes of an evidence-based decision support intervention, 45 CFR 170.315(b)(11)(iv)(A), in order."""
UNITS = ("share", "score", "cases", "words")


def _date(**kwargs: object) -> fields.String:
    """A day as text, since YAML would make an object of it."""
    return fields.String(validate=validate.Regexp(r"\d{4}-\d{2}-\d{2}\Z"), **kwargs)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SourceAttribute:
    """One of the thirteen: what there is to say, and for personal data whether it is used."""

    attribute: str
    says: str
    used: bool | None = None
    inputs: tuple[str, ...] = ()


class _SourceAttributeSchema(Record):
    model = SourceAttribute
    attribute = fields.String(required=True, validate=validate.OneOf(ATTRIBUTES))
    says = fields.String(required=True, validate=validate.Length(min=1))
    used = fields.Boolean()
    inputs = ids("input")


def _all_in_order(rows: tuple[SourceAttribute, ...]) -> None:
    if tuple(row.attribute for row in rows) != ATTRIBUTES:
        raise ValidationError(f"expected each once, in this order: {', '.join(ATTRIBUTES)}")


@dataclass(frozen=True, slots=True)
class SourceAttributes:
    """Who made the service, for whom, what it reads and what it leaves alone."""

    kind: str
    intended_users: tuple[str, ...]
    intended_population: str
    not_intended: tuple[str, ...]
    attributes: tuple[SourceAttribute, ...]
    revised: str
    released: str | None = None


class SourceAttributesSchema(Record):
    model = SourceAttributes
    kind = fields.String(required=True)
    intended_users = words(required=True, validate=validate.Length(min=1))
    intended_population = fields.String(required=True)
    not_intended = words(required=True, validate=validate.Length(min=1))
    attributes = Tuples(fields.Nested(_SourceAttributeSchema), required=True, validate=_all_in_order)
    released = _date(required=True, allow_none=True)
    revised = _date(required=True)


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of a study, with its 95 % interval where it has one."""

    id: str
    says: str
    unit: str
    value: float
    count: int | None = None
    of: int | None = None
    interval: tuple[float, float] | None = None


class _MeasuredSchema(Record):
    model = Measured
    id = fields.String(required=True)
    says = fields.String(required=True)
    unit = fields.String(required=True, validate=validate.OneOf(UNITS))
    value = Number(low=0, required=True)
    count = fields.Integer(strict=True, validate=validate.Range(0))
    of = fields.Integer(strict=True, validate=validate.Range(1))
    interval = Tuples(Number(low=0), validate=validate.Length(equal=2))


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """The cases whose first diagnosis had a probability in one bin: how sure it was, and how often it was right."""

    low: float
    high: float
    cases: int
    said: float
    right: float
    right_interval: tuple[float, float]


class _ReliabilityRowSchema(Record):
    model = ReliabilityRow
    low = Number(low=0, high=1, required=True)
    high = Number(low=0, high=1, required=True)
    cases = fields.Integer(strict=True, required=True, validate=validate.Range(1))
    said = Number(low=0, high=1, required=True)
    right = Number(low=0, high=1, required=True)
    right_interval = Tuples(Number(low=0, high=1), required=True, validate=validate.Length(equal=2))


@dataclass(frozen=True, slots=True)
class Study:
    """What was measured, on how many cases, and what the figures do not say."""

    id: str
    title: str
    limits: str
    repeat: str
    cases: int
    measures: tuple[Measured, ...]
    reliability: tuple[ReliabilityRow, ...] = ()


class _StudySchema(Record):
    model = Study
    id = fields.String(required=True)
    title = fields.String(required=True)
    limits = fields.String(required=True)
    repeat = fields.String(required=True)
    cases = fields.Integer(strict=True, required=True, validate=validate.Range(1))
    measures = Tuples(fields.Nested(_MeasuredSchema), required=True, validate=validate.Length(min=1))
    reliability = Tuples(fields.Nested(_ReliabilityRowSchema))


@dataclass(frozen=True, slots=True)
class Validation:
    """How good the answers are, as far as it was measured."""

    date: str
    by: str
    studies: tuple[Study, ...]


class ValidationSchema(Record):
    model = Validation
    date = _date(required=True)
    by = fields.String(required=True)
    studies = Tuples(fields.Nested(_StudySchema), required=True, validate=validate.Length(min=1))


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the service knows."""

    findings: int
    observations: int
    derived_words: int
    scores: int
    conditions_ranked: int
    conditions_known_by_name_only: int
    red_flags: int
    treatments_encoded: int
    safety_rules: int
    references: int


@dataclass(frozen=True, slots=True)
class EngineSize:
    """How large one concern of the rule engine is."""

    rulesets: int
    rules: int
    literals: int


@dataclass(frozen=True, slots=True)
class About:
    """What the service knows, how it reasons, how good it is and what it does not do."""

    version: str
    sha256: str
    intended_use: str
    source_attributes: SourceAttributes
    inputs_used: tuple[str, ...]
    inputs_not_used: Mapping[str, str]
    validation: Validation
    counts: Counts
    engine: Mapping[str, EngineSize]
    reasoning: Reasoning
    ladder: LadderPolicy
    not_coded: Mapping[str, NotCoded]
    review: Mapping[str, int]
