"""The rule files: one schema for each kind, in the order in which a reader meets their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import fields, validate

from schemas.parts import Id, Line, Number, Record, Tuples, When, ascending, ids, words
from schemas.vocabulary import FINDING_KINDS

STATUSES = ("verified", "part_verified", "recalled", "estimate")
GRADES = ("A", "B", "C", "D")
REVIEWS = ("draft", "reviewed", "retired")
LEVELS = ("emergency", "urgent_same_day", "urgent_2_weeks", "routine", "self_care")
OFFERS = ("recommended", "consider", "not_yet", "not_recommended")
KINDS = (
    "education",
    "self_care",
    "physical",
    "drug",
    "supplement",
    "exercise",
    "manual",
    "psychological",
    "injection",
    "procedure",
    "surgery",
    "other",
)
ACTIONS = ("exclude", "caution", "instruct")
SEVERITIES = ("critical", "major", "moderate", "minor")
INSIDE = validate.Range(0, 1, min_inclusive=False, max_inclusive=False)
"""What a logarithm or an odds can be taken of."""


class Sourced(Record):
    """Every rule carries its sources: reference keys, and the pages where its figures were seen."""

    evidence_status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    references = ids("reference", required=True, validate=validate.Length(min=1))
    seen = words()


class Reviewed(Sourced):
    review = fields.String(required=True, validate=validate.OneOf(REVIEWS))
    reviewer = fields.String()
    reviewed_on = fields.String()
    note = fields.String()


def _grade(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(GRADES), **kwargs)


def _examples(**kwargs: Any) -> Tuples:
    return Tuples(fields.Dict(keys=fields.String()), **kwargs)


@dataclass(frozen=True, slots=True)
class Reference:
    """A line of the bibliography."""

    citation: str
    url: str | None = None


class ReferenceSchema(Record):
    model = Reference
    citation = fields.String(required=True, validate=validate.Length(min=3))
    url = fields.String()


@dataclass(frozen=True, slots=True)
class Examples:
    """Presentations that must fire a rule, and presentations that must not."""

    fires: tuple[Mapping[str, Any], ...]
    silent: tuple[Mapping[str, Any], ...]


class ExamplesSchema(Record):
    model = Examples
    fires = _examples(required=True, validate=validate.Length(min=1))
    silent = _examples(required=True, validate=validate.Length(min=1))


@dataclass(frozen=True, slots=True)
class Then:
    """What an urgency rule concludes: a level and what it suspects, or a notice."""

    urgency: str | None = None
    suspects: tuple[str, ...] = ()
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class RedFlag:
    """One urgency rule: when it fires, the level, the time limit, what to do."""

    id: str
    row: str
    title: str
    review: str
    evidence_status: str
    references: tuple[str, ...]
    when: tuple[Line, ...]
    then: Then
    because: str
    examples: Examples
    within: str | None = None
    disposition: str | None = None
    actions: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    guideline: str | None = None
    not_alone: tuple[str, ...] = ()
    not_alone_text: str | None = None
    note: str | None = None
    reviewer: str | None = None
    reviewed_on: str | None = None

    @property
    def urgency(self) -> str | None:
        """The level that the rule sets; None for a notice."""
        return self.then.urgency

    @property
    def suspects(self) -> tuple[str, ...]:
        """The conditions that the rule suspects."""
        return self.then.suspects


class _ThenSchema(Record):
    model = Then
    urgency = Id("level", validate=validate.OneOf(LEVELS))
    suspects = ids("condition")
    notice = fields.String(validate=validate.OneOf(["no_downgrade"]))


class RedFlagSchema(Reviewed):
    model = RedFlag
    id = fields.String(required=True)
    row = fields.String(required=True)
    title = fields.String(required=True)
    when = When(required=True)
    then = fields.Nested(_ThenSchema, required=True)
    within = fields.String()
    disposition = fields.String()
    actions = words()
    because = fields.String(required=True)
    guideline = fields.String()
    not_alone = ids("rule word")
    not_alone_text = fields.String()
    examples = fields.Nested(ExamplesSchema, required=True)


@dataclass(frozen=True, slots=True)
class Concludes:
    """The word that a pattern concludes."""

    finding: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rule that concludes a word for other rules: forward chaining."""

    id: str
    row: str
    title: str
    review: str
    evidence_status: str
    references: tuple[str, ...]
    when: tuple[Line, ...]
    then: Concludes
    because: str
    examples: Examples
    label: str
    seen: tuple[str, ...] = ()
    note: str | None = None
    lr: float | None = None
    lr_range: tuple[float, float] | None = None
    reviewer: str | None = None
    reviewed_on: str | None = None

    @property
    def concludes(self) -> str:
        """The word that other rules may read."""
        return self.then.finding


