"""Many at once, each on a connection of its own: nothing is taken twice, nothing is lost, nobody waits in a circle."""

import asyncio
import random
import uuid
from collections import Counter
from uuid import UUID

import psycopg

from tests.integration.database.crowd import Crowd, begun, blocked, statuses
from tests.integration.database.world import Caller, Client, Row, refused


def dice_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  repeatable, not secret


async def test_two_clients_that_claim_at_once_take_each_command_once(crowd: Crowd) -> None:
    office = await crowd.world.office(session_limit=100)
    clients = [await crowd.client(office) for _ in range(2)]
    commands = {(await crowd.world.prompt(office))["id"] for _ in range(60)}

    async def claim_all(client: Client) -> list[UUID]:
        taken: list[UUID] = []
        while batch := await client.claim(3):
            taken += [command["id"] for command in batch]
        return taken

    taken = [command for mine in await asyncio.gather(*map(claim_all, clients)) for command in mine]
    assert Counter(taken) == Counter(commands)


async def test_one_client_that_claims_over_several_connections_keeps_the_order_of_a_session(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    session = await client.open_session(office)
    for _ in range(5):
        await crowd.world.prompt(office, session)
    twins = [await crowd.at_its_own_connection(client) for _ in range(4)]
    taken = [command for batch in await asyncio.gather(*(twin.claim() for twin in twins)) for command in batch]
    assert len(taken) == 1


async def test_clients_that_claim_at_once_stay_within_the_limit_of_the_office(crowd: Crowd) -> None:
    office = await crowd.world.office(session_limit=5)
    clients = [await crowd.client(office) for _ in range(4)]
    for _ in range(20):
        await crowd.world.prompt(office)
    taken = await asyncio.gather(*(client.claim(3) for client in clients))
    assert sum(len(batch) for batch in taken) == 5


async def test_what_one_client_passes_over_stays_free_for_another_at_the_same_moment(crowd: Crowd) -> None:
    office, other_office = await crowd.world.office(), await crowd.world.office()
    busy, idle = await crowd.client(office, other_office, capacity=1), await crowd.client(office, other_office)
    first = await crowd.world.prompt(office, priority=5)
    second = await crowd.world.command(other_office, "create_session", {"role": "BE"})
    async with busy.caller.connection.transaction():
        assert [command["id"] for command in await busy.claim()] == [first["id"]]
        locked = await crowd.world.owner.ask(
            "select id from agent_commands where id = %s for update nowait", second["id"]
        )
        assert locked, "its lock is free while the first claim has not been committed"
    assert [command["id"] for command in await idle.claim()] == [second["id"]]


async def test_a_claim_that_began_before_what_it_takes_could_begin_is_told_as_after_it(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    async with begun(client):
        await client.caller.ask("select now()")  # the transaction's moment, for all of it
        await crowd.world.prompt(office)
        offered = await crowd.world.owner.value("select clock_timestamp()")
        (held,) = await client.claim()
    assert held["claimed_at"] > offered


async def test_clients_of_several_offices_do_not_wait_for_each_other_in_a_circle(crowd: Crowd) -> None:
    """Places of an office are taken in turns; taking the turns in the order of the commands would end in a deadlock."""
    offices = [await crowd.world.office(session_limit=100) for _ in range(4)]
    clients = [await crowd.client(*offices) for _ in range(4)]
    for place in range(120):
        await crowd.world.prompt(offices[place % 4], priority=place % 3)

    async def claim_all(client: Client) -> int:
        return sum([len(batch) for _ in range(30) if (batch := await client.claim(4))])

    assert sum(await asyncio.gather(*map(claim_all, clients))) == 120


async def test_a_code_that_two_machines_spend_at_once_lets_one_in(crowd: Crowd) -> None:
    office = await crowd.world.office()
    await crowd.world.service.insert("enrollments", office_id=office, code_hash="3" * 64)
    users = [await crowd.world.user() for _ in range(4)]

    async def redeem(user: Caller) -> bool:
        service = await crowd.service()
        try:
            await service.call(
                "redeem_enrollment", p_code_hash="3" * 64, p_client=uuid.uuid4(), p_user=user.user, p_name="m"
            )
        except psycopg.Error as error:
            assert error.sqlstate == "SO006", error  # noqa: PT017  any other refusal is a defect
            return False
        return True

    assert sorted(await asyncio.gather(*map(redeem, users))) == [False, False, False, True]
    assert await crowd.world.owner.value("select count(*) from remote_clients") == 1


async def test_a_write_that_an_older_process_has_begun_comes_wholly_before_the_newer_one(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    newer = await crowd.at_its_own_connection(client)
    async with begun(client):
        session = await client.open_session(office)
        registering = asyncio.create_task(newer.register())
        await blocked(crowd.world, newer)
    await registering
    assert (await crowd.world.session(session))["end_reason"] == "client_restarted", "it cannot be left over"


async def test_a_write_that_an_older_process_begins_while_the_newer_one_registers_is_refused(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    newer = await crowd.at_its_own_connection(client)
    async with begun(newer):
        await newer.register()
        opening = {"p_session": uuid.uuid4(), "p_office": office, "p_role": "BE", "p_agent": "shell", "p_pool": "warm"}
        writing = asyncio.create_task(client.call("open_session", **opening))
        await blocked(crowd.world, client)
    with refused("SO001", "another process"):
        await writing
    assert await crowd.world.owner.value("select count(*) from agent_sessions") == 0


async def test_what_a_client_is_taking_over_is_not_rescued_at_the_same_moment(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    await crowd.world.prompt(office)
    (command,) = await client.claim()
    await crowd.world.lease_runs_out(command)
    newer = await crowd.at_its_own_connection(client)
    async with begun(newer):
        assert len((await newer.register(held=[command]))["held"]) == 1
        assert await crowd.world.service.call("rescue_commands") == 0
    assert await crowd.world.service.call("rescue_commands") == 0
    assert await newer.complete(command)


async def test_nobody_waits_for_who_notes_that_time_has_passed(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    newer = await crowd.at_its_own_connection(client)
    await crowd.world.owner.ask("update semo.lease_time set seen_at = now() - interval '5 s'")
    async with begun(newer):
        await newer.register()
        async with asyncio.timeout(30):
            assert await crowd.world.service.call("rescue_commands") == 0


async def test_of_a_rescue_and_a_completion_at_once_only_one_counts(crowd: Crowd) -> None:
    office = await crowd.world.office(session_limit=100)
    client = await crowd.client(office)
    for _ in range(20):
        await crowd.world.prompt(office)
    commands = await client.claim(20)
    await crowd.world.owner.ask("update agent_commands set lease_until = now() - interval '1 s'")
    service = await crowd.service()

    async def complete_all() -> int:
        done = 0
        for command in commands:
            try:
                done += await client.complete(command)
            except psycopg.Error as error:
                assert error.sqlstate == "SO001", error  # noqa: PT017  any other refusal is a defect
        return done

    completed, _ = await asyncio.gather(complete_all(), service.call("rescue_commands"))
    counted = await statuses(crowd.world)
    assert counted["completed"] == completed
    assert counted["completed"] + counted["lost"] == 20
    assert await crowd.world.owner.value("select count(*) from agent_command_results") == 20


async def test_output_that_two_connections_tell_at_once_stands_once(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    twin = await crowd.at_its_own_connection(client)
    sessions = [await client.open_session(office) for _ in range(20)]

    async def append(caller: Client, order: list[UUID]) -> None:
        for place in range(20):
            chunks = [{"session_id": str(session), "start": place, "end": place + 1, "text": "x"} for session in order]
            await caller.call("append_output", p_chunks=chunks)

    await asyncio.gather(append(client, sessions), append(twin, sessions[::-1]))
    assert await crowd.world.owner.value("select count(*) from session_output") == 20 * 20


async def test_leases_are_renewed_while_steps_are_told_without_a_deadlock(crowd: Crowd) -> None:
    office = await crowd.world.office()
    client = await crowd.client(office)
    twin = await crowd.at_its_own_connection(client)
    for _ in range(60):
        await crowd.world.command(office, "get_output", session_id=await client.open_session(office))
    commands = sorted(await client.claim(60), key=lambda command: command["id"])
    steps = [
        {"step": "confirmed", "command_id": str(one["id"]), "attempt": one["attempt"], "at": "2026-11-21T12:00:00Z"}
        for one in commands
    ]

    async def renew() -> None:
        for _ in range(20):
            assert len(await client.renew(*commands[::-1])) == 60

    async def tell() -> None:
        for _ in range(20):
            assert await twin.call("record_progress", p_steps=steps) == 60

    await asyncio.gather(renew(), tell())


ROUNDS = 30


async def test_eight_busy_clients_never_deadlock_and_lose_no_command(crowd: Crowd) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201  shown when the test fails
    offices = [await crowd.world.office(session_limit=100) for _ in range(2)]
    machines = [await crowd.client(*offices) for _ in range(4)]
    twins = [await crowd.at_its_own_connection(machine) for machine in machines]
    service = await crowd.service()
    inserted: set[UUID] = set()
    finished = asyncio.Event()

    async def ask_for_work() -> None:
        dice = dice_of(seed)
        for _ in range(ROUNDS * 4):
            inserted.add((await crowd.world.prompt(dice.choice(offices), priority=dice.randint(0, 2)))["id"])
        finished.set()

    async def keep_house() -> None:
        while not finished.is_set():
            await service.call("rescue_commands")
            await service.call("expire_commands")

    async with asyncio.TaskGroup() as group:
        group.create_task(ask_for_work())
        group.create_task(keep_house())
        for number, (machine, twin) in enumerate(zip(machines, twins, strict=True)):
            group.create_task(work(machine, dice_of(seed + number)))
            group.create_task(report(twin, offices, dice_of(seed - number)))
    for machine in machines:
        while batch := await machine.claim():
            for command in batch:
                await machine.complete(command)
    await crowd.world.owner.ask(
        "update agent_commands set lease_until = now() - interval '1 s' where status = 'processing'"
    )
    await service.call("rescue_commands")
    counted = await statuses(crowd.world)
    assert set(counted) <= {"completed", "lost"}, counted
    assert counted.total() == len(inserted)
    assert await crowd.world.owner.value("select count(*) from agent_command_results") == len(inserted)


async def work(machine: Client, dice: random.Random) -> None:
    """Claims, and ends what it claimed in every way; some of it is left to be rescued."""
    for _ in range(ROUNDS):
        for command in await machine.claim(3, lease_seconds=dice.choice([0, 30])):
            try:
                await end_somehow(machine, command, dice.randrange(5))
            except psycopg.Error as error:
                assert error.sqlstate == "SO001", error  # noqa: PT017  rescued meanwhile; any other refusal is a defect
        await machine.call("heartbeat")


async def end_somehow(machine: Client, command: Row, way: int) -> None:
    match way:
        case 0:
            await machine.give_back(command)
        case 1:
            await machine.renew(command)
        case 2:
            session = await machine.open_session(command["office_id"], command)
            await machine.typed(command, session)
            await machine.complete(command, p_result={"session_id": str(session)}, p_session_status="ready")
            await machine.call("release_session", p_session=session)
        case _:
            await machine.complete(command)


async def report(twin: Client, offices: list[UUID], dice: random.Random) -> None:
    """What the same machine tells meanwhile over another connection: output of its sessions, in any order."""
    sessions = [await twin.open_session(dice.choice(offices)) for _ in range(4)]
    for place in range(ROUNDS):
        dice.shuffle(sessions)
        chunks = [{"session_id": str(session), "start": place, "end": place + 1, "text": "x"} for session in sessions]
        await twin.call("append_output", p_chunks=chunks)
        await twin.call("heartbeat")
