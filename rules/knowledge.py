"""The knowledge as one frozen value: tables by id, the compiled vocabulary, and the rules by antecedent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from marshmallow import Schema

from rules.coding import Coding
from rules.drugs import DrugNames
from rules.evidence import Composite, Entry, Evidence, entropy, weigh
from rules.logic import Antecedent, antecedents, minimal
from rules.words import Facts, Trial, Vocabulary, Words, base
from schemas import about, advice, cards
from schemas import knowledge as records
from schemas import vocabulary as words
from schemas.assessment import assessment_schema
from schemas.codes import Codes
from schemas.parts import Line

CONCERNS = ("patterns", "evidence", "urgency", "treatment", "safety", "together")
"""Rulesets by concern. Patterns run first; the words that they conclude are read by all others. `together` reads
`with:` words: safety rules that one entry of the ladder would fire if another were taken."""


class Conclusion(NamedTuple):
    """What follows when an antecedent holds: `kind` of rule, its id, and which part of it."""

    kind: str
    id: str
    part: int = 0


@dataclass(frozen=True)
class Knowledge:
    """All rule files, validated. Nothing in here changes after load()."""

    policy: records.Policy
    findings: Mapping[str, words.Finding]
    observations: Mapping[str, words.Observation]
    derived: Mapping[str, words.Derived]
    scores: Mapping[str, words.Score]
    not_coded: Mapping[str, words.NotCoded]
    medications: Mapping[str, words.Medication]
    medication_names: words.MedicationNames
    allergens: Mapping[str, words.Allergen]
    treatment_groups: Mapping[str, words.TreatmentGroup]
    must_ask: Mapping[str, words.MustAsk]
    levels: Mapping[str, words.Level]
    settings: Mapping[str, words.Setting]
    fields: Mapping[str, words.RequestField]
    groups: Mapping[str, words.Group]
    codes: Codes
    references: Mapping[str, records.Reference]
    conditions: Mapping[str, records.Condition]
    red_flags: Mapping[str, records.RedFlag]
    patterns: Mapping[str, records.Pattern]
    treatments: Mapping[str, records.Treatment]
    safety: Mapping[str, records.Safety]
    rungs: tuple[records.Rung, ...]
    pathways: Mapping[str, records.Pathway]
    do_not: Mapping[str, records.DoNot]
    education: Mapping[str, advice.Education]
    follow_up: Mapping[str, advice.FollowUp]
    referral: Mapping[str, advice.Referral]
    conflicts: Mapping[str, advice.Conflict]
    measures: Mapping[str, advice.Measure]
    gates: Mapping[str, advice.Gate]
    leaflet: advice.Leaflet
    default_policy: tuple[records.DefaultLevel, ...]
    cards: cards.Cards
    source_attributes: about.SourceAttributes
    validation: about.Validation
    sha256: str

    def warm(self) -> None:
        """Work out everything that is kept, so that the first answer is as fast as the next and fork shares it."""
        for name, each in vars(type(self)).items():
            if isinstance(each, cached_property):
                getattr(self, name)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Findings, derived words and scores, compiled."""
        return Vocabulary(self.findings, self.derived, self.scores)

    @cached_property
    def drugs(self) -> DrugNames:
        """What reads the names and codes of a medication or allergy list."""
        return DrugNames(self.medications, self.allergens, self.medication_names)

    @cached_property
    def coding(self) -> Coding:
        """What reads the codes and units of other systems."""
        return Coding(self.codes, self.observations, self.treatments)

    def is_treatment(self, name: str) -> bool:
        """Whether `treatments_tried` may name it: a treatment or a group of them."""
        return name in self.treatments or name in self.treatment_groups

    @cached_property
    def request_schema(self) -> Schema:
        """What a request may say, by this vocabulary."""
        tried = {*self.treatments, *self.treatment_groups}
        return assessment_schema(self.findings, self.observations, self.must_ask, tried, self.fields)

    @cached_property
    def ranked(self) -> Mapping[str, records.Condition]:
        """The conditions that have a prior, and so a place in the differential."""
        return {name: condition for name, condition in self.conditions.items() if condition.priors}

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every field of a request that holds a value."""
        return frozenset((*self.fields, *(f"observations.{name}" for name in self.observations)))

    @cached_property
    def likelihoods(self) -> Mapping[str, dict[str, float]]:
        """Ranked condition -> word -> P(present | condition), drawn into the clip; a word without a row is left out."""
        low, high = self.policy.reasoning.clip
        return {
            name: {word: min(max(row.f, low), high) for word, row in condition.frequencies.items()}
            for name, condition in self.ranked.items()
        }

    @cached_property
    def weights(self) -> Mapping[str, Mapping[Evidence, Entry]]:
        """Ranked condition -> evidence -> what it weighs there."""
        background = self.conditions[self.policy.reasoning.background]
        return {
            name: weigh(condition, background, self.likelihoods, self.composites, self.groups_of)
            for name, condition in self.ranked.items()
        }

    @cached_property
    def weighed_by(self) -> Mapping[Evidence, tuple[tuple[str, Entry], ...]]:
        """Evidence -> every ranked condition in which it weighs something, with what it weighs there."""
        found: dict[Evidence, list[tuple[str, Entry]]] = {}
        for name, entries in self.weights.items():
            for evidence, entry in entries.items():
                found.setdefault(evidence, []).append((name, entry))
        return {evidence: tuple(entries) for evidence, entries in found.items()}

    @cached_property
    def answering(self) -> Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]:
        """Finding -> P(present | condition), and the uncertainty of the answer in bits, by place among the ranked.

        Where a condition has no row, the background's counts.
        """
        unsaid = self.likelihoods[self.policy.reasoning.background]
        found = {}
        for word in self.evidence_words & unsaid.keys() & self.findings.keys():
            frequencies = tuple(rows.get(word, unsaid[word]) for rows in self.likelihoods.values())
            found[word] = (frequencies, tuple(map(entropy, frequencies)))
        return found

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Ranked condition -> its place in tables by condition."""
        return {name: place for place, name in enumerate(self.ranked)}

    @cached_property
    def askable(self) -> Mapping[str, frozenset[str]]:
        """Ranked condition -> the findings that it has a row for."""
        return {name: frozenset(rows.keys() & self.findings.keys()) for name, rows in self.likelihoods.items()}

    @cached_property
    def safety_rules(self) -> Mapping[str, tuple[records.SafetyRule, tuple[str, ...]]]:
        """Safety rule id -> the rule and the treatments it is about."""
        return {
            rule.id: (rule, rule.treatments or sheet.treatments)
            for sheet in self.safety.values()
            for rule in sheet.rules
        }

    @cached_property
    def treated(self) -> frozenset[str]:
        """The conditions that some offer of a treatment is made for."""
        offers = (lines for _, conclusion, lines in self.lines() if conclusion.kind == "offer")
        named = {word for lines in offers for line in lines for word in line.words}
        return frozenset(word.removeprefix("condition:") for word in named if word.startswith("condition:"))

    def has_safety(self, treatment: records.Treatment) -> bool:
        """Whether any safety rule is about a treatment."""
        return treatment.id in self._guarded

    @cached_property
    def _guarded(self) -> frozenset[str]:
        return frozenset(name for _, targets in self.safety_rules.values() for name in targets)

    @cached_property
    def evidence_words(self) -> frozenset[str]:
        """Every word that some ranked condition has a frequency or a published ratio for."""
        return frozenset(
            word for condition in self.ranked.values() for word in (*condition.frequencies, *condition.composites)
        )

    @cached_property
    def rules(self) -> Mapping[str, Mapping[Antecedent, tuple[Conclusion, ...]]]:
        """Concern -> antecedent -> conclusions: one engine rule per distinct antecedent."""
        tables: dict[str, dict[Antecedent, list[Conclusion]]] = {concern: {} for concern in CONCERNS}
        for concern, conclusion, lines in self.lines():
            for antecedent in minimal(found for line in lines for found in antecedents(line)):
                tables[concern].setdefault(antecedent, []).append(conclusion)
        for antecedent, rule in self._interactions():
            tables["together"].setdefault(antecedent, []).append(Conclusion("safety", rule))
        for word in self.in_order(self.evidence_words):
            tables["evidence"][frozenset({word})] = [Conclusion("present", word)]
            tables["evidence"][frozenset({f"absent:{word}"})] = [Conclusion("absent", word)]
        return {
            concern: {antecedent: tuple(found) for antecedent, found in table.items()}
            for concern, table in tables.items()
        }

    def in_order(self, words: Iterable[str]) -> list[str]:
        """As in the vocabulary, where what is asked together stands together."""
        return sorted(words, key=lambda word: (self._order[base(word)], word))

    @cached_property
    def _order(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate((*self.findings, *self.derived, *self.scores))}

    def _interactions(self) -> Iterator[tuple[Antecedent, str]]:
        """What a safety rule still needs once the drugs of an entry are taken, with `with:` that entry."""
        nothing = self._switched_on(())
        for name, treatment in self.treatments.items():
            taken = self._switched_on(treatment.drugs) - nothing if treatment.offer else frozenset()
            for rule, targets in self.safety_rules.values() if taken else ():
                if {*targets} == {name}:
                    continue
                found = (antecedent for line in rule.when for antecedent in antecedents(line))
                left = [
                    (antecedent - taken) | {f"with:{name}"}
                    for antecedent in found
                    if antecedent & taken and not any(f"free:{word}" in antecedent for word in taken)
                ]
                yield from ((antecedent, rule.id) for antecedent in minimal(left))

    def _switched_on(self, drugs: Collection[str]) -> frozenset[str]:
        """The words that are present because some drugs are taken."""
        taken = self.listed("medication", drugs)
        return taken | {word for word, held in self.vocabulary.derive(Facts(listed=taken)).state.items() if held}

    @cached_property
    def conflicts_of(self) -> Mapping[str, tuple[str, ...]]:
        """Treatment -> the conflicts of the articles that it is about."""
        return {
            name: tuple(conflict.id for conflict in self.conflicts.values() if name in conflict.treatments)
            for name in self.treatments
        }

    @cached_property
    def exclusions(self) -> Mapping[str, frozenset[str]]:
        """Every word that some rule names under `unless` -> the words that it is made of."""
        named = {word for _, _, lines in self.lines() for line in lines for word in line.unless}
        return {word: self.parts(word) for word in sorted(named)}

    @cached_property
    def quantities(self) -> Mapping[str, str]:
        """Word -> the one measured quantity that it is a band of (age, duration, a laboratory value)."""
        paths: dict[str, set[str]] = {}
        for name, word in self.derived.items():
            made_of = {name} | self.vocabulary.parts[name]
            paths[name] = {path for part in made_of if part in self.derived for path in self.derived[part].paths}
            if word.operator not in ("from", "all") or made_of & self.findings.keys() or word.applies_if:
                paths[name] = set()
        return {name: found.pop() for name, found in paths.items() if len(found) == 1}

    def parts(self, word: str) -> frozenset[str]:
        """The words that a word is made of, however deep; for a score band, those of its score."""
        return self.vocabulary.parts.get(word.split(":", maxsplit=1)[0], frozenset())

    def switched_off(self, word: str) -> frozenset[str]:
        """The words that a validated composite replaces besides its own items."""
        return self._switched_off.get(word.split(":", maxsplit=1)[0], frozenset())

    @cached_property
    def _switched_off(self) -> Mapping[str, frozenset[str]]:
        named = {name: source.switches_off for table in (self.derived, self.scores) for name, source in table.items()}
        return {
            name: frozenset(member for group in off for member in self.group_members.get(group, (group,)))
            for name, off in named.items()
            if off
        }

    @cached_property
    def group_members(self) -> Mapping[str, frozenset[str]]:
        """Correlated group -> its words."""
        members: dict[str, set[str]] = {group: set() for group in self.groups}
        for word in (*self.findings, *self.derived):
            for group in self.groups_of(word):
                members[group].add(word)
        return {group: frozenset(found) for group, found in members.items()}

    def groups_of(self, word: str) -> tuple[str, ...]:
        """The correlated groups of a word; a score band has those of its score."""
        return self._groups_of.get(word.split(":", maxsplit=1)[0], ())

    @cached_property
    def _groups_of(self) -> Mapping[str, tuple[str, ...]]:
        first = {
            name: each.group for table in (self.findings, self.derived, self.scores) for name, each in table.items()
        }
        also = {name: finding.groups_also for name, finding in self.findings.items()}
        return {name: (*((group,) if group else ()), *also.get(name, ())) for name, group in first.items()}

    def _bands_beside(self, word: str, parts: Collection[str]) -> frozenset[str]:
        """Other bands of what a score counts: "over 75" is counted already where the score has an item "over 70"."""
        if word.split(":", maxsplit=1)[0] not in self.scores:
            return frozenset()
        measured = {self.quantities[part] for part in parts if part in self.quantities}
        return frozenset(word for word, quantity in self.quantities.items() if quantity in measured)

    @cached_property
    def composites(self) -> Mapping[str, Composite]:
        """Word with a frequency or a ratio -> what it is made of and what it replaces, where there is any."""
        made = [
            (not (off := self.switched_off(word)), len(parts := self.parts(word)), word, parts, off)
            for word in self.evidence_words
        ]
        return {
            word: Composite(place, parts | self._bands_beside(word, parts), off, bool(off))
            for place, (_, _, word, parts, off) in enumerate(sorted(made, key=lambda row: row[:3]))
            if parts or off
        }

    @cached_property
    def urgency_antecedents(self) -> tuple[tuple[Antecedent, str, str], ...]:
        """(antecedent, level, rule) of every urgency rule, the strongest level first."""
        found = [
            (antecedent, flag.urgency, flag.id)
            for antecedent, conclusions in self.rules["urgency"].items()
            for conclusion in conclusions
            if (flag := self.red_flags[conclusion.id]).urgency
        ]
        return tuple(sorted(found, key=lambda row: (-self.levels[row[1]].rank, sorted(row[0]), row[2])))

    @cached_property
    def urgency_places(self) -> Mapping[str, tuple[int, ...]]:
        """Literal -> the places in `urgency_antecedents` that read it."""
        found: dict[str, list[int]] = {}
        for place, (antecedent, *_) in enumerate(self.urgency_antecedents):
            for literal in antecedent:
                found.setdefault(literal, []).append(place)
        return {literal: tuple(places) for literal, places in found.items()}

    @cached_property
    def stronger(self) -> Mapping[str, int]:
        """Level -> how many of `urgency_antecedents`, from the first, lead above it."""
        ranks = [self.levels[level].rank for _, level, _ in self.urgency_antecedents]
        return {name: sum(rank > level.rank for rank in ranks) for name, level in self.levels.items()}

    @cached_property
    def reach(self) -> Mapping[str, str]:
        """Must-ask item -> the highest level of any rule that reads one of its findings."""
        return {item: level for item, (level, _) in self.reaching.items()}

    @cached_property
    def reaching(self) -> Mapping[str, tuple[str, tuple[int, ...]]]:
        """Must-ask item -> the highest level of any rule that reads one of its findings, and what fires it there.

        What fires it are places in `urgency_antecedents`.
        """
        lowest = min(self.levels, key=lambda level: self.levels[level].rank)
        found = {}
        for item, entry in self.must_ask.items():
            reading = sorted({place for finding in entry.findings for place in self.urgency_readers[finding]})
            levels = [self.urgency_antecedents[place][1] for place in reading]
            top = levels[0] if levels else lowest  # the strongest level comes first
            found[item] = (top, tuple(reading[: levels.count(top)]))
        return found

    @cached_property
    def urgency_readers(self) -> Mapping[str, tuple[int, ...]]:
        """Finding -> the places in `urgency_antecedents` that read it, directly or through another word."""
        readers: dict[str, list[int]] = {finding: [] for finding in self.findings}
        for place, (antecedent, *_) in enumerate(self.urgency_antecedents):
            read = {part for literal in antecedent for part in (literal, *self.parts(literal))}
            for finding in read & readers.keys():
                readers[finding].append(place)
        return {finding: tuple(places) for finding, places in readers.items()}

    def lines(self) -> Iterator[tuple[str, Conclusion, tuple[Line, ...]]]:
        """Every rule of the rule language as (concern, conclusion, lines)."""
        for pattern in self.patterns.values():
            yield "patterns", Conclusion("pattern", pattern.id), pattern.when
        for flag in self.red_flags.values():
            yield "urgency", Conclusion("red_flag", flag.id), flag.when
        for treatment in self.treatments.values():
            for number, offer in enumerate(treatment.offer):
                yield "treatment", Conclusion("offer", treatment.id, number), offer.when
        for row in self.do_not.values():
            yield "treatment", Conclusion("do_not", row.id), row.when
        for fact in self.education.values():
            yield "treatment", Conclusion("education", fact.id), fact.when
        for review in self.follow_up.values():
            yield "treatment", Conclusion("follow_up", review.id), review.when
        for condition in self.conditions.values():
            for number, test in enumerate(condition.work_up):
                if test.lines:
                    yield "treatment", Conclusion("work_up", condition.id, number), test.lines
        for rule, _ in self.safety_rules.values():
            yield "safety", Conclusion("safety", rule.id), rule.when

    def conclude(self, concern: str, fired: Iterable[Antecedent]) -> dict[Conclusion, list[Antecedent]]:
        """Conclusion -> the antecedents that fired it, in a fixed order."""
        found: dict[Conclusion, list[Antecedent]] = {}
        for antecedent in sorted(fired, key=sorted):
            for conclusion in self.rules[concern][antecedent]:
                found.setdefault(conclusion, []).append(antecedent)
        return found

    def drug_label(self, name: str) -> str:
        """The label of a medication or allergen."""
        return self.medications[name].label if name in self.medications else self.allergens[name].label

    def listed(self, kind: str, ids: Collection[str]) -> frozenset[str]:
        """`medication:` and `medication_class:` (or allergy) words of some ids, classes inherited."""
        found = set()
        queue = [name for name in ids if name in self.medications or name in self.allergens]
        while queue:
            name = queue.pop()
            if f"{kind}:{name}" not in found:
                found |= {f"{kind}:{name}", f"{kind}_class:{name}"}
                queue += self.medications[name].classes if name in self.medications else ()
        return frozenset(found)

    def unlisted(self, part: str, names: Iterable[str]) -> frozenset[str]:
        """Names in `medications` or `allergies` of a request that the service does not know."""
        return frozenset(names) - self.medications.keys() - (self.allergens.keys() if part == "allergies" else set())

    def asked_in_vain(self, unknown: Collection[str], derived: Words) -> frozenset[str]:
        """`unknown:` words: must-asks that apply and of which a finding could not be answered.

        Another finding that is present does not take this back, even where it implies the one that could not be
        answered: more findings never calm. A measurement or an answer that denies it does.
        """
        open_findings = {finding for finding in unknown if derived.state.get(finding) is not False}
        return frozenset(
            f"unknown:{name}"
            for name, item in self.must_ask.items()
            if (item.applies_if is None or derived.present(item.applies_if))
            and not open_findings.isdisjoint(item.findings)
        )

    def trial(self, treatment: str, weeks: float | None, response: str | None) -> Trial:
        """A treatment tried, together with the groups that cover it."""
        groups = (name for name, group in self.treatment_groups.items() if treatment in group.covers)
        adequate = weeks is None or weeks >= self._adequate_weeks(treatment)
        return Trial(frozenset((treatment, *groups)), weeks, response, treatment, adequate)

    def _adequate_weeks(self, name: str) -> float:
        """How long a treatment is tried before it can have failed; of a group, the shortest of its members."""
        if name in self.treatment_groups:
            return min(map(self._adequate_weeks, self.treatment_groups[name].covers), default=0)
        treatment = self.treatments[name]
        of_rung = next((rung.adequate_weeks for rung in self.rungs if rung.rung == treatment.rung), 0)
        return of_rung if treatment.adequate_weeks is None else treatment.adequate_weeks

    def facts(
        self,
        answers: Mapping[str, bool],
        values: Mapping[str, Any],
        medications: Collection[str] | None = None,
        allergies: Collection[str] | None = None,
        trials: Collection[Trial] | None = None,
    ) -> Facts:
        """Plain values of one presentation; None for a list that was not sent.

        A list that holds a name the service does not know tells what is taken, never what is not.
        """
        complete = {
            "medication": medications is not None and not self.unlisted("medications", medications),
            "allergy": allergies is not None and not self.unlisted("allergies", allergies),
            "treatments_tried": trials is not None,
        }
        return Facts(
            answers=answers,
            values=values,
            listed=self.listed("medication", medications or ()) | self.listed("allergy", allergies or ()),
            asked=frozenset(name for name, known in complete.items() if known),
            trials=tuple(trials or ()),
        )


def trial_words(trials: Iterable[Trial]) -> frozenset[str]:
    """`tried:` words, and `failed:` words for a response of none or partial to a trial that was long enough."""
    found = set()
    for trial in trials:
        found |= {f"tried:{name}" for name in trial.ids}
        if trial.adequate and trial.response in ("none", "partial"):
            found |= {f"failed:{name}" for name in trial.ids}
    return frozenset(found)
