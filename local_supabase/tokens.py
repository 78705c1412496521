"""Reads the JWTs of this project: who is asking, as which database role. Does not make sessions (see `auth`)."""

import json
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import jwt

_REMEMBERED = 1000


class TokenError(Exception):
    """The token cannot be trusted."""


class TokenExpired(TokenError):
    """It was good once."""


@dataclass(frozen=True)
class Caller:
    """Who a verified token names."""

    role: str
    claims: dict[str, Any]
    claims_json: str


class TokenVerifier:
    """Verifies HS256 tokens, remembering the last ones: the same few come with every request."""

    def __init__(self, jwt_secret: str) -> None:
        self._secret = jwt_secret
        self._known: OrderedDict[str, Caller] = OrderedDict()

    def verify(self, token: str) -> Caller:
        """
        Raises:
            TokenExpired, TokenError: in words that hold nothing of the token.
        """
        caller = self._known.get(token)
        if caller is None:
            caller = self._decode(token)
            self._known[token] = caller
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        elif caller.claims.get("exp", time.time() + 1) <= time.time():
            raise TokenExpired("JWT expired")
        return caller

    def _decode(self, token: str) -> Caller:
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options={"verify_aud": False})
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired("JWT expired") from error
        except jwt.DecodeError as error:
            raise TokenError("No suitable key or wrong key type") from error
        except jwt.PyJWTError as error:
            raise TokenError(str(error)) from error
        return Caller(str(claims.get("role", "anon")), claims, json.dumps(claims, separators=(",", ":")))
