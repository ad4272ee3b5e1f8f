"""A gunicorn thread worker in which no slow client holds a thread, and no stuck request passes unseen.

gunicorn's gthread reads head and body in a pool thread without a deadline, so that a few slow clients stop it. Here the
event loop collects each request (service/arrival.py) and a thread gets it once it is whole; what is late is answered
408. A thread that works longer than any assessment can makes the worker finish its other requests and leave.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from service import logs, problems, trace
from service.arrival import Arrival, Unacceptable

ARRIVE_SECONDS = 10.0
"""From the first look at a connection until all of a request is here."""
SEND_SECONDS = 10.0
"""For one answer to be taken by its client."""
WORK_SECONDS = 20.0
"""An assessment takes milliseconds; a thread that is busy this long will not come back."""
LINGER_SECONDS = 2.0
"""How long a refused client may go on sending before the connection is cut."""
MAX_HELD = 64 * 1024 * 1024
"""Bytes of unfinished requests in one worker."""
_PIECE = 64 * 1024
_READ = 8 * 1024


class Collected(Unreader):
    """What the parser reads instead of the socket: it can wait for nobody, and ends where the bytes end."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data, self._at = data, 0

    def chunk(self, size_hint: int | None = None) -> bytes:  # noqa: ARG002
        """A small piece whatever is asked: the parser copies all it holds for every chunk of a body."""
        piece = self._data[self._at : self._at + _READ]
        self._at += len(piece)
        return piece

    def take_buffered(self) -> bytes:
        """What follows the request that was read."""
        rest = bytes(super().take_buffered()) + self._data[self._at :]
        self._at = len(self._data)
        return rest


class Worker(ThreadWorker):
    """gthread behind a reader of whole requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: dict[TConn, tuple[Arrival, float]] = {}  # with its deadline; the oldest first
        self._leaving: deque[tuple[TConn, float]] = deque()
        self._working: dict[TConn, float] = {}
        self._stuck = False

    # Every road into the pool leads through here: a new connection, a kept one, a pipelined request.
    def enqueue_req(self, conn: TConn, early: bytes = b"") -> None:
        conn.init()
        arrival = Arrival()
        self._arriving[conn] = arrival, time.monotonic() + ARRIVE_SECONDS
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, EVENT_READ, partial(self._collect, conn))
        if early:
            self._take(conn, early)
        else:
            self._collect(conn)

    def _collect(self, conn: TConn, _: object = None) -> None:
        try:
            data = conn.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            self._forget(conn)
            self._close(conn)
            return
        self._take(conn, data)

    def _take(self, conn: TConn, data: bytes) -> None:
        arrival = self._arriving[conn][0]
        waited = arrival.expects
        try:
            whole = arrival.feed(data)
            if sum(len(each.data) for each, _ in self._arriving.values()) > MAX_HELD:
                raise Unacceptable(503)
        except Unacceptable as reason:
            self._refuse(conn, reason.status)
            return
        if whole or not data:  # or the client will send no more: the parser says what is missing
            self._forget(conn)
            conn.parser.unreader = Collected(bytes(arrival.data))  # type: ignore[union-attr]
            conn.data_ready = True
            super().enqueue_req(conn)
        elif arrival.expects and not waited:
            self._send(conn, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _forget(self, conn: TConn) -> None:
        self._arriving.pop(conn)
        self.poller.unregister(conn.sock)

    def _refuse(self, conn: TConn, status: int) -> None:
        head = bytes(self._arriving[conn][0].data[:_PIECE])
        self._forget(conn)
        request_id = trace.request_id(None)  # the client's own may stand in what has not arrived
        logs.log.info("refused", request_id=request_id, status=status)
        self._send(conn, _problem(status, head, request_id))
        self._linger(conn)

    @staticmethod
    def _send(conn: TConn, data: bytes) -> None:
        with suppress(OSError):  # the client is gone, which the next read finds
            conn.sock.send(data)  # a few hundred bytes into an empty buffer

    def _linger(self, conn: TConn) -> None:
        """Say that no more comes, and swallow what still arrives: closing at once would cut off the answer."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._swallow, conn))
        except OSError:
            self._close(conn)
            return
        self._leaving.append((conn, time.monotonic() + LINGER_SECONDS))

    def _swallow(self, conn: TConn, _: object = None) -> None:
        try:
            if conn.sock.recv(_PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """As in gthread, but without blocking the loop on a client that does not hang up."""
        self._working.pop(conn, None)
        if fs.cancelled() or fs.exception() or not fs.result():
            self._linger(conn)
        elif early := conn.parser.unreader.take_buffered():  # type: ignore[union-attr]
            self.enqueue_req(conn, early)
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Called in every turn of the loop, at least once a second: who is late."""
        now = time.monotonic()
        while self._arriving:
            conn, (arrival, deadline) = next(iter(self._arriving.items()))
            if deadline > now:
                break
            if arrival.data:
                self._refuse(conn, 408)
            else:  # opened and never used: nobody waits for an answer
                self._forget(conn)
                self._close(conn)
        while self._leaving and self._leaving[0][1] <= now:
            conn, _ = self._leaving.popleft()
            if conn.sock.fileno() >= 0:
                self.poller.unregister(conn.sock)
                self._close(conn)
        if not self._stuck and any(now - since > WORK_SECONDS for since in list(self._working.values())):
            self.log.critical("a request is stuck; worker %s finishes the others and leaves", self.pid)
            self._stuck, self.alive = True, False

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """In a pool thread; the body is here, so a wait can only be for a client that does not take its answer."""
        self._working[conn] = time.monotonic()
        conn.sock.settimeout(SEND_SECONDS)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            return False

    def run(self) -> None:
        super().run()
        if self._stuck:
            os._exit(1)  # a plain exit would wait for the thread that never ends


def _problem(status: int, head: bytes, request_id: str) -> bytes:
    """An answer in the shape of the path, as far as the beginning of the request tells it."""
    detail = {
        400: "the chunks of the body cannot be read, or are too many",
        408: f"the request did not arrive within {ARRIVE_SECONDS:g} seconds",
        413: "the body is larger than any route reads",
        431: "the head of the request is too long",
        503: "too many unfinished requests; try again",
    }[status]
    target = head.lstrip(b"\r\n").split(b" ", 2)[1:2] or [b""]
    path = target[0].partition(b"?")[0].decode("latin-1")
    body, kind = problems.rendered(path, status, detail)
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\nConnection: close\r\n\r\n"
    ).encode() + body
