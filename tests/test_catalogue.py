"""What the service knows can be looked up, whole, and the lists and counts are those of the rule files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import catalogue
from service.problems import Refusal
from tests.oracle import parse

RULES = Path(__file__).parent.parent / "rules"


def _file(name: str) -> Any:
    return parse(RULES / name)


@cache
def _folder(name: str) -> dict[str, Any]:
    return {file.stem: _file(f"{name}/{file.name}") for file in (RULES / name).glob("*.yaml")}


def _rows(name: str) -> dict[str, Any]:
    return {row["id"]: row for row in _file(f"advice/{name}.yaml")}


FILES: dict[str, Callable[[], Any]] = {
    "findings": lambda: _file("vocabulary/findings.yaml"),
    "observations": lambda: _file("vocabulary/observations.yaml"),
    "must-ask": lambda: _file("vocabulary/must_ask.yaml"),
    "derived-words": lambda: _file("vocabulary/derived.yaml"),
    "treatment-groups": lambda: _file("vocabulary/treatment_groups.yaml"),
    "medications": lambda: {
        **_file("vocabulary/common_medications.yaml"),
        **_file("vocabulary/medications.yaml"),
    },
    "allergens": lambda: _file("vocabulary/allergens.yaml"),
    "scores": lambda: _file("vocabulary/scores.yaml"),
    "references": lambda: _file("references.yaml"),
    "conditions": lambda: _folder("conditions"),
    "treatments": lambda: _folder("treatments"),
    "red-flags": lambda: _folder("red_flags"),
    "patterns": lambda: _folder("patterns"),
    "pathways": lambda: _folder("pathways"),
    "do-not": lambda: _rows("do_not"),
    "education": lambda: _rows("education"),
    "follow-up": lambda: _rows("follow_up"),
    "referral": lambda: _rows("referral"),
    "conflicts": lambda: _rows("conflicts"),
    "measures": lambda: _rows("measures"),
    "gates": lambda: _rows("gates"),
}


Page = Callable[[str], TestResponse]


@pytest.fixture(scope="module")
def page(client: FlaskClient) -> Page:
    """A page of the catalogue, asked for once."""
    return cache(client.get)


@pytest.mark.parametrize("kind", FILES)
def test_a_list_names_every_entry_of_its_files_once_and_in_order(client: FlaskClient, kind: str) -> None:
    items = client.get(f"/v1/{kind}").get_json()["items"]
    assert [item["id"] for item in items] == sorted(FILES[kind]())
    assert all(item.keys() == {"id", "label"} and item["label"] for item in items)


@pytest.mark.parametrize("kind", FILES)
def test_an_entry_says_in_its_list_what_its_file_calls_it(client: FlaskClient, kind: str) -> None:
    entries = FILES[kind]()
    for item in client.get(f"/v1/{kind}").get_json()["items"]:
        entry = entries[item["id"]]
        named = [entry[key] for key in ("label", "title", "item", "citation") if key in entry]
        assert item["label"] == (named[0] if named else item["id"])


FORM = {
    "findings": {"kind", "question", "synonyms"},
    "observations": {"unit", "plausible", "values", "synonyms"},
    "must-ask": {"findings", "fields"},
    "medications": {"kind", "synonyms"},
    "references": {"url"},
}


@pytest.mark.parametrize("kind", FORM)
def test_a_list_for_a_form_adds_what_its_file_says_to_the_same_entries(client: FlaskClient, kind: str) -> None:
    entries, short = FILES[kind](), client.get(f"/v1/{kind}?detail=summary").get_json()["items"]
    found = client.get(f"/v1/{kind}?detail=form").get_json()["items"]
    assert [{"id": item.pop("id"), "label": item.pop("label")} for item in map(dict, found)] == short
    for item in found:
        entry = entries[item["id"]]
        expected = {key: entry[key] for key in FORM[kind] if entry.get(key) not in (None, [])}
        assert {key: value for key, value in item.items() if key in FORM[kind]} == expected, item["id"]
    used = set().union(*found)
    assert used - {"id", "label"} <= {*catalogue.FORM}
    assert used >= FORM[kind] - {"synonyms"}


@pytest.mark.parametrize("kind", [*FILES, "safety"])
def test_every_entry_of_a_list_can_be_had_whole(page: Page, kind: str) -> None:
    for item in page(f"/v1/{kind}").get_json()["items"]:
        response = page(f"/v1/{kind}/{item['id']}")
        assert response.status_code == 200
        assert response.content_type == "application/json"
        entry = response.get_json()
        assert next(iter(entry)) == "id"
        assert entry["id"] == item["id"]
        assert None not in entry.values()
        assert [] not in [value for key, value in entry.items() if key != "used_by"]
        assert {} not in entry.values()


@pytest.mark.parametrize("kind", ["findings", "medications", "red-flags", "treatments", "pathways", "references"])
def test_an_entry_holds_the_plain_texts_of_its_file(page: Page, kind: str) -> None:
    for name, entry in FILES[kind]().items():
        found = page(f"/v1/{kind}/{name}").get_json()
        plain = {key: value for key, value in entry.items() if isinstance(value, str | int | float | bool)}
        assert {key: found[key] for key in plain} == plain


def test_what_is_false_or_zero_is_said(client: FlaskClient) -> None:
    """Only what a file does not say is left out."""
    assert client.get("/v1/conditions/lumbar_strain").get_json()["serious"] is False
    assert client.get("/v1/treatments/stay_active").get_json()["rung"] == 0


def test_a_rule_shows_its_lines_with_each_word_and_its_direction(client: FlaskClient) -> None:
    shown = client.get("/v1/red-flags/incomplete_cauda_equina").get_json()["when"]
    written = _folder("red_flags")["incomplete_cauda_equina"]["when"]
    assert len(shown) == len(written)
    for line, words in zip(shown, written, strict=True):
        plain = [word for word in words if isinstance(word, str)]
        assert [term["word"] for term in line["terms"] if term["present"]] == plain


def test_a_safety_rule_is_had_by_its_id_with_the_treatments_that_it_is_about(page: Page) -> None:
    written = {rule["id"]: (rule, sheet) for sheet in _folder("safety").values() for rule in sheet["rules"]}
    items = page("/v1/safety").get_json()["items"]
    assert [(item["id"], item["label"]) for item in items] == [
        (name, written[name][0]["title"]) for name in sorted(written)
    ]
    for name, (rule, sheet) in written.items():
        found = page(f"/v1/safety/{name}").get_json()
        assert found["treatments"] == rule.get("treatments", sheet["treatments"])
        assert (found["action"], found["severity"]) == (rule["action"], rule["severity"])


def test_a_synonym_leads_to_the_finding_that_it_stands_for(client: FlaskClient) -> None:
    response = client.get("/v1/findings/straight_leg_raise")
    (error,) = response.get_json()["errors"]
    assert (response.status_code, error["closest"]) == (404, ["straight_leg_raise_positive"])


def test_the_kinds_that_can_be_looked_up(knowledge: Knowledge) -> None:
    assert {*catalogue.shelves(knowledge)} == {
        *("findings", "observations", "derived-words", "must-ask", "conditions", "treatments", "treatment-groups"),
        *("medications", "allergens", "red-flags", "patterns", "safety", "pathways", "scores", "references"),
        *("do-not", "education", "follow-up", "referral", "conflicts", "measures", "gates"),
    }


def _reads(value: Any, word: str) -> bool:
    """Whether a word stands anywhere in a piece of a rule file."""
    if isinstance(value, dict):
        return any(_reads(inner, word) for inner in value.values())
    return any(_reads(inner, word) for inner in value) if isinstance(value, list) else value == word


@pytest.mark.parametrize("word", ["saddle_anaesthesia", "pain_below_knee", "fever", "foot_drop", "asthma"])
def test_a_finding_names_every_rule_file_that_reads_it(client: FlaskClient, word: str) -> None:
    used = set(client.get(f"/v1/findings/{word}").get_json()["used_by"])
    for name, flag in _folder("red_flags").items():
        if _reads(flag["when"], word):
            assert f"red_flag:{name}" in used
    for name, pattern in _folder("patterns").items():
        if _reads(pattern["when"], word):
            assert f"pattern:{name}" in used
    ranked = {name for name, entry in _folder("conditions").items() if entry.get("priors")}
    for name, condition in _folder("conditions").items():
        by_name = word in condition.get("frequencies", {}) or word in condition.get("composites", [])
        assert (f"condition:{name}" in used) == (by_name and name in ranked)
    for name, treatment in _folder("treatments").items():
        if any(_reads(offer["when"], word) for offer in treatment.get("offer", [])):
            assert f"offer:{name}" in used
    assert used


def test_a_finding_also_names_the_rules_that_read_it_through_a_derived_word(client: FlaskClient) -> None:
    """fever stands in the derived word raised_temperature_any, which the rule of raised markers reads."""
    assert _reads(_file("vocabulary/derived.yaml")["raised_temperature_any"], "fever")
    assert _reads(_folder("red_flags")["raised_markers_with_severe_pain"]["when"], "raised_temperature_any")
    assert "red_flag:raised_markers_with_severe_pain" in client.get("/v1/findings/fever").get_json()["used_by"]


def test_a_finding_is_not_said_to_be_used_by_rules_that_do_not_read_it(client: FlaskClient) -> None:
    """Findings that stand in no rule file and in no derived word or score."""
    folders = ("red_flags", "patterns", "treatments", "safety", "conditions", "advice")
    texts = "\n".join(file.read_text(encoding="utf-8") for name in folders for file in (RULES / name).glob("*.yaml"))
    texts += (RULES / "vocabulary/derived.yaml").read_text(encoding="utf-8")
    texts += (RULES / "vocabulary/scores.yaml").read_text(encoding="utf-8")
    nowhere = [name for name in _file("vocabulary/findings.yaml") if name not in texts]
    for name in nowhere:
        assert client.get(f"/v1/findings/{name}").get_json()["used_by"] == [], name


def test_the_rules_that_use_a_finding_are_named_once_each_and_in_order(client: FlaskClient) -> None:
    for name in ("fever", "foot_drop", "pain_below_knee"):
        used = client.get(f"/v1/findings/{name}").get_json()["used_by"]
        assert len(used) > 3
        assert used == sorted({*used})


def test_the_knowledge_page_counts_what_the_files_hold(client: FlaskClient) -> None:
    about = client.get("/v1/knowledge").get_json()
    policy, conditions = _file("policy.yaml"), _folder("conditions")
    safety = _folder("safety")
    ranked = sum(bool(entry.get("priors")) for entry in conditions.values())
    assert about["counts"] == {
        "findings": len(FILES["findings"]()),
        "observations": len(FILES["observations"]()),
        "derived_words": len(_file("vocabulary/derived.yaml")),
        "scores": len(FILES["scores"]()),
        "conditions_ranked": ranked,
        "conditions_known_by_name_only": len(conditions) - ranked,
        "red_flags": len(_folder("red_flags")),
        "treatments_encoded": sum(bool(entry.get("offer")) for entry in _folder("treatments").values()),
        "safety_rules": sum(len(sheet["rules"]) for sheet in safety.values()),
        "references": len(_file("references.yaml")),
    }
    assert len(conditions) - ranked == 1  # sepsis has no prior
    assert about["version"] == policy["version"]
    assert about["intended_use"].split() == policy["texts"]["intended_use"].split()


def test_the_knowledge_page_shows_how_it_reasons_and_what_it_leaves_out(client: FlaskClient) -> None:
    about = client.get("/v1/knowledge").get_json()
    policy = _file("policy.yaml")
    plain = {key: value for key, value in policy["reasoning"].items() if not isinstance(value, list)}
    assert {key: about["reasoning"][key] for key in plain} == plain
    assert about["reasoning"]["clip"] == policy["reasoning"]["clip"]
    assert about["reasoning"]["likelihood"] == policy["reasoning"]["likelihood"]
    assert about["ladder"] == policy["ladder"]
    assert about["not_coded"].keys() == _file("vocabulary/not_coded.yaml").keys()
    assert [*about] == [
        *("version", "sha256", "intended_use", "source_attributes", "inputs_used", "inputs_not_used", "validation"),
        *("counts", "engine", "reasoning", "ladder", "not_coded", "review"),
    ]


def test_the_knowledge_page_says_how_many_rules_a_clinician_has_reviewed(client: FlaskClient) -> None:
    conditions = [entry for entry in _folder("conditions").values() if entry.get("priors")]
    rules = [*_folder("red_flags").values(), *_folder("patterns").values(), *conditions]
    assert client.get("/v1/knowledge").get_json()["review"] == dict(Counter(rule["review"] for rule in rules))


def test_the_knowledge_page_shows_the_size_of_the_engine(client: FlaskClient, engine: Engine) -> None:
    assert client.get("/v1/knowledge").get_json()["engine"] == engine.describe()


def test_a_label_is_looked_for_under_four_names_and_the_id_stands_in() -> None:
    shelf = {
        "c": {"id": "c", "citation": "A paper", "label": ""},
        "a": {"id": "a", "title": "Title", "label": "Label"},
        "b": {"id": "b", "item": "Item", "citation": "A paper"},
        "t": {"id": "t", "item": "Item", "title": "Title"},
        "d": {"id": "d", "note": "nothing to call it by"},
    }
    labels = {row["id"]: row["label"] for row in catalogue.listing(shelf)}
    assert labels == {"a": "Label", "b": "Item", "c": "A paper", "d": "d", "t": "Title"}
    assert [*labels] == ["a", "b", "c", "d", "t"]


def test_an_entry_that_is_not_there_is_refused_with_the_closest_that_are() -> None:
    shelf = {"fever": {"id": "fever"}, "rigors": {"id": "rigors"}}
    assert catalogue.entry("findings", "fever", shelf) == {"id": "fever"}
    with pytest.raises(Refusal) as refused:
        catalogue.entry("findings", "feber", shelf)
    assert refused.value.status == 404
    assert refused.value.errors is not None
    assert [error["closest"] for error in refused.value.errors] == [["fever"]]


@dataclass(frozen=True)
class Leaf:
    """A record as the catalogue meets it."""

    name: str
    said: tuple[Any, ...] = ()
    unsaid: str | None = None
    table: Any = None


def test_a_record_becomes_plain_data_without_what_is_not_said() -> None:
    record = Leaf("a", said=(Leaf("b", said=(0, False, "")), [1, (2,)], {"x": Leaf("c"), "y": None}), table={})
    assert catalogue._dump(record) == {
        "name": "a",
        "said": [{"name": "b", "said": [0, False, ""]}, [1, [2]], {"x": {"name": "c"}, "y": None}],
    }
