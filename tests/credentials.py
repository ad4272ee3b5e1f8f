"""Keys, tokens and settings for the tests of who gets in; signed by `cryptography` alone, not by what is tested."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from service.settings import ApiKey, Settings

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

ISSUER = "https://ehr.example"
AUDIENCE = "https://lumbar.example"
NOW = 1_800_000_000

EC = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
STRANGER = ec.generate_private_key(ec.SECP384R1())


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def jwk(key: Private, kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key as a JWK."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "kid": kid, "n": _number(numbers.n), "e": _number(numbers.e), **more}
    point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
    curve = {"secp384r1": "P-384", "secp256r1": "P-256"}[key.curve.name]
    return {"kty": "EC", "crv": curve, "kid": kid, "x": _number(point.x, size), "y": _number(point.y, size), **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    """A JWKS document."""
    return json.dumps({"keys": keys}).encode()


KEYS = jwks(jwk(EC, "ec"), jwk(RSA, "rsa"))


def claims(now: float = NOW, **changes: Any) -> dict[str, Any]:
    """Claims that let their sender in; a change to None leaves the claim out."""
    whole = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": int(now),
        "nbf": int(now) - 300,
        "exp": int(now) + 240,
        "jti": "one",
        "scope": "assess knowledge openid",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def token(body: Any, key: Private | bytes = EC, **header: Any) -> str:
    """A compact JWS over a body; with bytes as the key it is an HMAC."""
    default = {"kid": "rsa", "alg": "RS384"} if isinstance(key, rsa.RSAPrivateKey) else {"kid": "ec", "alg": "ES384"}
    head = {name: value for name, value in {"typ": "JWT", **default, **header}.items() if value is not None}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = f"{b64(json.dumps(head).encode())}.{b64(text)}"
    return f"{signed}.{b64(signature(signed.encode(), key))}"


def signature(signed: bytes, key: Private | bytes) -> bytes:
    """ES384, RS384 or HS384 over bytes, by the kind of the key."""
    if isinstance(key, bytes):
        return hmac.digest(key, signed, "sha384")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA384())
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA384())))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def api_key(client: str, key: str, *scopes: str) -> ApiKey:
    """The line of a key."""
    return ApiKey(client, hashlib.sha256(key.encode()).hexdigest(), frozenset(scopes))


TOKENS = Settings(issuers={ISSUER: "https://ehr.example/jwks"}, audiences=frozenset({AUDIENCE}))
