"""The rule language: lines of `when` turned into antecedents, and a presentation into the literals that hold."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping

from rules.words import Words
from schemas.parts import Line

Antecedent = frozenset[str]

MAX_COMBINATIONS = 600


class TooWide(ValueError):
    """A line stands for more combinations than a reader, or the engine, should carry."""


def antecedents(line: Line) -> Iterator[Antecedent]:
    """Every set of literals that makes the line hold.

    A word is its own literal; `absent:word` = said to be absent; `free:word` = does not block.

    Raises:
        TooWide: more than MAX_COMBINATIONS sets.
    """
    fixed = [term.word if term.present else f"absent:{term.word}" for term in line.terms]
    fixed += [f"free:{word}" for word in line.unless]
    choices = [tuple(itertools.combinations(block.of, block.n)) for block in line.at_least]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > MAX_COMBINATIONS:
        raise TooWide(f"stands for {total} combinations, at most {MAX_COMBINATIONS}: name a derived word instead")
    for picked in itertools.product(*choices):
        literals = frozenset((*fixed, *itertools.chain.from_iterable(picked)))
        if not any(f"free:{literal}" in literals for literal in literals):
            yield literals


def minimal(found: Iterable[Antecedent]) -> list[Antecedent]:
    """Without the sets that hold another one: they could never say anything new."""
    kept: list[Antecedent] = []
    for candidate in sorted(set(found), key=lambda literals: (len(literals), sorted(literals))):
        if not any(known <= candidate for known in kept):
            kept.append(candidate)
    return kept


def literals(words: Words, extra: Collection[str], exclusions: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The literals that hold for one presentation.

    Args:
        words: what the vocabulary made of it.
        extra: words of other kinds that hold (`medication:warfarin`, `unknown:F-01`, ...).
        exclusions: every word that some rule names under `unless`, with the words that it is made of.
            One that rests on a contradicted answer does not block: the worse of the two holds.
    """
    contradicted = {word for pair in words.conflicts if len(pair) > 1 for word in pair}
    state = words.state
    decided = (word if value else f"absent:{word}" for word, value in state.items())
    held = set(extra)
    free = (
        f"free:{word}"
        for word, made_of in exclusions.items()
        if (not state.get(word) and word not in held) or word in contradicted or not made_of.isdisjoint(contradicted)
    )
    return frozenset(itertools.chain(decided, extra, free))


def words_of(antecedent: Antecedent) -> list[str]:
    """The words that made an antecedent hold, without its exclusions, in alphabetical order."""
    return sorted(literal for literal in antecedent if not literal.startswith("free:"))
