"""Reading YAML that people keep by hand: no duplicate keys, and every complaint names file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from marshmallow import ValidationError

from schemas.parts import Record, Where

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = (yaml.ScalarNode, "tag:yaml.org,2002:str")
_LIST = (yaml.SequenceNode, "tag:yaml.org,2002:seq")
_MAPPING = (yaml.MappingNode, "tag:yaml.org,2002:map")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in which file, at which place in it (keys from the root)."""

    file: Path
    where: Where
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{line_of(self.file, self.where)}: {self.message}"


class KnowledgeError(ValueError):
    """The rule files are wrong; the message lists every problem with file and line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda problem: (str(problem.file), str(problem.where)))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Source:
    """A record as it was written: where it stands, by which schema it was read, and its plain data."""

    file: Path
    where: Where
    schema: Record
    data: Any


class _Loader(_BASE):  # type: ignore[misc]
    """Safe YAML in which a key that stands twice is an error instead of a silent loss."""

    def get_single_data(self) -> Any:
        """The one document as plain data; text, lists and mappings without a detour through PyYAML's generators."""
        node = self.get_single_node()
        return None if node is None else self._plain(node)

    def _plain(self, node: Any) -> Any:
        written_as = type(node), node.tag
        if written_as == _TEXT:
            return node.value
        if written_as == _LIST:
            return [self._plain(item) for item in node.value]
        if written_as != _MAPPING:
            return self.construct_object(node, deep=True)
        found: dict[Any, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
            name = self._plain(key)
            if name in found:
                first = next(each for each, _ in node.value if each.value == key.value)
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", first.start_mark)
            found[name] = self._plain(value)
        return found


def read(file: Path) -> Any:
    """Parse one YAML file.

    Raises:
        KnowledgeError: it is missing, it is not YAML, or a key stands twice.
    """
    if not file.is_file():
        raise KnowledgeError([Problem(file, (), "the file is missing")])
    raw = file.read_bytes()
    try:
        return yaml.load(raw, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _unreadable(file, mark.line + 1 if mark else 1, error.problem) from error
    except yaml.reader.ReaderError as error:
        raise _unreadable(file, raw[: error.position].count(b"\n") + 1, error.reason) from error


def _unreadable(file: Path, line: int, reason: str | None) -> KnowledgeError:
    return KnowledgeError([Problem(file, (f"line {line}",), reason or "not readable as YAML")])


def build(file: Path, where: Where, schema: Record, data: Any, problems: list[Problem]) -> Any:
    """Load one record; on failure note every problem and return None."""
    try:
        return schema.load(data)
    except ValidationError as error:
        problems += [Problem(file, (*where, *path), text) for path, text in _flatten(error.messages, data)]
        return None


def _flatten(messages: Any, data: Any, path: Where = ()) -> Iterator[tuple[Where, str]]:
    """Each message with its place. The steps key and value, which a table by name adds, are not in the data."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            inside = isinstance(data, list) and isinstance(key, int) and key < len(data)
            known = inside or (isinstance(data, Mapping) and key in data)
            if key == "_schema" or (key in ("key", "value") and not known):
                yield from _flatten(inner, data, path)
            else:
                yield from _flatten(inner, data[key] if known else None, (*path, key))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _flatten(inner, data, path)
    else:
        yield path, str(messages)


def line_of(file: Path, where: Where) -> int:
    """The line (from 1) of the deepest key of `where` that the file still has."""
    if where and str(where[0]).startswith("line "):
        return int(str(where[0]).removeprefix("line "))
    node = yaml.compose(file.read_bytes(), Loader=_Loader) if file.is_file() else None
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
