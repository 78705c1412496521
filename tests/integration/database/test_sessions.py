"""What a client reports of its sessions: opening, moving, acquiring, progress, output and events; and the personas."""

import uuid
from uuid import UUID

from tests.integration.database.world import Client, Row, World, refused


async def a_session(world: World) -> tuple[UUID, Client, UUID]:
    office = await world.office()
    client = await world.client(office)
    return office, client, await client.open_session(office)


async def test_a_session_opens_with_the_persona_of_its_role_and_its_version(world: World) -> None:
    office = await world.office()
    own = await world.owner.insert("agent_personas", office_id=office, role="BE", name="Ours", persona_prompt="Ours.")
    client = await world.client(office)
    session = await world.session(await client.open_session(office, p_role="be"))
    assert (session["role"], session["persona_id"], session["persona_version"]) == ("BE", own["id"], 1)
    assert (session["status"], session["pool"], session["acquired_by"]) == ("ready", "warm", None)


async def test_telling_of_a_session_again_changes_nothing(world: World) -> None:
    office, client, session = await a_session(world)
    before = await world.session(session)
    await client.call("open_session", p_session=session, p_office=office, p_role="FE", p_agent="x", p_pool="cold")
    assert await world.session(session) == before


async def test_a_session_is_opened_only_in_an_office_that_the_client_serves_for_a_role_that_it_has(
    world: World,
) -> None:
    office, client, _ = await a_session(world)
    with refused("SO005", "does not serve office"):
        await client.open_session(await world.office())
    with refused("SO003", "no persona for the role"):
        await client.open_session(office, p_role="Astronaut")


async def test_the_session_of_another_client_is_not_opened_again_or_handed_out(world: World) -> None:
    office, _, session = await a_session(world)
    thief = await world.client(office)
    command = await world.command(office, "create_session", {"role": "BE"})
    (held,) = await thief.claim()
    with refused("SO005", "is not one of client"):
        await thief.call(
            "open_session", p_session=session, p_office=office, p_role="BE", p_agent="shell", p_pool="warm",
            p_command=held["id"], p_attempt=1,
        )  # fmt: skip
    assert (await world.now(command))["session_id"] is None


async def test_a_session_is_opened_in_the_office_of_its_command(world: World) -> None:
    office, other = await world.office(), await world.office()
    client = await world.client(office, other)
    await world.command(office, "create_session", {"role": "BE"})
    (held,) = await client.claim()
    with refused("SO003", "there is no command"):
        await client.open_session(other, held)


