"""What nobody should send: refused at its place, with a mend, without an echo; and the next request is answered."""

from __future__ import annotations

import difflib
import io
import json
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from rules.knowledge import Knowledge
from schemas.answer import Problem
from tests.hostile import FULL, LONG_NUMBER, SECRET, Hostile, hostile
from tests.presentations import PATH, Reply

MANY = hostile(1000, seed=20_261_121)


@dataclass(frozen=True)
class Outcome:
    """What came back for a hostile request."""

    sent: Hostile
    status: int
    headers: Headers
    body: bytes


class Run(NamedTuple):
    """All that came back, what was logged meanwhile, and every answer to the ordinary request in between."""

    outcomes: list[Outcome]
    logged: list[str]
    ordinary: list[bytes]


def _send(client: FlaskClient, sent: Hostile) -> Outcome:
    response = client.open(sent.path, method=sent.method, data=sent.data, content_type=sent.content_type)
    return Outcome(sent, response.status_code, response.headers, response.get_data())


@pytest.fixture(scope="module")
def run(client: FlaskClient, app: Flask) -> Run:
    """A thousand hostile requests, each sent once, and an ordinary one before, after every fifty, and at the end."""
    logged: list[str] = []
    keeper = logging.Handler()
    keeper.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    app.logger.addHandler(keeper)
    outcomes, ordinary = [], [client.post(PATH, json=FULL).get_data()]
    for number, sent in enumerate(MANY):
        outcomes.append(_send(client, sent))
        if number % 50 == 49:
            ordinary.append(client.post(PATH, json=FULL).get_data())
    app.logger.removeHandler(keeper)
    return Run(outcomes, logged, ordinary)


def _resolves(pointer: str, document: Any) -> bool:
    """RFC 6901; the last step may be missing where the complaint is that it is missing."""
    if not pointer:
        return True
    assert pointer[0] == "/"
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]
    for number, step in enumerate(steps):
        if isinstance(document, dict):
            if step not in document:
                return number == len(steps) - 1
            document = document[step]
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return False
    return True


def test_the_generator_makes_a_thousand_different_kinds_of_trouble() -> None:
    assert len(MANY) == 1000
    assert len({(sent.data, sent.path, sent.method, sent.content_type) for sent in MANY}) > 900
    fates = Counter(sent.statuses[0] for sent in MANY)
    assert fates.keys() >= {200, 400, 404, 405, 413, 415, 422}
    assert fates[422] > 300


def test_a_thousand_hostile_requests_are_each_refused_as_they_should_be(run: Run) -> None:
    wrong = [(found.sent.name, found.status) for found in run.outcomes if found.status not in found.sent.statuses]
    assert wrong == []


def test_between_hostile_requests_the_ordinary_one_is_answered_as_before(run: Run) -> None:
    """Temperature 38.4, ESR 60, pain 7: an infection of the spine until shown otherwise."""
    urgency = json.loads(run.ordinary[0])["urgency"]
    assert (urgency["level"], urgency["reasons"][0]["rule"]) == ("emergency", "raised_markers_with_severe_pain")
    assert len(run.ordinary) == 21
    assert len({*run.ordinary}) == 1


def test_hostile_requests_leave_nothing_in_the_log(run: Run) -> None:
    assert run.logged == []


def test_every_refusal_is_a_problem_document(run: Run) -> None:
    schema = Problem()
    wrong: list[tuple[str, Any]] = []
    for found in run.outcomes:
        if found.status < 400:
            continue
        name = found.sent.name
        assert found.headers.getlist("Content-Type") == ["application/problem+json"], name
        if found.status == 405:
            assert found.headers["Allow"], name
        if found.sent.method == "HEAD":
            continue
        body = json.loads(found.body)
        assert schema.validate(body) == {}, name
        assert (body["status"], body["type"]) == (found.status, "about:blank"), name
        assert body["title"] == HTTPStatus(found.status).phrase
        assert body["detail"], name
        if found.status == 422:
            wrong += ((name, complaint) for complaint in _complaints(found.sent, body))
        else:
            assert "errors" not in body or found.status == 404, name
    assert wrong == []


