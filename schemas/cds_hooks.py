"""The messages of CDS Hooks 2.0, with fields of the 3.0 ballot: what an EHR sends, and what it gets.

Source: https://cds-hooks.hl7.org/2.0/ and the hooks of its library. A field that is not known is left alone (the
specification asks for it); one that is known must be what it should be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate, validates_schema

from schemas.assessment import Text, code
from schemas.cards import HOOKS, INDICATORS

MAX_SELECTIONS = 500
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "expected a UUID, as 8-4-4-4-12 hex digits"
_FHIR_ID = "[A-Za-z0-9.-]{1,256}", "expected the id of a FHIR resource, without its type"
_TIME = (
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "expected a time as 2026-11-21T10:00:00Z",
)
_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
_AN_ID = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
_NOT_EMPTY = validate.Length(min=1, error="must not be empty")


class Whole(validate.Validator):
    """A text that fits a pattern from its first character to its last."""

    def __init__(self, pattern: str, error: str) -> None:
        self._pattern, self._error = re.compile(pattern), error

    def __call__(self, value: str) -> str:
        if not self._pattern.fullmatch(value):
            raise ValidationError(self._error)
        return value


def _says(text: str, example: Any = None, **more: Any) -> dict[str, Any]:
    """Words for the contract, and an example where the value is a plain one."""
    return {"metadata": {"description": text, **more, **({} if example is None else {"example": example})}}


def _like(shape: tuple[str, str], text: str, example: str, **kwargs: Any) -> Text:
    """A text of a fixed shape."""
    pattern, error = shape
    return Text(validate=Whole(pattern, error), **_says(text, example, pattern=f"^{pattern}$"), **kwargs)


class Incoming(Schema):
    """What a client sends: other fields are tolerated and not read."""

    class Meta:
        unknown = EXCLUDE


class Outgoing(Schema):
    """What a client gets: nothing but these fields."""

    class Meta:
        unknown = RAISE


class Anything(fields.Field[Any]):
    """A value that is read elsewhere, as it came."""


class Resource(fields.Field[dict[str, Any]]):
    """A FHIR resource as it came; its type where only one will do."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.get("resourceType") != self.kind:
            raise ValidationError(f"expected a {self.kind} resource")
        return value


class Authorization(Incoming):
    """`fhirAuthorization`: checked and never used, as this service never calls an EHR."""

    access_token = Text(required=True, **_says("Token for the FHIR server; not used, not kept", "opaque"))
    token_type = code(("Bearer",), required=True, **_says("Kind of the token"))
    expires_in = fields.Integer(required=True, strict=True, **_says("How long the token lives (seconds)", 300))
    scope = Text(required=True, **_says("Scopes of the token", "patient/*.read"))
    subject = Text(required=True, **_says("Client id of this service at the EHR", "lumbar"))


def _user(*kinds: str) -> Text:
    shape = rf"({'|'.join(kinds)})/[A-Za-z0-9.-]{{1,256}}", f"expected {' or '.join(f'{kind}/id' for kind in kinds)}"
    return _like(shape, "Who uses the EHR, as Type/id", "Practitioner/example", required=True)


def _patient() -> Text:
    return _like(_FHIR_ID, "Id of the patient, without `Patient/`", "example", required=True)


def _encounter(**kwargs: Any) -> Text:
    return _like(_FHIR_ID, "Id of the encounter, without `Encounter/`", "example", **kwargs)


_DRAFTS = "Bundle of the orders that are not signed yet"


