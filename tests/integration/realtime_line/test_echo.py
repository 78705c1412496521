"""`LIVE` is proven again and again, by one echo for all who listen."""

import asyncio
from dataclasses import replace

from realtime_line.line import ARROWS, LineState
from tests.support.ear import QUICK, listening
from tests.support.hostile_realtime import HostileRealtime, Manners

LIVE, PAUSING, PROVING = LineState.LIVE, LineState.PAUSING, LineState.PROVING


async def test_as_long_as_hints_come_no_echo_is_asked_for(server: HostileRealtime):
    async with listening(server, pace=replace(QUICK, quiet=0.5)) as (line, ear):
        await ear.until(LIVE)
        peer = await server.joined()
        for _ in range(60):
            await peer.broadcast("command", {})
            await ear.hears("command")
            await asyncio.sleep(0.02)  # spread over more than the quiet after which an echo would be asked for
        assert len(server.wishes) == 1
        assert line.state is LIVE


async def test_one_echo_is_heard_by_all_who_listen(server: HostileRealtime):
    async with (
        listening(server, pace=replace(QUICK, quiet=2)) as (patient, ear),
        listening(server, pace=replace(QUICK, quiet=0.05)) as (_, other),
    ):
        await asyncio.gather(ear.until(LIVE), other.until(LIVE))
        await server.until_wishes(60)
        assert patient.state is LIVE
        assert ear.states.empty()


async def test_what_is_in_doubt_is_not_live_until_proven_again(server: HostileRealtime):
    async with listening(server, pace=replace(QUICK, quiet=60)) as (line, ear):
        await ear.until(LIVE)
        line.recheck()
        assert line.state is PROVING
        assert await ear.until(LIVE) == [PROVING, LIVE]
        server.manners = Manners(echoes=False)
        line.recheck()
        assert await ear.until(PAUSING) == [PROVING, PAUSING]


async def test_a_pause_ends_when_the_network_is_back(server: HostileRealtime):
    server.manners = Manners(handshake=503)
    async with listening(server, pace=replace(QUICK, pause_factor=10_000)) as (line, ear):
        await ear.until(PAUSING)
        server.manners = Manners()
        await asyncio.sleep(0)  # it begins to wait
        line.recheck()
        await ear.until(LIVE)


async def test_a_recheck_is_legal_in_every_state(server: HostileRealtime):
    async with listening(server) as (line, ear):
        seen: set[LineState] = set()
        while seen != set(ARROWS):
            seen.add(line.state)
            line.recheck()
            if line.state is PROVING and len(seen) > 3:
                server.manners = Manners(echoes=not server.manners.echoes)
            await asyncio.wait_for(ear.states.get(), 45)
        server.manners = Manners()
        await ear.until(LIVE)
