"""The client's hearing, before a Realtime server that misbehaves: the claimer is woken, and the state is true."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest_asyncio

from realtime_line.line import Pace
from realtime_line.socket import Endpoint
from remote_client.connection import Connection
from remote_client.subscriber import Subscriber
from shared.channels import commands_topic
from shared.ids import Attempt, ClientId, CommandId, OfficeId
from shared.states import ConnectionState
from tests.support.ear import QUICK
from tests.support.hostile_realtime import SECONDS, HostileRealtime, Manners, hostile_realtime

US = ClientId(uuid4())


class Claims:
    """What the claimer is told."""

    client_id = US

    def __init__(self) -> None:
        self.hints: asyncio.Queue[CommandId] = asyncio.Queue()
        self.woken = asyncio.Event()

    def wake(self) -> None:
        self.woken.set()

    def hint(self, command_id: CommandId, attempt: Attempt) -> None:
        assert attempt == 1
        self.hints.put_nowait(command_id)

    def hint_of_many(self) -> None:
        self.woken.set()

    async def until_woken(self) -> None:
        await asyncio.wait_for(self.woken.wait(), SECONDS)
        self.woken.clear()

    async def hinted(self) -> CommandId:
        return await asyncio.wait_for(self.hints.get(), SECONDS)


class Tokens:
    def __init__(self) -> None:
        self.number = 0
        self.listeners: list[Callable[[str], None]] = []

    async def access_token(self, renew: bool = False) -> str:
        return self.renewed() if renew else f"token {self.number}"

    def renewed(self) -> str:
        self.number += 1
        for listener in self.listeners:
            listener(f"token {self.number}")
        return f"token {self.number}"

    def on_token(self, listener: Callable[[str], None]) -> None:
        self.listeners.append(listener)


class Hearing:
    """A subscriber that runs, and those around it."""

    def __init__(self, server: HostileRealtime, pace: Pace) -> None:
        self.server = server
        self.connection = Connection()
        self.connection.answered()
        self.claims, self.tokens = Claims(), Tokens()
        self.subscriber = Subscriber(
            Endpoint(server.url, "key"), self.tokens, server.echo, self.claims, self.connection, pace
        )

    async def until(self, state: ConnectionState) -> None:
        async with asyncio.timeout(SECONDS):
            while self.connection.standing.state is not state:
                self.connection.news.clear()
                await self.connection.news.wait()


@asynccontextmanager
async def hearing_at(pace: Pace) -> AsyncGenerator[Hearing]:
    async with hostile_realtime() as server:
        hearing = Hearing(server, pace)
        running = asyncio.create_task(hearing.subscriber.run())
        try:
            yield hearing
        finally:
            running.cancel()
            await asyncio.wait([running])


@pytest_asyncio.fixture(loop_scope="session")
async def hearing() -> AsyncIterator[Hearing]:
    async with hearing_at(QUICK) as hearing:
        yield hearing


def new_office() -> OfficeId:
    return OfficeId(uuid4())


async def test_a_hint_for_us_or_for_anybody_wakes_the_claimer(hearing: Hearing):
    hearing.subscriber.set_offices([office := new_office()])
    await hearing.until(ConnectionState.LIVE)
    peer = await hearing.server.joined()
    assert peer.topic == f"realtime:{commands_topic(office)}"
    ours, anybodys, inserted = [CommandId(uuid4()) for _ in range(3)]
    for command, client in ((ours, US), (CommandId(uuid4()), ClientId(uuid4()))):
        await peer.broadcast("command", {"command_id": str(command), "attempt": 1, "client_id": str(client)})
    await peer.broadcast("command", {"command_id": str(anybodys), "attempt": 1})
    await peer.insert({"id": str(inserted), "attempt": 1, "client_id": None})
    assert [await hearing.claims.hinted() for _ in range(3)] == [ours, anybodys, inserted]
    several = [CommandId(uuid4()) for _ in range(3)]
    await peer.broadcast("command", {"command_ids": [str(command) for command in several]})
    assert [await hearing.claims.hinted() for _ in range(3)] == several


async def test_a_hint_that_makes_no_sense_still_has_the_table_looked_at(hearing: Hearing):
    hearing.subscriber.set_offices([new_office()])
    await hearing.until(ConnectionState.LIVE)
    peer = await hearing.server.joined()
    for payload in ({}, {"command_id": "x"}, {"command_id": None}):
        hearing.claims.woken.clear()
        await peer.broadcast("command", payload)
        await hearing.claims.until_woken()
    await peer.broadcast("command", {"command_id": str(UUID(int=1)), "attempt": 1})
    assert await hearing.claims.hinted() == CommandId(UUID(int=1))


async def test_the_table_is_looked_at_when_a_channel_closes_and_when_it_is_back(hearing: Hearing):
    hearing.subscriber.set_offices([new_office()])
    await hearing.until(ConnectionState.LIVE)
    peer = await hearing.server.joined()
    hearing.claims.woken.clear()
    await peer.close_channel()
    await hearing.claims.until_woken()
    await hearing.server.joined()
    await hearing.claims.until_woken()
    await hearing.until(ConnectionState.LIVE)


async def test_joined_without_hints_is_polling_and_not_live(hearing: Hearing):
    hearing.server.manners = Manners(echoes=False)
    hearing.subscriber.set_offices([new_office()])
    for _ in range(3):
        await hearing.server.joined()
        hearing.connection.answered()
        assert hearing.connection.standing.state is ConnectionState.POLLING
    hearing.server.manners = Manners()
    await hearing.until(ConnectionState.LIVE)


async def test_an_office_that_is_refused_holds_up_no_other_and_is_not_called_live():
    refused, served = new_office(), new_office()
    async with hearing_at(replace(QUICK, pause_factor=1000)) as hearing:
        hearing.server.manners = Manners(join_error="Unauthorized: …")
        hearing.subscriber.set_offices([refused])
        await (await hearing.server.joined()).connection.wait_closed()
        hearing.server.manners = Manners()
        hearing.subscriber.set_offices([refused, served])
        peer = await hearing.server.joined()
        await peer.broadcast("command", {"command_id": str(UUID(int=1)), "attempt": 1})
        await hearing.claims.hinted()
        await hearing.server.until_wishes(3)
        assert hearing.connection.standing.state is ConnectionState.POLLING
        hearing.subscriber.set_offices([served])
        await hearing.until(ConnectionState.LIVE)


async def test_hints_that_stop_cast_a_doubt_on_the_database(hearing: Hearing):
    hearing.subscriber.set_offices([new_office()])
    await hearing.until(ConnectionState.LIVE)
    (await hearing.server.joined()).vanish()
    await hearing.until(ConnectionState.POLLING)
    hearing.connection.silent()
    assert hearing.connection.standing.state is ConnectionState.OFFLINE


async def test_after_an_outage_live_is_proven_anew(hearing: Hearing):
    hearing.subscriber.set_offices([new_office()])
    await hearing.until(ConnectionState.LIVE)
    hearing.server.manners = Manners(echoes=False)
    hearing.connection.doubt()
    hearing.connection.silent()
    hearing.connection.answered()
    assert hearing.connection.standing.state is ConnectionState.POLLING, "what was proven before counts no more"
    hearing.server.manners = Manners()
    await hearing.until(ConnectionState.LIVE)


async def test_a_token_that_is_renewed_reaches_the_channel(hearing: Hearing):
    hearing.subscriber.set_offices([new_office()])
    await hearing.until(ConnectionState.LIVE)
    peer = await hearing.server.joined()
    hearing.tokens.renewed()
    await asyncio.wait_for(peer.shown.wait(), SECONDS)
    assert peer.tokens == ["token 0", "token 1"]


async def test_an_office_that_was_left_is_not_listened_to(hearing: Hearing):
    hearing.subscriber.set_offices([new_office()])
    await hearing.until(ConnectionState.LIVE)
    peer = await hearing.server.joined()
    hearing.subscriber.set_offices([])
    await asyncio.wait_for(peer.connection.wait_closed(), SECONDS)
    await hearing.until(ConnectionState.POLLING)
