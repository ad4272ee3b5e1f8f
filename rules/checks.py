"""Cross checks: what one file alone cannot know. Every finding is collected; any at all refuses the start."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rules import logic
from rules.files import KnowledgeError, Problem
from rules.knowledge import Conclusion, Knowledge, trial_words
from rules.words import WordCycle
from schemas.knowledge import Examples
from schemas.parts import Line

Where = tuple[str | int, ...]
Found = Iterator[Problem]


def check(knowledge: Knowledge, folder: Path) -> None:
    """Run every check.

    Raises:
        KnowledgeError: with all problems found, each with its file and line.
    """
    # Later checks evaluate rules, so they run only on knowledge whose names already hold.
    for stage in (_NAMES, _MEANING):
        problems = list(itertools.chain.from_iterable(each(knowledge, folder) for each in stage))
        if problems:
            raise KnowledgeError(problems)


class _Names:
    """Which words exist."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.vocabulary = {*knowledge.findings, *knowledge.derived, *knowledge.scores}
        bands = {f"{name}:{band}" for name, score in knowledge.scores.items() for band in score.bands}
        self.plain = {*knowledge.findings, *knowledge.derived, *bands}
        self.rules = self.plain | {pattern.concludes for pattern in knowledge.patterns.values()}
        drugs = {*knowledge.medications}
        tried = {*knowledge.treatments, *knowledge.treatment_groups}
        self.prefixed: Mapping[str, set[str]] = {
            "medication": drugs,
            "medication_class": drugs,
            "allergy": drugs | {*knowledge.allergens},
            "allergy_class": drugs | {*knowledge.allergens},
            "tried": tried,
            "failed": tried,
            "unknown": {*knowledge.must_ask},
            "condition": {*knowledge.conditions},
            "suspected": {*knowledge.conditions},
        }

    def known(self, word: str) -> bool:
        prefix, _, name = word.partition(":")
        return word in self.rules or name in self.prefixed.get(prefix, ())


def _unknown(file: Path, where: Where, word: str) -> Problem:
    return Problem(file, where, f"unknown word {word!r}")


def _vocabulary(knowledge: Knowledge, folder: Path) -> Found:
    names, home = _Names(knowledge), folder / "vocabulary"
    doubled = [*knowledge.findings, *knowledge.derived, *knowledge.scores, *knowledge.not_coded]
    for name in sorted({name for name in doubled if doubled.count(name) > 1}):
        yield Problem(home / "derived.yaml", (name,), f"the id {name!r} stands in two vocabulary files")
    for name, finding in knowledge.findings.items():
        file = home / "findings.yaml"
        for key in ("implied_by", "absent_clears", "contradicts"):
            for word in getattr(finding, key):
                if word not in knowledge.findings:
                    yield _unknown(file, (name, key), word)
        for key in ("also_present_if", "also_absent_if", "prompted_by"):
            word = getattr(finding, key)
            if word and word not in names.plain:
                yield _unknown(file, (name, key), word)
        for group in (*finding.groups_also, *((finding.group,) if finding.group else ())):
            if group not in knowledge.groups:
                yield Problem(file, (name, "group"), f"unknown correlated group {group!r}")
    for name, word in knowledge.derived.items():
        file = home / "derived.yaml"
        listed = {f"{prefix}:{drug}" for prefix in list(names.prefixed)[:4] for drug in names.prefixed[prefix]}
        for member in (
            *(term.word for term in word.members),
            *((word.applies_if,) if word.applies_if else ()),
        ):
            if member not in names.plain | listed:
                yield _unknown(file, (name,), member)
        if word.score and word.score not in knowledge.scores:
            yield _unknown(file, (name,), word.score)
        yield from (
            Problem(file, (name,), f"unknown field {path!r}") for path in word.paths if path not in knowledge.paths
        )
        if word.group and word.group not in knowledge.groups:
            yield Problem(file, (name, "group"), f"unknown correlated group {word.group!r}")
    yield from _tables(knowledge, home, names)


