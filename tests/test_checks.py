"""Wrong knowledge does not start: one mistake at a time in a small knowledge base, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from rules import checks
from rules.knowledge import Knowledge
from rules.logic import antecedents
from schemas.parts import Line, Term, parse_line
from tests.support import KNOWLEDGE, Edit, complaints, edited, line_with, without, write_knowledge

FINDINGS, DERIVED, SCORES = (f"vocabulary/{name}.yaml" for name in ("findings", "derived", "scores"))
MUST_ASK, LEVELS, DRUGS = (f"vocabulary/{name}.yaml" for name in ("must_ask", "levels", "medications"))
TRIED = "vocabulary/treatment_groups.yaml"
STRAIN, INFECTION = "conditions/plain_strain.yaml", "conditions/spinal_infection.yaml"
FLAG, PATTERN = "red_flags/suspected_infection.yaml", "patterns/sick_pattern.yaml"
TREATMENT, SAFETY = "treatments/ibuprofen_tablets.yaml", "safety/anti_inflammatory.yaml"
PATHWAY, DO_NOT = "pathways/spinal_infection.yaml", "advice/do_not.yaml"
RUNGS, DEFAULT, POLICY = "rungs.yaml", "default_urgency.yaml", "policy.yaml"


def refused(folder: Path, edit: Edit, message: str, at: str) -> None:
    """The knowledge is refused for this one reason, at the line that holds the text `at`."""
    write_knowledge(folder, **edited(edit))
    file = edit[0]
    assert complaints(folder) == [f"{file}:{line_with(folder / file, at)}: {message}"]


def accepted(folder: Path, *edits: Edit) -> Knowledge:
    """The knowledge with these edits loads."""
    return rules.load(write_knowledge(folder, **edited(*edits)))


def case(name: str, *values: object) -> Any:
    """One row of a table, with a name that a reader of the report understands."""
    return pytest.param(*values, id=name)


def test_the_small_knowledge_base_loads(small_knowledge: Knowledge) -> None:
    assert list(small_knowledge.conditions) == ["plain_strain", "spinal_infection"]
    assert list(small_knowledge.red_flags) == ["suspected_infection"]
    assert [rule.id for sheet in small_knowledge.safety.values() for rule in sheet.rules] == ["X001", "X002"]


# --- names that point to nothing: many such mistakes fit into one knowledge base, since all are told at once


class Mistake(NamedTuple):
    """A passage of a file replaced by one that names something unknown, and what is said about that name."""

    kind: str
    file: str
    old: str
    new: str
    name: str
    message: str


def word(kind: str, file: str, old: str, new: str, name: str = "nowhere") -> Mistake:
    return Mistake(kind, file, old, new, name, f"unknown word {name!r}")


UNKNOWN_WORDS = [
    word("finding implied by", FINDINGS, "implied_by: [rigors]", "implied_by: [nowhere]"),
    word("finding implied by a derived word", FINDINGS, "implied_by: [rigors]", "implied_by: [very_sick]", "very_sick"),
    word("finding clears", FINDINGS, "absent_clears: [rigors]", "absent_clears: [nowhere]"),
    word("finding contradicts", FINDINGS, "[pain_worsening]", "[nowhere]"),
    word("finding also present", FINDINGS, "if: temperature_raised", "if: nowhere"),
    word("finding also absent", FINDINGS, "if: temperature_normal", "if: nowhere"),
    word("finding prompted by", FINDINGS, "prompted_by: long_episode", "prompted_by: nowhere"),
    word("derived any", DERIVED, "{any: [fever, chills]}", "{any: [fever, nowhere]}"),
    word("derived all", DERIVED, "all: [saddle_numbness,", "all: [nowhere,"),
    word("derived count", DERIVED, "{absent: stiffness}", "{absent: nowhere}"),
    word("derived gate", DERIVED, "applies_if: older", "applies_if: nowhere"),
    word(
        "derived drug",
        DERIVED,
        "'medication_class:anticoagulant'",
        "'medication_class:nowhere'",
        "medication_class:nowhere",
    ),
    word("derived allergy", DERIVED, "'allergy:latex'", "'allergy:nowhere'", "allergy:nowhere"),
    word("derived trial, which no list holds", DERIVED, "'allergy:latex'", "'tried:tablets_any'", "tried:tablets_any"),
    word("derived score", DERIVED, "score: ward_score", "score: nowhere"),
    word("derived reads a pattern", DERIVED, "{absent: stiffness}", "looks_sick", "looks_sick"),
    word("derived switches off", DERIVED, "{any: [fever, chills]}", "{any: [fever, chills], switches_off: [nowhere]}"),
    word("score item", SCORES, "word: fever}", "word: nowhere}"),
    word("score item one of", SCORES, "word: stiffness}", "word: nowhere}"),
    word("score gate", SCORES, "  range:", "  applies_if: nowhere\n  range:"),
    word("score switches off", SCORES, "  range:", "  switches_off: [nowhere]\n  range:"),
    word("must-ask finding", MUST_ASK, "findings: [saddle_numbness]", "findings: [nowhere]"),
    word("must-ask derived", MUST_ASK, "  applies_if:", "  derived: [nowhere]\n  applies_if:"),
    word("must-ask gate", MUST_ASK, "applies_if: older", "applies_if: nowhere"),
    word("urgency word", FLAG, "- [fever, pain_worsening", "- [fever, nowhere"),
    word("urgency exclusion", FLAG, "{unless: recent_vaccine}", "{unless: nowhere}"),
    word("urgency count", FLAG, "of: [rigors, saddle_numbness", "of: [rigors, nowhere"),
    word("urgency not alone", FLAG, "not_alone: [fever]", "not_alone: [nowhere]"),
    word("urgency must-ask", FLAG, "'unknown:F-01'", "'unknown:F-99'", "unknown:F-99"),
    word("urgency bare score", FLAG, "- [fever, pain_worsening", "- [fever, ward_score", "ward_score"),
    word("urgency score band", FLAG, "- [fever, pain_worsening", "- [fever, 'ward_score:middle'", "ward_score:middle"),
    word("urgency kind", FLAG, "'unknown:F-01'", "'drug:warfarin'", "drug:warfarin"),
    word("urgency empty name", FLAG, "'unknown:F-01'", "'unknown:'", "unknown:"),
    word("pattern word", PATTERN, "- [fever, chills]", "- [fever, nowhere]"),
    word("offer", TREATMENT, "'failed:tablets_any'", "'failed:nowhere'", "failed:nowhere"),
    word("do-not", DO_NOT, "'condition:plain_strain'", "'condition:nowhere'", "condition:nowhere"),
    word("work-up", INFECTION, "- [fever, 'condition", "- [nowhere, 'condition"),
    word(
        "safety drug class",
        SAFETY,
        "'medication_class:anticoagulant'",
        "'medication_class:nowhere'",
        "medication_class:nowhere",
    ),
    word("safety drug", SAFETY, "'medication_class:anticoagulant'", "'medication:latex'", "medication:latex"),
    word("safety allergy", SAFETY, "'allergy_class:nsaid'", "'allergy:nowhere'", "allergy:nowhere"),
    word("safety suspect", SAFETY, "'allergy_class:nsaid'", "'suspected:nowhere'", "suspected:nowhere"),
    word("safety trial", SAFETY, "'tried:ibuprofen_tablets'", "'tried:ibuprofen'", "tried:ibuprofen"),
    word("safety need", SAFETY, "{finding: fever", "{finding: nowhere"),
    word("safety need known by", SAFETY, "[infection_signs]", "[nowhere]"),
    word("safety need applies", SAFETY, "applies: older", "applies: nowhere"),
    word("frequency", INFECTION, "  stiffness: {f: 0.6", "  nowhere: {f: 0.6"),
    word("published", INFECTION, "- {word: fever, lr_", "- {word: nowhere, lr_"),
    word("prior modifier", INFECTION, "{word: chills, factor", "{word: nowhere, factor"),
    word("default policy any", DEFAULT, "any_of: [long_episode]", "any_of: [nowhere]"),
    word("default policy all", DEFAULT, "all_of: [older]", "all_of: [nowhere]"),
    word("policy scope", POLICY, "outside_scope: older", "outside_scope: nowhere"),
    word("policy proxy", POLICY, "proxy_unknown: [saddle_numbness]", "proxy_unknown: [nowhere]"),
    word("policy remote", POLICY, "cannot_clear: [fever]", "cannot_clear: [nowhere]"),
]


def reference(kind: str, file: str, old: str, new: str) -> Mistake:
    return Mistake(kind, file, old, new, "lost_2001", "no such reference 'lost_2001' in references.yaml")


LOST_REFERENCES = [
    reference("urgency rule", FLAG, "[paper, guideline]", "[paper, lost_2001]"),
    reference("pattern", PATTERN, "[paper]", "[lost_2001]"),
    reference("treatment", TREATMENT, "[paper]", "[lost_2001]"),
    reference("pathway", PATHWAY, "[guideline]", "[lost_2001]"),
    reference("first safety rule", SAFETY, "[guideline]", "[lost_2001]"),
    reference("second safety rule", SAFETY, "[paper]", "[lost_2001]"),
    reference("do-not row", DO_NOT, "[paper]", "[lost_2001]"),
    reference("default policy", DEFAULT, "[paper]", "[lost_2001]"),
    reference(
        "rung",
        RUNGS,
        "In pain, evidence_status: verified, references: [paper]",
        "In pain, evidence_status: verified, references: [lost_2001]",
    ),
    reference("policy", POLICY, "[paper]", "[lost_2001]"),
    reference("prior", STRAIN, "[paper]\nfrequencies", "[lost_2001]\nfrequencies"),
    reference("prior modifier", INFECTION, "recalled, references: [guideline]", "recalled, references: [lost_2001]"),
    reference(
        "frequency", INFECTION, "source: a series, references: [paper]", "source: a series, references: [lost_2001]"
    ),
    reference(
        "published",
        INFECTION,
        "lr_present: 20, grade: A, evidence_status: verified, references: [paper]",
        "lr_present: 20, grade: A, evidence_status: verified, references: [lost_2001]",
    ),
    reference(
        "course",
        INFECTION,
        "treatment., evidence_status: verified, references: [guideline]",
        "treatment., evidence_status: verified, references: [lost_2001]",
    ),
    reference("work-up", INFECTION, "    references: [guideline]", "    references: [lost_2001]"),
    reference(
        "code",
        INFECTION,
        "title: Osteomyelitis of vertebra, references: [paper]",
        "title: Osteomyelitis of vertebra, references: [lost_2001]",
    ),
]


def target(kind: str, file: str, old: str, new: str, what: str) -> Mistake:
    return Mistake(kind, file, old, new, "lost", f"unknown {what} 'lost'")


LOST_IDS = [
    target("finding's group", FINDINGS, "  group: infection", "  group: lost", "correlated group"),
    target(
        "finding's other group",
        FINDINGS,
        "  groups_also: [infection]",
        "  group: infection\n  groups_also: [lost]",
        "correlated group",
    ),
    target("derived word's group", DERIVED, "group: age", "group: lost", "correlated group"),
    target("score's group", SCORES, "  range:", "  group: lost\n  range:", "correlated group"),
    target("derived word's field", DERIVED, "from: patient.age_years", "from: lost", "field"),
    target(
        "second field of a difference",
        DERIVED,
        "{from: episode.duration_days,",
        "{difference: [observations.pulse, lost],",
        "field",
    ),
    target("score item's field", SCORES, "from: observations.pulse", "from: lost", "field"),
    target("safety need's field", SAFETY, "{field: medications", "{field: lost", "field"),
    target("gated level", MUST_ASK, "gates: [routine]", "gates: [lost]", "urgency level"),
    target("level held", POLICY, "hold_levels: [emergency]", "hold_levels: [lost]", "urgency level"),
    target(
        "must-ask of a level",
        LEVELS,
        "must_be_answered: [F-01, F-02]",
        "must_be_answered: [F-01, lost]",
        "must-ask item",
    ),
    target(
        "must-ask of a level where it applies",
        LEVELS,
        "if_applicable: [F-02]",
        "if_applicable: [lost]",
        "must-ask item",
    ),
    target("must-ask cleared together", POLICY, "rest_of: [F-01]", "rest_of: [lost]", "must-ask item"),
    target("drug's class", DRUGS, "classes: [coumarin]", "classes: [lost]", "medication class"),
    target("drug given", TREATMENT, "drugs: [ibuprofen]", "drugs: [lost]", "medication"),
    target("class given once", POLICY, "one_at_a_time: [nsaid]", "one_at_a_time: [lost]", "medication"),
    target("suspect", FLAG, "suspects: [spinal_infection]", "suspects: [lost]", "condition"),
    target("condition treated", TREATMENT, "conditions: [plain_strain]", "conditions: [lost]", "condition"),
    target("condition of a pathway", PATHWAY, "conditions: [spinal_infection]", "conditions: [lost]", "condition"),
    target("alternative", TREATMENT, "alternatives: [tablets_any]", "alternatives: [lost]", "treatment"),
    target(
        "treatments of a safety file",
        SAFETY,
        "treatments: [ibuprofen_tablets]\nneeds",
        "treatments: [lost]\nneeds",
        "treatment",
    ),
    target(
        "treatments of a safety rule",
        SAFETY,
        "    treatments: [ibuprofen_tablets]",
        "    treatments: [lost]",
        "treatment",
    ),
    target(
        "treatments of a safety need",
        SAFETY,
        'Which medicines are taken?"}',
        'Which medicines are taken?", treatments: [lost]}',
        "treatment",
    ),
    target("treatments covered by a group", TRIED, "[ibuprofen_tablets]", "[lost]", "treatment"),
    target("treatment tried", DERIVED, "treatment: tablets_any", "treatment: lost", "treatment"),
    target("treatments gated", MUST_ASK, "  applies_if:", "  gates_treatments: [lost]\n  applies_if:", "treatment"),
    target("treatment not to give", DO_NOT, "treatment: null", "treatment: lost", "treatment"),
    target("treatment instead", DO_NOT, "treatments: [ibuprofen_tablets]", "treatments: [lost]", "treatment"),
    target("setting assumed", POLICY, "default_setting: primary_care", "default_setting: lost", "setting"),
]


class Told(NamedTuple):
    """What should be said about a mistake, and all that is said about its file."""

    expected: str
    complaints: list[str]


def packed(mistakes: Iterable[Mistake]) -> list[tuple[list[Mistake], dict[str, str]]]:
    """As few knowledge bases as hold every mistake once, each passage still as its mistake left it."""
    bases: list[tuple[list[Mistake], dict[str, str]]] = []
    for mistake in mistakes:
        _, file, old, new, *_ = mistake
        change = edited((file, old, new))
        for held, base in bases:
            text = base[file].replace(old, new)
            if old in base[file] and all(text.count(each.new) == 1 for each in (*held, mistake) if each.file == file):
                held.append(mistake)
                base[file] = text
                break
        else:
            bases.append(([mistake], {**KNOWLEDGE, **change}))
    return bases


def expected(mistake: Mistake, text: str) -> str:
    """The complaint about a mistake: its line is the one on which the wrong name stands."""
    before = text[: text.index(mistake.new) + mistake.new.index(mistake.name)].splitlines()
    return f"{mistake.file}:{len(before)}: {mistake.message}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[Mistake, Told]:
    found: dict[Mistake, Told] = {}
    for held, base in packed([*UNKNOWN_WORDS, *LOST_REFERENCES, *LOST_IDS]):
        said = complaints(write_knowledge(tmp_path_factory.mktemp("mistakes"), **base))
        for mistake in held:
            of_file = [complaint for complaint in said if complaint.startswith(f"{mistake.file}:")]
            found[mistake] = Told(expected(mistake, base[mistake.file]), of_file)
    return found


def _kind(mistake: Mistake) -> str:
    return mistake.kind


@pytest.mark.parametrize("mistake", UNKNOWN_WORDS, ids=_kind)
def test_an_unknown_word_is_refused_wherever_it_stands(told: dict[Mistake, Told], mistake: Mistake) -> None:
    assert told[mistake].expected in told[mistake].complaints


@pytest.mark.parametrize("mistake", LOST_REFERENCES, ids=_kind)
def test_a_reference_that_is_not_in_the_bibliography_is_refused_wherever_it_stands(
    told: dict[Mistake, Told], mistake: Mistake
) -> None:
    assert told[mistake].expected in told[mistake].complaints


@pytest.mark.parametrize("mistake", LOST_IDS, ids=_kind)
def test_an_id_that_points_to_nothing_is_refused_wherever_it_stands(
    told: dict[Mistake, Told], mistake: Mistake
) -> None:
    assert told[mistake].expected in told[mistake].complaints


def test_nothing_is_said_about_what_is_right(told: dict[Mistake, Told]) -> None:
    mistakes = {each.expected for each in told.values()}
    assert {complaint for each in told.values() for complaint in each.complaints} <= mistakes


# --- words


def test_every_kind_of_word_that_exists_may_stand_in_a_rule(tmp_path: Path) -> None:
    words = [
        *("fever", "older", "ward_score:high", "looks_sick"),
        *("medication:warfarin", "medication:anticoagulant", "medication_class:anticoagulant"),
        *("allergy:warfarin", "allergy:latex", "allergy_class:nsaid", "allergy_class:latex"),
        *("tried:tablets_any", "tried:ibuprofen_tablets", "failed:tablets_any", "failed:ibuprofen_tablets"),
        *("unknown:F-02", "condition:plain_strain", "suspected:spinal_infection"),
    ]
    lines = "".join(f", ['{word}', never_vaccinated]" for word in words)
    knowledge = accepted(tmp_path, (SAFETY, "[['allergy_class:nsaid']", f"[['allergy_class:nsaid']{lines}"))
    assert {*words} <= {word for line in knowledge.safety_rules["X002"][0].when for word in line.words}


def test_an_id_in_two_vocabulary_files_is_refused_where_it_stands_again(tmp_path: Path) -> None:
    again = "older: {from: patient.age_years, at_least: 65, group: age}\n"
    edit = (DERIVED, again, f"{again}stiffness: {{any: [fever]}}\n")
    refused(tmp_path, edit, "the id 'stiffness' stands in two vocabulary files", at="stiffness: {any")


@pytest.mark.parametrize(
    ("edit", "at"),
    [
        case("score", (SCORES, "ward_score:\n", "stiffness:\n"), "stiffness:"),
        case("not coded", ("vocabulary/not_coded.yaml", "old_score:", "stiffness:"), "stiffness:"),
    ],
)
def test_an_id_that_is_a_finding_and_something_else_is_told_in_the_other_file(
    tmp_path: Path, edit: Edit, at: str
) -> None:
    name = edit[0]
    write_knowledge(tmp_path, **edited(edit))
    told = "the id 'stiffness' stands in two vocabulary files"
    assert f"{name}:{line_with(tmp_path / name, at)}: {told}" in complaints(tmp_path)


def test_words_may_be_made_of_words_that_are_made_of_words(tmp_path: Path) -> None:
    assert accepted(
        tmp_path,
        (DERIVED, "{any: [fever, chills]}", "{any: [fever, chills, very_sick]}"),
        (DERIVED, "{absent: stiffness}", "infection_signs"),
    )


@pytest.mark.parametrize(
    ("edits", "file", "circle"),
    [
        case(
            "derived",
            [
                (DERIVED, "{any: [fever, chills]}", "{any: [fever, two_signs]}"),
                (DERIVED, "{absent: stiffness}", "infection_signs"),
            ],
            DERIVED,
            {"infection_signs", "two_signs"},
        ),
        case(
            "a score that counts itself",
            [(SCORES, "word: stiffness}", "word: very_sick}")],
            DERIVED,
            {"ward_score", "very_sick"},
        ),
        case(
            "findings",
            [(FINDINGS, "  groups_also: [infection]\n", "  implied_by: [chills]\n")],
            FINDINGS,
            {"chills", "rigors"},
        ),
        case(
            "one finding",
            [(FINDINGS, "implied_by: [urinary_retention]", "implied_by: [bladder_change]")],
            FINDINGS,
            {"bladder_change"},
        ),
    ],
)
def test_a_circle_of_definitions_is_refused_at_one_of_its_words(
    tmp_path: Path, edits: list[Edit], file: str, circle: set[str]
) -> None:
    with pytest.raises(rules.KnowledgeError) as caught:
        accepted(tmp_path, *edits)
    (told,) = str(caught.value).splitlines()
    place, _, named = told.removeprefix(f"{tmp_path}/").partition(": words define one another in a circle: ")
    assert {*named.split(" -> ")} == circle
    name, _, line = place.partition(":")
    assert name == file
    text = (tmp_path / file).read_text().splitlines()[int(line) - 1]
    assert text.partition(":")[0] in circle


def test_a_code_that_a_score_does_not_count_is_refused(tmp_path: Path) -> None:
    """A request may send it, and the score could not be added up."""
    write_knowledge(tmp_path, **edited((SCORES, "codes: {alert: 0, drowsy: 1}", "codes: {alert: 0}")))
    line = line_with(tmp_path / SCORES, "codes: {alert: 0}")
    assert [told.partition(": ")[0] for told in complaints(tmp_path)] == [f"{SCORES}:{line}"]


# --- the rule language


def test_an_urgency_rule_that_reads_absent_is_refused(tmp_path: Path) -> None:
    edit = (FLAG, "  - ['unknown:F-01', infection", "  - [chills, {absent: stiffness}]\n  - ['unknown:F-01', infection")
    message = "an urgency rule never reads `absent`: write {unless: word}"
    refused(tmp_path, edit, message, at="{absent: stiffness}")


def test_any_other_rule_may_read_absent(tmp_path: Path) -> None:
    assert accepted(
        tmp_path,
        (PATTERN, "- [fever, chills]", "- [fever, chills]\n  - [older, {absent: stiffness}]"),
        (SAFETY, "[['allergy_class:nsaid']", "[['allergy_class:nsaid'], [{absent: stiffness}]"),
    )


@pytest.mark.parametrize(
    "edit",
    [
        case("urgency", (FLAG, "- [fever, pain_worsening,", "- [fever, 'condition:plain_strain',")),
        case("pattern", (PATTERN, "- [fever, chills]", "- [fever, 'condition:plain_strain']")),
        case("suspicion", (FLAG, "- [fever, pain_worsening,", "- [fever, 'suspected:plain_strain',")),
    ],
)
def test_a_rule_that_runs_before_the_diagnosis_may_not_read_it(tmp_path: Path, edit: Edit) -> None:
    message = "a condition leads or is suspected only after diagnosis; this rule runs before"
    refused(tmp_path, edit, message, at=":plain_strain")


TWELVE = (
    "[fever, rigors, chills, urinary_retention, bladder_change, saddle_numbness, pain_improving, pain_worsening,"
    " recent_vaccine, stiffness, older, long_episode]"
)


def test_a_line_that_stands_for_too_many_combinations_is_refused(tmp_path: Path) -> None:
    # 12 over 5 = 792
    edit = (FLAG, "{n: 2, of: [rigors, saddle_numbness, older]}", f"{{n: 5, of: {TWELVE}}}")
    message = "stands for 792 combinations, at most 600: name a derived word instead"
    refused(tmp_path, edit, message, at="{n: 5")


@pytest.mark.parametrize(
    "edit",
    [
        case("pattern", (PATTERN, "  - [fever, chills]\n", f"  - [{{at_least: {{n: 5, of: {TWELVE}}}}}]\n")),
        case(
            "second offer",
            (TREATMENT, "when: [['condition:plain_strain']]}", f"when: [[{{at_least: {{n: 5, of: {TWELVE}}}}}]]}}"),
        ),
        case("do-not", (DO_NOT, "    - ['condition:plain_strain']", f"    - [{{at_least: {{n: 5, of: {TWELVE}}}}}]")),
        case(
            "work-up",
            (INFECTION, "      - [fever, 'condition:", f"      - [{{at_least: {{n: 5, of: {TWELVE}}}}}, 'condition:"),
        ),
        case(
            "second safety rule",
            (SAFETY, "when: [['allergy_class:nsaid'],", f"when: [[{{at_least: {{n: 5, of: {TWELVE}}}}}],"),
        ),
    ],
)
def test_a_line_that_is_too_wide_is_told_at_its_line_in_every_kind_of_rule(tmp_path: Path, edit: Edit) -> None:
    message = "stands for 792 combinations, at most 600: name a derived word instead"
    refused(tmp_path, edit, message, at="{n: 5")


def test_a_line_that_stands_for_many_combinations_is_accepted_up_to_the_limit(tmp_path: Path) -> None:
    # 12 over 4 = 495
    knowledge = accepted(
        tmp_path, (PATTERN, "- [fever, chills]", f"- [{{at_least: {{n: 4, of: {TWELVE}}}}}]\n  - [fever, chills]")
    )
    assert len(knowledge.rules["patterns"]) == 495 - 45 + 1  # [fever, chills] covers 10 over 2 of them


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[{unless: fever}]", "a line needs a word; an exclusion alone never fires"),
        ("[]", "a line of `when` is a list with at least one part"),
        ("fever", "a line of `when` is a list with at least one part"),
        ("[{nor: fever}]", "expected a word or {absent: word}, found {'nor': 'fever'}"),
        (
            "[{at_least: {n: 3, of: [fever, chills]}}]",
            "expected {n: 1.., of: [different words]}, found {'n': 3, 'of': ['fever', 'chills']}",
        ),
    ],
)
def test_a_line_outside_the_rule_language_is_refused_at_its_own_line(tmp_path: Path, line: str, message: str) -> None:
    mark = "  # wrong"
    edit = (
        FLAG,
        "  - ['unknown:F-01', infection_signs]\n",
        f"  - {line}{mark}\n  - ['unknown:F-01', infection_signs]\n",
    )
    refused(tmp_path, edit, message, at=mark)


def test_a_pattern_that_concludes_a_word_of_the_vocabulary_is_refused(tmp_path: Path) -> None:
    for word in ("stiffness", "older"):
        edit = (PATTERN, "{finding: looks_sick}", f"{{finding: {word}}}")
        refused(tmp_path, edit, f"{word!r} is already a word of the vocabulary", at="then:")


def test_a_pattern_that_reads_another_pattern_is_refused(tmp_path: Path) -> None:
    edit = (PATTERN, "  - [fever, chills]\n", "  - [fever, chills]\n  - [older, looks_sick]\n")
    refused(tmp_path, edit, "a pattern reads the vocabulary, not another pattern", at="[older, looks_sick]")


def test_an_urgency_rule_may_read_what_a_pattern_concludes(tmp_path: Path) -> None:
    knowledge = accepted(
        tmp_path,
        (FLAG, "  - ['unknown:F-01', infection_signs]\n", "  - [looks_sick]\n  - ['unknown:F-01', infection_signs]\n"),
        (FLAG, "    - {rigors: present, p", "    - {fever: present, chills: present}\n    - {rigors: present, p"),
    )
    assert frozenset({"looks_sick"}) in knowledge.rules["urgency"]


# --- references


# --- ids that point to nothing


def test_a_level_that_a_rule_sets_must_be_in_the_table_of_levels(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **without(LEVELS, "urgent_same_day:", "urgent_2_weeks:"))
    line = line_with(tmp_path / FLAG, "urgency: urgent_same_day")
    assert f"{FLAG}:{line}: unknown urgency level 'urgent_same_day'" in complaints(tmp_path)


# --- ids that stand twice


def test_two_safety_rules_with_one_id_are_both_told(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **edited((SAFETY, "id: X002", "id: X001")))
    lines = [n for n, text in enumerate((tmp_path / SAFETY).read_text().splitlines(), 1) if "id: X001" in text]
    assert complaints(tmp_path) == [f"{SAFETY}:{line}: the id 'X001' stands twice" for line in lines]
    assert len(lines) == 2


def test_an_id_may_not_stand_in_two_safety_files(tmp_path: Path) -> None:
    other = KNOWLEDGE[SAFETY].replace("id: anti_inflammatory", "id: other").replace("id: X002", "id: X003")
    write_knowledge(tmp_path, **{"safety/other.yaml": other})
    line = line_with(tmp_path / SAFETY, "id: X001")
    assert complaints(tmp_path) == [
        f"{file}:{line}: the id 'X001' stands twice" for file in (SAFETY, "safety/other.yaml")
    ]


def test_two_do_not_rows_with_one_id_are_refused(tmp_path: Path) -> None:
    row = KNOWLEDGE[DO_NOT]
    write_knowledge(tmp_path, **{DO_NOT: row + row.replace("Bed rest", "Corset")})
    line = len(row.splitlines()) + 1
    assert complaints(tmp_path) == [f"{DO_NOT}:{line}: the id 'N01' stands twice"]


def test_two_rungs_with_one_number_are_refused(tmp_path: Path) -> None:
    edit = (RUNGS, "{rung: 1, title: Tablets", "{rung: 0, title: Tablets")
    refused(tmp_path, edit, "the rung 0 stands twice", at="Tablets")


# --- numbers of a condition


@pytest.mark.parametrize("value", ["1.01", "-0.01", "40"])
def test_a_frequency_outside_0_to_1_is_refused(tmp_path: Path, value: str) -> None:
    edit = (INFECTION, "{f: 0.4, range", f"{{f: {value}, range")
    refused(tmp_path, edit, "outside the plausible range 0 to 1", at=f"f: {value}")


@pytest.mark.parametrize("value", ["0", "1"])
def test_a_frequency_may_be_0_or_1(tmp_path: Path, value: str) -> None:
    knowledge = accepted(tmp_path, (INFECTION, "  stiffness: {f: 0.6", f"  stiffness: {{f: {value}"))
    assert knowledge.conditions["spinal_infection"].frequencies["stiffness"].f == float(value)


@pytest.mark.parametrize("value", [0.29, 0.51])
def test_a_frequency_outside_its_own_range_is_refused(tmp_path: Path, value: float) -> None:
    edit = (INFECTION, "{f: 0.4, range", f"{{f: {value}, range")
    refused(tmp_path, edit, f"frequency {value} outside its own range (0.3, 0.5)", at=f"f: {value}")


@pytest.mark.parametrize("value", [0.3, 0.5])
def test_a_frequency_may_stand_on_either_end_of_its_range(tmp_path: Path, value: float) -> None:
    assert accepted(tmp_path, (INFECTION, "{f: 0.4, range", f"{{f: {value}, range"))


def test_a_frequency_without_one_in_the_background_is_refused(tmp_path: Path) -> None:
    row = "  chills: {f: 0.4, grade: D, status: estimate, source: an estimate, references: [paper]}\n"
    edit = (INFECTION, "composites:", f"{row}composites:")
    # the row stands under `frequencies`, before `composites`
    refused(tmp_path, edit, "the background has no frequency of 'chills'", at="  chills: {f")


def test_a_background_that_is_no_condition_is_refused(tmp_path: Path) -> None:
    edit = (POLICY, "background: plain_strain", "background: lost")
    refused(tmp_path, edit, "the background has no frequencies", at="background: lost")


def test_a_background_without_frequencies_is_refused(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **without(STRAIN, "frequencies:", "published:"))
    line = line_with(tmp_path / POLICY, "background:")
    assert complaints(tmp_path) == [f"{POLICY}:{line}: the background has no frequencies"]


def test_a_background_without_a_prior_is_refused(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **without(STRAIN, "priors:", "frequencies:"))
    line = line_with(tmp_path / POLICY, "background:")
    assert complaints(tmp_path) == [f"{POLICY}:{line}: the background has no prior"]


def test_a_composite_without_a_published_row_is_refused(tmp_path: Path) -> None:
    edit = (INFECTION, "composites: ['ward_score:high']", "composites: ['ward_score:high', 'ward_score:low']")
    refused(tmp_path, edit, "'ward_score:low' has no published row", at="composites:")


def test_a_composite_with_a_frequency_is_refused(tmp_path: Path) -> None:
    edit = (INFECTION, "composites: ['ward_score:high']", "composites: ['ward_score:high', fever]")
    refused(tmp_path, edit, "'fever' has a frequency, so its ratio comes from there", at="composites:")


# --- printed ratios beside the model's: 0.4 / 0.02 = 20 when present, 0.6 / 0.98 = 0.612 when absent


TWOFOLD = "the printed ratio of 'fever' and the model's differ by more than a factor of two: say why"
PRINTED = "{word: fever, lr_present: 20, grade: A"


@pytest.mark.parametrize(
    "printed",
    [
        "lr_present: 40.1, grade: A",
        "lr_present: 9.99, grade: A",
        "lr_present: 40.1, grade: B",
        "lr_absent: 1.23, grade: A",
        "lr_absent: 0.3, grade: A",
        "lr_present: 20, lr_absent: 0.3, grade: B",
        "lr_present: 41, lr_absent: 0.6, grade: B",
        "lr_absent: 0, grade: A",
    ],
)
def test_a_printed_ratio_that_differs_more_than_twofold_needs_a_reason(tmp_path: Path, printed: str) -> None:
    refused(tmp_path, (INFECTION, PRINTED, f"{{word: fever, {printed}"), TWOFOLD, at=printed)


@pytest.mark.parametrize(
    "printed",
    [
        "lr_present: 40, grade: A",
        "lr_present: 10, grade: A",
        "lr_absent: 1.22, grade: B",
        "lr_absent: 0.31, grade: B",
        "sensitivity: 0.9, grade: A",
        "lr_present: 400, grade: C",
        "lr_present: 400, grade: D",
        "lr_present: 400, differs: other people, grade: A",
    ],
)
def test_a_printed_ratio_needs_no_reason_up_to_twofold_or_below_grade_b(tmp_path: Path, printed: str) -> None:
    assert accepted(tmp_path, (INFECTION, PRINTED, f"{{word: fever, {printed}"))


def test_only_the_first_printed_row_of_a_word_is_compared(tmp_path: Path) -> None:
    far = "  - {word: fever, lr_present: 400, grade: A, evidence_status: verified, references: [paper]}\n"
    first = "  - {word: fever, lr_present: 20,"
    assert accepted(tmp_path / "second", (INFECTION, "course:", f"{far}course:"))
    refused(tmp_path / "first", (INFECTION, first, far + first), TWOFOLD, at="lr_present: 400")


def test_a_printed_ratio_of_a_word_without_a_frequency_has_nothing_to_differ_from(tmp_path: Path) -> None:
    assert accepted(
        tmp_path,
        (
            INFECTION,
            "course:",
            "  - {word: older, lr_present: 90, grade: A, evidence_status: verified, references: [paper]}\ncourse:",
        ),
        (INFECTION, "composites:", "  # no row for older, nor for chills, which the background lacks too\ncomposites:"),
    )


@pytest.mark.parametrize(
    "edits",
    [
        # 0.4 over a background of 0.001, drawn in to 0.01 = 40; without it 400
        case("rare", [(STRAIN, "fever: {f: 0.02", "fever: {f: 0.001")]),
        # 0.99 is drawn in to 0.9: 0.1 / 0.5 = 0.2; without it 0.02
        case(
            "common",
            [
                (INFECTION, "  stiffness: {f: 0.6", "  stiffness: {f: 0.99"),
                (
                    INFECTION,
                    "course:",
                    "  - {word: stiffness, lr_absent: 0.2, grade: A, evidence_status: verified, references: [paper]}\n"
                    "course:",
                ),
            ],
        ),
    ],
)
def test_the_model_s_ratio_is_made_of_clipped_frequencies(tmp_path: Path, edits: list[Edit]) -> None:
    assert accepted(tmp_path, *edits)


# --- priors


@pytest.mark.parametrize(
    "bands",
    [
        case("gap", "[{below: 50, percent: 7}, {at_least: 51, percent: 6}]"),
        case("overlap", "[{below: 50, percent: 7}, {at_least: 49, percent: 6}]"),
        case("the young left out", "[{at_least: 18, percent: 7}]"),
        case("the old left out", "[{below: 90, percent: 7}]"),
        case("open in the middle", "[{percent: 7}, {at_least: 50, percent: 6}]"),
        case("none", "[]"),
        case(
            "upside down",
            "[{below: 50, percent: 7}, {at_least: 50, below: 40, percent: 6}, {at_least: 40, percent: 5}]",
        ),
    ],
)
def test_age_bands_that_leave_a_gap_or_overlap_are_refused(tmp_path: Path, bands: str) -> None:
    edit = (INFECTION, "primary_care: [{percent: 0.1}]", f"primary_care: {bands}")
    refused(tmp_path, edit, "the age bands leave a gap or overlap", at="primary_care:")


def test_age_bands_that_meet_are_accepted(tmp_path: Path) -> None:
    bands = "[{below: 40, percent: 1}, {at_least: 40, below: 60, percent: 2}, {at_least: 60, percent: 3}]"
    assert accepted(tmp_path, (INFECTION, "[{percent: 0.1}]", bands))


def test_a_prior_for_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    edit = (INFECTION, "    emergency: [{percent: 1}]", "    emergency: [{percent: 1}]\n    ward: [{percent: 1}]")
    refused(tmp_path, edit, "unknown setting 'ward'", at="ward: [")


def test_a_missing_setting_is_refused(tmp_path: Path) -> None:
    edit = (INFECTION, "    emergency: [{percent: 1}]\n", "")
    refused(tmp_path, edit, "no prior for the setting 'emergency'", at="settings:")


def test_a_condition_without_a_prior_needs_no_setting(tmp_path: Path) -> None:
    knowledge = rules.load(write_knowledge(tmp_path, **without(INFECTION, "priors:", "frequencies:")))
    assert [*knowledge.ranked] == ["plain_strain"]


# --- numbers and texts without which the first request would fail, or be answered wrongly


@pytest.mark.parametrize(
    ("edit", "at"),
    [
        case("no weight before all", (STRAIN, "emergency: [{percent: 50}]", "emergency: [{percent: 0}]"), "percent: 0"),
        case("a clip at 0", (POLICY, "clip: [0.01, 0.9]", "clip: [0, 0.9]"), "clip:"),
        case("a clip at 1", (POLICY, "clip: [0.01, 0.9]", "clip: [0.01, 1]"), "clip:"),
        case(
            "no word for the least likely",
            (POLICY, "{word: unlikely, at_least: 0}", "{word: unlikely, at_least: 0.1}"),
            "unlikely",
        ),
        case("a kind of treatment that is none", (POLICY, "safety: [drug]", "safety: [drgu]"), "drgu"),
        case("a floor of 0", (POLICY, "serious_floor: 0.05", "serious_floor: 0"), "serious_floor"),
        case("two levels of one rank", (LEVELS, "rank: 4", "rank: 5"), "rank: 5"),
        case(
            "a range upside down",
            ("vocabulary/observations.yaml", "plausible: [20, 250]", "plausible: [250, 20]"),
            "[250, 20]",
        ),
    ],
)
def test_a_number_that_no_request_could_be_answered_with_is_refused(tmp_path: Path, edit: Edit, at: str) -> None:
    file = edit[0]
    write_knowledge(tmp_path, **edited(edit))
    lines = [n for n, text in enumerate((tmp_path / file).read_text().splitlines(), 1) if at in text]
    told = complaints(tmp_path)
    assert len(told) == 1
    assert told[0].startswith(tuple(f"{file}:{line}: " for line in lines))


@pytest.mark.parametrize("field", ["patient.pregnancy", "treatments_tried.response"])
def test_a_field_of_the_request_that_the_table_lacks_is_refused(tmp_path: Path, field: str) -> None:
    fields = "vocabulary/fields.yaml"
    kept = [line for line in KNOWLEDGE[fields].splitlines(keepends=True) if not line.startswith(f"{field}:")]
    write_knowledge(tmp_path, **{fields: "".join(kept)})
    assert any(told.startswith(f"{fields}:") and field in told for told in complaints(tmp_path))


# --- what a rule must bring along


@pytest.mark.parametrize(
    "then",
    [case("neither", "then: {suspects: []}"), case("both", "then: {urgency: routine, notice: no_downgrade}")],
)
def test_an_urgency_rule_sets_a_level_or_gives_a_notice(tmp_path: Path, then: str) -> None:
    old = "then:\n  urgency: urgent_same_day\n  suspects: [spinal_infection]"
    refused(tmp_path, (FLAG, old, then), "a rule sets a level or gives a notice, one of the two", at="then:")


@pytest.mark.parametrize(
    "missing", ["within: Examined today\n", "disposition: Same-day clinic\n", "actions: [Blood tests]\n"]
)
def test_a_level_without_a_limit_a_place_or_an_action_is_refused(tmp_path: Path, missing: str) -> None:
    refused(tmp_path, (FLAG, missing, ""), "a level needs within, disposition and actions", at="then:")


def test_a_notice_needs_no_limit(tmp_path: Path) -> None:
    knowledge = accepted(
        tmp_path,
        (FLAG, "then:\n  urgency: urgent_same_day\n  suspects: [spinal_infection]", "then: {notice: no_downgrade}"),
        (FLAG, "within: Examined today\ndisposition: Same-day clinic\nactions: [Blood tests]\n", ""),
    )
    flag = knowledge.red_flags["suspected_infection"]
    assert (flag.urgency, flag.then.notice, flag.suspects) == (None, "no_downgrade", ())


@pytest.mark.parametrize(
    "missing",
    ["because: It eases pain a little.\n", "references: [paper]\n", "evidence_status: verified\n"],
)
def test_an_offer_without_reason_source_or_grade_is_refused(tmp_path: Path, missing: str) -> None:
    message = "an entry that is offered needs because, references, evidence_status"
    refused(tmp_path, (TREATMENT, missing, ""), message, at="offer:")


def test_a_treatment_that_is_never_offered_needs_none_of_them(tmp_path: Path) -> None:
    text = "id: ibuprofen_tablets\nrow: T01\nlabel: Ibuprofen\nrung: 1\nconditions: []\n"
    knowledge = rules.load(write_knowledge(tmp_path, **{TREATMENT: text}))
    assert knowledge.treatments["ibuprofen_tablets"].offer == ()


@pytest.mark.parametrize("condition", ["any_of: [older]", "all_of: [older]", "needs_gate: true"])
def test_a_default_policy_whose_last_entry_is_conditional_is_refused(tmp_path: Path, condition: str) -> None:
    edit = (DEFAULT, "    title: Nothing else\n", f"    title: Nothing else\n    {condition}\n")
    refused(tmp_path, edit, "the last entry must always apply", at="row: E-92")


def test_a_default_policy_without_entries_is_refused(tmp_path: Path) -> None:
    write_knowledge(tmp_path, **{DEFAULT: "# nothing\ndefault_policy: []\n"})
    assert complaints(tmp_path) == [f"{DEFAULT}:2: the last entry must always apply"]


# --- examples


def wrong(example: dict[str, Any], verb: str) -> str:
    return f"the example {verb} the rule: {example}"


@pytest.mark.parametrize(
    ("edit", "message", "at"),
    [
        case(
            "urgency rule that does not fire",
            (FLAG, "{rigors: present, patient.age_years: 65}", "{rigors: present, patient.age_years: 64}"),
            wrong({"rigors": "present", "patient.age_years": 64}, "does not fire"),
            "64",
        ),
        case(
            "urgency rule that fires",
            (FLAG, "    - {fever: present}", "    - {rigors: present, saddle_numbness: present}"),
            wrong({"rigors": "present", "saddle_numbness": "present"}, "fires"),
            "{rigors: present, saddle",
        ),
        case(
            "pattern that does not fire",
            (PATTERN, "fires: [{fever: present, chills: present}]", "fires: [{chills: present}]"),
            wrong({"chills": "present"}, "does not fire"),
            "fires: [",
        ),
        case(
            "pattern that fires",
            (PATTERN, "silent: [{fever: present}]", "silent: [{fever: present, rigors: present}]"),
            wrong({"fever": "present", "rigors": "present"}, "fires"),
            "silent: [",
        ),
        case(
            "first safety rule that does not fire",
            (SAFETY, "fires: [{medications: [warfarin]}]", "fires: [{medications: []}]"),
            wrong({"medications": []}, "does not fire"),
            "fires: [{medications",
        ),
        case(
            "second safety rule that fires",
            (SAFETY, "silent: [{allergies: [latex]}]", "silent: [{allergies: [nsaid]}]"),
            wrong({"allergies": ["nsaid"]}, "fires"),
            "silent: [{allergies",
        ),
    ],
)
def test_an_example_that_does_not_keep_its_promise_is_refused(
    tmp_path: Path, edit: Edit, message: str, at: str
) -> None:
    refused(tmp_path, edit, message, at=at)


@pytest.mark.parametrize(
    ("file", "start", "end"),
    [
        case("urgency rule, silent", FLAG, "  silent:", None),
        case("urgency rule, fires", FLAG, "  fires:", "  silent:"),
        case("pattern, silent", PATTERN, "  silent:", None),
        case("safety rule, silent", SAFETY, "      silent:", "  - id: X002"),
    ],
)
def test_a_rule_without_examples_of_both_kinds_is_refused(
    tmp_path: Path, file: str, start: str, end: str | None
) -> None:
    write_knowledge(tmp_path, **without(file, start, end))
    lines = (tmp_path / file).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.strip() == "examples:")
    assert complaints(tmp_path) == [f"{file}:{line}: Missing data for required field."]


def test_an_empty_list_of_silent_examples_is_refused(tmp_path: Path) -> None:
    edit = (PATTERN, "silent: [{fever: present}]", "silent: []")
    refused(tmp_path, edit, "Shorter than minimum length 1.", at="silent: []")


@pytest.mark.parametrize(
    ("key", "named"),
    [
        case("nothing", "nowhere: present", "nowhere"),
        case("a derived word", "older: present", "older"),
        case("an unknown measurement", "observations.nowhere: 3", "observations.nowhere"),
        case("a score band", "ward_score:high: present", "ward_score:high"),
    ],
)
def test_an_example_may_only_say_what_a_request_can_say(tmp_path: Path, key: str, named: str) -> None:
    edit = (PATTERN, "silent: [{fever: present}]", f"silent: [{{fever: present, {key}}}]")
    refused(tmp_path, edit, f"the example names {named}, which a request cannot say", at="silent:")


SILENT = "silent: [{fever: present}]"
"""The silent examples of the pattern, in whose place many can stand."""


def examples(*keys: str) -> dict[str, str]:
    """A change for write_knowledge: each of these in an example of its own that the pattern must not fire on."""
    rows = "".join(f"\n    - {{fever: absent, {key}}}" for key in keys)
    return edited((PATTERN, SILENT, f"silent:{rows}"))


UNSENDABLE = {
    "an answer misspelt": "stiffness: presnt",
    "an answer that YAML reads as a truth value": "stiffness: yes",
    "a drug misspelt": "medications: [warfrin]",
    "an allergy misspelt": "allergies: [latx]",
    "a treatment misspelt": "treatments_tried: [{treatment: tablet}]",
    "a response misspelt": "treatments_tried: [{treatment: tablets_any, response: non}]",
    "a trial without a treatment": "treatments_tried: [{weeks: 3}]",
    "a condition misspelt": "condition:plain_strian: present",
    "a code misspelt": "observations.alertness: drowzy",
    "text for a number": "patient.age_years: old",
    "a number that nobody has": "observations.temperature_c: 380",
    "a number just too low": "observations.temperature_c: 29.9",
    "a number just too high": "observations.temperature_c: 43.1",
    "a truth value for a number": "patient.age_years: yes",
    "an allergen for a drug": "medications: [latex]",
    "a drug in a list of its own": "medications: [[warfarin]]",
    "no list of drugs": "medications: null",
    "a treatment without its fields": "treatments_tried: [tablets_any]",
    "a trial with more": "treatments_tried: [{treatment: tablets_any, dose: 3}]",
    "weeks as text": "treatments_tried: [{treatment: tablets_any, weeks: three}]",
    "half a condition": "condition:plain_strain: presnt",
}


@pytest.fixture(scope="module")
def unsendable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The knowledge with an example for each, and all that is said about it."""
    folder = write_knowledge(tmp_path_factory.mktemp("unsendable"), **examples(*UNSENDABLE.values()))
    return folder, complaints(folder)


