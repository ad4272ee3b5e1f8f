"""Who gets in: settings, API keys, scopes, tokens, and where the service may listen."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, g
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.answer import Problem
from service import auth, create_app
from service.auth.__main__ import main
from service.contract import EXAMPLE
from service.jwks import NoKeys
from service.settings import ANONYMOUS, ApiKey, Settings, WrongSetting
from service.tokens import EXPIRED, INVALID, MALFORMED, REPLAYED, BadToken, Seen, Token, Verifier
from tests.credentials import (
    AUDIENCE,
    EC,
    ISSUER,
    KEYS,
    NOW,
    RSA,
    STRANGER,
    TOKENS,
    api_key,
    b64,
    claims,
    jwk,
    jwks,
    token,
)
from tests.presentations import PATH

ROOT = Path(__file__).parent.parent
HASH = "a" * 64
EVERY = Settings(
    api_keys=(
        api_key("ehr", "key-of-ehr", "assess", "knowledge"),
        api_key("ehr", "next-key-of-ehr", "assess"),
        api_key("reader", "key-of-reader", "knowledge"),
        api_key("prometheus", "key-of-prometheus", "metrics"),
    )
)


OPEN = {
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/docs/style.css",
    "/fhir/R4/metadata",
    "/",
    "/console/style.css",
}
FHIR = {"/fhir/R4/$assess", "/fhir/R4/Questionnaire/lumbar-intake"}


@pytest.fixture(scope="module")
def closed(knowledge: Knowledge, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The whole service with four keys and one issuer of tokens."""
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_bytes(KEYS)
    app = create_app(
        knowledge,
        engine,
        dataclasses.replace(EVERY, issuers={ISSUER: str(file)}, audiences=frozenset({AUDIENCE})),
    )
    app.add_url_rule("/metrics", "metrics", lambda: {"client": g.client})
    return app


@pytest.fixture(scope="module")
def asking(closed: Flask) -> FlaskClient:
    """A client of that service."""
    return closed.test_client()


