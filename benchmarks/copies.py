"""The real rules several times over, each time with words of their own, and what must be said of them."""

from __future__ import annotations

import re
from typing import Any

from benchmarks import firing
from benchmarks.engines import Bench, Disagreement
from benchmarks.firing import Asked, Tables
from rules.engine import Antecedent, Engine
from rules.knowledge import Knowledge
from tests.oracle import CONCERNS, Key, Oracle


def renamed(literal: str, copy: int) -> str:
    """The word of another copy of the rules; copy 0 is the original."""
    return f"{literal}_copy{copy}" if copy else literal


def copied(tables: Tables, copies: int) -> Tables:
    """The rules so many times over, each time with words of their own."""

    def copy_of(rule: Antecedent, copy: int) -> Antecedent:
        return frozenset(renamed(literal, copy) for literal in rule)

    return {
        concern: [copy_of(rule, copy) for copy in range(copies) for rule in rules] for concern, rules in tables.items()
    }


def people(work: list[Asked], copies: int) -> list[Asked]:
    """The same assessments with the words of all copies."""
    return [
        tuple(
            (concern, frozenset(renamed(literal, copy) for literal in held for copy in range(copies)))
            for concern, held in asked
        )
        for asked in work
    ]


def copied_oracle(book: Oracle, copies: int) -> Oracle:
    """The lines of the files so many times over, in the same words."""
    many = range(copies)
    return Oracle(
        tables={
            concern: {
                (kind, renamed(name, copy), part): [[_part(term, copy) for term in line] for line in when]
                for copy in many
                for (kind, name, part), when in table.items()
            }
            for concern, table in book.tables.items()
        },
        evidence=frozenset(renamed(word, copy) for word in book.evidence for copy in many),
        contradictions=frozenset(
            (renamed(one, copy), renamed(other, copy)) for one, other in book.contradictions for copy in many
        ),
        definitions={
            renamed(word, copy): frozenset(renamed(part, copy) for part in parts)
            for word, parts in book.definitions.items()
            for copy in many
        },
    )


def _part(term: Any, copy: int) -> Any:
    if isinstance(term, str):
        return renamed(term, copy)
    ((idea, about),) = term.items()
    if idea == "at_least":
        return {idea: {"n": about["n"], "of": [renamed(word, copy) for word in about["of"]]}}
    return {idea: renamed(about, copy)}


def check(bench: Bench, engine: Engine, copies: int, work: list[Asked]) -> None:
    """The engine says of all copies what the oracle and plain sets say.

    Raises:
        Disagreement: it does not.
    """
    tables = copied(bench.tables, copies)
    plain, fire = firing.plain(tables), firing.ours(engine)
    book = copied_oracle(firing.the_oracle(), copies)
    for asked in work:
        fired = fire(asked)
        if fired != plain(asked):
            raise Disagreement(f"rules x{copies}: other sets than in plain Python")
        said = iter(book.fires(concern, person) for concern, person in firing.persons(asked))
        for (concern, _), found in zip(asked, fired, strict=True):
            if concern in CONCERNS and (odd := next(said) ^ _concluded(bench.knowledge, concern, found)):
                raise Disagreement(f"rules x{copies}: {concern}: the oracle differs on {sorted(odd)}")


def _concluded(knowledge: Knowledge, concern: str, fired: frozenset[Antecedent]) -> set[Key]:
    """What follows from the antecedents of all copies."""
    found: set[Key] = set()
    for antecedent in fired:
        copy = next((int(place[1]) for literal in antecedent if (place := re.search(r"_copy(\d+)$", literal))), 0)
        original = frozenset(literal.removesuffix(f"_copy{copy}") for literal in antecedent)
        found |= {(each.kind, renamed(each.id, copy), each.part) for each in knowledge.rules[concern][original]}
    return found