class _ConcludesSchema(Record):
    model = Concludes
    finding = fields.String(required=True)


class PatternSchema(Reviewed):
    model = Pattern
    id = fields.String(required=True)
    row = fields.String(required=True)
    title = fields.String(required=True)
    label = fields.String(required=True)
    when = When(required=True)
    then = fields.Nested(_ConcludesSchema, required=True)
    lr = Number()
    lr_range = Tuples(Number(), validate=validate.Length(equal=2))
    because = fields.String(required=True)
    examples = fields.Nested(ExamplesSchema, required=True)


@dataclass(frozen=True, slots=True)
class Frequency:
    """P(word present | condition), with range, grade and source."""

    f: float
    grade: str
    status: str
    source: str
    references: tuple[str, ...]
    range: tuple[float, float] | None = None
    note: str | None = None


class FrequencySchema(Record):
    model = Frequency
    f = Number(low=0, high=1, required=True)
    range = Tuples(Number(low=0, high=1), validate=validate.Length(equal=2))
    grade = _grade(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    source = fields.String(required=True)
    references = ids("reference", required=True, validate=validate.Length(min=1))
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Published:
    """Accuracy as a paper prints it; the first row of a word is the one shown."""

    word: str
    grade: str
    evidence_status: str
    references: tuple[str, ...]
    population: str | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    lr_present: float | None = None
    lr_absent: float | None = None
    range_present: tuple[float, float] | None = None
    range_absent: tuple[float, float] | None = None
    differs: str | None = None
    seen: tuple[str, ...] = ()
    note: str | None = None


class PublishedSchema(Sourced):
    model = Published
    word = Id("word", required=True)
    sensitivity = Number(low=0, high=1)
    specificity = Number(low=0, high=1)
    lr_present = Number(low=0, high=1000)
    lr_absent = Number(low=0, high=1000)
    range_present = Tuples(Number(), validate=validate.Length(equal=2))
    range_absent = Tuples(Number(), validate=validate.Length(equal=2))
    population = fields.String()
    grade = _grade(required=True)
    differs = fields.String()
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Code:
    """A terminology code; only what the evidence marks sure or verified enters as `snomed`."""

    code: str
    title: str
    evidence_status: str | None = None
    references: tuple[str, ...] = ()


class CodeSchema(Record):
    model = Code
    code = fields.String(required=True)
    title = fields.String(required=True)
    evidence_status = fields.String(validate=validate.OneOf(STATUSES))
    references = ids("reference")


@dataclass(frozen=True, slots=True)
class Codes:
    icd10cm: Code
    snomed: Code | None = None
    icd10cm_also: tuple[Code, ...] = ()


class CodesSchema(Record):
    model = Codes
    icd10cm = fields.Nested(CodeSchema, required=True)
    snomed = fields.Nested(CodeSchema, allow_none=True)
    icd10cm_also = Tuples(fields.Nested(CodeSchema))


@dataclass(frozen=True, slots=True)
class AgeBand:
    """Prior in per cent for ages from `at_least` (included) to `below`."""

    percent: float
    at_least: float = 0
    below: float | None = None


class AgeBandSchema(Record):
    model = AgeBand
    percent = Number(validate=validate.Range(0, 100, min_inclusive=False), required=True)
    at_least = Number()
    below = Number()


@dataclass(frozen=True, slots=True)
class Modifier:
    """Printed factor on the prior odds; used only where the condition has no frequency row for the word."""

    word: str
    factor: float
    row: str
    evidence_status: str
    references: tuple[str, ...]
    seen: tuple[str, ...] = ()


class ModifierSchema(Sourced):
    model = Modifier
    word = Id("word", required=True)
    factor = Number(low=0, high=1000, required=True)
    row = fields.String(required=True)


@dataclass(frozen=True, slots=True)
class Priors:
    """Prior weight per setting, in per cent of adults with low back pain, by age band where printed."""

    settings: Mapping[str, tuple[AgeBand, ...]]
    grade: str
    evidence_status: str
    references: tuple[str, ...]
    seen: tuple[str, ...] = ()
    modifiers: tuple[Modifier, ...] = ()
    opens_with: str | None = None
    """The condition is ranked only when this word is present."""
    note: str | None = None


class PriorsSchema(Sourced):
    model = Priors
    settings = fields.Dict(keys=Id("setting"), values=Tuples(fields.Nested(AgeBandSchema)), required=True)
    modifiers = Tuples(fields.Nested(ModifierSchema))
    opens_with = Id("word")
    grade = _grade(required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Statement:
    """A sourced sentence, such as one on the course of a condition."""

    text: str
    evidence_status: str
    references: tuple[str, ...]
    grade: str | None = None
    seen: tuple[str, ...] = ()
    note: str | None = None


class StatementSchema(Sourced):
    model = Statement
    text = fields.String(required=True)
    grade = _grade()
    note = fields.String()


@dataclass(frozen=True, slots=True)
class WorkUp:
    """An investigation to order, to consider or not to order, and for whom."""

    investigation: str
    label: str
    advice: str
    because: str
    evidence_status: str
    references: tuple[str, ...]
    when: str | None = None
    acr: str | None = None
    lines: tuple[Line, ...] = ()
    seen: tuple[str, ...] = ()
    note: str | None = None


class WorkUpSchema(Sourced):
    model = WorkUp
    investigation = fields.String(required=True)
    label = fields.String(required=True)
    advice = fields.String(required=True, validate=validate.OneOf(["order", "do_not_order", "consider"]))
    when = fields.String()
    acr = fields.String()
    lines = When()
    because = fields.String(required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Claim:
    """What the articles say, and what the evidence says to it."""

    claim: str
    resolved: str
    row: str | None = None


class ClaimSchema(Record):
    model = Claim
    claim = fields.String(required=True)
    resolved = fields.String(required=True)
    row = fields.String()


@dataclass(frozen=True, slots=True)
class Condition:
    """One diagnosis. Without `priors` it is known by name only: suspected by red flags, never ranked."""

    id: str
    label: str
    family: str
    serious: bool
    synonyms: tuple[str, ...] = ()
    note: str | None = None
    summary: str | None = None
    review: str = "draft"
    reviewer: str | None = None
    reviewed_on: str | None = None
    test_threshold: float | None = None
    codes: Codes | None = None
    priors: Priors | None = None
    root_level: bool = False
    frequencies: Mapping[str, Frequency] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    composites: tuple[str, ...] = ()
    not_used: tuple[Mapping[str, str], ...] = ()
    course: tuple[Statement, ...] = ()
    work_up: tuple[WorkUp, ...] = ()
    articles: tuple[Claim, ...] = ()


class ConditionSchema(Record):
    model = Condition
    id = fields.String(required=True)
    label = fields.String(required=True)
    family = fields.String(required=True)
    serious = fields.Boolean(required=True)
    synonyms = words()
    note = fields.String()
    summary = fields.String()
    review = fields.String(validate=validate.OneOf(REVIEWS))
    reviewer = fields.String()
    reviewed_on = fields.String()
    test_threshold = Number(low=0, high=1)
    codes = fields.Nested(CodesSchema)
    priors = fields.Nested(PriorsSchema)
    root_level = fields.Boolean()
    frequencies = fields.Dict(keys=Id("word"), values=fields.Nested(FrequencySchema))
    published = Tuples(fields.Nested(PublishedSchema))
    composites = ids("word")
    not_used = Tuples(fields.Dict(keys=fields.String(), values=fields.String()))
    course = Tuples(fields.Nested(StatementSchema))
    work_up = Tuples(fields.Nested(WorkUpSchema))
    articles = Tuples(fields.Nested(ClaimSchema))


@dataclass(frozen=True, slots=True)
class Offer:
    """A status and the lines under which it holds; the first that fires wins."""

    status: str
    when: tuple[Line, ...]
    until: str | None = None


class OfferSchema(Record):
    model = Offer
    status = fields.String(required=True, validate=validate.OneOf(OFFERS))
    until = fields.String()
    when = When(required=True)


@dataclass(frozen=True, slots=True)
class Treatment:
    """One entry of the ladder. Without `offer` it is known by name only and never proposed."""

    id: str
    row: str
    label: str
    rung: int
    conditions: tuple[str, ...]
    rung_max: int | None = None
    qualifier: str | None = None
    kind: str | None = None
    drugs: tuple[str, ...] = ()
    hold_unless_final: bool = False
    review: str = "draft"
    evidence_status: str | None = None
    references: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    offer: tuple[Offer, ...] = ()
    because: str | None = None
    use: str | None = None
    dose: str | None = None
    checks: tuple[str, ...] = ()
    judge_after: str | None = None
    adequate_weeks: float | None = None
    """How long it is tried before it can have failed, where the rung's figure is not its own."""
    guidelines: Mapping[str, str] = field(default_factory=dict)
    articles: str | None = None
    alternatives: tuple[str, ...] = ()
    note: str | None = None
    reviewer: str | None = None
    reviewed_on: str | None = None


class TreatmentSchema(Record):
    model = Treatment
    id = fields.String(required=True)
    row = fields.String(required=True)
    label = fields.String(required=True)
    rung = fields.Integer(required=True, validate=validate.Range(0, 6))
    rung_max = fields.Integer(validate=validate.Range(0, 6))
    qualifier = fields.String()
    kind = fields.String(validate=validate.OneOf(KINDS))
    conditions = ids("condition", required=True)
    drugs = ids("medication")
    hold_unless_final = fields.Boolean()
    review = fields.String(validate=validate.OneOf(REVIEWS))
    reviewer = fields.String()
    reviewed_on = fields.String()
    evidence_status = fields.String(validate=validate.OneOf(STATUSES))
    references = ids("reference")
    seen = words()
    offer = Tuples(fields.Nested(OfferSchema))
    because = fields.String()
    use = fields.String()
    dose = fields.String()
    checks = words()
    judge_after = fields.String()
    adequate_weeks = Number(low=0, high=52)
    guidelines = fields.Dict(keys=fields.String(), values=fields.String())
    articles = fields.String()
    alternatives = ids("treatment or group")
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Need:
    """Safety data that must be known; `applies` names the word for whom, `treatments` for which of the file's."""

    question: str
    field: str | None = None
    finding: str | None = None
    counts_as_known: tuple[str, ...] = ()
    applies: str | None = None
    treatments: tuple[str, ...] = ()


class NeedSchema(Record):
    model = Need
    question = fields.String(required=True)
    field = Id("field")
    finding = Id("finding")
    counts_as_known = ids("word")
    applies = Id("word")
    treatments = ids("treatment")


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """A contraindication, a caution or an instruction for some treatments."""

    id: str
    title: str
    when: tuple[Line, ...]
    action: str
    severity: str
    because: str
    evidence_status: str
    references: tuple[str, ...]
    examples: Examples
    instead: str | None = None
    row: str | None = None
    treatments: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    note: str | None = None


class SafetyRuleSchema(Sourced):
    model = SafetyRule
    id = fields.String(required=True)
    row = fields.String()
    title = fields.String(required=True)
    when = When(required=True)
    treatments = ids("treatment")
    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    because = fields.String(required=True)
    instead = fields.String()
    note = fields.String()
    examples = fields.Nested(ExamplesSchema, required=True)


@dataclass(frozen=True, slots=True)
class Safety:
    """The safety rules of one drug class or measure."""

    id: str
    title: str
    treatments: tuple[str, ...]
    rules: tuple[SafetyRule, ...]
    needs: tuple[Need, ...] = ()
    review: str = "draft"
    note: str | None = None


class SafetySchema(Record):
    model = Safety
    id = fields.String(required=True)
    title = fields.String(required=True)
    review = fields.String(validate=validate.OneOf(REVIEWS))
    treatments = ids("treatment", required=True)
    needs = Tuples(fields.Nested(NeedSchema))
    rules = Tuples(fields.Nested(SafetyRuleSchema), required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the ladder: what it holds, when to enter it, when to climb on."""

    rung: int
    title: str
    enter_when: str
    evidence_status: str
    references: tuple[str, ...]
    adequate_trial: str | None = None
    adequate_weeks: float = 0
    climb_when: str | None = None
    seen: tuple[str, ...] = ()


class RungSchema(Sourced):
    model = Rung
    rung = fields.Integer(required=True, validate=validate.Range(0, 6))
    title = fields.String(required=True)
    enter_when = fields.String(required=True)
    adequate_trial = fields.String()
    adequate_weeks = Number(low=0, high=52)
    climb_when = fields.String()


@dataclass(frozen=True, slots=True)
class Pathway:
    """What replaces the ladder in an emergency."""

    id: str
    row: str
    title: str
    conditions: tuple[str, ...]
    review: str
    evidence_status: str
    references: tuple[str, ...]
    trigger: str
    actions: tuple[str, ...]
    avoid: tuple[str, ...]
    within: str
    general: bool = False
    seen: tuple[str, ...] = ()
    note: str | None = None
    reviewer: str | None = None
    reviewed_on: str | None = None


class PathwaySchema(Reviewed):
    model = Pathway
    id = fields.String(required=True)
    row = fields.String(required=True)
    title = fields.String(required=True)
    conditions = ids("condition", required=True)
    trigger = fields.String(required=True)
    actions = words(required=True)
    avoid = words(required=True)
    within = fields.String(required=True)
    general = fields.Boolean()


@dataclass(frozen=True, slots=True)
class DoNot:
    """A measure that is advised against, for whom, why, and what to offer instead."""

    id: str
    title: str
    when: tuple[Line, ...]
    because: str
    instead: Mapping[str, Any]
    evidence_status: str
    references: tuple[str, ...]
    treatment: str | None = None
    seen: tuple[str, ...] = ()
    note: str | None = None


class _InsteadSchema(Record):
    model = dict
    text = fields.String(required=True)
    treatments = ids("treatment or group", load_default=())


class DoNotSchema(Sourced):
    model = DoNot
    id = fields.String(required=True)
    title = fields.String(required=True)
    treatment = Id("treatment", allow_none=True)
    when = When(required=True)
    because = fields.String(required=True)
    instead = fields.Nested(_InsteadSchema, required=True)
    note = fields.String()


@dataclass(frozen=True, slots=True)
class DefaultLevel:
    """The level when nothing stronger fired: the first entry whose words hold."""

    row: str
    title: str
    level: str
    because: str
    within: str
    disposition: str
    evidence_status: str
    references: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    needs_gate: bool = False
    actions: tuple[str, ...] = ()
    guideline: str | None = None
    seen: tuple[str, ...] = ()
    note: str | None = None


class DefaultLevelSchema(Sourced):
    model = DefaultLevel
    row = fields.String(required=True)
    title = fields.String(required=True)
    level = Id("level", required=True, validate=validate.OneOf(LEVELS))
    any_of = ids("word")
    all_of = ids("word")
    needs_gate = fields.Boolean()
    because = fields.String(required=True)
    actions = words()
    within = fields.String(required=True)
    disposition = fields.String(required=True)
    guideline = fields.String()
    note = fields.String()


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A word beside the number, from this probability on."""

    word: str
    at_least: float


class LikelihoodSchema(Record):
    model = Likelihood
    word = fields.String(required=True)
    at_least = Number(low=0, high=1, required=True)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How priors, frequencies and groups combine."""

    default_setting: str
    outside_scope: str
    background: str
    clip: tuple[float, float]
    dependence_factor: float
    serious_floor: float
    likelihood: tuple[Likelihood, ...]
    test_threshold: float
    shown: int
    shown_always: int
    shown_from: float
    line_from: float


class ReasoningSchema(Record):
    model = Reasoning
    default_setting = Id("setting", required=True)
    outside_scope = Id("word", required=True)
    background = fields.String(required=True)
    clip = Tuples(Number(validate=INSIDE), required=True, validate=[validate.Length(equal=2), ascending])
    dependence_factor = Number(low=0, high=1, required=True)
    serious_floor = Number(validate=INSIDE, required=True)
    likelihood = Tuples(fields.Nested(LikelihoodSchema), required=True, validate=validate.Length(min=1))
    test_threshold = Number(low=0, high=1, required=True)
    shown = fields.Integer(required=True)
    shown_always = fields.Integer(required=True)
    shown_from = Number(low=0, high=1, required=True)
    line_from = Number(low=1, high=10, required=True)


@dataclass(frozen=True, slots=True)
class LadderPolicy:
    """Who leads, what waits, what missing safety data does."""

    leading_share: float
    leading_at_least: float
    leading_at_most: int
    hold_levels: tuple[str, ...]
    one_at_a_time: tuple[str, ...]
    emergency_avoid: tuple[str, ...]
    allergy_classes: tuple[str, ...]
    missing_data_caution_up_to_rung: int
    suspected_from: str
    kinds_needing_safety: tuple[str, ...]


class LadderPolicySchema(Record):
    model = LadderPolicy
    leading_share = Number(low=0, high=1, required=True)
    leading_at_least = Number(low=0, high=1, required=True)
    leading_at_most = fields.Integer(required=True)
    hold_levels = ids("level", required=True)
    one_at_a_time = ids("medication", required=True)
    emergency_avoid = words(required=True)
    allergy_classes = ids("medication class", required=True)
    missing_data_caution_up_to_rung = fields.Integer(required=True)
    suspected_from = Id("level", required=True, validate=validate.OneOf(LEVELS))
    kinds_needing_safety = words(required=True, validate=validate.ContainsOnly(KINDS))


@dataclass(frozen=True, slots=True)
class QuestionPolicy:
    at_most: int
    from_top: int
    would_change: int
    would_change_named: int
    worth: Mapping[str, float]
    """Kind of finding -> the share of its gain that counts in the order of the questions."""


class QuestionPolicySchema(Record):
    model = QuestionPolicy
    at_most = fields.Integer(required=True)
    from_top = fields.Integer(required=True)
    would_change = fields.Integer(required=True)
    would_change_named = fields.Integer(required=True)
    worth = fields.Dict(
        keys=fields.String(validate=validate.OneOf(FINDING_KINDS)), values=Number(low=0, high=1), required=True
    )


@dataclass(frozen=True, slots=True)
class ContactPolicy:
    """What a proxy or a remote contact cannot answer."""

    proxy_unknown: tuple[str, ...]
    remote_cannot_clear: tuple[str, ...]
    remote_cannot_clear_rest_of: tuple[str, ...]
    """Must-asks that a remote contact cannot deny once a finding of one of them is present."""
    impaired_by: tuple[str, ...]
    """Words for a person who cannot answer reliably ..."""
    impaired_unknown: tuple[str, ...]
    """... and the must-asks that count as unknown for them unless they were answered."""


class ContactPolicySchema(Record):
    model = ContactPolicy
    proxy_unknown = ids("finding", required=True)
    remote_cannot_clear = ids("finding", required=True)
    remote_cannot_clear_rest_of = ids("must-ask", required=True)
    impaired_by = ids("word", required=True)
    impaired_unknown = ids("must-ask", required=True)


FHIR_SEVERITIES = ("high", "moderate", "low")
FHIR_PRIORITIES = ("routine", "urgent", "asap", "stat")


@dataclass(frozen=True, slots=True)
class FhirPolicy:
    """Our scales in the required codes of FHIR R4."""

    severity_of_rule: Mapping[str, str]
    """Severity of a safety rule -> that of a DetectedIssue."""
    severity_of_level: Mapping[str, str]
    """Urgency level -> severity of the DetectedIssue of its red flags."""
    priority_of_level: Mapping[str, str]
    """Urgency level -> priority of a request."""


def _scale(ours: tuple[str, ...], theirs: tuple[str, ...]) -> fields.Dict:
    """Each code of ours once, as one of theirs."""
    keys, values = (fields.String(validate=validate.OneOf(codes)) for codes in (ours, theirs))
    return fields.Dict(keys=keys, values=values, required=True, validate=validate.Length(equal=len(ours)))


class FhirPolicySchema(Record):
    model = FhirPolicy
    severity_of_rule = _scale(SEVERITIES, FHIR_SEVERITIES)
    severity_of_level = _scale(LEVELS, FHIR_SEVERITIES)
    priority_of_level = _scale(LEVELS, FHIR_PRIORITIES)


@dataclass(frozen=True, slots=True)
class Policy:
    """Every number and sentence that the service itself chose."""

    version: str
    grade: str
    evidence_status: str
    references: tuple[str, ...]
    reasoning: Reasoning
    ladder: LadderPolicy
    questions: QuestionPolicy
    contact: ContactPolicy
    fhir: FhirPolicy
    texts: Mapping[str, str]
    seen: tuple[str, ...] = ()


class PolicySchema(Sourced):
    model = Policy
    version = fields.String(required=True)
    grade = _grade(required=True)
    reasoning = fields.Nested(ReasoningSchema, required=True)
    ladder = fields.Nested(LadderPolicySchema, required=True)
    questions = fields.Nested(QuestionPolicySchema, required=True)
    contact = fields.Nested(ContactPolicySchema, required=True)
    fhir = fields.Nested(FhirPolicySchema, required=True)
    texts = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
