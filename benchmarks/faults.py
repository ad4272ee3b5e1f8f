"""What becomes of answers while things break: `make faults`. One wrong byte, or an unexplained failure, is exit code 1.

Everything stays on the loopback; each fault has a server of its own, under the same constant load.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from benchmarks.load import PATH, Counts, Known, Load, known_answers
from benchmarks.server import HOST, Server

RATE = 20.0
SLOW = 200
Fault = Callable[[Server, Load], list[str]]
"""Breaks something while the load runs; what it returns is a complaint."""


def nothing(_: Server, __: Load) -> list[str]:
    """No fault: what the load looks like in peace."""
    time.sleep(5)
    return []


def kill_workers(server: Server, load: Load) -> list[str]:
    """kill -9 of a random worker each second for 20 s; only requests on its connections may fail."""
    killed: set[int] = set()
    for _ in range(20):
        time.sleep(1)
        workers = server.workers()
        if workers:
            pid = random.choice(workers)
            os.kill(pid, signal.SIGSTOP)  # so that the list of its connections is the last one
            killed |= server.ports(pid)
            os.kill(pid, signal.SIGKILL)
    time.sleep(2)
    strays = [failure for failure in load.counts.failures if failure.port not in killed]
    return [f"failed on a connection of no killed worker: {failure}" for failure in strays]


def reload(server: Server, load: Load) -> list[str]:
    """The documented reload: USR2, then TERM to the old master."""
    time.sleep(1)
    server.reload()
    time.sleep(2)
    return [f"failed during the reload: {failure}" for failure in load.counts.failures]


def hang_up(server: Server, load: Load) -> list[str]:
    """SIGHUP: new workers from the same memory (new settings, not new code or rules)."""
    time.sleep(1)
    os.kill(server.master, signal.SIGHUP)
    time.sleep(6)
    return [f"failed during SIGHUP: {failure}" for failure in load.counts.failures]


def terminate(server: Server, load: Load) -> list[str]:
    """SIGTERM with requests in flight: what was sent before it is answered; afterwards nobody listens."""
    time.sleep(2)
    told = time.monotonic()
    os.kill(server.master, signal.SIGTERM)
    code = server.process.wait(timeout=30)
    load.stop()
    early = [failure for failure in load.counts.failures if failure.began < told]
    return [f"in flight at SIGTERM and lost: {failure}" for failure in early] + [f"exit code {code}"] * (code != 0)


def slow_clients(server: Server, load: Load) -> list[str]:
    """200 clients that drip a head, drip a body, announce chunks and stop, or never take their answer, for 25 s."""
    known = load.known[0]
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    openings = [
        head,
        head + f"Content-Length: {len(known.body)}\r\n\r\n".encode(),
        head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n",
        head + f"Content-Length: {len(known.body)}\r\n\r\n".encode() + known.body,
    ]
    said: Counter[str] = Counter()
    lines: dict[socket.socket, bytes] = {}
    until = time.monotonic() + 25
    while time.monotonic() < until:
        while len(lines) < SLOW:
            line = socket.create_connection((HOST, server.port))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            opening = openings[len(lines) % len(openings)]
            line.sendall(opening)
            line.setblocking(False)
            lines[line] = opening
        time.sleep(1)
        for line, opening in list(lines.items()):
            if opening is openings[3]:
                continue  # it has asked, and does not read
            with suppress(BlockingIOError):
                try:
                    line.send(b"x")
                    answer = line.recv(4096)
                    said[answer[9:12].decode() or "closed"] += 1
                except OSError as error:
                    if isinstance(error, BlockingIOError):
                        raise
                    said["reset"] += 1
                line.close()
                del lines[line]
    for line in lines:
        line.close()
    print(f"    the slow ones were told: {dict(said)}")
    return [] if said["408"] else ["no slow client was told 408"]


def full_disk(server: Server, load: Load) -> list[str]:
    """Everything the server prints fails (a full disk); it must print: a worker is killed, hostile heads come."""
    for _ in range(3):
        time.sleep(1)
        with socket.create_connection((HOST, server.port)) as line:
            line.sendall(b"GET / HTTP/9.9\r\n\r\n")
            line.recv(100)
        os.kill(random.choice(server.workers()), signal.SIGTERM)
    time.sleep(4)
    return [f"failed with a full disk: {failure}" for failure in load.counts.failures]


def memory_limit(server: Server, load: Load) -> list[str]:
    """One worker may take no more memory than it has; it must be replaced, or live, and never lie."""
    time.sleep(1)
    pid = server.workers()[0]
    before = load.counts.failed
    size = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
    body = b'{"patient": {"age_years": 40}, "medications": [' + b"[[]]," * 50_000 + b"[]]}"
    told: Counter[str] = Counter()
    for _ in range(60):
        with suppress(OSError), socket.create_connection((HOST, server.port), timeout=20) as line:
            head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
            line.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            told[line.recv(12)[9:].decode() or "closed"] += 1
        if pid not in server.workers():
            break
    time.sleep(3)
    alive = pid in server.workers()
    failed = Counter(failure.why for failure in load.counts.failures[before:])
    print(
        f"    large requests: {dict(told)}; the worker {'lives' if alive else 'was replaced'}; failed: {dict(failed)}"
    )
    return [f"a 500: {told}"] if told["500"] or failed["status 500"] else []


FAULTS: dict[str, tuple[Fault, Path | None]] = {
    "in peace": (nothing, None),
    "kill -9 each second, 20 s": (kill_workers, None),
    "reload (USR2)": (reload, None),
    "SIGHUP": (hang_up, None),
    "SIGTERM": (terminate, None),
    f"{SLOW} slow clients, 25 s": (slow_clients, None),
    "full log disk": (full_disk, Path("/dev/full")),
    "memory limit": (memory_limit, None),
}


def run(known: Sequence[Known], fault: Fault, out: Path | None) -> tuple[Counts, list[str]]:
    """One fault under load."""
    with ExitStack() as stack:
        server = stack.enter_context(Server(out=out))
        load = Load(server.port, known, rate=RATE)
        with load as counts:
            try:
                complaints = fault(server, load)
            finally:
                load.stop()
    complaints += [f"{counts.wrong} wrong answers"] * bool(counts.wrong)
    if fault is not terminate and counts.given_up:
        complaints.append(f"{counts.given_up} requests never answered")
    return counts, complaints


def main() -> int:
    """Print one row a fault."""
    known = known_answers()
    wanted = sys.argv[1:]
    bad = False
    head = f"{'fault':28} {'sent':>6} {'right':>6} {'failed, sent again':>19} {'wrong':>6} {'p50 ms':>7} {'p99 ms':>7}"
    print(f"{RATE:g} requests a second on 8 kept connections\n{head}", flush=True)
    for name, (fault, out) in FAULTS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        counts, complaints = run(known, fault, out)
        print(
            f"{name:28} {counts.sent:6} {counts.right:6} {counts.failed:19} {counts.wrong:6}"
            f" {counts.quantile(0.5):7.0f} {counts.quantile(0.99):7.0f}",
            flush=True,
        )
        for complaint in complaints[:5]:
            print(f"    {complaint}", flush=True)
        bad = bad or bool(complaints)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
