"""What an agent asks leave for: asked by its owner alone, answered once, and by nobody and nothing too late."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_supabase.database import Database
from tests.integration.database.crowd import Crowd
from tests.integration.database.test_transitions import arrows_named_by
from tests.integration.database.world import Caller, Client, Row, World, connect, refused

ARROWS = arrows_named_by("approval_status")


@dataclass
class Asked:
    """A prompt that runs, and its request."""

    world: World
    office: UUID
    client: Client
    command: Row
    session: UUID
    turn: UUID
    id: UUID

    @classmethod
    async def of(cls, world: World, **office: object) -> "Asked":
        office_id = await world.office(**office)
        client = await world.client(office_id)
        await world.prompt(office_id)
        (command,) = await client.claim()
        session, turn = await client.open_session(office_id, command), uuid.uuid4()
        await client.typed(command, session, turn)
        request = await client.ask_approval(command, session, turn)
        return cls(world, office_id, client, command, session, turn, request)

    async def status(self) -> str:
        return (await self.world.approval(self.id))["status"]

    async def events(self) -> list[Row]:
        return await self.world.owner.ask(
            "select kind, detail from session_events where session_id = %s and kind like 'approval.%%' order by id",
            self.session,
        )


@pytest.fixture
async def asked(world: World) -> Asked:
    return await Asked.of(world)


@pytest.mark.parametrize("status", ["approved", "denied"])
async def test_an_answer_is_kept_with_who_gave_it_and_told_to_all(asked: Asked, world: World, status: str) -> None:
    operator = await world.member(asked.office, "operator")
    answered = await world.answer(asked.id, status, operator, p_message="because", p_digest="a" * 64)
    assert (answered["status"], answered["answered_by"]) == (status, f"user:{operator.user}")
    assert answered["answered_at"] is not None
    assert await asked.client.watch(asked.id) == {asked.id: status}
    assert [event["kind"] for event in await asked.events()] == ["approval.requested", f"approval.{status}"]
    told = (await asked.events())[-1]["detail"]
    assert (told["by"], told["message"], told["tool"]) == (f"user:{operator.user}", "because", "Bash")
    [hint] = await world.owner.ask("select topic, payload from realtime.messages where event = 'approval'")
    assert (hint["topic"], hint["payload"]["approval_id"]) == (f"office:{asked.office}:commands", str(asked.id))
    await asked.client.call("approval_delivered", p_approval=asked.id)
    assert (await world.approval(asked.id))["delivered_at"] is not None


async def test_an_answer_is_given_once_and_repeating_it_changes_nothing(asked: Asked, world: World) -> None:
    first = await world.answer(asked.id, "approved", p_by="token:ann")
    assert await world.answer(asked.id, "approved", p_by="token:ann") == first
    for status, by in (("denied", "token:ann"), ("approved", "token:bob")):
        with refused("SO002", "was approved by token:ann"):
            await world.answer(asked.id, status, p_by=by)
    assert await world.approval(asked.id) == first


async def test_it_answers_one_action_and_no_other(asked: Asked, world: World) -> None:
    with refused("SO002", "another action"):
        await world.answer(asked.id, "approved", p_digest="b" * 64)
    again = {"p_approval": asked.id, "p_tool": "Bash"}
    assert await asked.client.ask_approval(asked.command, asked.session, asked.turn, **again) == asked.id
    with refused("SO002", "another action"):
        await asked.client.ask_approval(asked.command, asked.session, asked.turn, **again, p_digest="b" * 64)
    other = await asked.client.ask_approval(asked.command, asked.session, asked.turn, p_digest="b" * 64)
    await world.answer(other, "approved")
    assert (await asked.status(), await asked.client.watch(asked.id, other)) == ("pending", {other: "approved"})


async def test_the_person_at_the_machine_answers_as_anybody_else_the_action_that_they_saw(
    asked: Asked, world: World
) -> None:
    for digest, problem in (("b" * 64, "another action"), (None, "which action")):
        with refused("SO002" if digest else "SO004", problem):
            await asked.client.call("answer_approval_here", p_approval=asked.id, p_status="approved", p_digest=digest)
    other = await world.client(asked.office)
    with refused("SO003", "no approval"):
        await other.call("answer_approval_here", p_approval=asked.id, p_status="approved", p_digest="a" * 64)
    await asked.client.call("answer_approval_here", p_approval=asked.id, p_status="approved", p_digest="a" * 64)
    assert (await world.approval(asked.id))["answered_by"].startswith("machine:")
    with refused("SO002", "was approved by machine:"):
        await world.answer(asked.id, "denied", p_by="token:ann")


async def test_who_may_answer(asked: Asked, world: World) -> None:
    elsewhere = await world.member(await world.office(), "admin")
    callers = [elsewhere, await world.member(asked.office, "viewer"), asked.client.caller, await world.user()]
    for caller in callers:
        with refused("SO003", "there is no approval"):
            await world.answer(asked.id, "approved", caller)
    with refused("42501"):
        await world.answer(asked.id, "approved", world.anon)
    assert await asked.status() == "pending"


async def test_a_person_cannot_answer_in_anothers_name(asked: Asked, world: World) -> None:
    operator = await world.member(asked.office, "operator")
    answered = await world.answer(asked.id, "approved", operator, p_by="token:boss")
    assert answered["answered_by"] == f"user:{operator.user}"


async def test_nothing_but_an_answer_is_an_answer(asked: Asked, world: World) -> None:
    for status in ("pending", "expired", "withdrawn"):
        with refused("SO004", "approved or denied"):
            await world.answer(asked.id, status)
    with refused("SO004", "at most 4096"):
        await world.answer(asked.id, "denied", p_message="x" * 4097)


async def test_time_answers_with_a_denial_and_nobody_after_it(world: World) -> None:
    asked = await Asked.of(world, approval_seconds=60)
    row = await world.approval(asked.id)
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 60
    await world.approval_runs_out(asked.id)
    with refused("SO002", "expired at"):
        await world.answer(asked.id, "approved")
    assert await asked.client.watch(asked.id) == {asked.id: "expired"}
    with refused("SO002", "expired at"):
        await world.answer(asked.id, "approved")
    assert (await asked.events())[-1]["kind"] == "approval.expired"


async def test_what_its_client_took_back_is_not_answered(asked: Asked, world: World) -> None:
    assert await asked.client.withdraw(asked.id) == "withdrawn"
    with refused("SO002", "waits no longer: answered at the terminal"):
        await world.answer(asked.id, "approved")
    assert await asked.client.withdraw(asked.id) == "withdrawn"
    other = await asked.client.ask_approval(asked.command, asked.session, asked.turn)
    await world.answer(other, "denied")
    assert await asked.client.withdraw(other) == "denied", "what was answered stays so"


ENDS: dict[str, Callable[[Asked], Awaitable[object]]] = {
    "finished": lambda asked: asked.client.complete(asked.command),
    "lost": lambda asked: asked.client.report_lost(asked.command),
    "session over": lambda asked: asked.client.move(asked.session, "terminated"),
    "client revoked": lambda asked: asked.world.service.call("revoke_client", p_client=asked.client.id),
}


@pytest.mark.parametrize("end", ENDS)
async def test_an_answer_after_the_turn_is_refused_and_the_request_withdrawn(
    asked: Asked, world: World, end: str
) -> None:
    await ENDS[end](asked)
    with refused("SO002", "its turn is over"):
        await world.answer(asked.id, "approved")
    assert await world.service.call("settle_approvals") == 1
    assert await asked.status() == "withdrawn"
    assert await world.service.call("settle_approvals") == 0


async def test_a_heartbeat_settles_what_nobody_tells_of(asked: Asked, world: World) -> None:
    await world.approval_runs_out(asked.id)
    await asked.client.call("heartbeat")
    assert await asked.status() == "expired"


async def test_a_session_in_which_the_command_does_not_run_asks_nothing(asked: Asked) -> None:
    other = await asked.client.open_session(asked.office)
    with refused("SO003", "in which command"):
        await asked.client.ask_approval(asked.command, other, asked.turn)


async def test_a_request_outlives_a_restart_of_its_client(asked: Asked, world: World) -> None:
    await asked.client.register(asked.session, held=[asked.command])
    again = {"p_approval": asked.id}
    assert await asked.client.ask_approval(asked.command, asked.session, asked.turn, **again) == asked.id
    await world.answer(asked.id, "approved")
    assert await asked.client.watch(asked.id) == {asked.id: "approved"}


async def test_of_many_who_answer_at_once_one_is_heard(crowd: Crowd) -> None:
    asked = await Asked.of(crowd.world)
    people = [await crowd.service() for _ in range(6)]

    async def answer(person: Caller, number: int) -> str | None:
        try:
            status = ("approved", "denied")[number % 2]
            return (await crowd.world.answer(asked.id, status, person, p_by=f"token:{number}"))["answered_by"]
        except psycopg.Error as error:
            return error.sqlstate

    heard = await asyncio.gather(*(answer(person, number) for number, person in enumerate(people)))
    assert Counter(heard) == {(await crowd.world.approval(asked.id))["answered_by"]: 1, "SO002": 5}


# The states, against a model of them --------------------------------------------------------------------------------

ANSWERS = {"approve": "approved", "deny": "denied"}


@dataclass
class Model:
    """What each request should be, by the arrows that the comments name."""

    asked: Asked
    status: dict[UUID, str] = field(default_factory=dict[UUID, str])
    over: set[UUID] = field(default_factory=set[UUID])
    """Those whose time is over."""
    turn_is_over: bool = False

    async def play(self, step: str, which: int) -> None:
        ids = list(self.status)
        one = ids[which % len(ids)]
        expected, refusal = self.status, None
        try:
            async with self.asked.world.connection.transaction():
                expected = await self._steps[step](self, one)
        except psycopg.Error as error:
            refusal = error.sqlstate or ""
        assert (refusal is None) == self._is_legal(step, one), f"{step}: {refusal or 'not refused'}"
        assert refusal is None or refusal.startswith("SO"), refusal
        for request, status in expected.items():
            before = self.status.get(request)
            allowed = {"pending"} if before is None else ARROWS[before] | {before}
            assert status in allowed, f"{step}: {before} → {status}"
        self.status = dict(expected)
        self.turn_is_over = self.turn_is_over or step == "finish"
        rows = await self.asked.world.owner.ask(
            "select id, status::text from approvals where session_id = %s", self.asked.session
        )
        assert {row["id"]: row["status"] for row in rows} == self.status, f"after {step}"

    def _is_legal(self, step: str, one: UUID) -> bool:
        if step == "ask":
            return not self.turn_is_over
        if step in ANSWERS:
            waits = self.status[one] == "pending" and one not in self.over and not self.turn_is_over
            return waits or self.status[one] == ANSWERS[step]
        return True

    async def _ask(self, _: UUID) -> dict[UUID, str]:
        client, command = self.asked.client, self.asked.command
        request = await client.ask_approval(command, self.asked.session, self.asked.turn)
        return self.status | {request: "pending"}

    async def _approve(self, one: UUID) -> dict[UUID, str]:
        return await self._answer(one, "approved")

    async def _deny(self, one: UUID) -> dict[UUID, str]:
        return await self._answer(one, "denied")

    async def _answer(self, one: UUID, status: str) -> dict[UUID, str]:
        await self.asked.world.answer(one, status)
        return self.status | {one: status}

    async def _withdraw(self, one: UUID) -> dict[UUID, str]:
        said = await self.asked.client.withdraw(one)
        after = self.status | ({one: "withdrawn"} if self.status[one] == "pending" else {})
        assert said == after[one]
        return after

    async def _time_passes(self, one: UUID) -> dict[UUID, str]:
        await self.asked.world.approval_runs_out(one)
        self.over.add(one)
        return self.status

    async def _watch(self, one: UUID) -> dict[UUID, str]:
        told = await self.asked.client.watch(one)
        expires = self.status[one] == "pending" and one in self.over
        after = self.status | ({one: "expired"} if expires else {})
        assert told == {id_: status for id_, status in after.items() if id_ == one and status != "pending"}
        return after

    async def _settle(self, _: UUID) -> dict[UUID, str]:
        await self.asked.world.service.call("settle_approvals")
        moved = {
            one: "withdrawn" if self.turn_is_over else "expired"
            for one, status in self.status.items()
            if status == "pending" and (self.turn_is_over or one in self.over)
        }
        return self.status | moved

    async def _finish(self, _: UUID) -> dict[UUID, str]:
        await self.asked.client.complete(self.asked.command)
        return self.status

    async def _restart(self, _: UUID) -> dict[UUID, str]:
        await self.asked.client.register(self.asked.session, held=[self.asked.command])
        return self.status

    _steps = {  # noqa: RUF012  of the class
        "ask": _ask, "approve": _approve, "deny": _deny, "withdraw": _withdraw, "time passes": _time_passes,
        "watch": _watch, "settle": _settle, "finish": _finish, "restart": _restart,
    }  # fmt: skip


STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(Model._steps)), st.integers(0, 5)),  # pyright: ignore[reportPrivateUsage]
    min_size=5, max_size=30,
)  # fmt: skip


@given(steps=STEPS)
@settings(max_examples=30, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
def test_approvals_are_what_the_model_of_them_says(shared_database: Database, steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(shared_database, steps))


async def play(database: Database, steps: list[tuple[str, int]]) -> None:
    async with connect(database) as connection, connection.transaction(force_rollback=True):
        asked = await Asked.of(World(connection))
        model = Model(asked, {asked.id: "pending"})
        for step in steps:
            await model.play(*step)
