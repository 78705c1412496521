"""Who sees and who writes which rows: every table, as seen by everybody there is."""

import uuid
from dataclasses import dataclass
from uuid import UUID

import pytest

from tests.integration.database.world import Caller, Client, World, refused

TABLES = [
    "offices", "office_members", "agent_personas", "api_tokens", "remote_clients", "client_offices", "enrollments",
    "agent_commands", "agent_command_results", "agent_sessions", "session_turns", "session_events", "session_output",
    "role_circuits", "approvals",
]  # fmt: skip
NOT_FOR_PEOPLE = {"api_tokens", "enrollments"}
FOR_ANOTHER_MACHINE_OF_THE_OFFICE = {"offices", "agent_personas", "client_offices", "agent_commands"}
FOR_THE_OWN_MACHINE = FOR_ANOTHER_MACHINE_OF_THE_OFFICE | {
    "remote_clients", "agent_sessions", "session_turns", "session_output", "role_circuits",
    "approvals",
}  # fmt: skip


@dataclass
class FullOffice:
    """One office with a row in every table; the callers around it."""

    office: UUID
    client: Client
    owner: Caller
    callers: dict[str, Caller]


@pytest.fixture
async def full(world: World) -> FullOffice:
    await world.owner.ask("delete from agent_personas where office_id is null and role <> 'BE'")
    office, other = await world.office(), await world.office()
    client, second = await world.client(office), await world.client(office)
    await world.owner.insert("agent_personas", office_id=office, role="Poet", name="P", persona_prompt="Write.")
    await world.owner.insert("api_tokens", office_id=office, name="ci", token_hash="0" * 64, role="operator")
    await world.owner.insert("enrollments", office_id=office, code_hash="1" * 64)
    await world.prompt(office)
    (command,) = await client.claim()
    session = await client.open_session(office, command)
    turn = uuid.uuid4()
    await client.typed(command, session, turn)
    await client.call("append_output", p_chunks=[{"session_id": str(session), "start": 0, "end": 1, "text": "x"}])
    await client.call(
        "record_events", p_events=[{"office_id": str(office), "session_id": str(session), "kind": "note"}]
    )
    await client.ask_approval(command, session, turn)
    await client.complete(command)
    await client.open_circuit(office)
    callers = {role: await world.member(office, role) for role in ("viewer", "operator", "admin")}
    callers |= {
        "member of another office": await world.member(other, "admin"),
        "nobody's member": await world.user(),
        "the machine": client.caller,
        "another machine of the office": second.caller,
        "a machine of another office": (await world.client(other)).caller,
        "anon": world.anon,
        "service": world.service,
    }
    return FullOffice(office, client, world.owner, callers)


async def seen_by(full: FullOffice, caller: str) -> set[str]:
    """The tables of which the caller sees rows that belong to the full office."""
    seen: set[str] = set()
    for table in TABLES:
        mine = {
            "offices": "id = %(office)s",
            "remote_clients": "id = %(client)s",
            "session_turns": "session_id in (select s.id from agent_sessions s where s.client_id = %(client)s)",
            "session_output": "session_id in (select s.id from agent_sessions s where s.client_id = %(client)s)",
        }.get(table, "office_id = %(office)s")
        condition = mine.replace("%(office)s", f"'{full.office}'").replace("%(client)s", f"'{full.client.id}'")
        if not await full.owner.value("select has_table_privilege(%s, %s, 'select')", full.callers[caller].role, table):
            continue
        if await full.callers[caller].value(f"select count(*) from {table} where {condition}"):  # noqa: S608  our own names
            seen.add(table)
    return seen


@pytest.mark.parametrize("member", ["viewer", "operator", "admin"])
async def test_members_see_all_of_their_office_but_tokens_and_codes(full: FullOffice, member: str) -> None:
    assert await seen_by(full, member) == set(TABLES) - NOT_FOR_PEOPLE


async def test_the_service_sees_everything(full: FullOffice) -> None:
    assert await seen_by(full, "service") == set(TABLES)


