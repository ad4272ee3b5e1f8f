"""openapi.yaml is what the service does: the same text, the same routes, and schemas that accept what it accepts."""

from __future__ import annotations

import ast
import json
import re
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import rules
from rules.knowledge import Knowledge
from schemas import glossary
from schemas.examples import EXAMPLES
from service import auth, contract
from service.describe import is_plain
from tests.hostile import FULL, hostile
from tests.presentations import PATH, Reply, random_request

ROOT = Path(__file__).parent.parent
ASSESS = "/fhir/R4/$assess"
CALLS = {"/cds-services/{id}": ({0}, {404, 412}), "/cds-services/{id}/feedback": ({422}, {404})}
"""Routes of CDS Hooks: the statuses of an assessment that they do not have, and those that they have besides."""
METHODS = {"get", "post", "put", "patch", "delete"}


def _yaml(name: str) -> Any:
    return yaml.load((ROOT / name).read_text(encoding="utf-8"), yaml.CSafeLoader)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The contract as it stands in the repository."""
    found: dict[str, Any] = _yaml("openapi.yaml")
    return found


def _validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    """A validator for one component of the document, by JSON Schema alone."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return Draft202012Validator(schema)


def _complaints(validator: Draft202012Validator, value: Any) -> list[str]:
    return [f"{error.instance_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def test_the_file_is_what_the_schemas_say(knowledge: Knowledge) -> None:
    assert (ROOT / "openapi.yaml").read_text(encoding="utf-8") == contract.render(knowledge), "run: make openapi"


def test_the_module_run_as_a_program_writes_the_file(knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[Path, str, str]] = []

    def keep(file: Path, text: str, encoding: str) -> int:
        written.append((file.resolve(), text, encoding))
        return len(text)

    monkeypatch.setattr(rules, "load", lambda: knowledge)
    monkeypatch.setattr(Path, "write_text", keep)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "service" / "contract.py"), run_name="__main__")
    assert end.value.code == 0
    file = (ROOT / "openapi.yaml").resolve()
    assert written == [(file, file.read_text(encoding="utf-8"), "utf-8")]


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_the_document_has_the_version_and_the_intended_use_of_the_knowledge(document: dict[str, Any]) -> None:
    policy = _yaml("rules/policy.yaml")
    assert document["info"]["version"] == policy["version"]
    assert document["info"]["description"] == policy["texts"]["intended_use"]


def _routes(app: Flask) -> Iterator[tuple[str, str]]:
    """(method, path) of every route; a choice of words in a path is written out, a variable is in braces."""
    for rule in app.url_map.iter_rules():
        choice = re.search(r"<any\((.*?)\):\w+>", rule.rule)
        words = ast.literal_eval(f"[{choice[1]}]") if choice else [""]
        for word in words:
            path = rule.rule.replace(choice[0], word) if choice else rule.rule
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield method.lower(), re.sub(r"<(\w+)>", r"{\1}", re.sub("<(entry|service)>", "<id>", path))


def test_every_route_is_in_the_document_and_the_reverse(app: Flask, document: dict[str, Any]) -> None:
    described = {(method, path) for path, item in document["paths"].items() for method in item.keys() & METHODS}
    assert {*_routes(app)} == described


def test_every_described_operation_answers(client: FlaskClient, document: dict[str, Any]) -> None:
    names = []
    for path, item in document["paths"].items():
        for method in item.keys() & METHODS:
            names.append(item[method]["operationId"])
            if "{id}" in path and method == "get":
                first = client.get(path.removesuffix("/{id}")).get_json()["items"][0]["id"]
                response = client.get(path.replace("{id}", first))
            elif "{file}" in path:
                response = client.get(path.replace("{file}", item[method]["parameters"][0]["example"]))
            elif method == "post":
                ((kind, body),) = item[method]["requestBody"]["content"].items()
                named = {
                    each["name"]: str(each["example"])
                    for each in item[method].get("parameters", ())
                    if "example" in each
                }
                response = client.post(path.format(**named), data=json.dumps(body["example"]), content_type=kind)
            else:
                response = client.get(path)
            assert response.status_code == 200, path
    assert len(names) == len({*names})


