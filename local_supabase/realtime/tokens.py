"""Checks the JWTs of API keys and users, and names what is wrong with one in each of the real server's voices.

TokenRefused
├── Malformed        no JWT at all
├── BadSignature     signed by somebody else
├── FieldsMissing    without `role` or `exp`
└── Expired
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import jwt

_OPTIONS: Any = {
    "verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip


@dataclass(frozen=True)
class Token:
    """A token that was good when it was checked. `expires_at` is in Unix seconds."""

    text: str
    role: str
    claims_json: str
    expires_at: float


class TokenRefused(Exception):
    """`message` is said at the handshake, `join_reason` in a join's reply, `rotation_message` while joined."""

    message = "Unauthorized"
    join_code = "InvalidJWTToken"

    @property
    def join_reason(self) -> str:
        return f"{self.join_code}: {self.message}"

    @property
    def rotation_message(self) -> str:
        return self.message


class Malformed(TokenRefused):
    message = "The token provided is not a valid JWT"
    join_code = "MalformedJWT"


class BadSignature(TokenRefused):
    message = "Failed to validate JWT signature"
    join_code = "JwtSignatureError"

    @property
    def rotation_message(self) -> str:
        return ":signature_error"


class FieldsMissing(TokenRefused):
    message = "Fields `role` and `exp` are required in JWT"


class Expired(TokenRefused):
    message = "Token has expired"

    def __init__(self, seconds_ago: int) -> None:
        super().__init__(seconds_ago)
        self.rotation = f"{self.message} {seconds_ago} seconds ago"

    @property
    def join_reason(self) -> str:
        return f"{self.join_code}: {self.rotation}"

    @property
    def rotation_message(self) -> str:
        return self.rotation


def verify(text: str, secret: str) -> Token:
    """Raises TokenRefused."""
    try:
        claims = jwt.decode(text, secret, algorithms=["HS256"], options=_OPTIONS)
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as refused:
        raise BadSignature from refused
    except jwt.InvalidTokenError as refused:
        raise Malformed from refused
    role, expires_at = claims.get("role"), claims.get("exp")
    if not isinstance(role, str) or not isinstance(expires_at, int | float):
        raise FieldsMissing
    if (late := time.time() - expires_at) >= 0:
        raise Expired(int(late))
    return Token(text, role, json.dumps(claims, sort_keys=True), expires_at)


def is_token(text: object) -> bool:
    """False for what stands for "no token of my own": nothing, null, or one of the new-style API keys."""
    return text is not None and not (isinstance(text, str) and text.startswith("sb_"))