@pytest.mark.parametrize("key", UNSENDABLE.values(), ids=UNSENDABLE.keys())
def test_an_example_with_a_value_that_a_request_cannot_have_is_refused(
    unsendable: tuple[Path, list[str]], key: str
) -> None:
    folder, said = unsendable
    at = f"{PATTERN}:{line_with(folder / PATTERN, key)}: "
    (told,) = (complaint for complaint in said if complaint.startswith(at))
    assert told.startswith(f"{at}the example ")
    assert len(said) == len(UNSENDABLE)


def test_an_example_may_say_all_that_a_request_can_and_what_follows_from_it(tmp_path: Path) -> None:
    keys = (
        "stiffness: unknown",
        "observations.temperature_c: 30",
        "observations.temperature_c: 43",
        "observations.alertness: drowsy",
        "patient.sex: female",
        "medications: [warfarin, nsaid]",
        "allergies: [latex, ibuprofen]",
        "treatments_tried: [{treatment: ibuprofen_tablets, weeks: 520, response: good}, {treatment: tablets_any}]",
        "condition:plain_strain: present",
        "suspected:spinal_infection: present",
    )
    silent = rules.load(write_knowledge(tmp_path, **examples(*keys))).patterns["sick_pattern"].examples.silent
    for key, example in zip(keys, silent, strict=True):
        assert [*example] == ["fever", key.partition(": ")[0]]


