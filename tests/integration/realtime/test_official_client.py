"""The unmodified Python client against the embedded Realtime: what our own code relies on."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from realtime.types import RealtimeSubscribeStates
from supabase import AsyncClient, acreate_client

from local_supabase.database import Database
from local_supabase.ports import held_port
from tests.integration.realtime.gateway import FIXTURES, Gateway, running_gateway
from tests.support.embedded import EmbeddedPostgres

SECONDS = 30.0


class Listener:
    """A channel's callbacks as queues: they run inside the client's read loop and must do nothing else."""

    def __init__(self) -> None:
        self.states: asyncio.Queue[RealtimeSubscribeStates] = asyncio.Queue()
        self.system: asyncio.Queue[Any] = asyncio.Queue()
        self.events: asyncio.Queue[Any] = asyncio.Queue()

    def on_state(self, state: RealtimeSubscribeStates, _error: Exception | None) -> None:
        self.states.put_nowait(state)

    async def next_state(self) -> RealtimeSubscribeStates:
        return await _soon(self.states)

    async def next_event(self) -> Any:
        return await _soon(self.events)


async def _soon(queue: asyncio.Queue[Any]) -> Any:
    async with asyncio.timeout(SECONDS):
        return await queue.get()


@pytest.fixture
async def prepared(gateway: Gateway) -> Gateway:
    """With the tables and policies of the transcripts."""
    await gateway.execute((FIXTURES / "schema.sql").read_text())
    return gateway


@pytest.fixture
async def client(prepared: Gateway) -> AsyncGenerator[AsyncClient]:
    client = await acreate_client(prepared.url, prepared.keys.publishable_key)
    try:
        yield client
    finally:
        await client.realtime.close()


async def subscribe(client: AsyncClient, topic: str, *, private: bool = False, **binding: Any) -> Listener:
    listener = Listener()
    channel = client.channel(topic, {"config": {"private": private, "broadcast": None, "presence": None}})
    channel.on_broadcast("evt", listener.events.put_nowait)
    channel.on_system(listener.system.put_nowait)
    if binding:
        channel.on_postgres_changes(callback=listener.events.put_nowait, **binding)
    await channel.subscribe(listener.on_state)
    return listener


async def test_a_broadcast_from_the_database_reaches_who_may_read_its_topic(prepared: Gateway, client: AsyncClient):
    await client.realtime.set_auth(prepared.token(sub="00000000-0000-0000-0000-00000000000a"))
    listener = await subscribe(client, "allowed:office", private=True)
    assert await listener.next_state() == RealtimeSubscribeStates.SUBSCRIBED
    await prepared.execute("""select realtime.send('{"id": "c1"}', 'evt', 'allowed:office')""")
    assert (await listener.next_event())["payload"] == {"id": "c1"}


async def test_who_may_not_read_a_topic_is_told_so(client: AsyncClient):
    listener = await subscribe(client, "allowed:office", private=True)
    assert await listener.next_state() == RealtimeSubscribeStates.CHANNEL_ERROR


async def test_an_insert_binding_sees_its_rows_only(prepared: Gateway, client: AsyncClient):
    listener = await subscribe(client, "rows", event="INSERT", schema="public", table="jobs", filter="office_id=eq.A")
    assert await listener.next_state() == RealtimeSubscribeStates.SUBSCRIBED
    await prepared.execute("insert into jobs (office_id, n) values ('B', 1), ('A', 2)")
    change = await listener.next_event()
    assert change["data"]["record"]["n"] == 2


async def test_a_new_token_decides_which_rows_are_seen_from_then_on(prepared: Gateway, client: AsyncClient):
    await client.realtime.set_auth(prepared.token(office_id="A"))
    listener = await subscribe(client, "rls", event="*", schema="public", table="jobs_rls")
    await _soon(listener.system)
    await client.realtime.set_auth(prepared.token(office_id="B"))
    await _soon(listener.system)
    await prepared.execute("insert into jobs_rls (office_id, n) values ('A', 1), ('B', 2)")
    assert (await listener.next_event())["data"]["record"]["n"] == 2


async def test_the_client_comes_back_after_the_gateway_was_restarted(
    database: Database, embedded_postgres: EmbeddedPostgres
):
    keys = embedded_postgres.keys
    with held_port(0) as port:  # nobody else's between the two
        async with running_gateway(database, keys, port=port) as first:
            client = await acreate_client(first.url, keys.publishable_key)
            listener = await subscribe(client, "room")
            assert await listener.next_state() == RealtimeSubscribeStates.SUBSCRIBED
        try:
            async with running_gateway(database, keys, port=port) as second:
                while await listener.next_state() != RealtimeSubscribeStates.SUBSCRIBED:
                    pass
                await second.execute("""select realtime.send('{"a": 1}', 'evt', 'room', false)""")
                assert (await listener.next_event())["payload"]["a"] == 1
                await client.realtime.close()
        finally:
            await client.realtime.close()
