"""The application factory and the routes. A view is: load, assess, dump."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import orjson
from flask import Flask, Response, request
from marshmallow import Schema, ValidationError, fields, validate

import rules
from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.assessment import MAX_TEXT, Text, code
from service import (
    auth,
    body,
    catalogue,
    console,
    cors,
    limits,
    openapi,
    problems,
    reference,
    summary,
    telemetry,
    versioning,
)
from service.assess import assess
from service.cds_hooks import routes as cds_hooks
from service.fhir import routes as fhir
from service.settings import Settings


def create_app(
    knowledge: Knowledge | None = None, engine: Engine | None = None, settings: Settings | None = None
) -> Flask:
    """Load the knowledge, compile the engine, and hang the routes.

    Args:
        knowledge: another knowledge base than the one in `rules/` (tests, synthetic scale).
        engine: another engine (tests of its failure).
        settings: who may ask and how often, instead of what the environment says.

    Raises:
        WrongSetting: a setting that cannot be used does not start.
        KnowledgeError, EngineRefusal, EngineFault: wrong knowledge does not start.
    """
    chosen = settings or Settings.read(os.environ)
    known = knowledge or rules.load()
    known.warm()
    firing = engine or Engine(known.rules)
    app = Flask("lumbar", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = body.LARGE  # the reader of a body sets the limit of its route
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # no redirect page, which would be HTML
    telemetry.register(app, known)
    problems.register(app, known.policy.texts["not_assessed"])
    auth.register(app, chosen)
    cors.register(app, chosen)  # before anyone is turned away: a preflight carries no credential
    limits.register(app, chosen)  # between the two steps of auth, so that refused requests count too
    auth.enforce(app)
    _assessments(app, known, firing)
    _catalogue(app, known, firing)
    cds_hooks.register(app, known, firing, chosen)
    fhir.register(app, known, firing)
    _health(app, firing)
    console.register(app)
    versioning.register(app)
    reference.register(app, partial(openapi.build, known), partial(openapi.example, known, firing))
    return app


def _assessments(app: Flask, knowledge: Knowledge, engine: Engine) -> None:
    schema = knowledge.request_schema
    detail = code(("full", "summary"), load_default="full")
    leaflet = fields.Boolean(load_default=False)
    query = Schema.from_dict({"detail": detail, "leaflet": leaflet}, name="Query")()

    @app.post("/v1/assessments")
    def create_assessment() -> Response:
        wanted = query.load(request.args.to_dict())
        asked = _load(schema, body.read(request))
        answer = assess(asked, knowledge, engine, wanted["leaflet"])
        telemetry.assessed(asked, answer)
        return _json(summary.shorten(answer) if wanted["detail"] == "summary" else answer)


def _catalogue(app: Flask, knowledge: Knowledge, engine: Engine) -> None:
    shelves = catalogue.shelves(knowledge)
    detail = code(("summary", "form"), load_default="summary")
    sought_for = Text(validate=validate.Length(max=MAX_TEXT), load_default="")
    query = Schema.from_dict({"q": sought_for, "detail": detail}, name="Search")()

    @app.get("/v1/knowledge")
    def about() -> Response:
        return _json(catalogue.about(knowledge, engine.describe()))

    @app.get("/v1/<any({}):kind>".format(", ".join(f"'{name}'" for name in shelves)))
    def list_entries(kind: str) -> Response:
        wanted = query.load(request.args.to_dict())
        sought, more = wanted["q"], catalogue.FORM if wanted["detail"] == "form" else ()
        read = knowledge.drugs.read(sought) if kind == "medications" and sought else ()
        return _json({"items": catalogue.listing(shelves[kind](), sought, read, more)})

    @app.get("/v1/<any({}):kind>/<entry>".format(", ".join(f"'{name}'" for name in shelves)))
    def get_entry(kind: str, entry: str) -> Response:
        return _json(catalogue.entry(kind, entry, shelves[kind]()))


def _health(app: Flask, engine: Engine) -> None:
    @app.get("/healthz")
    def alive() -> Response:
        return _json({"status": "alive"})

    @app.get("/readyz")
    def ready() -> Response:
        if engine.broken is None:
            engine.self_test(rounds=1)
        if engine.broken is None:
            return _json({"status": "ready"})
        request.environ[problems.BROKEN] = True
        return problems.problem(503, "engine broken")


def _load(schema: Schema, data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValidationError("expected an object with at least patient.age_years")
    loaded: dict[str, Any] = schema.load(data)
    return loaded


def _json(data: Any) -> Response:
    """Sorted keys would break the printed order; the order here is the order in which the answer is built."""
    return Response(orjson.dumps(data), content_type="application/json")
