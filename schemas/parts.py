"""Building blocks of the schemas: frozen records, tuples, the lines of the rule language, strict numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate


class Record(Schema):
    """A schema whose result is a frozen dataclass; a key that it does not know is an error."""

    model: ClassVar[Callable[..., object]]

    class Meta:
        unknown = RAISE

    @post_load
    def _build(self, data: dict[str, Any], **_: object) -> object:
        return type(self).model(**data)


class Tuples(fields.List[Any]):
    """A list that loads as a tuple, so that records stay hashable and frozen."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))


def words(**kwargs: Any) -> Tuples:
    """A list of texts."""
    return Tuples(fields.String(validate=validate.Length(min=1)), **kwargs)


class Id(fields.String):
    """A name that must exist elsewhere; `names` says among what (see rules/checks.py)."""

    def __init__(self, names: str, **kwargs: Any) -> None:
        kwargs.setdefault("validate", validate.Length(min=1))
        super().__init__(**kwargs)
        self.names = names


def ids(names: str, **kwargs: Any) -> Tuples:
    """A list of names that must exist elsewhere."""
    return Tuples(Id(names), **kwargs)


@dataclass(frozen=True, slots=True)
class Term:
    """A word that must be present, or (present=False) be said to be absent."""

    word: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least n of these words are present."""

    n: int
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of `when`: all its parts must hold."""

    terms: tuple[Term, ...]
    unless: tuple[str, ...] = ()
    at_least: tuple[AtLeast, ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """Every word the line reads."""
        counted = (word for block in self.at_least for word in block.of)
        return frozenset((*(term.word for term in self.terms), *self.unless, *counted))


def parse_term(part: object) -> Term:
    """Read `word` or `{absent: word}`.

    Raises:
        ValidationError: anything else.
    """
    if isinstance(part, str) and part:
        return Term(part)
    if isinstance(part, Mapping) and set(part) == {"absent"} and isinstance(part["absent"], str):
        return Term(part["absent"], present=False)
    raise ValidationError(f"expected a word or {{absent: word}}, found {part!r}")


def _parse_at_least(block: object) -> AtLeast:
    if isinstance(block, Mapping) and set(block) == {"n", "of"}:
        n, of = block["n"], block["of"]
        fits = isinstance(n, int) and isinstance(of, list) and all(isinstance(word, str) for word in of)
        if fits and 1 <= n <= len(of) and len(set(of)) == len(of):
            return AtLeast(n, tuple(of))
    raise ValidationError(f"expected {{n: 1.., of: [different words]}}, found {block!r}")


def parse_line(parts: object) -> Line:
    """Read one line of the rule language.

    Raises:
        ValidationError: a part outside the language.
    """
    if not isinstance(parts, list) or not parts:
        raise ValidationError("a line of `when` is a list with at least one part")
    terms: list[Term] = []
    unless: list[str] = []
    counts: list[AtLeast] = []
    for part in parts:
        if isinstance(part, Mapping) and set(part) == {"unless"} and isinstance(part["unless"], str):
            unless.append(part["unless"])
        elif isinstance(part, Mapping) and set(part) == {"at_least"}:
            counts.append(_parse_at_least(part["at_least"]))
        else:
            terms.append(parse_term(part))
    if not terms and not counts:
        raise ValidationError("a line needs a word; an exclusion alone never fires")
    return Line(tuple(terms), tuple(unless), tuple(counts))


class When(fields.Field[tuple[Line, ...]]):
    """Lines of the rule language; any one is enough."""

    names = "rule word"

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[Line, ...]:
        if not isinstance(value, list) or not value:
            raise ValidationError("expected a list of lines")
        lines, errors = [], {}
        for number, parts in enumerate(value):
            try:
                lines.append(parse_line(parts))
            except ValidationError as error:
                errors[number] = error.messages
        if errors:
            raise ValidationError(errors)
        return tuple(lines)


class Terms(fields.Field[tuple[Term, ...]]):
    """Members of all / any / at_least in the vocabulary language."""

    names = "member"

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[Term, ...]:
        if not isinstance(value, list) or not value:
            raise ValidationError("expected a list of words")
        return tuple(parse_term(part) for part in value)


class TermField(fields.Field[Term]):
    """A single word or {absent: word}."""

    names = "member"

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Term:
        return parse_term(value)


class Number(fields.Field[float]):
    """A finite JSON number: no string, no boolean, no NaN, within `low` and `high` where given."""

    def __init__(self, low: float | None = None, high: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high
        if low is not None or high is not None:
            self.validate = validate.Range(low, high)  # read by apispec for minimum and maximum
            self.validators = []

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("expected a number")
        if abs(value) > 1e15 or not math.isfinite(value):
            raise ValidationError("expected a finite number of ordinary size")
        if self.low is not None and value < self.low:
            raise ValidationError(self._outside())
        if self.high is not None and value > self.high:
            raise ValidationError(self._outside())
        return value

    def _outside(self) -> str:
        low, high = ("without limit" if end is None else f"{end:g}" for end in (self.low, self.high))
        return f"outside the plausible range {low} to {high}"


def ascending(ends: tuple[float, ...]) -> None:
    """Refuse a range whose first end is not below its second."""
    if list(ends) != sorted(set(ends)):
        raise ValidationError("the first end of a range is below the second")


Where = tuple[str | int, ...]
"""Keys and positions from the root of a file to a value."""


def named(schema: Schema, data: Mapping[str, Any], where: Where = ()) -> Iterator[tuple[Where, str, str]]:
    """Every name in valid data that must exist elsewhere, as (place, kind of name, name)."""
    for name, field in schema.fields.items():
        key = field.data_key or name
        if data.get(key) is not None:
            yield from _named(field, data[key], (*where, key))


def _named(field: fields.Field[Any], value: Any, where: Where) -> Iterator[tuple[Where, str, str]]:
    if isinstance(field, Id):
        yield where, field.names, value
    elif isinstance(field, When | Terms | TermField):
        yield from ((place, field.names, word) for place, word in _texts(value, where))
    elif isinstance(field, fields.Nested):
        yield from named(field.schema, value, where)
    elif isinstance(field, fields.List):
        for number, each in enumerate(value):
            yield from _named(field.inner, each, (*where, number))
    elif isinstance(field, fields.Dict):
        for key, each in value.items():
            for part, content in ((field.key_field, key), (field.value_field, each)):
                if part is not None:
                    yield from _named(part, content, (*where, key))


def _texts(value: Any, where: Where) -> Iterator[tuple[Where, str]]:
    """The words in a line or term, whatever is built around them."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, (*where, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, (*where, number))