def _bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def _refused(response: Any, status: int) -> str:
    """The reason of a refusal, after the checks that hold for all of them."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    found = response.get_json()
    assert Problem().validate(found) == {}
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="lumbar"')
    return str(found["detail"])


# Settings


def test_every_setting_is_read_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# clients\nb:{HASH}:metrics # scraper\n\n", encoding="utf-8")
    found = Settings.read(
        {
            "LUMBAR_API_KEYS": f"a:{HASH}:assess,knowledge",
            "LUMBAR_API_KEYS_FILE": str(file),
            "LUMBAR_JWT_ISSUERS": "https://a.example=https://a.example/jwks?x=1 b=keys.json",
            "LUMBAR_JWT_AUDIENCES": "x y",
            "LUMBAR_JWT_SCOPES": "assess",
            "LUMBAR_JWT_LIFETIME": "60",
            "LUMBAR_CORS_ORIGINS": "https://a.example http://localhost:3000",
            "LUMBAR_RATE_LIMIT": "600 per minute",
            "LUMBAR_RATE_LIMIT_STORAGE": "redis://:secret@cache:6379",
        }
    )
    assert found == Settings(
        api_keys=(
            ApiKey("a", HASH, frozenset({"assess", "knowledge"})),
            ApiKey("b", HASH, frozenset({"metrics"})),
        ),
        issuers={"https://a.example": "https://a.example/jwks?x=1", "b": "keys.json"},
        audiences=frozenset({"x", "y"}),
        token_scopes=frozenset({"assess"}),
        token_lifetime=60,
        cors_origins=frozenset({"https://a.example", "http://localhost:3000"}),
        rate_limit="600 per minute",
        rate_limit_storage="redis://:secret@cache:6379",
    )
    assert "secret" not in repr(found)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.anonymous = True  # type: ignore[misc]


def test_an_empty_environment_is_open_and_one_with_a_key_or_an_issuer_is_closed() -> None:
    assert Settings.read({}) == Settings()
    assert Settings.read({"LUMBAR_API_KEYS": "", "LUMBAR_ANONYMOUS": "no"}) == Settings()
    assert not Settings().closed
    assert EVERY.closed
    assert TOKENS.closed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LUMBAR_ANONYMOUS", value) for value in ("true", "1", "YES", " yes")),
        *(
            ("LUMBAR_API_KEYS", value)
            for value in (
                "hunter2",
                f"a:{HASH}",
                f"a:{HASH}:",
                f"a:{HASH}:assess,",
                f"a:{HASH}:all",
                f"a:{HASH[1:]}:assess",
                f"a:{HASH.upper()}:assess",
                f"a/b:{HASH}:assess",
                f":{HASH}:assess",
                f"anonymous:{HASH}:assess",
                f"{'a' * 65}:{HASH}:assess",
            )
        ),
        ("LUMBAR_API_KEYS_FILE", "no/such/file"),
        *(
            ("LUMBAR_JWT_ISSUERS", value)
            for value in (
                "https://a.example",
                "=keys.json",
                "a=",
                "a=x a=y",
                "a=http://a.example/jwks",
                "a=file:///keys.json",
                "a=https://u:p@a.example/jwks",
                "a=https:///jwks",
                "a=https://a.example/jwks#x",
                "a=https://a.example:99999/jwks",
                "a=https://[::1/jwks",
            )
        ),
        ("LUMBAR_JWT_SCOPES", "everything"),
        *(("LUMBAR_JWT_LIFETIME", value) for value in ("0", "-1", "1.5", "86401", "٣", "9" * 5000)),
        *(
            ("LUMBAR_CORS_ORIGINS", value)
            for value in ("*", "null", "https://*.a.example", "https://a.example/", "a.example", "HTTPS://a.example")
        ),
    ],
)
def test_a_setting_that_cannot_be_used_does_not_start_and_is_named_but_not_shown(name: str, value: str) -> None:
    with pytest.raises(WrongSetting) as error:
        Settings.read({name: value, "LUMBAR_JWT_AUDIENCES": "x"})
    assert "hunter2" not in str(error.value)
    assert HASH not in str(error.value)


def test_settings_that_contradict_each_other_do_not_start() -> None:
    with pytest.raises(WrongSetting, match="choose one"):
        Settings.read({"LUMBAR_ANONYMOUS": "yes", "LUMBAR_API_KEYS": f"a:{HASH}:assess"})
    with pytest.raises(WrongSetting, match="AUDIENCES"):
        Settings.read({"LUMBAR_JWT_ISSUERS": "a=keys.json"})


def test_the_environment_is_read_when_no_settings_are_handed_in(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMBAR_API_KEYS", f"a:{HASH}:assess")
    assert create_app(knowledge, engine).test_client().get("/v1/knowledge").status_code == 401
    monkeypatch.setenv("LUMBAR_API_KEYS", "nonsense")
    with pytest.raises(WrongSetting):
        create_app(knowledge, engine)


class Watched(dict[str, str]):
    """An environment that knows which of its variables were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return default


def test_every_variable_that_is_read_is_documented_with_its_meaning() -> None:
    environ = Watched()
    Settings.read(environ)
    assert len(environ.asked) == 12
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert {name for name in environ.asked if f"\n| `{name}` | " not in page} == set()


def test_the_keys_of_the_documents_are_lines_that_can_be_read() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"LUMBAR_API_KEYS='([^']+)'", readme)
    assert found == ["ehr:<sha256>:assess,knowledge"]
    assert Settings.read({"LUMBAR_API_KEYS": found[0].replace("<sha256>", HASH)}).closed


# Where it may listen