class PatientViewContext(Incoming):
    """Context of patient-view."""

    userId = _user("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    patientId = _patient()
    encounterId = _encounter()


class EncounterStartContext(Incoming):
    """Context of encounter-start."""

    userId = _user("Practitioner", "PractitionerRole")
    patientId = _patient()
    encounterId = _encounter(required=True)


class OrderSignContext(Incoming):
    """Context of order-sign."""

    userId = _user("Practitioner", "PractitionerRole")
    patientId = _patient()
    encounterId = _encounter()
    draftOrders = Resource("Bundle", required=True, **_says(_DRAFTS, type="object"))


class OrderSelectContext(OrderSignContext):
    """Context of order-select."""

    selections = fields.List(
        Text(validate=_NOT_EMPTY),
        required=True,
        validate=validate.Length(max=MAX_SELECTIONS),
        **_says("Which of the draft orders were just chosen, as `Type/id`", ["ServiceRequest/example"]),
    )


CONTEXTS: Mapping[str, type[Incoming]] = {
    "patient-view": PatientViewContext,
    "encounter-start": EncounterStartContext,
    "order-select": OrderSelectContext,
    "order-sign": OrderSignContext,
}


class HookRequest(Incoming):
    """A call of a service."""

    hook = code(HOOKS, required=True, **_says("The hook that fired; must be that of the service"))
    hookInstance = _like(_UUID, "UUID of this call; ids of cards follow from it", _AN_ID, required=True)
    fhirServer = Text(
        validate=_NOT_EMPTY,
        **_says("Base URL of the EHR's FHIR server; this service never calls it", "https://ehr.example/fhir"),
    )
    fhirAuthorization = fields.Nested(Authorization, **_says("Token for that server; not used and not kept"))
    context = fields.Dict(
        keys=fields.String(), required=True, **_says("Who and what the hook is about; its fields depend on the hook")
    )
    prefetch = fields.Dict(
        keys=fields.String(),
        values=Anything(allow_none=True),
        **_says("Prefetch key -> resource, searchset Bundle, null (nothing found) or OperationOutcome (failed)"),
    )

    @validates_schema
    def _server_beside_token(self, data: Mapping[str, Any], **_: Any) -> None:
        """cds-r-1."""
        if "fhirAuthorization" in data and "fhirServer" not in data:
            raise ValidationError("fhirAuthorization needs fhirServer beside it", "fhirServer")


class ReasonCode(Incoming):
    """A coded reason of feedback."""

    system = Text(**_says("Code system", _REASONS))
    code = Text(required=True, validate=_NOT_EMPTY, **_says("Code of the reason", "action-completed"))
    display = Text(**_says("Its words; not kept", "Recommended action was already completed"))


class OverrideReason(Incoming):
    """Why a card was overridden: a code, a comment or both."""

    reason = fields.Nested(ReasonCode, **_says("One of the coded reasons of the card"))
    userComment = Text(**_says("Free text; never logged and never kept", "seen by the spinal team today"))

    @validates_schema
    def _one_of_two(self, data: Mapping[str, Any], **_: Any) -> None:
        """cds-fb-3."""
        if not data.get("reason") and not data.get("userComment"):
            raise ValidationError("holds a reason, a userComment or both")


class Accepted(Incoming):
    """A suggestion that was accepted."""

    id = _like(_UUID, "uuid of the suggestion", _AN_ID, required=True)


class CardFeedback(Incoming):
    """What became of one card."""

    card = _like(_UUID, "uuid of the card", _AN_ID, required=True)
    outcome = code(("accepted", "overridden"), required=True, **_says("What became of the card"))
    acceptedSuggestions = fields.List(fields.Nested(Accepted), **_says("Which suggestions were accepted"))
    overrideReason = fields.Nested(OverrideReason, **_says("Why the card was overridden"))
    outcomeTimestamp = _like(_TIME, "When, in UTC (RFC 3339)", "2026-11-21T10:00:00Z", required=True)

    @validates_schema
    def _accepted_is_something(self, data: Mapping[str, Any], **_: Any) -> None:
        """cds-fb-2."""
        if data.get("outcome") == "accepted" and not data.get("acceptedSuggestions"):
            raise ValidationError("an accepted card names the accepted suggestions", "acceptedSuggestions")


class Feedback(Incoming):
    """Feedback on cards of one service."""

    feedback = fields.List(
        fields.Nested(CardFeedback),
        required=True,
        validate=validate.Length(1, MAX_SELECTIONS),
        **_says("One entry for each card; the same entry again counts once"),
    )


class CdsService(Outgoing):
    """A service as discovery lists it."""

    hook = code(HOOKS, required=True, **_says("The hook that it answers"))
    id = Text(required=True, **_says("The last part of its URL", "lumbar-patient-view"))
    title = Text(required=True, **_says("Its name", "Lumbar - back pain when a chart is opened"))
    description = Text(required=True, **_says("What it does", "Says how urgent low back pain is."))
    usageRequirements = Text(required=True, **_says("What it needs", "Needs the birth date of the patient."))
    version = Text(required=True, **_says("Version of the service (semver; 3.0 ballot)", "0.1.0"))
    prefetch = fields.Dict(keys=fields.String(), values=Text(), required=True, **_says("Key -> template"))


class Discovery(Outgoing):
    """The services that there are."""

    services = fields.List(fields.Nested(CdsService), required=True, **_says("One for each hook"))


class SourceOfCard(Outgoing):
    """Where a card comes from."""

    label = Text(required=True, validate=_NOT_EMPTY, **_says("Name and version of the service", "Lumbar 0.1.0"))


class CodedReason(Outgoing):
    """A reason that can be given for an override."""

    system = Text(required=True, **_says("Code system", _REASONS))
    code = Text(required=True, **_says("Code of the reason", "action-completed"))
    display = Text(required=True, **_says("What the clinician reads", "Recommended action was already completed"))


class SuggestedAction(Outgoing):
    """What accepting a suggestion does: it creates one draft."""

    type = code(("create",), required=True, **_says("Kind of the action"))
    description = Text(required=True, **_says("What it does, for the clinician", "Creates a draft order"))
    resource = Resource(
        "ServiceRequest", required=True, **_says("The draft: status draft, intent proposal", type="object")
    )


class Suggestion(Outgoing):
    """Something that can be accepted with one click."""

    label = Text(
        required=True,
        validate=_NOT_EMPTY,
        **_says("What the clinician reads", "Draft an order: MRI of the lumbar spine"),
    )
    uuid = _like(_UUID, "Its id, for feedback", _AN_ID, required=True)
    actions = fields.List(
        fields.Nested(SuggestedAction), required=True, validate=validate.Length(min=1), **_says("What it does")
    )


class CardLink(Outgoing):
    """A link that carries nothing about the person."""

    label = Text(required=True, **_says("What the clinician reads", "Open the console (no data is passed)"))
    url = fields.URL(required=True, schemes={"https"}, **_says("Where it leads", "https://lumbar.example/console"))
    type = code(("absolute",), required=True, **_says("Kind of the link"))


class Card(Outgoing):
    """One card."""

    uuid = _like(_UUID, "Its id, for feedback; the same for the same call", _AN_ID, required=True)
    summary = Text(
        required=True,
        validate=validate.Length(1, 139),
        **_says("The level or finding, and the reason", "Emergency: New saddle numbness"),
    )
    indicator = code(INDICATORS, required=True, **_says("How pressing it is"))
    detail = Text(
        required=True, validate=_NOT_EMPTY, **_says("Why, what is open, and the sources; GitHub Markdown", "**Why**")
    )
    source = fields.Nested(SourceOfCard, required=True, **_says("Where it comes from"))
    suggestions = fields.List(fields.Nested(Suggestion), validate=_NOT_EMPTY, **_says("Drafts that can be made"))
    selectionBehavior = code(("any",), **_says("Any of the suggestions may be accepted"))
    overrideReasons = fields.List(
        fields.Nested(CodedReason), required=True, **_says("Reasons that can be given for an override")
    )
    links = fields.List(fields.Nested(CardLink), validate=_NOT_EMPTY, **_says("Where to go on"))

    @validates_schema
    def _behaviour_with_suggestions(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("suggestions" in data) != ("selectionBehavior" in data):
            raise ValidationError("selectionBehavior stands if and only if there are suggestions")


class HookResponse(Outgoing):
    """The answer to a call."""

    cards = fields.List(
        fields.Nested(Card), required=True, validate=validate.Length(max=3), **_says("The heaviest first; often none")
    )


class Received(Outgoing):
    """Feedback was received; there is nothing to say."""
