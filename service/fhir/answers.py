"""QuestionnaireResponses whose linkIds are words of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.fhir import told
from service.fhir.chart import Chart, Claim
from service.fhir.lists import drug_names
from service.fhir.values import When, label, mapping, number, objects, text, when

_READ = ("completed", "amended", "in-progress")
_TRIED = "treatments_tried"

Resource = Mapping[str, Any]


def response(resource: Resource, chart: Chart) -> None:
    """Every answer of a response to the questionnaire of this service."""
    reference, authored = label(resource), when(resource.get("authored"))
    if resource.get("status") not in _READ:
        return chart.skip(reference, "its status is not used")
    old = chart.too_old(authored, chart.knowledge.codes.reading.answers_days) if authored else None
    if old:
        return chart.skip(reference, old)
    for item in _items(resource):
        name, given = text(item.get("linkId")), objects(item.get("answer"))
        if name == _TRIED:
            _trial(item, reference, chart)
        elif given and not name.startswith(f"{_TRIED}."):
            try:
                _answer(name, given, authored, reference, chart)
            except told.Unread as error:
                chart.skip(reference, str(error))
    return None


def _items(resource: Resource) -> Iterator[Resource]:
    """Every item, however deep, in groups and below answers."""
    queue = objects(resource.get("item"))
    while queue:
        item = queue.pop()
        yield item
        queue += objects(item.get("item"))
        for given in objects(item.get("answer")):
            queue += objects(given.get("item"))


def _answer(name: str, given: list[Resource], authored: When | None, reference: str, chart: Chart) -> None:
    knowledge = chart.knowledge
    if name in ("medications", "allergies"):
        return _names(name, given, reference, chart)
    if name in knowledge.must_ask:
        said = _state(name, given, chart)
        if said == "present":
            raise told.Unread(f"{name}: say which of its findings is present")
        return chart.screening.setdefault(name, []).append(Claim(said, authored, reference))
    word = told.named(name, knowledge)
    if word is None:
        raise told.Unread("answers whose linkId is not a word that is asked")
    if word.part == "findings":
        claim = Claim(_state(name, given, chart), authored, reference)
        return chart.findings.setdefault(name, []).append(claim)
    value = _first(word, given, chart)
    place: dict[str, list[Claim]] = getattr(chart, word.part)
    return place.setdefault(name, []).append(Claim(value, authored, reference))


def _first(word: told.Word, given: list[Resource], chart: Chart) -> float | str:
    try:
        return told.measurement(word, given[0], chart.knowledge, own=True)
    except told.Unread as error:
        raise told.Unread(f"{word.name}: {error}") from error


def _state(name: str, given: list[Resource], chart: Chart) -> str:
    """What the answers say; of several, present before unknown before absent."""
    said = set()
    for each in given:
        if isinstance(each.get("valueBoolean"), bool):
            said.add("present" if each["valueBoolean"] else "absent")
        coding = mapping(each.get("valueCoding"))
        found = told.answer(name, (text(coding.get("system")), text(coding.get("code"))), chart.knowledge)
        said |= {found} if found else set()
    for state in ("present", "unknown", "absent"):
        if state in said:
            return state
    raise told.Unread(f"{name}: its answer is neither yes, no nor unknown")


def _names(part: str, given: list[Resource], reference: str, chart: Chart) -> None:
    """Names of drugs; `false` says that there are none."""
    names: list[str] = []
    for each in given:
        coding = each.get("valueCoding")
        concept = {"coding": [coding]} if isinstance(coding, Mapping) else {"text": each.get("valueString")}
        names += drug_names(concept, part, chart)
    if not names and not any(each.get("valueBoolean") is False for each in given):
        raise told.Unread(f"{part}: no name that can be read")
    return chart.listed(part, names, reference)


def _trial(item: Resource, reference: str, chart: Chart) -> None:
    """A group of treatment, weeks and response."""
    fields, trial = chart.knowledge.fields, dict[str, Any]()
    for part in objects(item.get("item")):
        name = text(part.get("linkId")).removeprefix(f"{_TRIED}.")
        given = (objects(part.get("answer")) or [{}])[0]
        code = text(mapping(given.get("valueCoding")).get("code")) or text(given.get("valueString"))
        weeks = number(given.get("valueDecimal", given.get("valueInteger")))
        if name == "treatment" and chart.knowledge.is_treatment(code):
            trial["treatment"] = code
        elif name == "response" and code in fields[f"{_TRIED}.response"].values:
            trial["response"] = code
        elif name == "weeks" and weeks is not None:
            low, high = fields[f"{_TRIED}.weeks"].plausible or (0, 0)
            trial |= {"weeks": weeks} if low <= weeks <= high else {}
    if "treatment" not in trial:
        return chart.skip(reference, f"{_TRIED}: no treatment that is known")
    return chart.tried(trial, reference)
