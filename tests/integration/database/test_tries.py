"""How often a prompt is tried, when, and what is never tried again."""

from datetime import timedelta

import pytest

from tests.integration.database.taking import ids, reason
from tests.integration.database.world import World, refused


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
