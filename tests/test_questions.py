"""The next questions: must-asks first, then what tells the leading conditions apart."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import differential, questions, urgency
from service.differential import Ranked
from service.findings import Presentation, derive
from service.urgency import Urgency
from tests.people import Request, calm, fire, illness, knowing, person, seen

STRAIN = ("onset_after_lifting", "pain_worse_with_movement", "pain_improving")


def asked(request: Request, knowledge: Knowledge, engine: Engine) -> tuple[list[dict[str, Any]], Urgency]:
    """The questions of a request, and its urgency."""
    presentation = seen(request, knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    ranked = differential.rank(evidence, presentation, knowledge)
    triage = urgency.triage(fire("urgency", presentation, knowledge, engine), presentation, knowledge)
    return questions.ask_next(ranked, triage, presentation, knowledge), triage


def triage_of(*open_items: str) -> Urgency:
    return Urgency("routine", bool(open_items), (), None, {}, {}, open_items, (), ())


def small(knowledge: Knowledge, frequencies: Mapping[str, Mapping[str, float]], **policy: Any) -> Knowledge:
    """Conditions with these frequencies; the first is the background."""
    conditions = [illness(name, 10, rows) for name, rows in frequencies.items()]
    asking = replace(knowledge.policy.questions, **policy)
    return replace(knowing(knowledge, *conditions), policy=replace(knowledge.policy, questions=asking))


def ranked_as(knowledge: Knowledge, shares: Iterable[float]) -> list[Ranked]:
    return [
        Ranked(condition, 0.1, share, ()) for condition, share in zip(knowledge.ranked.values(), shares, strict=True)
    ]


@pytest.fixture(scope="module")
def nobody(knowledge: Knowledge) -> Presentation:
    return derive(person(), knowledge)


# order


def test_must_asks_come_first_in_their_order_then_what_tells_apart(knowledge: Knowledge, engine: Engine) -> None:
    found, triage = asked(person(patient={"sex": "male"}), knowledge, engine)
    items = [re.match(r"(F-\d\d) is open", question["why"]) for question in found]
    named = [match.group(1) for match in items if match]
    assert named == list(triage.open_items[:6])
    assert [bool(match) for match in items] == [True] * 6 + [False] * 2
    for question, item in zip(found, named, strict=False):
        assert question["finding"] in knowledge.must_ask[item].findings
        assert question["why"] == f"{item} is open; the answer could raise the level to {knowledge.reach[item]}"


def test_with_few_must_asks_open_the_rest_of_the_places_tells_apart(knowledge: Knowledge, engine: Engine) -> None:
    request = calm(*STRAIN)
    del request["screening"]["F-10"]
    found, triage = asked(request, knowledge, engine)
    assert triage.open_items == ("F-10",)
    assert [question["why"].startswith("F-10 is open") for question in found] == [True] + [False] * 7
    all_answered, _ = asked(calm(*STRAIN), knowledge, engine)
    assert ["open" in question["why"] for question in all_answered] == [False] * 8


@pytest.mark.parametrize(
    ("request_", "finding"),
    [
        (person(), "urinary_retention"),
        (person(absent=["urinary_retention"]), "new_bladder_dysfunction"),
        (person(absent=["urinary_retention", "new_bladder_dysfunction"]), "urinary_incontinence_new"),
        (person(unknown=["urinary_retention"]), "urinary_retention"),
    ],
)
def test_a_must_ask_is_asked_through_its_first_finding_that_is_open(
    knowledge: Knowledge, engine: Engine, request_: Request, finding: str
) -> None:
    found, _ = asked(request_, knowledge, engine)
    assert next(question["finding"] for question in found if question["why"].startswith("F-01")) == finding


@pytest.mark.parametrize(
    "request_",
    [person(), person(absent=["bowel_incontinence"]), calm(*STRAIN), person("fever"), person("foot_drop", age=70)],
    ids=["empty", "bowel control kept", "calm", "fever", "foot drop"],
)
def test_nothing_is_asked_twice(knowledge: Knowledge, engine: Engine, request_: Request) -> None:
    """F-02 and F-03 share the numbness between the legs."""
    found, _ = asked(request_, knowledge, engine)
    names = [question["finding"] for question in found]
    assert len(names) == len(set(names))
    assert len(names) == 8


def test_a_finding_that_a_must_ask_asks_is_not_asked_again_for_its_gain(
    knowledge: Knowledge, nobody: Presentation
) -> None:
    words = ("history_of_cancer", "limp")
    table = small(knowledge, {"strain": dict.fromkeys(words, 0.1), "other": dict.fromkeys(words, 0.9)})
    found = questions.ask_next(ranked_as(table, [0.5, 0.5]), triage_of("F-10"), nobody, table)
    assert [question["finding"] for question in found] == ["history_of_cancer", "limp"]


@pytest.mark.parametrize(("items", "must", "telling"), [(0, 0, 5), (2, 2, 3), (3, 3, 2), (6, 3, 2)])
def test_two_places_are_kept_for_what_tells_apart(
    knowledge: Knowledge, nobody: Presentation, items: int, must: int, telling: int
) -> None:
    words = ("limp", "nausea", "headache", "haematuria", "spinal_tenderness", "groin_pain")
    must_asks = [word for entry in knowledge.must_ask.values() for word in entry.findings]
    background = dict.fromkeys((*must_asks, *words), 0.1)
    table = small(knowledge, {"strain": background, "other": dict.fromkeys(words, 0.6)}, at_most=5)
    open_items = ("F-01", "F-02", "F-06", "F-08", "F-10", "F-11")[:items]
    found = questions.ask_next(ranked_as(table, [0.5, 0.5]), triage_of(*open_items), nobody, table)
    assert ["open" in question["why"] for question in found] == [True] * must + [False] * telling


def test_only_findings_not_yet_decided_are_asked_for_their_gain(knowledge: Knowledge) -> None:
    words = ("limp", "nausea", "headache", "haematuria", "crp_over_10")
    table = small(knowledge, {"strain": dict.fromkeys(words, 0.1), "other": dict.fromkeys(words, 0.6)})
    presentation = derive(person("limp", absent=["nausea"], unknown=["headache"]), knowledge)
    found = questions.ask_next(ranked_as(table, [0.5, 0.5]), triage_of(), presentation, table)
    assert [question["finding"] for question in found] == ["haematuria"]  # a derived word is nothing to ask


def test_only_the_leading_conditions_bring_questions(knowledge: Knowledge, nobody: Presentation) -> None:
    background = {"limp": 0.1, "nausea": 0.1, "headache": 0.1}
    table = small(knowledge, {"strain": background, "second": {"limp": 0.5}, "third": {"nausea": 0.9}}, from_top=2)
    two = replace(table.conditions["lumbar_strain"], frequencies={})
    ranked = ranked_as(table, [0.5, 0.4, 0.1])
    ranked[0] = replace(ranked[0], condition=two)
    found = questions.ask_next(ranked, triage_of(), nobody, table)
    assert [question["finding"] for question in found] == ["limp"]


# gain


def mutual_information(joint: Mapping[tuple[str, bool], float]) -> float:
    """By its definition: the sum of p(c, a) log p(c, a) / p(c) p(a), in bits."""
    conditions, answers = {c for c, _ in joint}, (True, False)
    of_condition = {c: sum(joint[c, a] for a in answers) for c in conditions}
    of_answer = {a: sum(joint[c, a] for c in conditions) for a in answers}
    return sum(p * math.log2(p / (of_condition[c] * of_answer[a])) for (c, a), p in joint.items() if p > 0)


def expected_gains(ranked: Iterable[Ranked], presentation: Presentation, knowledge: Knowledge) -> dict[str, float]:
    """The gain of every finding that could be asked, worked out over all conditions and both answers."""
    top = list(itertools.islice(ranked, 5))
    whole = sum(item.probability for item in top)
    background = knowledge.conditions["lumbar_strain"].frequencies

    def clipped(item: Ranked, word: str) -> float:
        row = item.condition.frequencies.get(word, background[word])
        return min(max(row.f, 0.005), 0.98)

    gains = {}
    for word in {word for item in top for word in item.condition.frequencies if word in knowledge.findings}:
        if presentation.present(word) or presentation.absent(word) or word in presentation.unknown:
            continue
        joint = {}
        for item in top:
            share, f = item.probability / whole, clipped(item, word)
            joint[item.condition.id, True], joint[item.condition.id, False] = share * f, share * (1 - f)
        gains[word] = mutual_information(joint)
    return gains


@pytest.mark.parametrize(
    "request_",
    [
        calm(*STRAIN),
        calm("pain_below_knee", "unilateral_leg_symptoms", absent=["neurogenic_claudication"], days=21),
        calm("haematuria", unknown=["flank_pain_colicky"], age=55),
        calm("neurogenic_claudication", age=71, days=400),
    ],
    ids=["strain", "sciatica", "stone", "stenosis"],
)
def test_the_questions_are_those_of_the_largest_mutual_information(
    knowledge: Knowledge, engine: Engine, request_: Request
) -> None:
    presentation = seen(request_, knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    ranked = differential.rank(evidence, presentation, knowledge)
    found = questions.ask_next(ranked, triage_of(), presentation, knowledge)
    gains = expected_gains(ranked, presentation, knowledge)
    worth = {word: 0.1 if knowledge.findings[word].kind == "investigation" else 1 for word in gains}
    best = sorted(gains, key=lambda word: (-gains[word] * worth[word], word))[:8]
    assert [question["finding"] for question in found] == best
    for question in found:
        assert question["why"] == (
            f"tells the leading conditions apart ({gains[question['finding']]:.2f} bit expected)"
        )


def test_a_finding_that_decides_between_two_even_conditions_gains_nearly_a_bit(
    knowledge: Knowledge, nobody: Presentation
) -> None:
    """0.98 against 0.005 of 1: the entropy of 0.4925 less the mean of those of 0.98 and 0.005."""
    table = small(knowledge, {"strain": {"limp": 0.0, "nausea": 0.3}, "other": {"limp": 1.0, "nausea": 0.3}})
    found = questions.ask_next(ranked_as(table, [0.5, 0.5]), triage_of(), nobody, table)
    assert [question["finding"] for question in found] == ["limp", "nausea"]
    assert [question["why"][-19:] for question in found] == ["(0.91 bit expected)", "(0.00 bit expected)"]


def test_the_gain_is_over_the_leading_conditions_as_if_they_were_all(
    knowledge: Knowledge, nobody: Presentation
) -> None:
    """Shares of 0.06 and 0.02 weigh three to one: a limp in 0.7 of all, against 0.9 and 0.1."""
    table = small(knowledge, {"strain": {"limp": 0.9}, "b": {"limp": 0.1}, "c": {"limp": 0.5}}, from_top=2)

    def entropy(*chances: float) -> float:
        return -sum(chance * math.log2(chance) for chance in chances)

    gain = entropy(0.7, 0.3) - entropy(0.9, 0.1)
    (question,) = questions.ask_next(ranked_as(table, [0.06, 0.02, 0.92]), triage_of(), nobody, table)
    assert f"{gain:.2f}" == "0.41"
    assert question["why"] == "tells the leading conditions apart (0.41 bit expected)"


def test_a_test_is_asked_only_where_it_tells_over_ten_times_as_much_as_a_question(
    knowledge: Knowledge, nobody: Presentation
) -> None:
    scan, sign = "mri_disc_herniation_matching", "straight_leg_raise_positive"
    for there, first in ((0.3, scan), (0.6, sign)):
        table = small(knowledge, {"strain": {scan: 0.005, sign: 0.2}, "other": {scan: 0.98, sign: there}})
        found = questions.ask_next(ranked_as(table, [0.5, 0.5]), triage_of(), nobody, table)
        assert found[0]["finding"] == first


def test_findings_of_equal_gain_stand_in_alphabetical_order(knowledge: Knowledge, nobody: Presentation) -> None:
    words = ("nausea", "limp", "headache")
    table = small(knowledge, {"strain": dict.fromkeys(words, 0.2), "other": dict.fromkeys(words, 0.6)})
    found = questions.ask_next(ranked_as(table, [0.5, 0.5]), triage_of(), nobody, table)
    assert [question["finding"] for question in found] == ["headache", "limp", "nausea"]


# what an answer would do


def shares(effect: str) -> dict[str, float]:
    return {name: float(share) for name, share in re.findall(r"(\w+) ([\d.]+)%", effect)}


def test_each_answer_names_the_leading_three_with_their_share(knowledge: Knowledge, nobody: Presentation) -> None:
    """0.4, 0.3, 0.2, 0.1 with a limp in 1, 2, 4 and 8 of ten: yes 4 + 6 + 8 + 8, no 36 + 24 + 12 + 2."""
    table = small(knowledge, {"strain": {"limp": 0.1}, "b": {"limp": 0.2}, "c": {"limp": 0.4}, "d": {"limp": 0.8}})
    (question,) = questions.ask_next(ranked_as(table, [0.4, 0.3, 0.2, 0.1]), triage_of(), nobody, table)
    assert question["if_present"] == "c 31%, d 31%, b 23%"
    assert question["if_absent"] == "lumbar_strain 49%, b 32%, c 16%"


def test_the_shares_are_of_the_leading_conditions_together(knowledge: Knowledge, nobody: Presentation) -> None:
    table = small(knowledge, {"strain": {"limp": 0.5}, "b": {"limp": 0.5}, "c": {"limp": 0.5}}, from_top=2)
    (question,) = questions.ask_next(ranked_as(table, [0.3, 0.1, 0.6]), triage_of(), nobody, table)
    assert question["if_present"] == question["if_absent"] == "lumbar_strain 75%, b 25%"


def test_a_condition_without_a_row_takes_the_frequency_of_the_background(
    knowledge: Knowledge, nobody: Presentation
) -> None:
    table = small(knowledge, {"strain": {"limp": 0.2}, "b": {"limp": 0.6}, "c": {}})
    (question,) = questions.ask_next(ranked_as(table, [0.25, 0.5, 0.25]), triage_of(), nobody, table)
    assert shares(question["if_present"]) == {"b": 75, "c": 12, "lumbar_strain": 12}


@pytest.mark.parametrize("request_", [person(), calm(*STRAIN), person("fever", age=66)])
def test_the_two_answers_together_give_back_what_is_known_now(
    knowledge: Knowledge, engine: Engine, request_: Request
) -> None:
    """Total probability: no answer can move the first condition to one side only."""
    presentation = seen(request_, knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    ranked = differential.rank(evidence, presentation, knowledge)
    now = {item.condition.id: item.probability / sum(top.probability for top in ranked[:5]) for item in ranked[:5]}
    for question in questions.ask_next(ranked, triage_of(), presentation, knowledge):
        yes, no = shares(question["if_present"]), shares(question["if_absent"])
        for answer in (yes, no):
            assert len(answer) == 3
            assert sum(answer.values()) <= 101.5
            assert list(answer.values()) == sorted(answer.values(), reverse=True)
        for name in yes.keys() & no.keys():
            low, high = sorted((yes[name], no[name]))
            assert low - 0.5 <= 100 * now[name] <= high + 0.5


def test_a_question_carries_its_words_and_kind(knowledge: Knowledge, engine: Engine) -> None:
    found, _ = asked(calm(*STRAIN), knowledge, engine)
    for question in found:
        entry = knowledge.findings[question["finding"]]
        assert (question["question"], question["kind"]) == (entry.question, entry.kind)
        assert set(question) == {"finding", "question", "kind", "why", "if_present", "if_absent"}


def test_the_background_has_a_frequency_for_every_finding_that_a_must_ask_may_ask(knowledge: Knowledge) -> None:
    """Without one the effect of the answer could not be said."""
    background = knowledge.conditions[knowledge.policy.reasoning.background].frequencies
    assert {word for entry in knowledge.must_ask.values() for word in entry.findings} - background.keys() == set()
