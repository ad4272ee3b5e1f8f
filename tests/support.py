"""Helpers that several test modules share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import rules
from rules.files import KnowledgeError
from rules.words import Vocabulary
from schemas.vocabulary import DerivedSchema, FindingSchema, ScoreSchema

Edit = tuple[str, str, str]
"""A file of the small knowledge base, a passage that stands in it once, and what stands there instead."""

KNOWLEDGE: Mapping[str, str] = {
    "vocabulary/findings.yaml": """\
fever:
  kind: history
  label: Fever
  question: Have you had a fever?
  group: infection
  also_present_if: temperature_raised
  also_absent_if: temperature_normal
rigors:
  kind: history
  label: Shaking chills
  question: Have you had shaking chills?
  groups_also: [infection]
chills:
  kind: history
  label: Chills
  question: Have you had chills?
  implied_by: [rigors]
  absent_clears: [rigors]
urinary_retention:
  kind: history
  label: Unable to pass urine
  question: Are you unable to pass urine?
bladder_change:
  kind: history
  label: Change in passing urine
  question: Has passing urine changed?
  implied_by: [urinary_retention]
saddle_numbness:
  kind: examination
  label: Numb saddle area
  question: Is the saddle area numb?
  prompted_by: long_episode
pain_improving:
  kind: history
  label: Pain is improving
  question: Is the pain getting better?
  contradicts: [pain_worsening]
pain_worsening:
  kind: history
  label: Pain is getting worse
  question: Is the pain getting worse?
recent_vaccine:
  kind: history
  label: Vaccine in the last days
  question: Have you had a vaccine in the last days?
  contradicts: [never_vaccinated]
never_vaccinated:
  kind: history
  label: Never vaccinated
  question: Have you never had a vaccine?
stiffness:
  kind: history
  label: Stiff back
  question: Is the back stiff?
""",
    "vocabulary/observations.yaml": """\
temperature_c: {label: Temperature, unit: degrees Celsius, plausible: [30, 43]}
pulse: {label: Pulse, unit: per minute, ucum: /min, plausible: [20, 250]}
alertness: {label: Alertness, values: [alert, drowsy]}
""",
    "vocabulary/derived.yaml": """\
temperature_raised: {from: observations.temperature_c, at_least: 38}
temperature_normal: {from: observations.temperature_c, below: 37.5}
older: {from: patient.age_years, at_least: 65, group: age}
long_episode: {from: episode.duration_days, at_least: 42}
infection_signs: {any: [fever, chills]}
cauda_signs: {all: [saddle_numbness, bladder_change], applies_if: older}
two_signs: {of: [fever, chills, {absent: stiffness}], at_least: 2}
thin_blood: {any: ['medication_class:anticoagulant', 'allergy:latex']}
very_sick: {score: ward_score, at_least: 3}
tablets_failed: {tried: {treatment: tablets_any, weeks_at_least: 2, response_in: [none, partial]}}
""",
    "vocabulary/scores.yaml": """\
ward_score:
  items:
    - {name: fever, points: 2, word: fever}
    - {name: pulse, from: observations.pulse, bands: [[null, 90, 0], [91, null, 1]]}
    - name: alertness
      one_of:
        - {name: stiff, points: 1, word: stiffness}
        - {name: drowsy, from: observations.alertness, codes: {alert: 0, drowsy: 1}}
  range: [0, 4]
  bands: {low: [0, 1], high: [2, 4]}
""",
    "vocabulary/not_coded.yaml": """\
old_score: {reason: its weights are not printed, source: the paper}
""",
    "vocabulary/medications.yaml": """\
anticoagulant: {label: Anticoagulant, kind: class, classes: []}
coumarin: {label: Coumarin, kind: class, classes: [anticoagulant]}
warfarin: {label: Warfarin, kind: ingredient, classes: [coumarin]}
nsaid: {label: Anti-inflammatory drug, kind: class, classes: []}
ibuprofen: {label: Ibuprofen, kind: ingredient, classes: [nsaid]}
""",
    "vocabulary/common_medications.yaml": """\
acenocoumarol: {label: Acenocoumarol, kind: ingredient, classes: [coumarin]}
""",
    "vocabulary/medication_names.yaml": """\
