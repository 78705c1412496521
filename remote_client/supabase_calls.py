"""Carries calls to Supabase over one HTTP connection pool, signed in as this machine's own user.

The official client signs in and keeps the token fresh. The only module that speaks HTTP to Supabase; what the calls
mean is in `office_link`.
"""

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import structlog
from httpx_aiohttp import AiohttpTransport
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth import AsyncMemoryStorage
from supabase_auth.errors import AuthError, AuthRetryableError
from supabase_auth.types import AuthChangeEvent, Session

from remote_client.commands import lease_clock
from remote_client.credentials import Credentials
from shared.errors import BY_SQLSTATE, BackendDown, OfficeError, Refused, Unauthenticated

log = structlog.get_logger(__name__)

_STALE_TOKEN = frozenset({"PGRST301", "PGRST302", "PGRST303"})
_PASSING = frozenset(
    {"PGRST000", "PGRST001", "PGRST002", "PGRST003", "57P01", "57P03", "57014", "40001", "40P01", "55P03"}
)
"""Answers that pass by themselves: no database yet, shutting down, a time-out, a deadlock."""


class SupabaseCalls:
    """Signs in when first used and whenever its token is no longer taken."""

    def __init__(self, client: AsyncClient, http: httpx.AsyncClient, credentials: Credentials) -> None:
        self._client = client
        self._http = http
        self._credentials = credentials
        self._session: Session | None = None
        self._valid_until = 0.0
        self._listeners: list[Callable[[str], None]] = []
        self._rest = f"{credentials.supabase_url.rstrip('/')}/rest/v1/rpc/"
        self._headers = {"apikey": credentials.publishable_key, "Content-Type": "application/json"}
        client.auth.on_auth_state_change(self._on_auth)

    @classmethod
    async def connect(cls, credentials: Credentials, timeout_seconds: float) -> "SupabaseCalls":
        """Makes the client. Touches the network only with the first call."""
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=8, keepalive_expiry=60)
        # Half the time of httpx's own transport for each call.
        http = httpx.AsyncClient(timeout=timeout_seconds, transport=AiohttpTransport(limits=limits))
        options = AsyncClientOptions(storage=AsyncMemoryStorage(), httpx_client=http)
        client = await acreate_client(credentials.supabase_url, credentials.publishable_key, options)
        return cls(client, http, credentials)

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        try:
            return await self._rpc(function, arguments)
        except Unauthenticated:
            await self.sign_in()
        try:
            return await self._rpc(function, arguments)
        except Unauthenticated as error:
            raise BackendDown(f"{function}: Supabase refuses the token that it gave: {error.detail}") from error

    async def _rpc(self, function: str, arguments: dict[str, Any]) -> Any:
        # Plain PostgREST: on the way from a hint to the first typed byte, the official builder is a fifth of the time.
        headers = self._headers | {"Authorization": f"Bearer {await self.access_token()}"}
        try:
            answer = await self._http.post(self._rest + function, content=orjson.dumps(arguments), headers=headers)
        except httpx.HTTPError as error:
            raise BackendDown(f"{function}: Supabase does not answer ({type(error).__name__})") from error
        if answer.status_code >= 400:
            raise _as_ours(function, answer)
        return orjson.loads(answer.content) if answer.content else None

    async def sign_in(self) -> str:
        """Returns a fresh access token.

        Raises:
            Unauthenticated: the user of this machine is gone or its password is no longer taken.
            BackendDown: no answer.
        """
        try:
            answer = await self._client.auth.sign_in_with_password(
                {"email": self._credentials.email, "password": self._credentials.password.get_secret_value()}
            )
        except (AuthRetryableError, httpx.HTTPError) as error:
            raise BackendDown(f"signing in: Supabase does not answer ({type(error).__name__})") from error
        except AuthError as error:
            raise Unauthenticated(
                f"Supabase does not let this machine in: {error.message}",
                advice="the client may have been revoked; ask for a new code: semo client join CODE",
            ) from error
        if answer.session is None:
            raise Unauthenticated("Supabase answered the sign-in without a session")
        return answer.session.access_token

    async def access_token(self, renew: bool = False) -> str:
        """The present access token; signs in when there is none, when it has expired, and to `renew` it."""
        if self._session is None or renew or lease_clock() >= self._valid_until:
            return await self.sign_in()
        return self._session.access_token

    def on_token(self, listener: Callable[[str], None]) -> None:
        """`listener` is called with every new access token."""
        self._listeners.append(listener)

    def _on_auth(self, _event: AuthChangeEvent, session: Session | None) -> None:
        self._session = session
        if session is not None:
            # On a clock that nobody sets, and that goes on while the machine sleeps.
            self._valid_until = lease_clock() + session.expires_in
            for listener in self._listeners:
                listener(session.access_token)

    async def close(self) -> None:
        """Signs out, if Supabase listens, and lets go of all connections."""
        try:
            if self._session is not None:
                await self._client.auth.sign_out({"scope": "local"})
        except (AuthError, httpx.HTTPError) as error:
            log.warning("not signed out; the token runs out by itself", error=type(error).__name__)
        finally:
            await self._http.aclose()


def _as_ours(function: str, answer: httpx.Response) -> OfficeError:
    try:
        said = orjson.loads(answer.content)
        code, message, hint = str(said.get("code") or ""), said.get("message"), said.get("hint")
    except (orjson.JSONDecodeError, AttributeError):
        code, message, hint = "", None, None
    detail = str(message or f"{function}: HTTP {answer.status_code}")
    if code in _STALE_TOKEN or (answer.status_code == 401 and code not in BY_SQLSTATE):
        return Unauthenticated(detail)
    if code in BY_SQLSTATE:
        return BY_SQLSTATE[code](detail, advice=hint)
    if answer.status_code in (429, 502, 503, 504) or code in _PASSING or code.startswith(("08", "53")) or not code:
        return BackendDown(f"{function}: {detail}")
    return Refused(f"{function}: {detail} ({code})", advice=hint)
