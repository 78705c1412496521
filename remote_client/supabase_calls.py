"""Carries calls to Supabase over one HTTP connection pool, signed in as this machine's own user.

Signing in is the business of `tokens`; what the calls mean is in `office_link`.
"""

from typing import Any

import aiohttp
import httpx
import orjson
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth import AsyncMemoryStorage

from remote_client.credentials import Credentials
from remote_client.roads import Roads
from remote_client.tokens import Tokens
from shared.errors import BY_SQLSTATE, BackendDown, OfficeError, Refused, Unauthenticated
from shared.tls import tls_for

_STALE_TOKEN = frozenset({"PGRST301", "PGRST302", "PGRST303"})
_PASSING = frozenset(
    {"PGRST000", "PGRST001", "PGRST002", "PGRST003", "57P01", "57P03", "57014", "40001", "40P01", "55P03"}
)
"""Answers that pass by themselves: no database yet, shutting down, a time-out, a deadlock."""


class SupabaseCalls:
    """Each call goes with the token of the moment, and once more with a new one when that is not taken."""

    def __init__(
        self,
        client: AsyncClient,
        http: httpx.AsyncClient,
        roads: Roads,
        timeout_seconds: float,
        credentials: Credentials,
    ) -> None:
        self.tokens = Tokens(client, credentials)
        self._http = http
        self._roads = roads
        self._timeout_seconds = timeout_seconds
        self._rest = f"{credentials.supabase_url.rstrip('/')}/rest/v1/rpc/"
        self._headers = {"apikey": credentials.publishable_key, "Content-Type": "application/json"}

    @classmethod
    async def connect(cls, credentials: Credentials, timeout_seconds: float) -> "SupabaseCalls":
        """Makes the client. Touches the network only with the first call."""
        roads = Roads(tls_for(credentials.supabase_url))
        http = httpx.AsyncClient(timeout=timeout_seconds, transport=roads)
        options = AsyncClientOptions(storage=AsyncMemoryStorage(), httpx_client=http, auto_refresh_token=False)
        client = await acreate_client(credentials.supabase_url, credentials.publishable_key, options)
        return cls(client, http, roads, timeout_seconds, credentials)

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        try:
            return await self._rpc(function, arguments, await self.tokens.access_token())
        except Unauthenticated:
            token = await self.tokens.access_token(renew=True)
        try:
            return await self._rpc(function, arguments, token)
        except Unauthenticated as error:
            raise BackendDown(f"{function}: Supabase refuses the token that it gave: {error.detail}") from error

    async def _rpc(self, function: str, arguments: dict[str, Any], token: str) -> Any:
        # Plain PostgREST, and not by httpx: on the way from a hint to the first typed byte, both would be a fifth each.
        headers = self._headers | {"Authorization": f"Bearer {token}"}
        try:
            status, answer = await self._roads.post(
                self._rest + function, orjson.dumps(arguments), headers, self._timeout_seconds
            )
        except (aiohttp.ClientError, OSError) as error:
            raise BackendDown(f"{function}: Supabase does not answer ({type(error).__name__})") from error
        if status >= 400:
            raise _as_ours(function, status, answer)
        try:
            return orjson.loads(answer) if answer else None
        except orjson.JSONDecodeError as error:
            raise BackendDown(f"{function}: the answer makes no sense ({error})") from error

    async def close(self) -> None:
        """Signs out, if Supabase listens, and lets go of all connections."""
        try:
            await self.tokens.sign_out()
        finally:
            await self._http.aclose()


def _as_ours(function: str, status: int, answer: bytes) -> OfficeError:
    try:
        said = orjson.loads(answer)
        code, message, hint = str(said.get("code") or ""), said.get("message"), said.get("hint")
    except (orjson.JSONDecodeError, AttributeError):
        code, message, hint = "", None, None
    detail = str(message or f"{function}: HTTP {status}")
    if code in _STALE_TOKEN or (status == 401 and code not in BY_SQLSTATE):
        return Unauthenticated(detail)
    if code in BY_SQLSTATE:
        return BY_SQLSTATE[code](detail, advice=hint)
    if status in (429, 502, 503, 504) or code in _PASSING or code.startswith(("08", "53")) or not code:
        return BackendDown(f"{function}: {detail}")
    return Refused(f"{function}: {detail} ({code})", advice=hint)
