"""The routes of CDS Hooks: discovery, a call, feedback. A view is: read, advise, answer."""

from __future__ import annotations

import datetime
import time
from typing import Any

import orjson
from flask import Flask, Response, request
from marshmallow import ValidationError

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.cards import Service
from service import body, telemetry
from service.cds_hooks import calls
from service.cds_hooks.advise import Advice, advise
from service.cds_hooks.discovery import discovery
from service.cds_hooks.feedback import Counter
from service.fhir.intake import NoAge, OtherPatient
from service.problems import Refusal, pointers
from service.settings import Settings

_NO_AGE = "prefetch.patient: a Patient with a birthDate is needed; nothing was assessed"
_OTHER_PATIENT = "a resource is of another patient than context.patientId; nothing was assessed"


def register(app: Flask, knowledge: Knowledge, engine: Engine, settings: Settings) -> None:
    """Hang the routes."""
    services = {service.id: service for service in knowledge.cards.services}
    counter = Counter({(each.system, each.code) for each in knowledge.cards.override_reasons})

    @app.get("/cds-services")
    def discover() -> Response:
        return _json(discovery(knowledge))

    @app.post("/cds-services/<service>")
    def call_service(service: str) -> Response:
        wanted = _known(service, services)
        made = _advise(_object(), wanted, knowledge, engine, settings.console_url)
        if made.answer is not None:
            telemetry.assessed(made.request, made.answer)
        telemetry.carded(wanted.id, [card["indicator"] for card in made.cards])
        return _json({"cards": made.cards})

    @app.post("/cds-services/<service>/feedback")
    def give_feedback(service: str) -> Response:
        wanted = _known(service, services)
        try:
            outcomes = counter.read(_object(), wanted, time.time())
        except ValidationError as error:
            raise _refused(error) from None
        telemetry.told(wanted.id, outcomes)
        return _json({})


def _advise(sent: dict[str, Any], service: Service, knowledge: Knowledge, engine: Engine, console: str) -> Advice:
    """The advice, with what stands in its way as the 4xx that CDS Hooks has for it."""
    today = datetime.datetime.now(datetime.UTC).date()
    try:
        return advise(sent, service, today, knowledge, engine, console)
    except ValidationError as error:
        raise _refused(error) from None
    except calls.WrongHook as error:
        raise Refusal(400, str(error)) from None
    except calls.Missing as error:
        text = f"prefetch.{error.key} is needed and {error.because}; this service does not call the EHR to fetch it"
        raise Refusal(412, text, expressions=[f"prefetch.{error.key}"]) from None
    except calls.TooMany:
        raise Refusal(413, f"more than {calls.MAX_RESOURCES} resources") from None
    except NoAge:
        raise Refusal(412, _NO_AGE, expressions=["prefetch.patient"]) from None
    except OtherPatient:
        raise Refusal(422, _OTHER_PATIENT) from None


def _known(name: str, services: dict[str, Service]) -> Service:
    if name not in services:
        raise Refusal(404, f"no such service; there are {', '.join(services)}")
    return services[name]


def _object() -> dict[str, Any]:
    sent = body.read(request, body.LARGE)
    if not isinstance(sent, dict):
        raise Refusal(400, "expected a JSON object")
    return sent


def _refused(error: ValidationError) -> Refusal:
    found = sorted(pointers(error.messages), key=lambda item: (item["pointer"], item["detail"]))
    return Refusal(400, f"{len(found)} value(s) cannot be used; each is named with its place", found)


def _json(data: Any) -> Response:
    return Response(orjson.dumps(data), content_type="application/json")
