"""CDS Hooks: when there is a card and what stands on it (checks C1 to C14, H5)."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.cards import INDICATORS
from schemas.cds_hooks import HookResponse
from service import create_app
from service.assess import assess
from service.cds_hooks import cards as making
from service.cds_hooks import prose
from service.cds_hooks.calls import Call
from service.settings import Settings
from tests.hooks import (
    INSTANCE,
    PATIENT_ID,
    back_pain,
    body,
    cards,
    chart,
    drug,
    finding,
    patient,
    post,
    request,
    searchset,
    taking,
)
from tests.presentations import Reply

NUMB = finding("saddle_anaesthesia")
SEVERE = "Emergency: New saddle numbness"
GFM = MarkdownIt("gfm-like", {"html": True})


@pytest.fixture(scope="module")
def some_cards(client: FlaskClient) -> list[dict[str, Any]]:
    """Cards of every kind."""
    warfarin, tablet = chart(taking("Warfarin 5 mg tablet"), since=10), drug("Ibuprofen 400 mg tablet")
    found = [
        *cards(client, prefetch=chart(NUMB)),
        *cards(client, "encounter-start", prefetch=chart(NUMB, finding("fever"))),
        *cards(client, prefetch=chart(finding("pain_below_knee"), finding("unilateral_leg_symptoms"))),
        *cards(client, "order-sign", prefetch=warfarin, orders=(tablet, drug("Diazepam"), request("MRI lumbar spine"))),
        *cards(client, "order-select", prefetch=chart(NUMB), orders=(tablet,)),
        *cards(client, "order-sign", orders=(drug("Backrelief <b>X</b>", reasonCode=[back_pain()["code"]]),)),
    ]
    assert len(found) >= 7
    assert {card["indicator"] for card in found} == {*INDICATORS}
    return found


# When there is one


@pytest.mark.parametrize("hook", ["patient-view", "encounter-start"])
def test_nobody_without_back_pain_gets_a_card_whatever_else_the_chart_says(client: FlaskClient, hook: str) -> None:
    """patient-view fires for everyone."""
    without = chart(NUMB, finding("fever"), taking("Warfarin 5 mg"), born="1940-01-01", reason=False)
    assert cards(client, hook, prefetch=without) == []
    old = {**back_pain(), "recordedDate": "2010-01-01"}
    assert cards(client, hook, prefetch={**without, "conditions": searchset(old)}) == []
    over = {**back_pain(), "clinicalStatus": {"coding": [{"code": "resolved"}]}}
    assert cards(client, hook, prefetch={**without, "conditions": searchset(over)}) == []
    (card,) = cards(client, hook, prefetch={**without, "conditions": searchset(back_pain())})
    assert card["summary"] == SEVERE


def test_back_pain_in_which_no_rule_fired_gets_no_card(client: FlaskClient) -> None:
    assert cards(client, prefetch=chart(since=10)) == []
    assert cards(client, prefetch=chart(finding("fever", value=False), since=10)) == []


def test_there_are_at_most_three_cards_the_heaviest_first_and_one_critical(client: FlaskClient) -> None:
    names = ("Ibuprofen", "Naproxen", "Diclofenac 50 mg", "Diazepam", "Gabapentin", "Tramadol")
    orders = (request("X-ray lumbar spine"), *({**drug(name), "id": name.lower()[:5]} for name in names))
    for extra in ((), (NUMB,)):
        found = cards(client, "order-sign", prefetch=chart(taking("Warfarin"), *extra, since=5), orders=orders)
        weights = [INDICATORS.index(card["indicator"]) for card in found]
        assert len(found) <= 3
        assert weights == sorted(weights, reverse=True)
        assert weights.count(2) == len(extra)


@pytest.mark.parametrize(
    "case",
    [
        (request("MRI lumbar spine without contrast"), (), "1985-05-05", "first 6 weeks without red flags"),
        (request("XR Lumbar spine, 2 views"), (), "1985-05-05", "first 6 weeks without red flags"),
        (drug("Diazepam 5 mg tablet"), (), "1950-05-05", "Benzodiazepines"),
        (drug("Morphine sulfate 10 mg"), (), "1950-05-05", "opioid"),
        (drug("Tramadol 50 mg capsule"), (), "1950-05-05", "Opioids as first-line"),
        (drug("Cyclobenzaprine 10 mg tablet"), (), "1950-05-05", "Age 65 or over"),
        (drug("Ibuprofen 400 mg tablet"), (finding("chronic_kidney_disease"),), "1985-05-05", "eGFR"),
        (drug("Ibuprofen 400 mg tablet"), (taking("Apixaban 5 mg tablet"),), "1985-05-05", "anticoagulant"),
        (drug("Indomethacin"), (taking("Warfarin 5 mg"),), "1985-05-05", "anticoagulant"),
        (drug("Gabapentin 300 mg capsule"), (), "1985-05-05", "non-specific low back pain"),
        (drug("Prednisone 20 mg tablet"), (), "1985-05-05", "Systemic steroid"),
        (
            request("Lumbar epidural steroid injection"),
            (
                taking("Warfarin 5 mg"),
                finding("pain_below_knee"),
                finding("unilateral_leg_symptoms"),
                finding("straight_leg_raise_positive"),
            ),
            "1985-05-05",
            "anticoagulant",
        ),
    ],
    ids=lambda case: f"{(case[0].get('code') or case[0].get('medicationCodeableConcept'))['text']} {case[3]}",
)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_an_order_that_a_rule_speaks_against_gets_a_card_that_says_which_why_and_what_instead(
    client: FlaskClient, knowledge: Knowledge, hook: str, case: tuple[Any, Any, str, str]
) -> None:
    order, resources, born, said = case
    found = cards(client, hook, prefetch=chart(*resources, born=born, since=10), orders=(order,))
    card = next(card for card in found if said.casefold() in card["summary"].casefold())
    assert "suggestions" not in card
    rule = re.search(r"\(Rule ([\w-]+)\)", card["detail"])
    assert rule
    known = {*knowledge.safety_rules, *knowledge.do_not, *(each.row for each in knowledge.treatments.values())}
    assert rule[1] in known
    assert "**Sources**" in card["detail"]


@pytest.mark.parametrize(
    ("order", "resources"),
    [
        pytest.param(request("MRI lumbar spine"), (NUMB,), id="an emergency MRI for a red flag"),
        pytest.param(
            request(code={"system": "http://www.ama-assn.org/go/cpt", "code": "72148"}), (NUMB,), id="by code"
        ),
        pytest.param(drug("Amoxicillin 500 mg"), (), id="a drug that is not about the back"),
        pytest.param(request("Chest X-ray"), (), id="a chest film"),
        pytest.param(request("MRI cervical spine"), (), id="the neck"),
        pytest.param(drug("Zzyzzx 5 mg"), (), id="a drug that nobody knows, for nobody knows what"),
        pytest.param(drug("Ibuprofen 400 mg tablet"), (), id="an NSAID that nothing speaks against"),
        pytest.param({"resourceType": "NutritionOrder", "id": "n"}, (), id="food"),
    ],
)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_an_order_that_is_right_or_cannot_be_judged_is_met_with_silence(
    client: FlaskClient, hook: str, order: Any, resources: Any
) -> None:
    complete = [finding(name, value=False) for name in ("chronic_kidney_disease", "peptic_ulcer_history")]
    prefetch = chart(*resources, *(each for each in complete if not resources), since=10)
    assert cards(client, hook, prefetch=prefetch, orders=(order,)) == []


def test_imaging_is_not_judged_while_nobody_knows_since_when(client: FlaskClient) -> None:
    order = request("MRI lumbar spine")
    assert cards(client, "order-sign", prefetch=chart(), orders=(order,)) == []
    assert cards(client, "order-sign", prefetch=chart(since=90), orders=(order,)) == []
    assert len(cards(client, "order-sign", prefetch=chart(since=9), orders=(order,))) == 1


def test_an_order_for_the_back_is_reason_enough_and_a_drug_is_not(client: FlaskClient) -> None:
    numb = chart(NUMB, taking("Warfarin"), reason=False)
    assert cards(client, "order-sign", prefetch=numb, orders=(drug("Ibuprofen"),)) == []
    (card,) = cards(client, "order-sign", prefetch=numb, orders=(drug("Ibuprofen", reasonCode=[back_pain()["code"]]),))
    assert card["summary"] == SEVERE
    found = cards(client, "order-sign", prefetch=numb, orders=(request("Lumbar epidural steroid injection"),))
    assert [card["summary"] for card in found] == [SEVERE]


def test_an_emergency_is_said_on_an_order_that_is_not_what_it_asks_for(client: FlaskClient) -> None:
    found = cards(client, "order-sign", prefetch=chart(NUMB), orders=(request("X-ray lumbar spine"),))
    assert [card["summary"] for card in found] == [SEVERE]


def test_only_the_selected_orders_are_looked_at(client: FlaskClient) -> None:
    orders = (drug("Diazepam"), request("MRI lumbar spine"))
    sent = body("order-select", prefetch=chart(since=5), orders=orders)
    sent["context"]["selections"] = ["ServiceRequest/draft-request"]
    (card,) = post(client, sent).get_json()["cards"]
    assert card["summary"].startswith("MRI of the lumbar spine")


def test_drugs_that_are_ordered_together_are_judged_beside_one_another(client: FlaskClient) -> None:
    alone = cards(client, "order-sign", orders=(drug("Ibuprofen"),))
    beside = cards(client, "order-sign", orders=({**drug("Warfarin"), "id": "w"}, drug("Ibuprofen")))
    assert alone == []
    assert any("anticoagulant" in card["summary"] for card in beside)


def test_a_drug_for_the_back_that_cannot_be_read_is_said_to_be_unchecked(client: FlaskClient) -> None:
    (card,) = cards(client, "order-sign", orders=(drug("Zzyzzx 5 mg", reasonCode=[back_pain()["code"]]),))
    assert card["indicator"] == "info"
    assert "not checked" in card["summary"]
    assert "Zzyzzx" in card["detail"]


def test_a_drug_is_found_by_code_reference_or_inside_its_order(client: FlaskClient, knowledge: Knowledge) -> None:
    rxnorm = knowledge.medications["diazepam"].rxnorm
    coded = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": str(rxnorm)}
    medication = {"resourceType": "Medication", "id": "m", "code": {"coding": [coded]}}
    bare = {key: value for key, value in drug().items() if key != "medicationCodeableConcept"}
    inside = {**bare, "contained": [medication], "medicationReference": {"reference": "#m"}}
    shown = {**bare, "medicationReference": {"display": "Diazepam 5 mg"}}
    pointed = {**bare, "medicationReference": {"reference": "Medication/m"}}
    plain = cards(client, "order-sign", orders=(drug(code=coded),))
    assert plain[0]["summary"] == "Diazepam is advised against: Benzodiazepines"
    for orders in ((inside,), (shown,), (pointed, medication)):
        assert [card["summary"] for card in cards(client, "order-sign", orders=orders)] == [plain[0]["summary"]]


# What stands on it


def test_c1_c5_c6_c8_every_answer_keeps_to_the_schema(client: FlaskClient, some_cards: list[dict[str, Any]]) -> None:
    assert HookResponse().validate(post(client, body(prefetch=chart(NUMB))).get_json()) == {}
    for card in some_cards:
        assert HookResponse().validate({"cards": [card]}) == {}
        assert card["overrideReasons"]
        assert all(reason["display"] and reason["code"] and reason["system"] for reason in card["overrideReasons"])
        assert card["source"]["label"] == "Lumbar 0.1.0"


def test_c2_c3_the_summary_is_short_and_the_indicator_one_of_three(some_cards: list[dict[str, Any]]) -> None:
    for card in some_cards:
        assert 1 <= len(card["summary"]) <= 139
        assert card["indicator"] in ("info", "warning", "critical")


def test_the_detail_of_a_level_says_why_what_to_do_what_is_open_and_the_sources(client: FlaskClient) -> None:
    (card,) = cards(client, prefetch=chart(finding("pain_below_knee"), finding("unilateral_leg_symptoms")))
    assert card["summary"].startswith("At least Planned: ")
    detail = card["detail"]
    for heading in ("**Why**", "**What the rule asks for**", "**Not known, and could change this**", "**Sources**"):
        assert heading in detail
    assert "(Rule E-47)" in detail
    assert "From the chart: " in detail
    assert "final only when these are answered" in detail
    assert "](<https://" in detail


def test_c7_a_suggestion_creates_a_draft_for_the_patient_of_the_context(
    client: FlaskClient, knowledge: Knowledge
) -> None:
    (card,) = cards(client, prefetch=chart(NUMB))
    tests = {row.investigation for condition in knowledge.conditions.values() for row in condition.work_up}
    assert len(card["suggestions"]) in range(1, 4)
    for suggestion in card["suggestions"]:
        (action,) = suggestion["actions"]
        draft = action["resource"]
        assert action["type"] == "create"
        assert {key: draft[key] for key in ("resourceType", "status", "intent", "priority", "subject")} == {
            "resourceType": "ServiceRequest",
            "status": "draft",
            "intent": "proposal",
            "priority": "stat",
            "subject": {"reference": f"Patient/{PATIENT_ID}"},
        }
        assert draft["code"]["coding"][0]["code"] in tests
        assert draft["code"]["text"] in suggestion["label"]


def test_c9_the_link_is_the_setting_and_nothing_else_and_without_it_there_is_none(
    client: FlaskClient, knowledge: Knowledge, engine: Engine
) -> None:
    app = create_app(knowledge, engine, Settings(console_url="https://lumbar.example/console"))
    (linked,) = cards(app.test_client(), prefetch=chart(NUMB))
    (plain,) = cards(client, prefetch=chart(NUMB))
    (link,) = linked.pop("links")
    assert linked == plain
    assert link["url"] == "https://lumbar.example/console"
    assert link["type"] == "absolute"


def test_c10_ids_are_uuids_that_stand_once_and_differ_from_call_to_call(client: FlaskClient) -> None:
    def ids(instance: str) -> list[str]:
        found = cards(client, prefetch=chart(NUMB), hookInstance=instance)
        return [card["uuid"] for card in found] + [each["uuid"] for card in found for each in card["suggestions"]]

    one, other = ids(INSTANCE), ids("00000000-0000-4000-8000-000000000000")
    assert [str(uuid.UUID(each)) for each in one] == one
    assert len({*one, *other}) == len(one) + len(other)


def test_c11_the_detail_renders_without_html(some_cards: list[dict[str, Any]]) -> None:
    for card in some_cards:
        kinds = {token.type for token in GFM.parse(card["detail"])}
        inner = {child.type for token in GFM.parse(card["detail"]) for child in token.children or ()}
        assert {"html_block", "html_inline"} & (kinds | inner) == set()
        assert "image" not in inner


HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> [click](javascript:alert(1)) ![i](http://evil.example/x) "
    "www.evil.example http://evil.example a@evil.example | a | b | ~~x~~ `code` # h\n\n- one\n1. two &lt;b&gt; &amp;"
)


def test_c11_a_hostile_name_of_an_order_is_shown_as_text(client: FlaskClient) -> None:
    sent = drug(HOSTILE[:180], reasonCode=[back_pain()["code"]])
    (card,) = cards(client, "order-sign", orders=(sent,))
    assert "script" not in card["summary"]
    children = [child for token in GFM.parse(card["detail"]) for child in token.children or ()]
    assert {child.type for child in children} <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
    assert "<" not in card["detail"].replace("](<http", "")


@given(text=st.text(st.characters(codec="utf-8"), max_size=60) | st.text("<>&[]()!*_`~#|\\.:/@w-+1 \n", max_size=60))
@settings(derandomize=True, max_examples=500)
def test_c11_an_escaped_text_renders_as_itself(text: str) -> None:
    tokens = GFM.parse(prose.escaped(text))
    children = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in children} <= {"text", "text_special"}
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    assert " ".join("".join(child.content for child in children).split()) == " ".join(prose.plain(text).split())


def test_c11_every_sentence_of_the_rules_renders_as_itself(knowledge: Knowledge) -> None:
    said = [flag.because for flag in knowledge.red_flags.values()] + [
        flag.title for flag in knowledge.red_flags.values()
    ]
    said += [rule.because for rule, _ in knowledge.safety_rules.values()]
    said += [row.because for row in knowledge.do_not.values()] + [
        item.question for item in knowledge.findings.values() if item.question
    ]
    plain = MarkdownIt("gfm-like", {"linkify": False})
    for text in said:
        tokens = plain.parse(f"- {prose.said(text)}")
        shown = "".join(child.content for token in tokens for child in token.children or ())
        assert shown == prose.plain(text)


def test_c12_the_indicator_never_falls_while_urgency_rises(knowledge: Knowledge) -> None:
    ranked = sorted(knowledge.levels, key=lambda level: knowledge.levels[level].rank)
    weights = [INDICATORS.index(knowledge.cards.levels[level].indicator) for level in ranked]
    assert weights == sorted(weights)
    assert weights.count(2) == 1, "only an emergency interrupts"


def test_c12_the_card_of_every_published_case_has_the_indicator_of_its_level(
    replies: list[Reply], knowledge: Knowledge
) -> None:
    frame = making.Frame(Call(INSTANCE, PATIENT_ID, {}, (), ()), knowledge, 0, "")
    weights: dict[int, set[int]] = {}
    for reply in replies:
        card = making.level(reply.answer, frame)
        fired = any(reason["rule"] != "default_policy" for reason in reply.answer["urgency"]["reasons"])
        assert (card is not None) == fired, reply.name
        if card:
            assert HookResponse().validate({"cards": [card]}) == {}, reply.name
            rank = knowledge.levels[reply.answer["urgency"]["level"]].rank
            weights.setdefault(rank, set()).add(INDICATORS.index(card["indicator"]))
    order = [weight for rank in sorted(weights) for weight in sorted(weights[rank])]
    assert order == sorted(order)
    assert len(weights) >= 4


def _empty(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [path] * (not value) + [each for key, inner in value.items() for each in _empty(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [path] * (not value) + [each for inner in value for each in _empty(inner, f"{path}[]")]
    return [path] if value is None or value == "" else []


def test_c13_nothing_on_a_card_is_empty(some_cards: list[dict[str, Any]]) -> None:
    assert [place for card in some_cards for place in _empty(card)] == []


def test_c14_the_same_call_gets_the_same_bytes(client: FlaskClient) -> None:
    sent = body("order-sign", prefetch=chart(taking("Warfarin"), since=5), orders=(drug("Ibuprofen"), drug("Diazepam")))
    first = post(client, sent).get_data()
    again = dict(reversed(sent.items()))
    again["prefetch"] = dict(reversed(sent["prefetch"].items()))
    assert post(client, again).get_data() == first == post(client, sent).get_data()
    assert len(json.loads(first)["cards"]) == 2


def test_nothing_of_the_person_but_the_reference_of_the_draft_is_on_a_card(client: FlaskClient) -> None:
    name = [{"family": "Quillfeather", "given": ["Zebulon"]}]
    prefetch = {**chart(NUMB), "patient": patient(name=name, telecom=[{"value": "555-0199"}])}
    text = json.dumps(cards(client, prefetch=prefetch))
    assert not re.search("Quillfeather|Zebulon|555-0199|1985", text)
    assert text.count(PATIENT_ID) == text.count(f"Patient/{PATIENT_ID}") > 0


def test_h5_a_chart_of_thirty_resources_is_assessed_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time itself is measured by the benchmarks; here, that one call fires the rules once."""
    done: list[int] = []

    def counting(*args: Any) -> Any:
        done.append(1)
        return assess(*args)

    monkeypatch.setattr("service.cds_hooks.advise.assess", counting)
    names = [f"not_a_word_{number}" for number in range(28)]
    assert len(cards(client, prefetch=chart(NUMB, *(finding(name) for name in names)))) == 1
    assert len(done) == 1
    assert cards(client, prefetch=chart(NUMB, reason=False)) == []
    assert len(done) == 1, "without a reason nothing is assessed"


