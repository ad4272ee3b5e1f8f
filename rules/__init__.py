"""The knowledge: YAML files, read once, validated, cross-checked, frozen and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rules import checks
from rules.files import KnowledgeError, Problem, build, read
from rules.knowledge import Knowledge
from schemas import knowledge as records
from schemas import vocabulary
from schemas.parts import Record

__all__ = ["HERE", "Knowledge", "KnowledgeError", "load"]

HERE = Path(__file__).parent

_FOLDERS: Mapping[str, type[Record]] = {
    "conditions": records.ConditionSchema,
    "red_flags": records.RedFlagSchema,
    "patterns": records.PatternSchema,
    "treatments": records.TreatmentSchema,
    "safety": records.SafetySchema,
    "pathways": records.PathwaySchema,
}
"""One file per entry; the file name is the id."""


def load(folder: Path = HERE) -> Knowledge:
    """Read every rule file below a folder.

    Raises:
        KnowledgeError: anything that is wrong, each with file and line; wrong knowledge does not start.
    """
    problems: list[Problem] = []
    tables: dict[str, Any] = {
        name: _table(folder / "vocabulary" / f"{name}.yaml", schema(), problems)
        for name, schema in vocabulary.FILES.items()
    }
    tables["references"] = _table(folder / "references.yaml", records.ReferenceSchema(), problems)
    for name, schema in _FOLDERS.items():
        tables[name] = _entries(folder / name, schema(), problems)
    tables["do_not"] = _listed(folder / "advice" / "do_not.yaml", records.DoNotSchema(), problems)
    tables["rungs"] = _rows(folder / "rungs.yaml", "rungs", records.RungSchema(), problems)
    tables["default_policy"] = _rows(
        folder / "default_urgency.yaml", "default_policy", records.DefaultLevelSchema(), problems
    )
    policy = folder / "policy.yaml"
    tables["policy"] = build(policy, (), records.PolicySchema(), read(policy), problems)
    if problems:
        raise KnowledgeError(problems)
    knowledge = Knowledge(**tables, sha256=fingerprint(folder))
    checks.check(knowledge, folder)
    return knowledge


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and the bytes of every rule file."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.yaml")):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _table(file: Path, schema: Record, problems: list[Problem]) -> dict[str, Any]:
    entries = read(file)
    return {str(key): build(file, (key,), schema, value, problems) for key, value in entries.items()}


def _entries(folder: Path, schema: Record, problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.yaml")):
        record = build(file, (), schema, read(file), problems)
        if record is not None and record.id != file.stem:
            problems.append(Problem(file, ("id",), f"the id {record.id!r} is not the name of the file"))
        found[file.stem] = record
    return found


def _listed(file: Path, schema: Record, problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, data in enumerate(read(file)):
        record = build(file, (number,), schema, data, problems)
        if record is not None and record.id in found:
            problems.append(Problem(file, (number, "id"), f"the id {record.id!r} stands twice"))
        elif record is not None:
            found[record.id] = record
    return found


def _rows(file: Path, key: str, schema: Record, problems: list[Problem]) -> tuple[Any, ...]:
    rows = read(file)[key]
    return tuple(build(file, (key, number), schema, data, problems) for number, data in enumerate(rows))
