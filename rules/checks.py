"""Cross checks: what one file alone cannot know. Every finding is collected; any at all refuses the start."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rules import logic
from rules.coding import clashes
from rules.files import KnowledgeError, Problem, Source
from rules.knowledge import Conclusion, Knowledge, trial_words
from rules.words import WordCycle
from schemas.assessment import ANSWERS
from schemas.knowledge import Examples
from schemas.parts import Line, Where, named
from schemas.vocabulary import ScoreItem

Found = Iterator[Problem]


def check(knowledge: Knowledge, folder: Path, sources: Iterable[Source]) -> None:
    """Run every check.

    Args:
        knowledge: built from the files, nothing compiled yet.
        folder: where they are.
        sources: each record as it was written, for the names in it.

    Raises:
        KnowledgeError: with all problems found, each with its file and line.
    """
    # Later stages compile and evaluate, so they run only on knowledge whose names hold.
    stages: tuple[Iterable[Iterator[Problem]], ...] = (
        (_known(knowledge, folder, sources), _vocabulary(knowledge, folder)),
        (
            each(knowledge, folder)
            for each in (
                _cycles,
                _rule_shapes,
                _patterns,
                _conditions,
                _policy,
                _levels,
                _treatments,
                _coded_words,
                _codes,
                _services,
            )
        ),
        (each(knowledge, folder) for each in (_examples,)),
    )
    for stage in stages:
        problems = list(itertools.chain.from_iterable(stage))
        if problems:
            raise KnowledgeError(problems)


class _Names:
    """Which names exist, by the kinds that the schemas ask for."""

    def __init__(self, knowledge: Knowledge) -> None:
        bands = {f"{name}:{band}" for name, score in knowledge.scores.items() for band in score.bands}
        words = {*knowledge.findings, *knowledge.derived, *bands}
        drugs, tried = {*knowledge.medications}, {*knowledge.treatments, *knowledge.treatment_groups}
        allergens = drugs | {*knowledge.allergens}
        listed = {"medication": drugs, "medication_class": drugs, "allergy": allergens, "allergy_class": allergens}
        later = {
            "tried": tried,
            "failed": tried,
            "unknown": {*knowledge.must_ask},
            "condition": {*knowledge.conditions},
            "suspected": {*knowledge.conditions},
        }
        members = words | _prefixed(listed)
        concluded = {pattern.concludes for pattern in knowledge.patterns.values()}
        self._table: Mapping[str, Collection[str]] = {
            "finding": knowledge.findings,
            "score": knowledge.scores,
            "word": words,
            "vocabulary word": words | {*knowledge.scores},
            "member": members,
            "rule word": members | concluded | _prefixed(later),
            "group or word": words | {*knowledge.groups},
            "group": knowledge.groups,
            "field": knowledge.paths | {"treatments_tried"},
            "input": knowledge.paths | {"findings", "observations"},
            "level": knowledge.levels,
            "must-ask": knowledge.must_ask,
            "setting": knowledge.settings,
            "condition": knowledge.conditions,
            "medication": drugs,
            "medication class": drugs,
            "treatment": knowledge.treatments,
            "treatment or group": tried,
            "any treatment": tried | {"any"},
            "reference": knowledge.references,
            "conflict": knowledge.conflicts,
            "do-not row": knowledge.do_not,
            "investigation": {test.investigation for each in knowledge.conditions.values() for test in each.work_up},
            "code system": knowledge.codes.systems,
        }

    def known(self, name: str, kind: str = "rule word") -> bool:
        """Whether something of this name and kind exists."""
        return name in self._table[kind]

    def complaint(self, kind: str, name: str) -> str | None:
        """What is wrong with a name; None when it exists."""
        if self.known(name, kind):
            return None
        if kind == "reference":
            return f"no such reference {name!r} in references.yaml"
        return f"unknown {_NOUNS.get(kind, 'word')} {name!r}"


_NOUNS = {
    "group": "correlated group",
    "field": "field",
    "input": "field",
    "level": "urgency level",
    "must-ask": "must-ask item",
    "setting": "setting",
    "condition": "condition",
    "medication": "medication",
    "medication class": "medication class",
    "treatment": "treatment",
    "treatment or group": "treatment",
    "any treatment": "treatment",
    "do-not row": "do-not row",
    "investigation": "investigation",
}


def _prefixed(table: Mapping[str, Collection[str]]) -> set[str]:
    return {f"{prefix}:{name}" for prefix, names in table.items() for name in names}


def _known(knowledge: Knowledge, _: Path, sources: Iterable[Source]) -> Found:
    """Every name in every file exists, wherever a schema says that one stands."""
    names = _Names(knowledge)
    for source in sources:
        for where, kind, name in named(source.schema, source.data, source.where):
            complaint = names.complaint(kind, name)
            if complaint:
                yield Problem(source.file, where, complaint)


def _vocabulary(knowledge: Knowledge, folder: Path) -> Found:
    places = {"derived": knowledge.derived, "scores": knowledge.scores, "not_coded": knowledge.not_coded}
    seen = {*knowledge.findings}
    for table, entries in places.items():
        for name in entries:
            if name in seen:
                file = folder / "vocabulary" / f"{table}.yaml"
                yield Problem(file, (name,), f"the id {name!r} stands in two vocabulary files")
            seen.add(name)
    for name, score in knowledge.scores.items():
        for where, item in _items(score.items, (name, "items")):
            path = (item.path or "").removeprefix("observations.")
            known = knowledge.observations.get(path)
            uncounted = {*known.values} - {*item.codes} if known and item.codes is not None else set()
            if uncounted:
                file = folder / "vocabulary" / "scores.yaml"
                yield Problem(file, (*where, "codes"), f"no points for {', '.join(sorted(uncounted))}")


def _coded_words(knowledge: Knowledge, folder: Path) -> Found:
    """Every word that has codes is known."""
    drugs = {*knowledge.medications}
    known: Mapping[str, Collection[str]] = {
        "findings": knowledge.findings,
        "observations": knowledge.observations,
        "medications": drugs,
        "allergens": drugs | {*knowledge.allergens},
        "treatments": {*knowledge.treatments, *knowledge.treatment_groups},
        "fields": knowledge.fields,
        "empty_lists": ("medications", "allergies"),
    }
    for table, names in known.items():
        entries: Mapping[str, Any] = getattr(knowledge.codes, table)
        for name in entries.keys() - {*names}:
            yield Problem(_codes_file(folder, table), (name,), f"unknown word {name!r}")
    for name, field in knowledge.codes.fields.items():
        known_values = knowledge.fields[name].values if name in knowledge.fields else ()
        for value in field.values.keys() - {*known_values}:
            yield Problem(_codes_file(folder, "fields"), (name, "values", value), f"unknown value {value!r}")


def _codes(knowledge: Knowledge, folder: Path) -> Found:
    """One code has one meaning; a unit is converted to one that some measurement has."""
    for clash in clashes(knowledge.codes, knowledge.observations):
        text = f"the code {clash.code.system} {clash.code.code!r} stands twice; first for {clash.first!r}"
        yield Problem(_codes_file(folder, clash.file), (clash.word,), text)
    ucum = {entry.ucum for entry in knowledge.observations.values()}
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(knowledge.codes.units):
        file = _codes_file(folder, "units")
        if row.to not in ucum:
            yield Problem(file, (number, "to"), f"no measurement has the unit {row.to!r}")
        if (row.unit, row.to) in seen:
            yield Problem(file, (number, "unit"), f"{row.unit!r} to {row.to!r} stands twice")
        seen.add((row.unit, row.to))


def _codes_file(folder: Path, table: str) -> Path:
    return folder / "vocabulary" / "codes" / f"{table}.yaml"


def _items(items: Iterable[ScoreItem], where: Where) -> Iterator[tuple[Where, ScoreItem]]:
    for number, item in enumerate(items):
        yield (*where, number), item
        yield from _items(item.one_of, (*where, number, "one_of"))


def _lines(knowledge: Knowledge, folder: Path) -> Iterator[tuple[Path, Where, Line, Conclusion]]:
    """Every line of every rule with the place where it stands."""
    places: Mapping[str, Callable[[Conclusion], tuple[Path, Where]]] = {
        "pattern": lambda c: (folder / "patterns" / f"{c.id}.yaml", ("when",)),
        "red_flag": lambda c: (folder / "red_flags" / f"{c.id}.yaml", ("when",)),
        "offer": lambda c: (folder / "treatments" / f"{c.id}.yaml", ("offer", c.part, "when")),
        "do_not": lambda c: (folder / "advice" / "do_not.yaml", (list(knowledge.do_not).index(c.id), "when")),
        "education": lambda c: (folder / "advice" / "education.yaml", (list(knowledge.education).index(c.id), "when")),
        "follow_up": lambda c: (folder / "advice" / "follow_up.yaml", (list(knowledge.follow_up).index(c.id), "when")),
        "work_up": lambda c: (folder / "conditions" / f"{c.id}.yaml", ("work_up", c.part, "lines")),
        "safety": lambda c: _safety_place(knowledge, folder, c.id, "when"),
    }
    for _, conclusion, lines in knowledge.lines():
        file, where = places[conclusion.kind](conclusion)
        yield from ((file, (*where, number), line, conclusion) for number, line in enumerate(lines))


def _safety_place(knowledge: Knowledge, folder: Path, rule_id: str, key: str) -> tuple[Path, Where]:
    sheets = ((sheet, number, rule) for sheet in knowledge.safety.values() for number, rule in enumerate(sheet.rules))
    sheet, number = next((sheet, number) for sheet, number, rule in sheets if rule.id == rule_id)
    return folder / "safety" / f"{sheet.id}.yaml", ("rules", number, key)


def _rule_shapes(knowledge: Knowledge, folder: Path) -> Found:
    for file, where, line, conclusion in _lines(knowledge, folder):
        if conclusion.kind == "red_flag" and not all(term.present for term in line.terms):
            yield Problem(file, where, "an urgency rule never reads `absent`: write {unless: word}")
        later = any(word.startswith(("condition:", "suspected:")) for word in line.words)
        if conclusion.kind in ("pattern", "red_flag") and later:
            yield Problem(file, where, "a condition leads or is suspected only after diagnosis; this rule runs before")
        try:
            list(logic.antecedents(line))
        except logic.TooWide as error:
            yield Problem(file, where, str(error))


def _patterns(knowledge: Knowledge, folder: Path) -> Found:
    concluded = {pattern.concludes for pattern in knowledge.patterns.values()}
    for name, pattern in knowledge.patterns.items():
        file = folder / "patterns" / f"{name}.yaml"
        if pattern.concludes in {*knowledge.findings, *knowledge.derived}:
            yield Problem(file, ("then",), f"{pattern.concludes!r} is already a word of the vocabulary")
        for number, line in enumerate(pattern.when):
            if line.words & concluded:
                yield Problem(file, ("when", number), "a pattern reads the vocabulary, not another pattern")


def _conditions(knowledge: Knowledge, folder: Path) -> Found:
    background = knowledge.conditions.get(knowledge.policy.reasoning.background)
    if background is None or not background.frequencies:
        yield Problem(folder / "policy.yaml", ("reasoning", "background"), "the background has no frequencies")
        return
    if background.priors is None:
        yield Problem(folder / "policy.yaml", ("reasoning", "background"), "the background has no prior")
    for name, condition in knowledge.conditions.items():
        file = folder / "conditions" / f"{name}.yaml"
        for word, row in condition.frequencies.items():
            if word not in background.frequencies:
                yield Problem(file, ("frequencies", word), f"the background has no frequency of {word!r}")
            if row.range and not row.range[0] <= row.f <= row.range[1]:
                yield Problem(file, ("frequencies", word), f"frequency {row.f} outside its own range {row.range}")
        published = {row.word for row in condition.published}
        for number, word in enumerate(condition.composites):
            if word not in published:
                yield Problem(file, ("composites", number), f"{word!r} has no published row")
            if word in condition.frequencies:
                yield Problem(file, ("composites", number), f"{word!r} has a frequency, so its ratio comes from there")
        yield from _priors(knowledge, file, condition)
    yield from _differences(knowledge, folder)


def _priors(knowledge: Knowledge, file: Path, condition: Any) -> Found:
    if condition.priors is None:
        return
    for setting, bands in condition.priors.settings.items():
        edges = [(band.at_least, band.below) for band in bands]
        starts = [0.0, *(end for _, end in edges[:-1])]
        backwards = any(end is not None and end <= start for start, end in edges)
        if [start for start, _ in edges] != starts or edges[-1][1] is not None or backwards:
            yield Problem(file, ("priors", "settings", setting), "the age bands leave a gap or overlap")
    for setting in knowledge.settings.keys() - condition.priors.settings.keys():
        yield Problem(file, ("priors", "settings"), f"no prior for the setting {setting!r}")


def _differences(knowledge: Knowledge, folder: Path) -> Found:
    """Where a grade A or B ratio and the model's differ by more than a factor of two, the file must say why."""
    background = knowledge.conditions[knowledge.policy.reasoning.background]
    for name, condition in knowledge.ranked.items():
        shown: set[str] = set()
        for number, row in enumerate(condition.published):
            first = row.word not in shown
            shown.add(row.word)
            if name == background.id or not first or row.grade not in "AB" or row.differs:
                continue
            here, there = condition.frequencies.get(row.word), background.frequencies.get(row.word)
            if here is None or there is None:
                continue
            low, high = knowledge.policy.reasoning.clip
            f, b = (min(max(frequency.f, low), high) for frequency in (here, there))
            pairs = ((row.lr_present, f / b), (row.lr_absent, (1 - f) / (1 - b)))
            if any(printed is not None and not 0.5 <= printed / model <= 2 for printed, model in pairs):
                yield Problem(
                    folder / "conditions" / f"{name}.yaml",
                    ("published", number),
                    f"the printed ratio of {row.word!r} and the model's differ by more than a factor of two: say why",
                )


