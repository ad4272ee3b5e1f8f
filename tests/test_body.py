"""The limits of a request: depth, encoding, length by route, and how much is looked up for one bad body."""

from __future__ import annotations

import gzip
import json
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from rules.engine import Engine
from rules.knowledge import Knowledge
from schemas.assessment import MAX_MENDS
from service import body, create_app
from tests.hostile import FULL
from tests.presentations import PATH

MB = 1024 * 1024


def _post(client: FlaskClient, data: bytes | str, path: str = PATH, **headers: str) -> tuple[int, str]:
    response = client.post(path, data=data, content_type="application/json", headers=headers)
    found = json.loads(response.get_data())
    return response.status_code, str(found.get("detail"))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_thirty_two_levels_are_read_and_one_more_is_refused(client: FlaskClient, opening: str, closing: str) -> None:
    inner = "1" if opening != "[" else ""
    for depth, status in ((32, 422), (33, 400), (900, 400), (20_000, 400)):
        found, detail = _post(client, opening * depth + inner + closing * depth)
        assert found == status, depth
        assert ("nested too deep, at most 32" in detail) == (status == 400)


def test_a_scalar_below_the_deepest_level_is_no_level(client: FlaskClient) -> None:
    assert _post(client, "[" * 32 + "1" + "]" * 32)[0] == 422


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x", "gzip, identity"])
def test_a_compressed_body_is_refused_unread(client: FlaskClient, encoding: str) -> None:
    bomb = gzip.compress(b" " * 10 * MB)
    status, detail = _post(client, bomb, **{"Content-Encoding": encoding})
    assert (status, "Content-Encoding" in detail) == (415, True)


def test_identity_is_no_encoding(client: FlaskClient) -> None:
    assert _post(client, json.dumps(FULL), **{"Content-Encoding": "identity"})[0] == 200


@pytest.mark.parametrize(("limit", "name"), [(body.NATIVE, "256 KB"), (body.LARGE, "2048 KB")])
def test_each_route_says_how_much_it_reads(knowledge: Knowledge, engine: Engine, limit: int, name: str) -> None:
    app = create_app(knowledge, engine)
    app.add_url_rule("/x", view_func=lambda: {"n": len(body.read(flask.request, limit))}, methods=["POST"])
    client = app.test_client()
    assert _post(client, b"[1]".ljust(limit), "/x")[0] == 200
    status, detail = _post(client, b"[1]".ljust(limit + 1), "/x")
    assert (status, name in detail) == (413, True)
    status, detail = _post(client, b"[1]".ljust(3 * MB), "/x")
    assert (status, name in detail) == (413, True)


def test_only_the_first_unknown_ids_of_a_part_get_their_closest(client: FlaskClient, knowledge: Knowledge) -> None:
    """A look-up reads the whole vocabulary: one for each of 465 ids held a worker for seconds."""
    wrong: dict[str, Any] = {f"{name}x": "present" for name in knowledge.findings}
    response = client.post(PATH, json={"patient": {"age_years": 40}, "findings": wrong})
    errors = response.get_json()["errors"]
    assert (response.status_code, len(errors)) == (422, len(wrong))
    assert 0 < sum("closest" in error for error in errors) <= MAX_MENDS


def test_a_worker_out_of_memory_says_so_and_is_to_be_replaced(
    knowledge: Knowledge, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise MemoryError

    monkeypatch.setattr("service.app.assess", fail)
    client = create_app(knowledge, engine).test_client()
    with client:
        assert _post(client, json.dumps(FULL))[0] == 503
        assert flask.request.environ["lumbar.broken"] is True