salts_and_forms: [sodium, tablets]
whole_names: [sodium chloride]
same: {warfarine: warfarin}
brands: {brufen: ibuprofen}
""",
    "vocabulary/allergens.yaml": """\
latex: {label: Latex}
""",
    "vocabulary/treatment_groups.yaml": """\
tablets_any: {label: Any tablets, rung: 1, covers: [ibuprofen_tablets]}
""",
    "vocabulary/must_ask.yaml": """\
F-01:
  item: Change in passing water
  findings: [urinary_retention, bladder_change]
  gates: [routine, self_care]
  if_unknown: urgent_same_day
  action_if_unknown: same-day bladder scan
F-02:
  item: Numbness between the legs
  findings: [saddle_numbness]
  gates: [routine]
  if_unknown: urgent_same_day
  action_if_unknown: same-day examination
  applies_if: older
""",
    "vocabulary/levels.yaml": """\
emergency:
  rank: 5
  label: Now
  limit: minutes
  place: hospital
  must_be_answered: []
urgent_same_day:
  rank: 4
  label: Today
  limit: 24 hours
  place: clinic
  must_be_answered: [F-01]
urgent_2_weeks:
  rank: 3
  label: Soon
  limit: 14 days
  place: clinic
  must_be_answered: [F-01]
routine:
  rank: 2
  label: Planned
  limit: 12 weeks
  place: practice
  must_be_answered: [F-01]
  if_applicable: [F-02]
self_care:
  rank: 1
  label: At home
  limit: none
  place: home
  must_be_answered: [F-01, F-02]
""",
    "vocabulary/settings.yaml": """\
primary_care: {label: Primary care, prior_column: primary care}
emergency: {label: Emergency department, prior_column: ED}
""",
    "vocabulary/fields.yaml": """\
patient.age_years: {type: number, plausible: [0, 120]}
patient.sex: {type: code, values: [female, male]}
patient.pregnancy: {type: code, values: [pregnant, not_pregnant, possible]}
setting: {type: code, values: [primary_care, emergency]}
episode.duration_days: {type: number, plausible: [0, 36500]}
episode.pain_severity: {type: number, plausible: [0, 10]}
contact.mode: {type: code, values: [in_person, remote]}
contact.informant: {type: code, values: [patient, proxy]}
screening: {type: map, keys: must_ask ids, values: [absent, unknown]}
medications: {type: list of medication or class ids}
allergies: {type: list of medication or allergen ids}
treatments_tried.treatment: {type: treatment id}
treatments_tried.weeks: {type: number, plausible: [0, 520]}
treatments_tried.response: {type: code, values: [none, partial, good]}
""",
    "vocabulary/groups.yaml": """\
infection: {source: one illness}
age: {source: one birthday}
""",
    "vocabulary/codes/systems.yaml": """\
loinc: {uris: ['http://loinc.org']}
icd: {uris: ['http://hl7.org/fhir/sid/icd-10-cm'], deep: true}
""",
    "vocabulary/codes/findings.yaml": """\
fever:
  days: 7
  codes:
    - {system: icd, code: R50, under: true, display: Fever, status: recalled}
""",
    "vocabulary/codes/reasons.yaml": """\
back_pain:
  label: Back pain
  codes:
    - {system: icd, code: M54.5, under: true, display: Low back pain, status: recalled}
""",
    "vocabulary/codes/fields.yaml": """\
patient.pregnancy:
  values:
    pregnant:
      - {system: icd, code: Z33.1, display: Pregnant, status: recalled}
""",
    "vocabulary/codes/answers.yaml": """\
affirmed:
  means: present
  codes:
    - {system: loinc, code: LA33-6, display: 'Yes', status: recalled}
""",
    "vocabulary/codes/units.yaml": """\
- {unit: '1/min', to: /min, factor: 1}
""",
    "vocabulary/codes/observations.yaml": """\
pulse:
  days: 1
  codes:
    - {system: loinc, code: 8867-4, display: Heart rate, status: recalled}
""",
    "vocabulary/codes/medications.yaml": """\
