"""Listens for the hints of each office and wakes who they are for. A hint is never more than that: the table decides.

One line for each office, so that one that is refused holds up no other. How a line is kept alive is its own business.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from realtime_line.again import Again
from realtime_line.line import Line, LineState, Pace
from realtime_line.socket import Endpoint, Inserts
from remote_client.connection import Connection
from shared.channels import APPROVAL_EVENT, COMMAND_EVENT, commands_topic
from shared.ids import Attempt, ClientId, CommandId, OfficeId

_FIRST = 1


class Tokens(Protocol):
    async def access_token(self, renew: bool = False) -> str: ...

    def on_token(self, listener: Callable[[str], None]) -> None: ...


class Claims(Protocol):
    """What is woken."""

    @property
    def client_id(self) -> ClientId: ...

    def wake(self) -> None: ...

    def hint(self, command_id: CommandId, attempt: Attempt) -> None: ...

    def hint_of_many(self) -> None: ...


class _Wake:
    """Wakes whoever what is heard is for. Called inside the reader of a socket."""

    def __init__(self, claimer: Claims, on_answer: Callable[[], None]) -> None:
        self._claimer = claimer
        self._on_answer = on_answer
        self._again = Again()

    def on_broadcast(self, event: str, payload: Mapping[str, Any]) -> None:
        if event == APPROVAL_EVENT and payload["client_id"] == str(self._claimer.client_id):
            self._on_answer()
            self._again.soon(self._on_answer)
        if event != COMMAND_EVENT:
            return
        if "command_id" in payload:
            self._hint(payload["command_id"], payload["attempt"], payload.get("client_id"))
        elif "command_ids" in payload:
            for command_id in payload["command_ids"]:
                self._hint(command_id, _FIRST, None)
        else:
            self._claimer.hint_of_many()

    def on_insert(self, record: Mapping[str, Any]) -> None:
        self._hint(record["id"], record["attempt"], record.get("client_id"))

    def on_gap(self) -> None:
        self._claimer.wake()

    def _hint(self, command_id: str, attempt: int, client_id: str | None) -> None:
        if client_id in (None, str(self._claimer.client_id)):
            self._claimer.hint(CommandId(UUID(command_id)), Attempt(attempt))


class Subscriber:
    """`set_offices` says whom to listen to; what is heard of them is told to `connection`.

    `on_answer` is called when somebody has answered what an agent of this client asked.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Tokens,
        ask_for_echo: Callable[[str], Awaitable[None]],
        claimer: Claims,
        connection: Connection,
        pace: Pace | None = None,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._tokens = tokens
        self._ask_for_echo = ask_for_echo
        self._wake = _Wake(claimer, on_answer)
        self._connection = connection
        self._pace = pace
        self._offices: frozenset[OfficeId] = frozenset()
        self._changed = asyncio.Event()
        self._lines: dict[OfficeId, tuple[Line, asyncio.Task[None]]] = {}
        tokens.on_token(self._on_token)
        connection.listen_to_turns(self._recheck)

    def set_offices(self, offices: Iterable[OfficeId]) -> None:
        self._offices = frozenset(offices)
        self._changed.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                for office in self._lines.keys() - self._offices:
                    _, running = self._lines.pop(office)
                    running.cancel()
                    await asyncio.wait([running])
                    self._connection.forget(office)
                for office in self._offices - self._lines.keys():
                    line = self._line(office)
                    self._connection.hears(office, False)
                    self._lines[office] = line, group.create_task(line.run())
                await self._changed.wait()

    def _line(self, office: OfficeId) -> Line:
        return Line(
            self._endpoint,
            commands_topic(office),
            self._tokens.access_token,
            self._ask_for_echo,
            self._wake,
            partial(self._on_state, office),
            Inserts("agent_commands", f"office_id=eq.{office}"),
            self._pace,
        )

    def _on_state(self, office: OfficeId, state: LineState) -> None:
        self._connection.hears(office, state is LineState.LIVE)

    def _on_token(self, _token: str) -> None:
        for line, _ in self._lines.values():
            line.token_changed()

    def _recheck(self) -> None:
        for line, _ in self._lines.values():
            line.recheck()
