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

from remote_client.commands import Command, Completion, typing_key
from remote_client.notes import SessionNote, TypingNote
from shared.errors import Conflict
from shared.ids import Attempt, CommandId, Epoch, SessionId
from shared.states import CommandType, SessionStatus

CLAIMS_WAIT_SECONDS = 0.02
"""Claims become durable with the next typing, or this much later: one commit before a prompt is typed, not two."""

EntryState = Literal[
    "claimed",   # nothing was typed                           → typing, finished
    "typing",    # the first byte may have been typed          → typed, finished
    "typed",     # it was typed                                → finished
    "finished",  # its result waits for the office             → (gone)
]  # fmt: skip

_STEPS = (
    """
create table holds (
  command_id   text not null,
  attempt      integer not null,
  command_type text not null,
  state        text not null check (state in ('claimed', 'typing', 'typed', 'finished')),
  typing       text,
  completion   text,
  primary key (command_id, attempt)
) strict, without rowid;
create table sessions (
  session_id text primary key,
  note       text not null
) strict, without rowid;
""",
    "create table epochs (epoch integer not null) strict;",
)
"""How the file came to be as it is; its `user_version` counts those it has been through."""


@dataclass(frozen=True)
class Entry:
    """What the journal knows of a command that an earlier process of this client held."""

    command_id: CommandId
    attempt: Attempt
    command_type: CommandType
    state: EntryState
    typing: TypingNote | None
    completion: Completion | None

    @property
    def key(self) -> str:
        return typing_key(self.command_id, self.attempt)


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
            self._database.execute("begin immediate")
            self._database.execute("commit")
            self._come_up_to_date(path)
        except sqlite3.OperationalError as error:
            self._database.close()
            raise Conflict(
                f"another process of this client uses {path} ({error})", advice="stop it first; one runs at a time"
            ) from error
        self._commit_later: asyncio.TimerHandle | None = None

    def _come_up_to_date(self, path: Path) -> None:
        [version] = self._database.execute("pragma user_version").fetchone()
        if version > len(_STEPS):
            self._database.close()
            raise Conflict(f"{path} was written by a newer version of this client", advice="start that version")
        for number, step in enumerate(_STEPS[version:], version + 1):
            self._database.executescript(f"begin; {step}; pragma user_version = {number}; commit;")

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
        rows = self._database.execute("select command_id, attempt, command_type, state, typing, completion from holds")
        return [
            Entry(
                CommandId(UUID(command)), Attempt(attempt), CommandType(kind), state,
                TypingNote.read(typing) if typing else None, _read(completion),
            )
            for command, attempt, kind, state, typing, completion in rows
        ]  # fmt: skip

    def claimed(self, commands: list[Command]) -> None:
        """Durable a moment later. A claim that is lost with the process is rescued by the office."""
        self._begin()
        self._database.executemany(
            "insert or replace into holds values (?, ?, ?, 'claimed', null, null)",
            [(str(command.command_id), command.attempt, command.command_type) for command in commands],
        )
        self._later()

    def typing(self, command: Command, note: TypingNote) -> None:
        """Durable when this returns: from here on, the command may have been typed."""
        self._begin()
        self._database.execute(
            "update holds set state = 'typing', typing = ? where command_id = ? and attempt = ?",
            (note.written(), str(command.command_id), command.attempt),
        )
        self._commit()

    def typed(self, command: Command) -> None:
        """Tells no more than `typing` and the host of the terminal do after a crash: durable a moment later."""
        self._begin()
        self._database.execute(
            "update holds set state = 'typed' where command_id = ? and attempt = ?",
            (str(command.command_id), command.attempt),
        )
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

    # Epochs -----------------------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> Epoch | None:
        """That of the process which wrote here last; None when none did."""
        row = self._database.execute("select max(epoch) from epochs").fetchone()
        return Epoch(row[0]) if row[0] is not None else None

    def began(self, epoch: Epoch) -> None:
        """Durable when this returns."""
        self._begin()
        self._database.execute("delete from epochs")
        self._database.execute("insert into epochs values (?)", (epoch,))
        self._commit()

    # Sessions ---------------------------------------------------------------------------------------------------------

    def sessions(self) -> list[SessionNote]:
        return [SessionNote.read(note) for (note,) in self._database.execute("select note from sessions")]

    def session_began(self, note: SessionNote) -> None:
        """Durable a moment later: a terminal that is in no journal is ended at the next start."""
        self._begin()
        self._database.execute("insert or replace into sessions values (?, ?)", (str(note.session_id), note.written()))
        self._later()

    def session_over(self, session_id: SessionId) -> None:
        self._begin()
        self._database.execute("delete from sessions where session_id = ?", (str(session_id),))
        self._later()

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
