"""What the service tells: one line a request with the promised keys, numbers that add up, and nothing of a person."""

from __future__ import annotations

import http.client
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from flask import g
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

import service.app
from rules.engine import Engine, EngineFault
from rules.knowledge import Knowledge
from service import create_app, logs, trace
from service.contract import EXAMPLE
from tests.fhir_bundles import bundle
from tests.hostile import FULL
from tests.presentations import PATH, cases

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parent.parent
ALWAYS = {"time", "level", "event", "request_id", "client", "method", "route", "status"}
ALWAYS |= {"knowledge_version", "knowledge_sha256", "latency_ms"}
OF_ASSESSMENTS = {"urgency", "provisional", "rules", "findings", "medications"}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Told(NamedTuple):
    """A client of an application of its own, and what it writes to its log."""

    client: FlaskClient
    written: io.StringIO

    def lines(self) -> list[dict[str, Any]]:
        return _lines(self.written.getvalue())

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == "request"]

    def numbers(self) -> Numbers:
        return _numbers(self.client.get("/metrics").get_data(as_text=True))


def _lines(text: str) -> list[dict[str, Any]]:
    assert text == "" or text.endswith("\n")
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in found)
    return found


def _numbers(text: str) -> Numbers:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _of(numbers: Numbers, name: str, **labels: str) -> float:
    """The sum over every sample of a name that has these labels."""
    return sum(
        value for (found, had), value in numbers.items() if found == name and labels.items() <= dict(had).items()
    )


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that the process logs, as the log would have it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.formatter())
    ours = logging.getLogger("lumbar")
    before = ours.level
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers, handler])
    ours.setLevel(logging.INFO)
    yield text
    ours.setLevel(before)


@pytest.fixture
def told(knowledge: Knowledge, engine: Engine, written: io.StringIO) -> Told:
    return Told(create_app(knowledge, engine).test_client(), written)


class Broken:
    """An engine that fails in every request."""

    broken = None

    def fire(self, *_: object) -> Any:
        raise EngineFault("assert_fact returned 77")

    def describe(self) -> dict[str, Any]:
        return {}


# The line of a request