def _tables(knowledge: Knowledge, home: Path, names: _Names) -> Found:
    for name, item in knowledge.must_ask.items():
        file = home / "must_ask.yaml"
        for word in (*item.findings, *item.derived, *((item.applies_if,) if item.applies_if else ())):
            if word not in names.vocabulary:
                yield _unknown(file, (name,), word)
        for level in item.gates:
            if level not in knowledge.levels:
                yield Problem(file, (name, "gates"), f"unknown urgency level {level!r}")
    for name, level_ in knowledge.levels.items():
        for item_ in (*level_.must_be_answered, *level_.if_applicable):
            if item_ not in knowledge.must_ask:
                yield Problem(home / "levels.yaml", (name,), f"unknown must-ask item {item_!r}")
    for name, drug in knowledge.medications.items():
        for parent in drug.classes:
            if parent not in knowledge.medications:
                yield Problem(home / "medications.yaml", (name,), f"unknown medication class {parent!r}")


def _lines(knowledge: Knowledge, folder: Path) -> Iterator[tuple[Path, Where, Line, Conclusion]]:
    """Every line of every rule with the place where it stands."""
    places: Mapping[str, Callable[[Conclusion], tuple[Path, Where]]] = {
        "pattern": lambda c: (folder / "patterns" / f"{c.id}.yaml", ("when",)),
        "red_flag": lambda c: (folder / "red_flags" / f"{c.id}.yaml", ("when",)),
        "offer": lambda c: (folder / "treatments" / f"{c.id}.yaml", ("offer", c.part, "when")),
        "do_not": lambda c: (folder / "advice" / "do_not.yaml", (list(knowledge.do_not).index(c.id), "when")),
        "work_up": lambda c: (folder / "conditions" / f"{c.id}.yaml", ("work_up", c.part, "lines")),
        "safety": lambda c: _safety_place(knowledge, folder, c.id, "when"),
    }
    for _, conclusion, lines in knowledge.lines():
        file, where = places[conclusion.kind](conclusion)
        yield from ((file, (*where, number), line, conclusion) for number, line in enumerate(lines))


def _safety_place(knowledge: Knowledge, folder: Path, rule_id: str, key: str) -> tuple[Path, Where]:
    for sheet in knowledge.safety.values():
        for number, rule in enumerate(sheet.rules):
            if rule.id == rule_id:
                return folder / "safety" / f"{sheet.id}.yaml", ("rules", number, key)
    raise LookupError(rule_id)


def _rule_words(knowledge: Knowledge, folder: Path) -> Found:
    names = _Names(knowledge)
    for name, flag in knowledge.red_flags.items():
        file = folder / "red_flags" / f"{name}.yaml"
        yield from (_unknown(file, ("not_alone",), word) for word in flag.not_alone if not names.known(word))
    for file, where, line, conclusion in _lines(knowledge, folder):
        yield from (_unknown(file, where, word) for word in sorted(line.words) if not names.known(word))
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


def _references(knowledge: Knowledge, folder: Path) -> Found:
    for file, where, record in _sourced(knowledge, folder):
        for key in record.references:
            if key not in knowledge.references:
                yield Problem(file, (*where, "references"), f"no such reference {key!r} in references.yaml")


def _sourced(knowledge: Knowledge, folder: Path) -> Iterator[tuple[Path, Where, Any]]:
    for kind in ("red_flags", "patterns", "treatments", "pathways"):
        for name, record in getattr(knowledge, kind).items():
            yield folder / kind / f"{name}.yaml", (), record
    for sheet in knowledge.safety.values():
        for number, rule in enumerate(sheet.rules):
            yield folder / "safety" / f"{sheet.id}.yaml", ("rules", number), rule
    for number, row in enumerate(knowledge.do_not.values()):
        yield folder / "advice" / "do_not.yaml", (number,), row
    for number, default in enumerate(knowledge.default_policy):
        yield folder / "default_urgency.yaml", ("default_policy", number), default
    for number, rung in enumerate(knowledge.rungs):
        yield folder / "rungs.yaml", ("rungs", number), rung
    yield folder / "policy.yaml", (), knowledge.policy
    for name, condition in knowledge.conditions.items():
        file = folder / "conditions" / f"{name}.yaml"
        if condition.priors:
            yield file, ("priors",), condition.priors
            yield from ((file, ("priors", "modifiers"), modifier) for modifier in condition.priors.modifiers)
        yield from ((file, ("frequencies", word), row) for word, row in condition.frequencies.items())
        for key in ("published", "course", "work_up"):
            yield from ((file, (key, number), row) for number, row in enumerate(getattr(condition, key)))


