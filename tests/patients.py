"""A healthy person with a strain, of whom everything is known, and the ladder that is made for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from tests.people import Request, calm

STRAIN = ("onset_after_lifting", "pain_worse_with_movement", "pain_improving")
HEALTHY = (
    "previous_peptic_ulcer_or_gi_bleed",
    "heart_failure",
    "arrhythmia_or_conduction_disorder",
    "chronic_kidney_disease",
    "chronic_liver_disease",
)
KNOWN: Mapping[str, Any] = {
    "medications": [],
    "allergies": [],
    "treatments_tried": [],
    "observations": {"egfr_ml_min": 90},
}
"""What the safety rules of rung 1 need to know, all of it harmless."""
ORAL_NSAIDS = ("ibuprofen_oral", "naproxen_oral", "celecoxib_oral", "nsaid_prescription_other")
PROPOSED = ("recommended", "consider", "caution")


def strain(*present: str, denied: Iterable[str] = HEALTHY, **parts: Any) -> Request:
    """A calm strain of five days in a healthy man, with everything known."""
    return calm(*STRAIN, *present, absent=set(denied) - set(present), **{**KNOWN, **parts})


def entries(request: Request, knowledge: Knowledge, engine: Engine) -> dict[str, dict[str, Any]]:
    """Treatment -> its entry, with its rung."""
    found = assess(request, knowledge, engine)["treatment_ladder"]
    assert found["pathway"] is None
    return {entry["treatment"]: {**entry, "rung": rung["rung"]} for rung in found["rungs"] for entry in rung["entries"]}


def open_book(request: Request, knowledge: Knowledge) -> Request:
    """The same person with every safety question answered no, where they did not answer it."""
    asked = {need.finding for sheet in knowledge.safety.values() for need in sheet.needs if need.finding}
    observations = {"egfr_ml_min": 90, "weight_kg": 75, "inr": 1, **request.get("observations", {})}
    return {
        **request,
        "findings": dict.fromkeys(sorted(asked), "absent") | request["findings"],
        "observations": observations,
    }
