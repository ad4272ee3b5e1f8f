"""Accuracy on a case file or a folder of them: `python -m service.evaluate PATH`.

A case file is a YAML list of {id, request, reference_diagnosis, also_acceptable, reference_urgency, second_urgency,
source: {kind}}. The table goes to standard output; its last line is one JSON object.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import rules
from rules.engine import Engine
from rules.files import read
from rules.knowledge import Knowledge
from service.assess import assess

# ranks of the levels that the published measures name
_SAME_DAY, _ROUTINE = "urgent_same_day", "routine"
_BINS = 10
_RESAMPLES = 1000
_Z = 1.959964  # both sides of 95 % of a normal distribution


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
    known: bool = True
    """Whether the reference diagnosis is one that the vocabulary has."""

    @property
    def place(self) -> int | None:
        """Place (from 1) of the first accepted diagnosis in the differential."""
        places = [self.ranking.index(name) + 1 for name in self.accepted if name in self.ranking]
        return min(places, default=None)

    @property
    def exact(self) -> bool:
        """The level lies between (or on) those of the raters."""
        return min(self.reference) <= self.given <= max(self.reference)

    @cached_property
    def first(self) -> tuple[float, bool]:
        """Probability of the first diagnosis, and whether it is accepted."""
        return self.probabilities[self.ranking[0]], self.ranking[0] in self.accepted

    @cached_property
    def brier(self) -> float:
        """Squared error over all listed diagnoses, 0 to 2; the accepted ones count as one diagnosis together."""
        right = math.fsum(p for name, p in self.probabilities.items() if name in self.accepted)
        wrong = math.fsum(p**2 for name, p in self.probabilities.items() if name not in self.accepted)
        return (1 - right) ** 2 + wrong


def evaluate(cases: Iterable[dict[str, Any]], knowledge: Knowledge) -> list[Outcome]:
    """Assess every case."""
    engine, schema = Engine(knowledge.rules), knowledge.request_schema
    ranks = {name: level.rank for name, level in knowledge.levels.items()}
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
                known=case["reference_diagnosis"] in knowledge.conditions,
            )
        )
    return outcomes


def measure(outcomes: Sequence[Outcome], same_day: int, routine: int, emergency: int) -> dict[str, Any]:
    """The figures of one group; rates run from 0 to 1, None where nothing was there to measure."""
    # Where two raters disagree on the side of a limit, the case does not count for that limit.
    urgent = [case for case in outcomes if min(case.reference) >= same_day]
    calm = [case for case in outcomes if max(case.reference) <= routine]
    return {
        "cases": len(outcomes),
        "top1": _share(case.place == 1 for case in outcomes),
        "top3": _share(case.place is not None and case.place <= 3 for case in outcomes),
        "urgency_exact": _share(case.exact for case in outcomes),
        "missed_emergencies": sum(case.reference[0] == emergency and case.given < same_day for case in outcomes),
        "under_triage": _share(case.given < same_day for case in urgent),
        "over_triage": _share(case.given >= same_day for case in calm),
        "brier": _brier(outcomes),
        "ece": _calibration_error(outcomes),
    }


def intervals(outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    """95 % intervals: Wilson's for the shares, percentiles of resampled cases for Brier score and calibration error."""
    found = {
        name: _wilson(sum(case.place is not None and case.place <= limit for case in outcomes), len(outcomes))
        for name, limit in (("top1", 1), ("top3", 3))
    }
    chance = random.Random(0)
    drawn = [chance.choices(outcomes, k=len(outcomes)) for _ in range(_RESAMPLES)]
    for name, figure in (("brier", _brier), ("ece", _calibration_error)):
        values = sorted(figure(sample) or 0.0 for sample in drawn)
        found[name] = [values[int(0.025 * _RESAMPLES)], values[int(0.975 * _RESAMPLES)]]
    return found


def reliability(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """How sure the first diagnosis was against how often it was right, in ten equal bins."""
    return [
        {
            "from": place / _BINS,
            "to": (place + 1) / _BINS,
            "cases": len(found),
            "said": round(math.fsum(p for p, _ in found) / len(found), 4),
            "right": round(sum(right for _, right in found) / len(found), 4),
            "right_interval": _wilson(sum(right for _, right in found), len(found)),
        }
        for place, found in sorted(_bins(outcomes).items())
    ]


def _bins(outcomes: Iterable[Outcome]) -> dict[int, list[tuple[float, bool]]]:
    """The first diagnoses by their probability, in ten equal bins; certainty shares the last."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for case in outcomes:
        bins.setdefault(min(int(case.first[0] * _BINS), _BINS - 1), []).append(case.first)
    return bins


def _wilson(hits: int, cases: int) -> list[float]:
    share, square = hits / cases, _Z**2 / cases
    middle = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / cases + square / (4 * cases)) / (1 + square)
    return [round(max(middle - half, 0.0), 4), round(min(middle + half, 1.0), 4)]


def _brier(outcomes: Sequence[Outcome]) -> float | None:
    return round(math.fsum(case.brier for case in outcomes) / len(outcomes), 4) if outcomes else None


def _share(flags: Iterable[bool]) -> float | None:
    values = list(flags)
    return round(sum(values) / len(values), 4) if values else None


def _calibration_error(outcomes: Sequence[Outcome]) -> float | None:
    """Expected calibration error of the first diagnosis over ten equal bins."""
    if not outcomes:
        return None
    gaps = (abs(math.fsum(p - right for p, right in found)) for found in _bins(outcomes).values())
    return round(math.fsum(gaps) / len(outcomes), 4)


def report(outcomes: Sequence[Outcome], ranks: Mapping[str, int]) -> Iterator[str]:
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
    yield ""
    yield f"{'first diagnosis said at':28} {'cases':>5} {'said':>6} {'right':>6}   95 % interval"
    for row in (table := reliability(outcomes)):
        low, high = row["right_interval"]
        span = f"{row['from']:.1f} to {row['to']:.1f}"
        yield f"{span:28} {row['cases']:5} {row['said']:6.2f} {row['right']:6.2f}   {low:.2f} to {high:.2f}"
    yield ""
    yield json.dumps(
        {
            **measure(outcomes, **limits),
            "by_source_kind": by_kind,
            "known_diagnosis": measure([case for case in outcomes if case.known], **limits),
            "intervals": intervals(outcomes) if outcomes else {},
            "reliability": table,
        }
    )


def read_cases(path: Path) -> list[dict[str, Any]]:
    """Every case of a file, or of all YAML files below a folder."""
    files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return [case for file in files for case in read(file)]


def main(arguments: Sequence[str]) -> int:
    """Entry point; the exit code is 0 whatever the accuracy, 1 when a case cannot be assessed."""
    cases = read_cases(Path(arguments[0]))
    if bare := [case["id"] for case in cases if "request" not in case]:
        sys.exit(
            f"cases without a request, coded as the service reads it (tests/cases has examples): {', '.join(bare)}"
        )
    knowledge = rules.load()
    ranks = {name: level.rank for name, level in knowledge.levels.items()}
    for line in report(evaluate(cases, knowledge), ranks):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
