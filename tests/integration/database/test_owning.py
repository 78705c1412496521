"""A hold on a command and its end: renewing, completing, giving back; and what an older owner may no longer do."""

import uuid
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from tests.integration.database.holding import a_held_prompt, everything
from tests.integration.database.world import Client, Row, World, refused

Write = Callable[[Client, Row, UUID], Awaitable[object]]
OWNERS_WRITES: dict[str, Write] = {
    "complete": lambda client, command, _: client.complete(command),
    "fail": lambda client, command, _: client.complete(command, success=False, p_error_code="x"),
    "report lost": lambda client, command, _: client.report_lost(command),
    "give back": lambda client, command, _: client.give_back(command),
    "open a session": lambda client, command, _: client.call(
        "open_session", p_session=uuid.uuid4(), p_office=command["office_id"], p_role="BE", p_agent="shell",
        p_pool="cold", p_command=command["id"], p_attempt=command["attempt"]),
    "acquire a session": lambda client, command, session: client.acquire(session, command),
    "ask for approval": lambda client, command, session: client.ask_approval(command, session, uuid.uuid4()),
}  # fmt: skip
CLIENTS_WRITES: dict[str, Write] = {
    **OWNERS_WRITES,
    "renew": lambda client, command, _: client.renew(command),
    "move a session": lambda client, _, session: client.move(session, "executing"),
    "release a session": lambda client, _, session: client.call("release_session", p_session=session),
    "progress": lambda client, command, session: client.typed(command, session),
    "output": lambda client, _, session: client.call(
        "append_output", p_chunks=[{"session_id": str(session), "start": 0, "end": 1, "text": "x"}]),
    "events": lambda client, command, _: client.call(
        "record_events", p_events=[{"office_id": str(command["office_id"]), "kind": "note"}]),
    "heartbeat": lambda client, _command, _session: client.call("heartbeat"),
    "sign off": lambda client, _command, _session: client.call("sign_off"),
    "report the connection": lambda client, _command, _session: client.call("report_connection", p_state="live"),
    "open a circuit": lambda client, command, _: client.open_circuit(command["office_id"]),
    "close a circuit": lambda client, command, _: client.close_circuit(command["office_id"]),
    "claim": lambda client, _command, _session: client.claim(),
    "report capabilities": lambda client, _command, _session: client.call(
        "report_capabilities", p_capabilities={"agents": {}}, p_capacity=1),
    "watch approvals": lambda client, _command, _session: client.watch(uuid.uuid4()),
    "withdraw an approval": lambda client, _command, _session: client.withdraw(uuid.uuid4()),
    "deliver an approval": lambda client, _command, _session: client.call(
        "approval_delivered", p_approval=uuid.uuid4()),
}  # fmt: skip


@pytest.mark.parametrize("write", CLIENTS_WRITES)
async def test_an_older_process_is_refused_and_changes_nothing(world: World, write: str) -> None:
    client, command, session = await a_held_prompt(world)
    older = client.as_it_was()
    await client.register(session, held=[command])
    before = await everything(world)
    with refused("SO001", "another process of it has started since"):
        await CLIENTS_WRITES[write](older, command, session)
    assert await everything(world) == before


@pytest.mark.parametrize("write", CLIENTS_WRITES)
async def test_somebody_else_is_refused_and_changes_nothing(world: World, write: str) -> None:
    client, command, session = await a_held_prompt(world)
    stranger = await world.client(command["office_id"])
    impostor = Client(stranger.caller, client.id, epoch=client.epoch)
    before = await everything(world)
    with refused("SO005", "is not yours"):
        await CLIENTS_WRITES[write](impostor, command, session)
    assert await everything(world) == before


@pytest.mark.parametrize("write", CLIENTS_WRITES)
async def test_a_revoked_client_is_refused_and_changes_nothing(world: World, write: str) -> None:
    client, command, session = await a_held_prompt(world)
    await world.service.call("revoke_client", p_client=client.id)
    before = await everything(world)
    with refused("SO008", "was revoked"):
        await CLIENTS_WRITES[write](client, command, session)
    assert await everything(world) == before


@pytest.mark.parametrize("write", OWNERS_WRITES)
async def test_a_stale_attempt_is_refused_and_changes_nothing(world: World, write: str) -> None:
    client, command, session = await a_held_prompt(world)
    await client.give_back(command)
    await client.claim()
    before = await everything(world)
    with refused("SO001", "is processing, attempt 2"):
        await OWNERS_WRITES[write](client, command, session)
    assert await everything(world) == before


@pytest.mark.parametrize("write", OWNERS_WRITES)
async def test_another_client_of_the_office_does_not_own_it(world: World, write: str) -> None:
    _, command, _ = await a_held_prompt(world)
    other = await world.client(command["office_id"])
    session = await other.open_session(command["office_id"])
    before = await everything(world)
    with refused("SO001", "is not held by"):
        await OWNERS_WRITES[write](other, command, session)
    assert await everything(world) == before