def _policy(knowledge: Knowledge, folder: Path) -> Found:
    last = len(knowledge.policy.reasoning.likelihood) - 1
    if knowledge.policy.reasoning.likelihood[last].at_least > 0:
        yield Problem(folder / "policy.yaml", ("reasoning", "likelihood", last), "the last word must begin at 0")
    try:
        assert knowledge.request_schema
    except KeyError as missing:
        message = f"the request needs the field {missing}"
        yield Problem(folder / "vocabulary" / "fields.yaml", (), message)


def _levels(knowledge: Knowledge, folder: Path) -> Found:
    for name, flag in knowledge.red_flags.items():
        file = folder / "red_flags" / f"{name}.yaml"
        if (flag.urgency is None) == (flag.then.notice is None):
            yield Problem(file, ("then",), "a rule sets a level or gives a notice, one of the two")
        if flag.urgency and not (flag.within and flag.disposition and flag.actions):
            yield Problem(file, ("then",), "a level needs within, disposition and actions")
    last = len(knowledge.default_policy) - 1
    entry = knowledge.default_policy[last] if knowledge.default_policy else None
    if entry is None or entry.any_of or entry.all_of or entry.needs_gate:
        place: Where = ("default_policy", last) if entry else ("default_policy",)
        yield Problem(folder / "default_urgency.yaml", place, "the last entry must always apply")
    ranked: dict[int, str] = {}
    for name, level in knowledge.levels.items():
        if ranked.setdefault(level.rank, name) != name:
            yield Problem(folder / "vocabulary" / "levels.yaml", (name, "rank"), f"the rank {level.rank} stands twice")
    numbers = [rung.rung for rung in knowledge.rungs]
    for place_, number in enumerate(numbers):
        if number in numbers[:place_]:
            yield Problem(folder / "rungs.yaml", ("rungs", place_), f"the rung {number} stands twice")


