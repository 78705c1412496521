"""A client that starts: what it takes over, what is offered again, and whom nobody believes."""

import uuid
from uuid import UUID

from tests.integration.database.holding import a_held_prompt, everything
from tests.integration.database.world import World, refused


async def test_registering_takes_over_what_the_process_still_accounts_for(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    for _ in range(2):
        await world.prompt(office)
    kept, forgotten = await client.claim(lease_seconds=1)
    answer = await client.register(held=[kept])
    assert answer["held"] == [{"command_id": str(kept["id"]), "attempt": 1}]
    assert (await world.now(kept))["lease_until"] > kept["lease_until"]
    assert await client.complete(kept)
    with refused("SO001"):
        await client.complete(forgotten)
    assert (await world.now(forgotten))["status"] == "pending", "its journal knows that it was never typed"


async def test_registering_takes_over_neither_a_stale_attempt_nor_what_another_client_holds(world: World) -> None:
    client, command, _ = await a_held_prompt(world)
    other = await world.client(command["office_id"])
    assert (await other.register(held=[command]))["held"] == []
    await client.give_back(command)
    await client.claim()
    assert (await client.register(held=[command]))["held"] == []


async def test_what_was_claimed_and_never_got_into_the_journal_is_offered_again_at_once(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    for _ in range(2):
        await world.prompt(office)
    typed, untyped = await client.claim()
    await client.typed(typed, session)

    await client.register(session)

    assert [(await world.now(one))["status"] for one in (typed, untyped)] == ["processing", "pending"]
    assert (await world.now(untyped))["attempt"] == 2


async def test_after_a_restart_of_the_machine_what_its_journal_does_not_hold_is_resolved_by_the_rescue(
    world: World,
) -> None:
    """The machine took the last moments of the journal with it."""
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    for _ in range(3):
        await world.prompt(office)
    create = await world.command(office, "create_session", {"role": "BE", "task": "login"})
    typed, unknown, finished, harmless = await client.claim()
    await client.typed(typed, session)

    answer = await client.register(held=[finished], machine_restarted=True)

    assert [one["command_id"] for one in answer["held"]] == [str(finished["id"])]
    states = [(await world.now(one))["status"] for one in (typed, unknown, finished, harmless)]
    assert states == ["lost", "lost", "processing", "pending"]
    assert [one["error_code"] for one in await world.results(unknown)] == ["lost"]
    assert harmless["id"] == create["id"]


async def test_a_client_restored_from_an_older_image_of_its_disk_is_not_believed(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    image = client.as_it_was()
    await client.register()
    for _ in range(2):
        await world.prompt(office)
    held, unheld = await client.claim()
    await world.goes_offline(client)

    answer = await image.register(held=[held])

    assert answer["held"] == []
    for one in (held, unheld):
        assert (await world.now(one))["status"] == "processing", "it may have been typed"
        with refused("SO001"):
            await image.give_back(one)
        await world.lease_runs_out(one)
    await world.service.call("rescue_commands")
    assert [(await world.now(one))["status"] for one in (held, unheld)] == ["lost", "lost"]


async def test_a_copy_of_a_client_that_runs_is_fenced_out_and_told_so(world: World) -> None:
    client, command, _ = await a_held_prompt(world)
    before = await everything(world)

    with refused("SO001", "the folder is a copy, or older"):
        await client.as_a_copy().register()

    assert await everything(world) == before
    assert await client.complete(command), "the one that runs does not notice"


async def test_a_client_that_signed_off_may_start_from_whatever_its_disk_holds(world: World) -> None:
    client = await world.client(await world.office())
    await client.call("sign_off")

    assert (await client.as_a_copy().register())["epoch"] == client.epoch + 1


async def test_a_registration_whose_answer_was_lost_is_asked_again_and_begins_nothing_anew(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office)
    [held] = await client.claim()
    start = uuid.uuid4()
    first = await client.as_it_was().register(held=[held], start=start)

    again = await client.register(held=[held], start=start)

    assert (again["epoch"], again["held"]) == (first["epoch"], first["held"])
    assert await client.complete(held)


async def test_a_client_that_died_before_the_answer_to_its_registration_is_believed(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.prompt(office)
    [held] = await client.claim()
    start = uuid.uuid4()
    await client.as_it_was().register(held=[held], start=start)
    client.starts.append(start)  # noted before it asked

    assert (await client.register(held=[held]))["held"] == [{"command_id": str(held["id"]), "attempt": 1}]


async def test_a_session_that_was_made_in_vain_goes_back_to_its_pool_after_a_restart(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.command(office, "create_session", {"role": "BE"})
    await world.prompt(office)
    creation, prompt = await client.claim()
    made, taken = await client.open_session(office, creation), await client.open_session(office, prompt)
    await client.complete(creation, success=False, p_error_code="session_failed")
    await client.complete(prompt)

    answer = await client.register(made, taken)

    assert {one["session_id"]: one["goes_back"] for one in answer["sessions"]} == {str(made): True, str(taken): True}


async def test_a_session_that_somebody_asked_for_stays_his_after_a_restart(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.command(office, "create_session", {"role": "BE"})
    [creation] = await client.claim()
    session = await client.open_session(office, creation)
    await client.complete(creation)

    [kept] = (await client.register(session))["sessions"]

    assert (kept["acquired_by"], kept["goes_back"]) == (str(creation["id"]), False)


async def test_registering_tells_what_the_office_knows_of_the_sessions_that_live_on(world: World) -> None:
    client, command, session = await a_held_prompt(world)
    idle = await client.open_session(command["office_id"])
    await client.acquire(session, command)
    chunk = {"session_id": str(session), "start": 0, "end": 7, "text": "sévens"}
    await client.call("append_output", p_chunks=[chunk])

    answer = await client.register(session, idle, held=[command])

    known = {UUID(one["session_id"]): one for one in answer["sessions"]}
    assert known.keys() == {session, idle}
    assert known[session]["output_end"] == 7
    assert known[session]["acquired_by"] == str(command["id"])
    assert (known[idle]["status"], known[idle]["acquired_by"]) == ("ready", None)


async def test_registering_ends_the_sessions_that_died_with_the_older_process(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    alive, dead = await client.open_session(office), await client.open_session(office)
    elsewhere = await (await world.client(office)).open_session(office)
    await client.register(alive)
    assert (await world.session(alive))["status"] == "ready"
    assert (await world.session(elsewhere))["status"] == "ready"
    ended = await world.session(dead)
    assert (ended["status"], ended["end_reason"]) == ("terminated", "client_restarted")
    assert ended["ended_at"] is not None
