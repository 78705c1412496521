"""Tells who a person is from the token that Supabase Auth gave them. What they may do is not in it.

Symmetric tokens (HS256) are checked with the project's secret; signed ones (ES256, RS256) with its public keys, which
are fetched when first needed, kept, and fetched again when they are old or a token names one that is not there.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import jwt
import structlog

from shared.errors import BackendDown, Unauthenticated

_FRESH_SECONDS = 600.0
_PAUSE_SECONDS = 5.0
"""Between two fetches, whatever tokens name: nobody makes this server ask without end."""
_LEEWAY_SECONDS = 10
_SIGNED = {"ES256": "EC", "RS256": "RSA"}
_SIGN_IN = "sign in to Supabase Auth of this project, and send the access token that it gives"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Person:
    id: UUID
    expires_at: datetime


class PublicKeys:
    """The keys of the project by their id. An outage is borne as long as the key that is needed is known."""

    def __init__(self, http: httpx.AsyncClient, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._answered = False
        self._fetching = asyncio.Lock()

    async def get(self, key_id: str) -> jwt.PyJWK | None:
        """None: the project has no such key.

        Raises:
            BackendDown: they cannot be had, and this one is not known from before.
        """
        if not self._has_fresh(key_id):
            async with self._fetching:
                # Others may have fetched it meanwhile.
                if not self._has_fresh(key_id) and self._clock() - self._tried_at > _PAUSE_SECONDS:
                    await self._fetch()
        if key_id not in self._keys and not self._answered:
            raise BackendDown("The keys of Supabase Auth cannot be had, so no sign-in can be checked.")
        return self._keys.get(key_id)

    def _has_fresh(self, key_id: str) -> bool:
        return key_id in self._keys and self._clock() - self._fetched_at < _FRESH_SECONDS

    async def _fetch(self) -> None:
        try:
            answer = await self._http.get(self._url)
            answer.raise_for_status()
            found = [jwt.PyJWK.from_dict(key) for key in answer.json()["keys"] if key.get("kty") in _SIGNED.values()]
        except (httpx.HTTPError, jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            _log.warning("public_keys_not_fetched", error=type(error).__name__, known=len(self._keys))
            self._answered = False
        else:
            self._keys = {key.key_id: key for key in found if key.key_id is not None}
            self._fetched_at = self._clock()
            self._answered = True
        self._tried_at = self._clock()


class UserTokens:
    def __init__(self, keys: PublicKeys, secret: str | None, issuer: str, audience: str) -> None:
        self._keys = keys
        self._secret = secret
        self._issuer = issuer
        self._audience = audience

    async def person(self, token: str) -> Person:
        """
        Raises:
            Unauthenticated: why it counts for nothing; never holds any of it.
            BackendDown: it cannot be checked now.
        """
        try:
            header: dict[str, Any] = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthenticated("This token is not valid.", advice=_SIGN_IN) from None
        algorithm = str(header.get("alg"))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                await self._key(algorithm, header.get("kid")),
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
            return Person(UUID(claims["sub"]), datetime.fromtimestamp(claims["exp"], UTC))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("This sign-in has expired.", advice="sign in again, or refresh the session") from None
        except jwt.InvalidAudienceError:
            raise Unauthenticated("This token is for another audience.", advice=_SIGN_IN) from None
        except jwt.InvalidIssuerError:
            raise Unauthenticated("This token is of another project.", advice=_SIGN_IN) from None
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(f'This token is nobody\'s: it names no "{error.claim}".', advice=_SIGN_IN) from None
        except (jwt.PyJWTError, ValueError, OverflowError):
            raise Unauthenticated("This token was not signed by this project.", advice=_SIGN_IN) from None

    async def _key(self, algorithm: str, key_id: object) -> Any:
        if algorithm == "HS256":
            if self._secret is None:
                raise Unauthenticated(
                    "This server checks no tokens that are signed with a shared secret.",
                    advice="have an admin set SUPABASE_JWT_SECRET, or use a token of the office",
                )
            return self._secret
        if algorithm not in _SIGNED or not isinstance(key_id, str):
            raise Unauthenticated("This token is signed in a way that is not taken.", advice=_SIGN_IN)
        key = await self._keys.get(key_id)
        if key is None or key.key_type != _SIGNED[algorithm]:
            raise Unauthenticated("This token is signed with a key that this project does not have.", advice=_SIGN_IN)
        return key
