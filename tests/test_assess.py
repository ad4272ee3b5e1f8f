"""The whole answer: what a clinician needs from a strain, a sciatica and an abscess, and what every answer carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rules
from rules.engine import Antecedent, Engine, EngineFault
from rules.knowledge import CONCERNS, Conclusion, Knowledge
from schemas.knowledge import WorkUp
from schemas.parts import Line
from service import investigations, ladder
from service.assess import assess
from service.urgency import Urgency
from tests.oracle import parse
from tests.people import ALL_DENIED, Request, calm, illness, knowing, person
from tests.presentations import cases


def case(name: str) -> Request:
    """The request of a published case."""
    (found,) = [entry["request"] for entry in cases() if entry["id"] == name]
    return dict(found)


def answer_of(request: Request, knowledge: Knowledge, engine: Engine) -> dict[str, Any]:
    return assess(request, knowledge, engine)


def treatments(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["treatment"]: entry for rung in answer["treatment_ladder"]["rungs"] for entry in rung["entries"]}


def test_a_line_that_excludes_a_condition_is_silent_once_that_condition_leads_or_is_suspected(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which conditions those are is known only after the exclusions were first worked out."""
    asked: list[frozenset[str]] = []
    fire = engine.fire

    def listen(concern: str, holding: Collection[str]) -> frozenset[Antecedent]:
        asked.append(frozenset(holding))
        return fire(concern, holding)

    monkeypatch.setattr(engine, "fire", listen)
    for entry in cases():
        assess(knowledge.request_schema.load(entry["request"]), knowledge, engine)
    named = {word for word in knowledge.exclusions if word.startswith(("condition:", "suspected:"))}
    met = {word for held in asked for word in held & named}
    assert met >= {"condition:nephrolithiasis", "condition:vertebral_fracture", "suspected:vertebral_fracture"}
    assert not {word for held in asked for word in held & named if f"free:{word}" in held}


# three people


def test_a_published_strain(knowledge: Knowledge, engine: Engine) -> None:
    """A man of 42, a day after lifting, severe pain, no leg symptoms; not everything was asked."""
    request = case("hancock-42m")
    answer = answer_of(request, knowledge, engine)

    urgency = answer["urgency"]
    assert (urgency["level"], urgency["provisional"]) == ("routine", True)
    assert {item["id"] for item in urgency["open_must_asks"]} >= {"F-07", "F-09", "F-14", "F-22", "F-25"}
    assert not {item["id"] for item in urgency["open_must_asks"]} & request["screening"].keys()
    first = answer["differential"][0]
    assert (first["condition"], first["likelihood"], first["icd10cm"]) == ("lumbar_strain", None, "M54.50")
    assert first["probability"] > 0.9
    assert "onset_after_lifting" in {line["word"] for line in first["for"]}
    assert answer["must_exclude"] == []
    assert {row["investigation"]: row["advice"] for row in answer["investigations"]}[
        "imaging_lumbar_any"
    ] == "do_not_order"
    ladder = treatments(answer)
    assert ladder["stay_active"]["status"] == "recommended"
    assert ladder["spinal_manipulation"]["status"] == "not_yet"
    assert ladder["ibuprofen_oral"]["status"] == "caution"  # allergies and kidneys are not known
    assert answer["questions"][0]["why"].startswith("F-07 is open")

    rest = {**request, "screening": dict(ALL_DENIED), "findings": {**request["findings"], "pain_improving": "present"}}
    final = answer_of(rest, knowledge, engine)
    assert (final["urgency"]["level"], final["urgency"]["provisional"]) == ("self_care", False)
    assert final["differential"][0]["likelihood"] == "likely"
    assert final["differential"][1]["likelihood"] == "unlikely"