anticoagulant:
  codes:
    - {system: icd, code: B01, under: true, display: Anticoagulants, status: recalled}
""",
    "vocabulary/codes/allergens.yaml": """\
latex:
  codes:
    - {system: loinc, code: LA1, display: Latex, status: recalled}
""",
    "vocabulary/codes/treatments.yaml": """\
tablets_any:
  codes:
    - {system: loinc, code: LA2, display: Tablets, status: recalled}
""",
    "vocabulary/codes/empty_lists.yaml": """\
allergies:
  codes:
    - {system: loinc, code: LA3, display: None known, status: recalled}
  lists:
    - {system: loinc, code: LA4, display: Allergies, status: recalled}
""",
    "vocabulary/codes/reading.yaml": """\
grade: D
evidence_status: estimate
references: [guideline]
finding_days: {history: 14}
observation_days: 30
answers_days: 7
reason_days: 90
tried_days: 180
adult_from: 18
allergy_words: [allergy to]
""",
    "references.yaml": """\
paper: {citation: "A paper 2020", url: "https://example.org/paper"}
guideline: {citation: A guideline 2021}
""",
    "conditions/plain_strain.yaml": """\
id: plain_strain
label: Ordinary mechanical pain
family: mechanical
serious: false
priors:
  settings:
    primary_care: [{below: 50, percent: 70}, {at_least: 50, percent: 60}]
    emergency: [{percent: 50}]
  grade: D
  evidence_status: estimate
  references: [paper]
frequencies:
  fever: {f: 0.02, grade: D, status: estimate, source: an estimate, references: [paper]}
  stiffness: {f: 0.5, grade: D, status: estimate, source: an estimate, references: [paper]}
  older: {f: 0.2, grade: D, status: estimate, source: an estimate, references: [paper]}
published:
  - {word: fever, lr_present: 9, grade: A, evidence_status: verified, references: [paper]}
""",
    "conditions/spinal_infection.yaml": """\
id: spinal_infection
label: Infection of the spine
family: infection
serious: true
codes:
  icd10cm: {code: M46.20, title: Osteomyelitis of vertebra, references: [paper]}
priors:
  settings:
    primary_care: [{percent: 0.1}]
    emergency: [{percent: 1}]
  modifiers:
    - {word: chills, factor: 3, row: R1, evidence_status: recalled, references: [guideline]}
  grade: D
  evidence_status: estimate
  references: [paper]
frequencies:
  fever: {f: 0.4, range: [0.3, 0.5], grade: B, status: verified, source: a series, references: [paper]}
  stiffness: {f: 0.6, grade: D, status: estimate, source: an estimate, references: [paper]}
composites: ['ward_score:high']
published:
  - {word: fever, lr_present: 20, grade: A, evidence_status: verified, references: [paper]}
  - {word: 'ward_score:high', lr_present: 3, lr_absent: 0.5, grade: B, evidence_status: verified, references: [paper]}
course:
  - {text: Weeks of treatment., evidence_status: verified, references: [guideline]}
work_up:
  - investigation: mri
    label: MRI of the spine
    advice: order
    lines:
      - [fever, 'condition:spinal_infection']
    because: It shows infection early.
    evidence_status: verified
    references: [guideline]
""",
    "red_flags/suspected_infection.yaml": """\
id: suspected_infection
row: E-01
title: Suspected infection of the spine
review: draft
evidence_status: verified
references: [paper, guideline]
when:
  - [fever, pain_worsening, {unless: recent_vaccine}]
  - [{at_least: {n: 2, of: [rigors, saddle_numbness, older]}}]
  - ['unknown:F-01', infection_signs]
then:
  urgency: urgent_same_day
  suspects: [spinal_infection]
within: Examined today
disposition: Same-day clinic
actions: [Blood tests]
because: Infection of the spine is dangerous.
not_alone: [fever]
examples:
  fires:
    - {fever: present, pain_worsening: present}
    - {rigors: present, patient.age_years: 65}
    - {bladder_change: unknown, chills: present}
  silent:
    - {fever: present, pain_worsening: present, recent_vaccine: present}
    - {fever: present}
""",
    "patterns/sick_pattern.yaml": """\
