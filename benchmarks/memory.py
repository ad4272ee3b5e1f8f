"""Memory over many assessments in one process: `make bench-memory`. Growth after the first tenth is exit code 1."""

from __future__ import annotations

import os
import sys

import orjson

import rules
from benchmarks.firing import requests
from benchmarks.load_soak import resident
from rules.engine import Engine
from service.assess import assess

COUNT = 200_000
ALLOWED = 5.0
"""Megabytes of growth that are noise of the allocator (tests/test_soak.py allows the same)."""


def main() -> int:
    """Print one row each twentieth of the way."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    knowledge = rules.load()
    engine, asked = Engine(knowledge.rules), requests(knowledge)
    right = [orjson.dumps(assess(request, knowledge, engine)) for request in asked]
    early, wrong = 0.0, 0
    print("assessments  resident MB  wrong")
    for number in range(1, count + 1):
        place = number % len(asked)
        wrong += orjson.dumps(assess(asked[place], knowledge, engine)) != right[place]
        if number == count // 10:
            early = resident(os.getpid())
        if number % max(1, count // 20) == 0:
            print(f"{number:11} {resident(os.getpid()):12.1f} {wrong:6}", flush=True)
    grown = resident(os.getpid()) - early
    print(f"grown by {grown:.1f} MB since assessment {count // 10}; at most {ALLOWED:g} MB is allowed")
    return int(grown > ALLOWED or wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
