"""The published measures, worked out by hand on a few made-up outcomes; then the development cases themselves."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import rules
import rules.engine
import service.evaluate
from rules.engine import Engine
from rules.knowledge import Knowledge
from service.evaluate import Outcome, evaluate, intervals, main, measure, read_cases, reliability, report
from tests.people import RANKS
from tests.presentations import CASES, cases

SELF_CARE, ROUTINE, TWO_WEEKS, SAME_DAY, EMERGENCY = 1, 2, 3, 4, 5
LIMITS = {"same_day": SAME_DAY, "routine": ROUTINE, "emergency": EMERGENCY}
KEYS = (
    *("cases", "top1", "top3", "urgency_exact", "missed_emergencies", "under_triage", "over_triage", "brier", "ece"),
)


def outcome(
    ranking: str = "a b c d",
    numbers: Sequence[float] = (0.7, 0.2, 0.1, 0.0),
    accepted: str = "a",
    reference: Sequence[int] = (ROUTINE, ROUTINE),
    given: int = ROUTINE,
    kind: str = "case_report",
) -> Outcome:
    """One made-up outcome."""
    names = tuple(ranking.split())
    return Outcome(
        id="made-up",
        kind=kind,
        accepted=tuple(accepted.split()),
        reference=tuple(reference),
        given=given,
        provisional=False,
        ranking=names,
        probabilities=dict(zip(names, numbers, strict=True)),
    )


def figures(*outcomes: Outcome) -> dict[str, Any]:
    """The measures of some outcomes under the levels of the repository."""
    return measure(outcomes, **LIMITS)


@pytest.mark.parametrize(
    ("accepted", "top1", "top3"), [("a", 1.0, 1.0), ("b", 0.0, 1.0), ("c", 0.0, 1.0), ("d", 0.0, 0.0), ("z", 0.0, 0.0)]
)
def test_the_first_and_the_first_three_places_are_counted(accepted: str, top1: float, top3: float) -> None:
    found = figures(outcome(accepted=accepted))
    assert (found["top1"], found["top3"]) == (top1, top3)


def test_any_accepted_diagnosis_counts_at_its_best_place() -> None:
    assert outcome(accepted="z c b").place == 2
    assert outcome(accepted="z").place is None
    assert figures(outcome(accepted="d a"))["top1"] == 1.0


def test_shares_are_rounded_to_four_places() -> None:
    found = figures(outcome(), outcome(accepted="b"), outcome(accepted="z"))
    assert (found["cases"], found["top1"], found["top3"]) == (3, 0.3333, 0.6667)


@pytest.mark.parametrize(
    ("given", "exact"), [(SELF_CARE, 0.0), (ROUTINE, 1.0), (TWO_WEEKS, 1.0), (SAME_DAY, 1.0), (EMERGENCY, 0.0)]
)
def test_a_level_on_or_between_those_of_the_raters_is_exact(given: int, exact: float) -> None:
    for reference in ((ROUTINE, SAME_DAY), (SAME_DAY, ROUTINE)):
        assert figures(outcome(reference=reference, given=given))["urgency_exact"] == exact


@pytest.mark.parametrize(
    ("given", "missed"), [(EMERGENCY, 0), (SAME_DAY, 0), (TWO_WEEKS, 1), (ROUTINE, 1), (SELF_CARE, 1)]
)
def test_an_emergency_is_missed_when_it_falls_below_the_same_day(given: int, missed: int) -> None:
    assert figures(outcome(reference=(EMERGENCY, EMERGENCY), given=given))["missed_emergencies"] == missed


def test_the_first_rater_says_what_an_emergency_is() -> None:
    assert figures(outcome(reference=(EMERGENCY, ROUTINE), given=ROUTINE))["missed_emergencies"] == 1
    assert figures(outcome(reference=(ROUTINE, EMERGENCY), given=ROUTINE))["missed_emergencies"] == 0
    assert figures(outcome(reference=(SAME_DAY, SAME_DAY), given=ROUTINE))["missed_emergencies"] == 0


@pytest.mark.parametrize(
    ("reference", "given", "under"),
    [
        ((SAME_DAY, SAME_DAY), SAME_DAY, 0.0),
        ((SAME_DAY, SAME_DAY), TWO_WEEKS, 1.0),
        ((EMERGENCY, SAME_DAY), TWO_WEEKS, 1.0),
        ((SAME_DAY, EMERGENCY), EMERGENCY, 0.0),
        ((EMERGENCY, TWO_WEEKS), SELF_CARE, None),
        ((TWO_WEEKS, SAME_DAY), SELF_CARE, None),
        ((ROUTINE, ROUTINE), SELF_CARE, None),
    ],
)
def test_under_triage_is_measured_where_both_raters_are_on_the_urgent_side(
    reference: Sequence[int], given: int, under: float | None
) -> None:
    assert figures(outcome(reference=reference, given=given))["under_triage"] == under


@pytest.mark.parametrize(
    ("reference", "given", "over"),
    [
        ((ROUTINE, ROUTINE), TWO_WEEKS, 0.0),
        ((ROUTINE, ROUTINE), SAME_DAY, 1.0),
        ((SELF_CARE, ROUTINE), EMERGENCY, 1.0),
        ((ROUTINE, SELF_CARE), ROUTINE, 0.0),
        ((ROUTINE, TWO_WEEKS), EMERGENCY, None),
        ((TWO_WEEKS, ROUTINE), EMERGENCY, None),
        ((EMERGENCY, EMERGENCY), EMERGENCY, None),
    ],
)
def test_over_triage_is_measured_where_both_raters_are_on_the_calm_side(
    reference: Sequence[int], given: int, over: float | None
) -> None:
    assert figures(outcome(reference=reference, given=given))["over_triage"] == over


def test_triage_shares_are_shares_of_the_cases_that_count() -> None:
    found = figures(
        outcome(reference=(EMERGENCY, EMERGENCY), given=ROUTINE),
        outcome(reference=(SAME_DAY, EMERGENCY), given=SAME_DAY),
        outcome(reference=(SAME_DAY, SAME_DAY), given=EMERGENCY),
        outcome(reference=(SAME_DAY, ROUTINE), given=ROUTINE),
        outcome(reference=(ROUTINE, ROUTINE), given=SAME_DAY),
        outcome(reference=(ROUTINE, SELF_CARE), given=ROUTINE),
    )
    assert (found["under_triage"], found["over_triage"]) == (0.3333, 0.5)


def test_the_brier_score_by_hand() -> None:
    """First case (0.7-1)^2 + 0.2^2 + 0.1^2 + 0 = 0.14; second 0.5^2 + (0.3-1)^2 + 0.2^2 + 0 = 0.78; mean 0.46."""
    second = outcome(numbers=(0.5, 0.3, 0.2, 0.0), accepted="b")
    assert figures(outcome(), second)["brier"] == 0.46
    assert figures(outcome())["brier"] == 0.14


def test_the_brier_score_takes_the_accepted_diagnoses_together() -> None:
    """(0.7 + 0.2 - 1)^2 + 0.1^2 = 0.01 + 0.01; nothing accepted among those listed: 1 + 0.49 + 0.04 + 0.01."""
    assert figures(outcome(accepted="a b"))["brier"] == 0.02
    assert figures(outcome(accepted="z"))["brier"] == 1.54


def test_the_intervals_of_shares_are_those_of_wilson() -> None:
    """Newcombe 1998, Stat Med 17:857, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    found = intervals([outcome()] * 81 + [outcome(accepted="b")] * 182)
    assert found["top1"] == [0.2553, 0.3662]
    assert intervals([outcome(accepted="d")] * 20)["top3"] == [0.0, 0.1611]
    assert intervals([outcome()] * 20)["top3"] == [0.8389, 1.0]


