"""The server's own hearing, before a Realtime server that misbehaves: who waits is woken, and the state is true."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

import office_server.hints
from office_server.hints import Hints
from office_server.rows import OutputChunk
from realtime_line.socket import Endpoint
from shared.channels import events_topic
from shared.ids import ByteOffset, CommandId, OfficeId, SessionId
from tests.support.ear import QUICK
from tests.support.hostile_realtime import SECONDS, HostileRealtime, Manners, hostile_realtime

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[HostileRealtime]:
    async with hostile_realtime() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def hints(server: HostileRealtime) -> AsyncIterator[Hints]:
    hints = Hints(Endpoint(server.url, "service key"), server.echo, QUICK)
    running = asyncio.create_task(hints.run())
    yield hints
    running.cancel()
    await asyncio.wait([running])


class Waiter:
    """Somebody who waits for a command."""

    def __init__(self, office: OfficeId) -> None:
        self.office, self.command, self.event = office, CommandId(uuid4()), asyncio.Event()

    async def woken(self) -> None:
        await asyncio.wait_for(self.event.wait(), SECONDS)
        self.event.clear()


@contextmanager
def waiting(hints: Hints, office: OfficeId | None = None) -> Generator[Waiter]:
    waiter = Waiter(office or OfficeId(uuid4()))
    with hints.listening(waiter.office, waiter.command, waiter.event):
        yield waiter


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110  the property has no event
            await asyncio.sleep(0.005)


async def test_nobody_waits_and_nothing_is_opened(hints: Hints, server: HostileRealtime):
    assert hints.standing == "idle"
    assert server.peers == []


async def test_who_waits_is_woken_by_a_hint_of_its_command_alone(hints: Hints, server: HostileRealtime):
    with waiting(hints) as first, waiting(hints, first.office) as second:
        await until(lambda: hints.live == {first.office})
        peer = await server.joined()
        assert peer.topic == f"realtime:{events_topic(first.office)}"
        assert peer.tokens == ["service key"]
        for waiter in (first, second):
            waiter.event.clear()
        await peer.broadcast("command", {"command_id": str(second.command)})
        await second.woken()
        assert not first.event.is_set()


@pytest.mark.parametrize("payload", [{}, {"command_id": None}, {"command_id": "x"}, {"command_id": [1]}], ids=repr)
async def test_a_hint_that_makes_no_sense_has_everybody_look(
    hints: Hints, server: HostileRealtime, payload: dict[str, object]
):
    with waiting(hints) as waiter:
        await until(lambda: hints.standing == "live")
        peer = await server.joined()
        waiter.event.clear()
        await peer.broadcast("command", payload)
        await waiter.woken()
        assert server.peers == [peer]


async def test_who_looks_at_a_session_is_shown_what_came_of_typing_there_or_told_to_fetch_it(
    hints: Hints, server: HostileRealtime
):
    office, session = OfficeId(uuid4()), SessionId(uuid4())
    shown: asyncio.Queue[OutputChunk | None] = asyncio.Queue()
    with hints.showing(office, session, shown.put_nowait):
        await until(lambda: hints.standing == "live")
        peer = await server.joined()
        while not shown.empty():
            shown.get_nowait()
        await peer.broadcast("output", {"session_id": str(uuid4()), "start": 0, "end": 1, "text": "x"})
        await peer.broadcast("output", {"session_id": str(session), "start": 7, "end": 9, "text": "ls"})
        echo = OutputChunk(start_offset=ByteOffset(7), end_offset=ByteOffset(9), text="ls")
        assert await asyncio.wait_for(shown.get(), SECONDS) == echo
        for of_more in ({"session_id": str(session)}, {"session_id": str(session), "text": 1}):
            await peer.broadcast("output", of_more)
            assert await asyncio.wait_for(shown.get(), SECONDS) is None


async def test_a_closed_channel_has_everybody_look_and_is_made_anew(hints: Hints, server: HostileRealtime):
    with waiting(hints) as waiter:
        await until(lambda: hints.standing == "live")
        peer = await server.joined()
        waiter.event.clear()
        await peer.close_channel()
        await waiter.woken()
        await server.joined()
        await until(lambda: hints.standing == "live")


async def test_a_server_that_says_joined_and_nothing_more_is_not_live(hints: Hints, server: HostileRealtime):
    server.manners = Manners(echoes=False)
    with waiting(hints):
        for _ in range(3):
            await server.joined()
            assert hints.standing == "polling"
        server.manners = Manners()
        await until(lambda: hints.standing == "live")


async def test_an_office_that_is_refused_holds_up_no_other(hints: Hints, server: HostileRealtime):
    server.manners = Manners(join_error="Unauthorized: …")
    with waiting(hints) as refused:
        await server.joined()
        server.manners = Manners()
        with waiting(hints) as served:
            await until(lambda: served.office in hints.live)
        assert refused.office != served.office


async def test_a_line_that_nobody_has_needed_for_a_while_is_ended(
    hints: Hints, server: HostileRealtime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(office_server.hints, "_KEPT_SECONDS", 0.2)
    with waiting(hints) as waiter:
        await until(lambda: hints.standing == "live")
    peer = await server.joined()
    await asyncio.wait_for(peer.connection.wait_closed(), SECONDS)
    await until(lambda: hints.standing == "idle")
    with waiting(hints, waiter.office):
        await until(lambda: hints.live == {waiter.office})


async def test_more_offices_than_there_are_lines_for_go_by_polling(hints: Hints, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(office_server.hints, "_MOST_LINES", 1)
    with waiting(hints, OfficeId(UUID(int=1))), waiting(hints, OfficeId(UUID(int=2))):
        await until(lambda: len(hints.live) == 1)
        assert hints.standing == "polling"
