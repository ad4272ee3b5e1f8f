"""Who gets in: named clients with an API key or a signed token, each with scopes; open on loopback only."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from typing import Any, NamedTuple

from flask import Flask, Response, g, request

from service import jwks, problems
from service.settings import ANONYMOUS, SCOPES, Settings
from service.tokens import INVALID, MALFORMED, BadToken, Verifier

OPEN = ("/healthz", "/readyz", "/docs", "/docs/style.css", "/openapi.json", "/fhir/R4/metadata", "/", "/console/<file>")
"""Routes that need no credential: the probes of an orchestrator have none, and the contract is public. The capability
statement is the contract in the words of FHIR: a client reads there which credential it needs. The console is only a
page; what it asks of /v1 needs one."""
NEEDS = (
    ("/metrics", "metrics"),
    ("/v1/assessments", "assess"),
    ("/fhir/R4/$assess", "assess"),
    ("/cds-services", "assess"),
    ("/fhir", "knowledge"),
    ("/v1", "knowledge"),
)
"""Path, and everything below it -> the scope that it needs; the first that fits."""
HOOKS = "/cds-services"
"""Below it a token is made for one endpoint only (CDS Hooks)."""
OTHERWISE = "knowledge"
"""What a path needs that stands in neither table, so that a new route is closed until it is named."""

MISSING = "a credential is needed: Authorization: Bearer, or X-API-Key"
TWO = "one credential is needed, not two"
KEYS_OUT_OF_REACH = "the keys of the token's issuer cannot be had now; try again"


class Client(NamedTuple):
    """Whoever asks: a name that is fit for a log and a metric, and what it may do."""

    name: str
    scopes: frozenset[str]
    tenant: str | None = None


class Unprotected(Exception):
    """Others than this machine could ask, and nothing asks who they are."""


def register(app: Flask, settings: Settings, verifier: Verifier | None = None) -> None:
    """Learn before each request who asks (`flask.g.client`, a name or None), and let in who may.

    Two steps, so that a limit registered in between counts those who are about to be turned away.
    """
    reader = verifier or Verifier(settings)

    @app.before_request
    def identify() -> None:
        g.client, g.scopes, g.turned_away, g.tenant = ANONYMOUS, frozenset(SCOPES), None, None
        if settings.closed and not is_open():
            g.client, g.scopes = None, frozenset()
            try:
                found = _client(settings, reader)
                g.client, g.scopes, g.tenant = found
            except BadToken as error:
                g.turned_away = _unauthorized(error.reason)
            except jwks.NoKeys:
                g.turned_away = problems.problem(503, KEYS_OUT_OF_REACH)
                g.turned_away.headers["Retry-After"] = str(int(jwks.COOL_DOWN))


def enforce(app: Flask) -> None:
    """The second step: turn away who is not known, and who may not do this."""

    @app.before_request
    def admit() -> Response | None:
        if is_open() or g.turned_away is not None:
            return g.turned_away  # type: ignore[no-any-return]
        scope = needed(_path())
        return None if scope in g.scopes else _forbidden(scope)


def is_open() -> bool:
    """Whether the present request needs no credential."""
    return _path() in OPEN


def needed(path: str) -> str:
    """The scope that a path needs."""
    return next((scope for root, scope in NEEDS if path == root or path.startswith(f"{root}/")), OTHERWISE)


def _path() -> str:
    """The path of the route that will answer; where there is none, the path as sent."""
    return request.url_rule.rule if request.url_rule else request.path


def _client(settings: Settings, verifier: Verifier) -> Client:
    """Who sent the credential of this request."""
    bearer, key = request.headers.get("Authorization"), request.headers.get("X-API-Key")
    if bearer is None and key is None:
        raise BadToken(MISSING)
    if bearer is not None and key is not None:
        raise BadToken(TWO)
    credential = key.strip() if key is not None else _bearer(bearer or "")
    if not credential or not credential.isascii():
        raise BadToken(MALFORMED)
    if key is None and credential.count(".") == 2 and settings.issuers:
        return Client(*verifier.read(credential, _endpoint(settings)))
    return known_key(credential, settings)


def _endpoint(settings: Settings) -> str | None:
    """The URL that a token for CDS Hooks must name; None on other paths, and where nobody said what the URL is."""
    hooks = request.path == HOOKS or request.path.startswith(f"{HOOKS}/")
    return f"{settings.public_url}{request.path}" if hooks and settings.public_url else None


def _bearer(header: str) -> str:
    kind, _, credential = header.strip().partition(" ")
    if kind.lower() != "bearer":
        raise BadToken(MALFORMED)
    return credential.strip()


def known_key(key: str, settings: Settings) -> Client:
    """The client that a key belongs to.

    Keys are 256 random bits, so that no dictionary and no salt comes into it: SHA-256 is enough. Every line is
    compared, in constant time, so that the time tells nothing.

    Raises:
        BadToken: nobody's key.
    """
    digest = hashlib.sha256(key.encode()).hexdigest()
    found = [line for line in settings.api_keys if hmac.compare_digest(line.sha256, digest)]
    if not found:
        raise BadToken(INVALID)
    return Client(found[0].client, found[0].scopes)


def _unauthorized(reason: str) -> Response:
    """401; without a credential the challenge holds no error (RFC 6750)."""
    answer = problems.problem(401, reason)
    error = "" if reason == MISSING else f', error="invalid_token", error_description="{reason}"'
    answer.headers["WWW-Authenticate"] = f'Bearer realm="lumbar"{error}'
    return answer


def _forbidden(scope: str) -> Response:
    answer = problems.problem(403, f"this needs the scope {scope}, which the credential does not have")
    answer.headers["WWW-Authenticate"] = f'Bearer realm="lumbar", error="insufficient_scope", scope="{scope}"'
    return answer


def guard(addresses: Iterable[Any], settings: Settings) -> None:
    """Whether the service may listen at these addresses, given as gunicorn or a socket gives them.

    Raises:
        Unprotected: one of them can be reached from elsewhere, and the service is open.
    """
    if settings.closed or settings.anonymous:
        return
    exposed = [address for address in addresses if not _loopback(address)]
    if exposed:
        raise Unprotected(
            f"refusing to listen on {exposed[0]}: nothing says who may ask. Set LUMBAR_API_KEYS "
            "(python -m service.auth new-key) or LUMBAR_JWT_ISSUERS, listen on 127.0.0.1, or let everyone in by "
            "LUMBAR_ANONYMOUS=yes (docs/configuration.md)"
        )


def _loopback(address: Any) -> bool:
    """An address of this machine only; a name other than localhost, and a socket handed in by number, may be any."""
    if isinstance(address, str | bytes):
        return True  # the path of a Unix socket
    if not isinstance(address, tuple) or not isinstance(address[0], str):
        return False
    host = address[0].partition("%")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
