"""What a client cannot take: roles whose circuit is open, and what there is no memory for."""

from datetime import timedelta

from tests.integration.database.taking import LOW, ids, reason
from tests.integration.database.world import Client, World, refused


async def test_a_client_takes_nothing_for_a_role_whose_circuit_is_open_and_another_client_does(world: World) -> None:
    office = await world.office()
    broken = await world.client(office)
    await broken.open_circuit(office)
    command = await world.prompt(office)
    other_role = await world.command(office, "create_session", {"role": "QA"})
    assert await ids(broken) == [other_role["id"]]
    assert await ids(await world.client(office)) == [command["id"]]


async def test_an_open_circuit_holds_up_neither_another_office_nor_what_needs_no_new_session(world: World) -> None:
    office, elsewhere = await world.office(), await world.office()
    client = await world.client(office, elsewhere)
    session = await client.open_session(office)
    await client.open_circuit(office)
    in_session, there = await world.prompt(office, session), await world.prompt(elsewhere)
    assert set(await ids(client)) == {in_session["id"], there["id"]}


async def test_an_idle_session_serves_its_role_though_the_circuit_is_open(world: World) -> None:
    office = await world.office()
    client = await world.client(office, agents=("shell", "claude"))
    await client.open_session(office)
    await client.open_circuit(office)
    for payload in ({"task": "mine"}, {"base": "main"}, {"model": "best"}, {"resume": "x"}, {"agent": "claude"}):
        await world.command(office, "create_session", {"role": "BE", **payload})
    assert await ids(client) == []
    plain = await world.prompt(office)
    assert await ids(client) == [plain["id"]]


async def test_a_circuit_that_is_closed_lets_commands_through_again(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await client.open_circuit(office)
    command = await world.prompt(office)
    await client.close_circuit(office)
    await client.close_circuit(office)
    assert await ids(client) == [command["id"]]


async def test_a_circuit_that_opens_again_keeps_when_it_opened_first(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await client.open_circuit(office)
    await world.owner.ask("update role_circuits set opened_at = now() - interval '1 minute', open_until = now()")
    await client.open_circuit(office, p_failures=4, p_error="still none")
    [row] = await world.owner.ask("select *, now() as now from role_circuits")
    assert (row["failures"], row["error"]) == (4, "still none")
    assert row["open_until"] - row["opened_at"] == timedelta(minutes=2)


async def test_a_client_that_starts_anew_has_no_open_circuit_and_holds_nothing_back(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await client.open_circuit(office)
    await client.claim(p_holding_back=LOW)
    command = await world.prompt(office)
    assert await reason(world, command) == "circuit_open"
    await client.register()
    assert await reason(world, command) is None


async def test_a_client_opens_circuits_only_as_itself_and_where_it_serves(world: World) -> None:
    office, elsewhere = await world.office(), await world.office()
    client, other = await world.client(office), await world.client(office)
    with refused("SO005", "does not serve"):
        await client.open_circuit(elsewhere)
    for function in ("open_circuit", "close_circuit"):
        with refused("SO005", "not yours"):
            await getattr(Client(other.caller, client.id, epoch=client.epoch), function)(office)
    older = client.as_it_was()
    await client.register()
    with refused("SO001"):
        await older.open_circuit(office)


async def test_a_client_without_memory_takes_only_what_an_idle_session_can_serve(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    first = await world.prompt(office)
    assert await ids(client, LOW) == []
    assert await reason(world, first) == "low_memory"
    await client.open_session(office)
    assert await ids(client, LOW) == [first["id"]]


async def test_memory_that_suffices_for_one_agent_is_not_held_back_for_another(world: World) -> None:
    office = await world.office()
    client = await world.client(office, agents=("shell", "claude"))
    await world.prompt(office)
    claude = await world.command(office, "create_session", {"role": "BE", "agent": "claude"})
    assert await ids(client, LOW) == [claude["id"]]


async def test_a_client_that_has_memory_again_takes_what_waited(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    command = await world.prompt(office)
    await client.claim(p_holding_back=LOW)
    assert await ids(client) == [command["id"]]
    row = await world.owner.value("select holding_back from remote_clients where id = %s", client.id)
    assert row is None
