"""The messages of CDS Hooks 2.0, with fields of the 3.0 ballot: what an EHR sends, and what it gets.

Source: https://cds-hooks.hl7.org/2.0/ and the hooks of its library. A field that is not known is left alone (the
specification asks for it); one that is known must be what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate, validates_schema

from schemas.assessment import Text, code
from schemas.cards import HOOKS, INDICATORS

MAX_SELECTIONS = 500
_UUID = validate.Regexp(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z", error="expected a UUID, as 8-4-4-4-12 hex digits"
)
_FHIR_ID = validate.Regexp(r"[A-Za-z0-9.-]{1,256}\Z", error="expected the id of a FHIR resource, without its type")
_TIME = validate.Regexp(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z", error="expected a time as 2026-11-21T10:00:00Z"
)
_NOT_EMPTY = validate.Length(min=1, error="must not be empty")


class Incoming(Schema):
    """What a client sends: other fields are tolerated and not read."""

    class Meta:
        unknown = EXCLUDE


class Outgoing(Schema):
    """What a client gets: nothing but these fields."""

    class Meta:
        unknown = RAISE


def _says(text: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"description": text}, **more}


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

    access_token = Text(required=True, **_says("Token for the FHIR server; it is not used and not kept"))
    token_type = code(("Bearer",), required=True, **_says("Kind of the token"))
    expires_in = fields.Integer(required=True, strict=True, **_says("Seconds that the token lives"))
    scope = Text(required=True, **_says("Scopes of the token"))
    subject = Text(required=True, **_says("Client id of this service at the EHR"))


def _user(*kinds: str) -> Text:
    text = f"Who uses the EHR, as {' or '.join(f'{kind}/id' for kind in kinds)}"
    pattern = rf"(?:{'|'.join(kinds)})/[A-Za-z0-9.-]{{1,256}}\Z"
    return Text(required=True, validate=validate.Regexp(pattern, error=f"expected {text[21:]}"), **_says(text))


_PATIENT = "Id of the patient, without `Patient/`"
_ENCOUNTER = "Id of the encounter, without `Encounter/`"
_DRAFTS = "Bundle of the orders that are not signed yet"


class PatientViewContext(Incoming):
    """Context of patient-view."""

    userId = _user("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    patientId = Text(required=True, validate=_FHIR_ID, **_says(_PATIENT))
    encounterId = Text(validate=_FHIR_ID, **_says(_ENCOUNTER))


class EncounterStartContext(Incoming):
    """Context of encounter-start."""

    userId = _user("Practitioner", "PractitionerRole")
    patientId = Text(required=True, validate=_FHIR_ID, **_says(_PATIENT))
    encounterId = Text(required=True, validate=_FHIR_ID, **_says(_ENCOUNTER))


class OrderSignContext(Incoming):
    """Context of order-sign."""

    userId = _user("Practitioner", "PractitionerRole")
    patientId = Text(required=True, validate=_FHIR_ID, **_says(_PATIENT))
    encounterId = Text(validate=_FHIR_ID, **_says(_ENCOUNTER))
    draftOrders = Resource("Bundle", required=True, **_says(_DRAFTS))


class OrderSelectContext(OrderSignContext):
    """Context of order-select."""

    selections = fields.List(
        Text(validate=_NOT_EMPTY),
        required=True,
        validate=validate.Length(max=MAX_SELECTIONS),
        **_says("Which of the draft orders were just chosen, as `Type/id`"),
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
    hookInstance = Text(required=True, validate=_UUID, **_says("UUID of this call; ids of cards follow from it"))
    fhirServer = Text(validate=_NOT_EMPTY, **_says("Base URL of the EHR's FHIR server; this service never calls it"))
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

    system = Text(**_says("Code system"))
    code = Text(required=True, validate=_NOT_EMPTY, **_says("Code of the reason"))
    display = Text(**_says("Its words; not kept"))


class OverrideReason(Incoming):
    """Why a card was overridden: a code, a comment or both."""

    reason = fields.Nested(ReasonCode, **_says("One of the coded reasons of the card"))
    userComment = Text(**_says("Free text; never logged and never kept"))

    @validates_schema
    def _one_of_two(self, data: Mapping[str, Any], **_: Any) -> None:
        """cds-fb-3."""
        if not data.get("reason") and not data.get("userComment"):
            raise ValidationError("holds a reason, a userComment or both")


class Accepted(Incoming):
    """A suggestion that was accepted."""

    id = Text(required=True, validate=_UUID, **_says("uuid of the suggestion"))


class CardFeedback(Incoming):
    """What became of one card."""

    card = Text(required=True, validate=_UUID, **_says("uuid of the card"))
    outcome = code(("accepted", "overridden"), required=True, **_says("What became of the card"))
    acceptedSuggestions = fields.List(fields.Nested(Accepted), **_says("Which suggestions were accepted"))
    overrideReason = fields.Nested(OverrideReason, **_says("Why the card was overridden"))
    outcomeTimestamp = Text(required=True, validate=_TIME, **_says("When, in UTC (RFC 3339)"))

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
    id = Text(required=True, **_says("The last part of its URL"))
    title = Text(required=True, **_says("Its name"))
    description = Text(required=True, **_says("What it does"))
    usageRequirements = Text(required=True, **_says("What it needs"))
    version = Text(required=True, **_says("Version of the service (semver; 3.0 ballot)"))
    prefetch = fields.Dict(keys=fields.String(), values=Text(), required=True, **_says("Key -> template"))


class Discovery(Outgoing):
    """The services that there are."""

    services = fields.List(fields.Nested(CdsService), required=True, **_says("One for each hook"))


class SourceOfCard(Outgoing):
    """Where a card comes from."""

    label = Text(required=True, validate=_NOT_EMPTY, **_says("Name and version of the service"))
    url = fields.URL(schemes={"https"}, **_says("Where the service is described"))


class CodedReason(Outgoing):
    """A reason that can be given for an override."""

    system = Text(required=True, **_says("Code system"))
    code = Text(required=True, **_says("Code of the reason"))
    display = Text(required=True, **_says("What the clinician reads"))


class SuggestedAction(Outgoing):
    """What accepting a suggestion does: it creates one draft."""

    type = code(("create",), required=True, **_says("Kind of the action"))
    description = Text(required=True, **_says("What it does, for the clinician"))
    resource = Resource("ServiceRequest", required=True, **_says("The draft: status draft, intent proposal"))


class Suggestion(Outgoing):
    """Something that can be accepted with one click."""

    label = Text(required=True, validate=_NOT_EMPTY, **_says("What the clinician reads"))
    uuid = Text(required=True, validate=_UUID, **_says("Its id, for feedback"))
    actions = fields.List(
        fields.Nested(SuggestedAction), required=True, validate=validate.Length(min=1), **_says("What it does")
    )


class CardLink(Outgoing):
    """A link that carries nothing about the person."""

    label = Text(required=True, **_says("What the clinician reads"))
    url = fields.URL(required=True, schemes={"https"}, **_says("Where it leads"))
    type = code(("absolute",), required=True, **_says("Kind of the link"))


class Card(Outgoing):
    """One card."""

    uuid = Text(required=True, validate=_UUID, **_says("Its id, for feedback; the same for the same call"))
    summary = Text(required=True, validate=validate.Length(1, 139), **_says("The level or finding, and the reason"))
    indicator = code(INDICATORS, required=True, **_says("How pressing it is"))
    detail = Text(required=True, validate=_NOT_EMPTY, **_says("Why, what is open, and the sources; GitHub Markdown"))
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


COMPONENTS: Mapping[str, type[Schema]] = {
    "CdsDiscovery": Discovery,
    "CdsHookRequest": HookRequest,
    "CdsHookResponse": HookResponse,
    "CdsFeedback": Feedback,
    "CdsReceived": Received,
}
