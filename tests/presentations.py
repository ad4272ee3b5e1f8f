"""Requests for tests: the published cases, and random ones that the contract allows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rules.knowledge import Knowledge
from tests.oracle import parse

PATH = "/v1/assessments"
CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Reply:
    """A request that the service answered: the bytes, and what they say."""

    name: str
    request: dict[str, Any]
    raw: bytes
    answer: dict[str, Any]


def cases() -> list[dict[str, Any]]:
    """Every case of tests/cases."""
    return [case for file in sorted(CASES.glob("*.yaml")) for case in parse(file)]


def random_request(chance: Random, knowledge: Knowledge) -> dict[str, Any]:
    """A valid request: each part sent or not, ids drawn from the vocabulary, numbers from their plausible range."""
    request: dict[str, Any] = {"patient": {"age_years": chance.choice([0, 17, 18, 120, chance.randint(18, 95)])}}
    if chance.random() < 0.8:
        request["patient"]["sex"] = chance.choice(["female", "male"])
    if chance.random() < 0.3:
        request["patient"]["pregnancy"] = chance.choice(["pregnant", "not_pregnant", "possible"])
    if chance.random() < 0.8:
        request["setting"] = chance.choice(["primary_care", "emergency", "spine_clinic"])
    if chance.random() < 0.8:
        request["episode"] = {
            "duration_days": chance.choice([0, 0.25, 13, 14, 41, 42, 84, 36500, round(chance.uniform(0, 400), 2)]),
            "pain_severity": chance.randint(0, 10),
        }
    if chance.random() < 0.2:
        request["contact"] = {
            "mode": chance.choice(["in_person", "remote"]),
            "informant": chance.choice(["patient", "proxy", "interpreter"]),
        }
    if chance.random() < 0.9:
        answers = chance.choice([("present",), ("absent",), ("present", "absent", "unknown")])
        some = chance.sample(sorted(knowledge.findings), chance.randint(0, 40))
        request["findings"] = {name: chance.choice(answers) for name in some}
    if chance.random() < 0.5:
        some = chance.sample(sorted(knowledge.must_ask), chance.randint(0, len(knowledge.must_ask)))
        request["screening"] = {name: chance.choice(["absent", "unknown"]) for name in some}
    if chance.random() < 0.5:
        some = chance.sample(sorted(knowledge.observations), chance.randint(0, 12))
        request["observations"] = {name: _measured(chance, knowledge, name) for name in some}
    drugs = [*sorted(knowledge.medications), "moonflower extract", "Aspirin 100", "ünknøwn", "a\u0000b"]
    if chance.random() < 0.5:
        request["medications"] = chance.sample(drugs, chance.randint(0, 5))
    if chance.random() < 0.4:
        request["allergies"] = chance.sample([*drugs, *sorted(knowledge.allergens)], chance.randint(0, 3))
    if chance.random() < 0.4:
        tried = [*sorted(knowledge.treatments), *sorted(knowledge.treatment_groups)]
        request["treatments_tried"] = [
            {"treatment": name, "weeks": chance.randint(0, 520), "response": chance.choice(["none", "partial", "good"])}
            if chance.random() < 0.8
            else {"treatment": name}
            for name in chance.sample(tried, chance.randint(0, 4))
        ]
    return request


def _measured(chance: Random, knowledge: Knowledge, name: str) -> float | str:
    entry = knowledge.observations[name]
    if entry.plausible is None:
        return chance.choice(entry.values)
    low, high = entry.plausible
    return chance.choice([low, high, max(low, min(high, round(chance.uniform(low, high), 1)))])


def thinned(request: dict[str, Any], chance: Random, share: float) -> dict[str, Any]:
    """The same request with a share of its answers, measurements, screening, episode and lists left out at random."""
    parts = ("findings", "observations", "screening", "episode")
    answers = [(part, name) for part in parts for name in request.get(part, {})]
    answers += [(part, "") for part in ("medications", "allergies", "treatments_tried") if part in request]
    gone = set(chance.sample(answers, round(share * len(answers))))
    return {
        part: {name: said for name, said in value.items() if (part, name) not in gone} if part in parts else value
        for part, value in request.items()
        if (part, "") not in gone
    }


def shuffled(value: Any, chance: Random) -> Any:
    """The same value with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    if isinstance(value, list):
        return [shuffled(item, chance) for item in value]
    return value
