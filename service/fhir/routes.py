"""The FHIR routes: a chart in, a Bundle out; the questionnaire; what the service can do."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import orjson
from flask import Flask, Response, request

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import body, telemetry
from service.assess import assess
from service.fhir import capability, guidance, intake, outcome, questionnaire
from service.fhir.parts import Json, reference
from service.fhir.person import FULL_URL
from service.problems import Refusal

BASE = "/fhir/R4"
MAX_RESOURCES = 2_000
"""Resources of one request."""


def register(
    app: Flask, knowledge: Knowledge, engine: Engine, today: Callable[[], datetime.date] | None = None
) -> None:
    """Hang the routes.

    Args:
        app: where to.
        knowledge: what is known.
        engine: what fires it.
        today: the day from which ages count; that of UTC unless a test says another.
    """
    day = today or (lambda: datetime.datetime.now(datetime.UTC).date())
    asked = cache(lambda: orjson.dumps(questionnaire.write(knowledge)))
    capable = cache(lambda: orjson.dumps(capability.write(knowledge)))

    @app.post(f"{BASE}/$assess")
    def assess_resources() -> Response:
        value = body.read(request, body.LARGE, "a Bundle or Parameters")
        sent = [*_sent(value)]
        read = _read(value, sent, day(), knowledge)
        presentation = knowledge.request_schema.load(read.request)
        answer = assess(presentation, knowledge, engine)
        telemetry.assessed(presentation, answer)
        written = guidance.write(answer, knowledge, _subject(sent), inputs=read.inputs, skipped=read.skipped)
        return _fhir(orjson.dumps(written))

    @app.get(f"{BASE}/Questionnaire/{questionnaire.ID}")
    def read_questionnaire() -> Response:
        return _fhir(asked())

    @app.get(f"{BASE}/metadata")
    def read_capabilities() -> Response:
        return _fhir(capable())


def _fhir(content: bytes) -> Response:
    return Response(content, content_type=outcome.MEDIA_TYPE)


def _sent(value: Any) -> Iterator[Any]:
    """The resources of a Bundle, or of the parameters of a Parameters."""
    kind = value.get("resourceType") if isinstance(value, Mapping) else None
    if kind == "Bundle":
        _listed(value, "entry", kind)
        yield from intake.resources(value)
    elif kind == "Parameters":
        for each in _listed(value, "parameter", kind):
            if isinstance(each, Mapping) and isinstance(each.get("resource"), Mapping):
                yield from intake.resources(each["resource"])
    else:
        raise Refusal(422, "send a Bundle, or Parameters whose parameters hold resources", expressions=["resourceType"])


def _listed(value: Mapping[str, Any], key: str, kind: str) -> list[Any]:
    found = value.get(key, [])
    if not isinstance(found, list):
        raise Refusal(422, "expected a list", expressions=[f"{kind}.{key}"])
    return found


def _read(value: Json, sent: list[Any], today: datetime.date, knowledge: Knowledge) -> intake.Intake:
    """What the resources say; without an age, or with two patients, nothing may be concluded."""
    if len(sent) > MAX_RESOURCES:
        raise Refusal(413, f"holds {len(sent)} resources, at most {MAX_RESOURCES} are read")
    try:
        return intake.read(sent, today, knowledge)
    except intake.NoAge as error:
        place = f"{value['resourceType']}.descendants().ofType(Patient).birthDate"
        raise Refusal(422, "an age is needed: send the Patient with a birthDate", expressions=[place]) from error
    except intake.OtherPatient as error:
        detail = "resources of more than one patient; nothing was concluded. Send those of one"
        raise Refusal(422, detail, expressions=_places(value, error.reference)) from error


def _places(value: Mapping[str, Any], wanted: str) -> list[str]:
    """Where a resource stands in what was sent, as FHIRPath; its id is not repeated."""
    kind, key = ("Bundle", "entry") if value["resourceType"] == "Bundle" else ("Parameters", "parameter")
    return [
        f"{kind}.{key}[{number}].resource"
        for number, each in enumerate(value.get(key, ()))
        for found in (each.get("resource") if isinstance(each, Mapping) else None,)
        if isinstance(found, Mapping) and f"{found.get('resourceType')}/{found.get('id')}" == wanted
    ]


def _subject(sent: list[Any]) -> Json:
    """The Patient as the client knows it: by its id, by its fullUrl, else by nothing but that it was sent."""
    patients = [each for each in sent if isinstance(each, Mapping) and each.get("resourceType") == "Patient"]
    names = [f"Patient/{each['id']}" for each in patients if each.get("id")]
    names += [str(each[FULL_URL]) for each in patients if FULL_URL in each]
    return next(filter(None, map(reference, names)), {"type": "Patient", "display": "The Patient as sent"})
