"""The whole HTTP request against a bare Flask route: same gunicorn settings, same worker, same bytes in and out.

Both servers stand at once and are asked one after the other, round by round.
"""

from __future__ import annotations

import http.client
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks.client import CLIENT, Measured, measure
from benchmarks.firing import CASES
from benchmarks.load import PATH, Known
from benchmarks.rounds import Row, spread
from benchmarks.server import HOST, Server
from service.app import create_app
from service.evaluate import read_cases

PART = "request"
ROUNDS, SECONDS = 3, 2
HALF_ROUNDS, HALF_SECONDS = 3, 3
CONNECTIONS = (1, 8, 32)
BUSY = 8
"""Connections of the rows that have a bar, and of half load."""
DETAILS = {"full answer": "", "summary": "?detail=summary"}


class Pace(NamedTuple):
    """How both sides are asked; the pauses (ms between two requests of a connection) are of ours and the bare."""

    connections: int
    rounds: int
    seconds: float
    pauses: tuple[float, float] = (0.0, 0.0)


class Sides(NamedTuple):
    """Round by round: ours, and the bare route."""

    ours: list[Measured]
    bare: list[Measured]

    def ratio(self, of: Callable[[Measured], float], name: str, unit: str, note: str = "") -> Row:
        """A row of one of the figures."""
        pairs = [(of(mine), of(theirs)) for mine, theirs in zip(self.ours, self.bare, strict=True)]
        ours, bare = (spread(column) for column in zip(*pairs, strict=True))
        return Row(PART, name, spread(mine / theirs for mine, theirs in pairs), "ratio", (ours, bare), unit, note)


def answers() -> dict[str, list[Known]]:
    """Detail -> the published cases with their answers, worked out in this process."""
    client = create_app().test_client()
    bodies = [orjson.dumps(case["request"]) for case in read_cases(CASES)]
    return {
        detail: [
            Known(body, client.post(PATH + query, data=body, content_type="application/json").get_data())
            for body in bodies
        ]
        for detail, query in DETAILS.items()
    }


def rows() -> Iterator[Row]:
    """Throughput, p50 and p99 at full speed; p99 at half of it."""
    known = answers()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "answers").write_bytes(
            orjson.dumps(
                [
                    (DETAILS[detail].removeprefix("?"), each.body.decode(), each.answer.decode())
                    for detail, listed in known.items()
                    for each in listed
                ]
            )
        )
        # no worker is replaced meanwhile
        ours = stack.enter_context(Server("--max-requests", "0"))
        env = {**os.environ, "BARE_ANSWERS": str(folder / "answers")}
        bare = stack.enter_context(Server("--max-requests", "0", app="benchmarks.bare:app", env=env))
        for detail, listed in known.items():
            for server in (ours, bare):
                _compare(server.port, listed, DETAILS[detail])
            yield from _detail(detail, listed, (ours, bare))


def _compare(port: int, known: Sequence[Known], query: str) -> None:
    """Every answer once, byte by byte.

    Raises:
        RuntimeError: the two sides do not do the same.
    """
    line = http.client.HTTPConnection(HOST, port, timeout=40)
    for each in known:
        line.request("POST", PATH + query, each.body, {"Content-Type": "application/json"})
        if line.getresponse().read() != each.answer:
            raise RuntimeError(f"another answer than expected on {query or 'the full answer'}")
    line.close()


def _detail(detail: str, known: Sequence[Known], servers: tuple[Server, Server]) -> Iterator[Row]:
    size = sum(len(each.answer) for each in known) // len(known) // 1024
    found = {}
    for connections in CONNECTIONS:
        sides = _in_turn(servers, known, DETAILS[detail], Pace(connections, ROUNDS, SECONDS))
        found[connections] = sides
        words = f"{detail} / bare route, {connections} connections"
        yield sides.ratio(lambda each: each.rate, f"throughput, {words}", "a second", f"{size} KB, {CLIENT}")
        yield sides.ratio(lambda each: each.p50, f"p50, {words}", "ms")
        yield sides.ratio(lambda each: each.p99, f"p99, {words}", "ms")
    note = "what throughput would lose on a machine of its own"
    yield found[BUSY].ratio(lambda each: each.busy, f"processor time, {detail} / bare route", "ms", note)
    most = [spread(each.rate for each in side).median for side in found[BUSY]]
    alone = [spread(each.p50 for each in side).median for side in found[1]]
    # so many connections that ask, are answered, and wait, make half of what the server can do
    pauses = [max(1.0, 2000 * BUSY / rate - taken) for rate, taken in zip(most, alone, strict=True)]
    pace = Pace(BUSY, HALF_ROUNDS, HALF_SECONDS, (pauses[0], pauses[1]))
    half = _in_turn(servers, known, DETAILS[detail], pace)
    loads = [spread(each.rate for each in side).median / full for side, full in zip(half, most, strict=True)]
    note = f"at {loads[0]:.0%} and {loads[1]:.0%} of what each can do"
    yield half.ratio(lambda each: each.p99, f"p99 at half load, {detail} / bare route", "ms", note)


def _in_turn(servers: tuple[Server, Server], known: Sequence[Known], query: str, pace: Pace) -> Sides:
    sides = Sides([], [])
    for number in range(pace.rounds):
        for place in (0, 1) if number % 2 else (1, 0):
            server, before = servers[place], servers[place].processor_seconds()
            seen = measure(server.port, pace.connections, known, pace.seconds, query, pace.pauses[place])
            used = server.processor_seconds() - before
            sides[place].append(seen._replace(busy=1000 * used / (seen.rate * pace.seconds)))
    return sides
