"""The image: what the Dockerfile copies, installs and starts."""

from __future__ import annotations

import fnmatch
import json
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
BUILD, RUN = re.split(r"(?m)^FROM .*$", DOCKERFILE)[1:]


def _copied(stage: str) -> list[str]:
    lines = re.findall(r"(?m)^COPY (?!--from)(.+)$", stage)
    return [name for line in lines for name in line.split()[:-1]]


def test_the_image_holds_every_room_and_nothing_of_the_workshop() -> None:
    assert {*_copied(RUN)} == {"wsgi.py", "gunicorn.conf.py", "openapi.yaml", "schemas", "rules", "service"}


def test_what_is_copied_exists_and_is_let_through() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert lines[0] == "*", "what is not named stays outside"
    let = [line.removeprefix("!") for line in lines if line.startswith("!")]
    for name in _copied(BUILD) + _copied(RUN):
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, line) or name.startswith(f"{line}/") for line in let), name


def test_both_stages_stand_on_one_base_that_a_build_may_pin() -> None:
    (base,) = re.findall(r"(?m)^ARG BASE=(\S+)$", DOCKERFILE)
    assert re.fullmatch(r"python:3\.11-slim-[a-z]+", base)
    assert re.findall(r"(?m)^FROM (\S+)", DOCKERFILE) == ["${BASE}", "${BASE}"]


def test_only_locked_dependencies_are_installed_and_no_tool_is_left() -> None:
    installs = re.findall(r"pip install(?:[^&]|\\\n)+", BUILD)
    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)
    assert "pip uninstall --yes setuptools wheel pip" in BUILD
    assert "apt-get" not in RUN
    assert "pip" not in RUN


def test_the_container_is_nobody_and_asks_itself_whether_it_is_ready() -> None:
    assert re.findall(r"(?m)^USER (\d+)$", RUN) == ["10001"]
    assert re.search(r"(?m)^HEALTHCHECK .*\\\n  CMD \[\"python\".*/readyz", RUN)
    (command,) = re.findall(r"(?m)^CMD (.+)$", RUN)
    assert json.loads(command) == ["gunicorn", "--bind", "0.0.0.0:8000", "--worker-tmp-dir", "/dev/shm", "wsgi:app"]


def test_the_server_opens_no_control_socket() -> None:
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["control_socket_disable"] is True