def test_a_published_sciatica(knowledge: Knowledge, engine: Engine) -> None:
    """A woman of 47 with a root pain, an absent ankle reflex and a positive leg raise, no weakness."""
    answer = answer_of(case("symptomtodx-47f"), knowledge, engine)

    assert answer["urgency"]["level"] == "routine"
    assert [reason["row"] for reason in answer["urgency"]["reasons"]] == ["E-47"]
    assert answer["urgency"]["within"] == "Review at 2 weeks"
    first = answer["differential"][0]
    assert first["condition"] == "disc_herniation"
    assert first["probability"] > 0.8
    assert "S1" in first["root_level"]
    assert [item["root_level"] for item in answer["differential"] if item["condition"] != "disc_herniation"] == [
        None
    ] * (len(answer["differential"]) - 1)
    lines = {line["word"]: line for line in first["for"]}
    assert lines["straight_leg_raise_positive"]["lr"] == 7.0  # 0.70 against 0.10
    assert {line["word"] for line in first["against"]} >= {"duration_under_2_weeks"}
    weights = [line["lr"] for line in first["for"]]
    assert weights == sorted(weights, reverse=True)
    ladder = treatments(answer)
    assert ladder["naproxen_oral"]["status"] == "excluded"  # ibuprofen is being taken
    assert ladder["microdiscectomy"]["status"] == "not_yet"
    assert "MRI fits level and side" in ladder["microdiscectomy"]["until"]
    assert "cyclobenzaprine_oral" not in {
        name for name, entry in ladder.items() if entry["status"] in ("recommended", "consider")
    }
    assert {row["investigation"]: row["advice"] for row in answer["investigations"]}[
        "imaging_lumbar_any"
    ] == "do_not_order"


def test_a_published_abscess(knowledge: Knowledge, engine: Engine) -> None:
    """A woman of 50 with severe pain, a temperature just raised and a raised marker; the nerves are normal."""
    answer = answer_of(case("dutch-50f"), knowledge, engine)

    urgency = answer["urgency"]
    assert (urgency["level"], urgency["provisional"], urgency["would_change"]) == ("emergency", False, [])
    lead = urgency["reasons"][0]
    assert (lead["rule"], lead["row"]) == ("raised_markers_with_severe_pain", "E-80")
    assert {"inflammatory_marker_raised", "severe_pain"} <= set(lead["words"])
    assert urgency["within"].startswith("MRI within 12 hours")
    assert "Two sets of blood cultures" in urgency["actions"]
    must = {item["condition"]: item["because"] for item in answer["must_exclude"]}
    assert must["spinal_epidural_abscess"] == must["vertebral_osteomyelitis"] == "red_flag"
    orders = {row["investigation"]: row for row in answer["investigations"]}
    assert orders["mri_whole_spine_contrast"]["advice"] == "order"
    assert orders["mri_whole_spine_contrast"]["condition"] == "spinal_epidural_abscess"
    assert "do_not_order" not in {row["advice"] for row in answer["investigations"]}
    ladder = answer["treatment_ladder"]
    assert ladder["pathway"]["pathway"] == "spinal_epidural_abscess"
    assert "Do not give a steroid" in ladder["pathway"]["avoid"]
    assert ladder["rungs"] == []
    assert all(item["likelihood"] is None for item in answer["differential"])
    # no setting was sent
    assert {"kind": "setting_assumed", "value": "primary_care"}.items() <= answer["notices"][0].items()


# what every answer carries


PARTS = (
    "knowledge",
    "intended_use",
    "urgency",
    "differential",
    "must_exclude",
    "scores",
    "investigations",
    "treatment_ladder",
    "follow_up",
    "referral",
    "leaflet",
    "questions",
    "notices",
)


def test_the_parts_of_an_answer_stand_in_the_agreed_order(knowledge: Knowledge, engine: Engine) -> None:
    assert tuple(answer_of(person(), knowledge, engine)) == PARTS


def test_every_answer_names_the_version_and_the_hash_of_the_knowledge(knowledge: Knowledge, engine: Engine) -> None:
    policy = parse(rules.HERE / "policy.yaml")
    digest = hashlib.sha256()
    for file in sorted(Path(rules.HERE).rglob("*.yaml")):
        digest.update(str(file.relative_to(rules.HERE)).encode() + b"\0" + file.read_bytes() + b"\0")
    assert len(knowledge.sha256) == 64
    for request in (person(), person("saddle_anaesthesia")):
        assert answer_of(request, knowledge, engine)["knowledge"] == {
            "version": policy["version"],
            "sha256": digest.hexdigest(),
        }
    assert answer_of(person(), knowledge, engine)["intended_use"] == policy["texts"]["intended_use"]


