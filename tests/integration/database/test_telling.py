"""What happened in an office: told once for each step, and read in an order in which nothing can be missed."""

from uuid import UUID, uuid4

import pytest

from tests.integration.database.crowd import Crowd
from tests.integration.database.world import Caller, Row, World, connect, refused


async def told(world: World, office: UUID, *first_parts: str) -> list[str]:
    """The kinds of the events so far."""
    rows = await world.owner.ask("select kind from session_events where office_id = %s order by id", office)
    return [row["kind"] for row in rows if not first_parts or row["kind"].split(".")[0] in first_parts]


async def news(world: World, office: UUID) -> int:
    """How many hints said that something was told."""
    topic = f"office:{office}:events"
    return await world.owner.value("select count(*) from realtime.messages where topic = %s and event = 'news'", topic)


async def read(caller: Caller, office: UUID, after: str | None, **more: object) -> Row:
    return await caller.call("read_events", p_office=office, p_after=after, **more)


async def test_each_step_of_a_prompt_is_told_once(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.prompt(office)
    (held,) = await client.claim()
    session = await client.open_session(office, held)
    turn = uuid4()
    await client.typed(held, session, turn)
    await client.typed(held, session, turn)
    result = {"turn_id": str(turn), "session_id": str(session), "outcome": "done", "output_start": 0, "output_end": 9}
    await client.complete(held, p_result=result, p_session_status="ready", p_confirmed_at="2026-01-01T00:00:00Z")
    assert await told(world, office, "command", "session", "turn") == [
        "command.stored", "command.claimed", "session.creating", "session.ready",
        "command.typed", "turn.started", "session.executing",
        "turn.ended", "session.ready", "command.confirmed", "command.completed",
    ]  # fmt: skip
    (ended,) = await world.owner.ask(
        "select * from session_events where kind = 'command.completed' and command_id = %s", command["id"]
    )
    assert ended["session_id"] == session
    assert ended["detail"] == {"command_type": "send_prompt", "attempt": 1, "client_id": str(client.id)}


async def test_a_try_that_failed_is_told_with_the_next_offer_and_why(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office, max_attempts=3)
    (held,) = await client.claim()
    await client.fail(held, "died")
    (offered,) = await world.owner.ask("select detail from session_events where kind = 'command.offered'")
    assert (offered["detail"]["attempt"], offered["detail"]["error_code"]) == (2, "turn_error")
    assert "not_before" in offered["detail"]


async def test_what_happens_to_machines_is_told_to_each_office_that_they_serve(world: World) -> None:
    first, second = await world.office(), await world.office()
    client = await world.client(first, second)
    await client.call("report_connection", p_state="live")
    await client.call("heartbeat")
    await world.goes_offline(client)
    assert await world.service.call("miss_clients") == 1
    assert await world.service.call("miss_clients") == 0
    await client.call("heartbeat")
    await client.open_circuit(first)
    await client.close_circuit(first)
    await client.call("sign_off")
    await world.service.call("revoke_client", p_client=client.id)
    everywhere = ["joined", "registered", "live", "offline", "online", "signed_off", "revoked"]
    assert await told(world, second) == [f"client.{what}" for what in everywhere]
    assert await told(world, first, "circuit") == ["circuit.opened", "circuit.closed"]


async def test_one_transaction_sends_one_hint_however_much_it_tells(world: World) -> None:
    office, other = await world.office(), await world.office()
    await world.owner.ask(
        "select semo.tell(o, 'plan.started', '{\"n\":1}') from unnest(%s::uuid[]) o, generate_series(1, 100)",
        [office, other],
    )
    assert (await news(world, office), await news(world, other)) == (1, 1)
    assert await told(world, office) == ["plan.started"] * 100


@pytest.mark.parametrize("caller", ["anon", "service"])
async def test_nobody_but_our_own_functions_tells_anything(world: World, caller: str) -> None:
    office = await world.office()
    with refused("42501"):
        await getattr(world, caller).ask("select semo.tell(%s, 'forged')", office)
    with refused("42501"):
        await getattr(world, caller).ask("insert into session_events (office_id, kind) values (%s, 'forged')", office)


async def test_a_reader_never_misses_what_commits_later_under_a_smaller_number(crowd: Crowd) -> None:
    world, office = crowd.world, await crowd.world.office()
    start = (await read(world.service, office, None))["next"]
    async with connect(crowd.database) as slow:
        async with slow.transaction():
            await slow.execute("select semo.tell(%s, 'first.told')", [office])
            await world.owner.ask("select semo.tell(%s, 'second.told')", office)
            early = await read(world.service, office, start)
            assert (early["events"], early["held_back"]) == ([], True)
        late = await read(world.service, office, early["next"])
    assert [event["kind"] for event in late["events"]] == ["first.told", "second.told"]
    assert late["held_back"] is False
    assert (await read(world.service, office, late["next"]))["events"] == []


async def test_what_is_rolled_back_holds_nobody_up(crowd: Crowd) -> None:
    world, office = crowd.world, await crowd.world.office()
    start = (await read(world.service, office, None))["next"]
    async with connect(crowd.database) as slow, slow.transaction(force_rollback=True):
        await slow.execute("select semo.tell(%s, 'never.told')", [office])
        await world.owner.ask("select semo.tell(%s, 'told')", office)
    after = await read(world.service, office, start)
    assert [event["kind"] for event in after["events"]] == ["told"]


async def test_events_are_read_page_by_page_and_by_kind_from_any_place(crowd: Crowd) -> None:
    world, office = crowd.world, await crowd.world.office()
    for number in range(5):
        await world.owner.ask("select semo.tell(%s, %s), semo.tell(%s, 'b.x')", office, f"a.{number}", office)
    seen: list[str] = []
    place = "0-0"
    while (page := await read(world.service, office, place, p_kinds=["a"], p_limit=2))["events"]:
        assert page["next"] >= page["events"][-1]["id"]
        seen += [event["kind"] for event in page["events"]]
        place = page["next"]
    assert seen == [f"a.{number}" for number in range(5)]
    everything = (await read(world.service, office, "0-0"))["events"]
    third = everything[2]["id"]
    assert (await read(world.service, office, third))["events"] == everything[3:]
    assert [e["kind"] for e in (await read(world.service, office, "0-0", p_kinds=["b.x", "a.4"]))["events"]].count(
        "b.x"
    ) == 5


async def test_only_members_read_an_office_and_a_senseless_place_is_refused(world: World) -> None:
    office = await world.office()
    viewer, stranger = await world.member(office, "viewer"), await world.user()
    assert (await read(viewer, office, "0-0"))["events"] == []
    with refused("SO003"):
        await read(stranger, office, "0-0")
    with refused("SO004"):
        await read(viewer, office, "7")


async def test_events_are_kept_as_long_as_the_office_says_and_find_home_after_a_move_to_another_database(
    world: World,
) -> None:
    office = await world.office(events_keep_days=2)
    await world.owner.ask("select semo.tell(%s, 'old'), semo.tell(%s, 'new')", office, office)
    await world.owner.ask("update session_events set at = now() - interval '3 days' where kind = 'old'")
    await world.owner.ask("update session_events set xact = '999999999999' where kind = 'new'")
    assert await world.service.call("prune_events") == 1
    assert await told(world, office) == ["new"]
    assert await world.owner.value("select xact = '3' from session_events where kind = 'new'")
