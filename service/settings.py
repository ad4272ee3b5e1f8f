"""Who may ask, from where and how often: environment variables, read once at start into one frozen value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

SCOPES = ("assess", "knowledge", "metrics")
ANONYMOUS = "anonymous"
"""The name of whoever asks an open service."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class WrongSetting(Exception):
    """A setting that cannot be used: the process does not start. The message never holds a key."""


@dataclass(frozen=True)
class ApiKey:
    """A named client, and the SHA-256 of its key; two lines of one name are a key and its successor."""

    client: str
    sha256: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Settings:
    """What the operator chose; the default is open, and is served on loopback only."""

    anonymous: bool = False
    """Open although something other than loopback can ask."""
    api_keys: tuple[ApiKey, ...] = ()
    issuers: Mapping[str, str] = field(default_factory=dict)
    """The `iss` of a token -> its JWKS, an https URL or a file; no key of one issuer speaks for another."""
    audiences: frozenset[str] = frozenset()
    token_scopes: frozenset[str] = frozenset()
    """What a token may do that has no `scope` claim, as the tokens of CDS Hooks have none."""
    token_lifetime: int = 300
    issuer_lifetimes: Mapping[str, int] = field(default_factory=dict)
    """The `iss` of a token -> its own longest lifetime in seconds."""
    public_url: str = ""
    """Where clients reach the service; a token for CDS Hooks must name the exact URL of its endpoint below it."""
    console_url: str = ""
    """The page that cards link to; nothing about a person is added to it."""
    cors_origins: frozenset[str] = frozenset()
    rate_limit: str = ""
    rate_limit_storage: str = field(default="memory://", repr=False)  # may hold a password

    @property
    def closed(self) -> bool:
        """Whether a request needs a credential."""
        return bool(self.api_keys or self.issuers)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """The settings of an environment.

        Raises:
            WrongSetting: a value that cannot be used, or two that contradict each other.
        """

        def words(name: str) -> list[str]:
            return environ.get(f"LUMBAR_{name}", "").split()

        lines = environ.get("LUMBAR_API_KEYS", "").split()
        if file := environ.get("LUMBAR_API_KEYS_FILE", ""):
            lines += _lines(file)
        lifetime, lifetimes = _lifetimes(words("JWT_LIFETIME"))
        settings = cls(
            anonymous=_yes("LUMBAR_ANONYMOUS", environ.get("LUMBAR_ANONYMOUS", "")),
            api_keys=tuple(_api_key(line) for line in lines),
            issuers=_issuers(words("JWT_ISSUERS")),
            audiences=frozenset(words("JWT_AUDIENCES")),
            token_scopes=_scopes("LUMBAR_JWT_SCOPES", words("JWT_SCOPES")),
            token_lifetime=lifetime,
            issuer_lifetimes=lifetimes,
            public_url=_address("LUMBAR_PUBLIC_URL", environ.get("LUMBAR_PUBLIC_URL", "")).rstrip("/"),
            console_url=_address("LUMBAR_CONSOLE_URL", environ.get("LUMBAR_CONSOLE_URL", "")),
            cors_origins=frozenset(_origin(word) for word in words("CORS_ORIGINS")),
            rate_limit=environ.get("LUMBAR_RATE_LIMIT", "").strip(),
            rate_limit_storage=environ.get("LUMBAR_RATE_LIMIT_STORAGE") or "memory://",
        )
        if settings.anonymous and settings.closed:
            raise WrongSetting("LUMBAR_ANONYMOUS=yes lets everyone in, and API keys or issuers are set too: choose one")
        if settings.issuers and not settings.audiences:
            raise WrongSetting(
                "LUMBAR_JWT_ISSUERS needs LUMBAR_JWT_AUDIENCES, the `aud` that tokens for this service hold"
            )
        if not settings.issuer_lifetimes.keys() <= settings.issuers.keys():
            raise WrongSetting("LUMBAR_JWT_LIFETIME names an issuer that LUMBAR_JWT_ISSUERS does not")
        return settings


def _yes(name: str, value: str) -> bool:
    if value not in ("", "no", "yes"):
        raise WrongSetting(f"{name} is yes or no")
    return value == "yes"


def _seconds(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= 86_400:
        raise WrongSetting(f"{name} is a number of seconds from 1 to 86400")
    return int(value)


def _lifetimes(words: Iterable[str]) -> tuple[int, dict[str, int]]:
    """Seconds for every issuer, and `issuer=seconds` for single ones."""
    default, own = 300, {}
    for word in words:
        issuer, equals, seconds = word.rpartition("=")
        if equals:
            own[issuer] = _seconds("LUMBAR_JWT_LIFETIME", seconds)
        else:
            default = _seconds("LUMBAR_JWT_LIFETIME", word)
    return default, own


def _address(name: str, word: str) -> str:
    """An https URL without user, query and fragment, or nothing."""
    if not word:
        return ""
    try:
        parts = urlsplit(word)
        wrong = parts.scheme != "https" or not parts.hostname or parts.port == 0 or "@" in parts.netloc
    except ValueError:
        wrong = True
    if wrong or not re.fullmatch(r"[!-~]+", word) or {*word} & {"?", "#", "<", ">", '"', "\\"}:
        raise WrongSetting(f"{name} is an https URL without user, query and fragment")
    return word


def _lines(file: str) -> list[str]:
    """The entries of a key file: blank lines and comments left out."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(f"LUMBAR_API_KEYS_FILE cannot be read: {type(error).__name__}") from error
    return [entry for line in text.splitlines() for entry in line.partition("#")[0].split()]


def _api_key(line: str) -> ApiKey:
    """`name:sha256:scope,scope`, as `python -m service.auth new-key` prints it."""
    name, _, rest = line.partition(":")
    digest, _, scopes = rest.partition(":")
    if not _NAME.fullmatch(name) or name == ANONYMOUS or not _SHA256.fullmatch(digest):
        raise WrongSetting(
            "an API key is written name:sha256:scope,scope; make one with python -m service.auth new-key"
        )
    granted = _scopes(f"the API key of {name}", scopes.split(","))
    return ApiKey(name, digest, granted)


def _scopes(where: str, words: Iterable[str]) -> frozenset[str]:
    found = frozenset(words)
    if not found <= {*SCOPES}:
        raise WrongSetting(f"{where} has a scope that is not one of {', '.join(SCOPES)}")
    return found


def _issuers(words: Iterable[str]) -> dict[str, str]:
    """`issuer=JWKS`; the issuer holds no equals sign."""
    issuers: dict[str, str] = {}
    for word in words:
        issuer, _, source = word.partition("=")
        if not issuer or not source or issuer in issuers:
            raise WrongSetting("LUMBAR_JWT_ISSUERS holds issuer=JWKS, each issuer once")
        if "://" in source:
            _url(source)
        issuers[issuer] = source
    return issuers


def _url(source: str) -> None:
    try:
        parts = urlsplit(source)
        wrong = parts.scheme != "https" or not parts.hostname or parts.port == 0 or "@" in parts.netloc
    except ValueError:
        wrong = True
    if wrong or not source.isascii() or "#" in source:
        raise WrongSetting("a JWKS is a file, or an https URL without user and fragment")


def _origin(word: str) -> str:
    """An origin as a browser sends it: nothing to match, nothing to normalise."""
    if not re.fullmatch(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?", word):
        raise WrongSetting("LUMBAR_CORS_ORIGINS holds exact origins (https://ehr.example), no path and no star")
    return word
