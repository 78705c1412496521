"""Pull requests: rows that move as the machine's commands come to an end, merged in the order that they depend on."""

from typing import Any
from uuid import UUID

import pytest

from tests.integration.database.world import Client, Row, World, refused


class Hub:
    """An office, its machine and the pull requests of both."""

    def __init__(self, world: World, office: UUID, client: Client) -> None:
        self.world, self.office, self.client = world, office, client

    @classmethod
    async def open(cls, world: World) -> "Hub":
        office = await world.office()
        return cls(world, office, await world.client(office))

    async def session(self, task: str) -> UUID:
        session = await self.client.open_session(self.office)
        await self.client.move(session, "ready", branch=f"agent/BE-{task}", task=task)
        return session

    async def publish(self, task: str, *after: Row, branch: str | None = None, **more: Any) -> Row:
        """Asked for; nobody has done anything yet."""
        return await self.world.service.call(
            "open_pull_request", p_office=self.office, p_author="user:ada", p_client=self.client.id,
            p_branch=branch or f"agent/BE-{task}", p_after=[UUID(one["id"]) for one in after] or "{}", **more,
        )  # fmt: skip

    async def answer(self, command_type: str, **result: Any) -> None:
        """The machine does what it is asked, and says how that went."""
        [command] = await self.client.claim()
        assert command["command_type"] == command_type
        error = result.pop("error", None)
        more = {"p_error_code": "conflict", "p_error": error} if error else {}
        await self.client.complete(command, success=error is None, p_result=result, **more)

    async def opened(self, task: str, *after: Row) -> Row:
        row = await self.publish(task, *after)
        number = int(row["id"][:4], 16)
        await self.answer("publish_branch", state="open", number=number, url="u", base="main", head="h", checks="none")
        return await self.now(row)

    async def merge(self, row: Row, **more: Any) -> Row:
        return await self.world.service.call(
            "merge_pull_request", p_office=self.office, p_pull_request=UUID(row["id"]), p_author="user:ada", **more
        )

    async def now(self, row: Row) -> Row:
        rows = await self.world.service.call("office_pull_requests", p_office=self.office)
        return next(one for one in rows if one["id"] == row["id"])

    async def told(self) -> list[str]:
        rows = await self.world.owner.ask(
            "select kind from session_events where office_id = %s and kind like 'pull_request.%%' order by id",
            self.office,
        )
        return [row["kind"].removeprefix("pull_request.") for row in rows]


async def test_it_is_published_opened_merged_and_told_of(world: World) -> None:
    hub = await Hub.open(world)
    session = await hub.session("login")
    row = await world.service.call("open_pull_request", p_office=hub.office, p_author="user:ada", p_session=session)
    assert (row["state"], row["title"], row["role"], row["labels"]) == (
        "publishing",
        "[BE] login",
        "BE",
        ["semo", "be"],
    )

    await hub.answer("publish_branch", state="open", number=7, url="https://x/7", base="main", head="h", changed=["a"])
    row = await hub.now(row)
    assert (row["state"], row["number"], row["url"], row["base"], row["changed"]) == (
        "open", 7, "https://x/7", "main", ["a"],
    )  # fmt: skip
    assert (await hub.merge(row, p_method="squash"))["state"] == "merging"
    await hub.answer("merge_branch", state="merged", head="h", worktree="removed")

    row = await hub.now(row)
    assert (row["state"], row["worktree"], row["merged_at"] is not None) == ("merged", "removed", True)
    assert await hub.told() == ["open", "merging", "merged"]
    assert (await hub.merge(row))["state"] == "merged"


async def test_publishing_again_is_about_the_same_pull_request(world: World) -> None:
    hub = await Hub.open(world)
    first = await hub.publish("login", p_title="Log in")
    assert (await hub.publish("login"))["id"] == first["id"]
    await hub.answer("publish_branch", error="others have pushed to agent/BE-login")
    failed = await hub.now(first)
    assert (failed["state"], failed["problem"]) == ("failed", "others have pushed to agent/BE-login")
    with refused("SO002", "is failed"):
        async with world.connection.transaction():
            await hub.merge(failed)

    again = await hub.publish("login")
    assert (again["id"], again["state"], again["title"], again["problem"]) == (
        first["id"],
        "publishing",
        "[BE] Log in",
        None,
    )
    await hub.answer("publish_branch", state="pushed", missing="no gh", base="main")
    assert (await hub.now(first))["missing"] == "no gh"


