"""The cookie that keeps a browser signed in: it names who signed in and until when, and is signed; it holds no token.

Any server of the project can read it, since the key comes from the service key that all of them have.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import jwt

COOKIE = "semo_sign_in"
_AUDIENCE = "semo:dashboard"


class Signing:
    def __init__(self, service_role_key: str, lasts: timedelta) -> None:
        self._key = hmac.digest(service_role_key.encode(), _AUDIENCE.encode(), hashlib.sha256)
        self.lasts = lasts

    def sign(self, person: str) -> str:
        until = datetime.now(UTC) + self.lasts
        return jwt.encode({"sub": person, "aud": _AUDIENCE, "exp": until}, self._key, algorithm="HS256")

    def person(self, cookie: str | None) -> str | None:
        """Who signed in; None when the cookie is missing, too old or not ours."""
        if not cookie:
            return None
        try:
            said = jwt.decode(
                cookie, self._key, algorithms=["HS256"], audience=_AUDIENCE, options={"require": ["exp", "sub"]}
            )
        except jwt.InvalidTokenError:
            return None
        return str(said["sub"])
