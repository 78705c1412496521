"""What an agent asks, on its way to the office and back: each answer to its own action, and none to any other."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from remote_client import approvals as module
from remote_client.agents.adapter import Request
from remote_client.approvals import Approvals, TurnApprovals
from remote_client.commands import Command, Hold
from remote_client.office_link import Calls, OfficeLink
from remote_client.policy import Policy, parse_policy
from remote_client.sessions import Session
from remote_client.uplink import Uplink
from shared.errors import BackendDown, Conflict
from shared.ids import Attempt, ClientId, CommandId, Epoch, OfficeId, SessionId, TurnId
from shared.states import CommandType

ROOT = 'allowed_roots = ["/"]\n'
TURN = TurnId(uuid4())


class Desk(Calls):
    """An office with approvals; while it is `away`, nobody answers a call."""

    def __init__(self) -> None:
        self.away = False
        self.rows: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.moved = asyncio.Condition()

    async def __call__(self, function: str, arguments: dict[str, Any]) -> Any:
        await asyncio.sleep(0)
        if self.away:
            raise BackendDown
        answer: Any = None
        approval = str(arguments.get("p_approval"))
        match function:
            case "request_approval":
                said = {"id": approval, "status": "pending", "answered_by": None, "message": None, "delivered": False}
                row = said | {"digest": arguments["p_digest"], "input": arguments["p_input"]}
                self.rows.setdefault(approval, row | {"redacted": arguments["p_redacted"]})
            case "watch_approvals":
                answer = [self.rows[one] for one in arguments["p_approvals"] if self.rows[one]["status"] != "pending"]
            case "withdraw_approval":
                if self.rows[approval]["status"] == "pending":
                    self.rows[approval] |= {"status": "withdrawn", "message": arguments["p_reason"]}
            case "approval_delivered":
                self.rows[approval]["delivered"] = True
            case "record_events":
                self.events += arguments["p_events"]
            case _:
                raise AssertionError(function)
        async with self.moved:
            self.moved.notify_all()
        return answer

    async def until(self, number: int, **expected: Any) -> dict[str, Any]:
        """The row of the `number`th request, once it says so."""
        async with asyncio.timeout(30), self.moved:
            await self.moved.wait_for(
                lambda: len(self.rows) > number and expected.items() <= list(self.rows.values())[number].items()
            )
        return list(self.rows.values())[number]


class Driver:
    """An agent whose requests stand until they are answered."""

    def __init__(self) -> None:
        self.waiting: set[int] = set()
        self.told: list[tuple[int, bool, str]] = []

    async def answer(self, number: int, allow: bool, message: str = "") -> None:
        if number not in self.waiting:
            raise Conflict("it waits no longer")
        self.waiting.remove(number)
        self.told.append((number, allow, message))


class Turn:
    """A running turn of an agent that asks."""

    def __init__(self, desk: Desk, policy: Policy) -> None:
        self.desk, self.driver = desk, Driver()
        self.link = OfficeLink(desk, ClientId(uuid4()), policy.secrets({}).told)
        self.uplink = Uplink(self.link, 0.01, 100_000, 100_000)
        self.approvals = Approvals(self.link, self.uplink, policy)
        session: dict[str, Any] = {"session_id": SessionId(uuid4()), "driver": self.driver, "kept_here": {}}
        self.session = cast(Session, SimpleNamespace(**session, worktree=SimpleNamespace(path=Path("/src"))))
        command = Command(
            CommandId(uuid4()), Attempt(1), OfficeId(uuid4()), self.session.session_id, CommandType.SEND_PROMPT, {}
        )
        self.hold = Hold(command, Epoch(1), 1e9)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[TurnApprovals]:
        async with self.approvals.of(self.session, self.hold, TURN) as turn:
            yield turn

    def ask(self, turn: TurnApprovals, number: int, **changes: Any) -> None:
        self.driver.waiting.add(number)
        wanted: dict[str, Any] = {
            "tool": "Bash",
            "input": {"command": f"make {number}"},
            "folder": "/src",
            "whole": True,
        }
        turn.ask(Request(number, **(wanted | changes)))

    def answer(self, number: int, status: str, **more: Any) -> None:
        list(self.desk.rows.values())[number] |= {"status": status, "answered_by": "token:ann", **more}
        self.approvals.wake()

    async def until_event(self, kind: str) -> None:
        async with asyncio.timeout(30):
            while True:
                if any(told == kind for told, _ in await self.events()):
                    return
                await asyncio.sleep(0.01)

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        await self.uplink.flush()
        return [(event["kind"], event["detail"]) for event in self.desk.events]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def turn_of(desk: Desk, policy: str = "") -> Turn:
    return Turn(desk, parse_policy(ROOT + policy, "policy"))


@pytest.mark.parametrize(
    ("status", "allow", "message", "told"),
    [
        ("approved", True, None, ""),
        ("denied", False, "not today", "not today"),
        ("denied", False, None, "Somebody at the office denied this."),
        ("expired", False, None, "Nobody answered in time, so this was denied."),
    ],
)
async def test_each_answer_goes_to_the_request_that_it_is_of(
    desk: Desk, status: str, allow: bool, message: str | None, told: str
) -> None:
    agent = turn_of(desk)
    async with agent.running() as turn:
        agent.ask(turn, 4)
        agent.ask(turn, 6)
        await desk.until(1, status="pending")
        agent.answer(1, status, message=message)
        await desk.until(1, delivered=True)
        assert agent.driver.told == [(6, allow, told)]
        assert agent.driver.waiting == {4}
        [evidence] = turn.evidence()
        assert (evidence["says"], evidence["by"], evidence["tool"]) == (status, "token:ann", "Bash")
    assert (await desk.until(0))["status"] == "withdrawn"


async def test_an_answer_with_another_digest_answers_nothing(desk: Desk) -> None:
    agent = turn_of(desk)
    async with agent.running() as turn:
        agent.ask(turn, 4)
        await desk.until(0, status="pending")
        agent.answer(0, "approved", digest="f" * 64)
        await agent.until_event("approval_not_delivered")
        assert agent.driver.told == []
        assert agent.driver.waiting == {4}


async def test_what_is_asked_is_bound_to_every_byte_of_it(desk: Desk) -> None:
    agent = turn_of(desk)
    async with agent.running() as turn:
        for number, changes in enumerate(
            ({}, {"input": {"command": "make 0 "}}, {"tool": "bash"}, {"folder": "/other"}, {"folder": ""})
        ):
            agent.ask(turn, number, **changes)
        await desk.until(4, status="pending")
        assert len({row["digest"] for row in desk.rows.values()}) == 5


async def test_a_later_process_asks_the_same_and_finds_the_answer(desk: Desk) -> None:
    first = turn_of(desk)
    running = asyncio.create_task(_asks_and_waits(first))
    await desk.until(0, status="pending")
    running.cancel()
    await asyncio.wait({running})
    assert (await desk.until(0))["status"] == "pending", "the turn goes on, and so does its request"
    first.answer(0, "approved")
    second = turn_of(desk)
    async with second.running() as turn:
        second.ask(turn, 4)
        await desk.until(0, delivered=True)
    assert second.driver.told == [(4, True, "")]
    assert len(desk.rows) == 1


async def _asks_and_waits(agent: Turn) -> None:
    async with agent.running() as turn:
        agent.ask(turn, 4)
        await asyncio.Event().wait()


async def test_while_the_office_is_away_the_agent_waits_and_the_request_comes_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    agent = turn_of(desk)
    desk.away = True
    async with agent.running() as turn:
        agent.ask(turn, 4)
        await asyncio.sleep(0.03)
        assert (desk.rows, agent.driver.waiting) == ({}, {4})
        desk.away = False
        await desk.until(0, status="pending")
        agent.answer(0, "approved")
        await desk.until(0, delivered=True)
    assert agent.driver.told == [(4, True, "")]


async def test_what_was_answered_at_the_terminal_is_taken_back(desk: Desk) -> None:
    agent = turn_of(desk)
    async with agent.running() as turn:
        agent.ask(turn, 4)
        await desk.until(0, status="pending")
        turn.moot(4)
        await desk.until(0, status="withdrawn", message="answered at the terminal, or stopped")


async def test_an_answer_that_crosses_one_at_the_terminal_is_told_as_not_delivered(desk: Desk) -> None:
    agent = turn_of(desk)
    async with agent.running() as turn:
        agent.ask(turn, 4)
        await desk.until(0, status="pending")
        agent.driver.waiting.clear()
        agent.answer(0, "approved")
        await agent.until_event("approval_not_delivered")
    assert (await desk.until(0))["delivered"] is False


@pytest.mark.parametrize(
    ("policy", "tool", "rule"),
    [
        ("[approvals]\nremote = false", "Bash", "approvals.remote"),
        ('[approvals]\ntools = ["Edit"]', "Bash", "approvals.tools"),
        ('[approvals]\ntools = ["Edit"]', "Edit", None),
    ],
)
async def test_the_machine_decides_what_may_be_answered_from_outside(
    desk: Desk, policy: str, tool: str, rule: str | None
) -> None:
    agent = turn_of(desk, policy)
    async with agent.running() as turn:
        agent.ask(turn, 4, tool=tool)
        if rule is None:
            await desk.until(0, status="pending")
            return
        [(kind, detail)] = await agent.events()
        assert (kind, detail["tool"]) == ("approval_not_offered", "Bash")
        assert f"({rule})" in detail["because"]
        assert f"({rule})" in agent.session.kept_here[4]
        turn.moot(4)
        assert agent.session.kept_here == {}
    assert desk.rows == {}


@pytest.mark.parametrize("changes", [{"whole": False}, {"input": {"content": "x" * 300_000}}])
async def test_what_nobody_could_see_whole_is_left_to_the_terminal(desk: Desk, changes: dict[str, Any]) -> None:
    agent = turn_of(desk)
    async with agent.running() as turn:
        agent.ask(turn, 4, **changes)
        [(kind, _)] = await agent.events()
    assert kind == "approval_not_offered"
    assert desk.rows == {}


async def test_secrets_are_not_shown_with_a_request_and_it_says_so(desk: Desk) -> None:
    agent = turn_of(desk)
    secret = "ghp_" + "a1B2" * 10
    async with agent.running() as turn:
        agent.ask(turn, 4, input={"command": f"curl -H {secret}"})
        agent.ask(turn, 5)
        await desk.until(1, status="pending")
        first, second = desk.rows.values()
    assert secret not in json.dumps(first)
    assert (first["redacted"], second["redacted"]) == (True, False)