def test_a_request_is_one_line_with_exactly_the_promised_keys(told: Told, knowledge: Knowledge) -> None:
    told.client.get("/v1/findings/fever?q=x")
    told.client.post(PATH, json=EXAMPLE)
    told.client.get("/healthz", headers={"traceparent": PARENT})
    looked, asked, traced = told.lines()
    assert looked.keys() == ALWAYS
    assert asked.keys() == ALWAYS | OF_ASSESSMENTS
    assert traced.keys() == ALWAYS | {"trace_id"}
    assert list(looked)[:3] == ["time", "level", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", looked["time"])
    assert (looked["level"], looked["event"], looked["client"]) == ("info", "request", "anonymous")
    assert (looked["method"], looked["route"], looked["status"]) == ("GET", "/v1/{kind}/{entry}", 200)
    assert looked["knowledge_version"] == knowledge.policy.version
    assert looked["knowledge_sha256"] == knowledge.sha256[:12]
    assert (asked["findings"], asked["medications"]) == (len(EXAMPLE["findings"]), 1)
    assert 0 < asked["latency_ms"] < 60_000
    assert traced["trace_id"] == PARENT.split("-")[1]


def test_a_refused_assessment_tells_nothing_of_an_assessment(told: Told) -> None:
    told.client.post(PATH, json={"patient": {"age_years": 400}})
    told.client.post(PATH, data=b"{", content_type="application/json")
    told.client.get(PATH)
    assert [(line.keys() == ALWAYS, line["status"]) for line in told.lines()] == [(True, 422), (True, 400), (True, 405)]


def test_the_rules_that_fired_are_the_same_in_answer_log_and_metrics(told: Told) -> None:
    chosen = [case["request"] for case in cases()[::4]] + [{"patient": {"age_years": 40}}]
    answers = [told.client.post(PATH, json=request).get_json() for request in chosen]
    fired = [
        [reason["rule"] for reason in answer["urgency"]["reasons"] if reason["rule"] != "default_policy"]
        for answer in answers
    ]
    assert sum(map(bool, fired)) > 3
    assert fired[-1] == [], "no rule fires: the default policy has no name among the red flags"
    assert [line["rules"] for line in told.requests()] == fired
    levels = [(answer["urgency"]["level"], answer["urgency"]["provisional"]) for answer in answers]
    assert [(line["urgency"], line["provisional"]) for line in told.requests()] == levels
    numbers = told.numbers()
    counted = {dict(labels)["rule"]: value for (name, labels), value in numbers.items() if "red_flags" in name if value}
    assert counted == Counter(rule for rules in fired for rule in rules)
    for (level, provisional), times in Counter(levels).items():
        said = str(provisional).lower()
        assert _of(numbers, "lumbar_assessments_total", level=level, provisional=said) == times
    assert _of(numbers, "lumbar_assessments_total") == len(answers)


def test_the_client_is_the_one_that_another_room_has_let_in(
    knowledge: Knowledge, engine: Engine, written: io.StringIO
) -> None:
    app = create_app(knowledge, engine)

    @app.before_request
    def let_in() -> None:
        g.client = "ward-7"

    told = Told(app.test_client(), written)
    told.client.get("/healthz")
    assert [line["client"] for line in told.lines()] == ["ward-7"]


def test_an_engine_fault_is_an_event_and_a_number(knowledge: Knowledge, written: io.StringIO) -> None:
    told = Told(create_app(knowledge, cast(Engine, Broken())).test_client(), written)
    told.client.post(PATH, json=EXAMPLE, headers={"X-Request-ID": "abc"})
    fault, line = told.lines()
    assert fault.keys() == {"time", "level", "event", "reason", "request_id"}
    assert (fault["event"], fault["level"], fault["reason"]) == ("engine_fault", "error", "assert_fact returned 77")
    assert (fault["request_id"], line["request_id"], line["status"]) == ("abc", "abc", 503)
    assert line.keys() == ALWAYS
    assert _of(told.numbers(), "lumbar_engine_faults_total") == 1


def test_a_defect_is_told_by_its_type_and_place_only(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(asked: Any, *_: object) -> Any:
        raise KeyError(str(asked))

    monkeypatch.setattr(service.app, "assess", fail)
    assert told.client.post(f"{PATH}?leaflet=true", json=EXAMPLE).status_code == 500
    defect, line = told.lines()
    assert (defect["event"], defect["exception"], defect["level"]) == ("exception", "KeyError", "error")
    assert defect["at"][-1].endswith(" fail")
    assert defect["request_id"] == line["request_id"]
    assert "warfarin" not in told.written.getvalue()
    assert "leaflet" not in told.written.getvalue()


def test_a_start_that_is_refused_is_an_event(written: io.StringIO) -> None:
    with pytest.raises(EngineFault), logs.refused_starts():
        raise EngineFault("two rules have one name")
    with pytest.raises(ValueError, match="hunter2"), logs.refused_starts():
        raise ValueError("cannot connect with hunter2")
    ours, other = _lines(written.getvalue())
    assert (ours["event"], ours["level"]) == ("start_refused", "critical")
    assert (ours["exception"], ours["detail"]) == ("EngineFault", "two rules have one name")
    assert (other["event"], other["exception"]) == ("start_refused", "ValueError")
    assert "hunter2" not in written.getvalue()


def test_what_a_library_says_comes_without_the_values_that_it_quotes(written: io.StringIO) -> None:
    library = logging.getLogger("some.library")
    library.warning("limit of %s exceeded", "Quillfeather")
    try:
        raise ValueError("Quillfeather")
    except ValueError:
        library.exception("Quillfeather failed")
    logging.getLogger("gunicorn.error").warning("Worker (pid:%s) was sent %s!", 7, "SIGKILL")
    assert "Quillfeather" not in written.getvalue()
    events = [line["event"] for line in _lines(written.getvalue())]
    assert events == ["limit of %s exceeded", "exception", "Worker (pid:7) was sent SIGKILL!"]


def test_a_log_that_cannot_be_written_fails_no_request(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    ours = logging.getLogger("lumbar")
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers])
    monkeypatch.setattr(ours, "level", ours.level)
    logs.configure()
    logs.configure()
    assert sum(isinstance(handler, logs.Stdout) for handler in logging.root.handlers) == 1
    client = create_app(knowledge, engine).test_client()
    client.get("/healthz")
    assert len(_lines(capsys.readouterr().out)) == 1
    monkeypatch.setattr(sys, "stdout", Full())
    assert client.get("/healthz").status_code == 200
    monkeypatch.undo()
    ours.manager._clear_cache()  # type: ignore[attr-defined]
    assert capsys.readouterr().err == ""


# Ids and traces


def test_a_plain_request_id_comes_back_and_any_other_is_replaced(told: Told) -> None:
    for sent in ("a", "7f3c-9.X_y", "z" * 64):
        assert told.client.get("/healthz", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent
    made = []
    made.append(told.client.get("/healthz").headers["X-Request-ID"])
    for sent in ("", " ", "a b", "z" * 65, "ü", "a;b", "<b>", '"', "a\tb"):
        made.append(told.client.get("/healthz", headers={"X-Request-ID": sent}).headers["X-Request-ID"])
    assert all(re.fullmatch("[0-9a-f]{32}", found) for found in made)
    assert len({*made}) == len(made)
    assert [line["request_id"] for line in told.lines()][3:] == made


def test_a_refusal_of_any_kind_carries_the_request_id(told: Told) -> None:
    for method, path in (("GET", "/nowhere"), ("PUT", PATH), ("POST", PATH), ("GET", "/v1/findings/feever")):
        response = told.client.open(path, method=method, headers={"X-Request-ID": "abc"})
        assert (response.status_code >= 400, response.headers["X-Request-ID"]) == (True, "abc")


def test_a_valid_trace_goes_on_with_a_span_of_our_own(told: Told) -> None:
    sent = {"traceparent": PARENT, "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,t-1@sys=a b"}
    first, second = (told.client.get("/healthz", headers=sent).headers for _ in range(2))
    assert first["tracestate"] == sent["tracestate"]
    spans = []
    for headers in (first, second):
        version, trace_id, span, flags = headers["traceparent"].split("-")
        assert (version, trace_id, flags) == ("00", "0af7651916cd43dd8448eb211c80319c", "01")
        spans.append(span)
    assert len({*spans, "b7ad6b7169203331"}) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "00",
        PARENT[:-1],
        PARENT + "-x",
        PARENT + " ",
        PARENT.upper(),
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + "-01",
        PARENT.replace("-", "_"),
        f"{PARENT},{PARENT}",
        PARENT[:-1] + "g",
        PARENT[:-1] + "\u0661",
    ],
)
def test_a_trace_that_is_not_valid_is_ignored(wrong: str) -> None:
    assert trace.read(wrong, "a=1") is None


