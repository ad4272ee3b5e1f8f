"""The log: one JSON object a line on stdout. What others log goes through here too, without the values they quote."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

_OURS = ("rules", "schemas", "service")
_PLAIN = ("gunicorn.error", "lumbar")  # loggers whose arguments are known: addresses, process ids, signals
_FIRST = ("time", "level", "event")

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("lumbar"),
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)


class Stdout(logging.StreamHandler[TextIO]):
    """Writes to whatever stdout is now. A line that cannot be written (disk full, pipe gone) never fails a request."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.setFormatter(formatter())

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None: ...

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing: the standard way prints the message and its arguments."""


def configure() -> None:
    """Send what this process logs to stdout. Libraries are heard from warnings up."""
    root = logging.getLogger()
    if not any(isinstance(handler, Stdout) for handler in root.handlers):
        root.addHandler(Stdout())
    logging.getLogger("lumbar").setLevel(logging.INFO)


@contextmanager
def refused_starts() -> Iterator[None]:
    """Log why the process does not start, then let it fall."""
    try:
        yield
    except Exception as error:
        # Our own refusals speak of files and settings; another exception may quote a secret.
        said = {"detail": str(error)} if type(error).__module__.split(".")[0] in _OURS else {}
        log.critical("start_refused", **said, **_raised(error))
        raise


def formatter() -> ProcessorFormatter:
    """What turns every record of this process into one line of JSON."""
    return ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, _foreign],
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            ProcessorFormatter.remove_processors_meta,
            _in_order,
            structlog.processors.JSONRenderer(serializer=_dump),
        ],
    )


def _foreign(_: Any, __: str, event: EventDict) -> EventDict:
    """What a library says: its words, but neither an exception's message nor, of those we do not know, an argument."""
    record: logging.LogRecord = event["_record"]
    raised = event.pop("exc_info", None)
    event["logger"] = record.name
    if isinstance(raised, tuple) and raised[1] is not None:
        return {**event, "event": "exception", **_raised(raised[1])}
    unreadable = sys.exc_info()[0]
    if unreadable and unreadable.__module__ == "gunicorn.http.errors":
        # said while gunicorn refuses bytes that are not HTTP, and quotes them
        return {**event, "event": "unreadable_request", "exception": unreadable.__name__}
    if record.name not in _PLAIN:
        event["event"] = str(record.msg)
    return event


def _raised(error: BaseException) -> dict[str, Any]:
    """An exception without its message, which may quote what was sent: its type, and where it was."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return {
        "exception": type(error).__name__,
        "at": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _in_order(_: Any, __: str, event: EventDict) -> EventDict:
    return {**{key: event.pop(key) for key in _FIRST}, **event}


def _dump(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=repr).decode()
