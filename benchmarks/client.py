"""Asking a server as fast as it goes, or at a rate: wrk where it is installed, else threads of this process."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import PATH, Known, Load
from benchmarks.server import HOST

CLIENT = "wrk" if shutil.which("wrk") else "threads in Python"
_SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local bodies, asked, place = {%s}, {}, 0
init = function() for n, body in ipairs(bodies) do asked[n] = wrk.format(nil, nil, nil, body) end end
request = function() place = place %% #asked + 1; return asked[place] end
"""
_PAUSES = "delay = function() return math.floor(-math.log(1 - math.random()) * %f) end\n"


class Measured(NamedTuple):
    """Requests a second, and milliseconds; `busy` is the processor time of the server for one request."""

    rate: float
    p50: float
    p99: float
    busy: float = 0.0


def measure(
    port: int, connections: int, known: Sequence[Known], seconds: float, query: str = "", pause: float = 0.0
) -> Measured:
    """Ask those requests in turn over so many connections.

    Args:
        port: of the server on this machine.
        connections: how many, each with one request at a time.
        known: the requests, with their right answers (compared where the client is Python).
        seconds: for how long, whole seconds with wrk.
        query: of the address.
        pause: milliseconds that a connection waits between two requests, on average, at random (exponential).
    """
    if CLIENT != "wrk":
        return _in_python(port, connections, known, seconds, query, pause)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        bodies = ", ".join(f"[==[{each.body.decode()}]==]" for each in known)
        script.write_text(_SCRIPT % bodies + (_PAUSES % pause if pause else ""), encoding="utf-8")
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{round(seconds)}s",
            "--latency",
            "--timeout",
            "30s",
            "-s",
            str(script),
        ]
        command.append(f"http://{HOST}:{port}{PATH}{query}")
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
    shares = dict(re.findall(r"(50|99)%\s+(\S+)", said))
    if rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return Measured(float(rate[1]), _milliseconds(shares["50"]), _milliseconds(shares["99"]))


def _in_python(
    port: int, connections: int, known: Sequence[Known], seconds: float, query: str, pause: float
) -> Measured:
    began = time.monotonic()
    rate = connections * 1000 / pause if pause else None
    with Load(port, known, connections, rate, PATH + query) as counts:
        time.sleep(seconds)
    if counts.wrong or counts.failed:
        raise RuntimeError(f"{counts.wrong} wrong answers, {counts.failed} failed")
    return Measured(counts.right / (time.monotonic() - began), counts.quantile(0.5), counts.quantile(0.99))


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
