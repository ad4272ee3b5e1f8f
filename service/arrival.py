"""Whether all of a request has arrived, read from its bytes alone: how the head ends, and how the body is framed.

This only decides when a thread may have the request; the server's own parser reads it afterwards, from the start.
"""

from __future__ import annotations

import re

from service.body import LARGE

MAX_CHUNKS = 4096
"""Pieces of one body; reading each costs the same, however short it is."""

MAX_HEAD = 32 * 1024
"""Bytes of a request line and its headers; a token of 8 KB fits several times."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\Z")
_MAX_SIZE_LINE = 256


class Unacceptable(Exception):
    """A request that no route could take; it is answered with the status before all of it has come."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Arrival:
    """The bytes of one request as they come; each byte is looked at once, however slowly they drip."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.expects = False
        """The head is here and the client waits to be told to send the body."""
        self._body: int | None = None  # where the body begins, once the head is whole
        self._length = 0  # of the body as announced, or of its chunks so far
        self._chunked = False
        self._count = 0
        self._seen = 0  # up to here the head was searched, or the chunks were read

    def feed(self, data: bytes) -> bool:
        """Add what came; True once the request is whole.

        Raises:
            Unacceptable: 431 a head too long, 413 a body too long, 400 chunks that cannot be read.
        """
        self.data += data
        if self._body is None and not self._head():
            return False
        if self._chunked:
            return self._chunks()
        return len(self.data) >= (self._body or 0) + self._length

    def _head(self) -> bool:
        while self.data.startswith(b"\r\n"):  # empty lines before a request are no head (RFC 9112, 2.2)
            del self.data[:2]
        end = self.data.find(b"\r\n\r\n", min(max(0, self._seen - 3), len(self.data)))
        self._seen = len(self.data)
        if end > MAX_HEAD or (end < 0 and len(self.data) > MAX_HEAD):
            raise Unacceptable(431)
        if end < 0:
            return False
        self._body = self._seen = end + 4
        head = bytes(self.data[: end + 2])
        self._chunked = _CHUNKED.search(head) is not None
        length = _LENGTH.search(head)
        self._length = int(length[1]) if length and not self._chunked else 0
        self.expects = _EXPECT.search(head) is not None
        if self._length > LARGE:
            raise Unacceptable(413)
        return True

    def _chunks(self) -> bool:
        """Step from chunk to chunk; the last has size 0 and may be followed by trailers and an empty line."""
        while True:
            end = self.data.find(b"\r\n", self._seen, self._seen + _MAX_SIZE_LINE)
            if end < 0:
                if len(self.data) >= self._seen + _MAX_SIZE_LINE:
                    raise Unacceptable(400)
                return False
            line = _SIZE.match(bytes(self.data[self._seen : end]))
            if line is None or self._count > MAX_CHUNKS:
                raise Unacceptable(400)
            size = int(line[1], 16)
            if size == 0:
                if (last := self.data.find(b"\r\n\r\n", end)) < 0 and len(self.data) > end + MAX_HEAD:
                    raise Unacceptable(431)
                return last >= 0
            if self._length + size > LARGE:
                raise Unacceptable(413)
            after = end + 2 + size
            if len(self.data) < after + 2:
                return False
            if self.data[after : after + 2] != b"\r\n":
                raise Unacceptable(400)
            self._seen, self._length, self._count = after + 2, self._length + size, self._count + 1