ALONE = "  - ['unknown:F-01', infection_signs]\n"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        case("a finding", "[rigors]", "rigors"),
        case("a derived word", "[older]", "older"),
        case("through a word that it implies", "[chills]", "rigors"),
        case("with an exclusion that nobody mentioned", "[rigors, {unless: recent_vaccine}]", "rigors"),
        case("one of a list", "[{at_least: {n: 1, of: [stiffness, rigors]}}]", "rigors"),
        case("another kind of word", "['medication:warfarin']", "medication:warfarin"),
    ],
)
def test_a_word_that_must_not_fire_alone_but_does_is_refused(tmp_path: Path, line: str, word: str) -> None:
    text = (
        KNOWLEDGE[FLAG].replace(ALONE, f"  - {line}\n{ALONE}").replace("not_alone: [fever]", f"not_alone: ['{word}']")
    )
    write_knowledge(tmp_path, **{FLAG: text})
    at = line_with(tmp_path / FLAG, "not_alone:")
    assert complaints(tmp_path) == [f"{FLAG}:{at}: {word!r} alone fires the rule"]


def test_a_word_that_needs_company_may_be_named_as_such(tmp_path: Path) -> None:
    knowledge = accepted(tmp_path, (FLAG, "not_alone: [fever]", "not_alone: [fever, rigors, older, chills]"))
    assert knowledge.red_flags["suspected_infection"].not_alone == ("fever", "rigors", "older", "chills")


