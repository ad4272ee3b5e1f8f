"""Text for a card: GitHub Markdown in which no text from elsewhere can become markup, a link or HTML."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

SUMMARY = 139
"""Characters of a summary at most: the specification says fewer than 140."""
QUOTED = 120
"""Characters of a text of the EHR at most."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str) -> str:
    """One line without control characters, as summaries and labels need it."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def escaped(text: str, most: int | None = None) -> str:
    """A text as itself in GitHub Markdown, on one line.

    Every ASCII punctuation mark is escaped, so that neither emphasis, nor a link, an image, an address that is linked
    by itself, a table or a list can begin; `<`, `>` and `&` become entities, for clients that let HTML through.
    """
    line = shortened(plain(text), most) if most else plain(text)
    return "".join(_ENTITIES.get(char, f"\\{char}" if char in string.punctuation else char) for char in line)


def said(text: str) -> str:
    """A text of the rules as itself: only what would be markup is escaped, so that it also reads well unrendered."""
    line = re.sub(r"[\\`*_\[\]|~#&<>]", lambda mark: _ENTITIES.get(mark[0], f"\\{mark[0]}"), plain(text))
    return re.sub(r"^(\d*)([-+.)])(?= )", r"\1\\\2", line)


def shortened(text: str, most: int = SUMMARY) -> str:
    """At most so many characters, cut between words where it can be."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    whole = cut.rsplit(" ", 1)[0]
    return (whole if len(whole) > most // 2 else cut).rstrip(" ,;:-") + "\N{HORIZONTAL ELLIPSIS}"


def link(label: str, url: str | None) -> str:
    """A label, linked where there is an https or http address."""
    if url is None or not re.match(r"https?://", url):
        return said(label)
    address = "".join(char if char.isascii() and char.isprintable() and char not in " <>\\" else "" for char in url)
    return f"[{said(label)}](<{address}>)"


def section(title: str, lines: Iterable[str]) -> str:
    """A heading in bold and a list; nothing without lines. The lines are Markdown already."""
    body = "\n".join(f"- {line}" for line in lines)
    return f"**{said(title)}**\n\n{body}" if body else ""


def paragraphs(parts: Iterable[str]) -> str:
    """The parts that hold something, one below the other."""
    return "\n\n".join(part for part in parts if part)