async def test_a_session_made_for_a_command_is_in_its_hands(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.command(office, "create_session", {"role": "BE"})
    (command,) = await client.claim()
    session = await client.open_session(office, command)
    assert (await world.session(session))["acquired_by"] == command["id"]
    assert (await world.now(command))["session_id"] == session


async def test_facts_are_kept_as_they_become_known_and_the_process_goes_with_the_session(world: World) -> None:
    _, client, session = await a_session(world)
    await client.move(session, "ready", pid=7, worktree_path="/w", branch="agent/be-1")
    await client.move(session, "executing", agent_session="a1")
    row = await world.session(session)
    assert (row["pid"], row["worktree_path"], row["branch"], row["agent_session"]) == (7, "/w", "agent/be-1", "a1")
    await client.move(session, "terminated", end_reason="asked")
    row = await world.session(session)
    assert (row["pid"], row["branch"], row["end_reason"], row["acquired_by"]) == (None, "agent/be-1", "asked", None)
    assert row["ended_at"] is not None


async def test_an_impossible_move_is_refused_in_words_and_a_finished_session_stays_finished(world: World) -> None:
    _, client, session = await a_session(world)
    with refused("SO002", "is ready and cannot become waiting_input"):
        await client.move(session, "waiting_input")
    await client.move(session, "terminated")
    ended_at = (await world.session(session))["ended_at"]
    await client.move(session, "terminated", end_reason="told late")
    assert (await world.session(session))["ended_at"] == ended_at
    with refused("SO002"):
        await client.move(session, "ready")


async def test_a_session_that_a_result_ends_is_never_over_without_a_reason(world: World) -> None:
    office, client, session = await a_session(world)
    await world.command(office, "send_prompt", {"text": "exit 3"}, session_id=session)
    (command,) = await client.claim()
    said = "the agent ended (status 3)"
    await client.complete(command, success=False, p_error=said, p_session_status="terminated")
    assert (await world.session(session))["end_reason"] == said
    await client.move(session, "terminated", end_reason="exited with status 3")
    assert (await world.session(session))["end_reason"] == "exited with status 3", "the exact reason, once it is told"


async def test_nobody_moves_the_session_of_another_client(world: World) -> None:
    office, _, session = await a_session(world)
    other = await world.client(office)
    with refused("SO003"):
        await other.move(session, "terminated")
    await other.call("release_session", p_session=session)
    assert (await world.session(session))["status"] == "ready"


async def test_an_idle_session_is_acquired_once_and_released_into_its_pool(world: World) -> None:
    office, client, session = await a_session(world)
    for _ in range(2):
        await world.prompt(office)
    first, second = await client.claim()
    await client.acquire(session, first)
    await client.acquire(session, first)
    with refused("SO002", "is not idle in the pool"):
        await client.acquire(session, second)
    await client.complete(first)
    await client.call("release_session", p_session=session)
    with refused("SO002", "is not idle in the pool"):
        await client.acquire(session, second)  # its reset comes first
    await client.move(session, "ready")
    await client.acquire(session, second)
    assert (await world.now(second))["session_id"] == session


async def test_a_session_that_is_busy_or_of_another_office_is_not_acquired(world: World) -> None:
    office, other = await world.office(), await world.office()
    client = await world.client(office, other)
    busy, elsewhere = await client.open_session(office), await client.open_session(other)
    await client.move(busy, "executing")
    await world.prompt(office)
    (command,) = await client.claim()
    for session in (busy, elsewhere):
        with refused("SO002", "is not idle"):
            await client.acquire(session, command)


async def a_typed_prompt(world: World) -> tuple[Client, Row, UUID, UUID]:
    office, client, session = await a_session(world)
    await world.prompt(office)
    (command,) = await client.claim()
    await client.acquire(session, command)
    turn = uuid.uuid4()
    assert await client.typed(command, session, turn) == 1
    return client, command, session, turn


async def test_typing_opens_the_turn_and_moves_the_session(world: World) -> None:
    _, command, session, turn = await a_typed_prompt(world)
    assert (await world.session(session))["status"] == "executing"
    assert (await world.now(command))["typed_at"] is not None
    (row,) = await world.owner.ask("select * from session_turns where id = %s", turn)
    assert (row["session_id"], row["command_id"], row["attempt"]) == (session, command["id"], 1)
    assert (row["output_start"], row["ended_at"]) == (0, None)


async def test_a_step_that_is_told_again_does_not_move_the_session_back(world: World) -> None:
    client, command, session, turn = await a_typed_prompt(world)
    await client.move(session, "needs_permission")
    await client.typed(command, session, turn)
    assert (await world.session(session))["status"] == "needs_permission"
    assert await world.owner.value("select count(*) from session_turns where session_id = %s", session) == 1


async def test_a_step_that_is_told_after_its_session_ended_keeps_the_turn_and_the_rest_of_the_batch(
    world: World,
) -> None:
    office, client, session = await a_session(world)
    await world.prompt(office)
    (command,) = await client.claim()
    await client.acquire(session, command)
    await client.move(session, "terminated")
    assert await client.typed(command, session) == 1
    assert (await world.session(session))["status"] == "terminated"
    assert await world.owner.value("select count(*) from session_turns where session_id = %s", session) == 1


async def test_steps_cannot_name_the_session_of_another_client(world: World) -> None:
    office, client, _ = await a_session(world)
    foreign = await (await world.client(office)).open_session(office)
    await world.prompt(office)
    (command,) = await client.claim()
    with refused("SO003"):
        await client.typed(command, foreign)


def chunk(session: UUID, start: int, text: str) -> Row:
    return {"session_id": str(session), "start": start, "end": start + len(text), "text": text}


async def stored(world: World, session: UUID) -> list[tuple[int, str]]:
    rows = await world.owner.ask(
        "select start_offset, text from session_output where session_id = %s order by start_offset", session
    )
    return [(row["start_offset"], row["text"]) for row in rows]


async def test_output_that_arrives_twice_changes_nothing(world: World) -> None:
    _, client, session = await a_session(world)
    assert await client.call("append_output", p_chunks=[chunk(session, 0, "hello "), chunk(session, 6, "world")]) == 2
    again = [chunk(session, 6, "WORLD"), chunk(session, 11, "!"), chunk(session, 11, "!")]
    assert await client.call("append_output", p_chunks=again) == 1
    assert await stored(world, session) == [(0, "hello "), (6, "world"), (11, "!")]
    assert (await world.session(session))["output_bytes"] == 12


async def shown(world: World, office: UUID) -> list[Row]:
    """What those saw at once who looked at a session into which somebody typed."""
    rows = await world.owner.ask(
        "select payload - 'id' as shown from realtime.messages where event = 'output' and topic = %s"
        " order by payload -> 'start' nulls last",
        f"office:{office}:events",
    )
    return [row["shown"] for row in rows]


async def test_output_that_somebody_waits_for_who_types_there_is_shown_and_no_other(world: World) -> None:
    office, client, session = await a_session(world)
    other = await world.client(office)
    await client.call("append_output", p_chunks=[chunk(session, 0, "$ ")])
    await other.call("append_output", p_chunks=[chunk(session, 2, "forged")], p_awaited=[str(session)])
    assert await shown(world, office) == []

    await client.call("append_output", p_chunks=[chunk(session, 2, "ls")], p_awaited=[str(session)])
    assert await shown(world, office) == [chunk(session, 2, "ls")]

    long = [chunk(session, 4, "x" * 5000)]
    await client.call("append_output", p_chunks=long, p_awaited=[str(session)])
    assert (await shown(world, office))[1:] == [{"session_id": str(session)}]


async def test_the_echo_of_keys_that_comes_with_their_result_is_kept_and_shown(world: World) -> None:
    office, client, session = await a_session(world)
    await world.command(office, "send_keys", {"keys": ["a"]}, session_id=session)
    [keys] = await client.claim()
    await client.complete(keys, p_output=[chunk(session, 0, "a")])
    assert await stored(world, session) == [(0, "a")]
    assert await shown(world, office) == [chunk(session, 0, "a")]


async def test_a_late_chunk_does_not_shorten_the_output(world: World) -> None:
    _, client, session = await a_session(world)
    await client.call("append_output", p_chunks=[chunk(session, 6, "world")])
    await client.call("append_output", p_chunks=[chunk(session, 0, "hello ")])
    assert (await world.session(session))["output_bytes"] == 11


async def test_output_for_the_session_of_another_client_is_passed_over(world: World) -> None:
    office, _, session = await a_session(world)
    other = await world.client(office)
    assert await other.call("append_output", p_chunks=[chunk(session, 0, "forged")]) == 0
    assert await stored(world, session) == []
    assert (await world.session(session))["output_bytes"] == 0


async def test_an_empty_or_backward_chunk_is_refused(world: World) -> None:
    _, client, session = await a_session(world)
    with refused("23514"):
        await client.call("append_output", p_chunks=[{"session_id": str(session), "start": 5, "end": 5, "text": ""}])


async def test_output_is_pruned_by_size_oldest_first_per_office(world: World) -> None:
    office, client, session = await a_session(world)
    await world.owner.ask("update offices set output_keep_bytes = 65536 where id = %s", office)
    half = "x" * 32768
    await client.call("append_output", p_chunks=[chunk(session, place * 32768, half) for place in range(3)])
    assert await world.service.call("prune_output") == 1
    assert [start for start, _ in await stored(world, session)] == [32768, 65536]
    assert await world.service.call("prune_output") == 0
    assert (await world.session(session))["output_bytes"] == 98304, "offsets go on where they were"


async def test_what_was_seen_of_a_worktree_is_forgotten_after_an_hour_and_nothing_else(world: World) -> None:
    office, client, session = await a_session(world)
    seen = {"diff": "secret plans"}
    asked: list[Row] = []
    for kind in ("read_work", "read_work", "get_output"):
        asked.append(await world.command(office, kind, session_id=session))
        [held] = await client.claim()
        await client.complete(held, p_result=seen)
    recent, *old = asked
    for one in old:
        await world.owner.ask(
            "update agent_commands set finished_at = now() - interval '61 minutes' where id = %s", one["id"]
        )
    await world.service.call("prune_output")
    found = [result["result"] for one in (recent, *old) for result in await world.results(one)]
    assert found == [seen, {"forgotten": True}, seen]


async def test_output_is_pruned_by_age(world: World) -> None:
    _, client, session = await a_session(world)
    await client.call("append_output", p_chunks=[chunk(session, 0, "old"), chunk(session, 3, "new")])
    await world.owner.ask("update session_output set at = now() - interval '15 days' where text = 'old'")
    await world.service.call("prune_output")
    assert await stored(world, session) == [(3, "new")]


async def test_events_are_kept_for_own_offices_only(world: World) -> None:
    office, client, session = await a_session(world)
    foreign = await world.office()
    events = [
        {"office_id": str(office), "session_id": str(session), "kind": "commit", "detail": {"sha": "abc"}},
        {"office_id": str(foreign), "kind": "forged"},
    ]
    await client.call("record_events", p_events=events)
    rows = await world.owner.ask(
        "select office_id, kind, detail from session_events where kind in ('commit', 'forged')"
    )
    assert rows == [{"office_id": office, "kind": "commit", "detail": {"sha": "abc"}}]


async def test_the_version_of_a_persona_rises_with_what_it_says_and_only_then(world: World) -> None:
    office = await world.office()
    persona = await world.service.insert("agent_personas", office_id=office, role="BE", name="B", persona_prompt="1")
    assert persona["version"] == 1

    async def changed(column: str, value: object) -> int:
        query = f"update agent_personas set {column} = %s where id = %s returning version"  # noqa: S608  our own names
        return (await world.service.ask(query, value, persona["id"]))[0]["version"]

    assert await changed("persona_prompt", "2") == 2
    assert await changed("persona_prompt", "2") == 2
    assert await changed("rendered", "text") == 2
    assert await changed("version", 99) == 2, "it cannot be chosen"
    assert await changed("scope_patterns", ["src/**"]) == 3


async def test_a_rendered_text_is_kept_only_for_the_version_that_it_shows(world: World) -> None:
    office = await world.office()
    persona = await world.service.insert("agent_personas", office_id=office, role="BE", name="B", persona_prompt="1")
    store = {"p_persona": persona["id"], "p_rendered": "You are B."}
    assert await world.service.call("store_rendered_persona", p_version=1, **store) is True
    await world.service.ask("update agent_personas set name = 'C' where id = %s", persona["id"])
    assert await world.service.call("store_rendered_persona", p_version=1, **store) is False
    client = await world.client(office)
    (read,) = await client.caller.call_rows("get_persona", p_office=office, p_role="be")
    assert (read["version"], read["rendered_version"], read["rendered"]) == (2, 1, "You are B.")


async def test_a_persona_is_the_offices_own_before_the_default_and_not_for_strangers(world: World) -> None:
    office, other = await world.office(), await world.office()
    await world.service.insert("agent_personas", office_id=office, role="be", name="Ours", persona_prompt="Ours.")
    client = await world.client(office, other)
    (own,) = await client.caller.call_rows("get_persona", p_office=office, p_role="BE")
    (default,) = await client.caller.call_rows("get_persona", p_office=other, p_role="BE")
    assert (own["name"], default["name"]) == ("Ours", "Backend Engineer")
    assert await client.caller.call_rows("get_persona", p_office=office, p_role="Astronaut") == []
    with refused("SO003"):
        await (await world.user()).call_rows("get_persona", p_office=office, p_role="BE")


async def test_output_that_comes_with_a_result_is_kept_with_it_and_once(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await world.prompt(office, session)
    [command] = await client.claim()
    chunks = [{"session_id": str(session), "start": 0, "end": 5, "text": "hello"}]
    assert await client.complete(command, p_output=chunks) is True
    assert await client.complete(command, p_output=chunks) is False
    kept = await world.owner.ask(
        "select start_offset, end_offset, text from session_output where session_id = %s", session
    )
    assert [tuple(row.values()) for row in kept] == [(0, 5, "hello")]


async def test_output_that_comes_with_a_result_for_the_second_time_is_kept_too(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    await world.prompt(office, session)
    [command] = await client.claim()
    assert await client.complete(command, p_output=[chunk(session, 0, "hello")]) is True

    more = [chunk(session, 0, "hello"), chunk(session, 5, " world")]
    assert await client.complete(command, p_output=more) is False

    assert await stored(world, session) == [(0, "hello"), (5, " world")]
