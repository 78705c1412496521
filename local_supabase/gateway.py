"""One port with the URLs of a Supabase project: /rest/v1, /auth/v1 and /realtime/v1. Knows no data folder."""

import asyncio
import contextlib
import hmac
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local_supabase.auth.hooks import AccessTokenHook
from local_supabase.auth.routes import AuthRoutes
from local_supabase.auth.sessions import TokenIssuer
from local_supabase.database import Database
from local_supabase.errors import PortBusy
from local_supabase.keys import Keys
from local_supabase.realtime.routes import RealtimeConfig, RealtimeServer
from local_supabase.rest.executor import Executor
from local_supabase.rest.routes import RestRoutes
from local_supabase.tokens import TokenVerifier

HOST = "127.0.0.1"
MOST_BODY_BYTES = 32 * 1024 * 1024
GRACE_SECONDS = 5


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs."""

    url: str
    """Of the project."""
    failed: Callable[[], Awaitable[None]]
    """Waits for as long as it can work; raises when it no longer can."""


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1; port 0 takes a free one.

    Raises:
        PortBusy: somebody else listens there.
    """
    # asyncio switches Nagle's delay off only where it is told that the protocol is TCP: 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise PortBusy(
            f"port {port} on {HOST} is in use", kept="nothing was changed", do="choose another, or 0 for a free one"
        ) from error
    return listener


@contextlib.asynccontextmanager
async def running_gateway(
    database: Database,
    keys: Keys,
    listener: socket.socket,
    *,
    token_seconds: int = 3600,
    access_token_hook: AccessTokenHook | None = None,
) -> AsyncGenerator[Gateway]:
    """Serves `database` until the block is left; then open requests get some seconds, and sockets close with 1012.

    Yields:
        Once it answers and no broadcast can be missed any more.
    """
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    verifier = TokenVerifier(keys.jwt_secret)
    issuer = TokenIssuer(keys.jwt_secret, f"{url}/auth/v1", token_seconds, access_token_hook)
    realtime_config = RealtimeConfig(
        database.dsn_for("supabase_admin"), database.dsn_for("supabase_replication"), keys.jwt_secret
    )
    async with (
        Executor.open(database) as executor,
        AuthRoutes.open(database, issuer, verifier) as auth,
        RealtimeServer.start(realtime_config) as realtime,
    ):
        app = Starlette(
            routes=[
                Mount("/rest/v1", routes=RestRoutes(executor, verifier).routes),
                Mount("/auth/v1", routes=auth.routes),
                *realtime.routes,
            ]
        )
        guarded = _ApiKeyGuard(_BodyLimit(app), (keys.publishable_key, keys.service_role_key))
        async with _serving(guarded, listener):
            yield Gateway(url, realtime.failed)


class _QuietServer(uvicorn.Server):
    """Leaves the signals of the process to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def _serving(app: ASGIApp, listener: socket.socket) -> AsyncGenerator[None]:
    server = _QuietServer(
        uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False,
            ws="websockets-sansio", ws_per_message_deflate=False, ws_ping_interval=None,
            timeout_graceful_shutdown=GRACE_SECONDS, timeout_keep_alive=75,
        )
    )  # fmt: skip
    listener.listen(256)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="gateway")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _ApiKeyGuard:
    """Lets in only who shows one of the project's keys, as the gateway of a Supabase project does."""

    def __init__(self, app: ASGIApp, keys: tuple[str, ...]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        key = Headers(scope=scope).get("apikey") or QueryParams(scope["query_string"]).get("apikey")
        if key is None:
            return _refuse(401, "No API key found in request", "No `apikey` request header or url param was found.")
        if not any(hmac.compare_digest(key.encode(), known.encode()) for known in self._keys):
            return _refuse(401, "Invalid API key", "Double check your Supabase `anon` or `service_role` API key.")
        return None


class _BodyLimit:
    """Takes a body in whole before anyone sees it, and refuses one above MOST_BODY_BYTES."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MOST_BODY_BYTES:
                await _refuse(413, "Payload too large", f"At most {MOST_BODY_BYTES} bytes.")(scope, receive, send)
                return
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            if whole is None:
                return await receive()
            first, whole = whole, None
            return first

        await self._app(scope, replay, send)


def _refuse(status: int, message: str, hint: str) -> Response:
    return Response(orjson.dumps({"message": message, "hint": hint}), status, media_type="application/json")
