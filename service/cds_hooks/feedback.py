"""Feedback on cards: counted once each, by service, outcome and coded reason. No comment is read, let alone kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from schemas.cards import Service
from schemas.cds_hooks import Feedback
from service.tokens import Seen

_SCHEMA = Feedback()
REMEMBERED = 86_400.0
"""Seconds for which the same feedback again is known to be the same."""
NONE, OTHER = "none", "other"
"""Reasons as they are counted: none was given, or one that no card of ours offers."""


class Counter:
    """Tells first feedback from repeated; one for each process, so that two workers may count the same one twice."""

    def __init__(self, reasons: Collection[tuple[str, str]]) -> None:
        self._reasons, self._seen = frozenset(reasons), Seen()

    def read(self, body: Mapping[str, Any], service: Service, now: float) -> list[tuple[str, str]]:
        """The outcome and reason of each card that is told for the first time.

        Raises:
            ValidationError: feedback that breaks the specification.
        """
        return [*self._first(_SCHEMA.load(body)["feedback"], service, now)]

    def _first(self, entries: list[dict[str, Any]], service: Service, now: float) -> Iterator[tuple[str, str]]:
        for entry in entries:
            told = f"{service.id}:{entry['card'].lower()}:{entry['outcome']}"
            if self._seen.first("feedback", told, now + REMEMBERED, now):
                yield entry["outcome"], self._reason(entry)

    def _reason(self, entry: Mapping[str, Any]) -> str:
        reason = entry.get("overrideReason", {}).get("reason")
        if not reason:
            return NONE
        return reason["code"] if (reason.get("system", ""), reason["code"]) in self._reasons else OTHER
