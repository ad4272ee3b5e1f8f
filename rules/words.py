"""The vocabulary language: what follows from the answers and measurements before any rule runs.

Three-valued (Kleene): a word is present (True), absent (False) or unknown (None). What was not sent is unknown,
never absent. Compiled once into a list of steps in the order in which they depend on one another.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from schemas.parts import Term
from schemas.vocabulary import Derived, Finding, Score, ScoreItem

State = dict[str, bool]
"""Words that are decided: True present, False absent. A word that is not a key is unknown."""

Truth = bool | None
Band = tuple[float | None, float | None, float]

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "at_least": operator.ge,
    "above": operator.gt,
    "at_most": operator.le,
    "below": operator.lt,
    "equals": operator.eq,
    "in": lambda value, options: value in options,
    "between": lambda value, ends: ends[0] <= value <= ends[1],
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A treatment that was tried; `ids` holds it and the groups that cover it."""

    ids: frozenset[str]
    weeks: float | None = None
    response: str | None = None
    named: str = ""
    """As it was sent."""
    adequate: bool = True
    """Not known to be shorter than the treatment needs before it can be judged."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One presentation as plain values. `listed` holds medication:/allergy: words; `asked` the lists known in full."""

    answers: Mapping[str, bool] = field(default_factory=dict)
    values: Mapping[str, float | str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemReading:
    """What an item of a score can still be worth."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A score as an interval; `band` only when the whole interval lies in it."""

    low: float
    high: float
    band: str | None
    items: tuple[ItemReading, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Everything that is decided about one presentation."""

    state: State
    readings: Mapping[str, Reading]
    conflicts: tuple[tuple[str, ...], ...]

    def present(self, word: str) -> bool:
        """Whether the word is known to be present."""
        return self.state.get(word) is True


Step = Callable[[State, Facts, dict[str, Reading]], Truth]


class WordCycle(ValueError):
    """Words that define one another in a circle."""

    def __init__(self, words: tuple[str, ...]) -> None:
        super().__init__(" -> ".join(words))
        self.words = words


class Vocabulary:
    """Findings, derived words and scores, compiled in dependency order."""

    def __init__(
        self, findings: Mapping[str, Finding], derived: Mapping[str, Derived], scores: Mapping[str, Score]
    ) -> None:
        """Compile the three tables.

        Raises:
            WordCycle: definitions that go round in a circle.
        """
        self.findings, self.derived, self.scores = findings, derived, scores
        self._contradicting = tuple((name, finding) for name, finding in findings.items() if finding.contradicts)
        self._cleared_by = _inverse({name: finding.absent_clears for name, finding in findings.items()})
        needs = {name: self.reads(name) for name in (*findings, *derived, *scores)}
        try:
            order = tuple(TopologicalSorter(needs).static_order())
        except CycleError as error:
            raise WordCycle(tuple(error.args[1])) from error
        members = {term.word for word in derived.values() for term in word.members}
        self._listed = sorted(filter(_is_listed, members))
        # A finding that nothing else decides is what was answered: it needs no step of its own.
        self._plain = frozenset(name for name in findings if not needs[name] and name not in self._cleared_by)
        self._steps = tuple((name, self._compile(name)) for name in order if name in needs and name not in self._plain)
        self.parts = _closure(needs)
        self._wakes = _inverse({name: (*needs[name], *self._looks_at(name)) for name, _ in self._steps})
        self._always, self._unsaid = frozenset(needs), Words({}, {}, ())
        self._unsaid = self.derive(Facts())
        # Due without anything known: what is decided then, and trials, since there may be none.
        trials = (name for name, word in derived.items() if word.tried)
        self._always = frozenset((*trials, *map(base, self._unsaid.state)))

    def reads(self, name: str) -> frozenset[str]:
        """The words a definition is directly made of (score bands count as their score)."""
        if name in self.findings:
            finding = self.findings[name]
            measured = (word for word in (finding.also_present_if, finding.also_absent_if) if word)
            return frozenset((*finding.implied_by, *measured))
        if name in self.scores:
            score = self.scores[name]
            items = {term.word for item in score.items for term in item_terms(item)}
            return frozenset(base(word) for word in (*items, *((score.applies_if,) if score.applies_if else ())))
        word = self.derived[name]
        members = {term.word for term in word.members if not _is_listed(term.word)}
        extra = {other for other in (word.applies_if, word.score) if other}
        return frozenset(base(other) for other in members | extra)

    def derive(self, facts: Facts, only: Set[str] | None = None) -> Words:
        """Work out every word that is decided, or only some words (which must include what they are made of).

        Most words are made of what was not said: a step is due once something that it looks at is known.
        """
        plain = self._plain if only is None else self._plain & only
        state: State = {name: answer for name, answer in facts.answers.items() if name in plain}
        if facts.listed or facts.asked:
            state |= {word: known for word in self._listed if (known := _listed(facts, word)) is not None}
        readings = dict(self._unsaid.readings)
        due = set(self._always).union(*(self._wakes.get(name, ()) for name in (*facts.answers, *facts.values, *state)))
        for name, step in self._steps:
            if name in due and (only is None or name in only):
                value = step(state, facts, readings)
                if value is not None:
                    state[name] = value
                if value is not None or name in readings:
                    due.update(self._wakes.get(name, ()))
        return Words(state, readings, tuple(self._conflicts(state, facts)))

    def _looks_at(self, name: str) -> Iterator[str]:
        """What a step looks at besides other words: answers, fields of the request, drugs and allergies."""
        if name in self.findings:
            yield from (name, *self._cleared_by.get(name, ()))
        elif name in self.scores:
            for item in self.scores[name].items:
                yield from _item_paths(item)
        else:
            yield from self.derived[name].paths
            yield from (term.word for term in self.derived[name].members if _is_listed(term.word))

    def _conflicts(self, state: State, facts: Facts) -> Iterator[tuple[str, ...]]:
        for name, finding in self._contradicting:
            if state.get(name):
                yield from ((name, other) for other in finding.contradicts if state.get(other))
        for name, answer in facts.answers.items():
            lowers = self.findings[name].also_absent_if
            if (state.get(name) and not answer) or (answer and lowers and state.get(lowers)):
                yield (name,)

    def _compile(self, name: str) -> Step:
        if name in self.findings:
            return self._finding(name, self.findings[name])
        if name in self.scores:
            return _score(name, self.scores[name])
        word = self.derived[name]
        step = _OPERATORS[word.operator](word)
        if word.applies_if is None:
            return step
        gate = word.applies_if
        return lambda state, facts, readings: step(state, facts, readings) if state.get(gate) else None

    def _finding(self, name: str, finding: Finding) -> Step:
        implied, cleared = finding.implied_by, self._cleared_by.get(name, ())
        raises, lowers = finding.also_present_if, finding.also_absent_if

        def step(state: State, facts: Facts, _: dict[str, Reading]) -> Truth:
            answer = facts.answers.get(name)
            if answer or (raises and state.get(raises)) or any(state.get(word) for word in implied):
                return True
            if answer is False or (lowers and state.get(lowers)):
                return False
            return False if any(facts.answers.get(owner) is False for owner in cleared) else None

        return step


def _term(state: State, term: Term) -> Truth:
    value = state.get(term.word)
    return value if term.present or value is None else not value


def _is_listed(word: str) -> bool:
    return word.startswith(("medication:", "medication_class:", "allergy:", "allergy_class:"))


def _listed(facts: Facts, word: str) -> Truth:
    """A drug or allergy: present when listed, absent when the list is known in full without it, else unknown."""
    if word in facts.listed:
        return True
    return False if word.split(":", maxsplit=1)[0].split("_", maxsplit=1)[0] in facts.asked else None


def _all(word: Derived) -> Step:
    return _fold(word, decisive=False)


def _any(word: Derived) -> Step:
    return _fold(word, decisive=True)


def _fold(word: Derived, decisive: bool) -> Step:
    """One decisive member decides; otherwise an unknown member leaves the word unknown."""
    members = tuple((term.word, term.present is decisive) for term in word.members)

    def step(state: State, _: Facts, __: dict[str, Reading]) -> Truth:
        result: Truth = not decisive
        for name, deciding in members:
            value = state.get(name)
            if value is None:
                result = None
            elif value is deciding:
                return decisive
        return result

    return step


def _at_least(word: Derived) -> Step:
    def step(state: State, _: Facts, __: dict[str, Reading]) -> Truth:
        values = [_term(state, term) for term in word.members]
        if values.count(True) >= word.count:
            return True
        return None if values.count(True) + values.count(None) >= word.count else False

    return step


def _comparing(word: Derived, quantity: Callable[[Facts], Any]) -> Step:
    assert word.comparison is not None
    name, limit = word.comparison
    if name == "missing":
        return lambda _state, facts, _readings: quantity(facts) is None
    compare = _COMPARE[name]

    def step(_: State, facts: Facts, __: dict[str, Reading]) -> Truth:
        value = quantity(facts)
        return None if value is None else compare(value, limit)

    return step


def _from(word: Derived) -> Step:
    path = word.paths[0]
    return _comparing(word, lambda facts: facts.values.get(path))


def _pair(word: Derived, combine: Callable[[float, float], float | None]) -> Step:
    first, second = word.paths

    def quantity(facts: Facts) -> float | None:
        a, b = facts.values.get(first), facts.values.get(second)
        return None if a is None or b is None else combine(float(a), float(b))

    return _comparing(word, quantity)


def _difference(word: Derived) -> Step:
    return _pair(word, lambda a, b: abs(a - b) if word.absolute else a - b)


def _ratio(word: Derived) -> Step:
    return _pair(word, lambda a, b: a / b if b else None)


def _tried(word: Derived) -> Step:
    assert word.tried is not None
    treatment, weeks, responses = (word.tried[key] for key in ("treatment", "weeks_at_least", "response_in"))

    def step(_: State, facts: Facts, __: dict[str, Reading]) -> Truth:
        about = [trial for trial in facts.trials if treatment == "any" or treatment in trial.ids]
        long = [trial for trial in about if trial.weeks is None or trial.weeks >= weeks]
        fitting = [trial for trial in long if trial.response is None or trial.response in responses]
        if any(trial.weeks is not None and trial.response is not None for trial in fitting):
            return True
        return False if "treatments_tried" in facts.asked and not fitting else None

    return step


def _score_at(word: Derived) -> Step:
    assert word.comparison is not None and word.score is not None
    (name, limit), score = word.comparison, word.score
    compare = _COMPARE[name]

    def step(_: State, __: Facts, readings: dict[str, Reading]) -> Truth:
        reading = readings.get(score)
        if reading is None:
            return None
        low, high = compare(reading.low, limit), compare(reading.high, limit)
        return low if low == high else None

    return step


def _item_points(word: Derived) -> Step:
    assert word.comparison is not None and word.score is not None
    limit, score = word.comparison[1], word.score

    def step(_: State, __: Facts, readings: dict[str, Reading]) -> Truth:
        reading = readings.get(score)
        if reading is None:
            return None
        if any(item.low >= limit for item in reading.items):
            return True
        return None if any(item.high >= limit for item in reading.items) else False

    return step


_OPERATORS: Mapping[str, Callable[[Derived], Step]] = {
    "all": _all,
    "any": _any,
    "at_least": _at_least,
    "from": _from,
    "difference": _difference,
    "ratio": _ratio,
    "tried": _tried,
    "score": _score_at,
    "item_points": _item_points,
}


def _score(name: str, score: Score) -> Step:
    """Add up the items; put the bands that are decided into the state as score:band."""

    def step(state: State, facts: Facts, readings: dict[str, Reading]) -> Truth:
        if score.applies_if and not state.get(score.applies_if):
            return None
        items = tuple(ItemReading(item.name, *_item(item, state, facts)) for item in score.items)
        bottom, top = score.range
        low = min(max(bottom, sum(item.low for item in items)), top)
        high = min(max(bottom, sum(item.high for item in items)), top)
        inside = None
        for band, (first, last) in score.bands.items():
            if first <= low and high <= last:
                inside, state[f"{name}:{band}"] = band, True
            elif high < first or low > last:
                state[f"{name}:{band}"] = False
        readings[name] = Reading(low, high, inside, items)
        return None

    return step


def _item(item: ScoreItem, state: State, facts: Facts) -> tuple[float, float]:
    """Lowest and highest points that the item can still give."""
    if item.word is not None:
        value = _term(state, item.word)
        if value is None:
            return min(0.0, item.points), max(0.0, item.points)
        return (item.points, item.points) if value else (0.0, 0.0)
    if item.one_of:
        lows, highs = zip(*(_item(option, state, facts) for option in item.one_of), strict=True)
        return max(lows), max(highs)
    options = list(_numbers(item, facts))
    return min(options), max(options)


def _numbers(item: ScoreItem, facts: Facts) -> Iterator[float]:
    assert item.path is not None
    value = facts.values.get(item.path)
    if item.codes is not None:
        yield from item.codes.values() if value is None else (item.codes[str(value)],)
    elif item.value:
        yield from (0.0, math.inf) if value is None else (float(value),)
    else:
        for bands in _possible_scales(item, facts):
            yield from ((points for _, _, points in bands) if value is None else (_points(bands, float(value)),))


def _possible_scales(item: ScoreItem, facts: Facts) -> Iterator[tuple[Band, ...]]:
    if item.bands:
        yield item.bands
    defaults = item.defaults or {}
    for scale in item.scales:
        known = ((facts.values.get(path, defaults.get(path)), code) for path, code in scale["when"].items())
        if all(value is None or value == code for value, code in known):
            yield scale["bands"]


def _points(bands: Iterable[Band], value: float) -> float:
    """Points of the band of a number, rounded first (halves up) to the step in which the ends are printed."""
    bands = tuple(bands)
    ends = [end for low, high, _ in bands for end in (low, high) if end is not None]
    step = 1 if all(float(end).is_integer() for end in ends) else 10
    rounded = math.floor(value * step + 0.5) / step
    return next(
        points for low, high, points in bands if (low is None or low <= rounded) and (high is None or rounded <= high)
    )


def item_terms(item: ScoreItem) -> Iterator[Term]:
    """The words that an item of a score, or one of its alternatives, gives points for."""
    if item.word is not None:
        yield item.word
    for option in item.one_of:
        yield from item_terms(option)


def _item_paths(item: ScoreItem) -> Iterator[str]:
    if item.path is not None:
        yield item.path
    for scale in item.scales:
        yield from scale["when"]
    for option in item.one_of:
        yield from _item_paths(option)


def base(word: str) -> str:
    """The node that decides a word: a score decides its bands."""
    return word.split(":", maxsplit=1)[0] if ":" in word else word


def _inverse(table: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    owners: dict[str, list[str]] = {}
    for owner, names in table.items():
        for name in names:
            owners.setdefault(name, []).append(owner)
    return {name: tuple(found) for name, found in owners.items()}


def _closure(needs: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """For each word every word it is made of, however deep."""
    done: dict[str, frozenset[str]] = {}
    for name in TopologicalSorter(needs).static_order():
        direct = needs.get(name, frozenset())
        done[name] = direct.union(*(done[part] for part in direct))
    return done
