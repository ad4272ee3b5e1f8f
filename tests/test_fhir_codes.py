"""The codes and units of other systems: one meaning each, and conversions that a UCUM library agrees with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ucumvert import PintUcumRegistry

from rules.knowledge import Knowledge
from tests.fhir_bundles import MEASURED, PROBLEMS, SIGNS
from tests.oracle import parse
from tests.support import KNOWLEDGE, complaints, line_with, write_knowledge

FOLDER = Path("rules/vocabulary/codes")
FINDINGS, UNITS = "vocabulary/codes/findings.yaml", "vocabulary/codes/units.yaml"
LOINC, ICD = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"

ANNOTATED = re.compile(r"\{[^}]*\}")
SPELT = {"mL/min/1.73.m2": "mL/min", "ng{FEU}/mL": "ng/mL", "/min": "1/min", "/uL": "1/uL"}


def _plain(unit: str) -> str:
    """A UCUM unit without its annotations, which have no meaning in UCUM."""
    unit = SPELT.get(unit, ANNOTATED.sub("", SPELT.get(unit, unit)))
    unit = unit.rstrip("/") or "1"
    return f"1{unit}" if unit.startswith("/") else unit


@pytest.fixture(scope="module")
def ucum() -> PintUcumRegistry:
    return PintUcumRegistry()


ROWS = parse(FOLDER / "units.yaml")


@pytest.mark.parametrize(
    "row", [row for row in ROWS if not row.get("printed") and not row.get("moles")], ids=lambda row: row["unit"]
)
def test_a_unit_is_converted_as_a_ucum_library_converts_it(row: dict[str, float], ucum: PintUcumRegistry) -> None:
    unit, to = (ucum.from_ucum(_plain(str(row[name]))) for name in ("unit", "to"))
    if "plus" in row:
        for value in (0.0, 98.6, 310.0):
            expected = ucum.Quantity(value, unit.units).to(to.units).magnitude
            assert value * row["factor"] + row["plus"] == pytest.approx(expected, abs=1e-9)
    else:
        assert row["factor"] == pytest.approx((1 * unit).to(to.units).magnitude / to.magnitude, rel=1e-9)


@pytest.mark.parametrize("row", [row for row in ROWS if row.get("moles")], ids=lambda row: f"{row['unit']}-{row['to']}")
def test_mass_becomes_moles_by_the_molar_mass(row: dict[str, float], ucum: PintUcumRegistry) -> None:
    molar = ucum.from_ucum("g/mol")
    expected = (ucum.from_ucum(str(row["unit"])) / (100 * molar)).to(ucum.from_ucum(str(row["to"])).units).magnitude
    assert row["factor"] / 100 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "unit", "value", "expected"),
    [
        ("creatinine_umol_l", "mg/dL", 1.0, 88.4),
        ("glucose_mmol_l", "mg/dL", 90.0, 5.0),
        ("crp_mg_l", "mg/dL", 1.2, 12.0),
        ("haemoglobin_g_l", "g/dL", 14.0, 140.0),
        ("temperature_c", "[degF]", 100.4, 38.0),
        ("calcium_adjusted_mmol_l", "mg/dL", 10.0, 2.495),
        ("magnesium_mmol_l", "mg/dL", 2.0, 0.823),
        ("hba1c_mmol_mol", "%", 7.0, 53.0),
        ("vitamin_d_25oh_nmol_l", "ng/mL", 20.0, 49.9),
        ("white_cells_10e9_l", "10*3/uL", 7.2, 7.2),
    ],
)
def test_units_that_laboratories_print_become_those_of_the_vocabulary(
    knowledge: Knowledge, name: str, unit: str, value: float, expected: float
) -> None:
    how = knowledge.coding.conversions[name][unit]
    assert value * how.factor + how.plus == pytest.approx(expected, rel=2e-3)


def test_a_code_is_found_by_the_longest_one_above_it(knowledge: Knowledge) -> None:
    find = knowledge.coding.findings.find
    assert find(ICD, "E11.9") == "diabetes"
    assert find(ICD, "C50.911") == "cancer_high_bone_risk"
    assert find(ICD, "C44.91") is None, "skin cancer may be basal cell"
    assert (find(ICD, "C18.9"), find(ICD, "C79.51")) == ("history_of_cancer", "metastatic_or_node_positive_cancer")
    assert (find(ICD, "N18.2"), find(ICD, "N18.31")) == (None, "chronic_kidney_disease")
    assert (find(ICD, "H40.11X0"), find(ICD, "H40.20X0")) == (None, "glaucoma")
    assert find("http://snomed.info/sct", "E11.9") is None
    drugs = knowledge.coding.medications.find
    assert (drugs(ATC, "M01AC01"), drugs(ATC, "M01AH05"), drugs(ATC, "B01AA07")) == (
        "nsaid",
        "cox2_inhibitor",
        "vitamin_k_antagonist",
    )


def test_the_codes_typed_into_the_tests_mean_what_the_tables_say(knowledge: Knowledge) -> None:
    for name, pair in {**PROBLEMS, **SIGNS}.items():
        assert knowledge.coding.findings.find(*pair) == name
    for name, (code, unit, _) in MEASURED.items():
        assert knowledge.coding.observations.find(LOINC, code) == name
        assert unit in knowledge.coding.conversions[name]


def test_every_code_of_the_vocabulary_that_is_sure_is_read(knowledge: Knowledge) -> None:
    sure = {name: entry.loinc for name, entry in knowledge.observations.items() if entry.loinc and entry.loinc_sure}
    assert {name: knowledge.coding.observations.find(LOINC, code) for name, code in sure.items()} == {
        name: name for name in sure
    }
    assert knowledge.coding.observations.find(LOINC, "67775-7") is None, "a code that is not sure"
    assert knowledge.coding.fields.find(LOINC, "72514-3") == "episode.pain_severity"


def test_every_status_is_one_of_two_and_every_system_is_named(knowledge: Knowledge) -> None:
    rows = [
        row
        for table in ("findings", "reasons", "medications")
        for entry in getattr(knowledge.codes, table).values()
        for row in entry.codes
    ]
    assert {row.status for row in rows} == {"verified", "recalled"}
    assert {row.system for row in rows} <= knowledge.codes.systems.keys()


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "text"),
    [
        (FINDINGS, "fever:\n  days", "fevre:\n  days", "fevre", "unknown word 'fevre'"),
        (FINDINGS, "system: icd", "system: icd11", "icd11", "unknown word 'icd11'"),
        (FINDINGS, "status: recalled", "status: guessed", "guessed", "Must be one of: verified, recalled."),
        (UNITS, "to: /min", "to: /h", "/h", "no measurement has the unit '/h'"),
        ("vocabulary/codes/fields.yaml", "pregnant:\n", "expecting:\n", "expecting", "unknown value 'expecting'"),
    ],
)
def test_wrong_codes_do_not_start(tmp_path: Path, file: str, old: str, new: str, place: str, text: str) -> None:
    assert KNOWLEDGE[file].count(old) == 1
    write_knowledge(tmp_path, **{file: KNOWLEDGE[file].replace(old, new)})
    assert complaints(tmp_path) == [f"{file}:{line_with(tmp_path / file, place)}: {text}"]


def test_a_code_with_two_meanings_does_not_start(tmp_path: Path) -> None:
    again = "chills:\n  codes:\n    - {system: icd, code: R50, display: Again, status: recalled}\n"
    write_knowledge(tmp_path, **{FINDINGS: KNOWLEDGE[FINDINGS] + again})
    line = line_with(tmp_path / FINDINGS, "chills:")
    assert complaints(tmp_path) == [f"{FINDINGS}:{line}: the code icd 'R50' stands twice; first for 'fever'"]


def test_a_unit_that_stands_twice_does_not_start(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **{UNITS: KNOWLEDGE[UNITS] * 2})
    assert complaints(tmp_path) == [f"{UNITS}:2: '1/min' to '/min' stands twice"]