def _complaints(sent: Hostile, found: dict[str, Any]) -> list[Any]:
    """What is wrong with the errors of a 422."""
    pointers = [error["pointer"] for error in found["errors"]]
    wrong: list[Any] = [error for error in found["errors"] if not error["detail"]]
    if not found["detail"].startswith(f"{len(found['errors'])} "):
        wrong.append(found["detail"])
    if sent.pointer is not None and sent.pointer not in pointers:
        wrong.append((sent.pointer, pointers[:3]))
    if sent.closest is not None:
        named = [error.get("closest", []) for error in found["errors"] if error["pointer"] == sent.pointer]
        wrong += [error for error in named if sent.closest not in error]
    if "?" not in sent.path:
        document = json.loads(sent.data)
        wrong += [pointer for pointer in pointers if not _resolves(pointer, document)]
    return wrong


def test_nothing_that_was_sent_as_a_value_comes_back(run: Run) -> None:
    for found in run.outcomes:
        if found.status >= 400:
            assert SECRET.encode() not in found.body, found.sent.name
            assert LONG_NUMBER[:14].encode() not in found.body, found.sent.name


def test_a_page_that_does_not_exist_names_the_closest(run: Run) -> None:
    looked = [found for found in run.outcomes if found.sent.closest and found.status == 404]
    assert len(looked) == 6
    for found in looked:
        body = json.loads(found.body)
        (error,) = body["errors"]
        assert found.sent.closest in error["closest"], found.sent.path
        assert all(name in body["detail"] for name in error["closest"])


# Each refusal by name


def _detail(client: FlaskClient, data: bytes | str, status: int, content_type: str | None = "application/json") -> str:
    response = client.post(PATH, data=data, content_type=content_type)
    assert response.status_code == status
    detail: str = json.loads(response.get_data())["detail"]
    return detail


def test_an_empty_body_says_what_to_send(client: FlaskClient) -> None:
    assert "patient.age_years" in _detail(client, " \n", 400)
    assert "empty" in _detail(client, "", 400)


def test_another_media_type_says_which_one_to_send(client: FlaskClient) -> None:
    assert "application/json" in _detail(client, b"{}", 415, "text/plain")
    assert "application/json" in _detail(client, b"{}", 415, None)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/fhir+json"])
def test_every_name_of_json_is_read(client: FlaskClient, kind: str) -> None:
    assert client.post(PATH, data=json.dumps(FULL), content_type=kind).status_code == 200


def test_a_body_that_is_not_json_says_where(client: FlaskClient) -> None:
    assert "line 2, column 3" in _detail(client, '{"patient":\n  }', 400)


def test_a_body_that_is_not_utf8_says_at_which_byte(client: FlaskClient) -> None:
    assert "byte 12" in _detail(client, b'{"patient": \xff}', 400)


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_that_is_not_json_is_named(client: FlaskClient, name: str) -> None:
    detail = _detail(client, f'{{"patient": {{"age_years": {name}}}}}', 400)
    assert detail.startswith(f"{name} ")


def test_a_key_that_stands_twice_is_named_and_cut_when_long(client: FlaskClient) -> None:
    assert "'age'" in _detail(client, '{"sex": 1, "age": 1, "other": 2, "age": 3}', 400)
    detail = _detail(client, f'{{"{"k" * 300}": 1, "{"k" * 300}": 2}}', 400)
    assert "k" * 80 in detail
    assert "k" * 81 not in detail


def test_a_number_of_thousands_of_digits_is_named_as_such(client: FlaskClient) -> None:
    assert "number" in _detail(client, '{"patient": {"age_years": %s}}' % ("9" * 5_000), 400)


def test_a_body_that_is_nested_too_deep_is_named_as_such(client: FlaskClient) -> None:
    assert "deep" in _detail(client, "[" * 100_000, 400)


