"""Puts the pages into the office server, below /dashboard. Once per process: NiceGUI keeps one application in each."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from nicegui import ui
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from office_server.dashboard import pages, sign_in
from office_server.dashboard.feed import Feeds
from office_server.dashboard.signing import Signing
from office_server.dashboard.state import BASE, Shared, keep
from office_server.services import Services
from office_server.settings import OfficeSettings

_STATIC = Path(__file__).parent / "static"
_HEADERS = {
    # Vue compiles its templates in the browser, which is what `unsafe-eval` allows; nothing from elsewhere may run.
    b"content-security-policy": b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval';"
    b" style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:;"
    b" connect-src 'self' ws: wss:;"
    b" frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
}


def mount(app: FastAPI, settings: OfficeSettings) -> None:
    """Call it before the server starts."""
    signing = Signing(settings.service_role_key.get_secret_value(), timedelta(hours=settings.sign_in_hours))
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def with_feeds(app: FastAPI) -> AsyncGenerator[Any]:
        async with inner(app) as state:
            services = cast("Services", app.state.services)
            feeds = Feeds(services)
            async with feeds.open():
                keep(Shared(services, feeds, signing, _version_of(_STATIC)))
                yield state

    app.router.lifespan_context = with_feeds
    app.include_router(sign_in.router)
    app.add_api_route("/", _to_the_pages, include_in_schema=False)
    app.mount(f"{BASE}/static", StaticFiles(directory=_STATIC), name="dashboard-static")
    pages.register()
    ui.run_with(  # pyright: ignore[reportUnknownMemberType]
        app,
        mount_path=BASE,
        title="SEMO Office",
        favicon=_STATIC / "icon.svg",
        language="en-US",
        tailwind=False,
        reconnect_timeout=10.0,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )
    app.add_middleware(_Guarded)


async def _to_the_pages() -> RedirectResponse:
    return RedirectResponse(f"{BASE}/", 307)


def _version_of(folder: Path) -> str:
    content = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    return hashlib.sha256(content).hexdigest()[:12]


class _Guarded:
    """Headers that keep other sites out of the pages, and a check that live connections come from our own pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not str(scope.get("path", "")).startswith(BASE):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket" and not same_origin(scope):
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _HEADERS.items() if name not in names),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


def same_origin(scope: Scope) -> bool:
    """Whether a request that names its origin comes from a page of the host that it asks."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    return origin is None or origin.split(b"://", 1)[-1] == headers.get(b"host")
