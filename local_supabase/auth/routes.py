"""The HTTP side of `/auth/v1`. Each request is one transaction; what is not served says so."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_supabase.auth import sessions, users
from local_supabase.auth.errors import AuthError, not_here, validation_failed
from local_supabase.auth.sessions import SessionEnded, TokenIssuer
from local_supabase.database import Database
from local_supabase.pools import returning
from local_supabase.tokens import Caller, TokenError, TokenVerifier

_MOST_PER_PAGE = 1000
_WAIT_SECONDS = 10.0

_Connection = AsyncConnection[DictRow]
_Handler = Callable[[Request, _Connection], Awaitable[Response]]


class AuthRoutes:
    """`async with AuthRoutes.open(database, issuer, verifier) as auth: auth.routes`."""

    def __init__(self, pool: AsyncConnectionPool[_Connection], issuer: TokenIssuer, verifier: TokenVerifier) -> None:
        self._pool = pool
        self._issuer = issuer
        self._verifier = verifier
        self.routes = [
            Route("/token", self._guarded(self._token), methods=["POST"]),
            Route("/user", self._guarded(self._user), methods=["GET"]),
            Route("/logout", self._guarded(self._logout), methods=["POST"]),
            Route("/admin/users", self._guarded(self._list_users), methods=["GET"]),
            Route("/admin/users", self._guarded(self._create_user), methods=["POST"]),
            Route("/admin/users/{user_id}", self._guarded(self._get_user), methods=["GET"]),
            Route("/admin/users/{user_id}", self._guarded(self._update_user), methods=["PUT"]),
            Route("/admin/users/{user_id}", self._guarded(self._delete_user), methods=["DELETE"]),
            Route("/settings", _settings, methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
            Route("/.well-known/jwks.json", _no_public_keys, methods=["GET"]),
            Route("/{anything:path}", _not_served, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ]

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Database, issuer: TokenIssuer, verifier: TokenVerifier
    ) -> "AsyncGenerator[AuthRoutes]":
        pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
            database.dsn_for("supabase_auth_admin"), min_size=1, max_size=4, timeout=_WAIT_SECONDS, open=False,
            kwargs={"row_factory": dict_row},
            check=AsyncConnectionPool.check_connection, **returning(),
        )  # fmt: skip
        async with pool:
            yield cls(pool, issuer, verifier)

    def _guarded(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                return await self._in_transaction(request, handler)
            except AuthError as error:
                return error.response(request)
            except psycopg.DataError:
                return validation_failed("a text holds a character that no text may hold").response(request)
            except (psycopg.OperationalError, PoolTimeout):
                return AuthError(503, "unexpected_failure", "The database is not there").response(request)

        return guarded

    async def _in_transaction(self, request: Request, handler: _Handler) -> Response:
        async with self._pool.connection() as connection:
            try:
                return await handler(request, connection)
            except SessionEnded as ended:
                # An error that leaves the block undoes the transaction; this one must last.
                return ended.response(request)

    async def _token(self, request: Request, connection: _Connection) -> Response:
        body = await _object(request)
        match request.query_params.get("grant_type"):
            case "password":
                if body.get("phone"):
                    raise not_here("sign-in by phone")
                email, password = _text(body, "email"), _text(body, "password")
                session = await sessions.sign_in(connection, self._issuer, email, password)
            case "refresh_token":
                session = await sessions.refresh(connection, self._issuer, _text(body, "refresh_token"))
            case None | "":
                raise AuthError(400, "invalid_credentials", "unsupported_grant_type")
            case other:
                raise not_here(f"the grant type {other[:40]}")
        return JSONResponse(session)

    async def _user(self, request: Request, connection: _Connection) -> Response:
        claims = await self._signed_in(request, connection)
        try:
            user = await users.user_by_id(connection, claims["sub"])
        except AuthError as error:
            raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist") from error
        return JSONResponse(await users.user_json(connection, user))

    async def _logout(self, request: Request, connection: _Connection) -> Response:
        scope = request.query_params.get("scope") or "global"
        if scope not in ("global", "local", "others"):
            raise validation_failed(f'Unsupported logout scope "{scope[:40]}"')
        await sessions.sign_out(connection, await self._signed_in(request, connection), scope)
        return Response(status_code=204)

    async def _list_users(self, request: Request, connection: _Connection) -> Response:
        self._require_admin(request)
        page = max(1, _number(request.query_params.get("page"), 1))
        per_page = min(_MOST_PER_PAGE, max(1, _number(request.query_params.get("per_page"), 50)))
        found, total = await users.list_users(connection, page, per_page)
        shown = [await users.user_json(connection, user) for user in found]
        return JSONResponse({"users": shown, "aud": "authenticated"}, headers={"X-Total-Count": str(total)})

    async def _create_user(self, request: Request, connection: _Connection) -> Response:
        self._require_admin(request)
        user = await users.create_user(connection, await _object(request))
        return JSONResponse(await users.user_json(connection, user))

    async def _get_user(self, request: Request, connection: _Connection) -> Response:
        self._require_admin(request)
        user = await users.user_by_id(connection, request.path_params["user_id"])
        return JSONResponse(await users.user_json(connection, user))

    async def _update_user(self, request: Request, connection: _Connection) -> Response:
        self._require_admin(request)
        user = await users.update_user(connection, request.path_params["user_id"], await _object(request))
        return JSONResponse(await users.user_json(connection, user))

    async def _delete_user(self, request: Request, connection: _Connection) -> Response:
        self._require_admin(request)
        body = await _object(request) if await request.body() else {}
        if body.get("should_soft_delete"):
            raise not_here("soft deletion of a user")
        await users.delete_user(connection, request.path_params["user_id"])
        return JSONResponse({})

    def _require_admin(self, request: Request) -> None:
        if self._caller(request).role not in ("service_role", "supabase_admin"):
            raise AuthError(403, "not_admin", "User not allowed")

    async def _signed_in(self, request: Request, connection: _Connection) -> dict[str, Any]:
        """The claims of a user's token whose session still exists."""
        claims = self._caller(request).claims
        if "sub" not in claims:
            raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
        if not await sessions.session_exists(connection, claims.get("session_id", "")):
            message = "Session from session_id claim in JWT does not exist"
            raise AuthError(403, "session_not_found", message)
        return claims

    def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            return self._verifier.verify(token)
        except TokenError as error:
            raise AuthError(403, "bad_jwt", f"invalid JWT: unable to parse or verify signature, {error}") from error


async def _settings(_: Request) -> Response:
    return JSONResponse(
        {"external": {"email": True, "phone": False}, "disable_signup": True, "mailer_autoconfirm": False,
         "phone_autoconfirm": False, "sms_provider": "", "saml_enabled": False}
    )  # fmt: skip


async def _health(_: Request) -> Response:
    return JSONResponse({"version": "embedded", "name": "GoTrue", "description": "The embedded stand-in for it"})


async def _no_public_keys(_: Request) -> Response:
    """Tokens are signed with a shared secret, so there is no key to show."""
    return JSONResponse({"keys": []})


async def _not_served(request: Request) -> Response:
    return not_here(f"{request.method} {request.url.path}").response(request)


async def _object(request: Request) -> dict[str, Any]:
    try:
        body: object = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise AuthError(400, "bad_json", "Could not parse request body as JSON") from error
    if not isinstance(body, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON: an object is needed")
    return {key: value for key, value in cast("dict[str, Any]", body).items() if value is not None}


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise validation_failed(f"missing {name}")
    return value


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else otherwise
