"""A network on loopback that can fail: a TCP proxy to one port, which a test cuts, swallows or slows.

async with network_to(gateway_port) as network:
    … a client uses network.port …
    network.swallow()                     # packets vanish both ways, for good on connections that exist by then
    network.restore()
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

READ_BYTES = 65_536


@dataclass(eq=False)
class _Wire:
    """One connection through the network."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    is_realtime: bool = False
    is_dead: bool = False

    def reset(self) -> None:
        for end in (self.near, self.far):
            if end is not None:
                end.transport.abort()


class Network:
    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._swallows = self._resets = False
        self._realtime_alone = False
        self._delay_seconds = 0.0

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        """How many there are, dead ones included, until whoever made them lets go."""
        return len(self._wires)

    def swallow(self, *, realtime_alone: bool = False) -> None:
        """From now on nothing gets through and nobody is told. What is connected stays dead after `restore`, too."""
        self._swallows, self._realtime_alone = True, realtime_alone
        for wire in self._wires:
            wire.is_dead = wire.is_dead or wire.is_realtime or not realtime_alone

    def reset(self) -> None:
        """From now on every connection is reset."""
        self._resets = True
        for wire in self._wires:
            wire.reset()

    def slow(self, delay_seconds: float) -> None:
        """From now on everything takes that much longer, each way."""
        self._delay_seconds = delay_seconds

    def restore(self) -> None:
        self._swallows = self._resets = False
        self._delay_seconds = 0.0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = _Wire(writer)
        self._wires.add(wire)
        try:
            if self._resets:
                return
            first = await reader.read(READ_BYTES)
            wire.is_realtime = b"/realtime/v1/websocket" in first[:200]
            wire.is_dead = wire.is_dead or (self._swallows and (wire.is_realtime or not self._realtime_alone))
            if wire.is_dead:
                while await reader.read(READ_BYTES):
                    pass
                return
            far_reader, wire.far = await asyncio.open_connection("127.0.0.1", self._target)
            await self._carry(wire, first, wire.far)
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._pump(wire, reader, wire.far))
                both_ways.create_task(self._pump(wire, far_reader, writer))
        except (OSError, BaseExceptionGroup):
            pass
        finally:
            self._wires.discard(wire)
            wire.reset()

    async def _pump(self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ_BYTES):
            await self._carry(wire, data, writer)
        if wire.is_dead:
            wire.reset()
            return
        with suppress(OSError):
            writer.write_eof()

    async def _carry(self, wire: _Wire, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)
        if not wire.is_dead:
            writer.write(data)
            await writer.drain()

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int) -> "AsyncGenerator[Network]":
        network = cls(target)

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(network._accept(reader, writer))
            network._tasks.add(task)
            task.add_done_callback(network._tasks.discard)

        network._server = await asyncio.start_server(accept, "127.0.0.1", 0)
        try:
            yield network
        finally:
            network._server.close()
            for task in network._tasks:
                task.cancel()
            if network._tasks:
                await asyncio.wait(network._tasks)


network_to = Network.to