ELSEWHERE = [
    ("0.0.0.0", 8000),
    ("10.0.0.7", 8000),
    ("", 8000),
    ("::", 8000, 0, 0),
    ("::ffff:10.0.0.7", 8000, 0, 0),
    ("128.0.0.1", 1),
    ("lumbar.example", 8000),
    ("localhost.example", 8000),
    3,
]
HERE = [
    ("127.0.0.1", 8000),
    ("127.255.3.4", 8000),
    ("::1", 8000, 0, 0),
    ("::ffff:127.0.0.1", 8000, 0, 0),
    ("localhost", 8000),
    "lumbar.sock",
    b"\0lumbar",
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_open_service_listens_nowhere_but_on_this_machine(address: Any) -> None:
    with pytest.raises(auth.Unprotected, match="LUMBAR_ANONYMOUS=yes"):
        auth.guard([address], Settings())
    with pytest.raises(auth.Unprotected):
        auth.guard([*HERE, address], Settings())
    for enough in (EVERY, TOKENS, Settings(anonymous=True)):
        auth.guard([address], enough)


@pytest.mark.parametrize("address", HERE)
def test_on_this_machine_an_open_service_may_listen(address: Any) -> None:
    auth.guard([address], Settings())


def _gunicorn(bind: str, *more: str, **environ: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gunicorn", "--bind", bind, *more, "flask:Flask('x')"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ)


@pytest.mark.parametrize("more", [(), ("--reuse-port",)])
def test_gunicorn_stops_before_its_first_worker_when_it_is_open_to_others(more: tuple[str, ...]) -> None:
    process = _gunicorn("0.0.0.0:0", *more)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "lumbar: refusing to listen on" in said
    assert "Booting worker" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("bind", "environ"),
    [
        ("127.0.0.1:0", {}),
        ("0.0.0.0:0", {"LUMBAR_ANONYMOUS": "yes"}),
        ("0.0.0.0:0", {"LUMBAR_API_KEYS": f"a:{HASH}:assess"}),
    ],
)
def test_gunicorn_starts_on_loopback_and_elsewhere_when_told_who_may_ask(bind: str, environ: dict[str, str]) -> None:
    process = _gunicorn(bind, **environ)
    assert process.stdout
    try:
        said = ""
        while "Booting worker" not in said and (line := process.stdout.readline()):
            said += line
        assert "Booting worker" in said
    finally:
        process.terminate()
        process.communicate(timeout=60)


# API keys


def test_a_new_key_is_shown_once_and_its_line_lets_its_client_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-key", "ehr-north", "assess", "metrics"]) == 0
    _, key, _, line = capsys.readouterr().out.splitlines()
    assert key.startswith("lumbar_")
    assert len(key) == len("lumbar_") + 43, "256 bits"
    assert key not in line
    settings = Settings.read({"LUMBAR_API_KEYS": line})
    assert auth.known_key(key, settings) == auth.Client("ehr-north", frozenset({"assess", "metrics"}))
    assert settings.api_keys[0].sha256 == hashlib.sha256(key.encode()).hexdigest()
    main(["new-key", "ehr-north", "assess"])
    assert key not in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["new-key"], ["new-key", "a"], ["new-key", "a", "root"], ["new-key", "a b", "assess"]]
)
def test_a_key_without_name_or_known_scope_is_not_made(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "lumbar_" not in capsys.readouterr().out


def test_the_command_of_the_documents_runs_without_a_warning() -> None:
    command = [sys.executable, "-W", "error", "-m", "service.auth", "new-key", "ehr", "assess"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("lumbar_") == 1
    assert done.stderr == ""


@pytest.mark.parametrize("headers", [{"X-API-Key": "key-of-ehr"}, _bearer("key-of-ehr"), _bearer("next-key-of-ehr")])
def test_a_key_lets_its_client_in_by_either_header(asking: FlaskClient, headers: dict[str, str]) -> None:
    assert asking.post(PATH, json=EXAMPLE, headers=headers).status_code == 200


def test_a_key_gives_the_same_answer_as_none_where_none_is_needed(asking: FlaskClient, client: FlaskClient) -> None:
    whole = asking.post(PATH, json=EXAMPLE, headers=_bearer("key-of-ehr")).get_data()
    assert whole == client.post(PATH, json=EXAMPLE).get_data()


def test_the_name_of_the_client_is_there_for_others_to_read(closed: Flask, app: Flask) -> None:
    def name(of: Flask, path: str, **headers: str) -> object:
        with of.test_client() as asking:
            asking.get(path, headers=headers)
            return g.client

    assert name(closed, "/v1/knowledge", **{"X-API-Key": "key-of-reader"}) == "reader"
    assert name(closed, "/v1/knowledge", Authorization=f"Bearer {token(claims(time.time(), jti='name'))}") == ISSUER
    assert name(closed, "/v1/knowledge") is None
    assert name(app, "/v1/knowledge") == ANONYMOUS


# Scopes

ALLOWED = {
    "key-of-ehr": {"assess", "knowledge"},
    "next-key-of-ehr": {"assess"},
    "key-of-reader": {"knowledge"},
    "key-of-prometheus": {"metrics"},
}


@pytest.mark.parametrize("key", ALLOWED)
@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", PATH, "assess"),
        ("POST", f"{PATH}/", "assess"),
        ("GET", "/v1/knowledge", "knowledge"),
        ("GET", "/v1/findings", "knowledge"),
        ("GET", "/v1/findings/fever", "knowledge"),
        ("HEAD", "/v1/findings/fever", "knowledge"),
        ("GET", "/metrics", "metrics"),
    ],
)
def test_a_key_opens_what_its_scopes_name(asking: FlaskClient, key: str, method: str, path: str, scope: str) -> None:
    body = EXAMPLE if method == "POST" else None
    response = asking.open(path, method=method, json=body, headers={"X-API-Key": key})
    if scope in ALLOWED[key]:
        assert response.status_code == 200
    else:
        assert response.status_code == 403
        assert f'error="insufficient_scope", scope="{scope}"' in response.headers["WWW-Authenticate"]
        if method != "HEAD":
            assert scope in _refused(response, 403)


