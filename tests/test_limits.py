"""How often a client may ask, and which pages of a browser may."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import g
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.answer import Problem
from service import create_app
from service.contract import EXAMPLE
from service.limits import neighbourhood
from service.settings import ANONYMOUS, Settings, WrongSetting
from tests.credentials import api_key
from tests.presentations import PATH

Make = Callable[[Settings], FlaskClient]
KEYS = (
    api_key("a", "key-a", "assess", "knowledge"),
    api_key("a", "key-a2", "knowledge"),
    api_key("b", "key-b", "knowledge"),
)
THREE = Settings(rate_limit="3 per hour")
LOOK = "/v1/gates"


@pytest.fixture
def make(knowledge: Knowledge, engine: Engine) -> Make:
    """A client of the whole service with other settings."""
    return lambda chosen: create_app(knowledge, engine, chosen).test_client()


def _statuses(client: FlaskClient, count: int, path: str = LOOK, **more: Any) -> list[int]:
    return [client.get(path, **more).status_code for _ in range(count)]


def test_without_a_setting_there_is_no_limit(make: Make) -> None:
    assert {*_statuses(make(Settings()), 300, "/v1/gates")} == {200}


def test_what_is_beyond_the_limit_is_refused_and_told_how_long_to_wait(make: Make) -> None:
    client = make(THREE)
    assert _statuses(client, 3) == [200] * 3
    response = client.get(LOOK)
    assert response.status_code == 429
    assert response.content_type == "application/problem+json"
    found = response.get_json()
    assert Problem().validate(found) == {}
    assert (found["status"], found["detail"]) == (429, "more than 3 per hour; wait as long as Retry-After says")
    assert 1 <= int(response.headers["Retry-After"]) <= 3_601


def test_all_routes_count_together_and_the_probes_do_not_count(make: Make) -> None:
    client = make(THREE)
    assert _statuses(client, 20, "/healthz") == [200] * 20
    assert client.post(PATH, json=EXAMPLE).status_code == 200
    assert client.get("/v1/gates").status_code == 200
    assert client.get("/v1/gates/nothing").status_code == 404
    assert client.post(PATH, json=EXAMPLE).status_code == 429
    assert client.get("/v1/knowledge").status_code == 429
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_each_client_has_a_limit_of_its_own_by_name_whatever_its_key_and_address(make: Make) -> None:
    client = make(replace(THREE, api_keys=KEYS))

    def ask(key: str, address: str) -> int:
        headers, environ = {"X-API-Key": key}, {"REMOTE_ADDR": address}
        return client.get(LOOK, headers=headers, environ_overrides=environ).status_code

    assert [ask("key-a", "192.0.2.1"), ask("key-a2", "192.0.2.2"), ask("key-a", "192.0.2.3")] == [200] * 3
    assert ask("key-a2", "192.0.2.4") == 429
    assert ask("key-b", "192.0.2.1") == 200


def test_those_who_are_turned_away_are_counted_by_their_address(make: Make) -> None:
    client = make(replace(THREE, api_keys=KEYS))
    here, there = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.9"}
    guesses = [
        client.get(LOOK, headers={"X-API-Key": f"guess-{number}"}, environ_overrides=here).status_code
        for number in range(5)
    ]
    assert guesses == [401, 401, 401, 429, 429]
    assert _statuses(client, 1, environ_overrides=there) == [401]
    assert client.get(LOOK, headers={"X-API-Key": "key-b"}, environ_overrides=here).status_code == 200


def test_a_header_that_a_client_writes_itself_does_not_give_it_another_address(make: Make) -> None:
    client = make(THREE)
    sent = [client.get(LOOK, headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code for number in range(4)]
    assert sent == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("a name", "unknown"),
    ],
)
def test_one_subscriber_is_one_address(address: str, counted: str) -> None:
    assert neighbourhood(address) == counted


def test_a_redis_that_is_gone_leaves_each_process_to_count_alone(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    client = make(replace(THREE, rate_limit_storage="redis://:canary@127.0.0.1:1"))
    assert _statuses(client, 4) == [200, 200, 200, 429]
    assert "canary" not in caplog.text


def test_the_address_of_whoever_is_refused_is_not_logged(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = make(THREE)
    assert _statuses(client, 4, environ_overrides={"REMOTE_ADDR": "192.0.2.77"})[-1] == 429
    assert "192.0.2.77" not in caplog.text


@pytest.mark.parametrize(
    "changes",
    [
        {"rate_limit": "often"},
        {"rate_limit": "10"},
        {"rate_limit": "10 per moon"},
        {"rate_limit": "1 per hour", "rate_limit_storage": "canary://canary@x"},
    ],
)
def test_a_limit_that_cannot_be_read_does_not_start(make: Make, changes: dict[str, str]) -> None:
    with pytest.raises(WrongSetting, match="LUMBAR_RATE_LIMIT") as error:
        make(Settings(**changes))  # type: ignore[arg-type]
    assert "canary" not in str(error.value)


# CORS

ORIGIN = "https://ehr.example"
PAGES = Settings(cors_origins=frozenset({ORIGIN, "http://localhost:3000"}), api_keys=KEYS)
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


def _cors(response: Any) -> set[str]:
    return {name for name in dict(response.headers) if name.startswith("Access-Control")}


def test_without_origins_no_header_speaks_of_them(client: FlaskClient) -> None:
    for response in (
        client.get(LOOK, headers={"Origin": ORIGIN}),
        client.options(PATH, headers={"Origin": ORIGIN, **PREFLIGHT}),
    ):
        assert _cors(response) == set()
        assert "Origin" not in response.headers.get("Vary", "")


def test_a_preflight_of_a_listed_origin_is_answered_without_a_credential(make: Make) -> None:
    response = make(PAGES).options(PATH, headers={"Origin": ORIGIN, **PREFLIGHT})
    assert (response.status_code, response.get_data()) == (204, b"")
    assert "Content-Type" not in response.headers
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST"
    allowed = {name.strip().lower() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "x-api-key"} <= allowed
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://ehr.example",
        "https://ehr.example:444",
        "https://ehr.example.evil.example",
        "https://sub.ehr.example",
        "https://EHR.example",
        "https://ehr.example/",
        "null",
        "*",
        "",
        None,
    ],
)
def test_an_origin_that_is_not_listed_letter_by_letter_gets_nothing(make: Make, origin: str | None) -> None:
    client, headers = make(PAGES), {} if origin is None else {"Origin": origin}
    for response in (
        client.options(PATH, headers={**headers, **PREFLIGHT}),
        client.get(LOOK, headers={**headers, "X-API-Key": "key-a"}),
    ):
        assert response.status_code in (200, 204)
        assert _cors(response) == set()
        assert response.headers["Vary"] == "Origin", "a cache keeps the answers apart all the same"


def test_a_listed_origin_can_read_answers_and_refusals(make: Make) -> None:
    client = make(PAGES)
    for key, status in (("key-a", 200), ("nobodys", 401)):
        response = client.get(LOOK, headers={"Origin": ORIGIN, "X-API-Key": key})
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]


def test_a_preflight_does_not_use_up_the_limit_and_a_refusal_by_it_can_be_read(make: Make) -> None:
    client = make(replace(THREE, cors_origins=PAGES.cors_origins))
    for _ in range(9):
        assert client.options(PATH, headers={"Origin": ORIGIN, **PREFLIGHT}).status_code == 204
    assert _statuses(client, 3) == [200] * 3
    response = client.get(LOOK, headers={"Origin": ORIGIN})
    assert response.status_code == 429
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_every_request_leaves_a_client_for_others_to_read_even_one_that_ends_early(make: Make) -> None:
    with make(PAGES) as client:
        client.options(PATH, headers={"Origin": ORIGIN, **PREFLIGHT})
        assert g.client is None
        client.get("/nowhere")
        assert g.client is None
        client.get("/healthz")
        assert g.client == ANONYMOUS


def test_options_that_are_no_preflight_need_a_credential(make: Make) -> None:
    assert make(PAGES).options(PATH, headers={"Origin": ORIGIN}).status_code == 401
