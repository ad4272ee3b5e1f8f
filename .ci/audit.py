"""Known vulnerabilities of the locked runtime dependencies, by pip-audit; where nobody can be asked, it says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOCKED = Path(__file__).parent.parent / "requirements" / "runtime.txt"
UNREACHED = ("requests.exceptions.", "urllib3.exceptions.", "ConnectionError", "Could not connect", "ServiceError")


def verdict(printed: str, complained: str) -> tuple[str, int]:
    """What to say of pip-audit's JSON and of its complaint, and the exit status."""
    try:
        packages = json.loads(printed)["dependencies"]
    except ValueError:
        last = (complained.strip().splitlines() or ["pip-audit said nothing"])[-1]
        if any(name in complained for name in UNREACHED):
            return "audit: not checked, the advisory service could not be reached", 0
        return f"audit: failed: {last}", 1
    found = [f"{item['name']} {item['version']}: {bad['id']}" for item in packages for bad in item.get("vulns", ())]
    skipped = [item["name"] for item in packages if "skip_reason" in item]
    lines = [f"audit: {len(packages) - len(skipped)} of {len(packages)} checked, {len(found)} vulnerabilities", *found]
    if skipped:
        lines.append(f"audit: not checked, the advisory service does not answer for: {', '.join(skipped)}")
    return "\n".join(lines), int(bool(found))


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format=json"]
    command += ["--progress-spinner=off", "--timeout=10", f"--requirement={LOCKED}"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
        text, status = verdict(run.stdout, run.stderr)
    except subprocess.TimeoutExpired:
        text, status = "audit: not checked, the advisory service did not answer in time", 0
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main())
