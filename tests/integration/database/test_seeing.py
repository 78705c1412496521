"""What the matrix of access does not try: rows within a table, odd topics, and what a deleted office leaves."""

from string import Template

import pytest

from tests.integration.database.access import CALLERS, expected
from tests.integration.database.full_office import FullOffice, full_office
from tests.integration.database.world import Caller, World


@pytest.fixture
async def full(world: World) -> FullOffice:
    return await full_office(world)


async def column_of(owner: Caller, table: str) -> str:
    """Which rows are the office's, where access.toml leaves it to the columns."""
    columns = await owner.ask("select column_name from information_schema.columns where table_name = %s", table)
    named = {column["column_name"] for column in columns}
    return next(f"{name}_id = ${name}" for name in ("office", "client", "session") if f"{name}_id" in named)


async def seen_by(full: FullOffice, caller: Caller) -> set[str]:
    """The tables of which the caller sees rows that belong to the full office."""
    seen: set[str] = set()
    ids = {"office": f"'{full.office}'", "client": f"'{full.client.id}'", "session": f"'{full.session}'"}
    for table, thing in expected().tables.items():
        if table.startswith("semo."):
            continue
        if not await full.owner.value("select has_table_privilege(%s, %s, 'select')", caller.role, table):
            continue
        rows = Template(thing.of or await column_of(full.owner, table)).substitute(ids)
        if await caller.value(f"select count(*) from {table} where {rows}"):  # noqa: S608  our own names
            seen.add(table)
    return seen


async def test_a_machine_does_not_see_what_is_meant_for_another_one(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    command = await world.prompt(office, client_id=client.id)
    assert await client.caller.ask("select id from agent_commands where id = %s", command["id"])
    assert await other.caller.ask("select id from agent_commands where id = %s", command["id"]) == []


async def test_a_machine_that_is_revoked_sees_nothing_from_then_on(full: FullOffice, world: World) -> None:
    await world.service.call("revoke_client", p_client=full.client.id)
    assert await seen_by(full, full.client.caller) == {"remote_clients"}


async def test_deleting_an_office_takes_all_of_it_along_but_who_did_what(full: FullOffice, world: World) -> None:
    await world.service.ask("delete from offices where id = %s", full.office)
    assert await seen_by(full, world.owner) == {"remote_clients", "audit_log"}


@pytest.mark.parametrize("caller", CALLERS[:-1])
async def test_nobody_listens_to_a_topic_that_only_looks_like_one(full: FullOffice, caller: str) -> None:
    for topic in (
        f"office:{full.office}:other",
        f"office:{full.office}:commands:x",
        f"office:{str(full.office).upper()}:commands",
        "office::commands",
        "",
        f"x office:{full.office}:commands",
    ):
        assert not await may_join(full.callers[caller], topic), topic


async def may_join(caller: Caller, topic: str) -> bool:
    """As the Realtime server finds out: by reading, as the caller, a message of the topic that is to be joined."""
    async with caller.connection.transaction(force_rollback=True):
        await caller.connection.execute(
            "insert into realtime.messages (topic, extension, private) values (%s, 'broadcast', true)", (topic,)
        )
        await caller.connection.execute("select set_config('realtime.topic', %s, true)", (topic,))
        return bool(await caller.ask("select 1 from realtime.messages where topic = %s", topic))
