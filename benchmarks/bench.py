"""Speed as ratios taken in one run, the two sides in turn: `make bench`; one part: `python -m benchmarks.bench engine`.

Absolute times depend on the machine; the ratios are what to quote. How to read it: docs/speed.md. The whole run writes
results.json; a part only prints. The exit code is 1 when two sides do not do the same, not when a bar is missed.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from benchmarks import charts, engines, growth, request, whole
from benchmarks.rounds import Row, table

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
PACKAGES = ("durable-rules", "flask", "gunicorn", "orjson", "zen-engine", "clipspy")
PARTS: Mapping[str, Callable[[engines.Bench], Iterator[Row]]] = {
    "engine": engines.rows,
    "request": lambda _: whole.rows(),
    "steps": lambda bench: request.rows(bench.knowledge, bench.engine),
    "charts": lambda bench: charts.rows(bench.knowledge, bench.engine),
    "growth": growth.rows,
}


def machine() -> dict[str, Any]:
    """What the figures were taken on; nothing that names the machine."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: _package(name) for name in PACKAGES},
        "node": _said("node", "--version"),
        "wrk": (_said("wrk", "--version") or "").partition(" Copyright")[0] or None,
    }


def words(facts: Mapping[str, Any]) -> str:
    """The same for people, above the table."""
    on, known = facts["machine"], facts["knowledge"]
    packages = ", ".join(f"{name} {version}" for name, version in on["packages"].items() if version)
    return (
        f"{on['date']}, {on['cores']} cores ({on['architecture']}), Python {on['python']}, {packages}, "
        f"node {on['node']}, {on['wrk']}.\n"
        f"{known['rules']} rules of {known['antecedents']} antecedents and {known['literals']} literals "
        f"({known['words']} words); {known['cases']} cases. Written by `make bench`."
    )


def _package(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _said(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.splitlines()[0].strip() if done.stdout else None


def main(wanted: list[str]) -> int:
    """Print one table, of all parts or of those named."""
    if unknown := set(wanted) - PARTS.keys():
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    bench = engines.Bench()
    facts = {"machine": machine(), "knowledge": engines.facts(bench)}
    print(orjson.dumps(facts).decode(), flush=True)
    found: list[Row] = []
    for name in [name for name in PARTS if not wanted or name in wanted]:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        found += PARTS[name](bench)
    print(table(found))
    if not wanted:
        text = orjson.dumps({**facts, "rows": [row.as_json() for row in found]}, option=orjson.OPT_INDENT_2)
        RESULTS.write_bytes(text + b"\n")
        before, heading, _ = PAGE.read_text(encoding="utf-8").partition("## One run\n")
        PAGE.write_text(f"{before}{heading}\n{words(facts)}\n\n{table(found)}\n", encoding="utf-8")
    return int(any(row.faulty for row in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