# --- how problems are told


def test_all_problems_are_told_at_once_in_the_order_of_files_and_places(tmp_path: Path) -> None:
    flag = KNOWLEDGE[FLAG].replace("[paper, guideline]", "[lost]").replace("[fever, pain_worsening", "[fever, nowhere")
    write_knowledge(tmp_path, **{FLAG: flag, **edited((DO_NOT, "[paper]", "[lost]"))})
    text = tmp_path / FLAG
    assert complaints(tmp_path) == [
        f"{DO_NOT}:{line_with(tmp_path / DO_NOT, 'lost')}: no such reference 'lost' in references.yaml",
        f"{FLAG}:{line_with(text, 'lost')}: no such reference 'lost' in references.yaml",
        f"{FLAG}:{line_with(text, 'nowhere')}: unknown word 'nowhere'",
    ]


def test_examples_are_tried_only_when_every_name_holds(tmp_path: Path) -> None:
    text = (
        KNOWLEDGE[PATTERN]
        .replace("[paper]", "[lost]")
        .replace("[{fever: present}]", "[{fever: present, chills: present}]")
    )
    write_knowledge(tmp_path, **{PATTERN: text})
    line = line_with(tmp_path / PATTERN, "lost")
    assert complaints(tmp_path) == [f"{PATTERN}:{line}: no such reference 'lost' in references.yaml"]


