"""What every test may ask for."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from random import Random

import pytest
from flask import Flask
from flask.testing import FlaskClient

import rules
from rules.engine import Engine
from rules.knowledge import Knowledge
from service import create_app
from tests.presentations import PATH, Reply, cases, random_request
from tests.sockets import serving
from tests.support import write_knowledge

gc.set_threshold(100_000, 20, 20)  # a test run makes much and drops little of it


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The knowledge of the repository, loaded once."""
    known = rules.load()
    gc.freeze()  # nothing of it dies before the session does, so that no collection need look at it again
    return known


@pytest.fixture(scope="session")
def engine(knowledge: Knowledge) -> Engine:
    """The engine compiled from that knowledge."""
    return Engine(knowledge.rules)


@pytest.fixture(scope="session")
def small_knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """The small knowledge base of tests/support.py, loaded once."""
    return rules.load(write_knowledge(tmp_path_factory.mktemp("knowledge")))


@pytest.fixture(scope="session")
def app(knowledge: Knowledge, engine: Engine) -> Flask:
    """The whole service, as gunicorn runs it."""
    return create_app(knowledge, engine)


@pytest.fixture(scope="module")
def running(app: Flask) -> Iterator[str]:
    """The base URL of the service behind a real socket, without a slash at its end."""
    with serving(app) as base:
        yield base.removesuffix("/")


@pytest.fixture(scope="session")
def client(app: Flask) -> FlaskClient:
    """A client of the whole service."""
    return app.test_client()


@pytest.fixture(scope="session")
def replies(client: FlaskClient, knowledge: Knowledge) -> list[Reply]:
    """The answers to every case of tests/cases and to forty random requests."""
    chance = Random(20_261_121)
    requests = [(case["id"], case["request"]) for case in cases()]
    requests += [(f"random-{number}", random_request(chance, knowledge)) for number in range(40)]
    found = []
    for name, request in requests:
        response = client.post(PATH, json=request)
        assert response.status_code == 200, (name, response.get_data(as_text=True))
        found.append(Reply(name, request, response.get_data(), json.loads(response.get_data())))
    return found
