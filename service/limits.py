"""How often one client may ask: by its name, and by its address where it has none. Off until a limit is set."""

from __future__ import annotations

import ipaddress
import logging
import time

from flask import Flask, Response, g, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import parse_many
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from service import auth, problems
from service.settings import ANONYMOUS, Settings, WrongSetting

_PATIENCE: dict[str, str | int] = {"socket_connect_timeout": 1, "socket_timeout": 1}
"""Seconds that a request waits for Redis before its own process counts instead."""


def register(app: Flask, settings: Settings) -> None:
    """Count each request and refuse those beyond the limit with 429 and Retry-After.

    Raises:
        WrongSetting: the limit or its storage cannot be read.
    """
    if not settings.rate_limit:
        return
    _check(settings)
    limiter = Limiter(
        client,
        app=app,
        application_limits=[settings.rate_limit],
        storage_uri=settings.rate_limit_storage,
        storage_options=_PATIENCE if settings.rate_limit_storage.startswith("redis") else {},
        key_prefix="lumbar",
        in_memory_fallback=[settings.rate_limit],  # a Redis that is gone takes no assessment with it
        application_limits_exempt_when=auth.is_open,
    )
    limiter.logger.setLevel(logging.WARNING)  # below it the address of whoever is refused would be logged

    @app.errorhandler(RateLimitExceeded)
    def refused(_: RateLimitExceeded) -> Response:
        answer = problems.problem(429, f"more than {settings.rate_limit}; wait as long as Retry-After says")
        current = limiter.current_limit
        wait = current.reset_at - int(time.time()) if current else 1
        answer.headers["Retry-After"] = str(max(1, wait))
        return answer


def client() -> str:
    """Whose requests are counted together."""
    if g.client not in (None, ANONYMOUS):
        return f"client:{g.client}"
    return f"address:{neighbourhood(request.remote_addr or '')}"


def neighbourhood(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, of which one subscriber has every one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address) or found.ipv4_mapped:
        return str(getattr(found, "ipv4_mapped", None) or found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def _check(settings: Settings) -> None:
    try:
        parse_many(settings.rate_limit)
        storage_from_string(settings.rate_limit_storage)
    except (ValueError, ConfigurationError):
        # The cause is left out: it could hold the password of the storage.
        raise WrongSetting(
            "LUMBAR_RATE_LIMIT is written '600 per minute', LUMBAR_RATE_LIMIT_STORAGE memory:// or redis://host:6379"
        ) from None
