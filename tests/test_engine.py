"""The engine says what a plain reading says, inside its envelope; outside it refuses, or stops and stays stopped."""

from __future__ import annotations

import importlib
import json
import os
import random
import re
import resource
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import engine as module
from rules.engine import Antecedent, Engine, EngineFault, EngineRefusal

REAL: Any = importlib.import_module("durable_rules_engine")
"""The C module itself, for the tests that put another one in its place."""


class Wrapped:
    """The C module with some functions replaced; notes every call as (name, arguments, result)."""

    def __init__(self, **replaced: Callable[..., Any]) -> None:
        self.replaced = replaced
        self.calls: list[tuple[str, tuple[Any, ...], Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = self.replaced.get(name) or getattr(REAL, name)

        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            self.calls.append((name, arguments, result))
            return result

        return call

    def arguments(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for called, arguments, _ in self.calls if called == name]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Wrapped]:
    """Put a wrapped C module in the place of the real one until the test ends."""

    def put(**replaced: Callable[..., Any]) -> Wrapped:
        wrapped = Wrapped(**replaced)
        monkeypatch.setattr(module, "durable", wrapped)
        return wrapped

    return put


def rule(*literals: str) -> Antecedent:
    return frozenset(literals)


def plain_reading(rules: Collection[Antecedent], held: Collection[str]) -> set[Antecedent]:
    return {each for each in rules if each.issubset(held)}


def names(count: int, letter: str = "w") -> list[str]:
    return [f"{letter}{number:03}" for number in range(count)]


def once(result: Any, function: str) -> Callable[..., Any]:
    """The real function, but its first call does its work and then returns something else."""
    left = [result]

    def call(*arguments: Any) -> Any:
        real = getattr(REAL, function)(*arguments)
        return left.pop() if left else real

    return call


def is_deleted(handle: int, session: str) -> bool:
    try:
        REAL.get_state(handle, session)
    except Exception as error:
        return "309" in str(error)
    return False


def session_of(body: str) -> str:
    session: str = json.loads(body)["sid"]
    return session


TWO = [rule("fever", "rigors"), rule("fever", "absent:cough", "free:known")]


# What it says


@st.composite
def _situations(draw: st.DrawFn) -> tuple[list[Antecedent], list[frozenset[str]]]:
    words = names(6)
    literal = st.builds(str.__add__, st.sampled_from(["", "", "absent:", "free:"]), st.sampled_from(words))
    antecedent = st.frozensets(literal, min_size=1, max_size=5)
    rules = draw(st.lists(antecedent.filter(lambda a: not all(x.startswith("free:") for x in a)), max_size=12))
    person = st.fixed_dictionaries({word: st.sampled_from([True, False, None]) for word in words})
    return rules, [
        frozenset(
            literal
            for word, value in answers.items()
            for literal in (*([word] if value else [f"free:{word}"]), *([f"absent:{word}"] if value is False else []))
        )
        for answers in draw(st.lists(person, min_size=1, max_size=6))
    ]


@given(_situations())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_an_antecedent_fires_exactly_when_all_its_literals_hold(
    situation: tuple[list[Antecedent], list[frozenset[str]]],
) -> None:
    rules, people = situation
    engine = Engine({"any": rules})

    for held in people:
        assert engine.fire("any", held) == plain_reading(rules, held)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (["fever", "rigors"], TWO[:1]),
        (["fever", "absent:cough", "free:known"], TWO[1:]),
        (["fever", "rigors", "absent:cough", "free:known"], TWO),
        (["fever", "absent:cough"], []),
        (["fever"], []),
        (["free:known"], []),
        (["something_else"], []),
        ([], []),
    ],
    ids=["first", "second", "both", "blocked", "matches no rule", "unless only", "unread word", "empty"],
)
def test_what_fires_on_a_few_words(held: list[str], expected: list[Antecedent]) -> None:
    assert Engine({"any": TWO}).fire("any", held) == set(expected)


def test_each_concern_fires_only_its_own_rules() -> None:
    engine = Engine({"first": [rule("a"), rule("a", "b")], "second": [rule("a"), rule("c")], "third": []})

    assert engine.fire("first", {"a", "b", "c"}) == {rule("a"), rule("a", "b")}
    assert engine.fire("second", {"a", "b", "c"}) == {rule("a"), rule("c")}
    assert engine.fire("third", {"a", "b", "c"}) == set()


