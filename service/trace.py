"""Request ids, and the W3C trace context: what is taken in from a header, and what is sent back."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"  # key, or tenant@system
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
MAX_STATE = 512
MAX_MEMBERS = 32


@dataclass(frozen=True)
class Trace:
    """The trace that a request belongs to, and the span of this service in it."""

    id: str
    parent: str
    """The traceparent to hand on: the same trace, a span of our own."""
    state: str | None


def request_id(sent: str | None) -> str:
    """The id that was sent, if it is a plain token; else a new one."""
    return sent if sent and REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)


def read(parent: str | None, state: str | None) -> Trace | None:
    """The trace context of a request; None when there is none that is valid."""
    found = _PARENT.fullmatch(parent or "")
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    own = secrets.token_hex(8)
    # Of the flags we know two: sampled, and random trace id.
    return Trace(trace, f"00-{trace}-{own}-{int(flags, 16) & 3:02x}", _state(state))


def _state(sent: str | None) -> str | None:
    """A tracestate as it was sent, when all of it is valid."""
    if not sent or len(sent) > MAX_STATE:
        return None
    members = [member for part in sent.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    good = all(map(_MEMBER.fullmatch, members)) and len(keys) == len(members)
    return ",".join(members) if members and good and len(members) <= MAX_MEMBERS else None
