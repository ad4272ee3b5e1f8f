"""Errors as OperationOutcome (FHIR R4): the shape that they have below the paths of FHIR and of CDS Hooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ROOTS = ("/fhir", "/cds-services")
"""Below these paths every error is an OperationOutcome, elsewhere problem+json (service/problems.py)."""
MEDIA_TYPE = "application/fhir+json"

_ISSUE_TYPES = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    408: "timeout",
    409: "conflict",
    412: "required",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    503: "transient",
}
"""HTTP status -> code of http://hl7.org/fhir/issue-type."""


def speaks(path: str) -> bool:
    """Whether errors of a path are OperationOutcomes."""
    return any(path == root or path.startswith(f"{root}/") for root in ROOTS)


def outcome(
    status: int, detail: str, *, expressions: Iterable[str] = (), errors: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The OperationOutcome of a request that failed.

    Args:
        status: HTTP status, from which severity and code follow.
        detail: what happened, and the mend; nothing of the content that was sent.
        expressions: FHIRPath of each place in what was sent that the detail is about.
        errors: further places as problem+json has them (pointer, detail), one issue each.
    """
    severity = "fatal" if status >= 500 else "error"
    code = _ISSUE_TYPES.get(status, "exception" if status >= 500 else "processing")
    issues = [issue(severity, code, detail, expressions)]
    issues += [issue(severity, code, f"{each['pointer']}: {each['detail']}") for each in errors]
    return {"resourceType": "OperationOutcome", "issue": issues}


def issue(severity: str, code: str, detail: str, expressions: Iterable[str] = ()) -> dict[str, Any]:
    """One issue; a place is left out where there is none."""
    found: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": detail}
    if places := [*expressions]:
        found["expression"] = places
    return found