def test_the_intervals_of_brier_and_calibration_hold_the_figure_and_are_the_same_each_time() -> None:
    mixed = [outcome(), outcome(accepted="b"), outcome(numbers=(0.9, 0.1, 0.0, 0.0))] * 8
    found = intervals(mixed)
    for name in ("brier", "ece"):
        low, high = found[name]
        assert low <= figures(*mixed)[name] <= high
        assert low < high
    assert found == intervals(mixed)
    assert intervals([outcome()] * 9)["brier"] == [0.14, 0.14]


def test_the_reliability_table_sets_what_was_said_against_what_was_right() -> None:
    rows = reliability(
        [
            outcome("a b", (0.70, 0.30)),
            outcome("a b", (0.78, 0.22), accepted="b"),
            outcome("a b", (1.0, 0.0)),
        ]
    )
    assert [(row["from"], row["to"], row["cases"], row["said"], row["right"]) for row in rows] == [
        (0.7, 0.8, 2, 0.74, 0.5),
        (0.9, 1.0, 1, 1.0, 1.0),
    ]
    assert rows[0]["right_interval"] == intervals([outcome(), outcome(accepted="b")])["top1"]


def test_the_calibration_error_by_hand() -> None:
    """Bin 0.7-0.8: 0.70 right and 0.78 wrong, |1.48 - 1| = 0.48; bin 0.9-1: 0.95 and 1.0 right, |1.95 - 2| = 0.05;
    bin 0.3-0.4: 0.35 wrong, 0.35. Sum 0.88 over five cases = 0.176."""
    found = figures(
        outcome("a b", (0.70, 0.30)),
        outcome("a b", (0.78, 0.22), accepted="b"),
        outcome("a b", (0.95, 0.05)),
        outcome("a b", (1.0, 0.0)),
        outcome("a b c", (0.35, 0.33, 0.32), accepted="c"),
    )
    assert found["ece"] == 0.176