def test_a_later_version_of_the_trace_context_is_read_as_far_as_we_know_it() -> None:
    found = trace.read("01" + PARENT[2:-2] + "ff-more", None)
    assert found is not None
    assert (found.parent[:36], found.parent[-3:]) == (PARENT[:36], "-03")


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("a=1", "a=1"),
        (" a=1 ,\tb=2,", "a=1,b=2"),
        ("a=1,a=2", None),
        ("A=1", None),
        ("a", None),
        ("a=", None),
        ("a=b=c", None),
        ("a=\u00fc", None),
        ("a=1\r\nx: y", None),
        ("", None),
        (",", None),
        (",".join(f"k{n}=1" for n in range(32)), ",".join(f"k{n}=1" for n in range(32))),
        (",".join(f"k{n}=1" for n in range(33)), None),
        ("a=" + "x" * 511, None),
    ],
)
def test_a_tracestate_is_handed_on_only_when_all_of_it_is_valid(state: str, kept: str | None) -> None:
    found = trace.read(PARENT, state)
    assert found is not None
    assert found.state == kept


GARBAGE = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=80),
    st.text("0123456789abcdef-,=; \r\n", max_size=80),
    st.builds(
        lambda text, place, letter: text[:place] + letter + text[place + 1 :],
        st.sampled_from([PARENT, "rojo=00f067aa0ba902b7,congo=t61", "7f3c-9"]),
        st.integers(0, 60),
        st.characters(max_codepoint=255),
    ),
    st.sampled_from([PARENT, "abc", "a=1"]),
)


