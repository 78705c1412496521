"""Sessions that several commands, connections or clients want, give back or end at the same moment."""

import asyncio
import uuid
from uuid import UUID

import psycopg

from tests.integration.database.crowd import Crowd, begun, blocked, statuses
from tests.integration.database.world import Caller, Client, Row, refused


async def two_commands_and_a_session(crowd: Crowd) -> tuple[Client, Client, list[Row], UUID]:
    """One client over two connections, with two claimed commands and one idle session."""
    office = await crowd.world.office()
    client = await crowd.client(office)
    twin = await crowd.at_its_own_connection(client)
    for _ in range(2):
        await crowd.world.prompt(office)
    return client, twin, await client.claim(), await client.open_session(office)


async def test_two_commands_that_want_one_session_at_once_get_it_once(crowd: Crowd) -> None:
    client, twin, (first, second), session = await two_commands_and_a_session(crowd)
    async with begun(client):
        await client.acquire(session, first)
        taking = asyncio.create_task(twin.acquire(session, second))
        await blocked(crowd.world, twin)
    with refused("SO002", "not idle"):
        await taking
    assert (await crowd.world.session(session))["acquired_by"] == first["id"]
    assert (await crowd.world.now(second))["session_id"] is None


async def test_a_session_is_not_given_before_its_release_is_over_and_then_it_is(crowd: Crowd) -> None:
    client, twin, (first, second), session = await two_commands_and_a_session(crowd)
    await client.acquire(session, first)
    async with begun(client):
        await client.call("release_session", p_session=session)
        with refused("SO002", "not idle"):
            await twin.acquire(session, second)
    with refused("SO002", "not idle"):
        await twin.acquire(session, second)  # not reset yet
    await client.move(session, "ready")
    await twin.acquire(session, second)
    assert (await crowd.world.session(session))["acquired_by"] == second["id"]


async def test_a_session_that_ends_while_it_is_wanted_is_not_given(crowd: Crowd) -> None:
    client, twin, (first, _), session = await two_commands_and_a_session(crowd)
    async with begun(client):
        await client.move(session, "terminated")
        taking = asyncio.create_task(twin.acquire(session, first))
        await blocked(crowd.world, twin)
    with refused("SO002", "not idle"):
        await taking


async def test_a_session_that_is_taken_while_it_is_reset_is_not_given(crowd: Crowd) -> None:
    client, twin, (first, _), session = await two_commands_and_a_session(crowd)
    async with begun(client):
        await client.move(session, "creating")
        taking = asyncio.create_task(twin.acquire(session, first))
        await blocked(crowd.world, twin)
    with refused("SO002", "not idle"):
        await taking


async def test_a_command_that_is_rescued_while_it_takes_a_session_takes_none(crowd: Crowd) -> None:
    client, _, (first, _), session = await two_commands_and_a_session(crowd)
    rescuer = await crowd.at_its_own_connection(client)
    await crowd.world.lease_runs_out(first)
    async with begun(rescuer):
        await rescuer.call("heartbeat")  # rescues
        taking = asyncio.create_task(client.acquire(session, first))
        await blocked(crowd.world, client)
    with refused("SO001"):
        await taking
    assert (await crowd.world.session(session))["acquired_by"] is None


async def test_a_command_that_takes_a_session_while_it_is_rescued_keeps_it(crowd: Crowd) -> None:
    client, _, (first, _), session = await two_commands_and_a_session(crowd)
    await crowd.world.lease_runs_out(first)
    async with begun(client):
        await client.acquire(session, first)
        await client.renew(first)
        assert await crowd.world.service.call("rescue_commands") == 0
    assert await crowd.world.service.call("rescue_commands") == 0
    assert (await crowd.world.session(session))["acquired_by"] == first["id"]


async def test_a_session_that_is_told_of_twice_at_once_is_opened_once(crowd: Crowd) -> None:
    client, twin, (first, _), _ = await two_commands_and_a_session(crowd)
    session = uuid.uuid4()
    told = {"p_session": session, "p_office": first["office_id"], "p_role": "BE", "p_agent": "shell", "p_pool": "cold"}
    held = {"p_command": first["id"], "p_attempt": 1}
    await asyncio.gather(*(one.call("open_session", **told, **held) for one in (client, twin)))
    assert (await crowd.world.session(session))["acquired_by"] == first["id"]


async def test_a_failed_try_that_is_told_twice_at_once_counts_once(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    twin = await crowd.at_its_own_connection(client)
    asked = await crowd.world.prompt(office, max_attempts=3)
    (command,) = await client.claim()
    async with begun(client):
        await client.fail(command, "died")
        telling = asyncio.create_task(twin.fail(command, "died"))
        await blocked(crowd.world, twin)
    with refused("SO001", "attempt 2"):
        await telling
    assert not await twin.fail(command, "died"), "it is known when it is told once more"
    assert len(await crowd.world.results(asked)) == 1
    assert (await crowd.world.now(asked))["attempt"] == 2


async def test_a_circuit_that_two_connections_open_and_close_at_once_is_open_or_closed(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    twin = await crowd.at_its_own_connection(client)

    async def flicker(one: Client) -> None:
        for _ in range(30):
            await one.open_circuit(office)
            await one.close_circuit(office)

    await asyncio.gather(flicker(client), flicker(twin))
    await client.open_circuit(office)
    assert await crowd.world.owner.value("select count(*) from role_circuits") == 1


COMMANDS, SESSIONS = 60, 3


async def test_two_clients_with_many_commands_never_share_a_session_and_pass_the_limit_of_the_office(
    crowd: Crowd,
) -> None:
    office = await crowd.world.office(session_limit=4)
    clients = [await crowd.client(office, capacity=SESSIONS) for _ in range(2)]
    for _ in range(COMMANDS):
        await crowd.world.prompt(office)
    used: list[UUID] = []
    most = 0

    async def work(client: Client, sessions: list[UUID], eyes: Caller) -> None:
        nonlocal most
        while len(used) < COMMANDS:
            for command in await client.claim(1):
                session = await taken_by(client, sessions, command)
                most = max(most, await eyes.value("select count(*) from agent_sessions where acquired_by is not null"))
                await client.complete(command, p_result={"session_id": str(session)}, p_session_status="ready")
                [held] = await eyes.ask("select acquired_by from agent_sessions where id = %s", session)
                assert held["acquired_by"] == command["id"], "nobody else took it meanwhile"
                used.append(session)
                await client.call("release_session", p_session=session)
                await client.move(session, "ready")

    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        for client in clients:
            sessions = [await client.open_session(office) for _ in range(SESSIONS)]
            for _ in range(SESSIONS):
                group.create_task(work(await crowd.at_its_own_connection(client), sessions, await crowd.service()))

    assert await statuses(crowd.world) == {"completed": COMMANDS}
    assert 1 < most <= 4
    assert await crowd.world.owner.value("select count(*) from agent_sessions where acquired_by is not null") == 0


async def taken_by(client: Client, sessions: list[UUID], command: Row) -> UUID:
    """The first of the sessions that nobody else has; there is one, for the client has no more places than sessions."""
    while True:
        for session in sessions:
            try:
                await client.acquire(session, command)
            except psycopg.Error as error:
                assert error.sqlstate == "SO002", error  # noqa: PT017  any other refusal is a defect
            else:
                return session
