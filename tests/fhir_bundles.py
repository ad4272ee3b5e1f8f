"""A native request as a FHIR R4 Bundle, written independently of the reader: codes are typed here, not looked up."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

Resource = dict[str, Any]

OWN = "https://lumbar.example/fhir/CodeSystem/vocabulary"
SNOMED, LOINC, ICD = "http://snomed.info/sct", "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM, UCUM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://unitsofmeasure.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"

PROBLEMS: Mapping[str, tuple[str, str]] = {
    "diabetes": (SNOMED, "44054006"),
    "osteoporosis": (SNOMED, "64859006"),
    "copd": (SNOMED, "13645005"),
    "hypertension_history": (ICD, "I10"),
    "ibd_history": (SNOMED, "34000006"),
    "heart_failure": (ICD, "I50.9"),
    "atrial_fibrillation": (SNOMED, "49436004"),
    "known_aaa": (SNOMED, "233985008"),
    "asthma": (ICD, "J45.909"),
    "psoriasis_history": (ICD, "L40.0"),
}
"""Findings that are sent as problems when present."""

SIGNS: Mapping[str, tuple[str, str]] = {
    "fever": (SNOMED, "386661006"),
    "haematuria": (SNOMED, "34436003"),
    "vomiting": (SNOMED, "422400008"),
    "nausea": (SNOMED, "422587007"),
    "abdominal_pain": (SNOMED, "21522001"),
}
"""Findings that are sent as Observations with a boolean, present or absent."""

MEASURED: Mapping[str, tuple[str, str, float]] = {
    "temperature_c": ("8310-5", "Cel", 1),
    "heart_rate_per_min": ("8867-4", "/min", 1),
    "respiratory_rate_per_min": ("9279-1", "/min", 1),
    "spo2_percent": ("59408-5", "%", 1),
    "esr_mm_h": ("4537-7", "mm/h", 1),
    "crp_mg_l": ("1988-5", "mg/dL", 0.1),
    "white_cells_10e9_l": ("6690-2", "10*3/uL", 1),
    "haemoglobin_g_l": ("718-7", "g/dL", 0.1),
    "platelets_10e9_l": ("777-3", "10*9/L", 1),
    "creatinine_umol_l": ("14682-9", "umol/L", 1),
    "egfr_ml_min": ("33914-3", "mL/min/{1.73_m2}", 1),
    "creatine_kinase_u_l": ("2157-6", "U/L", 1),
    "sodium_mmol_l": ("2951-2", "mmol/L", 1),
    "potassium_mmol_l": ("2823-3", "mmol/L", 1),
    "inr": ("6301-6", "{INR}", 1),
    "weight_kg": ("29463-7", "kg", 1),
}
"""Observation -> LOINC, UCUM unit, and the vocabulary's value x this is the value in that unit."""

DRUGS: Mapping[str, str] = {"warfarin": "11289", "ibuprofen": "5640", "diazepam": "3322", "celecoxib": "140587"}
STATES: Mapping[str, tuple[str, str]] = {
    "present": (SNOMED, "373066001"),
    "absent": (SNOMED, "373067005"),
    "unknown": ("http://terminology.hl7.org/CodeSystem/data-absent-reason", "asked-unknown"),
}
PREGNANCY: Mapping[str, tuple[str, str]] = {
    "pregnant": (SNOMED, "77386006"),
    "not_pregnant": (SNOMED, "60001007"),
    "possible": (SNOMED, "102874004"),
}


def coded(system: str, code: str) -> Resource:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


def bundle(request: Mapping[str, Any], today: datetime.date) -> Resource:
    """The request as a Bundle of type collection.

    Args:
        request: a native request, valid.
        today: the day of the assessment; everything was seen on it.
    """
    made = [
        _patient(request["patient"], today),
        *_pregnancy(request["patient"], today),
        *_encounter(request),
        *_problems(request, today),
        *_signs(request, today),
        *_pressure(request.get("observations", {}), today),
        *_measurements(request.get("observations", {}), today),
        *_episode(request, today),
        *_drugs(request),
        *_questionnaire(request, today),
    ]
    subject = {"reference": "Patient/p1"}
    for number, resource in enumerate(made):
        resource.setdefault("id", f"r{number}")
        if resource["resourceType"] == "AllergyIntolerance":
            resource["patient"] = subject
        elif resource["resourceType"] != "Patient":
            resource["subject"] = subject
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in made]}