HOOKS = ("/cds-services", "/cds-services/findings", "/cds-services/findings/feedback")


def test_every_route_but_the_open_ones_needs_a_credential(closed: Flask, asking: FlaskClient) -> None:
    seen = set()
    for rule in closed.url_map.iter_rules():
        path = rule.rule.replace("<entry>", "x")
        path = path.replace("<service>", "findings").replace("<file>", "style.css")
        path = path.replace(path[path.find("<") : path.rfind(">") + 1], "findings") if "<" in path else path
        for method in (rule.methods or set()) - {"HEAD"}:
            response = asking.open(path, method=method)
            if path in OPEN:
                assert response.status_code == 200
            else:
                assert response.status_code == 401, (method, path)
            seen.add(path)
    assert {PATH, "/v1/knowledge", "/v1/findings", "/v1/findings/x", "/metrics", *FHIR, *HOOKS, *OPEN} == seen


@pytest.mark.parametrize(
    "path", ["/nowhere", "/console", "/v2/assessments", "/healthz/x", "/readyzz", "//v1/knowledge", "/V1/x"]
)
def test_a_path_that_nobody_named_is_closed(asking: FlaskClient, path: str) -> None:
    _refused(asking.get(path), 401)
    _refused(asking.get(path, headers={"X-API-Key": "key-of-prometheus"}), 403)
    assert asking.get(path, headers={"X-API-Key": "key-of-reader"}).status_code == 404


def test_a_path_is_told_by_whole_steps_and_by_the_route_that_answers(asking: FlaskClient) -> None:
    paths = {
        "/metricsx": "knowledge",
        "/v1/assessments2": "knowledge",
        "/v1/assessments/x": "assess",
        "/metrics/x": "metrics",
    }
    assert {path: auth.needed(path) for path in paths} == paths
    assert asking.get("/healthz/").status_code == 200


def test_a_refusal_comes_before_the_body_is_looked_at(asking: FlaskClient) -> None:
    _refused(asking.post(PATH, data=b"{", content_type="text/plain"), 401)
    _refused(asking.post(PATH, data=b" " * 300_000, content_type="application/json"), 401)


def test_without_a_credential_the_challenge_holds_no_error(asking: FlaskClient) -> None:
    response = asking.get("/v1/knowledge")
    assert _refused(response, 401) == auth.MISSING
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="lumbar"'


