"""Inserting a command by hand is enough, and nothing else can be smuggled in with it; and why a command waits."""

import uuid

import pytest

from tests.integration.database.world import Client, Row, World, refused

FORGED: Row = {
    "status": "completed", "attempt": 9, "claim_epoch": 4, "lease_until": "2100-01-01", "created_at": "2000-01-01",
    "claimed_at": "2000-01-01", "typed_at": "2000-01-01", "confirmed_at": "2000-01-01", "finished_at": "2000-01-01",
    "not_before": "2100-01-01",
}  # fmt: skip


async def test_the_shortest_insert_is_a_whole_command(world: World) -> None:
    office = await world.office()
    command = await world.command(office, "create_session", {"role": "BE"})
    assert (command["status"], command["attempt"], command["priority"]) == ("pending", 1, 0)
    assert command["author"] == "service_role"
    assert [row["id"] for row in await (await world.client(office)).claim()] == [command["id"]]


async def test_forged_columns_are_reset(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    forged = await world.command(office, "create_session", {"role": "BE"}, claimed_by=client.id, **FORGED)
    honest = await world.command(office, "create_session", {"role": "BE"})
    own = {"id", "seq"}
    assert {k: v for k, v in forged.items() if k not in own} == {k: v for k, v in honest.items() if k not in own}


@pytest.mark.parametrize("column", [*FORGED, "claimed_by", "author", "seq", "id"])
async def test_an_operator_cannot_even_name_such_a_column(world: World, column: str) -> None:
    office = await world.office()
    operator = await world.member(office, "operator")
    with refused("42501"):
        await operator.ask(
            f"insert into agent_commands (office_id, command_type, payload, {column})"  # noqa: S608  our own names
            """ values (%s, 'create_session', '{"role":"BE"}', default)""",
            office,
        )


async def test_the_place_in_the_queue_cannot_be_chosen(world: World) -> None:
    with refused("428C9"):
        await world.command(await world.office(), "create_session", {"role": "BE"}, seq=1)


async def test_nobody_updates_a_command_by_hand(world: World) -> None:
    office = await world.office()
    command = await world.prompt(office)
    for caller in (world.service, await world.member(office, "admin"), (await world.client(office)).caller, world.anon):
        with refused("42501"):
            await caller.ask("update agent_commands set status = 'completed' where id = %s", command["id"])


async def test_the_author_of_every_command_is_recorded(world: World) -> None:
    office = await world.office()
    operator = await world.member(office, "operator")
    (by_hand,) = await world.owner.ask(
        "insert into agent_commands (office_id, command_type, payload)"
        """ values (%s, 'create_session', '{"role":"BE"}') returning author""",
        office,
    )
    assert by_hand["author"] == "sql:postgres"
    by_person = await operator.insert(
        "agent_commands", office_id=office, command_type="create_session", payload={"role": "BE"}
    )
    assert by_person["author"] == f"user:{operator.user}"
    by_server = await world.command(office, "create_session", {"role": "BE"}, author="token:ci")
    assert by_server["author"] == "token:ci"


async def test_only_operators_and_admins_of_the_office_ask_for_work(world: World) -> None:
    office = await world.office()
    for role in ("operator", "admin"):
        member = await world.member(office, role)
        await member.insert("agent_commands", office_id=office, command_type="create_session", payload={"role": "BE"})
    viewer, client = await world.member(office, "viewer"), (await world.client(office)).caller
    for caller, code in (
        (viewer, "42501"), (client, "42501"), (world.anon, "42501"),
        (await world.member(await world.office(), "admin"), "SO003"), (await world.user(), "SO003"),
    ):  # fmt: skip
        with refused(code):
            await caller.insert(
                "agent_commands", office_id=office, command_type="create_session", payload={"role": "BE"}
            )


async def test_an_unknown_office_session_or_client_is_named(world: World) -> None:
    office, nobody = await world.office(), uuid.uuid4()
    with refused("SO003", f"there is no office {nobody}"):
        await world.prompt(nobody)
    with refused("SO003", f"there is no session {nobody} in office"):
        await world.prompt(office, nobody)
    with refused("SO003", f"there is no client {nobody} in office"):
        await world.prompt(office, client_id=nobody)


async def test_a_session_or_a_client_of_another_office_is_unknown(world: World) -> None:
    office, other = await world.office(), await world.office()
    client = await world.client(other)
    session = await client.open_session(other)
    with refused("SO003", "there is no session"):
        await world.prompt(office, session)
    with refused("SO003", "there is no client"):
        await world.prompt(office, client_id=client.id)


async def test_a_session_that_has_ended_takes_nothing_more_but_to_be_ended_again(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await client.move(session, "terminated", end_reason="asked")
    with refused("SO007", r"ended at .* \(asked\)"):
        await world.prompt(office, session)
    await world.command(office, "terminate", session_id=session)


async def test_a_command_for_a_session_is_for_its_machine_whatever_was_asked(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    session = await client.open_session(office)
    command = await world.prompt(office, session, client_id=other.id)
    assert command["client_id"] == client.id


async def test_the_same_idempotency_key_is_taken_once_per_office(world: World) -> None:
    office = await world.office()
    await world.prompt(office, idempotency_key="k")
    await world.prompt(await world.office(), idempotency_key="k")
    with refused("23505"):
        await world.prompt(office, idempotency_key="k")


async def reason(world: World, command: Row) -> str | None:
    answer = await world.service.call("command_waiting_reason", p_command=command["id"])
    return answer and answer["reason"]


async def test_a_command_says_that_there_is_no_client_or_none_online(world: World) -> None:
    office = await world.office()
    command = await world.prompt(office)
    assert await reason(world, command) == "no_client"
    client = await world.client(office)
    assert await reason(world, command) is None
    await world.goes_offline(client)
    answer = await world.service.call("command_waiting_reason", p_command=command["id"])
    assert answer["reason"] == "no_client_online"
    assert (answer["clients"][0]["name"], answer["clients"][0]["online"]) == ("machine", False)
    await client.call("heartbeat")
    assert await reason(world, command) is None
    await world.service.call("revoke_client", p_client=client.id)
    assert await reason(world, command) == "no_client"


async def test_a_command_says_that_no_client_is_capable(world: World) -> None:
    office = await world.office()
    await world.client(office)
    command = await world.command(office, "create_session", {"role": "BE", "agent": "claude"})
    assert await reason(world, command) == "no_client_capable"
    await world.client(office, agents=("claude",))
    assert await reason(world, command) is None


async def test_a_command_says_that_all_clients_are_busy(world: World) -> None:
    office = await world.office()
    client = await world.client(office, capacity=1)
    await world.prompt(office)
    command = await world.prompt(office)
    await client.claim()
    assert await reason(world, command) == "all_clients_busy"
    await world.client(office)
    assert await reason(world, command) is None


async def test_a_command_says_that_the_office_is_full(world: World) -> None:
    office = await world.office(session_limit=1)
    client = await world.client(office)
    await world.prompt(office)
    command = await world.prompt(office)
    await client.claim()
    assert await reason(world, command) == "office_full"


async def test_a_command_says_that_it_is_behind_another_one_of_its_session(world: World) -> None:
    office = await world.office()
    client = await world.client(office, capacity=1)
    session = await client.open_session(office)
    first, second = await world.prompt(office, session), await world.prompt(office, session)
    steering = await world.command(office, "cancel", session_id=session)
    assert [await reason(world, command) for command in (first, second, steering)] == [
        None,
        "behind_another_command",
        None,
    ]


async def test_what_does_not_wait_has_no_reason_and_only_members_may_ask(world: World) -> None:
    office = await world.office()
    command = await world.prompt(office)
    client: Client = await world.client(office)
    viewer = await world.member(office, "viewer")
    assert await viewer.call("command_waiting_reason", p_command=command["id"]) is None
    await world.goes_offline(client)
    assert (await viewer.call("command_waiting_reason", p_command=command["id"]))["reason"] == "no_client_online"
    for stranger in (await world.user(), client.caller):
        with refused("SO003"):
            await stranger.call("command_waiting_reason", p_command=command["id"])
    await world.service.call("cancel_command", p_command=command["id"])
    assert await reason(world, command) is None
