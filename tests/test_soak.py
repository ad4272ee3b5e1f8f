"""Long runs, outside the daily suite (make soak)."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from rules.engine import Engine
from rules.knowledge import Knowledge
from service.assess import assess
from tests.presentations import cases


@pytest.mark.soak
def test_fifty_thousand_assessments_leave_no_memory_behind_and_answer_alike(
    knowledge: Knowledge, engine: Engine
) -> None:
    schema = knowledge.request_schema
    requests = [schema.load(case["request"]) for case in cases()]
    remembered = [assess(request, knowledge, engine) for request in requests]

    early = 0
    for number in range(50_000):
        place = number % len(requests)
        assert assess(requests[place], knowledge, engine) == remembered[place], f"assessment {number}"
        if number == 5_000:
            early = _resident_bytes()

    assert early > 0
    assert _resident_bytes() - early < 5 * 1024 * 1024


def _resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
