"""The answer as a contract: every field described. The answer is built as plain data; a test holds the two together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from schemas.knowledge import ACTIONS, GRADES, LEVELS, SEVERITIES, STATUSES

_OFFER_STATES = ("recommended", "consider", "caution", "not_yet", "excluded")


class Strict(Schema):
    class Meta:
        unknown = RAISE


def text(description: str, *, none: bool = False, example: object = None) -> fields.String:
    return fields.String(required=True, allow_none=none, metadata=_about(description, example))


def one_of(values: tuple[str, ...], description: str, *, none: bool = False) -> fields.String:
    allowed = validate.OneOf([*values, None] if none else list(values))
    return fields.String(required=True, allow_none=none, validate=allowed, metadata=_about(description))


def number(description: str, *, none: bool = False, example: object = None) -> fields.Float:
    return fields.Float(required=True, allow_none=none, metadata=_about(description, example))


def flag(description: str) -> fields.Boolean:
    return fields.Boolean(required=True, metadata=_about(description))


def texts(description: str) -> fields.List[Any]:
    return fields.List(fields.String(), required=True, metadata=_about(description))


def many(schema: type[Schema], description: str) -> fields.List[Any]:
    return fields.List(fields.Nested(schema), required=True, metadata=_about(description))


def part(schema: type[Schema], description: str, *, none: bool = False) -> fields.Nested:
    return fields.Nested(schema, required=True, allow_none=none, metadata=_about(description))


def _about(description: str, example: object = None) -> dict[str, Any]:
    return {"description": description} | ({"example": example} if example is not None else {})


_REFERENCES = "Reference keys; each resolves under /v1/references/{id}"
_STATUS = "Whether the figures were read in the source (verified), partly, recalled, or are an estimate"


class KnowledgeStamp(Strict):
    version = text("Version of the knowledge", example="0.1.0")
    sha256 = text("SHA-256 over every rule file; the same input and hash give the same answer")


class Reason(Strict):
    rule = text("Red-flag rule id (/v1/red-flags/{id}), or default_policy", example="incomplete_cauda_equina")
    row = text("Row of the evidence file that the rule encodes", example="E-03")
    title = text("What the rule is about")
    level = one_of(LEVELS, "Level that the rule sets")
    words = texts("Words that held; a word that starts with absent: was said to be absent")
    said = texts("What was answered, measured or listed that makes the words hold, in words")
    because = text("The reason, for a clinician")
    within = text("Time limit", none=True)
    guideline = text("Guideline behind the action", none=True)
    references = texts(_REFERENCES)
    evidence_status = one_of(STATUSES, _STATUS)


class WouldChange(Strict):
    to = one_of(LEVELS, "Level that the rule would give")
    rule = text("Rule that did not fire (/v1/red-flags/{id})", example="bleeding_risk_with_deficit")
    title = text("What that rule is about")
    words = texts("Findings (/v1/findings/{id}), not denied so far, of which one more would fire it")
    text = text("The same as a sentence", example="Would become emergency if present: Clonus.")


class OpenMustAsk(Strict):
    id = text("Must-ask item (/v1/must-ask/{id})", example="F-01")
    question = text("What is to be asked")
    findings = texts("Findings that answer it (/v1/findings/{id}): one present, or all absent")
    could_raise_to = one_of(LEVELS, "Highest level that the answer could lead to")


class UrgencyPart(Strict):
    level = one_of(LEVELS, "Urgency level")
    label = text("The level in words")
    provisional = flag("True while must-asks of the level are open: the level is then 'at least'")
    statement = text("What provisional means; null when the level is final", none=True)
    within = text("Time limit")
    disposition = text("Where the person should be seen")
    actions = texts("First actions, in order")
    reasons = many(Reason, "Every rule that fired and sets a level, the strongest first")
    would_change = many(WouldChange, "The nearest rules of a higher level that did not fire, and what would fire them")
    open_must_asks = many(OpenMustAsk, "What must be answered before the level is final, the most dangerous first")


class LedgerLine(Strict):
    word = text(
        "Finding (/v1/findings/{id}), derived word (/v1/derived-words/{id}) or score:band (/v1/scores/{id})",
        example="pain_below_knee",
    )
    state = one_of(("present", "absent"), "How it was answered")
    frequency = number("P(present | condition), 0 to 1; null where only a published ratio exists", none=True)
    background = number("P(present | ordinary mechanical back pain), 0 to 1", none=True)
    lr = number("Likelihood ratio used: frequency over background, or that of absence", example=8.9)
    counted = number("Share of its logarithm that was counted, 0 to 1 (correlated findings count less)", example=0.5)
    published_lr = number("Ratio as a paper prints it, beside the model's", none=True)
    published_references = texts(_REFERENCES)
    differs = text("Why the two differ, where they do", none=True)
    grade = one_of(GRADES, "A systematic review, B good study, C weak, D estimate")
    evidence_status = one_of(STATUSES, _STATUS)
    references = texts(_REFERENCES)


class SlightLines(Strict):
    lines = fields.Integer(required=True, metadata=_about("Number of lines that are not listed one by one"))
    lr = number("What they do to the odds together (ratio)", example=0.97)


class DifferentialEntry(Strict):
    condition = text("Condition id (/v1/conditions/{id})", example="disc_herniation")
    label = text("Its name")
    serious = flag("Whether it must never be called excluded by this service")
    probability = number("Posterior over all ranked conditions, 0 to 1", example=0.31)
    likelihood = text("likely, possible or unlikely; null until the gate of routine is answered", none=True)
    prior = number("Prior weight for this setting and age, 0 to 1", example=0.05)
    icd10cm = text("ICD-10-CM code", none=True, example="M51.16")
    snomed = text("SNOMED CT concept, only where the evidence is sure", none=True)
    root_level = text("Nerve root that the signs are most consistent with", none=True)
    for_ = fields.List(fields.Nested(LedgerLine), required=True, data_key="for", metadata=_about("What speaks for it"))
    against = many(LedgerLine, "What speaks against it, the heaviest first")
    slight = fields.Nested(
        SlightLines, required=True, metadata=_about("Lines that hardly move the odds, counted together")
    )


class MustExclude(Strict):
    condition = text("Serious condition (/v1/conditions/{id})")
    label = text("Its name")
    because = one_of(("red_flag", "probability"), "Why it is listed, whatever its rank")
    rule = fields.String(metadata=_about("The red flag that suspects it (/v1/red-flags/{id})"))
    probability = fields.Float(metadata=_about("Its posterior, 0 to 1"))
    threshold = fields.Float(metadata=_about("Test threshold that the posterior passes, 0 to 1"))


class ScoreItem(Strict):
    name = text("Item")
    low = number("Fewest points it can still give")
    high = number("Most points it can still give")


class ScoreReading(Strict):
    score = text("Score id (/v1/scores/{id}), or a count of items (/v1/derived-words/{id})", example="news2_total")
    low = number("Lowest possible total, in points")
    high = number("Highest possible total, in points")
    range = fields.List(
        fields.Float(), required=True, metadata=_about("Lowest and highest total of the score, in points")
    )
    band = text("Band, once the whole interval lies in it; a count is positive or negative", none=True)
    complete = flag("Whether every item is answered")
    items = many(ScoreItem, "Points item by item")
    source = text("Where the score comes from", none=True)
    note = text("What to know when reading it", none=True)


class Investigation(Strict):
    investigation = text("Investigation id", example="mri_lumbar")
    label = text("Its name")
    advice = one_of(("order", "consider", "do_not_order"), "What is advised")
    when = text("When, or while what holds", none=True)
    condition = text("Condition it is for (/v1/conditions/{id})")
    acr = text("ACR appropriateness category", none=True)
    because = text("Why")
    evidence_status = one_of(STATUSES, _STATUS)
    references = texts(_REFERENCES)


class SafetyLine(Strict):
    rule = text("Safety rule (/v1/safety/{id})", example="X006")
    title = text("What it is about")
    action = one_of(ACTIONS, "exclude, caution, or an instruction that leaves the status as it is")
    severity = one_of(SEVERITIES, "What is at stake")
    words = texts("Words that held")
    because = text("Why")
    instead = text("What to offer instead", none=True)
    references = texts(_REFERENCES)
    evidence_status = one_of(STATUSES, _STATUS)


class TogetherLine(Strict):
    with_ = fields.String(
        required=True,
        data_key="with",
        metadata=_about("Treatment that is proposed as well (/v1/treatments/{id})", "duloxetine_oral"),
    )
    rule = text("Safety rule that the two would fire together (/v1/safety/{id})", example="X090")
    action = one_of(ACTIONS, "What the rule asks for; where it excludes, the later entry steps back to caution")
    because = text("Why")
    references = texts(_REFERENCES)
    evidence_status = one_of(STATUSES, _STATUS)


class LadderEntry(Strict):
    treatment = text("Treatment id (/v1/treatments/{id})", example="ibuprofen_oral")
    label = text("Its name")
    status = one_of(_OFFER_STATES, "What the rules make of it for this person")
    conditions = texts("Leading conditions that it is for (/v1/conditions/{id})")
    because = text("Why it has this status")
    effect = text("What it does, with the effect size as printed")
    until = text("What would open it, for not_yet", none=True)
    tried = text("not_asked, not_tried, or what was tried, for how long and with what response")
    use = text("How it is used", none=True)
    dose = text("Dose range; null unless it is proposed", none=True)
    judge_after = text("When to judge the effect", none=True)
    checks = texts("What to check or to ask first")
    guidelines = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata=_about("Position of each guideline"),
    )
    articles_say = text("What the patient may have read of it, by article; never evidence", none=True)
    conflicts = texts("Where the articles and the evidence differ (/v1/conflicts/{id})")
    evidence_status = one_of(STATUSES, _STATUS)
    references = texts(_REFERENCES)
    safety = many(SafetyLine, "Safety rules that fired")
    together = many(TogetherLine, "Safety rules that it would fire with another entry that is proposed")
    alternatives = texts(
        "Treatments to offer instead of an excluded one (/v1/treatments/{id} or /v1/treatment-groups/{id})"
    )
    no_alternative = text("Why an excluded entry has no alternative", none=True)


class RungPart(Strict):
    rung = fields.Integer(required=True, metadata=_about("Rung of the ladder, 0 (self-care) to 6 (surgery)", 1))
    title = text("What the rung holds")
    enter_when = text("When it is entered")
    adequate_trial = text("How long it is tried before it is judged", none=True)
    climb_when = text("When to climb to the next rung", none=True)
    entries = many(LadderEntry, "Entries, proposed ones first; excluded ones stay, with the reason")


class NotRecommended(Strict):
    treatment = text("Treatment id (/v1/treatments/{id}), where the row is about one", none=True)
    label = text("What is advised against")
    row = text("Evidence row")
    because = text("Why")
    instead = text("What to offer instead", none=True)
    evidence_status = one_of(STATUSES, _STATUS)
    references = texts(_REFERENCES)


class PathwayPart(Strict):
    pathway = text("Pathway id (/v1/pathways/{id}), or the rule whose actions apply")
    title = text("What is suspected")
    actions = texts("First actions, in order")
    avoid = texts("What not to do meanwhile")
    within = text("Time limit")
    also = texts("Further pathways that fit (/v1/pathways/{id})")
    evidence_status = one_of(STATUSES, _STATUS)
    references = texts(_REFERENCES)
    statement = text("That the pathway replaces the ladder")


class LadderPart(Strict):
    pathway = part(PathwayPart, "In an emergency, what replaces the ladder; else null", none=True)
    conditions = texts("Leading conditions that the ladder is made for (/v1/conditions/{id})")
    rungs = many(RungPart, "Conservative to interventional; empty in an emergency")
    not_recommended = many(NotRecommended, "What is advised against, and what to offer instead")


class FollowUpPart(Strict):
    row = text("Follow-up row (/v1/follow-up/{id})", example="E70")
    title = text("For whom, or after what")
    review_days = fields.List(
        fields.Integer(), required=True, metadata=_about("Days from now of each review; the service has no clock")
    )
    within = text("The same in words")
    check = texts("What to look at")
    evidence_status = one_of(STATUSES, _STATUS)
    references = texts(_REFERENCES)


class ReferralPart(Strict):
    condition = text("Leading condition (/v1/conditions/{id})")
    refer_to = text("To whom")
    when = text("When")
    reached = text("Rungs that primary care climbs itself, or bypass")
    evidence_status = one_of(STATUSES, _STATUS)
    references = texts(_REFERENCES)


class LeafletLine(Strict):
    row = text("Education row (/v1/education/{id})", example="E20")
    text = text("What to tell the patient")


class LeafletSection(Strict):
    heading = text("Heading")
    lines = many(LeafletLine, "Lines in plain words")


class LeafletPart(Strict):
    title = text("Title of the page")
    first = text("What to do, by level")
    provisional = text("That questions are still open; else null", none=True)
    likely = text("The most probable cause in words; null where it is serious", none=True)
    sections = many(LeafletSection, "Sections in order")
    review = text("When to come back", none=True)
    review_days = fields.Integer(
        required=True, allow_none=True, metadata=_about("Days from now of the first review; the service has no clock")
    )


class Question(Strict):
    finding = text("Finding to ask for (/v1/findings/{id})", example="urinary_retention")
    question = text("The question in plain language")
    kind = one_of(("history", "examination", "context", "investigation"), "Who or what can answer it")
    why = text("Open must-ask, or how much it tells")
    if_present = text("The leading three after a yes, as shares of the leading conditions")
    if_absent = text("The leading three after a no")


class NoticePart(Strict):
    kind = text("Kind of notice", example="medication_not_checked")
    value = text("What it is about: an id, or the name as it was sent")
    text = text("What it means")


class Assessment(Strict):
    knowledge = part(KnowledgeStamp, "Which knowledge answered")
    intended_use = text("What the answer is for, and what it is not")
    urgency = part(UrgencyPart, "How soon, where, why, and what is still open")
    differential = many(DifferentialEntry, "Ranked conditions, most probable first")
    must_exclude = many(MustExclude, "Serious conditions to exclude, whatever their rank")
    scores = many(ScoreReading, "Scores that said something; an interval where items are missing")
    investigations = many(Investigation, "What to order, and what not to order")
    treatment_ladder = part(LadderPart, "The ladder for this person")
    follow_up = many(FollowUpPart, "When to look again, and at what")
    referral = many(ReferralPart, "To whom the leading conditions are referred, and when")
    leaflet = part(LeafletPart, "A page for the patient; null unless ?leaflet=true", none=True)
    questions = many(Question, "What to ask next, the best first")
    notices = many(NoticePart, "What was not checked, assumed, left out or contradictory")


def pick(name: str, of: type[Schema], *keys: str, **more: fields.Field[Any]) -> type[Schema]:
    """Some fields of a part of the answer, described as there, and perhaps more."""
    known = {field.data_key or key: (key, field) for key, field in of().fields.items()}
    return Strict.from_dict({**{known[key][0]: known[key][1] for key in keys}, **more}, name=name)


def _first(schema: type[Schema], key: str, description: str) -> fields.List[Any]:
    return fields.List(fields.Nested(schema), required=True, data_key=key, metadata=_about(description))


SummaryReason = pick("SummaryReason", Reason, "rule", "because", "words", "references")
SummaryUrgency = pick(
    "SummaryUrgency",
    UrgencyPart,
    *("level", "provisional", "within", "disposition", "actions"),
    reasons=many(SummaryReason, "The rules that set the level"),
    open_must_asks=texts("What must be answered before the level is final (/v1/must-ask/{id})"),
)
SummaryLine = pick("SummaryLine", LedgerLine, "word", "state", "lr", "grade", "references")
SummaryCondition = pick(
    "SummaryCondition",
    DifferentialEntry,
    *("condition", "label", "serious", "probability", "likelihood", "root_level"),
    for_=_first(SummaryLine, "for", "The heaviest three lines that speak for it"),
    against=many(SummaryLine, "The heaviest three lines that speak against it"),
)
SummaryInvestigation = pick("SummaryInvestigation", Investigation, "investigation", "advice", "when", "because")
SummaryEntry = pick(
    "SummaryEntry",
    LadderEntry,
    *("treatment", "label", "status", "dose"),
    safety=texts("Safety rules that fired (/v1/safety/{id})"),
)


class SummaryRung(Strict):
    rung = fields.Integer(required=True, metadata=_about("Rung of the ladder, 0 (self-care) to 6 (surgery)", 1))
    title = text("What the rung holds")
    entries = many(SummaryEntry, "The first five that are proposed")
    more = fields.Integer(required=True, metadata=_about("Number of further entries that are proposed"))


class SummaryExcluded(Strict):
    treatment = text("Treatment that was taken off the ladder (/v1/treatments/{id})", example="ibuprofen_oral")
    rules = texts("Safety rules that took it off (/v1/safety/{id})")


class SummaryLadder(Strict):
    pathway = part(PathwayPart, "In an emergency, what replaces the ladder; else null", none=True)
    rungs = many(SummaryRung, "Conservative to interventional, with what is proposed; empty in an emergency")
    excluded = many(SummaryExcluded, "What was taken off the ladder, and by which rules")


class AssessmentSummary(Strict):
    knowledge = part(KnowledgeStamp, "Which knowledge answered")
    intended_use = text("What the answer is for, and what it is not")
    urgency = part(SummaryUrgency, "How soon, where, why, and what is still open")
    differential = many(SummaryCondition, "The first three conditions, most probable first")
    must_exclude = many(MustExclude, "Serious conditions to exclude, whatever their rank")
    investigations = many(SummaryInvestigation, "What to order, and what not to order")
    treatment_ladder = part(SummaryLadder, "The ladder for this person")
    follow_up = many(pick("SummaryFollowUp", FollowUpPart, "row", "title", "within"), "When to look again")
    referral = many(
        pick("SummaryReferral", ReferralPart, "condition", "refer_to", "when"),
        "To whom the leading conditions are referred, and when",
    )
    leaflet = part(LeafletPart, "A page for the patient; null unless ?leaflet=true", none=True)
    questions = many(pick("SummaryQuestion", Question, "finding", "question"), "What to ask next, the best first")
    notices = many(NoticePart, "What was not checked, assumed, left out or contradictory")


class ErrorItem(Strict):
    pointer = text("JSON pointer to the value", example="/findings/feever")
    detail = text("What is wrong and how to mend it")
    closest = fields.List(fields.String(), metadata=_about("Closest known ids"))


class Problem(Strict):
    type = text("about:blank")
    title = text("Name of the status")
    status = fields.Integer(required=True, metadata=_about("HTTP status"))
    detail = text("What happened, and the mend")
    errors = fields.List(fields.Nested(ErrorItem), metadata=_about("One entry for each bad value"))


COMPONENTS: Mapping[str, type[Schema]] = {
    "Assessment": Assessment,
    "AssessmentSummary": AssessmentSummary,
    "Problem": Problem,
}
