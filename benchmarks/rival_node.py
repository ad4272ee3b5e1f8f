"""The same rules in json-rules-engine, in a Node process of its own that times itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import orjson

from benchmarks.firing import Asked, Fired, Tables

FOLDER = Path(__file__).parent / "node"


class Absent(RuntimeError):
    """Node, or the package, is not there."""


class Node:
    """Asked one line at a time; gone on exit.

    Raises:
        Absent: on entry, with what is missing.
    """

    def __init__(self, tables: Tables, spelling: Mapping[str, str], work: Sequence[Asked]) -> None:
        self._tables, self._spelling, self._work = tables, spelling, work
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Node:
        if shutil.which("node") is None:
            raise Absent("no node here")
        if not (FOLDER / "node_modules").is_dir():
            raise Absent("npm ci --prefix benchmarks/node has not been run")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(["node", "engine.mjs"], cwd=FOLDER, stdin=pipe, stdout=pipe)
        rules = {
            concern: [[self._spelling[literal] for literal in sorted(rule)] for rule in table]
            for concern, table in self._tables.items()
        }
        work = [[(concern, sorted(held)) for concern, held in asked] for asked in self._work]
        self._ask(orjson.dumps({"tables": rules, "work": work}))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def microseconds(self) -> float:
        """Processor time of one assessment, after all were done once more."""
        return float(self._ask(b"time"))

    def fired(self) -> list[Fired]:
        """What fires for each assessment."""
        said = orjson.loads(self._ask(b"fired"))
        return [
            [
                frozenset(self._tables[concern][number] for number in numbers)
                for (concern, _), numbers in zip(asked, found, strict=True)
            ]
            for asked, found in zip(self._work, said, strict=True)
        ]

    def _ask(self, line: bytes) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("node ended early")
        return answer
