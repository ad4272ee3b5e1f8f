"""Every route, the answer as the contract has it, its ids, its short form, and what a failed engine says."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from random import Random
from typing import Any, cast

import pytest
from flask import Response
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

import rules
import service.app
from rules.engine import Antecedent, Engine, EngineFault
from rules.knowledge import CONCERNS, Knowledge
from schemas.answer import Assessment, Problem
from service import create_app
from tests.presentations import PATH, Reply, random_request, shuffled

SMALLEST = {"patient": {"age_years": 40}}


def _problem(response: Any, status: int) -> dict[str, Any]:
    """The problem document of a response, after the checks that hold for all of them."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    found: dict[str, Any] = json.loads(response.get_data())
    assert Problem().validate(found) == {}
    assert found["status"] == status
    return found


def test_the_process_says_that_it_is_alive_and_ready(client: FlaskClient) -> None:
    for path, state in (("/healthz", "alive"), ("/readyz", "ready")):
        response = client.get(path)
        assert (response.status_code, response.get_json()) == (200, {"status": state})
        assert response.content_type == "application/json"


def test_every_answer_keeps_to_its_schema(replies: list[Reply]) -> None:
    schema = Assessment()
    wrong = {reply.name: found for reply in replies if (found := schema.validate(reply.answer))}
    assert wrong == {}


def test_the_keys_of_an_answer_come_in_the_order_of_the_contract(replies: list[Reply]) -> None:
    for reply in replies:
        assert list(reply.answer) == list(Assessment().fields)


def test_the_order_of_the_keys_never_changes_a_byte(client: FlaskClient, replies: list[Reply]) -> None:
    chance = Random(7)
    for reply in chance.sample(replies, 25):
        request = shuffled(reply.request, chance)
        response = client.post(PATH, data=json.dumps(request), content_type="application/json")
        assert response.get_data() == reply.raw, reply.name


def test_the_stamp_of_an_answer_is_that_of_the_knowledge(client: FlaskClient, replies: list[Reply]) -> None:
    about = client.get("/v1/knowledge").get_json()
    stamp = {"version": about["version"], "sha256": about["sha256"]}
    assert all(reply.answer["knowledge"] == stamp for reply in replies)
    assert all(reply.answer["intended_use"] == about["intended_use"] for reply in replies)