def observation(code: Resource, today: datetime.date, **value: Any) -> Resource:
    """A final Observation of today."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "effectiveDateTime": today.isoformat(),
        **value,
    }


def quantity(value: float, unit: str) -> Resource:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _patient(patient: Mapping[str, Any], today: datetime.date) -> Resource:
    whole = int(patient["age_years"])
    born = today.replace(year=today.year - whole, day=min(today.day, 28))
    made = {"resourceType": "Patient", "id": "p1", "birthDate": born.isoformat()}
    return {**made, "gender": patient["sex"]} if "sex" in patient else made


def _pregnancy(patient: Mapping[str, Any], today: datetime.date) -> list[Resource]:
    if "pregnancy" not in patient:
        return []
    value = coded(*PREGNANCY[patient["pregnancy"]])
    return [observation(coded(LOINC, "82810-3"), today, valueCodeableConcept=value)]


def _encounter(request: Mapping[str, Any]) -> list[Resource]:
    if request.get("setting") != "emergency":
        return []
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"}
    return [{"resourceType": "Encounter", "status": "in-progress", "class": kind}]


def _problems(request: Mapping[str, Any], today: datetime.date) -> list[Resource]:
    return [
        {
            "resourceType": "Condition",
            "clinicalStatus": coded(CLINICAL, "active"),
            "verificationStatus": coded(VERIFICATION, "confirmed" if state == "present" else "refuted"),
            "code": coded(*PROBLEMS[name]),
            "recordedDate": today.isoformat(),
        }
        for name, state in request.get("findings", {}).items()
        if name in PROBLEMS and state != "unknown"
    ]


def _signs(request: Mapping[str, Any], today: datetime.date) -> list[Resource]:
    return [
        observation(coded(*SIGNS[name]), today, valueBoolean=state == "present")
        for name, state in request.get("findings", {}).items()
        if name in SIGNS and state != "unknown"
    ]


def _pressure(values: Mapping[str, Any], today: datetime.date) -> list[Resource]:
    codes = {"systolic_bp_mmhg": "8480-6", "diastolic_bp_mmhg": "8462-4"}
    parts = [
        {"code": coded(LOINC, code), "valueQuantity": quantity(values[name], "mm[Hg]")}
        for name, code in codes.items()
        if name in values
    ]
    return [observation(coded(LOINC, "85354-9"), today, component=parts)] if parts else []


def _measurements(values: Mapping[str, Any], today: datetime.date) -> list[Resource]:
    return [
        observation(
            coded(LOINC, MEASURED[name][0]),
            today,
            valueQuantity=quantity(round(value * MEASURED[name][2], 6), MEASURED[name][1]),
        )
        for name, value in values.items()
        if name in MEASURED
    ]


def _episode(request: Mapping[str, Any], today: datetime.date) -> list[Resource]:
    """Pain severity by its LOINC; the onset of the back problem where the episode counts whole days."""
    episode = request.get("episode", {})
    made = []
    if "pain_severity" in episode:
        made.append(observation(coded(LOINC, "72514-3"), today, valueInteger=episode["pain_severity"]))
    if _by_onset(episode):
        made.append(
            {
                "resourceType": "Condition",
                "clinicalStatus": coded(CLINICAL, "active"),
                "code": coded(ICD, "M54.50"),
                "onsetDateTime": (today - datetime.timedelta(days=episode["duration_days"])).isoformat(),
            }
        )
    return made


def _by_onset(episode: Mapping[str, Any]) -> bool:
    days = episode.get("duration_days")
    return isinstance(days, int) and days <= 60


def _drugs(request: Mapping[str, Any]) -> list[Resource]:
    made: list[Resource] = [
        {"resourceType": "MedicationStatement", "status": "active", "medicationCodeableConcept": _drug(name)}
        for name in request.get("medications", ())
    ]
    made += [{"resourceType": "AllergyIntolerance", "code": _drug(name)} for name in request.get("allergies", ())]
    if request.get("allergies") == []:
        made.append({"resourceType": "AllergyIntolerance", "code": coded(SNOMED, "716186003")})
    if request.get("medications") == []:
        made.append(
            {
                "resourceType": "List",
                "status": "current",
                "mode": "snapshot",
                "code": coded(LOINC, "10160-0"),
                "emptyReason": coded("http://terminology.hl7.org/CodeSystem/list-empty-reason", "nilknown"),
            }
        )
    return made


def _drug(name: str) -> Resource:
    return coded(RXNORM, DRUGS[name]) if name in DRUGS else {**coded(OWN, name), "text": name}


def _questionnaire(request: Mapping[str, Any], today: datetime.date) -> list[Resource]:
    """What has no code of another system, as answers to the questionnaire of the service."""
    findings = request.get("findings", {})
    items = [
        _item(name, valueCoding=dict(zip(("system", "code"), STATES[state], strict=True)))
        for name, state in {**request.get("screening", {}), **findings}.items()
        if state == "unknown" or name not in {*PROBLEMS, *SIGNS}
    ]
    measured = {*MEASURED, "systolic_bp_mmhg", "diastolic_bp_mmhg"}
    items += [
        _item(name, **_value(value)) for name, value in request.get("observations", {}).items() if name not in measured
    ]
    fields = {f"contact.{name}": value for name, value in request.get("contact", {}).items()}
    if request.get("setting") not in (None, "emergency"):
        fields["setting"] = request["setting"]
    if "duration_days" in request.get("episode", {}) and not _by_onset(request["episode"]):
        fields["episode.duration_days"] = request["episode"]["duration_days"]
    items += [_item(name, **_value(value)) for name, value in fields.items()]
    items += [_trial(trial) for trial in request.get("treatments_tried", ())]
    if not items:
        return []
    return [
        {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "authored": today.isoformat(),
            "item": [{"linkId": "history", "text": "History", "item": items}],
        }
    ]


def _item(name: str, **value: Any) -> Resource:
    return {"linkId": name, "answer": [value]}


def _value(value: Any) -> Resource:
    if isinstance(value, str):
        return {"valueCoding": {"system": OWN, "code": value}}
    return {"valueDecimal": value}


def _trial(trial: Mapping[str, Any]) -> Resource:
    parts = [_item(f"treatments_tried.{name}", **_value(value)) for name, value in trial.items()]
    return {"linkId": "treatments_tried", "item": parts}
