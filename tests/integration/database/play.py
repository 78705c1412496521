"""A game for one office with two machines: whatever anybody may try, as steps that can be played in any order.

Refusals with a code of ours are part of the game; any other error ends it.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from shared.states import SessionStatus
from tests.integration.database.world import Client, Row, World

Step = tuple[str, int, int]
"""What is tried, on which command, and on which session or with which status."""


@dataclass
class Scene:
    """What one step is about: a command, one that was claimed, a session and a status, as far as there are any."""

    play: "Play"
    command: Row
    held: Row
    session: UUID
    status: SessionStatus

    @property
    def owner(self) -> Client:
        return self.play.second if self.held["claimed_by"] == self.play.second.id else self.play.first

    async def in_session(self, command_type: str, payload: Row) -> Row:
        return await self.play.world.command(self.play.office, command_type, payload, session_id=self.session)

    async def pass_time(self, column: str) -> None:
        query = f"update agent_commands set {column} = now() - interval '1 second' where id = %s"  # noqa: S608  our own names
        await self.play.world.owner.ask(query, self.command["id"])

    async def restart(self, *alive: UUID, held: list[Row]) -> None:
        self.play.zombie = self.play.first.as_it_was()
        await self.play.first.register(*alive, held=held)


Action = Callable[[Scene], Awaitable[object]]
FREE: dict[str, Action] = {
    "prompt a role": lambda s: s.play.world.prompt(s.play.office),
    "prompt a role, thrice at most": lambda s: s.play.world.prompt(s.play.office, max_attempts=3),
    "urgent": lambda s: s.play.world.prompt(s.play.office, priority=9),
    "create": lambda s: s.play.world.command(s.play.office, "create_session", {"role": "BE"}),
    "claim": lambda s: s.play.claim(s.play.first),
    "claim as the other": lambda s: s.play.claim(s.play.second, 1),
    "rescue": lambda s: s.play.world.service.call("rescue_commands"),
    "expire": lambda s: s.play.world.service.call("expire_commands"),
    "restart": lambda s: s.restart(held=[]),
    "open a circuit": lambda s: s.play.first.open_circuit(s.play.office),
    "close a circuit": lambda s: s.play.first.close_circuit(s.play.office),
    "revoke the other": lambda s: s.play.world.service.call("revoke_client", p_client=s.play.second.id),
}
ON_A_COMMAND: dict[str, Action] = {
    "open": lambda s: s.owner.open_session(s.play.office, s.held),
    "complete": lambda s: s.owner.complete(s.held),
    "fail": lambda s: s.owner.complete(s.held, success=False, p_error_code="no_such_thing", p_error="it broke"),
    "the agent dies": lambda s: s.owner.fail(s.held, "died"),
    "time runs out": lambda s: s.owner.fail(s.held, "timeout"),
    "the pause ends": lambda s: s.pass_time("not_before"),
    "report lost": lambda s: s.owner.report_lost(s.held),
    "give back": lambda s: s.owner.give_back(s.held),
    "renew": lambda s: s.owner.renew(s.held),
    "a zombie completes": lambda s: s.play.zombie.complete(s.held),
    "lease runs out": lambda s: s.pass_time("lease_until"),
    "deadline passes": lambda s: s.pass_time("deadline"),
    "cancel": lambda s: s.play.world.service.call("cancel_command", p_command=s.command["id"]),
}
ON_A_SESSION: dict[str, Action] = {
    "prompt a session": lambda s: s.in_session("send_prompt", {"text": "x"}),
    "send keys": lambda s: s.in_session("send_keys", {"keys": ["enter"]}),
    "terminate": lambda s: s.in_session("terminate", {}),
    "move": lambda s: s.play.first.move(s.session, s.status),
    "a zombie moves": lambda s: s.play.zombie.move(s.session, s.status),
    "restart with all": lambda s: s.restart(s.session, held=s.play.held),
}
ON_BOTH: dict[str, Action] = {
    "acquire": lambda s: s.owner.acquire(s.session, s.held),
    "type": lambda s: s.owner.typed(s.held, s.session),
    "complete with a move": lambda s: s.owner.complete(
        s.held, p_result={"session_id": str(s.session)}, p_session_status=s.status
    ),
}
ACTIONS = FREE | ON_A_COMMAND | ON_A_SESSION | ON_BOTH


@dataclass
class Play:
    world: World
    office: UUID
    first: Client
    second: Client
    zombie: Client
    held: list[Row] = field(default_factory=list[Row])

    @classmethod
    async def begin(cls, world: World) -> "Play":
        office = await world.office()
        first = await world.client(office)
        return cls(world, office, first, await world.client(office), first.as_it_was())

    async def step(self, step: Step) -> None:
        action, which, other = step
        commands = await self._rows("agent_commands", "seq")
        sessions = await self._rows("agent_sessions", "created_at, id")
        if (action in ON_A_COMMAND | ON_BOTH and not commands) or (action in ON_A_SESSION | ON_BOTH and not sessions):
            return
        command = commands[which % len(commands)] if commands else {}
        scene = Scene(
            self,
            command,
            self.held[which % len(self.held)] if self.held else command,
            sessions[other % len(sessions)]["id"] if sessions else uuid.uuid4(),
            list(SessionStatus)[other % len(SessionStatus)],
        )
        try:
            async with self.world.connection.transaction():
                await ACTIONS[action](scene)
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("SO"):
                raise

    async def claim(self, client: Client, limit: int = 10) -> None:
        self.held += await client.claim(limit)

    async def _rows(self, table: str, order: str) -> list[Row]:
        query = f"select * from {table} where office_id = %s order by {order}"  # noqa: S608  our own names
        return await self.world.owner.ask(query, self.office)
