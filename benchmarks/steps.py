"""Where each microsecond of a request goes, by timers around the functions that the service calls by name.

What is wrapped is read from the code of service/assess.py (`room.function(...)`), so a new step shows up by itself and
a step that is gone is said. Each step counts without the steps inside it, so the lines add up to the whole.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

from rules.engine import Engine
from rules.knowledge import Knowledge

WHOLE = "rest of Flask, auth, limits, telemetry"
STORY = "rest of assess()"
DOOR = (
    ("parse", "service.app", "body", "read"),
    ("validate", "service.app", "", "_load"),
    ("assess", "service.app", "", "assess"),
    ("telemetry of the answer", "service.app", "telemetry", "assessed"),
    ("shorten", "service.app", "summary", "shorten"),
    ("dump", "service.app", "", "_json"),
)
"""Step, module, the name in it of the room (or none), function."""
EXPECTED = (
    *("parse", "validate", "findings.derive", "differential.rank", "urgency.triage", "ladder.draft", "ladder.climb"),
    *("questions.ask_next", "engine: evidence", "engine: urgency", "engine: treatment", "dump"),
)


class Hook(NamedTuple):
    """A function to be timed, where it is looked up when it is called."""

    step: str
    owner: object
    name: str


class Clock:
    """A stack of running steps: time goes to the innermost."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = defaultdict(int)
        self._running: list[str] = []
        self._since = 0

    @contextmanager
    def running(self, step: str) -> Iterator[None]:
        """Time until the end of the block is this step's, but for steps inside it."""
        self._switch()
        self._running.append(step)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    def _switch(self) -> None:
        now = time.perf_counter_ns()
        if self._running:
            self.spent[self._running[-1]] += now - self._since
        self._since = now

    def timed(self, step: str | Callable[..., str], function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time taken; the name of the step may hang on the arguments."""

        def call(*args: Any, **named: Any) -> Any:
            with self.running(step if isinstance(step, str) else step(*args)):
                return function(*args, **named)

        return call


def hooks() -> tuple[list[Hook], list[str]]:
    """What can be wrapped, and the steps of the door that are not where they were."""
    found, gone = [], []
    for step, module, room, name in DOOR:
        owner: object | None = importlib.import_module(module)
        owner = getattr(owner, room, None) if room else owner
        if callable(getattr(owner, name, None)):
            found.append(Hook(step, owner, name))
        else:
            gone.append(step)
    return found + list(_called_in(importlib.import_module("service.assess"))), gone


def _called_in(module: ModuleType) -> Iterator[Hook]:
    """Every `room.function(...)` in a module where room is a module of the service, and functions of its own."""
    seen = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            owner, name = getattr(module, node.func.value.id, None), node.func.attr
        elif isinstance(node.func, ast.Name) and inspect.isfunction(getattr(module, node.func.id, None)):
            owner, name = module, node.func.id
        else:
            continue
        if (
            inspect.ismodule(owner)
            and owner.__name__.startswith("service")
            and inspect.isfunction(getattr(owner, name))
        ):
            step = f"{owner.__name__.removeprefix('service.')}.{name}"
            if step not in seen and step != "assess.assess":
                seen.add(step)
                yield Hook(step, owner, name)


@contextmanager
def timers(clock: Clock, engine: Engine) -> Iterator[list[str]]:
    """All hooks in place; the value is what is not where it was."""
    found, gone = hooks()
    with ExitStack() as stack:
        for step, owner, name in found:
            label = STORY if step == "assess" else step
            stack.enter_context(patch.object(owner, name, clock.timed(label, getattr(owner, name))))
        for name in ("fire", "fire_all"):
            if hasattr(engine, name):
                asked = clock.timed(lambda concern, *_: f"engine: {concern}", getattr(engine, name))
                stack.enter_context(patch.object(engine, name, asked))
        stack.enter_context(patch.object(Knowledge, "conclude", clock.timed("knowledge.conclude", Knowledge.conclude)))
        yield gone


def take(clock: Clock, send: Callable[[bytes], object], bodies: Sequence[bytes], rounds: int) -> dict[str, list[float]]:
    """Step -> microseconds of one request, round by round. `send` is timed as a whole."""
    whole = clock.timed(WHOLE, send)
    for body in bodies:
        whole(body)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        clock.spent.clear()
        for body in bodies:
            whole(body)
        for step, spent in clock.spent.items():
            found[step].append(spent / 1000 / len(bodies))
    return found
