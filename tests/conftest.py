"""What every test may ask for."""

from __future__ import annotations

import pytest

import rules
from rules.engine import Engine
from rules.knowledge import Knowledge


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The knowledge of the repository, loaded once."""
    return rules.load()


@pytest.fixture(scope="session")
def engine(knowledge: Knowledge) -> Engine:
    """The engine compiled from that knowledge."""
    return Engine(knowledge.rules)