def _is_parent(text: str) -> bool:
    parts = text.split("-")
    lengths = [len(part) for part in parts] == [2, 32, 16, 2]
    return lengths and {*text} <= {*"0123456789abcdef-"} and int(parts[1], 16) > 0 and int(parts[2], 16) > 0


@settings(max_examples=150, deadline=None)
@given(request_id=GARBAGE, parent=GARBAGE, state=GARBAGE, other=GARBAGE)
def test_no_header_breaks_a_request_or_comes_back_unsafe(
    client: FlaskClient, request_id: str, parent: str, state: str, other: str
) -> None:
    sent = {"HTTP_X_REQUEST_ID": request_id, "HTTP_TRACEPARENT": parent, "HTTP_TRACESTATE": state}
    more = ("HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_ACCEPT", "HTTP_IF_NONE_MATCH", "HTTP_RANGE")
    response = client.get("/healthz", environ_overrides=sent | dict.fromkeys(more, other))
    assert response.status_code in (200, 400), "a Host that is no host may be refused"
    back = response.headers["X-Request-ID"]
    sane = 0 < len(request_id) <= 64 and {*request_id} <= SAFE
    assert (back == request_id) if sane else ({*back} <= SAFE and len(back) == 32)
    assert ("traceparent" in response.headers) >= (_is_parent(parent) and parent[:2] != "ff")
    if "traceparent" in response.headers:
        assert _is_parent(response.headers["traceparent"])
        assert response.headers["traceparent"][3:35] == parent[3:35]
    for value in response.headers.values():
        assert value.isascii()
        assert value.isprintable()


# The numbers


def test_every_request_is_counted_once_by_route_method_and_status(told: Told, knowledge: Knowledge) -> None:
    for _ in range(3):
        told.client.get("/v1/findings/fever")
    told.client.get("/v1/conditions/disc_herniation")
    told.client.get("/v1/findings/feever")
    for path in ("/nowhere", "/v1/nowhere", "/Quillfeather"):
        told.client.get(path)
    told.client.open("/healthz", method="QUILLFEATHER")
    numbers = told.numbers()
    counted = {
        tuple(value for _, value in labels): number
        for (name, labels), number in numbers.items()
        if name == "lumbar_requests_total"
    }
    assert counted == {
        ("GET", "/v1/{kind}/{entry}", "200"): 4,
        ("GET", "/v1/{kind}/{entry}", "404"): 1,
        ("GET", "unmatched", "404"): 3,
        ("other", "unmatched", "405"): 1,
    }
    assert _of(numbers, "lumbar_request_seconds_count") == 9
    assert _of(numbers, "lumbar_request_seconds_bucket", le="+Inf") == 9
    stamp = {"version": knowledge.policy.version, "sha256": knowledge.sha256}
    assert _of(numbers, "lumbar_knowledge_info", **stamp) == 1


