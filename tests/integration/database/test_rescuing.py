"""What happens to commands that nobody takes, nobody wants any more, or nobody holds any more."""

import pytest

from shared.states import CommandType
from tests.integration.database.world import Client, Row, World, refused

TYPING: dict[str, Row] = {
    "send_prompt": {"text": "x"},
    "send_text": {"text": "x"},
    "send_keys": {"keys": ["enter"]},
}
IN_A_SESSION: dict[str, Row] = {
    "get_output": {},
    "resize": {"cols": 80, "rows": 24},
    "cancel": {},
    "terminate": {},
    "release_session": {},
    "check_work": {},
    "read_work": {},
}
IN_NO_SESSION: dict[str, Row] = {
    "create_session": {"role": "BE"},
    "read_documents": {"spec": "login"},
    "write_documents": {"spec": "login", "documents": {"tasks.md": "x"}, "message": "tasks"},
    "merge_work": {"spec": "login", "branch": "agent/BE-login"},
    "publish_branch": {"branch": "agent/BE-login"},
    "follow_pull_request": {"branch": "agent/BE-login"},
    "merge_branch": {"branch": "agent/BE-login"},
}
REPEATABLE = IN_A_SESSION | IN_NO_SESSION


async def abandoned(world: World, command_type: str, payload: Row) -> tuple[Client, Row]:
    """A claimed command whose owner does not renew it any more."""
    office = await world.office()
    client = await world.client(office)
    where = (
        {"client_id": client.id} if command_type in IN_NO_SESSION else {"session_id": await client.open_session(office)}
    )
    await world.command(office, command_type, payload, **where)
    (command,) = await client.claim()
    await world.lease_runs_out(command)
    return client, command


def test_every_type_has_its_rule() -> None:
    assert {*TYPING, *REPEATABLE} == set(CommandType)


@pytest.mark.parametrize("command_type", TYPING)
async def test_what_types_is_never_offered_again_but_lost(world: World, command_type: str) -> None:
    _, command = await abandoned(world, command_type, TYPING[command_type])
    assert await world.service.call("rescue_commands") == 1
    now = await world.now(command)
    assert (now["status"], now["attempt"]) == ("lost", 1)
    (result,) = await world.results(command)
    assert (result["success"], result["error_code"]) == (False, "lost")
    assert await world.service.call("rescue_commands") == 0


@pytest.mark.parametrize("command_type", REPEATABLE)
async def test_what_does_no_harm_twice_is_offered_three_times_and_then_fails(world: World, command_type: str) -> None:
    client, command = await abandoned(world, command_type, REPEATABLE[command_type])
    for attempt in (2, 3):
        await world.service.call("rescue_commands")
        now = await world.now(command)
        assert (now["status"], now["attempt"], now["claimed_by"], now["claim_epoch"]) == (
            "pending",
            attempt,
            None,
            None,
        )
        (again,) = await client.claim()
        assert again["attempt"] == attempt
        await world.lease_runs_out(command)
    await world.service.call("rescue_commands")
    assert (await world.now(command))["status"] == "failed"
    (result,) = await world.results(command)
    assert (result["attempt"], result["error_code"]) == (3, "attempts_exhausted")


@pytest.mark.parametrize("command_type", [*TYPING, *REPEATABLE])
async def test_a_zombie_cannot_complete_after_its_lease_was_rescued(world: World, command_type: str) -> None:
    client, command = await abandoned(world, command_type, {**TYPING, **REPEATABLE}[command_type])
    await world.service.call("rescue_commands")
    before = await world.now(command)
    with refused("SO001"):
        await client.complete(command)
    assert await client.renew(command) == []
    assert await world.now(command) == before


