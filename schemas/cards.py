"""rules/cds_hooks.yaml: the services of CDS Hooks, the words of their cards, and what an order is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import fields, validate

from schemas.knowledge import LEVELS, SEVERITIES, Sourced
from schemas.parts import Id, Record, Tuples, ids, words

HOOKS = ("patient-view", "encounter-start", "order-select", "order-sign")
INDICATORS = ("info", "warning", "critical")
"""From the mildest to the one that interrupts."""
PRIORITIES = ("routine", "urgent", "asap", "stat")
VERDICTS = ("excluded", "caution", "not_recommended", "not_checked")
"""What can be found of an order, the heaviest first."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its hook, what an administrator reads of it, and the keys of its prefetch."""

    id: str
    hook: str
    title: str
    description: str
    usage: str
    prefetch: tuple[str, ...]


class ServiceSchema(Record):
    model = Service
    id = fields.String(required=True, validate=validate.Regexp(r"[a-z0-9-]{1,64}\Z"))
    hook = fields.String(required=True, validate=validate.OneOf(HOOKS))
    title = fields.String(required=True, validate=validate.Length(min=1))
    description = fields.String(required=True, validate=validate.Length(min=1))
    usage = fields.String(required=True, validate=validate.Length(min=1))
    prefetch = words(required=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """How a card shows an urgency level."""

    indicator: str
    word: str
    priority: str


class ShownSchema(Record):
    model = Shown
    indicator = fields.String(required=True, validate=validate.OneOf(INDICATORS))
    word = fields.String(required=True, validate=validate.Length(1, 30))
    priority = fields.String(required=True, validate=validate.OneOf(PRIORITIES))


@dataclass(frozen=True, slots=True)
class Show:
    """How much is shown, and from where on."""

    cards: int
    reasons: int
    questions: int
    sources: int
    suggestions: int
    orders: int
    critical_at_least: str
    caution_from: str
    on_order: tuple[str, ...]


def _count() -> fields.Integer:
    return fields.Integer(required=True, strict=True, validate=validate.Range(1, 50))


class ShowSchema(Record):
    model = Show
    cards = _count()
    reasons = _count()
    questions = _count()
    sources = _count()
    suggestions = _count()
    orders = _count()
    critical_at_least = fields.String(required=True, validate=validate.OneOf(INDICATORS))
    caution_from = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    on_order = ids("level", required=True)


@dataclass(frozen=True, slots=True)
class Coding:
    """A code of a code system; `display` where it is shown."""

    system: str
    code: str
    display: str = ""


class CodingSchema(Record):
    model = Coding
    system = fields.String(required=True, validate=validate.URL())
    code = fields.String(required=True, validate=validate.Length(min=1))


class ReasonSchema(CodingSchema):
    display = fields.String(required=True, validate=validate.Length(min=1))


@dataclass(frozen=True, slots=True)
class Order:
    """Something that can be ordered and is no drug: by which names and codes it is known, and what judges it."""

    id: str
    label: str
    names: tuple[tuple[str, ...], ...]
    about_back: bool = False
    but_not: tuple[str, ...] = ()
    codes: tuple[Coding, ...] = ()
    treatments: tuple[str, ...] = ()
    right_for: tuple[str, ...] = ()
    wrong_for: tuple[str, ...] = ()
    do_not: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    note: str = ""


class OrderSchema(Record):
    model = Order
    id = fields.String(required=True, validate=validate.Length(min=1))
    label = fields.String(required=True, validate=validate.Length(1, 60))
    about_back = fields.Boolean(load_default=False)
    names = Tuples(words(validate=validate.Length(min=1)), required=True, validate=validate.Length(min=1))
    but_not = words()
    codes = Tuples(fields.Nested(CodingSchema))
    treatments = ids("treatment")
    right_for = ids("investigation")
    wrong_for = ids("investigation")
    do_not = ids("do-not row")
    needs = ids("field")
    note = fields.String()


@dataclass(frozen=True, slots=True)
class DrugOrder:
    """A drug or class that can be ordered: the entry that judges it where it is none itself, and do-not rows."""

    of: str
    judged_as: str
    do_not: tuple[str, ...] = ()


class DrugOrderSchema(Record):
    model = DrugOrder
    of = Id("medication", required=True)
    judged_as = Id("treatment", required=True)
    do_not = ids("do-not row")


@dataclass(frozen=True, slots=True)
class Cards:
    """All of rules/cds_hooks.yaml."""

    grade: str
    evidence_status: str
    references: tuple[str, ...]
    services: tuple[Service, ...]
    prefetch: Mapping[str, str]
    levels: Mapping[str, Shown]
    verdicts: Mapping[str, str]
    show: Show
    texts: Mapping[str, str]
    override_reasons: tuple[Coding, ...]
    orders: tuple[Order, ...]
    drugs: tuple[DrugOrder, ...]
    seen: tuple[str, ...] = ()


class CardsSchema(Sourced):
    model = Cards
    grade = fields.String(required=True, validate=validate.Equal("D"))
    services = Tuples(fields.Nested(ServiceSchema), required=True)
    prefetch = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    levels = fields.Dict(
        keys=fields.String(validate=validate.OneOf(LEVELS)),
        values=fields.Nested(ShownSchema),
        required=True,
        validate=validate.Length(equal=len(LEVELS)),
    )
    verdicts = fields.Dict(
        keys=fields.String(validate=validate.OneOf(VERDICTS)),
        values=fields.String(validate=validate.OneOf(INDICATORS)),
        required=True,
        validate=validate.Length(equal=len(VERDICTS)),
    )
    show = fields.Nested(ShowSchema, required=True)
    texts = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    override_reasons = Tuples(fields.Nested(ReasonSchema), required=True)
    orders = Tuples(fields.Nested(OrderSchema), required=True)
    drugs = Tuples(fields.Nested(DrugOrderSchema), required=True)
