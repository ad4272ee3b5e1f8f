"""CDS Hooks: a client that is not ours (@medplum/core), from discovery to feedback, with a chart of ordinary size."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.hooks import PATIENT_ID, SUBJECT, back_pain, days_ago, drafts, drug, finding, patient, request, taking

pytestmark = pytest.mark.outside

CLIENTS = Path(__file__).parent / "clients"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
NUMBERS = {
    "vital-signs": (("8867-4", "Heart rate", "/min", 72), ("29463-7", "Body weight", "kg", 81)),
    "laboratory": (("2345-7", "Glucose", "mg/dL", 95), ("718-7", "Hemoglobin", "g/dL", 14)),
}


def _measured(number: int, category: str, measure: tuple[str, str, str, int]) -> dict[str, Any]:
    code, display, unit, value = measure
    return {
        "resourceType": "Observation",
        "id": f"n{number}",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": LOINC, "code": code, "display": display}]},
        "subject": SUBJECT,
        "effectiveDateTime": days_ago(30 * number),
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
    }


def _past(number: int) -> list[dict[str, Any]]:
    """One year of an ordinary chart."""
    problem = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": f"J{number % 40:02}.9"}]}
    visit = {"resourceType": "Encounter", "id": f"e{number}", "status": "finished", "class": {"code": "AMB"}}
    shot = {"resourceType": "Immunization", "id": f"i{number}", "status": "completed", "patient": SUBJECT}
    return [
        {**visit, "subject": SUBJECT},
        {
            "resourceType": "Condition",
            "id": f"c{number}",
            "code": problem,
            "subject": SUBJECT,
            "clinicalStatus": {"coding": [{"code": "resolved"}]},
        },
        {**taking(f"Medicine {number}"), "id": f"m{number}", "status": "stopped"},
        {**shot, "vaccineCode": {"text": "Influenza"}},
        *(_measured(number, category, each) for category, both in NUMBERS.items() for each in both),
    ]


def _bundle() -> dict[str, Any]:
    """A chart of 200 and more entries with back pain, and new saddle numbness in it."""
    visit = {"resourceType": "Encounter", "id": "now", "status": "in-progress", "class": {"code": "AMB"}}
    exam = [{"coding": [{"system": CATEGORY, "code": "exam"}]}]
    facts = [{**finding("saddle_anaesthesia"), "category": exam}, back_pain(10), taking("Warfarin 5 mg tablet")]
    past = [each for number in range(1, 26) for each in _past(number)]
    return drafts(patient("1960-01-01"), {**visit, "subject": SUBJECT}, *past, *facts)


def test_medplum_goes_from_discovery_to_feedback(running: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "@medplum" / "core").is_dir():
        pytest.skip("needs node and its packages: install node, then `make test` (or npm ci in tests/clients)")
    bundle, order = _bundle(), drug("Ibuprofen 400 mg tablet")
    assert len(bundle["entry"]) >= 200
    sent: dict[str, Any] = {"bundle": bundle, "draftOrders": drafts(order, request("MRI lumbar spine"))}
    sent["selections"] = ["MedicationRequest/draft-drug"]
    (tmp_path / "chart.json").write_text(json.dumps(sent), encoding="utf-8")
    command = [node, str(CLIENTS / "cds_client.mjs"), running, str(tmp_path / "chart.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ}, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    read = json.loads(done.stdout)

    assert read["services"] == 4
    assert read["received"] == {}
    summaries = {hook: [card["summary"] for card in cards] for hook, cards in read["answers"].items()}
    assert summaries == {
        "patient-view": ["Emergency: New saddle numbness"],
        "encounter-start": ["Emergency: New saddle numbness"],
        "order-select": ["Emergency: New saddle numbness"],
        "order-sign": [],
    }
    (card,) = read["answers"]["patient-view"]
    assert "The list of vital signs was not complete" in card["detail"]
    draft = card["suggestions"][0]["actions"][0]["resource"]
    assert draft["subject"] == {"reference": f"Patient/{PATIENT_ID}"}
    assert {*read["asked"]} == {
        *("Patient/pt-1", "Encounter/now", "Condition", "MedicationRequest", "AllergyIntolerance", "Observation")
    }
