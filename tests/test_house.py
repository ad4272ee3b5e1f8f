"""The house: which room may know which, what is never written down, and the service behind its real server."""

from __future__ import annotations

import ast
import json
import multiprocessing
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

import rules
import service
from rules.knowledge import Knowledge
from service import logs
from service.contract import EXAMPLE
from tests.hostile import Hostile, hostile
from tests.presentations import PATH, cases

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "rules", "service", "wsgi")
PURE = ("findings", "differential", "urgency", "ladder", "questions", "scores", "investigations", "summary")


def _modules() -> dict[str, ast.Module]:
    """Every module of the four rooms by its dotted name."""
    files = [ROOT / "wsgi.py", *(file for room in ROOMS[:3] for file in sorted((ROOT / room).rglob("*.py")))]
    names = {file: file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for file in files}
    return {name.removesuffix(".__init__"): ast.parse(file.read_text(encoding="utf-8")) for file, name in names.items()}


MODULES = _modules()


@cache
def _imports(tree: ast.Module) -> set[str]:
    """Every module that a module imports, at any depth of its code; `from a import b` may mean a or a.b."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if name in MODULES} or {node.module}
            found |= {node.module} if any(name not in MODULES for name in inner) else set()
    return found


def _importers(name: str) -> set[str]:
    """The modules that import a package or something of it."""
    return {module for module, tree in MODULES.items() if name in {found.split(".")[0] for found in _imports(tree)}}


def _reach(module: str) -> set[str]:
    """Everything that a module imports, directly or through modules of this house (packages as such left out)."""
    found: set[str] = set()
    queue = [module]
    while queue:
        for name in _imports(MODULES[queue.pop()]) - found:
            found.add(name)
            queue += [name] if name in MODULES else []
    return found


def test_the_walk_sees_every_module() -> None:
    assert len(MODULES) >= 25
    assert {"wsgi", "rules.engine", "rules", "service.app", "schemas.parts"} <= MODULES.keys()
    assert {"rules.logic", "rules.files"} <= _imports(MODULES["rules.checks"])


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    """schemas <- rules <- service <- wsgi."""
    room = ROOMS.index(module.split(".", maxsplit=1)[0])
    used = {name.split(".")[0] for name in _imports(MODULES[module])} & {*ROOMS, "tests"}
    assert used <= {*ROOMS[: room + 1]}


def test_only_the_engine_knows_the_rule_engine() -> None:
    named = _importers("durable") | _importers("durable_rules_engine") | _importers("durable_rules")
    assert named == {"rules.engine"}


def test_only_these_modules_know_the_web() -> None:
    doors = {"service.auth", "service.limits", "service.cors", "service.telemetry"}
    rooms = {"service.app", "service.body", "service.problems", "service.reference", "service.versioning"}
    rooms |= {"service.fhir.routes", "service.cds_hooks.routes", "service.console"}
    assert _importers("flask") == rooms | doors
    assert _importers("werkzeug") <= rooms


def test_only_the_rooms_of_telemetry_know_its_libraries() -> None:
    assert _importers("prometheus_client") == {"service.metrics"}
    assert _importers("structlog") == {"service.logs", "service.telemetry"}
    assert "service.workers" not in _reach("wsgi"), "another server than gunicorn must do"


def test_only_the_worker_knows_the_server() -> None:
    assert _importers("gunicorn") == {"service.worker", "service.workers"}
    assert "service.worker" not in set().union(*(_imports(tree) for tree in MODULES.values()))


def test_what_a_card_says_is_worked_out_without_web_or_engine() -> None:
    rooms = {f"service.cds_hooks.{name}" for name in ("calls", "cards", "discovery", "judging", "orders", "prose")}
    for name in rooms:
        reached = {found.split(".")[0] for found in _reach(name)}
        assert reached & {"flask", "werkzeug", "time", "random", "secrets", "os", "socket", "logging"} == set(), name
        assert "rules.engine" not in _reach(name), name


def test_the_rooms_of_fhir_are_pure_but_for_their_routes() -> None:
    rooms = {name for name in MODULES if name.startswith("service.fhir.")} - {"service.fhir.routes"}
    assert len(rooms) >= 8
    for name in rooms:
        reached = {found.split(".")[0] for found in _reach(name)}
        assert reached & {"flask", "werkzeug", "time", "random", "secrets", "os", "socket", "logging"} == set(), name
        assert "rules.engine" not in _reach(name), name


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_knows_neither_web_nor_engine_nor_clock_nor_chance(name: str) -> None:
    module = f"service.{name}"
    assert module in MODULES
    impure = {"flask", "werkzeug", "time", "datetime", "random", "secrets", "uuid", "os", "socket", "logging"}
    reached = _reach(module)
    assert {found.split(".")[0] for found in reached} & impure == set()
    assert reached & {"rules.engine", "service.app", "service.assess"} == set()


def test_there_is_no_import_of_names_by_star_or_by_text() -> None:
    """Either would go unseen by the tests above."""
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.ImportFrom) and node.names[0].name == "*"), module
            assert not (isinstance(node, ast.Name) and node.id in ("__import__", "importlib")), module


# What is never written down


@pytest.fixture(scope="module")
def tracked() -> dict[str, str]:
    """Every tracked text file of the repository."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8", errors="replace")
        for file in files
        if file.is_file()
    }


