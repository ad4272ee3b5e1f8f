"""What the audit of dependencies says: never "clean" of what nobody checked. pip-audit's output is as it prints it."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

verdict = runpy.run_path(str(Path(__file__).parent.parent / ".ci" / "audit.py"))["verdict"]

CLEAN = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "PYSEC-2024-1", "fix_versions": ["3.1.4"]}]}
SKIPPED = {"name": "durable-rules", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def _report(*items: object) -> str:
    return json.dumps({"dependencies": items, "fixes": []})


def test_dependencies_without_a_known_vulnerability_pass() -> None:
    assert verdict(_report(CLEAN), "") == ("audit: 1 of 1 checked, 0 vulnerabilities", 0)


def test_a_known_vulnerability_fails_and_is_named() -> None:
    text, status = verdict(_report(CLEAN, BAD), "Found 1 known vulnerability in 1 package")
    assert status == 1
    assert "jinja2 3.1.0: PYSEC-2024-1" in text


def test_what_was_skipped_is_said_not_to_be_checked_and_passes() -> None:
    text, status = verdict(_report(CLEAN, SKIPPED), "")
    assert status == 0
    assert "1 of 2 checked" in text
    assert "not checked" in text
    assert "durable-rules" in text


def test_something_skipped_does_not_hide_something_found() -> None:
    assert verdict(_report(BAD, SKIPPED), "")[1] == 1


@pytest.mark.parametrize(
    "complaint",
    [
        "Traceback ...\nrequests.exceptions.ProxyError: HTTPSConnectionPool: Max retries exceeded",
        "ERROR:pip_audit._cli:Could not connect to the vulnerability feed",
    ],
)
def test_a_service_that_cannot_be_reached_is_said_and_passes(complaint: str) -> None:
    text, status = verdict("", complaint)
    assert status == 0
    assert "not checked" in text


@pytest.mark.parametrize("complaint", ["ERROR:pip_audit._cli:requirement file contains invalid specifier", ""])
def test_any_other_failure_is_a_failure(complaint: str) -> None:
    assert verdict("", complaint)[1] == 1
