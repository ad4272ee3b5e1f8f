"""One answer with what is needed to write it as resources: whose it is, what it rests on, and their names. Pure."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from rules.knowledge import Knowledge
from service.fhir.codes import SYSTEM
from service.fhir.intake import Input, Skipped
from service.fhir.parts import Json, own, references, tidy

_LISTS = {
    "medication": "medications",
    "medication_class": "medications",
    "allergy": "allergies",
    "tried": "treatments_tried",
}
"""Kind of a listed word -> the list of the request that it is read from."""
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, SYSTEM)


@dataclass(frozen=True)
class Case:
    """A native answer, on its way out."""

    answer: Mapping[str, Any]
    knowledge: Knowledge
    subject: Json
    """Reference to the Patient as sent."""
    inputs: Sequence[Input] = ()
    skipped: Sequence[Skipped] = ()

    @cached_property
    def _content(self) -> str:
        """Hash of everything that the resources are made of."""
        inputs = [[each.reference, each.word] for each in self.inputs]
        skipped = [[each.reference, each.because] for each in self.skipped]
        whole = orjson.dumps([self.answer, self.subject, inputs, skipped], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(whole).hexdigest()

    def id(self, name: str) -> str:
        """The id of one resource: the same for the same answer about the same inputs."""
        return str(uuid.uuid5(_NAMES, f"{self._content}/{name}"))

    def url(self, name: str) -> str:
        """The fullUrl of that resource."""
        return f"urn:uuid:{self.id(name)}"

    def link(self, name: str) -> Json:
        """A Reference to that resource."""
        return {"reference": self.url(name), "type": name.partition("/")[0]}

    def entry(self, name: str, resource: Json) -> Json:
        """An entry of the Bundle: the resource under its name, with the knowledge that it comes from."""
        kind = {"resourceType": resource["resourceType"], "id": self.id(name), "meta": {"tag": [self.stamp]}}
        return {"fullUrl": self.url(name), "resource": tidy(kind | resource)}

    @property
    def stamp(self) -> Json:
        """Version and hash of the knowledge, as a Coding."""
        knowledge = self.answer["knowledge"]
        return {"system": own("knowledge"), "version": knowledge["version"], "code": knowledge["sha256"]}

    @property
    def provisional(self) -> bool:
        """Whether the level is not final."""
        return bool(self.answer["urgency"]["provisional"])

    @property
    def status(self) -> str:
        """Status of a finding of the service: preliminary as long as the level is."""
        return "preliminary" if self.provisional else "final"

    @property
    def priority(self) -> str:
        """Priority of a request. A missing one would mean routine, so that none is left out."""
        return self.knowledge.policy.fhir.priority_of_level[self.answer["urgency"]["level"]]

    def behind(self, words: Collection[str]) -> list[Json]:
        """The inputs that some words rest on, directly or through what the words are made of."""
        vocabulary = self.knowledge.vocabulary
        names = {word.removeprefix("absent:") for word in words}
        names |= {part for name in names for part in vocabulary.parts.get(name, ())}
        for derived in [vocabulary.derived[name] for name in names if name in vocabulary.derived]:
            names |= {path.removeprefix("observations.") for path in derived.paths}
            names |= {term.word for term in derived.members}
            names |= {_LISTS["tried"]} if derived.tried else set()
        names |= {_LISTS[kind] for name in names if (kind := name.partition(":")[0]) in _LISTS}
        return references(each.reference for each in self.inputs if each.word in names)
