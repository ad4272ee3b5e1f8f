"""Words read backwards: what was said that makes a word hold, and which single finding would make one hold."""

from __future__ import annotations

from collections.abc import Iterator

from rules.words import Facts, State, Vocabulary, base, item_terms
from schemas.parts import Term


def grounds(literal: str, facts: Facts, state: State, vocabulary: Vocabulary) -> frozenset[str]:
    """What was sent that makes a literal hold: findings, `absent:` findings, fields, drugs, `treatments_tried`.

    A literal that nothing explains (a drug, a treatment tried, what a pattern concludes) explains itself.

    Args:
        literal: one that holds, not `free:`.
        facts: what was sent.
        state: what is decided.
        vocabulary: what words are made of.
    """
    if facts.answers.get(literal):
        return frozenset((literal,))
    name = base(literal)
    if name in vocabulary.derived and vocabulary.derived[name].tried:
        return frozenset(("treatments_tried",))
    under = (
        each for term in _terms(name, vocabulary) if state.get(term.word) is term.present for each in (_said(term),)
    )
    found = frozenset().union(*(grounds(each, facts, state, vocabulary) for each in under))
    return found | (_paths(name, vocabulary) & facts.values.keys()) or frozenset((literal,))


def openers(literal: str, state: State, vocabulary: Vocabulary) -> frozenset[str]:
    """Findings not decided so far of which one, present, makes a literal that does not hold hold."""
    if literal in vocabulary.findings:
        return frozenset((literal,)) if literal not in state else frozenset()
    word = vocabulary.derived.get(literal)
    if word is None or (word.applies_if and not state.get(word.applies_if)):
        return frozenset()
    open_terms = [term for term in word.members if state.get(term.word) is not term.present]
    wanted = {"any": 1, "all": len(word.members), "at_least": word.count}.get(word.operator)
    if wanted is None or wanted - (len(word.members) - len(open_terms)) != 1:
        return frozenset()
    return frozenset().union(*(openers(term.word, state, vocabulary) for term in open_terms if term.present))


def _said(term: Term) -> str:
    return term.word if term.present else f"absent:{term.word}"


def _terms(name: str, vocabulary: Vocabulary) -> Iterator[Term]:
    if name in vocabulary.findings:
        finding = vocabulary.findings[name]
        yield from map(Term, (*finding.implied_by, *filter(None, (finding.also_present_if,))))
    elif name in vocabulary.derived:
        word = vocabulary.derived[name]
        yield from word.members
        yield from _terms(word.score, vocabulary) if word.score else ()
    elif name in vocabulary.scores:
        for item in vocabulary.scores[name].items:
            yield from item_terms(item)


def _paths(name: str, vocabulary: Vocabulary) -> frozenset[str]:
    """The fields that a word reads itself; for a score and its bands, those of its items."""
    word = vocabulary.derived.get(name)
    if word is not None:
        return frozenset(word.paths) | (_paths(word.score, vocabulary) if word.score else frozenset())
    score = vocabulary.scores.get(name)
    items = [option for item in score.items for option in (item, *item.one_of)] if score else []
    return frozenset(item.path for item in items if item.path)
