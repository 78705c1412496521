"""What this client holds, on disk: written before anything is typed and before a result is sent, read at start.

Results stay here until the office has them. Commits are synchronous: they take a fraction of a millisecond.
"""

import asyncio
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from uuid import UUID

from remote_client.commands import Command, Completion
from shared.errors import Conflict
from shared.ids import Attempt, CommandId
from shared.states import CommandType, SessionStatus

CLAIMS_WAIT_SECONDS = 0.02
"""Claims become durable with the next typing, or this much later: one commit before a prompt is typed, not two."""

EntryState = Literal[
    "claimed",   # nothing was typed                           → typing, finished
    "typing",    # the first byte may have been typed          → typed, finished
    "typed",     # it was typed                                → finished
    "finished",  # its result waits for the office             → (gone)
]  # fmt: skip

_SCHEMA = """
create table if not exists holds (
  command_id   text not null,
  attempt      integer not null,
  command_type text not null,
  state        text not null check (state in ('claimed', 'typing', 'typed', 'finished')),
  completion   text,
  primary key (command_id, attempt)
) strict, without rowid;
"""


@dataclass(frozen=True)
class Entry:
    """What the journal knows of a command that an earlier process of this client held."""

    command_id: CommandId
    attempt: Attempt
    command_type: CommandType
    state: EntryState
    completion: Completion | None


class Journal:
    """One process at a time."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Conflict: another process of this client is using it.
        """
        self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
        path.chmod(0o600)
        try:
            self._database.execute("pragma locking_mode = exclusive")
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = full")
            self._database.executescript(_SCHEMA)
            self._database.execute("begin immediate")
            self._database.execute("commit")
        except sqlite3.OperationalError as error:
            self._database.close()
            raise Conflict(
                f"another process of this client uses {path} ({error})", advice="stop it first; one runs at a time"
            ) from error
        self._commit_later: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._commit()
        self._database.close()

    def entries(self) -> list[Entry]:
        rows = self._database.execute("select command_id, attempt, command_type, state, completion from holds")
        return [
            Entry(CommandId(UUID(command)), Attempt(attempt), CommandType(kind), state, _read(completion))
            for command, attempt, kind, state, completion in rows
        ]

    def claimed(self, commands: list[Command]) -> None:
        """Durable a moment later. A claim that is lost with the process is rescued by the office."""
        self._begin()
        self._database.executemany(
            "insert or replace into holds values (?, ?, ?, 'claimed', null)",
            [(str(command.command_id), command.attempt, command.command_type) for command in commands],
        )
        self._later()

    def typing(self, command: Command) -> None:
        """Durable when this returns: from here on, the command may have been typed."""
        self._set_state(command, "typing")
        self._commit()

    def typed(self, command: Command) -> None:
        """Tells no more than `typing` does after a crash: durable a moment later."""
        self._set_state(command, "typed")
        self._later()

    def finished(self, command: Command, completion: Completion) -> None:
        """Durable when this returns: the result will reach the office, or be refused by it."""
        self._begin()
        self._database.execute(
            "update holds set state = 'finished', completion = ? where command_id = ? and attempt = ?",
            (_written(completion), str(command.command_id), command.attempt),
        )
        self._commit()

    def settled(self, command_id: CommandId, attempt: Attempt) -> None:
        """The office has it, or will never take it."""
        self._begin()
        self._database.execute("delete from holds where command_id = ? and attempt = ?", (str(command_id), attempt))
        self._later()

    def _set_state(self, command: Command, state: EntryState) -> None:
        self._begin()
        self._database.execute(
            "update holds set state = ? where command_id = ? and attempt = ?",
            (state, str(command.command_id), command.attempt),
        )

    def _begin(self) -> None:
        if not self._database.in_transaction:
            self._database.execute("begin immediate")

    def _later(self) -> None:
        if self._commit_later is None:
            self._commit_later = asyncio.get_running_loop().call_later(CLAIMS_WAIT_SECONDS, self._commit)

    def _commit(self) -> None:
        if self._commit_later is not None:
            self._commit_later.cancel()
            self._commit_later = None
        if self._database.in_transaction:
            self._database.execute("commit")


def _written(completion: Completion) -> str:
    return json.dumps(
        {
            "success": completion.success,
            "result": completion.result,
            "error_code": completion.error_code,
            "error": completion.error,
            "session_status": completion.session_status,
            "typed_at": completion.typed_at.isoformat() if completion.typed_at else None,
            "confirmed_at": completion.confirmed_at.isoformat() if completion.confirmed_at else None,
            "retry": completion.retry,
        }
    )


def _read(text: str | None) -> Completion | None:
    if text is None:
        return None
    kept = json.loads(text)
    status, typed_at, confirmed_at = kept.pop("session_status"), kept.pop("typed_at"), kept.pop("confirmed_at", None)
    return Completion(
        **kept,
        session_status=SessionStatus(status) if status else None,
        typed_at=datetime.fromisoformat(typed_at) if typed_at else None,
        confirmed_at=datetime.fromisoformat(confirmed_at) if confirmed_at else None,
    )
