"""Around every request: a limit on its body, one line in the log, and its numbers."""

import time
from collections.abc import Mapping

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from office_server.metrics import Metrics

_log = structlog.get_logger(__name__)


class BodyLimit:
    """Refuses bodies over `limit_bytes`, told by their length or found while they are read; less for `small` paths."""

    def __init__(self, app: ASGIApp, limit_bytes: int, small: Mapping[str, int]) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._small = small

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._small.get(scope["path"], self._limit_bytes)
        told = dict(scope["headers"]).get(b"content-length", b"")
        read = int(told) if told.isdigit() else 0
        counted = 0

        async def counting() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if max(counted, read) > limit:
                raise HTTPException(413, f"The body is over {limit} bytes, which is all this address takes.")
            return message

        await self._app(scope, counting, send)


class Observed:
    """Counts and logs requests by their route, not by their address, which holds ids."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = time.monotonic() - started
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.request_seconds.labels(route).observe(seconds)
            _log.info("request", method=method, path=scope["path"], status=status, ms=round(seconds * 1000, 1))


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