def test_an_answer_is_plain_data(knowledge: Knowledge, engine: Engine) -> None:
    answer = answer_of(calm("diabetes"), knowledge, engine)
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_an_engine_that_cannot_be_trusted_concludes_nothing(knowledge: Knowledge) -> None:
    engine = Engine({concern: [frozenset({"fever"})] for concern in CONCERNS})
    engine.broken = "it did not answer"
    with pytest.raises(EngineFault, match="it did not answer"):
        assess(person("fever"), knowledge, engine)


@pytest.mark.parametrize("concern", CONCERNS)
def test_a_fault_in_any_concern_is_passed_on(knowledge: Knowledge, engine: Engine, concern: str) -> None:
    class Faulty(Engine):
        def __init__(self) -> None:
            """Compile nothing."""

        def fire(self, asked: str, holding: Any) -> frozenset[frozenset[str]]:
            if asked == concern:
                raise EngineFault(asked)
            return engine.fire(asked, holding)

    with pytest.raises(EngineFault, match=concern):
        assess(person("fever"), knowledge, Faulty())


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (calm("onset_after_lifting"), True),
        (person(), False),
        ({**calm(), "screening": {item: "absent" for item in ALL_DENIED if item != "F-18"}}, False),
        ({**calm(), "screening": {item: "absent" for item in ALL_DENIED if item != "F-20"}}, True),
        (calm("neurogenic_claudication", age=72, days=365), True),
    ],
    ids=["all answered", "nothing answered", "one of routine open", "one of self-care open", "routine"],
)
def test_likelihood_words_stand_only_once_the_gate_of_routine_is_answered(
    knowledge: Knowledge, engine: Engine, request_: Request, said: bool
) -> None:
    """An empty request must not come back as a likely strain."""
    words = [item["likelihood"] for item in answer_of(request_, knowledge, engine)["differential"]]
    assert all((word is not None) is said for word in words)


def test_no_more_conditions_are_listed_than_the_policy_shows(knowledge: Knowledge, engine: Engine) -> None:
    reasoning = replace(knowledge.policy.reasoning, shown=2)
    short = replace(knowledge, policy=replace(knowledge.policy, reasoning=reasoning))
    whole = answer_of(person(), knowledge, engine)["differential"]
    assert len(whole) == min(len(knowledge.ranked), 12)
    assert answer_of(person(), short, engine)["differential"] == whole[:2]


def test_what_the_knowledge_cannot_rank_is_said(knowledge: Knowledge, engine: Engine) -> None:
    (notice,) = [found for found in answer_of(person(), knowledge, engine)["notices"] if found["kind"] == "not_ranked"]
    named = notice["value"].split(", ")
    assert named == sorted(name for name, found in knowledge.conditions.items() if found.priors is None)
    assert notice["text"]


def test_where_all_conditions_are_ranked_there_is_no_such_notice(knowledge: Knowledge, engine: Engine) -> None:
    every = replace(knowledge, conditions=dict(knowledge.ranked))
    assert [found["kind"] for found in answer_of(calm(), every, engine)["notices"]] == ["setting_assumed"]


def test_notices_of_the_request_of_urgency_and_of_the_limits_are_joined(knowledge: Knowledge, engine: Engine) -> None:
    request = person(
        "saddle_anaesthesia",
        medications=["moonflower"],
        observations={"post_void_residual_ml": 20},
        setting="emergency",
    )
    kinds = [notice["kind"] for notice in answer_of(request, knowledge, engine)["notices"]]
    assert kinds == ["medication_not_checked", "no_downgrade", "not_ranked"]