def _services(knowledge: Knowledge, folder: Path) -> Found:
    """Each hook has one service of CDS Hooks, as EHRs find a service by its hook; its prefetch has templates."""
    file, seen = folder / "cds_hooks.yaml", {"id": set[str](), "hook": set[str]()}
    for number, service in enumerate(knowledge.cards.services):
        for key, names in seen.items():
            if getattr(service, key) in names:
                yield Problem(file, ("services", number, key), f"the {key} stands twice")
            names.add(getattr(service, key))
        for place, key in enumerate(service.prefetch):
            if key not in knowledge.cards.prefetch:
                yield Problem(file, ("services", number, "prefetch", place), f"unknown template {key!r}")


def _treatments(knowledge: Knowledge, folder: Path) -> Found:
    for name, treatment in knowledge.treatments.items():
        if treatment.offer and not (treatment.because and treatment.references and treatment.evidence_status):
            file = folder / "treatments" / f"{name}.yaml"
            yield Problem(file, ("offer",), "an entry that is offered needs because, references, evidence_status")
    rules = [rule.id for sheet in knowledge.safety.values() for rule in sheet.rules]
    for name, sheet in knowledge.safety.items():
        for number, rule in enumerate(sheet.rules):
            if rules.count(rule.id) > 1:
                file = folder / "safety" / f"{name}.yaml"
                yield Problem(file, ("rules", number, "id"), f"the id {rule.id!r} stands twice")


