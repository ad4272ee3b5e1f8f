"""Worker classes and threads, measured in turn in one run: `make serving`. Quote the ratios, not the figures.

All servers stand at once and are asked one after the other, round by round, so that a busy machine slows all alike.
The client is wrk where it is installed, else threads of this process.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from contextlib import ExitStack

import orjson

from benchmarks.client import CLIENT, Measured, measure
from benchmarks.load import PATH, Known
from benchmarks.server import Server
from service.app import create_app
from service.contract import EXAMPLE

ROUNDS, SECONDS = 3, 2
CONNECTIONS = (1, 8, 32)
SETTINGS = {
    "sync": ("--worker-class", "sync"),
    "gthread, 1 thread": ("--worker-class", "gthread", "--threads", "1"),
    "gthread, 2 threads": ("--worker-class", "gthread", "--threads", "2"),
    "gthread, 4 threads": ("--worker-class", "gthread", "--threads", "4"),
    "ours, 1 thread": ("--threads", "1"),
    "ours, 2 threads": ("--threads", "2"),
    "ours, 4 threads": ("--threads", "4"),
}
BASE = "gthread, 2 threads"


def main() -> None:
    """Print one table."""
    body = orjson.dumps(EXAMPLE)
    answer = create_app().test_client().post(PATH, data=body, content_type="application/json").get_data()
    known = Known(body, answer)
    found: dict[tuple[str, int], list[Measured]] = defaultdict(list)
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(Server("--max-requests", "0", *options)) for name, options in SETTINGS.items()
        }
        for _ in range(ROUNDS):
            for connections in CONNECTIONS:
                for name, server in servers.items():
                    found[name, connections].append(measure(server.port, connections, [known], SECONDS))
    print(f"README request, {len(answer) // 1024} KB answer; {ROUNDS} rounds of {SECONDS} s; client: {CLIENT}")
    print("| server | connections | requests a second | ratio | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    for (name, connections), rounds in found.items():
        base = found[BASE, connections]
        ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in zip(rounds, base, strict=True))
        rate, p50, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {name} | {connections} | {rate:.0f} | {ratio:.2f} | {p50:.0f} | {p99:.0f} |")


if __name__ == "__main__":
    main()
