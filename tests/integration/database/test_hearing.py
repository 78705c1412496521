"""Echoes that prove that hints flow, and what a client says of its connection."""

from typing import Any
from uuid import UUID

import pytest

from tests.integration.database.test_hints import hints
from tests.integration.database.world import Caller, Client, Row, World, refused


async def connection_of(world: World, client: Client) -> Row:
    query = "select *, semo.is_online(c) as online from remote_clients c where id = %s"
    return (await world.owner.ask(query, client.id))[0]


async def a_minute_later(world: World) -> None:
    await world.owner.ask("update remote_clients set connection_since = connection_since - interval '1 minute'")


async def who_may_ask(world: World, office: UUID) -> dict[str, Caller]:
    return {
        "a member": await world.member(office, "viewer"),
        "a machine of the office": (await world.client(office)).caller,
        "a machine of another office": (await world.client(await world.office())).caller,
        "nobody's member": await world.user(),
        "the service": world.service,
    }


@pytest.mark.parametrize(
    ("caller", "commands", "events"),
    [
        ("a member", True, True),
        ("a machine of the office", True, False),
        ("a machine of another office", False, False),
        ("nobody's member", False, False),
        ("the service", True, True),
    ],
)
async def test_who_may_listen_may_ask_for_an_echo(world: World, caller: str, commands: bool, events: bool) -> None:
    office = await world.office()
    asks = (await who_may_ask(world, office))[caller]
    for channel, allowed in (("commands", commands), ("events", events)):
        if allowed:
            await asks.call("echo_hint", p_topic=f"office:{office}:{channel}")
        else:
            with refused("SO005"):
                await asks.call("echo_hint", p_topic=f"office:{office}:{channel}")
        assert await hints(world, office, channel) == ([{"event": "echo"}] if allowed else [])


async def test_a_client_says_how_it_is_connected_and_is_online_by_that(world: World) -> None:
    client = await world.client(await world.office())
    assert (await connection_of(world, client))["connection"] is None
    await world.goes_offline(client)
    await client.call("report_connection", p_state="polling")
    said = await connection_of(world, client)
    assert said["connection"] == "polling"
    assert said["connection_since"] == said["last_seen_at"]
    assert said["online"]


@pytest.mark.parametrize("word", [("report_connection", {"p_state": "polling"}), ("heartbeat", {})], ids=lambda w: w[0])
async def test_a_late_word_of_a_client_that_has_signed_off_does_not_bring_it_back(
    world: World, word: tuple[str, dict[str, Any]]
) -> None:
    client = await world.client(await world.office())
    await client.call("sign_off")
    await client.call(word[0], **word[1])
    assert not (await connection_of(world, client))["online"]


async def test_what_it_says_again_is_true_since_it_said_it_first(world: World) -> None:
    client = await world.client(await world.office())
    await client.call("report_connection", p_state="live")
    await a_minute_later(world)
    await client.call("report_connection", p_state="live")
    said = await connection_of(world, client)
    assert said["connection_since"] < said["last_seen_at"]
    await client.call("report_connection", p_state="polling")
    said = await connection_of(world, client)
    assert said["connection_since"] == said["last_seen_at"]


async def test_what_it_says_after_it_was_away_is_true_since_then(world: World) -> None:
    client = await world.client(await world.office())
    await client.call("report_connection", p_state="live")
    await a_minute_later(world)
    await world.goes_offline(client)
    await client.call("report_connection", p_state="live")
    said = await connection_of(world, client)
    assert said["connection_since"] == said["last_seen_at"]


async def test_nobody_says_of_itself_that_it_is_offline(world: World) -> None:
    client = await world.client(await world.office())
    with refused("SO004"):
        await client.call("report_connection", p_state="offline")