def test_the_statuses_that_are_described_are_those_that_can_be_had(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    bodies = {
        200: b'{"patient": {"age_years": 40}}',
        400: b"{",
        413: b" " * 300_000,
        422: b"{}",
    }
    for status, body in bodies.items():
        assert client.post(PATH, data=body, content_type="application/json").status_code == status
    assert client.post(PATH, data=b"{}", content_type="text/plain").status_code == 415
    # 503 needs an engine that fails: tests/test_http.py
    # 401, 403 and 429 need settings: tests/test_auth.py, tests/test_limits.py
    # 408 and 431 come from the server: tests/test_worker.py
    described = {int(status) for status in document["paths"][PATH]["post"]["responses"]}
    assert described == {*bodies, 401, 403, 408, 415, 429, 431, 500, 503}
    for path, item in document["paths"].items():
        if path == ASSESS:
            assert {int(status) for status in item["post"]["responses"]} == described
        elif path in CALLS:
            assert {int(status) for status in item["post"]["responses"]} == described - CALLS[path][0] | CALLS[path][1]
        elif path != PATH:
            searched = "parameters" in item["get"] and "{" not in path
            more = {"404"} if "{" in path else {"503"} if path == "/readyz" else {"422"} if searched else set()
            more |= {"401", "403", "429", "503"} if path.replace("{file}", "<file>") not in auth.OPEN else set()
            assert {*item["get"]["responses"]} == {"200", "408", "431", "500"} | more, path


def test_every_problem_is_described_as_one(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            for status, response in operation["responses"].items():
                fhir = path.startswith("/fhir/")
                outcome = fhir or path.startswith("/cds-services")
                kind = "application/fhir+json" if outcome else "application/problem+json"
                name = "OperationOutcome" if outcome else "Problem"
                assert response["headers"]["X-Request-ID"] == {"$ref": "#/components/headers/RequestId"}
                assert ([*response["content"]] == [kind]) == (status != "200" or fhir)
                if status != "200":
                    assert response["content"][kind]["schema"] == {"$ref": f"#/components/schemas/{name}"}


def test_the_documented_example_is_valid_and_is_answered(client: FlaskClient, document: dict[str, Any]) -> None:
    body = document["paths"][PATH]["post"]["requestBody"]
    assert body["required"] is True
    example = body["content"]["application/json"]["example"]
    assert _complaints(_validator(document, "AssessmentRequest"), example) == []
    response = client.post(PATH, json=example)
    assert response.status_code == 200
    assert response.get_json()["differential"][0]["condition"] == "disc_herniation"


def test_requests_and_answers_keep_to_the_schemas_of_the_document(
    replies: list[Reply], document: dict[str, Any]
) -> None:
    request, answer = _validator(document, "AssessmentRequest"), _validator(document, "Assessment")
    wrong = {reply.name: found for reply in replies if (found := _complaints(request, reply.request))}
    assert wrong == {}
    some = replies[:45:5] + replies[45::20]
    assert {bool(reply.answer["treatment_ladder"]["pathway"]) for reply in some} == {True, False}
    wrong = {reply.name: found for reply in some if (found := _complaints(answer, reply.answer))}
    assert wrong == {}


def test_an_answer_with_something_missing_or_something_more_breaks_the_schema(
    replies: list[Reply], document: dict[str, Any]
) -> None:
    answer, whole = _validator(document, "Assessment"), replies[0].answer
    for key in whole:
        assert _complaints(answer, {name: value for name, value in whole.items() if name != key}), key
    assert _complaints(answer, {**whole, "more": 1})
    assert _complaints(answer, {**whole, "urgency": {**whole["urgency"], "level": "soon"}})
    assert _complaints(answer, {**whole, "urgency": {**whole["urgency"], "within": None}})


def test_the_service_accepts_what_the_document_accepts_and_nothing_else(
    client: FlaskClient, document: dict[str, Any], knowledge: Knowledge
) -> None:
    validator, chance = _validator(document, "AssessmentRequest"), Random(5)
    sent = [item for item in hostile(1000, seed=11) if item.path == PATH and {*item.statuses} <= {200, 422}]
    documents = [json.loads(item.data) for item in chance.sample(sent, 200) if len(item.data) < 9_000]
    documents += [random_request(chance, knowledge) for _ in range(10)]
    fates, differ = [], []
    for found in documents:
        accepted = client.post(PATH, data=json.dumps(found), content_type="application/json").status_code == 200
        fates.append(accepted)
        if accepted != validator.is_valid(found):
            differ.append(found)
    assert differ == []
    assert fates.count(True) >= 10
    assert fates.count(False) >= 100


def test_every_problem_keeps_to_the_schema_of_the_document(client: FlaskClient, document: dict[str, Any]) -> None:
    validator = _validator(document, "Problem")
    requests: list[Any] = [{}, {"patient": {"age_years": -1}}, {**FULL, "findings": {"feever": "present"}}, []]
    for request in requests:
        assert _complaints(validator, json.loads(client.post(PATH, json=request).get_data())) == []
    assert _complaints(validator, client.get("/v1/findings/feever").get_json()) == []


def test_the_limits_of_the_vocabulary_stand_in_the_document(document: dict[str, Any]) -> None:
    """Typed from rules/vocabulary/fields.yaml and observations.yaml."""
    parts = document["components"]["schemas"]
    age = parts["Patient"]["properties"]["age_years"]
    assert (age["type"], age["minimum"], age["maximum"]) == ("number", 0, 120)
    assert parts["Patient"]["required"] == ["age_years"]
    request = parts["AssessmentRequest"]
    assert (request["required"], request["additionalProperties"]) == (["patient"], False)
    observed = request["properties"]["observations"]["properties"]
    assert observed["temperature_c"] == {
        "description": "Body temperature (degrees Celsius)",
        "type": "number",
        "minimum": 30,
        "maximum": 43,
    }
    coded = _yaml("rules/vocabulary/observations.yaml")["urine_nitrite"]
    assert observed["urine_nitrite"] == {
        "description": coded["label"],
        "type": "string",
        "enum": coded["values"],
    }
    answers = request["properties"]["findings"]
    assert answers["additionalProperties"]["enum"] == ["present", "absent", "unknown"]
    assert "/v1/findings" in answers["description"]
    screening = request["properties"]["screening"]
    assert screening["additionalProperties"]["enum"] == ["absent", "unknown"]
    assert "/v1/must-ask" in screening["description"]
    for name in ("medications", "allergies"):
        names = request["properties"][name]
        assert (names["maxItems"], names["items"]["minLength"], names["items"]["maxLength"]) == (100, 1, 200)


def test_the_words_of_the_document_are_those_of_the_knowledge_at_hand(knowledge: Knowledge) -> None:
    fewer = {name: entry for name, entry in knowledge.observations.items() if name != "temperature_c"}
    other = contract.build(replace(knowledge, observations=fewer))
    observed = other["components"]["schemas"]["AssessmentRequest"]["properties"]["observations"]
    assert {*observed["properties"]} == {*fewer}
    assert observed["additionalProperties"] is False


def _properties(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every component, those inside others too, as (Component.property, schema)."""
    queue = [*document["components"]["schemas"].items()]
    while queue:
        name, schema = queue.pop()
        for key, field in schema.get("properties", {}).items():
            yield f"{name}.{key}", field
            queue.append((f"{name}.{key}", field))
        queue += [
            (f"{name}[]", schema[key])
            for key in ("items", "additionalProperties")
            if schema.get(key) is not None and isinstance(schema[key], dict)
        ]


def test_every_field_says_what_it_is(document: dict[str, Any]) -> None:
    fields = dict(_properties(document))
    assert len(fields) > 600
    assert [name for name, field in fields.items() if len(field.get("description", "")) < 3] == []


UNIT = re.compile(
    r"\b(0 to \d|years|days|weeks|hours|per cent|points|number of|unit|ratio|probability|status)\b|\(.+\)$",
    re.IGNORECASE,
)
"""A unit in words; an observation has it in brackets at the end."""


def test_every_number_says_its_unit(document: dict[str, Any]) -> None:
    numbers = {
        name: field["description"]
        for name, field in _properties(document)
        if {"number", "integer"} & {*_kinds(field), *_kinds(field.get("items", {}))}
    }
    assert len(numbers) > 130
    units = _yaml("rules/vocabulary/observations.yaml")
    unitless = {f"AssessmentRequest.observations.{name}" for name, entry in units.items() if not entry.get("unit")}
    assert {name for name, text in numbers.items() if not UNIT.search(text)} - unitless == set()


def _kinds(field: dict[str, Any]) -> set[str]:
    kinds = field.get("type", [])
    return {kinds} if isinstance(kinds, str) else {*kinds}


def test_every_plain_field_has_an_example_that_its_own_schema_accepts(document: dict[str, Any]) -> None:
    wrong, shown = [], 0
    for name, schema in document["components"]["schemas"].items():
        for key, field in schema["properties"].items():
            if is_plain(field):
                examples = field.get("examples", [])
                shown += len(examples)
                if not examples or not all(Draft202012Validator(field).is_valid(each) for each in examples):
                    wrong.append(f"{name}.{key}")
    assert wrong == []
    assert shown > 400


def test_every_word_of_the_glossary_and_every_example_is_of_use(document: dict[str, Any]) -> None:
    """What stands there for a field that no longer exists would never be seen to be wrong."""
    schemas = document["components"]["schemas"]
    full = {f"{name}.{key}" for name, schema in schemas.items() for key in schema["properties"]}
    assert {key for key in glossary.FIELDS if key not in full | {name.partition(".")[2] for name in full}} == set()
    assert glossary.COMPONENTS.keys() - schemas.keys() == set()
    assert EXAMPLES.keys() - full == set()


def test_an_id_says_where_it_resolves_and_that_is_a_route(document: dict[str, Any]) -> None:
    named = {
        place for _, field in _properties(document) for place in re.findall(r"/v1/[\w-]+/{id}", field["description"])
    }
    assert len(named) >= 10
    assert named <= document["paths"].keys()
    ids = {"condition", "conditions", "treatment", "treatments", "references", "finding", "findings", "rule"}
    parts = ("Summary", "Counts.", "Gate.", "Concludes.")
    silent = {
        name
        for name, field in _properties(document)
        if name.rpartition(".")[2] in ids and "/v1/" not in field["description"] and not name.startswith(parts)
    }
    assert silent == set()


def test_no_answer_is_a_bare_object(document: dict[str, Any]) -> None:
    bare = [
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        for kind, content in operation["responses"]["200"]["content"].items()
        if kind == "application/json" and content["schema"] == {"type": "object"}
    ]
    assert bare == ["/openapi.json"]


def test_every_answer_of_every_route_keeps_to_its_own_schema(client: FlaskClient, document: dict[str, Any]) -> None:
    """Whole lists and every entry; the lists of the catalogue are short."""
    wrong, seen = [], 0
    for path, item in document["paths"].items():
        content = item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name:
            kind = path.removesuffix("/{id}")
            ids = [row["id"] for row in client.get(kind).get_json()["items"]] if kind != path else [""]
            validator = _validator(document, name)
            for entry in ids:
                seen += 1
                found = _complaints(validator, client.get(path.replace("{id}", entry)).get_json())
                wrong += [f"{path} {entry} {each}" for each in found]
    assert wrong == []
    assert seen > 2000


def test_the_short_form_keeps_to_its_own_schema_and_to_no_other(
    client: FlaskClient, replies: list[Reply], document: dict[str, Any]
) -> None:
    short, full = _validator(document, "AssessmentSummary"), _validator(document, "Assessment")
    for reply in replies[::9]:
        answer = client.post(f"{PATH}?detail=summary&leaflet=true", json=reply.request).get_json()
        assert _complaints(short, answer) == []
        assert not full.is_valid(answer)
        assert not short.is_valid(reply.answer)


def test_no_anchor_and_no_alias_stands_in_the_file() -> None:
    """Readers of other languages may not know them."""
    text = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Written by `make openapi`")
    assert [event for event in yaml.parse(text, yaml.CSafeLoader) if isinstance(event, yaml.AliasEvent)] == []


# README.md

README = ROOT / "README.md"


def _block(marker: str) -> Any:
    """The JSON in the first code block after a marker; around it there may be a command line."""
    text = README.read_text(encoding="utf-8")
    assert text.count(f"<!-- {marker} -->") == 1, f"README.md needs one line <!-- {marker} -->"
    found = re.search(r"```\w*\n(.*?)```", text.split(f"<!-- {marker} -->")[1], re.DOTALL)
    assert found, f"no code block after <!-- {marker} -->"
    inner = found[1]
    return json.loads(inner[inner.index("{") : inner.rindex("}") + 1])


def _contained(part: Any, whole: Any, path: str = "") -> Iterator[str]:
    """What of a shortened document does not stand in the whole one: objects by key, lists in order."""
    if isinstance(part, dict) and isinstance(whole, dict):
        for key, inner in part.items():
            if key in whole:
                yield from _contained(inner, whole[key], f"{path}/{key}")
            else:
                yield f"{path}/{key} is missing"
    elif isinstance(part, list) and isinstance(whole, list):
        rest = iter(whole)
        for number, inner in enumerate(part):
            if not any(not [*_contained(inner, item)] for item in rest):
                yield f"{path}/{number} is in no entry that is left"
    elif part != whole or type(part) is not type(whole):
        yield f"{path}: {part!r} is not {whole!r}"


def test_what_the_readme_sends_gets_what_the_readme_prints(client: FlaskClient) -> None:
    response = client.post(PATH, json=_block("example request"))
    assert response.status_code == 200
    assert [*_contained(_block("example answer"), response.get_json())] == []


def test_the_readme_and_the_document_have_one_example() -> None:
    assert _block("example request") == contract.EXAMPLE


def test_a_shortened_document_is_told_from_one_that_says_something_else() -> None:
    whole = {"a": [{"b": 1, "c": 2}, {"b": 3}], "d": None}
    same: list[Any] = [{}, {"d": None}, {"a": []}, {"a": [{"b": 3}]}, {"a": [{"c": 2}, {"b": 3}]}]
    other: list[Any] = [{"e": 1}, {"a": [{"b": 2}]}, {"a": [{"b": 3}, {"c": 2}]}, {"d": 0}, {"a": [{"b": True}]}]
    assert [part for part in same if [*_contained(part, whole)]] == []
    assert [part for part in [*other, {"a": {}}] if not [*_contained(part, whole)]] == []
