"""HTTP connections that are left as soon as one of them gives no answer: where one is dead, so are those made before.

Otherwise they would be met one after the other, each at the price of a time limit, in a network that is back.
"""

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

_CONNECTIONS = 8
_KEPT_SECONDS = 60


class _Road:
    """One pool of connections. It is closed when it is left and the last request on it is over."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEPT_SECONDS, ssl=tls)
        self.session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self.transport = AiohttpTransport(verify=tls, client=self.session)
        self.requests = 0
        self._is_left = False

    async def leave(self) -> None:
        self._is_left = True
        await self._close_when_unused()

    async def one_is_over(self) -> None:
        self.requests -= 1
        await self._close_when_unused()

    async def _close_when_unused(self) -> None:
        if self._is_left and self.requests == 0:
            await self.transport.aclose()


class Roads(httpx.AsyncBaseTransport):
    """The connections of one client: as a transport of httpx, and for posts that take a third of its time."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._road = _Road(self._tls)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
        """Returns status and body. `seconds`: the longest silence.

        Raises:
            aiohttp.ClientError, OSError: no answer.
        """
        road = self._road
        road.requests += 1
        silence = aiohttp.ClientTimeout(connect=seconds, sock_connect=seconds, sock_read=seconds)
        try:
            async with road.session.post(
                url, data=body, headers=headers, timeout=silence, allow_redirects=False
            ) as answer:
                return answer.status, await answer.read()
        except BaseException:
            await self._leave(road)
            raise
        finally:
            await road.one_is_over()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        road = self._road
        road.requests += 1
        try:
            response = await road.transport.handle_async_request(request)
        except BaseException:
            # No answer, or whoever asked would not wait for it any longer.
            await self._leave(road)
            await road.one_is_over()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  it is asynchronous
        response.stream = _Answer(response.stream, lambda: self._leave(road), road.one_is_over)
        return response

    async def _leave(self, road: _Road) -> None:
        if road is self._road:
            self._road = _Road(self._tls)
            await road.leave()

    async def aclose(self) -> None:
        await self._road.transport.aclose()


class _Answer(httpx.AsyncByteStream):
    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        on_silence: Callable[[], Awaitable[None]],
        on_end: Callable[[], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._on_silence = on_silence
        self._on_end = on_end

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except (httpx.HTTPError, OSError):
            await self._on_silence()
            raise

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            await self._on_end()
