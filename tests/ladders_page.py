"""docs/ladders.md: the ladders of ten ordinary patients, as the service gives them (make ladders)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import rules
from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from tests.oracle import parse
from tests.patients import open_book
from tests.people import ALL_DENIED

PATIENTS = Path(__file__).parent / "data" / "ten_patients.yaml"
PAGE = Path(__file__).parent.parent / "docs" / "ladders.md"
HEAD = """\
# Ten ladders

What the service gives to ten ordinary patients, for a clinician to read against the evidence. Every must-ask and every
safety question was asked and denied but for what is said. Written by `make ladders`; a test fails when the page is not
what the service answers.
"""


def render(knowledge: Knowledge, engine: Engine) -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for patient in parse(PATIENTS) for line in _patient(patient, knowledge, engine))])


def request_of(patient: Mapping[str, Any], knowledge: Knowledge) -> dict[str, Any]:
    """The request of one patient: every must-ask and safety question denied that their own findings do not answer."""
    said = {name for name, answer in patient["request"]["findings"].items() if answer == "present"}
    screened = [item for item, entry in knowledge.must_ask.items() if said.isdisjoint(entry.findings)]
    return open_book({**patient["request"], "screening": {item: ALL_DENIED[item] for item in screened}}, knowledge)


def _patient(patient: Mapping[str, Any], knowledge: Knowledge, engine: Engine) -> Iterator[str]:
    request = knowledge.request_schema.load(request_of(patient, knowledge))
    answer = assess(request, knowledge, engine)
    urgency, ladder = answer["urgency"], answer["treatment_ladder"]
    leading = ", ".join(f"{entry['label']} {entry['probability']:.2f}" for entry in answer["differential"][:3])
    yield f"\n## {patient['name']}\n"
    yield f"{patient['says']}\n"
    yield f"Differential: {leading}."
    yield f"Urgency: {urgency['level']}{' (at least)' if urgency['provisional'] else ''}; {urgency['within']}.\n"
    if ladder["pathway"]:
        yield f"Pathway instead of a ladder: {ladder['pathway']['title']}."
        yield from (f"- {action}" for action in ladder["pathway"]["actions"])
        yield "\nMeanwhile: " + "; ".join(ladder["pathway"]["avoid"]) + "."
    for rung in ladder["rungs"]:
        if rung["entries"]:
            yield f"**{rung['rung']} {rung['title']}**\n"
            yield from map(_entry, rung["entries"])
            yield ""
    refused = [f"{row['label']} ({row['row']})" for row in ladder["not_recommended"]]
    if refused:
        yield "Advised against: " + "; ".join(refused) + "."
    reviews = [f"{row['title']}: {row['within']}" for row in answer["follow_up"]]
    if reviews:
        yield "\nReview: " + "; ".join(reviews) + "."
    referred = [f"{row['refer_to']}: {row['when']}" for row in answer["referral"]]
    if referred:
        yield "\nRefer: " + "; ".join(referred) + "."


def _entry(entry: Mapping[str, Any]) -> str:
    rules_ = ", ".join(line["rule"] for line in entry["safety"])
    parts = [f"- {entry['status']}: {entry['label']}", f" [{rules_}]" if rules_ else ""]
    if entry["status"] == "not_yet":
        parts.append(f" - opens with: {entry['until']}")
    elif entry["status"] in ("excluded", "caution"):
        parts.append(f" - {entry['because']}")
    if entry["alternatives"]:
        parts.append(f" Instead: {', '.join(entry['alternatives'])}.")
    return "".join(parts)


if __name__ == "__main__":
    loaded = rules.load()
    PAGE.write_text(render(loaded, Engine(loaded.rules)), encoding="utf-8")