def _standing(pattern: str, tracked: dict[str, str]) -> list[str]:
    return [
        f"{name}:{len(text[: found.end()].splitlines())}: {found[0]}"
        for name, text in tracked.items()
        for found in re.finditer(pattern, text)
    ]


def test_no_path_of_one_machine_stands_in_a_tracked_file(tracked: dict[str, str]) -> None:
    assert len(tracked) > 30
    places = ("home", "Users", "work", "root", "tmp", "mnt", "private", "var/folders")
    assert _standing(rf"(?<![\w.~-])/(?:{'|'.join(places)})/\w", tracked) == []
    assert _standing(r"\b[A-Z]:\\\w", tracked) == []


def test_no_host_of_a_package_registry_stands_in_a_tracked_file(tracked: dict[str, str]) -> None:
    """Which registry serves the packages is the business of the machine, not of the project."""
    hosts = (r"pypi\.(?:org|python)", r"pythonhosted\.org", r"npmjs\.(?:org|com)", r"artifact[o]ry", r"nexus\.")
    assert _standing("|".join(hosts), tracked) == []
    assert _standing(r"--(?:extra-)?index-url|--trusted[-]host|--find[-]links", tracked) == []


def test_each_pattern_finds_what_it_is_for() -> None:
    bad = {"a": "see /" + "home/ann/x", "b": 'open("/' + 'tmp/x")', "c": "C:" + "\\Users"}
    assert len(_standing(r"(?<![\w.~-])/(?:home|tmp)/\w", bad)) == 2
    assert len(_standing(r"\b[A-Z]:\\\w", bad)) == 1


# The server


def test_the_server_is_set_up_as_the_engine_needs_it() -> None:
    values = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert values["preload_app"] is True
    assert values["worker_class"] == "service.worker.Worker"
    assert values["workers"] == max(2, multiprocessing.cpu_count())
    assert (values["threads"], values["timeout"], values["graceful_timeout"]) == (2, 30, 10)
    assert 10_000 <= values["max_requests"] <= 50_000
    assert 0 < values["max_requests_jitter"] < values["max_requests"]
    assert values["limit_request_line"] <= 4094
    assert values["limit_request_field_size"] <= 8190
    assert values["limit_request_fields"] <= 100
    assert values["accesslog"] is None, "an access log would hold what is asked about a person"
    assert values["control_socket_disable"] is True
    assert values["worker_connections"] < 1024 - 50, "a worker without file descriptors dies"
    assert "bind" not in values


@pytest.mark.parametrize("cores", [1, 2, 7])
def test_there_are_two_workers_at_least_and_one_for_each_core(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "cpu_count", lambda: cores)
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["workers"] == max(2, cores)


def test_the_door_is_the_app_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    made = object()
    monkeypatch.setattr(service, "create_app", lambda: made)
    monkeypatch.setattr(logs, "configure", lambda: None)
    assert runpy.run_path(str(ROOT / "wsgi.py"))["app"] is made


def _talk(port: int, data: bytes, *, pause: float = 0.0, cut: bool = False) -> bytes:
    """Send bytes to the server, slowly or cut short if asked, and read until it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        try:
            if pause:
                for start in range(0, len(data), 40):
                    line.sendall(data[start : start + 40])
                    time.sleep(pause)
            else:
                line.sendall(data)
            if cut:
                line.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent
        answer = b""
        try:
            while part := line.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def _http(sent: Hostile, length: int | None = None) -> bytes:
    """A request as bytes, its connection closed after the answer."""
    kind = f"Content-Type: {sent.content_type}\r\n" if sent.content_type is not None else ""
    size = len(sent.data) if length is None else length
    head = f"{sent.method} {sent.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}Content-Length: {size}\r\n\r\n"
    return head.encode() + sent.data


CHUNKED = (
    f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
).encode()


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _workers(process: subprocess.Popen[bytes]) -> set[int]:
    """The children of the server, by its entry under /proc."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
    return {int(pid) for pid in children.split()}


