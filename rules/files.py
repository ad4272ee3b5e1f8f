"""Reading YAML that people keep by hand: no duplicate keys, and every complaint names file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from marshmallow import ValidationError

from schemas.parts import Record

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, in which file, at which place in it (keys from the root)."""

    file: Path
    where: tuple[str | int, ...]
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{line_of(self.file, self.where)}: {self.message}"


class KnowledgeError(ValueError):
    """The rule files are wrong; the message lists every problem with file and line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda problem: (str(problem.file), str(problem.where)))
        super().__init__("\n".join(map(str, self.problems)))


class _Loader(_BASE):  # type: ignore[misc]
    """Safe YAML in which a key that stands twice is an error instead of a silent loss."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            twice = next(key for key in node.value if keys.count(key[0].value) > 1)[0]
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice.value!r} stands twice", twice.start_mark
            )
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def read(file: Path) -> Any:
    """Parse one YAML file.

    Raises:
        KnowledgeError: it is not YAML, or a key stands twice.
    """
    try:
        return yaml.load(file.read_bytes(), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise KnowledgeError([Problem(file, (f"line {line}",), error.problem or "not readable as YAML")]) from error


def build(file: Path, where: tuple[str | int, ...], schema: Record, data: Any, problems: list[Problem]) -> Any:
    """Load one record; on failure note every problem and return None."""
    try:
        return schema.load(data)
    except ValidationError as error:
        problems += [Problem(file, (*where, *path), text) for path, text in _flatten(error.messages)]
        return None


def _flatten(messages: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(messages, Mapping):
        return [found for key, inner in messages.items() for found in _flatten(inner, _step(path, key))]
    if isinstance(messages, list):
        return [found for inner in messages for found in _flatten(inner, path)]
    return [(path, str(messages))]


def _step(path: tuple[str | int, ...], key: Any) -> tuple[str | int, ...]:
    return path if key in ("_schema", "value") else (*path, key)


def line_of(file: Path, where: tuple[str | int, ...]) -> int:
    """The line (from 1) of the deepest key of `where` that the file still has."""
    if where and str(where[0]).startswith("line "):
        return int(str(where[0]).removeprefix("line "))
    node = yaml.compose(file.read_bytes(), Loader=_Loader)
    line = 1
    for step in where:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
