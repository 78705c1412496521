"""What this client holds, on disk: written before anything is typed and before a result is sent, read at start.

Results stay here until the office has them. What is written outlives the process at once, the machine a moment later:
only for results is the disk waited for. A journal knows in which boot of the machine it was written, and so when it may
lack the last moments (`machine_restarted`).
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

import psutil
import structlog

from remote_client.commands import Command, Completion, known_type, typing_key
from remote_client.notes import SessionNote, TypingNote
from shared.errors import CannotNote, Conflict
from shared.ids import Attempt, CommandId, SessionId, StartId
from shared.states import TYPED, CommandType, SessionStatus

log = structlog.get_logger(__name__)

CLAIMS_WAIT_SECONDS = 0.02
"""Claims become durable with the next typing, or this much later: one commit before a prompt is typed, not two."""
AGAIN_SECONDS = 1.0
"""How soon a journal that could not be written is tried again."""
_PRIMARY_CODE = 0xFF

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
    """
drop table epochs;
create table starts (
  start text primary key,
  inode integer not null  -- of the file that it was written into: a copy of the file is another one
) strict, without rowid;
""",
    "create table boots (boot text primary key) strict, without rowid;",
)
"""How the file came to be as it is; its `user_version` counts those it has been through."""


def this_boot() -> str:
    """Names the time since the machine was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time()))


@dataclass(frozen=True)
class Entry:
    """What the journal knows of a command that an earlier process of this client held."""

    command_id: CommandId
    attempt: Attempt
    command_type: CommandType | str
    state: EntryState
    typing: TypingNote | None
    completion: Completion | None

    @property
    def key(self) -> str:
        return typing_key(self.command_id, self.attempt)


