"""What a client can take: circuits, holding back, tries of a prompt, and the account of it all that people read."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.integration.database.world import Client, Row, World, refused

LOW: Row = {"reason": "low_memory", "free_mb": 300, "agents": {"shell": {"needed_mb": 517}}}


async def reason(world: World, command: Row) -> str | None:
    answer = await world.service.call("command_waiting_reason", p_command=command["id"])
    return answer and answer["reason"]


async def ids(client: Client, holding_back: Row | None = None) -> list[UUID]:
    return [command["id"] for command in await client.claim(p_holding_back=holding_back)]


# Circuits ----------------------------------------------------------------------------------------------------------


async def test_a_client_takes_nothing_for_a_role_whose_circuit_is_open_and_another_client_does(world: World) -> None:
    office = await world.office()
    broken = await world.client(office)
    await broken.open_circuit(office)
    command = await world.prompt(office)
    other_role = await world.command(office, "create_session", {"role": "QA"})
    assert await ids(broken) == [other_role["id"]]
    assert await ids(await world.client(office)) == [command["id"]]


async def test_an_open_circuit_holds_up_neither_another_office_nor_what_needs_no_new_session(world: World) -> None:
    office, elsewhere = await world.office(), await world.office()
    client = await world.client(office, elsewhere)
    session = await client.open_session(office)
    await client.open_circuit(office)
    in_session, there = await world.prompt(office, session), await world.prompt(elsewhere)
    assert set(await ids(client)) == {in_session["id"], there["id"]}


async def test_an_idle_session_serves_its_role_though_the_circuit_is_open(world: World) -> None:
    office = await world.office()
    client = await world.client(office, agents=("shell", "claude"))
    await client.open_session(office)
    await client.open_circuit(office)
    for payload in ({"task": "mine"}, {"base": "main"}, {"model": "best"}, {"resume": "x"}, {"agent": "claude"}):
        await world.command(office, "create_session", {"role": "BE", **payload})
    assert await ids(client) == []
    plain = await world.prompt(office)
    assert await ids(client) == [plain["id"]]


async def test_a_circuit_that_is_closed_lets_commands_through_again(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await client.open_circuit(office)
    command = await world.prompt(office)
    await client.close_circuit(office)
    await client.close_circuit(office)
    assert await ids(client) == [command["id"]]


async def test_a_circuit_that_opens_again_keeps_when_it_opened_first(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await client.open_circuit(office)
    await world.owner.ask("update role_circuits set opened_at = now() - interval '1 minute', open_until = now()")
    await client.open_circuit(office, p_failures=4, p_error="still none")
    [row] = await world.owner.ask("select *, now() as now from role_circuits")
    assert (row["failures"], row["error"]) == (4, "still none")
    assert row["open_until"] - row["opened_at"] == timedelta(minutes=2)


async def test_a_client_that_starts_anew_has_no_open_circuit_and_holds_nothing_back(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await client.open_circuit(office)
    await client.claim(p_holding_back=LOW)
    command = await world.prompt(office)
    assert await reason(world, command) == "circuit_open"
    await client.register()
    assert await reason(world, command) is None


async def test_a_client_opens_circuits_only_as_itself_and_where_it_serves(world: World) -> None:
    office, elsewhere = await world.office(), await world.office()
    client, other = await world.client(office), await world.client(office)
    with refused("SO005", "does not serve"):
        await client.open_circuit(elsewhere)
    for function in ("open_circuit", "close_circuit"):
        with refused("SO005", "not yours"):
            await getattr(Client(other.caller, client.id, epoch=client.epoch), function)(office)
    older = client.as_it_was()
    await client.register()
    with refused("SO001"):
        await older.open_circuit(office)


# Holding back ------------------------------------------------------------------------------------------------------


async def test_a_client_without_memory_takes_only_what_an_idle_session_can_serve(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    first = await world.prompt(office)
    assert await ids(client, LOW) == []
    assert await reason(world, first) == "low_memory"
    await client.open_session(office)
    assert await ids(client, LOW) == [first["id"]]


async def test_memory_that_suffices_for_one_agent_is_not_held_back_for_another(world: World) -> None:
    office = await world.office()
    client = await world.client(office, agents=("shell", "claude"))
    await world.prompt(office)
    claude = await world.command(office, "create_session", {"role": "BE", "agent": "claude"})
    assert await ids(client, LOW) == [claude["id"]]


async def test_a_client_that_has_memory_again_takes_what_waited(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.prompt(office)
    await client.claim(p_holding_back=LOW)
    assert await ids(client) == [command["id"]]
    row = await world.owner.value("select holding_back from remote_clients where id = %s", client.id)
    assert row is None


# Tries -------------------------------------------------------------------------------------------------------------


async def test_a_prompt_whose_agent_died_is_not_typed_again_unless_it_was_asked_for(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office)
    (command,) = await client.claim()
    await client.fail(command, "died")
    assert (await world.now(command))["status"] == "failed"


@pytest.mark.parametrize(
    ("retry", "allowed", "tries"),
    [("died", 3, 3), ("died", 2, 2), ("timeout", 3, 2), ("not_made", 3, 3), ("something else", 3, 1), (None, 3, 1)],
)
async def test_each_kind_of_failure_has_its_number_of_tries(
    world: World, retry: str | None, allowed: int, tries: int
) -> None:
    office = await world.office()
    client = await world.client(office)
    asked = await world.prompt(office, max_attempts=allowed)
    for attempt in range(1, tries + 1):
        (command,) = await client.claim()
        assert command["attempt"] == attempt
        await client.fail(command, retry)
        await world.the_pause_ends(asked)
    now = await world.now(asked)
    assert (now["status"], now["attempt"]) == ("failed", tries)
    results = await world.results(asked)
    assert [(one["attempt"], one["success"]) for one in results] == [(n + 1, False) for n in range(tries)]


@pytest.mark.parametrize("left_in", ["ready", "waiting_input", "needs_permission", "error"])
async def test_a_session_in_which_a_prompt_is_not_tried_again_is_nobodys_before_its_reset(
    world: World, left_in: str
) -> None:
    """Its client may die at this very moment: what its next start finds must not look idle."""
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office, max_attempts=2)
    (command,) = await client.claim()
    session = await client.open_session(office, command)
    await client.typed(command, session)
    await client.fail(command, "timeout", p_result={"session_id": str(session)}, p_session_status=left_in)
    assert (await world.session(session))["acquired_by"] is None
    other = await world.prompt(office)
    (claimed,) = await client.claim()
    assert claimed["id"] == other["id"]
    with refused("SO002", "not idle"):
        await client.acquire(session, claimed)
    terms = await client.register(session)
    assert [one["status"] for one in terms["sessions"]] == ["creating"], "its client ends it"


async def test_a_session_that_was_taken_for_a_prompt_and_not_typed_in_goes_back_as_it_is(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await client.move(session, "ready")
    await world.prompt(office)
    (command,) = await client.claim()
    await client.acquire(session, command)
    await client.give_back(command)
    (again,) = await client.claim()
    await client.acquire(session, again)


async def test_a_prompt_that_is_tried_again_begins_anew_after_a_pause_that_grows(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    asked = await world.prompt(office, max_attempts=3)
    for pause_seconds in (2, 4):
        (command,) = await client.claim()
        session = await client.open_session(office, command)
        await client.typed(command, session)
        await client.fail(command, "died", p_result={"session_id": str(session)}, p_session_status="terminated")
        now = await world.now(asked)
        assert (now["status"], now["session_id"], now["claimed_by"], now["lease_until"]) == ("pending", *[None] * 3)
        assert (now["typed_at"], now["confirmed_at"], now["finished_at"]) == (None, None, None)
        assert now["not_before"] - await world.owner.value("select now()") == timedelta(seconds=pause_seconds)
        assert await client.claim() == []
        assert await reason(world, asked) == "not_before"
        await world.the_pause_ends(asked)
    (command,) = await client.claim()
    assert await client.complete(command)
    assert (await world.now(asked))["status"] == "completed"
    assert [one["success"] for one in await world.results(asked)] == [False, False, True]


async def test_the_session_of_a_failed_try_is_free_for_others_at_once(world: World) -> None:
    office = await world.office()
    client = await world.client(office, capacity=1)
    await world.prompt(office, max_attempts=2)
    (command,) = await client.claim()
    session = await client.open_session(office, command)
    other = await world.prompt(office)
    assert await client.claim() == []
    await client.fail(command, "timeout", p_result={"session_id": str(session)})
    assert (await world.session(session))["acquired_by"] is None
    assert await ids(client) == [other["id"]]


async def test_a_failed_try_that_is_told_again_is_known_and_is_not_another_one(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    asked = await world.prompt(office, max_attempts=3)
    (first,) = await client.claim()
    assert await client.fail(first, "died")
    assert not await client.fail(first, "died")
    await world.the_pause_ends(asked)
    (second,) = await client.claim()
    assert not await client.fail(first, "died"), "its acknowledgement was lost for long"
    assert (await world.now(asked))["status"] == "processing"
    assert second["attempt"] == 2


async def test_what_is_only_given_back_is_no_try(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    asked = await world.prompt(office, max_attempts=2)
    for _ in range(3):
        (command,) = await client.claim()
        await client.give_back(command)
    (command,) = await client.claim()
    await client.fail(command, "died")
    assert (await world.now(asked))["status"] == "pending"
    assert [one["attempt"] for one in await world.results(asked)] == [4]


async def test_a_prompt_is_not_tried_again_when_its_deadline_comes_before_the_pause_ends(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    asked = await world.prompt(office, max_attempts=3)
    await world.owner.ask("update agent_commands set deadline = now() + interval '1 s' where id = %s", asked["id"])
    (command,) = await client.claim()
    await client.fail(command, "died")
    assert (await world.now(asked))["status"] == "failed"


async def test_a_prompt_between_two_tries_can_be_withdrawn(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    asked = await world.prompt(office, max_attempts=3)
    (command,) = await client.claim()
    await client.fail(command, "died")
    assert await world.service.call("cancel_command", p_command=asked["id"]) == "cancelled"


async def test_a_prompt_whose_owner_vanished_is_lost_even_if_it_may_be_tried_again(world: World) -> None:
    """Whether the first one still runs somewhere cannot be known: two agents would do the same work at once."""
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office, max_attempts=3)
    (command,) = await client.claim()
    await world.lease_runs_out(command)
    await world.service.call("rescue_commands")
    assert (await world.now(command))["status"] == "lost"


async def test_only_prompts_without_a_session_may_be_tried_more_than_once(world: World) -> None:
    office = await world.office()
    session = await (await world.client(office)).open_session(office)
    with refused("SO004", "only a prompt without a session_id"):
        await world.prompt(office, session, max_attempts=2)
    with refused("SO004", "only a prompt without a session_id"):
        await world.command(office, "create_session", {"role": "BE"}, max_attempts=2)
    for number in (0, -1, 4):
        with refused("SO004", "between 1 and 3"):
            await world.prompt(office, max_attempts=number)
    operator = await world.member(office, "operator")
    insert = (
        "insert into agent_commands (office_id, command_type, payload, max_attempts) values (%s, 'send_prompt', %s, 3)"
    )
    await operator.ask(insert, office, {"text": "x", "role": "BE"})


# What people see ---------------------------------------------------------------------------------------------------


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
