"""A machine is shut out, or drained: at once in the tables, and nothing that it held or waited for it stays behind."""

import uuid
from typing import Any

import pytest

from tests.integration.database.world import Client, Row, World, refused

NOW = 1_790_000_000


async def shut_out(world: World, client: Client) -> None:
    await world.service.call("revoke_client", p_client=client.id)


async def test_a_revoked_machine_is_told_so_in_every_call_of_its_own(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await shut_out(world, client)
    for call in (client.claim(), client.call("heartbeat"), client.register(), client.call("sign_off")):
        with refused("SO008", "was revoked on"):
            await call


async def test_the_last_token_of_a_machine_whose_user_is_deleted_is_told_the_same(world: World) -> None:
    client = await world.client(await world.office())
    await shut_out(world, client)
    await world.owner.ask("delete from auth.users where id = %s", client.caller.user)
    with refused("SO008", "was revoked on"):
        await client.call("heartbeat")


async def test_a_stranger_is_not_told_who_was_revoked(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    await shut_out(world, client)
    with refused("SO005", "is not yours"):
        await Client(other.caller, client.id, epoch=client.epoch).call("heartbeat")


@pytest.mark.parametrize(
    ("command_type", "payload", "status"),
    [("send_prompt", {"role": "BE", "text": "x"}, "lost"), ("create_session", {"role": "BE"}, "pending")],
)
async def test_what_it_held_without_a_session_is_resolved_as_by_the_rescue(
    world: World, command_type: str, payload: dict[str, Any], status: str
) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    command = await world.command(office, command_type, payload)
    await client.claim()
    await shut_out(world, client)
    now = await world.now(command)
    assert (now["status"], now["claimed_by"] is None) == (status, status == "pending")
    taken = await other.claim()
    assert [one["id"] for one in taken] == ([command["id"]] if status == "pending" else [])


async def a_session_with_work(world: World) -> tuple[Client, uuid.UUID, Row, uuid.UUID]:
    """A machine with a session in which a prompt runs; the office, the prompt and the session."""
    office = await world.office()
    client = await world.client(office)
    made = await world.command(office, "create_session", {"role": "BE"})
    await client.claim()
    session = await client.open_session(office, made)
    await client.complete(made)
    prompt = await world.prompt(office, session)
    await client.claim()
    await client.typed(prompt, session)
    return client, office, prompt, session


async def test_its_sessions_and_turns_are_over_and_their_prompt_is_lost_with_a_result(world: World) -> None:
    client, _, prompt, session = await a_session_with_work(world)
    await shut_out(world, client)
    assert (await world.now(prompt))["status"] == "lost"
    [result] = await world.results(prompt)
    assert (result["error_code"], "shut out" in result["error"]) == ("lost", True)
    over = await world.session(session)
    assert (over["status"], over["end_reason"], over["acquired_by"]) == ("terminated", "client_revoked", None)
    [turn] = await world.owner.ask("select * from session_turns where session_id = %s", session)
    assert (turn["outcome"], turn["ended_at"] is not None) == ("lost", True)


async def test_what_waits_for_its_session_is_withdrawn_and_what_steers_it_fails(world: World) -> None:
    client, office, _, session = await a_session_with_work(world)
    steering = await world.command(office, "cancel", session_id=session)
    await client.claim()
    waiting = await world.prompt(office, session)
    await shut_out(world, client)
    assert (await world.now(waiting))["status"] == "cancelled"
    assert (await world.now(steering))["status"] == "failed"
    assert (await world.results(steering))[0]["error_code"] == "session_ended"


async def test_what_was_meant_for_it_alone_and_had_not_begun_is_offered_to_all(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    command = await world.prompt(office, client_id=client.id)
    assert await other.claim() == []
    await shut_out(world, client)
    assert [one["id"] for one in await other.claim()] == [command["id"]]


async def test_a_machine_of_two_offices_is_shut_out_of_one(world: World) -> None:
    first, second = await world.office(), await world.office()
    client = await world.client(first, second)
    mine, theirs = await world.prompt(first), await world.prompt(second)
    await client.claim()
    assert await world.service.call("remove_client", p_client=client.id, p_office=first) is False
    assert (await world.now(mine))["status"] == "lost"
    assert (await world.now(theirs))["status"] == "processing"
    offices = (await client.call("heartbeat"))["offices"]
    assert [office["office_id"] for office in offices] == [str(second)]
    assert await client.complete(theirs)
    with refused("SO003"):
        await world.service.call("remove_client", p_client=client.id, p_office=first)


async def test_a_machine_of_one_office_is_revoked_with_it(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    assert await world.service.call("remove_client", p_client=client.id, p_office=office) is True
    with refused("SO008"):
        await client.claim()


async def test_a_machine_that_drains_takes_nothing_new_and_finishes_what_it_has(world: World) -> None:
    client, office, prompt, session = await a_session_with_work(world)
    await world.service.call("drain_client", p_client=client.id, p_draining=True)
    waiting = await world.prompt(office)
    assert await client.claim() == []
    assert (await client.call("heartbeat"))["offices"][0]["warm_roles"] == []
    reason = await world.service.call("command_waiting_reason", p_command=waiting["id"])
    assert (reason["reason"], reason["clients"][0]["reason"]) == ("draining", "draining")
    assert await client.complete(prompt)
    follow_up = await world.prompt(office, session)
    assert [one["id"] for one in await client.claim()] == [follow_up["id"]], "it has this session"

    await world.service.call("drain_client", p_client=client.id, p_draining=False)
    assert [one["id"] for one in await client.claim()] == [waiting["id"]]


async def test_a_machine_that_its_user_has_paused_is_as_one_that_drains_and_no_admin_undoes_it(world: World) -> None:
    client, office, prompt, session = await a_session_with_work(world)
    await client.call("pause_client", p_paused=True)
    since = await client.call("pause_client", p_paused=True)
    waiting = await world.prompt(office)
    assert await client.claim() == []
    assert (await client.call("heartbeat"))["offices"][0]["warm_roles"] == []
    reason = await world.service.call("command_waiting_reason", p_command=waiting["id"])
    assert (reason["reason"], reason["clients"][0]["reason"]) == ("paused", "paused")
    await world.service.call("drain_client", p_client=client.id, p_draining=False)
    assert await client.claim() == []
    assert await client.complete(prompt)
    follow_up = await world.prompt(office, session)
    assert [one["id"] for one in await client.claim()] == [follow_up["id"]], "it has this session"
    assert (await world.service.call("office_picture", p_office=office))["machines"][0]["paused_since"] is not None
    assert since is not None

    await client.call("pause_client", p_paused=False)
    assert [one["id"] for one in await client.claim()] == [waiting["id"]]


async def test_work_goes_to_the_machine_that_does_not_drain(world: World) -> None:
    office = await world.office()
    draining, other = await world.client(office), await world.client(office)
    await world.service.call("drain_client", p_client=draining.id, p_draining=True)
    command = await world.prompt(office)
    assert await draining.claim() == []
    assert [one["id"] for one in await other.claim()] == [command["id"]]


async def test_another_office_is_joined_only_by_the_user_of_the_machine_itself(world: World) -> None:
    client, stranger = await world.client(await world.office()), await world.user()
    office, code = await world.office(), "3" * 64
    await world.service.insert("enrollments", office_id=office, code_hash=code)
    told: dict[str, Any] = {"p_code_hash": code, "p_client": client.id, "p_name": "x"}
    with refused("SO005", "somebody else"):
        await world.service.call("redeem_enrollment", p_user=stranger.user, **told)
    await shut_out(world, client)
    with refused("SO005", "was revoked"):
        await world.service.call("redeem_enrollment", p_user=client.caller.user, **told)
    assert await world.service.call("check_enrollment", p_code_hash=code) == office, "the code is still good"


# Tokens


async def token_for(world: World, user: uuid.UUID | None, client: uuid.UUID | None) -> Row:
    claims = {
        "sub": str(user),
        "iat": NOW,
        "exp": NOW + 3600,
        "app_metadata": {"client_id": str(client)} if client else {},
    }
    event = {"user_id": str(user), "claims": claims, "authentication_method": "password"}
    return await world.owner.call("client_access_token", event=event)


async def test_the_token_of_a_machine_lives_for_a_minute_and_a_person_s_as_long_as_the_project_has_it(
    world: World,
) -> None:
    client, person = await world.client(await world.office()), await world.user()
    assert (await token_for(world, client.caller.user, client.id))["claims"]["exp"] == NOW + 60
    assert (await token_for(world, person.user, None))["claims"]["exp"] == NOW + 3600


async def test_a_revoked_machine_gets_no_further_token_while_its_user_is_still_there(world: World) -> None:
    client = await world.client(await world.office())
    await shut_out(world, client)
    assert (await token_for(world, client.caller.user, client.id))["error"]["http_code"] == 403


async def test_how_its_agents_rested_is_forgotten_with_the_machine_and_not_with_an_office(
    world: World,
) -> None:
    one, other = await world.office(), await world.office()
    client, bystander = await world.client(one, other), await world.client(one)
    for machine in (client, bystander):
        await world.owner.ask(
            "insert into agent_pauses (client_id, agent, reason, until) values (%s, 'claude', 'quota', now() + '1 h')",
            machine.id,
        )
    await world.service.call("remove_client", p_client=client.id, p_office=one)
    assert len(await world.owner.ask("select 1 from agent_pauses where client_id = %s", client.id)) == 1
    await world.service.call("remove_client", p_client=client.id, p_office=other)
    assert await world.owner.ask("select client_id from agent_pauses") == [{"client_id": bystander.id}]
