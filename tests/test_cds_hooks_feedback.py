"""CDS Hooks: feedback is checked, counted once, and its comments go nowhere (checks F1 to F6)."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient

from rules.knowledge import Knowledge
from service.cds_hooks.feedback import Counter
from tests.hooks import INSTANCE, body, cards, chart, finding, post, refused

SERVICE = "lumbar-patient-view"
PATH = f"/cds-services/{SERVICE}/feedback"
REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
ACCEPTED = {
    "card": INSTANCE,
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": INSTANCE}],
    "outcomeTimestamp": "2026-11-21T10:00:00Z",
}
OVERRIDDEN = {
    "card": INSTANCE,
    "outcome": "overridden",
    "overrideReason": {
        "reason": {"system": REASONS, "code": "action-completed"},
        "userComment": "Quillfeather has a pacemaker",
    },
    "outcomeTimestamp": "2026-11-21T10:00:00.123+00:00",
}


def _give(client: FlaskClient, *entries: Any, service: str = SERVICE) -> Any:
    return client.post(f"/cds-services/{service}/feedback", json={"feedback": list(entries)})


def _counted(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """What /metrics counts of cards: (service, outcome, reason) -> how often."""
    text = client.get("/metrics").get_data(as_text=True)
    found = re.findall(
        r'lumbar_cds_card_outcomes_total{outcome="(\w+)",reason="([\w-]+)",service="([\w-]+)"} ([\d.]+)', text
    )
    return {(service, outcome, reason): float(count) for outcome, reason, service, count in found}


def test_feedback_is_received_and_there_is_nothing_to_say(client: FlaskClient) -> None:
    for entry in (ACCEPTED, OVERRIDDEN):
        response = _give(client, entry)
        assert (response.status_code, response.get_json()) == (200, {})


@pytest.mark.parametrize(
    ("entry", "change", "named"),
    [
        pytest.param(ACCEPTED, {"acceptedSuggestions": None}, "acceptedSuggestions", id="F1 none"),
        pytest.param(ACCEPTED, {"acceptedSuggestions": []}, "acceptedSuggestions", id="F1 empty"),
        pytest.param(ACCEPTED, {"acceptedSuggestions": [{"id": "x"}]}, "acceptedSuggestions", id="F1 no uuid"),
        pytest.param(ACCEPTED, {"outcome": "ignored"}, "outcome", id="F2 unknown"),
        pytest.param(ACCEPTED, {"outcome": None}, "outcome", id="F2 missing"),
        pytest.param(OVERRIDDEN, {"overrideReason": {}}, "overrideReason", id="F3 neither"),
        pytest.param(OVERRIDDEN, {"overrideReason": {"reason": {"system": REASONS}}}, "code", id="F3 no code"),
        pytest.param(ACCEPTED, {"outcomeTimestamp": None}, "outcomeTimestamp", id="F4 missing"),
        pytest.param(ACCEPTED, {"outcomeTimestamp": "yesterday"}, "outcomeTimestamp", id="F4 no time"),
        pytest.param(ACCEPTED, {"outcomeTimestamp": "2026-11-21"}, "outcomeTimestamp", id="F4 only a day"),
        pytest.param(ACCEPTED, {"card": "1"}, "card", id="no uuid"),
    ],
)
def test_f1_f2_f3_f4_feedback_that_breaks_the_specification_is_refused_with_its_place(
    client: FlaskClient, entry: Any, change: Any, named: str
) -> None:
    changed = {key: value for key, value in {**deepcopy(entry), **change}.items() if value is not None}
    said = refused(_give(client, changed), 400)
    assert "/feedback/0" in said
    assert named in said


@pytest.mark.parametrize("sent", [{}, {"feedback": []}, {"feedback": {}}, {"feedback": [1]}, []])
def test_feedback_that_holds_none_is_refused(client: FlaskClient, sent: Any) -> None:
    refused(client.post(PATH, json=sent), 400)


def test_f3_an_override_may_have_a_comment_alone_a_code_alone_or_no_reason(client: FlaskClient) -> None:
    for reason in ({"userComment": "seen"}, {"reason": {"system": REASONS, "code": "action-completed"}}, None):
        entry = {key: value for key, value in {**OVERRIDDEN, "overrideReason": reason}.items() if value is not None}
        assert _give(client, entry).status_code == 200


def test_f5_the_same_feedback_again_is_received_and_counted_once(client: FlaskClient) -> None:
    card = "11111111-1111-4111-8111-111111111111"
    told, key = {**OVERRIDDEN, "card": card}, ("lumbar-order-sign", "overridden", "action-completed")
    before = _counted(client).get(key, 0)
    for entries in ((told, told), (told,), ({**told, "card": card.upper()},)):
        assert _give(client, *entries, service="lumbar-order-sign").status_code == 200
    assert _counted(client)[key] == before + 1
    _give(client, {**ACCEPTED, "card": card}, service="lumbar-order-sign")
    assert _counted(client)["lumbar-order-sign", "accepted", "none"] >= 1


def test_a_reason_that_no_card_offers_is_counted_as_another(knowledge: Knowledge) -> None:
    counter = Counter({(each.system, each.code) for each in knowledge.cards.override_reasons})
    service = knowledge.cards.services[0]
    stranger = {"reason": {"system": "urn:x", "code": "Quillfeather"}}
    entries = [{**OVERRIDDEN, "overrideReason": stranger}, ACCEPTED]
    assert counter.read({"feedback": entries}, service, 0.0) == [("overridden", "other"), ("accepted", "none")]
    assert counter.read({"feedback": entries}, service, 1.0) == []
    assert counter.read({"feedback": entries}, service, 90_000.0) != [], "what is a day old is forgotten"


def test_f6_nothing_of_a_person_is_in_the_log_the_metrics_or_an_error(
    client: FlaskClient, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Canaries in every place where a call or feedback can hold text; then everything that is written is searched."""
    caplog.set_level("DEBUG")
    canary = "Quillfeather"
    prefetch = chart(finding("saddle_anaesthesia"))
    prefetch["patient"]["name"] = [{"family": canary}]
    prefetch["conditions"]["entry"][0]["resource"]["code"]["text"] = canary
    sent = body(prefetch=prefetch, fhirServer=f"https://{canary}.example/fhir")
    said = [post(client, sent), post(client, {**sent, "hookInstance": canary}), _give(client, OVERRIDDEN)]
    wrong = {**OVERRIDDEN, "outcome": canary, "card": canary, "overrideReason": {"userComment": canary * 3}}
    said += [_give(client, wrong), client.post(f"/cds-services/{canary}", json=sent)]
    sent["prefetch"]["patient"] = {"resourceType": canary}
    said.append(post(client, sent))
    assert [each.status_code for each in said] == [200, 400, 200, 400, 404, 412]
    answers = "".join(each.get_data(as_text=True) for each in said)
    written = "".join(capsys.readouterr()) + caplog.text + client.get("/metrics").get_data(as_text=True)
    assert written
    assert canary not in answers + written
    assert "pacemaker" not in written
    assert INSTANCE not in written


def test_cards_are_counted_by_service_and_indicator_and_logged_as_a_number(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lumbar")
    pattern = r'lumbar_cds_cards_total{indicator="critical",service="lumbar-encounter-start"} ([\d.]+)'

    def counted() -> float:
        found = re.search(pattern, client.get("/metrics").get_data(as_text=True))
        return float(found[1]) if found else 0.0

    before = counted()
    assert len(cards(client, "encounter-start", prefetch=chart(finding("saddle_anaesthesia")))) == 1
    assert counted() == before + 1
    assert '"service": "lumbar-encounter-start"' in caplog.text.replace("'", '"')