WRONG_HEADERS: list[tuple[dict[str, str], str]] = [
    ({"X-API-Key": "nobodys-key"}, INVALID),
    (_bearer("nobodys-key"), INVALID),
    (_bearer(EVERY.api_keys[0].sha256), INVALID),
    (_bearer("a.b"), INVALID),
    ({"X-API-Key": ""}, MALFORMED),
    ({"X-API-Key": "   "}, MALFORMED),
    ({"X-API-Key": "ключ".encode().decode("latin-1")}, MALFORMED),
    ({"Authorization": ""}, MALFORMED),
    ({"Authorization": "Bearer"}, MALFORMED),
    ({"Authorization": "Bearer "}, MALFORMED),
    ({"Authorization": "key-of-ehr"}, MALFORMED),
    ({"Authorization": "Basic a2V5LW9mLWVocjo="}, MALFORMED),
    ({"Authorization": "Digest username=x"}, MALFORMED),
    (_bearer("key-of-ehr, Bearer key-of-ehr"), INVALID),
    ({"Authorization": "Bearer key-of-ehr", "X-API-Key": "key-of-ehr"}, auth.TWO),
    (_bearer("a.b.c"), INVALID),
    (_bearer("a" * 9_000), INVALID),
]


@pytest.mark.parametrize(("headers", "reason"), WRONG_HEADERS)
def test_a_credential_that_is_not_one_is_refused(asking: FlaskClient, headers: dict[str, str], reason: str) -> None:
    response = asking.get("/v1/knowledge", headers=headers)
    found = _refused(response, 401)
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert found == reason
    assert "ehr" not in response.get_data(as_text=True)


_TOKEN = token(claims())
_GARBAGE = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=200),
    st.builds("Bearer {}".format, st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=200)),
    st.builds(lambda parts: "Bearer " + ".".join(map(b64, parts)), st.lists(st.binary(max_size=60), max_size=5)),
    st.builds(
        lambda head, body: f"Bearer {b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}.AAAA",
        st.dictionaries(
            st.sampled_from(["alg", "kid", "crit", "typ", "b64", "jku", "x"]),
            st.one_of(
                st.sampled_from(["ES384", "RS384", "none", "HS384", "ec", "rsa"]),
                st.integers(),
                st.none(),
                st.lists(st.text()),
            ),
        ),
        st.one_of(
            st.integers(),
            st.none(),
            st.lists(st.text()),
            st.dictionaries(
                st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "jti", "scope"]),
                st.one_of(st.just(ISSUER), st.floats(), st.integers(), st.lists(st.none()), st.booleans()),
            ),
        ),
    ),
    st.builds(
        lambda at, letter: "Bearer " + _TOKEN[:at] + letter + _TOKEN[at + 1 :],
        st.integers(0, len(_TOKEN) - 1),
        st.sampled_from("AZaz09-_.=+/ "),
    ),
)


@settings(max_examples=400, deadline=None)
@given(_GARBAGE)
def test_whatever_stands_in_the_header_it_is_refused_and_nothing_breaks(asking: FlaskClient, header: str) -> None:
    response = asking.get("/v1/knowledge", headers={"Authorization": header})
    assert response.status_code == 401


@pytest.mark.parametrize("depth", [500, 1_000, 2_900])
def test_a_token_that_is_nested_deep_is_refused(asking: FlaskClient, depth: int) -> None:
    deep = b64(b"[" * depth + b"]" * depth)
    head = token(claims()).partition(".")[0]
    for text in (f"{deep}.e30.AAAA", f"{head}.{deep}.AAAA"):
        _refused(asking.get("/v1/knowledge", headers=_bearer(text)), 401)


# Tokens


def _verifier(now: float = NOW, chosen: Settings = TOKENS, keys: bytes = KEYS) -> Verifier:
    return Verifier(chosen, lambda _: keys, lambda: now)


