"""What an answer weighs: for each condition and each word its likelihood ratio, worked out once from the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.knowledge import Condition, Frequency, Published

Evidence = tuple[str, bool]
"""A word, and whether it is present or was said to be absent."""

Likelihoods = Mapping[str, Mapping[str, float]]
"""Condition -> word -> P(present | condition), within the clip."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a ledger. `counted` is the share of its log ratio that entered the sum."""

    word: str
    present: bool
    lr: float
    frequency: float | None
    background: float | None
    row: Frequency | Published
    published: Published | None
    counted: float = 1.0
    weight: float = field(init=False)
    """Natural logarithm of the ratio: above 0 speaks for, below 0 against."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", math.log(self.lr))


class Composite(NamedTuple):
    """A word that is made of others which may stand in the same ledger."""

    place: int
    """The order in which composites are judged: validated ones first, then the small before the large."""
    parts: frozenset[str]
    replaces: frozenset[str]
    """Words that a validated composite switches off besides its own parts."""


def entropy(f: float) -> float:
    """Uncertainty of a yes or no, in bits; f lies between 0 and 1, both left out."""
    return -(f * math.log2(f) + (1 - f) * math.log2(1 - f))


def weigh(condition: Condition, background: Condition, likelihoods: Likelihoods) -> dict[Evidence, Entry]:
    """Every line that a ledger of this condition can hold.

    A frequency is weighed against the background's; a composite, which has none, with its published ratio.
    """
    published: dict[str, Published] = {}
    for printed in condition.published:
        published.setdefault(printed.word, printed)
    found: dict[Evidence, Entry] = {}
    for word, row in condition.frequencies.items():
        f, b = likelihoods[condition.id][word], likelihoods[background.id][word]
        there = background.frequencies[word].f
        for present, ratio in ((True, f / b), (False, (1 - f) / (1 - b))):
            found[word, present] = Entry(word, present, ratio, row.f, there, row, published.get(word))
    for printed in (published[word] for word in condition.composites if word in published):
        for present, lr in ((True, printed.lr_present), (False, printed.lr_absent)):
            if lr is not None:
                found[printed.word, present] = Entry(printed.word, present, lr, None, None, printed, printed)
    return found
