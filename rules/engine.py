"""The rule engine: sets of literals in, the antecedents that hold out. The only module that touches durable-rules.

durable-rules 2.0.28 is exact and leak-free inside a narrow envelope only, so this module keeps it there:
the C engine is driven directly (no Host, hence no timer threads), one flat fact of `literal: 1` per session,
one live session at a time, a session id of our own, deletion in `finally`, equality as the only operator.
What could leave the envelope is refused when compiling (EngineRefusal) or stops the engine (EngineFault).
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import durable_rules_engine as durable

Antecedent = frozenset[str]
"""Literals that must all hold, e.g. {"fever", "absent:pain_improving", "free:known_aaa"}."""

_Keyed = tuple[str, Antecedent]

MAX_ATTRIBUTES = 240  # a fact of more than 252 attributes is refused (error 302)
MAX_RULES_PER_MARKER = 36  # with MAX_MARKERS this bounds the match stack of 64 (error 303, every firing lost)
MAX_MARKERS = 24
MAX_RULES = 12  # of a ruleset; more would be safe, but a session costs by the rules of its ruleset
MAX_LITERALS = 12  # conditions of one antecedent; part of the same bound
MAX_FIRINGS = 5_000
_SIMPLE = re.compile(r"(?:(?:absent|free):)?[a-zA-Z0-9_:.\-]{1,120}\Z")
_RESERVED = {"id", "sid"}
_OK, _NOT_HANDLED, _OBSERVED = 0, 1, 2


class EngineRefusal(ValueError):
    """The rules cannot be compiled inside the safe envelope; the process must not start."""


class EngineFault(RuntimeError):
    """The engine answered outside its contract; nothing may be concluded from this request."""


@dataclass(frozen=True)
class _Partition:
    """One durable-rules ruleset: at most MAX_ATTRIBUTES literals, of which only these are sent."""

    name: str
    handle: int
    reads: Mapping[str, str]
    """Literal -> how it stands in a fact, in alphabetical order."""
    keys: frozenset[str]
    """Each of its rules needs one of these; where none is held, none of them can fire and no session is opened."""
    rules: tuple[Antecedent, ...]
    prefix: str


class Engine:
    """Compiled rulesets by concern. Thread-safe: the C engine is serialised by one lock (it holds the GIL anyway)."""

    def __init__(self, concerns: Mapping[str, Iterable[Antecedent]]) -> None:
        """Compile one or more rulesets per concern, warm each up and test it.

        Raises:
            EngineRefusal: a literal, an antecedent or a ruleset outside the envelope.
            EngineFault: the compiled rules do not agree with a plain reading of them.
        """
        self._lock = threading.Lock()
        self._sequence = itertools.count()
        self.broken: str | None = None
        self._concerns = {
            concern: tuple(
                self._compile(f"{concern}_{number}", rules)
                for number, rules in enumerate(_partition(_arranged(_checked(antecedents))))
            )
            for concern, antecedents in concerns.items()
        }
        self._keys = {concern: _by_key(parts) for concern, parts in self._concerns.items()}
        self.self_test()

    def fire(self, concern: str, holding: Collection[str]) -> frozenset[Antecedent]:
        """Return the antecedents of a concern whose literals all hold.

        Raises:
            EngineFault: the engine is broken; `broken` says why and stays set.
        """
        held = frozenset(holding)
        with self._lock:
            if self.broken:
                raise EngineFault(self.broken)
            try:
                fired = [rule for part in self._touched(concern, held) for rule in self._session(part, held)]
            except EngineFault as fault:
                self.broken = str(fault)
                raise
            except Exception as error:
                self.broken = f"{type(error).__name__} from the rule engine"
                raise EngineFault(self.broken) from error
        return frozenset(fired)

    def _touched(self, concern: str, held: frozenset[str]) -> list[_Partition]:
        """The rulesets of which some rule could fire, in their order."""
        parts, places = self._concerns[concern], self._keys[concern]
        return [parts[place] for place in sorted({place for key in held & places.keys() for place in places[key]})]

    def self_test(self, rounds: int = 20) -> None:
        """Compare every concern with a plain reading: everything present, everything absent, random mixes.

        Raises:
            EngineFault: they differ.
        """
        for concern, parts in self._concerns.items():
            rules = [rule for part in parts for rule in part.rules]
            for holding in _probes(rules, rounds):
                expected = {rule for rule in rules if rule <= holding}
                if self.fire(concern, holding) != expected:
                    self.broken = f"self-test: {concern} does not agree with a plain reading of its rules"
                    raise EngineFault(self.broken)

    def describe(self) -> dict[str, dict[str, int]]:
        """Size of each concern: rulesets, rules (distinct antecedents) and literals read."""
        return {
            concern: {
                "rulesets": len(parts),
                "rules": sum(len(part.rules) for part in parts),
                "literals": len({literal for part in parts for literal in part.reads}),
            }
            for concern, parts in self._concerns.items()
        }

    def _compile(self, name: str, keyed: tuple[_Keyed, ...]) -> _Partition:
        rules = tuple(rule for _, rule in keyed)
        markers = _marker_count(rules)
        definition = {
            f"r{number}": {"all": [{"m_0": _condition(rule, f"g{number % markers}")}], "pri": 0}
            for number, rule in enumerate(rules)
        }
        definition["warm"] = {"all": [{"m_0": {"warm up": 1}}], "pri": 0}
        part = _Partition(
            name=name,
            handle=durable.create_ruleset(name, json.dumps(definition)),
            reads={literal: f'"{literal}":1,' for literal in sorted(frozenset().union(*rules))},
            keys=frozenset(key for key, _ in keyed),
            rules=rules,
            prefix="".join(f'"g{number}":1,' for number in range(markers)),
        )
        # A slot in which no rule ever fired frees an uninitialised pointer when deleted: fire once first.
        self._run(part, '"warm up":1,')
        return part

    def _session(self, part: _Partition, held: Collection[str]) -> list[Antecedent]:
        body = part.prefix + "".join([text for literal, text in part.reads.items() if literal in held])
        return [part.rules[int(name[1:])] for name in self._run(part, body)]

    def _run(self, part: _Partition, body: str) -> list[str]:
        for _ in range(2):  # a false "already observed" (32-bit hash) is answered by a new session, once
            session = f"{os.getpid()}-{next(self._sequence)}"
            try:
                code, offset = durable.assert_fact(part.handle, f'{{{body}"sid":"{session}"}}')
                if code == _OK:
                    return _firings(part.handle, offset)
                if code == _NOT_HANDLED:
                    return []
                if code != _OBSERVED:
                    raise EngineFault(f"assert_fact returned {code} in {part.name}")
            finally:
                _delete(part, session)
        raise EngineFault(f"a fresh session of {part.name} was called a duplicate twice")


def _by_key(parts: Collection[_Partition]) -> dict[str, list[int]]:
    """Key literal -> the places of the rulesets that have it."""
    places: dict[str, list[int]] = {}
    for place, part in enumerate(parts):
        for key in part.keys:
            places.setdefault(key, []).append(place)
    return places


def _firings(handle: int, offset: int) -> list[str]:
    """Names of the rules that fire, in the engine's order: its messages look like {"r12":{...}}."""
    names: list[str] = []
    started = durable.start_action_for_state(handle, offset)
    message = started[1] if started else None
    while message:
        if len(names) == MAX_FIRINGS:
            raise EngineFault(f"more than {MAX_FIRINGS} firings")
        names.append(message[2 : message.index('"', 2)])
        message = durable.complete_and_start_action(handle, offset)
    return names