def test_a_body_that_is_too_long_says_how_long_it_may_be(client: FlaskClient) -> None:
    assert "256" in _detail(client, b" " * 300_000, 413)


def test_a_body_in_chunks_is_refused_when_it_is_too_long_and_never_cut(client: FlaskClient) -> None:
    """Without a Content-Length the limit is met while reading; what stands behind it must not be lost."""
    limit, whole = 256 * 1024, json.dumps(FULL).encode()
    for data, status in ((whole, 200), (whole.ljust(limit - 1), 200), (whole.ljust(limit) + b"and more", 413)):
        response = client.post(
            PATH,
            input_stream=io.BytesIO(data),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )
        assert response.status_code == status, len(data)


def _errors(client: FlaskClient, request: Any) -> dict[str, str]:
    response = client.post(PATH, json=request)
    assert response.status_code == 422
    return {error["pointer"]: error["detail"] for error in json.loads(response.get_data())["errors"]}


def test_every_bad_value_is_named_at_once_each_with_its_mend(client: FlaskClient) -> None:
    request = {
        "patient": {"age_years": 121, "sex": "f", "name": SECRET},
        "episode": [],
        "findings": {"fever": "yes", "feever": "present"},
        "screening": {"F-01": "present"},
        "observations": {"temperature_c": 99, "urine_nitrite": 1, "heart_rate_per_min": "80", "esr": 1},
        "medications": "warfarin",
        "allergies": [1, ""],
        "treatments_tried": [{"weeks": 521}, 3],
    }
    found = _errors(client, request)
    mends = {
        "/patient/age_years": "0 to 120",
        "/patient/sex": "female, male",
        "/patient/name": "not a field of the request",
        "/episode": "expected an object",
        "/findings/fever": "present, absent, unknown",
        "/findings/feever": "closest: fever",
        "/screening/F-01": "absent, unknown",
        "/observations/temperature_c": "30 to 43 degrees Celsius",
        "/observations/urine_nitrite": "expected a string",
        "/observations/heart_rate_per_min": "expected a number",
        "/observations/esr": "unknown observation id",
        "/medications": "list",
        "/allergies/0": "expected a string",
        "/allergies/1": "between 1 and 200",
        "/treatments_tried/0/weeks": "0 to 520",
        "/treatments_tried/0/treatment": "required",
        "/treatments_tried/1": "expected an object",
    }
    assert found.keys() == mends.keys()
    assert {place: detail for place, detail in found.items() if mends[place] not in detail} == {}
    assert found["/observations/heart_rate_per_min"] == "expected a number", "the unit belongs to a range only"


@pytest.mark.parametrize(
    ("part", "expected"), [("findings", "id: answer"), ("screening", "id: answer"), ("observations", "id: value")]
)
def test_a_list_in_the_place_of_a_map_says_what_the_map_holds(client: FlaskClient, part: str, expected: str) -> None:
    assert expected in _errors(client, {"patient": {"age_years": 40}, part: ["fever"]})[f"/{part}"]


@pytest.mark.parametrize("document", ["[]", '"x"', "1", "null", "true"])
def test_a_body_that_is_not_an_object_says_the_least_that_is_needed(client: FlaskClient, document: str) -> None:
    response = client.post(PATH, data=document, content_type="application/json")
    (error,) = response.get_json()["errors"]
    assert (response.status_code, error["pointer"]) == (422, "")
    assert "patient.age_years" in error["detail"]


def test_a_boolean_is_not_read_as_a_number_nor_a_text_as_one(client: FlaskClient) -> None:
    for age in (True, False, "40", [40]):
        assert _errors(client, {"patient": {"age_years": age}}) == {"/patient/age_years": "expected a number"}
    assert client.post(PATH, json={"patient": {"age_years": 40.5}}).status_code == 200


