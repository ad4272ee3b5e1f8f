"""Red flags and safety rules that fired, as DetectedIssue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.fhir.case import Case
from service.fhir.parts import Json, coding, concept, own, sources, worded

DEFAULT = "default_policy"
"""The reason of a level that no red flag gave."""


def write(case: Case) -> list[Json]:
    """An entry for each rule: red flags first, the most urgent first, then what stands against treatments."""
    reasons = [reason for reason in case.answer["urgency"]["reasons"] if reason["rule"] != DEFAULT]
    return [
        *(_red_flag(reason, case) for reason in reasons),
        *(_safety(rule, *found, case) for rule, found in _held(case)),
    ]


def _red_flag(reason: Mapping[str, Any], case: Case) -> Json:
    flag = case.knowledge.red_flags[reason["rule"]]
    within = f" Within: {reason['within']}." if reason["within"] else ""
    resource = {
        "code": concept(reason["title"], coding(own("red-flags"), reason["rule"], reason["title"])),
        "severity": case.knowledge.policy.fhir.severity_of_level[reason["level"]],
        "evidence": [{"code": [*map(concept, reason["said"])], "detail": case.behind(reason["words"])}],
        "detail": f"{reason['because']}{within} {sources(reason['references'], case.knowledge)}",
        "mitigation": [{"action": concept(action)} for action in flag.actions],
    }
    return _issue(reason["rule"], resource, reason["references"], case)


def _held(case: Case) -> Iterator[tuple[str, tuple[list[Mapping[str, Any]], list[str]]]]:
    """Safety rule -> its lines and the treatments that it is about here, in the order of the ladder."""
    found: dict[str, tuple[list[Mapping[str, Any]], list[str]]] = {}
    for rung in case.answer["treatment_ladder"]["rungs"]:
        for entry in rung["entries"]:
            for line in (*entry["safety"], *entry["together"]):
                lines, treatments = found.setdefault(line["rule"], ([], []))
                lines.append(line)
                treatments += [entry["treatment"], *([line["with"]] if "with" in line else [])]
    yield from found.items()


def _safety(rule: str, lines: list[Mapping[str, Any]], treatments: list[str], case: Case) -> Json:
    known, line = case.knowledge.safety_rules[rule][0], lines[0]
    words = [*dict.fromkeys(word for each in lines for word in each.get("words", ()))]
    resource = {
        "code": concept(known.title, coding(own("safety"), rule, known.title)),
        "severity": case.knowledge.policy.fhir.severity_of_rule[known.severity],
        "implicated": [_treatment(name, case) for name in dict.fromkeys(treatments)],
        "evidence": [{"code": [worded(word, case.knowledge) for word in words], "detail": case.behind(words)}],
        "detail": f"{line['because']} {sources(known.references, case.knowledge)}",
        "mitigation": [{"action": concept(known.instead)}] if known.instead else [],
    }
    return _issue(rule, resource, known.references, case)


def _treatment(name: str, case: Case) -> Json:
    """A treatment that may not even be proposed: known by what it is, not by a resource."""
    return {
        "identifier": {"system": own("treatments"), "value": name},
        "display": case.knowledge.treatments[name].label,
    }


def _issue(rule: str, resource: Json, keys: Any, case: Case) -> Json:
    links = (case.knowledge.references[key].url for key in keys)
    about = {
        "resourceType": "DetectedIssue",
        "status": case.status,
        "patient": case.subject,
        "reference": next(filter(None, links), None),
    }
    return case.entry(f"DetectedIssue/{rule}", about | resource)