def _conditions(knowledge: Knowledge, folder: Path) -> Found:
    names, background = _Names(knowledge), knowledge.conditions.get(knowledge.policy.reasoning.background)
    if background is None or not background.frequencies:
        yield Problem(folder / "policy.yaml", ("reasoning", "background"), "the background has no frequencies")
        return
    for name, condition in knowledge.conditions.items():
        file = folder / "conditions" / f"{name}.yaml"
        for word, row in condition.frequencies.items():
            if word not in names.plain:
                yield _unknown(file, ("frequencies", word), word)
            elif word not in background.frequencies:
                yield Problem(file, ("frequencies", word), f"the background has no frequency of {word!r}")
            if row.range and not row.range[0] <= row.f <= row.range[1]:
                yield Problem(file, ("frequencies", word), f"frequency {row.f} outside its own range {row.range}")
        published = {row.word for row in condition.published}
        for number, row_ in enumerate(condition.published):
            if row_.word not in names.plain:
                yield _unknown(file, ("published", number), row_.word)
        for word in condition.composites:
            if word not in published:
                yield Problem(file, ("composites",), f"{word!r} has no published row")
            if word in condition.frequencies:
                yield Problem(file, ("composites",), f"{word!r} has a frequency, so its ratio comes from there")
        yield from _priors(knowledge, file, condition)
    yield from _differences(knowledge, folder)


def _priors(knowledge: Knowledge, file: Path, condition: Any) -> Found:
    if condition.priors is None:
        return
    for setting, bands in condition.priors.settings.items():
        if setting not in knowledge.settings:
            yield Problem(file, ("priors", "settings", setting), f"unknown setting {setting!r}")
        edges = [(band.at_least, band.below) for band in bands]
        starts = [0.0, *(end for _, end in edges[:-1])]
        if [start for start, _ in edges] != starts or edges[-1][1] is not None:
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
            if any(printed and not 0.5 <= printed / model <= 2 for printed, model in pairs):
                yield Problem(
                    folder / "conditions" / f"{name}.yaml",
                    ("published", number),
                    f"the printed ratio of {row.word!r} and the model's differ by more than a factor of two: say why",
                )


def _targets(knowledge: Knowledge, folder: Path) -> Found:
    """Ids of conditions, treatments, medications and levels that rules point to."""
    tried = {*knowledge.treatments, *knowledge.treatment_groups}
    for name, flag in knowledge.red_flags.items():
        file = folder / "red_flags" / f"{name}.yaml"
        for suspect in flag.suspects:
            if suspect not in knowledge.conditions:
                yield Problem(file, ("then", "suspects"), f"unknown condition {suspect!r}")
        if (flag.urgency is None) == (flag.then.notice is None):
            yield Problem(file, ("then",), "a rule sets a level or gives a notice, one of the two")
        if flag.urgency and not (flag.within and flag.disposition and flag.actions):
            yield Problem(file, ("then",), "a level needs within, disposition and actions")
    for name, treatment in knowledge.treatments.items():
        file = folder / "treatments" / f"{name}.yaml"
        for condition in treatment.conditions:
            if condition not in knowledge.conditions:
                yield Problem(file, ("conditions",), f"unknown condition {condition!r}")
        for other in treatment.alternatives:
            if other not in tried:
                yield Problem(file, ("alternatives",), f"unknown treatment {other!r}")
        for drug in treatment.drugs:
            if drug not in knowledge.medications:
                yield Problem(file, ("drugs",), f"unknown medication {drug!r}")
        if treatment.offer and not (treatment.because and treatment.references and treatment.evidence_status):
            yield Problem(file, ("offer",), "an entry that is offered needs because, references, evidence_status")
    yield from _safety_targets(knowledge, folder)


def _defaults(knowledge: Knowledge, folder: Path) -> Found:
    names, file = _Names(knowledge), folder / "default_urgency.yaml"
    for number, entry in enumerate(knowledge.default_policy):
        for word in (*entry.any_of, *entry.all_of):
            if word not in names.plain:
                yield _unknown(file, ("default_policy", number), word)
    last = knowledge.default_policy[-1]
    if last.any_of or last.all_of or last.needs_gate:
        yield Problem(file, ("default_policy", len(knowledge.default_policy) - 1), "the last entry must always apply")


