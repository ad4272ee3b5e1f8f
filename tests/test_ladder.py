"""The ladder: what is offered, what safety takes off it and why, what waits, and what replaces it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rules.engine import Engine
from rules.knowledge import Conclusion, Knowledge
from schemas.knowledge import DoNot, Examples, Need, Offer, Pathway, RedFlag, Safety, SafetyRule, Then, Treatment
from service import ladder, safety
from service.assess import assess
from service.drafts import Draft
from service.findings import Presentation, derive
from service.safety import Fired
from service.urgency import Urgency
from tests.patients import HEALTHY, KNOWN, ORAL_NSAIDS, PROPOSED, STRAIN, entries, strain
from tests.people import ALL_DENIED, Request, calm, person


def rules_of(entry: Mapping[str, Any]) -> set[str]:
    return {rule["rule"] for rule in entry["safety"]}


# a person without anything against


def test_with_everything_known_the_first_drug_is_recommended_with_its_dose(
    knowledge: Knowledge, engine: Engine
) -> None:
    found = entries(strain(), knowledge, engine)
    ibuprofen = found["ibuprofen_oral"]
    assert (ibuprofen["status"], ibuprofen["rung"], ibuprofen["safety"]) == ("recommended", 1, [])
    assert "200-400 mg" in ibuprofen["dose"]
    assert ibuprofen["conditions"] == ["lumbar_strain"]
    assert ibuprofen["until"] is None
    assert ibuprofen["alternatives"] == []
    assert found["stay_active"]["status"] == "recommended"
    assert found["stay_active"]["dose"] is None


def test_every_rung_is_listed_from_self_care_to_surgery(knowledge: Knowledge, engine: Engine) -> None:
    rungs = assess(strain(), knowledge, engine)["treatment_ladder"]["rungs"]
    assert [rung["rung"] for rung in rungs] == [0, 1, 2, 3, 4, 5, 6]
    assert all(rung["title"] and rung["enter_when"] for rung in rungs)


def test_one_anti_inflammatory_at_a_time_the_others_are_alternatives(knowledge: Knowledge, engine: Engine) -> None:
    found = entries(strain(), knowledge, engine)
    assert found["naproxen_oral"]["status"] == "consider"
    assert "One drug of a class at a time" in found["naproxen_oral"]["because"]
    assert "(Ibuprofen)" in found["naproxen_oral"]["because"]
    assert "One drug of a class" not in found["ibuprofen_oral"]["because"]
    assert "One drug of a class" not in found["acetaminophen_oral"]["because"]


# what takes an entry off


EXCLUDED: list[tuple[str, Request, tuple[str, ...], str]] = [
    ("warfarin", strain(medications=["warfarin"]), ORAL_NSAIDS, "X006"),
    ("eGFR 25", strain(observations={"egfr_ml_min": 25}), ORAL_NSAIDS, "X001"),
    ("eGFR 29.9", strain(observations={"egfr_ml_min": 29.9}), ORAL_NSAIDS, "X001"),
    (
        "pregnant, 22 weeks",
        strain(
            age=30,
            patient={"sex": "female", "pregnancy": "pregnant"},
            observations={"egfr_ml_min": 90, "gestation_weeks": 22},
        ),
        ORAL_NSAIDS,
        "X013",
    ),
    (
        "pregnant, weeks not known",
        strain(age=30, patient={"sex": "female", "pregnancy": "pregnant"}),
        ORAL_NSAIDS,
        "X014",
    ),
    ("aged 80", strain(age=80), ("cyclobenzaprine_oral", "methocarbamol_oral", "metaxalone_oral"), "X050"),
    ("aged 65", strain(age=65), ("cyclobenzaprine_oral",), "X050"),
    ("allergic to ibuprofen", strain(allergies=["ibuprofen"]), ORAL_NSAIDS, "X017"),
    ("allergic to ibuprofen, gel", strain(allergies=["ibuprofen"]), ("topical_nsaid_gel",), "X017b"),
    ("heart failure", strain("heart_failure"), ORAL_NSAIDS, "X008"),
    ("a past ulcer", strain("previous_peptic_ulcer_or_gi_bleed"), ("ibuprofen_oral", "naproxen_oral"), "X005"),
    ("numb skin", strain("impaired_sensation_at_site"), ("superficial_heat", "cold_pack"), "X115"),
    (
        "diabetes and numb feet",
        strain("diabetes", "leg_paraesthesia_numbness"),
        ("superficial_heat", "cold_pack", "alternating_heat_cold"),
        "X115",
    ),
    ("a menthol cream", strain(medications=["menthol"]), ("superficial_heat",), "X119"),
    ("warfarin and wintergreen", strain(medications=["warfarin"]), ("topical_counter_irritant",), "X126"),
    ("tramadol and fluoxetine", strain("severe_pain", medications=["fluoxetine"]), ("weak_opioid",), "X086"),
    ("tramadol and linezolid", strain("severe_pain", medications=["linezolid"]), ("weak_opioid",), "X085"),
    ("opioid and diazepam", strain("severe_pain", medications=["diazepam"]), ("weak_opioid",), "X080"),
    ("duloxetine and eGFR 25", strain(days=200, observations={"egfr_ml_min": 25}), ("duloxetine_oral",), "X097"),
]


@pytest.mark.parametrize(
    ("request_", "treatments", "rule"), [case[1:] for case in EXCLUDED], ids=[case[0] for case in EXCLUDED]
)
def test_what_is_excluded_stays_listed_with_rule_reason_and_alternative(
    knowledge: Knowledge, engine: Engine, request_: Request, treatments: tuple[str, ...], rule: str
) -> None:
    found = entries(request_, knowledge, engine)
    for name in treatments:
        entry = found[name]
        assert entry["status"] == "excluded", name
        assert rule in rules_of(entry)
        reason = next(item for item in entry["safety"] if item["rule"] == rule)
        assert reason["action"] == "exclude"
        assert reason["because"] in entry["because"]
        assert reason["instead"]
        assert reason["references"]
        assert reason["words"]
        assert entry["alternatives"], name
        assert not {*entry["alternatives"]} & {each for each, other in found.items() if other["status"] not in PROPOSED}
        assert entry["no_alternative"] is None
        assert (entry["dose"], entry["until"]) == (None, None)


@pytest.mark.parametrize(
    ("request_", "treatment", "rule"),
    [
        (strain(medications=["ssri"]), "ibuprofen_oral", "X023"),
        (strain(age=80), "ibuprofen_oral", "X024b"),
        (strain(observations={"egfr_ml_min": 45}), "ibuprofen_oral", "X002b"),
        (strain("previous_peptic_ulcer_or_gi_bleed"), "celecoxib_oral", "X005b"),
        (strain(medications=["warfarin"]), "topical_nsaid_gel", "X006b"),
        (strain(medications=["warfarin"]), "acetaminophen_oral", "X044"),
        (
            strain(
                age=30,
                patient={"sex": "female", "pregnancy": "pregnant"},
                observations={"egfr_ml_min": 90, "gestation_weeks": 19},
            ),
            "ibuprofen_oral",
            "X012",
        ),
    ],
    ids=[
        "SSRI",
        "aged 80",
        "eGFR 45",
        "ulcer and celecoxib",
        "warfarin and gel",
        "warfarin and acetaminophen",
        "19 weeks",
    ],
)
def test_a_caution_lowers_the_entry_but_keeps_its_dose(
    knowledge: Knowledge, engine: Engine, request_: Request, treatment: str, rule: str
) -> None:
    entry = entries(request_, knowledge, engine)[treatment]
    assert entry["status"] == "caution"
    assert rule in rules_of(entry)
    assert next(item["because"] for item in entry["safety"] if item["rule"] == rule) in entry["because"]
    assert entry["dose"]
    assert entry["alternatives"] == []


def test_an_instruction_is_shown_and_lowers_nothing(knowledge: Knowledge, engine: Engine) -> None:
    entry = entries(strain(), knowledge, engine)["acetaminophen_oral"]
    assert entry["status"] == "consider"
    assert {rule["action"] for rule in entry["safety"]} == {"instruct"}
    assert all(rule["because"] not in entry["because"] for rule in entry["safety"])


def test_heat_is_recommended_to_whoever_denied_every_must_ask(knowledge: Knowledge, engine: Engine) -> None:
    for patient in ({"sex": "male"}, {"sex": "female"}):
        entry = entries(calm(*STRAIN, age=35, patient=patient), knowledge, engine)["superficial_heat"]
        assert entry["status"] == "recommended"
        assert {rule["action"] for rule in entry["safety"]} == {"instruct"}


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (calm(*STRAIN, "diabetes"), "X115b"),
        (calm(*STRAIN, "leg_paraesthesia_numbness"), "X115b"),
        (calm(*STRAIN, screening={item: said for item, said in ALL_DENIED.items() if item != "F-18"}), None),
        (calm(*STRAIN, "history_of_cancer"), "X117b"),
        (calm(*STRAIN, "contusion_or_abrasion", days=2), "X124"),
        (calm(*STRAIN, patient={"sex": "female", "pregnancy": "pregnant"}), "X120"),
    ],
    ids=["diabetes", "numb leg", "diabetes not asked", "past cancer", "fresh bruise", "pregnant"],
)
def test_heat_is_a_caution_until_feeling_and_site_are_known(
    knowledge: Knowledge, engine: Engine, request_: Request, rule: str | None
) -> None:
    entry = entries(request_, knowledge, engine)["superficial_heat"]
    assert entry["status"] == "caution"
    assert {found["rule"] for found in entry["safety"] if found["action"] == "caution"} == ({rule} if rule else set())
    assert ("Is feeling reduced where the heat or cold would be applied?" in entry["checks"]) is (rule is None)


def test_feeling_that_was_found_intact_takes_the_caution_of_diabetes_back(knowledge: Knowledge, engine: Engine) -> None:
    known = calm(*STRAIN, "diabetes", absent=["impaired_sensation_at_site"])
    assert entries(known, knowledge, engine)["superficial_heat"]["status"] == "recommended"


def test_a_suspected_spinal_infection_takes_the_anti_inflammatory_drugs_off(
    knowledge: Knowledge, engine: Engine
) -> None:
    found = entries(strain("fever"), knowledge, engine)
    assert found["ibuprofen_oral"]["status"] == "excluded"
    assert "X034" in rules_of(found["ibuprofen_oral"])


def test_an_allergy_to_the_drug_itself_or_to_its_class_excludes_without_any_rule(
    knowledge: Knowledge, engine: Engine
) -> None:
    own = entries(strain(allergies=["lidocaine"]), knowledge, engine)["topical_lidocaine"]
    by_class = entries(strain(allergies=["local_anaesthetic"]), knowledge, engine)["topical_lidocaine"]
    other = entries(strain(allergies=["capsaicin"]), knowledge, engine)["topical_lidocaine"]
    assert [own["status"], by_class["status"]] == ["excluded", "excluded"]
    assert "An allergy to this drug, or to its class" in own["because"]
    assert other["status"] in PROPOSED


# what is not known


def test_an_unknown_medication_makes_drugs_a_caution_and_leaves_the_rest(knowledge: Knowledge, engine: Engine) -> None:
    before = entries(strain(), knowledge, engine)
    for part in ("medications", "allergies"):
        answer = assess(strain(**{part: ["moonflower extract"]}), knowledge, engine)
        after = {entry["treatment"]: entry for rung in answer["treatment_ladder"]["rungs"] for entry in rung["entries"]}
        for name, entry in after.items():
            if knowledge.treatments[name].drugs and before[name]["status"] in PROPOSED:
                assert entry["status"] == "caution", name
                assert "was not checked against this drug" in entry["because"]
            else:
                assert entry["status"] == before[name]["status"], name
        kinds = {notice["kind"]: notice["value"] for notice in answer["notices"]}
        assert kinds[f"{part[:-1].replace('allergie', 'allergy')}_not_checked"] == "moonflower extract"


def test_missing_safety_data_is_a_caution_on_the_low_rungs_with_the_questions(
    knowledge: Knowledge, engine: Engine
) -> None:
    asked = {item: said for item, said in ALL_DENIED.items() if item != "F-18"}  # it asks about the kidneys
    entry = entries(calm(*STRAIN, screening=asked), knowledge, engine)["ibuprofen_oral"]
    assert entry["status"] == "caution"
    assert "Safety data that a rule needs was not sent." in entry["because"]
    assert {
        "What is the latest eGFR (kidney function)?",
        "Have you ever had a stomach ulcer, gut bleed or perforation?",
        "Do you have heart failure?",
    } <= set(entry["checks"])
    assert "Is the patient pregnant, or could she be?" not in entry["checks"]  # a man
    assert entry["until"] is None


def test_missing_safety_data_holds_an_entry_of_the_high_rungs_back(knowledge: Knowledge, engine: Engine) -> None:
    failed = [{"treatment": "ibuprofen_oral", "weeks": 2, "response": "none"}]
    sent = entries(strain(treatments_tried=failed), knowledge, engine)["celecoxib_oral"]
    missing = entries(calm(*STRAIN, treatments_tried=failed, screening={}), knowledge, engine)["celecoxib_oral"]
    assert (sent["rung"], sent["status"]) == (3, "consider")
    assert missing["status"] == "not_yet"
    assert "What is the latest eGFR (kidney function)?" in missing["until"]
    assert "What is the latest eGFR (kidney function)?" in missing["checks"]
    assert missing["dose"] is None


def test_a_woman_of_childbearing_age_is_asked_about_pregnancy(knowledge: Knowledge, engine: Engine) -> None:
    silent = strain(age=30, patient={"sex": "female"})
    said = strain(age=30, patient={"sex": "female", "pregnancy": "not_pregnant"})
    question = "Is the patient pregnant, or could she be?"
    assert question in entries(silent, knowledge, engine)["ibuprofen_oral"]["checks"]
    assert question not in entries(said, knowledge, engine)["ibuprofen_oral"]["checks"]


def test_each_missing_answer_alone_is_enough_to_ask(knowledge: Knowledge, engine: Engine) -> None:
    def asked(request: Request) -> set[str]:
        entry = entries(request, knowledge, engine)["ibuprofen_oral"]
        return set(entry["checks"]) - set(knowledge.treatments["ibuprofen_oral"].checks)

    denied = set(HEALTHY) - {"chronic_kidney_disease"}
    whole = person(*STRAIN, absent=denied, patient={"sex": "male"}, **KNOWN)

    def without(part: str) -> Request:
        return {name: value for name, value in whole.items() if name != part}

    def denying(*words: str) -> Request:
        return {**whole, "findings": dict.fromkeys(STRAIN, "present") | dict.fromkeys(words, "absent")}

    kidney, heart = "What is the latest eGFR (kidney function)?", "Do you have heart failure?"
    ulcer = "Have you ever had a stomach ulcer, gut bleed or perforation?"
    assert asked(whole) == set()
    assert asked(without("observations")) == {kidney}
    assert asked(without("medications")) == {"Which medicines are taken, including those bought over the counter?"}
    assert asked(without("allergies")) == {
        "Was there ever a reaction to a medicine, above all to aspirin or another anti-inflammatory?"
    }
    assert asked(denying("previous_peptic_ulcer_or_gi_bleed")) == {heart}
    assert asked(denying("heart_failure")) == {ulcer}
    # a denied kidney disease counts as knowing the kidney function
    no_disease = {**whole["findings"], "chronic_kidney_disease": "absent"}
    assert asked({**without("observations"), "findings": no_disease}) == set()


# what waits


HANDS_ON = ("spinal_manipulation", "massage_therapist")


@pytest.mark.parametrize(
    ("request_", "held"),
    [
        (strain(), False),
        (person(*STRAIN, episode={"duration_days": 5}, **KNOWN), True),  # provisional
        (strain("subjective_leg_weakness"), True),  # urgent, two weeks
        (strain("severe_uncontrolled_pain"), True),  # same day
    ],
    ids=["final", "provisional", "two weeks", "same day"],
)
def test_hands_on_treatment_waits_while_the_level_is_provisional_or_urgent(
    knowledge: Knowledge, engine: Engine, request_: Request, held: bool
) -> None:
    found = entries(request_, knowledge, engine)
    for name in HANDS_ON:
        waiting = "wait until the urgency level is final" in found[name]["because"]
        assert waiting is (held and found[name]["status"] != "excluded"), name
        assert not held or found[name]["status"] in ("not_yet", "excluded"), name
        assert waiting is ("wait until the urgency level is final" in (found[name]["until"] or "")), name
    assert "not_yet" in {found[name]["status"] for name in HANDS_ON} or not held
    assert "wait until" not in found["stay_active"]["because"]


def test_every_treatment_by_hand_or_by_needle_that_is_offered_waits(knowledge: Knowledge) -> None:
    covered = {
        name for group in ("manual_therapy_any", "injections_all") for name in knowledge.treatment_groups[group].covers
    }
    offered = {name for name in covered if knowledge.treatments[name].offer}
    assert {"spinal_manipulation", "massage_therapist", "epidural_steroid_injection"} <= offered
    assert {name for name in offered if not knowledge.treatments[name].hold_unless_final} == set()


# what was tried


@pytest.mark.parametrize("response", ["none", "partial"])
def test_a_failed_anti_inflammatory_drug_opens_the_third_rung(
    knowledge: Knowledge, engine: Engine, response: str
) -> None:
    tried = [{"treatment": "ibuprofen_oral", "weeks": 2, "response": response}]
    before, after = (entries(request, knowledge, engine) for request in (strain(), strain(treatments_tried=tried)))
    assert before["ibuprofen_oral"]["status"] == "recommended"
    assert after["ibuprofen_oral"]["status"] == "consider"
    for name in ("celecoxib_oral", "cyclobenzaprine_oral"):
        assert (before[name]["rung"], before[name]["status"]) == (3, "not_yet")
        assert "failed" in before[name]["until"]
        assert after[name]["status"] == "consider"
        assert after[name]["until"] is None


def test_a_drug_that_helped_opens_nothing(knowledge: Knowledge, engine: Engine) -> None:
    tried = [{"treatment": "ibuprofen_oral", "weeks": 2, "response": "good"}]
    after = entries(strain(treatments_tried=tried), knowledge, engine)
    assert after["ibuprofen_oral"]["status"] == "recommended"
    assert after["celecoxib_oral"]["status"] == "not_yet"


# what is advised against


def test_what_is_not_recommended_is_listed_apart_once_with_reason_and_source(
    knowledge: Knowledge, engine: Engine
) -> None:
    answer = assess(strain(), knowledge, engine)["treatment_ladder"]
    rows = answer["not_recommended"]
    on_rungs = {entry["treatment"] for rung in answer["rungs"] for entry in rung["entries"]}
    named = [row["treatment"] for row in rows if row["treatment"] and row["row"].startswith("T")]
    assert {"strong_opioid", "turmeric_supplement"} <= set(named)
    assert len(named) == len(set(named))
    assert on_rungs.isdisjoint(named)
    assert {"N01", "N02"} <= {row["row"] for row in rows}
    assert all(row["because"] and row["references"] for row in rows)
    assert all(entry["status"] != "not_recommended" for rung in answer["rungs"] for entry in rung["entries"])


# an emergency


def test_an_emergency_replaces_the_ladder_by_the_pathway_with_what_to_avoid(
    knowledge: Knowledge, engine: Engine
) -> None:
    found = assess(person("fever", "iv_drug_use"), knowledge, engine)["treatment_ladder"]
    pathway = found["pathway"]
    assert pathway["pathway"] == "spinal_epidural_abscess"
    assert pathway["also"] == ["vertebral_osteomyelitis"]
    assert {"Do not give a steroid", "Do not give an epidural"} <= set(pathway["avoid"])
    assert "Two sets of blood cultures" in pathway["actions"]
    assert pathway["references"]
    assert "replaces the ladder" in pathway["statement"]
    assert (found["rungs"], found["not_recommended"]) == ([], [])


def test_an_emergency_without_a_pathway_gives_the_actions_of_its_rule(knowledge: Knowledge, engine: Engine) -> None:
    pathway = assess(person("adrenal_insufficiency", "vomiting"), knowledge, engine)["treatment_ladder"]["pathway"]
    rule = knowledge.red_flags["adrenal_crisis"]
    assert pathway == {
        "pathway": "adrenal_crisis",
        "title": rule.title,
        "actions": list(rule.actions),
        "avoid": list(knowledge.policy.ladder.emergency_avoid),
        "within": rule.within,
        "also": [],
        "evidence_status": rule.evidence_status,
        "references": list(rule.references),
        "statement": knowledge.policy.texts["replaced_by_pathway"],
    }


@pytest.mark.parametrize("request_", [person("foot_drop"), person("history_of_cancer"), person()])
def test_below_an_emergency_there_is_a_ladder_and_no_pathway(
    knowledge: Knowledge, engine: Engine, request_: Request
) -> None:
    found = assess(request_, knowledge, engine)["treatment_ladder"]
    assert found["pathway"] is None
    assert sum(len(rung["entries"]) for rung in found["rungs"]) > 10


# the parts by themselves, on small tables of our own


def urgency_of(level: str, *flags: RedFlag, provisional: bool = False) -> Urgency:
    return Urgency(level, provisional, flags, None, {}, {}, (), (), ())


def treatment(name: str, rung: int = 1, status: str = "recommended", **more: Any) -> Treatment:
    more = {"references": ("paper",), "because": f"{name} helps.", "dose": "One.", "checks": ("Known check",), **more}
    return Treatment(
        name, f"T{name}", name, rung, ("lumbar_strain",), offer=(Offer(status, (), more.pop("until", None)),), **more
    )


def rule(name: str, action: str, *treatments: str) -> SafetyRule:
    examples = Examples(fires=(), silent=())
    reason = f"{name} is dangerous."
    return SafetyRule(name, name, (), action, "major", reason, "verified", ("paper",), examples, treatments=treatments)


def climbed(  # noqa: PLR0913
    knowledge: Knowledge,
    treatments: Iterable[Treatment],
    *,
    rules: Iterable[SafetyRule] = (),
    needs: Iterable[Need] = (),
    guarded: Iterable[str] | None = None,
    request: Request | None = None,
    urgency: Urgency | None = None,
    do_not: Iterable[DoNot] = (),
    fitting: Iterable[Conclusion] = (),
) -> dict[str, Any]:
    """The ladder of some treatments that were all offered, with rules that all fired."""
    given, rows, kept = list(treatments), list(do_not), tuple(rules)
    names = tuple(found.id for found in given) if guarded is None else tuple(guarded)
    sheet = Safety("sheet", "Sheet", names, (*kept, rule("always", "instruct", *names)), tuple(needs))
    small = replace(
        knowledge,
        treatments={found.id: found for found in given},
        safety={"sheet": sheet},
        do_not={row.id: row for row in rows},
    )
    offers = [Conclusion("offer", found.id, 0) for found in given]
    fired = {
        conclusion: [frozenset({"fever"})]
        for conclusion in [*offers, *(Conclusion("do_not", row.id) for row in rows), *fitting]
    }
    held = [frozenset({"nausea", "fever", "free:limp"}), frozenset({"headache", "fever"})]
    unsafe = {Conclusion("safety", found.id): held for found in kept}
    presentation = derive(request or person(), knowledge)
    return laddered(urgency or urgency_of("routine"), ["lumbar_strain"], fired, unsafe, presentation, small)


def laddered(
    urgency: Urgency,
    conditions: Sequence[str],
    fitting: Fired,
    unsafe: Fired,
    presentation: Presentation,
    knowledge: Knowledge,
) -> dict[str, Any]:
    """The ladder, from what fired to what is said; no entry fires a rule for another."""
    drafts = ladder.draft(fitting, unsafe, urgency, presentation, knowledge)
    safety.make_compatible(drafts, {}, knowledge)
    return ladder.climb(drafts, fitting, conditions, urgency, presentation, knowledge)


def statuses(found: Mapping[str, Any]) -> dict[str, str]:
    return {entry["treatment"]: entry["status"] for rung in found["rungs"] for entry in rung["entries"]}


def only(found: Mapping[str, Any]) -> dict[str, Any]:
    (entry,) = [entry for rung in found["rungs"] for entry in rung["entries"]]
    return dict(entry)


def test_the_first_offer_that_fired_gives_the_status(knowledge: Knowledge) -> None:
    offers = (Offer("recommended", ()), Offer("consider", ()), Offer("not_yet", (), "later"))
    some = replace(treatment("pill"), offer=offers)
    for parts, status in (((2, 1), "consider"), ((2,), "not_yet"), ((0, 1, 2), "recommended")):
        small = replace(knowledge, treatments={"pill": some}, safety={}, do_not={})
        fired = {Conclusion("offer", "pill", part): [frozenset({"fever"})] for part in parts}
        found = laddered(urgency_of("routine"), [], fired, {}, derive(person(), knowledge), small)
        assert only(found)["status"] == status
        assert only(found)["until"] == ("later" if status == "not_yet" else None)


def test_the_strictest_rule_wins_and_each_says_why(knowledge: Knowledge) -> None:
    rules = [rule("careful", "caution"), rule("never", "exclude"), rule("note", "instruct")]
    entry = only(climbed(knowledge, [treatment("pill")], rules=rules))
    assert entry["status"] == "excluded"
    assert entry["because"] == "careful is dangerous. never is dangerous."
    assert [item["rule"] for item in entry["safety"]] == ["careful", "never", "note"]
    assert entry["safety"][0] == {
        "rule": "careful",
        "title": "careful",
        "action": "caution",
        "severity": "major",
        "words": ["fever", "headache", "nausea"],
        "because": "careful is dangerous.",
        "instead": None,
        "references": ["paper"],
        "evidence_status": "verified",
    }
    entry = only(climbed(knowledge, [treatment("pill")], rules=rules[::-1]))
    assert entry["status"] == "excluded"


def test_two_rules_with_one_reason_say_it_once(knowledge: Knowledge) -> None:
    rules = [replace(rule(name, "caution"), because="It bleeds.") for name in ("first", "second")]
    entry = only(climbed(knowledge, [treatment("pill")], rules=rules))
    assert entry["because"] == "It bleeds."
    assert [item["rule"] for item in entry["safety"]] == ["first", "second"]


def test_a_rule_about_some_treatments_of_its_sheet_leaves_the_others(knowledge: Knowledge) -> None:
    given = [treatment("pill"), treatment("gel")]
    found = climbed(knowledge, given, rules=[rule("never", "exclude", "gel")])
    assert statuses(found) == {"pill": "recommended", "gel": "excluded"}


@pytest.mark.parametrize(
    ("offered", "action", "status"),
    [
        ("recommended", "caution", "caution"),
        ("consider", "caution", "caution"),
        ("not_yet", "caution", "not_yet"),
        ("not_yet", "exclude", "excluded"),
        ("recommended", "instruct", "recommended"),
    ],
)
def test_safety_lowers_an_entry_and_never_raises_it(
    knowledge: Knowledge, offered: str, action: str, status: str
) -> None:
    assert statuses(climbed(knowledge, [treatment("pill", 1, offered)], rules=[rule("some", action)])) == {
        "pill": status
    }


@pytest.mark.parametrize(("rung", "status"), [(0, "caution"), (2, "caution"), (3, "not_yet"), (6, "not_yet")])
def test_missing_data_is_a_caution_up_to_the_second_rung_and_holds_back_above(
    knowledge: Knowledge, rung: int, status: str
) -> None:
    needs = [Need("How old is the pain?", field="episode.duration_days"), Need("Is there fever?", finding="fever")]
    entry = only(climbed(knowledge, [treatment("pill", rung)], needs=needs))
    assert entry["status"] == status
    assert entry["checks"] == ["Known check", "How old is the pain?", "Is there fever?"]
    assert entry["until"] == (None if status == "caution" else "How old is the pain?; Is there fever?")
    waiting = only(climbed(knowledge, [treatment("pill", rung, "not_yet", until="gate")], needs=needs))
    assert (waiting["status"], waiting["until"]) == ("not_yet", "gate")


def test_a_question_that_is_already_a_check_is_not_said_twice(knowledge: Knowledge) -> None:
    found = climbed(knowledge, [treatment("pill")], needs=[Need("Known check", finding="fever")])
    assert only(found)["checks"] == ["Known check"]


@pytest.mark.parametrize(
    ("need", "request_", "known"),
    [
        (Need("?", field="observations.egfr_ml_min"), person(), False),
        (Need("?", field="observations.egfr_ml_min"), person(observations={"egfr_ml_min": 20}), True),
        (Need("?", field="medications"), person(), False),
        (Need("?", field="medications"), person(medications=[]), True),
        (Need("?", field="medications"), person(allergies=[]), False),
        (Need("?", field="allergies"), person(allergies=[]), True),
        (Need("?", field="allergies"), person(medications=[]), False),
        (Need("?", finding="fever"), person(), False),
        (Need("?", finding="fever"), person(unknown=["fever"]), False),
        (Need("?", finding="fever"), person("fever"), True),
        (Need("?", finding="fever"), person(absent=["fever"]), True),
        (Need("?", finding="fever", counts_as_known=("limp",)), person("limp"), True),
        (Need("?", finding="fever", counts_as_known=("limp",)), person(absent=["limp"]), True),
        (Need("?", finding="fever", applies="female_sex"), person(patient={"sex": "male"}), True),
        (Need("?", finding="fever", applies="female_sex"), person(patient={"sex": "female"}), False),
        (Need("?", finding="fever", applies="female_sex"), person(), False),
        (Need("?", finding="fever", treatments=("other",)), person(), True),
        (Need("?", finding="fever", treatments=("pill",)), person(), False),
    ],
)
def test_when_safety_data_counts_as_known(knowledge: Knowledge, need: Need, request_: Request, known: bool) -> None:
    found = climbed(knowledge, [treatment("pill")], needs=[need], request=request_)
    assert statuses(found)["pill"] == ("recommended" if known else "caution")


def test_needs_of_a_sheet_that_is_not_about_the_treatment_are_not_asked(knowledge: Knowledge) -> None:
    found = climbed(knowledge, [treatment("pill")], needs=[Need("Fever?", finding="fever")], guarded=["gel"])
    assert statuses(found)["pill"] == "recommended"


@pytest.mark.parametrize(
    ("kind", "rung", "guarded", "status"),
    [
        ("drug", 2, [], "caution"),
        ("drug", 3, [], "not_yet"),
        ("surgery", 6, [], "not_yet"),
        ("drug", 3, ["pill"], "recommended"),
        ("exercise", 2, [], "recommended"),
        (None, 3, [], "recommended"),
    ],
)
def test_a_drug_or_procedure_that_no_safety_rule_is_about_is_held_as_if_data_were_missing(
    knowledge: Knowledge, kind: str | None, rung: int, guarded: list[str], status: str
) -> None:
    entry = only(climbed(knowledge, [treatment("pill", rung, kind=kind)], guarded=guarded))
    assert entry["status"] == status
    text = knowledge.policy.texts["safety_not_encoded"]
    assert (text in entry["because"]) is (status != "recommended")
    assert entry["until"] == (text if status == "not_yet" else None)


def test_an_excluded_entry_is_not_burdened_with_questions(knowledge: Knowledge) -> None:
    found = climbed(
        knowledge, [treatment("pill")], rules=[rule("never", "exclude")], needs=[Need("Fever?", finding="fever")]
    )
    assert only(found)["checks"] == ["Known check"]


def test_the_alternatives_are_named_only_where_the_entry_is_excluded(knowledge: Knowledge) -> None:
    some = treatment("pill", alternatives=("gel",))
    assert only(climbed(knowledge, [some], rules=[rule("never", "exclude")]))["alternatives"] == ["gel"]
    assert only(climbed(knowledge, [some], rules=[rule("careful", "caution")]))["alternatives"] == []


def test_without_anything_against_the_reason_is_that_of_the_treatment(knowledge: Knowledge) -> None:
    assert only(climbed(knowledge, [treatment("pill")]))["because"] == "pill helps."
    assert only(climbed(knowledge, [treatment("pill")]))["effect"] == "pill helps."


@pytest.mark.parametrize(
    ("level", "provisional", "held"),
    [
        ("self_care", False, False),
        ("routine", False, False),
        ("routine", True, True),
        ("self_care", True, True),
        ("urgent_2_weeks", False, True),
        ("urgent_same_day", False, True),
    ],
)
def test_only_what_is_marked_waits_for_a_final_level(
    knowledge: Knowledge, level: str, provisional: bool, held: bool
) -> None:
    given = [treatment("thrust", hold_unless_final=True), treatment("walk")]
    found = climbed(knowledge, given, urgency=urgency_of(level, provisional=provisional))
    assert statuses(found) == {"thrust": "not_yet" if held else "recommended", "walk": "recommended"}


@pytest.mark.parametrize("offered", ["recommended", "consider"])
def test_what_is_proposed_waits_and_what_is_excluded_or_gated_keeps_its_reason(
    knowledge: Knowledge, offered: str
) -> None:
    urgency = urgency_of("routine", provisional=True)
    held = knowledge.policy.texts["held"]
    thrust = treatment("thrust", 1, offered, hold_unless_final=True)
    assert only(climbed(knowledge, [thrust], urgency=urgency))["until"] == held
    cautious = only(climbed(knowledge, [thrust], urgency=urgency, rules=[rule("careful", "caution")]))
    assert (cautious["status"], cautious["until"]) == ("not_yet", held)
    never = only(climbed(knowledge, [thrust], urgency=urgency, rules=[rule("never", "exclude")]))
    assert (never["status"], never["until"]) == ("excluded", None)
    gated = treatment("thrust", 1, "not_yet", until="imaging", hold_unless_final=True)
    assert only(climbed(knowledge, [gated], urgency=urgency))["until"] == "imaging"


def test_one_drug_of_a_class_keeps_its_place_the_best_on_the_lowest_rung(knowledge: Knowledge) -> None:
    given = [
        treatment("a", 3, "consider", drugs=("naproxen",)),
        treatment("b", 1, "recommended", drugs=("ibuprofen",)),
        treatment("c", 1, "recommended", drugs=("celecoxib",)),
        treatment("d", 1, "recommended", drugs=("acetaminophen",)),
        treatment("e", 1, "not_yet", drugs=("diclofenac",)),
    ]
    found = climbed(knowledge, given)
    assert statuses(found) == {
        "a": "consider",
        "b": "recommended",
        "c": "consider",
        "d": "recommended",
        "e": "not_yet",
    }
    said = {entry["treatment"]: entry["because"] for rung in found["rungs"] for entry in rung["entries"]}
    told = {name for name, text in said.items() if "One drug of a class" in text}
    assert told == {"a", "c"}
    assert "(b)" in said["a"]


def test_a_drug_with_a_caution_gives_way_to_one_of_its_class_without(knowledge: Knowledge) -> None:
    given = [treatment("a", 1, drugs=("naproxen",)), treatment("b", 3, drugs=("ibuprofen",))]
    found = climbed(knowledge, given, rules=[rule("careful", "caution", "a")])
    assert statuses(found) == {"a": "caution", "b": "recommended"}
    entry = next(item for rung in found["rungs"] for item in rung["entries"] if item["treatment"] == "a")
    assert "(b)" in entry["because"]


def test_entries_of_a_rung_stand_from_proposed_to_excluded_and_then_by_row(knowledge: Knowledge) -> None:
    given = [
        replace(treatment("a", status="not_yet"), row="T1"),
        replace(treatment("b", status="consider"), row="T3"),
        replace(treatment("c", status="consider"), row="T2"),
        replace(treatment("d"), row="T9"),
        replace(treatment("e"), row="T0"),
    ]
    found = climbed(knowledge, given, rules=[rule("never", "exclude", "e"), rule("careful", "caution", "b")])
    assert list(statuses(found)) == ["d", "c", "b", "a", "e"]


def test_the_conditions_of_an_entry_are_the_leading_ones_that_it_is_for(knowledge: Knowledge) -> None:
    some = replace(treatment("pill"), conditions=("disc_herniation", "lumbar_strain", "spinal_stenosis"))
    small = replace(knowledge, treatments={"pill": some}, safety={}, do_not={})
    fired = {Conclusion("offer", "pill", 0): [frozenset({"fever"})]}
    conditions = ["lumbar_strain", "nephrolithiasis", "disc_herniation"]
    found = laddered(urgency_of("routine"), conditions, fired, {}, derive(person(), knowledge), small)
    assert only(found)["conditions"] == ["lumbar_strain", "disc_herniation"]
    assert found["conditions"] == conditions


def do_not(name: str, named: str | None) -> DoNot:
    return DoNot(
        name, f"No {name}", (), "It harms.", {"text": "Walk.", "treatments": ()}, "verified", ("paper",), named
    )


def test_a_treatment_that_a_do_not_row_speaks_for_is_not_said_twice(knowledge: Knowledge) -> None:
    given = [
        treatment("rest", 0, "not_recommended"),
        treatment("belt", 1, "not_recommended"),
        treatment("walk", 0, "recommended"),
    ]
    rows = [do_not("N02", "rest"), do_not("N01", None)]
    found = climbed(knowledge, given, do_not=rows, rules=[rule("never", "exclude", "belt")])
    assert statuses(found) == {"walk": "recommended"}
    assert [(row["row"], row["treatment"], row["label"]) for row in found["not_recommended"]] == [
        ("N01", None, "No N01"),
        ("N02", "rest", "No N02"),
        ("Tbelt", "belt", "belt"),
    ]
    assert found["not_recommended"][0]["instead"] == "Walk."
    assert found["not_recommended"][2]["instead"] is None
    assert [row["because"] for row in found["not_recommended"]] == ["It harms.", "It harms.", "belt helps."]


def test_what_is_advised_against_stands_in_the_order_of_rung_and_id(knowledge: Knowledge) -> None:
    names = {"d": 3, "c": 1, "b": 1, "a": 3}
    offers = (Offer("not_recommended", ()), Offer("not_recommended", ()))
    given = {name: replace(treatment(name, rung), offer=offers) for name, rung in names.items()}
    small = replace(knowledge, treatments=given, safety={}, do_not={})
    fired = {Conclusion("offer", name, name in "bd"): [frozenset({"fever"})] for name in names}
    found = laddered(urgency_of("routine"), [], fired, {}, derive(person(), knowledge), small)
    assert [row["treatment"] for row in found["not_recommended"]] == ["b", "c", "a", "d"]


def test_work_up_rows_that_fired_are_no_treatments(knowledge: Knowledge) -> None:
    found = climbed(knowledge, [treatment("pill")], fitting=[Conclusion("work_up", "lumbar_strain", 0)])
    assert statuses(found) == {"pill": "recommended"}
    assert found["not_recommended"] == []


def emergency_flag(knowledge: Knowledge, name: str, level: str, *suspects: str) -> RedFlag:
    return replace(knowledge.red_flags["fever_with_back_pain"], id=name, then=Then(urgency=level, suspects=suspects))


def pathway(name: str, *conditions: str, avoid: tuple[str, ...] = ()) -> Pathway:
    return Pathway(
        name,
        name,
        f"Path {name}",
        conditions,
        "draft",
        "verified",
        (f"ref_{name}",),
        "-",
        (f"Do {name}",),
        avoid,
        "Now",
    )


def test_the_pathway_follows_the_strongest_suspicion_and_joins_what_all_avoid(knowledge: Knowledge) -> None:
    paths = [
        pathway("two", "sepsis", avoid=("heat", "needle")),
        pathway("one", "myelopathy", "stroke_or_tia", avoid=("thrust", "heat")),
        pathway("none", "biliary_disease", avoid=("fat",)),
    ]
    flags = (
        emergency_flag(knowledge, "first", "emergency", "psoas_abscess", "myelopathy"),
        emergency_flag(knowledge, "second", "emergency", "stroke_or_tia", "sepsis"),
        emergency_flag(knowledge, "third", "urgent_same_day", "biliary_disease"),
    )
    small = replace(knowledge, pathways={found.id: found for found in paths})
    found = climbed(small, [treatment("pill")], urgency=urgency_of("emergency", *flags))
    assert found["pathway"] == {
        "pathway": "one",
        "title": "Path one",
        "actions": ["Do one"],
        "avoid": ["thrust", "heat", "needle", *knowledge.policy.ladder.emergency_avoid],
        "within": "Now",
        "also": ["two"],
        "evidence_status": "verified",
        "references": ["ref_one"],
        "statement": knowledge.policy.texts["replaced_by_pathway"],
    }
    assert (found["rungs"], found["not_recommended"]) == ([], [])
    assert found["conditions"] == ["lumbar_strain"]


def test_an_excluded_entry_without_any_alternative_says_so(knowledge: Knowledge) -> None:
    pill = replace(treatment("pill", 1), offer=(Offer("recommended", ()),), drugs=("warfarin",))
    small = replace(knowledge, treatments={"pill": pill}, safety={}, do_not={})
    fired = {Conclusion("offer", "pill", 0): [frozenset({"fever"})]}
    allergic = derive(person(allergies=["warfarin"]), knowledge)
    entry = only(laddered(urgency_of("routine"), [], fired, {}, allergic, small))
    assert (entry["status"], entry["alternatives"]) == ("excluded", [])
    assert entry["no_alternative"] == knowledge.policy.texts["no_alternative"]


def test_two_entries_that_forbid_each_other_say_so_once_and_only_the_later_steps_back(knowledge: Knowledge) -> None:
    """The rule is about both and both are drugs that fire it: the pair is met from either side."""
    drafts = [Draft(treatment(name, rung), "recommended", []) for name, rung in (("pill", 1), ("tablet", 2))]
    clash = rule("clash", "exclude", "pill", "tablet")
    sheet = Safety("sheet", "Sheet", ("pill", "tablet"), (clash,))
    small = replace(knowledge, safety={"sheet": sheet})
    fired = {Conclusion("safety", "clash"): [frozenset({"with:pill"}), frozenset({"with:tablet"})]}
    safety.make_compatible(drafts, fired, small)
    first, later = drafts
    assert (first.status, later.status) == ("recommended", "caution")
    assert [line["with"] for line in first.together] == ["tablet"]
    assert [line["with"] for line in later.together] == ["pill"]
    assert (first.barred_by, later.barred_by) == ([], ["pill"])


def test_a_caution_between_two_entries_is_told_and_lowers_neither(knowledge: Knowledge) -> None:
    drafts = [Draft(treatment(name, rung), "consider", []) for name, rung in (("pill", 1), ("tablet", 2))]
    sheet = Safety("sheet", "Sheet", ("tablet",), (rule("care", "caution", "tablet"),))
    small = replace(knowledge, safety={"sheet": sheet})
    safety.make_compatible(drafts, {Conclusion("safety", "care"): [frozenset({"with:pill"})]}, small)
    assert [draft.status for draft in drafts] == ["consider", "consider"]
    assert all(draft.together for draft in drafts)
