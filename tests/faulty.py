"""The service with faults on purpose, for a real server: gunicorn "tests.faulty:create()"."""

from __future__ import annotations

import os
import threading

import flask

import rules
import service.worker
from rules.engine import Engine
from service import create_app

service.worker.ARRIVE_SECONDS = 4.0
service.worker.WORK_SECONDS = 1.0


def create() -> flask.Flask:
    """The app, and routes that break the engine of the worker that serves them, or never answer."""
    knowledge = rules.load()
    engine = Engine(knowledge.rules)
    app = create_app(knowledge, engine)

    @app.get("/break")
    def break_engine() -> str:
        engine.broken = "on purpose"
        return str(os.getpid())

    @app.get("/stuck")
    def never() -> str:
        threading.Event().wait()
        return ""

    return app
