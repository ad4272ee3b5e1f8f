"""The page of ten ladders is what the service answers, and each of them is one to stand behind."""

from __future__ import annotations

from typing import Any

import pytest

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from tests.ladders_page import PAGE, PATIENTS, render, request_of
from tests.oracle import parse
from tests.patients import ORAL_NSAIDS, PROPOSED


def test_the_page_is_what_the_service_answers(knowledge: Knowledge, engine: Engine) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(knowledge, engine), "run: make ladders"


@pytest.fixture(scope="module")
def statuses(knowledge: Knowledge, engine: Engine) -> dict[str, dict[str, str]]:
    """Patient -> treatment -> status."""
    found: dict[str, dict[str, str]] = {}
    for patient in parse(PATIENTS):
        request = knowledge.request_schema.load(request_of(patient, knowledge))
        rungs: list[dict[str, Any]] = assess(request, knowledge, engine)["treatment_ladder"]["rungs"]
        entries = [entry for rung in rungs for entry in rung["entries"]]
        found[patient["name"]] = {entry["treatment"]: entry["status"] for entry in entries}
    return found


def test_everybody_without_an_emergency_is_offered_something_to_begin_with(
    statuses: dict[str, dict[str, str]],
) -> None:
    assert len(statuses) == 10
    for name, ladder in statuses.items():
        assert (name == "Kidney stone in pregnancy") is not bool(ladder)
        assert not ladder or not {"recommended", "consider"}.isdisjoint(ladder.values()), name


@pytest.mark.parametrize(
    ("patient", "never"),
    [
        ("Sciatica at 45 on warfarin", {*ORAL_NSAIDS, "epidural_steroid_injection", "spinal_manipulation"}),
        ("Stenosis at 78 with kidney disease", {*ORAL_NSAIDS, "duloxetine_oral", "cyclobenzaprine_oral"}),
        ("Strain at 82 with many medicines", {*ORAL_NSAIDS, "weak_opioid", "cyclobenzaprine_oral", "tizanidine_oral"}),
        ("Vertebral fracture at 74", {"spinal_manipulation", "massage_therapist"}),
        ("Acute strain at 30", {"weak_opioid", "duloxetine_oral", "trigger_point_injection", "spinal_fusion"}),
    ],
)
def test_what_would_harm_this_person_is_not_proposed(
    statuses: dict[str, dict[str, str]], patient: str, never: set[str]
) -> None:
    proposed = {name for name, status in statuses[patient].items() if status in PROPOSED}
    assert proposed.isdisjoint(never), proposed & never
