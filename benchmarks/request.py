"""The steps of one request as a table: `python -m benchmarks.bench steps`."""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import orjson

from benchmarks.firing import CASES
from benchmarks.rounds import Row, missing, spread
from benchmarks.steps import EXPECTED, Clock, take, timers
from rules.engine import Engine
from rules.knowledge import Knowledge
from service import create_app, logs, metrics
from service.evaluate import read_cases

PART = "steps"
ROUNDS = 15
PATH = "/v1/assessments"


@contextmanager
def as_in_a_worker() -> Iterator[None]:
    """The log goes to the null device; numbers go to files, from here on for the whole process."""
    with tempfile.TemporaryDirectory() as directory, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        metrics.share(directory)
        root = logging.getLogger()
        before = [*root.handlers]
        logs.configure()
        with redirect_stdout(nowhere):
            yield
        root.handlers[:] = before


def door(knowledge: Knowledge, engine: Engine, query: str = "", path: str = PATH) -> Callable[[bytes], object]:
    """The whole application without a server: takes a body, gives the answer."""
    app = create_app(knowledge, engine)

    def start(status: str, *_: object) -> None:
        assert status.startswith("200"), status

    def send(body: bytes) -> object:
        answer = app.wsgi_app(_environ(body, query, path), start)  # type: ignore[arg-type]
        return b"".join(answer)

    return send


def _environ(body: bytes, query: str, path: str) -> dict[str, object]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
    }


def rows(knowledge: Knowledge, engine: Engine) -> Iterator[Row]:
    """Each step of the full answer, the costliest first, then the total; steps that were not found are said.

    Of the summary only what differs.
    """
    bodies = [orjson.dumps(case["request"]) for case in read_cases(CASES)]
    for detail, shown in (("full", None), ("summary", ("shorten", "dump"))):
        clock = Clock()
        with timers(clock, engine) as gone, as_in_a_worker():
            found = take(clock, door(knowledge, engine, f"detail={detail}"), bodies, ROUNDS)
        total = spread(map(sum, zip(*found.values(), strict=True)))
        for step, taken in sorted(found.items(), key=lambda item: -spread(item[1]).median):
            if shown is None or step in shown:
                value = spread(taken)
                yield Row(PART, f"{detail}: {step}", value, "us", note=f"{value.median / total.median:.1%}")
        yield Row(PART, f"{detail}: all", total, "us")
        for step in (*gone, *EXPECTED) if shown is None else shown:
            if step not in found:
                yield missing(PART, f"{detail}: {step}", "no function of that name is called any more")