class Journal:
    """One process at a time.

    What cannot be written (a full disk) is kept and tried again; meanwhile `is_stuck`, and nothing may be typed.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Conflict: another process of this client is using it.
            CannotNote: the disk is full, or broken.
        """
        self._path = path
        self._unsaved: list[tuple[str, list[tuple[Any, ...]]]] = []
        self._save_later: asyncio.TimerHandle | None = None
        self._on_room: list[Callable[[], None]] = []
        self.is_stuck = False
        self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            path.chmod(0o600)
            self._database.execute("pragma locking_mode = exclusive")
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
            self._database.execute("begin immediate")
            self._database.execute("commit")
            self._come_up_to_date(path)
        except sqlite3.OperationalError as error:
            self._database.close()
            if error.sqlite_errorcode & _PRIMARY_CODE not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise _cannot_note(path, error) from error
            raise Conflict(
                f"another process of this client uses {path} ({error})", advice="stop it first; one runs at a time"
            ) from error

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
        self._try_to_save()
        if self._save_later is not None:
            self._save_later.cancel()
        self._database.close()

    def on_room(self, listener: Callable[[], None]) -> None:
        """`listener` is called when the journal can be written again."""
        self._on_room.append(listener)

    def entries(self) -> list[Entry]:
        self._try_to_save()
        rows = self._database.execute("select command_id, attempt, command_type, state, typing, completion from holds")
        return [
            Entry(
                CommandId(UUID(command)), Attempt(attempt), known_type(kind), state,
                TypingNote.read(typing) if typing else None, _read(completion),
            )
            for command, attempt, kind, state, typing, completion in rows
        ]  # fmt: skip

    def claimed(self, commands: list[Command]) -> None:
        """Written a moment later. A claim that is lost with the process is rescued by the office."""
        rows = [(str(command.command_id), command.attempt, command.command_type) for command in commands]
        self._unsaved.append(("insert or replace into holds values (?, ?, ?, 'claimed', null, null)", rows))
        self._soon()

    def typing(self, command: Command, note: TypingNote) -> None:
        """Outlives this process when this returns: from here on, the command may have been typed.

        Raises:
            CannotNote: it is not noted, and so must not be typed.
        """
        statement = "update holds set state = 'typing', typing = ? where command_id = ? and attempt = ?"
        self._save_at_once(statement, (note.written(), str(command.command_id), command.attempt))

    def typed(self, command: Command) -> None:
        """Tells no more than `typing` and the host of the terminal do after a crash: written a moment later."""
        statement = "update holds set state = 'typed' where command_id = ? and attempt = ?"
        self._unsaved.append((statement, [(str(command.command_id), command.attempt)]))
        self._soon()

    def finished(self, command: Command, completion: Completion) -> None:
        """On the disk when this returns, unless the journal is stuck: it will reach the office, or be refused by it.

        A result that is lost with a process whose journal is stuck is read again from the terminal. That keys were
        typed, the terminal's host says as well: it is written a moment later, for somebody waits to see each.
        """
        statement = "update holds set state = 'finished', completion = ? where command_id = ? and attempt = ?"
        self._unsaved.append((statement, [(_written(completion), str(command.command_id), command.attempt)]))
        if completion.success and command.command_type in TYPED:
            self._soon()
        else:
            self._try_to_save(to_disk=True)

    def settled(self, command_id: CommandId, attempt: Attempt) -> None:
        """The office has it, or will never take it."""
        self._unsaved.append(("delete from holds where command_id = ? and attempt = ?", [(str(command_id), attempt)]))
        self._soon()

    # Starts -----------------------------------------------------------------------------------------------------------

    @property
    def machine_restarted(self) -> bool:
        """The machine was started anew since this was written: more may have been typed than it knows of."""
        return self._database.execute("select 1 from boots where boot <> ?", (this_boot(),)).fetchone() is not None

    def begins(self, start: StartId) -> list[StartId]:
        """Before the office is told of a start. Returns all that this very file knows of, which no copy of it does.

        Raises:
            CannotNote: it is not noted, and must not be told.
        """
        inode = self._path.stat().st_ino
        self._unsaved.append(("insert or ignore into boots values (?)", [(this_boot(),)]))
        self._save_at_once("insert or ignore into starts values (?, ?)", (str(start), inode), to_disk=True)
        rows = self._database.execute("select start from starts where inode = ?", (inode,))
        return [StartId(UUID(name)) for (name,) in rows]

    def began(self, start: StartId) -> None:
        """The office knows of it, and fences out all before it."""
        self._unsaved.append(("delete from starts where start <> ?", [(str(start),)]))
        self._unsaved.append(("delete from boots where boot <> ?", [(this_boot(),)]))
        self._soon()

    # Sessions ---------------------------------------------------------------------------------------------------------

    def sessions(self) -> list[SessionNote]:
        self._try_to_save()
        return [SessionNote.read(note) for (note,) in self._database.execute("select note from sessions")]

    def session_began(self, note: SessionNote) -> None:
        """Written a moment later: a terminal that is in no journal is ended at the next start."""
        statement = "insert or replace into sessions values (?, ?)"
        self._unsaved.append((statement, [(str(note.session_id), note.written())]))
        self._soon()

    def session_over(self, session_id: SessionId) -> None:
        self._unsaved.append(("delete from sessions where session_id = ?", [(str(session_id),)]))
        self._soon()

    # Saving -----------------------------------------------------------------------------------------------------------

    def _soon(self, seconds: float = CLAIMS_WAIT_SECONDS) -> None:
        if self._save_later is None:
            self._save_later = asyncio.get_running_loop().call_later(seconds, self._try_to_save)

    def _save_at_once(self, statement: str, values: tuple[Any, ...], *, to_disk: bool = False) -> None:
        self._unsaved.append((statement, [values]))
        try:
            self._save(to_disk)
        except sqlite3.OperationalError as error:
            self._unsaved.pop()
            self._stuck(error)
            raise _cannot_note(self._path, error) from error

    def _try_to_save(self, *, to_disk: bool = False) -> None:
        try:
            self._save(to_disk)
        except sqlite3.OperationalError as error:
            self._stuck(error)

    def _save(self, to_disk: bool) -> None:
        if self._save_later is not None:
            self._save_later.cancel()
            self._save_later = None
        if self._unsaved:
            try:
                self._database.execute(f"pragma synchronous = {'full' if to_disk else 'normal'}")
                self._database.execute("begin immediate")
                for statement, rows in self._unsaved:
                    self._database.executemany(statement, rows)
                self._database.execute("commit")
            except sqlite3.OperationalError:
                if self._database.in_transaction:
                    self._database.execute("rollback")
                raise
            self._unsaved.clear()
        if self.is_stuck:
            self.is_stuck = False
            log.info("the journal can be written again", path=str(self._path))
            for listener in self._on_room:
                listener()

    def _stuck(self, error: sqlite3.OperationalError) -> None:
        if not self.is_stuck:
            self.is_stuck = True
            log.error("the journal cannot be written; nothing is taken or typed until it can", path=str(self._path),
                      error=str(error))  # fmt: skip
        self._soon(AGAIN_SECONDS)


def _cannot_note(path: Path, error: sqlite3.OperationalError) -> CannotNote:
    return CannotNote(
        f"the journal {path} cannot be written: {error}", advice="make room on that disk; the client goes on by itself"
    )


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
            "finished_at": completion.finished_at.isoformat() if completion.finished_at else None,
        }
    )


def _read(text: str | None) -> Completion | None:
    if text is None:
        return None
    kept = json.loads(text)
    status = kept.pop("session_status")
    typed_at, confirmed_at, finished_at = [kept.pop(name, None) for name in ("typed_at", "confirmed_at", "finished_at")]
    return Completion(
        **kept,
        session_status=SessionStatus(status) if status else None,
        typed_at=datetime.fromisoformat(typed_at) if typed_at else None,
        confirmed_at=datetime.fromisoformat(confirmed_at) if confirmed_at else None,
        finished_at=datetime.fromisoformat(finished_at) if finished_at else None,
    )
