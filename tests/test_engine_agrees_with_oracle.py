"""On the real knowledge base the engine says what a plain reading of the YAML files says."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import rules
from rules import logic
from rules.engine import Engine
from rules.knowledge import Knowledge, trial_words
from rules.words import Facts
from service import findings
from tests import oracle as plain
from tests.oracle import CONCERNS, Key, Oracle, Person, Truth, line_holds, part_truth
from tests.support import KNOWLEDGE, write_knowledge


@dataclass
class Judge:
    """Puts the same presentation before the engine and before the oracle."""

    knowledge: Knowledge
    engine: Engine
    oracle: Oracle
    seen: dict[frozenset[str], dict[str, set[Key]]] = field(default_factory=dict)
    """Literals -> what both said, so that no presentation is judged twice."""

    def agreed(
        self, facts: Facts, extra: Collection[str] = (), about: object = "", concerns: Collection[str] = CONCERNS
    ) -> dict[str, set[Key]]:
        """What fires in each of those concerns, once engine and oracle have said the same."""
        words = self.knowledge.vocabulary.derive(facts)
        extra = facts.listed | trial_words(facts.trials) | frozenset(extra)
        held = logic.literals(words, extra, self.knowledge.exclusions)
        seen = self.seen.setdefault(held, {})
        open_yet = [concern for concern in concerns if concern not in seen]
        if open_yet:
            present = frozenset(word for word, value in words.state.items() if value)
            absent = frozenset(words.state.keys() - present)
            expected = self.oracle.concerns(Person(present | extra, absent), open_yet)
            found = self._engine_says(held, open_yet)
            for concern in open_yet:
                odd = found[concern] ^ expected[concern]
                assert not odd, f"{about}: {concern}: engine and oracle differ on {sorted(odd)}"
            seen.update(found)
        return {concern: seen[concern] for concern in concerns}

    def _engine_says(self, held: frozenset[str], concerns: Collection[str]) -> dict[str, set[Key]]:
        patterns = self._concluded("patterns", held)
        wiser = held | {self.knowledge.patterns[name].concludes for _, name, _ in patterns}
        return {each: patterns if each == "patterns" else self._concluded(each, wiser) for each in concerns}

    def _concluded(self, concern: str, held: frozenset[str]) -> set[Key]:
        return {
            (each.kind, each.id, each.part)
            for each in self.knowledge.conclude(concern, self.engine.fire(concern, held))
        }


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return plain.read(rules.HERE)


@pytest.fixture(scope="module")
def judge(knowledge: Knowledge, engine: Engine, oracle: Oracle) -> Judge:
    return Judge(knowledge, engine, oracle)


SOMEONE = Person(present=frozenset({"said", "other", "doubted"}), absent=frozenset({"denied"}))


@pytest.mark.parametrize(
    ("part", "truth"),
    [
        ("said", True),
        ("denied", False),
        ("silent", None),
        ({"absent": "denied"}, True),
        ({"absent": "said"}, False),
        ({"absent": "silent"}, None),
        ({"unless": "denied"}, True),
        ({"unless": "silent"}, True),
        ({"unless": "other"}, False),
        ({"unless": "doubted"}, True),
        ({"at_least": {"n": 2, "of": ["said", "other", "silent"]}}, True),
        ({"at_least": {"n": 2, "of": ["said", "denied", "silent"]}}, None),
        ({"at_least": {"n": 3, "of": ["said", "denied", "silent"]}}, False),
    ],
)
def test_the_oracle_reads_the_five_ideas_of_the_rule_language(part: Any, truth: Truth) -> None:
    assert part_truth(part, SOMEONE, doubtful={"doubted"}) is truth


@pytest.mark.parametrize(
    ("line", "holds"),
    [(["said", "other"], True), (["said", "denied"], False), (["said", "silent"], False)],
)
def test_the_oracle_needs_every_part_of_a_line_and_takes_unknown_for_not_true(line: list[str], holds: bool) -> None:
    assert line_holds(line, SOMEONE) is holds


def test_the_oracle_and_the_knowledge_hold_the_same_rules(knowledge: Knowledge, oracle: Oracle) -> None:
    compiled = {
        concern: {(each.kind, each.id, each.part) for found in table.values() for each in found}
        for concern, table in knowledge.rules.items()
    }

    for concern, table in oracle.tables.items():
        assert compiled[concern] == set(table)
    assert compiled["evidence"] == {(state, word, 0) for word in oracle.evidence for state in ("present", "absent")}
    assert min(map(len, oracle.tables.values())) > 0
    assert oracle.evidence


def test_every_example_of_every_rule_fires_or_stays_silent_as_it_says(judge: Judge) -> None:
    concern_of = {"red_flag": "urgency", "pattern": "patterns", "safety": "safety"}
    tried: set[Key] = set()
    for key, must_fire, example in plain.examples(rules.HERE):
        facts, extra = _presented(judge.knowledge, example)
        concern = concern_of[key[0]]
        fired = judge.agreed(facts, extra, about=(key, example), concerns=[concern])

        assert (key in fired[concern]) is must_fire, f"{key}: {example}"
        tried.add(key)

    with_examples = (judge.oracle.tables[concern] for concern in concern_of.values())
    assert tried == set().union(*with_examples)


def test_they_agree_when_every_finding_is_present_and_when_every_finding_is_absent(judge: Judge) -> None:
    every = judge.knowledge.findings
    conditions = [f"condition:{name}" for name in judge.knowledge.conditions]

    present = judge.agreed(Facts(answers=dict.fromkeys(every, True)), conditions, "all present")
    absent = judge.agreed(Facts(answers=dict.fromkeys(every, False)), conditions, "all absent")
    nothing = judge.agreed(Facts(), about="nothing said")

    assert all(present[concern] for concern in CONCERNS)
    assert {kind for kind, _, _ in absent["evidence"]} >= {"absent"}
    assert nothing["patterns"] == nothing["evidence"] == nothing["urgency"] == set()


@pytest.mark.parametrize("answer", [True, False], ids=["present", "absent"])
def test_they_agree_on_each_finding_alone(judge: Judge, answer: bool) -> None:
    for name in [*judge.knowledge.findings][:: 2 if answer else 4]:  # fewer rules read what was denied
        fired = judge.agreed(Facts(answers={name: answer}), about=(name, answer))

        expected = {(("present" if answer else "absent"), name, 0)} if name in judge.oracle.evidence else set()
        assert fired["evidence"] >= expected


def test_each_antecedent_fires_on_its_own_literals_with_what_else_they_hold(
    knowledge: Knowledge, engine: Engine
) -> None:
    for concern in ("patterns", "urgency", "treatment", "safety"):
        table = knowledge.rules[concern]
        for antecedent in table:
            assert engine.fire(concern, antecedent) == {rule for rule in table if rule <= antecedent}


def test_they_agree_that_a_contradicted_word_blocks_nothing_however_its_opposite_became_known(judge: Judge) -> None:
    every = judge.knowledge.findings
    lines = [line for table in judge.oracle.tables.values() for when in table.values() for line in when]
    tried = 0
    for pair in sorted(judge.oracle.contradictions):
        for word, opposite in (pair, pair[::-1]):
            blocked = [line for line in lines if {"unless": word} in line]
            for line, source in itertools.product(blocked, (opposite, *every[opposite].implied_by)):
                said = {word, source, *_named(line)} & every.keys()
                judge.agreed(
                    Facts(answers=dict.fromkeys(said, True)),
                    {other for other in _named(line) if ":" in other},
                    (said, line),
                )
                tried += 1
    assert tried > 0


def test_they_agree_on_random_mixes_of_findings_numbers_and_medications(judge: Judge) -> None:
    fired: set[Key] = set()
    for seed in range(100):
        facts, extra = _mixed(judge.knowledge, random.Random(seed))
        found = judge.agreed(facts, extra, about=f"seed {seed}")
        fired.update(*found.values())

    kinds = {kind for kind, _, _ in fired}
    advice = {"do_not", "education", "follow_up"}
    assert kinds == {"pattern", "present", "absent", "red_flag", "offer", "work_up", "safety"} | advice


def test_a_word_that_a_pattern_concludes_blocks_like_any_other(tmp_path: Path) -> None:
    name = "red_flags/suspected_infection.yaml"
    example = "    - {fever: present, pain_worsening: present, recent_vaccine: present}\n"
    text = KNOWLEDGE[name].replace(example, "").replace("{unless: recent_vaccine}", "{unless: looks_sick}")
    folder = write_knowledge(tmp_path, **{name: text})
    knowledge, oracle = rules.load(folder), plain.read(folder)
    engine = Engine(knowledge.rules)
    said = ("fever", "pain_worsening", "chills")

    expected = oracle.concerns(Person(frozenset({*said, "infection_signs"})))
    assert (expected["patterns"], expected["urgency"]) == ({("pattern", "sick_pattern", 0)}, set())

    request = {"patient": {"age_years": 40}, "setting": "primary_care", "findings": dict.fromkeys(said, "present")}
    person = findings.derive(request, knowledge)
    patterns = knowledge.conclude("patterns", engine.fire("patterns", person.literals))
    person = person.adding(frozenset(knowledge.patterns[each.id].concludes for each in patterns))
    assert set(patterns) == expected["patterns"]
    assert engine.fire("urgency", person.literals) == set()


def _named(line: list[Any]) -> set[str]:
    """The words that would make a line hold, were it not for its exclusions."""
    counted = [word for part in line if isinstance(part, dict) for word in part.get("at_least", {}).get("of", ())]
    return {*counted, *(part for part in line if isinstance(part, str))}


def _presented(knowledge: Knowledge, example: Mapping[str, Any]) -> tuple[Facts, set[str]]:
    """An example of a rule file as facts, and the words besides the vocabulary that it names."""
    trials = example.get("treatments_tried")
    lists = ("medications", "allergies", "treatments_tried")
    plain_values = {
        key: value
        for key, value in example.items()
        if key not in lists and not key.startswith(("condition:", "suspected:"))
    }
    answers = {key: value for key, value in plain_values.items() if key in knowledge.findings}
    facts = knowledge.facts(
        {key: value == "present" for key, value in answers.items() if value != "unknown"},
        {key: value for key, value in plain_values.items() if key not in answers},
        medications=example.get("medications"),
        allergies=example.get("allergies"),
        trials=None
        if trials is None
        else [knowledge.trial(t["treatment"], t.get("weeks"), t.get("response")) for t in trials],
    )
    extra = {key for key in example if key.startswith(("condition:", "suspected:"))}
    extra |= {
        f"unknown:{item}"
        for item, entry in knowledge.must_ask.items()
        if any(answers.get(finding) == "unknown" for finding in entry.findings)
    }
    return facts, extra


def _mixed(knowledge: Knowledge, chance: random.Random) -> tuple[Facts, set[str]]:
    """A random presentation, from a few words to nearly everything."""
    density, shown = chance.random() ** 3, chance.random()
    answers = {name: chance.random() < shown for name in knowledge.findings if chance.random() < density}
    facts = knowledge.facts(
        answers,
        dict(_values(knowledge, chance, density)),
        medications=_some(knowledge.medications, chance),
        allergies=_some([*knowledge.medications, *knowledge.allergens], chance),
        trials=[
            knowledge.trial(name, chance.choice([None, 1, 6, 26]), chance.choice([None, "none", "partial", "good"]))
            for name in _some([*knowledge.treatments, *knowledge.treatment_groups], chance) or ()
        ],
    )
    extra = {f"condition:{name}" for name in _some(knowledge.conditions, chance) or ()}
    return facts, extra | {f"unknown:{item}" for item in _some(knowledge.must_ask, chance) or ()}


def _some(names: Collection[str], chance: random.Random) -> list[str] | None:
    """None (not sent) in one of four, otherwise none to five of them."""
    return None if chance.random() < 0.25 else chance.sample(sorted(names), chance.randrange(6))


def _values(knowledge: Knowledge, chance: random.Random, density: float) -> Iterator[tuple[str, float | str]]:
    fields = {path: (entry.plausible, entry.values) for path, entry in knowledge.fields.items()}
    fields = {path: found for path, found in fields.items() if path.startswith(("patient.", "episode."))}
    fields |= {f"observations.{name}": (o.plausible, o.values) for name, o in knowledge.observations.items()}
    for path, (plausible, values) in fields.items():
        if chance.random() >= density:
            continue
        if plausible is None:
            yield path, chance.choice(values)
        else:
            yield path, round(chance.uniform(*plausible), 1)
