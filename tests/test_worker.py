"""The worker under a real server: slow clients hold no thread, a broken engine and a stuck request end one worker."""

from __future__ import annotations

import ast
import http.client
import json
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from gunicorn.config import KNOWN_SETTINGS

from benchmarks.server import HOST, ROOT, Server
from schemas.answer import Problem
from service.contract import EXAMPLE
from tests.presentations import PATH

pytestmark = pytest.mark.outside

BODY = json.dumps(EXAMPLE).encode()
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
WHOLE = HEAD + f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The service with faults on purpose (tests/faulty.py), its deadlines short."""
    with Server(app="tests.faulty:create()") as running:
        yield running


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _line(server: Server, opening: bytes) -> socket.socket:
    line = socket.create_connection((HOST, server.port), timeout=30)
    line.sendall(opening)
    return line


def _read(line: socket.socket) -> bytes:
    answer = b""
    while part := line.recv(65_536):
        answer += part
    return answer


def _ask(server: Server) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=30)) as line:
        line.request("POST", PATH, BODY, {"Content-Type": "application/json"})
        response = line.getresponse()
        return response.status, response.read()


def _problem(answer: bytes) -> int:
    """The status of a problem document that the worker itself wrote."""
    head, _, body = answer.partition(b"\r\n\r\n")
    found = json.loads(body)
    assert Problem().validate(found) == {}
    assert b"application/problem+json" in head
    assert int(head.split()[1]) == found["status"]
    return int(found["status"])


def test_slow_clients_hold_no_thread_and_are_told_so(server: Server) -> None:
    openings = [
        HEAD[:30],
        HEAD,
        HEAD + b"Content-Length: 9\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{",
    ]
    slow = [_line(server, opening) for opening in openings * 10]
    before = _ask(server)
    told, _, _ = select.select(slow, [], [], 0)
    assert before[0] == 200
    assert told == [], "answered only because the slow ones were gone"
    assert {_problem(_read(line)) for line in slow} == {408}
    for line in slow:
        line.close()
    assert _ask(server) == before


def test_a_connection_that_was_opened_and_never_used_is_closed_without_a_word(server: Server) -> None:
    with _line(server, b"") as line:
        assert _read(line) == b""


@pytest.mark.parametrize(
    ("opening", "status"),
    [
        (HEAD + b"Content-Length: 3000000\r\n\r\n{", 413),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2dc6c0\r\n{", 413),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}}", 400),
        (HEAD + b"X: " + b"a" * 40_000, 431),
    ],
)
def test_what_no_route_could_take_is_refused_before_it_has_come(server: Server, opening: bytes, status: int) -> None:
    with _line(server, opening) as line:
        assert _problem(_read(line)) == status


@pytest.mark.parametrize(("path", "fhir"), [("/fhir/R4/$assess", True), ("/fhir?x", True), ("/fhirs", False)])
def test_what_is_refused_early_has_the_shape_of_its_path(server: Server, path: str, fhir: bool) -> None:
    with _line(server, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n".encode()) as line:
        head, _, body = _read(line).partition(b"\r\n\r\n")
    found = json.loads(body)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert re.search(rb"\r\nX-Request-ID: [0-9a-f]{32}\r\n", head), "as the contract says of every response"
    if fhir:
        assert b"Content-Type: application/fhir+json" in head
        assert [(each["severity"], each["code"]) for each in found["issue"]] == [("error", "too-long")]
    else:
        assert found["status"] == 413


def test_a_client_that_waits_to_be_told_is_told_to_go_on(server: Server) -> None:
    with _line(server, HEAD + f"Expect: 100-continue\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()) as line:
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(BODY)
        line.shutdown(socket.SHUT_WR)
        assert b"HTTP/1.1 200 OK" in _read(line)


def test_requests_sent_in_one_go_are_answered_one_after_the_other(server: Server) -> None:
    with _line(server, b"\r\n" + WHOLE * 3 + HEAD + b"Content-Length: 9\r\n\r\n{") as line:
        answers = _read(line)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.count(b"HTTP/1.1 408 ") == 1, "the unfinished one waits in the loop like any other"


def test_a_worker_whose_engine_is_broken_fails_closed_and_is_replaced(server: Server) -> None:
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=30)) as line:
        line.request("GET", "/break")
        broken = int(line.getresponse().read())
        assert broken in server.workers()
        line.request("POST", PATH, BODY, {"Content-Type": "application/json"})
        response = line.getresponse()
        assert (response.status, json.loads(response.read())["status"]) == (503, 503)
    seen = set()
    while broken in server.workers():
        seen.add(_ask(server)[0])
    assert seen <= {200, 503}
    _wait_for(lambda: len(server.workers()) == 2, "no new worker")
    assert {_ask(server)[0] for _ in range(10)} == {200}


def test_a_readiness_probe_that_finds_the_engine_broken_also_ends_the_worker(server: Server) -> None:
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=30)) as line:
        line.request("GET", "/break")
        broken = int(line.getresponse().read())
        line.request("GET", "/readyz")
        assert line.getresponse().status == 503
    _wait_for(lambda: broken not in server.workers() and len(server.workers()) == 2, "the worker stays")


def test_a_request_that_never_ends_costs_its_worker_and_no_other_request(server: Server) -> None:
    workers = set(server.workers())
    with _line(server, b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n") as line:
        while len(workers & set(server.workers())) == 2:
            assert _ask(server)[0] == 200
        assert line.recv(100) == b"", "no answer is better than a made-up one"
    _wait_for(lambda: len(server.workers()) == 2, "no new worker")
    assert _ask(server)[0] == 200


def test_every_setting_of_the_server_has_a_name_that_gunicorn_knows() -> None:
    """gunicorn takes an unknown name in its file without a word."""
    names = set()
    for line in ast.parse((ROOT / "gunicorn.conf.py").read_bytes()).body:
        if isinstance(line, ast.FunctionDef):
            names.add(line.name)
        elif isinstance(line, ast.Assign):
            names |= {target.id for target in line.targets if isinstance(target, ast.Name)}
    assert {"timeout", "when_ready"} <= names <= {setting.name for setting in KNOWN_SETTINGS}
