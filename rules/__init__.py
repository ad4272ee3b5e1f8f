"""The knowledge: YAML files, read once, validated, cross-checked, frozen and hashed."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rules import checks, kept
from rules.files import KnowledgeError, Problem, Source, build, read
from rules.knowledge import Knowledge
from schemas import about, advice, cards, codes, vocabulary
from schemas import knowledge as records
from schemas.parts import Record, Where

__all__ = ["HERE", "Knowledge", "KnowledgeError", "check", "load"]

HERE = Path(__file__).parent

_FOLDERS: Mapping[str, Record] = {
    "conditions": records.ConditionSchema(),
    "red_flags": records.RedFlagSchema(),
    "patterns": records.PatternSchema(),
    "treatments": records.TreatmentSchema(),
    "safety": records.SafetySchema(),
    "pathways": records.PathwaySchema(),
}
"""One file per entry; the file name is the id."""

_CODES = "vocabulary/codes"

_ADVICE: Mapping[str, Record] = {
    "do_not": records.DoNotSchema(),
    "education": advice.EducationSchema(),
    "follow_up": advice.FollowUpSchema(),
    "referral": advice.ReferralSchema(),
    "conflicts": advice.ConflictSchema(),
    "measures": advice.MeasureSchema(),
    "gates": advice.GateSchema(),
}
"""One list per file; each row has its id."""


def load(folder: Path = HERE) -> Knowledge:
    """Read every rule file below a folder; of the service's own, the copy that passed is used while nothing changes.

    Raises:
        KnowledgeError: anything that is wrong, each with file and line; wrong knowledge does not start.
    """
    with _collector_paused():
        if folder != HERE:
            return check(folder)
        known = kept.recall(fingerprint(folder))
        if known is None:
            known = check(folder)
            kept.keep(known)
        return known


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Loading makes a million objects of which few die: looking for dead ones again and again costs a quarter of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def check(folder: Path = HERE) -> Knowledge:
    """Read and check every rule file below a folder, whatever is kept.

    Raises:
        KnowledgeError: as `load`.
    """
    reader = _Reader(folder)
    tables: dict[str, Any] = {
        name: reader.table(f"vocabulary/{name}.yaml", schema) for name, schema in vocabulary.FILES.items()
    }
    common = reader.table("vocabulary/common_medications.yaml", vocabulary.MedicationSchema())
    tables["medications"] = {**common, **tables["medications"]}
    tables["medication_names"] = reader.single("vocabulary/medication_names.yaml", vocabulary.MedicationNamesSchema())
    tables["references"] = reader.table("references.yaml", records.ReferenceSchema())
    tables |= {name: reader.entries(name, schema) for name, schema in _FOLDERS.items()}
    for name, rows in _ADVICE.items():
        tables[name] = {row.id: row for row in reader.rows(f"advice/{name}.yaml", None, rows) if row}
    tables["leaflet"] = reader.single("advice/leaflet.yaml", advice.LeafletSchema())
    tables["rungs"] = reader.rows("rungs.yaml", "rungs", records.RungSchema())
    tables["default_policy"] = reader.rows("default_urgency.yaml", "default_policy", records.DefaultLevelSchema())
    tables["policy"] = reader.single("policy.yaml", records.PolicySchema())
    tables["cards"] = reader.single("cds_hooks.yaml", cards.CardsSchema())
    coded: dict[str, Any] = {
        name: reader.table(f"{_CODES}/{name}.yaml", schema) for name, schema in codes.TABLES.items()
    }
    coded["units"] = reader.rows(f"{_CODES}/units.yaml", None, codes.ConversionSchema())
    coded["reading"] = reader.single(f"{_CODES}/reading.yaml", codes.ReadingSchema())
    tables["codes"] = codes.Codes(**coded)
    tables["source_attributes"] = reader.single("source_attributes.yaml", about.SourceAttributesSchema())
    tables["validation"] = reader.single("validation.yaml", about.ValidationSchema())
    reader.finish()
    knowledge = Knowledge(**tables, sha256=fingerprint(folder))
    checks.check(knowledge, folder, reader.sources)
    return knowledge


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and the bytes of every rule file."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.yaml")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


class _Reader:
    """Reads the files of a folder one after another and collects what is wrong with any of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources: list[Source] = []
        self._problems: list[Problem] = []
        self._read: set[Path] = set()

    def table(self, name: str, schema: Record) -> dict[str, Any]:
        """A file that maps ids to records."""
        file = self.folder / name
        return {str(key): self._record(file, (key,), schema, data) for key, data in self._data(file, dict).items()}

    def entries(self, name: str, schema: Record) -> dict[str, Any]:
        """A folder with one record a file, named like its id."""
        files = sorted((self.folder / name).glob("*.yaml"))
        if not files:
            self._problems.append(Problem(self.folder / name, (), "the folder holds no rule file"))
        found = {file.stem: self._record(file, (), schema, self._data(file, dict)) for file in files}
        for file in files:
            record = found[file.stem]
            if record is not None and record.id != file.stem:
                self._problems.append(Problem(file, ("id",), f"the id {record.id!r} is not the name of the file"))
        return found

    def rows(self, name: str, key: str | None, schema: Record) -> tuple[Any, ...]:
        """A file that is a list of records, or that holds one under a key; ids in it stand once."""
        file = self.folder / name
        rows = self._data(file, list) if key is None else self._data(file, dict).get(key)
        if not isinstance(rows, list):
            self._problems.append(Problem(file, ("line 1",), f"expected a list of rows under {key!r}"))
            return ()
        places: list[Where] = [(number,) if key is None else (key, number) for number in range(len(rows))]
        found = tuple(self._record(file, where, schema, data) for where, data in zip(places, rows, strict=True))
        ids = [getattr(record, "id", None) for record in found]
        self._problems += [
            Problem(file, (*where, "id"), f"the id {name!r} stands twice")
            for number, (where, name) in enumerate(zip(places, ids, strict=True))
            if name is not None and name in ids[:number]
        ]
        return found

    def single(self, name: str, schema: Record) -> Any:
        """A file that is one record."""
        file = self.folder / name
        return self._record(file, (), schema, self._data(file, dict))

    def finish(self) -> None:
        """Refuse what was wrong, and files that nothing reads.

        Raises:
            KnowledgeError: with all of it.
        """
        unread = {file for file in self.folder.rglob("*.y*ml") if file.is_file()} - self._read
        self._problems += [Problem(file, ("line 1",), "no loader reads a file of this name here") for file in unread]
        if self._problems:
            raise KnowledgeError(self._problems)

    def _data(self, file: Path, shape: type) -> Any:
        self._read.add(file)
        try:
            data = read(file)
        except KnowledgeError as error:
            self._problems += error.problems
            return shape()
        if not isinstance(data, shape) or not data:
            self._problems.append(Problem(file, ("line 1",), "expected names with values, found something else"))
            return shape()
        return data

    def _record(self, file: Path, where: Where, schema: Record, data: Any) -> Any:
        if not where and not data:
            return None  # said already
        record = build(file, where, schema, data, self._problems)
        if record is not None:
            self.sources.append(Source(file, where, schema, data))
        return record