def _cycles(knowledge: Knowledge, folder: Path) -> Found:
    try:
        _ = knowledge.vocabulary
    except WordCycle as error:
        tables = {"derived": knowledge.derived, "findings": knowledge.findings, "scores": knowledge.scores}
        table, word = next((table, word) for table, has in tables.items() for word in error.words if word in has)
        file = folder / "vocabulary" / f"{table}.yaml"
        yield Problem(file, (word,), f"words define one another in a circle: {error}")


def _examples(knowledge: Knowledge, folder: Path) -> Found:
    """Every rule fires on its own examples, stays silent on the others, and no lone word of not_alone fires it."""
    for name, flag in knowledge.red_flags.items():
        file = folder / "red_flags" / f"{name}.yaml"
        reading = Reading(knowledge, flag.when)
        yield from _try(reading, file, (), flag.examples)
        for word in flag.not_alone:
            said = {word: "present"} if word in knowledge.findings else {}
            if reading.holds(said, also=word):
                yield Problem(file, ("not_alone",), f"{word!r} alone fires the rule")
    for name, pattern in knowledge.patterns.items():
        yield from _try(Reading(knowledge, pattern.when), folder / "patterns" / f"{name}.yaml", (), pattern.examples)
    for rule, _ in knowledge.safety_rules.values():
        file, where = _safety_place(knowledge, folder, rule.id, "when")
        yield from _try(Reading(knowledge, rule.when), file, where[:-1], rule.examples)


