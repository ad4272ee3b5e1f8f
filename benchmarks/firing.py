"""What the engine is asked in one assessment, recorded, and three readings of it: ours, plain Python, the oracle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rules.engine import Antecedent, Engine
from rules.knowledge import Knowledge
from service.assess import assess
from service.evaluate import read_cases
from tests.oracle import CONCERNS, Oracle, Person, read

CASES = Path(__file__).parent.parent / "tests" / "cases"
RULES = Path(__file__).parent.parent / "rules"
Asked = tuple[tuple[str, frozenset[str]], ...]
"""One assessment: each concern that is fired, in turn, with the literals that it is fired with."""
Fired = list[frozenset[Antecedent]]
"""What fired, concern by concern."""
Fire = Callable[[Any], Fired]
"""One engine, asked for one assessment in its own spelling."""
Tables = dict[str, list[Antecedent]]


def requests(knowledge: Knowledge) -> list[dict[str, Any]]:
    """The requests of the published cases, as loaded by the schema."""
    loaded: list[dict[str, Any]] = [knowledge.request_schema.load(case["request"]) for case in read_cases(CASES)]
    return loaded


def record(knowledge: Knowledge, engine: Engine) -> list[Asked]:
    """What service.assess really asks of the engine for each case.

    Raises:
        RuntimeError: it never asked; the hook no longer fits the service.
    """
    asked: list[tuple[str, frozenset[str]]] = []
    fire = engine.fire

    def listen(concern: str, holding: Collection[str]) -> frozenset[Antecedent]:
        asked.append((concern, frozenset(holding)))
        return fire(concern, holding)

    recorded = []
    with patch.object(engine, "fire", listen):
        for request in requests(knowledge):
            asked.clear()
            assess(request, knowledge, engine)
            recorded.append(tuple(asked))
    if not all(recorded):
        raise RuntimeError("service.assess does not call engine.fire(concern, literals) any more")
    return recorded


def ordered(knowledge: Knowledge) -> Tables:
    """The antecedents of each concern as the knowledge orders them; a rule is known to other engines by its place."""
    return {concern: list(table) for concern, table in knowledge.rules.items()}


def names(tables: Tables, work: Sequence[Asked]) -> dict[str, str]:
    """A plain identifier for each literal, since no two engines allow the same signs in a name."""
    read = {literal for table in tables.values() for rule in table for literal in rule}
    held = {literal for asked in work for _, literals in asked for literal in literals}
    return {literal: f"w{number}" for number, literal in enumerate(sorted(read | held))}


def spelled(asked: Asked, spelling: dict[str, str]) -> Asked:
    """One assessment in those names; not timed, since other engines' users would have such names to begin with."""
    return tuple((concern, frozenset(map(spelling.__getitem__, held))) for concern, held in asked)


def ours(engine: Engine) -> Fire:
    """The engine of the service."""

    def run(asked: Asked) -> Fired:
        return [engine.fire(concern, held) for concern, held in asked]

    return run


def plain(tables: Tables) -> Fire:
    """The floor: every rule is a set, and fires when all its literals hold."""

    def run(asked: Asked) -> Fired:
        return [frozenset([rule for rule in tables[concern] if rule <= held]) for concern, held in asked]

    return run


def oracle(book: Oracle) -> Callable[[Sequence[tuple[str, Person]]], list[set[tuple[str, str, int]]]]:
    """The oracle of the tests: the lines of the files, three-valued. It knows no `together`."""

    def run(asked: Sequence[tuple[str, Person]]) -> list[set[tuple[str, str, int]]]:
        return [book.fires(concern, person) for concern, person in asked]

    return run


def persons(asked: Asked) -> list[tuple[str, Person]]:
    """One assessment as the oracle reads it."""
    found = []
    for concern, held in asked:
        if concern in CONCERNS:
            present = frozenset(literal for literal in held if not literal.startswith(("absent:", "free:")))
            absent = frozenset(literal.removeprefix("absent:") for literal in held if literal.startswith("absent:"))
            found.append((concern, Person(present, absent)))
    return found


def the_oracle() -> Oracle:
    """The rule files as the tests read them."""
    return read(RULES)
