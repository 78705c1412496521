"""The account of pools that people read: who holds what, and why the rest waits."""

from uuid import UUID

from tests.integration.database.taking import LOW, reason
from tests.integration.database.world import World, refused


async def test_a_command_says_that_every_circuit_for_it_is_open(world: World) -> None:
    office = await world.office()
    first, second = await world.client(office), await world.client(office)
    command = await world.prompt(office)
    await first.open_circuit(office)
    assert await reason(world, command) is None
    await second.open_circuit(office)
    answer = await world.service.call("command_waiting_reason", p_command=command["id"])
    assert answer["reason"] == "circuit_open"
    assert [client["reason"] for client in answer["clients"]] == ["circuit_open", "circuit_open"]


async def test_the_reason_is_that_of_the_client_which_is_nearest_to_taking_it(world: World) -> None:
    office = await world.office()
    command = await world.prompt(office)
    away = await world.client(office)
    await world.goes_offline(away)
    assert await reason(world, command) == "no_client_online"
    await world.client(office, agents=())
    assert await reason(world, command) == "no_client_capable"
    short = await world.client(office)
    await short.claim(0, p_holding_back=LOW)
    assert await reason(world, command) == "low_memory"
    await (await world.client(office)).open_circuit(office)
    assert await reason(world, command) == "circuit_open"
    await world.client(office, capacity=0)
    assert await reason(world, command) == "all_clients_busy"
    await world.client(office)
    assert await reason(world, command) is None


async def test_a_command_says_that_its_deadline_has_passed(world: World) -> None:
    office = await world.office()
    command = await world.prompt(office, deadline="2020-01-01")
    assert await reason(world, command) == "deadline_passed"


async def test_the_pool_shows_who_holds_what_and_why_the_rest_waits(world: World) -> None:
    office = await world.office(session_limit=1, warm_roles=["BE"])
    client = await world.client(office)
    idle = await client.open_session(office, p_role="QA")
    asked, waits = await world.prompt(office), await world.prompt(office)
    (command,) = await client.claim()
    held = await client.open_session(office, command)
    ended = await client.open_session(office)
    await client.move(ended, "terminated")
    await client.open_circuit(office, "FE")

    state = await world.service.call("pool_state", p_office=office)

    assert (state["session_limit"], state["places_taken"], state["warm_roles"]) == (1, 1, ["BE"])
    [machine] = state["clients"]
    assert (machine["client_id"], machine["online"], machine["connection"]) == (str(client.id), True, "polling")
    assert (machine["capacity"], machine["places_taken"], machine["warm_roles"]) == (6, 1, ["BE"])
    sessions = {UUID(one["session_id"]): one for one in state["sessions"]}
    assert set(sessions) == {idle, held}
    assert sessions[held]["acquired_by"] == str(asked["id"])
    assert sessions[held]["held_since"] is not None
    assert (sessions[held]["idle_since"], sessions[idle]["held_since"]) == (None, None)
    assert sessions[idle]["idle_since"] is not None
    [circuit] = state["circuits"]
    assert (circuit["role"], circuit["failures"], circuit["error"]) == ("FE", 3, "no prompt")
    [pending] = state["pending"]
    assert (pending["command_id"], pending["waiting"]["reason"]) == (str(waits["id"]), "office_full")
    assert state["pending_total"] == 1


async def test_since_when_a_session_is_held_or_idle_changes_with_the_hands_and_with_nothing_else(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)

    async def long_ago() -> None:
        await world.owner.ask("update agent_sessions set held_since = '2020-01-01' where id = %s", session)

    async def is_new() -> bool:
        return (await world.session(session))["held_since"].year > 2020

    await world.prompt(office)
    (command,) = await client.claim()
    await long_ago()
    await client.acquire(session, command)
    assert await is_new()
    await long_ago()
    await client.acquire(session, command)
    await client.move(session, "executing")
    assert not await is_new()
    await client.call("release_session", p_session=session)
    assert await is_new()


async def test_the_pool_of_an_office_is_seen_by_its_members_alone(world: World) -> None:
    office = await world.office()
    viewer, client = await world.member(office, "viewer"), await world.client(office)
    assert (await viewer.call("pool_state", p_office=office))["office_id"] == str(office)
    for stranger in (await world.user(), client.caller):
        with refused("SO003"):
            await stranger.call("pool_state", p_office=office)


async def test_of_very_many_waiting_commands_the_first_ones_are_shown_in_the_order_in_which_they_are_taken(
    world: World,
) -> None:
    office = await world.office()
    await world.client(office)
    commands = [await world.prompt(office, priority=priority) for priority in (0, 5, 0)]
    state = await world.service.call("pool_state", p_office=office, p_pending=2)
    assert [one["command_id"] for one in state["pending"]] == [str(commands[n]["id"]) for n in (1, 0)]
    assert state["pending_total"] == 3


async def test_a_machine_without_the_repository_leaves_the_work_to_those_that_have_it(world: World) -> None:
    office = await world.office()
    lacking, having = await world.client(office), await world.client(office)
    for client, repository in (
        (lacking, {"name": "web", "path": "~/src/web", "missing": True}),
        (having, {"name": "w"}),
    ):
        await client.call("heartbeat", p_repositories={str(office): repository})
    command = await world.command(office, "create_session", {"role": "BE"})
    assert await lacking.claim() == []
    await having.call("sign_off")
    waiting = await world.service.call("command_waiting_reason", p_command=command["id"])
    assert waiting["reason"] == "no_repository"
    assert [one["repository"]["path"] for one in waiting["clients"] if one["reason"] == "no_repository"] == [
        "~/src/web"
    ]
    await world.service.call("revoke_client", p_client=having.id)
    assert [one["id"] for one in await lacking.claim()] == [command["id"]], (
        "nobody has it: it says what its policy lacks"
    )
