"""The one way to Supabase: a client with the service key, and its errors as ours. Knows no table."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError, AuthWeakPasswordError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from office_server.acting import HEADER, acting
from office_server.rows import Row
from shared.errors import BY_SQLSTATE, BackendDown, Conflict, InvalidPayload, OfficeError, Unauthenticated, Unavailable
from shared.tls import tls_for

RowT = TypeVar("RowT", bound=Row)
_log = structlog.get_logger(__name__)

_DOWN = ("08", "53", "57", "PGRST00")  # connection lost, out of resources, shutting down or out of time, no database
_TOOK_TOO_LONG = "57014"
_UNKNOWN_THING = ("PGRST202", "PGRST205", "42P01", "42883", "42703")
_UNDONE = ("40001", "40P01")  # serialization failure, deadlock
_TRIES_OF_WHAT_WAS_UNDONE = 5
_BAD_VALUE = "22"  # the class of data exceptions


class MigrationsMissing(Unavailable):
    """The database has not got the tables and functions that this version needs."""

    code = "migrations_missing"
    title = "The database has not got what this version of the office needs."


class Undone(Unavailable):
    """PostgreSQL undid it for the sake of another transaction. Nothing of it happened: it may be tried again."""

    code = "undone"
    title = "Others changed the same at that moment; nothing was done."


class Query(Protocol):
    """Anything of postgrest-py that can be executed."""

    request: Any

    async def execute(self) -> Any: ...


class Connection:
    """A Supabase project, seen with the service key. One HTTP client for all of it."""

    def __init__(self, client: AsyncClient, http: httpx.AsyncClient) -> None:
        self._client = client
        self._http = http

    def table(self, name: str) -> Any:
        """A query on a table, to be given to one of the methods below."""
        return self._client.table(name)

    async def read(self, query: Query, row: type[RowT]) -> list[RowT]:
        """What a select finds. Tried again a few times when Supabase does not answer."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(BackendDown),
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(0.1, max=1.0),
            reraise=True,
        ):
            with attempt:
                return await self.write(query, row)
        raise AssertionError("tenacity either returns or raises")

    async def write(self, query: Query, row: type[RowT]) -> list[RowT]:
        """The rows that an insert or update returns. Tried once: whether it happened may not be known."""
        found = (await self._execute(query)).data
        return [row.model_validate(item) for item in cast("list[Any]", found or [])]

    async def do(self, query: Query) -> None:
        """An insert, update or delete of which nothing comes back."""
        await self._execute(query)

    async def count(self, query: Query) -> int:
        return int((await self._execute(query)).count or 0)

    async def call(self, function: str, **arguments: Any) -> Any:
        """What a SQL function answers. Tried once."""
        return (await self._execute(self._client.rpc(function, arguments))).data

    async def create_user(self, email: str, password: str, app_metadata: dict[str, str]) -> UUID:
        """Makes an Auth user that can sign in at once. Raises Conflict when there is one of that address."""
        with _auth_errors():
            try:
                made = await self._client.auth.admin.create_user(
                    {"email": email, "password": password, "email_confirm": True, "app_metadata": app_metadata}
                )
            except AuthApiError as error:
                if error.code == "email_exists":
                    raise Conflict("Supabase Auth has a user of that address already.") from error
                raise
        return UUID(made.user.id)

    async def sign_in(self, email: str, password: str) -> tuple[UUID, str | None]:
        """Whose password that is, as Supabase Auth says, and the `client_id` of its app_metadata.

        Raises:
            Unauthenticated: nobody's, or of somebody who may not sign in.
        """
        # A client of its own: the one for tables would go on as whoever signed in.
        auth = AsyncGoTrueClient(
            url=str(self._client.auth_url), headers={"apikey": self._client.supabase_key}, http_client=self._http,
            auto_refresh_token=False, persist_session=False,
        )  # fmt: skip
        with _auth_errors():
            try:
                answer = await auth.sign_in_with_password({"email": email, "password": password})
            except AuthApiError as error:
                raise Unauthenticated("Supabase Auth does not take that address and password.") from error
            await auth.sign_out({"scope": "local"})  # nobody goes on with the session that this began
        if answer.user is None:
            raise Unauthenticated("Supabase Auth does not know whose password that is.")
        return UUID(answer.user.id), answer.user.app_metadata.get("client_id")

    async def change_password(self, user: UUID, password: str) -> None:
        """Raises InvalidPayload when Supabase Auth finds it too weak."""
        with _auth_errors():
            try:
                await self._client.auth.admin.update_user_by_id(str(user), {"password": password})
            except AuthWeakPasswordError as error:
                raise InvalidPayload(error.message) from error

    async def delete_user(self, user: UUID) -> None:
        """One that is gone already is no error."""
        with _auth_errors():
            try:
                await self._client.auth.admin.delete_user(str(user))
            except AuthApiError as error:
                if error.code != "user_not_found":
                    raise

    async def user_of(self, access_token: str) -> tuple[UUID, str | None]:
        """Whose token that is, as Supabase Auth says, and the `client_id` of its app_metadata.

        Raises:
            Unauthenticated: nobody's, or not any more.
        """
        with _auth_errors():
            try:
                answer = await self._client.auth.get_user(access_token)
            except AuthApiError as error:
                raise Unauthenticated("Supabase Auth does not take that token.", advice="sign in again") from error
        if answer is None:
            raise Unauthenticated("Supabase Auth does not know whose token that is.")
        return UUID(answer.user.id), answer.user.app_metadata.get("client_id")

    async def _execute(self, query: Query) -> Any:
        """Tried again when PostgreSQL undid it, which is the one failure that surely left nothing behind."""
        if (actor := acting()) is not None:
            query.request.headers[HEADER] = actor.as_header()
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Undone),
            stop=stop_after_attempt(_TRIES_OF_WHAT_WAS_UNDONE),
            wait=wait_random_exponential(0.02, max=0.5),
            reraise=True,
        ):
            with attempt:
                return await _execute_once(query)
        raise AssertionError("tenacity either returns or raises")