def _named(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every id of an answer with the kind of entry that it names, found by the name of its key."""
    kinds = {
        "condition": "conditions",
        "score": "scores",
        "finding": "findings",
        "references": "references",
        "published_references": "references",
        "conditions": "conditions",
    }
    yield from ((kinds[key], name) for key, name in _under(answer, kinds))
    urgency, ladder = answer["urgency"], answer["treatment_ladder"]
    for reason in urgency["reasons"]:
        if reason["rule"] != "default_policy":
            yield "red-flags", reason["rule"]
    for change in urgency["would_change"]:
        yield "red-flags", change["rule"]
        yield from (("findings", name) for name in change["words"])
    for item in urgency["open_must_asks"]:
        yield "must-ask", item["id"]
        yield from (("findings", name) for name in item["findings"])
    yield from (("red-flags", row["rule"]) for row in answer["must_exclude"] if row["because"] == "red_flag")
    entries = [entry for rung in ladder["rungs"] for entry in rung["entries"]]
    yield from (("treatments", entry["treatment"]) for entry in entries)
    yield from (("safety", line["rule"]) for entry in entries for line in entry["safety"])
    yield from (("treatments", row["treatment"]) for row in ladder["not_recommended"] if row["treatment"])
    if ladder["pathway"]:
        yield from (("pathways", name) for name in ladder["pathway"]["also"])


def _under(value: Any, keys: Collection[str]) -> Iterator[tuple[str, str]]:
    """(key, text) of every text under one of some keys, at any depth, lists included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in keys:
                yield from ((key, name) for name in ([inner] if isinstance(inner, str) else inner))
            else:
                yield from _under(inner, keys)
    elif isinstance(value, list):
        for inner in value:
            yield from _under(inner, keys)


def test_every_id_of_an_answer_can_be_looked_up(client: FlaskClient, replies: list[Reply]) -> None:
    named = {pair for reply in replies for pair in _named(reply.answer)}
    kinds = {kind for kind, _ in named}
    assert kinds >= {"red-flags", "conditions", "findings", "treatments", "references", "must-ask", "scores", "safety"}
    also = {"scores": "derived-words"}  # a set that only counts its items
    lost = [
        f"/v1/{kind}/{name}"
        for kind, name in sorted(named)
        if not any(_found(client, shelf, name) for shelf in (kind, also.get(kind, kind)))
    ]
    assert lost == []


def test_a_pathway_or_the_rule_that_stands_in_for_it_can_be_looked_up(
    client: FlaskClient, replies: list[Reply]
) -> None:
    named = {found["pathway"] for reply in replies if (found := reply.answer["treatment_ladder"]["pathway"])}
    assert len(named) > 3
    assert [name for name in named if not any(_found(client, kind, name) for kind in ("pathways", "red-flags"))] == []


def test_an_alternative_is_a_treatment_or_a_group_of_them(client: FlaskClient, replies: list[Reply]) -> None:
    named = {name for reply in replies for _, name in _under(reply.answer, {"alternatives"})}
    assert named
    kinds = ("treatments", "treatment-groups")
    assert [name for name in sorted(named) if not any(_found(client, kind, name) for kind in kinds)] == []


def test_a_word_of_the_ledger_is_a_finding_a_derived_word_or_a_band_of_a_score(
    client: FlaskClient, replies: list[Reply], knowledge: Knowledge
) -> None:
    lines = [line for reply in replies for row in reply.answer["differential"] for line in row["for"] + row["against"]]
    for word in {line["word"] for line in lines} - knowledge.derived.keys():
        score, _, band = word.partition(":")
        if band:
            assert band in client.get(f"/v1/scores/{score}").get_json()["bands"], word
        else:
            assert _found(client, "findings", word), word


def _found(client: FlaskClient, kind: str, name: str) -> bool:
    response = client.get(f"/v1/{kind}/{name}")
    return response.status_code == 200 and response.get_json()["id"] == name


def test_the_short_form_holds_the_level_its_reasons_and_the_first_three(
    client: FlaskClient, replies: list[Reply]
) -> None:
    sizes = []
    for reply in replies[::5]:
        response = client.post(f"{PATH}?detail=summary", json=reply.request)
        assert response.status_code == 200
        sizes.append((len(response.get_data()), len(reply.raw)))
        _compare(json.loads(response.get_data()), reply.answer)
    # An emergency has no ladder to shorten, so its short form is a larger share of a much smaller answer.
    assert sum(short for short, _ in sizes) * 4 < sum(full for _, full in sizes)
    assert all(short * 2 < full for short, full in sizes)


def _compare(short: dict[str, Any], full: dict[str, Any]) -> None:
    """The short form against the full one, part by part."""
    level = full["urgency"]["level"]
    assert short["urgency"]["level"] == level
    for key in ("provisional", "within", "disposition", "actions"):
        assert short["urgency"][key] == full["urgency"][key]
    leading = [reason for reason in full["urgency"]["reasons"] if reason["level"] == level]
    assert [reason["rule"] for reason in short["urgency"]["reasons"]] == [reason["rule"] for reason in leading]
    assert [reason["because"] for reason in short["urgency"]["reasons"]] == [reason["because"] for reason in leading]
    assert short["urgency"]["open_must_asks"] == [item["id"] for item in full["urgency"]["open_must_asks"]]

    assert len(short["differential"]) == 3 < len(full["differential"])
    for small, whole in zip(short["differential"], full["differential"], strict=False):
        assert (small["condition"], small["probability"]) == (whole["condition"], whole["probability"])
        for side in ("for", "against"):
            assert len(small[side]) == min(3, len(whole[side]))
            assert [line["word"] for line in small[side]] == [line["word"] for line in whole[side]][:3]
            assert all({"state", "lr", "grade", "references"} < line.keys() for line in small[side])

    for key in ("knowledge", "intended_use", "must_exclude", "notices"):
        assert short[key] == full[key]
    assert [row["finding"] for row in short["questions"]] == [row["finding"] for row in full["questions"]]
    advised = [(row["investigation"], row["advice"]) for row in full["investigations"]]
    assert [(row["investigation"], row["advice"]) for row in short["investigations"]] == advised

    ladder = full["treatment_ladder"]
    assert short["treatment_ladder"]["pathway"] == ladder["pathway"]
    offered: dict[int, list[str]] = {}
    excluded = []
    for rung in ladder["rungs"]:
        for entry in rung["entries"]:
            if entry["status"] == "excluded":
                excluded.append(entry["treatment"])
            elif entry["status"] != "not_yet":
                offered.setdefault(rung["rung"], []).append(entry["treatment"])
    assert [row["treatment"] for row in short["treatment_ladder"]["excluded"]] == excluded
    shown = {rung["rung"]: rung for rung in short["treatment_ladder"]["rungs"]}
    assert shown.keys() == offered.keys()
    for number, names in offered.items():
        assert [entry["treatment"] for entry in shown[number]["entries"]] == names[:5]
        assert shown[number]["more"] == max(0, len(names) - 5)


def test_the_short_form_of_an_excluded_drug_names_the_rules_that_excluded_it(client: FlaskClient) -> None:
    request = {"patient": {"age_years": 45}, "medications": ["warfarin"]}
    short = client.post(f"{PATH}?detail=summary", json=request).get_json()
    rows = {row["treatment"]: row["rules"] for row in short["treatment_ladder"]["excluded"]}
    assert "X006" in rows["ibuprofen_oral"]


def test_full_is_what_comes_without_asking(client: FlaskClient) -> None:
    plain = client.post(PATH, json=SMALLEST)
    assert client.post(f"{PATH}?detail=full", json=SMALLEST).get_data() == plain.get_data()
    assert client.post(f"{PATH}/", json=SMALLEST).get_data() == plain.get_data()


@pytest.mark.parametrize(
    ("query", "pointer"), [("detail=brief", "/detail"), ("detail=", "/detail"), ("verbose=1", "/verbose")]
)
def test_a_query_that_nobody_knows_is_refused_at_its_place(client: FlaskClient, query: str, pointer: str) -> None:
    found = _problem(client.post(f"{PATH}?{query}", json=SMALLEST), 422)
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    assert "detail" not in query or "full, summary" in found["errors"][0]["detail"]


def test_a_method_that_a_route_does_not_have_is_refused_and_the_others_are_named(client: FlaskClient) -> None:
    response = client.get(PATH)
    _problem(response, 405)
    assert {"OPTIONS", "POST"} == {part.strip() for part in response.headers["Allow"].split(",")}


def test_one_problem_document_has_one_length_and_one_type(client: FlaskClient) -> None:
    response = client.get("/v1/nothing")
    assert response.headers.getlist("Content-Type") == ["application/problem+json"]
    assert response.headers.getlist("Content-Length") == [str(len(response.get_data()))]
    assert _problem(response, 404)["type"] == "about:blank"


def test_a_problem_without_a_description_is_still_a_problem_document(knowledge: Knowledge, engine: Engine) -> None:
    class Teapot(HTTPException):
        code = 418

    def boil() -> Response:
        raise Teapot

    app = create_app(knowledge, engine)
    app.add_url_rule("/teapot", view_func=boil)
    found = _problem(app.test_client().get("/teapot"), 418)
    assert (found["title"], found["detail"]) == ("I'm a Teapot", "")


def test_nothing_is_loaded_twice_when_the_knowledge_is_handed_in(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Any:
        raise AssertionError("loaded again")

    monkeypatch.setattr(rules, "load", refuse)
    monkeypatch.setattr(service.app, "Engine", refuse)
    assert create_app(knowledge, engine).test_client().get("/healthz").status_code == 200


def test_without_arguments_the_knowledge_of_the_repository_is_loaded_and_compiled(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[object] = []

    def compile_rules(concerns: object) -> Engine:
        compiled.append(concerns)
        return engine

    monkeypatch.setattr(rules, "load", lambda: knowledge)
    monkeypatch.setattr(service.app, "Engine", compile_rules)
    assert create_app().test_client().get("/readyz").status_code == 200
    assert len(compiled) == 1
    assert compiled[0] is knowledge.rules


# A failed engine


class Faulty:
    """An engine that answers outside its contract for one concern, and fails every self-test."""

    broken = None

    def __init__(self, engine: Engine) -> None:
        self.engine, self.fails_for = engine, ""

    def fire(self, concern: str, holding: Collection[str]) -> frozenset[Antecedent]:
        if concern == self.fails_for:
            raise EngineFault("assert_fact returned 77 near quillfeather")
        return self.engine.fire(concern, holding)

    def self_test(self, rounds: int = 20) -> None:
        raise EngineFault(f"self-test of {rounds} rounds near quillfeather")

    def describe(self) -> dict[str, Any]:
        return self.engine.describe()


def _with(knowledge: Knowledge, engine: object) -> FlaskClient:
    return create_app(knowledge, cast(Engine, engine)).test_client()


def _refuses_to_conclude(client: FlaskClient) -> None:
    """503 and nothing else: no level, no differential, no ladder; alive, but not ready."""
    for query in ("", "?detail=summary"):
        response = client.post(PATH + query, json={"patient": {"age_years": 45}, "findings": {"fever": "present"}})
        found = _problem(response, 503)
        assert found.keys() == {"type", "title", "status", "detail"}
        assert found["detail"].startswith("Not assessed")
        assert b"quillfeather" not in response.get_data()
    ready = client.get("/readyz")
    assert b"quillfeather" not in ready.get_data()
    _problem(ready, 503)
    assert client.get("/healthz").status_code == 200
    assert client.get("/v1/findings/fever").status_code == 200


def test_a_fault_in_any_concern_gives_no_partial_answer(knowledge: Knowledge, engine: Engine) -> None:
    faulty = Faulty(engine)
    client = _with(knowledge, faulty)
    assert client.post(PATH, json=SMALLEST).status_code == 200
    for concern in CONCERNS:
        faulty.fails_for = concern
        _refuses_to_conclude(client)


def test_a_broken_engine_concludes_nothing_more(knowledge: Knowledge) -> None:
    engine = Engine(knowledge.rules)
    client = _with(knowledge, engine)
    assert client.get("/readyz").status_code == 200
    engine.broken = "a session survived near quillfeather"
    _refuses_to_conclude(client)
    _refuses_to_conclude(client)


def test_readiness_finds_an_engine_that_has_begun_to_lie(knowledge: Knowledge) -> None:
    class Lying(Engine):
        silent = False

        def _session(self, part: Any, literals: Collection[str]) -> list[Antecedent]:
            return [] if self.silent else super()._session(part, literals)

    engine = Lying(knowledge.rules)
    client = _with(knowledge, engine)
    assert client.get("/readyz").status_code == 200
    engine.silent = True
    _problem(client.get("/readyz"), 503)
    assert engine.broken is not None
    _refuses_to_conclude(client)


def test_an_engine_fault_is_logged_without_the_request(
    knowledge: Knowledge, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = Faulty(engine)
    faulty.fails_for = "urgency"
    client = _with(knowledge, faulty)
    _problem(client.post(PATH, json={"patient": {"age_years": 45}, "medications": ["moonflower"]}), 503)
    (said,) = [record.msg for record in caplog.records]
    assert isinstance(said, dict)
    assert (said["event"], said["reason"]) == ("engine_fault", "assert_fact returned 77 near quillfeather")
    assert "moonflower" not in caplog.text


def test_a_defect_of_the_service_gives_a_500_that_tells_nothing(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise KeyError("quillfeather")

    monkeypatch.setattr(service.app, "assess", fail)
    response = _with(knowledge, engine).post(PATH, json=SMALLEST)
    _problem(response, 500)
    assert b"quillfeather" not in response.get_data()
    assert b"KeyError" not in response.get_data()


@pytest.mark.parametrize("path", ["//v1/findings", "/v1//findings", "/v1/findings//fever"])
def test_a_path_with_a_doubled_slash_is_a_problem_and_no_page(client: FlaskClient, path: str) -> None:
    _problem(client.get(path), 404)


@pytest.mark.soak
def test_a_thousand_random_presentations_are_all_answered(client: FlaskClient, knowledge: Knowledge) -> None:
    chance, schema = Random(1), Assessment()
    for number in range(1000):
        request = random_request(chance, knowledge)
        response = client.post(PATH, json=request)
        assert response.status_code == 200, (number, request)
        assert schema.validate(response.get_json()) == {}, (number, request)
