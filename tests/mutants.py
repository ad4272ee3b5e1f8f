"""Rules with something missing: would anybody be answered otherwise?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rules import logic
from rules.logic import Antecedent
from schemas.parts import AtLeast, Line

Held = frozenset[str]
"""The literals that hold for one person."""


def holds(antecedents: Iterable[Antecedent], held: Held) -> bool:
    """Whether any set of literals holds."""
    return any(antecedent <= held for antecedent in antecedents)


def unneeded(when: Sequence[Line], people: Sequence[Held]) -> Iterator[str]:
    """Words of a rule without which everybody is answered as before."""
    for place, line in enumerate(when):
        for word, mutant in _without(line):
            if not changed(when, (*when[:place], mutant, *when[place + 1 :]), people):
                yield word


def changed(before: Iterable[Line], after: Iterable[Line], people: Iterable[Held]) -> bool:
    """Whether somebody is given another answer: the rule fires or not, or names other words."""
    old, new = (
        logic.minimal(found for line in lines for found in logic.antecedents(line)) for lines in (before, after)
    )
    moved = set(old) ^ set(new)
    return any(_reasons(old, held) != _reasons(new, held) for held in people if holds(moved, held))


def _compiled(lines: Iterable[Line]) -> list[Antecedent]:
    return logic.minimal(found for line in lines for found in logic.antecedents(line))


def _reasons(antecedents: Iterable[Antecedent], held: Held) -> tuple[bool, frozenset[str]]:
    """Whether a rule fires, and the words that the answer names."""
    fired = [found for found in antecedents if found <= held]
    return bool(fired), frozenset(word for found in fired for word in logic.words_of(found))


def _without(line: Line) -> Iterator[tuple[str, Line]]:
    """A line with one of its words gone, each in turn."""
    for term in line.terms:
        yield term.word, replace(line, terms=tuple(other for other in line.terms if other != term))
    for word in line.unless:
        yield f"unless {word}", replace(line, unless=tuple(other for other in line.unless if other != word))
    for place, block in enumerate(line.at_least):
        for word in block.of:
            fewer = replace(block, of=tuple(other for other in block.of if other != word))
            blocks: tuple[AtLeast, ...] = (*line.at_least[:place], fewer, *line.at_least[place + 1 :])
            yield word, replace(line, at_least=blocks)
