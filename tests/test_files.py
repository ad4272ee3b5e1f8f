"""Rule files that people keep by hand: what is unreadable is refused with file and line; what is read is hashed."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from rules.files import KnowledgeError, Problem, build, line_of, read
from rules.knowledge import Knowledge
from schemas.codes import TABLES
from schemas.vocabulary import FILES, ObservationSchema, ScoreSchema
from tests.support import KNOWLEDGE, complaints, edited, line_with, without, write_knowledge

FINDINGS, DRUGS = "vocabulary/findings.yaml", "vocabulary/medications.yaml"
FLAG, RUNGS, DEFAULT = "red_flags/suspected_infection.yaml", "rungs.yaml", "default_urgency.yaml"
ABOUT = ("source_attributes.yaml", "validation.yaml")


def written(folder: Path, text: str | bytes) -> Path:
    """A file with this text."""
    file = folder / "some.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def refusal(file: Path) -> str:
    """What read() says about a file, without its folder."""
    with pytest.raises(KnowledgeError) as caught:
        read(file)
    return str(caught.value).removeprefix(f"{file.parent}/")


# --- the real knowledge


def test_the_real_knowledge_loads_and_is_not_empty(knowledge: Knowledge) -> None:
    tables = {name: getattr(knowledge, name) for name in (*FILES, "conditions", "red_flags", "patterns", "treatments")}
    tables |= {name: getattr(knowledge, name) for name in ("safety", "pathways", "do_not", "references", "rungs")}
    assert [name for name, table in tables.items() if not table] == []


def test_every_rule_file_of_the_repository_is_read_by_some_loader(knowledge: Knowledge) -> None:
    folders = ("conditions", "red_flags", "patterns", "treatments", "safety", "pathways")
    entries = {rules.HERE / kind / f"{name}.yaml" for kind in folders for name in getattr(knowledge, kind)}
    tables = {rules.HERE / "vocabulary" / f"{name}.yaml" for name in FILES}
    single = {
        rules.HERE / name for name in ("policy.yaml", "cds_hooks.yaml", "references.yaml", RUNGS, DEFAULT, *ABOUT)
    }
    lists = ("do_not", "education", "follow_up", "referral", "conflicts", "measures", "gates", "leaflet")
    advice = {rules.HERE / "advice" / f"{name}.yaml" for name in lists}
    names = {rules.HERE / "vocabulary" / f"{name}.yaml" for name in ("medication_names", "common_medications")}
    coded = {rules.HERE / "vocabulary" / "codes" / f"{name}.yaml" for name in (*TABLES, "units", "reading")}
    assert {*rules.HERE.rglob("*.y*ml")} == entries | tables | single | advice | names | coded


def test_the_real_knowledge_carries_the_hash_of_its_files(knowledge: Knowledge) -> None:
    assert knowledge.sha256 == rules.fingerprint(rules.HERE)
    assert len(bytes.fromhex(knowledge.sha256)) == 32


# --- the fingerprint


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_knowledge(tmp_path_factory.mktemp("hashed"))


@given(name=st.sampled_from(sorted(KNOWLEDGE)), data=st.data())
@settings(deadline=None, derandomize=True, max_examples=40)
def test_the_fingerprint_changes_when_any_byte_changes(base: Path, name: str, data: st.DataObject) -> None:
    file, before = base / name, rules.fingerprint(base)
    whole = file.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1), label="place")
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]), label="byte")
    try:
        file.write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
        assert rules.fingerprint(base) != before
    finally:
        file.write_bytes(whole)
    assert rules.fingerprint(base) == before


def test_the_fingerprint_changes_when_a_byte_is_added_or_lost(base: Path) -> None:
    before, file = rules.fingerprint(base), base / RUNGS
    whole = file.read_bytes()
    seen = {before}
    for text in (whole + b"\n", whole[:-1], b""):
        file.write_bytes(text)
        seen.add(rules.fingerprint(base))
    file.write_bytes(whole)
    assert len(seen) == 4


def test_the_fingerprint_does_not_change_with_times_or_places(base: Path, tmp_path: Path) -> None:
    before = rules.fingerprint(base)
    for number, file in enumerate(sorted(base.rglob("*.yaml"))):
        os.utime(file, (1_000_000 + number, 2_000_000 - number))
    assert rules.fingerprint(base) == before
    assert rules.fingerprint(write_knowledge(tmp_path / "elsewhere")) == before


def test_the_fingerprint_changes_when_a_file_is_renamed_added_or_gone(tmp_path: Path) -> None:
    flag = KNOWLEDGE[FLAG]
    changes: list[Mapping[str, str | None]] = [
        {},
        {FLAG: None},
        {FLAG: None, "red_flags/other.yaml": flag},
        {FLAG: None, "patterns/suspected_infection.yaml": flag},
        {"red_flags/other.yaml": flag},
        {"red_flags/deep/suspected_infection.yaml": flag},
        {"red_flags/empty.yaml": ""},
    ]
    folders = [write_knowledge(tmp_path / str(number), **change) for number, change in enumerate(changes)]
    assert len({rules.fingerprint(folder) for folder in folders}) == len(changes)


def test_the_fingerprint_changes_when_two_files_swap_their_texts(tmp_path: Path) -> None:
    one, two = write_knowledge(tmp_path / "one"), tmp_path / "two"
    write_knowledge(two, **{RUNGS: KNOWLEDGE[DEFAULT], DEFAULT: KNOWLEDGE[RUNGS]})
    assert rules.fingerprint(one) != rules.fingerprint(two)


def test_a_file_that_is_no_rule_file_does_not_count(tmp_path: Path) -> None:
    before = rules.fingerprint(write_knowledge(tmp_path))
    (tmp_path / "engine.py").write_text("code")
    (tmp_path / "red_flags" / "notes.md").write_text("notes")
    assert rules.fingerprint(tmp_path) == before


def test_a_loaded_knowledge_carries_the_hash_of_its_own_folder(small_knowledge: Knowledge, tmp_path: Path) -> None:
    changed = rules.load(write_knowledge(tmp_path, **edited(("policy.yaml", "version: 9.9.9", "version: 9.9.8"))))
    assert changed.sha256 == rules.fingerprint(tmp_path)
    assert (small_knowledge.sha256 == changed.sha256, changed.policy.version) == (False, "9.9.8")


# --- reading


def test_yaml_is_read_as_plain_values(tmp_path: Path) -> None:
    file = written(tmp_path, "a: 1\nb: [x, 2.5, null]\nc: {d: true}\n")
    assert read(file) == {"a": 1, "b": ["x", 2.5, None], "c": {"d": True}}


def test_text_is_read_as_utf_8(tmp_path: Path) -> None:
    assert read(written(tmp_path, "label: Ménière\n")) == {"label": "Ménière"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", "some.yaml:1: the key 'a' stands twice", id="top"),
        pytest.param("a:\n  b: 1\n  c: 2\n  b: 1\n", "some.yaml:2: the key 'b' stands twice", id="nested"),
        pytest.param("- 1\n- {k: 1, k: 1}\n", "some.yaml:2: the key 'k' stands twice", id="in a list"),
        pytest.param("b: 1\nc: 1\na: 1\nc: 2\na: 2\n", "some.yaml:2: the key 'c' stands twice", id="two of them"),
    ],
)
def test_a_key_that_stands_twice_is_refused_where_it_first_stands(tmp_path: Path, text: str, complaint: str) -> None:
    assert refusal(written(tmp_path, text)) == complaint


def test_a_key_may_stand_once_in_each_of_two_mappings(tmp_path: Path) -> None:
    assert read(written(tmp_path, "- {k: 1}\n- {k: 1}\n")) == [{"k": 1}, {"k": 1}]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a: 1\nb: [1, 2\nc: 3\n", 3, id="an open bracket"),
        pytest.param("a: 1\n\tb: 2\n", 2, id="a tab"),
        pytest.param("a: b: c\n", 1, id="two colons"),
        pytest.param("a: *nowhere\n", 1, id="an alias of nothing"),
        pytest.param("a: 1\nb: !!python/object:os.system {}\n", 2, id="code"),
        pytest.param("a: 1\n---\nb: 2\n", 2, id="two documents"),
        pytest.param("a: 1\n? [b, c]\n: 2\n", 2, id="a list for a key"),
        pytest.param("a: 1\n? {b: c}\n: 2\n", 2, id="a mapping for a key"),
        pytest.param("a: 1\nb: !!map text\n", 2, id="a text that says it is a mapping"),
        pytest.param(b"a: 1\nb: \xff\xfe\n", 2, id="bytes that are not UTF-8"),
        pytest.param("a: 1\nb: \x07\n", 2, id="a control character"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(tmp_path: Path, text: str | bytes, line: int) -> None:
    assert refusal(written(tmp_path, text)).startswith(f"some.yaml:{line}: ")


def test_the_reason_that_the_yaml_reader_gives_is_passed_on(tmp_path: Path) -> None:
    assert "mapping values are not allowed" in refusal(written(tmp_path, "a: b: c\n"))


# --- lines


TEXT = """\
# a comment
id: x
list:
  - first
  - key: 1
    other: 2
  - [a,
     b]
