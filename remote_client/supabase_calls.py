"""Carries calls to Supabase: one official client, one HTTP connection pool, signed in as this machine's own user.

The only module that speaks HTTP to Supabase. What the calls mean is in `office_link`.
"""

from collections.abc import Callable
from typing import Any

import httpx
from postgrest.exceptions import APIError
from supabase_auth import AsyncMemoryStorage
from supabase_auth.errors import AuthError, AuthRetryableError
from supabase_auth.types import AuthChangeEvent, Session

from remote_client.credentials import Credentials
from shared.errors import BY_SQLSTATE, BackendDown, OfficeError, Refused, Unauthenticated
from supabase import AsyncClient, AsyncClientOptions, acreate_client

_STALE_TOKEN = frozenset({"PGRST301", "PGRST302", "PGRST303"})
_STARTING = frozenset(
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
        self._listeners: list[Callable[[str], None]] = []
        client.auth.on_auth_state_change(self._on_auth)

    @classmethod
    async def connect(cls, credentials: Credentials, timeout_seconds: float) -> "SupabaseCalls":
        """Makes the client. Touches the network only with the first call."""
        http = httpx.AsyncClient(
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=8, keepalive_expiry=60),
        )
        options = AsyncClientOptions(storage=AsyncMemoryStorage(), httpx_client=http, postgrest_client_retry=False)
        client = await acreate_client(credentials.supabase_url, credentials.publishable_key, options)
        return cls(client, http, credentials)

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        if self._session is None:
            await self.sign_in()
        try:
            return await self._rpc(function, arguments)
        except Unauthenticated:
            await self.sign_in()
            return await self._rpc(function, arguments)

    async def _rpc(self, function: str, arguments: dict[str, Any]) -> Any:
        try:
            answer = await self._client.rpc(function, arguments).execute()
        except APIError as error:
            raise _as_ours(function, error) from error
        except httpx.HTTPError as error:
            raise BackendDown(f"{function}: Supabase does not answer ({type(error).__name__})") from error
        return answer.data

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

    async def access_token(self) -> str:
        """The present access token; signs in when there is none."""
        return self._session.access_token if self._session else await self.sign_in()

    def on_token(self, listener: Callable[[str], None]) -> None:
        """`listener` is called with every new access token."""
        self._listeners.append(listener)

    def _on_auth(self, _event: AuthChangeEvent, session: Session | None) -> None:
        self._session = session
        if session is not None:
            for listener in self._listeners:
                listener(session.access_token)

    async def close(self) -> None:
        await self._client.auth.sign_out({"scope": "local"}) if self._session else None
        await self._http.aclose()


def _as_ours(function: str, error: APIError) -> OfficeError:
    code = error.code or ""
    detail = error.message or f"{function} failed"
    if code in _STALE_TOKEN:
        return Unauthenticated(detail)
    if code in BY_SQLSTATE:
        return BY_SQLSTATE[code](detail, advice=error.hint)
    if code in _STARTING or code.startswith(("08", "53")) or (code.isdigit() and int(code) >= 500):
        return BackendDown(f"{function}: {detail}")
    return Refused(f"{function}: {detail} ({code})", advice=error.hint)