def test_every_text_of_the_cards_is_said_and_every_one_said_is_there(knowledge: Knowledge) -> None:
    folder = Path(making.__file__).parent
    code = "".join((folder / f"{name}.py").read_text(encoding="utf-8") for name in ("cards", "judging", "calls"))
    code += '"summary"'
    quoted = {*re.findall(r'"([a-z_]+)"', code)}
    assert {*knowledge.cards.texts} <= quoted
    assert {*re.findall(r'texts\["([a-z_]+)"\]', code)} <= {*knowledge.cards.texts}
    assert {*knowledge.cards.verdicts} <= {*knowledge.cards.texts}


def test_the_summary_of_every_rule_fits(knowledge: Knowledge) -> None:
    longest = max(knowledge.cards.levels.values(), key=lambda level: len(level.word)).word
    template = knowledge.cards.texts["summary_provisional"]
    cut = [
        flag.id for flag in knowledge.red_flags.values() if len(template.format(level=longest, reason=flag.title)) > 139
    ]
    assert cut == [], "a summary that is cut loses its reason"


def test_a_long_summary_is_cut_between_words() -> None:
    cut = prose.shortened("word " * 60)
    assert len(cut) <= 139
    assert cut.endswith("word\N{HORIZONTAL ELLIPSIS}")
    assert len(prose.shortened("x" * 500)) == 139
    assert prose.shortened("x" * 139) == "x" * 139
