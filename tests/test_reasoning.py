"""The page that explains the numbers tells the truth: its worked example is recomputed from the rules."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from rules.engine import Engine
from rules.knowledge import Knowledge
from service import differential
from service.differential import Ranked
from tests.people import fire, seen

PAGE = (Path(__file__).parent.parent / "docs" / "reasoning.md").read_text(encoding="utf-8")
EXAMPLE = {
    "patient": {"age_years": 45},
    "setting": "primary_care",
    "findings": {
        "pain_below_knee": "present",
        "leg_paraesthesia_numbness": "present",
        "straight_leg_raise_positive": "present",
        "fever": "absent",
    },
}
CONDITIONS = ("disc_herniation", "cauda_equina_syndrome", "lumbar_strain")


@pytest.fixture(scope="module")
def ranked(knowledge: Knowledge, engine: Engine) -> dict[str, Ranked]:
    presentation = seen(EXAMPLE, knowledge, engine)
    evidence = {(found.id, found.kind == "present") for found in fire("evidence", presentation, knowledge, engine)}
    return {item.condition.id: item for item in differential.rank(evidence, presentation, knowledge)}


def section(name: str) -> str:
    """The text below one heading of the page."""
    _, _, rest = PAGE.partition(f"### {name}\n")
    assert rest, f"the page has no part on {name}"
    return re.split(r"\n#+ ", rest)[0]


def total(item: Ranked) -> float:
    return math.fsum(entry.weight * entry.counted for entry in item.entries)


@pytest.mark.parametrize("name", CONDITIONS[:2])
def test_every_line_of_the_worked_example_is_the_ledger_of_the_service(name: str, ranked: dict[str, Ranked]) -> None:
    rows = re.findall(r"^\| (\w+) \| (present|absent) \| (.+) \|$", section(name), re.MULTILINE)
    printed = {word: (said, *(float(number) for number in numbers.split(" | "))) for word, said, numbers in rows}
    shown = {
        entry.word: (
            "present" if entry.present else "absent",
            *(round(value, 2) for value in (entry.frequency or 0, entry.background or 0, entry.lr)),
            entry.counted,
            round(entry.weight * entry.counted, 3),
        )
        for entry in ranked[name].entries
    }
    assert printed == shown


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_prior_and_the_sum_of_the_worked_example_are_those_of_the_service(
    name: str, ranked: dict[str, Ranked]
) -> None:
    text, item = section(name), ranked[name]
    (percent,) = re.findall(r"^Prior ([\d.]+) %", text, re.MULTILINE)
    assert float(percent) / 100 == pytest.approx(item.prior)
    for told in re.findall(r"add up to ([\d.]+), and", text):
        assert float(told) == pytest.approx(total(item), abs=5e-4)
        assert f"e^{told} = {item.prior * math.exp(total(item)):.3f}" in text


def test_the_shares_of_the_worked_example_are_those_of_the_service(ranked: dict[str, Ranked]) -> None:
    text = section("The shares").replace("\n", " ")
    scores = {name: item.prior * math.exp(total(item)) for name, item in ranked.items()}
    whole = math.fsum(scores.values())
    assert f"together weigh {whole:.3f}" in text
    told = re.findall(r"([\d.]+) / ([\d.]+) = ([\d.]+) %", text)
    expected = [scores[name] for name in ("disc_herniation", "lumbar_strain", "cauda_equina_syndrome")]
    assert [float(score) for score, _, _ in told] == pytest.approx(expected, abs=5e-4)
    shares = [100 * ranked[name].probability for name in ("disc_herniation", "lumbar_strain", "cauda_equina_syndrome")]
    assert [float(share) for _, _, share in told] == pytest.approx(shares, abs=0.05)


def test_the_numbers_of_the_policy_on_the_page_are_those_in_force(knowledge: Knowledge) -> None:
    policy = knowledge.policy.reasoning
    low, high = policy.clip
    assert f"drawn into {low} to {high} first" in PAGE
    assert f"a factor of {policy.serious_floor}," in PAGE
    assert policy.dependence_factor == 0.5  # "the next at a half, the next at a quarter"
    assert policy.default_setting == "primary_care"  # "counts as primary care"
