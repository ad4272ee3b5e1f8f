"""Speed as ratios taken in one run, the two sides in turn: `make bench`.

Absolute times depend on the machine; the ratios are what to quote.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import flask
import orjson

import rules
from rules.engine import Engine
from service.app import create_app
from service.assess import assess
from service.evaluate import read_cases
from service.findings import derive

ROUNDS = 15
CASES = Path(__file__).parent.parent / "tests" / "cases"


def paired(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float, float]:
    """Median microseconds of each side, and the median of first / second pair by pair."""
    pairs = [(_microseconds(first), _microseconds(second)) for _ in range(ROUNDS)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def _microseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1000


def main() -> None:
    """Print one table."""
    knowledge = rules.load()
    engine = Engine(knowledge.rules)
    app = create_app(knowledge, engine)
    schema = knowledge.request_schema
    bodies = [orjson.dumps(case["request"]) for case in read_cases(CASES)]
    requests = [schema.load(orjson.loads(body)) for body in bodies]
    literals = [derive(request, knowledge).literals for request in requests]
    tables = {concern: list(table) for concern, table in knowledge.rules.items()}

    def fire() -> None:
        for held in literals:
            for concern in tables:
                engine.fire(concern, held)

    def plain() -> None:
        for held in literals:
            for table in tables.values():
                _ = {rule for rule in table if rule <= held}

    client = app.test_client()
    bare = flask.Flask("bare")

    @bare.post("/v1/assessments")
    def echo() -> flask.Response:
        orjson.loads(flask.request.get_data())
        return flask.Response(full, content_type="application/json")

    full = client.post("/v1/assessments", data=bodies[0], content_type="application/json").data
    bare_client = bare.test_client()

    def through(testing: flask.testing.FlaskClient, query: str = "") -> Callable[[], None]:
        def send() -> None:
            for body in bodies:
                testing.post("/v1/assessments" + query, data=body, content_type="application/json")

        return send

    rows = [
        ("engine / plain Python subset reading", paired(fire, plain)),
        ("request, full answer / bare Flask route", paired(through(client), through(bare_client))),
        ("request, summary / bare Flask route", paired(through(client, "?detail=summary"), through(bare_client))),
        ("request, full answer / assessment alone", paired(through(client), _assessing(requests, knowledge, engine))),
    ]
    sizes = engine.describe()
    print(f"{len(bodies)} cases; {sum(size['rules'] for size in sizes.values())} engine rules: {sizes}")
    print(f"{'row':44} {'us a case':>10} {'us a case':>10} {'ratio':>7}")
    for name, (first, second, ratio) in rows:
        print(f"{name:44} {first / len(bodies):10.0f} {second / len(bodies):10.0f} {ratio:7.2f}")


def _assessing(requests: list[dict[str, object]], knowledge: rules.Knowledge, engine: Engine) -> Callable[[], None]:
    def run() -> None:
        for request in requests:
            assess(request, knowledge, engine)

    return run


if __name__ == "__main__":
    main()
