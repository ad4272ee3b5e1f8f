"""JWT bearer tokens: signed by an issuer that was named, for us, now, and not seen before."""

from __future__ import annotations

import hashlib
import heapq
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from joserfc import jws
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jwt import JWTClaimsRegistry

from service import jwks
from service.settings import SCOPES, Settings

ALGORITHMS = ("ES384", "RS384")
"""Pinned: no key decides what it is used for, and neither `none` nor a shared secret is among them."""
LEEWAY = 10
"""Seconds by which two clocks may differ."""
MAX_CHARACTERS = 8_000
REMEMBERED = 100_000
_MAX_ID = 256
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
"""A tenant as it may stand in a log: the name of an organisation, not of a person, and nothing to escape."""


class BadToken(Exception):
    """A token that lets nobody in; `reason` is one of the few that a client is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


MALFORMED = "the credential cannot be read"
INVALID = "the credential is not valid here"
EXPIRED = "the token has expired"
REPLAYED = "the token was used before; each one serves once"


class Token(NamedTuple):
    """Who sent a token, and what it may do."""

    issuer: str
    scopes: frozenset[str]
    tenant: str | None = None


class Source(Protocol):
    """Where the keys of one issuer come from."""

    def find(self, kid: str, algorithm: str) -> ECKey | RSAKey | None:
        """The key, or None."""


class _Registry(jws.JWSRegistry):
    """Room for a header that names a jku, which some senders write and nobody here follows."""

    max_header_length = 2048


class Verifier:
    """Reads tokens; one for each process, for it remembers which it has seen."""

    def __init__(
        self,
        settings: Settings,
        fetch: jwks.Fetch = jwks.fetch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._sources: dict[str, Source] = {
            issuer: jwks.FetchedKeys(where, fetch) if "://" in where else jwks.FileKeys(where)
            for issuer, where in settings.issuers.items()
        }
        self._registry = _Registry(algorithms=ALGORITHMS, strict_check_header=False)
        self._seen = Seen()

    def read(self, text: str, endpoint: str | None = None) -> Token:
        """Who sent a token.

        Args:
            text: the token.
            endpoint: the exact URL that its `aud` must name; None where the audiences of the settings do.

        Raises:
            BadToken: nobody who may ask.
            NoKeys: the keys of its issuer cannot be had now.
        """
        if len(text) > MAX_CHARACTERS:
            raise BadToken(MALFORMED)
        try:
            signed = jws.extract_compact(text.encode("ascii"), registry=self._registry)
            header, claims = signed.headers(), json.loads(signed.payload or b"")
            key = self._key(header, claims)
            genuine = jws.validate_compact(signed, key, ALGORITHMS, self._registry)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadToken(INVALID if isinstance(error, JoseError) else MALFORMED) from None
        if not genuine:
            raise BadToken(INVALID)
        return self._accept(claims, sorted(self._settings.audiences) if endpoint is None else [endpoint])

    def _key(self, header: Mapping[str, Any], claims: Any) -> ECKey | RSAKey:
        """The key that the token names, of the issuer that it names; nothing of it is believed yet."""
        issuer = claims.get("iss") if isinstance(claims, dict) else None
        kid, algorithm = header.get("kid"), header.get("alg")
        # No extension is understood here, so that whatever is critical is one too many (also b64, RFC 7797).
        if "crit" in header or algorithm not in ALGORITHMS or not isinstance(kid, str) or not isinstance(issuer, str):
            raise BadToken(INVALID)
        source = self._sources.get(issuer)
        key = source.find(kid, algorithm) if source else None
        if key is None:
            raise BadToken(INVALID)
        return key

    def _accept(self, claims: dict[str, Any], audiences: list[str]) -> Token:
        """The claims of a genuine token, held against the settings."""
        now = self._clock()
        registry = JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY,
            iss={"essential": True},
            aud={"essential": True, "values": audiences},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )
        try:
            registry.validate(claims)
            lifetime = claims["exp"] - claims["iat"]
        except ExpiredTokenError:
            raise BadToken(EXPIRED) from None
        except (JoseError, OverflowError):  # an integer beyond every float, less a float
            raise BadToken(INVALID) from None
        longest = self._settings.issuer_lifetimes.get(claims["iss"], self._settings.token_lifetime)
        if not 0 < lifetime <= longest or not 0 < len(claims["jti"]) <= _MAX_ID:
            raise BadToken(INVALID)
        scopes, tenant = self._scopes(claims), claims.get("tenant")
        if tenant is not None and not (isinstance(tenant, str) and _TENANT.fullmatch(tenant)):
            raise BadToken(INVALID)
        if not self._seen.first(claims["iss"], claims["jti"], claims["exp"] + LEEWAY, now):
            raise BadToken(REPLAYED)
        return Token(claims["iss"], scopes, tenant)

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """Scopes that are ours; those of others may stand beside them."""
        if "scope" not in claims:
            return self._settings.token_scopes
        if not isinstance(claims["scope"], str):
            raise BadToken(INVALID)
        return frozenset(claims["scope"].split(" ")) & {*SCOPES}


class Seen:
    """The tokens of this process that have not yet expired, by a digest; when full, what expires first is forgotten."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._ids: set[bytes] = set()
        self._queue: list[tuple[float, bytes]] = []
        self._lock = threading.Lock()

    def first(self, issuer: str, token: str, until: float, now: float) -> bool:
        """Whether a token is seen for the first time; it is remembered until it expires."""
        digest = hashlib.sha256(json.dumps([issuer, token]).encode()).digest()[:16]
        with self._lock:
            while self._queue and self._queue[0][0] < now:
                self._forget()
            if digest in self._ids:
                return False
            if len(self._queue) >= self._most:
                self._forget()
            self._ids.add(digest)
            heapq.heappush(self._queue, (until, digest))
            return True

    def _forget(self) -> None:
        self._ids.discard(heapq.heappop(self._queue)[1])
