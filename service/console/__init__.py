"""GET /: the clinician console. One page with its files; it knows only what /v1 tells it, and keeps nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import jinja2
from flask import Flask, Response
from werkzeug.exceptions import NotFound

HERE = Path(__file__).parent
LANGUAGE = "en"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Scripts, styles and requests of this origin only; nothing inline, and no text is ever read as HTML."""
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_KINDS = {".svg": "image/svg+xml", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}


def files() -> Mapping[str, Path]:
    """The name under /console/ -> the file, for everything that the page loads."""
    found = (file for folder in (HERE, HERE / "text") for file in sorted(folder.iterdir()))
    return {file.name: file for file in found if file.suffix in _KINDS}


def register(app: Flask) -> None:
    """Hang the page and its files, read once."""
    sent = {name: (file.read_bytes(), f"{_KINDS[file.suffix]}; charset=utf-8") for name, file in files().items()}
    html = page()

    @app.get("/")
    def console() -> Response:
        return Response(html, content_type="text/html; charset=utf-8", headers=HEADERS)

    @app.get("/console/<file>")
    def console_file(file: str) -> Response:
        if file not in sent:
            raise NotFound(f"the console has no such file; it has {', '.join(sent)}")
        content, kind = sent[file]
        return Response(content, content_type=kind, headers=HEADERS)


def page() -> str:
    """The page, with the texts of its language."""
    texts = json.loads((HERE / "text" / f"{LANGUAGE}.json").read_text(encoding="utf-8"))
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html").render(t=texts, language=LANGUAGE)
