"""The public vocabulary in its nested grammar, and a second, plain reading of it to compare the service with.

`data/vocabulary.yaml` holds ids and meaning as the API promises them. `meaning` reads any node of it, three-valued and
recursively; `turns` finds for every part of a definition the requests in which that part decides; `mixtures` are
seeded random requests.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

Node = Mapping[str, Any]
Request = dict[str, Any]
Truth = bool | None
Span = tuple[float, float]

PUBLIC: dict[str, Any] = yaml.load(
    (Path(__file__).parent / "data" / "vocabulary.yaml").read_bytes(),
    Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),
)
PUBLIC["derived"]["leg_neurological_deficit"]["any"].append({"finding": "leg_power_reduced"})  # see its note

EXCLUDE_ONE_ANOTHER = (
    {"age_60_to_70", "age_over_70"},
    {"under_6_hours", "from_6_to_24_hours"},
    {"nausea_without_vomiting", "vomiting"},
)
"""Items of a score of which one person can have only one."""


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

    def counted(node: Node) -> Truth:
        values = [read(part) for part in node["of"]]
        sure, possible = values.count(True), values.count(True) + values.count(None)
        return True if sure >= node["count_at_least"] else False if possible < node["count_at_least"] else None

    def together(node: Node) -> Truth:
        a, b = (value_at(request, path) for path in node.get("difference") or node["ratio"])
        if a is None or b is None:
            return None
        if "ratio" in node:
            return compared(node, a / b)
        return compared(node, abs(a - b) if node.get("absolute") else a - b)

    def single_points(node: Node) -> Truth:
        limit = node["any_band_points_at_least"]
        spans = parameter_spans(request)
        return either(True if low >= limit else None if high >= limit else False for low, high in spans)

    kinds: dict[str, Callable[[Node], Truth]] = {
        "finding": lambda node: finding(node["finding"]),
        "derived": lambda node: derived(node["derived"]),
        "all": lambda node: both(map(read, node["all"])),
        "any": lambda node: either(map(read, node["any"])),
        "not": lambda node: contrary(read(node["not"])),
        "count_at_least": counted,
        "from": lambda node: compared(node, value_at(request, node["from"])),
        "difference": together,
        "ratio": together,
        "tried": lambda node: tried(node["tried"]),
        "of_score": single_points,
        "medication": lambda node: listed("medications", node["medication"]),
        "medication_class": lambda node: listed("medications", node["medication_class"]),
        "allergy_class": lambda node: listed("allergies", node["allergy_class"]),
    }

    def read(node: Node) -> Truth:
        for kind in node:
            if kind in kinds:
                value = kinds[kind](node)
                return contrary(value) if "state" in node else value
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
    (points,) = [row[2] for row in bands if (row[0] is None or exact >= row[0]) and (row[1] is None or exact <= row[1])]
    return int(points)


def total(name: str, request: Request, read: Callable[[Node], Truth]) -> Span | None:
    """Lowest and highest total of a score, or None where it is not used."""
    entry = PUBLIC["scores"][name]
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
        if value is False or (settled and not value):
            continue
        key = min(group)
        lows[key] = points if value else min(0, points)
        highs[key] = max(points if value else 0, points, highs.get(key, points))
    if "nausea_without_vomiting" in lows and read({"finding": "nausea"}):
        lows["nausea_without_vomiting"] = max(1, lows["nausea_without_vomiting"])  # with vomiting or without
    floor, ceiling = entry["range"]
    return min(max(floor, sum(lows.values())), ceiling), min(max(floor, sum(highs.values())), ceiling)


def published_bands(name: str) -> Mapping[str, tuple[float, float]]:
    entry = PUBLIC["scores"][name]
    if entry["type"] == "class":
        (bands,) = entry["bands"].values()
        return {band: tuple(ends) for band, ends in bands.items()}
    return {band: tuple(ends) for band, ends in entry["cut_offs"].items()}


# ------------------------------------------------------------------------------- requests in which one part decides

Settled = list[tuple[Node, bool]]
"""Nodes that must hold, or must not."""

TABLES = {"derived": "derived", "of_score": "scores"}
LISTS = {"medication": "medications", "medication_class": "medications", "allergy_class": "allergies"}
STEPS = (-0.01, 0, 0.01)

ORDINARY: dict[str, Any] = {
    "patient.age_years": 44,
    "episode.duration_days": 100,
    "observations.respiratory_rate_per_min": 16,
    "observations.systolic_bp_mmhg": 125,
    "observations.systolic_bp_other_arm_mmhg": 120,
    "observations.usual_systolic_bp_mmhg": 130,
    "observations.heart_rate_per_min": 70,
    "observations.temperature_c": 36.8,
    "observations.consciousness": "alert",
    "observations.supplemental_oxygen": "air",
    "observations.spo2_percent": 97,
}
"""Values at which nothing is wrong."""


def blank() -> Request:
    return {"findings": {}, "patient": {}, "episode": {}, "observations": {}}


def put(request: Request, path: str, value: Any) -> None:
    """Set a value in place; None takes it away."""
    part, _, key = path.rpartition(".")
    target = request[part] if part else request
    target.pop(key, None)
    if value is not None:
        target[key] = value


def over(request: Request, change: Request) -> Request:
    """A copy of a request with the entries of another one laid over it."""
    merged = {part: dict(value) if isinstance(value, dict) else value for part, value in request.items()}
    for part, value in change.items():
        if isinstance(value, dict):
            merged[part] = {**merged.get(part, {}), **value}
        else:
            merged[part] = [*merged.get(part, []), *value] if isinstance(value, list) else value
    return merged


def settled(wishes: Settled, attempt: int = 0) -> Request:
    """A request in which the nodes hold or do not hold, as far as one request can do that.

    An "any" holds through all of its members at the first attempt, then through one of them after the other.
    """
    request = blank()
    compare: dict[str, Settled] = {}
    for node, wanted in wishes:
        _settle(node, wanted, request, compare, attempt)
    for path, found in compare.items():
        tried = [change[path] for node, _ in found for change in around(node)] + [ORDINARY.get(path)]
        fitting = [value for value in tried if all(compared(node, value) is wanted for node, wanted in found)]
        some = [value for value in tried if any(compared(node, value) is wanted for node, wanted in found)]
        put(request, path, [*fitting[::-1], *some][0])
    return request


def _settle(node: Node, wanted: bool, request: Request, compare: dict[str, Settled], attempt: int) -> None:
    if "finding" in node:
        present = wanted != (node.get("state") == "absent")
        request["findings"][node["finding"]] = "present" if present else "absent"
    elif "from" in node:
        compare.setdefault(node["from"], []).append((node, wanted))
    elif "difference" in node or "ratio" in node:
        change = next(change for change in around(node) if compared_pair(node, change) is wanted)
        for path, value in change.items():
            put(request, path, value if wanted else ORDINARY.get(path, value))
    elif "tried" in node:
        request["treatments_tried"] = [a_trial(node["tried"])] if wanted else []
    elif "not" in node:
        _settle(node["not"], not wanted, request, compare, attempt)
    for key, table in TABLES.items():
        if key in node:
            _settle(PUBLIC[table][node[key]], wanted, request, compare, attempt)
    for key, kind in LISTS.items():
        if key in node:
            request[kind] = [*request.get(kind, []), *([node[key]] if wanted else [])]
    members = node.get("any", [])
    chosen = [members[attempt % len(members)]] if wanted and attempt and members else members
    for part in [*node.get("all", ()), *chosen, *node.get("of", ())]:
        _settle(part, wanted, request, compare, attempt)
    if "applies_if" in node:
        _settle(node["applies_if"], True, request, compare, attempt)


def compared_pair(node: Node, values: Mapping[str, Any]) -> Truth:
    a, b = (values[path] for path in node.get("difference") or node["ratio"])
    return compared(node, a / b if "ratio" in node else abs(a - b) if node.get("absolute") else a - b)


def a_trial(tried: Node) -> dict[str, Any]:
    name = "superficial_heat" if tried["treatment"] == "any" else tried["treatment"]
    return {"treatment": name, "weeks": tried["weeks_at_least"], "response": tried["response_in"][0]}


def around(comparison: Node) -> list[dict[str, Any]]:
    """Path -> value, just below, on and just above each limit; or every code and no value at all."""
    ends = [comparison[key] for key in ("at_least", "above", "at_most", "below") if key in comparison]
    ends += comparison.get("between", [])
    if "from" not in comparison:
        first, second = comparison.get("difference") or comparison["ratio"]
        base = 100 * ends[0] if "ratio" in comparison else 100 + ends[0]
        pairs = [(base + move, 100) for move in (-1, 0, 1)]
        return [{first: a, second: b} for a, b in (pairs + [(b, a) for a, b in pairs])]
    path = comparison["from"]
    entry = PUBLIC["observations"].get(path.removeprefix("observations.")) or PUBLIC["fields"][path]
    codes = entry.get("values") or (entry["plausible"] if "missing" in comparison else ())
    return [{path: value} for value in ((None, *codes) if codes else (end + move for end in ends for move in STEPS))]


def parts(node: Node, wishes: Settled, attempt: int) -> Iterator[tuple[Node, Settled]]:
    """Every leaf of a definition, with what must hold around it so that the leaf decides."""
    groups = {"all": node.get("all", []), "any": node.get("any", []), "of": node.get("of", [])}
    for key, members in groups.items():
        for place, member in enumerate(members):
            others = [*members[:place], *members[place + 1 :]]
            needed = {"all": len(others), "any": 0, "of": node.get("count_at_least", 1) - 1}[key]
            around_it = [(other, (n - attempt) % len(others) < needed) for n, other in enumerate(others)]
            yield from parts(member, [*wishes, *around_it], attempt)
    if "not" in node:
        yield from parts(node["not"], wishes, attempt)
    elif not any(groups.values()):
        yield node, wishes


ATTEMPTS = 5


def turns(node: Node) -> Iterator[tuple[Node, Iterator[list[Request]]]]:
    """Every part of a definition, with groups of requests: within a group they differ in this part only."""
    attempts = [_settings(node, attempt) for attempt in range(ATTEMPTS)]
    for place, (leaf, _) in enumerate(attempts[0]):
        yield leaf, _groups(leaf, [settings[place][1] for settings in attempts])


def _settings(node: Node, attempt: int) -> list[tuple[Node, Settled]]:
    body = {key: value for key, value in node.items() if key != "applies_if"}
    gate = node.get("applies_if")
    found = list(parts(body, [(gate, True)] if gate else [], attempt))
    return found + (list(parts(gate, [(body, True)], attempt)) if gate else [])


def _groups(leaf: Node, settings: list[Settled]) -> Iterator[list[Request]]:
    """First with the others settled both ways, then with only those settled that must hold."""
    for attempt, wishes in enumerate(settings):
        for some in (wishes, [wish for wish in wishes if wish[1]]):
            base = settled(some, attempt)
            yield [over(base, change) for change in options(leaf)]
            yield [over(change, base) for change in options(leaf)]


def options(leaf: Node) -> list[Request]:
    """Small requests that turn one leaf: present, absent, not said; each side of its limit."""
    if "finding" in leaf:
        answers = [{leaf["finding"]: answer} for answer in ("present", "absent")]
        return [{**blank(), "findings": answer} for answer in (*answers, {})]
    if "derived" in leaf:
        return [settled([(leaf, True)]), settled([(leaf, False)]), blank()]
    if "tried" in leaf:
        fits = a_trial(leaf["tried"])
        less = [{**fits, "weeks": fits["weeks"] - 0.1}, {**fits, "response": "good"}, {**fits, "response": "partial"}]
        others = [{**fits, "treatment": name} for name in ("ibuprofen_oral", "superficial_heat", "strong_opioid")]
        return [
            blank(),
            *({**blank(), "treatments_tried": list_} for list_ in ([], *([t] for t in [fits, *less, *others]))),
        ]
    for key, kind in LISTS.items():
        if key in leaf:
            return [blank(), {**blank(), kind: []}, {**blank(), kind: [leaf[key]]}]
    if "of_score" in leaf:
        well = blank()
        for path, value in ORDINARY.items():
            put(well, path, value)
        ill = over(well, {"observations": {"respiratory_rate_per_min": 25}})
        return [blank(), well, ill, over(well, {"observations": {"respiratory_rate_per_min": 24}})]
    changes = []
    for change in around(leaf):
        request = blank()
        for path, value in change.items():
            put(request, path, value)
        changes.append(request)
    return changes


# -------------------------------------------------------------------------------------------- seeded random requests


def leaves(node: Any) -> Iterator[Node]:
    """Every leaf that a node reads, through other words and through the measurements of its findings."""
    for part in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        yield from leaves(part)
    if isinstance(node, dict):
        yield node
        for key, table in TABLES.items():
            if key in node:
                yield from leaves(PUBLIC[table][node[key]])
        if "finding" in node:
            entry = PUBLIC["findings"][node["finding"]]
            yield from leaves([entry.get("also_present_if"), entry.get("also_absent_if")])


def mixtures(number: int, seed: int) -> Iterator[Request]:
    """Random requests that each dwell on a few words and on the limits of their numbers."""
    rng = random.Random(seed)
    nodes: list[Any] = [{"derived": name} for name in PUBLIC["derived"]]
    nodes += PUBLIC["scores"].values()
    nodes += [{"finding": name} for name, entry in PUBLIC["findings"].items() if len(entry) > 1]
    nodes += [entry["applies_if"] for entry in PUBLIC["must_ask"].values() if "applies_if" in entry]
    drugs, names = sorted(PUBLIC["medications"]), sorted(PUBLIC["findings"])
    for _ in range(number):
        known, present = rng.choice((0.5, 0.8, 0.95)), rng.choice((0.0, 0.2, 0.5, 0.8))
        request, read = blank(), list(leaves(rng.sample(nodes, 6)))
        asked = dict.fromkeys([leaf["finding"] for leaf in read if "finding" in leaf] + rng.sample(names, 10))
        for name in asked:
            if rng.random() < known:
                request["findings"][name] = "present" if rng.random() < present else "absent"
        for name in rng.sample(names, 2):
            request["findings"][name] = "unknown"
        for path, choices in values(read).items():
            if rng.random() < known:
                put(request, path, rng.choice(choices))
        for kind in ("medications", "allergies"):
            if rng.random() < known:
                listed = [leaf[key] for leaf in read for key in LISTS if key in leaf and LISTS[key] == kind]
                request[kind] = [name for name in listed + rng.sample(drugs, 3) if rng.random() < 0.5]
        if rng.random() < known:
            request["treatments_tried"] = [some_trial(rng) for _ in range(rng.randint(0, 2))]
        yield request


def values(read: list[Node]) -> dict[str, list[Any]]:
    """Path -> the values worth trying for what some nodes read; age, sex and duration always."""
    found: dict[str, list[Any]] = {
        "patient.age_years": [15, 30, 44, 50, 60, 65, 70, 71, 80],
        "patient.sex": ["female", "male"],
        "episode.duration_days": [0.2, 0.5, 1, 7, 20, 28, 30, 42, 84, 90, 200, 2000],
    }
    for leaf in read:
        if {"from", "difference", "ratio"} & leaf.keys():
            for change in around(leaf):
                for path, value in change.items():
                    found.setdefault(path, []).extend([] if value is None else [value])
        for path, bands in (leaf.get("sum_of_bands") or {}).items():
            found[path] = [end for row in bands for end in row[:2] if end is not None] + [ORDINARY[path]]
        for path, codes in (leaf.get("sum_of_codes") or {}).items():
            found[path] = list(codes)
        if "spo2_bands" in leaf:
            found["observations.spo2_percent"] = list(range(82, 99))
            found["observations.spo2_target_88_92"] = ["scale_1", "scale_2"]
        if leaf.get("type") == "class":
            found["observations.stone_score_reported"] = list(range(14))
    return found


def some_trial(rng: random.Random) -> dict[str, Any]:
    covered = [name for group in PUBLIC["treatment_groups"].values() for name in group["covers"]]
    likely = ["nsaid_oral", "ibuprofen_oral", "celecoxib_oral", "superficial_heat"]
    return {
        "treatment": rng.choice(likely * 5 + covered),
        "weeks": rng.choice((1, 1.9, 2, 3.9, 4, 5.9, 6, 12)),
        "response": rng.choice(("none", "none", "partial", "good")),
    }
