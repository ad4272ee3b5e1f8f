"""CDS Hooks: who may call. A token names one endpoint, lives as long as its issuer may, serves once (J1 to J12)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import auth, create_app, tokens
from service.jwks import COOL_DOWN, FetchedKeys
from service.settings import Settings, WrongSetting
from service.tokens import Verifier
from tests.credentials import EC, ISSUER, KEYS, NOW, RSA, STRANGER, b64, claims, jwk, token
from tests.hooks import body, refused

BASE = "https://lumbar.example"
SLOW = "https://slow-ehr.example"
PATHS = ("/cds-services", "/cds-services/lumbar-patient-view", "/cds-services/lumbar-patient-view/feedback")
CHOSEN = Settings(
    issuers={ISSUER: "https://ehr.example/jwks", SLOW: "https://slow-ehr.example/jwks"},
    audiences=frozenset({BASE}),
    token_scopes=frozenset({"assess"}),
    public_url=BASE,
    issuer_lifetimes={SLOW: 900},
)
FEEDBACK = {
    "feedback": [
        {
            "card": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "outcome": "overridden",
            "outcomeTimestamp": "2026-11-21T10:00:00Z",
        }
    ]
}


class Clock:
    """A clock that tests set, and a count of what was fetched."""

    def __init__(self) -> None:
        self.now, self.fetched, self.used = float(NOW), [], 0

    def fetch(self, url: str) -> bytes:
        """The keys of either issuer."""
        self.fetched.append(url)
        return KEYS

    def fresh(self, **changes: Any) -> dict[str, Any]:
        """Claims as EHRs send them (no scope), each with an id of its own."""
        self.used += 1
        return claims(**{"jti": f"token-{self.used}", "scope": None, **changes})

    fetched: list[str]


@pytest.fixture(scope="module")
def clock() -> Clock:
    """The clock of the service under test."""
    return Clock()


@pytest.fixture(scope="module")
def closed(knowledge: Knowledge, engine: Engine, clock: Clock) -> Flask:
    """A service that EHRs reach with tokens only."""
    verifier = Verifier(CHOSEN, clock.fetch, lambda: clock.now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "Verifier", lambda _: verifier)
        return create_app(knowledge, engine, CHOSEN)


@pytest.fixture
def ehr(closed: Flask, clock: Clock) -> FlaskClient:
    """A client of that service; the clock set back."""
    clock.now = float(NOW)
    return closed.test_client()


def _ask(client: FlaskClient, path: str, credential: str | None) -> Any:
    headers = {"Authorization": f"Bearer {credential}"} if credential is not None else {}
    if path == "/cds-services":
        return client.get(path, headers=headers)
    return client.post(path, json=FEEDBACK if path.endswith("feedback") else body(), headers=headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", [EC, RSA], ids=["ES384", "RS384"])
def test_a_token_for_the_endpoint_lets_in_once_at_each_route(
    ehr: FlaskClient, clock: Clock, path: str, key: Any
) -> None:
    refused(_ask(ehr, path, None), 401)
    for audience in (f"{BASE}{path}", [f"{BASE}{path}", "https://other.example"]):
        sent = token(clock.fresh(aud=audience), key)
        assert _ask(ehr, path, sent).status_code == 200
        assert "used before" in refused(_ask(ehr, path, sent), 401)


def _wrong(clock: Clock, aud: str) -> dict[str, str]:
    """Tokens that let nobody in, by check."""

    def fresh(**changes: Any) -> dict[str, Any]:
        return clock.fresh(**{"aud": aud, **changes})

    head = b64(json.dumps({"alg": "none", "kid": "ec", "typ": "JWT"}).encode())
    return {
        "J1 none": f"{head}.{b64(json.dumps(fresh()).encode())}.",
        "J1 shared secret": token(fresh(), b"secret", alg="HS384", kid="ec"),
        "J1 public key as secret": token(fresh(), json.dumps(jwk(EC, "ec")).encode(), alg="HS384", kid="ec"),
        "J2 not listed": token(fresh(), RSA, alg="RS256"),
        "J2 alg of another key": token(fresh(), EC, alg="RS384"),
        "J3 unknown kid": token(fresh(), EC, kid="who"),
        "J3 no kid": token(fresh(), EC, kid=None),
        "J4 issuer": token(fresh(iss="https://evil.example")),
        "J4 key of a stranger": token(fresh(), STRANGER, jku="https://evil.example/jwks", jwk=jwk(STRANGER, "ec")),
        "J5 base": token(fresh(aud=BASE)),
        "J5 another service": token(fresh(aud=f"{BASE}/cds-services/lumbar-order-sign")),
        "J5 http": token(fresh(aud=aud.replace("https", "http"))),
        "J5 trailing slash": token(fresh(aud=f"{aud}/")),
        "J5 longer": token(fresh(aud=f"{aud}x")),
        "J5 another host": token(fresh(aud=aud.replace("lumbar.example", "lumbar.example.evil"))),
        "J6 expired": token(fresh(iat=NOW - 400, exp=NOW - 11)),
        "J6 issued in future": token(fresh(iat=NOW + 11, exp=NOW + 200)),
        "J6 not yet": token(fresh(nbf=NOW + 11)),
        "J8 critical": token(fresh(), crit=["x"], x=1),
        "J9 too long": token(fresh(iat=NOW, exp=NOW + 301)),
        "J9 negative": token(fresh(iat=NOW + 5, exp=NOW - 5)),
        **{f"J10 no {name}": token(fresh(**{name: None})) for name in ("iss", "aud", "exp", "iat", "jti")},
        "J11 long": token(fresh(padding="x" * 8_192)),
        "J12 tenant of two lines": token(fresh(tenant="a\nb")),
        "J12 tenant that is none": token(fresh(tenant={"id": 1})),
        "J12 endless tenant": token(fresh(tenant="x" * 129)),
    }


@pytest.mark.parametrize("check", sorted(_wrong(Clock(), f"{BASE}{PATHS[1]}")))
def test_j1_to_j12_a_token_that_is_not_in_order_lets_nobody_in(ehr: FlaskClient, clock: Clock, check: str) -> None:
    path = PATHS[1]
    response = _ask(ehr, path, _wrong(clock, f"{BASE}{path}")[check])
    refused(response, 401)
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="lumbar"')


def test_j3_j4_no_token_makes_the_service_fetch_more_than_once_a_minute(clock: Clock) -> None:
    """And never from an address that a token names."""
    ticks = [0.0]
    keys = FetchedKeys("https://ehr.example/jwks", clock.fetch, lambda: ticks[0])
    before = len(clock.fetched)
    for number in range(50):
        ticks[0] = number * COOL_DOWN / 50
        assert keys.find(f"kid-{number}", "ES384") is None
    assert len(clock.fetched) - before == 1
    assert {*clock.fetched} <= {*CHOSEN.issuers.values()}


def test_j6_clocks_may_differ_by_ten_seconds(ehr: FlaskClient, clock: Clock) -> None:
    aud = f"{BASE}{PATHS[1]}"
    for changes in ({"iat": NOW - 200, "exp": NOW - 9}, {"iat": NOW + 9, "exp": NOW + 200}, {"nbf": NOW + 9}):
        assert _ask(ehr, PATHS[1], token(clock.fresh(aud=aud, **changes))).status_code == 200


def test_j7_a_token_that_was_used_serves_no_other_route(ehr: FlaskClient, clock: Clock) -> None:
    sent = token(clock.fresh(aud=[f"{BASE}{path}" for path in PATHS]))
    assert [_ask(ehr, path, sent).status_code for path in PATHS] == [200, 401, 401]


def test_j9_an_issuer_may_have_a_lifetime_of_its_own(ehr: FlaskClient, clock: Clock) -> None:
    aud = f"{BASE}{PATHS[1]}"

    def status(issuer: str, seconds: int) -> int:
        sent = token(clock.fresh(aud=aud, iss=issuer, iat=NOW, exp=NOW + seconds))
        return int(_ask(ehr, PATHS[1], sent).status_code)

    assert [status(SLOW, 900), status(SLOW, 901), status(ISSUER, 300), status(ISSUER, 301)] == [200, 401, 200, 401]


def test_j12_the_tenant_is_in_the_log_and_in_no_metric(
    ehr: FlaskClient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lumbar")
    aud = f"{BASE}{PATHS[1]}"
    assert _ask(ehr, PATHS[1], token(clock.fresh(aud=aud, tenant="clinic-7"))).status_code == 200
    assert "clinic-7" in caplog.text
    caplog.clear()
    assert _ask(ehr, PATHS[1], token(clock.fresh(aud=aud))).status_code == 200
    assert "tenant" not in caplog.text


def test_a_token_for_a_service_is_none_for_the_other_routes_and_the_reverse(ehr: FlaskClient, clock: Clock) -> None:
    there = token(clock.fresh(aud=f"{BASE}{PATHS[1]}"))
    assert ehr.post("/v1/assessments", json={}, headers={"Authorization": f"Bearer {there}"}).status_code == 401
    here = token(clock.fresh(aud=BASE))
    assert ehr.post("/v1/assessments", json={}, headers={"Authorization": f"Bearer {here}"}).status_code == 422
    refused(_ask(ehr, PATHS[1], token(clock.fresh(aud=BASE))), 401)


def test_a_scope_that_does_not_cover_it_is_refused(ehr: FlaskClient, clock: Clock) -> None:
    for path in PATHS:
        sent = token(clock.fresh(aud=f"{BASE}{path}", scope="knowledge"))
        assert "assess" in refused(_ask(ehr, path, sent), 403)
    assert {auth.needed(path) for path in PATHS} == {"assess"}


def test_without_a_public_url_the_audiences_of_the_settings_hold(clock: Clock) -> None:
    chosen = Settings(issuers=CHOSEN.issuers, audiences=frozenset({f"{BASE}{PATHS[1]}"}))
    verifier = Verifier(chosen, clock.fetch, lambda: float(NOW))
    assert verifier.read(token(clock.fresh(aud=f"{BASE}{PATHS[1]}"))).issuer == ISSUER
    with pytest.raises(tokens.BadToken):
        verifier.read(token(clock.fresh(aud=BASE)))


# Settings


def test_lifetimes_and_addresses_are_read_from_the_environment() -> None:
    read = Settings.read(
        {
            "LUMBAR_JWT_ISSUERS": f"{ISSUER}=https://ehr.example/jwks {SLOW}=https://slow-ehr.example/jwks",
            "LUMBAR_JWT_AUDIENCES": BASE,
            "LUMBAR_JWT_LIFETIME": f"200 {SLOW}=900",
            "LUMBAR_PUBLIC_URL": f"{BASE}/",
            "LUMBAR_CONSOLE_URL": f"{BASE}/console",
        }
    )
    assert (read.token_lifetime, read.issuer_lifetimes) == (200, {SLOW: 900})
    assert (read.public_url, read.console_url) == (BASE, f"{BASE}/console")


@pytest.mark.parametrize(
    "environ",
    [
        {"LUMBAR_JWT_LIFETIME": "https://nobody.example=900"},
        {"LUMBAR_JWT_LIFETIME": f"{ISSUER}=forever"},
        *(
            {name: value}
            for name in ("LUMBAR_PUBLIC_URL", "LUMBAR_CONSOLE_URL")
            for value in (
                "http://lumbar.example",
                "lumbar.example",
                "https://",
                "https://user@lumbar.example",
                "https://lumbar.example/?patient=1",
                "https://lumbar.example/#x",
                'https://lumbar.example/"><b>',
                "https://lumbar.example/ x",
                "https://[",
            )
        ),
    ],
)
def test_a_setting_that_cannot_be_used_does_not_start(environ: dict[str, str]) -> None:
    with pytest.raises(WrongSetting):
        Settings.read(environ)
