"""The service: a request in, an explained assessment out. `create_app` is the only door."""

from __future__ import annotations

from service.app import create_app

__all__ = ["create_app"]
