"""Connections that are left when one of them is dead."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import pytest_asyncio

from remote_client.roads import Roads
from shared.tls import tls_for
from tests.support.network import Network, network_to

AT_ONCE = 4

Call = Callable[[Roads, str, float], Awaitable[str]]


class _Kept(httpx.AsyncBaseTransport):
    """Roads that go on when a client of httpx is closed."""

    def __init__(self, roads: Roads) -> None:
        self._roads = roads

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._roads.handle_async_request(request)


@pytest_asyncio.fixture
async def network() -> AsyncIterator[Network]:
    """A network to a server that answers each request when a number of them are there, so that each has its own
    connection.
    """
    together = asyncio.Barrier(AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await together.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with network_to(server.sockets[0].getsockname()[1]) as network:
        yield network
    server.close()


async def by_httpx(roads: Roads, url: str, seconds: float) -> str:
    async with httpx.AsyncClient(transport=_Kept(roads), timeout=seconds) as http:
        return (await http.get(url)).text


async def by_post(roads: Roads, url: str, seconds: float) -> str:
    _, body = await roads.post(url, b"", {}, seconds)
    return body.decode()


@pytest.mark.parametrize("call", [by_httpx, by_post])
async def test_after_one_call_without_an_answer_no_other_dead_connection_is_met(network: Network, call: Call) -> None:
    url = f"http://127.0.0.1:{network.port}/"
    roads = Roads(tls_for("http://127.0.0.1"))

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(call(roads, url, 30) for _ in range(AT_ONCE)))

    assert await all_at_once() == ["ok"] * AT_ONCE
    assert network.connections == AT_ONCE
    network.swallow()
    network.restore()  # what was connected stays dead

    with pytest.raises((httpx.TimeoutException, TimeoutError)):
        await call(roads, url, 0.05)

    assert await all_at_once() == ["ok"] * AT_ONCE, "none of the dead ones was tried"
    await roads.aclose()