def test_the_size_of_each_concern_can_be_read() -> None:
    engine = Engine({"one": [rule("a", "b"), rule("b", "a"), rule("a", "free:c")], "none": []})

    assert engine.describe() == {
        "one": {"rulesets": 1, "rules": 2, "literals": 3},
        "none": {"rulesets": 0, "rules": 0, "literals": 0},
    }


# What it refuses to compile


def test_an_antecedent_holds_twelve_literals_and_not_thirteen() -> None:
    twelve, thirteen = rule(*names(12)), rule(*names(13))

    assert Engine({"any": [twelve]}).fire("any", twelve) == {twelve}
    with pytest.raises(EngineRefusal, match="more than 12 literals"):
        Engine({"any": [thirteen]})


@pytest.mark.parametrize("literals", [[], ["free:a"], ["free:a", "free:b"]])
def test_an_antecedent_of_exclusions_alone_is_refused(literals: list[str]) -> None:
    with pytest.raises(EngineRefusal, match="not an exclusion"):
        Engine({"any": [rule("fine"), rule(*literals)]})


@pytest.mark.parametrize(
    "literal",
    [
        "",
        "id",
        "sid",
        "g0",
        "g7",
        "g23",
        "g999",
        "warm up",
        "$and",
        'a"b',
        "a\\b",
        "a/b",
        "fièvre",
        "fever\n",
        "a" * 121,
    ],
)
def test_a_name_that_the_engine_cannot_carry_is_refused(literal: str) -> None:
    with pytest.raises(EngineRefusal, match="not usable as a literal"):
        Engine({"any": [rule("fine", literal)]})


@pytest.mark.parametrize("literal", ["patient.age", "absent:a.b", "free:a.b"])
def test_a_dot_is_refused_because_the_engine_reads_it_as_nesting(literal: str) -> None:
    with pytest.raises(EngineRefusal, match="dot"):
        Engine({"any": [rule("fine", literal)]})


@pytest.mark.parametrize(
    "literal",
    [
        "g",
        "gx1",
        "g1x",
        "ids",
        "idx",
        "a-b",
        "Fever2",
        "medication:warfarin",
        "news2_total:high",
        "unknown:F-01",
        "a" * 120,
    ],
)
def test_every_ordinary_name_is_carried_present_absent_and_as_exclusion(literal: str) -> None:
    rules = [rule(literal), rule(f"absent:{literal}"), rule("other", f"free:{literal}")]
    engine = Engine({"any": rules})

    for each in rules:
        assert engine.fire("any", each) == {each}


SAME_HASH = [("bgpvu", "b13ea"), ("costarring", "liquid"), ("declinate", "macallums")]
SAME_HASH_AS_OURS = [
    ("uydjakyq", "sid"),
    ("fqklajgu", "id"),
    ("nercaise", "warm up"),
    ("ytcaadjc", "g0"),
    ("xfnyaqcf", "g23"),
]


@pytest.mark.parametrize(("one", "other"), SAME_HASH)
def test_two_literals_of_one_hash_are_refused(one: str, other: str) -> None:
    with pytest.raises(EngineRefusal, match="same hash") as refusal:
        Engine({"any": [rule(one), rule("fine", other)]})

    assert repr(one) in str(refusal.value)
    assert repr(other) in str(refusal.value)


@pytest.mark.parametrize(("literal", "own"), SAME_HASH_AS_OURS)
def test_a_literal_with_the_hash_of_a_name_that_the_engine_adds_itself_is_refused(literal: str, own: str) -> None:
    with pytest.raises(EngineRefusal, match="same hash") as refusal:
        Engine({"any": [rule(literal)]})

    assert repr(own) in str(refusal.value)


def test_literals_of_one_hash_in_different_concerns_never_meet() -> None:
    one, other = SAME_HASH[0]
    engine = Engine({"first": [rule(one)], "second": [rule(other)]})

    assert engine.fire("first", {other}) == set()
    assert engine.fire("second", {other}) == {rule(other)}


