"""How telemetry lives under gunicorn: its logger, its own error page, and one file of numbers for each worker."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

import gunicorn.util
from gunicorn import glogging

from service import logs, metrics, problems

_MEMORY = Path("/dev/shm")


class Logger(glogging.Logger):
    """gunicorn's own log as lines of JSON on stdout. There is no access log: it would hold paths and queries."""

    def setup(self, cfg: Any) -> None:
        """Also runs when the configuration is read again."""
        super().setup(cfg)
        logs.configure()
        to_files: list[logging.Handler] = [
            handler for handler in self.error_log.handlers if isinstance(handler, logging.FileHandler)
        ]
        for handler in to_files:
            handler.setFormatter(logs.formatter())
        self.error_log.handlers[:] = to_files or [logs.Stdout()]

    def access(self, *_: Any) -> None:
        """Nothing, whatever the settings say."""


def begin() -> None:
    """In the master, before the application is loaded: a private directory for the numbers, gone with the master."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else None  # in memory where there is some: nothing on a disk
    master = os.getpid()
    directory = tempfile.mkdtemp(prefix=f"lumbar-metrics-{master}-", dir=parent)

    def clean() -> None:
        if os.getpid() == master:  # workers inherit this
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(clean)
    metrics.share(directory)
    gunicorn.util.write_error = refuse


def free_place(server: Any) -> str:
    """The lowest number that no living worker has."""
    taken = {worker.place for worker in server.WORKERS.values()}
    return next(name for number in range(len(taken) + 1) if (name := f"worker{number}") not in taken)


def refuse(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:  # noqa: ARG001
    """gunicorn's answer to what is not HTTP, as a problem document that repeats nothing of it."""
    body, kind = problems.rendered("", status_int, "not a request that can be read")
    head = f"HTTP/1.1 {status_int} {reason}\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    gunicorn.util.write_nonblock(sock, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
