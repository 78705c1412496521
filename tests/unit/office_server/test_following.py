"""Followers: who is woken when, what they share, and how it ends. In which order events come, the database says."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from office_server.backend import Backend
from office_server.following import Feed
from office_server.hints import Hints
from office_server.rows import Event, EventPage
from realtime_line.socket import Endpoint
from shared.errors import BackendDown
from shared.ids import OfficeId

OFFICE = OfficeId(uuid4())
LONG = 30.0


def event(number: int) -> Event:
    return Event.model_validate(
        {"id": f"{number}-1", "kind": "a.b", "at": "2026-01-01T00:00:00Z", "office_id": OFFICE, "session_id": None,
         "command_id": None, "detail": {}}
    )  # fmt: skip


class Told:
    """What was told so far; `reads` counts the questions. `before` is called with each."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.held_back = False
        self.reads = 0
        self.before: Callable[[], Any] = lambda: None

    async def read(self, _office: OfficeId, after: str | None, _kinds: frozenset[str]) -> EventPage:
        self.reads += 1
        self.before()
        await asyncio.sleep(0)
        if after is None:
            return EventPage(events=[], next="0-0", held_back=False)
        new = [one for one in self.events if int(one.id.split("-")[0]) > int(after.split("-")[0])]
        return EventPage(events=new, next=new[-1].id if new else after, held_back=self.held_back)


def feed_of(told: Told, poll_seconds: float = LONG) -> Feed:
    async def nothing(_topic: str) -> None: ...

    hints = Hints(Endpoint("http://127.0.0.1:1", "key"), nothing)
    return Feed(cast(Backend, SimpleNamespace(events=told)), hints, poll_seconds)


async def test_a_nudge_wakes_those_who_wait_and_they_ask_once_for_all():
    told = Told()
    feed = feed_of(told)
    async with feed.following(OFFICE) as first, feed.following(OFFICE) as second:
        waiting = asyncio.gather(first.more(LONG), second.more(LONG))
        await asyncio.sleep(0.01)
        told.reads, told.events = 0, [event(1)]
        feed.nudge(OFFICE)
        assert await asyncio.wait_for(waiting, LONG) == [[event(1)], [event(1)]]
    assert told.reads == 1
    assert feed.followers == 0


async def test_what_is_told_while_another_one_asks_is_not_missed():
    told = Told()
    feed = feed_of(told)
    async with feed.following(OFFICE) as follower:

        def tell_behind_the_question() -> None:
            told.before = lambda: None
            told.events = []
            asyncio.get_running_loop().call_soon(told.events.append, event(1))
            asyncio.get_running_loop().call_soon(feed.nudge, OFFICE)

        told.before = tell_behind_the_question
        assert await asyncio.wait_for(follower.more(LONG), LONG) == [event(1)]


async def test_what_a_running_transaction_holds_back_is_asked_for_soon_again():
    told = Told()
    told.held_back = True
    feed = feed_of(told)
    async with feed.following(OFFICE) as follower:
        told.before = lambda: told.events.append(event(1)) if told.reads == 4 else None
        assert await asyncio.wait_for(follower.more(LONG), LONG - 5) == [event(1)]


async def test_an_outage_is_no_end():
    told = Told()
    feed = feed_of(told, poll_seconds=0.01)

    def away() -> None:
        if told.reads < 5:
            raise BackendDown()
        told.events = [event(1)]

    async with feed.following(OFFICE) as follower:
        told.before = away
        assert await asyncio.wait_for(follower.more(LONG), LONG) == [event(1)]
    told.reads = 0
    with pytest.raises(BackendDown):
        async with feed.following(OFFICE):
            pass


async def test_all_following_ends_when_the_server_stops():
    feed = feed_of(Told())
    async with feed.following(OFFICE) as follower:
        waiting = asyncio.create_task(follower.more(LONG))
        await asyncio.sleep(0.01)
        feed.close()
        assert await asyncio.wait_for(waiting, LONG - 5) == []
        assert [one async for one in follower] == []
