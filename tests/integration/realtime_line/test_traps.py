"""Every trap of Realtime and its Python client that the facts name, each with a server that behaves so."""

import asyncio
import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from realtime_line.line import LineState
from realtime_line.trouble import PATIENCE, Kind
from tests.support.ear import QUICK, TOPIC, listening
from tests.support.hostile_realtime import SECONDS, Frame, HostileRealtime, Manners, Peer
from tests.support.network import network_to

LIVE, PAUSING, PROVING, CONNECTING, JOINING = (
    LineState.LIVE, LineState.PAUSING, LineState.PROVING, LineState.CONNECTING, LineState.JOINING,
)  # fmt: skip
KILLS_THE_READER: Frame = {"somebody": {"metas": [{}]}}
"""As `presence_state`: the library looks for a `phx_ref` in it, outside of any `try`."""


# A callback that raises


async def test_a_listener_that_raises_loses_its_hint_and_not_its_hearing(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await ear.hears("gap")
        await peer.broadcast("unbearable", {})
        await peer.broadcast("command", {})
        assert "gap" in await ear.hears("command"), "what was not understood is looked for in the table"
        assert server.peers == [peer], "on the same socket"


async def test_a_row_without_what_was_expected_is_looked_for_in_the_table(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await peer.broadcast("command", {})
        await ear.hears("command")
        await peer.insert({}, columns=[], errors=["Error 401: Unauthorized"])
        assert await ear.hears("gap") == []
        await peer.insert({"id": "7"}, errors=["Error 413: Payload Too Large"])
        assert await ear.hears("INSERT 7") == []


async def test_a_reader_that_died_inside_the_library_is_noticed_by_the_missing_echo(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        deaf = await server.joined()
        await deaf.send("presence_state", KILLS_THE_READER)
        assert await ear.until(LIVE) == [PAUSING, CONNECTING, JOINING, PROVING, LIVE]
        await (await server.joined()).broadcast("command", {})
        assert "gap" in await ear.hears("command")


# Retries that die silently


@pytest.mark.parametrize("status", [500, 503, 429, 401, 404])
async def test_it_tries_on_after_more_refusals_than_the_library_bears(server: HostileRealtime, status: int):
    server.manners = Manners(handshake=status)
    pace = replace(QUICK, pause_factor=0.002)
    async with listening(server, pace=pace) as (_, ear):
        for _ in range(7):
            assert await ear.until(PAUSING) == [CONNECTING, PAUSING]
        server.manners = Manners()
        await ear.until(LIVE)
        assert server.refused >= 7


async def test_it_tries_on_while_nobody_listens_at_that_address(server: HostileRealtime):
    async with listening(server, url="http://127.0.0.1:1/realtime/v1") as (_, ear):
        for _ in range(7):
            assert await ear.until(PAUSING) == [CONNECTING, PAUSING]


# CLOSED after a duplicate join, and every other end of a channel or a socket


async def test_a_channel_closed_as_after_a_duplicate_join_is_made_anew(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        closed = await server.joined()
        await closed.close_channel()
        await ear.until(LIVE)
        second = await server.joined()
        assert server.peers == [second], "on a socket of its own; nothing is left of the first"


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, None])
async def test_a_socket_that_is_closed_is_replaced(server: HostileRealtime, code: int | None):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        if code is None:
            peer.vanish()
        else:
            await peer.connection.close(code)
        assert await ear.until(LIVE) == [PAUSING, CONNECTING, JOINING, PROVING, LIVE]
        await (await server.joined()).broadcast("command", {})
        assert "gap" in await ear.hears("command"), "what was missed meanwhile is looked for"


# Expired tokens


async def test_a_token_refused_at_the_join_is_renewed_for_the_next(server: HostileRealtime):
    server.manners = Manners(join_error="InvalidJWTToken: Token has expired 10 seconds ago")
    async with listening(server) as (_, ear):
        await server.joined()
        await ear.until(PAUSING)
        server.manners = Manners()
        await ear.until(LIVE)
        assert ear.renewed[:2] == [False, True]


async def test_a_token_that_expires_while_joined_costs_the_socket_and_nothing_more(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await peer.system("error", "Token has expired 0 seconds ago", "system")
        await peer.close_channel()
        await ear.until(LIVE)
        assert (await server.joined()).tokens != peer.tokens


async def test_a_new_token_is_shown_to_the_channel_that_is_joined(server: HostileRealtime):
    async with listening(server) as (line, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await ear.hears("gap")
        line.token_changed()
        await asyncio.wait_for(peer.shown.wait(), SECONDS)
        assert peer.tokens == ["token 1", "token 2"]
        assert server.peers == [peer]


# A silent server


async def test_a_server_that_falls_silent_is_not_called_live(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        server.manners = Manners(echoes=False)
        for _ in range(3):
            assert LIVE not in (await ear.until(PAUSING))[:-1]
        server.manners = Manners()
        await ear.until(LIVE)


@pytest.mark.parametrize(
    "manners", [Manners(never_shakes_hands=True), Manners(answers_joins=False), Manners(takes_wishes=False)], ids=repr
)
async def test_one_that_never_answers_is_given_up(server: HostileRealtime, manners: Manners):
    server.manners = manners
    pace = replace(QUICK, connect=0.2, join=0.2, ask=0.2)
    async with listening(server, pace=pace) as (_, ear):
        for _ in range(3):
            assert LIVE not in await ear.until(PAUSING)
        server.manners = Manners()
        await ear.until(LIVE)


async def test_nothing_of_a_socket_is_left_behind(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        before = len(asyncio.all_tasks())
        for hurt in (Peer.close_channel, _restart, _too_many_messages):
            await hurt(peer)
            await ear.until(LIVE)
            peer = await server.joined()
        assert len(asyncio.all_tasks()) <= before, asyncio.all_tasks()


async def test_nothing_is_left_of_sockets_whose_other_end_never_answers(server: HostileRealtime):
    port = urlsplit(server.url).port
    assert port is not None
    async with network_to(port) as network:
        way = f"http://127.0.0.1:{network.port}/realtime/v1"
        async with listening(server, url=way, pace=replace(QUICK, connect=0.2)) as (_, ear):
            await ear.until(LIVE)
            network.swallow()
            await ear.until(PAUSING)
            network.restore()
            await ear.until(LIVE)
            librarys = [task for task in asyncio.all_tasks() if "AsyncRealtimeClient" in str(task.get_coro())]
            assert len(librarys) == 2, "one reader and one heartbeat"
            async with asyncio.timeout(SECONDS / 2):
                while network.connections > 1:  # noqa: ASYNC110  what lets go of them is the library's
                    await asyncio.sleep(0.01)


async def _restart(peer: Peer) -> None:
    await peer.connection.close(1012)


async def _too_many_messages(peer: Peer) -> None:
    """After such an error the library wants to join again by itself."""
    await peer.system("error", "Too many messages per second", "system")


# Frames that no client takes


async def test_a_frame_above_a_mebibyte_costs_the_socket_and_no_command(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await peer.insert({"id": "1", "payload": "x" * 2**20})
        await peer.connection.wait_closed()
        assert peer.connection.close_code == 1009
        await ear.until(LIVE)
        await (await server.joined()).insert({"id": "2"})
        assert "gap" in await ear.hears("INSERT 2")


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", b"\x00\xff", json.dumps({"topic": f"realtime:{TOPIC}"})])
async def test_a_frame_that_makes_no_sense_is_passed_over(server: HostileRealtime, text: str | bytes):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await peer.text(text)
        await peer.broadcast("command", {})
        await ear.hears("command")
        assert server.peers == [peer]


# SUBSCRIBED before changes flow


async def test_subscribed_is_not_live_until_something_was_heard(server: HostileRealtime):
    server.manners = Manners(echoes=False)
    async with listening(server, pace=replace(QUICK, hear=60)) as (_, ear):
        assert await ear.until(PROVING) == [CONNECTING, JOINING, PROVING]
        peer = await server.joined()
        await ear.hears("gap")
        await peer.system("ok", "Subscribed to PostgreSQL", "postgres_changes")
        await ear.hears("gap")
        assert ear.states.empty(), "the server's own words prove nothing"
        await peer.broadcast("command", {})
        assert await ear.until(LIVE) == [LIVE], "a hint does"


async def test_what_was_written_before_changes_flow_is_looked_for(server: HostileRealtime):
    server.manners = Manners(subscribed=None)
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await ear.hears("gap")  # the join's
        await peer.broadcast("command", {})
        await ear.hears("command")
        await peer.system("ok", "Subscribed to PostgreSQL", "postgres_changes")
        assert await ear.hears("gap") == []


# Rate limits


@pytest.mark.parametrize(
    "code",
    ["ChannelRateLimitReached", "ConnectionRateLimitReached", "ClientJoinRateLimitReached",
     "DatabaseConnectionRateLimitReached"],
)  # fmt: skip
async def test_a_rate_limit_is_waited_out_and_nothing_hurries_it(server: HostileRealtime, code: str):
    server.manners = Manners(join_error=f"{code}: Too many of them")
    async with listening(server, pace=replace(QUICK, pause_factor=1)) as (line, ear):
        peer = await server.joined()
        await ear.until(PAUSING)
        await peer.connection.wait_closed()
        for _ in range(5):
            line.recheck()
            await asyncio.sleep(0)
        assert line.state is PAUSING
    assert PATIENCE[Kind.RATE_LIMITED].first >= 30


async def test_a_channel_closed_for_too_many_messages_is_made_anew(server: HostileRealtime):
    async with listening(server) as (_, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        await peer.system("error", "Too many messages per second", "system")
        await peer.close_channel()
        await ear.until(LIVE)


# The error replies


@pytest.mark.parametrize(
    "reason",
    ["Unauthorized: You do not have permissions to read from this Channel topic: x", "PrivateOnly: …",
     "MalformedJWT: …", "JwtSignatureError: …", "UnableToConnectToProject: …", "unmatched topic", ""],
)  # fmt: skip
async def test_a_refused_join_is_never_tried_again_on_its_socket(server: HostileRealtime, reason: str):
    server.manners = Manners(join_error=reason)
    async with listening(server) as (_, ear):
        refused = await server.joined()
        await ear.until(PAUSING)
        server.manners = Manners()
        await ear.until(LIVE)
        assert refused.connection.close_code is not None
        assert len(refused.tokens) == 1, "one join on it"


@pytest.mark.parametrize(
    "manners",
    [Manners(binding_error="Unable to subscribe to changes with given parameters."), Manners(foreign_bindings=True)],
    ids=repr,
)
async def test_a_refused_binding_costs_the_second_path_and_not_the_first(server: HostileRealtime, manners: Manners):
    server.manners = manners
    async with listening(server) as (_, ear):
        assert (await server.joined()).bindings != []
        without = await server.joined()
        assert without.bindings == []
        while server.peers != [without]:
            await ear.until(LIVE)
        await without.broadcast("command", {})
        await ear.hears("command")