def test_examples_are_tried_only_when_the_rules_are_well_formed(tmp_path: Path) -> None:
    text = (
        KNOWLEDGE[PATTERN].replace("looks_sick", "older").replace("silent: [{fever", "silent: [{chills: present, fever")
    )
    write_knowledge(tmp_path, **{PATTERN: text})
    line = line_with(tmp_path / PATTERN, "then:")
    assert complaints(tmp_path) == [f"{PATTERN}:{line}: 'older' is already a word of the vocabulary"]


# --- the plain reading that examples are tried with


@pytest.mark.parametrize(
    ("example", "line", "expected"),
    [
        ({"fever": "present"}, ["fever"], True),
        ({"fever": "absent"}, ["fever"], False),
        ({"fever": "absent"}, [{"absent": "fever"}], True),
        ({"fever": "unknown"}, ["fever"], False),
        ({"fever": "unknown"}, [{"absent": "fever"}], False),
        ({}, [{"absent": "fever"}], False),
        ({"rigors": "present"}, ["chills"], True),
        ({"chills": "absent"}, [{"absent": "rigors"}], True),
        ({"observations.temperature_c": 38}, ["fever"], True),
        ({"observations.temperature_c": 37.9}, ["fever"], False),
        ({"observations.temperature_c": 37.4}, [{"absent": "fever"}], True),
        ({"patient.age_years": 65}, ["older"], True),
        ({"observations.pulse": 91, "fever": "present", "observations.alertness": "alert"}, ["very_sick"], True),
        ({"fever": "present", "stiffness": "present"}, ["ward_score:high"], True),
        ({"medications": ["warfarin"]}, ["thin_blood"], True),
        ({"medications": ["warfarin"]}, ["medication_class:anticoagulant"], True),
        ({"medications": []}, ["medication_class:anticoagulant"], False),
        ({"medications": [], "allergies": []}, [{"absent": "thin_blood"}], True),
        ({"medications": []}, [{"absent": "thin_blood"}], False),
        ({"allergies": ["latex"]}, ["thin_blood"], True),
        ({"allergies": ["ibuprofen"]}, ["allergy_class:nsaid"], True),
        ({"treatments_tried": [{"treatment": "tablets_any"}]}, ["tried:tablets_any"], True),
        ({"treatments_tried": [{"treatment": "ibuprofen_tablets"}]}, ["tried:tablets_any"], True),
        ({"treatments_tried": [{"treatment": "tablets_any"}]}, ["failed:tablets_any"], False),
        (
            {"treatments_tried": [{"treatment": "ibuprofen_tablets", "weeks": 2, "response": "partial"}]},
            ["failed:tablets_any", "tablets_failed"],
            True,
        ),
        ({"treatments_tried": []}, [{"absent": "tablets_failed"}], True),
        ({}, [{"absent": "tablets_failed"}], False),
        ({"condition:plain_strain": "present"}, ["condition:plain_strain"], True),
        ({"condition:spinal_infection": "present"}, ["condition:plain_strain"], False),
        ({"condition:plain_strain": "absent"}, ["condition:plain_strain"], False),
        ({"suspected:spinal_infection": "present"}, ["suspected:spinal_infection"], True),
        ({"bladder_change": "unknown"}, ["unknown:F-01"], True),
        ({"bladder_change": "absent"}, ["unknown:F-01"], False),
        ({"bladder_change": "unknown"}, ["unknown:F-02"], False),
        # retention implies a change, but what could not be answered stays so: more findings never calm
        ({"bladder_change": "unknown", "urinary_retention": "present"}, ["unknown:F-01"], True),
        ({"urinary_retention": "unknown", "bladder_change": "present"}, ["unknown:F-01"], True),
        # F-02 applies only to older people
        ({"saddle_numbness": "unknown", "patient.age_years": 80}, ["unknown:F-02"], True),
        ({"saddle_numbness": "unknown", "patient.age_years": 30}, ["unknown:F-02"], False),
        ({"fever": "present"}, ["fever", {"unless": "recent_vaccine"}], True),
        ({"fever": "present", "recent_vaccine": "unknown"}, ["fever", {"unless": "recent_vaccine"}], True),
        ({"fever": "present", "recent_vaccine": "present"}, ["fever", {"unless": "recent_vaccine"}], False),
        # the two answers contradict one another, so the worse holds: the exclusion does not block
        (
            {"fever": "present", "recent_vaccine": "present", "never_vaccinated": "present"},
            ["fever", {"unless": "recent_vaccine"}],
            True,
        ),
    ],
)
def test_an_example_is_read_as_a_request_would_be(
    small_knowledge: Knowledge, example: dict[str, Any], line: list[Any], expected: bool
) -> None:
    assert checks.Reading(small_knowledge, [parse_line(line)]).holds(example) is expected


