"""The ten example patients of the console, from the published cases: `python -m tests.console` writes them anew."""

from __future__ import annotations

import json
from typing import Any

from service.console import HERE
from tests.presentations import cases

FILE = HERE / "examples.json"
CHOSEN = (
    *("medbullets303-42m", "symptomtodx-47f", "bestpractice-65m", "ajpmr-73f", "medqa-dev1247-41f"),
    *("medqa-dev1118-70m", "itjem-40m", "pmrj-57m", "wneuro-f", "consultant-84m"),
)
"""From the ordinary to the emergency."""


def examples() -> list[dict[str, Any]]:
    """The chosen cases as the page reads them."""
    known = {case["id"]: case for case in cases()}
    return [
        {
            "id": name,
            "request": known[name]["request"],
            "reference_diagnosis": known[name]["reference_diagnosis"],
            "source": {key: known[name]["source"][key] for key in ("title", "url")},
        }
        for name in CHOSEN
    ]


def text() -> str:
    """The file."""
    return json.dumps(examples(), ensure_ascii=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
