"""From a validated request to the words that hold: what was said, what follows, what stays unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rules import logic
from rules.knowledge import Knowledge, trial_words
from rules.words import Facts, Words

Notice = dict[str, Any]


@dataclass(frozen=True)
class Presentation:
    """One person as the rules see them."""

    facts: Facts
    words: Words
    literals: frozenset[str]
    unknown: frozenset[str]
    """Findings that were asked and could not be answered."""
    unchecked: tuple[str, ...]
    """Medications and allergies that the service does not know."""
    sent: frozenset[str]
    """The parts of the request that were sent."""
    allergies: frozenset[str]
    """Allergies as reported, without the classes that they inherit."""
    setting: str
    notices: tuple[Notice, ...]

    def present(self, word: str) -> bool:
        """Whether a word is known to be present."""
        return word in self.literals

    def absent(self, word: str) -> bool:
        """Whether a word was said to be absent."""
        return f"absent:{word}" in self.literals

    def adding(self, concluded: frozenset[str]) -> Presentation:
        """The same person with the words that patterns concluded."""
        blocked = {f"free:{word}" for word in concluded}
        return replace(self, literals=(self.literals | concluded) - blocked)


def derive(request: Mapping[str, Any], knowledge: Knowledge) -> Presentation:
    """Read the request; the order of its keys never matters.

    Args:
        request: as loaded by the assessment schema.
        knowledge: vocabulary and policy.
    """
    notices: list[Notice] = []
    request = {**request, **_drugs(request, knowledge, notices)}
    said = _answers(request, knowledge, notices)
    facts = _facts(request, said, knowledge)
    words = knowledge.vocabulary.derive(facts)
    asked = {name for name, answer in said.items() if answer == "unknown"} | _impaired(words, knowledge, notices)
    extra = facts.listed | trial_words(facts.trials) | knowledge.asked_in_vain(asked, words)
    notices += _conflicts(facts, words, knowledge)
    return Presentation(
        facts=facts,
        words=words,
        literals=logic.literals(words, extra, knowledge.exclusions),
        unknown=frozenset(asked - words.state.keys()),
        unchecked=_unchecked(request, knowledge, notices),
        sent=frozenset(request),
        allergies=frozenset(request.get("allergies", ())),
        setting=_setting(request, words, knowledge, notices),
        notices=tuple(notices),
    )


def answered(item: str, presentation: Presentation, knowledge: Knowledge) -> bool:
    """A must-ask is answered when one of its findings is present, when all are absent, or by a word of its own."""
    entry = knowledge.must_ask[item]
    if entry.answered_if and presentation.present(entry.answered_if):
        return True
    return any(map(presentation.present, entry.findings)) or all(map(presentation.absent, entry.findings))


def applicable(item: str, presentation: Presentation, knowledge: Knowledge) -> bool:
    """Whether a must-ask concerns this person."""
    return _applies(knowledge.must_ask[item].applies_if, presentation.words)


def _applies(word: str | None, words: Words) -> bool:
    return word is None or words.present(word)


def _answers(request: Mapping[str, Any], knowledge: Knowledge, notices: list[Notice]) -> dict[str, str]:
    """Single answers, then screening for what was not sent singly, then what this contact cannot tell."""
    said: dict[str, str] = dict(request.get("findings", {}))
    for item, answer in sorted(request.get("screening", {}).items()):
        for finding in knowledge.must_ask[item].findings:
            # An item screened as unknown is not overruled by another item that was screened as absent.
            if finding not in request.get("findings", {}) and said.get(finding) != "unknown":
                said[finding] = answer
    contact, policy, texts = request.get("contact", {}), knowledge.policy.contact, knowledge.policy.texts
    if contact.get("informant") == "proxy":
        for finding in policy.proxy_unknown:
            if said.get(finding) == "absent":
                said[finding] = "unknown"
                notices.append({"kind": "proxy", "value": finding, "text": texts["proxy"]})
    if contact.get("mode") == "remote":
        for finding in policy.remote_cannot_clear:
            if said.get(finding) == "absent":
                del said[finding]
                notices.append({"kind": "remote", "value": finding, "text": texts["remote"]})
        for finding in _not_cleared_from_afar(said, knowledge):
            del said[finding]
            notices.append({"kind": "remote", "value": finding, "text": texts["remote_rest_of"]})
    return said


def _impaired(words: Words, knowledge: Knowledge, notices: list[Notice]) -> set[str]:
    """Findings that count as unknown because the person may not be able to answer and nobody else did."""
    policy = knowledge.policy.contact
    if not any(map(words.present, policy.impaired_by)):
        return set()
    asked = {finding for item in policy.impaired_unknown for finding in knowledge.must_ask[item].findings}
    silent = asked - words.state.keys()
    text = knowledge.policy.texts["impaired"]
    notices.extend({"kind": "impaired", "value": finding, "text": text} for finding in sorted(silent))
    return silent


def _not_cleared_from_afar(said: Mapping[str, str], knowledge: Knowledge) -> list[str]:
    """Denied findings of must-asks that stand or fall together, where one of them is present."""
    together = {
        finding
        for item in knowledge.policy.contact.remote_cannot_clear_rest_of
        for finding in knowledge.must_ask[item].findings
    }
    if not any(said.get(finding) == "present" for finding in together):
        return []
    return sorted(finding for finding in together if said.get(finding) == "absent")


def _facts(request: Mapping[str, Any], said: Mapping[str, str], knowledge: Knowledge) -> Facts:
    values: dict[str, float | str] = {
        f"{part}.{key}": value
        for part in ("patient", "episode", "observations")
        for key, value in request.get(part, {}).items()
    }
    if "setting" in request:
        values["setting"] = request["setting"]
    trials = [
        knowledge.trial(trial["treatment"], trial.get("weeks"), trial.get("response"))
        for trial in request.get("treatments_tried", ())
    ]
    return knowledge.facts(
        answers={name: answer == "present" for name, answer in said.items() if answer != "unknown"},
        values=values,
        medications=request.get("medications"),
        allergies=request.get("allergies"),
        trials=trials if "treatments_tried" in request else None,
    )


def _conflicts(facts: Facts, words: Words, knowledge: Knowledge) -> list[Notice]:
    """One notice for each contradiction; between words that only follow, none where the answers themselves clash."""
    texts = knowledge.policy.texts
    found = {tuple(sorted(pair)) for pair in words.conflicts}
    said = {pair for pair in found if len(pair) > 1 and facts.answers.keys() >= set(pair)}
    clashing = {word for pair in said for word in pair}
    pairs = {pair for pair in found if pair in said or clashing.isdisjoint(pair) or len(pair) == 1}
    return [
        {
            "kind": "contradiction",
            "value": " / ".join(pair),
            "text": texts["contradiction" if len(pair) > 1 else "measured_against_answer"],
        }
        for pair in sorted(pairs)
    ]


def _drugs(request: Mapping[str, Any], knowledge: Knowledge, notices: list[Notice]) -> dict[str, list[str]]:
    """The medication and allergy lists by id; a name that is not known stays as it was sent."""
    read: dict[str, list[str]] = {}
    for part in ("medications", "allergies"):
        for sent in sorted(request.get(part, ())):
            ids = knowledge.drugs.read(sent)
            read.setdefault(part, []).extend(ids or (sent,))
            if ids and ids != (sent,):
                labels = " and ".join(knowledge.drug_label(name) for name in ids)
                text = knowledge.policy.texts["drug_read_as"].format(label=labels)
                notices.append({"kind": "medication_read_as", "value": sent, "text": text})
        if part in request:
            read.setdefault(part, [])
    return read


def _unchecked(request: Mapping[str, Any], knowledge: Knowledge, notices: list[Notice]) -> tuple[str, ...]:
    """Names that the service does not know; listed once each, never dropped in silence."""
    found: list[str] = []
    for part, kind in (("medications", "medication_not_checked"), ("allergies", "allergy_not_checked")):
        for name in sorted(knowledge.unlisted(part, request.get(part, ()))):
            found.append(name)
            notices.append({"kind": kind, "value": name, "text": knowledge.policy.texts["drug_not_checked"]})
    return tuple(found)


def _setting(request: Mapping[str, Any], words: Words, knowledge: Knowledge, notices: list[Notice]) -> str:
    default, texts = knowledge.policy.reasoning.default_setting, knowledge.policy.texts
    if "setting" not in request:
        notices.append({"kind": "setting_assumed", "value": default, "text": texts["unknown_setting"]})
    if words.present(knowledge.policy.reasoning.outside_scope):
        notices.append({"kind": "outside_scope", "value": "patient.age_years", "text": texts["outside_age"]})
    setting: str = request.get("setting", default)
    return setting