id: sick_pattern
row: P1
title: A sick person
label: looks sick
review: draft
evidence_status: verified
references: [paper]
when:
  - [fever, chills]
then: {finding: looks_sick}
because: Both point the same way.
examples:
  fires: [{fever: present, chills: present}]
  silent: [{fever: present}]
""",
    "treatments/ibuprofen_tablets.yaml": """\
id: ibuprofen_tablets
row: T01
label: Ibuprofen
rung: 1
kind: drug
conditions: [plain_strain]
drugs: [ibuprofen]
evidence_status: verified
references: [paper]
offer:
  - {status: consider, when: [['condition:plain_strain', 'failed:tablets_any']]}
  - {status: recommended, when: [['condition:plain_strain']]}
because: It eases pain a little.
alternatives: [tablets_any]
""",
    "safety/anti_inflammatory.yaml": """\
id: anti_inflammatory
title: Anti-inflammatory drugs
treatments: [ibuprofen_tablets]
needs:
  - {field: medications, question: "Which medicines are taken?"}
  - {finding: fever, question: "Is there fever?", counts_as_known: [infection_signs], applies: older}
rules:
  - id: X001
    title: Blood thinner
    when: [['medication_class:anticoagulant']]
    action: exclude
    severity: critical
    because: It bleeds.
    evidence_status: verified
    references: [guideline]
    examples:
      fires: [{medications: [warfarin]}]
      silent: [{medications: [ibuprofen]}]
  - id: X002
    title: Allergy
    when: [['allergy_class:nsaid'], ['tried:ibuprofen_tablets', older]]
    treatments: [ibuprofen_tablets]
    action: caution
    severity: major
    because: It may happen again.
    evidence_status: verified
    references: [paper]
    examples:
      fires: [{allergies: [ibuprofen]}]
      silent: [{allergies: [latex]}]
""",
    "pathways/spinal_infection.yaml": """\
id: spinal_infection
row: A1
title: Infection of the spine
conditions: [spinal_infection]
review: draft
evidence_status: verified
references: [guideline]
trigger: Fever and a weak leg
actions: [Blood cultures]
avoid: [Delay]
within: Hours
""",
    "advice/do_not.yaml": """\
- id: N01
  title: Bed rest
  treatment: null
  when:
    - ['condition:plain_strain']
  because: It does harm.
  instead: {text: Stay active, treatments: [ibuprofen_tablets]}
  evidence_status: verified
  references: [paper]
""",
    "advice/education.yaml": """\
- id: E20
  kind: advice
  topic: activity
  title: Moving
  text: Moving is safe.
  leaflet: Moving is safe for you.
  when:
    - ['condition:plain_strain']
  evidence_status: verified
  references: [paper]
- id: E28
  kind: advice
  topic: medicine
  title: Tablets
  text: One kind of tablet only.
  leaflet: Take one kind of tablet only.
  treatments: [ibuprofen_tablets]
  unless_excluded: [ibuprofen_tablets]
  evidence_status: verified
  references: [paper]
""",
    "advice/follow_up.yaml": """\
- id: E70
  title: After a strain
  when:
    - ['condition:plain_strain']
  treatments: [ibuprofen_tablets]
  review_days: [14, 42]
  within: 2 weeks, then 6
  check: [pain]
  evidence_status: verified
  references: [paper]
""",
    "advice/referral.yaml": """\
- {id: refer_plain_strain, condition: plain_strain, reached: 0-2, refer_to: physiotherapy, when: not improving,
   evidence_status: verified, references: [paper]}
""",
    "advice/conflicts.yaml": """\
- id: K01
  title: Tablets or not
  articles: {S1: tablets first}
  evidence: They help a little.
  default: Offered.
  show: Both.
  treatments: [ibuprofen_tablets]
  rows: [T01]
  evidence_status: verified
  references: [paper]
""",
    "advice/measures.yaml": """\
- {id: tablets, label: Tablets, articles: [S1], rows: [T01], treatments: [ibuprofen_tablets], conflicts: [K01]}
""",
    "advice/gates.yaml": """\
- {id: G1, rule: Look again, held_by: the open must-asks, evidence_status: verified, references: [paper]}
""",
    "advice/leaflet.yaml": """\
