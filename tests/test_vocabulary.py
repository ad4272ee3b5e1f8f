"""The vocabulary of the service is the public one: the same ids, and every word means what it is published to mean.

`data/vocabulary.yaml` holds the public vocabulary in its nested grammar. It is read here by a second, plain evaluator
(three-valued, recursive) and compared with the flat definitions that the service runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.knowledge import Knowledge
from rules.words import Words

Node = Mapping[str, Any]
Request = dict[str, Any]
Truth = bool | None
Span = tuple[float, float]

PUBLIC: dict[str, Any] = yaml.load(
    (Path(__file__).parent / "data" / "vocabulary.yaml").read_bytes(),
    Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),
)
# The one word that the service reads wider than published; its note in derived.yaml says so.
WIDER = "leg_neurological_deficit"
ALSO_COUNTED = {"finding": "leg_power_reduced"}
PUBLIC["derived"][WIDER]["any"].append(ALSO_COUNTED)

EXCLUDE_ONE_ANOTHER = (
    {"age_60_to_70", "age_over_70"},
    {"under_6_hours", "from_6_to_24_hours"},
    {"nausea_without_vomiting", "vomiting"},
)
"""Items of a score of which one person can have only one."""

PRESENTATIONS = 330


# ------------------------------------------------------------------------------------------ the second evaluator


def both(values: Iterable[Truth]) -> Truth:
    seen = set(values)
    return False if False in seen else None if None in seen else True


def either(values: Iterable[Truth]) -> Truth:
    seen = set(values)
    return True if True in seen else None if None in seen else False


def contrary(value: Truth) -> Truth:
    return None if value is None else not value


def compared(node: Node, value: Any) -> Truth:
    if "missing" in node:
        return value is None
    if value is None:
        return None
    if "between" in node:
        low, high = node["between"]
        return not (value < low or value > high)
    if "in" in node:
        return value in node["in"]
    if "equals" in node:
        return bool(value == node["equals"])
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "at_least": lambda a, b: not a < b,
        "above": lambda a, b: not a <= b,
        "at_most": lambda a, b: not a > b,
        "below": lambda a, b: not a >= b,
    }
    (name,) = tests.keys() & node.keys()
    return tests[name](value, node[name])


def value_at(request: Request, path: str) -> Any:
    part: Any = request
    for step in path.split("."):
        part = part.get(step, {}) if isinstance(part, dict) else {}
    return None if part == {} else part


def with_classes(ids: Iterable[str]) -> set[str]:
    found = set(ids)
    for name in ids:
        found |= with_classes(PUBLIC["medications"].get(name, {}).get("classes", ()))
    return found


def meaning(request: Request) -> Callable[[Node], Truth]:
    """The published meaning of any node, for one request."""
    answers: dict[str, str] = request.get("findings", {})
    known: dict[str, Truth] = {}
    cleared = {
        name
        for owner, answer in answers.items()
        if answer == "absent"
        for name in PUBLIC["findings"][owner].get("absent_clears", ())
    }

    def finding(name: str) -> Truth:
        if name not in known:
            entry, answer = PUBLIC["findings"][name], answers.get(name)
            raised = "also_present_if" in entry and read(entry["also_present_if"])
            if answer == "present" or raised or any(finding(other) for other in entry.get("implied_by", ())):
                known[name] = True
            else:
                lowered = "also_absent_if" in entry and read(entry["also_absent_if"])
                known[name] = False if answer == "absent" or lowered or name in cleared else None
        return known[name]

    def derived(name: str) -> Truth:
        if name not in known:
            entry = PUBLIC["derived"][name]
            unused = "applies_if" in entry and not read(entry["applies_if"])
            known[name] = None if unused else read(entry)
        return known[name]

    def listed(kind: str, name: str) -> Truth:
        given = request.get(kind)
        return None if given is None else name in with_classes(given)

    def tried(node: Node) -> Truth:
        given = request.get("treatments_tried")
        if given is None:
            return None
        names = {node["treatment"], *PUBLIC["treatment_groups"].get(node["treatment"], {}).get("covers", ())}
        return any(
            (node["treatment"] == "any" or trial["treatment"] in names)
            and trial["weeks"] >= node["weeks_at_least"]
            and trial["response"] in node["response_in"]
            for trial in given
        )

    def read(node: Node) -> Truth:
        if "finding" in node:
            value = finding(node["finding"])
            return contrary(value) if node.get("state") == "absent" else value
        if "derived" in node:
            return derived(node["derived"])
        if "all" in node:
            return both(map(read, node["all"]))
        if "any" in node:
            return either(map(read, node["any"]))
        if "not" in node:
            return contrary(read(node["not"]))
        if "count_at_least" in node:
            values = [read(part) for part in node["of"]]
            sure, possible = values.count(True), values.count(True) + values.count(None)
            return True if sure >= node["count_at_least"] else False if possible < node["count_at_least"] else None
        if "from" in node:
            return compared(node, value_at(request, node["from"]))
        if "difference" in node or "ratio" in node:
            a, b = (value_at(request, path) for path in node.get("difference") or node["ratio"])
            if a is None or b is None:
                return None
            if "ratio" in node:
                return compared(node, a / b)
            return compared(node, abs(a - b) if node.get("absolute") else a - b)
        if "tried" in node:
            return tried(node["tried"])
        if "of_score" in node:
            limit, spans = node["any_band_points_at_least"], parameter_spans(request)
            return either(True if low >= limit else None if high >= limit else False for low, high in spans)
        for prefix, kind in (("medication", "medications"), ("allergy", "allergies")):
            for key in (prefix, f"{prefix}_class"):
                if key in node:
                    return listed(kind, node[key])
        raise AssertionError(f"not in the grammar: {node}")

    return read


def parameter_spans(request: Request) -> list[Span]:
    """The points that each NEWS2 parameter can still be worth, from the published bands."""
    entry = PUBLIC["scores"]["news2_total"]
    spans = []
    for path, bands in entry["sum_of_bands"].items():
        value = value_at(request, path)
        points = [row[2] for row in bands] if value is None else [in_band(bands, value, path.endswith("_c"))]
        spans.append((min(points), max(points)))
    for path, codes in entry["sum_of_codes"].items():
        value = value_at(request, path)
        points = list(codes.values()) if value is None else [codes[value]]
        spans.append((min(points), max(points)))
    scales, oxygen = entry["spo2_bands"], value_at(request, "observations.supplemental_oxygen")
    names = ["scale_1"]
    if value_at(request, scales["select_by"]) == "scale_2":
        names = {"air": ["scale_2_on_air"], "oxygen": ["scale_2_on_oxygen"]}.get(
            oxygen, ["scale_2_on_air", "scale_2_on_oxygen"]
        )
    value = value_at(request, "observations.spo2_percent")
    points = [
        point
        for name in names
        for point in ([row[2] for row in scales[name]] if value is None else [in_band(scales[name], value, False)])
    ]
    return [*spans, (min(points), max(points))]


def in_band(bands: list[list[Any]], value: float, tenths: bool) -> int:
    step = Decimal("0.1") if tenths else Decimal(1)
    exact = float(Decimal(str(value)).quantize(step, ROUND_HALF_UP))
    (points,) = [
        row[2] for row in bands if not (row[0] is not None and exact < row[0] or row[1] is not None and exact > row[1])
    ]
    return int(points)


def total(name: str, request: Request) -> Span | None:
    """Lowest and highest total of a score, or None where it is not used."""
    entry, read = PUBLIC["scores"][name], meaning(request)
    if "applies_if" in entry and not read(entry["applies_if"]):
        return None
    if name == "news2_total":
        spans = parameter_spans(request)
        return sum(low for low, _ in spans), sum(high for _, high in spans)
    if entry["type"] == "class":
        ((path, bands),) = entry["bands"].items()
        value = value_at(request, path)
        return (0, max(high for _, high in bands.values())) if value is None else (value, value)
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for item in entry["items"]:
        value, points = read(item["when"]), item["points"]
        group = next((rivals for rivals in EXCLUDE_ONE_ANOTHER if item["name"] in rivals), {item["name"]})
        settled = any(read(other["when"]) for other in entry["items"] if other["name"] in group - {item["name"]})
        if value is False or settled and not value:
            continue
        key = min(group)
        lows[key] = points if value else min(0, points)
        highs[key] = max(points if value else 0, points, highs.get(key, points))
    low, high = entry["range"]
    return max(low, sum(lows.values())), min(high, sum(highs.values()))


def published_bands(name: str) -> Mapping[str, tuple[float, float]]:
    entry = PUBLIC["scores"][name]
    if entry["type"] == "class":
        (bands,) = entry["bands"].values()
        return {band: tuple(ends) for band, ends in bands.items()}
    return {band: tuple(ends) for band, ends in entry["cut_offs"].items()}


# --------------------------------------------------------------------------------------- seeded random requests


def leaves(node: Any, into: dict[str, set[str]]) -> None:
    """Findings and paths that a node reads, however deep."""
    if isinstance(node, list):
        for part in node:
            leaves(part, into)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "finding":
            into["findings"].add(value)
            for other in ("also_present_if", "also_absent_if"):
                leaves(PUBLIC["findings"][value].get(other), into)
        elif key == "derived":
            leaves(PUBLIC["derived"][value], into)
        elif key == "from":
            into["paths"].add(value)
        elif key in ("difference", "ratio"):
            into["paths"] |= set(value)
        elif key == "of_score":
            leaves(PUBLIC["scores"][value], into)
        elif key in ("sum_of_bands", "sum_of_codes"):
            into["paths"] |= {*value, "observations.spo2_percent"}
        elif key.startswith(("medication", "allergy")):
            into["medications" if key.startswith("medication") else "allergies"].add(value)
        elif key == "tried":
            into["tried"].add(value["treatment"])
        else:
            leaves(value, into)


def limits() -> dict[str, list[Any]]:
    """Path -> the values worth trying: its codes, or each limit with its neighbours on both sides."""
    ends: dict[str, set[float]] = {"episode.pain_severity": {0, 10}}

    def collect(node: Any) -> None:
        if isinstance(node, list):
            for part in node:
                collect(part)
        elif isinstance(node, dict):
            numbers = [node[key] for key in ("at_least", "above", "at_most", "below") if key in node]
            numbers += node.get("between", [])
            for path in [node["from"]] if "from" in node else [*node.get("difference", ()), *node.get("ratio", ())]:
                ends.setdefault(path, set()).update(numbers)
            for path, bands in (node.get("sum_of_bands") or {}).items():
                ends.setdefault(path, set()).update(end for row in bands for end in row[:2] if end is not None)
            for part in node.values():
                collect(part)

    for table in ("findings", "derived", "scores", "must_ask"):
        collect(list(PUBLIC[table].values()))
    ends.setdefault("observations.spo2_percent", set()).update(range(82, 99))
    for number in (0, 5, 6, 9, 10, 13):
        ends["observations.stone_score_reported"].add(number)
    observations = {f"observations.{name}": entry for name, entry in PUBLIC["observations"].items()}
    fields = {**PUBLIC["fields"], **observations}
    found: dict[str, list[Any]] = {}
    for path, entry in fields.items():
        if "values" in entry and not path.startswith(("contact", "screening", "treatments")):
            found[path] = entry["values"]
        elif path in ends:
            low, high = entry["plausible"]
            step = 0.1 if any(end % 1 for end in ends[path]) or path.endswith("_c") else 1
            near = {round(end + move, 3) for end in ends[path] for move in (-step, -0.04, 0, 0.04, step)}
            found[path] = sorted(value for value in near if low <= value <= high)
    found["observations.stone_score_reported"] = list(range(14))
    # Pairs that are read together need values that reach the limit of their difference or ratio.
    for path in ("usual_systolic_bp_mmhg", "systolic_bp_other_arm_mmhg", "systolic_bp_mmhg"):
        found[f"observations.{path}"] = sorted({*found.get(f"observations.{path}", ()), 100, 110, 120, 130, 140, 141})
    for above, below in (
        ("creatinine_umol_l", "creatinine_baseline_umol_l"),
        ("creatine_kinase_u_l", "creatine_kinase_upper_limit_u_l"),
        ("lipase_u_l", "lipase_upper_limit_u_l"),
        ("alt_u_l", "alt_upper_limit_u_l"),
    ):
        found[f"observations.{below}"] = [100, 200]
        found[f"observations.{above}"] = [100, 149, 150, 300, 301, 400, 401, 500, 501, 1000, 1001, 2001]
    found["observations.haemoglobin_previous_g_l"] = [119, 139, 140, 150, 160]
    return found


def presentations() -> Iterator[Request]:
    """Requests that each dwell on a few words, so that deep definitions are decided both ways."""
    rng = random.Random(20260101)
    values = limits()
    nodes: list[Any] = [{"derived": name} for name in PUBLIC["derived"]]
    nodes += [PUBLIC["scores"][name] for name in PUBLIC["scores"]]
    nodes += [{"finding": name} for name, entry in PUBLIC["findings"].items() if len(entry) > 2]
    nodes += [entry["applies_if"] for entry in PUBLIC["must_ask"].values() if "applies_if" in entry]
    for number in range(PRESENTATIONS):
        read: dict[str, set[str]] = {key: set() for key in ("findings", "paths", "medications", "allergies", "tried")}
        for step in range(8):
            leaves(nodes[(number * 8 + step) % len(nodes)], read)
        yield one_presentation(rng, values, read)


def one_presentation(rng: random.Random, values: dict[str, list[Any]], read: dict[str, set[str]]) -> Request:
    known, present = rng.choice((0.5, 0.9, 0.97)), rng.choice((0.0, 0.25, 0.6, 0.9))
    answers = {
        name: "present" if rng.random() < present else "absent"
        for name in sorted(read["findings"])
        if rng.random() < known
    }
    for name in rng.sample(sorted(PUBLIC["findings"]), 6):
        answers.setdefault(name, rng.choice(("present", "absent", "unknown")))
    request: Request = {"findings": answers, "patient": {}, "episode": {}, "observations": {}}
    paths = read["paths"] | {path for path in values if rng.random() < 0.15} | {"patient.age_years"}
    for path in sorted(paths):
        if rng.random() < known:
            part, _, key = path.rpartition(".")
            target = request[part] if part else request
            target[key] = rng.choice(values[path])
    for kind in ("medications", "allergies"):
        if rng.random() < known:
            some = sorted(read[kind]) + rng.sample(sorted(PUBLIC["medications"]), 3)
            request[kind] = [name for name in some if rng.random() < 0.5]
    if rng.random() < known:
        groups = PUBLIC["treatment_groups"]
        names = [*groups, *(name for group in groups.values() for name in group["covers"])]
        names += ["ibuprofen_oral", "naproxen_oral"] * 5
        request["treatments_tried"] = [
            {
                "treatment": rng.choice(names),
                "weeks": rng.choice((1, 1.9, 2, 3.9, 4, 5.9, 6, 12)),
                "response": rng.choice(("none", "none", "partial", "good")),
            }
            for _ in range(rng.randint(0, 2))
        ]
    return request


def worked_out(request: Request, knowledge: Knowledge) -> Words:
    """What the service makes of a request."""
    values = {
        f"{part}.{key}": value
        for part in ("patient", "episode", "observations")
        for key, value in request[part].items()
    }
    if "setting" in request:
        values["setting"] = request["setting"]
    trials = [
        knowledge.trial(trial["treatment"], trial["weeks"], trial["response"])
        for trial in request.get("treatments_tried", ())
    ]
    facts = knowledge.facts(
        {name: answer == "present" for name, answer in request["findings"].items() if answer != "unknown"},
        values,
        medications=request.get("medications"),
        allergies=request.get("allergies"),
        trials=trials if "treatments_tried" in request else None,
    )
    return knowledge.vocabulary.derive(facts)


@pytest.fixture(scope="module")
def compared_presentations(knowledge: Knowledge) -> list[tuple[Request, Words]]:
    return [(request, worked_out(request, knowledge)) for request in presentations()]


# ------------------------------------------------------------------------------------------------ ids and tables


@pytest.mark.parametrize(
    "table",
    ["findings", "observations", "medications", "allergens", "must_ask", "levels", "settings", "conditions"]
    + ["groups", "not_coded", "treatments", "treatment_groups", "scores", "fields"],
)
def test_the_ids_of_every_table_are_the_public_ones(table: str, knowledge: Knowledge) -> None:
    assert set(getattr(knowledge, table)) == set(PUBLIC[table])


def test_every_public_derived_word_exists(knowledge: Knowledge) -> None:
    assert set(PUBLIC["derived"]) <= set(knowledge.derived)


def test_findings_have_the_public_kind_group_and_links(knowledge: Knowledge) -> None:
    links = ("groups_also", "implied_by", "absent_clears", "contradicts")
    for name, entry in PUBLIC["findings"].items():
        finding = knowledge.findings[name]
        assert (finding.kind, finding.group) == (entry["kind"], entry.get("group")), name
        for link in links:
            assert getattr(finding, link) == tuple(entry.get(link, ())), (name, link)
        for key in ("also_present_if", "also_absent_if", "prompted_by"):
            assert (getattr(finding, key) is None) == (key not in entry), (name, key)


def test_observations_have_the_public_unit_and_range_or_codes(knowledge: Knowledge) -> None:
    for name, entry in PUBLIC["observations"].items():
        found = knowledge.observations[name]
        plausible = tuple(entry["plausible"]) if "plausible" in entry else None
        expected = (entry.get("unit"), plausible, tuple(entry.get("values", ())))
        assert (found.unit, found.plausible, found.values) == expected, name


def test_fields_have_the_public_codes_and_ranges(knowledge: Knowledge) -> None:
    for path, entry in PUBLIC["fields"].items():
        found = knowledge.fields[path]
        plausible = tuple(entry["plausible"]) if "plausible" in entry else None
        assert (found.values, found.plausible) == (tuple(entry.get("values", ())), plausible), path


def test_derived_words_have_the_public_group(knowledge: Knowledge) -> None:
    differing = {
        name for name, entry in PUBLIC["derived"].items() if knowledge.derived[name].group != entry.get("group")
    }
    assert not differing


def test_scores_have_the_public_range_bands_and_switches(knowledge: Knowledge) -> None:
    for name, entry in PUBLIC["scores"].items():
        found = knowledge.scores[name]
        assert dict(found.bands) == published_bands(name), name
        assert found.switches_off == tuple(entry.get("switches_off", ())), name
        assert found.group == entry.get("group"), name
        if "range" in entry:
            assert found.range == tuple(entry["range"]), name


def test_medications_inherit_the_public_classes(knowledge: Knowledge) -> None:
    for name, entry in PUBLIC["medications"].items():
        found = knowledge.medications[name]
        assert (found.kind, set(found.classes)) == (entry["kind"], set(entry["classes"])), name


def test_must_ask_items_have_the_public_findings_and_gates(knowledge: Knowledge) -> None:
    lists = ("findings", "gates", "fields", "derived", "gates_treatments")
    for name, entry in PUBLIC["must_ask"].items():
        found = knowledge.must_ask[name]
        for key in lists:
            assert getattr(found, key) == tuple(entry.get(key, ())), (name, key)
        assert (found.if_unknown, found.stale_after_hours) == (entry["if_unknown"], entry.get("stale_after_hours"))
        assert (found.applies_if is None) == ("applies_if" not in entry), name


def test_treatments_have_the_public_row_and_rung(knowledge: Knowledge) -> None:
    for name, entry in PUBLIC["treatments"].items():
        found = knowledge.treatments[name]
        assert (found.row, found.rung, found.rung_max) == (entry["row"], entry["rung"], entry.get("rung_max")), name
    for name, entry in PUBLIC["treatment_groups"].items():
        group = knowledge.treatment_groups[name]
        assert (group.rung, group.covers) == (entry["rung"], tuple(entry["covers"])), name


def test_levels_have_the_public_rank_and_gate(knowledge: Knowledge) -> None:
    for name, entry in PUBLIC["levels"].items():
        found = knowledge.levels[name]
        assert found.rank == entry["rank"], name
        assert found.must_be_answered == tuple(entry["must_be_answered"]), name
        assert found.if_applicable == tuple(entry.get("if_applicable", ())), name


def test_the_one_word_that_is_read_wider_says_so(knowledge: Knowledge) -> None:
    note = knowledge.derived[WIDER].note or ""
    assert note.startswith("Service choice: ")
    assert ALSO_COUNTED["finding"] in note


# ------------------------------------------------------------------------------------------------------- meaning


def test_every_word_means_what_the_public_definition_says(
    compared_presentations: list[tuple[Request, Words]],
) -> None:
    names = [("derived", name) for name in PUBLIC["derived"]] + [("finding", name) for name in PUBLIC["findings"]]
    differing: dict[str, Any] = {}
    for request, words in compared_presentations:
        read = meaning(request)
        for kind, name in names:
            expected = read({kind: name})
            if words.state.get(name) is not expected:
                differing.setdefault(name, (expected, words.state.get(name), request))
    assert not differing


def test_every_score_and_band_means_what_the_public_definition_says(
    compared_presentations: list[tuple[Request, Words]],
) -> None:
    differing: dict[str, Any] = {}
    for request, words in compared_presentations:
        for name in PUBLIC["scores"]:
            span, reading = total(name, request), words.readings.get(name)
            found = None if reading is None else (reading.low, reading.high)
            if found != span:
                differing.setdefault(name, (span, found, request))
            for band, (bottom, top) in published_bands(name).items():
                truth: Truth = None
                if span is not None:
                    inside, outside = bottom <= span[0] and span[1] <= top, span[1] < bottom or top < span[0]
                    truth = True if inside else False if outside else None
                if words.state.get(f"{name}:{band}") is not truth:
                    differing.setdefault(f"{name}:{band}", (truth, span, request))
    assert not differing


@pytest.mark.parametrize("item", [name for name, entry in PUBLIC["must_ask"].items() if "applies_if" in entry])
def test_a_must_ask_applies_to_whom_the_public_definition_says(
    item: str, knowledge: Knowledge, compared_presentations: list[tuple[Request, Words]]
) -> None:
    word = knowledge.must_ask[item].applies_if
    assert word is not None
    seen = set()
    for request, words in compared_presentations:
        expected = meaning(request)(PUBLIC["must_ask"][item]["applies_if"])
        assert words.state.get(word) is expected, request
        seen.add(expected)
    assert seen == {True, False, None}


@pytest.mark.parametrize("name", [name for name, entry in PUBLIC["findings"].items() if "prompted_by" in entry])
def test_a_question_is_prompted_by_what_the_public_definition_says(
    name: str, knowledge: Knowledge, compared_presentations: list[tuple[Request, Words]]
) -> None:
    word = knowledge.findings[name].prompted_by
    assert word is not None
    for request, words in compared_presentations:
        assert words.state.get(word) is meaning(request)(PUBLIC["findings"][name]["prompted_by"]), request


def test_the_random_presentations_decide_every_word_both_ways(
    compared_presentations: list[tuple[Request, Words]],
) -> None:
    """Otherwise agreement would prove little. A word that is used only where it applies may be decided one way."""
    seen: dict[str, set[Truth]] = {name: set() for name in PUBLIC["derived"]}
    for _, words in compared_presentations:
        for name, values in seen.items():
            values.add(words.state.get(name))
    assert not {name: values for name, values in seen.items() if values != {True, False, None}}
