"""What the answer says of something that is being ordered. Nothing is decided here: the rules have answered already."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.knowledge import Knowledge
from schemas.cards import VERDICTS, DrugOrder, Order
from schemas.knowledge import SEVERITIES
from service.cds_hooks.orders import Ordered

_AGAINST = ("exclude", "caution")
_OFFERED = ("recommended", "consider")
_ADVISED = ("order", "consider")

MILDEST = SEVERITIES[-1]
"""Severity of what has none of its own: a row of advice."""

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule or a row says against an order."""

    verdict: str
    severity: str
    rule: str
    title: str
    because: str
    instead: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """An order with what speaks against it, the heaviest first; `judged_as` is the entry that stands for its class."""

    label: str
    quoted: str
    findings: tuple[Finding, ...]
    judged_as: str | None = None

    @property
    def critical(self) -> bool:
        """Whether a rule of critical severity is among them."""
        return any(each.severity == SEVERITIES[0] for each in self.findings)

    @property
    def verdict(self) -> str:
        """The heaviest of its findings."""
        return self.findings[0].verdict


def judge(ordered: Ordered, answer: Answer, sent: Collection[str], knowledge: Knowledge) -> Judged | None:
    """What the answer says against an order; None where it says nothing.

    Args:
        ordered: a drug that was read, or an order that we know.
        answer: the assessment of this person.
        sent: the fields of the request that hold a value, as `episode.duration_days`.
        knowledge: entries, rows and what stands for what.
    """
    found: list[Finding] = []
    label, stands_for = "", None
    for drug in ordered.drugs or ():
        label = label or knowledge.medications[drug].label if drug in knowledge.medications else label or drug
        against, entry = _drug(drug, answer, knowledge)
        found += against
        stands_for = stands_for or entry
    for order in ordered.kinds[:1]:
        label = order.label
        found += _order(order, answer, sent, knowledge)
    if not found:
        return None
    ranked = sorted({each.rule: each for each in found}.values(), key=_heaviness)
    return Judged(label, ordered.text, tuple(ranked), stands_for)


def _heaviness(finding: Finding) -> tuple[int, int]:
    return VERDICTS.index(finding.verdict), SEVERITIES.index(finding.severity)


def right(ordered: Ordered, answer: Answer) -> bool:
    """Whether an order is an investigation that the answer asks for, or would consider."""
    return any(_asked_for(order, answer) for order in ordered.kinds)


def _asked_for(order: Order, answer: Answer) -> bool:
    return any(
        row["investigation"] in order.right_for and row["advice"] in _ADVISED for row in answer["investigations"]
    )


def _order(order: Order, answer: Answer, sent: Collection[str], knowledge: Knowledge) -> Iterator[Finding]:
    if _asked_for(order, answer) or not {*order.needs} <= {*sent}:
        return
    yield from _rows(order.do_not, answer)
    for row in answer["investigations"]:
        if row["investigation"] in order.wrong_for and row["advice"] == "do_not_order":
            title = f"{row['label']}, {row['when']}" if row["when"] else row["label"]
            yield Finding(
                "not_recommended", MILDEST, row["investigation"], title, row["because"], (), tuple(row["references"])
            )
    for name in order.treatments:
        yield from _entry(name, answer, knowledge)


def _drug(drug: str, answer: Answer, knowledge: Knowledge) -> tuple[list[Finding], str | None]:
    """What speaks against a drug, and the label of the entry of its class where it is no entry itself."""
    own = [
        each.id
        for each in knowledge.treatments.values()
        if each.kind in ("drug", "supplement") and drug in each.drugs and _spoken_of(each.id, answer)
    ]
    row = _row_of(drug, knowledge)
    judged = own or ([row.judged_as] if row else [])
    # One drug in several entries (by mouth, by needle): the order does not tell which, so only what holds for all.
    each = [list(_entry(name, answer, knowledge)) for name in judged]
    against = min(each, key=_weight, default=[])
    offered = any(_status(name, answer) in _OFFERED for name in judged)
    if row and not offered:
        against += _rows(row.do_not, answer)
    return against, None if own or row is None else knowledge.treatments[row.judged_as].label


def _weight(findings: list[Finding]) -> int:
    return max((len(VERDICTS) - VERDICTS.index(each.verdict) for each in findings), default=0)


def _row_of(drug: str, knowledge: Knowledge) -> DrugOrder | None:
    classes = knowledge.listed("medication", [drug])
    return next((row for row in knowledge.cards.drugs if f"medication:{row.of}" in classes), None)


def _entries(answer: Answer) -> dict[str, Any]:
    return {entry["treatment"]: entry for rung in answer["treatment_ladder"]["rungs"] for entry in rung["entries"]}


def _status(name: str, answer: Answer) -> str | None:
    entry = _entries(answer).get(name)
    return entry["status"] if entry else None


def _spoken_of(name: str, answer: Answer) -> bool:
    rows = answer["treatment_ladder"]["not_recommended"]
    return name in _entries(answer) or any(row["treatment"] == name for row in rows)


def _entry(name: str, answer: Answer, knowledge: Knowledge) -> Iterator[Finding]:
    """What speaks against an entry of the ladder: rules that take it off or ask for caution, or its own row."""
    treatment, entry = knowledge.treatments[name], _entries(answer).get(name)
    if entry is None:
        yield from _rows((treatment.row,), answer)
        return
    heavy = SEVERITIES[: SEVERITIES.index(knowledge.cards.show.caution_from) + 1]
    rules = [rule for rule in entry["safety"] if rule["action"] in _AGAINST and rule["severity"] in heavy]
    others = tuple(knowledge.treatments[other].label for other in entry["alternatives"])
    for rule in sorted(rules, key=lambda rule: _AGAINST.index(rule["action"])):
        verdict = "excluded" if rule["action"] == "exclude" else "caution"
        instead = (rule["instead"],) if rule["instead"] else others
        yield Finding(
            verdict, rule["severity"], rule["rule"], rule["title"], rule["because"], instead, tuple(rule["references"])
        )
    if entry["status"] == "excluded" and not any(rule["action"] == "exclude" for rule in rules):
        title = entry["because"].split(". ")[0]
        yield Finding("excluded", MILDEST, treatment.row, title, entry["because"], others, tuple(entry["references"]))


def _rows(names: Collection[str], answer: Answer) -> Iterator[Finding]:
    """Rows of what is advised against that apply to this person."""
    for row in answer["treatment_ladder"]["not_recommended"]:
        if row["row"] in names:
            instead = (row["instead"],) if row["instead"] else ()
            yield Finding(
                "not_recommended", MILDEST, row["row"], row["label"], row["because"], instead, tuple(row["references"])
            )
