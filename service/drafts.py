"""Entries on their way onto the ladder: a treatment, its status, and why the status was lowered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.knowledge import Treatment

ORDER = ("recommended", "consider", "caution", "not_yet", "excluded", "not_recommended")
"""Statuses, the best first; an entry only ever moves down."""
PROPOSED = ORDER[:3]


@dataclass
class Draft:
    """An entry on its way onto the ladder."""

    treatment: Treatment
    status: str
    checks: list[str]
    until: str | None = None
    lowered: list[str] = field(default_factory=list)
    safety: list[dict[str, Any]] = field(default_factory=list)
    together: list[dict[str, Any]] = field(default_factory=list)
    barred_by: list[str] = field(default_factory=list)
    """Labels of entries that stand before it and that a rule forbids beside it."""

    @property
    def proposed(self) -> bool:
        """Whether it may be given: recommended, to be considered, or with caution."""
        return self.status in PROPOSED

    def lower(self, status: str, reason: str) -> None:
        """Take the entry down, never up; say why."""
        if ORDER.index(status) > ORDER.index(self.status):
            self.status = status
        if reason not in self.lowered:
            self.lowered.append(reason)

    @property
    def place(self) -> tuple[int, int, str]:
        """Proposed before not, then low rungs before high, then the order of the evidence file."""
        return ORDER.index(self.status), self.treatment.rung, self.treatment.row
