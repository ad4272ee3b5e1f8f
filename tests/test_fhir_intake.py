"""FHIR R4 resources become a native request: what they say plainly, nothing else, and of one patient only."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from service.fhir.codes import SYSTEM
from service.fhir.intake import Intake, NoAge, OtherPatient, read, resources
from tests.fhir_bundles import ICD, LOINC, OWN, RXNORM, SNOMED, STATES, UCUM, bundle, coded, observation, quantity
from tests.presentations import cases

TODAY = datetime.date(2026, 11, 21)
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-03-04", "gender": "female"}
DAR = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ATC = "http://www.whocc.no/atc"

Resource = dict[str, Any]
Reader = Callable[..., Intake]


@pytest.fixture
def take(knowledge: Knowledge) -> Reader:
    """Read resources beside the usual patient."""

    def of(*given: Any, patient: Any = PATIENT, **more: Any) -> Intake:
        intake = read([patient, *given], TODAY, knowledge, **more)
        knowledge.request_schema.load(intake.request)
        return intake

    return of


def problem(code: Resource, clinical: str = "active", **more: Any) -> Resource:
    return {"resourceType": "Condition", "id": "c1", "clinicalStatus": coded("", clinical), "code": code, **more}


def measured(loinc: str, value: float, unit: str, day: str = "2026-11-21", **more: Any) -> Resource:
    made = observation(coded(LOINC, loinc), TODAY, valueQuantity=quantity(value, unit), **{"id": "o1", **more})
    return {**made, "effectiveDateTime": day}


def sign(name: str, **value: Any) -> Resource:
    return observation(coded(OWN, name), TODAY, **{"id": "s1", **value})


def answered(*items: Resource, **more: Any) -> Resource:
    return {"resourceType": "QuestionnaireResponse", "id": "q1", "status": "completed", "item": list(items), **more}


def item(name: str, *answers: Resource) -> Resource:
    return {"linkId": name, "answer": list(answers)}


def findings(intake: Intake) -> dict[str, str]:
    found: dict[str, str] = intake.request.get("findings", {})
    return found


def why(intake: Intake) -> list[str]:
    return [skipped.because for skipped in intake.skipped]


# Whole people


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_case_as_a_bundle_is_answered_as_the_native_request(
    case: dict[str, Any], knowledge: Knowledge, engine: Engine
) -> None:
    intake = read(resources(bundle(case["request"], TODAY)), TODAY, knowledge)
    assert intake.skipped == ()
    native, read_in = (
        assess(knowledge.request_schema.load(request), knowledge, engine)
        for request in (case["request"], intake.request)
    )
    assert read_in["differential"] == native["differential"]
    assert read_in["urgency"] == native["urgency"]


def test_the_order_of_the_resources_does_not_matter(knowledge: Knowledge) -> None:
    for case in cases()[::9]:
        there = list(resources(bundle(case["request"], TODAY)))
        assert read(there, TODAY, knowledge) == read(reversed(there), TODAY, knowledge)


def test_our_own_system_is_the_one_that_the_bundles_are_written_in() -> None:
    assert SYSTEM == OWN


# Present, absent, unknown, not asked


@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse"])
def test_an_active_problem_is_present(take: Reader, clinical: str) -> None:
    intake = take(problem(coded(ICD, "E11.9"), clinical))
    assert findings(intake) == {"diabetes": "present"}
    assert ("Condition/c1", "diabetes") in {(said.reference, said.word) for said in intake.inputs}


@pytest.mark.parametrize("clinical", ["inactive", "remission", "resolved"])
def test_a_problem_that_is_over_is_not_asked_unless_history_counts(take: Reader, clinical: str) -> None:
    assert findings(take(problem(coded(ICD, "E11.9"), clinical))) == {}
    assert findings(take(problem(coded(ICD, "C18.9"), clinical))) == {"history_of_cancer": "present"}
    assert findings(take(problem(coded(ICD, "K26.4"), clinical))) == {"previous_peptic_ulcer_or_gi_bleed": "present"}


def test_a_problem_without_a_clinical_status_is_not_asked(take: Reader) -> None:
    intake = take({"resourceType": "Condition", "id": "c1", "code": coded(ICD, "E11.9")})
    assert findings(intake) == {}
    assert why(intake) == ["it has no clinical status"]


@pytest.mark.parametrize(("verified", "said"), [("refuted", {"diabetes": "absent"}), ("entered-in-error", {})])
def test_a_refuted_problem_is_absent_and_an_error_is_nothing(take: Reader, verified: str, said: dict[str, str]) -> None:
    assert findings(take(problem(coded(ICD, "E11.9"), verificationStatus=coded("", verified)))) == said


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ({"valueBoolean": True}, "present"),
        ({"valueBoolean": False}, "absent"),
        ({"valueCodeableConcept": coded(*STATES["present"])}, "present"),
        ({"valueCodeableConcept": coded(*STATES["absent"])}, "absent"),
        ({"valueCodeableConcept": coded(LOINC, "LA6576-8")}, "present"),
        ({"interpretation": [coded(INTERPRETATION, "POS")]}, "present"),
        ({"interpretation": [coded(INTERPRETATION, "NEG")]}, "absent"),
        ({"dataAbsentReason": coded(DAR, "asked-unknown")}, "unknown"),
        ({"dataAbsentReason": coded(DAR, "asked-declined")}, "unknown"),
        ({"dataAbsentReason": coded(DAR, "not-asked")}, None),
        ({"dataAbsentReason": coded(DAR, "unknown")}, None),
        ({"valueCodeableConcept": coded(SNOMED, "261665006")}, None),
        ({"valueCodeableConcept": coded(OWN, "unknown")}, None),
        ({"interpretation": [coded(INTERPRETATION, "A")]}, None),
        ({"valueString": "present"}, None),
        ({"valueBoolean": "true"}, None),
        ({}, None),
    ],
)
def test_only_a_plain_answer_is_one(take: Reader, value: Resource, state: str | None) -> None:
    intake = take(sign("hla_b27_positive", **value))
    assert findings(intake) == ({"hla_b27_positive": state} if state else {})
    assert len(intake.skipped) == (state is None)


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error", "unknown", "nonsense", 5, None])
def test_an_observation_that_is_not_a_result_is_not_asked(take: Reader, status: Any) -> None:
    intake = take(sign("fever", valueBoolean=False, status=status))
    assert findings(intake) == {}
    assert len(intake.skipped) == 1


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "preliminary"])
def test_a_result_is_read(take: Reader, status: str) -> None:
    assert findings(take(sign("fever", valueBoolean=True, status=status))) == {"fever": "present"}


def test_an_observation_about_someone_else_in_the_record_is_not_read(take: Reader) -> None:
    intake = take(sign("fever", valueBoolean=True, focus=[{"reference": "RelatedPerson/baby"}]))
    assert findings(intake) == {}


def test_smoking_status_is_read_by_its_own_answers(take: Reader) -> None:
    for code, state in (("8517006", "present"), ("266919005", "absent"), ("266927001", None)):
        told = observation(coded(LOINC, "72166-2"), TODAY, valueCodeableConcept=coded(SNOMED, code))
        assert findings(take(told)).get("smoking_history") == state


def test_an_empty_search_says_nothing(take: Reader) -> None:
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    assert take(*resources({"conditions": empty, "drugs": None})).request == take().request
    assert take().request == {"patient": {"age_years": 46, "sex": "female"}}


# Two resources about one word


def test_present_holds_unless_a_newer_one_says_otherwise(take: Reader) -> None:
    def told(state: bool, day: str, name: str) -> Resource:
        return sign("fever", valueBoolean=state, effectiveDateTime=day, id=name)

    newer = take(told(True, "2026-11-19", "a"), told(False, "2026-11-20", "b"))
    assert findings(newer) == {"fever": "absent"}
    assert [(skipped.reference, skipped.because[:6]) for skipped in newer.skipped] == [("Observation/a", "fever:")]
    assert findings(take(told(False, "2026-11-19", "a"), told(True, "2026-11-20", "b"))) == {"fever": "present"}
    assert findings(take(told(False, "2026-11-20", "a"), told(True, "2026-11-20", "b"))) == {"fever": "present"}
    undated = problem(coded(ICD, "E11.9"))
    denied = sign("diabetes", valueBoolean=False)
    assert findings(take(undated, denied)) == {"diabetes": "present"}


def test_unknown_holds_against_absent_of_the_same_day(take: Reader) -> None:
    asked = sign("fever", dataAbsentReason=coded(DAR, "asked-declined"))
    assert findings(take(asked, sign("fever", valueBoolean=False, id="s2"))) == {"fever": "unknown"}


def test_the_newest_measurement_is_used_by_its_time(take: Reader) -> None:
    early = measured("8310-5", 39.0, "Cel", "2026-11-21T08:00:00+01:00", id="a")
    late = measured("8310-5", 37.0, "Cel", "2026-11-21T07:30:00Z", id="b")
    assert take(early, late).request["observations"] == {"temperature_c": 37.0}


# Dates


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2026-11-20", None),
        ("2026-11-19", "temperature_c: older than 1 days"),
        ("2025-11-21", "temperature_c: older than 1 days"),
        ("2026-11-22", "temperature_c: its date lies in the future"),
        ("2026-11-22T05:00:00+13:00", None),
        ("2026-11-23T05:00:00+13:00", "temperature_c: its date lies in the future"),
        ("yesterday", "temperature_c: it has no date that can be read"),
        ("2026-02-30", "temperature_c: it has no date that can be read"),
        ("", "temperature_c: it has no date that can be read"),
    ],
)
def test_a_temperature_of_another_day_is_not_todays(take: Reader, day: str, reason: str | None) -> None:
    intake = take(measured("8310-5", 36.8, "Cel", day))
    assert why(intake) == ([reason] if reason else [])
    assert ("observations" in intake.request) == (reason is None)


def test_a_new_problem_is_new_only_with_a_date(take: Reader) -> None:
    code = coded(SNOMED, "267064002")
    assert findings(take(problem(code, onsetDateTime="2026-11-19"))) == {"urinary_retention": "present"}
    assert findings(take(problem(code, onsetDateTime="2016-11-19", recordedDate="2026-11-19"))) == {}
    assert findings(take(problem(code))) == {}


def test_an_infarction_of_long_ago_is_still_arterial_disease(take: Reader) -> None:
    assert findings(take(problem(coded(ICD, "I21.9"), onsetDateTime="2026-03-01"))) == {
        "recent_myocardial_infarction": "present"
    }
    assert findings(take(problem(coded(ICD, "I21.9"), onsetDateTime="2019"))) == {"atherosclerotic_disease": "present"}


# Units and numbers


def test_blood_pressure_is_read_from_its_panel(take: Reader) -> None:
    parts = [
        {"code": coded(LOINC, code), "valueQuantity": quantity(value, "mm[Hg]")}
        for code, value in (("8480-6", 128), ("8462-4", 78))
    ]
    intake = take(observation(coded(LOINC, "85354-9"), TODAY, component=parts))
    assert intake.request["observations"] == {"systolic_bp_mmhg": 128, "diastolic_bp_mmhg": 78}
    assert intake.skipped == ()


@pytest.mark.parametrize(
    ("loinc", "value", "unit", "word", "read_as"),
    [
        ("8310-5", 100.4, "[degF]", "temperature_c", 38.0),
        ("2160-0", 1.0, "mg/dL", "creatinine_umol_l", 88.4017),
        ("14682-9", 88, "umol/L", "creatinine_umol_l", 88),
        ("1988-5", 1.2, "mg/dL", "crp_mg_l", 12.0),
        ("29463-7", 180, "[lb_av]", "weight_kg", 81.6466),
        ("6690-2", 11000, "/uL", "white_cells_10e9_l", 11.0),
        ("4548-4", 7, "%", "hba1c_mmol_mol", 53.01),
    ],
)
def test_units_are_converted(take: Reader, loinc: str, value: float, unit: str, word: str, read_as: float) -> None:
    assert take(measured(loinc, value, unit)).request["observations"] == {word: read_as}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (quantity(5, "mmol/L"), "crp_mg_l: unit mmol/L cannot be converted to mg/L"),
        (quantity(5, "Jane Doe"), "crp_mg_l: its unit cannot be converted to mg/L"),
        ({"value": 5}, "crp_mg_l: it has no unit"),
        (quantity(-5, "mg/L"), "crp_mg_l: outside the plausible range"),
        (quantity(1e400, "mg/L"), "crp_mg_l: it has no number that can be read"),
        ({**quantity(5, "mg/L"), "value": "5"}, "crp_mg_l: it has no number that can be read"),
        ({**quantity(5, "mg/L"), "value": True}, "crp_mg_l: it has no number that can be read"),
        ({**quantity(5, "mg/L"), "comparator": "ad"}, "crp_mg_l: it has no number that can be read"),
        ({**quantity(5, "mg/L"), "system": "http://example.org/units"}, None),
        ({"value": 5, "unit": "mg/L"}, None),
    ],
)
def test_a_quantity_that_cannot_be_read_is_listed(take: Reader, given: Resource, reason: str | None) -> None:
    intake = take(observation(coded(LOINC, "1988-5"), TODAY, valueQuantity=given))
    assert why(intake) == ([reason] if reason else [])
    assert ("observations" in intake.request) == (reason is None)


def test_a_bare_number_is_read_only_where_there_is_no_unit_to_mistake(take: Reader) -> None:
    pain = observation(coded(LOINC, "72514-3"), TODAY, valueInteger=7)
    heat = observation(coded(LOINC, "8310-5"), TODAY, valueInteger=39)
    intake = take(pain, heat)
    assert intake.request["episode"] == {"pain_severity": 7}
    assert why(intake) == ["temperature_c: it has no number that can be read"]


def test_a_bound_is_read_as_the_nearest_number_it_allows(take: Reader) -> None:
    low = {**quantity(30, "mL/min/{1.73_m2}"), "comparator": "<"}
    value = take(observation(coded(LOINC, "98979-8"), TODAY, valueQuantity=low)).request["observations"]["egfr_ml_min"]
    assert 29.99 < value < 30


def test_a_dipstick_is_read_by_code_or_by_its_closed_words(take: Reader) -> None:
    for value in ({"valueCodeableConcept": coded(SNOMED, "10828004")}, {"valueString": " Positive"}):
        intake = take(observation(coded(LOINC, "5802-4"), TODAY, **value))
        assert intake.request["observations"] == {"urine_nitrite": "positive"}
    assert take(observation(coded(LOINC, "5802-4"), TODAY, valueString="+++")).request.get("observations") is None


# The person


@pytest.mark.parametrize(
    ("born", "years"),
    [
        ("1980-11-21", 46),
        ("1980-11-22", 45),
        ("1980", 46),
        ("1980-11", 46),
        ("1980-12", 45),
        ("2008-11-22", 17),
        ("2008", 17),
        ("2008-11", 17),
        ("2007", 19),
        ("2026-11-21", 0),
        ("2026", 0),
    ],
)
def test_age_is_counted_in_whole_years_and_the_older_one_of_two(take: Reader, born: str, years: int) -> None:
    assert take(patient={**PATIENT, "birthDate": born}).request["patient"]["age_years"] == years


@pytest.mark.parametrize(
    "born", ["2026-11-22", "1899-01-01", "", None, "1980-13-01", "1980-01-01T00:00:00Z", 1980, "0000"]
)
def test_without_a_usable_birth_date_there_is_no_age(take: Reader, born: Any) -> None:
    with pytest.raises(NoAge):
        take(patient={**PATIENT, "birthDate": born})


def test_without_a_living_patient_there_is_no_age(take: Reader, knowledge: Knowledge) -> None:
    for dead in ({"deceasedBoolean": True}, {"deceasedDateTime": "2026-01-01"}):
        with pytest.raises(NoAge):
            take(patient={**PATIENT, **dead})
    assert take(patient={**PATIENT, "deceasedBoolean": False}).request["patient"]["age_years"] == 46
    with pytest.raises(NoAge):
        read([], TODAY, knowledge)
    with pytest.raises(NoAge):
        take({**PATIENT, "birthDate": "1990-01-01"})


@pytest.mark.parametrize("gender", ["other", "unknown", "Female", 1, None])
def test_a_gender_that_is_neither_is_not_sent(take: Reader, gender: Any) -> None:
    assert take(patient={**PATIENT, "gender": gender}).request["patient"] == {"age_years": 46}


@pytest.mark.parametrize(
    "kind", ["Observation", "Condition", "MedicationRequest", "AllergyIntolerance", "Immunization"]
)
@pytest.mark.parametrize("name", ["subject", "patient"])
def test_a_second_patient_stops_the_request(take: Reader, kind: str, name: str) -> None:
    with pytest.raises(OtherPatient) as caught:
        take({"resourceType": kind, "id": "x9", name: {"reference": "Patient/p2", "display": "Jane Doe"}})
    assert caught.value.reference == str(caught.value) == f"{kind}/x9"


def test_two_patients_stop_the_request(take: Reader) -> None:
    with pytest.raises(OtherPatient):
        take({**PATIENT, "id": "p2"})
    with pytest.raises(OtherPatient):
        take({name: value for name, value in PATIENT.items() if name != "id"})


@pytest.mark.parametrize("name", ["p1", "Patient/p1"])
def test_the_patient_may_be_named_either_way(knowledge: Knowledge, name: str) -> None:
    assert read([PATIENT], TODAY, knowledge, patient=name).request["patient"]["age_years"] == 46
    with pytest.raises(OtherPatient):
        read([{**PATIENT, "id": "p2"}], TODAY, knowledge, patient=name)


@pytest.mark.parametrize(
    "reference", ["Patient/p1", "https://ehr.example/fhir/Patient/p1", "Patient/p1/_history/3", "urn:uuid:p1"]
)
def test_a_reference_to_the_patient_is_known_in_every_form(take: Reader, reference: str) -> None:
    assert findings(take(sign("fever", valueBoolean=True, subject={"reference": reference}))) == {"fever": "present"}


def test_a_urn_is_known_by_the_full_url_of_the_entry(knowledge: Knowledge) -> None:
    told = sign("fever", valueBoolean=True, subject={"reference": "urn:uuid:5f0c"})
    entries = [{"fullUrl": "urn:uuid:5f0c", "resource": PATIENT}, {"resource": told}]
    intake = read(resources({"resourceType": "Bundle", "entry": entries}), TODAY, knowledge)
    assert findings(intake) == {"fever": "present"}


@pytest.mark.parametrize(
    "subject", [{"reference": "Group/g"}, {"reference": "#p"}, {"display": "Jane Doe"}, "Patient/p1"]
)
def test_a_subject_that_cannot_be_told_is_skipped(take: Reader, subject: Any) -> None:
    intake = take(sign("fever", valueBoolean=False, subject=subject))
    assert findings(intake) == {}
    assert len(intake.skipped) == 1


def test_pregnancy_is_read_as_observed_or_as_a_problem(take: Reader) -> None:
    told = observation(coded(LOINC, "82810-3"), TODAY, valueCodeableConcept=coded(LOINC, "LA26683-5"))
    assert take(told).request["patient"]["pregnancy"] == "not_pregnant"
    with_child = problem(coded(SNOMED, "77386006"), onsetDateTime="2026-08-01")
    assert take(with_child).request["patient"]["pregnancy"] == "pregnant"
    assert "pregnancy" not in take(problem(coded(SNOMED, "77386006"), onsetDateTime="2020-08-01")).request["patient"]
    unknown = observation(coded(LOINC, "82810-3"), TODAY, valueCodeableConcept=coded(LOINC, "LA4489-6"))
    assert "pregnancy" not in take(unknown).request["patient"]


# Why the person is here


def test_a_recent_back_problem_is_the_reason_and_begins_the_episode(take: Reader) -> None:
    intake = take(problem(coded(ICD, "M54.50"), onsetDateTime="2026-11-11"))
    assert intake.reasons == {"low_back_pain"}
    assert intake.request["episode"] == {"duration_days": 10}


def test_an_old_back_problem_is_the_reason_only_where_the_encounter_says_so(take: Reader) -> None:
    old = problem(coded(ICD, "M54.50"), onsetDateTime="2021-11-21")
    assert (take(old).reasons, "episode" in take(old).request) == (frozenset(), False)
    visit = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
        "reasonReference": [{"reference": "Condition/c1"}],
    }
    intake = take(old, visit)
    assert intake.reasons == {"low_back_pain"}
    assert (intake.request["episode"], intake.request["setting"]) == ({"duration_days": 1826}, "emergency")
    assert take(old, {**visit, "status": "finished"}).reasons == frozenset()


def test_the_coded_reason_of_an_encounter_is_a_reason_and_another_is_none(take: Reader) -> None:
    for code, reasons in (("M54.41", {"sciatica_or_lumbar_radiculopathy"}), ("J06.9", set())):
        visit = {"resourceType": "Encounter", "status": "arrived", "class": {}, "reasonCode": [coded(ICD, code)]}
        assert take(visit).reasons == reasons


def test_a_resolved_back_problem_is_no_reason(take: Reader) -> None:
    assert take(problem(coded(ICD, "M54.50"), "resolved", onsetDateTime="2026-11-11")).reasons == frozenset()


# Medications, allergies, treatments


def drug(concept: Resource, status: str = "active", **more: Any) -> Resource:
    made = {"resourceType": "MedicationRequest", "id": "m1", "status": status, "intent": "order"}
    return {**made, "medicationCodeableConcept": concept, **more}


@pytest.mark.parametrize(
    ("concept", "names"),
    [
        (coded(RXNORM, "11289"), ["warfarin"]),
        (coded(ATC, "B01AA03"), ["warfarin"]),
        (coded(ATC, "B01AA99"), ["vitamin_k_antagonist"]),
        ({**coded(RXNORM, "855332"), "text": "Warfarin sodium 5 MG oral tablet"}, ["warfarin"]),
        ({"coding": [{"system": RXNORM, "code": "855332", "display": "warfarin 5 mg"}]}, ["warfarin"]),
        ({"text": "Moonflower extract"}, ["Moonflower extract"]),
        (coded(RXNORM, "99999999"), ["a medication without a name"]),
        ({}, ["a medication without a name"]),
    ],
)
def test_a_drug_is_read_by_code_then_by_name_and_never_dropped(
    take: Reader, concept: Resource, names: list[str]
) -> None:
    assert take(drug(concept)).request["medications"] == names


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "draft", "not-taken", 7])
def test_a_drug_that_is_not_taken_is_not_listed(take: Reader, status: str) -> None:
    intake = take(drug(coded(RXNORM, "11289"), status))
    assert "medications" not in intake.request
    assert len(intake.skipped) == 1
    assert "medications" not in take(drug(coded(RXNORM, "11289"), doNotPerform=True)).request


def test_a_drug_is_found_in_the_medication_it_points_to(take: Reader) -> None:
    medication = {"resourceType": "Medication", "id": "w", "code": coded(RXNORM, "11289")}
    pointing = {"resourceType": "MedicationStatement", "status": "active"}
    outer = {**pointing, "medicationReference": {"reference": "https://ehr.example/Medication/w"}}
    inner = {**pointing, "medicationReference": {"reference": "#w"}, "contained": [medication]}
    lost = {**pointing, "medicationReference": {"reference": "Medication/z", "display": "warfarin sodium"}}
    assert take(medication, outer).request["medications"] == ["warfarin"]
    assert take(*resources([inner])).request["medications"] == ["warfarin"]
    assert take(lost).request["medications"] == ["warfarin"]


def test_a_drug_that_ended_lately_was_tried_and_one_of_long_ago_was_not(take: Reader) -> None:
    def ended(end: str) -> Resource:
        period = {"start": "2026-10-01", "end": end}
        statement = {"resourceType": "MedicationStatement", "id": "m2", "status": "completed"}
        return {**statement, "medicationCodeableConcept": coded(RXNORM, "21949"), "effectivePeriod": period}

    tried = take(ended("2026-10-15")).request
    assert tried["treatments_tried"] == [{"treatment": "cyclobenzaprine_oral", "weeks": 2.0}]
    assert "medications" not in tried
    assert "treatments_tried" not in take(ended("2024-10-15")).request


@pytest.mark.parametrize(
    ("concept", "names"),
    [
        (coded(SNOMED, "716186003"), []),
        (coded(SNOMED, "91939003"), ["sulfonamide"]),
        ({"text": "Allergy to aspirin"}, ["aspirin"]),
        (coded(RXNORM, "1191"), ["aspirin"]),
        ({"text": "Peanut"}, ["Peanut"]),
        ({}, ["an allergy without a name"]),
    ],
)
def test_an_allergy_is_read_and_none_is_said_as_none(take: Reader, concept: Resource, names: list[str]) -> None:
    made = {"resourceType": "AllergyIntolerance", "id": "a1", "code": concept}
    assert take(made).request["allergies"] == names
    for verified in ("refuted", "entered-in-error"):
        assert "allergies" not in take({**made, "verificationStatus": coded("", verified)}).request


def test_a_named_allergy_holds_against_no_known_allergy(take: Reader) -> None:
    none = {"resourceType": "AllergyIntolerance", "id": "a1", "code": coded(SNOMED, "716186003")}
    one = {"resourceType": "AllergyIntolerance", "id": "a2", "code": {"text": "ibuprofen"}}
    assert take(none, one).request["allergies"] == ["ibuprofen"]


@pytest.mark.parametrize(("reason", "known"), [("nilknown", True), ("notasked", False), ("unavailable", False)])
def test_an_empty_list_says_nothing_unless_nothing_is_known(take: Reader, reason: str, known: bool) -> None:
    made = {
        "resourceType": "List",
        "status": "current",
        "code": coded(LOINC, "48765-2"),
        "emptyReason": coded("", reason),
    }
    assert take(made).request.get("allergies") == ([] if known else None)
    assert take({**made, "entry": [{}]}).request.get("allergies") is None


def test_more_than_a_hundred_drugs_still_load_and_say_that_more_are_there(take: Reader) -> None:
    many = [drug({"text": f"remedy number {chr(97 + n // 26)}{chr(97 + n % 26)}"}) for n in range(130)]
    names = take(*many).request["medications"]
    assert len(names) == 100
    assert names[-1] == "31 more that were not read"


def test_a_list_with_a_next_page_is_not_taken_for_whole(take: Reader, knowledge: Knowledge) -> None:
    page = {"resourceType": "Bundle", "id": "b1", "entry": [{"resource": drug(coded(RXNORM, "11289"))}]}
    cut = take(*resources({"drugs": {**page, "link": [{"relation": "next", "url": "https://ehr.example/2"}]}}))
    assert cut.request["medications"] == ["more, on pages that were not sent", "warfarin"]
    assert why(cut) == ["further pages were not sent"]
    assert knowledge.unlisted("medications", cut.request["medications"])
    assert "allergies" not in cut.request
    whole = take(*resources({"drugs": {**page, "link": [{"relation": "self", "url": "https://ehr.example/1"}]}}))
    assert whole.request["medications"] == ["warfarin"]


def test_a_completed_procedure_is_history_and_a_treatment_tried(take: Reader) -> None:
    made = {"resourceType": "Procedure", "id": "x1", "status": "completed", "code": coded(SNOMED, "387731002")}
    lately = take({**made, "performedDateTime": "2026-10-21"})
    assert findings(lately) == {"recent_spinal_procedure": "present"}
    assert lately.request["treatments_tried"] == [{"treatment": "surgery_any"}]
    for other in (
        {"performedDateTime": "2016-10-21"},
        {},
        {"performedDateTime": "2026-10-21", "status": "preparation"},
    ):
        assert take({**made, **other}).request == take().request


# The questionnaire


def test_answers_of_every_kind_are_read_by_their_link(take: Reader) -> None:
    intake = take(
        answered(
            item("fever", {"valueBoolean": True}),
            item("night_pain", {"valueBoolean": False}),
            item("saddle_anaesthesia", {"valueCoding": {"system": OWN, "code": "unknown"}}),
            item("F-02", {"valueCoding": {"system": OWN, "code": "absent"}}),
            item("temperature_c", {"valueDecimal": 38.5}),
            item("crp_mg_l", {"valueQuantity": quantity(2, "mg/dL")}),
            item("urine_nitrite", {"valueCoding": {"system": OWN, "code": "positive"}}),
            item("episode.duration_days", {"valueInteger": 12}),
            item("setting", {"valueCoding": {"system": OWN, "code": "primary_care"}}),
            item("medications", {"valueString": "warfarin"}, {"valueCoding": {"system": OWN, "code": "ibuprofen"}}),
            item("allergies", {"valueBoolean": False}),
        )
    )
    assert intake.skipped == ()
    assert intake.request == {
        "patient": {"age_years": 46, "sex": "female"},
        "setting": "primary_care",
        "episode": {"duration_days": 12},
        "screening": {"F-02": "absent"},
        "findings": {"fever": "present", "night_pain": "absent", "saddle_anaesthesia": "unknown"},
        "observations": {"crp_mg_l": 20, "temperature_c": 38.5, "urine_nitrite": "positive"},
        "medications": ["ibuprofen", "warfarin"],
        "allergies": [],
    }


def test_items_are_found_however_deep(take: Reader) -> None:
    below = {"linkId": "g", "item": [{"linkId": "x", "answer": [{"item": [item("fever", {"valueBoolean": True})]}]}]}
    assert findings(take(answered(below))) == {"fever": "present"}


@pytest.mark.parametrize(
    "wrong",
    [
        item("no_such_word", {"valueBoolean": True}),
        item("fever", {"valueString": "yes"}),
        item("F-01", {"valueBoolean": True}),
        item("patient.age_years", {"valueInteger": 20}),
        item("treatments_tried.weeks", {"valueInteger": 3}, {}),
        item("temperature_c", {"valueDecimal": 98.6}),
        item("medications", {"valueDecimal": 1}),
        {"linkId": "treatments_tried", "item": [item("treatments_tried.weeks", {"valueInteger": 3})]},
    ],
)
def test_an_answer_that_cannot_be_read_changes_nothing(take: Reader, wrong: Resource) -> None:
    assert take(answered(wrong)).request == take().request


@pytest.mark.parametrize(("more", "used"), [({"authored": "2026-11-20"}, True), ({"authored": "2026-10-01"}, False),
                                            ({}, True), ({"status": "entered-in-error"}, False)])  # fmt: skip
def test_an_old_or_withdrawn_response_is_not_used(take: Reader, more: Resource, used: bool) -> None:
    assert bool(findings(take(answered(item("fever", {"valueBoolean": True}), **more)))) is used


def test_every_word_of_the_vocabulary_can_be_answered(take: Reader, knowledge: Knowledge) -> None:
    items = [item(name, {"valueBoolean": True}) for name in knowledge.findings]
    for name, entry in knowledge.observations.items():
        coding = {"valueCoding": {"system": OWN, "code": (entry.values or ("",))[0]}}
        value = {"valueDecimal": entry.plausible[0]} if entry.plausible else coding
        items.append(item(name, value))
    intake = take(answered(*items))
    assert intake.skipped == ()
    assert findings(intake).keys() == knowledge.findings.keys()
    assert intake.request["observations"].keys() == knowledge.observations.keys()
    told = [sign(name, valueBoolean=False, id=f"o{number}") for number, name in enumerate(knowledge.findings)]
    assert findings(take(*told)).keys() == knowledge.findings.keys()


# What may be sent at all


def test_what_is_left_out_is_listed_without_a_word_of_its_text(take: Reader) -> None:
    canary = "Quillfeather"
    nasty = {"resourceType": canary * 9, "id": f"{canary} 1", "code": {"text": canary}, "status": canary}
    strange = [
        nasty,
        {**nasty, "resourceType": "Observation"},
        observation({"text": canary}, TODAY, valueString=canary, id=f"<{canary}>"),
        observation(coded(LOINC, "1988-5"), TODAY, valueQuantity={"value": 1, "code": canary, "unit": canary}),
        observation(coded(LOINC, "5802-4"), TODAY, valueString=canary),
        answered(item(canary, {"valueString": canary}), item("fever", {"valueString": canary})),
        problem({"text": canary}, canary),
        problem({"text": canary}),
        {"resourceType": "Procedure", "status": canary, "id": canary + "!"},
        {"resourceType": "Encounter", "status": canary},
    ]
    intake = take(*strange)
    assert len(intake.skipped) >= 9
    assert canary not in str(intake.skipped)
    assert canary not in str(intake.inputs)
    assert intake.request == take().request


def test_bundles_are_opened_once_inside_another_and_no_deeper() -> None:
    leaf = {"resourceType": "Observation"}

    def around(inner: Any) -> Resource:
        return {"resourceType": "Bundle", "entry": [{"resource": inner}, 5, {}]}

    assert list(resources(around(leaf))) == [leaf]
    assert list(resources({"a": around(around(leaf)), "b": None})) == [leaf]
    deep = around(around(around(around(leaf))))
    assert [each["resourceType"] for each in resources(deep)] == ["Bundle"]
    holding = {"resourceType": "Condition", "contained": [{"resourceType": "Medication", "id": "m"}]}
    assert [each.get("id") for each in resources(holding)] == [None, "#m"]


SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12))


def _words(text: str) -> list[str]:
    return text.split()


KINDS = _words(
    "Patient Observation Condition MedicationRequest MedicationStatement AllergyIntolerance Procedure Encounter "
    "List QuestionnaireResponse Medication Bundle Goal"
)
NAMES = _words(
    "resourceType id status code coding system subject patient reference birthDate gender valueQuantity value "
    "unit comparator valueBoolean valueInteger valueCodeableConcept component interpretation dataAbsentReason "
    "effectiveDateTime effectivePeriod start end onsetDateTime recordedDate performedDateTime clinicalStatus "
    "verificationStatus class item answer linkId valueCoding valueDecimal contained entry resource fullUrl text "
    "medicationCodeableConcept medicationReference link relation ingredient reaction substance emptyReason reasonCode "
    "reasonReference authored period intent deceasedBoolean focus"
)
WORDS = _words(
    "8310-5 2160-0 Cel mg/dL fever F-01 M54.50 386661006 active final completed p1 Patient/p1 2026-11-21 1980 < "
    "#m 2026-11-21T10:00:00Z 9999-12-31T23:59:59-14:00 0001-01-01T00:00:00+14:00 treatments_tried medications "
    "E11.9 treatments_tried.weeks patient.pregnancy screening nilknown 48765-2"
)
LIKELY = [*KINDS, *WORDS, LOINC, SNOMED, ICD, OWN, UCUM, RXNORM, DAR, 1e308, -1, 10**400]


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.one_of(st.sampled_from(NAMES), st.text(max_size=5))
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=5))


JSON = st.recursive(st.one_of(SCALAR, st.sampled_from(LIKELY)), _around, max_leaves=12)
RESOURCE = st.builds(
    lambda kind, parts: {**parts, "resourceType": kind},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8),
)


@settings(max_examples=250, deadline=None)
@given(given_=st.lists(st.one_of(RESOURCE, JSON), max_size=4), today=st.dates())
def test_nothing_that_is_sent_breaks_the_reader(knowledge: Knowledge, given_: list[Any], today: datetime.date) -> None:
    sent = [{**PATIENT, "birthDate": (today.replace(day=1)).isoformat()}, *given_]
    try:
        intake = read(resources(sent), today, knowledge)
    except (OtherPatient, NoAge):
        return
    knowledge.request_schema.load(intake.request)
    for skipped in intake.skipped:
        assert json.dumps(skipped.because)
        assert len(skipped.reference) < 120


@settings(max_examples=150, deadline=None)
@given(sent=JSON)
def test_nothing_that_is_not_fhir_breaks_the_reader(knowledge: Knowledge, sent: Any) -> None:
    with pytest.raises((OtherPatient, NoAge)):
        read(resources(sent), TODAY, knowledge, patient="nobody")
