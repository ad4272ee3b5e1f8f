"""10,000 hostile requests over the wire to a real server: `make hostile`. A 500 or a lost worker is exit code 1."""

from __future__ import annotations

import gzip
import json
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from random import Random

from benchmarks.server import HOST, Server
from tests.hostile import FULL, Hostile, hostile
from tests.presentations import PATH

COUNT = 10_000
SEED = 20_261_121
LINES = 4
_BODY = json.dumps(FULL).encode()
_HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n".encode()


def wire(count: int) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """Bytes to send, and the statuses of which one must come (0: hung up without a word)."""
    chance = Random(SEED)
    framed = list(_framing())
    for number in range(0, count, 1000):
        for sent in hostile(1000, seed=SEED + number):
            if chance.random() < 0.1:
                yield chance.choice(framed)
            else:
                yield _request(sent), sent.statuses


def _request(sent: Hostile) -> bytes:
    kind = f"Content-Type: {sent.content_type}\r\n" if sent.content_type is not None else ""
    path = sent.path.replace(" ", "%20")
    head = f"{sent.method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}"
    return head.encode() + f"Content-Length: {len(sent.data)}\r\n\r\n".encode() + sent.data


def _framing() -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """What only a real connection can carry."""
    length = f"Content-Length: {len(_BODY)}\r\n".encode()
    bomb = gzip.compress(b" " * 10_000_000)
    yield _HEAD + b"Content-Encoding: gzip\r\n" + f"Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb, (415,)
    yield _HEAD + length + b"\r\n" + _BODY[:50], (400,)
    yield _HEAD + b"Content-Length: 99999999999\r\n\r\n", (413,)
    yield _HEAD + b"Content-Length: -1\r\n\r\n", (400,)
    yield _HEAD + b"Content-Length: 1e3\r\n\r\n", (400,)
    yield _HEAD + length + b"Content-Length: 3\r\n\r\n" + _BODY, (400,)
    yield _HEAD + length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (400,)
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", (413,)
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n1\r\n" * 300_000 + b"0\r\n\r\n", (400,)
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 4_000 + b"0\r\n\r\n", (400,)
    yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY), (200,)
    yield _HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + length + b"\r\n" + _BODY, (400, 431)
    yield _HEAD + b"X: " + b"x" * 9_000 + b"\r\n\r\n", (400, 431)
    yield _HEAD + b"X: " + b"x" * 50_000, (431,)
    yield _HEAD + b"X : 1\r\n\r\n", (400,)
    yield _HEAD + b"X\x00: 1\r\n\r\n", (400,)
    yield b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (400, 414)
    yield b"GET / HTTP/7.7\r\n\r\n", (400,)
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400,)
    yield b"\x00" * 100, (400, 0)
    yield b"", (0,)


def _send(port: int, data: bytes) -> int:
    """The status of the first answer; 0 when there is none."""
    with socket.create_connection((HOST, port), timeout=60) as line:
        answer = b""
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent; the answer may be there all the same
        try:
            while part := line.recv(65_536):
                answer = answer or part
        except OSError:
            pass
        return int(answer[9:12]) if answer[9:12].isdigit() else 0


def main() -> int:
    """Print what came back, and whether the workers that began are those that are there at the end."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    found: Counter[int] = Counter()
    wrong: list[tuple[bytes, int]] = []
    work, lock = wire(count), threading.Lock()

    def run() -> None:
        while True:
            with lock:
                if (item := next(work, None)) is None:
                    return
            status = _send(server.port, item[0])
            with lock:
                found[status] += 1
                if status not in item[1]:
                    wrong.append((item[0][:200], status))

    with Server("--max-requests", "0") as server:
        workers = sorted(server.workers())
        threads = [threading.Thread(target=run) for _ in range(LINES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dead = set(workers) - set(server.workers())
        ordinary = _send(server.port, _HEAD + f"Content-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY)
        traced = server.out.read_text(encoding="utf-8", errors="replace").count("Traceback")
    print(f"{found.total()} hostile requests: {dict(sorted(found.items()))}")
    print(f"status 500: {found[500]}; workers lost: {len(dead)}; tracebacks in the log: {traced}")
    print(f"other than expected: {len(wrong)}; the ordinary request at the end: {ordinary}")
    for data, status in wrong[:10]:
        print(f"    {status} for {data!r}")
    return int(bool(found[500] or dead or wrong or traced) or ordinary != 200)


if __name__ == "__main__":
    sys.exit(main())