def test_a_bin_holds_its_lower_end_and_errors_in_one_bin_cancel() -> None:
    """0.60 and 0.69 share a bin: |1.29 - 1| / 2 = 0.145; 0.59 and 0.60 do not: (0.41 + 0.60) / 2 = 0.505."""
    together = figures(outcome("a b", (0.60, 0.40)), outcome("a b", (0.69, 0.31), accepted="b"))
    apart = figures(outcome("a b", (0.59, 0.41)), outcome("a b", (0.60, 0.40), accepted="b"))
    assert (together["ece"], apart["ece"]) == (0.145, 0.505)


def test_certainty_shares_the_bin_of_nine_tenths() -> None:
    """Wrong at 1.0 and right at 0.9: |1.9 - 1| / 2 = 0.45; in bins of their own it would be 0.55."""
    assert figures(outcome("a b", (1.0, 0.0), accepted="b"), outcome("a b", (0.9, 0.1)))["ece"] == 0.45


def test_nothing_is_measured_on_no_cases() -> None:
    found = figures()
    assert found["cases"] == 0
    assert found["missed_emergencies"] == 0
    rates = [key for key in KEYS if key not in ("cases", "missed_emergencies")]
    assert [found[key] for key in rates] == [None] * len(rates)


# The report


def test_the_last_line_is_one_object_with_every_measure_in_all_and_by_kind_of_source() -> None:
    outcomes = [
        outcome(),
        outcome(kind="exam_vignette", accepted="b", reference=(EMERGENCY, EMERGENCY), given=ROUTINE),
        outcome(kind="exam_vignette"),
    ]
    last = json.loads([*report(outcomes, RANKS)][-1])
    assert [*last] == [*KEYS, "by_source_kind", "known_diagnosis", "intervals", "reliability"]
    assert {key: last[key] for key in KEYS} == figures(*outcomes)
    assert (last["intervals"], last["reliability"]) == (intervals(outcomes), reliability(outcomes))
    assert last["by_source_kind"] == {
        "case_report": figures(outcomes[0]),
        "exam_vignette": figures(*outcomes[1:]),
    }
    assert [*last["by_source_kind"]] == ["case_report", "exam_vignette"]
    assert last["missed_emergencies"] == last["by_source_kind"]["exam_vignette"]["missed_emergencies"] == 1


def test_cases_whose_diagnosis_the_vocabulary_has_are_counted_apart() -> None:
    last = json.loads([*report([outcome(), replace(outcome(accepted="other:x"), known=False)], RANKS)][-1])
    assert (last["top1"], last["known_diagnosis"]["cases"], last["known_diagnosis"]["top1"]) == (0.5, 1, 1.0)


def test_no_cases_make_an_empty_report() -> None:
    last = json.loads([*report([], RANKS)][-1])
    assert (last["cases"], last["intervals"], last["reliability"]) == (0, {}, [])


def test_the_limits_of_the_report_are_those_of_the_levels() -> None:
    """Wrong by one level at each limit: same day, routine, and the highest level as the emergency."""
    outcomes = [
        outcome(reference=(SAME_DAY, SAME_DAY), given=TWO_WEEKS),
        outcome(reference=(ROUTINE, ROUTINE), given=SAME_DAY),
        outcome(reference=(TWO_WEEKS, TWO_WEEKS), given=EMERGENCY),
        outcome(reference=(EMERGENCY, EMERGENCY), given=TWO_WEEKS),
    ]
    last = json.loads([*report(outcomes, RANKS)][-1])
    assert (last["under_triage"], last["over_triage"], last["missed_emergencies"]) == (1.0, 1.0, 1)


def test_each_case_has_a_line_with_its_mark_its_first_three_and_both_raters() -> None:
    outcomes = [
        outcome(reference=(ROUTINE, ROUTINE), given=ROUTINE),
        outcome(accepted="c z", reference=(ROUTINE, TWO_WEEKS), given=EMERGENCY),
        outcome(accepted="d", reference=(SAME_DAY, SAME_DAY), given=SAME_DAY),
        outcome(accepted="z"),
    ]
    head, *lines = report(outcomes, RANKS)
    assert [word in head for word in ("case", "expected", "top three", "urgency")] == [True] * 4
    assert lines[4] == ""
    assert [line.split() for line in lines[5:7]] == [
        ["first", "diagnosis", "said", "at", "cases", "said", "right", "95", "%", "interval"],
        ["0.7", "to", "0.8", "4", "0.70", "0.25", "0.05", "to", "0.70"],
    ]
    assert len(lines) == 9
    assert lines[0].split() == ["made-up", "a", "a", "0.70,", "b", "0.20,", "c", "0.10", "routine", "routine"]
    assert lines[1].split() == [
        *("made-up", ".", "c", "a", "0.70,", "b", "0.20,", "c", "0.10", "routine/urgent_2_weeks", "emergency", "!"),
    ]
    assert lines[2].split()[:3] == [*lines[3].split()[:2], "d"] == ["made-up", "x", "d"]