def test_the_leading_conditions_are_words_for_the_ladder(knowledge: Knowledge, engine: Engine) -> None:
    """Treatments are offered for the conditions that lead, and for no other."""
    answer = answer_of(calm("onset_after_lifting", "pain_worse_with_movement"), knowledge, engine)
    leading = answer["treatment_ladder"]["conditions"]
    assert leading == ["lumbar_strain"]
    assert all(entry["conditions"] == ["lumbar_strain"] for entry in treatments(answer).values())
    assert "lithotripsy_ureteroscopy" not in treatments(answer)
    stone = answer_of(calm("haematuria", "known_urinary_stone", "hydronephrosis", age=30), knowledge, engine)
    assert stone["treatment_ladder"]["conditions"][0] == "nephrolithiasis"
    assert "alpha_blocker_stone" in treatments(stone)


def test_a_suspected_condition_that_does_not_lead_is_still_investigated(knowledge: Knowledge, engine: Engine) -> None:
    answer = answer_of(person("saddle_anaesthesia"), knowledge, engine)
    assert "cauda_equina_syndrome" not in answer["treatment_ladder"]["conditions"]
    orders = {row["investigation"]: row for row in answer["investigations"]}
    assert (orders["mri_lumbar"]["advice"], orders["mri_lumbar"]["condition"]) == ("order", "cauda_equina_syndrome")


def test_a_condition_that_leads_and_is_suspected_is_investigated_once(knowledge: Knowledge, engine: Engine) -> None:
    answer = answer_of(person("saddle_anaesthesia", "urinary_retention", "reduced_anal_tone"), knowledge, engine)
    assert "cauda_equina_syndrome" in answer["treatment_ladder"]["conditions"]
    named = [row["investigation"] for row in answer["investigations"]]
    assert len(named) == len(set(named))


# investigations


def work_up(name: str, advice: str, *, when: str | None = None, lines: tuple[Line, ...] = ()) -> WorkUp:
    reason = f"{name} because"
    return WorkUp(name, name.upper(), advice, reason, "verified", ("paper",), when=when, acr="7", lines=lines)


def advised(
    knowledge: Knowledge,
    rows: Mapping[str, tuple[WorkUp, ...]],
    *,
    level: str = "routine",
    fired: tuple[Conclusion, ...] = (),
) -> list[dict[str, Any]]:
    conditions = [replace(illness(name, 1, {}), work_up=tests) for name, tests in rows.items()]
    small = knowing(knowledge, illness("background", 1, {}), *conditions)
    triage = Urgency(level, False, (), None, {}, {}, (), (), ())
    return investigations.advise(list(rows), {found: [] for found in fired}, triage, small)


def test_a_row_with_lines_waits_for_one_of_them_and_a_row_without_always_stands(knowledge: Knowledge) -> None:
    needing = (Line(terms=()),)
    rows = {
        "ill": (
            work_up("mri", "order", lines=needing),
            work_up("film", "order", lines=needing),
            work_up("esr", "order"),
        )
    }
    assert [row["investigation"] for row in advised(knowledge, rows)] == ["esr"]
    fired = (Conclusion("work_up", "ill", 1), Conclusion("work_up", "other", 0), Conclusion("offer", "ill", 0))
    assert [row["investigation"] for row in advised(knowledge, rows, fired=fired)] == ["film", "esr"]


@pytest.mark.parametrize(
    ("level", "listed"),
    [
        ("self_care", True),
        ("routine", True),
        ("urgent_2_weeks", False),
        ("urgent_same_day", False),
        ("emergency", False),
    ],
)
def test_nothing_is_ruled_out_while_something_urgent_is_open(knowledge: Knowledge, level: str, listed: bool) -> None:
    rows = {"ill": (work_up("mri", "do_not_order"), work_up("esr", "order"))}
    found = [row["investigation"] for row in advised(knowledge, rows, level=level)]
    assert found == (["esr", "mri"] if listed else ["esr"])


@pytest.mark.parametrize(
    ("first", "second", "advice", "condition"),
    [
        ("order", "consider", "order", "a"),
        ("consider", "order", "order", "b"),
        ("do_not_order", "consider", "consider", "b"),
        ("do_not_order", "order", "order", "b"),
        ("order", "order", "order", "a"),
        ("consider", "consider", "consider", "a"),
    ],
)
def test_of_two_voices_on_one_test_the_one_that_orders_it_wins_and_of_equals_the_leading(
    knowledge: Knowledge, first: str, second: str, advice: str, condition: str
) -> None:
    (row,) = advised(knowledge, {"a": (work_up("mri", first),), "b": (work_up("mri", second),)})
    assert (row["advice"], row["condition"]) == (advice, condition)


