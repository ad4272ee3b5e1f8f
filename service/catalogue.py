"""What the service knows, to be looked up: every id of an answer resolves here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from rules.knowledge import Knowledge
from schemas import advice, vocabulary
from schemas import knowledge as records
from schemas.about import About, Counts, EngineSize
from schemas.assessment import unknown_id
from service.problems import Refusal

Shelf = Mapping[str, dict[str, Any]]

RECORDS: Mapping[str, type] = {
    "findings": vocabulary.Finding,
    "observations": vocabulary.Observation,
    "derived-words": vocabulary.Derived,
    "must-ask": vocabulary.MustAsk,
    "conditions": records.Condition,
    "treatments": records.Treatment,
    "treatment-groups": vocabulary.TreatmentGroup,
    "medications": vocabulary.Medication,
    "allergens": vocabulary.Allergen,
    "red-flags": records.RedFlag,
    "patterns": records.Pattern,
    "pathways": records.Pathway,
    "do-not": records.DoNot,
    "education": advice.Education,
    "follow-up": advice.FollowUp,
    "referral": advice.Referral,
    "conflicts": advice.Conflict,
    "measures": advice.Measure,
    "gates": advice.Gate,
    "scores": vocabulary.Score,
    "references": records.Reference,
    "safety": records.SafetyRule,
}
"""Kind -> the record of which an entry is made."""

FORM = ("kind", "question", "synonyms", "unit", "plausible", "values", "findings", "fields", "url")
"""What a list adds for whoever makes a form (`?detail=form`), where an entry has it."""


def shelves(knowledge: Knowledge) -> Mapping[str, Callable[[], Shelf]]:
    """Kind -> what gives id -> the whole entry as plain data; made when it is first asked for, then kept."""
    tables = {
        "observations": knowledge.observations,
        "derived-words": knowledge.derived,
        "must-ask": knowledge.must_ask,
        "conditions": knowledge.conditions,
        "treatments": knowledge.treatments,
        "treatment-groups": knowledge.treatment_groups,
        "medications": knowledge.medications,
        "allergens": knowledge.allergens,
        "red-flags": knowledge.red_flags,
        "patterns": knowledge.patterns,
        "pathways": knowledge.pathways,
        "do-not": knowledge.do_not,
        "education": knowledge.education,
        "follow-up": knowledge.follow_up,
        "referral": knowledge.referral,
        "conflicts": knowledge.conflicts,
        "measures": knowledge.measures,
        "gates": knowledge.gates,
        "scores": knowledge.scores,
        "references": knowledge.references,
    }
    plain = {kind: cache(partial(_plain, table)) for kind, table in tables.items()}
    return {"findings": cache(partial(_findings, knowledge)), **plain, "safety": cache(partial(_safety, knowledge))}


def listing(shelf: Shelf, query: str = "", read: Sequence[str] = (), more: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Every entry by id with its label or title.

    Args:
        shelf: the entries.
        query: only those of which id, label or a synonym holds this text, in any case.
        read: ids that the text means by itself; they come first.
        more: fields of an entry that stand beside id and label, where it has them.
    """
    sought = query.strip().casefold()
    named = {name: _label(name, entry) for name, entry in sorted(shelf.items())}
    found = [name for name in read if name in named]
    found += [
        name
        for name, label in named.items()
        if name not in found
        if any(sought in text.casefold() for text in (name, label, *shelf[name].get("synonyms", ())))
    ]
    return [
        {"id": name, "label": named[name], **{key: shelf[name][key] for key in more if key in shelf[name]}}
        for name in found
    ]


def _label(name: str, entry: Mapping[str, Any]) -> str:
    return str(next((entry[key] for key in ("label", "title", "item", "citation") if entry.get(key)), name))


def entry(kind: str, name: str, shelf: Shelf) -> dict[str, Any]:
    """One whole entry.

    Raises:
        Refusal: 404 with the closest known ids.
    """
    if name not in shelf:
        synonyms = {synonym: known for known, found in shelf.items() for synonym in found.get("synonyms", ())}
        complaint = unknown_id(kind, name, shelf, synonyms)
        raise Refusal(404, complaint, [{"pointer": "", "detail": complaint, "closest": complaint.closest}])
    return shelf[name]


def about(knowledge: Knowledge, engine: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Version, hash, for whom, how good, size, how it reasons, and what it does not do."""
    policy, attributes = knowledge.policy, knowledge.source_attributes.attributes
    counts = Counts(
        findings=len(knowledge.findings),
        observations=len(knowledge.observations),
        derived_words=len(knowledge.derived),
        scores=len(knowledge.scores),
        conditions_ranked=len(knowledge.ranked),
        conditions_known_by_name_only=len(knowledge.conditions) - len(knowledge.ranked),
        red_flags=len(knowledge.red_flags),
        treatments_encoded=sum(bool(entry.offer) for entry in knowledge.treatments.values()),
        safety_rules=len(knowledge.safety_rules),
        references=len(knowledge.references),
    )
    page: dict[str, Any] = _dump(
        About(
            version=policy.version,
            sha256=knowledge.sha256,
            intended_use=policy.texts["intended_use"],
            source_attributes=knowledge.source_attributes,
            inputs_used=(*knowledge.fields, "findings", "observations"),
            inputs_not_used={row.attribute: row.says for row in attributes if row.used is False},
            validation=knowledge.validation,
            counts=counts,
            engine={concern: EngineSize(**size) for concern, size in engine.items()},
            reasoning=policy.reasoning,
            ladder=policy.ladder,
            not_coded=knowledge.not_coded,
            review=_reviews(knowledge),
        )
    )
    return page


def _reviews(knowledge: Knowledge) -> dict[str, int]:
    """How many rules a clinician has reviewed."""
    states = [
        rule.review for kind in (knowledge.red_flags, knowledge.patterns, knowledge.ranked) for rule in kind.values()
    ]
    return {state: states.count(state) for state in sorted({*states})}


def _safety(knowledge: Knowledge) -> Shelf:
    """Safety rules by id, each with the treatments that it is about."""
    return {
        name: {**_dump(rule), "treatments": list(targets)} for name, (rule, targets) in knowledge.safety_rules.items()
    }


def _findings(knowledge: Knowledge) -> Shelf:
    """Findings, each with the rules, words and conditions that read it."""
    readers: dict[str, set[str]] = {}
    for _, conclusion, lines in knowledge.lines():
        for word in {word for line in lines for word in line.words}:
            for part in (word, *knowledge.parts(word)):
                readers.setdefault(part, set()).add(f"{conclusion.kind}:{conclusion.id}")
    for name, condition in knowledge.ranked.items():
        for word in (*condition.frequencies, *condition.composites):
            readers.setdefault(word, set()).add(f"condition:{name}")
    return {
        name: {**entry, "used_by": sorted(readers.get(name, ()))} for name, entry in _plain(knowledge.findings).items()
    }


def _plain(table: Mapping[str, Any]) -> Shelf:
    return {name: {"id": name, **_dump(entry)} for name, entry in table.items()}


def _dump(value: Any) -> Any:
    """Records as plain data, without what is not said."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _dump(found) for name in names if (found := getattr(value, name)) not in (None, (), {})}
    if isinstance(value, Mapping):
        return {key: _dump(found) for key, found in value.items()}
    if isinstance(value, tuple | list):
        return [_dump(found) for found in value]
    return value
