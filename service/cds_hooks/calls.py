"""A call of a service, read: whose chart it is, what came of it, what did not, and what is being ordered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError

from schemas.cards import Service
from schemas.cds_hooks import CONTEXTS, HookRequest

_CALL = HookRequest()
_CONTEXTS: Mapping[str, Schema] = {hook: schema() for hook, schema in CONTEXTS.items()}
REQUIRED = "patient"
"""The prefetch key without which nothing can be said."""


MAX_RESOURCES = 2_000
"""Resources of one call."""


class WrongHook(Exception):
    """A call for another hook than that of the service."""


class Missing(Exception):
    """A required prefetch cannot be had here; `key` names it. This service never asks an EHR for more."""

    def __init__(self, key: str, because: str) -> None:
        super().__init__(because)
        self.key, self.because = key, because


class TooMany(Exception):
    """More resources than are read."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A prefetch that did not come whole: the `text` of the cards that says how."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `chart` is the prefetch without what failed, `drafts` the orders in question."""

    instance: str
    patient: str
    chart: Mapping[str, Any]
    gaps: tuple[Gap, ...]
    drafts: tuple[Mapping[str, Any], ...]


def read(body: Mapping[str, Any], service: Service) -> Call:
    """A call of a service.

    Raises:
        ValidationError: fields that are missing or not what they should be.
        WrongHook: another hook.
        Missing: no Patient.
    """
    call = _CALL.load(body)
    if call["hook"] != service.hook:
        raise WrongHook(f"this service answers the hook {service.hook}")
    try:
        context = _CONTEXTS[service.hook].load(call["context"])
    except ValidationError as error:
        raise ValidationError({"context": error.messages}) from None
    chart, gaps = _chart(call.get("prefetch", {}), service)
    return Call(call["hookInstance"], context["patientId"], chart, tuple(gaps), tuple(_drafts(context)))


def _chart(prefetch: Mapping[str, Any], service: Service) -> tuple[dict[str, Any], list[Gap]]:
    """What came under the keys that the service asked for, and what of it did not come, or not whole."""
    chart: dict[str, Any] = {}
    gaps = []
    for key in service.prefetch:
        value = prefetch.get(key)
        if value is None:
            continue  # null: looked for and not there; absent: not supplied. Neither says that anything is absent
        if _failed(value):
            gaps.append(Gap(key, "failed"))
            continue
        chart[key] = value
        if _paginated(value):
            gaps.append(Gap(key, "incomplete"))
    patient = chart.get(REQUIRED)
    if REQUIRED in service.prefetch and (patient is None or not _holds_patient(patient)):
        raise Missing(REQUIRED, _why(prefetch))
    return chart, gaps


def _why(prefetch: Mapping[str, Any]) -> str:
    if REQUIRED not in prefetch:
        return "it was not sent"
    return "it was null" if prefetch[REQUIRED] is None else "it is not a Patient resource"


def _holds_patient(value: Mapping[str, Any]) -> bool:
    return value.get("resourceType") == "Patient"


def _failed(value: Any) -> bool:
    """Not a resource, an OperationOutcome, or a search that ended in one."""
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        return True
    return value["resourceType"] == "OperationOutcome" or any(
        resource.get("resourceType") == "OperationOutcome"
        and any(issue.get("severity") in ("fatal", "error") for issue in _objects(resource.get("issue")))
        for resource in _entries(value)
    )


def _paginated(value: Mapping[str, Any]) -> bool:
    """A searchset of which there is more: it has a next page, or counts more than it holds."""
    if value["resourceType"] != "Bundle":
        return False
    total, held = value.get("total"), sum(1 for _ in _entries(value))
    more = isinstance(total, int) and not isinstance(total, bool) and total > held
    return more or any(each.get("relation") == "next" for each in _objects(value.get("link")))


def _drafts(context: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The draft orders; of those of order-select only the selected ones."""
    chosen = context.get("selections")
    for resource in _entries(context.get("draftOrders", {})):
        if chosen is None or f"{resource.get('resourceType')}/{resource.get('id')}" in chosen:
            yield resource


def _entries(bundle: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in _objects(bundle.get("entry")):
        if isinstance(entry.get("resource"), dict):
            yield entry["resource"]


def _objects(values: Any) -> Sequence[Mapping[str, Any]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
