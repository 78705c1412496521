"""Hints: one for each thing that happened, on the right topic, with ids only."""

from uuid import UUID

import pytest

from tests.integration.database.world import Row, World, refused


async def hints(world: World, office: UUID, channel: str) -> list[Row]:
    """The payloads sent on a topic so far, without the id of the message itself; news is test_telling.py's."""
    rows = await world.owner.ask(
        "select event, payload - 'id' as payload, private from realtime.messages where topic = %s order by ctid",
        f"office:{office}:{channel}",
    )
    assert all(row["private"] for row in rows)
    return [{"event": row["event"], **row["payload"]} for row in rows if row["event"] != "news"]


async def test_each_insert_sends_one_hint_with_ids_and_never_the_payload(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    free = await world.command(office, "send_prompt", {"text": "SECRET", "role": "BE"})
    bound = await world.prompt(office, session)
    assert await hints(world, office, "commands") == [
        {"event": "command", "command_id": str(free["id"]), "attempt": 1},
        {
            "event": "command", "command_id": str(bound["id"]), "attempt": 1,
            "session_id": str(session), "client_id": str(client.id),
        },
    ]  # fmt: skip
    everything = await world.owner.value("select string_agg(m::text, '') from realtime.messages m")
    assert "SECRET" not in everything


async def test_what_is_refused_sends_no_hint(world: World) -> None:
    office = await world.office()
    with refused("SO004"):
        await world.command(office, "send_prompt", {})
    assert await hints(world, office, "commands") == []


async def test_a_command_that_comes_back_wakes_the_clients_again(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.command(office, "create_session", {"role": "BE"})
    (held,) = await client.claim()
    await client.give_back(held)
    await client.claim()
    await world.lease_runs_out(command)
    await world.service.call("rescue_commands")
    assert await hints(world, office, "commands") == [
        {"event": "command", "command_id": str(command["id"]), "attempt": attempt} for attempt in (1, 2, 3)
    ]


@pytest.mark.parametrize(("rows", "told"), [(3, 3), (1000, None)])
async def test_many_rows_inserted_at_once_send_one_hint_for_each_office(
    world: World, rows: int, told: int | None
) -> None:
    offices = [await world.office(), await world.office()]
    await world.service.ask(
        """insert into agent_commands (office_id, command_type, payload)
           select o, 'create_session', '{"role":"BE"}' from unnest(%s::uuid[]) o, generate_series(1, %s)""",
        offices, rows,
    )  # fmt: skip
    for office in offices:
        (hint,) = await hints(world, office, "commands")
        assert hint["event"] == "command"
        assert len(hint.get("command_ids", [])) == (told or 0)
        assert len(str(hint)) < 8_000
    await world.owner.ask("update agent_commands set deadline = now()")
    await world.service.call("expire_commands")
    assert [await hints(world, office, "events") for office in offices] == [[{"event": "command"}]] * 2


async def test_those_who_wait_for_a_command_hear_of_each_of_its_moves(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    done, failed, lost, withdrawn = [await world.prompt(office) for _ in range(4)]
    await world.service.call("cancel_command", p_command=withdrawn["id"])
    for _ in range(3):
        await client.claim(1)
    await client.complete(done)
    await client.complete(failed, success=False)
    await client.report_lost(lost)
    late = await world.prompt(office, deadline="2020-01-01T00:00:00Z")
    await world.service.call("expire_commands")
    heard = [(hint["command_id"], hint["status"]) for hint in await hints(world, office, "events")]
    assert heard == [
        (str(withdrawn["id"]), "cancelled"),
        *[(str(command["id"]), "processing") for command in (done, failed, lost)],
        (str(done["id"]), "completed"), (str(failed["id"]), "failed"), (str(lost["id"]), "lost"),
        (str(late["id"]), "expired"),
    ]  # fmt: skip


async def test_a_hint_of_a_move_carries_ids_attempt_and_status_and_nothing_else(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office)
    (command,) = await client.claim()
    await client.complete(command, p_result={"text": "SECRET"})
    assert (await hints(world, office, "events"))[-1] == {
        "event": "command", "command_id": str(command["id"]), "attempt": 1, "status": "completed",
    }  # fmt: skip


async def test_sessions_tell_of_each_move_and_only_of_moves(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await client.move(session, "ready", pid=7)
    await client.move(session, "executing")
    await client.call("release_session", p_session=session)
    await client.register()
    heard = await hints(world, office, "events")
    assert heard == [
        {"event": "session", "session_id": str(session), "status": status}
        for status in ("creating", "ready", "executing", "terminated")
    ]


async def test_a_lost_broadcast_loses_no_command(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.owner.ask("revoke insert on realtime.messages from postgres, public")
    command = await world.prompt(office)
    assert [row["id"] for row in await client.claim()] == [command["id"]]
