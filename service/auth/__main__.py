"""`python -m service.auth new-key NAME SCOPE...` makes a key: shown once, known here by its hash."""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
from collections.abc import Sequence

from service.settings import SCOPES, Settings, WrongSetting

PREFIX = "lumbar_"
"""By which a scanner finds a key in a place where it should not be."""


def main(arguments: Sequence[str]) -> int:
    """Print a new key and the line that lets its client in."""
    parser = argparse.ArgumentParser(prog="python -m service.auth", description="API keys of named clients")
    new = parser.add_subparsers(required=True, metavar="new-key").add_parser("new-key", help="make a key for a client")
    new.add_argument("name", help="the client, as logs and metrics will name it")
    new.add_argument("scopes", nargs="+", choices=SCOPES, metavar="scope", help=", ".join(SCOPES))
    asked = parser.parse_args(arguments)
    key = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    line = f"{asked.name}:{digest}:{','.join(dict.fromkeys(asked.scopes))}"
    try:
        Settings.read({"LUMBAR_API_KEYS": line})
    except WrongSetting:
        parser.error("a name is up to 64 letters, digits, '.', '_' and '-', and not 'anonymous'")
    print(f"# the key, shown this once; it goes to the client\n{key}")
    print(f"# the line for LUMBAR_API_KEYS or the file of LUMBAR_API_KEYS_FILE\n{line}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
