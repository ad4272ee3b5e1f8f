"""The numbers, for Prometheus. Every label comes from a fixed vocabulary, so that no text of a request becomes one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPMethod
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest, values
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from rules.knowledge import Knowledge

__all__ = ["CONTENT_TYPE", "DIRECTORY", "UNMATCHED", "Metrics", "place", "share"]

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
UNMATCHED = "unmatched"
"""The route of every request that none of ours answers."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset(HTTPMethod)
_place: str | None = None

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody reads


def share(directory: str) -> None:
    """From here on the metrics of this process and its children live in files, which any of them can add up."""
    os.environ[DIRECTORY] = directory
    values.ValueClass = values.MultiProcessValue(_identity)  # type: ignore[no-untyped-call]


def place(name: str) -> None:
    """Say in whose file this process counts. A worker takes over that of a dead one, so there are never many files."""
    global _place  # noqa: PLW0603
    _place = name


def _identity() -> str:
    return _place or str(os.getpid())


class Metrics:
    """The metrics of one application."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._registry = CollectorRegistry()
        self._stamp = _Stamp(knowledge)
        levels, flags = knowledge.levels, knowledge.red_flags
        self.requests = self._counter("requests", "Requests answered", ["route", "method", "status"])
        self.assessments = self._counter("assessments", "Assessments by urgency", ["level", "provisional"])
        self.red_flags = self._counter("red_flags_fired", "Red-flag rules that fired in assessments", ["rule"])
        self.cards = self._counter("cds_cards", "Cards shown", ["service", "indicator"])
        self.card_outcomes = self._counter(
            "cds_card_outcomes", "What became of cards, by feedback", ["service", "outcome", "reason"]
        )
        self.engine_faults = self._counter("engine_faults", "Requests refused because the rule engine failed")
        self.seconds = Histogram(
            "lumbar_request_seconds", "Time to answer", ["route"], buckets=BUCKETS, registry=self._registry
        )
        # What never happened yet is 0 and not missing, so that the first time shows as a rise.
        for level in levels:
            for provisional in ("false", "true"):
                self.assessments.labels(level, provisional)
        for rule in flags:
            self.red_flags.labels(rule)

    def _counter(self, name: str, text: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(f"lumbar_{name}", text, labels, registry=self._registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def assessed(self, found: Mapping[str, Any]) -> None:
        """Count one assessment and the red flags that fired in it."""
        self.assessments.labels(found["urgency"], str(found["provisional"]).lower()).inc()
        for rule in found["rules"]:
            self.red_flags.labels(rule).inc()

    def render(self) -> bytes:
        """All of it in the text format; of every worker when they share a directory."""
        whole = CollectorRegistry()
        whole.register(self._stamp)
        if DIRECTORY in os.environ:
            whole.register(_Shared())
        else:
            whole.register(self._registry)
        return generate_latest(whole)


class _Shared(Collector):
    """The files of all workers, added up; one that a worker has only just opened is empty and cannot be read."""

    def collect(self) -> Iterator[Metric]:
        files = [str(file) for file in Path(os.environ[DIRECTORY]).glob("*.db") if file.stat().st_size]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class _Stamp(Collector):
    """Which knowledge answers. Worked out when asked: an info cannot live in a shared file, and need not."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._value = {"version": knowledge.policy.version, "sha256": knowledge.sha256}

    def collect(self) -> Iterator[InfoMetricFamily]:
        yield InfoMetricFamily("lumbar_knowledge", "The knowledge in use", value=self._value)