def _try(reading: Reading, file: Path, where: Where, examples: Examples) -> Found:
    for kind, expected in (("fires", True), ("silent", False)):
        for number, example in enumerate(getattr(examples, kind)):
            place = (*where, "examples", kind, number)
            complaint = _unsayable(reading.knowledge, example)
            if complaint:
                yield Problem(file, place, complaint)
                continue
            if reading.holds(example) != expected:
                verb = "does not fire" if expected else "fires"
                yield Problem(file, place, f"the example {verb} the rule: {dict(example)}")


def _unsayable(knowledge: Knowledge, example: Mapping[str, Any]) -> str | None:
    """What a request could not say of an example; None when all of it could be sent."""
    for key, value in example.items():
        listed = _LISTS.get(key)
        if listed:
            if not isinstance(value, list) or not all(listed(knowledge, each) for each in value):
                return f"the example cannot be sent as it is: {key} is {value!r}"
        elif key in knowledge.findings:
            if value not in ANSWERS:
                return f"the example cannot be sent as it is: {key} is {value!r}, not one of {', '.join(ANSWERS)}"
        elif key in knowledge.paths:
            entry = knowledge.observations.get(key.removeprefix("observations.")) or knowledge.fields[key]
            if not _plausible(value, entry.plausible, entry.values):
                return f"the example cannot be sent as it is: {key} is {value!r}"
        elif not (key.startswith(("condition:", "suspected:")) and key.partition(":")[2] in knowledge.conditions):
            return f"the example names {key}, which a request cannot say"
        elif value not in ("present", "absent"):
            return f"the example cannot be sent as it is: {key} is {value!r}"
    return None


def _plausible(value: object, ends: tuple[float, float] | None, codes: Collection[str]) -> bool:
    if ends is None:
        return value in codes
    return isinstance(value, int | float) and not isinstance(value, bool) and ends[0] <= value <= ends[1]


