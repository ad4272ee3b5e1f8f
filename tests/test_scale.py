"""A knowledge base of full size, made up at random, compiles and is read as its lines stand."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

import pytest

from rules import logic
from rules.engine import Antecedent, Engine
from schemas.parts import parse_line
from tests.oracle import CONCERNS, Key, Oracle, Person, When

WORDS = [f"word_{number:03}" for number in range(800)]
CONDITIONS = [f"condition:c{number:02}" for number in range(40)]


class Synthetic:
    """The rules as lines, for the oracle, and as antecedents, for the engine."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.oracle = Oracle(
            tables={
                "patterns": {("pattern", f"p{n}", 0): _when(chance, WORDS, 1, 3) for n in range(12)},
                "urgency": {
                    ("red_flag", f"r{n}", 0): _when(chance, [*WORDS, "concluded_p0", "concluded_p1"], 3, 8)
                    for n in range(113)
                },
                "treatment": {
                    ("offer", f"t{n}", part): _when(chance, WORDS, 1, 3, CONDITIONS)
                    for n in range(106)
                    for part in range(2)
                },
                "safety": {("safety", f"s{n}", 0): _when(chance, WORDS[:200], 1, 4) for n in range(190)},
            },
            evidence=frozenset(WORDS),
            concludes={f"p{n}": f"concluded_p{n}" for n in range(12)},
        )
        self.antecedents: dict[str, dict[Antecedent, list[Key]]] = {concern: {} for concern in CONCERNS}
        for concern, table in self.oracle.tables.items():
            for key, when in table.items():
                found = (each for line in when for each in logic.antecedents(parse_line(line)))
                for antecedent in logic.minimal(found):
                    self.antecedents[concern].setdefault(antecedent, []).append(key)
        for word in WORDS:
            self.antecedents["evidence"][frozenset({word})] = [("present", word, 0)]
            self.antecedents["evidence"][frozenset({f"absent:{word}"})] = [("absent", word, 0)]
        self.engine = Engine(self.antecedents)
        self.exclusions = {
            literal.removeprefix("free:")
            for table in self.antecedents.values()
            for antecedent in table
            for literal in antecedent
            if literal.startswith("free:")
        }

    def engine_says(self, present: frozenset[str], absent: frozenset[str]) -> dict[str, set[Key]]:
        held = {*present, *(f"absent:{word}" for word in absent)}
        held |= {f"free:{word}" for word in self.exclusions - present}
        patterns = self._fired("patterns", held)
        concluded = {f"concluded_{name}" for _, name, _ in patterns}
        held = (held | concluded) - {f"free:{word}" for word in concluded}
        return {"patterns": patterns, **{c: self._fired(c, held) for c in CONCERNS if c != "patterns"}}

    def _fired(self, concern: str, held: Collection[str]) -> set[Key]:
        table = self.antecedents[concern]
        return {key for antecedent in self.engine.fire(concern, held) for key in table[antecedent]}


def _when(chance: random.Random, words: list[str], fewest: int, most: int, conditions: list[str] | None = None) -> When:
    return [_line(chance, words, conditions) for _ in range(chance.randint(fewest, most))]


def _line(chance: random.Random, words: list[str], conditions: list[str] | None) -> list[Any]:
    named = iter(chance.sample(words, 12))
    line: list[Any] = [next(named) for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.2:
        line.append({"absent": next(named)})
    if chance.random() < 0.3:
        line.append({"unless": next(named)})
    if chance.random() < 0.3:
        line.append({"at_least": {"n": chance.randint(1, 2), "of": [next(named) for _ in range(5)]}})
    if conditions:
        line.append({"at_least": {"n": 1, "of": chance.sample(conditions, 4)}})
    return line


@pytest.fixture(scope="module")
def synthetic() -> Synthetic:
    return Synthetic(seed=7)


def test_a_knowledge_base_of_full_size_compiles(synthetic: Synthetic) -> None:
    size = synthetic.engine.describe()

    assert {concern: entry["rules"] for concern, entry in size.items()} == {
        concern: len(table) for concern, table in synthetic.antecedents.items()
    }
    assert size["evidence"]["literals"] == 2 * len(WORDS)
    assert sum(entry["rules"] for entry in size.values()) > 4_000
    assert all(size[concern]["rulesets"] > 1 for concern in ("evidence", "urgency", "treatment"))


def test_it_is_read_as_its_lines_stand_on_random_people(synthetic: Synthetic) -> None:
    chance = random.Random(8)
    fired: set[Key] = set()
    for number in range(40):
        said, shown = chance.random(), chance.random()
        state = {word: chance.random() < shown for word in WORDS if chance.random() < said}
        present = frozenset(word for word, value in state.items() if value)
        leading = frozenset(chance.sample(CONDITIONS, chance.randrange(4)))
        absent = frozenset(state.keys() - present)

        found = synthetic.engine_says(present | leading, absent)

        assert found == synthetic.oracle.concerns(Person(present | leading, absent)), f"person {number}"
        fired.update(*found.values())
    assert {kind for kind, _, _ in fired} == {"pattern", "present", "absent", "red_flag", "offer", "safety"}


@pytest.mark.parametrize("everything", ["present", "absent", "unknown"])
def test_it_is_read_as_its_lines_stand_when_all_words_are_alike(synthetic: Synthetic, everything: str) -> None:
    words = frozenset(WORDS)
    present = words | frozenset(CONDITIONS) if everything == "present" else frozenset(CONDITIONS)
    absent = words if everything == "absent" else frozenset[str]()

    found = synthetic.engine_says(present, absent)

    assert found == synthetic.oracle.concerns(Person(present, absent))
    assert len(found["evidence"]) == (0 if everything == "unknown" else len(WORDS))
