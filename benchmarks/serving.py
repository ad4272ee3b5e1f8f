"""Worker classes and threads, measured in turn in one run: `make serving`. Quote the ratios, not the figures.

All servers stand at once and are asked one after the other, round by round, so that a busy machine slows all alike.
The client is wrk where it is installed, else threads of this process.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks.load import PATH, Known, Load
from benchmarks.server import HOST, Server
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


class Measured(NamedTuple):
    """Requests a second, and milliseconds."""

    rate: float
    p50: float
    p99: float


def measure(port: int, connections: int, known: Known) -> Measured:
    """Ask as fast as so many connections can."""
    if shutil.which("wrk") is None:
        began = time.monotonic()
        with Load(port, [known], connections) as counts:
            time.sleep(SECONDS)
        return Measured(counts.right / (time.monotonic() - began), counts.quantile(0.5), counts.quantile(0.99))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        body = known.body.decode().replace("]]", "] ]")
        kind = 'wrk.headers["Content-Type"] = "application/json"'
        script.write_text(f'wrk.method = "POST"\nwrk.body = [[{body}]]\n{kind}\n', encoding="utf-8")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(script)]
        command.append(f"http://{HOST}:{port}{PATH}")
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
    shares = dict(re.findall(r"(50|99)%\s+(\S+)", said))
    if rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return Measured(float(rate[1]), _milliseconds(shares["50"]), _milliseconds(shares["99"]))


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


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
                    found[name, connections].append(measure(server.port, connections, known))
    client = "wrk" if shutil.which("wrk") else "threads in Python"
    print(f"README request, {len(answer) // 1024} KB answer; {ROUNDS} rounds of {SECONDS} s; client: {client}")
    print("| server | connections | requests a second | ratio | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    for (name, connections), rounds in found.items():
        base = found[BASE, connections]
        ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in zip(rounds, base, strict=True))
        rate, p50, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {name} | {connections} | {rate:.0f} | {ratio:.2f} | {p50:.0f} | {p99:.0f} |")


if __name__ == "__main__":
    main()