def test_any_one_line_is_enough(small_knowledge: Knowledge) -> None:
    lines = [parse_line(["stiffness"]), parse_line(["fever", "chills"])]
    assert checks.Reading(small_knowledge, lines).holds({"stiffness": "present"})
    assert checks.Reading(small_knowledge, lines).holds({"fever": "present", "chills": "present"})
    assert not checks.Reading(small_knowledge, lines).holds({"fever": "present"})


def drawn(data: st.DataObject, knowledge: Knowledge) -> tuple[dict[str, Any], Line]:
    """Some answers and measurements, and a line that reads some of the words that they decide."""
    example: dict[str, Any] = data.draw(
        st.dictionaries(st.sampled_from(sorted(knowledge.findings)), st.sampled_from(["present", "absent", "unknown"]))
    )
    example |= data.draw(st.sampled_from([{}, {"patient.age_years": 70}, {"patient.age_years": 30}]))
    example |= data.draw(
        st.sampled_from([{}, {"observations.temperature_c": 38.5}, {"observations.temperature_c": 37}])
    )
    example |= data.draw(st.sampled_from([{}, {"medications": []}, {"medications": ["warfarin"]}]))
    words = [*knowledge.findings, *knowledge.derived, "ward_score:high", "looks_sick", "unknown:F-01", "unknown:F-02"]
    terms = data.draw(st.lists(st.builds(Term, st.sampled_from(words), st.booleans()), min_size=1, max_size=3))
    return example, Line(tuple(terms), data.draw(st.sampled_from([(), ("recent_vaccine",)])))


@given(data=st.data())
@settings(deadline=None, derandomize=True, max_examples=60)
def test_reading_only_the_words_that_a_rule_needs_changes_nothing(
    small_knowledge: Knowledge, data: st.DataObject
) -> None:
    example, line = drawn(data, small_knowledge)
    held = checks.example_literals(small_knowledge, example)
    assert checks.Reading(small_knowledge, [line]).holds(example) == any(each <= held for each in antecedents(line))
