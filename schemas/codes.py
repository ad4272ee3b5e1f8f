"""The files of rules/vocabulary/codes: what the codes of other systems mean in the words of the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas.parts import Id, Number, Record, Tuples, ids, words

STATUSES = ("verified", "recalled")
ANSWER_STATES = ("present", "absent", "unknown")


@dataclass(frozen=True, slots=True)
class System:
    """A code system by the URIs that a Coding may name it with; deep: a longer code lies below a shorter one."""

    uris: tuple[str, ...]
    deep: bool = False


class SystemSchema(Record):
    model = System
    uris = words(required=True, validate=validate.Length(min=1))
    deep = fields.Boolean()


@dataclass(frozen=True, slots=True)
class Code:
    """One code of another system; under: and every code below it."""

    system: str
    code: str
    display: str
    status: str
    under: bool = False


class CodeSchema(Record):
    model = Code
    system = Id("code system", required=True)
    code = fields.String(required=True, validate=validate.Length(min=1))
    display = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    under = fields.Boolean()


def _codes(**kwargs: Any) -> Tuples:
    return Tuples(fields.Nested(CodeSchema), **kwargs)


@dataclass(frozen=True, slots=True)
class Coded:
    """The codes of one word. `days` is how long it counts, in days; `past` what it says once it is over."""

    codes: tuple[Code, ...] = ()
    days: float | None = None
    past: str | None = None
    answers: Mapping[str, tuple[Code, ...]] = field(default_factory=dict)


class CodedSchema(Record):
    model = Coded
    codes = _codes(required=True)


class CodedFindingSchema(Record):
    model = Coded
    codes = _codes(required=True)
    days = Number(0)
    past = Id("finding")
    answers = fields.Dict(fields.String(validate=validate.OneOf(ANSWER_STATES)), _codes())


@dataclass(frozen=True, slots=True)
class Conversion:
    """From one unit to another: value x factor + plus; moles: the factor is divided by the molar mass in g/mol."""

    factor: float
    plus: float = 0.0
    moles: bool = False
    printed: bool = False
    unit: str = ""
    to: str = ""
    note: str | None = None


class _OwnConversionSchema(Record):
    model = Conversion
    factor = Number(required=True)
    plus = Number()
    note = fields.String()


class ConversionSchema(_OwnConversionSchema):
    unit = fields.String(required=True)
    to = fields.String(required=True)
    moles = fields.Boolean()
    printed = fields.Boolean()


@dataclass(frozen=True, slots=True)
class CodedObservation:
    """Further codes of a measurement, for how many days it is today's, and the units that only it converts from."""

    days: float
    codes: tuple[Code, ...] = ()
    molar_mass: float | None = None
    units: Mapping[str, Conversion] = field(default_factory=dict)


class CodedObservationSchema(Record):
    model = CodedObservation
    days = Number(0, required=True)
    codes = _codes()
    molar_mass = Number(1)
    units = fields.Dict(fields.String(), fields.Nested(_OwnConversionSchema))


@dataclass(frozen=True, slots=True)
class CodedField:
    """Codes that ask about a field of the request, and codes that are its values; for how many days either counts."""

    codes: tuple[Code, ...] = ()
    values: Mapping[str, tuple[Code, ...]] = field(default_factory=dict)
    days: float | None = None
    problem_days: float | None = None


class CodedFieldSchema(Record):
    model = CodedField
    codes = _codes()
    values = fields.Dict(fields.String(), _codes())
    days = Number(0)
    problem_days = Number(0)

    @validates_schema
    def _something(self, data: dict[str, Any], **_: object) -> None:
        if not data.get("codes") and not data.get("values"):
            raise ValidationError("a field has codes or values")


@dataclass(frozen=True, slots=True)
class Answer:
    """Codes of one answer, and what it says of a finding."""

    means: str
    codes: tuple[Code, ...]


class AnswerSchema(Record):
    model = Answer
    means = fields.String(required=True, validate=validate.OneOf(ANSWER_STATES))
    codes = _codes(required=True)


@dataclass(frozen=True, slots=True)
class Reason:
    """Codes of one reason to be here with back pain."""

    label: str
    codes: tuple[Code, ...]


class ReasonSchema(Record):
    model = Reason
    label = fields.String(required=True)
    codes = _codes(required=True)


@dataclass(frozen=True, slots=True)
class EmptyList:
    """Codes of an entry that says that nothing is on a list, and codes of a List that may be empty for that reason."""

    codes: tuple[Code, ...]
    lists: tuple[Code, ...]


class EmptyListSchema(Record):
    model = EmptyList
    codes = _codes(required=True)
    lists = _codes(required=True)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the service chose about reading a chart; all times in days."""

    grade: str
    evidence_status: str
    references: tuple[str, ...]
    finding_days: Mapping[str, float]
    observation_days: float
    answers_days: float
    reason_days: float
    tried_days: float
    adult_from: float
    allergy_words: tuple[str, ...]


class ReadingSchema(Record):
    model = Reading
    grade = fields.String(required=True, validate=validate.Equal("D"))
    evidence_status = fields.String(required=True)
    references = ids("reference", required=True)
    finding_days = fields.Dict(fields.String(), Number(0), required=True)
    observation_days = Number(0, required=True)
    answers_days = Number(0, required=True)
    reason_days = Number(0, required=True)
    tried_days = Number(0, required=True)
    adult_from = Number(0, required=True)
    allergy_words = words(required=True)


@dataclass(frozen=True, slots=True)
class Codes:
    """All of it: file -> word -> its codes."""

    systems: Mapping[str, System]
    findings: Mapping[str, Coded]
    observations: Mapping[str, CodedObservation]
    medications: Mapping[str, Coded]
    allergens: Mapping[str, Coded]
    treatments: Mapping[str, Coded]
    reasons: Mapping[str, Reason]
    fields: Mapping[str, CodedField]
    answers: Mapping[str, Answer]
    empty_lists: Mapping[str, EmptyList]
    units: tuple[Conversion, ...]
    reading: Reading


TABLES: Mapping[str, Record] = {
    "systems": SystemSchema(),
    "findings": CodedFindingSchema(),
    "observations": CodedObservationSchema(),
    "medications": CodedSchema(),
    "allergens": CodedSchema(),
    "treatments": CodedSchema(),
    "reasons": ReasonSchema(),
    "fields": CodedFieldSchema(),
    "answers": AnswerSchema(),
    "empty_lists": EmptyListSchema(),
}
"""File of rules/vocabulary/codes -> the schema of each of its entries."""