def test_every_level_and_red_flag_starts_at_nought(told: Told, knowledge: Knowledge) -> None:
    numbers = told.numbers()
    assert {dict(labels)["rule"] for name, labels in numbers if name == "lumbar_red_flags_fired_total"} == {
        *knowledge.red_flags
    }
    levels = [dict(labels) for name, labels in numbers if name == "lumbar_assessments_total"]
    assert len(levels) == 2 * len(knowledge.levels)
    assert (told.client.get("/metrics").content_type or "").startswith("text/plain; version=0.0.4")


# Canaries


class Canaries:
    """Strings that stand nowhere else, each with the place where it was planted."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def plant(self, place: str) -> str:
        text = f"qf{len(self.planted):04d}quill"
        self.planted[text] = place
        return text

    def found_in(self, text: str) -> list[str]:
        return sorted({self.planted[each] for each in re.findall(r"qf\d{4}quill", text, re.IGNORECASE)})


def _bodies(canaries: Canaries, keys: Canaries) -> Iterator[dict[str, Any]]:
    """A valid request with the free texts planted; then each other string, and each object one key more."""
    valid = deepcopy(FULL)
    valid["medications"] = [canaries.plant("medications"), "warfarin"]
    valid["allergies"] = [canaries.plant("allergies")]
    yield valid
    for path in _strings(FULL):
        wrong = deepcopy(valid)
        _set(wrong, path, canaries.plant("/".join(map(str, path))))
        yield wrong
    for path in [(), ("patient",), ("findings",), ("observations",), ("screening",), ("treatments_tried", 0)]:
        wrong = deepcopy(valid)
        inner: Any = wrong
        for step in path:
            inner = inner[step]
        inner[keys.plant(f"a key in {path}")] = canaries.plant(f"a value in {path}")
        yield wrong


def _strings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _strings(inner, (*path, step))
    if isinstance(value, str):
        yield path


def _set(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new


def _headers(canaries: Canaries) -> dict[str, str]:
    """A canary in every kind of header; none of the ids is one that the service would take in."""
    plant = canaries.plant
    return {
        "Authorization": f"Bearer {plant('a token')}",
        "X-API-Key": plant("an API key"),
        "Cookie": f"session={plant('a cookie')}",
        "X-Request-ID": f"{plant('a request id')} Jane",
        "traceparent": f"00-{plant('a trace')}-b7ad6b7169203331-01",
        "tracestate": f"Jane={plant('a trace state')}",
        **{
            name: plant(name)
            for name in (
                "User-Agent",
                "Referer",
                "Origin",
                "Accept",
                "Accept-Language",
                "If-None-Match",
                "Forwarded",
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "X-Patient-Id",
                "From",
            )
        },
    }


def test_no_canary_comes_up_in_log_metrics_or_errors(
    knowledge: Knowledge, engine: Engine, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries, keys = Canaries(), Canaries()
    keys.planted = canaries.planted  # one numbering
    whole, faulty, defect = (
        create_app(knowledge, used).test_client() for used in (engine, cast(Engine, Broken()), engine)
    )
    statuses, errors, scraped = Counter[int](), [], ""

    def send(client: FlaskClient, path: str, **more: Any) -> None:
        response = client.open(path, headers=_headers(canaries), **{"method": "POST", **more})
        statuses[response.status_code] += 1
        said = "".join(f"{name}: {value}\n" for name, value in response.headers)
        errors.append(said + (response.get_data(as_text=True) if response.status_code >= 400 else ""))

    for body in _bodies(canaries, keys):
        send(whole, PATH, json=body)
        send(faulty, PATH, json=body)
    valid = next(_bodies(canaries, keys))
    text = json.dumps(valid)
    send(whole, f"{PATH}?detail={canaries.plant('a query')}", json=valid)
    send(whole, f"{PATH}?{keys.plant('a name in the query')}={canaries.plant('a query')}", json=valid)
    send(whole, PATH, data=text, content_type=canaries.plant("a media type"))
    send(whole, PATH, data=text + canaries.plant("after the body"), content_type="application/json")
    send(whole, PATH, data=f'{{"{keys.plant("a key")}": ', content_type="application/json")
    send(whole, PATH, data='{"patient": "' + canaries.plant("a cut text"), content_type="application/json")
    for path in ("/", "/v1/", "/v1/findings/", "/v1/medications?q="):
        send(whole, path + canaries.plant(f"the path after {path}"), method="GET")
    send(whole, PATH, method=canaries.plant("a method").upper(), json=valid)
    send(whole, "/healthz", method="GET")
    with monkeypatch.context() as patched:
        patched.setattr(service.app, "assess", lambda asked, *_: int(str(asked)))
        send(defect, PATH, json=valid)
        patched.setattr(service.app, "assess", lambda asked, *_: dict[str, Any]()[str(asked)])
        send(defect, f"{PATH}?leaflet=true", json=valid)
    scraped = "".join(client.get("/metrics").get_data(as_text=True) for client in (whole, faulty, defect))

    assert statuses.keys() == {200, 400, 404, 405, 415, 422, 500, 503}
    assert len(canaries.planted) > 500
    assert canaries.found_in(written.getvalue()) == []
    assert canaries.found_in(scraped) == []
    # An error names the unknown field, since nothing else would tell which; it never repeats a value.
    named = canaries.found_in("".join(errors))
    assert [place for place in named if not place.startswith(("a key in", "a name in the query"))] == []
    assert len(named) >= 5
    assert len(written.getvalue().splitlines()) >= sum(statuses.values())


def _charts(canaries: Canaries) -> Iterator[dict[str, Any]]:
    """A chart whose ids and names are planted; then each other string of it; then one with a second patient."""
    chart = bundle(cases()[0]["request"], datetime.now(UTC).date())
    person = {"identifier": [{"value": canaries.plant("an identifier")}], "name": [{"text": canaries.plant("a name")}]}
    chart["entry"][0]["resource"] |= person
    names = {
        entry["resource"]["id"]: canaries.plant(f"the id of {number}") for number, entry in enumerate(chart["entry"])
    }
    subject = f"Patient/{names[chart['entry'][0]['resource']['id']]}"
    for entry in chart["entry"]:
        resource = entry["resource"] | {"id": names[entry["resource"]["id"]]}
        entry["resource"] = resource | ({"subject": {"reference": subject}} if "subject" in resource else {})
    yield chart
    for path in _strings(chart):
        wrong = deepcopy(chart)
        _set(wrong, path, canaries.plant("/".join(map(str, path))))
        yield wrong
    stranger = {"resourceType": "Patient", "id": canaries.plant("another patient"), "birthDate": "1950-01-01"}
    yield {**chart, "entry": [*chart["entry"], {"resource": stranger}]}


def test_no_fhir_id_and_no_name_of_a_chart_comes_up_in_log_metrics_or_errors(
    knowledge: Knowledge, engine: Engine, written: io.StringIO
) -> None:
    canaries, statuses, errors = Canaries(), Counter[int](), []
    whole, faulty = (create_app(knowledge, used).test_client() for used in (engine, cast(Engine, Broken())))
    for number, chart in enumerate(_charts(canaries)):
        for client in (whole, faulty) if number % 8 == 0 else (whole,):
            response = client.post("/fhir/R4/$assess", data=json.dumps(chart), content_type="application/fhir+json")
            statuses[response.status_code] += 1
            errors.append(response.get_data(as_text=True) if response.status_code >= 400 else "")
    assert statuses.keys() == {200, 422, 503}
    assert len(canaries.planted) > 100
    for said in (
        written.getvalue(),
        "".join(errors),
        *(each.get("/metrics").get_data(as_text=True) for each in (whole, faulty)),
    ):
        assert canaries.found_in(said) == []
    assert "/fhir/R4/$assess" in written.getvalue()


def test_the_name_of_an_unknown_field_is_cut_when_it_is_longer_than_any_of_ours(
    client: FlaskClient, knowledge: Knowledge
) -> None:
    names = [*knowledge.findings, *knowledge.observations, *knowledge.must_ask, *knowledge.request_schema.fields]
    assert max(map(len, names)) <= 80
    for body in ({"n" * 81: 1}, {"findings": {"n" * 81: "present"}}, {"patient": {"n" * 5_000: 1}}):
        response = client.post(PATH, json={"patient": {"age_years": 40}, **body})
        assert response.status_code == 422
        assert "n" * 80 + "..." in response.get_data(as_text=True)
        assert "n" * 81 not in response.get_data(as_text=True)
    assert "n" * 80 in client.post(PATH, json={"n" * 80: 1}).get_data(as_text=True)


# Several workers


def _directories(master: int) -> list[Path]:
    places = (Path("/dev/shm"), Path(tempfile.gettempdir()))
    return [file for place in places for file in place.glob(f"lumbar-metrics-{master}-*")]


class Served(NamedTuple):
    """A running gunicorn of two workers with what it prints."""

    process: subprocess.Popen[bytes]
    port: int
    out: Path
    err: Path

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own, so that any worker may get it."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = None if body is None else json.dumps(body)
        line.request(method, path, sent, {"Content-Type": "application/json", "Connection": "close", **headers})
        answer = line.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            line.close()

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(65_536), b""))

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()]

    def directory(self) -> Path | None:
        return next(iter(_directories(self.process.pid)), None)

    def numbers(self) -> Numbers:
        status, text = self.ask("GET", "/metrics")
        assert status == 200
        return _numbers(text.decode())

    def kill_one_worker(self) -> None:
        """As a crash or the kernel would; gunicorn puts another in its place."""
        victim = self.workers()[0]
        os.kill(victim, signal.SIGKILL)
        for _ in range(600):
            if victim not in self.workers() and len(self.workers()) == 2:
                return
            time.sleep(0.05)
        pytest.fail("not replaced")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=25) == 0

    def until_ready(self, workers: int = 2) -> None:
        for _ in range(600):
            assert self.process.poll() is None, self.err.read_text(encoding="utf-8")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30):
                    pass
            except ConnectionRefusedError:
                time.sleep(0.05)
                continue
            if len(self.workers()) == workers:
                return
            time.sleep(0.05)
        pytest.fail("not ready")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    # an access log asked for by hand must stay silent
    command += ["--access-logfile", "-", "wsgi:app"]
    out, err = tmp_path / "out.txt", tmp_path / "err.txt"
    with out.open("wb") as first, err.open("wb") as second:
        process = subprocess.Popen(command, cwd=ROOT, stdout=first, stderr=second)
    found = Served(process, port, out, err)
    try:
        found.until_ready()
        yield found
    finally:
        process.terminate()
        process.wait(timeout=25)


def _counted_by(directory: Path) -> dict[str, float]:
    """Requests counted in the file of each process, read by the library's own reader of one file."""
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415

    counted = {}
    for file in directory.glob("counter_*.db"):
        values = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
        found = sum(value for key, value, _, _ in values if json.loads(key)[1] == "lumbar_requests_total")
        counted[file.stem.removeprefix("counter_")] = found
    return counted