def _delete(part: _Partition, session: str) -> None:
    durable.delete_state(part.handle, session)
    try:
        durable.get_state(part.handle, session)
    except Exception:  # error 309: the session is gone, as it should be
        return
    raise EngineFault(f"session {session} survived in {part.name}")


def _condition(rule: Antecedent, marker: str) -> dict[str, object]:
    return {"$and": [{"$ex": {marker: 1}}, *({literal: 1} for literal in sorted(rule))]}


def _marker_count(rules: Collection[Antecedent]) -> int:
    """Group markers: every rule hangs under one of them, so that few siblings match at once."""
    return max(1, -(-len(rules) // MAX_RULES_PER_MARKER))


def _checked(antecedents: Iterable[Antecedent]) -> list[Antecedent]:
    rules = list(dict.fromkeys(antecedents))
    for rule in rules:
        if all(literal.startswith("free:") for literal in rule):
            raise EngineRefusal(f"an antecedent needs a literal that is not an exclusion: {sorted(rule)}")
        if len(rule) > MAX_LITERALS:
            raise EngineRefusal(f"an antecedent holds more than {MAX_LITERALS} literals: {sorted(rule)}")
        for literal in rule:
            if not _SIMPLE.match(literal) or literal in _RESERVED or re.fullmatch(r"g\d+", literal):
                raise EngineRefusal(f"not usable as a literal: {literal!r}")
            if "." in literal:
                raise EngineRefusal(f"the engine reads a dot as nesting: {literal!r}")
    _refuse_collisions({literal for rule in rules for literal in rule})
    return rules


def _refuse_collisions(literals: Iterable[str]) -> None:
    """The engine compares attribute names by a 32-bit FNV-1a hash without looking at the text."""
    seen: dict[int, str] = {}
    for literal in [*sorted(literals), "sid", "id", "warm up", *(f"g{n}" for n in range(MAX_MARKERS))]:
        code = _fnv1a(literal)
        if seen.setdefault(code, literal) != literal:
            raise EngineRefusal(f"same hash, rename one: {seen[code]!r} and {literal!r}")


def _fnv1a(text: str) -> int:
    code = 2166136261
    for byte in text.encode():
        code = ((code ^ byte) * 16777619) & 0xFFFFFFFF
    return code


def _arranged(rules: list[Antecedent]) -> list[_Keyed]:
    """Each rule with its key, the literal that the fewest rules read; rules whose keys are neighbours side by side.

    Neighbours are the words of one rule file or one section of the vocabulary: what is asked together is held
    together, so that few rulesets need a session.
    """
    readers = Counter(literal for rule in rules for literal in rule if not literal.startswith("free:"))
    place: dict[str, int] = {}
    keyed = []
    for rule in rules:
        key = min((literal for literal in rule if literal in readers), key=lambda each: (readers[each], each))
        place.setdefault(_attribute(key), len(place))
        keyed.append((key, rule))
    return sorted(keyed, key=lambda each: place[_attribute(each[0])])


def _partition(keyed: list[_Keyed]) -> Iterator[tuple[_Keyed, ...]]:
    """Split so that no ruleset can be sent more than MAX_ATTRIBUTES or hold more than MAX_RULES."""
    current: list[_Keyed] = []
    attributes: set[str] = set()
    for key, rule in keyed:
        wider = attributes | {_attribute(literal) for literal in rule}
        full = len(current) == MAX_RULES
        if current and (full or len(wider) + MAX_MARKERS > MAX_ATTRIBUTES):
            yield tuple(current)
            current, wider = [], {_attribute(literal) for literal in rule}
        current.append((key, rule))
        attributes = wider
    if current:
        yield tuple(current)


def _attribute(literal: str) -> str:
    """A word and its absence never hold together, so they take one place; an exclusion takes its own."""
    return literal.removeprefix("absent:")


def _probes(rules: Collection[Antecedent], rounds: int) -> Iterator[frozenset[str]]:
    literals = sorted(frozenset().union(*rules)) if rules else []
    yield frozenset(literal for literal in literals if not literal.startswith("absent:"))
    yield frozenset(literal for literal in literals if literal.startswith(("absent:", "free:")))
    yield frozenset(literal for literal in literals if not literal.startswith(("absent:", "free:")))
    chance = random.Random(20_261_121)
    words = sorted({literal.removeprefix("absent:") for literal in literals})
    for _ in range(rounds):
        density = chance.random()
        yield frozenset(
            word if word.startswith("free:") or chance.random() < 0.6 else f"absent:{word}"
            for word in words
            if chance.random() < density
        )
