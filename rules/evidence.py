"""What an answer weighs: for each condition and each word its likelihood ratio, worked out once from the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas.knowledge import Condition, Frequency, Published

Evidence = tuple[str, bool]
"""A word, and whether it is present or was said to be absent."""

Likelihoods = Mapping[str, Mapping[str, float]]
"""Condition -> word -> P(present | condition), within the clip."""


class Composite(NamedTuple):
    """A word that is made of others which may stand in the same ledger."""

    place: int
    """The order in which composites are judged: validated ones first, then the small before the large."""
    parts: frozenset[str]
    replaces: frozenset[str]
    """Words that a validated composite switches off besides its own parts."""
    validated: bool
    """It always replaces its parts; another one stands only where it says more than they do together."""


class Entry(NamedTuple):
    """One line of a ledger."""

    word: str
    present: bool
    lr: float
    frequency: float | None
    background: float | None
    row: Frequency | Published
    published: Published | None
    weight: float
    """Natural logarithm of the ratio: above 0 speaks for, below 0 against."""
    order: tuple[float, str]
    """The heaviest line of a ledger comes first."""
    groups: tuple[tuple[str, bool], ...] = ()
    """The correlated groups of the word, each with the direction in which the line counts there."""
    composite: Composite | None = None
    """What the word is made of, where something of it can stand in the same ledger."""
    counted: float = 1.0
    """The share of the weight that enters the sum."""


def entropy(f: float) -> float:
    """Uncertainty of a yes or no, in bits; f lies between 0 and 1, both left out."""
    return -(f * math.log2(f) + (1 - f) * math.log2(1 - f))


def weigh(
    condition: Condition,
    background: Condition,
    likelihoods: Likelihoods,
    composites: Mapping[str, Composite],
    groups_of: Callable[[str], tuple[str, ...]],
) -> dict[Evidence, Entry]:
    """Every line that a ledger of this condition can hold.

    A frequency is weighed against the background's; a composite, which has none, with its published ratio.
    """
    published: dict[str, Published] = {}
    for printed in condition.published:
        published.setdefault(printed.word, printed)
    made = [word for word in condition.composites if word in published]
    here = {*condition.frequencies, *made}
    found: dict[Evidence, Entry] = {}

    def enter(
        word: str, present: bool, lr: float, f: float | None, b: float | None, row: Frequency | Published
    ) -> None:
        groups = tuple((group, lr > 1) for group in groups_of(word))
        whole = composites.get(word)
        if whole:
            whole = whole._replace(parts=whole.parts & here, replaces=(whole.replaces & here) - {word})
            whole = whole if whole.parts or whole.replaces else None
        weight = math.log(lr)
        order = (-abs(weight), word)
        found[word, present] = Entry(word, present, lr, f, b, row, published.get(word), weight, order, groups, whole)

    for word, row in condition.frequencies.items():
        f, b = likelihoods[condition.id][word], likelihoods[background.id][word]
        there = background.frequencies[word].f
        for present, ratio in ((True, f / b), (False, (1 - f) / (1 - b))):
            enter(word, present, ratio, row.f, there, row)
    for printed in (published[word] for word in made):
        for present, lr in ((True, printed.lr_present), (False, printed.lr_absent)):
            if lr is not None:
                enter(printed.word, present, lr, None, None, printed)
    return found
