"""Connections that are left when one of them is dead."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from remote_client.roads import Roads
from tests.support.network import Network, network_to

AT_ONCE = 4


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


async def test_after_one_call_without_an_answer_no_other_dead_connection_is_met(network: Network) -> None:
    url = f"http://127.0.0.1:{network.port}/"
    async with httpx.AsyncClient(transport=Roads(), timeout=30) as http:

        async def all_at_once() -> list[str]:
            return [answer.text for answer in await asyncio.gather(*(http.get(url) for _ in range(AT_ONCE)))]

        assert await all_at_once() == ["ok"] * AT_ONCE
        assert network.connections == AT_ONCE
        network.swallow()
        network.restore()  # what was connected stays dead

        with pytest.raises(httpx.TimeoutException):
            await http.get(url, timeout=0.05)

        assert await all_at_once() == ["ok"] * AT_ONCE, "none of the dead ones was tried"
