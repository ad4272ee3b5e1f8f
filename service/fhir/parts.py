"""Pieces of which resources are made: codings, references, citations, plain texts. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rules.knowledge import Knowledge
from service.fhir.codes import SYSTEM

Json = dict[str, Any]

BASE = SYSTEM.rpartition("/CodeSystem/")[0]
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"

_REFERENCE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64}|urn:uuid:[0-9a-f-]{36}|urn:oid:[0-9.]{1,128}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARKDOWN = re.compile(r"([\\`*_\[\]#|~!])")


def own(kind: str) -> str:
    """The code system of one shelf of the catalogue: its codes resolve under /v1/{kind}/{code}."""
    return f"{BASE}/CodeSystem/{kind}"


def coding(system: str, code: str | None, display: str | None = None) -> Json | None:
    """A Coding; None where there is no code."""
    return {"system": system, "code": code, "display": display} if code else None


def concept(text: str | None, *codings: Json | None) -> Json:
    """A CodeableConcept of the codings that there are."""
    return {"coding": [each for each in codings if each], "text": text}


def reference(target: str, display: str | None = None) -> Json | None:
    """A Reference; None where what was sent as one is none."""
    return {"reference": target, "display": display} if _REFERENCE.fullmatch(target) else None


def references(targets: Iterable[str]) -> list[Json]:
    """Each target once, in order."""
    return [found for target in dict.fromkeys(targets) if (found := reference(target))]


def citations(keys: Iterable[str], knowledge: Knowledge) -> list[Json]:
    """The bibliography lines of some references, as RelatedArtifact."""
    found = ((key, knowledge.references[key]) for key in dict.fromkeys(keys))
    return [
        {"type": "citation", "label": key, "citation": markdown(line.citation), "url": line.url} for key, line in found
    ]


def sources(keys: Iterable[str], knowledge: Knowledge) -> str:
    """The same as a sentence, where a resource has no place for an artifact."""
    return "Sources: " + "; ".join(knowledge.references[key].citation for key in dict.fromkeys(keys))


def worded(word: str, knowledge: Knowledge) -> Json:
    """A word of a rule: its code, unless it is the absence of one, and what it says."""
    name = word.removeprefix("absent:")
    text = knowledge.findings[name].label if name in knowledge.findings else name.rpartition(":")[2].replace("_", " ")
    return concept(f"Not: {text}") if name != word else concept(text, coding(SYSTEM, name))


def note(*texts: str | None) -> list[Json]:
    """An Annotation for each text that there is."""
    return [{"text": markdown(text)} for text in texts if text]


def markdown(text: str) -> str:
    """Plain text for a markdown field: nothing in it is read as markup."""
    return _MARKDOWN.sub(r"\\\1", html.escape(text, quote=False))


def without_markup(text: str) -> str:
    """A text of a client, for a field that some reader may show as HTML."""
    return re.sub(r"<[^<>]*>|[<>]", "", text)


def tidy(value: Any) -> Any:
    """A resource as FHIR wants it: no empty value anywhere, and no control character in a text."""
    if isinstance(value, Mapping):
        kept = ((key, tidy(each)) for key, each in value.items())
        return {key: each for key, each in kept if each not in (None, "", [], {})}
    if isinstance(value, list | tuple):
        return [each for each in map(tidy, value) if each not in (None, "", [], {})]
    return _CONTROL.sub("", value).strip() if isinstance(value, str) else value