def _is_trial(knowledge: Knowledge, trial: Any) -> bool:
    known = {*knowledge.treatments, *knowledge.treatment_groups}
    responses = (None, *knowledge.fields["treatments_tried.response"].values)
    return (
        isinstance(trial, Mapping)
        and {*trial} <= {"treatment", "weeks", "response"}
        and trial.get("treatment") in known
        and trial.get("response") in responses
        and _plausible(trial.get("weeks", 0), (0, math.inf), ())
    )


_LISTS: Mapping[str, Callable[[Knowledge, Any], bool]] = {
    "medications": lambda knowledge, name: isinstance(name, str) and name in knowledge.medications,
    "allergies": lambda knowledge, name: (
        isinstance(name, str) and name in {*knowledge.medications, *knowledge.allergens}
    ),
    "treatments_tried": _is_trial,
}


class Reading:
    """A plain reading of the lines of one rule, without the engine."""

    def __init__(self, knowledge: Knowledge, when: Collection[Line]) -> None:
        self.knowledge = knowledge
        self._needed = _needed(knowledge, when)
        self._antecedents = [antecedent for line in when for antecedent in logic.antecedents(line)]

    def holds(self, example: Mapping[str, Any], also: str | None = None) -> bool:
        """Whether any line holds for an example, and for one more literal."""
        held = example_literals(self.knowledge, example, self._needed) | ({also} if also else set())
        return any(antecedent <= held for antecedent in self._antecedents)


def _needed(knowledge: Knowledge, lines: Iterable[Line]) -> frozenset[str]:
    """The words that decide whether some lines hold: theirs, and those that these are made of."""
    concluding = {pattern.concludes: pattern.when for pattern in knowledge.patterns.values()}
    words = {word for line in lines for word in line.words}
    words |= {word for name in words & concluding.keys() for line in concluding[name] for word in line.words}
    findings = knowledge.findings
    named = words.union(*(knowledge.parts(word) for word in words))
    words |= {other for word in named & findings.keys() for other in findings[word].contradicts}
    words |= {name for name, finding in findings.items() if not named.isdisjoint(finding.contradicts)}
    for item in [knowledge.must_ask[word.partition(":")[2]] for word in words if word.startswith("unknown:")]:
        words |= {*item.findings, *((item.applies_if,) if item.applies_if else ())}
    read = {word.partition(":")[0] if word not in knowledge.derived else word for word in words}
    return frozenset(read).union(*(knowledge.parts(word) for word in read))


def example_literals(
    knowledge: Knowledge, example: Mapping[str, Any], only: frozenset[str] | None = None
) -> frozenset[str]:
    """The literals that hold for an example such as {fever: present, patient.age_years: 67, medications: [warfarin]}.

    Args:
        knowledge: the knowledge.
        example: what the person says.
        only: the words that matter; all when not given.
    """
    answers: dict[str, bool] = {}
    values: dict[str, Any] = {}
    extra: set[str] = set()
    for key, value in example.items():
        if key in knowledge.findings and value != "unknown":
            answers[key] = value == "present"
        elif key in knowledge.paths and key not in _LISTS:
            values[key] = value
        elif key.startswith(("condition:", "suspected:")) and value == "present":
            extra.add(key)
    trials = [
        knowledge.trial(trial["treatment"], trial.get("weeks"), trial.get("response"))
        for trial in example.get("treatments_tried", ())
    ]
    facts = knowledge.facts(
        answers,
        values,
        medications=example.get("medications"),
        allergies=example.get("allergies"),
        trials=trials if "treatments_tried" in example else None,
    )
    words = knowledge.vocabulary.derive(facts, only)
    unknown = [key for key in example if key in knowledge.findings and example[key] == "unknown"]
    extra |= facts.listed | trial_words(trials) | knowledge.asked_in_vain(unknown, words)
    held = logic.literals(words, extra, knowledge.exclusions)
    fired = [antecedent for antecedent in knowledge.rules["patterns"] if antecedent <= held]
    return held | {knowledge.patterns[found.id].concludes for found in knowledge.conclude("patterns", fired)}