@pytest.mark.parametrize("key", [EC, RSA], ids=["ES384", "RS384"])
def test_a_token_of_a_named_issuer_lets_it_in_with_the_scopes_that_are_ours(key: Any) -> None:
    assert _verifier().read(token(claims(), key)) == Token(ISSUER, frozenset({"assess", "knowledge"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE, "https://other.example"]},
        {"nbf": None},
        {"nbf": NOW + 5},
        {"iat": NOW + 5},
        {"iat": NOW - 240, "exp": NOW - 5},
        {"iat": NOW + 0.5, "exp": NOW + 200.5},
        {"iat": NOW, "exp": NOW + 300},
        {"sub": "an-ehr", "tenant": "north"},
    ],
)
def test_what_the_standard_allows_is_allowed(changes: dict[str, Any]) -> None:
    assert _verifier().read(token(claims(**changes))).issuer == ISSUER


def test_headers_that_are_only_information_are_passed_over() -> None:
    text = token(claims(), jku="https://evil.example/keys", jwk=jwk(STRANGER, "x"), x="y" * 300)
    assert _verifier().read(text).issuer == ISSUER


_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
_P256 = ec.generate_private_key(ec.SECP256R1())
_NONE = token(claims(), b"", alg="none").rpartition(".")[0] + "."

BAD: dict[str, tuple[Callable[[], str], str]] = {
    "none": (lambda: _NONE, INVALID),
    "None": (lambda: token(claims(), alg="None"), INVALID),
    "no alg": (lambda: token(claims(), alg=None), INVALID),
    "HS384 with the public key": (lambda: token(claims(), _PEM, alg="HS384", kid="rsa"), INVALID),
    "HS384 with the JWK": (lambda: token(claims(), json.dumps(jwk(EC, "ec")).encode(), alg="HS384"), INVALID),
    "RS256": (lambda: token(claims(), RSA, alg="RS256"), INVALID),
    "ES256": (lambda: token(claims(), _P256, alg="ES256"), INVALID),
    "PS384": (lambda: token(claims(), RSA, alg="PS384"), INVALID),
    "RS384 with a key for ES384": (lambda: token(claims(), RSA, kid="ec"), INVALID),
    "ES384 with a key for RS384": (lambda: token(claims(), EC, kid="rsa"), INVALID),
    "a stranger's signature": (lambda: token(claims(), STRANGER), INVALID),
    "a stranger's key in the header": (lambda: token(claims(), STRANGER, jwk=jwk(STRANGER, "ec")), INVALID),
    "no signature": (lambda: token(claims()).rpartition(".")[0] + ".", INVALID),
    "a signature of zeros": (lambda: token(claims()).rpartition(".")[0] + "." + b64(bytes(96)), INVALID),
    "a changed claim": (lambda: _spliced(claims(scope="metrics")), INVALID),
    "no kid": (lambda: token(claims(), kid=None), INVALID),
    "unknown kid": (lambda: token(claims(), kid="other"), INVALID),
    "a number as kid": (lambda: token(claims(), kid=7), INVALID),
    "unknown crit": (lambda: token(claims(), crit=["exp2"], exp2=1), INVALID),
    "crit of b64": (lambda: token(claims(), crit=["b64"], b64=True), INVALID),
    "empty crit": (lambda: token(claims(), crit=[]), INVALID),
    "expired": (lambda: token(claims(iat=NOW - 300, exp=NOW - 10)), EXPIRED),
    "long expired": (lambda: token(claims(now=NOW - 9_000)), EXPIRED),
    "no exp": (lambda: token(claims(exp=None)), INVALID),
    "exp as text": (lambda: token(claims(exp=str(NOW + 60))), INVALID),
    "exp of true": (lambda: token(claims(exp=True)), INVALID),
    "exp of NaN": (lambda: token(claims(exp=float("nan"))), INVALID),
    "exp of Infinity": (lambda: token(claims(exp=float("inf"))), INVALID),
    "exp beyond every float": (lambda: token(claims(exp=10**400, iat=NOW - 0.5)), INVALID),
    "not yet": (lambda: token(claims(nbf=NOW + 60)), INVALID),
    "future iat": (lambda: token(claims(iat=NOW + 60, nbf=None)), INVALID),
    "no iat": (lambda: token(claims(iat=None)), INVALID),
    "lives too long": (lambda: token(claims(exp=NOW + 301)), INVALID),
    "ends before it begins": (lambda: token(claims(iat=NOW + 9, exp=NOW + 5)), INVALID),
    "wrong aud": (lambda: token(claims(aud="https://other.example")), INVALID),
    "part of aud": (lambda: token(claims(aud=AUDIENCE[:-1])), INVALID),
    "more than aud": (lambda: token(claims(aud=AUDIENCE + "/")), INVALID),
    "aud in a map": (lambda: token(claims(aud={AUDIENCE: 1})), INVALID),
    "no aud in the list": (lambda: token(claims(aud=[])), INVALID),
    "no aud": (lambda: token(claims(aud=None)), INVALID),
    "wrong iss": (lambda: token(claims(iss="https://evil.example")), INVALID),
    "part of iss": (lambda: token(claims(iss=ISSUER[:-1])), INVALID),
    "iss in a list": (lambda: token(claims(iss=[ISSUER])), INVALID),
    "no iss": (lambda: token(claims(iss=None)), INVALID),
    "no jti": (lambda: token(claims(jti=None)), INVALID),
    "empty jti": (lambda: token(claims(jti="")), INVALID),
    "a number as jti": (lambda: token(claims(jti=1)), INVALID),
    "a long jti": (lambda: token(claims(jti="j" * 257)), INVALID),
    "scopes in a list": (lambda: token(claims(scope=["assess"])), INVALID),
    "oversized": (lambda: token(claims(more="x" * 8_000)), MALFORMED),
    "a long header": (lambda: token(claims(), x="x" * 2_100), INVALID),
    "claims in a list": (lambda: token([claims()]), INVALID),
    "claims not JSON": (lambda: token(b"{'iss'"), MALFORMED),
    "claims not UTF-8": (lambda: token(b"\xff\xfe{}"), MALFORMED),
    "a list as header": (lambda: b64(b'["alg"]') + ".e30.AAAA", MALFORMED),
    "a text as header": (lambda: b64(b'"alg"') + ".e30.AAAA", MALFORMED),
    "garbage": (lambda: "!.?.#", INVALID),
    "not ASCII": (lambda: "é.é.é", MALFORMED),
    "two parts": (lambda: "a.b", INVALID),
    "five parts": (lambda: "a.b.c.d.e", INVALID),
    "nothing": (lambda: "", INVALID),
}


