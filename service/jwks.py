"""The public keys of an issuer: from a file, or fetched from its one https URL and kept."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64decode

from service.settings import WrongSetting

Keys = Mapping[tuple[str, str], ECKey | RSAKey]
"""(kid, algorithm) -> public key."""
Fetch = Callable[[str], bytes]

MAX_BYTES = 256 * 1024
BUDGET = 2.0
"""Seconds that one fetch may take from name look-up to last byte."""
COOL_DOWN = 60.0
"""Seconds between two fetches, whatever tokens ask for."""
FRESH = 600.0
"""Seconds after which keys are fetched anew, so that a withdrawn key stops working."""
STALE = 86_400.0
"""Seconds for which keys that cannot be renewed still serve."""
_MIN_RSA_BITS = 2048
_log = logging.getLogger("lumbar.auth")


class NoKeys(Exception):
    """The keys of an issuer cannot be had now."""


def parse(text: bytes) -> Keys:
    """The signing keys of a JWKS that ES384 or RS384 can use; all others are left out.

    Raises:
        ValueError: not a JWKS, a private key in it, or one kid for two keys.
    """
    try:
        entries = json.loads(text)["keys"]
        keys: dict[tuple[str, str], ECKey | RSAKey] = {}
        for entry in entries:
            found = _usable(entry)
            if found is None:
                continue
            if found[0] in keys:
                raise ValueError("one kid stands for two keys")
            keys[found[0]] = found[1]
    except (TypeError, KeyError, AttributeError, RecursionError, JoseError) as error:
        raise ValueError("not a JSON Web Key Set") from error
    return keys


def _usable(entry: Mapping[str, Any]) -> tuple[tuple[str, str], ECKey | RSAKey] | None:
    kid = entry.get("kid")
    kind = (entry.get("kty"), entry.get("crv"))
    algorithm = "ES384" if kind == ("EC", "P-384") else "RS384" if kind[0] == "RSA" else None
    if algorithm is None or not isinstance(kid, str) or entry.get("alg", algorithm) != algorithm:
        return None
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return None
    if "d" in entry:
        raise ValueError("a private key stands in it")
    public = {name: entry[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in entry}
    if algorithm == "ES384":
        return (kid, algorithm), ECKey.import_key(public)
    if int.from_bytes(urlsafe_b64decode(str(public["n"]).encode())).bit_length() < _MIN_RSA_BITS:
        return None
    return (kid, algorithm), RSAKey.import_key(public)


class FileKeys:
    """Keys of a file, read once."""

    def __init__(self, file: str) -> None:
        try:
            self._keys = parse(Path(file).read_bytes())
        except (OSError, ValueError) as error:
            raise WrongSetting(f"the JWKS file {file} cannot be used: {error}") from error
        if not self._keys:
            raise WrongSetting(f"the JWKS file {file} holds no key with a kid for ES384 or RS384 (RSA from 2048 bits)")

    def find(self, kid: str, algorithm: str) -> ECKey | RSAKey | None:
        """The key, or None."""
        return self._keys.get((kid, algorithm))


class FetchedKeys:
    """Keys of a URL: fetched when first needed, when old, or for a new kid; then a while not at all."""

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._fetch, self._clock = url, fetch, clock
        self._keys: Keys = {}
        self._fetched = self._tried = float("-inf")
        self._lock = threading.Lock()

    def find(self, kid: str, algorithm: str) -> ECKey | RSAKey | None:
        """The key, or None.

        Raises:
            NoKeys: none were ever fetched, or the last are too old.
        """
        with self._lock:
            now = self._clock()
            wanted = now - self._fetched >= FRESH or (kid, algorithm) not in self._keys
            if wanted and now - self._tried >= COOL_DOWN:
                self._renew(now)
            if now - self._fetched >= STALE:
                raise NoKeys
            return self._keys.get((kid, algorithm))

    def _renew(self, now: float) -> None:
        self._tried = now
        try:
            self._keys = parse(self._fetch(self._url))
        except (OSError, ValueError, HTTPException) as error:
            # The host is the operator's own setting; what the server said stays out of the log.
            _log.warning("keys of %s not renewed: %s", urlsplit(self._url).hostname, type(error).__name__)
        else:
            self._fetched = now


def public(address: str) -> bool:
    """Whether an address is one of the open internet, also behind the ways in which IPv6 wraps an IPv4 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        wrapped = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if not wrapped and found in ipaddress.ip_network("64:ff9b::/96"):
            wrapped = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if wrapped:
            return wrapped.is_global and not wrapped.is_multicast
    return found.is_global and not found.is_multicast


class _Pinned(HTTPSConnection):
    """A connection to an address that was looked at before; the certificate is still that of the name."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, allowed: Callable[[str], bool]) -> None:
        super().__init__(host, port, context=context, timeout=BUDGET)
        self._tls, self._allowed = context, allowed
        self._line: socket.socket | None = None

    def connect(self) -> None:
        addresses = [str(found[4][0]) for found in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)]
        if not addresses or not all(map(self._allowed, addresses)):
            raise OSError("not a public address")
        for address in addresses:
            try:
                self.sock = self._line = socket.create_connection((address, self.port), timeout=self.timeout)
                break
            except OSError:
                if address == addresses[-1]:
                    raise
        self.sock = self._line = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def hang_up(self) -> None:
        """End whatever another thread reads here; http.client itself lets go of the socket once an answer begins."""
        if self._line is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)


def fetch(
    url: str,
    context: ssl.SSLContext | None = None,
    allowed: Callable[[str], bool] = public,
    budget: float = BUDGET,
) -> bytes:
    """The body of an https URL: public addresses only, no proxy, no redirect, within size and time.

    Raises:
        OSError, ValueError, HTTPException: it could not be had.
    """
    parts = urlsplit(url)
    connection = _Pinned(str(parts.hostname), parts.port or 443, context or ssl.create_default_context(), allowed)
    result: list[bytes | Exception] = []

    def work() -> None:
        try:
            result.append(_body(connection, parts.path or "/", parts.query))
        except Exception as error:  # handed to the caller, who knows what a fetch may raise
            result.append(error)
        finally:
            connection.close()

    # A time-out of a socket is one for each read; only a thread that is not waited for bounds the whole.
    thread = threading.Thread(target=work, name="jwks", daemon=True)
    thread.start()
    thread.join(budget)
    if not result:
        connection.hang_up()
        raise TimeoutError
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def _body(connection: HTTPSConnection, path: str, query: str) -> bytes:
    target = f"{path}?{query}" if query else path
    connection.request("GET", target, headers={"Accept": "application/json", "Connection": "close"})
    with connection.getresponse() as response:
        if response.status != 200:
            raise ValueError("not 200")
        body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ValueError("too long")
    return body
