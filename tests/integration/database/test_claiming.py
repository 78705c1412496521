"""What a claim takes: in order per session, by priority, within places and limits, and nothing meant for others."""

import pytest

from tests.integration.database.world import World, refused


async def test_a_claim_takes_what_waits_and_says_who_holds_it_until_when(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.prompt(office)
    (claimed,) = await client.claim(lease_seconds=40)
    assert claimed["id"] == command["id"]
    assert claimed["status"] == "processing"
    assert (claimed["claimed_by"], claimed["claim_epoch"], claimed["attempt"]) == (client.id, client.epoch, 1)
    assert (claimed["lease_until"] - claimed["claimed_at"]).total_seconds() == pytest.approx(40, abs=5)
    assert await client.claim() == []


async def test_higher_priority_goes_first_and_then_the_order_of_arrival(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    commands = [await world.prompt(office, priority=priority) for priority in (0, 5, 0, -1, 5)]
    claimed = await client.claim()
    assert [command["id"] for command in claimed] == [commands[place]["id"] for place in (1, 4, 0, 2, 3)]


async def test_one_session_takes_one_prompt_at_a_time_in_the_order_of_arrival_whatever_the_priority(
    world: World,
) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    first = await world.prompt(office, session)
    second = await world.prompt(office, session, priority=100)
    (claimed,) = await client.claim()
    assert claimed["id"] == first["id"]
    assert await client.claim() == []
    await client.complete(claimed)
    (claimed,) = await client.claim()
    assert claimed["id"] == second["id"]


async def test_a_prompt_waits_for_the_one_that_already_runs_in_its_session_even_if_that_came_later(
    world: World,
) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    late = await world.prompt(office, session)
    (running,) = await client.claim()
    await world.owner.ask("update agent_commands set seq = default where id = %s", late["id"])
    await world.owner.ask("update agent_commands set session_id = null where id = %s", late["id"])
    early = await world.prompt(office, session)
    await world.owner.ask("update agent_commands set seq = default, session_id = %s where id = %s", session, late["id"])
    assert (await world.now(late))["seq"] > early["seq"]
    assert await client.claim() == []
    await client.complete(running)
    assert [command["id"] for command in await client.claim()] == [early["id"]]


async def test_two_sessions_do_not_wait_for_each_other(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    for _ in range(2):
        await world.prompt(office, await client.open_session(office))
    assert len(await client.claim()) == 2


@pytest.mark.parametrize(
    ("command_type", "payload"),
    [
        ("cancel", {}),
        ("terminate", {}),
        ("get_output", {}),
        ("resize", {"cols": 80, "rows": 24}),
        ("send_keys", {"keys": ["ctrl-c"]}),
        ("send_text", {"text": "yes"}),
    ],
)
async def test_what_steers_a_session_does_not_wait_behind_its_running_prompt(
    world: World, command_type: str, payload: dict[str, object]
) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await world.prompt(office, session)
    await client.claim()
    await world.prompt(office, session)
    steering = await world.command(office, command_type, payload, session_id=session)
    assert [command["id"] for command in await client.claim()] == [steering["id"]]


async def test_what_steers_a_session_goes_before_any_amount_of_waiting_work(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    for _ in range(60):
        await world.prompt(office, priority=100)
    steering = await world.command(office, "cancel", session_id=session, priority=-100)
    assert [command["id"] for command in await client.claim(1)] == [steering["id"]]


async def test_a_busy_client_still_takes_what_needs_no_place_however_much_waits_in_front_of_it(world: World) -> None:
    office = await world.office()
    client = await world.client(office, capacity=1)
    session = await client.open_session(office)
    for _ in range(60):
        await world.prompt(office, priority=100)
    in_session = await world.prompt(office, session)
    claimed = await client.claim()
    assert [command["id"] for command in claimed][1:] == [in_session["id"]]
    steering = await world.command(office, "terminate", session_id=session)
    assert [command["id"] for command in await client.claim()] == [steering["id"]]


async def test_commands_of_one_lane_go_one_after_another(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    commands = [await world.command(office, "send_text", {"text": text}, session_id=session) for text in "ab"]
    for command in commands:
        (claimed,) = await client.claim()
        assert claimed["id"] == command["id"]
        await client.complete(claimed)


async def test_what_has_passed_its_deadline_is_not_taken(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office, deadline="2020-01-01T00:00:00Z")
    open_until_2100 = await world.prompt(office, deadline="2100-01-01T00:00:00Z")
    assert [command["id"] for command in await client.claim()] == [open_until_2100["id"]]


async def test_no_more_sessions_than_the_client_has_places(world: World) -> None:
    office = await world.office()
    client = await world.client(office, capacity=2)
    for _ in range(3):
        await world.prompt(office)
    first, second = await client.claim()
    assert await client.claim() == []
    session = await client.open_session(office, first)
    await client.complete(first)
    assert await client.claim() == [], "its session is still in somebody's hands"
    await client.call("release_session", p_session=session)
    (third,) = await client.claim()
    assert third["id"] not in (first["id"], second["id"])


async def test_a_session_made_for_somebody_takes_a_place_until_it_ends(world: World) -> None:
    office = await world.office()
    client = await world.client(office, capacity=1)
    await world.command(office, "create_session", {"role": "BE"})
    await world.prompt(office)
    (create,) = await client.claim()
    session = await client.open_session(office, create)
    await client.complete(create)
    assert await client.claim() == []
    await client.move(session, "terminated")
    assert len(await client.claim()) == 1


async def test_idle_sessions_of_the_pool_take_no_place(world: World) -> None:
    office = await world.office()
    client = await world.client(office, capacity=1)
    await client.open_session(office)
    await world.prompt(office)
    assert len(await client.claim()) == 1


async def test_all_clients_together_stay_within_the_limit_of_the_office(world: World) -> None:
    office = await world.office(session_limit=3)
    clients = [await world.client(office) for _ in range(2)]
    for _ in range(5):
        await world.prompt(office)
    assert [len(await client.claim(2)) for client in clients] == [2, 1]
    assert [len(await client.claim()) for client in clients] == [0, 0]


async def test_a_full_office_does_not_keep_a_client_from_another_one(world: World) -> None:
    full, free = await world.office(session_limit=1), await world.office()
    client = await world.client(full, free)
    for _ in range(3):
        await world.prompt(full, priority=100)
    await world.prompt(free)
    assert [command["office_id"] for command in await client.claim()] == [full, free]


@pytest.mark.parametrize("asked", [{"agent": "claude"}, {"mcp": "browser"}])
async def test_a_client_takes_only_what_its_agents_can_do(world: World, asked: dict[str, str]) -> None:
    office = await world.office()
    plain = await world.client(office)
    able = await world.client(office, agents=("shell", "claude"), register=False)
    await able.caller.call_rows(
        "register_client", p_client=able.id, p_capacity=6, p_version="test",
        p_capabilities={"agents": {"shell": "1", "claude": "2"}, "default_agent": "shell", "mcp": ["browser"]},
    )  # fmt: skip
    able.epoch = 1
    await world.command(office, "create_session", {"role": "BE", **asked})
    assert await plain.claim() == []
    assert len(await able.claim()) == 1


async def test_a_client_without_a_default_agent_takes_only_what_names_one(world: World) -> None:
    office = await world.office()
    client = await world.client(office, agents=())
    await world.prompt(office)
    assert await client.claim() == []


async def test_what_is_meant_for_one_client_is_not_taken_by_another(world: World) -> None:
    office = await world.office()
    meant, other = await world.client(office), await world.client(office)
    await world.prompt(office, client_id=meant.id)
    await world.prompt(office, await meant.open_session(office))
    assert await other.claim() == []
    assert len(await meant.claim()) == 2


async def test_a_client_takes_nothing_of_an_office_that_it_does_not_serve(world: World) -> None:
    await world.prompt(await world.office())
    client = await world.client(await world.office())
    assert await client.claim() == []


async def test_what_a_claim_took_whose_answer_was_lost_is_handed_over_again(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    answered = await world.prompt(office)
    await client.claim()
    for priority in (0, 5):
        await world.prompt(office, priority=priority)
    lost = await client.claim(lease_seconds=5)

    newer = await world.prompt(office)
    again = await client.claim(p_unanswered=2)

    assert [one["id"] for one in again] == [*(one["id"] for one in lost), newer["id"]], "in order, before what is new"
    assert {one["attempt"] for one in again} == {1}
    assert again[0]["lease_until"] > lost[0]["lease_until"]
    assert answered["id"] not in {one["id"] for one in again}
    assert await client.claim(p_unanswered=3) == [await world.now(one) for one in again], "as often as it takes"


async def test_a_claim_that_was_given_up_and_comes_late_takes_nothing(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    late, given_up = 7, 8
    await client.claim(p_claim=given_up, p_unanswered=late)
    waiting = await world.prompt(office)

    assert await client.claim(p_claim=late) == []

    assert (await world.now(waiting))["status"] == "pending"
    assert len(await client.claim(p_claim=9)) == 1


async def test_what_a_start_took_over_is_not_handed_over_again_by_a_claim_of_its_own_that_stays_unanswered(
    world: World,
) -> None:
    """Its journal has it, and may have typed it: to hand it over as if it knew nothing of it would type it twice."""
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office)
    (kept,) = await client.claim(p_claim=5)
    await client.register(held=[kept])
    assert await client.claim(p_claim=1) == []  # its answer is lost
    assert await client.claim(p_claim=2, p_unanswered=1) == []
    assert (await world.now(kept))["status"] == "processing"


async def test_claims_are_numbered_anew_by_each_start_of_the_client(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await client.claim(p_claim=100, p_unanswered=100)
    await client.register()
    await world.prompt(office)

    assert len(await client.claim(p_claim=1)) == 1


async def test_nobody_stands_in_line_for_what_he_may_not_take(world: World) -> None:
    """The row of the office is taken only by who may take something of it that needs a place."""
    office = await world.office(session_limit=1)
    first, second = await world.client(office), await world.client(office)
    await world.prompt(office, client_id=first.id)
    row = "select xmax from offices where id = %s"
    untouched = await world.owner.value(row, office)

    assert await second.claim() == []
    assert await world.owner.value(row, office) == untouched, "it is meant for the other"
    assert len(await first.claim()) == 1
    taken = await world.owner.value(row, office)
    assert taken != untouched
    await world.prompt(office)
    assert await second.claim() == []
    assert await world.owner.value(row, office) == taken, "the office is full"


async def test_a_revoked_client_takes_nothing_and_its_sessions_are_over(world: World) -> None:
    office = await world.office(session_limit=1)
    client = await world.client(office)
    await world.prompt(office)
    (command,) = await client.claim()
    session = await client.open_session(office, command)
    await world.service.call("revoke_client", p_client=client.id)
    with refused("SO008", "revoked"):
        await client.claim()
    assert (await world.session(session))["end_reason"] == "client_revoked"


async def test_an_older_process_takes_nothing(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    older = client.as_it_was()
    await client.register()
    await world.prompt(office)
    with refused("SO001", "another process"):
        await older.claim()
    assert len(await client.claim()) == 1


async def test_nobody_claims_in_the_name_of_another(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    member = await world.member(office, "admin")
    for caller in (other.caller, member):
        with refused("SO005", "not yours"):
            await caller.call_rows("claim_commands", p_client=client.id, p_epoch=client.epoch)
    with refused("42501"):
        await world.anon.call_rows("claim_commands", p_client=client.id, p_epoch=client.epoch)
