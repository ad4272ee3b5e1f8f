"""How cost grows: with the rules, with the findings of a request, with a thousand requests; memory and cold start."""

from __future__ import annotations

import http.client
import random
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks import firing
from benchmarks.copies import check, copied, people
from benchmarks.engines import Bench, Disagreement, each
from benchmarks.load import PATH, Load, known_answers
from benchmarks.rounds import Row, Side, clocked, fault, paired, ratio_row, spread
from benchmarks.server import HOST, Server
from rules.engine import Engine
from service.assess import assess
from service.contract import EXAMPLE

PART = "growth"
SEED = 20_261_121
FINDINGS = (5, 20, 60, 150)
PRESENT = 0.25
"""Share of the findings that are present; the others are said to be absent."""
PEOPLE = 12
BATCH, PIECES = 1_000, 4
STARTS = 3


def rows(bench: Bench) -> Iterator[Row]:
    """All rows; rules first."""
    yield from _rules(bench)
    yield from _findings(bench)
    yield _batch(bench)
    yield from _memory()
    yield _cold_start()


def _rules(bench: Bench) -> Iterator[Row]:
    for copies in (2, 4):
        name = f"engine, rules x{copies} / x1"
        engine, work = Engine(copied(bench.tables, copies)), people(bench.work, copies)
        try:
            check(bench, engine, copies, work)
        except Disagreement as error:
            yield fault(PART, name, str(error))
            continue
        fire = firing.ours(engine)
        yield ratio_row(PART, name, paired(each(fire, work), bench.ours), note="the words of all copies hold")
        silent = paired(each(fire, bench.work), bench.ours)
        yield ratio_row(PART, f"{name}, new rules silent", silent, note="only the words of one copy hold")


def _findings(bench: Bench) -> Iterator[Row]:
    chance = random.Random(SEED)
    shuffled = [chance.sample(sorted(bench.knowledge.findings), max(FINDINGS)) for _ in range(PEOPLE)]
    said = [{name: "present" if chance.random() < PRESENT else "absent" for name in names} for names in shuffled]
    sides = {
        count: _assessing(bench, [{"patient": {"age_years": 45}, "findings": _first(each, count)} for each in said])
        for count in FINDINGS
    }
    few = FINDINGS[0]
    for count in FINDINGS[1:]:
        measured = paired(sides[count], sides[few], 5)
        yield ratio_row(PART, f"assessment, {count} findings / {few}", measured, note="validate, assess, dump")


def _first(said: Mapping[str, str], count: int) -> dict[str, str]:
    return dict(list(said.items())[:count])


def _assessing(bench: Bench, requests: list[dict[str, Any]], repeat: int = 1) -> Side:
    """Validate, assess, dump."""
    schema = bench.knowledge.request_schema

    def run() -> None:
        for _ in range(repeat):
            for request in requests:
                orjson.dumps(assess(schema.load(request), bench.knowledge, bench.engine))

    return clocked(run, len(requests) * repeat)


def _batch(bench: Bench) -> Row:
    bodies = [orjson.loads(each.body) for each in known_answers(45)]
    requests = [bodies[number % len(bodies)] for number in range(BATCH // PIECES)]
    piece = _assessing(bench, requests)
    rates = [1_000_000 / piece() for _ in range(PIECES)]
    return Row(PART, f"{BATCH} assessments in a row, one core", spread(rates), "a second", note="processor time")


def _memory() -> Iterator[Row]:
    known = known_answers(45)
    with Server("--max-requests", "0") as server:
        with Load(server.port, known) as counts:
            while counts.right < BATCH and not counts.wrong:
                time.sleep(0.05)
        held = [_rollup(pid) for pid in server.workers()]
        for kind in ("Rss", "Pss"):
            value = spread(each[kind] / 1024 for each in held)
            note = f"{len(held)} workers, {counts.right} requests"
            yield Row(PART, f"memory of a worker, {kind.upper()}", value, "MB", note=note)


def _rollup(pid: int) -> dict[str, int]:
    """Kilobytes by kind; PSS counts what processes share only in part."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return {kind: int(number) for kind, number in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}


class Cold(Server):
    """Ready when it has answered an assessment; says when that was."""

    began = 0.0
    seconds = 0.0
    busy = 0.0

    def __enter__(self) -> Cold:
        self.began = time.monotonic()
        super().__enter__()
        return self

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Ask for an assessment until one comes."""
        body = orjson.dumps(EXAMPLE)
        while time.monotonic() < self.began + seconds:
            line = http.client.HTTPConnection(HOST, self.port, timeout=seconds)
            try:
                line.request("POST", PATH, body, {"Content-Type": "application/json"})
                if line.getresponse().status == 200:
                    self.seconds = time.monotonic() - self.began
                    self.busy = self.processor_seconds()
                    return
            except OSError:
                time.sleep(0.01)
            finally:
                line.close()
        raise RuntimeError("the server does not answer")


def _cold_start() -> Row:
    taken, busy = [], []
    for number in range(STARTS + 1):
        with Cold() as server:
            if number:  # the first one warms the disk
                taken.append(server.seconds)
                busy.append(server.busy)
    note = f"{STARTS} starts, warm disk; processor time {spread(busy).median:.1f} s"
    return Row(PART, "cold start to the first answer", spread(taken), "s", note=note)
