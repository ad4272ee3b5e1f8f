"""What is to be reached, row by row: the only place for these numbers."""

from __future__ import annotations

from typing import NamedTuple


class Bar(NamedTuple):
    """A limit for the median of a row."""

    limit: float
    at_most: bool = True

    def reached(self, value: float) -> bool:
        """Whether a median keeps to it."""
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.limit:g}"


BARS = {
    "engine / zen-engine": Bar(0.7),
    "engine / CLIPS": Bar(0.3),
    "throughput, full answer / bare route, 8 connections": Bar(0.35, at_most=False),
    "throughput, summary / bare route, 8 connections": Bar(0.5, at_most=False),
    "p99 at half load, full answer / bare route": Bar(5),
    "p99 at half load, summary / bare route": Bar(5),
    "engine, rules x4 / x1": Bar(4.4),
    "assessment, 60 findings / 5": Bar(2.5),
    "CDS Hooks call of 30 resources less 1 ms / native request": Bar(2),
    "FHIR $assess of 30 resources less 1 ms / native request": Bar(2),
    "cold start to the first answer": Bar(2),
}
"""Name of a row -> its bar."""
