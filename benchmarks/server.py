"""A real gunicorn on a free port of the loopback, its workers by pid, and the documented reload."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"


class Server:
    """Started on entry, gone on exit."""

    def __init__(
        self,
        *options: str,
        app: str = "wsgi:app",
        out: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.out = out or Path(self._folder.name) / "printed"
        self._pid_file = Path(self._folder.name) / "pid"
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port: int = free.getsockname()[1]
        self._command = [str(Path(sys.executable).with_name("gunicorn")), "--bind", f"{HOST}:{self.port}"]
        self._command += ["--pid", str(self._pid_file), *options, app]
        self._env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Server:
        out: IO[bytes]
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=out, stderr=out, env=self._env)
        self.wait_until_ready()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the master and what it left; a second master (after a reload) is no child of ours."""
        second = Path(f"{self._pid_file}.2")
        masters = {self.process.pid, self.master, *([int(second.read_text())] if second.exists() else [])}
        for pid in [*masters, *self.workers()]:
            _signal(pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    @property
    def master(self) -> int:
        """The pid of the master that serves now."""
        try:
            return int(self._pid_file.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return self.process.pid

    def workers(self) -> list[int]:
        """The children of the master that are alive."""
        try:
            children = Path(f"/proc/{self.master}/task/{self.master}/children").read_text(encoding="ascii")
        except OSError:
            return []
        return [int(pid) for pid in children.split() if _state(int(pid)) not in ("Z", "")]

    def processor_seconds(self) -> float:
        """What master and workers have used so far, user and system."""
        seen = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii") for pid in (self.master, *self.workers())]
        ticks = sum(int(used) for text in seen for used in text.rpartition(")")[2].split()[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def ports(self, pid: int) -> set[int]:
        """The clients' ports of the connections that a process holds."""
        held = set()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                held.add(str(link.readlink()))
            except OSError:
                continue
        rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        return {int(row[2].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in held}

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Until /readyz is 200; what the server printed is the error otherwise."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://{HOST}:{self.port}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the server does not start" + (f": {self.out.read_text()}" if self.out.is_file() else ""))

    def reload(self) -> None:
        """As documented: a second master loads code and rules anew (USR2); once it is up, the first one leaves."""
        old, second = self.master, Path(f"{self._pid_file}.2")
        os.kill(old, signal.SIGUSR2)
        _wait_for(second.exists)
        os.kill(old, signal.SIGTERM)
        self.process.wait(timeout=30)
        _wait_for(lambda: self.master != old and not second.exists())


def _wait_for(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("waited in vain")
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
