"""Two sides measured in turn, many short rounds: medians, quartiles, and the rows that are printed.

The sides go A B, B A, A B, ... so that a busy machine slows both alike; a ratio is taken pair by pair.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from benchmarks.bars import BARS

FEWEST, MOST = 5, 25
SECONDS = 5
Side = Callable[[], float]
"""Does one round and says how long it took."""


class Spread(NamedTuple):
    """The median of some rounds, with the quartiles around it."""

    median: float
    low: float
    high: float


class Paired(NamedTuple):
    """Two sides, and first / second pair by pair."""

    first: Spread
    second: Spread
    ratio: Spread


class Row(NamedTuple):
    """One line of the table. `first` and `second` are the two sides of a ratio, in `unit`."""

    part: str
    name: str
    value: Spread | None
    unit: str = "ratio"
    sides: tuple[Spread, Spread] | None = None
    sides_unit: str = ""
    note: str = ""
    faulty: bool = False
    """The two sides do not do the same: there is nothing to compare, and the run fails."""

    @property
    def reached(self) -> bool | None:
        """Whether the bar of this row is kept to; None without a bar or a value."""
        bar = BARS.get(self.name)
        return None if bar is None or self.value is None else bar.reached(self.value.median)

    def as_json(self) -> dict[str, Any]:
        """For results.json."""
        bar = BARS.get(self.name)
        sides = [list(side) for side in self.sides] if self.sides else None
        return {
            "part": self.part,
            "row": self.name,
            "unit": self.unit,
            "median": self.value.median if self.value else None,
            "quartiles": list(self.value[1:]) if self.value else None,
            "sides": {"unit": self.sides_unit, "median_and_quartiles": sides} if sides else None,
            "bar": str(bar) if bar else None,
            "reached": self.reached,
            "note": self.note or None,
        }


def spread(values: Iterable[float]) -> Spread:
    """Median and quartiles."""
    found = sorted(values)
    if len(found) == 1:
        return Spread(found[0], found[0], found[0])
    low, median, high = statistics.quantiles(found, n=4, method="inclusive")
    return Spread(median, low, high)


def paired(first: Side, second: Side, seconds: float = SECONDS) -> Paired:
    """Measure two sides in turn for so many seconds, after one round of each that does not count."""
    first(), second()
    gc.collect()
    gc.freeze()  # what earlier rows left in memory is not searched through again and again while this one is timed
    pairs: list[tuple[float, float]] = []
    until = time.monotonic() + seconds
    while len(pairs) < FEWEST or (len(pairs) < MOST and time.monotonic() < until):
        if len(pairs) % 2:
            later, sooner = second(), first()
            pairs.append((sooner, later))
        else:
            pairs.append((first(), second()))
    gc.unfreeze()
    return Paired(spread(a for a, _ in pairs), spread(b for _, b in pairs), spread(a / b for a, b in pairs))


def clocked(work: Callable[[], object], count: int = 1) -> Side:
    """A side that says the microseconds of processor time of this process, of each of so many things it does.

    Processor time, not the clock on the wall: what others do on this machine is no part of it.
    """

    def run() -> float:
        start = time.process_time_ns()
        work()
        return (time.process_time_ns() - start) / 1000 / count

    return run


def ratio_row(part: str, name: str, measured: Paired, unit: str = "us", note: str = "") -> Row:
    """A row of two sides."""
    return Row(part, name, measured.ratio, "ratio", (measured.first, measured.second), unit, note)


def missing(part: str, name: str, why: str) -> Row:
    """A row that could not be measured."""
    return Row(part, name, None, note=f"not measured: {why}")


def fault(part: str, name: str, why: str) -> Row:
    """A row whose sides do not agree."""
    return Row(part, name, None, note=f"NOT COMPARABLE: {why}", faulty=True)


def table(rows: Sequence[Row]) -> str:
    """All rows as one table, in Markdown."""
    lines = ["| part | row | median | quartiles | sides | bar | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        unit = "" if row.unit == "ratio" else f" {row.unit}"
        median = f"{_short(row.value.median)}{unit}" if row.value else "-"
        quartiles = f"{_short(row.value.low)} to {_short(row.value.high)}" if row.value else ""
        sides = " : ".join(_short(side.median) for side in row.sides) + f" {row.sides_unit}" if row.sides else ""
        said = {True: "reached", False: "NOT REACHED", None: ""}[row.reached]
        words = "; ".join(text for text in (said, row.note) if text)
        bar = str(BARS.get(row.name, ""))
        lines.append(f"| {row.part} | {row.name} | {median} | {quartiles} | {sides} | {bar} | {words} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
