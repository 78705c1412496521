"""The audit log: who did what, in the same transaction, for good."""

import json
from uuid import UUID, uuid4

import pytest

from tests.integration.database.world import Caller, Row, World, refused

TOKEN = "token:café"
NOBODY = "0" * 64


async def acts(world: World, office: UUID | None) -> list[tuple[str, str]]:
    rows = await world.owner.ask(
        "select actor, action from audit_log where office_id is not distinct from %s order by id", office
    )
    return [(row["actor"], row["action"]) for row in rows]


async def detail_of(world: World, action: str) -> Row:
    return await world.owner.value("select detail from audit_log where action = %s order by id desc limit 1", action)


async def for_a_token(world: World, identity: UUID | None = None) -> None:
    """From here on, the service says that it asks for this token."""
    said = json.dumps({"name": TOKEN, "id": str(identity) if identity else None})
    await world.owner.ask("select set_config('request.headers', %s, true)", json.dumps({"x-semo-actor": said}))


async def test_every_act_on_an_office_names_who_did_it(world: World) -> None:
    office = await world.office()
    identity = uuid4()
    await for_a_token(world, identity)
    service = world.service
    await service.ask("update offices set session_limit = 3 where id = %s", office)
    token = await service.insert("api_tokens", office_id=office, name="ci", role="viewer", token_hash=NOBODY)
    await service.ask("update api_tokens set last_used_at = now()")
    await service.ask("update api_tokens set revoked_at = now()")
    await service.insert("enrollments", office_id=office, code_hash=NOBODY)
    persona = await service.insert("agent_personas", office_id=office, role="BE", name="B", persona_prompt="p" * 400)
    await service.ask("update agent_personas set rendered = 'x', rendered_version = 1 where id = %s", persona["id"])
    await service.ask("update agent_personas set name = 'C' where id = %s", persona["id"])
    command = await world.prompt(office)
    await service.call("cancel_command", p_command=command["id"])
    expected = [
        "office.changed", "token.added", "token.revoked", "enrollment.added", "persona.added", "persona.changed",
        "command.asked", "command.withdrawn",
    ]  # fmt: skip
    assert [act for act in await acts(world, office) if act[0] == TOKEN] == [(TOKEN, action) for action in expected]
    assert await detail_of(world, "office.changed") == {"session_limit": 3}
    assert (await detail_of(world, "persona.added"))["persona_prompt"] == "400 characters"
    assert "do it" not in str(await detail_of(world, "command.asked"))
    everything = await world.owner.value("select string_agg(a::text, '') from audit_log a")
    assert NOBODY not in everything
    (revoked,) = await world.owner.ask("select * from audit_log where action = 'token.revoked'")
    assert (revoked["subject"], revoked["actor_id"]) == (str(token["id"]), identity)


async def test_people_and_machines_are_named_by_what_they_are_and_cannot_name_another(world: World) -> None:
    office = await world.office()
    operator = await world.member(office, "operator")
    client = await world.client(office)
    await for_a_token(world)
    prompt = """insert into agent_commands (office_id, command_type, payload)
                values (%s, 'create_session', '{"role":"BE"}')"""
    await operator.ask(prompt, office)
    await world.service.call("revoke_client", p_client=client.id)
    assert (f"user:{operator.user}", "command.asked") in await acts(world, office)
    assert (TOKEN, "client.revoked") in await acts(world, office)


async def test_a_thousand_commands_at_once_are_each_in_the_log(world: World) -> None:
    office = await world.office()
    await world.service.ask(
        """insert into agent_commands (office_id, command_type, payload)
           select %s, 'create_session', '{"role":"BE"}' from generate_series(1, 1000)""",
        office,
    )
    assert [act for act in await acts(world, office) if act[1] == "command.asked"] == [
        ("service_role", "command.asked")
    ] * 1000


async def test_what_is_undone_leaves_no_trace(world: World) -> None:
    office = await world.office()
    with refused("SO004"):
        await world.command(office, "send_prompt", {})
    assert "command.asked" not in [action for _, action in await acts(world, office)]


@pytest.mark.parametrize("who", ["service", "owner"])
@pytest.mark.parametrize(
    "verb", ["delete from audit_log", "update audit_log set actor = 'nobody'", "truncate audit_log"]
)
async def test_nobody_takes_anything_back(world: World, who: str, verb: str) -> None:
    await world.office()
    caller: Caller = getattr(world, who)
    with refused("42501" if who == "service" else "SO005"):
        await caller.ask(verb)


async def test_the_log_outlives_the_office_and_is_for_its_admins_alone(world: World) -> None:
    office = await world.office()
    admin, operator = await world.member(office, "admin"), await world.member(office, "operator")
    question = "select action from audit_log where office_id = %s"
    assert "office.added" in [row["action"] for row in await admin.ask(question, office)]
    assert await operator.ask(question, office) == []
    await world.service.ask("delete from offices where id = %s", office)
    assert "office.removed" in [action for _, action in await acts(world, office)]
