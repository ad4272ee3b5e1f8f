"""openapi.yaml, the contract as a file: `python -m service.contract` writes it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

import rules
from rules.knowledge import Knowledge
from service.openapi import EXAMPLE, build

__all__ = ["EXAMPLE", "build", "render"]

_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
FILE = Path(__file__).parent.parent / "openapi.yaml"


class _Dumper(_BASE):  # type: ignore[misc]
    """Block style without anchors, in the order of the document."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def render(knowledge: Knowledge) -> str:
    """The text of openapi.yaml."""
    head = "# Written by `make openapi` from the schemas; a test fails when the two differ.\n"
    return head + yaml.dump(build(knowledge), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    FILE.write_text(render(rules.load()), encoding="utf-8")
    sys.exit(0)
