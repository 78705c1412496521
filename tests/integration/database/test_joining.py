"""How machines join an office with a one-time code, and what the office wants of each of them."""

import hashlib
import uuid
from uuid import UUID

from tests.integration.database.world import Client, Row, World, refused

CODE = hashlib.sha256(b"7KQ2-M9FD").hexdigest()


async def redeem(world: World, user: UUID | None, client: UUID | None = None, code: str = CODE) -> UUID:
    return await world.service.call(
        "redeem_enrollment", p_code_hash=code, p_client=client or uuid.uuid4(), p_user=user, p_name="macbook"
    )


async def an_office_with_a_code(world: World, **columns: object) -> UUID:
    office = await world.office()
    await world.service.insert("enrollments", office_id=office, code_hash=CODE, **columns)
    return office


async def test_a_code_lets_one_machine_in(world: World) -> None:
    office = await an_office_with_a_code(world)
    caller, client = await world.user(), uuid.uuid4()
    assert await world.service.call("check_enrollment", p_code_hash=CODE) == office
    assert await redeem(world, caller.user, client) == office
    machine = Client(caller, client)
    assert (await machine.register())["offices"][0]["office_id"] == str(office)
    spent = await world.owner.ask("select used_at is not null as used, client_id from enrollments")
    assert spent == [{"used": True, "client_id": client}]


async def test_a_code_is_spent_by_its_first_use(world: World) -> None:
    await an_office_with_a_code(world)
    await redeem(world, (await world.user()).user)
    with refused("SO006", "wrong, already used, or older"):
        await redeem(world, (await world.user()).user)
    with refused("SO006"):
        await world.service.call("check_enrollment", p_code_hash=CODE)


async def test_a_code_that_is_wrong_or_too_old_lets_nobody_in(world: World) -> None:
    await an_office_with_a_code(world, expires_at="2020-01-01T00:00:00Z")
    before = await world.owner.value("select count(*) from remote_clients")
    for code in (CODE, "0" * 64):
        with refused("SO006"):
            await redeem(world, (await world.user()).user, code=code)
        with refused("SO006"):
            await world.service.call("check_enrollment", p_code_hash=code)
    assert await world.owner.value("select count(*) from remote_clients") == before


async def test_a_code_is_good_for_ten_minutes(world: World) -> None:
    await an_office_with_a_code(world)
    seconds = await world.owner.value("select extract(epoch from expires_at - created_at) from enrollments")
    assert seconds == 600


async def test_a_code_is_not_spent_when_the_machine_cannot_be_let_in(world: World) -> None:
    await an_office_with_a_code(world)
    taken = await world.client(await world.office())
    with refused("23505"):
        await redeem(world, taken.caller.user)
    await redeem(world, (await world.user()).user)


async def test_one_machine_may_join_several_offices(world: World) -> None:
    first = await an_office_with_a_code(world)
    caller, client = await world.user(), uuid.uuid4()
    await redeem(world, caller.user, client)
    second = await world.office()
    other_code = "2" * 64
    await world.service.insert("enrollments", office_id=second, code_hash=other_code)
    await redeem(world, caller.user, client, other_code)
    offices = (await Client(caller, client).register())["offices"]
    assert {office["office_id"] for office in offices} == {str(first), str(second)}


async def test_codes_are_spent_by_the_service_alone(world: World) -> None:
    await an_office_with_a_code(world)
    for caller in (world.anon, await world.user()):
        with refused("42501"):
            await caller.call("check_enrollment", p_code_hash=CODE)


async def test_revoking_shuts_out_a_machine_and_nobody_revokes_what_is_not_there(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    await world.service.call("revoke_client", p_client=client.id)
    with refused("SO008", "was revoked"):
        await client.register()
    with refused("SO003"):
        await world.service.call("revoke_client", p_client=uuid.uuid4())


async def test_each_start_raises_the_epoch(world: World) -> None:
    client = await world.client(await world.office())
    assert [(await client.register())["epoch"] for _ in range(3)] == [2, 3, 4]


async def test_a_machine_registers_only_as_itself(world: World) -> None:
    office = await world.office()
    client, other = await world.client(office), await world.client(office)
    with refused("SO005", "is not yours"):
        await Client(other.caller, client.id).register()
    with refused("SO005", "is not yours"):
        await Client(other.caller, uuid.uuid4()).register()


async def warm_roles(client: Client) -> list[str]:
    answer: Row = await client.call("heartbeat")
    return answer["offices"][0]["warm_roles"]


async def test_warm_roles_are_dealt_out_over_the_machines_that_are_online(world: World) -> None:
    office = await world.office(warm_roles=["FE", "BE", "QA"])
    first = await world.client(office)
    assert await warm_roles(first) == ["FE", "BE", "QA"]
    second = await world.client(office)
    await world.owner.ask("update remote_clients set created_at = now() + interval '1 s' where id = %s", second.id)
    assert (await warm_roles(first), await warm_roles(second)) == (["FE", "QA"], ["BE"])
    await world.goes_offline(first)
    assert await warm_roles(second) == ["FE", "BE", "QA"]
    assert await warm_roles(first) == ["FE", "QA"], "it is back"


async def test_no_role_is_kept_warm_where_its_office_has_no_repository(world: World) -> None:
    office = await world.office(warm_roles=["FE", "BE"])
    first, second = await world.client(office), await world.client(office)
    await first.call("heartbeat", p_repositories={str(office): {"name": "web", "path": "~/web", "missing": True}})
    assert (await warm_roles(first), await warm_roles(second)) == ([], ["FE", "BE"])
    await first.call("heartbeat", p_repositories={str(office): {"name": "web", "path": "~/web"}})
    assert [len(await warm_roles(client)) for client in (first, second)] == [1, 1], "it is there now"


async def test_a_machine_that_signs_off_leaves_its_roles_to_the_others_at_once(world: World) -> None:
    office = await world.office(warm_roles=["FE", "BE", "QA"])
    first, second = await world.client(office), await world.client(office)
    command = await world.prompt(office)
    await first.call("sign_off")
    assert await warm_roles(second) == ["FE", "BE", "QA"]
    await second.call("sign_off")
    waiting = await world.service.call("command_waiting_reason", p_command=command["id"])
    assert waiting["reason"] == "no_client_online"
    await first.register()
    assert await world.service.call("command_waiting_reason", p_command=command["id"]) is None


async def test_a_machine_without_places_or_revoked_is_dealt_no_roles(world: World) -> None:
    office = await world.office(warm_roles=["FE", "BE"])
    without, revoked, able = [await world.client(office, capacity=places) for places in (0, 6, 6)]
    await world.service.call("revoke_client", p_client=revoked.id)
    assert await warm_roles(without) == []
    assert await warm_roles(able) == ["FE", "BE"]


async def test_each_role_is_dealt_to_exactly_one_machine_even_when_named_twice(world: World) -> None:
    office = await world.office(warm_roles=["BE", "BE", "BE", "FE", "QA"])
    dealt = [await warm_roles(client) for client in [await world.client(office) for _ in range(3)]]
    assert sorted(role for roles in dealt for role in roles) == ["BE", "BE", "BE", "FE", "QA"]
