"""Turns a wish into a row of agent_commands, once per Idempotency-Key. Waits for nothing."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from office_server import unknown
from office_server.backend import Backend
from office_server.metrics import Metrics
from office_server.once import used_for_something_else
from office_server.rows import Command
from shared.errors import Conflict, InvalidPayload, NotFound
from shared.ids import ClientId, OfficeId, SessionId
from shared.states import CommandType


@dataclass(frozen=True)
class Wish:
    """What somebody asks for. `idempotency_key`: asking again with the same one asks once."""

    office: OfficeId
    author: str
    command_type: CommandType
    payload: dict[str, Any] = field(default_factory=dict[str, Any])
    session: SessionId | None = None
    client: ClientId | None = None
    priority: int = 0
    deadline: datetime | None = None
    max_attempts: int = 1
    idempotency_key: str | None = None


class Desk:
    """Where wishes are handed in."""

    def __init__(self, backend: Backend, metrics: Metrics) -> None:
        self._commands = backend.commands
        self._metrics = metrics

    async def ask(self, wish: Wish) -> Command:
        """The command that was inserted for this wish, now or when it was first asked.

        Raises:
            InvalidPayload: the command says something that its type does not take, or text that cannot be stored.
            NotFound: no such office, session or client.
            SessionEnded: the session takes no more commands.
            Conflict: the idempotency key was used for something else.
        """
        check_storable(wish.payload, "payload")
        if wish.idempotency_key is not None:
            earlier = await self._commands.by_key(wish.office, wish.idempotency_key)
            if earlier is not None:
                return _the_same(wish, earlier)
        try:
            command = await self._commands.add(_fields(wish))
        except Conflict:
            # Somebody asked with the same key at the same moment and came first.
            if wish.idempotency_key is None:
                raise
            earlier = await self._commands.by_key(wish.office, wish.idempotency_key)
            if earlier is None:
                raise
            return _the_same(wish, earlier)
        except NotFound:
            raise _unknown(wish) from None
        self._metrics.commands.labels(command.command_type).inc()
        return command


def _unknown(wish: Wish) -> NotFound:
    """What the database did not find of it."""
    if wish.session is not None:
        return unknown.session(wish.office, wish.session)
    return unknown.client(wish.office, wish.client) if wish.client is not None else unknown.office(wish.office)


def check_storable(value: object, where: str) -> None:
    """Refuses what JSON can say and PostgreSQL cannot keep: NUL, half characters, numbers that are none.

    Raises:
        InvalidPayload: names the place.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidPayload(f"{where} holds a NUL character, which no terminal text may.", field=where)
        if not _is_unicode(value):
            raise InvalidPayload(f"{where} holds half of a character (a lone surrogate).", field=where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidPayload(f"{where} is not a number.", field=where)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, object]", value).items():
            check_storable(name, f"a name in {where}")
            check_storable(item, f"{where}.{name}")
    elif isinstance(value, list):
        for place, item in enumerate(cast("list[object]", value)):
            check_storable(item, f"{where}[{place}]")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fields(wish: Wish) -> dict[str, Any]:
    given = {
        "session_id": str(wish.session) if wish.session else None,
        "client_id": str(wish.client) if wish.client else None,
        "deadline": wish.deadline.isoformat() if wish.deadline else None,
        "idempotency_key": wish.idempotency_key,
    }
    return {name: value for name, value in given.items() if value is not None} | {
        "office_id": str(wish.office),
        "command_type": wish.command_type,
        "payload": wish.payload,
        "priority": wish.priority,
        "max_attempts": wish.max_attempts,
        "author": wish.author,
    }


def _the_same(wish: Wish, earlier: Command) -> Command:
    """`earlier`, if it was asked for by the same wish. What the database adds to a command makes no difference."""
    same = (
        earlier.command_type == wish.command_type
        and _normal(earlier.payload) == _normal(wish.payload)
        and (wish.session is None or earlier.session_id == wish.session)
        and (wish.client is None or earlier.client_id == wish.client)
        and earlier.priority == wish.priority
        and earlier.deadline == wish.deadline
        and earlier.max_attempts == wish.max_attempts
    )
    if not same:
        raise used_for_something_else(command_id=str(earlier.id))
    return earlier


def _normal(payload: dict[str, Any]) -> dict[str, Any]:
    """As the database keeps it: without nulls, and the case of a role does not matter."""
    kept = {name: value for name, value in payload.items() if value is not None}
    return kept | {"role": str(kept["role"]).lower()} if "role" in kept else kept