@pytest.mark.parametrize("jump", ["1 hour", "-1 hour"], ids=["away for an hour or set forward", "the clock set back"])
async def test_time_in_which_nobody_could_renew_them_costs_no_leases(world: World, jump: str) -> None:
    """A database that was away looks as one whose clock was set: much time is gone since anybody looked."""
    client, prompt = await abandoned(world, "send_prompt", {"text": "x"})
    await client.renew(prompt)
    left = (await world.now(prompt))["lease_until"]
    await world.service.call("rescue_commands")

    await world.owner.ask(f"update semo.lease_time set seen_at = seen_at - interval '{jump}'")  # noqa: S608  ours
    await world.owner.ask(
        f"update agent_commands set lease_until = lease_until - interval '{jump}' where id = %s",  # noqa: S608  ours
        prompt["id"],
    )
    assert await world.service.call("rescue_commands") == 0

    assert (await world.now(prompt))["lease_until"] == left, "as much is left of it as before"
    await world.lease_runs_out(prompt)
    assert await world.service.call("rescue_commands") == 1, "and then it runs on"


async def test_a_lease_that_still_runs_is_left_alone(world: World) -> None:
    client, command = await abandoned(world, "cancel", {})
    await client.renew(command)
    assert await world.service.call("rescue_commands") == 0


async def test_the_session_of_what_was_lost_is_in_nobodys_hands_again(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await world.prompt(office)
    (command,) = await client.claim()
    await client.acquire(session, command)
    await world.lease_runs_out(command)
    await world.service.call("rescue_commands")
    assert (await world.session(session))["acquired_by"] is None


async def test_a_session_whose_making_was_tried_too_often_takes_no_place_for_ever(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.command(office, "create_session", {"role": "BE"})
    for _ in range(3):
        (held,) = await client.claim()
        await client.open_session(office, held)
        await world.lease_runs_out(command)
        await world.service.call("rescue_commands")
    assert (await world.now(command))["status"] == "failed"
    assert await world.owner.value("select semo.places_taken(%s)", client.id) == 0


async def test_a_rescued_creation_forgets_the_session_that_its_first_owner_began(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    command = await world.command(office, "create_session", {"role": "BE"})
    (held,) = await client.claim()
    await client.open_session(office, held)
    await world.lease_runs_out(command)
    await other.call("heartbeat")
    (again,) = await other.claim()
    assert (again["id"], again["session_id"]) == (command["id"], None)


async def test_any_clients_heartbeat_keeps_the_house(world: World) -> None:
    _, command = await abandoned(world, "cancel", {})
    office = await world.office()
    late = await world.prompt(office, deadline="2020-01-01T00:00:00Z")
    await (await world.client(office)).call("heartbeat")
    assert (await world.now(command))["attempt"] == 2
    assert (await world.now(late))["status"] == "expired"


async def test_what_nobody_took_in_time_expires_without_a_result(world: World) -> None:
    office = await world.office()
    late = await world.prompt(office, deadline="2020-01-01T00:00:00Z")
    for deadline in ("2100-01-01T00:00:00Z", None):
        await world.prompt(office, deadline=deadline)
    assert await world.service.call("expire_commands") == 1
    now = await world.now(late)
    assert now["status"] == "expired"
    assert now["finished_at"] is not None
    assert await world.results(late) == []


async def test_what_runs_does_not_expire(world: World) -> None:
    office = await world.office()
    await world.prompt(office, deadline="2100-01-01T00:00:00Z")
    (command,) = await (await world.client(office)).claim()
    await world.owner.ask("update agent_commands set deadline = '2020-01-01' where id = %s", command["id"])
    assert await world.service.call("expire_commands") == 0


async def test_a_command_can_be_withdrawn_until_somebody_takes_it(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    operator = await world.member(office, "operator")
    command = await world.prompt(office)
    assert await operator.call("cancel_command", p_command=command["id"]) == "cancelled"
    assert await operator.call("cancel_command", p_command=command["id"]) == "cancelled", "again: nothing to do"
    assert await client.claim() == []
    assert await world.results(command) == []
    taken = await world.prompt(office)
    await client.claim()
    with refused("SO002", "is processing and can no longer be withdrawn"):
        await operator.call("cancel_command", p_command=taken["id"])


async def test_only_operators_of_the_office_and_the_service_withdraw(world: World) -> None:
    office = await world.office()
    command = await world.prompt(office)
    others = [
        await world.member(office, "viewer"),
        await world.member(await world.office(), "admin"),
        (await world.client(office)).caller,
    ]
    for caller in others:
        with refused("SO003", "there is no command"):
            await caller.call("cancel_command", p_command=command["id"])
    assert await world.service.call("cancel_command", p_command=command["id"]) == "cancelled"
