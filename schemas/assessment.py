"""The request: structure is fixed, the ids and ranges come from the vocabulary that is handed in."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from schemas.parts import Number
from schemas.vocabulary import Finding, Observation, RequestField

ANSWERS = ("present", "absent", "unknown")
MAX_ENTRIES = 100
MAX_TEXT = 200
MAX_MENDS = 20
"""Unknown ids of one part for which the closest are looked up; each look-up reads the whole vocabulary."""


class Mend(str):
    """An error message that also carries the closest known ids."""

    __slots__ = ("closest",)
    closest: list[str]

    def __new__(cls, text: str, closest: list[str]) -> Mend:
        message = super().__new__(cls, text)
        message.closest = closest
        return message


def unknown_id(kind: str, value: object, known: Collection[str], synonyms: Mapping[str, str] | None = None) -> Mend:
    """The complaint about an id that does not exist, with up to three that do: its synonym's, then the most alike."""
    meant = (synonyms or {}).get(str(value))
    alike = difflib.get_close_matches(str(value)[:MAX_TEXT], known, n=3, cutoff=0.6)
    closest = [meant] if meant else alike
    hint = f"; closest: {', '.join(closest)}" if closest else ""
    return Mend(f"unknown {kind} id{hint}", closest)


class Strict(Schema):
    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "not a field of the request", "type": "expected an object"}  # noqa: RUF012


class Text(fields.String):
    """A string; a number or a boolean is not read as one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError("expected a string")
        return super()._deserialize(value, attr, data, **kwargs)


def code(values: Collection[str], **kwargs: Any) -> Text:
    """One of some coded values."""
    return Text(validate=validate.OneOf(list(values), error="expected one of: {choices}"), **kwargs)


class Answers(fields.Field[dict[str, str]]):
    """Finding (or must-ask) id -> answer; an unknown id or answer is an error at its own place."""

    def __init__(
        self,
        kind: str,
        known: Collection[str],
        answers: tuple[str, ...] = ANSWERS,
        synonyms: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kind, self.known, self.answers, self.synonyms = kind, known, answers, synonyms

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise ValidationError("expected an object of id: answer")
        if len(value) > len(self.known):
            raise ValidationError(f"holds more entries than there are {self.kind} ids ({len(self.known)})")
        errors: dict[str, list[str]] = {}
        for key, answer in value.items():
            if key not in self.known:
                known = self.known if len(errors) < MAX_MENDS else ()
                errors[key] = [unknown_id(self.kind, key, known, self.synonyms)]
            elif not isinstance(answer, str) or answer not in self.answers:
                errors[key] = [f"expected one of: {', '.join(self.answers)}"]
        if errors:
            raise ValidationError(errors)
        return dict(value)


class Observations(fields.Field[dict[str, float | str]]):
    """Observation id -> number in its unit, within the plausible range, or one of its codes."""

    def __init__(self, known: Mapping[str, Observation], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.known = known
        self.readers: dict[str, fields.Field[Any]] = {
            name: code(entry.values) if entry.plausible is None else Number(*entry.plausible)
            for name, entry in known.items()
        }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, float | str]:
        if not isinstance(value, Mapping):
            raise ValidationError("expected an object of id: value")
        if len(value) > len(self.known):
            raise ValidationError(f"holds more entries than there are observation ids ({len(self.known)})")
        errors: dict[str, Any] = {}
        read: dict[str, Any] = {}
        for key, given in value.items():
            try:
                if key not in self.readers:
                    raise ValidationError(unknown_id("observation", key, self.known))
                read[key] = self.readers[key].deserialize(given)
            except ValidationError as error:
                unit = self.known[key].unit if key in self.known else None
                errors[key] = [
                    f"{text} {unit}" if unit and "plausible" in str(text) else text for text in error.messages
                ]
        if errors:
            raise ValidationError(errors)
        return read


class Short(fields.List[Any]):
    """A list of at most MAX_ENTRIES, counted before anything in it is read."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) > MAX_ENTRIES:
            raise ValidationError(f"holds {len(value)} entries, at most {MAX_ENTRIES} are read")
        return super()._deserialize(value, attr, data, **kwargs)


def names(**kwargs: Any) -> Short:
    """Short texts, such as the names of drugs."""
    return Short(Text(validate=validate.Length(1, MAX_TEXT)), **kwargs)


class KnownId(Text):
    """An id that must exist."""

    def __init__(self, kind: str, known: Collection[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind, self.known = kind, known

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text not in self.known:
            raise ValidationError(unknown_id(self.kind, text, self.known))
        return text


def assessment_schema(
    findings: Mapping[str, Finding],
    observations: Mapping[str, Observation],
    must_ask: Collection[str],
    treatments: Collection[str],
    request_fields: Mapping[str, RequestField],
) -> Schema:
    """Build the request schema for a vocabulary.

    Returns:
        A schema whose load() gives plain dicts, or raises ValidationError with a message at each bad place.
    """

    def number(path: str, **kwargs: Any) -> Number:
        low, high = request_fields[path].plausible or (None, None)
        return Number(low, high, **kwargs)

    def choice(path: str, **kwargs: Any) -> Text:
        return code(request_fields[path].values, **kwargs)

    patient: dict[str, fields.Field[Any]] = {
        "age_years": number("patient.age_years", required=True),
        "sex": choice("patient.sex"),
        "pregnancy": choice("patient.pregnancy"),
    }
    episode = {
        "duration_days": number("episode.duration_days"),
        "pain_severity": number("episode.pain_severity"),
    }
    contact: dict[str, fields.Field[Any]] = {"mode": choice("contact.mode"), "informant": choice("contact.informant")}
    tried: dict[str, fields.Field[Any]] = {
        "treatment": KnownId("treatment", treatments, required=True),
        "weeks": number("treatments_tried.weeks"),
        "response": choice("treatments_tried.response"),
    }

    synonyms = {synonym: name for name, finding in findings.items() for synonym in finding.synonyms}

    def part(name: str, content: Mapping[str, fields.Field[Any]]) -> type[Schema]:
        return Strict.from_dict(dict(content), name=name)

    trials = Short(fields.Nested(part("TreatmentTried", tried)))
    whole: dict[str, fields.Field[Any]] = {
        "patient": fields.Nested(part("Patient", patient), required=True),
        "setting": choice("setting"),
        "episode": fields.Nested(part("Episode", episode)),
        "contact": fields.Nested(part("Contact", contact)),
        "screening": Answers("must-ask", must_ask, request_fields["screening"].values),
        "findings": Answers("finding", findings, synonyms=synonyms),
        "observations": Observations(observations),
        "medications": names(),
        "allergies": names(),
        "treatments_tried": trials,
    }
    return part("AssessmentRequest", whole)()
