"""The keys of an issuer: which are used, when they are fetched, and what a fetch never does."""

from __future__ import annotations

import datetime
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from service import jwks as keys_of
from service.jwks import COOL_DOWN, FRESH, STALE, FetchedKeys, NoKeys, fetch, parse, public
from service.settings import Settings, WrongSetting
from service.tokens import Verifier
from tests.credentials import AUDIENCE, EC, ISSUER, KEYS, NOW, RSA, STRANGER, claims, jwk, jwks, token

URL = "https://ehr.example/jwks"


def test_only_keys_that_can_sign_es384_or_rs384_are_used() -> None:
    small = rsa.generate_private_key(65537, 1024)
    found = parse(
        jwks(
            jwk(EC, "ec"),
            jwk(RSA, "rsa", use="sig", alg="RS384", key_ops=["verify"]),
            jwk(ec.generate_private_key(ec.SECP256R1()), "p256"),
            jwk(small, "small"),
            jwk(RSA, "for encryption", use="enc"),
            jwk(RSA, "for RS256", alg="RS256"),
            jwk(RSA, "for signing", key_ops=["sign"]),
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
            {"kty": "new", "kid": "ec"},
            {name: value for name, value in jwk(EC, "").items() if name != "kid"},
        )
    )
    assert {*found} == {("ec", "ES384"), ("rsa", "RS384")}
    assert parse(jwks()) == {}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"keys": 1}',
        b'{"keys": [1]}',
        b'{"keys": {"a": 1}}',
        b"\xff",
        b"[" * 100_000,
        jwks(jwk(EC, "ec"), jwk(STRANGER, "ec")),
        jwks({**jwk(EC, "ec"), "d": "AAAA"}),
        jwks({**jwk(EC, "ec"), "x": "AAAA"}),
        jwks({**jwk(EC, "ec"), "x": 7}),
        jwks({"kty": "RSA", "kid": "rsa"}),
        jwks({"kty": "RSA", "kid": "rsa", "n": "!", "e": "AQAB"}),
        jwks({**jwk(RSA, "rsa"), "e": ""}),
        jwks({**jwk(RSA, "rsa"), "key_ops": 7}),
    ],
)
def test_what_is_no_set_of_public_keys_is_refused_whole(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_a_file_is_read_when_the_service_starts(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    chosen = Settings(issuers={ISSUER: str(file)}, audiences=frozenset({AUDIENCE}))
    for wrong in (None, b"{}", jwks(), jwks({**jwk(EC, "ec"), "d": "AAAA"})):
        if wrong is not None:
            file.write_bytes(wrong)
        with pytest.raises(WrongSetting, match="JWKS file"):
            Verifier(chosen)
    file.write_bytes(KEYS)
    verifier = Verifier(chosen, clock=lambda: NOW)
    file.unlink()
    assert verifier.read(token(claims())).issuer == ISSUER


class Remote:
    """A JWKS elsewhere, with a clock: what it gives, and when it was asked."""

    def __init__(self, given: bytes | Exception) -> None:
        self.given, self.now, self.asked = given, 1_000.0, list[float]()
        self.keys = FetchedKeys(URL, self._fetch, lambda: self.now)

    def _fetch(self, url: str) -> bytes:
        assert url == URL
        self.asked.append(self.now)
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def has(self, kid: str, after: float = 0.0) -> bool:
        self.now += after
        return self.keys.find(kid, "ES384") is not None


def test_keys_are_fetched_when_first_needed_and_then_kept() -> None:
    remote = Remote(KEYS)
    assert remote.asked == []
    assert remote.has("ec")
    assert all(remote.has("ec", after=1) for _ in range(500))
    assert remote.asked == [1_000]


def test_an_unknown_kid_asks_again_but_no_more_than_once_in_a_cool_down() -> None:
    remote = Remote(jwks(jwk(STRANGER, "old")))
    assert remote.has("old")
    assert not any(remote.has(f"made-up-{number}", after=0.1) for number in range(400))
    assert remote.asked == [1_000], "40 seconds"
    remote.given = KEYS
    assert remote.has("ec", after=COOL_DOWN)
    assert not remote.has("old")
    assert len(remote.asked) == 2


def test_a_key_that_was_withdrawn_stops_working_after_a_while() -> None:
    remote = Remote(KEYS)
    assert remote.has("ec")
    remote.given = jwks(jwk(STRANGER, "new"))
    assert remote.has("ec", after=FRESH - 1)
    assert not remote.has("ec", after=1)


@pytest.mark.parametrize("fault", [OSError(), TimeoutError(), ValueError("not 200"), b"{}"])
def test_keys_that_cannot_be_renewed_still_serve_for_a_day_and_then_no_more(fault: Any) -> None:
    remote = Remote(KEYS)
    assert remote.has("ec")
    remote.given = fault
    assert remote.has("ec", after=FRESH)
    assert remote.has("ec", after=STALE - FRESH - 1)
    with pytest.raises(NoKeys):
        remote.has("ec", after=1)
    remote.given = KEYS
    assert remote.has("ec", after=COOL_DOWN)


def test_a_server_that_is_down_is_not_asked_with_every_token() -> None:
    remote = Remote(OSError())
    for _ in range(10):
        with pytest.raises(NoKeys):
            remote.has("ec", after=1)
    assert len(remote.asked) == 1


def test_what_a_server_said_does_not_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NoKeys):
        Remote(ValueError("canary")).has("ec")
    assert "keys of ehr.example not renewed: ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_threads_that_need_keys_at_once_all_get_them_by_one_fetch() -> None:
    asked: list[str] = []

    def slow(url: str) -> bytes:
        asked.append(url)
        time.sleep(0.1)
        return KEYS

    keys, found = FetchedKeys(URL, slow), list[bool]()
    threads = [threading.Thread(target=lambda: found.append(keys.find("ec", "ES384") is not None)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20
    assert asked == [URL]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2001:db8::1",
    ],
)
def test_an_address_that_is_not_of_the_open_internet_is_known_as_such(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", ["9.9.9.9", "1.1.1.1", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::909:909"])
def test_a_public_address_is_known_as_such(address: str) -> None:
    assert public(address)


