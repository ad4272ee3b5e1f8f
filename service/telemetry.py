"""What the service tells about itself: a log line and a few numbers for each request, and nothing of a person."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from rules.knowledge import Knowledge
from service import metrics, trace
from service.logs import log


def register(app: Flask, knowledge: Knowledge) -> None:
    """Hang the hooks and GET /metrics. Comes before the other rooms, so that it sees what they refuse."""
    counted = metrics.Metrics(knowledge)
    stamp = {"knowledge_version": knowledge.policy.version, "knowledge_sha256": knowledge.sha256[:12]}

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.request_id = trace.request_id(request.headers.get("X-Request-ID"))
        g.trace = trace.read(request.headers.get("traceparent"), request.headers.get("tracestate"))
        clear_contextvars()
        bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        route, method, status = _route(), _method(), response.status_code
        found: Mapping[str, Any] = g.get("assessment", {})
        if (fault := g.get("engine_fault")) is not None:
            counted.engine_faults.inc()
            log.error("engine_fault", reason=fault)
        counted.answered(route, method, status, seconds)
        if found:
            counted.assessed(found)
        for shown in g.get("cards", ()):
            counted.cards.labels(*shown).inc()
        for told in g.get("feedback", ()):
            counted.card_outcomes.labels(*told).inc()
        log.info(
            "request",
            client=g.get("client", "anonymous"),
            method=method,
            route=route,
            status=status,
            **stamp,
            **found,
            **({"tenant": tenant} if (tenant := g.get("tenant")) else {}),
            **g.get("hook", {}),
            latency_ms=round(seconds * 1000, 2),
            **({"trace_id": g.trace.id} if g.trace else {}),
        )
        clear_contextvars()
        _send_back(response)
        return response

    @app.get("/metrics")
    def read_metrics() -> Response:
        return Response(counted.render(), content_type=metrics.CONTENT_TYPE)


def assessed(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Note what may be told of an assessment: its level, the rules that fired, and how much was sent."""
    urgency = answer["urgency"]
    g.assessment = {
        "urgency": urgency["level"],
        "provisional": urgency["provisional"],
        "rules": [reason["rule"] for reason in urgency["reasons"] if reason["rule"] != "default_policy"],
        "findings": len(asked.get("findings", ())),
        "medications": len(asked.get("medications", ())),
    }


def carded(service: str, indicators: Sequence[str]) -> None:
    """Note the cards of a call: of which service, how pressing, how many."""
    g.hook = {"service": service, "cards": len(indicators)}
    g.cards = [(service, indicator) for indicator in indicators]


def told(service: str, outcomes: Sequence[tuple[str, str]]) -> None:
    """Note the outcomes of cards with their coded reasons; comments never come here."""
    g.hook = {"service": service, "feedback": len(outcomes)}
    g.feedback = [(service, *outcome) for outcome in outcomes]


def _send_back(response: Response) -> None:
    response.headers["X-Request-ID"] = g.request_id
    if g.trace:
        response.headers["traceparent"] = g.trace.parent
        if g.trace.state:
            response.headers["tracestate"] = g.trace.state


def _route() -> str:
    return _template(request.url_rule.rule) if request.url_rule else metrics.UNMATCHED


@cache
def _template(rule: str) -> str:
    """A route without its converters: /v1/{kind}/{entry}."""
    return re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule)


def _method() -> str:
    return request.method if request.method in metrics.METHODS else "other"