@pytest.mark.parametrize("stranger", ["member of another office", "nobody's member", "a machine of another office"])
async def test_strangers_see_nothing_of_it(full: FullOffice, stranger: str) -> None:
    assert await seen_by(full, stranger) == set()


async def test_a_machine_sees_what_it_needs(full: FullOffice) -> None:
    assert await seen_by(full, "the machine") == FOR_THE_OWN_MACHINE


async def test_another_machine_of_the_office_sees_no_terminals(full: FullOffice) -> None:
    assert await seen_by(full, "another machine of the office") == FOR_ANOTHER_MACHINE_OF_THE_OFFICE - {
        "remote_clients"
    }


async def test_a_machine_does_not_see_what_is_meant_for_another_one(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    command = await world.prompt(office, client_id=client.id)
    assert await client.caller.ask("select id from agent_commands where id = %s", command["id"])
    assert await other.caller.ask("select id from agent_commands where id = %s", command["id"]) == []


async def test_a_revoked_machine_sees_nothing_but_itself(full: FullOffice, world: World) -> None:
    await world.service.call("revoke_client", p_client=full.client.id)
    assert await seen_by(full, "the machine") == {"remote_clients"}


# A column that an update can name.
TIMES = {"session_events": "at", "session_turns": "started_at", "session_output": "at", "client_offices": "joined_at",
         "role_circuits": "opened_at"}  # fmt: skip


async def test_anon_sees_and_writes_nothing(full: FullOffice) -> None:
    for table in TABLES:
        for query in (f"select * from {table}", *writes(table)):  # noqa: S608  our own names
            with refused("42501", "permission denied"):
                await full.callers["anon"].ask(query)


@pytest.mark.parametrize("caller", ["viewer", "operator", "admin", "the machine", "nobody's member"])
async def test_signed_in_callers_write_no_row_by_hand(full: FullOffice, caller: str) -> None:
    for table in TABLES:
        for query in writes(table):
            if table == "agent_commands" and query.startswith("insert"):
                continue  # has its own tests in test_asking.py
            with refused("42501", "permission denied"):
                await full.callers[caller].ask(query)


async def test_not_even_the_service_writes_what_only_owners_report(full: FullOffice) -> None:
    for table in (
        "agent_command_results",
        "agent_sessions",
        "session_turns",
        "session_output",
        "session_events",
        "role_circuits",
        "approvals",
    ):
        for query in writes(table):
            with refused("42501", "permission denied"):
                await full.callers["service"].ask(query)


def writes(table: str) -> tuple[str, str, str]:
    column = TIMES.get(table, "created_at")
    return (
        f"insert into {table} default values",
        f"update {table} set {column} = {column}",  # noqa: S608  our own names
        f"delete from {table}",  # noqa: S608  our own names
    )


async def test_deleting_an_office_takes_all_of_it_along(full: FullOffice, world: World) -> None:
    await world.service.ask("delete from offices where id = %s", full.office)
    full.callers["owner"] = world.owner
    assert await seen_by(full, "owner") == {"remote_clients"}


@pytest.mark.parametrize(
    ("caller", "commands", "events"),
    [
        ("viewer", True, True), ("admin", True, True),
        ("the machine", True, False), ("another machine of the office", True, False),
        ("a machine of another office", False, False), ("member of another office", False, False),
        ("nobody's member", False, False), ("anon", False, False),
    ],
)  # fmt: skip
async def test_who_may_listen_to_which_topic(full: FullOffice, caller: str, commands: bool, events: bool) -> None:
    for channel, allowed in (("commands", commands), ("events", events), ("other", False), ("commands:x", False)):
        assert await may_join(full.callers[caller], f"office:{full.office}:{channel}") == allowed, channel
    for topic in (
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


@pytest.mark.parametrize("caller", ["viewer", "admin", "the machine", "nobody's member", "anon"])
async def test_nobody_sends_but_the_database(full: FullOffice, caller: str) -> None:
    topic = f"office:{full.office}:commands"
    with refused("42501", "row-level security"):
        await full.callers[caller].ask(
            "insert into realtime.messages (topic, extension) values (%s, 'broadcast')", topic
        )