async def test_merges_follow_their_order_one_at_a_time(world: World) -> None:
    hub = await Hub.open(world)
    below = await hub.opened("below")
    middle = await hub.opened("middle", below)
    above = await hub.opened("above", middle)
    other = await hub.opened("other")
    for row in (above, middle, other):
        await hub.merge(row)
    assert (await hub.now(other))["state"] == "merging"
    waiting = await hub.now(above)
    assert waiting["state"] == "open"
    assert {one["branch"] for one in waiting["waits_for"]} == {"agent/BE-below", "agent/BE-middle"}

    await hub.merge(below)
    assert (await hub.now(below))["state"] == "open", "one at a time on a machine"
    for row in (other, below, middle, above):
        assert (await hub.now(row))["state"] == "merging"
        await hub.answer("merge_branch", state="merged", head="h", worktree="removed")
        assert (await hub.now(row))["state"] == "merged"


async def test_a_conflict_names_its_files_and_lets_others_go_on(world: World) -> None:
    hub = await Hub.open(world)
    first, second = await hub.opened("first"), await hub.opened("second")
    await hub.merge(first)
    await hub.merge(second)

    await hub.answer("merge_branch", error="agent/BE-first conflicts with main in a.txt", files=["a.txt"])

    row = await hub.now(first)
    assert (row["state"], row["files"], row["merge_wanted_at"]) == ("conflict", ["a.txt"], None)
    assert (await hub.now(second))["state"] == "merging"
    assert (await hub.merge(row))["state"] == "conflict", "it waits for its turn"
    await hub.answer("merge_branch", error="not now")
    assert (await hub.now(second))["state"] == "open", "what is no conflict leaves it as it was"
    assert (await hub.now(second))["problem"] == "not now"


async def test_a_merge_that_the_host_queues_is_not_asked_for_again(world: World) -> None:
    hub = await Hub.open(world)
    row = await hub.opened("login")
    await hub.merge(row)
    await hub.answer("merge_branch", state="open", head="h")
    assert (await hub.now(row))["state"] == "open"
    assert await hub.client.claim() == []


async def test_those_that_are_open_are_looked_at_from_time_to_time(world: World) -> None:
    hub = await Hub.open(world)
    row = await hub.opened("login")
    assert await world.service.call("follow_pull_requests") == 0
    await world.owner.ask("update pull_requests set looked_at = now() - interval '2 minutes'")
    assert await world.service.call("follow_pull_requests") == 1
    assert await world.service.call("follow_pull_requests") == 0
    await hub.answer("follow_pull_request", state="open", checks="failing")
    assert (await hub.now(row))["checks"] == "failing"
    await world.owner.ask("update pull_requests set looked_at = now() - interval '2 minutes'")
    await world.service.call("follow_pull_requests")
    await hub.answer("follow_pull_request", error="gh did not answer")
    assert (await hub.now(row))["state"] == "open"
    await world.goes_offline(hub.client)
    await world.owner.ask("update pull_requests set looked_at = now() - interval '2 minutes'")
    assert await world.service.call("follow_pull_requests") == 0
    assert await hub.told() == ["open", "checks"]


async def test_bad_wishes_are_refused_and_leave_nothing(world: World) -> None:
    hub = await Hub.open(world)
    a = await hub.opened("a")
    b = await hub.opened("b", a)
    elsewhere = await Hub.open(world)
    for code, words, wish in (
        ("SO004", "before itself", lambda: hub.publish("a", b)),
        ("SO004", "not a branch of an agent", lambda: hub.publish("x", branch="main")),
        ("SO003", "no pull request", lambda: elsewhere.publish("x", a)),
        ("SO003", "no pull request", lambda: elsewhere.merge(a)),
        ("SO004", "method must be", lambda: hub.merge(a, p_method="octopus")),
    ):
        with refused(code, words):
            async with world.connection.transaction():
                await wish()
    assert await elsewhere.world.service.call("office_pull_requests", p_office=elsewhere.office) == []


@pytest.mark.parametrize("role", ["viewer", None])
async def test_members_alone_see_them(world: World, role: str | None) -> None:
    hub = await Hub.open(world)
    await hub.opened("login")
    caller = await world.member(hub.office, role) if role else await world.user()
    seen = await caller.ask("select id from pull_requests")
    assert len(seen) == (1 if role else 0)
    if role is None:
        with refused("SO003"):
            await caller.call("office_pull_requests", p_office=hub.office)
