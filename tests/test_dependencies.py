"""The list of dependencies is that of the lock file."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def test_each_locked_runtime_dependency_is_listed_with_its_version_licence_and_reason() -> None:
    locked = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8")))
    rows = re.findall(r"(?m)^\| ([a-z][\w.-]+) \| (\d\S*) \| (.+?) \| (.+?) \|$", PAGE)
    assert {name: version for name, version, _, _ in rows} == locked
    assert all(re.search(r"MIT|BSD|Apache|MPL|PSF", licence) for _, _, licence, _ in rows)
