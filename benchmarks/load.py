"""A constant load of assessments whose right answers are known, over kept connections; every byte is compared."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks.server import HOST
from service.app import create_app
from service.evaluate import read_cases

PATH = "/v1/assessments"
CASES = Path(__file__).parent.parent / "tests" / "cases"
TRIES = 100


class Known(NamedTuple):
    """A request and the bytes that are its right answer."""

    body: bytes
    answer: bytes


def known_answers(count: int = 12) -> list[Known]:
    """Published cases with their answers, worked out in this process, before any fault."""
    import orjson  # noqa: PLC0415

    client = create_app().test_client()
    bodies = [orjson.dumps(case["request"]) for case in read_cases(CASES)[:count]]
    return [Known(body, client.post(PATH, data=body, content_type="application/json").get_data()) for body in bodies]


class Failure(NamedTuple):
    """A request that got no answer, or another one than 200; it is sent again."""

    began: float
    port: int | None
    why: str


@dataclass
class Counts:
    """What became of the requests of one run."""

    sent: int = 0
    right: int = 0
    wrong: int = 0
    given_up: int = 0
    failures: list[Failure] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return len(self.failures)

    def quantile(self, share: float) -> float:
        """Milliseconds within which so many of the right answers came."""
        return 1000 * sorted(self.seconds)[int(share * (len(self.seconds) - 1))] if self.seconds else 0.0


class Load:
    """So many connections that send for as long as the block lasts, at a rate if one is given."""

    def __init__(
        self, port: int, known: Sequence[Known], connections: int = 8, rate: float | None = None, path: str = PATH
    ) -> None:
        self.port, self.known, self.rate, self.connections, self.path = port, known, rate, connections, path
        self.counts = Counts()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._next = itertools.count()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(connections)]

    def __enter__(self) -> Counts:
        for thread in self._threads:
            thread.start()
        return self.counts

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """No new requests, no more tries."""
        self._stop.set()

    def _run(self, number: int) -> None:
        line = http.client.HTTPConnection(HOST, self.port, timeout=40)
        pause = self.connections / self.rate if self.rate else 0.0
        due = time.monotonic() + pause * number / self.connections
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + pause, time.monotonic() - pause)
            self._ask(line, self.known[next(self._next) % len(self.known)])
        line.close()

    def _ask(self, line: http.client.HTTPConnection, known: Known) -> None:
        """Send until it is answered; http.client connects again by itself after close()."""
        with self._lock:
            self.counts.sent += 1
        began = time.monotonic()
        for _ in range(TRIES):
            tried, port = time.monotonic(), None
            try:
                if line.sock is None:
                    line.connect()
                port = line.sock.getsockname()[1]
                line.request("POST", self.path, known.body, {"Content-Type": "application/json"})
                response = line.getresponse()
                answer = response.read()
                why = f"status {response.status}"
                if response.status == 200:
                    with self._lock:
                        self.counts.right += answer == known.answer
                        self.counts.wrong += answer != known.answer
                        self.counts.seconds.append(time.monotonic() - began)
                    return
            except (OSError, http.client.HTTPException) as error:
                why = type(error).__name__
            line.close()
            with self._lock:
                self.counts.failures.append(Failure(tried, port, why))
            if self._stop.wait(0.05):
                break
        with self._lock:
            self.counts.given_up += 1
