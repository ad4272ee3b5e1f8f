"""Medications by id, code or name: a list as it is sent, read forgivingly and never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from schemas.vocabulary import Allergen, Medication, MedicationNames

_CODED = re.compile(r"(?:.*rxnorm\s*[|:#]?\s*|rxcui\s*[|:#]?\s*)?(\d{2,8})", re.IGNORECASE)
_ATC = re.compile(r"(?:.*atc\s*[|:#]?\s*)?([A-Z]\d\d[A-Z]{2}(?:\d\d)?)", re.IGNORECASE)
_TOGETHER = re.compile(r"\s*(?:/|\+|&| and | with )\s*")
_STRENGTH = re.compile(r"(?<![^\s(])\d+(?:[.,]\d+)?\s*(?:mcg|mg|g|ml|iu|units?|%)?(?![a-z0-9])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")


class DrugNames:
    """Reads a medication or allergy list. Case, salts, forms, strengths and spelling variants do not matter."""

    def __init__(
        self, medications: Mapping[str, Medication], allergens: Mapping[str, Allergen], names: MedicationNames
    ) -> None:
        self._names, self._dropped = names, frozenset(names.salts_and_forms)
        self._ids = {*medications, *allergens}
        self._rxnorm = _by_code((entry.rxnorm, name) for name, entry in medications.items())
        self._atc = _by_code((entry.atc, name) for name, entry in medications.items())
        self._exact: dict[str, str] = {}
        self._index: dict[str, str] = {}
        labels = {name: (entry.label, *entry.synonyms) for name, entry in medications.items()}
        labels |= {name: (entry.label,) for name, entry in allergens.items()}
        spoken = [(said, name) for name, texts in labels.items() for said in (name, *texts)]
        for said, name in (*spoken, *names.same.items(), *names.brands.items()):
            self._exact.setdefault(_words(said), name)
            self._index.setdefault(self._plain(said), name)

    def read(self, sent: str) -> tuple[str, ...]:
        """The ids that an entry of a list means; empty when it is not known in full.

        Args:
            sent: an id, `rxnorm:11289`, a bare RxNorm or ATC code, a name with salt, form or strength, or several
                names joined by `/`, `+` or `and`, of which each must be known.
        """
        if sent in self._ids:
            return (sent,)
        text = sent.strip()
        for pattern, table in ((_CODED, self._rxnorm), (_ATC, self._atc)):
            match = pattern.fullmatch(text)
            if match:
                return table.get(match.group(1).upper(), ())
        whole = self._exact.get(_words(text))
        if whole:
            return (whole,)
        parts = [plain for part in _TOGETHER.split(text.casefold()) if (plain := self._plain(part))]
        known = [self._index[part] for part in parts if part in self._index]
        return tuple(dict.fromkeys(known)) if len(known) == len(parts) else ()

    def _plain(self, text: str) -> str:
        """A name without case, strength, form and salt; a name of which the salt is part stays whole."""
        words = _words(text).split()
        for whole in self._names.whole_names:
            named = whole.split()
            if words[: len(named)] == named and self._dropped.issuperset(words[len(named) :]):
                return whole
        return " ".join(word for word in words if word not in self._dropped) or " ".join(words)


def _words(text: str) -> str:
    """The words of a name, without its strength."""
    return " ".join(_SEPARATORS.sub(" ", _STRENGTH.sub(" ", text.casefold())).split())


def _by_code(pairs: Iterable[tuple[str | None, str]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for code, name in pairs:
        if code:
            found[code] = (*found.get(code, ()), name)
    return found
