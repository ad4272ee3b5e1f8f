"""The files of rules/advice: education, follow-up, referral, what the articles say, gates, the leaflet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import fields, validate

from schemas.knowledge import LEVELS, Sourced
from schemas.parts import Id, Line, Record, Tuples, When, ids, words

EDUCATION = ("return_precaution", "advice", "prognosis")
TOPICS = (
    *("warning", "activity", "heat", "cold", "cream", "medicine", "exercise", "sleep_and_posture", "lifting"),
    *("work", "mind", "diet", "scan", "smoking", "prognosis"),
)


@dataclass(frozen=True, slots=True)
class Education:
    """A fact for the patient: for whom, beside which treatments, and in plain words."""

    id: str
    kind: str
    title: str
    text: str
    topic: str
    evidence_status: str
    references: tuple[str, ...]
    leaflet: str | None = None
    act: str | None = None
    treatments: tuple[str, ...] = ()
    """Shown only when one of these is proposed; empty for everyone."""
    unless_excluded: tuple[str, ...] = ()
    """Not shown when one of these was taken off the ladder."""
    when: tuple[Line, ...] = ()
    """For whom; empty for everyone."""
    seen: tuple[str, ...] = ()
    note: str | None = None


class EducationSchema(Sourced):
    model = Education
    id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(EDUCATION))
    title = fields.String(required=True)
    text = fields.String(required=True)
    leaflet = fields.String(allow_none=True)
    act = fields.String(allow_none=True)
    topic = fields.String(required=True, validate=validate.OneOf(TOPICS))
    treatments = ids("treatment")
    unless_excluded = ids("treatment")
    when = When()
    note = fields.String()


@dataclass(frozen=True, slots=True)
class FollowUp:
    """When to look again, and at what."""

    id: str
    title: str
    review_days: tuple[int, ...]
    within: str
    check: tuple[str, ...]
    evidence_status: str
    references: tuple[str, ...]
    when: tuple[Line, ...] = ()
    treatments: tuple[str, ...] = ()
    """Treatments whose start asks for the review."""
    seen: tuple[str, ...] = ()
    note: str | None = None


class FollowUpSchema(Sourced):
    model = FollowUp
    id = fields.String(required=True)
    title = fields.String(required=True)
    when = When()
    treatments = ids("treatment")
    review_days = Tuples(fields.Integer(strict=True, validate=validate.Range(0, 400)), required=True)
    within = fields.String(required=True)
    check = words(required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Referral:
    """To whom a condition is referred, and when."""

    id: str
    condition: str
    reached: str
    refer_to: str
    when: str
    evidence_status: str
    references: tuple[str, ...]
    seen: tuple[str, ...] = ()
    note: str | None = None


class ReferralSchema(Sourced):
    model = Referral
    id = fields.String(required=True)
    condition = Id("condition", required=True)
    reached = fields.String(required=True)
    refer_to = fields.String(required=True)
    when = fields.String(required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Where the articles contradict one another or the evidence: each side, and what the service does."""

    id: str
    title: str
    articles: Mapping[str, str]
    evidence: str
    default: str
    show: str
    evidence_status: str
    references: tuple[str, ...]
    treatments: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    note: str | None = None


class ConflictSchema(Sourced):
    model = Conflict
    id = fields.String(required=True)
    title = fields.String(required=True)
    articles = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    evidence = fields.String(required=True)
    default = fields.String(required=True)
    show = fields.String(required=True)
    treatments = ids("treatment")
    rows = words()
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure that the articles name, and the rows of the evidence that answer it."""

    id: str
    label: str
    articles: tuple[str, ...]
    rows: tuple[str, ...]
    treatments: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    note: str | None = None


class MeasureSchema(Record):
    model = Measure
    id = fields.String(required=True)
    label = fields.String(required=True)
    articles = words(required=True)
    rows = words(required=True)
    treatments = ids("treatment")
    conflicts = ids("conflict")
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Gate:
    """A rule of every climb, and what in the service holds it."""

    id: str
    rule: str
    held_by: str
    evidence_status: str
    references: tuple[str, ...]
    seen: tuple[str, ...] = ()
    note: str | None = None


class GateSchema(Sourced):
    model = Gate
    id = fields.String(required=True)
    rule = fields.String(required=True)
    held_by = fields.String(required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class LeafletLevel:
    """What the leaflet says first at a level, and which topics it holds."""

    text: str
    topics: tuple[str, ...]


class _LeafletLevelSchema(Record):
    model = LeafletLevel
    text = fields.String(required=True)
    topics = words(required=True, validate=validate.ContainsOnly(TOPICS))


@dataclass(frozen=True, slots=True)
class Leaflet:
    """The frame of the leaflet: its sentences, and its sections in order."""

    title: str
    likely: str
    warning: str
    provisional: str
    review: str
    sections: Mapping[str, str]
    """Topic -> heading, in the order of the leaflet; topics of one heading share a section."""
    levels: Mapping[str, LeafletLevel]


class LeafletSchema(Record):
    model = Leaflet
    title = fields.String(required=True)
    likely = fields.String(required=True)
    warning = fields.String(required=True)
    provisional = fields.String(required=True)
    review = fields.String(required=True)
    sections = fields.Dict(keys=fields.String(validate=validate.OneOf(TOPICS)), values=fields.String(), required=True)
    levels = fields.Dict(
        keys=fields.String(validate=validate.OneOf(LEVELS)), values=fields.Nested(_LeafletLevelSchema), required=True
    )