def test_a_provisional_level_is_marked_as_at_least() -> None:
    provisional = Outcome("p", "k", ("a",), (2, 2), 2, True, ("a",), {"a": 1.0})
    final = Outcome("f", "k", ("a",), (2, 2), 2, False, ("a",), {"a": 1.0})
    _, first, second, *_ = report([provisional, final], RANKS)
    assert first.endswith("routine (at least)")
    assert second.endswith(" routine")


# Case files


def _case(name: str, **changes: Any) -> dict[str, Any]:
    whole = {
        "id": name,
        "request": {"patient": {"age_years": 40}},
        "reference_diagnosis": "lumbar_strain",
        "reference_urgency": "routine",
    }
    return {**whole, **changes}


def test_a_file_and_a_folder_of_files_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "b.yaml").write_text(yaml.safe_dump([_case("one"), _case("two")]), encoding="utf-8")
    (tmp_path / "deeper" / "a.yaml").write_text(yaml.safe_dump([_case("three")]), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a case", encoding="utf-8")
    assert [case["id"] for case in read_cases(tmp_path / "b.yaml")] == ["one", "two"]
    assert [case["id"] for case in read_cases(tmp_path)] == ["one", "two", "three"]


@pytest.fixture
def loaded(knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The knowledge and the engine that are at hand instead of reading and compiling again."""
    monkeypatch.setattr(rules, "load", lambda: knowledge)
    monkeypatch.setattr(rules.engine, "Engine", lambda _: engine)
    monkeypatch.setattr(service.evaluate, "Engine", lambda _: engine)


@pytest.mark.usefixtures("loaded")
def test_a_case_becomes_an_outcome(knowledge: Knowledge) -> None:
    plain, full = evaluate(
        [
            _case("plain"),
            _case(
                "full",
                also_acceptable=["disc_herniation"],
                second_urgency="emergency",
                source={"kind": "teaching_case"},
                request={"patient": {"age_years": 40}, "findings": {"urinary_retention": "present"}},
            ),
        ],
        knowledge,
    )
    assert (plain.id, plain.kind, plain.accepted, plain.reference) == ("plain", "unknown", ("lumbar_strain",), (2, 2))
    assert (plain.given, plain.provisional, plain.place) == (ROUTINE, True, 1)
    assert len(plain.ranking) == knowledge.policy.reasoning.shown
    assert {*plain.ranking} == {*plain.probabilities}
    assert full.accepted == ("lumbar_strain", "disc_herniation")
    assert (full.kind, full.reference, full.given) == ("teaching_case", (ROUTINE, EMERGENCY), EMERGENCY)
    assert [full.probabilities[name] for name in full.ranking] == sorted(full.probabilities.values(), reverse=True)


@pytest.mark.usefixtures("loaded")
def test_the_program_prints_a_line_a_case_and_ends_with_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump([_case("one"), _case("two", reference_diagnosis="spinal_stenosis")]), "utf-8")
    assert main([str(file)]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 8
    last = json.loads(printed.splitlines()[-1])
    assert (last["cases"], last["top1"]) == (2, 0.5)

    monkeypatch.setattr(sys, "argv", ["evaluate", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(service.evaluate.__file__), run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out == printed


@pytest.mark.usefixtures("loaded")
def test_the_development_cases_are_answered_as_well_as_the_release_says(knowledge: Knowledge) -> None:
    """These cases were at hand while the rules were written: a fit that must not get worse, not a proof."""
    outcomes = evaluate(read_cases(CASES), knowledge)
    assert len(outcomes) == len(cases()) == 45
    ranked = [found for found in outcomes if found.known]
    assert len(ranked) == 44
    assert sum(found.place == 1 for found in ranked) >= 0.7 * len(ranked)
    assert sum((found.place or 99) <= 3 for found in ranked) >= 0.8 * len(ranked)
    emergencies = [found for found in outcomes if found.reference[0] == EMERGENCY]
    assert len(emergencies) == 12
    assert [found.id for found in emergencies if found.given < SAME_DAY] == []
    assert json.loads([*report(outcomes, RANKS)][-1])["missed_emergencies"] == 0


def test_cases_that_nobody_has_coded_are_named_and_nothing_is_measured(tmp_path: Path) -> None:
    (tmp_path / "told.yaml").write_text("[{id: told-45m, presentation: Back pain for a week}]", encoding="utf-8")
    with pytest.raises(SystemExit, match="told-45m"):
        main([str(tmp_path)])