async def _execute_once(query: Query) -> Any:
    try:
        return await query.execute()
    except APIError as error:
        raise error_for(error.code, error.message, error.hint) from error
    except httpx.TransportError as error:
        raise BackendDown(f"Supabase does not answer ({type(error).__name__}).") from error


@contextmanager
def _auth_errors() -> Generator[None]:
    try:
        yield
    except AuthRetryableError as error:
        raise BackendDown(f"Supabase Auth does not answer ({error.status}).") from error
    except AuthError as error:
        _log.error("supabase_auth_error", code=error.code)
        raise OfficeError("Supabase Auth refused what the office asked of it.") from error
    except httpx.TransportError as error:
        raise BackendDown(f"Supabase Auth does not answer ({type(error).__name__}).") from error


def error_for(code: str | None, message: str | None, hint: str | None) -> OfficeError:
    """Our error for what PostgREST reported, told by its code alone."""
    code = code or ""
    if known := BY_SQLSTATE.get(code):
        return known(message, advice=hint)
    if code in _UNDONE:
        return Undone()
    if code.startswith(_BAD_VALUE):
        return InvalidPayload(message, advice=hint)
    if code in _UNKNOWN_THING:
        return MigrationsMissing(message, advice="apply supabase/migrations to this project")
    if code == _TOOK_TOO_LONG:
        return BackendDown(
            "The database did not finish that in the time it gives one statement. Nothing of it was done.",
            advice="try again when it has less to do, or ask for less at once",
        )
    if code.startswith(_DOWN) or code in ("502", "503", "504", "520"):
        return BackendDown(f"Supabase is not able to answer ({code}).")
    if code in ("401", "403", "PGRST301", "PGRST302", "PGRST303"):
        return BackendDown("Supabase refuses the service key of this server.", advice="check SUPABASE_SERVICE_ROLE_KEY")
    _log.error("supabase_error", code=code, message=message)
    return OfficeError()


@asynccontextmanager
async def connect(url: str, service_role_key: str, timeout_seconds: float = 10.0) -> AsyncGenerator[Connection]:
    """A connection for as long as the block lasts. Opens lazily: a Supabase that is away shows at the first call."""
    limits = httpx.Limits(max_connections=50, max_keepalive_connections=20)
    # Half the time of httpx's own transport for each call.
    transport = AiohttpTransport(verify=tls_for(url), limits=limits)
    async with httpx.AsyncClient(timeout=httpx.Timeout(timeout_seconds), transport=transport) as http:
        options = AsyncClientOptions(
            httpx_client=http, postgrest_client_retry=False, auto_refresh_token=False, persist_session=False
        )
        yield Connection(AsyncClient(url, service_role_key, options), http)
