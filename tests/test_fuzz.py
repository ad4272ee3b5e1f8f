"""Every route against the contract, by schemathesis: requests that it allows, and requests that it does not."""

from __future__ import annotations

import os
import zlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

pytestmark = pytest.mark.outside

DEEP = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
"""Random requests for each route beside the fixed ones at the edges of every value; `make fuzz` sends many, others
each time."""
SHARE = 1 if DEEP else 6
"""An assessment takes its time, and the edges of its fields are over a thousand: one in so many is sent every day."""

CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # an id that the contract allows need not exist
            "positive_data_acceptance": {"expected-statuses": ["2xx", "404"]},
            # the service under test is open, as on loopback; tests/test_auth.py holds who gets in
            "ignored_auth": {"enabled": False},
        },
        "generation": {"mode": "all", "deterministic": not DEEP},
        "operations": [
            {
                # what the contract allows of a chart need not hold a person with an age
                "include-path": "/fhir/R4/$assess",
                "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}},
            },
            {
                # what the contract allows of a call need not be one of this service, with a patient of some age
                "include-path-regex": "^/cds-services/",
                "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "412", "422"]}},
            },
        ],
    }
)
DOCUMENT = yaml.load((Path(__file__).parent.parent / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=not DEEP, deadline=None, suppress_health_check=[*HealthCheck])
def test_every_route_keeps_to_the_contract_whatever_is_sent(app: Flask, case: Any) -> None:
    if case.method != "POST" or zlib.crc32(repr(case.body).encode()) % SHARE == 0:
        case.call_and_validate(app=app)


def test_an_answer_that_breaks_the_contract_is_seen(app: Flask) -> None:
    changed = deepcopy(DOCUMENT)
    changed["components"]["schemas"]["Listed"]["required"].append("page")
    operation = schemathesis.openapi.from_dict(changed, config=CONFIG)["/v1/gates"]["GET"]
    with pytest.raises(FailureGroup, match='"page" is a required property'):
        operation.Case().call_and_validate(app=app)
    schema["/v1/gates"]["GET"].Case().call_and_validate(app=app)