def test_orders_come_first_and_each_row_says_when_why_and_on_what_ground(knowledge: Knowledge) -> None:
    rows = {
        "ill": (work_up("c", "do_not_order"), work_up("b", "consider"), work_up("a", "order", when="today")),
        "sick": (work_up("d", "order"),),
    }
    found = advised(knowledge, rows)
    assert [row["investigation"] for row in found] == ["a", "d", "b", "c"]
    assert found[0] == {
        "investigation": "a",
        "label": "A",
        "advice": "order",
        "when": "today",
        "condition": "ill",
        "acr": "7",
        "because": "a because",
        "evidence_status": "verified",
        "references": ["paper"],
    }


# what is listed, and for whom the ladder is


def test_the_first_five_conditions_are_listed_and_the_others_from_one_in_a_thousand(
    knowledge: Knowledge, engine: Engine
) -> None:
    for request in (calm("onset_after_lifting"), person("fever", "iv_drug_use", age=60), person()):
        listed = assess(request, knowledge, engine)["differential"]
        assert 5 <= len(listed) <= 12
        assert all(entry["probability"] >= 0.001 for entry in listed[5:])


def notices_of(answer: dict[str, Any], kind: str) -> list[str]:
    return [notice["value"] for notice in answer["notices"] if notice["kind"] == kind]


def test_a_leading_condition_without_treatments_leaves_no_empty_ladder_and_is_said(
    knowledge: Knowledge, engine: Engine
) -> None:
    request = calm("widespread_pain_4of5", "fatigue_unrefreshed_cognitive", "headache", "neck_pain", days=900)
    request["patient"]["sex"] = "female"
    answer = assess(request, knowledge, engine)
    assert answer["differential"][0]["condition"] == "fibromyalgia"
    assert "fibromyalgia" in notices_of(answer, "not_treated")
    assert any(rung["entries"] for rung in answer["treatment_ladder"]["rungs"])


def test_a_serious_condition_without_treatments_gets_none_of_another(knowledge: Knowledge) -> None:
    assert ladder.made_for(["ovarian_torsion"], knowledge) == ("ovarian_torsion",)
    assert ladder.made_for(["fibromyalgia"], knowledge) == ("fibromyalgia", "lumbar_strain")
    assert ladder.made_for(["fibromyalgia", "disc_herniation"], knowledge) == ("fibromyalgia", "disc_herniation")
    assert ladder.made_for(["fibromyalgia", "myelopathy"], knowledge) == ("fibromyalgia", "myelopathy")


def test_a_lesser_suspicion_orders_nothing_beside_an_emergency(knowledge: Knowledge, engine: Engine) -> None:
    """Cauda equina now; the blood tests for a tumour that a weaker flag suspects can wait."""
    request = person("saddle_anaesthesia", "urinary_retention", "bilateral_sciatica", age=60, days=60)
    answer = assess(request, knowledge, engine)
    assert answer["urgency"]["level"] == "emergency"
    assert "spinal_malignancy" in {row["condition"] for row in answer["must_exclude"]}
    tested = {test["condition"] for test in answer["investigations"]}
    assert "cauda_equina_syndrome" in tested
    assert "spinal_malignancy" not in tested


def test_a_root_reading_says_how_far_it_can_be_trusted_where_that_is_known(
    knowledge: Knowledge, engine: Engine
) -> None:
    request = person("ankle_reflex_absent", "pain_below_knee", "straight_leg_raise_positive")
    unsure = {name: replace(pattern, lr=None) for name, pattern in knowledge.patterns.items()}
    levels = [
        next(
            entry["root_level"]
            for entry in assess(request, known, engine)["differential"]
            if entry["condition"] == "disc_herniation"
        )
        for known in (knowledge, replace(knowledge, patterns=unsure))
    ]
    assert levels == [
        "most consistent with S1 (usual disc L5-S1), LR 1.29 (0.97-1.72)",
        "most consistent with S1 (usual disc L5-S1)",
    ]
