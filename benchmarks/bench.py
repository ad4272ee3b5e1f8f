"""Speed as ratios taken in one run, the two sides in turn: `make bench`, or one part: `python -m benchmarks.bench engine`.

Absolute times depend on the machine; the ratios are what to quote. How to read it: docs/speed.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping

from benchmarks import engines, request
from benchmarks.rounds import Row, table

PARTS: Mapping[str, Callable[[engines.Bench], Iterator[Row]]] = {
    "engine": engines.rows,
    "steps": lambda bench: request.rows(bench.knowledge, bench.engine),
}


def main(wanted: list[str]) -> int:
    """Print one table."""
    bench = engines.Bench()
    print(engines.facts(bench))
    found = [row for name, part in PARTS.items() if not wanted or name in wanted for row in part(bench)]
    print(table(found))
    return int(any(row.faulty for row in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