def _spliced(changed: dict[str, Any]) -> str:
    """The signature of one token under the claims of another."""
    head, _, end = token(claims()).split(".")
    return f"{head}.{b64(json.dumps(changed).encode())}.{end}"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_lets_nobody_in(name: str) -> None:
    make, reason = BAD[name]
    with pytest.raises(BadToken) as error:
        _verifier().read(make())
    assert error.value.reason == reason
    assert error.value.__cause__ is None, "what the library said goes nowhere"


def test_what_a_client_is_told_of_a_token_is_one_of_four_sentences(asking: FlaskClient) -> None:
    told = set()
    for make, _ in BAD.values():
        response = asking.get("/v1/knowledge", headers=_bearer(make().encode().decode("latin-1")))
        told.add(_refused(response, 401))
    assert told <= {INVALID, MALFORMED, EXPIRED, REPLAYED}


def test_a_token_serves_once() -> None:
    verifier, text = _verifier(), token(claims())
    verifier.read(text)
    for again in (text, token(claims(), RSA)):
        with pytest.raises(BadToken) as error:
            verifier.read(again)
        assert error.value.reason == REPLAYED
    assert verifier.read(token(claims(jti="two"))).issuer == ISSUER


def test_a_token_that_is_let_in_by_the_leeway_serves_once_too() -> None:
    now = [float(NOW)]
    verifier = Verifier(TOKENS, lambda _: KEYS, lambda: now[0])
    text = token(claims(iat=NOW - 100, exp=NOW + 1))
    verifier.read(text)
    now[0] += 9
    with pytest.raises(BadToken, match="used before"):
        verifier.read(text)


