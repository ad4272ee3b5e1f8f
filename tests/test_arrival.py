"""When a request is whole: whatever the pieces in which it comes, and never before its end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arrival import MAX_HEAD, Arrival, Unacceptable
from service.body import LARGE

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"transfer-encoding:chunked\r\n\r\n"
WHOLE = [
    GET,
    b"\r\n\r\n" + GET,
    POST + b"CONTENT-LENGTH:  4 \r\n\r\n{\r\n}",
    POST + b"Content-Length: 0\r\n\r\n",
    CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"7;x=y\r\n{\r\n\r\n0}\r\n00\r\nTrailer: z\r\n\r\n",
    CHUNKED + b"A \r\n0123456789\r\n0\r\n\r\n",
    POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
]


@given(st.sampled_from(WHOLE), st.lists(st.integers(0, 120), max_size=6))
def test_a_request_is_whole_at_its_last_byte_whatever_the_pieces(request: bytes, cuts: list[int]) -> None:
    places = [0, *sorted({min(cut, len(request) - 1) for cut in cuts}), len(request)]
    arrival = Arrival()
    found = [arrival.feed(request[low:high]) for low, high in itertools.pairwise(places)]
    assert found == [False] * (len(found) - 1) + [True]
    assert bytes(arrival.data) == request.lstrip(b"\r\n")


@pytest.mark.parametrize("request_", WHOLE)
def test_what_follows_is_kept_for_the_next_one(request_: bytes) -> None:
    arrival = Arrival()
    assert arrival.feed(request_ + GET[:9])
    assert bytes(arrival.data).endswith(GET[:9])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"G" * (MAX_HEAD + 1), 431),
        (GET[:-2] + b"X: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
        (CHUNKED + b"0\r\n" + b"x" * (MAX_HEAD + 1), 431),
        (POST + b"Content-Length: %d\r\n\r\n" % (LARGE + 1), 413),
        (CHUNKED + b"%x\r\n" % (LARGE + 1), 413),
        (CHUNKED + b"1\r\n1\r\n" * 4_098, 400),
        (CHUNKED + (b"%x\r\n" % 0x10000 + b"x" * 0x10000 + b"\r\n") * 33, 413),
        (CHUNKED + b"-1\r\n", 400),
        (CHUNKED + b"\r\n", 400),
        (CHUNKED + b"1" * 300, 400),
        (CHUNKED + b"1\r\nxx\r\n", 400),
    ],
)
def test_what_no_route_takes_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(Unacceptable) as refused:
        Arrival().feed(data)
    assert refused.value.status == status


def test_a_body_of_just_the_limit_is_taken() -> None:
    assert Arrival().feed(POST + b"Content-Length: %d\r\n\r\n" % LARGE + b" " * LARGE)
    assert Arrival().feed(CHUNKED + b"%x\r\n" % LARGE + b" " * LARGE + b"\r\n0\r\n\r\n")
