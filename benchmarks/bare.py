"""What a request costs without Lumbar: a Flask route that parses the body and returns the same bytes. The limit.

For gunicorn: `benchmarks.bare:app`; BARE_ANSWERS names a file of [query, body, answer].
"""

from __future__ import annotations

import os
from pathlib import Path

import flask
import orjson

from benchmarks.load import PATH

ANSWERS = {
    (query.encode(), body.encode()): answer.encode()
    for query, body, answer in orjson.loads(Path(os.environ["BARE_ANSWERS"]).read_bytes())
}
app = flask.Flask("bare")


@app.post(PATH)
def assess() -> flask.Response:
    """Parse, and answer as Lumbar did."""
    body = flask.request.get_data()
    orjson.loads(body)
    return flask.Response(ANSWERS[flask.request.query_string, body], content_type="application/json")


@app.get("/readyz")
def ready() -> flask.Response:
    """For whoever waits for the server."""
    return flask.Response(b"{}", content_type="application/json")
