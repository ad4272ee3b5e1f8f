"""The hazard log and the threat model: the tests they name exist, and each control has one or says why not."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
LOG: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "hazard-log.yaml").read_text(encoding="utf-8"))["hazards"]
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")

SEVERITY = ("minor", "significant", "considerable", "major", "catastrophic")
RISK = {  # DCB0129, from acceptable (1) to unacceptable (5), by severity
    "very_high": (3, 4, 4, 5, 5),
    "high": (2, 3, 3, 4, 5),
    "medium": (2, 2, 3, 3, 4),
    "low": (1, 2, 2, 3, 4),
    "very_low": (1, 1, 2, 2, 3),
}

MUST_STAND = (
    *("cauda equina", "infection", "dissection", "aneurysm", "malignancy", "fracture", "sepsis", "false alarm"),
    *("wrong dose", "contraindicated", "misread", "unknown drug", "allergy", "child", "pregnancy", "units", "leaflet"),
    *("not asked", "proxy", "remote", "partial result", "wrong knowledge", "out of date", "old answer", "copy"),
    *("wrong person", "probabilities", "patients themselves", "another patient", "silent chart", "alert fatigue"),
)


def _collected() -> set[str]:
    """The id of every test function, read and not run."""
    return {
        f"tests/{file.name}::{node.name}"
        for file in (ROOT / "tests").glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def _named(text: str) -> list[str]:
    return re.findall(r"tests/\w+\.py::\w+", text)


TESTS = _collected()


def test_the_tests_of_this_house_are_found() -> None:
    assert len(TESTS) > 700
    assert "tests/test_hazard_log.py::test_the_tests_of_this_house_are_found" in TESTS
    assert "tests/test_hazard_log.py::_collected" not in TESTS


@pytest.mark.parametrize("hazard", LOG, ids=lambda hazard: hazard["id"])
def test_each_test_that_a_hazard_names_exists(hazard: dict[str, Any]) -> None:
    named = [test for control in hazard["controls"] for test in control.get("tests", ())]
    assert [test for test in named if test not in TESTS] == []


@pytest.mark.parametrize("hazard", LOG, ids=lambda hazard: hazard["id"])
def test_each_control_of_a_hazard_has_tests_or_says_why_not(hazard: dict[str, Any]) -> None:
    assert hazard["controls"]
    for control in hazard["controls"]:
        (kind,) = control.keys() - {"control"}
        assert kind in ("tests", "untested")
        assert control["control"]
        assert control[kind]


@pytest.mark.parametrize("hazard", LOG, ids=lambda hazard: hazard["id"])
def test_the_risk_is_that_of_the_matrix_and_no_control_raises_it(hazard: dict[str, Any]) -> None:
    risks = []
    for state in (hazard["initial"], hazard["residual"]):
        assert state["risk"] == RISK[state["likelihood"]][SEVERITY.index(state["severity"])]
        risks.append(state["risk"])
    initial, residual = risks
    assert residual <= initial
    proved = any("tests" in control for control in hazard["controls"])
    assert proved or residual == initial, "a risk falls by what is proved"
    assert hazard["why"]


def test_the_log_holds_the_known_hazards_once_each() -> None:
    assert [hazard["id"] for hazard in LOG] == [f"H-{number:02}" for number in range(1, len(LOG) + 1)]
    told = [hazard["hazard"].lower() for hazard in LOG]
    assert len({*told}) == len(told) >= 30
    assert [word for word in MUST_STAND if not any(word in hazard for hazard in told)] == []
    assert all(hazard["cause"] and hazard["effect"] for hazard in LOG)


def test_each_test_that_the_threat_model_names_exists() -> None:
    named = _named(SECURITY)
    assert len(named) > 20
    assert [test for test in named if test not in TESTS] == []


def test_each_control_of_the_threat_model_names_a_test_or_says_why_there_is_none() -> None:
    rows = [line for line in SECURITY.splitlines() if re.match(r"\| [A-Z]\d+ \|", line)]
    assert len(rows) > 12
    assert [row for row in rows if not _named(row) and "no test:" not in row] == []
