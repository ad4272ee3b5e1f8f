"""Clients made from openapi.yaml by well-known generators work against the running service; a linter finds it clean."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from service.contract import EXAMPLE
from tests.presentations import PATH

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parent.parent
CONTRACT = ROOT / "openapi.yaml"
CLIENTS = ROOT / "tests" / "clients"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}

node = pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENTS / "node_modules").is_dir(),
    reason="needs node and its packages: install node, then `make test` (or npm ci in tests/clients)",
)


@pytest.fixture(scope="module")
def expected(app: Flask) -> Any:
    """The answer to the example of README.md, had without any client."""
    return app.test_client().post(PATH, json=EXAMPLE).get_json()


def _run(*command: str | Path, cwd: Path) -> str:
    """What a program prints; it must succeed."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = {**os.environ, **QUIET, "PATH": path}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def test_a_python_client_made_from_the_contract_reads_the_answer_typed(
    running: str, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = ("-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning")
    _run(sys.executable, *generate, "--path", CONTRACT, "--output-path", tmp_path / "made", cwd=tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    models, assessing = importlib.import_module("made.models"), importlib.import_module("made.api.assessment")
    assessment = importlib.import_module(f"{assessing.__name__}.create_assessment")
    knowledge = "made.api.knowledge"
    client = importlib.import_module("made.client").Client(base_url=running, raise_on_unexpected_status=True)

    body = models.AssessmentRequest.from_dict(EXAMPLE)
    full = assessment.sync(client=client, body=body)
    assert type(full) is models.Assessment
    assert full.urgency.level is models.UrgencyPartLevel(expected["urgency"]["level"])
    assert type(full.differential[0]) is models.DifferentialEntry
    assert full.differential[0].condition == expected["differential"][0]["condition"] == "disc_herniation"
    assert full.differential[0].probability == expected["differential"][0]["probability"]
    assert type(full.treatment_ladder.rungs[0]) is models.RungPart
    assert full.treatment_ladder.rungs[0].rung == expected["treatment_ladder"]["rungs"][0]["rung"]
    assert full.to_dict() == expected

    short = assessment.sync(client=client, body=body, detail=models.CreateAssessmentDetail.SUMMARY)
    assert type(short) is models.AssessmentSummary
    assert short.urgency.level.value == expected["urgency"]["level"]
    entry = importlib.import_module(f"{knowledge}.get_conditions").sync("disc_herniation", client=client)
    assert (type(entry), entry.label) == (models.Condition, expected["differential"][0]["label"])
    about = importlib.import_module(f"{knowledge}.get_knowledge").sync(client=client)
    assert len(about.source_attributes.attributes) == 13
    wrong = importlib.import_module(f"{knowledge}.get_conditions").sync("disc_hernia", client=client)
    assert (type(wrong), wrong.status, wrong.errors[0].closest[0]) == (models.Problem, 404, "disc_herniation")


@node
def test_a_typescript_client_made_from_the_contract_compiles_and_reads_the_answer_typed(
    running: str, expected: Any, tmp_path: Path
) -> None:
    programs = CLIENTS / "node_modules" / ".bin"
    for name in ("client.ts", "tsconfig.json", "package.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    (tmp_path / "global.d.ts").write_text(NODE, encoding="utf-8")
    (tmp_path / "request.json").write_text(json.dumps(EXAMPLE), encoding="utf-8")
    _run(programs / "openapi-typescript", CONTRACT, "--output", "schema.ts", cwd=tmp_path)
    _run(programs / "tsc", "--project", ".", cwd=tmp_path)
    read = json.loads(_run("node", "client.js", running, "request.json", cwd=tmp_path))
    assert read == {
        "level": expected["urgency"]["level"],
        "condition": "disc_herniation",
        "probability": expected["differential"][0]["probability"],
        "rung": expected["treatment_ladder"]["rungs"][0]["rung"],
        "label": expected["differential"][0]["label"],
        "attributes": 13,
        "closest": "disc_herniation",
    }


NODE = """\
declare module "node:fs" { export function readFileSync(file: string, encoding: "utf-8"): string; }
declare const process: { argv: string[] };
declare const console: { log(text: string): void };
"""
"""What the client uses of node, so that its types need no package of their own."""


@node
def test_the_linter_finds_nothing_in_the_contract_and_would_find_something(tmp_path: Path) -> None:
    redocly = CLIENTS / "node_modules" / ".bin" / "redocly"
    _run(redocly, "lint", CONTRACT, "--config", CLIENTS / "redocly.yaml", cwd=tmp_path)
    worse = tmp_path / "worse.yaml"
    text = CONTRACT.read_text(encoding="utf-8")
    worse.write_text(text.replace("operationId: getHealth\n", "operationId: getReadiness\n"), encoding="utf-8")
    with pytest.raises(AssertionError, match="operation-operationId-unique"):
        _run(redocly, "lint", worse, "--config", CLIENTS / "redocly.yaml", "--format", "stylish", cwd=tmp_path)


def test_the_contract_that_the_service_gives_is_the_file(client: FlaskClient) -> None:
    assert client.get("/openapi.json").get_json() == yaml.load(CONTRACT.read_bytes(), yaml.CSafeLoader)
