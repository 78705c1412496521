"""Conflicts to come, as a machine tells them: each told once, and cleared when it is over."""

from typing import Any
from uuid import UUID

from tests.integration.database.world import Client, Row, World, refused


def pair(first: str, second: str, *files: str, **more: Any) -> Row:
    names = {"first_branch": f"agent/BE-{first}", "second_branch": f"agent/BE-{second}"}
    return names | {"files": list(files), "files_total": len(files), "uncommitted": False} | more


async def tell(client: Client, office: UUID, *pairs: Row, problem: str | None = None) -> None:
    branches = [{"branch": "agent/BE-a", "session_id": None, "uncommitted": False}]
    await client.call("report_conflicts", p_office=office, p_branches=branches, p_pairs=list(pairs), p_problem=problem)


async def told(world: World, office: UUID) -> list[tuple[str, list[str]]]:
    rows = await world.owner.ask(
        "select kind, detail from session_events where office_id = %s and kind like 'conflict.%%' order by id", office
    )
    return [(row["kind"], row["detail"]["files"]) for row in rows]


async def test_a_pair_is_told_once_while_it_lasts_and_when_it_is_over(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)

    await tell(client, office, pair("a", "b", "x.txt", first_session=str(session)), pair("a", "c", "y.txt"))
    await tell(client, office, pair("a", "b", "x.txt", first_session=str(session)), pair("a", "c", "y.txt"))
    await tell(client, office, pair("a", "b", "x.txt", "z.txt", first_session=str(session)))

    seen = await world.service.call("office_conflicts", p_office=office)
    [live] = seen["conflicts"]
    assert (live["branches"], live["files"], live["online"]) == (["agent/BE-a", "agent/BE-b"], ["x.txt", "z.txt"], True)
    assert live["sessions"] == [str(session), None]
    assert await told(world, office) == [
        ("conflict.forecast", ["x.txt"]), ("conflict.forecast", ["y.txt"]),
        ("conflict.cleared", ["y.txt"]), ("conflict.forecast", ["x.txt", "z.txt"]),
    ]  # fmt: skip

    await tell(client, office)
    await tell(client, office, pair("a", "b", "x.txt"))
    assert [kind for kind, _ in await told(world, office)][-2:] == ["conflict.cleared", "conflict.forecast"]


async def test_a_machine_that_cannot_look_says_why(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await tell(client, office, problem="git 2.30 cannot merge in memory")
    [machine] = (await world.service.call("office_conflicts", p_office=office))["machines"]
    assert (machine["problem"], machine["online"]) == ("git 2.30 cannot merge in memory", True)


async def test_a_machine_speaks_for_itself_and_its_offices_alone(world: World) -> None:
    office, other = await world.office(), await world.office()
    client, stranger = await world.client(office), await world.client(other)
    theirs = await stranger.open_session(other)
    with refused("SO005"):
        async with world.connection.transaction():
            await tell(client, other)
    await tell(client, office, pair("a", "b", "x", first_session=str(theirs)))
    [live] = (await world.service.call("office_conflicts", p_office=office))["conflicts"]
    assert live["sessions"] == [None, None]
    old = client.as_it_was()
    await client.register()
    with refused("SO001"):
        async with world.connection.transaction():
            await tell(old, office)
    assert await (await world.user()).ask("select id from branch_conflicts") == []
    assert len(await (await world.member(office, "viewer")).ask("select id from branch_conflicts")) == 1
