"""The benchmark compares like with like: every engine fires what ours fires, and no step of a request is lost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import copies, firing, request, steps
from benchmarks.bars import BARS
from benchmarks.client import _milliseconds
from benchmarks.engines import Bench, Disagreement
from benchmarks.rival_node import Absent
from benchmarks.rounds import Row, Spread, missing, paired, spread, table
from rules.engine import Engine
from rules.knowledge import Knowledge

pytestmark = pytest.mark.outside

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results.json"
CASES = 4


@pytest.fixture(scope="module")
def bench(knowledge: Knowledge, engine: Engine) -> Iterator[Bench]:
    made = Bench(knowledge, engine, CASES)
    yield made
    made.close()


def test_the_work_is_every_concern_of_every_case_and_something_fires(bench: Bench, knowledge: Knowledge) -> None:
    assert [{concern for concern, _ in asked} for asked in bench.work] == [set(knowledge.rules)] * CASES
    assert all(any(fired) for fired in bench.expected)


def test_zen_fires_what_ours_fires_with_every_kind_of_node(bench: Bench) -> None:
    pytest.importorskip("zen")
    kept, _, _ = bench.zen()  # raises Disagreement for any of its variants
    assert kept.startswith("kept: ")


def test_clips_fires_what_ours_fires_mended_and_as_released(bench: Bench) -> None:
    pytest.importorskip("clips")
    bench.clips()
    bench.clips_as_released()


def test_json_rules_engine_fires_what_ours_fires(bench: Bench) -> None:
    try:
        _, _, side = bench.node()
    except Absent as absent:
        pytest.skip(str(absent))
    assert side() > 0


def test_plain_sets_and_the_oracle_conclude_what_ours_concludes(bench: Bench) -> None:
    bench.plain()
    bench.oracle()


def test_an_engine_that_lost_a_rule_is_not_compared(bench: Bench) -> None:
    fired = next(rule for found in bench.expected for concern in found for rule in concern)
    fewer = {concern: [rule for rule in table if rule != fired] for concern, table in bench.tables.items()}
    with pytest.raises(Disagreement, match="forgetful: case"):
        bench.in_python("forgetful", firing.plain(fewer), bench.work)


def test_copies_of_the_rules_are_read_as_the_oracle_reads_them(bench: Bench) -> None:
    twice = copies.copied(bench.tables, 2)
    assert all(len(set(twice[concern])) == 2 * len(rules) for concern, rules in bench.tables.items())
    engine, work = Engine(twice), copies.people(bench.work, 2)
    copies.check(bench, engine, 2, work)
    once = Engine(bench.tables)
    with pytest.raises(Disagreement, match="rules x2"):
        copies.check(bench, once, 2, work)


def test_the_timers_find_every_step_they_promise_and_give_all_back(knowledge: Knowledge, engine: Engine) -> None:
    before = [getattr(hook.owner, hook.name) for hook in steps.hooks()[0]]
    clock, bodies = steps.Clock(), [b'{"patient": {"age_years": 45}}']
    with steps.timers(clock, engine) as gone:
        found = steps.take(clock, request.door(knowledge, engine), bodies, rounds=2)
    assert gone == []
    assert set(steps.EXPECTED) <= found.keys()
    assert all(len(rounds) == 2 and min(rounds) >= 0 for rounds in found.values())
    assert [getattr(hook.owner, hook.name) for hook in steps.hooks()[0]] == before


def test_sides_take_turns_and_the_ratio_is_taken_pair_by_pair() -> None:
    turns: list[str] = []

    def side(name: str, takes: float) -> float:
        turns.append(name)
        return takes

    measured = paired(lambda: side("a", 6), lambda: side("b", 2), seconds=0)
    assert turns == list("ab" + "abbaabbaab")
    assert measured.ratio == Spread(3, 3, 3)
    assert spread([1, 2, 3, 4, 100]) == Spread(median=3, low=2, high=4)


def test_a_row_says_whether_its_bar_is_reached_and_why_it_is_missing() -> None:
    name = "engine / CLIPS"
    assert Row("engine", name, spread([BARS[name].limit])).reached is True
    assert Row("engine", name, spread([BARS[name].limit + 0.01])).reached is False
    throughput = "throughput, summary / bare route, 8 connections"
    assert Row("request", throughput, spread([BARS[throughput].limit - 0.01])).reached is False
    absent = missing("engine", name, "no node here")
    assert absent.reached is None
    assert "not measured: no node here" in table([absent])


@pytest.mark.parametrize(("text", "milliseconds"), [("663.00us", 0.663), ("61.80ms", 61.8), ("1.31s", 1310)])
def test_what_wrk_prints_is_read_in_milliseconds(text: str, milliseconds: float) -> None:
    assert math.isclose(_milliseconds(text), milliseconds)


def test_the_committed_results_hold_every_row_that_has_a_bar_and_no_fault() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = {row["row"]: row for row in results["rows"]}
    assert BARS.keys() <= rows.keys()
    assert {rows[name]["bar"] for name in BARS} == {str(bar) for bar in BARS.values()}
    assert not [row["row"] for row in rows.values() if "NOT COMPARABLE" in (row["note"] or "")]
    for name, bar in BARS.items():
        median = rows[name]["median"]
        assert rows[name]["reached"] == (None if median is None else bar.reached(median))
