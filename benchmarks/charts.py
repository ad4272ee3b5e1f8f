"""A chart of 30 resources against the same facts as a native request: `python -m benchmarks.bench charts`.

The whole application without a server, in processor time. The chart costs its reading, and what it is answered with.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from benchmarks.request import as_in_a_worker, door
from benchmarks.rounds import Row, clocked, paired, ratio_row
from rules.engine import Engine
from rules.knowledge import Knowledge
from tests import hooks

PART = "charts"
RESOURCES = 30
AGE = 40
ALLOWED_US = 1000
"""What a chart may cost beyond twice the native request, in microseconds."""
COUNT = 20


def rows(knowledge: Knowledge, engine: Engine) -> Iterator[Row]:
    """A call of CDS Hooks, and $assess, each less the allowed millisecond, against the native request."""
    asked = [finding for item in knowledge.must_ask.values() for finding in item.findings]
    findings = dict.fromkeys(list(dict.fromkeys(asked))[: RESOURCES - 2], False) | {"fever": True}
    findings = dict(list(findings.items())[-(RESOURCES - 2) :])
    born = datetime.datetime.now(datetime.UTC).date().replace(day=1) - datetime.timedelta(days=AGE * 366)
    told = [hooks.finding(word, value) for word, value in findings.items()]
    chart = hooks.chart(*told, born=born.isoformat(), since=10)
    assert len(told) + 2 == RESOURCES  # with the patient and the problem
    native = {
        "patient": {"age_years": AGE, "sex": "male"},
        "episode": {"duration_days": 10},
        "findings": {word: "present" if value else "absent" for word, value in findings.items()},
    }
    entries = [chart["patient"], *(row["resource"] for part in chart.values() for row in part.get("entry", ()))]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in entries]}
    calls = {
        "CDS Hooks call": (f"/cds-services/{hooks.SERVICES['patient-view']}", hooks.body(prefetch=chart)),
        "FHIR $assess": ("/fhir/R4/$assess", bundle),
    }
    with as_in_a_worker():
        plain = _side(door(knowledge, engine), native)
        found = [
            (name, paired(_less(_side(door(knowledge, engine, path=path), sent)), plain))
            for name, (path, sent) in calls.items()
        ]
    for name, measured in found:
        yield ratio_row(PART, f"{name} of {RESOURCES} resources less 1 ms / native request", measured)


def _side(send: Callable[[bytes], object], sent: Any) -> Callable[[], float]:
    body = orjson.dumps(sent)

    def run() -> None:
        for _ in range(COUNT):
            send(body)

    return clocked(run, COUNT)


def _less(side: Callable[[], float]) -> Callable[[], float]:
    return lambda: max(0.0, side() - ALLOWED_US)
