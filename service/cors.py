"""Which pages of a browser may ask (CORS): none, or those of exactly the origins that were listed.

Kept by hand: three headers and a comparison of whole strings. The libraries for it match by pattern.
"""

from __future__ import annotations

from flask import Flask, Response, request

from service.settings import Settings

_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "Retry-After, WWW-Authenticate"


def register(app: Flask, settings: Settings) -> None:
    """Answer preflights, which carry no credential, and mark what a listed origin may read."""
    if not settings.cors_origins:
        return

    @app.before_request
    def preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        answer = Response(status=204)
        del answer.headers["Content-Type"]
        if request.headers.get("Origin") in settings.cors_origins:
            answer.headers.update(_ALLOWED)
        return answer

    @app.after_request
    def mark(answer: Response) -> Response:
        answer.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in settings.cors_origins:
            # Never a star, never Allow-Credentials: a credential is a header that the page itself must know.
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return answer
