"""The short form of an answer: what a busy clinician reads first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TOP_CONDITIONS = 3
_TOP_LINES = 3
_SHOWN = ("recommended", "consider", "caution")
_PER_RUNG = 5


def shorten(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Level and reasons, the first three conditions with their heaviest lines, what to do now and what to ask."""
    urgency, ladder = answer["urgency"], answer["treatment_ladder"]
    reasons = [reason for reason in urgency["reasons"] if reason["level"] == urgency["level"]]
    return {
        "knowledge": answer["knowledge"],
        "intended_use": answer["intended_use"],
        "urgency": {
            **{key: urgency[key] for key in ("level", "provisional", "within", "disposition", "actions")},
            "reasons": [{key: reason[key] for key in ("rule", "because", "words", "references")} for reason in reasons],
            "open_must_asks": [item["id"] for item in urgency["open_must_asks"]],
        },
        "differential": [_condition(entry) for entry in answer["differential"][:_TOP_CONDITIONS]],
        "must_exclude": answer["must_exclude"],
        "investigations": [
            {key: row[key] for key in ("investigation", "advice", "when", "because")}
            for row in answer["investigations"]
        ],
        "treatment_ladder": {
            "pathway": ladder["pathway"],
            "rungs": [
                {
                    "rung": rung["rung"],
                    "title": rung["title"],
                    "entries": entries[:_PER_RUNG],
                    "more": len(entries[_PER_RUNG:]),
                }
                for rung in ladder["rungs"]
                if (entries := [_treatment(entry) for entry in rung["entries"] if entry["status"] in _SHOWN])
            ],
            "excluded": [
                {"treatment": entry["treatment"], "rules": [rule["rule"] for rule in entry["safety"]]}
                for rung in ladder["rungs"]
                for entry in rung["entries"]
                if entry["status"] == "excluded"
            ],
        },
        "follow_up": [{key: row[key] for key in ("row", "title", "within")} for row in answer["follow_up"]],
        "referral": [{key: row[key] for key in ("condition", "refer_to", "when")} for row in answer["referral"]],
        "leaflet": answer["leaflet"],
        "questions": [{key: row[key] for key in ("finding", "question")} for row in answer["questions"]],
        "notices": answer["notices"],
    }


def _condition(entry: Mapping[str, Any]) -> dict[str, Any]:
    short = {key: entry[key] for key in ("condition", "label", "serious", "probability", "likelihood", "root_level")}
    for side in ("for", "against"):
        short[side] = [
            {key: line[key] for key in ("word", "state", "lr", "grade", "references")}
            for line in entry[side][:_TOP_LINES]
        ]
    return short


def _treatment(entry: Mapping[str, Any]) -> dict[str, Any]:
    rules = [rule["rule"] for rule in entry["safety"]]
    return {**{key: entry[key] for key in ("treatment", "label", "status", "dose")}, "safety": rules}