def test_a_token_that_was_refused_uses_up_nothing() -> None:
    verifier = _verifier()
    with pytest.raises(BadToken):
        verifier.read(token(claims(), STRANGER))
    with pytest.raises(BadToken):
        verifier.read(token(claims(aud="x")))
    assert verifier.read(token(claims())).issuer == ISSUER


def test_the_tokens_of_two_issuers_have_nothing_to_do_with_each_other() -> None:
    chosen = dataclasses.replace(TOKENS, issuers={"a": "https://a.example/k", "b": "https://b.example/k"})
    keys = {"https://a.example/k": jwks(jwk(EC, "ec")), "https://b.example/k": jwks(jwk(STRANGER, "ec"))}
    verifier = Verifier(chosen, keys.__getitem__, lambda: NOW)
    assert verifier.read(token(claims(iss="a"))).issuer == "a"
    assert verifier.read(token(claims(iss="b"), STRANGER)).issuer == "b"
    for issuer, key in (("a", STRANGER), ("b", EC)):
        with pytest.raises(BadToken, match=INVALID):
            verifier.read(token(claims(iss=issuer, jti="x"), key))


def test_a_token_without_scope_may_do_what_the_operator_said_and_nothing_by_default() -> None:
    assert _verifier().read(token(claims(scope=None))).scopes == frozenset()
    chosen = dataclasses.replace(TOKENS, token_scopes=frozenset({"assess"}))
    assert _verifier(chosen=chosen).read(token(claims(scope=None))).scopes == {"assess"}
    assert _verifier(chosen=chosen).read(token(claims(scope=""))).scopes == frozenset()
    assert _verifier(chosen=chosen).read(token(claims(scope="openid system/*.*"))).scopes == frozenset()


def test_what_is_remembered_of_tokens_has_a_bound_and_ends_with_them() -> None:
    seen = Seen(most=3)
    assert all(seen.first("i", str(number), 100 + number, 0) for number in range(3))
    assert not seen.first("i", "0", 100, 0), "a repeat pushes nothing out"
    assert seen.first("i", "3", 110, 0)
    assert seen.first("i", "0", 100, 0), "what expires first was forgotten"
    assert not seen.first("i", "3", 110, 109)
    assert len(seen._ids) == len(seen._queue) <= 3
    assert seen.first("i", "3", 300, 111)
    assert len(seen._ids) == len(seen._queue) == 1
    assert seen.first("i2", "3", 300, 111)


def test_a_token_opens_what_its_scopes_name(asking: FlaskClient) -> None:
    def ask(**changes: Any) -> Any:
        text = token(claims(time.time(), **changes))
        return asking.post(PATH, json=EXAMPLE, headers=_bearer(text))

    assert ask(jti="1").status_code == 200
    assert _refused(ask(jti="1"), 401) == REPLAYED
    _refused(ask(jti="2", scope="knowledge"), 403)
    _refused(ask(jti="3", scope=None), 403)
    assert asking.get("/metrics", headers=_bearer(token(claims(time.time(), jti="4")))).status_code == 403


def test_keys_that_cannot_be_had_are_no_fault_of_the_token() -> None:
    def gone(_: str) -> bytes:
        raise TimeoutError

    app = Flask("x")
    auth.register(app, TOKENS, Verifier(TOKENS, gone))
    auth.enforce(app)
    with pytest.raises(NoKeys):
        Verifier(TOKENS, gone).read(token(claims()))
    response = app.test_client().get("/v1/knowledge", headers=_bearer(token(claims())))
    assert response.status_code == 503
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "60"


def test_nothing_of_a_credential_is_logged(asking: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    text = token(claims(time.time(), jti="canary-jti", sub="canary-sub"))
    for headers in (_bearer(text), _bearer(text), {"X-API-Key": "canary-key"}, _bearer("canary.canary.canary")):
        asking.get("/v1/knowledge", headers=headers)
    assert "canary" not in caplog.text
    assert text.rpartition(".")[2] not in caplog.text