# Over the wire


class Handler(BaseHTTPRequestHandler):
    """One path for each thing that a server may do."""

    def do_GET(self) -> None:
        Handler.asked.append(self.path)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/jwks")
            self.end_headers()
        elif self.path == "/error":
            self.send_error(500)
        elif self.path == "/long":
            self._send(b" " * (keys_of.MAX_BYTES + 1))
        elif self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self._send(KEYS)

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    asked: list[str] = []  # noqa: RUF012


class QuietServer(ThreadingHTTPServer):
    """A server that says nothing of clients that hang up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ssl.SSLContext]]:
    """An https server on this machine, and what trusts its certificate, which is that of localhost."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + pem)
    server = QuietServer(("127.0.0.1", 0), Handler)
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(file)
    server.socket = inside.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}", ssl.create_default_context(cadata=pem.decode())
    server.shutdown()
    server.server_close()


def _anywhere(_: str) -> bool:
    return True


def test_keys_come_over_https_and_a_token_is_read_with_them(remote: tuple[str, ssl.SSLContext]) -> None:
    address, trusted = remote
    chosen = Settings(issuers={ISSUER: f"{address}/jwks?a=1"}, audiences=frozenset({AUDIENCE}))
    verifier = Verifier(chosen, lambda url: fetch(url, trusted, _anywhere), lambda: NOW)
    assert verifier.read(token(claims())).issuer == ISSUER
    assert Handler.asked[-1] == "/jwks?a=1"


@pytest.mark.parametrize("path", ["/redirect", "/error", "/long"])
def test_a_redirect_an_error_and_a_long_body_give_no_keys(remote: tuple[str, ssl.SSLContext], path: str) -> None:
    address, trusted = remote
    before = len(Handler.asked)
    with pytest.raises(ValueError):
        fetch(address + path, trusted, _anywhere)
    assert Handler.asked[before:] == [path], "nothing was followed"


def test_a_slow_server_is_given_up_on(remote: tuple[str, ssl.SSLContext]) -> None:
    """Each byte comes in time; only the whole is late."""
    address, trusted = remote
    with pytest.raises(TimeoutError):
        fetch(f"{address}/slow", trusted, _anywhere, budget=0.3)
    for thread in [thread for thread in threading.enumerate() if thread.name == "jwks"]:
        thread.join(1)
        assert not thread.is_alive(), "the thread ends with its connection"


def test_a_private_address_is_not_even_called(remote: tuple[str, ssl.SSLContext]) -> None:
    address, trusted = remote
    before = len(Handler.asked)
    for url in (f"{address}/jwks", address.replace("localhost", "127.0.0.1") + "/jwks"):
        with pytest.raises(OSError, match="not a public address"):
            fetch(url, trusted)
    assert len(Handler.asked) == before


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("9.9.9.9", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(OSError, match="not a public address"):
        fetch("https://ehr.example/jwks")


def test_a_certificate_of_nobody_or_of_another_name_gives_no_keys(remote: tuple[str, ssl.SSLContext]) -> None:
    address, trusted = remote
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch(f"{address}/jwks", None, _anywhere)
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch(address.replace("localhost", "127.0.0.1") + "/jwks", trusted, _anywhere)


def test_a_port_on_which_nobody_listens_gives_no_keys() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        fetch(f"https://127.0.0.1:{port}/", None, _anywhere)