UNREADABLE = (
    b"GET /%s HTTP/9.9\r\nHost: x\r\n\r\n",
    b"%s\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nBad %s Name: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %s\r\n\r\n",
    b"GET /?%s HTTP/1.1\r\nHost: x\r\nX: a\r\n folded %s\r\n\r\n",
    b"g%s / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 %s\r\n\r\n",
)


def test_two_workers_count_as_one_even_when_one_is_killed(served: Served) -> None:
    sent = [("POST", PATH, EXAMPLE, 200)] * 40 + [("GET", "/v1/findings/fever", None, 200)] * 30
    sent += [("GET", "/nowhere", None, 404)] * 10 + [("POST", PATH, {}, 422)] * 10
    canaries = Canaries()

    def send(one: tuple[str, str, Any, int]) -> bytes:
        status, body = served.ask(*one[:3], **{"X-Patient-Id": canaries.plant("a header")})
        assert status == one[3]
        return body

    with ThreadPoolExecutor(8) as crowd:
        bodies = list(crowd.map(send, sent))
    fired = Counter(rule["rule"] for body in bodies[:40] for rule in json.loads(body)["urgency"]["reasons"])
    directory = served.directory()
    assert directory is not None
    assert directory.stat().st_mode & 0o077 == 0
    counted = _counted_by(directory)
    assert {name for name, number in counted.items() if number} == {"worker0", "worker1"}, counted
    (directory / "counter_worker9.db").touch()  # as when a worker has only just opened it
    for turn in range(6):  # whichever worker is asked
        assert _of(served.numbers(), "lumbar_requests_total") == len(sent) + turn
    numbers = served.numbers()
    assert _of(numbers, "lumbar_requests_total", route="/v1/assessments", status="200") == 40
    assert _of(numbers, "lumbar_requests_total", route="unmatched", status="404") == 10
    assert _of(numbers, "lumbar_assessments_total") == 40
    for rule in fired:
        assert _of(numbers, "lumbar_red_flags_fired_total", rule=rule) == fired[rule]
    assert _of(numbers, "lumbar_request_seconds_count", route="/v1/assessments") == 50
    assert _of(numbers, "lumbar_knowledge_info") == 1

    before = sorted(file.name for file in directory.iterdir())
    served.kill_one_worker()
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(send, sent))
    numbers = served.numbers()
    assert _of(numbers, "lumbar_assessments_total") == 80
    assert _of(numbers, "lumbar_requests_total", route="unmatched", status="404") == 20
    assert sorted(file.name for file in directory.iterdir()) == before, "a new worker takes over the dead one's file"

    refused = [served.raw(data.replace(b"%s", canaries.plant(repr(data)).encode())) for data in UNREADABLE]
    for answer in refused:
        assert re.match(rb"HTTP/1.1 [45]\d\d ", answer), answer
        assert b"application/problem+json" in answer
        json.loads(answer.partition(b"\r\n\r\n")[2])
    served.stop()
    assert not directory.exists()

    text = served.out.read_text(encoding="utf-8")
    lines = _lines(text)
    requests = [line for line in lines if line["event"] == "request" and line["route"] != "/metrics"]
    assert len(requests) == 2 * len(sent)
    assert all(ALWAYS <= line.keys() <= ALWAYS | OF_ASSESSMENTS for line in requests)
    assert sum(line["event"] == "unreadable_request" for line in lines) == len(UNREADABLE)
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert any(line["event"].startswith("Booting worker") for line in lines)
    assert served.err.read_text(encoding="utf-8") == ""
    assert len(canaries.planted) > 180
    assert canaries.found_in(text + b"".join(refused).decode()) == []


def test_a_server_that_refuses_to_start_says_why_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "door.py").write_text(
        "from service import logs\nfrom rules.engine import EngineRefusal\nlogs.configure()\n"
        "with logs.refused_starts():\n    raise EngineRefusal('one rule is too long')\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--pythonpath", str(tmp_path), "door:app"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    (line,) = _lines(out)
    assert (line["event"], line["detail"]) == ("start_refused", "one rule is too long")
    assert _directories(process.pid) == []


def test_the_page_for_operators_names_every_key_and_every_metric(told: Told) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)}
    assert rows >= ALWAYS | OF_ASSESSMENTS | {"trace_id"}
    told.client.get("/healthz")
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in told.numbers()}
    assert {name for name in rows if name.startswith("lumbar_")} == names
    (example,) = re.findall(r"<!-- example line -->\n```json\n(.+?)\n```", page, re.DOTALL)
    assert json.loads(example).keys() == ALWAYS | OF_ASSESSMENTS
