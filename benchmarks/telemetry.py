"""What telemetry costs: the same requests with and without it, in turn, in one run: `make bench-telemetry`.

Its lines are written to the null device, its numbers to shared files as under gunicorn.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

import orjson
from flask.testing import FlaskClient

import rules
from benchmarks.firing import CASES
from benchmarks.rounds import Side, clocked, paired
from rules.engine import Engine
from service import create_app, logs, metrics
from service.evaluate import read_cases

LOOKUPS = 300
SCRAPES = 20


def main() -> None:
    """Print one table."""
    knowledge = rules.load()
    engine = Engine(knowledge.rules)
    with patch("service.telemetry.register"):
        silent = create_app(knowledge, engine).test_client()
    bodies = [orjson.dumps(case["request"]) for case in read_cases(CASES)]

    with tempfile.TemporaryDirectory() as directory, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        metrics.share(directory)
        logs.configure()
        telling = create_app(knowledge, engine).test_client()
        with redirect_stdout(nowhere):
            rows = [
                ("assessment", paired(_assess(telling, bodies), _assess(silent, bodies))),
                ("lookup of one finding", paired(_get(telling, LOOKUPS), _get(silent, LOOKUPS))),
                (
                    "scrape / health check",
                    paired(_get(telling, SCRAPES, "/metrics"), _get(telling, SCRAPES, "/healthz")),
                ),
            ]
    print(f"{'with / without telemetry':32} {'us':>8} {'us':>8} {'ratio':>7}")
    for name, measured in rows:
        first, second, ratio = (each.median for each in measured)
        print(f"{name:32} {first:8.0f} {second:8.0f} {ratio:7.3f}")


def _assess(client: FlaskClient, bodies: list[bytes]) -> Side:
    def send() -> None:
        for body in bodies:
            client.post("/v1/assessments", data=body, content_type="application/json")

    return clocked(send, len(bodies))


def _get(client: FlaskClient, count: int, path: str = "/v1/findings/fever") -> Side:
    def send() -> None:
        for _ in range(count):
            client.get(path)

    return clocked(send, count)


if __name__ == "__main__":
    main()