@pytest.mark.parametrize(("one", "other"), SAME_HASH)
def test_without_that_refusal_the_engine_would_take_one_for_the_other(
    one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_refuse_collisions", lambda *_: None)

    with pytest.raises(EngineFault, match="self-test"):
        Engine({"any": [rule(one), rule(other)]})


# How it stays inside the envelope

WIDEST = 252  # attributes of one fact beside sid and id: engine.md, section 3
DEEPEST = 64  # conditions that may match at once
LARGEST = module.MAX_MARKERS * module.MAX_RULES_PER_MARKER
PAIRS = [rule(one, other) for one in names(32) for other in names(32, "v")]


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rulesets as large as the envelope allows; the service makes smaller ones, which cost less."""
    monkeypatch.setattr(module, "MAX_RULES", LARGEST)


@pytest.mark.usefixtures("largest")
@pytest.mark.parametrize(
    ("rules", "rulesets"),
    [
        ([rule(word) for word in names(216)], 1),
        ([rule(word) for word in names(217)], 2),
        ([rule(f"{state}{word}") for word in names(216) for state in ("", "absent:")], 1),
        ([rule(word, f"free:{word}") for word in names(108)], 1),
        ([rule(word, f"free:{word}") for word in names(109)], 2),
        (PAIRS[:864], 1),
        (PAIRS[:865], 2),
        ([rule(*names(444)[start : start + 12]) for start in range(0, 432, 12)], 2),
        ([rule(*names(444)[start : start + 12]) for start in range(0, 444, 12)], 3),
        ([rule("hub", word) for word in names(300)], 2),
    ],
    ids=[
        "216 words",
        "217 words",
        "with absences",
        "with exclusions",
        "one more",
        "864 rules",
        "865 rules",
        "36 wide rules",
        "37 wide rules",
        "a word in both",
    ],
)
def test_more_than_one_ruleset_holds_is_split_and_still_read_right(rules: list[Antecedent], rulesets: int) -> None:
    engine = Engine({"any": rules})
    chance = random.Random(1)

    assert engine.describe()["any"] == {
        "rulesets": rulesets,
        "rules": len(rules),
        "literals": len(frozenset[str]().union(*rules)),
    }
    for held in _whole_people(rules, chance):
        assert engine.fire("any", held) == plain_reading(rules, held)


def _whole_people(rules: Collection[Antecedent], chance: random.Random) -> Iterator[set[str]]:
    """Everyone with every word present, with every word absent, and with each word one or the other."""
    literals = frozenset[str]().union(*rules)
    free = {literal for literal in literals if literal.startswith("free:")}
    words = {literal.removeprefix("absent:") for literal in literals - free}
    yield words | free
    yield {f"absent:{word}" for word in words} | free
    yield {chance.choice([word, f"absent:{word}"]) for word in words} | free


@pytest.mark.parametrize(("rules", "rulesets"), [(PAIRS[:12], 1), (PAIRS[:13], 2), (PAIRS[:865], 73)])
def test_a_ruleset_of_the_service_is_small(rules: list[Antecedent], rulesets: int) -> None:
    engine = Engine({"any": rules})

    assert engine.describe()["any"]["rulesets"] == rulesets
    for held in _whole_people(rules, random.Random(1)):
        assert engine.fire("any", held) == plain_reading(rules, held)


@pytest.mark.usefixtures("largest")
def test_the_widest_and_deepest_rulesets_survive_every_literal_present() -> None:
    words, chance = names(216), random.Random(2)
    alike = {rule("w000", "w215", *chance.sample(words, 4)) for _ in range(864)}
    layouts: list[Collection[Antecedent]] = [
        {rule(*chance.sample(words, 12)) for _ in range(864)},
        {rule(*words[start : start + size]) for start in range(205) for size in (9, 10, 11, 12)},
        {*map(rule, words), *(rule("w000", word) for word in words), *(rule("w000", "w001", word) for word in words)},
        alike,
    ]
    for rules in layouts:
        engine = Engine({"any": rules})
        assert engine.describe()["any"]["rulesets"] == 1
        for held in (words, words[::2], words[1:]):
            assert engine.fire("any", held) == plain_reading(rules, held)


@pytest.mark.usefixtures("largest")
def test_only_equality_on_one_flat_fact_is_ever_compiled_and_every_limit_is_kept(
    install: Callable[..., Wrapped],
) -> None:
    wrapped, chance = install(), random.Random(3)
    words = [f"{state}{word}" for word in names(300) for state in ("", "absent:", "free:")]
    rules = {rule("w000", *chance.sample(words, chance.randint(0, 11))) for _ in range(2_000)}
    engine = Engine({"any": rules})

    compiled = wrapped.arguments("create_ruleset")
    assert len(compiled) == engine.describe()["any"]["rulesets"] > 1
    assert len({name for name, _ in compiled}) == len(compiled)
    found: set[Antecedent] = set()
    for _, text in compiled:
        definition = json.loads(text)
        markers: dict[str, int] = {}
        sent: set[str] = set()
        del definition["warm"]
        for entry in definition.values():
            assert set(entry) == {"all", "pri"}
            (pattern,) = entry["all"]
            assert list(pattern) == ["m_0"]
            assert list(pattern["m_0"]) == ["$and"]
            marker, *conditions = pattern["m_0"]["$and"]
            assert list(marker) == ["$ex"]
            ((group, _),) = marker["$ex"].items()
            markers[group] = markers.get(group, 0) + 1
            literals = [literal for condition in conditions for literal in condition]
            assert conditions == [{literal: 1} for literal in literals]
            found.add(frozenset(literals))
            sent |= {literal.removeprefix("absent:") for literal in literals}
        assert len(markers) + max(markers.values()) <= DEEPEST
        assert len(sent | set(markers)) <= WIDEST
    assert found == rules


def test_the_order_in_which_rules_are_given_changes_no_answer() -> None:
    chance = random.Random(4)
    rules = [rule(*chance.sample(names(40), 3)) for _ in range(100)]
    there, back = Engine({"any": rules}), Engine({"any": [*reversed(rules), *rules]})

    for _ in range(50):
        held = chance.sample(names(40), 20)
        assert there.fire("any", held) == back.fire("any", held) == plain_reading(rules, held)


def test_rules_that_are_given_side_by_side_stand_in_one_ruleset(install: Callable[..., Wrapped]) -> None:
    wrapped = install()
    engine = Engine({"any": [rule(state + word) for word in names(12) for state in ("", "absent:")]})
    assert engine.describe()["any"]["rulesets"] == 2
    wrapped.calls.clear()

    engine.fire("any", {"w000", "absent:w003", "w005"})

    assert len(wrapped.arguments("assert_fact")) == 1


def test_a_ruleset_none_of_whose_rules_can_fire_is_not_asked(install: Callable[..., Wrapped]) -> None:
    """Every rule reads the common word, which alone fires none."""
    wrapped = install()
    engine = Engine({"any": [rule("common", word) for word in names(12)]})
    wrapped.calls.clear()

    assert engine.fire("any", {"common"}) == set()
    assert wrapped.arguments("assert_fact") == []
    assert engine.fire("any", {"common", "w007"}) == {rule("common", "w007")}


def test_a_fact_holds_only_what_its_ruleset_reads_and_a_session_id_of_our_own(
    install: Callable[..., Wrapped],
) -> None:
    wrapped = install()
    engine = Engine({"any": TWO})
    wrapped.calls.clear()

    engine.fire("any", ["fever", "sid", "id", "unread", "patient.name", "rigors"])

    ((_, body),) = wrapped.arguments("assert_fact")
    fact = json.loads(body)
    assert re.fullmatch(rf"{os.getpid()}-\d+", fact.pop("sid"))
    assert fact == {"g0": 1, "fever": 1, "rigors": 1}


def test_a_ruleset_whose_words_nobody_said_is_not_asked(install: Callable[..., Wrapped]) -> None:
    wrapped = install()
    engine = Engine({"any": [rule(word, "free:known") for word in names(24)]})
    assert engine.describe()["any"]["rulesets"] == 2
    wrapped.calls.clear()

    engine.fire("any", {"w000", "free:known"})
    assert len(wrapped.arguments("assert_fact")) == 1
    engine.fire("any", {"free:known", "unread"})
    engine.fire("any", set())
    assert len(wrapped.arguments("assert_fact")) == 1


def test_each_ruleset_fires_once_before_it_is_used(install: Callable[..., Wrapped]) -> None:
    wrapped = install()
    Engine({"any": [rule(word) for word in names(24)], "other": TWO})

    first: dict[int, list[Any]] = {}
    for name, arguments, result in wrapped.calls:
        if name != "create_ruleset":
            first.setdefault(arguments[0], []).append((name, arguments, result))
    assert len(first) == 3
    for calls in first.values():
        opening, started, _, deleted = calls[:4]
        assert set(json.loads(opening[1][1])) == {"warm up", "sid"}
        assert (started[0], list(json.loads(started[2][1]))) == ("start_action_for_state", ["warm"])
        assert deleted[0] == "delete_state"


def test_every_session_has_its_own_id_and_is_deleted(install: Callable[..., Wrapped]) -> None:
    wrapped = install()
    engine = Engine({"any": TWO, "other": TWO})
    for held in (["fever", "rigors"], ["fever"], ["rigors"]):
        engine.fire("any", held)
        engine.fire("other", held)

    opened = [(handle, session_of(body)) for handle, body in wrapped.arguments("assert_fact")]
    assert len({session for _, session in opened}) == len(opened)
    assert wrapped.arguments("delete_state") == opened
    assert all(is_deleted(handle, session) for handle, session in opened)


def test_no_thread_is_started() -> None:
    before = threading.active_count()
    engine = Engine({"any": TWO})
    engine.fire("any", {"fever", "rigors"})

    assert threading.active_count() == before


def test_two_thousand_assessments_leave_no_memory_behind() -> None:
    rules = [rule(*pair) for pair in zip(names(100), names(100, "v"), strict=True)]
    engine = Engine({"any": rules})
    held = [*names(100), *names(50, "v")]

    def growth() -> bool:
        for _ in range(100):
            engine.fire("any", held)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(2_000):
            engine.fire("any", held)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_024  # KiB; a session takes more

    assert _in_a_fork(growth)


def test_a_fork_after_compiling_reads_right_in_parent_and_children() -> None:
    rules = [rule(*pair) for pair in zip(names(100), names(100, "v"), strict=True)]
    engine = Engine({"any": rules})

    def reads_right() -> bool:
        chance = random.Random(os.getpid())
        people = [chance.sample([*names(100), *names(100, "v")], 150) for _ in range(50)]
        return all(engine.fire("any", held) == plain_reading(rules, held) for held in people)

    assert [_in_a_fork(reads_right), reads_right(), _in_a_fork(reads_right)] == [True, True, True]


def _in_a_fork(question: Callable[[], bool]) -> bool:
    """Answer in a child process, which starts with a memory peak of its own."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 0 if question() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_at_once_read_right_and_hold_one_session_at_a_time(
    threads: int, install: Callable[..., Wrapped]
) -> None:
    live = most = 0

    def opening(handle: int, body: str) -> Any:
        nonlocal live, most
        live += 1
        most = max(most, live)
        time.sleep(0)  # hand over to another thread with the session open
        return REAL.assert_fact(handle, body)

    def deleting(handle: int, session: str) -> Any:
        nonlocal live
        time.sleep(0)
        live -= 1
        return REAL.delete_state(handle, session)

    install(assert_fact=opening, delete_state=deleting)
    rules = [rule(*pair) for pair in zip(names(100), names(100, "v"), strict=True)]
    engine = Engine({"any": rules})
    right: list[bool] = []

    def fire(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(240 // threads):
            held = chance.sample([*names(100), *names(100, "v")], chance.randrange(200))
            right.append(engine.fire("any", held) == plain_reading(rules, held))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        crowd = [threading.Thread(target=fire, args=(seed,)) for seed in range(threads)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert right == [True] * 240
    assert (live, most) == (0, 1)


# When the engine errs


def test_a_false_duplicate_is_answered_by_one_new_session(install: Callable[..., Wrapped]) -> None:
    engine = Engine({"any": TWO})
    wrapped = install(assert_fact=once((2, 0), "assert_fact"))

    assert engine.fire("any", {"fever", "rigors"}) == {TWO[0]}

    opened = [(handle, session_of(body)) for handle, body in wrapped.arguments("assert_fact")]
    assert len(opened) == len(set(opened)) == 2
    assert all(is_deleted(handle, session) for handle, session in opened)
    assert engine.broken is None


def _always(code: int) -> Callable[..., Any]:
    def call(handle: int, body: str) -> Any:
        REAL.assert_fact(handle, body)
        return code, 0

    return call


def test_a_second_false_duplicate_is_a_fault_and_not_tried_again(install: Callable[..., Wrapped]) -> None:
    engine = Engine({"any": TWO})
    wrapped = install(assert_fact=_always(2))

    with pytest.raises(EngineFault, match="called a duplicate twice"):
        engine.fire("any", {"fever", "rigors"})

    assert len(wrapped.arguments("assert_fact")) == 2


def _raising(*_: Any) -> Any:
    raise RuntimeError("303")


FIRST = '{"r0":{}}'


def _endless(*_: Any) -> str:
    return FIRST


def _answering(message: str) -> dict[str, Callable[..., Any]]:
    """One message and no more; to go on in a session in which nothing was started reads memory that nobody wrote."""
    return {"start_action_for_state": lambda *_: (0, message), "complete_and_start_action": lambda *_: None}


FAULTS = [
    pytest.param({"assert_fact": _always(2)}, "called a duplicate twice", id="observed twice"),
    pytest.param({"assert_fact": _always(3)}, "assert_fact returned 3", id="unknown code"),
    pytest.param({"assert_fact": _raising}, "from the rule engine", id="refused fact"),
    pytest.param({"start_action_for_state": _raising}, "RuntimeError from the rule engine", id="no start"),
    pytest.param({"complete_and_start_action": _raising}, "RuntimeError from the rule engine", id="no next"),
    pytest.param({"complete_and_start_action": _endless}, "more than 5000 firings", id="endless"),
    pytest.param(_answering('{"r9":{}}'), "IndexError", id="no such rule"),
    pytest.param(_answering("{}"), "ValueError", id="no rule named"),
    pytest.param({"delete_state": lambda *_: None}, "survived in any_0", id="survivor"),
    pytest.param({"delete_state": _raising}, "RuntimeError from the rule engine", id="no deletion"),
]


@pytest.mark.parametrize(("replaced", "says"), FAULTS)
def test_a_fault_stops_the_engine_for_good_and_says_why(
    replaced: dict[str, Callable[..., Any]], says: str, install: Callable[..., Wrapped]
) -> None:
    engine = Engine({"any": TWO, "other": [rule("cough")]})
    install(**replaced)

    with pytest.raises(EngineFault, match=says):
        engine.fire("any", {"fever", "rigors"})

    healthy = install()
    assert engine.broken is not None
    assert says in engine.broken
    assert "fever" not in engine.broken  # nothing of the person leaves with the reason
    for again in (lambda: engine.fire("any", {"fever"}), lambda: engine.fire("other", set()), engine.self_test):
        with pytest.raises(EngineFault, match=says):
            again()
    assert healthy.calls == []


@pytest.mark.parametrize(
    ("replaced", "says"),
    [
        ({"delete_state": lambda *_: None}, "survived in any_0"),
        ({"assert_fact": lambda *_: (3, 0), "delete_state": lambda *_: None, "get_state": _raising}, "returned 3"),
        ({"assert_fact": lambda *_: (2, 0), "delete_state": lambda *_: None, "get_state": _raising}, "duplicate"),
    ],
    ids=["survivor", "unknown code", "observed twice"],
)
def test_an_engine_that_faults_in_its_first_session_does_not_start(
    replaced: dict[str, Callable[..., Any]], says: str, install: Callable[..., Wrapped]
) -> None:
    install(**replaced)

    with pytest.raises(EngineFault, match=says):
        Engine({"any": TWO})


@pytest.mark.parametrize(
    "replaced",
    [
        {"assert_fact": _always(3)},
        {"assert_fact": _always(2)},
        {"start_action_for_state": _raising},
        {"complete_and_start_action": _raising},
        {"complete_and_start_action": _endless},
    ],
    ids=["unknown code", "observed", "no start", "no next", "endless"],
)
def test_a_session_that_failed_is_deleted(
    replaced: dict[str, Callable[..., Any]], install: Callable[..., Wrapped]
) -> None:
    engine = Engine({"any": TWO})
    wrapped = install(**replaced)

    with pytest.raises(EngineFault):
        engine.fire("any", {"fever", "rigors"})

    opened = [(handle, session_of(body)) for handle, body in wrapped.arguments("assert_fact")]
    assert opened
    assert all(is_deleted(handle, session) for handle, session in opened)


def test_the_cause_of_a_fault_is_kept_for_whoever_looks_for_it(install: Callable[..., Wrapped]) -> None:
    engine = Engine({"any": TWO})
    install(start_action_for_state=_raising)

    with pytest.raises(EngineFault) as fault:
        engine.fire("any", {"fever", "rigors"})

    assert isinstance(fault.value.__cause__, RuntimeError)


def test_an_interrupted_request_leaves_the_engine_usable(install: Callable[..., Wrapped]) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    engine = Engine({"any": TWO})
    wrapped = install(complete_and_start_action=interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.fire("any", {"fever", "rigors"})

    ((handle, body),) = wrapped.arguments("assert_fact")
    assert is_deleted(handle, session_of(body))
    install()
    assert engine.broken is None
    assert engine.fire("any", {"fever", "rigors"}) == {TWO[0]}


def test_the_cap_on_firings_allows_as_many_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule(word) for word in names(5)]
    engine = Engine({"any": rules})
    monkeypatch.setattr(module, "MAX_FIRINGS", 5)

    assert engine.fire("any", names(4)) == set(rules[:4])
    assert engine.fire("any", names(5)) == set(rules)


def test_an_endless_engine_is_stopped_after_five_thousand_firings(install: Callable[..., Wrapped]) -> None:
    engine = Engine({"any": TWO})
    wrapped = install(complete_and_start_action=_endless)

    with pytest.raises(EngineFault):
        engine.fire("any", {"fever", "rigors"})

    assert len(wrapped.arguments("complete_and_start_action")) == 5_000


def _starting(answer: Any) -> Callable[..., Any]:
    """An engine that starts with the same rule, or with none, whatever the fact; it warms up as it should."""

    def call(handle: int, offset: int) -> Any:
        started = REAL.start_action_for_state(handle, offset)
        return started if started[1].startswith('{"warm"') else answer

    return call


def _ending(handle: int, offset: int) -> None:
    """An engine in which the first rule that fires is the last."""
    REAL.complete_and_start_action(handle, offset)


def _without(one: str, other: str) -> Callable[..., Any]:
    """An engine that is wrong only where two literals hold together."""

    def call(handle: int, body: str) -> Any:
        code, offset = REAL.assert_fact(handle, body)
        return (1, offset) if f'"{one}":1' in body and f'"{other}":1' in body else (code, offset)

    return call


def _always_free(handle: int, body: str) -> Any:
    """An engine that never sees an exclusion."""
    return REAL.assert_fact(
        handle, body if "warm" in body or "free:" in body else body.replace("{", '{"free:known":1,')
    )


WRONG: list[dict[str, Callable[..., Any]]] = [
    {"start_action_for_state": _starting(None)},
    {"start_action_for_state": _starting((0, FIRST)), "complete_and_start_action": _ending},
    {"complete_and_start_action": _ending},
    {"assert_fact": _without("fever", "rigors")},
    {"assert_fact": _without("absent:cough", "absent:fever")},
    {"assert_fact": _without("fever", "absent:cough")},
    {"assert_fact": _always_free},
]


@pytest.mark.parametrize(
    "replaced", WRONG, ids=["deaf", "eager", "ends early", "present", "absent", "mixed", "unblocked"]
)
def test_an_engine_that_reads_wrong_fails_its_self_test(
    replaced: dict[str, Callable[..., Any]], install: Callable[..., Wrapped]
) -> None:
    blocked = [rule(word, "free:known") for word in names(4)]
    rules = [*TWO, rule("absent:fever", "absent:cough"), *blocked]
    engine = Engine({"other": [rule("sleep")], "any": rules})
    install(**replaced)

    with pytest.raises(EngineFault, match="does not agree with a plain reading"):
        engine.self_test()
    assert engine.broken is not None
    assert engine.broken.startswith("self-test: ")

    with pytest.raises(EngineFault, match="does not agree with a plain reading"):
        Engine({"any": rules})


def test_the_self_test_of_a_right_engine_leaves_it_in_service() -> None:
    engine = Engine({"any": TWO, "none": []})
    engine.self_test(rounds=3)

    assert engine.broken is None
    assert engine.fire("any", {"fever", "rigors"}) == {TWO[0]}


def test_without_random_mixes_the_self_test_tries_all_present_all_absent_and_all_blocked(
    install: Callable[..., Wrapped],
) -> None:
    engine = Engine({"any": [*TWO, rule("absent:fever", "absent:cough")]})
    wrapped = install()

    engine.self_test(rounds=0)

    sent = [set(json.loads(body)) - {"sid", "g0"} for _, body in wrapped.arguments("assert_fact")]
    nothing_free = {"fever", "rigors"}
    assert sent == [{"fever", "rigors", "free:known"}, {"absent:fever", "absent:cough", "free:known"}, nothing_free]
