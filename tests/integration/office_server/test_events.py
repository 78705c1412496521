"""The stream of an office: everything that moves, from any place on, until the token is over or the server stops."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.integration.office_server.conftest import Api, Project, TokenMaker, caller, running_server
from tests.integration.office_server.machine import Machine
from tests.integration.office_server.test_access import assert_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
SECONDS = 30


@dataclass
class Stream:
    """What is heard of a stream, block by block."""

    lines: Any
    last_id: str = ""

    async def block(self) -> dict[str, str]:
        found: dict[str, str] = {}
        async with asyncio.timeout(SECONDS):
            async for line in self.lines:
                if not line:
                    self.last_id = found.get("id", self.last_id)
                    return found
                name, _, value = line.partition(": ")
                found[name] = value
        raise EOFError

    async def event(self) -> dict[str, Any]:
        while True:
            block = await self.block()
            if "data" in block:
                return {"event": block["event"], **json.loads(block["data"])}

    async def until(self, kind: str) -> list[str]:
        """The kinds of events up to that one."""
        kinds: list[str] = []
        while not kinds or kinds[-1] != kind:
            kinds.append((await self.event())["event"])
        return kinds


@asynccontextmanager
async def following(api: Api, *, last_id: str | None = None, **params: Any) -> AsyncGenerator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with api.http.stream("GET", f"{api.base}/events", params=params, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer.aiter_lines())
        await stream.block()
        yield stream


async def test_everything_a_prompt_does_is_seen_as_it_happens_and_can_be_read_again(admin: Api, machine: Machine):
    async with following(admin) as stream:
        start = stream.last_id
        await admin.post("/prompts", {"text": "make test", "role": "BE"})
        kinds = await stream.until("command.completed")
    assert [kind for kind in kinds if kind.startswith("command.")] == [
        "command.stored", "command.claimed", "command.completed",
    ]  # fmt: skip
    assert {"session.creating", "turn.ended"} <= set(kinds)
    async with following(admin, last_id=start, kinds=["command"]) as again:
        replayed = [await again.event() for _ in range(3)]
    assert [event["kind"] for event in replayed] == ["command.stored", "command.claimed", "command.completed"]
    assert replayed[1]["detail"]["client_id"] == machine.client
    async with following(admin, after=replayed[1]["id"], kinds=["command"]) as rest:
        assert await rest.event() == replayed[2]


async def test_a_stream_that_is_to_end_ends_and_gives_what_is_kept(admin: Api):
    await admin.post("/prompts", {"text": "x", "role": "BE"})
    answer = await admin.get("/events", after="0-0", wait=0)
    assert answer.status_code == 200
    assert "event: command.stored" in answer.text


@pytest.mark.parametrize("wrong", [{"after": "7"}, {"kinds": "Command!"}, {"wait": -1}])
async def test_senseless_questions_are_refused_before_the_stream_begins(admin: Api, wrong: dict[str, Any]):
    assert_problem(await admin.get("/events", **wrong), 422, "invalid_payload")


@pytest.mark.parametrize("over", ["expires_at", "revoked_at"])
async def test_a_stream_shows_that_it_lives_and_ends_with_its_token(
    project: Project, office_id: str, new_token: TokenMaker, over: str
):
    async with (
        running_server(project.settings(heartbeat_seconds=0.1)) as url,
        caller(url, office_id, await new_token(office=office_id)) as api,
        following(api) as stream,
    ):
        assert "" in await stream.block()
        await project.sql(f"update api_tokens set {over} = now() where office_id = %s", office_id)  # noqa: S608  our own names
        end = await stream.event()
        assert (end["event"], end["code"]) == ("end", "unauthenticated")
        with pytest.raises(EOFError):
            await stream.block()


async def test_all_followers_get_the_same_news(admin: Api, project: Project, office_id: str):
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(following(admin)) for _ in range(5)]
        await project.sql("select semo.tell(%s, 'plan.started', '{\"n\":1}')", office_id)
        events = await asyncio.gather(*(stream.event() for stream in streams))
    assert {event["id"] for event in events} == {events[0]["id"]}
    assert events[0]["detail"] == {"n": 1}


async def test_an_office_one_may_not_see_has_no_stream(server: str, office_id: str):
    async with httpx.AsyncClient(base_url=server) as http:
        answer = await http.get(f"/api/offices/{office_id}/events")
        assert_problem(answer, 401, "unauthenticated")
