"""Whom a hint wakes, and how often: a hint may come before what it speaks of can be seen."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from office_server.hints import Hints
from realtime_line.again import AFTER_SECONDS, Again
from realtime_line.line import Line
from realtime_line.socket import Endpoint, Listener
from shared.channels import COMMAND_EVENT, JOBS_EVENT
from shared.ids import CommandId, OfficeId

OFFICE, COMMAND = OfficeId(uuid4()), CommandId(uuid4())
LOOKS = 1 + len(AFTER_SECONDS)
OF_ONE: Mapping[str, Any] = {"command_id": str(COMMAND)}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[Listener]:
    """The listeners of lines that hear nothing by themselves."""
    listeners: asyncio.Queue[Listener] = asyncio.Queue()

    async def never(line: Line) -> None:
        listeners.put_nowait(line._listener)  # pyright: ignore[reportPrivateUsage]
        await asyncio.Event().wait()

    monkeypatch.setattr(Line, "run", never)
    return listeners


@asynccontextmanager
async def running_hints() -> AsyncGenerator[Hints]:
    async def no_echo(_topic: str) -> None: ...

    hints = Hints(Endpoint("ws://127.0.0.1:9/realtime/v1", "key"), no_echo)
    running = asyncio.create_task(hints.run())
    try:
        yield hints
    finally:
        running.cancel()
        await asyncio.wait([running])


async def times_woken(wake: asyncio.Event, times: int) -> None:
    for _ in range(times):
        async with asyncio.timeout(30):
            await wake.wait()
        wake.clear()


@pytest.mark.parametrize("payload", [OF_ONE, {}], ids=["of one command", "of many"])
async def test_who_waits_for_a_command_looks_at_once_and_again(
    heard: asyncio.Queue[Listener], payload: Mapping[str, Any]
) -> None:
    wake = asyncio.Event()
    async with running_hints() as hints:
        with hints.listening(OFFICE, COMMAND, wake):
            (await heard.get()).on_broadcast(COMMAND_EVENT, payload)
            await times_woken(wake, LOOKS)


async def test_who_watches_an_office_looks_at_once_and_again(heard: asyncio.Queue[Listener]) -> None:
    wake = asyncio.Event()
    async with running_hints() as hints:
        with hints.watching(OFFICE, wake):
            (await heard.get()).on_broadcast(JOBS_EVENT, {})
            await times_woken(wake, LOOKS)


async def test_who_follows_what_may_run_looks_at_once_and_again(heard: asyncio.Queue[Listener]) -> None:
    wake = asyncio.Event()
    async with running_hints() as hints:
        with hints.following(OFFICE, wake.set):
            (await heard.get()).on_broadcast(JOBS_EVENT, {})
            await times_woken(wake, LOOKS)


async def test_a_hint_of_another_command_wakes_nobody(heard: asyncio.Queue[Listener]) -> None:
    wake = asyncio.Event()
    async with running_hints() as hints:
        with hints.listening(OFFICE, COMMAND, wake):
            (await heard.get()).on_broadcast(COMMAND_EVENT, {"command_id": str(uuid4())})
            assert not wake.is_set()


async def test_who_has_gone_is_woken_no_more() -> None:
    again, wake = Again((0.0, 0.0)), asyncio.Event()
    again.soon(wake.set)
    again.never(wake.set)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not wake.is_set()


async def test_many_hints_in_a_row_are_looked_into_again_together() -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    again = Again((0.0,))
    for _ in range(100):
        again.soon(look)
    for _ in range(3):
        await asyncio.sleep(0)
    assert looks == 1
