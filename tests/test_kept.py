"""Knowledge that passed every check starts faster; nothing else is ever used."""

from __future__ import annotations

import dataclasses
import sys
from importlib import metadata
from pathlib import Path

import pytest

import rules
from rules import kept
from rules.knowledge import Knowledge


@pytest.fixture
def place(tmp_path: Path, knowledge: Knowledge) -> Path:
    """A folder that holds the copy of the knowledge of the repository."""
    kept.keep(knowledge, tmp_path)
    return tmp_path


def _copy(place: Path) -> Path:
    (file,) = place.iterdir()
    return file


def test_the_copy_is_the_knowledge_that_was_checked(place: Path, knowledge: Knowledge) -> None:
    assert kept.recall(knowledge.sha256, place) == knowledge == rules.check()


def test_rules_that_changed_are_read_afresh(place: Path, knowledge: Knowledge) -> None:
    assert kept.recall("0" * 64, place) is None
    assert kept.recall(knowledge.sha256, place) is not None


@pytest.mark.parametrize("changed", ["module", "library", "interpreter"])
def test_what_reads_the_rules_must_be_the_same(
    changed: str, place: Path, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    if changed == "module":
        monkeypatch.setattr(kept, "_READERS", (Path(__file__).parent,))
    elif changed == "library":
        monkeypatch.setattr(metadata, "version", lambda _: "0")
    else:
        monkeypatch.setattr(sys, "version", "another")
    assert kept.recall(knowledge.sha256, place) is None


@pytest.mark.parametrize("damage", [b"", b"\x80\x05.", b"not a pickle", b"\x80\x05K\x01."])
def test_a_damaged_copy_is_read_afresh(damage: bytes, place: Path, knowledge: Knowledge) -> None:
    _copy(place).write_bytes(damage)
    assert kept.recall(knowledge.sha256, place) is None


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_copy_that_others_could_have_written_is_not_read(mode: int, place: Path, knowledge: Knowledge) -> None:
    _copy(place).chmod(mode)
    assert kept.recall(knowledge.sha256, place) is None


def test_one_copy_is_kept_and_older_ones_go(place: Path, knowledge: Knowledge) -> None:
    kept.keep(dataclasses.replace(knowledge, sha256="0" * 64), place)
    assert kept.recall(knowledge.sha256, place) is None
    assert kept.recall("0" * 64, place) is not None
    assert len([*place.iterdir()]) == 1


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_fails(tmp_path: Path, knowledge: Knowledge) -> None:
    file = tmp_path / "a file"
    file.write_text("no folder", encoding="utf-8")
    kept.keep(knowledge, file)
    assert kept.recall(knowledge.sha256, file) is None


def test_only_the_rules_of_the_service_itself_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(kept, "recall", asked.append)
    with pytest.raises(rules.KnowledgeError):
        rules.load(tmp_path)
    assert asked == []
