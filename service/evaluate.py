"""Accuracy on a case file or a folder of them: `python -m service.evaluate PATH`.

A case file is a YAML list of {id, request, reference_diagnosis, also_acceptable, reference_urgency, second_urgency,
source: {kind}}. The table goes to standard output; its last line is one JSON object.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import rules
from rules.engine import Engine
from service.assess import assess

# ranks of the levels that the published measures name
_SAME_DAY, _ROUTINE = "urgent_same_day", "routine"
_BINS = 10


@dataclass(frozen=True)
class Outcome:
    """What one case expected and what it got."""

    id: str
    kind: str
    accepted: tuple[str, ...]
    reference: tuple[int, ...]
    given: int
    provisional: bool
    ranking: tuple[str, ...]
    probabilities: dict[str, float]

    @property
    def place(self) -> int | None:
        """Place (from 1) of the first accepted diagnosis in the differential."""
        places = [self.ranking.index(name) + 1 for name in self.accepted if name in self.ranking]
        return min(places, default=None)

    @property
    def exact(self) -> bool:
        """The level lies between (or on) those of the raters."""
        return min(self.reference) <= self.given <= max(self.reference)


def evaluate(cases: Iterable[dict[str, Any]], ranks: dict[str, int] | None = None) -> list[Outcome]:
    """Assess every case with the knowledge in `rules/`."""
    knowledge = rules.load()
    engine, schema = Engine(knowledge.rules), knowledge.request_schema
    ranks = ranks or {name: level.rank for name, level in knowledge.levels.items()}
    outcomes = []
    for case in cases:
        answer = assess(schema.load(case["request"]), knowledge, engine)
        levels = [case["reference_urgency"], case.get("second_urgency") or case["reference_urgency"]]
        ranked = answer["differential"]
        outcomes.append(
            Outcome(
                id=case["id"],
                kind=case.get("source", {}).get("kind", "unknown"),
                accepted=(case["reference_diagnosis"], *(case.get("also_acceptable") or ())),
                reference=tuple(ranks[level] for level in levels),
                given=ranks[answer["urgency"]["level"]],
                provisional=answer["urgency"]["provisional"],
                ranking=tuple(entry["condition"] for entry in ranked),
                probabilities={entry["condition"]: entry["probability"] for entry in ranked},
            )
        )
    return outcomes


def measure(outcomes: Sequence[Outcome], same_day: int, routine: int, emergency: int) -> dict[str, Any]:
    """The figures of one group; rates run from 0 to 1, None where nothing was there to measure."""
    # Where two raters disagree on the side of a limit, the case does not count for that limit.
    urgent = [case for case in outcomes if min(case.reference) >= same_day]
    calm = [case for case in outcomes if max(case.reference) <= routine]
    graded = [(case.probabilities.get(name, 0.0), name in case.accepted) for case in outcomes for name in case.ranking]
    top = [(case.probabilities[case.ranking[0]], case.ranking[0] in case.accepted) for case in outcomes]
    return {
        "cases": len(outcomes),
        "top1": _share(case.place == 1 for case in outcomes),
        "top3": _share(case.place is not None and case.place <= 3 for case in outcomes),
        "urgency_exact": _share(case.exact for case in outcomes),
        "missed_emergencies": sum(case.reference[0] == emergency and case.given < same_day for case in outcomes),
        "under_triage": _share(case.given < same_day for case in urgent),
        "over_triage": _share(case.given >= same_day for case in calm),
        "brier": round(math.fsum((p - right) ** 2 for p, right in graded) / len(outcomes), 4) if outcomes else None,
        "ece": _calibration_error(top),
    }


def _share(flags: Iterable[bool]) -> float | None:
    values = list(flags)
    return round(sum(values) / len(values), 4) if values else None


def _calibration_error(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """Expected calibration error of the first diagnosis over ten equal bins."""
    if not pairs:
        return None
    bins: dict[int, list[tuple[float, bool]]] = {}
    for probability, right in pairs:
        bins.setdefault(min(int(probability * _BINS), _BINS - 1), []).append((probability, right))
    gaps = (abs(math.fsum(p - right for p, right in found)) for found in bins.values())
    return round(math.fsum(gaps) / len(pairs), 4)


def report(outcomes: Sequence[Outcome], ranks: dict[str, int]) -> Iterator[str]:
    """The lines of the report; the last is JSON."""
    names = {rank: name for name, rank in ranks.items()}
    yield f"{'case':28} {'expected':30} {'top three':78} {'urgency expected':34} given"
    for case in outcomes:
        expected = "/".join(dict.fromkeys(names[rank] for rank in case.reference))
        top = ", ".join(f"{name} {case.probabilities[name]:.2f}" for name in case.ranking[:3])
        mark = " " if case.place == 1 else "." if case.place and case.place <= 3 else "x"
        level = names[case.given] + ("" if case.exact else " !") + (" (at least)" if case.provisional else "")
        yield f"{case.id:28} {mark} {case.accepted[0]:28} {top:78} {expected:34} {level}"
    limits = {"same_day": ranks[_SAME_DAY], "routine": ranks[_ROUTINE], "emergency": max(ranks.values())}
    kinds = sorted({case.kind for case in outcomes})
    by_kind = {kind: measure([case for case in outcomes if case.kind == kind], **limits) for kind in kinds}
    yield json.dumps({**measure(outcomes, **limits), "by_source_kind": by_kind})


def read_cases(path: Path) -> list[dict[str, Any]]:
    """Every case of a file, or of all YAML files below a folder."""
    files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return [case for file in files for case in yaml.safe_load(file.read_text(encoding="utf-8"))]


def main(arguments: Sequence[str]) -> int:
    """Entry point; the exit code is 0 whatever the accuracy."""
    cases = read_cases(Path(arguments[0]))
    ranks = {name: level.rank for name, level in rules.load().levels.items()}
    for line in report(evaluate(cases, ranks), ranks):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