def test_both_ends_of_a_plausible_range_are_inside_it(client: FlaskClient) -> None:
    for age, status in ((0, 200), (120, 200), (-0.001, 422), (120.001, 422)):
        assert client.post(PATH, json={"patient": {"age_years": age}}).status_code == status


def test_errors_come_in_the_same_order_whatever_the_seed_of_the_hash(client: FlaskClient) -> None:
    """The names of unknown fields pass through a set; their order must not depend on it."""
    request = {f"field_{number}": number for number in range(40)} | {"patient": {"age_years": 40}}
    pointers = list(_errors(client, request))
    assert pointers in (sorted(pointers), [f"/{name}" for name in request if name != "patient"])


@pytest.mark.parametrize("part", ["findings", "screening", "observations", "treatments_tried"])
def test_a_body_of_thousands_of_unknown_ids_is_not_searched_for_thousands_of_names(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Each search reads the whole vocabulary: thousands of them would hold a worker for most of a minute."""
    searched: list[object] = []

    def count(word: object, possibilities: Collection[str], **_: object) -> list[str]:
        searched.extend([word] if possibilities else [])
        return []

    monkeypatch.setattr(difflib, "get_close_matches", count)
    many: Any = {f"id_{number}": "present" for number in range(5_000)}
    if part == "treatments_tried":
        many = [{"treatment": name} for name in many]
    response = client.post(PATH, json={"patient": {"age_years": 40}, part: many})
    assert response.status_code == 422
    assert len(searched) <= 200


def test_every_id_may_be_answered_at_once_but_no_more_than_there_are(client: FlaskClient, knowledge: Knowledge) -> None:
    whole: dict[str, dict[str, Any]] = {
        "findings": dict.fromkeys(knowledge.findings, "unknown"),
        "screening": dict.fromkeys(knowledge.must_ask, "unknown"),
        "observations": {
            name: entry.plausible[0] if entry.plausible else entry.values[0]
            for name, entry in knowledge.observations.items()
        },
    }
    assert client.post(PATH, json={"patient": {"age_years": 40}, **whole}).status_code == 200
    for part, given in whole.items():
        found = _errors(client, {"patient": {"age_years": 40}, part: {**given, "one_more": "unknown"}})
        assert str(len(given)) in found[f"/{part}"]


def test_a_list_that_is_too_long_says_how_long_it_may_be(client: FlaskClient) -> None:
    for part in ("medications", "allergies", "treatments_tried"):
        assert "100" in _errors(client, {"patient": {"age_years": 40}, part: [None] * 101})[f"/{part}"]


def test_a_synonym_names_the_finding_that_it_stands_for_and_no_other(client: FlaskClient) -> None:
    request = {"patient": {"age_years": 40}, "findings": {"absent_ankle_reflexes": "present"}}
    (error,) = client.post(PATH, json=request).get_json()["errors"]
    assert error["closest"] == ["bilateral_ankle_reflexes_absent"]
    assert "bilateral_ankle_reflexes_absent" in error["detail"]


def test_at_most_three_ids_are_named_and_only_near_ones(client: FlaskClient) -> None:
    request = {"patient": {"age_years": 40}, "findings": {"leg_weaknes": "present", "qqqqqq": "present"}}
    found = {error["pointer"]: error for error in client.post(PATH, json=request).get_json()["errors"]}
    assert 1 <= len(found["/findings/leg_weaknes"]["closest"]) <= 3
    assert "closest" not in found["/findings/qqqqqq"]


def test_a_key_with_a_slash_or_a_tilde_is_written_as_the_pointer_standard_has_it(client: FlaskClient) -> None:
    assert list(_errors(client, {"patient": {"age_years": 40}, "a/b~c": 1})) == ["/a~1b~0c"]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_five_thousand_more_hostile_requests(app: Flask, replies: list[Reply], seed: int) -> None:
    client = app.test_client()
    for sent in hostile(1000, seed):
        assert _send(client, sent).status in sent.statuses, sent.name
    assert client.post(PATH, json=replies[0].request).get_data() == replies[0].raw