class Server(NamedTuple):
    """A running gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    printed: Path
    workers: set[int]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """gunicorn on a free port, started once; what it prints goes to a file."""
    printed = tmp_path_factory.mktemp("server") / "printed.txt"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "wsgi:app"]
    with printed.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(process, port, printed)
        yield Server(process, port, printed, _workers(process))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, printed: Path) -> None:
    for _ in range(1200):
        assert process.poll() is None, printed.read_text(encoding="utf-8")
        try:
            answer = _talk(port, _http(Hostile("ready", b"", (200,), "GET", "/readyz", None)))
        except ConnectionRefusedError:
            time.sleep(0.05)
            continue
        if answer and _status(answer) == 200 and len(_workers(process)) == max(2, multiprocessing.cpu_count()):
            return
    pytest.fail(f"not ready: {printed.read_text(encoding='utf-8')}")


def _post(server: Server, request: Any) -> bytes:
    answer = _talk(server.port, _http(Hostile("ordinary", json.dumps(request).encode(), (200,))))
    assert _status(answer) == 200
    return _body(answer)


def _body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def test_another_process_with_another_hash_seed_gives_the_same_bytes(server: Server, client: FlaskClient) -> None:
    for case in cases()[::8]:
        here = client.post(PATH, json=case["request"]).get_data()
        assert _post(server, case["request"]) == here, case["id"]


def test_two_hundred_hostile_requests_over_the_wire_leave_the_workers_alive(server: Server) -> None:
    ordinary, wrong = _post(server, EXAMPLE), []
    for sent in Random(2).sample([sent for sent in hostile(1000, seed=2) if _can_be_sent(sent)], 200):
        answer = _talk(server.port, _http(sent))
        if not answer or _status(answer) not in sent.statuses:
            wrong.append((sent.name, answer[:200]))
    assert _post(server, EXAMPLE) == ordinary
    assert _workers(server.process) == server.workers
    assert wrong == []


def test_a_slow_body_and_one_in_chunks_are_read_whole(server: Server) -> None:
    ordinary, body = _post(server, EXAMPLE), json.dumps(EXAMPLE).encode()
    assert _body(_talk(server.port, _http(Hostile("slow", body, (200,))), pause=0.02)) == ordinary
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:200], body[200:]))
    assert _body(_talk(server.port, CHUNKED + pieces + b"0\r\n\r\n")) == ordinary
    assert _workers(server.process) == server.workers


def test_a_body_that_breaks_off_is_refused(server: Server) -> None:
    body = json.dumps(EXAMPLE).encode()
    for data in (body[:100], b""):
        answer = _talk(server.port, _http(Hostile("cut", data, (400,)), length=len(body)), cut=True)
        assert _status(answer) == 400
        assert b"application/problem+json" in answer
    assert _talk(server.port, b"POST " + PATH.encode(), cut=True)[:12] in (b"", b"HTTP/1.1 400")
    assert _status(_talk(server.port, b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", cut=True)) == 400
    assert _workers(server.process) == server.workers


def test_an_endless_body_in_chunks_is_refused_as_too_long(server: Server) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert _status(_talk(server.port, CHUNKED + chunk * 5 + b"0\r\n\r\n")) == 413
    assert _workers(server.process) == server.workers


def test_the_server_stops_when_asked_and_has_printed_nothing_of_a_person(server: Server) -> None:
    _post(server, EXAMPLE)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=25) == 0
    log = server.printed.read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert "warfarin" not in log
    assert "Quillfeather" not in log


def _can_be_sent(sent: Hostile) -> bool:
    """Whether it is one request on a plain line, as the generator means it."""
    return sent.method != "HEAD" and " " not in sent.path and sent.path.isascii() and len(sent.data) < 1_000_000


def test_the_knowledge_is_read_from_where_it_stands() -> None:
    assert rules.HERE.resolve() == (ROOT / "rules").resolve()


def test_every_sentence_of_the_policy_is_said_somewhere_and_every_one_said_is_there(knowledge: Knowledge) -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "service").glob("*.py"))
    said = {name for _, name in re.findall(r"""texts\[(["'])(\w+)\1\]""", code)}
    said |= {name for pair in re.findall(r'texts\["(\w+)" if .+ else "(\w+)"\]', code) for name in pair}
    assert said == set(knowledge.policy.texts)
