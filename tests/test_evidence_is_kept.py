"""The rules hold what the evidence prints: every row of the evidence tables is encoded, with its numbers and its level.

`data/*.csv` hold the rows as they are printed in the evidence; what the service deliberately represents otherwise is
listed here, each time with the reason.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from rules.knowledge import Knowledge
from schemas.knowledge import Condition, DefaultLevel, Published, RedFlag, SafetyRule

DATA = Path(__file__).parent / "data"
SURENESS = ("estimate", "recalled", "part_verified", "verified")

Row = Mapping[str, str]


def table(name: str) -> list[dict[str, str]]:
    """The rows of one data file."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float | None:
    """A printed figure; None where the row prints none, or a range over several studies."""
    return float(text) if text and "-" not in text else None


def span(text: str) -> tuple[float, float] | None:
    """A printed interval such as 1.4-4.2."""
    if not text:
        return None
    low, high = text.split("-")
    return float(low), float(high)


def figures(*texts: str | None) -> set[float]:
    """Every number in some texts; not the numbers in the names of rows (E-03, T030, N05)."""
    told = re.sub(r"\b[A-Z]-?\d+b?\b", "", " ".join(text for text in texts if text))
    return {float(found) for found in re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", told))}


def no_better(status: str, printed: str) -> bool:
    """Whether a rule claims no more certainty than its row."""
    return SURENESS.index(status) <= SURENESS.index(printed)


# ---- frequencies


def test_every_frequency_row_stands_in_the_rules_as_printed_and_no_other(knowledge: Knowledge) -> None:
    printed = {
        (row["condition"], row["word"]): (
            float(row["f"]),
            (float(row["low"]), float(row["high"])) if row["low"] else None,
            row["grade"],
            row["status"],
        )
        for row in table("frequencies")
    }
    encoded = {
        (name, word): (row.f, row.range, row.grade, row.status)
        for name, condition in knowledge.conditions.items()
        for word, row in condition.frequencies.items()
    }
    assert encoded == printed


def test_every_ranked_condition_has_its_frequency_rows(knowledge: Knowledge) -> None:
    assert {row["condition"] for row in table("frequencies")} == set(knowledge.ranked)


# ---- published accuracy

NOT_USED: Mapping[tuple[str, str], str] = {
    ("disc_herniation", "cluster: below knee + leg worse than back + pins and needles"): "cluster: below knee",
    ("disc_herniation", "six-item history model"): "six-item history model",
    ("disc_herniation", "overall clinical evaluation, level L4 / L5 / S1"): "overall clinical evaluation by level",
    ("spinal_stenosis", "numbness plus buttock/thigh site plus sitting relief"): "numbness plus buttock/thigh site",
    ("spinal_stenosis", "C1 Konno: prevalence by quartile of score"): "C1 Konno prevalence by quartile",
    (
        "cauda_equina_syndrome",
        "any single sign (range): anal tone, leg pain, back pain, saddle, retention, urinary and bowel incontinence",
    ): "any single sign (range)",
    ("cauda_equina_syndrome", "back pain present: uninformative"): "back pain present",
    (
        "cauda_equina_syndrome",
        "post_void_residual_over_200ml, effect on probability: 18% prior goes to 43% above, 3.6% below",
    ): "post-void residual over 200 mL",
    (
        "cauda_equina_syndrome",
        "post_void_residual 200 mL or less in confirmed CES: 14 of 26 scanned cases (54%)",
    ): "post-void residual 200 mL or less",
    (
        "nephrolithiasis",
        "haematuria by day: 0.95 day 0, 0.83 day 1, 0.65 day 2, 0.68 day 3",
    ): "haematuria by day",
    (
        "nephrolithiasis",
        "important other diagnosis on CT: 6.5% of CT for stone; 1.6% if STONE high",
    ): "important other diagnosis on CT",
    ("nephrolithiasis", "C1 STONE items and points"): "C1 STONE items and points",
    ("nephrolithiasis", "C1 STONE 0-5 low"): "C1 STONE 0-5 low",
    ("nephrolithiasis", "C1 STONE 6-9 moderate"): "C1 STONE 6-9 moderate",
    ("nephrolithiasis", "C1 STONE 10-13 high"): "C1 STONE 10-13 high",
    ("nephrolithiasis", "C2 high STONE"): "C2 high STONE",
    ("facet_arthropathy", "any single clinical test"): "any single clinical test",
    ("sacroiliac_joint", "single manual tests"): "single manual tests",
    (
        "axial_spondyloarthritis",
        "inflammatory back pain (any definition), model",
    ): "inflammatory back pain (any definition)",
    ("axial_spondyloarthritis", "ibp by rheumatologist"): "inflammatory back pain by a rheumatologist",
    ("rheumatoid_arthritis", "anti-CCP and RF both positive"): "anti-CCP and RF both positive",
    ("rheumatoid_arthritis", "known_rheumatoid_arthritis"): "known_rheumatoid_arthritis",
    ("myofascial_pain", "trigger points present"): "trigger points present",
    ("myofascial_pain", "systematic review verdict"): "systematic review verdict",
    ("electrolyte_disturbance", "response to magnesium"): "response to magnesium",
    ("greater_trochanteric_pain", "LBP present (GTPS)"): "B15 LBP present",
    ("peripheral_arterial_claudication", "single claudication question"): "single claudication question",
    ("peripheral_arterial_claudication", "classic claudication in PAD"): "classic claudication in PAD",
    ("peripheral_arterial_claudication", "PAD pulse score 5 or less / over 6"): "PAD pulse score",
    ("axial_spondyloarthritis", "C9 ASAS 3 or more of 5, for the expert's judgement of the pattern"): "C9 ASAS",
    ("axial_spondyloarthritis", "C9 ASAS 4 or more of 5, for the expert's judgement of the pattern"): "C9 ASAS",
    ("axial_spondyloarthritis", "C9 ASAS 5 of 5, for the expert's judgement of the pattern"): "C9 ASAS",
    ("axial_spondyloarthritis", "C9 Calin 4 or more, for the expert's judgement of the pattern"): "C9 Calin",
    ("axial_spondyloarthritis", "C9 Berlin 2 or more, for the expert's judgement of the pattern"): "C9 Berlin 2+",
    ("axial_spondyloarthritis", "C9 Berlin original for AS: 3 of 4"): "C9 Berlin original",
    ("axial_spondyloarthritis", "C10 Rudwaleit product of LRs: pattern alone moves 5% to 14%"): "C10 Rudwaleit product",
    ("hip_osteoarthritis", "C13 Sutlive: 4 of 5"): "C13 Sutlive",
    ("vertebral_osteomyelitis", "back pain: spinal pain in infection"): "back pain: spinal pain",
    ("spinal_malignancy", "history_of_cancer, post-test: 33% (22-46)"): "history_of_cancer, post-test",
    ("spinal_malignancy", "no red flag at all in spinal malignancy: 64% of cases"): "no red flag at all",
    (
        "spinal_malignancy",
        "no earlier cancer diagnosis: 23 to 25% of spinal metastasis / MSCC",
    ): "no earlier cancer diagnosis",
    ("spinal_malignancy", "normal neurological examination"): "normal neurological examination",
    ("spinal_malignancy", "Cochrane 2013 evidence base: 8 cohorts"): "Cochrane 2013",
    ("vertebral_fracture", "older age, post-test: 9% (3-25)"): "older age",
    ("vertebral_fracture", "prolonged steroid, post-test: 33% (10-67)"): "prolonged steroid",
    ("vertebral_fracture", "severe trauma, post-test: 11% (8-16)"): "severe trauma",
    ("vertebral_fracture", "contusion or abrasion, post-test: 62% (49-74)"): "contusion or abrasion",
    ("vertebral_fracture", "several red flags together, post-test: 90% (34-99)"): "several red flags",
    ("epidural_haematoma", "pain only, no deficit at first: 3 of 20"): "pain only",
    ("epidural_haematoma", "time to evacuation"): "time to evacuation",
    ("epidural_haematoma", "mortality and recovery"): "mortality and recovery",
    ("abdominal_aortic_aneurysm", "back pain: rupture"): "back pain: 0.536",
    (
        "abdominal_aortic_aneurysm",
        "misdiagnosed as renal colic: 6% of over 900 ruptures",
    ): "misdiagnosed as renal colic",
    ("acute_pancreatitis", "diagnostic criteria, 2 of 3: pain, enzyme over 3x, imaging"): "diagnostic criteria",
    ("ectopic_pregnancy", "any history component: risk factors, amount of pain or bleeding"): "any history component",
    ("ectopic_pregnancy", "pain plus bleeding both present: under half of ectopics"): "pain plus bleeding",
    ("ectopic_pregnancy", "single hCG level: no diagnostic cut-off"): "single hCG level",
    ("ovarian_torsion", "sudden one-sided pelvic pain + vomiting: ovarian torsion"): "sudden one-sided pelvic pain",
    (
        "pelvic_inflammatory_disease",
        "adnexal_pain + fever + discharge: pelvic inflammatory disease",
    ): "adnexal_pain + fever",
    ("psoas_abscess", "CT abdomen with contrast: psoas abscess test of choice"): "CT abdomen with contrast",
    ("rhabdomyolysis", "ck_over_5x: defining test; may peak at 24 to 120 h"): "ck_over_5x",
    (
        "myelopathy",
        "pathological reflexes not tested in primary care: least assessed there",
    ): "pathological reflexes not tested",
    ("stroke_or_tia", "FAST in ED, range"): "FAST in ED, range",
    ("stroke_or_tia", "missed strokes: about 25% lack face, arm or speech signs"): "missed strokes",
    (
        "stroke_or_tia",
        "hemibody_sensory_or_motor_symptoms + sudden_onset_neurology: in a back-pain patient",
    ): "hemibody_sensory_or_motor_symptoms +",
    (
        "stroke_or_tia",
        "balance_or_coordination_loss + sudden_onset_neurology: posterior circulation",
    ): "balance_or_coordination_loss +",
    ("acute_limb_ischaemia", "all six Ps: seen only in the most severe"): "all six Ps",
    ("acute_limb_ischaemia", "Rutherford stage: I viable; IIa; IIb; III profound"): "Rutherford stage",
    ("vertebral_fracture", "C4 Henschke: AUC 0.834 (0.654-1.014)"): "C4 items",
    ("vertebral_fracture", "C6 Holmes / Mower: all 152 injuries among 2,404 had one or more"): "C6 Holmes",
    ("vertebral_fracture", "C6 Low-risk 2019 pilot: 0 of 36 injuries missed"): "C6 low-risk",
    ("vertebral_osteomyelitis", "C8 recent infection + fever, chills or sweats (about 13)"): "C8 recent infection",
    ("spinal_malignancy", "C8 cancer + unexplained weight loss (about 10)"): "C8 cancer + unexplained weight loss",
    ("vertebral_fracture", "C8 trauma + age over 70 (about 2 to 3)"): "C8 trauma + age over 70",
    ("spinal_malignancy", "C8 night pain alone; age alone: false positive rate above 90%"): "C8 night pain alone",
    ("spinal_malignancy", "C8 no red flag: 64% of malignancies had none"): "C8 no red flag",
    ("spinal_malignancy", "C9 Deyo and Diehl result: films in 22% of patients with every cancer captured"): "C9 Deyo",
    ("aortic_dissection", "C11 ADD-RS reading: about 95% of cases score 1 or more"): "C11 ADD-RS reading",
    ("aortic_dissection", "C11 ADD-RS 0 or 1 + D-dimer under 500: misses 0.3%"): "C11 ADD-RS 0 or 1",
}
"""Printed rows without a usable ratio -> how `not_used` begins to name them."""

REPRESENTED_OTHERWISE: Mapping[tuple[str, str], Mapping[str, float | None]] = {
    # An LR- of 0 from four people with the target would exclude the condition for good.
    ("disc_herniation", "slump knee bend (upper roots)"): {"lr_absent": None},
    # Printed as the LR- of "either raised"; the word is the pair being low, so it is the ratio when present.
    ("spinal_epidural_abscess", "ESR 20 or less and CRP 10 or less, both: rule-out pair"): {
        "sensitivity": None,
        "lr_present": 0.03,
        "lr_absent": None,
    },
    # The row of the score prints no ratio; the same figure stands in table B7 with an LR+ of 4.9.
    ("nephrolithiasis", "C2 moderate STONE + moderate or worse hydronephrosis"): {"lr_present": 4.9},
    # The evidence caps values of the literature model at 5 (B9, text above the table).
    ("axial_spondyloarthritis", "family_history_spa, model"): {"lr_present": 5},
    # The word holds without the imaging that the printed combination ends in, so its absence does not exclude.
    ("biliary_disease", "Tokyo combination: one local sign + one systemic sign, then imaging"): {"lr_absent": None},
    # Printed for the other side (any test positive, film abnormal, any of the four, score of 1 or more, test positive);
    # the word is the normal or negative side, so the printed LR- is its ratio when present.
    ("sacroiliac_joint", "all provocation tests negative"): {"lr_present": 0.1, "lr_absent": None},
    ("vertebral_osteomyelitis", "plain radiograph normal: early disease"): {
        "sensitivity": None,
        "lr_present": 0.8,
        "lr_absent": None,
    },
    ("vertebral_fracture", "all four absent: midline tenderness, severe mechanism, deficit, age 65+: rule-out"): {
        "sensitivity": None,
        "lr_present": 0.1,
        "lr_absent": None,
    },
    ("aortic_dissection", "normal chest film: test"): {"lr_present": 0.3, "lr_absent": None},
    ("aortic_dissection", "ADD-RS 1 or more: score"): {
        "sensitivity": None,
        "specificity": None,
        "lr_present": 0.15,
        "lr_absent": None,
    },
    ("ectopic_pregnancy", "negative urine hCG: rule-out"): {
        "sensitivity": None,
        "lr_present": 0.05,
        "lr_absent": None,
    },
}
"""Printed rows whose numbers are deliberately encoded otherwise."""

GRADE_LOWERED: Mapping[tuple[str, str], str] = {
    # The printed grade is that of the study or of the false positives; the ratios are expert values.
    ("disc_herniation", "leg_pain_worse_than_back_pain (primary care)"): "D",
    ("disc_herniation", "antalgic_list"): "D",
    ("disc_herniation", "mri_disc_herniation_matching (level and side fit)"): "D",
    ("spinal_stenosis", "leg_pain_worse_than_back_pain"): "D",
    ("spinal_stenosis", "imaging: central or lateral stenosis"): "D",
    ("spondylolisthesis", "pain wakes, falls asleep with difficulty, worse sitting and walking (slip)"): "D",
    ("spondylolisthesis", "radiographic slip"): "D",
    ("facet_arthropathy", "imaging facet degeneration"): "D",
    ("degenerative_disc", "mri_disc_degeneration as a reason for pain in general"): "D",
    ("spinal_deformity", "radiograph Cobb 10 degrees or more"): "D",
    ("diabetic_radiculoplexus_neuropathy", "severe_anterior_thigh_pain_subacute"): "D",
    ("diabetic_radiculoplexus_neuropathy", "proximal_leg_weakness_wasting"): "D",
    ("diabetic_radiculoplexus_neuropathy", "bilateral spread over weeks"): "D",
    ("hip_osteoarthritis", "hip_internal_rotation_reduced"): "B",
    ("vertebral_osteomyelitis", "fever"): "D",
    ("vertebral_osteomyelitis", "diabetes"): "D",
    ("vertebral_osteomyelitis", "iv_drug_use"): "D",
    ("vertebral_osteomyelitis", "tb_risk: M. tuberculosis 12% of isolates, S. aureus 27%"): "D",
    ("vertebral_osteomyelitis", "crp_over_10 or esr_over_20: guideline trigger"): "D",
    ("vertebral_fracture", "contusion_or_abrasion"): "C",
    ("abdominal_aortic_aneurysm", "syncope_or_collapse: rupture"): "D",
    ("abdominal_aortic_aneurysm", "hypotension: rupture"): "D",
    ("abdominal_aortic_aneurysm", "pulsatile_abdominal_mass: rupture"): "D",
}

FROM_OTHER_TABLES = {
    ("disc_herniation", "below_knee_and_leg_worse"),  # mechanical section I, row 15
    ("spinal_stenosis", "konno_sshq_positive"),  # mechanical C2
    ("spinal_epidural_abscess", "recent_infection_and_fever"),  # red flags C8
    ("aortic_dissection", "add_rs:intermediate"),  # the other half of the row "ADD-RS 1 or more"
}
"""Published rows that come from none of the tables in the data file."""

ACCURACY = ("sensitivity", "specificity", "lr_present", "lr_absent")


def values_of(row: Row) -> dict[str, float | None]:
    """What a printed row should look like in `published`."""
    printed = {key: number(row[key]) for key in ACCURACY}
    return {**printed, **REPRESENTED_OTHERWISE.get((row["condition"], row["row"]), {})}


def same(entry: Published, row: Row) -> bool:
    """Whether a published entry is this printed row."""
    return entry.word == row["word"] and all(getattr(entry, key) == value for key, value in values_of(row).items())


def matches(row: Row, condition: Condition) -> list[Published]:
    return [entry for entry in condition.published if same(entry, row)]


PUBLISHED = table("published")
USABLE = [row for row in PUBLISHED if row["word"]]


def test_every_printed_accuracy_row_is_published_with_its_numbers(knowledge: Knowledge) -> None:
    lost = [row for row in USABLE if len(matches(row, knowledge.conditions[row["condition"]])) != 1]
    assert lost == []


def test_no_two_printed_accuracy_rows_share_one_published_row(knowledge: Knowledge) -> None:
    published = sum(len(condition.published) for condition in knowledge.ranked.values())
    assert published == len(USABLE) + len(FROM_OTHER_TABLES)


def test_every_published_row_comes_from_a_printed_one(knowledge: Knowledge) -> None:
    unexplained = [
        (name, entry.word)
        for name, condition in knowledge.ranked.items()
        for entry in condition.published
        if not any(row["condition"] == name and same(entry, row) for row in USABLE)
    ]
    assert sorted(unexplained) == sorted(FROM_OTHER_TABLES)


def test_every_printed_row_without_a_usable_ratio_is_listed_with_a_reason(knowledge: Knowledge) -> None:
    unusable = {(row["condition"], row["row"]) for row in PUBLISHED if not row["word"]}
    assert unusable == set(NOT_USED)
    for (condition, _), start in NOT_USED.items():
        listed = [row for row in knowledge.conditions[condition].not_used if row["row"].startswith(start)]
        assert [bool(row["reason"]) for row in listed] == [True], (condition, start)


def test_the_part_of_a_printed_row_that_has_no_word_is_listed_with_a_reason(knowledge: Knowledge) -> None:
    listed = [row["row"] for row in knowledge.conditions["spinal_epidural_abscess"].not_used]
    assert "ESR over 30, alone: sensitivity 0.81" in listed


def test_published_intervals_are_the_printed_ones(knowledge: Knowledge) -> None:
    wrong = [
        (row["condition"], row["row"])
        for row in USABLE
        for entry in matches(row, knowledge.conditions[row["condition"]])
        if (entry.range_present, entry.range_absent) != (span(row["interval_present"]), span(row["interval_absent"]))
    ]
    assert wrong == []


def test_a_range_over_several_studies_is_said_in_the_note(knowledge: Knowledge) -> None:
    silent = [
        (row["condition"], row["row"], key)
        for row in USABLE
        for key in ("sensitivity", "specificity")
        if "-" in row[key]
        for entry in matches(row, knowledge.conditions[row["condition"]])
        if not figures(*row[key].split("-")) <= figures(entry.note)
    ]
    assert silent == []


def grade_of(row: Row) -> str:
    """The grade of the ratios: the printed letter, or the one that is marked for the LR."""
    marked = re.search(r"\b([A-D]) \(LR\)", row["grade"])
    printed = marked[1] if marked else row["grade"][:1]
    return GRADE_LOWERED.get((row["condition"], row["row"]), printed)


def test_published_grades_are_the_printed_ones(knowledge: Knowledge) -> None:
    wrong = [
        (row["condition"], row["row"], entry.grade)
        for row in USABLE
        for entry in matches(row, knowledge.conditions[row["condition"]])
        if (entry.grade != grade_of(row) if row["grade"] else "grade" not in (entry.note or ""))
    ]
    assert wrong == []


def test_no_grade_is_raised_by_an_exception() -> None:
    rows = [row for row in USABLE if (row["condition"], row["row"]) in GRADE_LOWERED]
    assert {(row["condition"], row["row"]) for row in rows} == GRADE_LOWERED.keys()
    assert all(grade_of(row) > row["grade"][:1] for row in rows)


def test_published_rows_are_never_surer_than_printed(knowledge: Knowledge) -> None:
    surer = [
        (row["condition"], row["row"], entry.evidence_status)
        for row in USABLE
        for entry in matches(row, knowledge.conditions[row["condition"]])
        if not no_better(entry.evidence_status, row["status"])
    ]
    assert surer == []


# ---- priors: mechanical section A2, red-flags section 2

AGES = (18, 49, 50, 64, 65, 90)
PRIORS: Mapping[tuple[str, str], tuple[float, ...]] = {
    # one figure for each of AGES: under 50, 50-64, 65 and over
    ("lumbar_strain", "primary_care"): (75, 75, 62, 62, 45, 45),
    ("lumbar_strain", "emergency"): (65,) * 6,
    ("lumbar_strain", "spine_clinic"): (20,) * 6,
    ("disc_herniation", "primary_care"): (5, 5, 5, 5, 3, 3),
    ("disc_herniation", "emergency"): (12,) * 6,
    ("disc_herniation", "spine_clinic"): (25,) * 6,
    ("spinal_stenosis", "primary_care"): (0.3, 0.3, 4, 4, 15, 15),
    ("spinal_stenosis", "emergency"): (3,) * 6,
    ("spinal_stenosis", "spine_clinic"): (25, 25, 25, 25, 35, 35),
    ("nephrolithiasis", "primary_care"): (0.5,) * 6,
    ("nephrolithiasis", "emergency"): (3,) * 6,
    ("nephrolithiasis", "spine_clinic"): (0.2,) * 6,
    ("spinal_epidural_abscess", "primary_care"): (0.003,) * 6,
    ("spinal_epidural_abscess", "emergency"): (0.1,) * 6,
    ("spinal_epidural_abscess", "spine_clinic"): (0.2,) * 6,
    # A2, the rows of the other mechanical conditions
    ("myofascial_pain", "primary_care"): (8, 8, 8, 8, 6, 6),
    ("myofascial_pain", "emergency"): (4,) * 6,
    ("myofascial_pain", "spine_clinic"): (8,) * 6,
    ("degenerative_disc", "primary_care"): (6, 6, 6, 6, 5, 5),
    ("degenerative_disc", "emergency"): (3,) * 6,
    ("degenerative_disc", "spine_clinic"): (15,) * 6,
    ("facet_arthropathy", "primary_care"): (2, 2, 5, 5, 8, 8),
    ("facet_arthropathy", "emergency"): (2,) * 6,
    ("facet_arthropathy", "spine_clinic"): (10,) * 6,
    ("sacroiliac_joint", "primary_care"): (3, 3, 3, 3, 4, 4),
    ("sacroiliac_joint", "emergency"): (2,) * 6,
    ("sacroiliac_joint", "spine_clinic"): (7,) * 6,
    ("spondylolisthesis", "primary_care"): (1.5, 1.5, 2, 2, 4, 4),
    ("spondylolisthesis", "emergency"): (1,) * 6,
    ("spondylolisthesis", "spine_clinic"): (6,) * 6,
    ("spinal_deformity", "primary_care"): (1, 1, 2, 2, 5, 5),
    ("spinal_deformity", "emergency"): (0.5,) * 6,
    ("spinal_deformity", "spine_clinic"): (6,) * 6,
    ("axial_spondyloarthritis", "primary_care"): (1, 1, 0.5, 0.5, 0.2, 0.2),
    ("axial_spondyloarthritis", "emergency"): (0.3,) * 6,
    ("axial_spondyloarthritis", "spine_clinic"): (3,) * 6,
    ("peripheral_arterial_claudication", "primary_care"): (0.1, 0.1, 0.7, 0.7, 2, 2),
    ("peripheral_arterial_claudication", "emergency"): (0.3,) * 6,
    ("peripheral_arterial_claudication", "spine_clinic"): (2,) * 6,
    ("fibromyalgia", "primary_care"): (4, 4, 5, 5, 4, 4),
    ("fibromyalgia", "emergency"): (2,) * 6,
    ("fibromyalgia", "spine_clinic"): (10,) * 6,
    ("medication_induced_spasm", "primary_care"): (0.3, 0.3, 0.7, 0.7, 1, 1),
    ("medication_induced_spasm", "emergency"): (0.5,) * 6,
    ("medication_induced_spasm", "spine_clinic"): (0.3,) * 6,
    ("electrolyte_disturbance", "primary_care"): (0.2, 0.2, 0.3, 0.3, 0.5, 0.5),
    ("electrolyte_disturbance", "emergency"): (1,) * 6,
    ("electrolyte_disturbance", "spine_clinic"): (0.1,) * 6,
    ("rheumatoid_arthritis", "primary_care"): (0.1, 0.1, 0.2, 0.2, 0.3, 0.3),
    ("rheumatoid_arthritis", "emergency"): (0.1,) * 6,
    ("rheumatoid_arthritis", "spine_clinic"): (0.3,) * 6,
    ("herpes_zoster", "primary_care"): (0.1, 0.1, 0.2, 0.2, 0.4, 0.4),
    ("herpes_zoster", "emergency"): (0.3,) * 6,
    ("herpes_zoster", "spine_clinic"): (0.1,) * 6,
    ("diabetic_radiculoplexus_neuropathy", "primary_care"): (0.005, 0.005, 0.03, 0.03, 0.06, 0.06),
    ("diabetic_radiculoplexus_neuropathy", "emergency"): (0.05,) * 6,
    ("diabetic_radiculoplexus_neuropathy", "spine_clinic"): (0.2,) * 6,
    ("vertebral_osteomyelitis", "primary_care"): (0.01,) * 6,
    ("vertebral_osteomyelitis", "emergency"): (0.2,) * 6,
    ("vertebral_osteomyelitis", "spine_clinic"): (0.8,) * 6,
    ("vertebral_fracture", "spine_clinic"): (5.6,) * 6,
    ("epidural_haematoma", "emergency"): (0.01,) * 6,
    ("epidural_haematoma", "spine_clinic"): (0.01,) * 6,
    ("abdominal_aortic_aneurysm", "primary_care"): (0.01,) * 6,
    ("abdominal_aortic_aneurysm", "emergency"): (0.2,) * 6,
    ("abdominal_aortic_aneurysm", "spine_clinic"): (0.01,) * 6,
    ("aortic_dissection", "primary_care"): (0.003,) * 6,
    ("aortic_dissection", "emergency"): (0.05,) * 6,
    ("aortic_dissection", "spine_clinic"): (0.001,) * 6,
    ("pyelonephritis", "primary_care"): (0.3,) * 6,
    ("pyelonephritis", "emergency"): (1,) * 6,
    ("pyelonephritis", "spine_clinic"): (0.05,) * 6,
    ("biliary_disease", "primary_care"): (0.1,) * 6,
    ("biliary_disease", "emergency"): (0.3,) * 6,
    ("biliary_disease", "spine_clinic"): (0.05,) * 6,
    ("acute_pancreatitis", "primary_care"): (0.02,) * 6,
    ("acute_pancreatitis", "emergency"): (0.1,) * 6,
    ("acute_pancreatitis", "spine_clinic"): (0.01,) * 6,
    ("ectopic_pregnancy", "primary_care"): (0.05,) * 6,
    ("ectopic_pregnancy", "emergency"): (0.2,) * 6,
    ("ectopic_pregnancy", "spine_clinic"): (0.01,) * 6,
    ("retroperitoneal_haemorrhage", "primary_care"): (0.001,) * 6,
    ("retroperitoneal_haemorrhage", "emergency"): (0.03,) * 6,
    ("retroperitoneal_haemorrhage", "spine_clinic"): (0.001,) * 6,
    ("psoas_abscess", "primary_care"): (0.001,) * 6,
    ("psoas_abscess", "emergency"): (0.02,) * 6,
    ("psoas_abscess", "spine_clinic"): (0.01,) * 6,
    ("rhabdomyolysis", "primary_care"): (0.02,) * 6,
    ("rhabdomyolysis", "emergency"): (0.1,) * 6,
    ("rhabdomyolysis", "spine_clinic"): (0.005,) * 6,
    ("myelopathy", "primary_care"): (0.1,) * 6,
    ("myelopathy", "emergency"): (0.2,) * 6,
    ("myelopathy", "spine_clinic"): (1,) * 6,
    ("stroke_or_tia", "primary_care"): (0.01,) * 6,
    ("stroke_or_tia", "emergency"): (0.05,) * 6,
    ("stroke_or_tia", "spine_clinic"): (0.01,) * 6,
    ("acute_limb_ischaemia", "primary_care"): (0.005,) * 6,
    ("acute_limb_ischaemia", "emergency"): (0.02,) * 6,
    ("acute_limb_ischaemia", "spine_clinic"): (0.005,) * 6,
    ("ovarian_torsion", "primary_care"): (0.003,) * 6,
    ("ovarian_torsion", "emergency"): (0.04,) * 6,
    ("ovarian_torsion", "spine_clinic"): (0.001,) * 6,
    ("pelvic_inflammatory_disease", "primary_care"): (0.1,) * 6,
    ("pelvic_inflammatory_disease", "emergency"): (0.2,) * 6,
    ("pelvic_inflammatory_disease", "spine_clinic"): (0.02,) * 6,
}

PRIOR_CHOICES: Mapping[tuple[str, str], tuple[float, float]] = {
    ("cauda_equina_syndrome", "primary_care"): (0.04, 0.08),
    ("cauda_equina_syndrome", "emergency"): (0.1, 1.9),
    ("cauda_equina_syndrome", "spine_clinic"): (0.27, 0.4),
    ("spinal_malignancy", "primary_care"): (0, 1),
    ("spinal_malignancy", "emergency"): (0.0, 2.1),
    ("spinal_malignancy", "spine_clinic"): (1.6, 7),
    ("vertebral_fracture", "primary_care"): (0.7, 4),
    ("vertebral_fracture", "emergency"): (0.0, 7.2),
    ("epidural_haematoma", "primary_care"): (0, 0.001),
    ("hip_osteoarthritis", "primary_care"): (0, 6),  # one row for two conditions, see SHARED
    ("greater_trochanteric_pain", "primary_care"): (0, 6),  # one row for two conditions, see SHARED
    ("hip_osteoarthritis", "emergency"): (0, 1),  # one row for two conditions, see SHARED
    ("greater_trochanteric_pain", "emergency"): (0, 1),  # one row for two conditions, see SHARED
    ("hip_osteoarthritis", "spine_clinic"): (0, 5),  # one row for two conditions, see SHARED
    ("greater_trochanteric_pain", "spine_clinic"): (0, 5),  # one row for two conditions, see SHARED
}
"""Where the table prints two figures, the service chooses between them."""

MODIFIERS: Mapping[str, Mapping[str, float]] = {
    "lumbar_strain": {"acute_under_6_weeks": 3, "chronic_over_12_weeks": 0.3},
    "spinal_epidural_abscess": {
        "iv_drug_use": 20,
        "haemodialysis": 20,
        "indwelling_vascular_catheter": 20,
        "recent_bacteraemia": 20,
    },
    "vertebral_osteomyelitis": {
        "iv_drug_use": 20,
        "haemodialysis": 20,
        "indwelling_vascular_catheter": 20,
        "recent_bacteraemia": 20,
    },
    "spinal_malignancy": {"age_over_65": 3, "metastatic_or_node_positive_cancer": 20},
    "vertebral_fracture": {"age_over_65": 4},
    "abdominal_aortic_aneurysm": {"age_over_65": 5},
}


SHARED: Mapping[str, tuple[float, ...]] = {
    "primary_care": (0.5, 0.5, 3, 3, 6, 6),
    "emergency": (1,) * 6,
    "spine_clinic": (5,) * 6,
}
"""Hip osteoarthritis and greater trochanteric pain stand in one row of A2: together they are this figure."""


def percent(condition: Condition, setting: str, age: float) -> list[float]:
    """The prior of every band that holds this age."""
    assert condition.priors is not None
    return [
        band.percent
        for band in condition.priors.settings[setting]
        if band.at_least <= age and (band.below is None or age < band.below)
    ]


@pytest.mark.parametrize(("condition", "setting"), PRIORS)
def test_priors_are_the_printed_ones_at_every_age(knowledge: Knowledge, condition: str, setting: str) -> None:
    found = [percent(knowledge.conditions[condition], setting, age) for age in AGES]
    assert found == [[value] for value in PRIORS[condition, setting]]


@pytest.mark.parametrize(("condition", "setting"), PRIOR_CHOICES)
def test_a_prior_printed_as_two_figures_lies_between_them(knowledge: Knowledge, condition: str, setting: str) -> None:
    low, high = PRIOR_CHOICES[condition, setting]
    for age in AGES:
        (value,) = percent(knowledge.conditions[condition], setting, age)
        assert low <= value <= high


@pytest.mark.parametrize("setting", SHARED)
def test_two_conditions_of_one_printed_row_share_its_figure(knowledge: Knowledge, setting: str) -> None:
    pair = (knowledge.conditions[name] for name in ("hip_osteoarthritis", "greater_trochanteric_pain"))
    shares = [[percent(condition, setting, age) for age in AGES] for condition in pair]
    together = [one[0] + other[0] for one, other in zip(*shares, strict=True)]
    assert together == pytest.approx(SHARED[setting])


def test_a_prior_that_needs_a_word_names_it(knowledge: Knowledge) -> None:
    opened = {name: c.priors.opens_with for name, c in knowledge.ranked.items() if c.priors and c.priors.opens_with}
    assert opened == {
        "ectopic_pregnancy": "possible_pregnancy"
    }  # "applies only with possible_pregnancy, otherwise zero"


def test_the_codes_of_a_condition_are_the_printed_ones_and_only_sure_snomed_codes_stand(knowledge: Knowledge) -> None:
    printed = {row["condition"]: ({*row["icd10cm"].split()}, row["snomed"]) for row in table("codes")}
    encoded = {
        name: (
            {codes.icd10cm.code, *(also.code for also in codes.icd10cm_also)},
            codes.snomed.code if codes.snomed else "",
        )
        for name, condition in knowledge.ranked.items()
        if (codes := condition.codes)
    }
    assert encoded == printed


def test_priors_stand_for_the_printed_conditions_and_settings_only(knowledge: Knowledge) -> None:
    encoded = {
        (name, setting)
        for name, condition in knowledge.ranked.items()
        if condition.priors
        for setting in condition.priors.settings
    }
    assert encoded == {*PRIORS, *PRIOR_CHOICES}
    assert {setting for _, setting in encoded} == set(knowledge.settings)


def test_prior_modifiers_are_the_printed_ones(knowledge: Knowledge) -> None:
    encoded = {
        name: {modifier.word: modifier.factor for modifier in condition.priors.modifiers}
        for name, condition in knowledge.ranked.items()
        if condition.priors and condition.priors.modifiers
    }
    assert encoded == MODIFIERS


# ---- urgency

LEVELS_BESIDE: Mapping[str, set[str]] = {
    "E-66": {"urgent_same_day", "urgent_2_weeks"},  # an improving strain: blood tests within 2 to 3 days
    "E-06": {"emergency", "urgent_same_day"},  # alone: same day if genital sensation is lost
    "E-19": {"emergency", "urgent_same_day"},  # old unchanged pain: same-day call
    "E-38": {"emergency", "urgent_same_day"},  # resolved within 7 days, or sight and balance of unsaid onset
    "E-44": {"emergency", "urgent_same_day"},  # chest pain or breathlessness alone
    "E-47": {"routine", "self_care"},
    "E-50": {"urgent_2_weeks", "routine"},  # amended: without a further feature routine
    "E-56": {"self_care"},  # printed "routine or self_care with dated review"
    "E-59": {"urgent_2_weeks", "routine"},  # amended: urgent from age 50 when worse or back again
    "E-69": {"urgent_same_day", "routine"},  # amended: any other under 18 routine
    "E-70": {"urgent_same_day", "urgent_2_weeks"},  # amended: longer than 12 weeks
    "E-90": {"emergency", "urgent_same_day"},  # otherwise same day
}
"""Rows that print more than one level."""

LIMITS_BESIDE: Mapping[str, set[float]] = {
    "E-66": {2, 3},
    "E-58": {2, 12},  # the limits of the level routine
    "E-59": {2, 12},  # urgent_2_weeks of the amended row, and the limits of routine
    "E-64": {24, 72},  # its column of tests
    "E-70": {2},  # urgent_2_weeks of the amended row
    "E-99": {72},  # its rationale
    "E-105": {24, 20, 10},  # its column of tests
}
"""Numbers in a time limit that the row prints outside its column of time targets."""

URGENCY = table("urgency_rows")


def urgency_entries(knowledge: Knowledge) -> list[RedFlag | DefaultLevel]:
    """Everything that encodes an urgency row."""
    return [*knowledge.red_flags.values(), *knowledge.default_policy]


def levels_by_row(knowledge: Knowledge) -> dict[str, set[str]]:
    """Evidence row -> the levels of the rules and of the default policy that encode it."""
    found: dict[str, set[str]] = defaultdict(set)
    for flag in knowledge.red_flags.values():
        found[flag.row].add(flag.then.urgency or f"{flag.then.notice}")
    for entry in knowledge.default_policy:
        found[entry.row].add(entry.level)
    return found


def test_every_urgency_row_is_encoded_with_its_level_and_no_other_row_exists(knowledge: Knowledge) -> None:
    printed = {
        row["row"]: LEVELS_BESIDE.get(row["row"], {row["level"].replace("no change of level", "no_downgrade")})
        for row in URGENCY
    }
    assert levels_by_row(knowledge) == printed


def test_the_evidence_has_82_base_rows_and_31_new_ones() -> None:
    numbers = [int(row["row"][2:].rstrip("b")) for row in URGENCY]
    assert (sum(n <= 77 for n in numbers), sum(n >= 80 for n in numbers), len(numbers)) == (82, 31, 113)


def texts_by_row(knowledge: Knowledge) -> dict[str, list[tuple[str, str]]]:
    """Evidence row -> (time limit, everything that is to be done) of each rule that encodes it."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for entry in urgency_entries(knowledge):
        told = " ".join((entry.within or "", entry.disposition or "", *entry.actions))
        found[entry.row].append((entry.within or "", told))
    return found


def test_no_time_limit_holds_a_number_that_its_row_does_not_print(knowledge: Knowledge) -> None:
    texts = texts_by_row(knowledge)
    invented = {
        row["row"]: extra
        for row in URGENCY
        for within, _ in texts[row["row"]]
        if (extra := figures(within) - figures(row["within"]) - LIMITS_BESIDE.get(row["row"], set()))
    }
    assert invented == {}


def test_every_number_of_a_printed_time_target_is_told(knowledge: Knowledge) -> None:
    texts = texts_by_row(knowledge)
    words_of_the_rule = {"E-50": {48.0}, "E-69": {10.0}, "E-73": {5.5}}
    lost = {
        row["row"]: missing
        for row in URGENCY
        if (missing := figures(row["within"]) - figures(*(told for _, told in texts[row["row"]])))
    }
    assert all(missing <= words_of_the_rule.get(row, set()) for row, missing in lost.items()), lost


READ_AS: Mapping[tuple[str, str], str] = {
    ("E-11", "news2_total"): "news2_7_or_more",
    ("E-12", "news2_total"): "news2_5_or_more",
    ("E-27", "pyelonephritis"): "pyelonephritis_suspected",  # "`pyelonephritis` suspected"
    ("E-28", "pyelonephritis"): "pyelonephritis_suspected",
    ("E-38", "neurology_onset_h"): "neurology_onset_h_at_most_168",
    ("E-40", "upper_motor_neurone_signs"): "hyperreflexia",  # its members one by one, without the Hoffmann sign
    ("E-46", "motor_root_deficit"): "myotomal_weakness",  # its members one by one, with different exclusions
    ("E-48", "pain_worse_on_straining"): "pain_worse_cough_sneeze_strain",  # the public id
    ("E-53b", "hypercalcaemia"): "hypercalcaemia_3_or_more",
    ("E-56", "positional_pain"): "pain_worse_with_movement",  # the public id
}
"""Printed words that the rules read under another name."""

NOT_READ = {
    ("E-40", "hoffmann_sign"),  # printed to say that it does not count alone
    ("E-56", "female_sex"),  # its note: it would date every woman's review
    ("E-60", "unknown"),  # the state of an answer, not a word
}


def test_every_word_that_the_condition_of_a_row_names_is_read_by_its_rules(knowledge: Knowledge) -> None:
    read: dict[str, set[str]] = defaultdict(set)
    for flag in knowledge.red_flags.values():
        read[flag.row] |= {word for line in flag.when for word in (*line.words, *line.unless)}
    for entry in knowledge.default_policy:
        read[entry.row] |= {*entry.any_of, *entry.all_of}
    missing = []
    for row in URGENCY:
        name = row["row"]
        deep = read[name] | {part for word in read[name] for part in knowledge.parts(word)}
        named = [word for word in row["words"].split() if (name, word) not in NOT_READ]
        missing += [(name, word) for word in named if READ_AS.get((name, word), word) not in deep]
    assert missing == []


TOLD_BESIDE: Mapping[str, set[float]] = {
    "E-03": {500},  # "as E-01": the volume at which a catheter is placed
    "E-04": {500},
    "E-06": {500},
    "E-12": {2},  # the name of the score, NEWS2
    "E-52": {50},  # the word age_over_50
    "E-58": {12},  # the limit of the level routine
    "E-59": {12},
    "E-86": {3},  # the word lipase_over_3x
}
"""Numbers in the texts of a rule that its row prints only by reference."""


def test_no_urgency_rule_tells_a_number_that_its_row_does_not_print(knowledge: Knowledge) -> None:
    printed = {row["row"]: figures(row["figures"]) | TOLD_BESIDE.get(row["row"], set()) for row in URGENCY}
    invented = {
        (entry.row, entry.title): extra
        for entry in urgency_entries(knowledge)
        if (
            extra := figures(entry.title, entry.because, entry.within, entry.disposition, *entry.actions)
            - printed[entry.row]
        )
    }
    assert invented == {}


def test_urgency_rules_are_never_surer_than_printed(knowledge: Knowledge) -> None:
    printed = {row["row"]: row["status"] for row in URGENCY}
    surer = [
        (entry.row, entry.title, entry.evidence_status)
        for entry in urgency_entries(knowledge)
        if not no_better(entry.evidence_status, printed[entry.row])
    ]
    assert surer == []


# ---- safety

ACTIONS_BESIDE: Mapping[str, set[str]] = {
    "X002": {"caution", "exclude"},  # excludes with a RAAS blocker, a diuretic, dehydration or illness
    "X006": {"exclude", "caution"},  # topical with INR check
    "X009": {"exclude", "caution"},  # others only if unavoidable
    "X017": {"exclude", "instruct"},  # careful first dose of acetaminophen
    "X027": {"exclude", "instruct"},  # the same drug already in use is to be counted, not doubled
    "X032": {"exclude", "instruct"},  # poor metaboliser: half the dose
    "X035": {"exclude", "caution"},  # kidney disease with the eGFR not known
    "X036": {"exclude", "caution", "instruct"},  # halve or exclude; 5 days
    "X040": {"instruct"},  # largest dose
    "X041": {"caution", "exclude"},  # largest dose; acute liver failure
    "X042": {"caution"},  # largest dose or exclude
    "X043": {"instruct"},  # dose by weight
    "X046": {"instruct"},  # dose
    "X055": {"exclude"},  # the default; caution is left to the clinician
    "X058": {"exclude", "caution"},  # "significant" has no cut-off: 30-59 is a caution
    "X059": {"exclude", "caution"},  # G6PD deficiency as caution
    "X061": {"instruct"},  # excludes the injection; the entry is the oral form
    "X062": {"exclude"},  # the default; the label says caution
    "X063": {"instruct"},  # cautions about the injection; the entry is the oral form
    "X065": {"exclude"},  # avoid
    "X066": {"exclude", "instruct"},  # ALT checks
    "X069": {"instruct"},  # taper
    "X070": {"exclude", "instruct"},  # adjust the dose
    "X071": {"instruct"},  # taper
    "X075": {"caution"},  # excludes daytime doses only
    "X076": {"exclude", "caution"},  # pregnancy possible
    "X081": {"exclude", "instruct"},  # entries that are only proposed together are told
    "X089": {"caution", "instruct"},  # largest dose; kidneys and liver are a caution, so that known beats not asked
    "X090": {"caution"},  # naloxone and reassess
    "X102": {"caution", "instruct"},  # taper
    "X104": {"instruct"},  # largest dose
    "X115": {"exclude", "caution"},  # diabetes or numbness elsewhere, with the feeling at the site not known
    "X117": {"exclude", "caution"},  # a cancer now or ever, its place not known
    "X118": {"caution", "instruct"},  # excludes the electric pad only; sleep is told
    "X119": {"exclude", "instruct"},  # heat and a cream that are only proposed together are told
    "X120": {"caution"},  # excludes abdomen, hot tub and sauna; a warm pad on the back stays
    "X123": {"instruct"},  # excludes a way of using it
    "X124": {"caution"},  # no heat on the bruise; beside it heat stays
    "X125": {"exclude", "instruct"},  # mucosa and a tight cover are told
    "X127": {"exclude", "caution"},  # liver disease of unknown severity
    "X131": {"exclude", "caution"},  # a drug that may be given by patch
    "X145": {"exclude", "caution"},  # excludes deep strokes only; light ones stay
    "X149": {"exclude", "caution", "instruct"},  # a device bars electric needles only; depth is told
    "X151": {"exclude", "caution"},  # "stop"; extension stays with care where only bending hurts
    "X161": {"caution", "instruct"},  # "stop 5 days": told, and the entry waits with care
    "X162": {"caution", "instruct"},  # "hold with prescriber"
    "X163": {"exclude", "caution", "instruct"},  # "hold with cardiology"
    "X164": {"caution", "instruct"},  # "hold"
    "X165": {"instruct"},  # "usually continue"
    "X169": {"exclude", "caution", "instruct"},  # "postpone steroid"; diabetes without a value is told
    "X174": {"instruct"},  # excludes one kind of steroid and not the injection
    "X177": {"caution", "instruct"},  # "dose cap"
    "X190": {"exclude", "caution"},  # unless it is prescribed with checks
    "X191": {"exclude", "caution"},  # kidney function not known
    "X192": {"exclude", "caution", "instruct"},  # hot water in pregnancy; never to drink
    "X193": {"exclude", "caution", "instruct"},  # one mineral of several; timing is told
    "X194": {"exclude", "caution", "instruct"},  # dose is told
    "X202": {"caution"},  # one id holds quinolones and others: another one is chosen
    "X204": {"exclude"},  # "bypass"
    "X205": {"exclude", "caution"},  # JAK inhibitors only; one id holds them and others
    "X206": {"exclude", "caution"},  # oral bisphosphonates only; one id holds them and others
    "X207": {"exclude", "instruct"},  # what to look for is told
    "X208": {"instruct"},  # "stop statin" is the treatment itself
    "X209": {"instruct"},  # "give with ..., never delay"
    "X210": {"instruct"},  # "hold 48 h"
}
"""Rows whose action is more than the printed words exclude and caution."""

SAFETY_ROWS = ((1, 36), (40, 46), (50, 93), (95, 110), (115, 152), (160, 183), (190, 210))
"""Numbers of the 186 safety rows of treatment section D."""

SAFETY = table("safety_rows")


def safety_by_row(knowledge: Knowledge) -> dict[str, list[SafetyRule]]:
    """Evidence row -> the rules that encode it."""
    found: dict[str, list[SafetyRule]] = defaultdict(list)
    for rule, _ in knowledge.safety_rules.values():
        found[rule.row or rule.id].append(rule)
    return found


def numbered(*ranges: tuple[int, int]) -> list[str]:
    return [f"X{n:03d}" for first, last in ranges for n in range(first, last + 1)]


def test_every_safety_row_is_encoded_with_its_severity(knowledge: Knowledge) -> None:
    rules = safety_by_row(knowledge)
    assert [row["row"] for row in SAFETY] == numbered(*SAFETY_ROWS)
    wrong = {row["row"]: found for row in SAFETY if (found := severities(rules[row["row"]])) != {row["severity"]}}
    assert wrong == {}


def severities(rules: Iterable[SafetyRule]) -> set[str]:
    return {rule.severity for rule in rules}


def test_every_safety_row_acts_as_printed(knowledge: Knowledge) -> None:
    rules = safety_by_row(knowledge)
    printed = {
        row["row"]: ACTIONS_BESIDE.get(row["row"], set(re.findall(r"\b(exclude|caution)\b", row["action"])))
        for row in SAFETY
    }
    assert {row: {rule.action for rule in rules[row]} for row in printed} == printed


def test_no_safety_rule_tells_a_number_that_its_row_does_not_print(knowledge: Knowledge) -> None:
    rules = safety_by_row(knowledge)
    invented = {
        rule.id: extra
        for row in SAFETY
        for rule in rules[row["row"]]
        if (extra := figures(rule.title, rule.because, rule.instead) - figures(row["figures"]))
    }
    assert invented == {"X058b": {30, 59}}  # "significant" without a cut-off; the note says so


def test_safety_rules_are_never_surer_than_printed(knowledge: Knowledge) -> None:
    rules = safety_by_row(knowledge)
    surer = [
        (rule.id, rule.evidence_status)
        for row in SAFETY
        for rule in rules[row["row"]]
        if not no_better(rule.evidence_status, row["status"])
    ]
    assert surer == []


# ---- treatments, do-not rows, pathways

NOT_BY_ITS_CONDITION: Mapping[tuple[str, str], str] = {
    ("T079", "fibromyalgia"): "the row says overlap with back pain, so the criteria are read beside the back condition",
}
"""Treatment rows that name a condition which no offer reads, and why."""

TREATMENTS = table("treatment_rows")


def test_every_treatment_row_stands_with_its_rung_its_label_and_its_conditions(knowledge: Knowledge) -> None:
    encoded = {
        name: (entry.row, entry.label, entry.rung, entry.rung_max, " ".join(entry.conditions))
        for name, entry in knowledge.treatments.items()
    }
    printed = {}
    for row in TREATMENTS:
        # "rung 0-1", or "rung 1 (OTC 220 mg) / rung 3 (prescription)"
        rungs = [int(digit) for digit in re.findall(r"(?:rung |(?<=\d)-)(\d)", row["rung"])]
        last = rungs[1] if len(rungs) > 1 else None
        printed[row["treatment"]] = (row["row"], row["label"], rungs[0], last, row["conditions"])
    assert len(printed) == 106
    assert encoded == printed


def test_every_treatment_is_offered_to_somebody(knowledge: Knowledge) -> None:
    assert [entry.row for entry in knowledge.treatments.values() if not entry.offer] == []


def test_a_treatment_is_offered_for_every_ranked_condition_that_its_row_lists(knowledge: Knowledge) -> None:
    unreachable = []
    for row in TREATMENTS:
        offers = knowledge.treatments[row["treatment"]].offer
        read = {word for offer in offers for line in offer.when for word in line.words}
        for condition in row["conditions"].split():
            if f"condition:{condition}" not in read:
                unreachable.append((row["row"], condition))
    assert unreachable == [*NOT_BY_ITS_CONDITION]


def test_treatments_are_never_surer_than_printed(knowledge: Knowledge) -> None:
    surer = []
    for row in TREATMENTS:
        status = knowledge.treatments[row["treatment"]].evidence_status
        if status and not no_better(status, row["status"]):
            surer.append((row["row"], status))
    assert surer == []


def test_no_dose_holds_a_number_that_its_row_does_not_print(knowledge: Knowledge) -> None:
    doses = {row["row"]: knowledge.treatments[row["treatment"]].dose for row in TREATMENTS}
    assert sum(map(bool, doses.values())) > 15
    invented = {
        row["row"]: extra for row in TREATMENTS if (extra := figures(doses[row["row"]]) - figures(row["figures"]))
    }
    assert invented == {}


INSTEAD_IN_WORDS: Mapping[str, set[str]] = {
    "N25": {"naproxen_oral"},  # naproxen alone
    "N32": {"ibuprofen_oral", "nsaid_parenteral", "colic_pain_relief_home"},  # NSAID
    "N38": {"acetaminophen_oral"},  # acetaminophen
}
"""Rows that name the alternative in words and not by its T number."""

DO_NOT = table("do_not_rows")


def test_every_do_not_row_is_encoded_with_the_printed_alternatives(knowledge: Knowledge) -> None:
    by_row = {entry.row: name for name, entry in knowledge.treatments.items()}
    printed = {}
    for row in DO_NOT:
        spans = re.findall(r"T(\d{3})(?:-T(\d{3}))?", row["instead"])
        rows = [f"T{n:03d}" for first, last in spans for n in range(int(first), int(last or first) + 1)]
        named = {by_row[name] for name in rows if name in by_row}
        printed[row["row"]] = named | INSTEAD_IN_WORDS.get(row["row"], set())
    assert list(printed) == [f"N{n:02d}" for n in range(1, 39)]
    assert {row.id: set(row.instead["treatments"]) for row in knowledge.do_not.values()} == printed


def test_no_do_not_row_tells_a_number_that_is_not_printed(knowledge: Knowledge) -> None:
    for printed in DO_NOT:
        row = knowledge.do_not[printed["row"]]
        assert figures(row.title, row.because, row.instead["text"]) <= figures(printed["figures"]), row.id


def test_do_not_rows_are_never_surer_than_printed(knowledge: Knowledge) -> None:
    printed = {row["row"]: row["status"] for row in DO_NOT}
    surer = [row.id for row in knowledge.do_not.values() if not no_better(row.evidence_status, printed[row.id])]
    assert surer == []


PATHWAYS = table("pathway_rows")


def test_every_pathway_row_is_encoded_with_its_time_and_its_numbers(knowledge: Knowledge) -> None:
    encoded = {entry.row: entry for entry in knowledge.pathways.values()}
    assert set(encoded) == {f"A.3 {row['row']}" for row in PATHWAYS}
    for row in PATHWAYS:
        pathway = encoded[f"A.3 {row['row']}"]
        assert figures(pathway.within) == figures(row["within"]), row["row"]
        told = figures(pathway.title, pathway.trigger, *pathway.actions, *pathway.avoid, pathway.within)
        assert told == figures(row["figures"]), row["row"]
        assert no_better(pathway.evidence_status, row["status"]), row["row"]
        if row["row"] != "other visceral or vascular":
            assert pathway.conditions == (row["row"].split(" (")[0],)


# ---- education, prognosis, follow-up, referral, conflicts, gates

ADVICE = {row["row"]: row for row in table("advice_rows")}


def advice(knowledge: Knowledge) -> dict[str, tuple[str, set[float]]]:
    """Evidence row -> status and the numbers that are told."""
    found: dict[str, tuple[str, set[float]]] = {}
    for fact in knowledge.education.values():
        found[fact.id] = (fact.evidence_status, figures(fact.title, fact.text))
    for review in knowledge.follow_up.values():
        found[review.id] = (review.evidence_status, figures(review.title, review.within, *review.check))
    for conflict in knowledge.conflicts.values():
        told = (conflict.title, *conflict.articles.values(), conflict.evidence, conflict.default, conflict.show)
        found[conflict.id] = (conflict.evidence_status, figures(*told))
    for gate in knowledge.gates.values():
        found[gate.id] = (gate.evidence_status, figures(gate.rule))
    return found


def test_every_advice_row_is_encoded(knowledge: Knowledge) -> None:
    assert len(ADVICE) + len({row["reached"] + row["figures"] for row in REFERRALS}) > 84
    assert advice(knowledge).keys() == ADVICE.keys()


def test_no_advice_row_tells_a_number_that_is_not_printed_or_leaves_one_out(knowledge: Knowledge) -> None:
    told = advice(knowledge)
    differing = {
        row: (sorted(told[row][1] - printed), sorted(printed - told[row][1]))
        for row, entry in ADVICE.items()
        if told[row][1] != (printed := figures(entry["figures"]))
    }
    assert differing == TOLD_OTHERWISE


TOLD_OTHERWISE: Mapping[str, tuple[list[float], list[float]]] = {
    "E51": ([100], []),  # the scale, as E50 prints it
    "E52": ([100], []),
    # "E50-E53" in words: the numbers of those rows
    "K19": ([12, 14, 22, 23, 26, 33, 51, 52, 56, 58, 72, 83, 100, 2012, 2024], []),
}
"""Advice row -> numbers told beside the printed ones, and numbers left out."""


def test_advice_rows_are_never_surer_than_printed(knowledge: Knowledge) -> None:
    surer = [row for row, (status, _) in advice(knowledge).items() if not no_better(status, ADVICE[row]["status"])]
    assert surer == []


REFERRALS = table("referral_rows")


def test_every_referral_row_is_encoded_for_each_of_its_conditions(knowledge: Knowledge) -> None:
    rows = {row.condition: row for row in knowledge.referral.values()}
    assert rows.keys() == {row["condition"] for row in REFERRALS}
    for printed in REFERRALS:
        row = rows[printed["condition"]]
        assert row.reached == printed["reached"], row.id
        more = {0.4, 1.9, 2.5, 6.5} if row.condition == "electrolyte_disturbance" else set()  # "values in A.3"
        assert figures(row.refer_to, row.when) == figures(printed["figures"]) | more, row.id
        assert no_better(row.evidence_status, printed["status"]), row.id


def test_every_measure_that_the_articles_name_leads_to_what_answers_it(knowledge: Knowledge) -> None:
    """Each row of section F.2 stands somewhere in the knowledge, and each treatment of it is offered or refused."""
    known = {entry.row for entry in knowledge.treatments.values()} | {*knowledge.do_not} | {*knowledge.conflicts}
    known |= {rule.row or rule.id for rule, _ in knowledge.safety_rules.values()}
    known |= {*knowledge.education} | {*knowledge.follow_up} | {*knowledge.gates} | {"A.3"}
    assert len(knowledge.measures) == 38
    for measure in knowledge.measures.values():
        assert measure.rows and {*measure.rows} <= known, measure.id
        named = {knowledge.treatments[name].row for name in measure.treatments}
        assert named == {row for row in measure.rows if row.startswith("T")}, measure.id
        assert all(knowledge.treatments[name].offer for name in measure.treatments), measure.id