title: Your back
likely: "It is likely {condition}."
warning: "{text} Then {act}."
provisional: Not final.
review: "Come back in {days} days."
sections: {activity: Moving, medicine: Tablets}
levels:
  emergency: {text: Go now., topics: []}
  urgent_same_day: {text: Come today., topics: [warning]}
  urgent_2_weeks: {text: Come soon., topics: [activity, medicine]}
  routine: {text: Come some time., topics: [activity, medicine]}
  self_care: {text: Stay at home., topics: [activity, medicine]}
""",
    "rungs.yaml": """\
rungs:
  - {rung: 0, title: Self-care, enter_when: Everyone, evidence_status: verified, references: [paper]}
  - {rung: 1, title: Tablets, enter_when: In pain, evidence_status: verified, references: [paper]}
""",
    "default_urgency.yaml": """\
default_policy:
  - row: E-90
    title: Only a long episode
    level: routine
    any_of: [long_episode]
    because: It is chronic.
    within: 12 weeks
    disposition: Practice
    evidence_status: verified
    references: [guideline]
  - row: E-91
    title: Older
    level: self_care
    all_of: [older]
    needs_gate: true
    because: It settles.
    within: 4 weeks
    disposition: Home
    evidence_status: verified
    references: [guideline]
  - row: E-92
    title: Nothing else
    level: routine
    because: Nothing calls for more.
    within: 12 weeks
    disposition: Practice
    evidence_status: estimate
    references: [paper]
""",
    "policy.yaml": """\
version: 9.9.9
grade: D
evidence_status: estimate
references: [paper]
reasoning:
  default_setting: primary_care
  outside_scope: older
  background: plain_strain
  clip: [0.01, 0.9]
  dependence_factor: 0.5
  serious_floor: 0.05
  likelihood: [{word: likely, at_least: 0.5}, {word: unlikely, at_least: 0}]
  test_threshold: 0.02
  shown: 12
  shown_always: 5
  shown_from: 0.001
  line_from: 1.1
ladder:
  leading_share: 0.25
  leading_at_least: 0.1
  leading_at_most: 3
  hold_levels: [emergency]
  one_at_a_time: [nsaid]
  emergency_avoid: [No heat]
  allergy_classes: [coumarin]
  suspected_from: urgent_same_day
  kinds_needing_safety: [drug]
  missing_data_caution_up_to_rung: 2
questions:
  at_most: 8
  from_top: 5
  would_change: 6
  would_change_named: 4
  worth: {history: 1, context: 1, examination: 1, investigation: 0.3}
contact:
  proxy_unknown: [saddle_numbness]
  remote_cannot_clear: [fever]
  remote_cannot_clear_rest_of: [F-01]
  impaired_by: [older]
  impaired_unknown: [F-02]
fhir:
  severity_of_rule: {critical: high, major: high, moderate: moderate, minor: low}
  severity_of_level: {emergency: high, urgent_same_day: high, urgent_2_weeks: moderate, routine: low, self_care: low}
  priority_of_level:
    {emergency: stat, urgent_same_day: asap, urgent_2_weeks: urgent, routine: routine, self_care: routine}
texts: {intended_use: For clinicians.}
""",
    "cds_hooks.yaml": """\
grade: D
evidence_status: estimate
references: [paper]
services:
  - {id: small-orders, hook: order-sign, title: Orders, description: Looks at orders, usage: None, prefetch: [patient]}
prefetch: {patient: "Patient/{{context.patientId}}"}
levels:
  emergency: {indicator: critical, word: Emergency, priority: stat}
  urgent_same_day: {indicator: warning, word: Same day, priority: urgent}
  urgent_2_weeks: {indicator: warning, word: Soon, priority: routine}
  routine: {indicator: info, word: Planned, priority: routine}
  self_care: {indicator: info, word: Self-care, priority: routine}
verdicts: {excluded: warning, caution: info, not_recommended: info, not_checked: info}
show:
  {cards: 3, reasons: 3, questions: 5, sources: 6, suggestions: 3, orders: 9, caution_from: major,
   critical_at_least: warning,   on_order: [emergency]}
