"""What the resources say about one person, before it is settled: claims on words, lists, and what was left out."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rules.knowledge import Knowledge
from schemas.assessment import MAX_ENTRIES, MAX_TEXT
from service.fhir.values import When

_GRAVITY = {"present": 2, "unknown": 1, "absent": 0}


@dataclass(frozen=True, slots=True, order=True)
class Input:
    """Which resource said what: `Observation/12` and a word of the vocabulary, or a field of the request."""

    reference: str
    word: str


@dataclass(frozen=True, slots=True, order=True)
class Skipped:
    """A resource, or part of one, that was not used, and why. Nothing of its text stands here."""

    reference: str
    because: str


class Claim(NamedTuple):
    """One resource says one thing of one word, as of a date where there is one."""

    value: Any
    when: When | None
    reference: str


@dataclass(slots=True)
class Chart:
    """Collected while reading; `request()` settles it."""

    knowledge: Knowledge
    today: datetime.date
    findings: dict[str, list[Claim]] = field(default_factory=dict)
    observations: dict[str, list[Claim]] = field(default_factory=dict)
    fields: dict[str, list[Claim]] = field(default_factory=dict)
    screening: dict[str, list[Claim]] = field(default_factory=dict)
    lists: dict[str, dict[str, None]] = field(default_factory=dict)
    trials: list[dict[str, Any]] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    inputs: set[Input] = field(default_factory=set)
    skipped: set[Skipped] = field(default_factory=set)

    def skip(self, reference: str, because: str) -> None:
        """Note what is not used."""
        self.skipped.add(Skipped(reference, because))

    def listed(self, part: str, names: Iterable[str], reference: str) -> None:
        """Names on the medication or allergy list; none at all says that nothing is on it."""
        self.lists.setdefault(part, {}).update(dict.fromkeys(name[:MAX_TEXT] for name in names))
        self.inputs.add(Input(reference, part))

    def tried(self, trial: dict[str, Any], reference: str) -> None:
        """A treatment that was tried, once."""
        if trial not in self.trials:
            self.trials.append(trial)
        self.inputs.add(Input(reference, "treatments_tried"))

    def too_old(self, when: When | None, days: float | None) -> str | None:
        """Why a date cannot stand for today; None when it can."""
        if when is None:
            return None if days is None else "it has no date that can be read"
        if when.future(self.today):
            return "its date lies in the future"
        if days is not None and when.age(self.today) > days:
            return f"older than {days:g} days"
        return None

    def request(self) -> dict[str, Any]:
        """A native request; every word settled, the claims that were overruled listed."""
        whole: dict[str, Any] = {"patient": {}}
        for path, claims in sorted(self.fields.items()):
            outer, _, inner = path.rpartition(".")
            place = whole.setdefault(outer, {}) if outer else whole
            place[inner] = self._settle(path, newest(claims), claims)
        for part, said in (("screening", self.screening), ("findings", self.findings)):
            if said:
                whole[part] = {word: self._settle(word, gravest(said[word]), said[word]) for word in sorted(said)}
        if self.observations:
            measured = sorted(self.observations.items())
            whole["observations"] = {word: self._settle(word, newest(claims), claims) for word, claims in measured}
        for part, names in sorted(self.lists.items()):
            whole[part] = _shortened(sorted(names))
        if self.trials:
            whole["treatments_tried"] = sorted(self.trials, key=_in_order)[:MAX_ENTRIES]
        return whole

    def _settle(self, word: str, chosen: Claim, claims: Iterable[Claim]) -> Any:
        for claim in claims:
            if claim.value == chosen.value:
                self.inputs.add(Input(claim.reference, word))
            else:
                self.skip(claim.reference, f"{word}: another resource holds, being newer or graver")
        return chosen.value


def gravest(claims: Iterable[Claim]) -> Claim:
    """Of answers that no dated newer one overrules, present before unknown before absent."""
    claims = list(claims)
    standing = [one for one in claims if not any(_overrules(other, one) for other in claims)]
    return max(standing, key=lambda claim: (_GRAVITY[claim.value], claim.reference))


def newest(claims: Iterable[Claim]) -> Claim:
    """The newest value; of equally new ones the same whatever their order: the larger, or the later in the alphabet."""

    def place(claim: Claim) -> tuple[datetime.date, float, bool, Any, str]:
        day, moment = (claim.when.day, claim.when.moment) if claim.when else (datetime.date.min, None)
        numeric = not isinstance(claim.value, str)
        return day, float("-inf") if moment is None else moment, numeric, claim.value, claim.reference

    return max(claims, key=place)


def _overrules(other: Claim, one: Claim) -> bool:
    return bool(other.when and one.when and other.value != one.value and other.when.newer(one.when))


def _shortened(names: list[str]) -> list[str]:
    """At most MAX_ENTRIES; a name that the service cannot know stands for the rest, so that nothing is cleared."""
    if len(names) <= MAX_ENTRIES:
        return names
    left = len(names) - MAX_ENTRIES + 1
    return [*names[: MAX_ENTRIES - 1], f"{left} more that were not read"]


def _in_order(trial: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(trial.get(name)) for name in ("treatment", "weeks", "response"))