def _safety_targets(knowledge: Knowledge, folder: Path) -> Found:
    rules = [rule.id for sheet in knowledge.safety.values() for rule in sheet.rules]
    for name, sheet in knowledge.safety.items():
        file = folder / "safety" / f"{name}.yaml"
        for number, rule in enumerate(sheet.rules):
            if rules.count(rule.id) > 1:
                yield Problem(file, ("rules", number, "id"), f"the id {rule.id!r} stands twice")
            for treatment in rule.treatments:
                if treatment not in knowledge.treatments:
                    yield Problem(file, ("rules", number, "treatments"), f"unknown treatment {treatment!r}")
        for treatment in sheet.treatments:
            if treatment not in knowledge.treatments:
                yield Problem(file, ("treatments",), f"unknown treatment {treatment!r}")
    for name, pathway in knowledge.pathways.items():
        for condition in pathway.conditions:
            if condition not in knowledge.conditions:
                yield Problem(folder / "pathways" / f"{name}.yaml", ("conditions",), f"unknown {condition!r}")


def _cycles(knowledge: Knowledge, folder: Path) -> Found:
    try:
        _ = knowledge.vocabulary
    except WordCycle as error:
        yield Problem(folder / "vocabulary" / "derived.yaml", (), f"words define one another in a circle: {error}")


def _examples(knowledge: Knowledge, folder: Path) -> Found:
    """Every rule fires on its own examples, stays silent on the others, and no lone word of not_alone fires it."""
    for name, flag in knowledge.red_flags.items():
        file = folder / "red_flags" / f"{name}.yaml"
        yield from _try(knowledge, file, (), flag.when, flag.examples)
        for word in flag.not_alone:
            said = {word: "present"} if word in knowledge.findings else {}
            held = example_literals(knowledge, said, _needed(knowledge, flag.when)) | {word}
            if any(antecedent <= held for line in flag.when for antecedent in logic.antecedents(line)):
                yield Problem(file, ("not_alone",), f"{word!r} alone fires the rule")
    for name, pattern in knowledge.patterns.items():
        yield from _try(knowledge, folder / "patterns" / f"{name}.yaml", (), pattern.when, pattern.examples)
    for rule, _ in knowledge.safety_rules.values():
        file, where = _safety_place(knowledge, folder, rule.id, "when")
        yield from _try(knowledge, file, where[:-1], rule.when, rule.examples)


def _try(knowledge: Knowledge, file: Path, where: Where, when: Iterable[Line], examples: Examples) -> Found:
    for kind, expected in (("fires", True), ("silent", False)):
        for number, example in enumerate(getattr(examples, kind)):
            place = (*where, "examples", kind, number)
            try:
                fired = holds(knowledge, when, example)
            except LookupError as error:
                yield Problem(file, place, f"the example names {error}, which a request cannot say")
                continue
            if fired != expected:
                verb = "does not fire" if expected else "fires"
                yield Problem(file, place, f"the example {verb} the rule: {dict(example)}")


def holds(knowledge: Knowledge, when: Iterable[Line], example: Mapping[str, Any]) -> bool:
    """A plain reading of a rule on an example: whether any of its lines holds."""
    lines = tuple(when)
    held = example_literals(knowledge, example, _needed(knowledge, lines))
    return any(antecedent <= held for line in lines for antecedent in logic.antecedents(line))


def _needed(knowledge: Knowledge, lines: Iterable[Line]) -> frozenset[str]:
    """The words that decide whether some lines hold: theirs, and those that these are made of."""
    read = {word.partition(":")[0] if word not in knowledge.derived else word for line in lines for word in line.words}
    return frozenset(read).union(*(knowledge.parts(word) for word in read))


def example_literals(
    knowledge: Knowledge, example: Mapping[str, Any], only: frozenset[str] | None = None
) -> frozenset[str]:
    """The literals that hold for an example such as {fever: present, patient.age_years: 67, medications: [warfarin]}.

    Args:
        knowledge: the knowledge.
        example: what the person says.
        only: the words that matter; all when not given.

    Raises:
        LookupError: a key that is neither a finding nor a field of the request.
    """
    answers: dict[str, bool] = {}
    values: dict[str, Any] = {}
    extra: set[str] = set()
    for key, value in example.items():
        if key in knowledge.findings:
            if value != "unknown":
                answers[key] = value == "present"
            else:
                extra |= {f"unknown:{item}" for item, asked in knowledge.must_ask.items() if key in asked.findings}
        elif key in knowledge.paths:
            values[key] = value
        elif key.startswith(("condition:", "suspected:")):
            extra.add(key)
        elif key not in ("medications", "allergies", "treatments_tried"):
            raise LookupError(key)
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
    extra |= facts.listed | trial_words(trials)
    return logic.literals(words, extra, knowledge.exclusions)


_NAMES = (_vocabulary, _rule_words, _patterns, _references, _conditions, _targets, _defaults, _cycles)
_MEANING = (_examples,)
