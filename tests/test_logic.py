"""Lines of the rule language as antecedents: the sets of literals must say what a person reads in the line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.logic import Antecedent, TooWide, antecedents, literals, minimal, words_of
from rules.words import Words
from schemas.parts import AtLeast, Line, Term, parse_line

WORDS = ("a", "b", "c", "d", "e")
PROPERTY = settings(deadline=None, derandomize=True, max_examples=40)

State = Mapping[str, bool | None]


def counted() -> st.SearchStrategy[AtLeast]:
    some = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True)
    return some.flatmap(lambda of: st.builds(AtLeast, st.integers(1, len(of)), st.just(tuple(of))))


def lines() -> st.SearchStrategy[Line]:
    """Lines of up to three terms, two exclusions and two counts, which may read the same word more than once."""
    word = st.sampled_from(WORDS)
    return st.builds(
        Line,
        st.lists(st.builds(Term, word, st.booleans()), max_size=3).map(tuple),
        st.lists(word, max_size=2).map(tuple),
        st.lists(counted(), max_size=2).map(tuple),
    ).filter(lambda line: bool(line.terms or line.at_least))


def states() -> st.SearchStrategy[State]:
    """What is known about each word: present, absent, or nothing."""
    return st.fixed_dictionaries({word: st.sampled_from([True, False, None]) for word in WORDS})


def told(state: State, conflicts: tuple[tuple[str, ...], ...] = ()) -> Words:
    return Words({word: value for word, value in state.items() if value is not None}, {}, conflicts)


def simple(*words: str) -> dict[str, frozenset[str]]:
    """Exclusions that are not made of other words."""
    return dict.fromkeys(words, frozenset())


def plain(line: Line, state: State) -> bool:
    """The line as a person reads it: present, said to be absent, not known to be present, so many present."""
    terms = all(state[term.word] is term.present for term in line.terms)
    free = all(state[word] is not True for word in line.unless)
    counts = all([state[word] for word in block.of].count(True) >= block.n for block in line.at_least)
    return terms and free and counts


def sets(*found: str) -> set[Antecedent]:
    """Written as `a absent:b, c` for two antecedents."""
    return {frozenset(each.split()) for each in found}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["a"], sets("a")),
        (["a", "b"], sets("a b")),
        ([{"absent": "a"}], sets("absent:a")),
        (["a", {"unless": "b"}, {"unless": "c"}], sets("a free:b free:c")),
        ([{"at_least": {"n": 1, "of": ["a", "b"]}}], sets("a", "b")),
        ([{"at_least": {"n": 2, "of": ["a", "b", "c"]}}], sets("a b", "a c", "b c")),
        (["a", {"at_least": {"n": 2, "of": ["b", "c"]}}], sets("a b c")),
        (
            [{"at_least": {"n": 1, "of": ["a", "b"]}}, {"at_least": {"n": 1, "of": ["c", "d"]}}],
            sets("a c", "a d", "b c", "b d"),
        ),
        ([{"at_least": {"n": 1, "of": ["a", "b"]}}, {"unless": "b"}], sets("a free:b")),
        (["a", {"unless": "a"}], sets()),
    ],
)
def test_a_line_becomes_every_set_of_literals_that_makes_it_hold(line: list[object], expected: set[Antecedent]) -> None:
    assert set(antecedents(parse_line(line))) == expected


@given(line=lines(), state=states())
@settings(PROPERTY, max_examples=120)
def test_a_plain_three_valued_reading_of_a_line_agrees_with_its_antecedents(line: Line, state: State) -> None:
    held = literals(told(state), (), alone(line.unless))
    assert any(antecedent <= held for antecedent in antecedents(line)) == plain(line, state)


@given(line=lines(), state=states(), word=st.sampled_from(WORDS))
@PROPERTY
def test_an_unasked_word_never_silences_a_line(line: Line, state: State, word: str) -> None:
    """Forgetting an answer may only silence a line that needs it, never one that it would block."""
    forgotten = {**state, word: None}
    needs = {term.word for term in line.terms} | {each for block in line.at_least for each in block.of}
    if word not in needs and plain(line, state):
        held = literals(told(forgotten), (), alone(line.unless))
        assert any(antecedent <= held for antecedent in antecedents(line))


@pytest.mark.parametrize(
    ("blocks", "total"),
    [
        pytest.param([(1, 600)], 600, id="one of 600"),
        pytest.param([(1, 20), (1, 30)], 600, id="20 times 30"),
        pytest.param([(2, 25), (1, 2)], 600, id="300 times 2"),
    ],
)
def test_a_line_may_stand_for_600_combinations(blocks: list[tuple[int, int]], total: int) -> None:
    assert len(set(antecedents(wide(blocks)))) == total


@pytest.mark.parametrize(
    ("blocks", "total"),
    [
        pytest.param([(1, 601)], 601, id="one of 601"),
        pytest.param([(1, 20), (1, 31)], 620, id="20 times 31"),
        pytest.param([(5, 12)], 792, id="five of twelve"),
        pytest.param([(1, 10), (1, 10), (1, 10)], 1000, id="10 times 10 times 10"),
    ],
)
def test_a_line_that_stands_for_more_than_600_combinations_is_too_wide(
    blocks: list[tuple[int, int]], total: int
) -> None:
    message = f"stands for {total} combinations, at most 600: name a derived word instead"
    with pytest.raises(TooWide) as caught:
        next(antecedents(wide(blocks)))
    assert str(caught.value) == message


def wide(blocks: list[tuple[int, int]]) -> Line:
    """A line with counts of so many among so many different words."""
    names = ([f"w{number}_{word}" for word in range(size)] for number, (_, size) in enumerate(blocks))
    counts = (AtLeast(n, tuple(of)) for (n, _), of in zip(blocks, names, strict=True))
    return Line((), (), tuple(counts))


# --- the smallest sets


SETS = st.lists(st.frozensets(st.sampled_from(WORDS), max_size=4), max_size=8)


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ([], []),
        (["a b", "a"], ["a"]),
        (["a b", "b c"], ["a b", "b c"]),
        (["b", "a", "b"], ["a", "b"]),
        (["c d", "b", "a e", "a b c"], ["b", "a e", "c d"]),
    ],
)
def test_a_set_that_holds_another_one_says_nothing_new(found: list[str], kept: list[str]) -> None:
    assert minimal(frozenset(each.split()) for each in found) == [frozenset(each.split()) for each in kept]


@given(found=SETS, held=st.frozensets(st.sampled_from(WORDS)))
@PROPERTY
def test_the_smallest_sets_hold_exactly_when_any_of_all_sets_holds(found: list[Antecedent], held: Antecedent) -> None:
    assert any(each <= held for each in minimal(found)) == any(each <= held for each in found)


@given(found=SETS)
@PROPERTY
def test_none_of_the_smallest_sets_holds_another(found: list[Antecedent]) -> None:
    assert not any(one <= two or two <= one for one, two in combinations(minimal(found), 2))


@given(found=SETS)
@PROPERTY
def test_the_smallest_sets_come_in_one_order(found: list[Antecedent]) -> None:
    assert minimal(reversed(found)) == minimal(found)


# --- a presentation as literals


def alone(words: Iterable[str]) -> dict[str, frozenset[str]]:
    """Exclusions that are made of nothing but themselves."""
    return {word: frozenset() for word in words}


def test_an_exclusion_made_of_a_contradicted_word_does_not_block() -> None:
    state = {"a": True, "b": True, "made": True, "other": True}
    made_of = {"made": frozenset({"a", "c"}), "other": frozenset({"c"})}
    held = literals(told(state, (("a", "b"),)), (), made_of)
    assert ("free:made" in held, "free:other" in held) == (True, False)


def test_present_absent_and_unknown_words_become_literals() -> None:
    held = literals(told({"a": True, "b": False, "c": None}), {"medication:x"}, alone("abcd"))
    assert held == {"a", "absent:b", "medication:x", "free:b", "free:c", "free:d"}


def test_only_words_that_some_rule_excludes_are_said_to_be_free() -> None:
    assert literals(told({"a": True}), (), {}) == {"a"}


def test_a_word_of_another_kind_that_holds_is_not_free() -> None:
    assert literals(told({}), {"tried:x"}, alone(("tried:x", "tried:y"))) == {"tried:x", "free:tried:y"}


def test_a_present_word_that_contradicts_another_does_not_block() -> None:
    state = {"a": True, "b": True, "c": True}
    assert literals(told(state, (("a", "b"),)), (), alone("abc")) == {"a", "b", "c", "free:a", "free:b"}


def test_an_answer_that_a_measurement_overrules_still_blocks() -> None:
    """A conflict of one word is an answer against a measurement: present holds, and so does its exclusion."""
    assert literals(told({"a": True}, (("a",),)), (), alone("a")) == {"a"}


def test_the_words_of_an_antecedent_are_told_in_order_without_its_exclusions() -> None:
    assert words_of(frozenset({"fever", "free:vaccine", "absent:cough", "chills"})) == [
        "absent:cough",
        "chills",
        "fever",
    ]