deep: {a: {b: 1},
  c: 3}
7: seven
"""


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ((), 1),
        (("id",), 2),
        (("list",), 3),
        (("list", 0), 4),
        (("list", 1), 5),
        (("list", 1, "key"), 5),
        (("list", 1, "other"), 6),
        (("list", 2), 7),
        (("list", 2, 1), 8),
        (("deep",), 9),
        (("deep", "a", "b"), 9),
        (("deep", "c"), 10),
        ((7,), 11),
        (("7",), 11),
        # as deep as the file goes
        (("nowhere",), 1),
        (("list", 3), 3),
        (("list", "key"), 3),
        (("list", 1, "nowhere", "deeper"), 5),
        (("id", "deeper"), 2),
        (("id", 0), 2),
        (("line 5",), 5),
    ],
)
def test_a_place_is_told_as_the_line_of_its_deepest_key(
    tmp_path: Path, where: tuple[str | int, ...], line: int
) -> None:
    file = written(tmp_path, TEXT)
    assert line_of(file, where) == line
    assert str(Problem(file, where, "wrong")) == f"{file}:{line}: wrong"


def test_a_place_in_an_empty_file_is_its_first_line(tmp_path: Path) -> None:
    assert line_of(written(tmp_path, ""), ("id",)) == 1


def test_problems_are_told_once_each_in_the_order_of_files_and_places(tmp_path: Path) -> None:
    one, two = tmp_path / "a.yaml", tmp_path / "b.yaml"
    for file in (one, two):
        file.write_text("k: 1\nl: 2\n")
    found = [Problem(two, ("k",), "third"), Problem(one, ("l",), "second"), Problem(one, ("k",), "first")]
    error = KnowledgeError([*found, found[0]])
    assert str(error) == f"{one}:1: first\n{one}:2: second\n{two}:1: third"
    assert [problem.message for problem in error.problems] == ["first", "second", "third"]


# --- records


def test_a_record_that_is_right_is_built_and_nothing_is_noted(tmp_path: Path) -> None:
    problems: list[Problem] = []
    record = build(tmp_path, ("pulse",), ObservationSchema(), {"label": "Pulse", "values": ["fast"]}, problems)
    assert (record.label, record.values, problems) == ("Pulse", ("fast",), [])


def test_every_fault_of_a_record_is_noted_at_its_place(tmp_path: Path) -> None:
    problems: list[Problem] = [Problem(tmp_path, (), "an earlier one")]
    data = {"label": 3, "plausible": [1, "x"], "colour": "red"}
    assert build(tmp_path, ("pulse",), ObservationSchema(), data, problems) is None
    assert set(problems) == {
        Problem(tmp_path, (), "an earlier one"),
        Problem(tmp_path, ("pulse", "label"), "Not a valid string."),
        Problem(tmp_path, ("pulse", "plausible", 1), "expected a number"),
        Problem(tmp_path, ("pulse", "colour"), "Unknown field."),
    }


def test_a_fault_of_a_whole_record_is_noted_at_the_record(tmp_path: Path) -> None:
    problems: list[Problem] = []
    build(tmp_path, ("pulse",), ObservationSchema(), {"label": "Pulse"}, problems)
    build(tmp_path, ("temperature",), ObservationSchema(), ["label"], problems)
    assert [problem.where for problem in problems] == [("pulse",), ("temperature",)]
    assert "either a plausible range or coded values" in problems[0].message


def test_a_fault_in_a_table_by_name_is_noted_under_the_name(tmp_path: Path) -> None:
    problems: list[Problem] = []
    data = {"items": [{"name": "a", "word": "b"}], "range": [0, 1], "bands": {"low": [0], "high": ["x", 2]}}
    build(tmp_path, ("score",), ScoreSchema(), data, problems)
    assert {problem.where for problem in problems} == {("score", "bands", "low"), ("score", "bands", "high", 0)}


def test_a_fault_in_a_field_called_value_is_told_at_its_own_line(tmp_path: Path) -> None:
    old = "    - {name: fever, points: 2, word: fever}\n"
    write_knowledge(
        tmp_path, **edited(("vocabulary/scores.yaml", old, f"{old}    - name: pulse\n      value: maybe\n"))
    )
    line = line_with(tmp_path / "vocabulary/scores.yaml", "value: maybe")
    assert complaints(tmp_path) == [f"vocabulary/scores.yaml:{line}: Not a valid boolean."]


# --- the files of a knowledge base


@pytest.mark.parametrize(
    ("name", "old", "new", "at", "message"),
    [
        pytest.param(FINDINGS, "kind: examination", "kind: guess", "guess", None, id="findings"),
        pytest.param("vocabulary/observations.yaml", "plausible: [20, 250]", "plausible: [20]", "[20]", None, id="obs"),
        pytest.param(
            "vocabulary/derived.yaml", "{any: [fever, chills]}", "{source: none}", "none}", None, id="derived"
        ),
        pytest.param(
            "references.yaml", "{citation: A guideline 2021}", "{citation: A}", "{citation: A}", None, id="refs"
        ),
        pytest.param(FLAG, "review: draft", "review: maybe", "maybe", None, id="urgency rule"),
        pytest.param(FLAG, "urgency: urgent_same_day", "urgency: soon", "soon", None, id="level"),
        pytest.param("treatments/ibuprofen_tablets.yaml", "rung: 1", "rung: 7", "rung: 7", None, id="treatment"),
        pytest.param("safety/anti_inflammatory.yaml", "severity: major", "severity: huge", "huge", None, id="safety"),
        pytest.param("pathways/spinal_infection.yaml", "within: Hours", "within: 4", "within: 4", None, id="pathway"),
        pytest.param(
            "advice/do_not.yaml", "title: Bed rest", "titel: Bed rest", "titel", "Unknown field.", id="do-not"
        ),
        pytest.param(RUNGS, "rung: 0, title: Self-care", "rung: -1, title: Self-care", "-1", None, id="rungs"),
        pytest.param(DEFAULT, "level: self_care", "level: soon", "soon", None, id="default policy"),
        pytest.param("policy.yaml", "dependence_factor: 0.5", "dependence_factor: half", "half", None, id="policy"),
        pytest.param("conditions/plain_strain.yaml", "grade: A", "grade: E", "grade: E", None, id="condition"),
    ],
)
def test_a_field_that_its_schema_refuses_is_told_with_file_and_line(
    tmp_path: Path, name: str, old: str, new: str, at: str, message: str | None
) -> None:
    write_knowledge(tmp_path, **edited((name, old, new)))
    place = f"{name}:{line_with(tmp_path / name, at)}: "
    told = [complaint for complaint in complaints(tmp_path) if complaint.startswith(place)]
    assert len(told) == 1
    assert message is None or told == [place + message]


def test_an_id_that_is_not_the_name_of_its_file_is_refused(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **edited((FLAG, "id: suspected_infection", "# the name\nid: other")))
    assert complaints(tmp_path) == [f"{FLAG}:2: the id 'other' is not the name of the file"]


@pytest.mark.parametrize(
    ("name", "again"),
    [
        pytest.param(DRUGS, "nsaid: {label: Again, kind: class, classes: []}\n", id="table"),
        pytest.param(FLAG, "row: E-02\n", id="rule"),
    ],
)
def test_a_key_that_stands_twice_in_a_knowledge_base_is_refused(tmp_path: Path, name: str, again: str) -> None:
    key = again.partition(":")[0]
    line = KNOWLEDGE[name][: KNOWLEDGE[name].index(f"\n{key}:") + 1].count("\n") + 1
    write_knowledge(tmp_path, **{name: KNOWLEDGE[name] + again})
    assert complaints(tmp_path) == [f"{name}:{line}: the key {key!r} stands twice"]


SHAPES = [FINDINGS, "references.yaml", FLAG, "advice/do_not.yaml", RUNGS, DEFAULT, "policy.yaml"]
"""One file of each shape."""


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("text", ["# nothing\n", "some words\n"])
def test_a_file_of_another_shape_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    write_knowledge(tmp_path, **{name: text})
    assert any(complaint.startswith(f"{name}:1: ") for complaint in complaints(tmp_path))


@pytest.mark.parametrize("name", [name for name in SHAPES if name != FLAG])
def test_a_file_that_is_missing_is_refused_by_name(tmp_path: Path, name: str) -> None:
    write_knowledge(tmp_path, **{name: None})
    assert f"{name}:1: the file is missing" in complaints(tmp_path)


@pytest.mark.parametrize("folder", ["red_flags", "safety", "treatments", "pathways"])
def test_a_folder_of_rules_that_is_missing_is_refused_by_name(tmp_path: Path, folder: str) -> None:
    write_knowledge(tmp_path, **{name: None for name in KNOWLEDGE if name.startswith(folder)})
    assert any(complaint.startswith(folder) for complaint in complaints(tmp_path))


def test_a_list_that_stands_under_another_key_is_refused_by_name(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **edited((RUNGS, "rungs:\n", "steps:\n")))
    assert any(complaint.startswith(f"{RUNGS}:1: ") for complaint in complaints(tmp_path))


@pytest.mark.parametrize("name", ["red_flags/forgotten.yml", "red_flags/new/forgotten.yaml", "forgotten.yaml"])
def test_a_rule_file_that_no_loader_reads_is_not_left_out_in_silence(tmp_path: Path, name: str) -> None:
    text = KNOWLEDGE[FLAG].replace("id: suspected_infection", "id: forgotten")
    write_knowledge(tmp_path, **{name: text})
    assert any(complaint.startswith(f"{name}:1: ") for complaint in complaints(tmp_path))


def test_faults_of_several_files_are_told_together(tmp_path: Path) -> None:
    changes = [
        ("pathways/spinal_infection.yaml", "row: A1", "row: 1"),
        ("safety/anti_inflammatory.yaml", "id: anti_inflammatory", "id: other"),
    ]
    write_knowledge(tmp_path, **edited(*changes), **without("advice/do_not.yaml", "  title: Bed rest\n", "  treatment"))
    assert complaints(tmp_path) == [
        "advice/do_not.yaml:1: Missing data for required field.",
        "pathways/spinal_infection.yaml:2: Not a valid string.",
        "safety/anti_inflammatory.yaml:1: the id 'other' is not the name of the file",
    ]


@pytest.mark.parametrize("enabled", [True, False])
def test_loading_leaves_the_garbage_collector_as_it_was(tmp_path: Path, enabled: bool) -> None:
    folder = write_knowledge(tmp_path)
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        rules.load(folder)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
