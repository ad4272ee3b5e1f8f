"""The oracle: the rule files read the way a person reads them, without the engine and without its compiler.

It opens the YAML itself and reads each line of `when` in three values. A word is present, said to be absent, or
unknown; a line holds when every part of it is true, and a part that is unknown is not true.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

Truth = bool | None
Key = tuple[str, str, int]
"""Kind of rule, id, part: the same three that the knowledge calls a conclusion."""

When = list[list[Any]]
Tables = Mapping[str, Mapping[Key, When]]
"""Concern -> rule -> its lines, as they stand in the file."""

CONCERNS = ("patterns", "evidence", "urgency", "treatment", "safety")
"""Those that stand in files; `together` is worked out of the safety rules (tests/test_safety.py)."""


@dataclass(frozen=True)
class Person:
    """What is known: words that are present, words that were said to be absent; all others are unknown."""

    present: frozenset[str]
    absent: frozenset[str] = frozenset()

    def truth(self, word: str) -> Truth:
        """Whether a word is present, None where nobody knows."""
        if word in self.present:
            return True
        return False if word in self.absent else None


@dataclass(frozen=True)
class Oracle:
    """The rules as they stand in the files."""

    tables: Tables
    evidence: frozenset[str] = frozenset()
    concludes: Mapping[str, str] = field(default_factory=dict)
    """Pattern -> the word that it adds."""
    contradictions: frozenset[tuple[str, str]] = frozenset()
    definitions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Word -> the words in its definition."""

    def fires(self, concern: str, person: Person) -> set[Key]:
        """The rules of one concern that fire."""
        if concern == "evidence":
            return {("present", word, 0) for word in self.evidence & person.present} | {
                ("absent", word, 0) for word in self.evidence & person.absent
            }
        doubtful, lines = self._contradicted(person), self._lines[concern]
        return {
            key
            for word in (None, *person.present)
            for key, line in lines.get(word, ())
            if line_holds(line, person, doubtful)
        }

    @cached_property
    def _lines(self) -> Mapping[str, Mapping[str | None, list[tuple[Key, list[Any]]]]]:
        """Concern -> word -> the lines that cannot hold unless it is present; those without such a word under None."""
        found: dict[str, dict[str | None, list[tuple[Key, list[Any]]]]] = {concern: {} for concern in self.tables}
        for concern, table in self.tables.items():
            for key, when in table.items():
                for line in when:
                    word = next((part for part in line if isinstance(part, str)), None)
                    found[concern].setdefault(word, []).append((key, line))
        return found

    def concerns(self, person: Person, names: Iterable[str] = CONCERNS) -> dict[str, set[Key]]:
        """Those concerns; the words that patterns conclude are present for the others."""
        patterns = self.fires("patterns", person)
        wiser = Person(person.present | {self.concludes[name] for _, name, _ in patterns}, person.absent)
        return {name: patterns if name == "patterns" else self.fires(name, wiser) for name in names}

    def _contradicted(self, person: Person) -> frozenset[str]:
        """Present words that another present word contradicts: they block nothing, the worse of the two holds."""
        pairs = (pair for pair in self.contradictions if person.present.issuperset(pair))
        resting = doubtful = {word for pair in pairs for word in pair}
        while resting:  # and so do the words that rest on them
            resting = {word for word, parts in self.definitions.items() if not parts.isdisjoint(doubtful)} - doubtful
            doubtful = doubtful | resting
        return frozenset(doubtful)


def line_holds(line: Iterable[Any], person: Person, doubtful: Collection[str] = ()) -> bool:
    """Whether every part of a line is true; unknown is not true."""
    return all(
        part in person.present if isinstance(part, str) else part_truth(part, person, doubtful) is True for part in line
    )


def part_truth(part: Any, person: Person, doubtful: Collection[str] = ()) -> Truth:
    """One part of a line: a word, an absence, an exclusion or a count."""
    if isinstance(part, str):
        return person.truth(part)
    ((idea, about),) = part.items()
    if idea == "absent":
        known = person.truth(about)
        return None if known is None else not known
    if idea == "unless":
        return person.truth(about) is not True or about in doubtful
    if idea == "at_least":
        if len(person.present.intersection(about["of"])) >= about["n"]:
            return True
        return None if len(set(about["of"]) - person.absent) >= about["n"] else False
    raise ValueError(f"not in the rule language: {part!r}")


def read(folder: Path) -> Oracle:
    """Read every rule below a folder of rule files."""
    patterns = {file["id"]: file for file in _files(folder / "patterns")}
    findings = parse(folder / "vocabulary" / "findings.yaml")
    ranked = [file for file in _files(folder / "conditions") if "priors" in file]
    return Oracle(
        tables={
            "patterns": {("pattern", name, 0): file["when"] for name, file in patterns.items()},
            "urgency": {("red_flag", file["id"], 0): file["when"] for file in _files(folder / "red_flags")},
            "treatment": dict(_treatment(folder)),
            "safety": {
                ("safety", rule["id"], 0): rule["when"]
                for sheet in _files(folder / "safety")
                for rule in sheet["rules"]
            },
        },
        evidence=frozenset(
            word
            for condition in ranked
            for word in (*condition.get("frequencies", ()), *condition.get("composites", ()))
        ),
        concludes={name: file["then"]["finding"] for name, file in patterns.items()},
        contradictions=frozenset(
            (name, other) for name, finding in findings.items() for other in finding.get("contradicts", ())
        ),
        definitions={
            name: frozenset(
                _texts(entry, ("source", "note", "label", "question", "kind", "contradicts", "absent_clears"))
            )
            for table in ("findings", "derived", "scores")
            for name, entry in parse(folder / "vocabulary" / f"{table}.yaml").items()
        },
    )


def _texts(entry: Any, without: Collection[str] = ()) -> Iterator[str]:
    """Every text in an entry; the names of other words are among them."""
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, Mapping):
        for key, value in entry.items():
            if key not in without:
                yield from _texts(value)
    elif isinstance(entry, list):
        for value in entry:
            yield from _texts(value)


def examples(folder: Path) -> Iterator[tuple[Key, bool, Mapping[str, Any]]]:
    """Every example of every rule: the rule, whether it must fire, and the presentation."""
    rules = [(("red_flag", file["id"], 0), file) for file in _files(folder / "red_flags")]
    rules += [(("pattern", file["id"], 0), file) for file in _files(folder / "patterns")]
    rules += [(("safety", rule["id"], 0), rule) for sheet in _files(folder / "safety") for rule in sheet["rules"]]
    for key, rule in rules:
        yield from ((key, True, example) for example in rule["examples"]["fires"])
        yield from ((key, False, example) for example in rule["examples"]["silent"])


def _treatment(folder: Path) -> Iterator[tuple[Key, When]]:
    for file in _files(folder / "treatments"):
        for number, offer in enumerate(file.get("offer", ())):
            yield ("offer", file["id"], number), offer["when"]
    for kind in ("do_not", "education", "follow_up"):
        for row in parse(folder / "advice" / f"{kind}.yaml"):
            if row.get("when"):
                yield (kind, row["id"], 0), row["when"]
    for file in _files(folder / "conditions"):
        for number, test in enumerate(file.get("work_up", ())):
            if "lines" in test:
                yield ("work_up", file["id"], number), test["lines"]


def _files(folder: Path) -> list[Any]:
    return [parse(file) for file in sorted(folder.glob("*.yaml"))]


@cache
def parse(file: Path) -> Any:
    """A YAML file as plain data, read once."""
    # yaml.safe_load with the parser written in C, where there is one: the same language, ten times as fast
    return yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
