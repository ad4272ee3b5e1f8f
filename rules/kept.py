"""Knowledge that passed every check, kept like compiled Python so that the same files start faster.

A copy stands in `__pycache__` and is used only while every rule file, every module that reads or checks them, and the
interpreter are the same byte for byte; anything else is read and checked afresh. It is a pickle: whoever may write
there may write the modules beside it too, and a copy that others than its owner could write is not read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import stat
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import schemas
from rules.knowledge import Knowledge

PLACE = Path(__file__).parent / "__pycache__"
_READERS = (Path(__file__).parent, Path(schemas.__file__).parent)
_LIBRARIES = ("marshmallow", "PyYAML")


def recall(sha256: str, place: Path = PLACE) -> Knowledge | None:
    """The knowledge of rule files with this fingerprint, or None where no copy can be trusted."""
    file = place / _name(sha256)
    try:
        if not _only_ours(file.stat()):
            return None
        with file.open("rb") as copy:
            return Knowledge(**pickle.load(copy))
    except Exception:  # a damaged copy raises nearly anything, and the files themselves are at hand
        return None


def keep(knowledge: Knowledge, place: Path = PLACE) -> None:
    """Keep a copy in place of every older one; where nothing can be written, nothing is kept."""
    file = place / _name(knowledge.sha256)
    draft = file.with_suffix(f".{os.getpid()}")
    parts = {part.name: getattr(knowledge, part.name) for part in dataclasses.fields(knowledge)}
    try:
        place.mkdir(exist_ok=True)
        draft.write_bytes(pickle.dumps(parts, protocol=pickle.HIGHEST_PROTOCOL))
        draft.chmod(0o644)
        draft.replace(file)
        for old in place.glob("knowledge-*.pickle"):
            if old != file:
                old.unlink(missing_ok=True)
    except OSError:
        with suppress(OSError):
            draft.unlink()


def _name(sha256: str) -> str:
    """Of the file that keeps this knowledge as these modules, these libraries and this interpreter read it."""
    digest = hashlib.sha256(f"{sha256} {sys.version}".encode())
    for name in _LIBRARIES:
        digest.update(f" {name} {metadata.version(name)}".encode())
    for folder in _READERS:
        for file in sorted(folder.glob("*.py")):
            digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return f"knowledge-{digest.hexdigest()[:32]}.pickle"


def _only_ours(found: os.stat_result) -> bool:
    """Whether nobody but its owner may write it, and the owner is who runs this, or root."""
    return found.st_uid in (0, os.getuid()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
