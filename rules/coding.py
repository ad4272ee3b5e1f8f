"""Codes and units of other systems in the words of the vocabulary: dictionaries, built once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from schemas.codes import Code, Codes, Conversion
from schemas.knowledge import Treatment
from schemas.vocabulary import Observation

Pair = tuple[str, str]
"""A Coding: the URI of the system, and the code."""


class Table:
    """(system, code) -> a word; in a deep system also by the longest code above it."""

    def __init__(self, codes: Codes, rows: Iterable[tuple[str, Code]]) -> None:
        self._deep = frozenset(uri for system in codes.systems.values() if system.deep for uri in system.uris)
        self.words: dict[Pair, str] = {}
        self._under: dict[Pair, str] = {}
        for word, row in rows:
            for uri in codes.systems[row.system].uris:
                self.words[uri, row.code] = word
                if row.under:
                    self._under[uri, row.code] = word
        self._shortest = min((len(code) for _, code in self._under), default=0)

    def find(self, uri: str, code: str) -> str | None:
        """The word of a code, or None."""
        word = self.words.get((uri, code))
        if word is not None or uri not in self._deep or not self._shortest:
            return word
        places = range(min(len(code), _LONGEST), self._shortest - 1, -1)
        return next((found for end in places if (found := self._under.get((uri, code[:end])))), None)


_SCORE = "{score}"

_LONGEST = 10
"""No code of a deep system is longer."""


class Clash(NamedTuple):
    """One code with two meanings: the file and word where it stands again, and the word that had it first."""

    file: str
    word: str
    code: Code
    first: str


class Coding:
    """Everything that the reader of resources looks up."""

    def __init__(
        self, codes: Codes, observations: Mapping[str, Observation], treatments: Mapping[str, Treatment]
    ) -> None:
        self.findings, self.observations = (
            Table(codes, _of(codes.findings)),
            Table(codes, _measured(codes, observations)),
        )
        self.fields = Table(codes, _of(codes.fields))
        self.field_values = Table(codes, _values(codes))
        self.medications, self.allergens = Table(codes, _of(codes.medications)), Table(codes, _of(codes.allergens))
        self.treatments, self.reasons = Table(codes, _of(codes.treatments)), Table(codes, _of(codes.reasons))
        self.answers = Table(codes, ((entry.means, row) for entry in codes.answers.values() for row in entry.codes))
        self.answer_names = Table(codes, _of(codes.answers))
        self.nothing = Table(codes, _of(codes.empty_lists))
        self.lists = Table(codes, ((name, row) for name, entry in codes.empty_lists.items() for row in entry.lists))
        self.finding_answers = {
            word: Table(codes, ((state, row) for state, rows in entry.answers.items() for row in rows))
            for word, entry in codes.findings.items()
            if entry.answers
        }
        self.drug_systems = frozenset(
            uri for name in ("rxnorm", "atc") if name in codes.systems for uri in codes.systems[name].uris
        )
        self.treatment_of = _treatment_of(treatments)
        self.conversions = {name: _conversions(codes, name, entry) for name, entry in observations.items()}
        self.unitless = {row.unit: Conversion(row.factor, row.plus) for row in codes.units if row.to == _SCORE}
        self.known_units = frozenset(unit for units in self.conversions.values() for unit in units)


def _of(table: Mapping[str, object]) -> Iterator[tuple[str, Code]]:
    yield from ((word, row) for word, entry in table.items() for row in getattr(entry, "codes"))  # noqa: B009


def _treatment_of(treatments: Mapping[str, Treatment]) -> dict[str, str]:
    """Drug -> the one treatment that names it; a drug of several treatments does not tell which was meant."""
    owners: dict[str, list[str]] = {}
    for name, treatment in treatments.items():
        for drug in treatment.drugs:
            owners.setdefault(drug, []).append(name)
    return {drug: names[0] for drug, names in owners.items() if len(names) == 1}


def _values(codes: Codes) -> Iterator[tuple[str, Code]]:
    """Codes that are a value of a field, as `field=value`."""
    for name, entry in codes.fields.items():
        yield from ((f"{name}={value}", row) for value, rows in entry.values.items() for row in rows)


def _measured(codes: Codes, observations: Mapping[str, Observation]) -> Iterator[tuple[str, Code]]:
    """The LOINC codes of the vocabulary that are sure, and those of the table."""
    if "loinc" in codes.systems:
        for name, entry in observations.items():
            listed = (*((entry.loinc,) if entry.loinc and entry.loinc_sure else ()), *entry.loinc_alternatives)
            yield from ((name, Code("loinc", code, entry.label, "recalled")) for code in listed)
    yield from _of(codes.observations)


def _conversions(codes: Codes, name: str, entry: Observation) -> dict[str, Conversion]:
    """UCUM unit -> how its values become those of the vocabulary; empty for coded values."""
    if entry.ucum is None:
        return {}
    found = {entry.ucum: Conversion(1.0)}
    own = codes.observations.get(name)
    mass = own.molar_mass if own else None
    for row in codes.units:
        if row.to == entry.ucum and (mass or not row.moles):
            found[row.unit] = Conversion(row.factor / mass if row.moles and mass else row.factor, row.plus)
    return found | (dict(own.units) if own else {})


def clashes(codes: Codes, observations: Mapping[str, Observation]) -> Iterator[Clash]:
    """Codes that stand twice where only one meaning can be read: an Observation asks about one word."""
    asked = [("findings", row) for row in _of(codes.findings)]
    asked += [("observations", row) for row in _measured(codes, observations)]
    asked += [("fields", row) for row in _of(codes.fields)]
    groups = [asked, [("fields", row) for row in _values(codes)]]
    for file in ("medications", "allergens", "treatments", "reasons", "answers", "empty_lists"):
        groups.append([(file, row) for row in _of(getattr(codes, file))])
    for group in groups:
        seen: dict[Pair, str] = {}
        for file, (word, row) in group:
            if (row.system, row.code) in seen:
                yield Clash(file, word.partition("=")[0], row, seen[row.system, row.code])
            seen.setdefault((row.system, row.code), word)