texts: {summary: "{level}: {reason}"}
override_reasons: [{system: "https://lumbar.example/reasons", code: done, display: Done}]
orders:
  - {id: scan, label: Scan, names: [[scan]], treatments: [ibuprofen_tablets], right_for: [], do_not: [N01],
     needs: [patient.age_years]}
drugs: [{of: nsaid, judged_as: ibuprofen_tablets, do_not: [N01]}]
""",
    "source_attributes.yaml": """\
kind: Written by people.
intended_users: [Clinicians]
intended_population: Adults
not_intended: [Patients]
attributes:
  - {attribute: bibliographic_citation, says: See the references}
  - {attribute: developer, says: The maintainers}
  - {attribute: funding_source, says: None}
  - {attribute: release_and_revision_dates, says: See released}
  - {attribute: race, used: false, says: Not used}
  - {attribute: ethnicity, used: false, says: Not used}
  - {attribute: language, used: false, says: Not used}
  - {attribute: sexual_orientation, used: false, says: Not used}
  - {attribute: gender_identity, used: false, says: Not used}
  - {attribute: sex, used: false, says: Not used}
  - {attribute: date_of_birth, used: true, inputs: [patient.age_years], says: The age}
  - {attribute: social_determinants_of_health, used: false, says: Not used}
  - {attribute: health_status_assessments, used: true, inputs: [observations], says: Scores}
released: null
revised: "2020-02-29"
""",
    "validation.yaml": """\
date: "2020-02-29"
by: The maintainers
studies:
  - id: cases
    title: Cases
    limits: Few
    repeat: make test
    cases: 2
    measures: [{id: first, says: Comes first, unit: share, value: 0.5, count: 1, of: 2, interval: [0.09, 0.91]}]
""",
}
"""A small complete knowledge base: file -> text. Each kind of rule, and each kind of reference to another, once."""


def write_knowledge(folder: Path, **changes: str | None) -> Path:
    """Write the small knowledge base below a folder.

    Args:
        folder: where to; made when missing.
        changes: file -> its whole text instead, or None to leave it out; `**{"rungs.yaml": "..."}`.
    """
    texts = {folder / name: text for name, text in {**KNOWLEDGE, **changes}.items() if text is not None}
    for parent in {file.parent for file in texts}:
        parent.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        file.write_bytes(text.encode())
    return folder


def edited(*edits: Edit) -> dict[str, str]:
    """Changes for write_knowledge: passages replaced one after the other; each must stand in its file once."""
    changed: dict[str, str] = {}
    for name, old, new in edits:
        text = changed.get(name, KNOWLEDGE[name])
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        changed[name] = text.replace(old, new)
    return changed


def without(name: str, start: str, end: str | None = None) -> dict[str, str]:
    """A change for write_knowledge: one file without its text from `start` up to `end`, or up to where it ends."""
    before, _, rest = KNOWLEDGE[name].partition(start)
    return {name: before + (rest[rest.index(end) :] if end else "")}


def line_with(file: Path, text: str) -> int:
    """The number of the only line of a file that holds a text."""
    lines = file.read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return number


def complaints(folder: Path) -> list[str]:
    """What load() says is wrong with a knowledge base, one complaint a line, as `file:line: message`."""
    with pytest.raises(KnowledgeError) as caught:
        rules.load(folder)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def vocabulary(
    findings: Iterable[str] | Mapping[str, Mapping[str, Any]],
    derived: Mapping[str, Mapping[str, Any]] | None = None,
    scores: Mapping[str, Mapping[str, Any]] | None = None,
) -> Vocabulary:
    """A small vocabulary, written as in the YAML files; label, question and kind of a finding are filled in."""
    extra = findings if isinstance(findings, Mapping) else {}
    about = {name: {"kind": "history", "label": name, "question": f"{name}?"} for name in findings}
    return Vocabulary(
        {name: FindingSchema().load({**text, **extra.get(name, {})}) for name, text in about.items()},
        {name: DerivedSchema().load(dict(entry)) for name, entry in (derived or {}).items()},
        {name: ScoreSchema().load(dict(entry)) for name, entry in (scores or {}).items()},
    )
