"""Half of what the server can do, for long: `make load-soak MINUTES=30`. Memory each minute, wrong answers counted."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from benchmarks.load import Load, known_answers
from benchmarks.server import Server

FULL_SPEED_SECONDS = 10


def resident(pid: int) -> float:
    """Megabytes that a process holds in memory; 0 when it has gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * resource.getpagesize() / 1024**2


def main() -> int:
    """Measure the most, then send half of it, and print one row a minute."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    known = known_answers(45)
    # No worker is replaced meanwhile: a leak must not be hidden by a fresh process.
    with Server("--max-requests", "0") as server:
        with Load(server.port, known) as counts:
            time.sleep(FULL_SPEED_SECONDS)
        most = counts.right / FULL_SPEED_SECONDS
        print(f"at most {most:.0f} requests a second; now {most / 2:.0f} for {minutes:g} minutes")
        print("minute   sent  right failed  wrong  p50 ms  p99 ms  resident MB of each worker", flush=True)
        began = time.monotonic()
        with Load(server.port, known, rate=most / 2) as counts:
            for minute in range(1, max(1, round(minutes)) + 1):
                time.sleep(max(0.0, began + 60 * min(minute, minutes) - time.monotonic()))
                held = " ".join(f"{resident(pid):.1f}" for pid in server.workers())
                print(
                    f"{minute:6} {counts.sent:6} {counts.right:6} {counts.failed:6} {counts.wrong:6}"
                    f" {counts.quantile(0.5):7.0f} {counts.quantile(0.99):7.0f}  {held}",
                    flush=True,
                )
    return int(bool(counts.wrong or counts.failed))


if __name__ == "__main__":
    sys.exit(main())
