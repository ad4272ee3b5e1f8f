"""The differential as a RiskAssessment: one prediction for each listed condition, with what speaks for and against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.knowledge import Knowledge
from service.fhir.case import Case
from service.fhir.parts import ICD10CM, SNOMED, Json, coding, concept, note, own, references, worded

NAME = "RiskAssessment"


def write(case: Case) -> Json:
    """The entry of the differential."""
    knowledge = case.answer["knowledge"]
    resource = {
        "resourceType": "RiskAssessment",
        "status": case.status,
        "subject": case.subject,
        "method": {"coding": [case.stamp], "text": f"Lumbar, knowledge {knowledge['version']}"},
        "code": concept("Differential diagnosis of low back pain"),
        "basis": references(each.reference for each in case.inputs),
        "prediction": [_prediction(entry, case.knowledge) for entry in case.answer["differential"]],
        "note": note(case.answer["intended_use"], case.answer["urgency"]["statement"]),
    }
    return case.entry(NAME, resource)


def outcome(name: str, knowledge: Knowledge) -> Json:
    """A condition of ours with the codes that the evidence is sure of."""
    condition = knowledge.conditions[name]
    codes = condition.codes
    return concept(
        condition.label,
        coding(own("conditions"), name, condition.label),
        coding(ICD10CM, codes.icd10cm.code if codes else None, codes.icd10cm.title if codes else None),
        coding(SNOMED, codes.snomed.code, codes.snomed.title) if codes and codes.snomed else None,
    )


def _prediction(entry: Mapping[str, Any], knowledge: Knowledge) -> Json:
    likelihood = entry["likelihood"]
    return {
        "outcome": outcome(entry["condition"], knowledge),
        "probabilityDecimal": entry["probability"],
        "qualitativeRisk": concept(likelihood, coding(own("likelihood"), likelihood)) if likelihood else None,
        "rationale": _rationale(entry, knowledge),
    }


def _rationale(entry: Mapping[str, Any], knowledge: Knowledge) -> str:
    slight = entry["slight"]
    sides = {"For": entry["for"], "Against": entry["against"]}
    said = [f"{side}: {'; '.join(_line(line, knowledge) for line in lines)}" for side, lines in sides.items() if lines]
    if entry["root_level"]:
        said.append(f"Root level: {entry['root_level']}")
    if slight["lines"]:
        said.append(f"{slight['lines']} lines that hardly count, together LR {slight['lr']:g}")
    return ". ".join([*said, f"Prior weight {entry['prior']:g}"]) + "."


def _line(line: Mapping[str, Any], knowledge: Knowledge) -> str:
    text = worded(line["word"], knowledge)["text"]
    answer = "" if line["state"] == "present" else " (absent)"
    return f"{text}{answer}, LR {line['lr']:g}, grade {line['grade']}, {', '.join(line['references'])}"
