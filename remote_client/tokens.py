"""Keeps this machine signed in: one access token, renewed before it ends. What the token is for is not known here.

A token may live for a minute only, so that a machine which was shut out is out everywhere within that time; how long,
the token itself says. It is renewed with the refresh token, which works once; when that one is not taken any more, by
signing in again with the password. When neither is taken, this machine was shut out.
"""

import asyncio
from collections.abc import Callable

import httpx
import jwt
import structlog
from supabase import AsyncClient
from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError
from supabase_auth.types import AuthChangeEvent, AuthResponse, Session

from remote_client.commands import lease_clock
from remote_client.credentials import Credentials
from shared.errors import BackendDown, ClientRevoked

log = structlog.get_logger(__name__)

RENEWED_AT = 2 / 3
"""Of its life. What is left is how long Supabase Auth may be away before anything else notices."""
AGAIN_SECONDS = 2.0
_LATER = 429


class Tokens:
    """Signs in when first asked. `keep_fresh` runs beside whatever uses the tokens."""

    def __init__(self, client: AsyncClient, credentials: Credentials) -> None:
        self._auth = client.auth
        self._credentials = credentials
        self._session: Session | None = None
        self._life_seconds = 0.0
        self._valid_until = 0.0
        self._renewing: asyncio.Task[str] | None = None
        self._new = asyncio.Event()
        self._listeners: list[Callable[[str], None]] = []
        client.auth.on_auth_state_change(self._on_auth)

    @property
    def life_seconds(self) -> float:
        """How long tokens live, as the last one said; 0 before the first."""
        return self._life_seconds

    def on_token(self, listener: Callable[[str], None]) -> None:
        """`listener` is called with every new access token."""
        self._listeners.append(listener)

    async def access_token(self, renew: bool = False) -> str:
        """The present access token; another one when there is none, when it has ended, and to `renew` it.

        Raises:
            ClientRevoked: the user of this machine is gone, locked, or its password is no longer taken.
            BackendDown: no answer.
        """
        if self._session is None or renew or lease_clock() >= self._valid_until:
            return await self._renewed()
        return self._session.access_token

    async def keep_fresh(self) -> None:
        """Never ends by itself.

        Raises:
            ClientRevoked: this machine was shut out.
        """
        while True:
            self._new.clear()
            if self._session is None:
                await self._new.wait()
                continue
            left = self._valid_until - lease_clock() - self._life_seconds * (1 - RENEWED_AT)
            try:
                async with asyncio.timeout(max(0.0, left)):
                    await self._new.wait()
                continue
            except TimeoutError:
                pass
            try:
                await self._renewed()
            except BackendDown as error:
                log.warning("token not renewed yet", error=error.detail)
                await asyncio.sleep(min(AGAIN_SECONDS, self._life_seconds / 10))

    async def _renewed(self) -> str:
        """All who ask at once get the same new token."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew(), name="renewing the token")
            self._renewing.add_done_callback(_seen)
        return await asyncio.shield(self._renewing)

    async def _renew(self) -> str:
        if self._session is not None:
            try:
                return _token_of(await self._auth.refresh_session(self._session.refresh_token))
            except (AuthRetryableError, httpx.HTTPError) as error:
                raise BackendDown(f"renewing the token: Supabase does not answer ({type(error).__name__})") from error
            except AuthError as error:
                if isinstance(error, AuthApiError) and error.status == _LATER:
                    raise BackendDown("renewing the token: too many at once for Supabase Auth") from error
                log.info("the session is over; signing in again", code=error.code)
        return await self._sign_in()

    async def _sign_in(self) -> str:
        known = self._credentials
        try:
            return _token_of(
                await self._auth.sign_in_with_password(
                    {"email": known.email, "password": known.password.get_secret_value()}
                )
            )
        except (AuthRetryableError, httpx.HTTPError) as error:
            raise BackendDown(f"signing in: Supabase does not answer ({type(error).__name__})") from error
        except AuthApiError as error:
            if error.status == _LATER or error.status >= 500:
                raise BackendDown(f"signing in: Supabase Auth is not able to ({error.status})") from error
            raise ClientRevoked(
                "Supabase does not let this machine in any more: it was revoked, or its office was made anew"
                f" ({error.code or error.status})",
                advice="ask an admin of the office for a new code, then: semo client join CODE",
            ) from error
        except AuthError as error:
            raise BackendDown(f"signing in: an answer that makes no sense ({type(error).__name__})") from error

    def _on_auth(self, _event: AuthChangeEvent, session: Session | None) -> None:
        self._session = session
        if session is None:
            return
        self._life_seconds = _life_seconds(session)
        # On a clock that nobody sets, and that goes on while the machine sleeps.
        self._valid_until = lease_clock() + self._life_seconds
        self._new.set()
        for listener in self._listeners:
            listener(session.access_token)

    async def sign_out(self) -> None:
        """If Supabase listens."""
        try:
            if self._session is not None:
                await self._auth.sign_out({"scope": "local"})
        except (AuthError, httpx.HTTPError) as error:
            log.warning("not signed out; the token runs out by itself", error=type(error).__name__)


def _token_of(answer: AuthResponse) -> str:
    if answer.session is None:
        raise BackendDown("Supabase Auth answered without a session")
    return answer.session.access_token


def _life_seconds(session: Session) -> float:
    """As the token itself has it, on the clock of the server: a hook of the project may have made it shorter than
    `expires_in` says.
    """
    try:
        claims = jwt.decode(session.access_token, options={"verify_signature": False})
        return float(claims["exp"]) - float(claims["iat"])
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        return float(session.expires_in)


def _seen(task: asyncio.Task[str]) -> None:
    """Whoever asked may be gone; nobody is told then."""
    if not task.cancelled():
        task.exception()