async def test_stale_leases_are_not_renewed_and_the_others_are(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    for _ in range(2):
        await world.prompt(office)
    kept, gone = await client.claim(lease_seconds=5)
    await client.give_back(gone)
    assert await client.renew(kept, gone) == [kept["id"]]
    assert (await world.now(kept))["lease_until"] > kept["lease_until"]
    assert (await world.now(gone))["lease_until"] is None


async def test_progress_of_a_hold_that_is_gone_is_passed_over(world: World) -> None:
    client, command, session = await a_held_prompt(world)
    await client.give_back(command)
    await client.claim()
    assert await client.typed(command, session) == 0
    assert (await world.now(command))["typed_at"] is None


async def test_completing_writes_result_status_turn_and_session_together(world: World) -> None:
    client, command, session = await a_held_prompt(world)
    await client.acquire(session, command)
    turn = uuid.uuid4()
    await client.typed(command, session, turn)
    result = {
        "session_id": str(session), "turn_id": str(turn), "outcome": "done", "marker": True, "evidence": [{"k": 1}],
        "output_start": 0, "output_end": 7, "commits": ["abc"], "cost_usd": 0.5, "duration_s": 1.5,
    }  # fmt: skip
    assert await client.complete(command, p_result=result, p_session_status="ready") is True
    now = await world.now(command)
    assert (now["status"], now["lease_until"]) == ("completed", None)
    assert now["finished_at"] is not None
    (row,) = await world.results(command)
    assert (row["success"], row["result"], row["error_code"], row["attempt"]) == (True, result, None, 1)
    (ended,) = await world.owner.ask("select * from session_turns where id = %s", turn)
    assert (ended["outcome"], ended["marker"], ended["output_end"], ended["commits"]) == ("done", True, 7, ["abc"])
    assert ended["ended_at"] is not None
    assert (await world.session(session))["status"] == "ready"


async def test_a_turn_whose_beginning_was_never_told_is_whole_after_completing(world: World) -> None:
    client, command, session = await a_held_prompt(world)
    await client.acquire(session, command)
    turn = uuid.uuid4()
    typed_at = "2026-01-01T00:00:00+00:00"
    result = {"session_id": str(session), "turn_id": str(turn), "outcome": "error"}
    await client.complete(command, success=False, p_result=result, p_error_code="turn_not_done", p_typed_at=typed_at)
    (ended,) = await world.owner.ask("select * from session_turns where id = %s", turn)
    assert (ended["command_id"], ended["outcome"]) == (command["id"], "error")
    assert ended["started_at"].isoformat() == typed_at


@pytest.mark.parametrize(
    "outcome",
    [
        {"success": True},
        {"success": False, "p_error_code": "turn_not_done", "p_error": "the agent gave up"},
        {"success": False},
        {"success": True, "p_error_code": "left over"},
    ],
)
async def test_a_result_that_is_sent_again_is_acknowledged_as_known_and_stands_once(world: World, outcome: Row) -> None:
    client, command, session = await a_held_prompt(world)
    assert await client.complete(command, **outcome) is True
    assert await client.complete(command, **outcome) is False
    await client.register(session)
    assert await client.complete(command, **outcome) is False, "also by the process that took over the outbox"
    assert len(await world.results(command)) == 1


async def test_another_result_for_a_finished_attempt_is_refused(world: World) -> None:
    client, command, _ = await a_held_prompt(world)
    await client.complete(command)
    with refused("SO001", "it is completed"):
        await client.complete(command, success=False, p_error_code="x")
    (row,) = await world.results(command)
    assert row["success"] is True


async def test_a_failure_has_a_code_even_if_none_was_given(world: World) -> None:
    client, command, _ = await a_held_prompt(world)
    await client.complete(command, success=False, p_error="no idea")
    (row,) = await world.results(command)
    assert (row["success"], row["error_code"], row["error"]) == (False, "failed", "no idea")
    assert (await world.now(command))["status"] == "failed"


async def test_completing_with_an_impossible_move_of_the_session_changes_nothing(world: World) -> None:
    client, command, session = await a_held_prompt(world)
    before = await everything(world)
    with refused("SO002", "is ready and cannot become waiting_input"):
        await client.complete(command, p_result={"session_id": str(session)}, p_session_status="waiting_input")
    assert await everything(world) == before


async def test_completing_cannot_move_the_session_of_another_client(world: World) -> None:
    client, command, _ = await a_held_prompt(world)
    foreign = await (await world.client(command["office_id"])).open_session(command["office_id"])
    with refused("SO003"):
        await client.complete(command, p_result={"session_id": str(foreign)}, p_session_status="terminated")
    assert (await world.session(foreign))["status"] == "ready"


async def test_what_was_certainly_not_begun_can_be_given_back_and_is_offered_again(world: World) -> None:
    client, command, session = await a_held_prompt(world)
    await client.acquire(session, command)
    await client.give_back(command)
    now = await world.now(command)
    assert (now["status"], now["attempt"], now["session_id"], now["claimed_by"]) == ("pending", 2, None, None)
    assert (await world.session(session))["acquired_by"] is None
    assert await world.results(command) == []
    (again,) = await client.claim()
    assert (again["id"], again["attempt"]) == (command["id"], 2)


async def test_a_prompt_for_a_session_stays_with_its_session_when_it_is_given_back(world: World) -> None:
    office = await world.office()
    client = await world.client(office)
    session = await client.open_session(office)
    command = await world.prompt(office, session)
    await client.give_back((await client.claim())[0])
    assert (await world.now(command))["session_id"] == session


async def test_what_was_typed_cannot_be_given_back(world: World) -> None:
    client, command, session = await a_held_prompt(world)
    await client.acquire(session, command)
    await client.typed(command, session)
    with refused("SO002", "was typed at"):
        await client.give_back(command)


async def test_the_owner_may_say_that_it_cannot_know(world: World) -> None:
    client, command, _ = await a_held_prompt(world)
    await client.report_lost(command)
    assert (await world.now(command))["status"] == "lost"
    (row,) = await world.results(command)
    assert (row["success"], row["error_code"], row["error"]) == (False, "lost", "the machine slept")
